//! A metric series: timestamps and values of one statistic of one metric.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A metric's identity: `CloudWatch` matches the exact set of dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetricId {
    /// For instance `AWS/Lambda`.
    pub namespace: String,
    /// For instance `Errors`.
    pub name: String,
    /// Name to value.
    pub dimensions: BTreeMap<String, String>,
}

/// A statistic in `GetMetricData`'s own spelling: `Sum`, `Average`, `Maximum`, `Minimum`, `SampleCount`, `p99`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statistic(pub String);

impl Statistic {
    /// Returns the statistic's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether values of this statistic add up over time, so that a missing datapoint may mean zero.
    pub fn is_count(&self) -> bool {
        matches!(self.0.as_str(), "Sum" | "SampleCount")
    }
}

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Datapoint {
    /// Start of the period.
    pub at: Timestamp,
    /// The statistic over the period.
    pub value: f64,
}

/// A metric series, oldest datapoint first; periods without data have no datapoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Which metric.
    pub metric: MetricId,
    /// Which statistic.
    pub statistic: Statistic,
    /// Length of one period, seconds.
    pub period_seconds: i64,
    /// `CloudWatch`'s unit, for instance `Count`, `Milliseconds` or `Percent`.
    pub unit: Option<String>,
    /// Oldest first, unique timestamps.
    pub datapoints: Vec<Datapoint>,
}

impl Series {
    /// Returns the value of the period that begins at `at`.
    pub fn value_at(&self, at: Timestamp) -> Option<f64> {
        let found = self.datapoints.binary_search_by(|point| point.at.cmp(&at)).ok()?;
        self.datapoints.get(found).map(|point| point.value)
    }

    /// Returns the values, oldest first.
    pub fn values(&self) -> Vec<f64> {
        self.datapoints.iter().map(|point| point.value).collect()
    }

    /// Returns the datapoints that begin in `[start, end)`.
    pub fn between(&self, start: Timestamp, end: Timestamp) -> impl Iterator<Item = &Datapoint> {
        self.datapoints.iter().filter(move |point| point.at >= start && point.at < end)
    }
}
