//! The machine's part of the report, bounded: what is kept of each piece of evidence is an excerpt.

use crate::analysis::{TimelineEntry, TimelineKind};
use crate::diagnosis::GivenUp;
use crate::evidence::{Body, Evidence};
use crate::finding::{Checked, verify};
use crate::gather::insights::Scanned;
use crate::gather::recheck::Condition;
use crate::incident::Incident;
use crate::model::catalogue;
use crate::redact::Redacted;
use crate::report::compose::{Told, chart, outcome_name};
use crate::report::data::{
    AlarmData, CitationData, ClaimData, ConditionData, Data, EvidenceData, IncidentData, Lane, LeadData,
    ModelLeft, Rung, TimelineItem,
};
use crate::report::document::VERSION;

/// Most characters that are kept of one piece of evidence.
const MOST_EXCERPT: usize = 4_000;

/// The same of what only says what is normal.
const MOST_COMPARISON: usize = 800;

/// Most characters of all excerpts together; the state table takes 390 KB of a packed report.
const MOST_EXCERPTS: usize = 120_000;

/// Most entries of the timeline.
const MOST_ENTRIES: usize = 200;

/// Returns the facts of an investigated alarm.
pub(super) fn data(told: &Told<'_>) -> Data {
    let investigation = told.investigation;
    let verdict = told.verdict();
    Data {
        version: VERSION.into(),
        outcome: match told.follows {
            Some(_) => "facts".into(),
            None => outcome_name(investigation, told.question.is_some()).into(),
        },
        alarm: alarm(told.incident),
        question: told.question.map(|question| Redacted::new(question).as_str().to_owned()),
        from_run: None,
        hints: Some(told.hints.clone()),
        earlier: None,
        also_firing: told.also.to_vec(),
        second_look_at: told
            .second_look
            .and_then(|open| open.first.as_ref())
            .map(|first| first.run_id.clone()),
        linked_to: None,
        linked: Vec::new(),
        depth: Some(told.depth.clone()),
        as_of: Some(told.incident.as_of),
        stored: told.stored.cloned(),
        undelivered: Vec::new(),
        incident: Some(incident(told)),
        condition: Some(condition(told.condition)),
        verdict: verdict.map(|verdict| verdict.kind),
        agreeing: verdict.map(|verdict| verdict.agreeing.iter().copied().collect()).unwrap_or_default(),
        lacks: verdict.map(|verdict| verdict.lacks.clone()).unwrap_or_default(),
        review: investigation.and_then(|investigation| investigation.review.clone()),
        statement: told.statement().map(|checked| claim(told, checked)),
        claims: told.claims().iter().map(|checked| claim(told, checked)).collect(),
        counts: investigation.map(|investigation| investigation.counts),
        agents: investigation.map(|investigation| investigation.agents.clone()).unwrap_or_default(),
        lead: told.analysis.lead.as_ref().map(|lead| LeadData {
            entity: lead.entity.clone(),
            reasons: lead.reasons.clone(),
            evidence: lead.evidence.clone(),
        }),
        next_steps: told.steps(),
        chart: chart::chart(told),
        timeline: told.analysis.timeline.entries.iter().take(MOST_ENTRIES).map(timeline_item).collect(),
        evidence: evidence(told),
        not_checked: told.ledger.gaps().to_vec(),
        blind_spots: told
            .incident
            .resource
            .service()
            .map(|service| service.blind_spots.clone())
            .unwrap_or_default(),
        ladder: told
            .ladder
            .reasons()
            .map(|(model, reason)| Rung {
                model: model.to_string(),
                reason: reason.to_owned(),
                rationale: Some(catalogue::rationale(model, told.today)),
            })
            .collect(),
        models_given_up: told.left.iter().map(model_left).collect(),
        spent: Some(told.spent.clone()),
        insights: (*told.scanned != Scanned::default()).then_some(*told.scanned),
    }
}

/// Returns the alarm as every report names it.
pub(super) fn alarm(incident: &Incident) -> AlarmData {
    let alarm = &incident.alarm;
    AlarmData {
        name: alarm.name.clone(),
        arn: alarm.arn.clone(),
        account: alarm.place.account.clone(),
        region: alarm.place.region.clone(),
        changed_at: Some(alarm.changed_at),
        reason: excerpt(Redacted::new(alarm.reason.trim()).as_str(), MOST_COMPARISON).0,
    }
}

fn incident(told: &Told<'_>) -> IncidentData {
    let incident = told.incident;
    IncidentData {
        id: incident.id.to_string(),
        resource: incident.resource.title().to_owned(),
        window: incident.window,
        first_breach: incident.first_breach,
        onset: told.analysis.onset.as_ref().map(|onset| onset.at),
        baselines: incident.baselines.iter().map(|baseline| baseline.window).collect(),
    }
}

