//! When a series left its normal range and stayed away, and how clearly.
//!
//! Each value is measured in robust standard deviations from the baseline's median. What is looked for is the run
//! of periods whose excess over normal adds up to the most, as in a CUSUM chart: a step, a ramp and a rise that is
//! over again all make such a run, scattered outliers do not. Seasons and trends are not modelled: they belong into
//! the choice of the baseline windows.

use serde::{Deserialize, Serialize};

use crate::analysis::baseline::{Baseline, LARGEST, median};
use crate::clock::Timestamp;
use crate::evidence::Datapoint;

/// Deviations that a period may show without adding to a run; normal noise stays below.
const TOLERATED: f64 = 2.0;
/// Deviations beyond which a period counts no more, so that one outlier is not a run.
const CAPPED: f64 = 8.0;
/// Excess that a run must gather. Under independent normal noise `exp(-2 * TOLERATED * SUFFICIENT)` bounds the
/// chance for each starting point; the margin is for the tails and the memory of real series.
const SUFFICIENT: f64 = 6.0;
/// Deviations at which a period is beyond normal beyond doubt, so that the run begins with it.
const BEYOND: f64 = 3.0;
/// Deviations that a single period must show when others follow it and are normal.
const LONE: f64 = 2.0 * CAPPED;
/// Largest strength that is told: against a constant baseline it would be infinite.
const STRONGEST: f64 = 1_000.0;

/// Which way a series moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To larger values.
    Up,
    /// To smaller values.
    Down,
}

impl Direction {
    /// Returns `rose` or `fell`.
    pub fn verb(self) -> &'static str {
        match self {
            Direction::Up => "rose",
            Direction::Down => "fell",
        }
    }
}

/// A move away from normal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangePoint {
    /// Start of the first period that differs.
    pub at: Timestamp,
    /// Start of the last period that differs, where normal ones follow it.
    pub last: Option<Timestamp>,
    /// Median distance of the run from normal, in robust standard deviations; at most 1,000.
    pub strength: f64,
    /// Level before: median of the periods before the run, the baseline's where there are fewer than three.
    pub before: f64,
    /// Level during the run: its median.
    pub after: f64,
    /// Which way it moved.
    pub direction: Direction,
    /// Set where the very first datapoint differs already: it began then or earlier.
    pub from_start: bool,
}

/// Finds the clearest move away from normal; `None` where there is only noise.
///
/// `high_is_bad` narrows the search to one direction. Datapoints must be in order of time; values that are no
/// numbers are passed over.
pub fn find(series: &[Datapoint], baseline: &Baseline, high_is_bad: Option<bool>) -> Option<ChangePoint> {
    let points: Vec<Datapoint> = series.iter().copied().filter(|point| point.value.abs() < LARGEST).collect();
    let upward = || clearest(&points, baseline, Direction::Up);
    let downward = || clearest(&points, baseline, Direction::Down);
    let (excess, run) = match high_is_bad {
        Some(true) => upward()?,
        Some(false) => downward()?,
        None => match (upward(), downward()) {
            (Some(up), Some(down)) => {
                if up.0 >= down.0 {
                    up
                } else {
                    down
                }
            }
            (up, down) => up.or(down)?,
        },
    };
    debug_assert!(excess >= SUFFICIENT);
    described(&points, baseline, &run)
}

/// Periods `first..end`, by index.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    end: usize,
    direction: Direction,
}

/// Returns the run with the largest excess in this direction and the excess, where it suffices.
fn clearest(points: &[Datapoint], baseline: &Baseline, direction: Direction) -> Option<(f64, Run)> {
    let distances: Vec<f64> = points
        .iter()
        .map(|point| match direction {
            Direction::Up => baseline.deviations(point.value),
            Direction::Down => -baseline.deviations(point.value),
        })
        .collect();
    let mut best: Option<(f64, Run)> = None;
    let (mut excess, mut first) = (0.0_f64, 0);
    for (index, distance) in distances.iter().enumerate() {
        if excess <= 0.0 {
            (excess, first) = (0.0, index);
        }
        // A normal period takes away as much as the tolerance; one far on the other side takes no more.
        excess += distance.clamp(0.0, CAPPED) - TOLERATED;
        if excess > best.as_ref().map_or(0.0, |(most, _)| *most) {
            best = Some((excess, Run { first, end: index + 1, direction }));
        }
    }
    let (excess, run) = best?;
    let run = begun_in_earnest(run, &distances);
    let within = distances.get(run.first..run.end)?;
    let furthest = within.iter().copied().fold(0.0, f64::max);
    let counted = within.iter().filter(|distance| **distance > TOLERATED).count();
    let over = run.end < points.len();
    // One period that nothing follows may be the beginning; one that is over must be extraordinary, and both must
    // be worse than anything that was normal.
    let worst = baseline.deviations(baseline.worst(direction == Direction::Up)).abs();
    let holds = counted > 1 || (furthest > worst && (!over || furthest >= LONE));
    (excess >= SUFFICIENT && holds).then_some((excess, run))
}

/// Moves the run's beginning to the first period that is beyond doubt, and past a few first periods which a longer
/// normal stretch parts from the rest.
fn begun_in_earnest(run: Run, distances: &[f64]) -> Run {
    let within = distances.get(run.first..run.end).unwrap_or_default();
    let furthest = within.iter().copied().fold(0.0, f64::max);
    let beyond = if furthest > BEYOND { BEYOND } else { TOLERATED };
    let start = within.iter().position(|distance| *distance > beyond).unwrap_or(0);
    let mut first = start;
    let (mut seen, mut gap) = (0_usize, 0_usize);
    for (index, distance) in within.iter().enumerate().skip(start) {
        if *distance > TOLERATED {
            if gap > seen && *distance > beyond {
                (first, seen) = (index, 0);
            }
            gap = 0;
            seen += 1;
        } else {
            gap += 1;
        }
    }
    Run { first: run.first + first, ..run }
}

/// Puts a run into words and levels.
fn described(points: &[Datapoint], baseline: &Baseline, run: &Run) -> Option<ChangePoint> {
    let values_of = |part: &[Datapoint]| part.iter().map(|point| point.value).collect::<Vec<_>>();
    let within = points.get(run.first..run.end)?;
    let earlier = points.get(..run.first)?;
    let after = median(&values_of(within))?;
    let before = if earlier.len() < 3 { baseline.median } else { median(&values_of(earlier))? };
    Some(ChangePoint {
        at: within.first()?.at,
        last: if run.end < points.len() { within.last().map(|point| point.at) } else { None },
        strength: baseline.deviations(after).abs().min(STRONGEST),
        before,
        after,
        direction: run.direction,
        from_start: run.first == 0,
    })
}

#[cfg(test)]
mod tests;
