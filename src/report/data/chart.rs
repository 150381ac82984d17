//! The alarm's metric as data, and in words what a picture of it shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::evidence::Window;
use crate::evidence::text::{clock_time, number};
use crate::id::EvidenceId;

/// The alarm's metric over the incident window, to be drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Chart {
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    pub metric: String,
    /// Its dimensions, name to value.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    /// Its statistic.
    pub statistic: String,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Length of a period, seconds.
    pub period_seconds: i64,
    /// Where it stands.
    pub evidence: EvidenceId,
    /// What is drawn.
    pub window: Window,
    /// At most 240, oldest first; of more the lowest and the highest of each stretch.
    pub points: Vec<PointData>,
    /// The alarm's threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// What is normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal: Option<NormalBand>,
    /// When the symptom began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub onset: Option<Timestamp>,
    /// Changes within the window.
    pub changes: Vec<ChangeMark>,
}

impl Chart {
    /// Returns what is drawn, in a line.
    pub(crate) fn title(&self) -> String {
        let unit = self.unit.as_deref().map(|unit| format!(", {unit}")).unwrap_or_default();
        format!(
            "{} ({}{unit}) every {} s, {} to {} UTC",
            self.metric,
            self.statistic,
            self.period_seconds,
            clock_time(self.window.start),
            clock_time(self.window.end)
        )
    }

    /// Returns what is to be seen, for those who do not see it.
    pub(crate) fn described(&self) -> String {
        let peak = number(self.points.iter().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max));
        let threshold = self.threshold.map(|threshold| format!(", alarm at {}", number(threshold)));
        let onset = self.onset.map(|onset| format!(", onset {}", clock_time(onset)));
        let (threshold, onset) = (threshold.unwrap_or_default(), onset.unwrap_or_default());
        format!("{}. Highest {peak}{threshold}{onset}.", self.title())
    }

    /// Returns the first and the last second of the axis of time.
    pub(crate) fn seconds(&self) -> (i64, i64) {
        let first = self.window.start.as_second();
        (first, self.window.end.as_second().max(first + 60))
    }

    /// Returns what stands at the upright marks, by seconds: those at one place in one text, so that none covers another.
    pub(crate) fn labels(&self) -> Vec<(i64, String)> {
        let (first, last) = self.seconds();
        let changes = self.changes.iter().map(|change| (change.at, change.evidence.as_str().to_owned()));
        let onset = self.onset.map(|onset| (onset, "began".to_owned()));
        let mut marks: Vec<(i64, String)> =
            changes.chain(onset).map(|(at, label)| (at.as_second().clamp(first, last), label)).collect();
        marks.sort_by_key(|(at, _)| *at);
        let close = (last - first) / 8;
        let mut labels: Vec<(i64, String)> = Vec::new();
        for (at, label) in marks {
            match labels.last_mut() {
                Some((known, text)) if at - *known < close => {
                    text.push_str(", ");
                    text.push_str(&label);
                }
                _ => labels.push((at, label)),
            }
        }
        labels
    }

    /// Tells whether the axis of values begins at zero: one that does not makes a small change look big.
    pub(crate) fn begins_at_zero(lowest: f64, highest: f64) -> bool {
        lowest >= 0.0 && lowest < highest * 0.6
    }
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointData {
    /// Start of its period.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// The value.
    pub value: f64,
}

/// The range of normal times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NormalBand {
    /// 1st percentile.
    pub low: f64,
    /// 99th percentile.
    pub high: f64,
}

/// A change on the chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangeMark {
    /// When.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// Where it stands.
    pub evidence: EvidenceId,
}
