//! How bad it is: the newest value, the share that fails, what is normal, where the threshold lies, the worst before.

use serde::{Deserialize, Serialize};

use crate::alarm::MetricTrigger;
use crate::analysis::companion::quantity;
use crate::analysis::onset::Onset;
use crate::analysis::readings::{Reading, Readings};
use crate::analysis::significance::Failures;
use crate::analysis::sparkline::{condensed, sparkline};
use crate::clock::Timestamp;
use crate::evidence::text::{clock_time, number};
use crate::evidence::{Datapoint, Statistic};
use crate::id::EvidenceId;
use crate::playbook::Role;

/// Bars that fit one line of a card beside the metric's name and times.
const BARS: usize = 24;
/// Periods before the onset that the bars show.
const BEFORE: usize = 8;

/// Whether the symptom is still there, as far as the alarm's metric tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionHint {
    /// The newest period breaches the threshold.
    Still,
    /// As many of the newest periods as set the alarm off no longer breach it.
    Recovered,
    /// Too old or too few data, or no threshold.
    Unknown,
}

/// The worst value of the time before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstBefore {
    /// The value.
    pub value: f64,
    /// Its period.
    pub at: Timestamp,
    /// Whole days that were looked at.
    pub days: i64,
    /// Where it stands.
    pub evidence: EvidenceId,
}

/// How bad it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Name of the alarm's metric: `Errors`.
    pub metric: String,
    /// Its statistic.
    pub statistic: Statistic,
    /// Its unit.
    pub unit: Option<String>,
    /// The series that it stands in.
    pub evidence: EvidenceId,
    /// Length of a period, seconds.
    pub period_seconds: i64,
    /// The period that is told: the newest while it breaches, else the worst since the onset.
    pub at: Timestamp,
    /// Value of that period.
    pub value: f64,
    /// Worst value since the onset.
    pub peak: f64,
    /// Its period.
    pub peak_at: Timestamp,
    /// Failed requests in the period, where failures and requests are both counted.
    pub failing: Option<u64>,
    /// Requests in the period.
    pub total: Option<u64>,
    /// Share that failed, 0 to 1.
    pub share: Option<f64>,
    /// What is normal: `0 of ~115`, `0.7 to 1.1`; absent where nothing tells.
    pub normal: Option<String>,
    /// The alarm's threshold.
    pub threshold: Option<f64>,
    /// The worst value of the time before the onset.
    pub worst: Option<WorstBefore>,
    /// Values for a sparkline, oldest first.
    pub values: Vec<f64>,
    /// First and last period of the sparkline.
    pub shown: (Timestamp, Timestamp),
    /// Whether large values are the bad ones.
    pub high_is_bad: bool,
    /// Whether the newest period is beyond the threshold; `None` where the alarm names none.
    pub breaching: Option<bool>,
}

impl Impact {
    /// Returns the impact in one clause, for a push text: `36% of requests failing`.
    pub fn short(&self) -> String {
        let unit = self.unit.as_deref();
        match (self.share, &self.normal) {
            (Some(share), _) => format!("{}% of requests failing", percent_digits(100.0 * share)),
            (None, Some(normal)) => {
                format!("{} {} (normal {normal})", self.name(), quantity(self.value, unit))
            }
            (None, None) => format!("{} {}", self.name(), quantity(self.value, unit)),
        }
    }

    /// Returns the impact for a card: count and share, then normal, threshold and worst, then the bars.
    pub fn lines(&self) -> Vec<String> {
        let unit = self.unit.as_deref();
        let per = self.per();
        let over = if self.breaching == Some(false) {
            format!("At its worst, {}: ", clock_time(self.at))
        } else {
            String::new()
        };
        let first = match (self.failing, self.total, self.share) {
            (Some(failing), Some(total), Some(share)) => {
                format!("{over}{failing} of {total} requests/{per} fail ({}%)", percent_digits(100.0 * share))
            }
            _ if self.statistic.is_count() => {
                format!("{over}{} {} per {per}, share unknown", self.name(), quantity(self.value, unit))
            }
            _ if over.is_empty() => {
                format!("{} {} at {}", self.name(), quantity(self.value, unit), clock_time(self.at))
            }
            _ => format!("{over}{} {}", self.name(), quantity(self.value, unit)),
        };
        let normal = self.normal.as_ref().map(|normal| format!("normal {normal}"));
        let threshold = self.threshold.map(|threshold| format!("alarm at {}", quantity(threshold, unit)));
        let worst = self.worst.as_ref();
        let worst = worst.map(|worst| format!("{}-day worst {}", worst.days, quantity(worst.value, unit)));
        let second = normal.into_iter().chain(threshold).chain(worst).collect::<Vec<_>>().join(" · ");
        let (from, to) = self.shown;
        let bars = sparkline(&self.values);
        // One bar is no picture.
        let bars = if self.values.len() > 1 {
            format!("{bars} {}/{per}, {}-{}", self.name(), clock_time(from), clock_time(to))
        } else {
            String::new()
        };
        [first, second, bars].into_iter().filter(|line| !line.is_empty()).collect()
    }

