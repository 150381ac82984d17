//! What the full report adds to the card: timeline, evidence, commands, gaps with the IAM statement that closes them.

use std::fmt::Write as _;

use serde_json::json;

use crate::analysis::TimelineKind;
use crate::diagnosis::GivenUp;
use crate::evidence::text::{moment, second};
use crate::evidence::{Body, Evidence, Status};
use crate::finding::ClaimKind;
use crate::gather::insights::in_bytes;
use crate::model::catalogue;
use crate::redact::Redacted;
use crate::report::compose::Told;
use crate::report::document::{Detail, Line, Span, Topic};

/// Returns the details in reading order; empty ones are left out.
pub(super) fn details(told: &Told<'_>) -> Vec<Detail> {
    let mut details = vec![
        timeline(told),
        linked(told),
        evidence(told),
        ruled_out(told),
        commands(told),
        not_checked(told),
    ];
    details.push(agents(told));
    details.push(models(told));
    details.retain(|detail| !detail.items.is_empty() || detail.code.is_some());
    details
}

fn detail(topic: Topic, heading: &str, items: Vec<Line>) -> Detail {
    Detail { topic, heading: heading.into(), items, code: None }
}

fn timeline(told: &Told<'_>) -> Detail {
    let items = told
        .analysis
        .timeline
        .entries
        .iter()
        .map(|entry| {
            // A metric knows its minute, not the second.
            let at = if entry.kind == TimelineKind::Onset { moment(entry.at) } else { second(entry.at) };
            Line::text(format!("{at} {} ", entry.text)).with(told.mark(&entry.evidence))
        })
        .collect();
    detail(Topic::Timeline, "Timeline (UTC)", items)
}

/// Which other alarms belong to the incident, and why.
fn linked(told: &Told<'_>) -> Detail {
    let reason = |because: &Option<String>| because.clone().unwrap_or_else(|| "on the same resource".into());
    let items = told.also.iter().map(|also| Line::text(format!("{}: {}", also.alarm, reason(&also.because))));
    detail(Topic::Other, "Also firing", items.collect())
}

/// What was found about the incident, each with the way to see it again; what only served for comparison, and what
/// came back empty, in a line each.
fn evidence(told: &Told<'_>) -> Detail {
    let (shown, listed): (Vec<&Evidence>, Vec<&Evidence>) = told.ledger.items().iter().partition(|item| {
        let of_incident = !matches!(item.body, Body::Series(_)) || item.window == told.incident.window;
        of_incident && item.status == Status::Found
    });
    let mut items: Vec<Line> = shown.into_iter().map(|item| shown_evidence(told, item)).collect();
    for (what, status) in [("Read for comparison", Status::Found), ("Empty", Status::Empty)] {
        let titles: Vec<String> = listed
            .iter()
            .filter(|item| item.status == status)
            .map(|item| format!("{} {}", item.id, item.title))
            .collect();
        if !titles.is_empty() {
            items.push(Line::text(format!("{what}: {}", titles.join("; "))));
        }
    }
    let scanned = told.scanned;
    if scanned.queries > 0 {
        items.push(Line::text(format!(
            "Logs Insights: {} {} scanned {}, about ${:.3}",
            scanned.queries,
            if scanned.queries == 1 { "query" } else { "queries" },
            in_bytes(scanned.bytes),
            scanned.cost_usd
        )));
    }
    detail(Topic::Evidence, "Evidence, and how to see it again", items)
}

fn shown_evidence(told: &Told<'_>, item: &Evidence) -> Line {
    let mark = Line(vec![told.mark(&item.id)]);
    match &item.body {
        Body::Fact(fact) => {
            let inputs: Vec<_> = fact.inputs.iter().map(ToString::to_string).collect();
            mark.with(format!(" {} (computed: {}; from {})", fact.text, fact.formula, inputs.join(", ")))
        }
        Body::Change(change) => {
            let details: Vec<_> = change.details.iter().map(Redacted::as_str).collect();
            let line =
                mark.with(format!(" {} {}: {}. ", second(change.at), change.summary, details.join("; ")));
            with_command(line, item)
        }
        Body::Series(_) | Body::Logs(_) | Body::Rows(_) | Body::Alarm(_) | Body::Nothing => {
            with_command(mark.with(format!(" {} ", item.title)), item)
        }
    }
}

