//! Derived facts: a sentence, a value, the formula and the evidence that it follows from, so that it can be cited.

use std::fmt::Write as _;

use crate::analysis::companion::{CompanionFinding, CompanionState, quantity};
use crate::analysis::entity::{Comparison, ENOUGH, Entity, FirstServed, OTHERS, logs, version_of};
use crate::analysis::impact::{Counted, Impact, percent_digits, range_words};
use crate::analysis::log_templates::{Severity, fits, mask::masked, severity};
use crate::analysis::onset::Onset;
use crate::analysis::readings::{Reading, Readings};
use crate::analysis::significance::{CLEAR, Failures, more_failures, real};
use crate::analysis::timeline::{is_telling, message_of};
use crate::clock::Timestamp;
use crate::evidence::log_lines::TemplateTrend;
use crate::evidence::text::{clock_time, moment, number, second};
use crate::evidence::{Body, Evidence, Fact, FactKind, LineCount, LogLines, LogTemplate};
use crate::id::EvidenceId;
use crate::redact::Redacted;

/// Templates that get a fact.
const MOST_TEMPLATES: usize = 3;

/// Fewer lines than these do not show in whose streams a template stands alone.
const FEWEST_LINES: usize = 3;

/// A fact and the few words that name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Derived {
    /// What was computed.
    pub(crate) title: String,
    /// The fact.
    pub(crate) fact: Fact,
}

impl Derived {
    fn new(
        kind: FactKind,
        title: impl Into<String>,
        text: &str,
        formula: String,
        inputs: Vec<EvidenceId>,
    ) -> Self {
        let fact = Fact {
            kind,
            text: Redacted::new(text),
            formula,
            inputs,
            value: None,
            display: String::new(),
            at: None,
            discriminates: None,
        };
        Derived { title: title.into(), fact }
    }

    fn showing(mut self, display: impl Into<String>, value: Option<f64>) -> Self {
        self.fact.display = display.into();
        self.fact.value = value;
        self
    }

    fn at(mut self, at: Timestamp) -> Self {
        self.fact.at = Some(at);
        self
    }
}

/// A new error and the one version in whose streams alone it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exclusive {
    /// `version 58`.
    pub(crate) entity: String,
    /// First line.
    pub(crate) first_at: Timestamp,
    /// The log evidence.
    pub(crate) evidence: EvidenceId,
    /// Lines that were looked at.
    pub(crate) lines: u64,
}

/// Returns how many requests failed in one period, of how many.
pub(crate) fn share_of_failures(counted: &Counted<'_>, at: Timestamp) -> Option<Derived> {
    let failures = counted.at(at)?;
    let (errors, traffic) = (&counted.errors.evidence.id, &counted.traffic.evidence.id);
    let percent = 100.0 * failures.share();
    let time = clock_time(at);
    let text = format!(
        "At {time}, {} of {} requests failed ({}%)",
        failures.failed,
        failures.of,
        percent_digits(percent)
    );
    let formula = format!("100 * {errors}@{time} / {traffic}@{time}");
    let inputs = vec![errors.clone(), traffic.clone()];
    let share = Derived::new(FactKind::FailureShare, "share of failed requests", &text, formula, inputs);
    Some(share.showing(format!("{}%", percent_digits(percent)), Some(percent)).at(at))
}

/// Returns the worst value since the onset beside the threshold and what is normal.
pub(crate) fn peak(own: &Reading<'_>, impact: &Impact, onset: &Onset) -> Derived {
    let unit = impact.unit.as_deref();
    let (time, value) = (clock_time(impact.peak_at), quantity(impact.peak, unit));
    let mut text = format!("The worst {} since the onset was {value}, at {time}", impact.metric);
    if let Some(threshold) = impact.threshold {
        let _ = write!(text, "; the alarm's threshold is {}", quantity(threshold, unit));
    }
    if let Some(baseline) = &own.baseline {
        let _ = write!(text, "; normal is {}", range_words(baseline.low, baseline.high, unit));
    }
    let formula = format!("{}({}) from {} on", impact.extreme(), impact.evidence, clock_time(onset.at));
    Derived::new(FactKind::Peak, "worst value since the onset", &text, formula, own.inputs())
        .showing(value, Some(impact.peak))
        .at(impact.peak_at)
}

