//! The footer: what was re-read, what answered, what it cost.

use crate::id::RunId;
use crate::investigation::InvestigationOutcome;
use crate::model::budget::Spent;
use crate::model::{ErrorClass, Failure, ModelId, catalogue};
use crate::report::compose::Told;
use crate::report::document::{Line, VERSION};

/// Returns the footer's lines.
pub(super) fn footer(told: &Told<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let run = signed(told.run_id);
    match told.verdict() {
        Some(_) => {
            if let Some(investigation) = told.investigation {
                lines.extend(counts(investigation.counts).map(Line::text));
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
            lines.extend(
                told.spent.tripped.map(|limit| Line::text(format!("Best so far: {}", limit.as_str()))),
            );
            lines.extend(answered(told));
            lines.push(Line::text(format!("{}{} s · {run}", cost(told.spent), told.took.as_secs().max(1))));
        }
        None if told.follows.is_some() => lines.push(Line::text(run)),
        None => {
            lines.push(Line::text("This is final: no AI conclusion follows."));
            let asked = if told.why_facts.is_some() { "No AI asked" } else { "No AI" };
            lines.push(Line::text(format!("{asked}: {} · {run}", why(told))));
        }
    }
    lines
}

/// `run 7f3a9c · v0.1.0`: which run says it, and which version of the program.
pub(super) fn signed(run_id: &RunId) -> String {
    format!("run {run_id} · v{VERSION}")
}

fn counts(counts: crate::finding::Counts) -> Option<String> {
    let read = (counts.checked > 0)
        .then(|| format!("{} of {} quotes and numbers re-read", counts.held, counts.checked));
    let guesses = match counts.removed {
        0 => None,
        1 => Some("1 unproven guess removed".to_owned()),
        removed => Some(format!("{removed} unproven guesses removed")),
    };
    let parts: Vec<String> = read.into_iter().chain(guesses).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Says which model answered, and for which it stood in.
fn answered(told: &Told<'_>) -> Vec<Line> {
    let calls = told.spent.total_calls();
    let plural = if calls == 1 { "call" } else { "calls" };
    let names: Vec<_> = told.spent.calls.keys().map(catalogue::label).collect();
    let stands_in: Vec<_> = told.left.iter().map(|left| stand_in(&left.model, &left.failure)).collect();
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
    let name = catalogue::label(model);
    match failure.class {
        ErrorClass::EndOfLife => format!("retired {name}"),
        ErrorClass::Throttled if failure.attempts == 0 => format!("{name}, over its rate"),
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
    let each = told.left.iter().map(|left| given_up(&left.model, &left.failure));
    // Where a model answered and nothing came of it, that is the reason; the models left before explain the rest.
    let reason = told.investigation.and_then(|investigation| match &investigation.outcome {
        InvestigationOutcome::FactsOnly { reason, failure } => {
            (failure.is_none() || told.left.is_empty()).then(|| reason.clone())
        }
        InvestigationOutcome::Investigated(_) => None,
    });
    let parts: Vec<String> = reason.into_iter().chain(each).collect();
    if parts.is_empty() { "no reason was recorded".into() } else { parts.join("; ") }
}

/// `Sonnet 4.6 throttled 5 times in 41 s`.
fn given_up(model: &ModelId, failure: &Failure) -> String {
    let name = catalogue::label(model);
    let waited = match failure.waited.as_secs() {
        0 => String::new(),
        seconds => format!(" over {seconds} s"),
    };
    if failure.attempts == 0 && failure.class == ErrorClass::Throttled {
        format!("{name} {}", failure.message)
    } else if failure.attempts > 1 {
        format!("{name} {} {} times{waited}", failure.class.as_str(), failure.attempts)
    } else {
        format!("{name} {}", failure.class.as_str())
    }
}

/// Keeps the first clause of a long reason; the whole of it is in the details.
fn short(outcome: &str) -> String {
    outcome.split([';', '(']).next().unwrap_or(outcome).trim().chars().take(80).collect()
}
