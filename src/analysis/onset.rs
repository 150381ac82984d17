//! When the symptom began: the alarm metric's change point, checked against what the alarm itself says.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::analysis::change_point::{self, ChangePoint};
use crate::analysis::readings::Reading;
use crate::clock::Timestamp;
use crate::id::EvidenceId;
use crate::incident::Incident;

/// How the onset is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnsetSource {
    /// The metric left its normal range then.
    ChangePoint,
    /// The alarm names this as its first breaching datapoint; the metric itself shows no clear change or was not read.
    FirstBreach,
}

/// When the symptom began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Onset {
    /// Start of the first period that differs.
    pub at: Timestamp,
    /// Length of that period, seconds: the onset is known no better.
    pub period_seconds: i64,
    /// How it is known.
    pub source: OnsetSource,
    /// The change itself, where the metric shows one.
    pub change: Option<ChangePoint>,
    /// The metric that shows it.
    pub evidence: Option<EvidenceId>,
}

impl Onset {
    /// Returns the end of the first differing period: what began later cannot be the cause.
    pub fn latest(&self) -> Timestamp {
        self.at.checked_add(SignedDuration::from_secs(self.period_seconds)).unwrap_or(self.at)
    }
}

/// Finds the onset. For a metric alarm there is always one: at least the first breach.
pub(crate) fn find(incident: &Incident, own: Option<&Reading<'_>>) -> Option<Onset> {
    let trigger = incident.alarm.metric()?;
    let change = own.and_then(|reading| leading_to(incident, reading));
    let (at, source) = match &change {
        // A ramp may pass the threshold only later, but what breached had begun.
        Some(change) => (change.at.min(incident.first_breach), OnsetSource::ChangePoint),
        None => (incident.first_breach, OnsetSource::FirstBreach),
    };
    Some(Onset {
        at,
        period_seconds: own.map_or(trigger.period_seconds, |reading| reading.series.period_seconds),
        source,
        change,
        evidence: own.map(|reading| reading.evidence.id.clone()),
    })
}

/// Returns the change that the alarm is about: runs that were over before the first breach are earlier stories.
fn leading_to(incident: &Incident, own: &Reading<'_>) -> Option<ChangePoint> {
    let baseline = own.baseline.as_ref()?;
    let high_is_bad = incident.alarm.metric()?.comparison.map(crate::alarm::Comparison::high_is_bad);
    let mut rest = own.points.as_slice();
    loop {
        let change = change_point::find(rest, baseline, high_is_bad)?;
        match change.last {
            Some(last) if last < incident.first_breach => {
                let behind = rest.iter().position(|point| point.at > last)?;
                rest = rest.get(behind..)?;
            }
            // What began after the alarm changed its state did not set it off.
            _ if change.at > incident.alarm.changed_at => return None,
            _ => return Some(change),
        }
    }
}