/// Returns the worst value of the time before the onset.
pub(crate) fn worst_before(impact: &Impact, onset: &Onset) -> Option<Derived> {
    let worst = impact.worst.as_ref()?;
    let value = quantity(worst.value, impact.unit.as_deref());
    let days = if worst.days == 1 { "day".to_owned() } else { format!("{} days", worst.days) };
    let text =
        format!("The worst {} in the {days} before was {value}, at {}", impact.metric, moment(worst.at));
    let formula = format!("{}({}) before {}", impact.extreme(), worst.evidence, moment(onset.at));
    let fact = Derived::new(
        FactKind::WorstBefore,
        "worst value before the onset",
        &text,
        formula,
        vec![worst.evidence.clone()],
    );
    Some(fact.showing(value, Some(worst.value)).at(worst.at))
}

/// Returns how often the alarm's threshold was passed in the time before: a habit of the metric, or something new.
pub(crate) fn earlier_breaches(readings: &Readings<'_>, impact: &Impact, onset: &Onset) -> Option<Derived> {
    let trigger = readings.incident.alarm.metric()?;
    let (comparison, threshold) = (trigger.comparison?, trigger.threshold?);
    let (evidence, series) = readings.history()?;
    let before = || series.datapoints.iter().filter(|point| point.at < onset.at);
    let since = before().next()?.at;
    let breaching: Vec<Timestamp> =
        before().filter(|point| comparison.breaches(point.value, threshold)).map(|point| point.at).collect();
    let side = if comparison.high_is_bad() { "above" } else { "below" };
    let limit = quantity(threshold, impact.unit.as_deref());
    let from = moment(since);
    let (metric, period) = (&impact.metric, impact.per());
    let (text, display) = match breaching.as_slice() {
        [] => (format!("From {from} until the onset, {metric} was never {side} {limit}"), "never".to_owned()),
        [.., last] => {
            let count = breaching.len();
            let plural = if count == 1 { "period" } else { "periods" };
            let last = moment(*last);
            let text = format!(
                "From {from} until the onset, {metric} was {side} {limit} in {count} {plural} of {period}, last at {last}"
            );
            (text, format!("{count} {plural}"))
        }
    };
    let formula = format!("count of {} beyond the threshold", evidence.id);
    let title = "earlier breaches of the threshold";
    let inputs = vec![evidence.id.clone()];
    let fact = Derived::new(FactKind::EarlierBreaches, title, &text, formula, inputs);
    Some(fact.showing(display, Some(real(u64::try_from(breaching.len()).unwrap_or(u64::MAX)))))
}

/// Returns when the alarm's metric left its normal range.
pub(crate) fn onset(own: &Reading<'_>, onset: &Onset) -> Option<Derived> {
    let change = onset.change.as_ref()?;
    let time = clock_time(onset.at);
    let unit = own.series.unit.as_deref();
    let text = format!(
        "{} {} at {time}: median {} before, {} since",
        own.series.metric.name,
        change.direction.verb(),
        quantity(change.before, unit),
        quantity(change.after, unit)
    );
    let formula = format!("first period of the run of {} beyond its normal range", own.evidence.id);
    Some(
        Derived::new(FactKind::Onset, "onset", &text, formula, own.inputs()).showing(time, None).at(onset.at),
    )
}

/// Returns when an entity served its first request.
pub(crate) fn first_served(entity: &str, served: &FirstServed) -> Derived {
    let time = if served.exact { clock_second(served.at) } else { clock_time(served.at) };
    let text = format!("{entity} served its first request at {time}");
    let names: Vec<_> = served.inputs.iter().map(ToString::to_string).collect();
    let formula = format!("first period with requests, and its first log line: {}", names.join(", "));
    Derived::new(
        FactKind::FirstServed,
        format!("first request of {entity}"),
        &text,
        formula,
        served.inputs.clone(),
    )
    .showing(time, None)
    .at(served.at)
}