    /// Returns `max` or `min`: the extreme that is the worst.
    pub(crate) fn extreme(&self) -> &'static str {
        if self.high_is_bad { "max" } else { "min" }
    }

    /// Returns the metric with its statistic, where that is not the usual one of a count or a level.
    fn name(&self) -> String {
        match self.statistic.as_str() {
            "Sum" | "Average" | "SampleCount" => self.metric.clone(),
            statistic => format!("{} {statistic}", self.metric),
        }
    }

    /// Returns the length of a period as a rate names it: `min`, `5 min`, `1 h`.
    pub(crate) fn per(&self) -> String {
        match self.period_seconds {
            60 => "min".to_owned(),
            seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
            seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        }
    }
}

/// Failures and requests of the incident, where both are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<'a> {
    pub(crate) errors: Reading<'a>,
    pub(crate) traffic: Reading<'a>,
}

impl Counted<'_> {
    /// Finds both by their roles.
    pub(crate) fn of<'a>(readings: &Readings<'a>) -> Option<Counted<'a>> {
        let errors = readings.of_role(Role::Errors)?;
        let traffic = readings.of_role(Role::Traffic)?;
        let counts = |reading: &Reading<'_>| reading.series.statistic.is_count();
        let same = errors.series.period_seconds == traffic.series.period_seconds;
        (counts(&errors) && counts(&traffic) && same).then_some(Counted { errors, traffic })
    }

    /// Returns failures and requests of one period, where there were requests.
    pub(crate) fn at(&self, at: Timestamp) -> Option<Failures> {
        let counted = Failures::new(self.errors.value_at(at)?, self.traffic.value_at(at)?);
        (counted.of > 0).then_some(counted)
    }

    /// Returns failures and requests of all periods before the onset in the incident window.
    pub(crate) fn before(&self, onset: Timestamp) -> Failures {
        let periods = self.traffic.points.iter().filter(|point| point.at < onset);
        periods.filter_map(|point| self.at(point.at)).fold(Failures { failed: 0, of: 0 }, Failures::and)
    }
}

/// Returns a percentage without digits that nobody reads; what is more than nothing is not told as nothing.
pub(crate) fn percent_digits(percent: f64) -> String {
    if percent > 0.0 && percent < 10.0 { number(percent) } else { format!("{percent:.0}") }
}

/// Measures the impact on the alarm's own metric.
pub(crate) fn measure(
    readings: &Readings<'_>,
    own: &Reading<'_>,
    onset: &Onset,
    counted: Option<&Counted<'_>>,
) -> Option<Impact> {
    let trigger = readings.incident.alarm.metric()?;
    let high_is_bad = high_is_bad(trigger, onset);
    let since: Vec<Datapoint> =
        own.points.iter().copied().filter(|point| point.at >= onset.at && point.value.is_finite()).collect();
    let newest = since.last().copied()?;
    let peak = worst_of(&since, high_is_bad)?;
    let told = if breaches(trigger, newest.value) == Some(false) { peak } else { newest };
    // Shares only where the alarm itself is about failures or requests; of a slow database they say little.
    let failures = counted
        .filter(|counted| [&counted.errors, &counted.traffic].iter().any(|side| is_same(side, own)))
        .and_then(|counted| Some((counted, counted.at(told.at)?)));
    let shown = shown(own, onset);
    let values: Vec<f64> = shown.iter().map(|point| point.value).collect();
    Some(Impact {
        metric: own.series.metric.name.clone(),
        statistic: own.series.statistic.clone(),
        unit: own.series.unit.clone(),
        evidence: own.evidence.id.clone(),
        period_seconds: own.series.period_seconds,
        at: told.at,
        value: told.value,
        peak: peak.value,
        peak_at: peak.at,
        failing: failures.map(|(_, failures)| failures.failed),
        total: failures.map(|(_, failures)| failures.of),
        share: failures.map(|(_, failures)| failures.share()),
        normal: normal_words(own, failures.map(|(counted, _)| counted)),
        threshold: trigger.threshold,
        worst: worst_before(readings, onset, high_is_bad),
        shown: (shown.first()?.at, shown.last()?.at),
        values: condensed(&values, BARS, high_is_bad),
        high_is_bad,
        breaching: breaches(trigger, newest.value),
    })
}

