//! The incident's window and the normal times that it is compared with.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::alarm::{Alarm, LogTrigger, Trigger, reason_datapoints};
use crate::clock::Timestamp;

/// A half-open span of time: start inclusive, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Window {
    /// First moment.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// First moment after it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
}

impl Window {
    /// Tells whether the moment lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        at >= self.start && at < self.end
    }

    /// Returns the window's length.
    pub fn length(&self) -> SignedDuration {
        self.end.duration_since(self.start)
    }

    /// Returns the length rounded as people say it: `14 days`, `9 hours`; never more than one unit.
    pub fn in_words(&self) -> String {
        let hours = self.length().as_hours();
        let (count, unit) = if hours >= 48 { ((hours + 12) / 24, "day") } else { (hours.max(1), "hour") };
        if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
    }

    /// Tells whether the two windows share a moment.
    pub fn overlaps(&self, other: &Window) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Returns the start of the period in which `at` lies, counted from the window's start in both directions.
    ///
    /// CloudWatch counts periods from the start of the time that is asked for. Questions that do not agree on it get
    /// the same datapoints under other times.
    pub fn period_start(&self, at: Timestamp, period_seconds: i64) -> Timestamp {
        let past = at.duration_since(self.start).as_secs().rem_euclid(period_seconds.max(1));
        let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
        whole.checked_sub(SignedDuration::from_secs(past)).unwrap_or(at)
    }

    /// Returns the window moved into the past.
    #[must_use]
    pub fn earlier(&self, by: SignedDuration) -> Window {
        let back = |at: Timestamp| at.checked_sub(by).unwrap_or(Timestamp::MIN);
        Window { start: back(self.start), end: back(self.end) }
    }
}

/// A normal time to compare with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineWindow {
    /// In words: `the 3 hours before`, `same time yesterday`, `same time last week`.
    pub title: String,
    /// When.
    pub window: Window,
}

/// Shortest lead before the first breach: an hour shows what normal looked like and what changed.
const SHORTEST_LEAD: SignedDuration = SignedDuration::from_mins(60);

/// Longest time after the first breach: what set off an alarm of last week shows in its first hours, and every minute of
/// the week would be more datapoints than a page of `GetMetricData` holds. The state is read again in any case.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// Length of the nearest baseline.
const HOURS_BEFORE: SignedDuration = SignedDuration::from_hours(3);

/// Returns the timestamp of the first breaching datapoint, from the state reason where it lists
/// datapoints, else from the time of change less the periods that were evaluated.
///
/// The time of change itself is late by the evaluation and by the metric's own delay, and a cause is
/// looked for before the first breach.
pub fn first_breach(alarm: &Alarm) -> Timestamp {
    let Evaluation { period, length } = Evaluation::of(alarm);
    // A reason may be older than the change or set by hand. CloudWatch looks back a few periods more
    // than it evaluates, where some have no data; what is older than that is no part of this breach.
    let earliest = before(alarm.changed_at, times(length, 2).saturating_add(SHORTEST_LEAD));
    let listed = reason_datapoints(&alarm.reason)
        .into_iter()
        .filter(|(value, at)| *at >= earliest && *at <= alarm.changed_at && breaches(alarm, *value))
        .map(|(_, at)| at)
        .min();
    listed.unwrap_or_else(|| rounded_down(before(alarm.changed_at, length), period))
}

/// Returns the incident's window: from `max(3 × N × period, 60 min)` before the first breach to `as_of`.
///
/// It ends at the latest 12 hours, or three evaluations, after the first breach.
/// Where `as_of` is not after the first breach, because a clock is behind, the window ends a period after it,
/// so that it always contains the breach.
pub fn incident_window(alarm: &Alarm, first_breach: Timestamp, as_of: Timestamp) -> Window {
    let Evaluation { period, length } = Evaluation::of(alarm);
    let lead = times(length, 3).max(SHORTEST_LEAD);
    let after = |by: SignedDuration| first_breach.checked_add(by).unwrap_or(Timestamp::MAX);
    let end = if as_of > first_breach { as_of } else { after(period) };
    Window { start: before(first_breach, lead), end: end.min(after(LONGEST.max(times(length, 3)))) }
}

/// Returns the normal times to compare with, nearest first.
///
/// A window that would overlap the incident or a nearer one is left out: an incident of two days has no "same time
/// yesterday", and no moment counts as normal twice.
pub fn baselines(window: &Window) -> Vec<BaselineWindow> {
    let day = SignedDuration::from_hours(24);
    let week = SignedDuration::from_hours(7 * 24);
    let candidates = [
        ("the 3 hours before", Window { start: before(window.start, HOURS_BEFORE), end: window.start }),
        ("same time yesterday", window.earlier(day)),
        ("same time last week", window.earlier(week)),
    ];
    let mut baselines: Vec<BaselineWindow> = Vec::new();
    for (title, candidate) in candidates {
        let nearer = baselines.iter().map(|baseline| &baseline.window);
        let taken = std::iter::once(window).chain(nearer).any(|other| other.overlaps(&candidate));
        if !taken && candidate.start < candidate.end {
            baselines.push(BaselineWindow { title: title.to_owned(), window: candidate });
        }
    }
    baselines
}

/// How an alarm evaluates: one period, and all that are looked at.
struct Evaluation {
    period: SignedDuration,
    length: SignedDuration,
}

impl Evaluation {
    fn of(alarm: &Alarm) -> Self {
        let (period, periods) = match &alarm.trigger {
            Trigger::Metric(metric) => (metric.period_seconds, metric.evaluation_periods),
            Trigger::Derived(derived) => (derived.watched.period_seconds, derived.watched.evaluation_periods),
            Trigger::Log(LogTrigger { raw, .. }) | Trigger::Other { raw, .. } => {
                evaluation_of_definition(raw)
            }
        };
        // A week is the longest that CloudWatch evaluates.
        let period = SignedDuration::from_secs(period.clamp(1, 604_800));
        Evaluation { period, length: times(period, i32::try_from(periods.max(1)).unwrap_or(i32::MAX)) }
    }
}

/// A math alarm's definition has the same two numbers; a composite's has none and takes effect at once.
fn evaluation_of_definition(raw: &str) -> (i64, u32) {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Definition {
        period: Option<i64>,
        evaluation_periods: Option<u32>,
    }
    let definition: Definition = serde_json::from_str(raw).unwrap_or_default();
    (definition.period.unwrap_or(60), definition.evaluation_periods.unwrap_or(1))
}

/// Tells whether a listed value is a breaching one; where the event does not tell, all are.
fn breaches(alarm: &Alarm, value: f64) -> bool {
    let known = alarm.metric().and_then(|metric| Some((metric.comparison?, metric.threshold?)));
    known.is_none_or(|(comparison, threshold)| comparison.breaches(value, threshold))
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn times(length: SignedDuration, factor: i32) -> SignedDuration {
    length.checked_mul(factor).unwrap_or(SignedDuration::MAX)
}

/// `CloudWatch`'s periods begin at multiples of their length since the epoch.
fn rounded_down(at: Timestamp, period: SignedDuration) -> Timestamp {
    let second = at.as_second();
    let past = second.rem_euclid(period.as_secs().max(1));
    Timestamp::from_second(second - past).unwrap_or(at)
}

#[cfg(test)]
mod tests;