fn with_command(line: Line, item: &Evidence) -> Line {
    if item.query.cli.is_empty() { line } else { line.with(Span::Code(item.query.cli.clone())) }
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
    detail(Topic::RuledOut, "Ruled out, and what the review said", items)
}

fn commands(told: &Told<'_>) -> Detail {
    let mut code = String::new();
    for step in told.steps().iter().filter(|step| !step.command.is_empty()) {
        let what = if step.changes.is_some() { "CHANGES THE SYSTEM" } else { "read-only" };
        let _ = writeln!(code, "# {what}: {}\n{}", step.text, step.command);
    }
    Detail {
        topic: Topic::Commands,
        heading: "Commands".into(),
        items: Vec::new(),
        code: (!code.is_empty()).then_some(code),
    }
}

fn not_checked(told: &Told<'_>) -> Detail {
    let gaps = told.ledger.gaps();
    let mut items: Vec<Line> = gaps
        .iter()
        .map(|gap| Line::text(format!("{}: {} ({})", gap.subject, gap.status.as_str(), gap.reason)))
        .collect();
    let service = told.incident.resource.service();
    let blind = service.into_iter().flat_map(|service| &service.blind_spots);
    items.extend(blind.map(|blind| Line::text(blind.clone())));
    let mut actions: Vec<&str> = gaps.iter().filter_map(|gap| gap.missing_action.as_deref()).collect();
    actions.sort_unstable();
    actions.dedup();
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let code = (!actions.is_empty())
        .then(|| format!("This statement in the agent's role would open it:\n{statement:#}"));
    Detail { topic: Topic::NotChecked, heading: "Not checked".into(), items, code }
}

fn agents(told: &Told<'_>) -> Detail {
    let items = told
        .investigation
        .into_iter()
        .flat_map(|investigation| &investigation.agents)
        .map(|agent| Line::text(format!("{}: {}", agent.agent, agent.outcome)))
        .collect();
    detail(Topic::Agents, "Agents", items)
}

fn models(told: &Told<'_>) -> Detail {
    let depth = format!("Depth {}: {}", told.depth.depth.as_str(), told.depth.reason);
    let mut items = vec![Line::text(depth)];
    for GivenUp { failure, diagnosis, .. } in told.left {
        items.push(Line::text(format!("Given up: {failure}")));
        items.push(Line::text(format!("Why: {}", diagnosis.cause)));
        items.extend(diagnosis.remedies.first().map(|remedy| Line::text(format!("Remedy: {remedy}"))));
        items.push(Line::text("More: ").with(Span::Code(diagnosis.next.clone())));
    }
    for (model, calls) in &told.spent.calls {
        items.push(Line::text(format!("{} ({model}): {calls} answers", catalogue::label(model))));
    }
    for (agent, spent) in &told.spent.agents {
        let cost = spent.cost_usd.map(|cost| format!(", ${cost:.3}")).unwrap_or_default();
        items.push(Line::text(format!(
            "{agent}: {} {}, {} tokens in, {} out{cost}",
            spent.calls,
            if spent.calls == 1 { "call" } else { "calls" },
            spent.usage.all_input(),
            spent.usage.output
        )));
    }
    if told.spent.total_calls() > 0 {
        items.push(Line::text(format!(
            "in all {} tokens in, {} out{}",
            told.spent.usage.all_input(),
            told.spent.usage.output,
            if told.spent.recordings.is_empty() { "" } else { " (estimated for recorded answers)" }
        )));
    }
    detail(Topic::Models, "Models", items)
}
