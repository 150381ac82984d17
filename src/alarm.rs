//! What `CloudWatch` said, in any wake-up shape, tolerant of nulls, absences and new fields.
//!
//! Pure: bytes in, [`WakeUp`]s out. One bad record never takes its batch with it.

pub mod envelope;
pub mod event;
pub mod hint;
pub mod reason;
pub mod sns;
pub(crate) mod trigger;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::SeriesKey;
pub use envelope::{Silence, WakeUp, WakeUps, parse_event};
pub use hint::Hints;
pub use reason::reason_datapoints;

/// State of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlarmState {
    /// Within its threshold.
    #[serde(rename = "OK")]
    Ok,
    /// Beyond its threshold.
    #[serde(rename = "ALARM")]
    Alarm,
    /// Not enough data to tell.
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

impl AlarmState {
    /// Returns the state as `CloudWatch` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            AlarmState::Ok => "OK",
            AlarmState::Alarm => "ALARM",
            AlarmState::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// Reads `CloudWatch`'s spelling.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "OK" => Some(AlarmState::Ok),
            "ALARM" => Some(AlarmState::Alarm),
            "INSUFFICIENT_DATA" => Some(AlarmState::InsufficientData),
            _ => None,
        }
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the alarm lives, taken from its ARN: the payload's `Region` is only a display name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Region code, for instance `us-east-1`.
    pub region: String,
    /// Account id; empty where the event does not tell.
    pub account: String,
}

/// How a value compares with the threshold to breach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `GreaterThanThreshold`.
    Greater,
    /// `GreaterThanOrEqualToThreshold`.
    GreaterOrEqual,
    /// `LessThanThreshold`.
    Less,
    /// `LessThanOrEqualToThreshold`.
    LessOrEqual,
}

impl Comparison {
    /// Tells whether `value` breaches `threshold`.
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Comparison::Greater => value > threshold,
            Comparison::GreaterOrEqual => value >= threshold,
            Comparison::Less => value < threshold,
            Comparison::LessOrEqual => value <= threshold,
        }
    }

    /// Tells whether large values are the bad ones.
    pub fn high_is_bad(self) -> bool {
        matches!(self, Comparison::Greater | Comparison::GreaterOrEqual)
    }

    /// Reads `CloudWatch`'s spelling.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "GreaterThanThreshold" => Some(Comparison::Greater),
            "GreaterThanOrEqualToThreshold" => Some(Comparison::GreaterOrEqual),
            "LessThanThreshold" => Some(Comparison::Less),
            "LessThanOrEqualToThreshold" => Some(Comparison::LessOrEqual),
            _ => None,
        }
    }
}

/// What the alarm does with periods without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingData {
    /// The default: too many of them lead to `INSUFFICIENT_DATA`.
    Missing,
    /// Counted as beyond the threshold.
    Breaching,
    /// Counted as within it.
    NotBreaching,
    /// The state is kept.
    Ignore,
}

/// What a metric alarm watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricTrigger {
    /// For instance `AWS/Lambda`.
    pub namespace: String,
    /// For instance `Errors`.
    pub metric: String,
    /// Name to value.
    pub dimensions: BTreeMap<String, String>,
    /// Statistic in `GetMetricData`'s spelling: `Sum`, `Average`, `p99`.
    pub statistic: String,
    /// `CloudWatch`'s unit, where the alarm names one.
    pub unit: Option<String>,
    /// Length of a period, seconds.
    pub period_seconds: i64,
    /// Periods looked at.
    pub evaluation_periods: u32,
    /// Periods that must breach.
    pub datapoints_to_alarm: u32,
    /// How the value breaches; absent where the event does not tell.
    pub comparison: Option<Comparison>,
    /// The threshold; absent for anomaly bands or where the event does not tell.
    pub threshold: Option<f64>,
    /// Treatment of periods without data.
    pub missing_data: MissingData,
}

