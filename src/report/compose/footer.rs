//! The footer: what was re-read, what answered, what it cost.

use crate::model::budget::Spent;
use crate::model::{ErrorClass, Failure, ModelId, catalogue};
use crate::report::compose::Told;
use crate::report::document::Line;

/// Returns the footer's lines.
pub(super) fn footer(told: &Told<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let run = format!("run {}", told.run_id);
    match told.verdict() {
        Some(_) => {
            if let Some(investigation) = told.investigation {
                lines.push(Line::text(counts(investigation.counts)));
                let failed: Vec<_> = investigation
                    .agents
                    .iter()
                    .filter(|agent| agent.outcome != "complete")
                    .map(|agent| format!("{} agent {}", agent.agent, short(&agent.outcome)))
                    .collect();
                if !failed.is_empty() {
                    lines.push(Line::text(format!("Did not finish: {}", failed.join(", "))));
                }
            }
            lines.extend(answered(told));
            lines.push(Line::text(format!("{}{run}", cost(told.spent))));
        }
        None => {
            lines.push(Line::text("This is final: no AI conclusion follows."));
            let asked = if told.why_facts.is_some() { "No AI asked" } else { "No AI" };
            lines.push(Line::text(format!("{asked}: {} · {run}", why(told))));
        }
    }
    lines
}

fn counts(counts: crate::finding::Counts) -> String {
    let guesses = match counts.removed {
        0 => String::new(),
        1 => ", 1 unproven guess removed".into(),
        removed => format!(", {removed} unproven guesses removed"),
    };
    format!("{} of {} quotes and numbers re-read{guesses}", counts.held, counts.checked)
}

/// Says which model answered, and for which it stood in.
fn answered(told: &Told<'_>) -> Vec<Line> {
    let calls = told.spent.total_calls();
    let plural = if calls == 1 { "call" } else { "calls" };
    let names: Vec<_> = told.spent.calls.keys().map(catalogue::name).collect();
    let stands_in: Vec<_> = told.left.iter().map(|(model, failure)| stand_in(model, failure)).collect();
    let stands_in =
        if stands_in.is_empty() { String::new() } else { format!(" (for {})", stands_in.join(", ")) };
    let mut lines = Vec::new();
    if told.spent.recordings.is_empty() {
        lines.push(Line::text(format!("{}{stands_in} · {calls} {plural}", names.join(", "))));
    } else {
        let how: Vec<_> = told.spent.recordings.keys().map(String::as_str).collect();
        lines.push(Line::text(format!("Model: {}; no Bedrock call", how.join(" and "))));
        let plural = if calls == 1 { "answer" } else { "answers" };
        lines.push(Line::text(format!("{calls} {plural} as {}{stands_in}", names.join(", "))));
        if told.spent.stale > 0 {
            lines.push(Line::text(format!(
                "{} recorded answers are stale: made for another request",
                told.spent.stale
            )));
        }
    }
    lines
}

/// `retired 3.5 Sonnet v2`: the reason in a word, then the name.
fn stand_in(model: &ModelId, failure: &Failure) -> String {
    let name = catalogue::name(model);
    match failure.class {
        ErrorClass::EndOfLife => format!("retired {name}"),
        class => format!("{name}, {}", class.as_str()),
    }
}

fn cost(spent: &Spent) -> String {
    if !spent.recordings.is_empty() {
        return String::new();
    }
    match spent.cost_usd {
        Some(cost) => format!("${cost:.2} · "),
        None => "cost unknown (unpriced model) · ".into(),
    }
}

/// Says why no model answered.
fn why(told: &Told<'_>) -> String {
    if let Some(why) = told.why_facts {
        return why.to_owned();
    }
    if told.left.is_empty() {
        let reason = told.investigation.and_then(|investigation| match &investigation.outcome {
            crate::investigation::InvestigationOutcome::FactsOnly { reason, .. } => Some(reason.clone()),
            crate::investigation::InvestigationOutcome::Investigated(_) => None,
        });
        return reason.unwrap_or_else(|| "no reason was recorded".into());
    }
    let each: Vec<_> = told.left.iter().map(|(model, failure)| given_up(model, failure)).collect();
    each.join("; ")
}

/// `Sonnet 4.6 throttled 5 times in 41 s`.
fn given_up(model: &ModelId, failure: &Failure) -> String {
    let name = catalogue::name(model);
    if failure.attempts > 1 {
        format!(
            "{name} {} {} times in {} s",
            failure.class.as_str(),
            failure.attempts,
            failure.waited.as_secs()
        )
    } else {
        format!("{name} {}", failure.class.as_str())
    }
}

/// Keeps the first clause of a long reason; the whole of it is in the details.
fn short(outcome: &str) -> String {
    outcome.split([';', '(']).next().unwrap_or(outcome).trim().chars().take(80).collect()
}
