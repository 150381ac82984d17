//! What is normal for a series: its middle, its spread on either side and its extremes over the baseline windows.
//!
//! Medians and quantiles, not means: an earlier incident in a baseline window must not move what is normal.

use serde::{Deserialize, Serialize};

use crate::analysis::significance::length;
use crate::clock::Timestamp;
use crate::evidence::{Datapoint, Series};
use crate::incident::Window;

/// Turns a median absolute deviation into a standard deviation, for values that are normally distributed.
const DEVIATION_OF_MAD: f64 = 1.4826;
/// Distance of the 95th percentile from the median of a normal distribution, in standard deviations.
const DEVIATIONS_AT_95: f64 = 1.645;
/// The same for the 99th.
const DEVIATIONS_AT_99: f64 = 2.326;
/// A spread below this share of the level is taken as this share: a smaller difference matters to nobody.
const SMALLEST_SHARE: f64 = 0.002;
/// Beyond any metric's value; differences and squares below it stay finite.
pub(crate) const LARGEST: f64 = 1e150;

/// What is normal for a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Middle value.
    pub median: f64,
    /// Median absolute deviation from the median.
    pub mad: f64,
    /// Lower end of the normal range: 1st percentile, the lowest value where there are few.
    pub low: f64,
    /// Upper end of the normal range: 99th percentile, the highest value where there are few.
    pub high: f64,
    /// Lowest value.
    pub lowest: f64,
    /// Highest value.
    pub highest: f64,
    /// Number of values.
    pub count: usize,
    /// One robust standard deviation above the median; never zero.
    pub spread_above: f64,
    /// One robust standard deviation below the median; never zero.
    pub spread_below: f64,
}

impl Baseline {
    /// Learns what is normal; values that are no numbers are ignored. `None` where none is left.
    pub fn of(values: &[f64]) -> Option<Self> {
        Baseline::with_floor(values, |_| 0.0)
    }

    /// Learns what is normal for counts: chance alone spreads a count by the root of its mean, so that one more
    /// error after a quiet day is not yet a change.
    pub fn of_counts(values: &[f64]) -> Option<Self> {
        Baseline::with_floor(values, |median| median.max(0.25).sqrt())
    }

    fn with_floor(values: &[f64], floor: impl Fn(f64) -> f64) -> Option<Self> {
        let sorted = sorted(values);
        let (&lowest, &highest) = (sorted.first()?, sorted.last()?);
        let median = quantile(&sorted, 0.5)?;
        let deviations: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
        let mad = self::median(&deviations)?;
        let at = |share: f64| quantile(&sorted, share);
        // The extremes of few values say little: the fewer, the wider.
        let caution = 1.0 + 3.0 / length(sorted.len());
        let smallest = floor(median).max(median.abs() * SMALLEST_SHARE).max(f64::MIN_POSITIVE);
        // The tail counts half, so that an incident in a baseline window does not hide the next one of its size.
        let spread = |near: f64, far: f64| {
            let from_quantiles = (near / DEVIATIONS_AT_95).max(0.5 * far / DEVIATIONS_AT_99);
            (mad * DEVIATION_OF_MAD).max(from_quantiles) * caution
        };
        Some(Baseline {
            median,
            mad,
            low: at(0.01)?,
            high: at(0.99)?,
            lowest,
            highest,
            count: sorted.len(),
            spread_above: spread(at(0.95)? - median, at(0.99)? - median).max(smallest),
            spread_below: spread(median - at(0.05)?, median - at(0.01)?).max(smallest),
        })
    }

    /// Returns the worst value seen in normal times.
    pub fn worst(&self, high_is_bad: bool) -> f64 {
        if high_is_bad { self.highest } else { self.lowest }
    }

    /// Returns how many robust standard deviations a value lies above the median; negative below it.
    pub fn deviations(&self, value: f64) -> f64 {
        let distance = value - self.median;
        distance / if distance >= 0.0 { self.spread_above } else { self.spread_below }
    }
}

/// Returns the middle value; `None` where no value is a number.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

/// Returns a series' datapoints in the window with a zero for each whole period that has none, oldest first.
///
/// For metrics that are not sent when there is nothing to count. Periods that end after the window are left out:
/// they are not over. Periods lie as the series' own datapoints lie, else on multiples of the period.
pub fn with_missing_as_zero(series: &Series, window: Window) -> Vec<Datapoint> {
    let period = series.period_seconds.max(1);
    let anchor = series.datapoints.first().map_or(0, |point| point.at.as_second());
    let start = window.start.as_second();
    let first = start + (anchor - start).rem_euclid(period);
    let last = window.end.as_second() - period;
    let mut known = series.between(window.start, window.end).copied().peekable();
    let mut filled = Vec::new();
    let mut at = first;
    // A window of more than a few weeks at the shortest period is a mistake, not a question.
    while at <= last && filled.len() < 100_000 {
        let Ok(moment) = Timestamp::from_second(at) else { break };
        while let Some(point) = known.next_if(|point| point.at < moment) {
            filled.push(point);
        }
        filled
            .push(known.next_if(|point| point.at == moment).unwrap_or(Datapoint { at: moment, value: 0.0 }));
        at += period;
    }
    filled.extend(known);
    filled
}

