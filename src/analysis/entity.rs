//! Tells apart what runs side by side: per version, how much it served, how much of that failed, since when.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::analysis::readings::{ENTITY_DIMENSIONS, Readings, names};
use crate::analysis::significance::{CLEAR, Failures, more_failures};
use crate::clock::Timestamp;
use crate::evidence::{Body, ChangeKind, Datapoint, Evidence, LogLines};
use crate::id::EvidenceId;
use crate::playbook::Role;

/// The failing side's share must be at least this many times the other side's: "works where it is not".
const TIMES_WORSE: f64 = 5.0;
/// Requests that the other side must have served to be called healthy.
pub(crate) const ENOUGH: u64 = 10;

/// What several entities together are called.
pub(crate) const OTHERS: &str = "the others";

/// A series of one version, as far as its periods are over.
#[derive(Debug, Clone)]
pub(crate) struct Side<'a> {
    /// The evidence.
    pub(crate) evidence: &'a Evidence,
    /// Its datapoints.
    pub(crate) points: Vec<Datapoint>,
    /// Length of a period.
    pub(crate) period: SignedDuration,
}

/// One version and its series.
#[derive(Debug, Clone)]
pub(crate) struct Entity<'a> {
    /// As a claim names it: `version 58`.
    pub(crate) name: String,
    /// The bare value: `58`.
    pub(crate) value: String,
    /// Requests.
    pub(crate) traffic: Option<Side<'a>>,
    /// Failed requests.
    pub(crate) errors: Option<Side<'a>>,
}

/// The moment of an entity's first request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FirstServed {
    /// When; to the period where only the metric shows it, exactly where a change or log line does.
    pub(crate) at: Timestamp,
    /// Whether a change or a log line shows it.
    pub(crate) exact: bool,
    /// Whether a change in the ledger tells it already.
    pub(crate) told: bool,
    /// What shows it.
    pub(crate) inputs: Vec<EvidenceId>,
}

/// One entity against the others over the same periods.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// The failing entity.
    pub(crate) entity: String,
    /// What it is compared with: `version 57`, or `the others`.
    pub(crate) other: String,
    /// Failures of the entity.
    pub(crate) here: Failures,
    /// Failures of the others.
    pub(crate) there: Failures,
    /// First period.
    pub(crate) from: Timestamp,
    /// Last period; the same as `from` where one period is compared.
    pub(crate) to: Timestamp,
    /// The series that were compared.
    pub(crate) inputs: Vec<EvidenceId>,
}

/// Returns the entities that the ledger holds series of, by the group of dimensions that has the most.
pub(crate) fn entities<'a>(readings: &Readings<'a>) -> Vec<Entity<'a>> {
    let companions = readings.service.map(|service| service.companions.as_slice()).unwrap_or_default();
    let mut groups: BTreeMap<Vec<(String, String)>, BTreeMap<String, Entity<'a>>> = BTreeMap::new();
    for (dimension, word) in ENTITY_DIMENSIONS {
        for (evidence, series) in readings.with_dimension(dimension) {
            let role = companions
                .iter()
                .find(|companion| {
                    names(companion, &series.metric) && companion.statistic == series.statistic.0
                })
                .map(|companion| companion.role);
            let Some(value) = series.metric.dimensions.get(dimension) else { continue };
            let group = series.metric.dimensions.iter().filter(|(name, _)| *name != dimension);
            let group = group.map(|(name, value)| (name.clone(), value.clone())).collect();
            let entity = groups.entry(group).or_default().entry(value.clone()).or_insert_with(|| Entity {
                name: format!("{word} {value}"),
                value: value.clone(),
                traffic: None,
                errors: None,
            });
            let points = readings.finished(series);
            let side = Side { evidence, points, period: SignedDuration::from_secs(series.period_seconds) };
            match role {
                Some(Role::Traffic) => entity.traffic = entity.traffic.take().or(Some(side)),
                Some(Role::Errors) => entity.errors = entity.errors.take().or(Some(side)),
                Some(Role::Latency | Role::Saturation | Role::Throttling) | None => {}
            }
        }
    }
    let largest = groups.into_values().max_by_key(BTreeMap::len);
    largest.map(|group| group.into_values().collect()).unwrap_or_default()
}