/// Returns how much of the traffic an entity served in one period.
pub(crate) fn share_of_traffic(
    entity: &Entity<'_>,
    entities: &[Entity<'_>],
    at: Timestamp,
) -> Option<Derived> {
    let here = entity.failures(at, at).of;
    let all: u64 = entities.iter().map(|entity| entity.failures(at, at).of).sum();
    let inputs: Vec<EvidenceId> = traffic_of(entities).collect();
    let own = &entity.traffic.as_ref()?.evidence.id;
    if all == 0 || here == 0 {
        return None;
    }
    let percent = 100.0 * real(here) / real(all);
    let (time, digits) = (clock_time(at), percent_digits(percent));
    let text = format!("At {time}, {} served {here} of {all} requests ({digits}%)", entity.name);
    let names: Vec<_> = inputs.iter().map(|id| format!("{id}@{time}")).collect();
    let formula = format!("{own}@{time} / ({}) * 100", names.join(" + "));
    let fact = Derived::new(
        FactKind::TrafficShare,
        format!("share of traffic of {}", entity.name),
        &text,
        formula,
        inputs,
    );
    Some(fact.showing(format!("{digits}%"), Some(percent)).at(at))
}

/// Returns what one entity fails beside the others: the fact that tells the cause from its neighbours.
pub(crate) fn comparison(found: &Comparison) -> Derived {
    let when = if found.from == found.to {
        format!("At {}", clock_time(found.from))
    } else {
        format!("From {} to {}", clock_time(found.from), clock_time(found.to))
    };
    let side = |failures: Failures| format!("{} of {}", failures.failed, failures.of);
    let (here, there) = (side(found.here), side(found.there));
    let verb = if found.other == OTHERS { "fail" } else { "fails" };
    let text = format!("{when}: {} fails {here}, {} {verb} {there}", found.entity, found.other);
    let names: Vec<_> = found.inputs.iter().map(ToString::to_string).collect();
    let chance = more_failures(found.here, found.there);
    let formula = format!(
        "failures of requests by version, {}; Fisher's exact test p = {chance:.1e}",
        names.join(", ")
    );
    let title = format!("{} beside {}", found.entity, found.other);
    let mut fact = Derived::new(FactKind::Comparison, title, &text, formula, found.inputs.clone())
        .showing(format!("{here} against {there} of {}", found.other), Some(100.0 * found.here.share()))
        .at(found.from);
    fact.fact.discriminates = Some(found.entity.clone());
    fact
}

/// Returns when the most telling new templates were seen for the first time, and in whose streams alone they stand.
pub(crate) fn new_templates(
    readings: &Readings<'_>,
    entities: &[Entity<'_>],
) -> (Vec<Derived>, Vec<Exclusive>) {
    let (mut facts, mut exclusives) = (Vec::new(), Vec::new());
    for (evidence, read) in logs(readings) {
        let telling: Vec<&LogTemplate> =
            read.templates.iter().filter(|template| is_telling(template)).take(MOST_TEMPLATES).collect();
        if telling.is_empty() {
            continue;
        }
        let forms: Vec<(String, &str)> =
            read.lines.iter().map(|line| (masked(line.text.as_str()), line.stream.as_str())).collect();
        for template in telling {
            let Some(first_at) = template.first_at else { continue };
            let streams: Vec<&str> =
                forms.iter().filter(|(form, _)| fits(form, template)).map(|(_, stream)| *stream).collect();
            let only = only_entity(&streams, entities);
            let mut fact = first_seen(readings, template, first_at, evidence, read);
            // Where nobody else served anything, standing in one version's streams alone means nothing.
            let others = only.map(|entity| (entity, others_since(entity, entities, first_at)));
            if let Some((entity, there)) =
                others.filter(|(_, there)| *there >= ENOUGH && streams.len() >= FEWEST_LINES)
            {
                let lines = u64::try_from(streams.len()).unwrap_or(u64::MAX);
                let here = entity.failures(first_at_period(entity, first_at), Timestamp::MAX);
                let whose = if lines == template.incident_count { "all" } else { "all that were read" };
                fact.fact.text = Redacted::new(&format!("{}, {whose} of {}", fact.fact.text, entity.name));
                let own = Failures { failed: lines.min(here.of), of: here.of };
                let all_were_read = read.complete && lines == template.incident_count;
                if all_were_read && more_failures(own, Failures { failed: 0, of: there }) < CLEAR {
                    fact.fact.discriminates = Some(entity.name.clone());
                    fact.fact.inputs.extend(traffic_of(entities));
                    let _ = write!(fact.fact.formula, "; none while the others served {there} requests");
                }
                if template.trend == TemplateTrend::New
                    && severity(template.text.as_str()) == Severity::Failure
                {
                    let (entity, evidence) = (entity.name.clone(), evidence.id.clone());
                    exclusives.push(Exclusive { entity, first_at, evidence, lines });
                }
            }
            facts.push(fact);
        }
    }
    (facts, exclusives)
}

fn first_seen(
    readings: &Readings<'_>,
    template: &LogTemplate,
    first_at: Timestamp,
    evidence: &Evidence,
    read: &LogLines,
) -> Derived {
    let id = &evidence.id;
    let mut inputs = vec![id.clone()];
    let mut formula =
        format!("first line of the template in {id}; count of its lines against the baseline windows");
    let count = template.incident_count;
    let lines = match read.counted {
        _ if read.complete => format!("{count} {}", if count == 1 { "line" } else { "lines" }),
        // How many of those that were not read hold the same text, nobody knows.
        Some(LineCount { total, read, .. }) => format!("{count} of {read} lines read, of {total} in all"),
        None => format!("at least {count} {}", if count == 1 { "line" } else { "lines" }),
    };
    let message = message_of(template);
    let (title, text) = if template.trend == TemplateTrend::New {
        let mut before = "none in the baseline".to_owned();
        if let Some((searched, last)) = searched_before(readings, template) {
            inputs.push(searched.id.clone());
            let _ = write!(formula, "; search for its words in {}", searched.id);
            before = match last {
                Some(last) => format!("none in the baseline, but last seen {}", moment(last)),
                None => format!("none in the {} before", searched.window.in_words()),
            };
        }
        let time = clock_second(first_at);
        ("new log message", format!("First seen {time}, {before}: \"{message}\", {lines}"))
    } else {
        let expected = number(template.expected);
        let text = format!("More than usual: \"{message}\", {lines} where {expected} were expected");
        ("more frequent log message", text)
    };
    Derived::new(FactKind::LogTemplate, title, &text, formula, inputs)
        .showing(clock_second(first_at), None)
        .at(first_at)
}

/// Returns the search for the template's words in the time before the incident, where one was made, and the newest
/// line that it found. A search that ended early and found nothing says nothing.
fn searched_before<'a>(
    readings: &Readings<'a>,
    template: &LogTemplate,
) -> Option<(&'a Evidence, Option<Timestamp>)> {
    let start = readings.incident.window.start;
    readings.ledger.items().iter().find_map(|evidence| match &evidence.body {
        Body::Logs(logs) if evidence.window.end <= start => {
            let phrase = logs.pattern.trim_matches('"');
            let its_words = !phrase.is_empty() && template.text.as_str().contains(phrase);
            let newest = logs.lines.iter().map(|line| line.at).max();
            (its_words && (logs.complete || newest.is_some())).then_some((evidence, newest))
        }
        Body::Logs(_)
        | Body::Rows(_)
        | Body::Series(_)
        | Body::Nothing
        | Body::Change(_)
        | Body::Fact(_)
        | Body::Alarm(_) => None,
    })
}

/// Returns the evidence of the traffic of all entities.
fn traffic_of(entities: &[Entity<'_>]) -> impl Iterator<Item = EvidenceId> {
    entities.iter().filter_map(|entity| entity.traffic.as_ref()).map(|side| side.evidence.id.clone())
}

/// Returns the one entity that all streams name.
fn only_entity<'a, 'b>(streams: &[&str], entities: &'b [Entity<'a>]) -> Option<&'b Entity<'a>> {
    let first = version_of(streams.first()?)?;
    let all = streams.iter().all(|stream| version_of(stream) == Some(first));
    entities.iter().find(|entity| all && entity.value == first)
}

/// Returns the requests that the other entities served from the period of `at` on.
fn others_since(entity: &Entity<'_>, entities: &[Entity<'_>], at: Timestamp) -> u64 {
    let others = entities.iter().filter(|other| other.name != entity.name);
    others.map(|other| other.failures(first_at_period(other, at), Timestamp::MAX).of).sum()
}