fn condition(condition: &Condition) -> ConditionData {
    let (at, value, reason) = match condition {
        Condition::Still { at, last } => (Some(*at), last.map(|(_, value)| value), None),
        Condition::Recovered { since } | Condition::NoData { since } => (*since, None, None),
        Condition::Unknown { at, reason } => (Some(*at), None, Some(reason.clone())),
    };
    // JSON has no word for what is no number.
    ConditionData {
        state: condition.word().into(),
        at,
        value: value.filter(|value| value.is_finite()),
        reason,
    }
}

fn claim(told: &Told<'_>, checked: &Checked) -> ClaimData {
    let citation = |citation: &crate::finding::Citation| CitationData {
        evidence: citation.evidence.clone(),
        quote: citation.quote.clone(),
        at: citation.at.clone(),
        value: citation.value.filter(|value| value.is_finite()),
    };
    ClaimData {
        kind: checked.claim.kind,
        text: verify::filled_text(&checked.claim, told.ledger),
        entity: checked.entity.clone(),
        sources: checked.sources.iter().copied().collect(),
        citations: checked.claim.citations.iter().map(citation).collect(),
    }
}

fn timeline_item(entry: &TimelineEntry) -> TimelineItem {
    TimelineItem {
        at: entry.at,
        to_the_minute: entry.kind == TimelineKind::Onset,
        lane: match entry.kind {
            TimelineKind::Change | TimelineKind::FirstServed => Lane::Changes,
            TimelineKind::LogTemplate => Lane::Logs,
            TimelineKind::Onset => Lane::Metrics,
            TimelineKind::Alarm => Lane::Alarms,
        },
        text: entry.text.clone(),
        evidence: entry.evidence.clone(),
    }
}

/// Returns the evidence in the order of the plan, until all excerpts together are long enough.
fn evidence(told: &Told<'_>) -> Vec<EvidenceData> {
    let mut left = MOST_EXCERPTS;
    let mut items = Vec::new();
    for item in told.ledger.items() {
        let shown = shown(told, item, left);
        left = left.saturating_sub(shown.excerpt.len());
        items.push(shown);
    }
    items
}

fn shown(told: &Told<'_>, item: &Evidence, left: usize) -> EvidenceData {
    let for_comparison =
        matches!(item.body, Body::Series(_)) && item.window.start != told.incident.window.start;
    let most = if for_comparison { MOST_COMPARISON } else { MOST_EXCERPT };
    // The first line repeats id and title.
    let text = item.text();
    let body = text.split_once('\n').map(|(_, body)| body).unwrap_or_default();
    let (excerpt, cut) = excerpt(body.trim_end(), most.min(left));
    let (formula, inputs) = match &item.body {
        Body::Fact(fact) => (Some(fact.formula.clone()), fact.inputs.clone()),
        Body::Series(_)
        | Body::Logs(_)
        | Body::Rows(_)
        | Body::Change(_)
        | Body::Alarm(_)
        | Body::Nothing => (None, Vec::new()),
    };
    EvidenceData {
        id: item.id.clone(),
        source: item.source,
        title: item.title.as_str().to_owned(),
        status: item.status,
        window: item.window,
        seen_up_to: item.horizon,
        for_comparison,
        command: item.query.cli.clone(),
        console: told.console(&item.id),
        excerpt,
        cut,
        formula,
        inputs,
    }
}

/// Returns the beginning of a text, up to a line's end where there is one, and whether something was left out.
fn excerpt(text: &str, most: usize) -> (String, bool) {
    if text.len() <= most {
        return (text.to_owned(), false);
    }
    let kept = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    let whole = kept.rfind('\n').and_then(|end| kept.get(..end)).unwrap_or(kept);
    (whole.to_owned(), true)
}

fn model_left(left: &GivenUp) -> ModelLeft {
    ModelLeft {
        model: left.model.to_string(),
        class: left.failure.class.as_str().into(),
        message: left.failure.message.clone(),
        attempts: left.failure.attempts,
        cause: left.diagnosis.cause.clone(),
        remedies: left.diagnosis.remedies.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_with_a_whole_line_and_says_that_it_is_cut() {
        assert_eq!(excerpt("one\ntwo", 10), ("one\ntwo".into(), false));
        assert_eq!(excerpt("one\ntwo\nthree", 9), ("one\ntwo".into(), true));
        assert_eq!(excerpt("ééé", 3), ("é".into(), true));
        assert_eq!(excerpt("one", 0), (String::new(), true));
    }
}
