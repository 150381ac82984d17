//! Numbers before words: what can be computed is computed before a model is asked. Pure.
//!
//! [`analyse`] reads the ledger that `gather` filled and answers when it began, what is normal, what else moved,
//! what stands in the logs that never stood there, and what changed just before. It never says what the cause is.

pub mod baseline;
pub mod change_point;
pub mod companion;
pub mod forced;
pub mod impact;
pub mod lead;
pub mod log_templates;
pub mod onset;
pub mod significance;
pub mod sparkline;
pub mod timeline;

mod entity;
mod fact;
mod readings;

use serde::{Deserialize, Serialize};

use crate::evidence::{Body, Datapoint, Evidence, Ledger, Query, Series, Source, Status};
use crate::id::EvidenceId;
use crate::incident::Incident;
use crate::playbook::Service;
use crate::redact::Redacted;
pub use baseline::Baseline;
pub use change_point::{ChangePoint, Direction};
pub use companion::{CompanionFinding, CompanionState};
pub use impact::{ConditionHint, Impact, WorstBefore};
pub use lead::{Lead, NOTHING_STANDS_OUT};
pub use onset::{Onset, OnsetSource};
pub use timeline::{Timeline, TimelineEntry, TimelineKind};

use fact::Derived;
use impact::Counted;
use readings::Readings;

/// Everything that was computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// What is normal for the alarm's metric.
    pub baseline: Option<Baseline>,
    /// When the symptom began; a metric alarm has one always.
    pub onset: Option<Onset>,
    /// The metrics beside the alarm's own, in the playbook's order.
    pub companions: Vec<CompanionFinding>,
    /// Derived facts `F1`, `F2`, …, ready for the ledger.
    pub facts: Vec<Evidence>,
    /// What happened, oldest first.
    pub timeline: Timeline,
    /// Where to look first; `None` reads [`NOTHING_STANDS_OUT`].
    pub lead: Option<Lead>,
    /// How bad it is.
    pub impact: Option<Impact>,
    /// Whether it is still so, as far as the metric tells.
    pub condition_hint: ConditionHint,
}

/// Computes what the ledger shows.
pub fn analyse(incident: &Incident, ledger: &Ledger) -> Analysis {
    match incident.resource.service() {
        Some(service) => analyse_by(incident, ledger, Some(service)),
        None => analyse_by(incident, ledger, readings::found(incident, ledger).as_ref()),
    }
}

/// The same with a given row of the playbook.
fn analyse_by(incident: &Incident, ledger: &Ledger, service: Option<&Service>) -> Analysis {
    let readings = Readings { incident, ledger, service };
    let own = readings.own();
    let onset = onset::find(incident, own.as_ref());
    let companions = companion::look(&readings);
    // What a name seems to say is no ground for a share of failures.
    let counted = if service.is_some_and(|row| row.is_guess) { None } else { Counted::of(&readings) };
    let impact = own
        .as_ref()
        .zip(onset.as_ref())
        .and_then(|(own, onset)| impact::measure(&readings, own, onset, counted.as_ref()));

    let entities = entity::entities(&readings);
    let first_served: Vec<_> = entities
        .iter()
        .filter_map(|entity| Some((entity.name.clone(), entity.first_served(&readings)?)))
        .collect();
    let comparison = onset.as_ref().and_then(|onset| {
        let usual = counted.as_ref().map(|counted| counted.before(onset.at));
        entity::compare(&entities, onset.at, usual)
    });

    let mut facts: Vec<Derived> = Vec::new();
    if let (Some(own), Some(onset)) = (&own, &onset) {
        facts.extend(fact::onset(own, onset));
        if let Some(impact) = &impact {
            if impact.failing.is_some() {
                facts
                    .extend(counted.as_ref().and_then(|counted| fact::share_of_failures(counted, impact.at)));
            }
            facts.push(fact::peak(own, impact, onset));
            facts.extend(fact::worst_before(impact, onset));
            facts.extend(fact::earlier_breaches(&readings, impact, onset));
        }
    }
    let untold = first_served.iter().filter(|(_, served)| !served.told);
    facts.extend(untold.map(|(entity, served)| fact::first_served(entity, served)));
    let comparison_id = comparison.as_ref().map(|found| {
        facts.push(fact::comparison(found));
        EvidenceId::new(Source::Analysis.letter(), facts.len())
    });
    let told = comparison.as_ref().map(|found| found.to).or(impact.as_ref().map(|impact| impact.at));
    for entity in entities.iter().filter(|entity| first_served.iter().any(|(name, _)| *name == entity.name)) {
        facts.extend(told.and_then(|at| fact::share_of_traffic(entity, &entities, at)));
    }
    let (new_templates, exclusives) = fact::new_templates(&readings, &entities);
    facts.extend(new_templates);
    facts.extend(companions.iter().filter_map(fact::changed_companion));
    facts.extend(fact::normal_companions(&companions));
    facts.extend(fact::silent_companions(&companions));

    let lead = onset.as_ref().and_then(|onset| {
        let clues = lead::Clues {
            onset,
            entities: &entities,
            first_served: &first_served,
            comparison: comparison.as_ref().zip(comparison_id),
            exclusives: &exclusives,
        };
        lead::choose(&readings, &clues).or_else(|| lead::moved_first(&companions, onset))
    });
    let computed = timeline::Computed {
        metric: incident.alarm.metric().map(|metric| metric.metric.as_str()),
        onset: onset.as_ref(),
        companions: &companions,
        first_served: &first_served,
    };
    let timeline = Timeline::of(&readings, &computed);
    Analysis {
        baseline: own.as_ref().and_then(|own| own.baseline.clone()),
        condition_hint: impact::condition(&readings, own.as_ref()),
        facts: facts
            .into_iter()
            .zip(1..)
            .map(|(derived, number)| evidence_of(derived, number, incident))
            .collect(),
        timeline,
        onset,
        companions,
        lead,
        impact,
    }
}

/// The alarm's own metric in the incident window.
pub(crate) struct Watched<'a> {
    /// Where it stands.
    pub(crate) evidence: &'a Evidence,
    /// What was read.
    pub(crate) series: &'a Series,
    /// Its datapoints, zeros among them where a missing one means zero.
    pub(crate) points: Vec<Datapoint>,
}

/// Returns the alarm's own metric as every number about it was computed, where it was read.
pub(crate) fn watched<'a>(incident: &'a Incident, ledger: &'a Ledger) -> Option<Watched<'a>> {
    let readings = Readings { incident, ledger, service: incident.resource.service() };
    let own = readings.own()?;
    Some(Watched { evidence: own.evidence, series: own.series, points: own.points })
}

/// Wraps a fact for the ledger.
fn evidence_of(derived: Derived, number: usize, incident: &Incident) -> Evidence {
    Evidence {
        id: EvidenceId::new(Source::Analysis.letter(), number),
        source: Source::Analysis,
        title: Redacted::new(&derived.title),
        query: Query::default(),
        window: incident.window,
        status: Status::Found,
        horizon: None,
        body: Body::Fact(derived.fact),
    }
}

#[cfg(test)]
mod tests;
