//! What the metrics beside the alarm's own do: normal, changed, silent or not seen.

use serde::{Deserialize, Serialize};

use crate::analysis::change_point::{self, ChangePoint};
use crate::analysis::readings::{Reading, Readings};
use crate::evidence::text::number;
use crate::evidence::{Ledger, Source, Status};
use crate::id::EvidenceId;
use crate::playbook::{Companion, Role};

/// What a companion does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompanionState {
    /// Within its normal range.
    Normal,
    /// Left its normal range.
    Changed(ChangePoint),
    /// Has data now, but nothing tells what is normal.
    NoBaseline,
    /// The source answered and has no datapoint: nothing is known, not even that all is well.
    NoData,
    /// The source could not be read.
    NotChecked(Status),
    /// Nobody asked, and no gap says why.
    NotAsked,
}

/// One companion's finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompanionFinding {
    /// The evidence of the incident window; absent where it was never asked for.
    pub evidence: Option<EvidenceId>,
    /// What to call it: `throttles`.
    pub title: String,
    /// What it stands for.
    pub role: Role,
    /// Whether a healthy resource may never have it.
    pub optional: bool,
    /// What it does.
    pub state: CompanionState,
    /// Newest value.
    pub value: Option<f64>,
    /// The metric's unit.
    pub unit: Option<String>,
    /// Normal range, low and high.
    pub normal: Option<(f64, f64)>,
}

impl CompanionFinding {
    /// Tells whether the newest value lies outside of the normal range.
    pub fn strays(&self) -> bool {
        matches!((self.value, self.normal), (Some(now), Some((low, high))) if now < low || now > high)
    }

    /// Returns the newest value with its title: `throttles 0`, `p99 duration 812 ms`.
    pub fn now(&self) -> String {
        match self.value {
            Some(value) => format!("{} {}", self.title, quantity(value, self.unit.as_deref())),
            None => self.title.clone(),
        }
    }

    /// Returns the finding in a few words: `throttles 0`, `duration p99 812 ms (normal 700 to 1100)`.
    pub fn words(&self) -> String {
        let value = self.value.map(|value| quantity(value, self.unit.as_deref()));
        match (value, self.normal) {
            (Some(value), Some((low, high))) if number(low) != number(high) => {
                format!("{} {value} (normal {} to {})", self.title, number(low), number(high))
            }
            (Some(value), _) => format!("{} {value}", self.title),
            (None, _) => self.title.clone(),
        }
    }
}

/// Returns a value with its unit as people write it.
pub(crate) fn quantity(value: f64, unit: Option<&str>) -> String {
    let digits = number(value);
    match unit {
        Some("Percent") => format!("{digits}%"),
        Some("Milliseconds") => format!("{digits} ms"),
        Some("Seconds") => format!("{digits} s"),
        Some("Bytes") => format!("{digits} bytes"),
        _ => digits,
    }
}

/// Looks at each companion of the playbook's row but the alarm's own metric.
pub(crate) fn look(readings: &Readings<'_>) -> Vec<CompanionFinding> {
    let companions = readings.service.map(|service| service.companions.as_slice()).unwrap_or_default();
    companions
        .iter()
        .filter(|companion| !readings.is_own(companion))
        .map(|companion| look_at(companion, readings))
        .collect()
}

fn look_at(companion: &Companion, readings: &Readings<'_>) -> CompanionFinding {
    let evidence = readings.companion_evidence(companion);
    let reading = readings.companion(companion);
    let state = match (&reading, evidence) {
        // Zeros would be put in for data that such a resource never has.
        (Some(reading), _) if companion.optional && reading.series.datapoints.is_empty() => {
            CompanionState::NoData
        }
        (Some(reading), _) if !reading.points.is_empty() => judge(companion, reading),
        (_, Some(evidence)) if !evidence.status.was_checked() => CompanionState::NotChecked(evidence.status),
        (_, Some(_)) => CompanionState::NoData,
        (_, None) => {
            gap_of(companion, readings.ledger).map_or(CompanionState::NotAsked, CompanionState::NotChecked)
        }
    };
    let newest = reading.as_ref().and_then(Reading::last);
    let baseline = reading.as_ref().and_then(|reading| reading.baseline.as_ref());
    CompanionFinding {
        evidence: evidence.map(|evidence| evidence.id.clone()),
        title: companion.title.clone(),
        role: companion.role,
        optional: companion.optional,
        state,
        value: newest.map(|point| point.value),
        unit: reading.as_ref().and_then(|reading| reading.series.unit.clone()),
        normal: baseline.map(|baseline| (baseline.low, baseline.high)),
    }
}

fn judge(companion: &Companion, reading: &Reading<'_>) -> CompanionState {
    let Some(baseline) = &reading.baseline else { return CompanionState::NoBaseline };
    let high_is_bad = match companion.role {
        Role::Errors | Role::Latency | Role::Throttling => Some(true),
        // Free memory that falls and connections that rise are both saturation; traffic may do either.
        Role::Saturation | Role::Traffic => None,
    };
    change_point::find(&reading.points, baseline, high_is_bad)
        .map_or(CompanionState::Normal, CompanionState::Changed)
}

/// Returns why a companion has no evidence at all: the gap that names it, else the one that names the incident's
/// metrics, which are asked for in one request.
fn gap_of(companion: &Companion, ledger: &Ledger) -> Option<Status> {
    let gaps = || ledger.gaps().iter().filter(|gap| gap.source == Source::Metrics);
    let named = |subject: &str| subject.contains(&companion.metric) || subject.contains(&companion.title);
    let of_all = || gaps().find(|gap| gap.subject.contains("incident"));
    gaps().find(|gap| named(&gap.subject)).or_else(of_all).map(|gap| gap.status)
}
