//! `metrics.jsonl`: series as runs of equal periods, looked up without ever being written out in full.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use crate::scenario::error::{self, ScenarioError};

/// What identifies a metric: the exact set of dimensions counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MetricKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

/// What CloudWatch keeps of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StatisticSet {
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
}

/// Datapoints taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) set: StatisticSet,
    /// How many datapoints went in.
    pub(crate) datapoints: i64,
    /// Start of the first of them, in seconds.
    pub(crate) first: i64,
}

/// One metric's datapoints.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) key: MetricKey,
    pub(crate) unit: String,
    /// Seconds between datapoints.
    pub(crate) period: i64,
    start: i64,
    runs: Vec<Run>,
    percentiles: BTreeMap<String, Vec<PercentileRun>>,
}

/// `repeat` consecutive datapoints, each holding the same statistics.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(from = "(u32, u32, f64, f64, f64, f64)")]
struct Run {
    offset: i64,
    repeat: i64,
    set: StatisticSet,
}

impl From<(u32, u32, f64, f64, f64, f64)> for Run {
    fn from((offset, repeat, count, sum, minimum, maximum): (u32, u32, f64, f64, f64, f64)) -> Self {
        Self {
            offset: offset.into(),
            repeat: repeat.into(),
            set: StatisticSet { count, sum, minimum, maximum },
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(from = "(u32, u32, f64)")]
struct PercentileRun {
    offset: i64,
    repeat: i64,
    value: f64,
}

impl From<(u32, u32, f64)> for PercentileRun {
    fn from((offset, repeat, value): (u32, u32, f64)) -> Self {
        Self { offset: offset.into(), repeat: repeat.into(), value }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
    unit: String,
    period: i64,
    start: Timestamp,
    points: Vec<Run>,
    #[serde(default)]
    percentiles: BTreeMap<String, Vec<PercentileRun>>,
}

impl Series {
    /// Takes together all datapoints that begin in `[from, to)`, in seconds; `None` where there is none.
    pub(crate) fn aggregate(&self, from: i64, to: i64) -> Option<Aggregate> {
        let first = (from - self.start).div_euclid(self.period)
            + i64::from((from - self.start).rem_euclid(self.period) > 0);
        let end = (to - 1 - self.start).div_euclid(self.period) + 1;
        let begin = self.runs.partition_point(|run| run.offset + run.repeat <= first);
        let mut total: Option<Aggregate> = None;
        for run in self.runs.get(begin..).unwrap_or_default() {
            let low = run.offset.max(first);
            let high = (run.offset + run.repeat).min(end);
            if run.offset >= end {
                break;
            }
            if low >= high {
                continue;
            }
            let times = as_float(high - low);
            let total = total.get_or_insert(Aggregate {
                set: StatisticSet {
                    count: 0.0,
                    sum: 0.0,
                    minimum: f64::INFINITY,
                    maximum: f64::NEG_INFINITY,
                },
                datapoints: 0,
                first: self.start + low * self.period,
            });
            total.datapoints += high - low;
            total.set.count += run.set.count * times;
            total.set.sum += run.set.sum * times;
            total.set.minimum = total.set.minimum.min(run.set.minimum);
            total.set.maximum = total.set.maximum.max(run.set.maximum);
        }
        total
    }

    /// Returns the recorded percentile of the datapoint that begins at this second; `name` is as [`percentile_of`]
    /// writes it.
    pub(crate) fn percentile(&self, name: &str, at: i64) -> Option<f64> {
        let runs = self.percentiles.get(name)?;
        let offset = (at - self.start).div_euclid(self.period);
        let index = runs.partition_point(|run| run.offset + run.repeat <= offset);
        runs.get(index).filter(|run| run.offset <= offset).map(|run| run.value)
    }

    /// Returns the seconds at which the first datapoint begins and the last one ends.
    pub(crate) fn extent(&self) -> Option<(i64, i64)> {
        let (first, last) = (self.runs.first()?, self.runs.last()?);
        Some((
            self.start + first.offset * self.period,
            self.start + (last.offset + last.repeat) * self.period,
        ))
    }

    /// Returns whether any datapoint begins in `[from, to)`.
    pub(crate) fn has_data(&self, from: i64, to: i64) -> bool {
        self.aggregate(from, to).is_some()
    }
}

/// All series, in the file's order.
#[derive(Debug)]
pub(crate) struct MetricStore {
    series: Vec<Series>,
    by_key: BTreeMap<MetricKey, usize>,
}

impl MetricStore {
    pub(crate) fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = error::text(path)?;
        let mut store = Self { series: Vec::new(), by_key: BTreeMap::new() };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let series = series(line).map_err(|reason| ScenarioError::line(path, index, reason))?;
            if store.by_key.insert(series.key.clone(), store.series.len()).is_some() {
                return Err(ScenarioError::line(
                    path,
                    index,
                    "this metric stands on an earlier line already",
                ));
            }
            store.series.push(series);
        }
        Ok(store)
    }

    /// Returns every series.
    pub(crate) fn all(&self) -> &[Series] {
        &self.series
    }

    /// Finds a metric by its exact identity.
    pub(crate) fn find(&self, key: &MetricKey) -> Option<&Series> {
        self.series.get(*self.by_key.get(key)?)
    }
}

/// Writes a percentile's name in one way: `p99` and `p99.0` are the same. `None` for anything but `p0` to `p100`.
pub(crate) fn percentile_of(statistic: &str) -> Option<(f64, String)> {
    let number = statistic.strip_prefix('p')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    (0.0..=100.0).contains(&number).then(|| (number, format!("p{number}")))
}

/// CloudWatch's standard units.
pub(crate) fn is_unit(unit: &str) -> bool {
    const SIZES: [&str; 10] = [
        "Bytes",
        "Kilobytes",
        "Megabytes",
        "Gigabytes",
        "Terabytes",
        "Bits",
        "Kilobits",
        "Megabits",
        "Gigabits",
        "Terabits",
    ];
    matches!(
        unit,
        "Seconds" | "Microseconds" | "Milliseconds" | "Percent" | "Count" | "Count/Second" | "None"
    ) || SIZES.contains(&unit.strip_suffix("/Second").unwrap_or(unit))
}

fn series(line: &str) -> Result<Series, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if !is_unit(&line.unit) {
        return Err(format!("unit {} is not one of CloudWatch's", line.unit));
    }
    if line.period < 60 || line.period % 60 != 0 {
        return Err(format!("period {} is not a multiple of 60 seconds", line.period));
    }
    if line.start.subsec_nanosecond() != 0 || line.start.as_second().rem_euclid(60) != 0 {
        return Err(format!("start {} is not a whole minute", line.start));
    }
    if line.dimensions.len() > 30 {
        return Err("a metric has at most 30 dimensions".to_owned());
    }
    in_order("points", line.points.iter().map(|run| (run.offset, run.repeat)))?;
    for run in &line.points {
        let StatisticSet { count, sum, minimum, maximum } = run.set;
        // A recorded sum carries its source's rounding, so the mean may miss the bounds by that little.
        let slack = 1e-9 * (minimum.abs() + maximum.abs()) + 1e-9;
        let mean = sum / count;
        if count <= 0.0 || minimum > maximum || mean < minimum - slack || mean > maximum + slack {
            return Err(format!(
                "the point at offset {} is impossible: count {count}, sum {sum}, min {minimum}, max {maximum}",
                run.offset
            ));
        }
    }
    let mut percentiles = BTreeMap::new();
    for (name, runs) in line.percentiles {
        let (_, canonical) = percentile_of(&name).ok_or_else(|| format!("{name} is not a percentile"))?;
        in_order(&name, runs.iter().map(|run| (run.offset, run.repeat)))?;
        percentiles.insert(canonical, runs);
    }
    Ok(Series {
        key: MetricKey { namespace: line.namespace, name: line.metric, dimensions: line.dimensions },
        unit: line.unit,
        period: line.period,
        start: line.start.as_second(),
        runs: line.points,
        percentiles,
    })
}

fn in_order(what: &str, runs: impl Iterator<Item = (i64, i64)>) -> Result<(), String> {
    let mut end = 0;
    for (offset, repeat) in runs {
        if repeat < 1 {
            return Err(format!("{what}: the run at offset {offset} repeats {repeat} times"));
        }
        if offset < end {
            return Err(format!(
                "{what}: the run at offset {offset} overlaps the one before or is out of order"
            ));
        }
        end = offset + repeat;
    }
    Ok(())
}

/// Counts of periods are far below 2^52, where a double still holds every whole number.
fn as_float(number: i64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