impl Entity<'_> {
    /// Returns requests and failures over the periods `from..=to`.
    pub(crate) fn failures(&self, from: Timestamp, to: Timestamp) -> Failures {
        let sum = |side: &Option<Side<'_>>| -> f64 {
            side.as_ref().map_or(0.0, |side| {
                let inside = side.points.iter().filter(|point| point.at >= from && point.at <= to);
                inside.map(|point| point.value).filter(|value| value.is_finite()).sum()
            })
        };
        Failures::new(sum(&self.errors), sum(&self.traffic))
    }

    /// Tells whether the entity had any request in the incident window; `None` where that was not seen.
    pub(crate) fn served(&self) -> Option<bool> {
        Some(self.traffic.as_ref()?.points.iter().any(|point| point.value > 0.0))
    }

    /// Returns the first request, where the entity was idle at the window's start.
    pub(crate) fn first_served(&self, readings: &Readings<'_>) -> Option<FirstServed> {
        let side = self.traffic.as_ref()?;
        let first = side.points.iter().find(|point| point.value > 0.0)?.at;
        // One that serves in the very first period may have served before.
        if first.duration_since(side.evidence.window.start) < side.period {
            return None;
        }
        let within = |at: &Timestamp| *at >= first && at.duration_since(first) < side.period;
        let mut inputs = vec![side.evidence.id.clone()];
        let (change, line) = (self.traffic_change(readings), self.first_line(readings));
        let told = change.as_ref().is_some_and(|(at, _)| within(at));
        match change.into_iter().chain(line).find(|(at, _)| within(at)) {
            Some((at, id)) => {
                inputs.push(id);
                Some(FirstServed { at, exact: true, told, inputs })
            }
            None => Some(FirstServed { at: first, exact: false, told, inputs }),
        }
    }

    /// Returns the moment at which a change in the ledger gave it traffic.
    fn traffic_change(&self, readings: &Readings<'_>) -> Option<(Timestamp, EvidenceId)> {
        let changes = readings.ledger.items().iter().filter_map(|evidence| match &evidence.body {
            Body::Change(change) if change.kind == ChangeKind::Traffic && change.entity == self.name => {
                Some((change.at, evidence.id.clone()))
            }
            Body::Change(_)
            | Body::Logs(_)
            | Body::Rows(_)
            | Body::Series(_)
            | Body::Nothing
            | Body::Fact(_)
            | Body::Alarm(_) => None,
        });
        changes.min()
    }

    /// Returns its first log line, where all lines were asked for.
    fn first_line(&self, readings: &Readings<'_>) -> Option<(Timestamp, EvidenceId)> {
        let of_all = logs(readings).filter(|(_, logs)| logs.pattern.is_empty());
        let first = of_all.filter_map(|(evidence, logs)| {
            let line =
                logs.lines.iter().find(|line| version_of(&line.stream) == Some(self.value.as_str()))?;
            Some((line.at, evidence.id.clone()))
        });
        first.min()
    }

    fn inputs(&self) -> impl Iterator<Item = EvidenceId> {
        self.errors.iter().chain(&self.traffic).map(|side| side.evidence.id.clone())
    }
}

/// Returns the log evidence of the incident.
pub(crate) fn logs<'a>(
    readings: &Readings<'a>,
) -> impl Iterator<Item = (&'a Evidence, &'a LogLines)> + use<'a> {
    let start = readings.incident.window.start;
    readings.ledger.items().iter().filter_map(move |evidence| match &evidence.body {
        Body::Logs(logs) if evidence.window.start >= start => Some((evidence, logs)),
        Body::Logs(_)
        | Body::Rows(_)
        | Body::Series(_)
        | Body::Nothing
        | Body::Change(_)
        | Body::Fact(_)
        | Body::Alarm(_) => None,
    })
}

/// Returns the version that a Lambda log stream names: `58` of `2026/11/24/[58]4a7a…`.
pub(crate) fn version_of(stream: &str) -> Option<&str> {
    let (_, behind) = stream.split_once('[')?;
    let (version, _) = behind.split_once(']')?;
    Some(version).filter(|version| !version.is_empty())
}

/// Compares each entity that fails with the others, in the newest period that all of them show, else since the
/// onset, and returns the clearest difference. `usual` are the failures of normal times, where they are known.
pub(crate) fn compare(
    entities: &[Entity<'_>],
    onset: Timestamp,
    usual: Option<Failures>,
) -> Option<Comparison> {
    let periods: Vec<Timestamp> = entities
        .iter()
        .filter_map(|entity| entity.traffic.as_ref())
        .flat_map(|side| side.points.iter().map(|point| point.at))
        .filter(|at| *at >= onset)
        .collect();
    let (first, last) = (periods.iter().min().copied()?, periods.iter().max().copied()?);
    let one = entities.iter().filter_map(|entity| compared(entity, entities, (last, last), usual));
    one.min_by(by_chance).or_else(|| {
        let all = entities.iter().filter_map(|entity| compared(entity, entities, (first, last), usual));
        all.min_by(by_chance)
    })
}

fn by_chance(left: &Comparison, right: &Comparison) -> std::cmp::Ordering {
    more_failures(left.here, left.there).total_cmp(&more_failures(right.here, right.there))
}

/// Returns the comparison of one entity with the others where it is clear that it fails and they do not.
fn compared(
    entity: &Entity<'_>,
    all: &[Entity<'_>],
    (from, to): (Timestamp, Timestamp),
    usual: Option<Failures>,
) -> Option<Comparison> {
    entity.errors.as_ref()?;
    let others: Vec<&Entity<'_>> =
        all.iter().filter(|other| other.name != entity.name && other.failures(from, to).of > 0).collect();
    let none = Failures { failed: 0, of: 0 };
    let here = entity.failures(from, to);
    let there = others.iter().fold(none, |sum, other| sum.and(other.failures(from, to)));
    let unseen = others.iter().any(|other| other.errors.is_none());
    let healthy = here.share() >= TIMES_WORSE * there.share()
        && usual.is_none_or(|usual| usual.of == 0 || more_failures(there, usual) >= CLEAR);
    if unseen || there.of < ENOUGH || more_failures(here, there) >= CLEAR || !healthy {
        return None;
    }
    let other = match others.as_slice() {
        [other] => other.name.clone(),
        _ => OTHERS.to_owned(),
    };
    let inputs = entity.inputs().chain(others.iter().flat_map(|other| other.inputs())).collect();
    Some(Comparison { entity: entity.name.clone(), other, here, there, from, to, inputs })
}