/// What sets the alarm off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// One metric and a threshold.
    Metric(MetricTrigger),
    /// A value computed from series, of which one tells most of the resource: metric math, anomaly band, a query's
    /// contributor, a composite's child.
    Derived(Box<DerivedTrigger>),
    /// A query over log groups.
    Log(LogTrigger),
    /// Anything else: a composite whose children are not known, or a kind that did not exist when this was written.
    Other {
        /// A word for it: `composite`, `unknown`.
        kind: String,
        /// The definition as JSON text, as it came.
        raw: String,
    },
}

/// A trigger that is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DerivedTrigger {
    /// A word for it: `metric math`, `anomaly band`, `metrics query`, `composite`.
    pub kind: String,
    /// How it is computed: an expression, a query, a rule.
    pub expression: String,
    /// The series that is looked at. Its threshold is the alarm's only where the alarm compares this very series.
    pub watched: MetricTrigger,
    /// The definition as JSON text, as it came.
    pub raw: String,
}

/// A trigger that counts log lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogTrigger {
    /// Names of the log groups.
    pub groups: Vec<String>,
    /// The query, in Logs Insights' language.
    pub query: String,
    /// How its rows become the value that is compared: `count(*)`; empty where not known.
    #[serde(default)]
    pub aggregation: String,
    /// The definition as JSON text, as it came.
    pub raw: String,
}

/// One state change of one alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Alarm name; may hold colons and non-ASCII letters.
    pub name: String,
    /// ARN, where the event tells it.
    pub arn: Option<String>,
    /// Partition, Region and account.
    pub place: Place,
    /// The owner's description: untrusted text.
    pub description: Option<String>,
    /// State after the change.
    pub new_state: AlarmState,
    /// State before it.
    pub old_state: Option<AlarmState>,
    /// `NewStateReason`: untrusted text.
    pub reason: String,
    /// When the state changed.
    pub changed_at: Timestamp,
    /// What it watches.
    pub trigger: Trigger,
    /// Contributor of a multi-series alarm.
    pub contributor: Option<String>,
    /// What tells the contributor from others, name to value: `FunctionName` to `render`.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Whether an action of the alarm brought it: then its actions were on and nothing muted them.
    #[serde(default)]
    pub by_action: bool,
    /// Names of the alarms below a composite that are in ALARM, the one that is looked at first.
    #[serde(default)]
    pub leaves: Vec<String>,
    /// Top-level fields that this parser does not know, as they came: untrusted text.
    pub other_fields: BTreeMap<String, String>,
}

impl Alarm {
    /// Returns the identity of the alarmed series.
    pub fn series_key(&self) -> SeriesKey {
        SeriesKey::new(self.arn.as_deref().unwrap_or(&self.name), self.contributor.as_deref())
    }

    /// Returns what the owner asks for, by the alarm's tags and its description.
    pub fn hints(&self, tags: &BTreeMap<String, String>) -> Hints {
        Hints::of(tags, self.description.as_deref())
    }

    /// Says how the alarm's value is computed, where it is not one metric.
    pub fn computed(&self) -> Option<String> {
        match &self.trigger {
            Trigger::Metric(_) | Trigger::Other { .. } => None,
            Trigger::Derived(derived) => Some(format!(
                "computed: {} ({}); the metric named as watched is one of its series",
                derived.kind, derived.expression
            )),
            Trigger::Log(log) => {
                Some(format!("counts log lines of {}: {}", log.groups.join(", "), log.query))
            }
        }
    }

    /// Returns the metric that the alarm watches, or of several the one that is looked at.
    pub fn metric(&self) -> Option<&MetricTrigger> {
        match &self.trigger {
            Trigger::Metric(metric) => Some(metric),
            Trigger::Derived(derived) => Some(&derived.watched),
            Trigger::Log(_) | Trigger::Other { .. } => None,
        }
    }
}

/// An alarm as `DescribeAlarms` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmSnapshot {
    /// The alarm, with the state that `CloudWatch` gives it now.
    pub alarm: Alarm,
    /// When that state began.
    pub state_since: Option<Timestamp>,
    /// Whether its actions are on.
    pub actions_enabled: bool,
    /// Its tags, where they were read: untrusted text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
