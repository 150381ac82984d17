//! The card's head: line 1 says what and where, line 2 still or recovered, line 4 the verdict, then the impact.

use crate::alarm::{AlarmState, Comparison, Hints, Trigger, reason_datapoints};
use crate::analysis::companion::quantity;
use crate::analysis::lead::Lead;
use crate::clock::Timestamp;
use crate::evidence::text::{clock_time, day, moment, number};
use crate::evidence::{Body, FactKind, Source, console};
use crate::finding::VerdictKind;
use crate::gather::recheck::Condition;
use crate::incident::Incident;
use crate::playbook::Role;
use crate::redact::Redacted;
use crate::report::compose::Told;
use crate::report::compose::notice::names;
use crate::report::data::StoredAt;
use crate::report::document::{Document, Line, Span};

/// What a phone shows of a push text.
const MOST_PUSH: usize = 120;

/// Reasons of the lead and links behind them; the bullets and the report have the rest.
const MOST_REASONS: usize = 2;

/// Most characters of a question beside its answer.
const MOST_QUESTION: usize = 160;

/// Most characters of the alarm's own reason, where nothing else tells what fired.
const MOST_REASON: usize = 160;

/// Cuts text to `most` characters with an ellipsis.
pub(super) fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Line 1. The resource stands there where the alarm's name does not hold it, and so does the service as its owner calls
/// it. How bad it is stands there as the owner wrote it, or not at all.
pub(super) fn title(incident: &Incident, hints: &Hints) -> Line {
    let (alarm, resource) = (&incident.alarm.name, incident.resource.title());
    let mut line = Line(vec![Span::Bold(alarm.clone())]);
    if !alarm.contains(resource) {
        line = line.with(format!(" · {resource}"));
    }
    if let Some(service) = hints.service.as_ref().filter(|name| !alarm.contains(*name) && *name != resource) {
        line = line.with(format!(" · {service}"));
    }
    line = line.with(format!(" · {}", incident.alarm.place.region));
    match &hints.severity {
        Some(severity) => line.with(format!(" · severity {severity}")),
        None => line,
    }
}

/// What the symptom does, in a word.
fn doing(incident: &Incident) -> &'static str {
    match role(incident) {
        Some(Role::Errors) => "failing",
        Some(Role::Latency) => "slow",
        Some(Role::Throttling) => "throttled",
        Some(Role::Saturation | Role::Traffic) => {
            let comparison = incident.alarm.metric().and_then(|metric| metric.comparison);
            match comparison.map(Comparison::high_is_bad) {
                Some(true) => "high",
                Some(false) => "low",
                None => "in alarm",
            }
        }
        None => "in alarm",
    }
}

/// What the alarm's metric stands for.
fn role(incident: &Incident) -> Option<Role> {
    let metric = incident.alarm.metric()?;
    let service = incident.resource.service()?;
    service
        .companions
        .iter()
        .find(|companion| companion.metric == metric.metric)
        .map(|companion| companion.role)
}

/// When the symptom began: the computed onset, else the first breaching datapoint that the event tells.
fn began(told: &Told<'_>) -> Timestamp {
    told.analysis.onset.as_ref().map_or(told.incident.first_breach, |onset| onset.at)
}

/// Line 2.
pub(super) fn condition(told: &Told<'_>) -> Line {
    let incident = told.incident;
    let state = incident.alarm.new_state;
    if state != AlarmState::Alarm {
        let now = clock_time(incident.as_of);
        return Line::text(format!("Not in alarm at {now} ({state}) · looked at because it was asked for"));
    }
    let began = began(told);
    let line = Line::text(state_now(incident, told.condition));
    if is_today(incident, began) {
        line.with(Span::Time(began))
    } else {
        line.with(format!("{} UTC", moment(began)))
    }
}

/// `Still failing at 03:05 · began `: what goes on, as it was read last.
fn state_now(incident: &Incident, condition: &Condition) -> String {
    let since = |since: &Option<Timestamp>| day_time(incident, since.unwrap_or(incident.as_of));
    let state = match condition {
        Condition::Still { at, .. } => format!("Still {} at {}", doing(incident), day_time(incident, *at)),
        Condition::Recovered { since: at } => format!("Recovered at {}", since(at)),
        Condition::NoData { since: at } => format!("No data since {} (not a recovery)", since(at)),
        Condition::Unknown { at, .. } => {
            format!("State unknown at {} (could not be re-read)", day_time(incident, *at))
        }
    };
    format!("{state} · began ")
}

/// Puts the state as it is now into a document that was composed earlier.
pub(super) fn renew(document: &mut Document, incident: &Incident, condition: &Condition) {
    if let Some(state) = document.condition.0.first_mut() {
        *state = Span::Text(state_now(incident, condition));
    }
    for word in ["still", "recovered", "no data", "state unknown"] {
        let (old, new) = (format!(", {word}. "), format!(", {}. ", condition.word()));
        if document.push.contains(&old) {
            document.push = cut(document.push.replacen(&old, &new, 1), MOST_PUSH);
            break;
        }
    }
    document.state = state(incident, condition);
    document.recovered = matches!(condition, Condition::Recovered { .. });
}