/// Returns the start of the period of the entity's series in which `at` lies.
fn first_at_period(entity: &Entity<'_>, at: Timestamp) -> Timestamp {
    let points = entity.traffic.as_ref().map(|side| side.points.as_slice()).unwrap_or_default();
    points.iter().rev().map(|point| point.at).find(|start| *start <= at).unwrap_or(at)
}

/// Returns the companions that are as usual, in one fact.
pub(crate) fn normal_companions(companions: &[CompanionFinding]) -> Option<Derived> {
    let unchanged = || companions.iter().filter(|companion| companion.state == CompanionState::Normal);
    let normal: Vec<&CompanionFinding> = unchanged().filter(|companion| !companion.strays()).collect();
    if normal.is_empty() {
        return None;
    }
    let listed = |found: &mut dyn Iterator<Item = &CompanionFinding>| {
        found.map(CompanionFinding::words).collect::<Vec<_>>().join(", ")
    };
    let inputs: Vec<EvidenceId> = unchanged().filter_map(|companion| companion.evidence.clone()).collect();
    let names: Vec<_> = inputs.iter().map(ToString::to_string).collect();
    let mut text = format!("Normal: {}", listed(&mut normal.iter().copied()));
    // Outside of the usual range for a moment is neither normal nor a change.
    let strays = listed(&mut unchanged().filter(|companion| companion.strays()));
    if !strays.is_empty() {
        let _ = write!(text, ". Outside the normal range, too short to judge: {strays}");
    }
    let formula = format!("no change point against the baseline in {}", names.join(", "));
    let titles: Vec<&str> = normal.iter().map(|companion| companion.title.as_str()).collect();
    Some(
        Derived::new(FactKind::Normal, "what is normal", &text, formula, inputs)
            .showing(titles.join(", "), None),
    )
}

