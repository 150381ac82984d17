//! What the full report adds to the card: timeline, evidence, commands, gaps with the IAM statement that closes them.

use std::fmt::Write as _;

use serde_json::json;

use crate::evidence::text::second;
use crate::finding::ClaimKind;
use crate::model::catalogue;
use crate::report::compose::Told;
use crate::report::document::{Detail, Line, Span};

/// Returns the details in reading order; empty ones are left out.
pub(super) fn details(told: &Told<'_>) -> Vec<Detail> {
    let mut details =
        vec![timeline(told), evidence(told), ruled_out(told), commands(told), not_checked(told)];
    details.push(agents(told));
    details.push(models(told));
    details.retain(|detail| !detail.items.is_empty() || detail.code.is_some());
    details
}

fn detail(heading: &str, items: Vec<Line>) -> Detail {
    Detail { heading: heading.into(), items, code: None }
}

fn timeline(told: &Told<'_>) -> Detail {
    let items = told
        .analysis
        .timeline
        .entries
        .iter()
        .map(|entry| {
            Line::text(format!("{} {} ", second(entry.at), entry.text)).with(told.mark(&entry.evidence))
        })
        .collect();
    detail("Timeline (UTC)", items)
}

fn evidence(told: &Told<'_>) -> Detail {
    let items = told
        .ledger
        .items()
        .iter()
        .map(|item| {
            let mut line = Line(vec![
                told.mark(&item.id),
                Span::Text(format!(" {} ({})", item.title, item.status.as_str())),
            ]);
            if !item.query.cli.is_empty() {
                line = line.with(" ").with(Span::Code(item.query.cli.clone()));
            }
            line
        })
        .collect();
    detail("Evidence, and how to see it again", items)
}

fn ruled_out(told: &Told<'_>) -> Detail {
    let mut items: Vec<Line> = told
        .claims()
        .iter()
        .filter(|checked| checked.claim.kind == ClaimKind::RuledOut)
        .map(|checked| told.line(checked))
        .collect();
    if let Some(verdict) = told.verdict() {
        items.extend(verdict.lacks.iter().map(|lack| Line::text(format!("A stronger verdict lacks {lack}"))));
    }
    if let Some(review) = told.investigation.and_then(|investigation| investigation.review.as_ref()) {
        items.push(Line::text(format!("Review: {}", review.reason)));
        if !review.missing.is_empty() {
            items.push(Line::text(format!("Would settle it: {}", review.missing)));
        }
    }
    detail("Ruled out, and what the review said", items)
}

fn commands(told: &Told<'_>) -> Detail {
    let mut code = String::new();
    for step in told.steps().iter().filter(|step| !step.command.is_empty()) {
        let what = if step.changes.is_some() { "CHANGES THE SYSTEM" } else { "read-only" };
        let _ = writeln!(code, "# {what}: {}\n{}", step.text, step.command);
    }
    Detail { heading: "Commands".into(), items: Vec::new(), code: (!code.is_empty()).then_some(code) }
}

fn not_checked(told: &Told<'_>) -> Detail {
    let gaps = told.ledger.gaps();
    let items = gaps
        .iter()
        .map(|gap| Line::text(format!("{}: {} ({})", gap.subject, gap.status.as_str(), gap.reason)))
        .collect();
    let mut actions: Vec<&str> = gaps.iter().filter_map(|gap| gap.missing_action.as_deref()).collect();
    actions.sort_unstable();
    actions.dedup();
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let code = (!actions.is_empty())
        .then(|| format!("This statement in the agent's role would open it:\n{statement:#}"));
    Detail { heading: "Not checked".into(), items, code }
}

fn agents(told: &Told<'_>) -> Detail {
    let items = told
        .investigation
        .into_iter()
        .flat_map(|investigation| &investigation.agents)
        .map(|agent| Line::text(format!("{}: {}", agent.agent, agent.outcome)))
        .collect();
    detail("Agents", items)
}

fn models(told: &Told<'_>) -> Detail {
    let mut items: Vec<Line> =
        told.left.iter().map(|(_, failure)| Line::text(format!("Given up: {failure}"))).collect();
    for (model, calls) in &told.spent.calls {
        items.push(Line::text(format!("{} ({model}): {calls} answers", catalogue::name(model))));
    }
    if told.spent.total_calls() > 0 {
        items.push(Line::text(format!(
            "{} tokens in, {} out{}",
            told.spent.usage.input + told.spent.usage.cache_read + told.spent.usage.cache_write,
            told.spent.usage.output,
            if told.spent.recordings.is_empty() { "" } else { " (estimated for recorded answers)" }
        )));
    }
    detail("Models", items)
}