/// The alarm's state as the dot shows it.
pub(super) fn state(incident: &Incident, condition: &Condition) -> AlarmState {
    match condition {
        Condition::NoData { .. } if incident.alarm.new_state == AlarmState::Alarm => {
            AlarmState::InsufficientData
        }
        Condition::NoData { .. }
        | Condition::Still { .. }
        | Condition::Recovered { .. }
        | Condition::Unknown { .. } => incident.alarm.new_state,
    }
}

/// Tells whether the time is of the day (UTC) at which the report looks.
fn is_today(incident: &Incident, at: Timestamp) -> bool {
    day(at) == day(incident.as_of)
}

/// Returns the time of day, with the date where that is another day's.
fn day_time(incident: &Incident, at: Timestamp) -> String {
    if is_today(incident, at) { clock_time(at) } else { moment(at) }
}

fn condition_word(told: &Told<'_>) -> &'static str {
    if told.incident.alarm.new_state != AlarmState::Alarm {
        return "not in alarm";
    }
    told.condition.word()
}

/// The push text.
pub(super) fn push(told: &Told<'_>) -> String {
    let impact = told
        .analysis
        .impact
        .as_ref()
        .map_or_else(|| doing(told.incident).to_owned(), crate::analysis::Impact::short);
    let resource = told.incident.resource.title();
    let tail = format!(", {}. {}", condition_word(told), verdict_words(told));
    // The verdict must survive the cut, so only what stands before it is shortened.
    let room = MOST_PUSH.saturating_sub(tail.chars().count());
    cut(format!("{}{tail}", cut(format!("{resource}: {impact}"), room)), MOST_PUSH)
}

/// The verdict in a sentence for the push text.
fn verdict_words(told: &Told<'_>) -> String {
    let Some(verdict) = told.verdict() else {
        if told.follows.is_some() {
            return match &told.analysis.lead {
                Some(lead) => {
                    format!("Investigating. Lead: {}, since {} UTC.", lead.entity, clock_time(lead.at))
                }
                None => "Investigating.".to_owned(),
            };
        }
        let asked = match asked(told) {
            Asked::Not => "No AI asked",
            Asked::NoAnswer => "No AI answer",
            Asked::NothingUsable => "No usable AI answer",
        };
        return match &told.analysis.lead {
            Some(lead) => format!("{asked}. Lead: {}, since {} UTC.", lead.entity, clock_time(lead.at)),
            None => format!("{asked}. Nothing stands out."),
        };
    };
    let words = match verdict.kind {
        VerdictKind::CauseShown => "Cause shown",
        VerdictKind::LikelyCause => "Likely cause",
        VerdictKind::SymptomOnly => "Cause not shown",
        VerdictKind::CannotBeShown => "Cause cannot be shown",
        VerdictKind::AlarmMisfired => "The alarm itself is at fault",
    };
    match told.cause().and_then(|cause| cause.entity.clone()) {
        Some(entity) => match told.analysis.lead.as_ref().filter(|lead| lead.entity == entity) {
            Some(lead) => format!("{words}: {entity}, since {} UTC.", clock_time(lead.at)),
            None => format!("{words}: {entity}."),
        },
        None => format!("{words}."),
    }
}

/// What came of asking models in a run that has no verdict.
enum Asked {
    /// None was asked.
    Not,
    /// None answered.
    NoAnswer,
    /// One answered, and what the agents made of it did not stand.
    NothingUsable,
}

fn asked(told: &Told<'_>) -> Asked {
    if told.investigation.is_none() {
        Asked::Not
    } else if told.spent.total_calls() == 0 {
        Asked::NoAnswer
    } else {
        Asked::NothingUsable
    }
}

/// Line 4.
pub(super) fn verdict(told: &Told<'_>) -> Line {
    match told.verdict() {
        Some(_) if let Some(question) = told.question => {
            let answered = if told.statement().is_some() { "ANSWER" } else { "NOT ANSWERED" };
            let question = cut(Redacted::new(question).as_str().to_owned(), MOST_QUESTION);
            Line(vec![Span::Bold(answered.into())]).with(format!(" · {question}"))
        }
        Some(verdict) => {
            let line = Line(vec![Span::Bold(verdict.kind.headline().into())]);
            let agreeing: Vec<_> = verdict.agreeing.iter().map(|source| source.as_str()).collect();
            match (verdict.kind, agreeing.as_slice()) {
                (VerdictKind::CauseShown, [rest @ .., last]) if !rest.is_empty() => {
                    line.with(format!(" · {} and {last} agree", rest.join(", ")))
                }
                (VerdictKind::LikelyCause, _) => match verdict.lacks.first() {
                    Some(lack) => line.with(format!(" · lacks {lack}")),
                    None => line,
                },
                _ => line,
            }
        }
        None if let Some(by) = told.follows => Line(vec![Span::Bold("INVESTIGATING".into())])
            .with(" · the conclusion follows by ")
            .with(Span::Time(by)),
        None => {
            let why = match asked(told) {
                Asked::Not => "no AI model asked",
                Asked::NoAnswer => "no AI model answered",
                Asked::NothingUsable => "AI gave nothing usable",
            };
            Line(vec![Span::Bold("FACTS ONLY".into())]).with(format!(" · {why}, no cause judged"))
        }
    }
}

/// Line 5: what the verdict says.
pub(super) fn statement(told: &Told<'_>) -> Vec<Line> {
    if told.verdict().is_some() {
        let said = match told.question {
            Some(_) => told.statement(),
            None => told.cause().or_else(|| told.statement()),
        };
        return said.map(|checked| told.line(checked)).into_iter().collect();
    }
    match &told.analysis.lead {
        Some(lead) => vec![lead_line(told, lead)],
        None if compares_versions(told) => {
            vec![Line::text("Lead (computed): none fits the onset of this alarm.")]
        }
        None => vec![Line::text("Lead (computed): nothing stands out among what was read.")],
    }
}

/// Tells whether something fails beside its neighbours, though not at this alarm's onset.
fn compares_versions(told: &Told<'_>) -> bool {
    told.ledger
        .items()
        .iter()
        .any(|item| matches!(&item.body, Body::Fact(fact) if fact.kind == FactKind::Comparison))
}

fn lead_line(told: &Told<'_>, lead: &Lead) -> Line {
    let reasons = lead.reasons.get(..MOST_REASONS).unwrap_or(&lead.reasons).join("; ");
    let mut line = Line::text(format!("Lead (computed): {}. {reasons}", lead.entity));
    for id in lead.evidence.iter().rev().take(MOST_REASONS).rev() {
        line = line.with(" ").with(told.mark(id));
    }
    line
}

/// Count, denominator, share, normal; then the sparkline.
pub(super) fn impact(told: &Told<'_>) -> Vec<Line> {
    let also = names(told.also.iter().map(|also| also.alarm.as_str()));
    let also = (!also.is_empty()).then(|| Line::text(format!("Also firing: {also}")));
    let second_look = told.second_look.and_then(|open| open.first.as_ref()).map(|first| {
        Line::text(format!("Second look at {} (run {}): this metric moved first.", first.alarm, first.run_id))
    });
    let also = also.into_iter().chain(second_look);
    let Some(impact) = &told.analysis.impact else {
        return fired(told.incident).into_iter().map(Line::text).chain(also).collect();
    };
    let mut lines: Vec<Line> = impact.lines().into_iter().map(Line::text).collect();
    // What came in while the run went on.
    if let Condition::Still { last: Some((at, value)), .. } = told.condition
        && *at > impact.at
    {
        let value = quantity(*value, impact.unit.as_deref());
        lines.push(Line::text(format!("newest: {value} at {}", clock_time(*at))));
    }
    lines.extend(also);
    lines
}

/// What set the alarm off, in the event's own words, where the metric itself could not be read.
fn fired(incident: &Incident) -> Option<String> {
    let alarm = &incident.alarm;
    let reason = Redacted::new(alarm.reason.trim());
    let newest = reason_datapoints(&alarm.reason).into_iter().max_by_key(|(_, at)| *at);
    // The values in the reason of a computed alarm are not those of the series that is looked at.
    if let (Trigger::Metric(metric), Some((value, at))) = (&alarm.trigger, newest) {
        let threshold = metric.threshold.map(|threshold| format!(" · alarm at {}", number(threshold)));
        let (name, value, at) = (&metric.metric, number(value), day_time(incident, at));
        return Some(format!("{name} {value} at {at} by the alarm{}", threshold.unwrap_or_default()));
    }
    (!reason.as_str().is_empty())
        .then(|| format!("The alarm says: {}", cut(reason.as_str().to_owned(), MOST_REASON)))
}

/// Alarm, resource, logs.
pub(super) fn links(told: &Told<'_>) -> Vec<Span> {
    let place = &told.incident.alarm.place;
    let runbook = told.hints.runbook.clone();
    let mut links: Vec<Span> =
        runbook.into_iter().map(|url| Span::Link { label: "Runbook".into(), url }).collect();
    links.push(Span::Link { label: "Alarm".into(), url: console::alarm(place, &told.incident.alarm.name) });
    let resource = told.ledger.of_source(Source::Changes).find_map(|item| item.query.console.clone());
    if let Some(url) = resource {
        links.push(Span::Link { label: "Deploy".into(), url });
    }
    if let Some(group) = told.log_groups.first() {
        links.push(Span::Link { label: "Logs".into(), url: console::log_group(place, group) });
    }
    links.extend(told.stored.map(|stored| Span::Link {
        label: StoredAt::LABEL.into(),
        url: console::object(place, &stored.bucket, &stored.html),
    }));
    links
}