/// Returns the companions that have no datapoint, neither now nor in normal times.
pub(crate) fn silent_companions(companions: &[CompanionFinding]) -> Option<Derived> {
    let silent: Vec<&CompanionFinding> =
        companions.iter().filter(|companion| companion.state == CompanionState::NoData).collect();
    let titles: Vec<&str> = silent.iter().map(|companion| companion.title.as_str()).collect();
    let inputs: Vec<EvidenceId> = silent.iter().filter_map(|companion| companion.evidence.clone()).collect();
    let names: Vec<_> = inputs.iter().map(ToString::to_string).collect();
    let text = format!("No datapoints, so neither zero nor normal but unknown: {}", titles.join(", "));
    let formula = format!("no datapoint in {}", names.join(", "));
    (!titles.is_empty())
        .then(|| Derived::new(FactKind::Silent, "metrics without data", &text, formula, inputs))
}

/// Returns a companion's change.
pub(crate) fn changed_companion(companion: &CompanionFinding) -> Option<Derived> {
    let CompanionState::Changed(change) = &companion.state else { return None };
    let id = companion.evidence.clone()?;
    let time = clock_time(change.at);
    let unit = companion.unit.as_deref();
    let text = format!(
        "{} {} at {time}: median {} before, {} since",
        companion.title,
        change.direction.verb(),
        quantity(change.before, unit),
        quantity(change.after, unit)
    );
    let formula = format!("first period of the run of {id} beyond its normal range");
    Some(
        Derived::new(FactKind::Companion, format!("change of {}", companion.title), &text, formula, vec![id])
            .showing(time, None)
            .at(change.at),
    )
}

/// Returns `03:02:40` (UTC).
pub(crate) fn clock_second(at: Timestamp) -> String {
    second(at).split_once(' ').map(|(_, time)| time.to_owned()).unwrap_or_default()
}
