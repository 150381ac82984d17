//! A change with its time, and a fact that code derived.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::EvidenceId;
use crate::redact::Redacted;

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A version was published or code was updated.
    Deployment,
    /// An alias moved traffic.
    Traffic,
    /// Memory, timeout, runtime, environment or another setting.
    Configuration,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it took place, as the source tells it.
    pub at: Timestamp,
    /// What kind.
    pub kind: ChangeKind,
    /// What was changed: `invoice-render`, `invoice-render:live`.
    pub target: String,
    /// The new thing, as a claim may name it: `version 58`.
    pub entity: String,
    /// One sentence.
    pub summary: Redacted,
    /// The differences, a line each; values of environment variables are never among them.
    pub details: Vec<Redacted>,
    /// How it could be taken back, where what was there before is still there.
    #[serde(default)]
    pub rollback: Option<Rollback>,
}

/// What a step back needs; every name in it was read from the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Alias that sends traffic to the new version.
    pub alias: String,
    /// The new version.
    pub version: String,
    /// The version before it, which is still published.
    pub previous_version: String,
}

/// What a fact is about; the card chooses and orders by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// When the alarm's metric left its normal range.
    Onset,
    /// How many requests failed, of how many.
    FailureShare,
    /// The worst value since the onset.
    Peak,
    /// The worst value of the time before.
    WorstBefore,
    /// How often the alarm's threshold was passed in the time before.
    EarlierBreaches,
    /// The first request of a version.
    FirstServed,
    /// What one version fails beside the others.
    Comparison,
    /// How much of the traffic a version serves.
    TrafficShare,
    /// A log text that is new or more frequent.
    LogTemplate,
    /// A metric beside the alarm's own that left its normal range.
    Companion,
    /// Metrics that are as usual.
    Normal,
    /// Metrics without a datapoint in any window.
    Silent,
}

/// A number or statement that code derived from evidence, so that it can be cited and computed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub kind: FactKind,
    /// One sentence with the value in it; `{value}`-free, ready to print.
    pub text: Redacted,
    /// How the value follows from the inputs: `100 * sum(M1) / sum(M2)`.
    pub formula: String,
    /// The evidence that the value was computed from.
    pub inputs: Vec<EvidenceId>,
    /// The value, where the fact is a number.
    pub value: Option<f64>,
    /// The value as a report prints it: `36%`, `03:02`, `43 of 118`.
    pub display: String,
    /// The moment that the fact is about.
    pub at: Option<Timestamp>,
    /// Set where the fact tells the cause from its neighbours: it fails where this entity is, and works where it is not.
    pub discriminates: Option<String>,
}