/// Tells whether the alarm's metric is still beyond its threshold.
pub(crate) fn condition(readings: &Readings<'_>, own: Option<&Reading<'_>>) -> ConditionHint {
    let (Some(own), Some(trigger)) = (own, readings.incident.alarm.metric()) else {
        return ConditionHint::Unknown;
    };
    let Some(newest) = own.last() else { return ConditionHint::Unknown };
    // Three periods or three minutes without data may be lag; after more, nobody knows.
    let patience = 3 * own.series.period_seconds.max(60) + own.series.period_seconds;
    if readings.incident.as_of.duration_since(newest.at).as_secs() > patience {
        return ConditionHint::Unknown;
    }
    match breaches(trigger, newest.value) {
        None => ConditionHint::Unknown,
        Some(true) => ConditionHint::Still,
        Some(false) => {
            let needed = usize::try_from(trigger.datapoints_to_alarm).unwrap_or(1).max(1);
            let calm = own.points.iter().rev().take(needed);
            if calm.clone().count() == needed
                && calm.clone().all(|point| breaches(trigger, point.value) == Some(false))
            {
                ConditionHint::Recovered
            } else {
                ConditionHint::Still
            }
        }
    }
}

/// Tells whether a value breaches the alarm's threshold; `None` where the alarm names none.
fn breaches(trigger: &MetricTrigger, value: f64) -> Option<bool> {
    Some(trigger.comparison?.breaches(value, trigger.threshold?))
}

/// Tells which values are bad: by the alarm, else by the way that the metric moved.
pub(crate) fn high_is_bad(trigger: &MetricTrigger, onset: &Onset) -> bool {
    let moved = onset.change.as_ref().map(|change| change.direction);
    trigger.comparison.map_or(
        moved != Some(crate::analysis::change_point::Direction::Down),
        crate::alarm::Comparison::high_is_bad,
    )
}

fn worst_of(points: &[Datapoint], high_is_bad: bool) -> Option<Datapoint> {
    let badness = |point: &&Datapoint| if high_is_bad { point.value } else { -point.value };
    points.iter().rev().max_by(|left, right| badness(left).total_cmp(&badness(right))).copied()
}

fn is_same(left: &Reading<'_>, right: &Reading<'_>) -> bool {
    left.series.metric == right.series.metric && left.series.statistic == right.series.statistic
}

fn worst_before(readings: &Readings<'_>, onset: &Onset, high_is_bad: bool) -> Option<WorstBefore> {
    let (evidence, series) = readings.history()?;
    let before: Vec<Datapoint> = series
        .datapoints
        .iter()
        .copied()
        .filter(|point| point.at < onset.at && point.value.is_finite())
        .collect();
    let first = before.first()?.at;
    let worst = worst_of(&before, high_is_bad)?;
    // A history that a metric filled only in part is told for the part.
    let hours = (onset.at.duration_since(first).as_secs() + 1_800) / 3_600;
    Some(WorstBefore {
        value: worst.value,
        at: worst.at,
        days: (hours + 12) / 24,
        evidence: evidence.id.clone(),
    })
}

fn normal_words(own: &Reading<'_>, counted: Option<&Counted<'_>>) -> Option<String> {
    if let Some(counted) = counted {
        let errors = counted.errors.baseline.as_ref()?;
        let traffic = counted.traffic.baseline.as_ref()?;
        return Some(format!("{} of ~{}", number(errors.median), number(traffic.median)));
    }
    let baseline = own.baseline.as_ref()?;
    let unit = own.series.unit.as_deref();
    Some(range_words(baseline.low, baseline.high, unit))
}

/// Returns `0.7 to 1.1 s`, or one value where the two are written alike.
pub(crate) fn range_words(low: f64, high: f64, unit: Option<&str>) -> String {
    if number(low) == number(high) {
        quantity(high, unit)
    } else {
        format!("{} to {}", number(low), quantity(high, unit))
    }
}

fn shown(own: &Reading<'_>, onset: &Onset) -> Vec<Datapoint> {
    let first = own.points.iter().position(|point| point.at >= onset.at).unwrap_or(0);
    own.points.iter().skip(first.saturating_sub(BEFORE)).copied().collect()
}