/// Returns the numbers among the values, smallest first.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.abs() < LARGEST).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Returns the value below which `share` of the sorted values lie, interpolated between neighbours.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position within the list")]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * length(sorted.len().checked_sub(1)?);
    let below = *sorted.get(position.floor() as usize)?;
    let above = *sorted.get(position.ceil() as usize)?;
    Some(below + (above - below) * position.fract())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::evidence::{MetricId, Statistic};

    #[test]
    fn a_spread_series_has_a_middle_a_range_and_extremes() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        let baseline = Baseline::of(&values).unwrap();
        assert_eq!((baseline.median, baseline.low, baseline.high, baseline.count), (50.0, 1.0, 99.0, 101));
        assert_eq!((baseline.worst(true), baseline.worst(false)), (100.0, 0.0));
        assert!(baseline.spread_above > 25.0 && baseline.spread_above < 45.0);
    }

    #[test]
    fn a_constant_series_has_a_spread_that_is_not_zero() {
        let flat = Baseline::of(&[100.0; 50]).unwrap();
        assert_eq!((flat.mad, flat.low, flat.high), (0.0, 100.0, 100.0));
        assert!(flat.deviations(99.9).abs() < 1.0, "a tenth of a percent is nothing");
        assert!(flat.deviations(90.0) < -10.0);
        assert!(Baseline::of(&[0.0; 50]).unwrap().deviations(1.0) > 100.0);
    }

    #[test]
    fn one_error_after_a_quiet_day_is_within_chance_and_twenty_are_not() {
        let quiet = Baseline::of_counts(&[0.0; 180]).unwrap();
        assert!(quiet.deviations(1.0) < 3.0);
        assert!(quiet.deviations(22.0) > 20.0);
    }

    #[test]
    fn an_old_incident_in_the_baseline_does_not_make_the_next_one_normal() {
        let mut values = vec![0.0; 500];
        values.extend([40.0; 10]);
        let baseline = Baseline::of_counts(&values).unwrap();
        assert!(baseline.deviations(40.0) > 3.0, "{baseline:?}");
    }

    #[test]
    fn nothing_but_broken_values_is_no_baseline() {
        assert_eq!(Baseline::of(&[]), None);
        assert_eq!(Baseline::of(&[f64::NAN, f64::INFINITY]), None);
        assert_eq!(Baseline::of(&[f64::NAN, 3.0]).map(|baseline| baseline.count), Some(1));
    }

    fn series(period_seconds: i64, points: &[(i64, f64)]) -> Series {
        let datapoints = points
            .iter()
            .map(|&(at, value)| Datapoint { at: Timestamp::from_second(at).unwrap(), value })
            .collect();
        let metric = MetricId { namespace: "N".into(), name: "M".into(), dimensions: BTreeMap::new() };
        Series { metric, statistic: Statistic("Sum".into()), period_seconds, unit: None, datapoints }
    }

    fn window(start: i64, end: i64) -> Window {
        Window { start: Timestamp::from_second(start).unwrap(), end: Timestamp::from_second(end).unwrap() }
    }

    #[test]
    fn missing_periods_become_zero_and_an_unfinished_one_does_not() {
        let filled = with_missing_as_zero(&series(60, &[(120, 5.0), (240, 7.0)]), window(30, 350));
        let seen: Vec<_> = filled.iter().map(|point| (point.at.as_second(), point.value)).collect();
        assert_eq!(seen, [(60, 0.0), (120, 5.0), (180, 0.0), (240, 7.0)]);
    }

    #[test]
    fn periods_lie_as_the_datapoints_lie() {
        let filled = with_missing_as_zero(&series(300, &[(1_020, 5.0)]), window(0, 1_500));
        let seen: Vec<_> = filled.iter().map(|point| point.at.as_second()).collect();
        assert_eq!(seen, [120, 420, 720, 1_020]);
    }

    proptest! {
        #[test]
        fn the_range_is_ordered_whatever_comes(values in prop::collection::vec(prop::num::f64::ANY, 0..60)) {
            if let Some(baseline) = Baseline::of(&values) {
                prop_assert!(baseline.lowest <= baseline.low && baseline.low <= baseline.median);
                prop_assert!(baseline.median <= baseline.high && baseline.high <= baseline.highest);
                prop_assert!(baseline.spread_above > 0.0 && baseline.spread_below > 0.0);
            }
        }

        #[test]
        fn filling_keeps_every_datapoint(mut at in prop::collection::vec(0_i64..10_000, 0..40), period in 1_i64..400) {
            at.sort_unstable();
            at.dedup();
            let points: Vec<_> = at.iter().map(|&at| (at, 1.0)).collect();
            let filled = with_missing_as_zero(&series(period, &points), window(0, 10_000));
            prop_assert_eq!(filled.iter().filter(|point| point.value > 0.5).count(), points.len());
            prop_assert!(filled.windows(2).all(|pair| pair[0].at < pair[1].at));
        }
    }
}
