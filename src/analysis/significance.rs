//! Says whether a difference between counts is more than chance. Exact tests, for counts are often small.

/// A difference that chance alone makes less often than this is called clear.
pub const CLEAR: f64 = 0.001;

/// Some of a number of requests failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many failed.
    pub failed: u64,
    /// Of how many.
    pub of: u64,
}

impl Failures {
    /// Returns the failures of `of` requests; more failures than requests, as retries and lag can show, count as all.
    pub fn new(failed: f64, of: f64) -> Self {
        let of = whole(of);
        Failures { failed: whole(failed).min(of), of }
    }

    /// Returns the share that failed, 0 where there was no request.
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { real(self.failed) / real(self.of) }
    }

    /// Returns both sides together.
    #[must_use]
    pub fn and(self, other: Failures) -> Failures {
        Failures { failed: self.failed + other.failed, of: self.of + other.of }
    }
}

/// Returns how often chance alone would give `left` so many of the failures that both sides had together:
/// Fisher's exact test, one-sided.
pub fn more_failures(left: Failures, right: Failures) -> f64 {
    let all = left.of + right.of;
    let failed = left.failed + right.failed;
    let most = failed.min(left.of);
    if real(left.failed) * real(all) <= real(failed) * real(left.of) {
        return 1.0;
    }
    let chance_of = |on_left: u64| {
        ln_choose(left.of, on_left) + ln_choose(right.of, failed.saturating_sub(on_left))
            - ln_choose(all, failed)
    };
    tail((left.failed..=most).map(chance_of))
}

/// Returns how often chance alone would give at least `count` events in a time that has `share` of all the time in
/// which `count + elsewhere` events fell: the exact test of two rates.
pub fn more_events(count: u64, elsewhere: u64, share: f64) -> f64 {
    let all = count + elsewhere;
    if share <= 0.0 || share >= 1.0 || real(count) <= real(all) * share {
        return 1.0;
    }
    let chance_of = |inside: u64| {
        ln_choose(all, inside) + real(inside) * share.ln() + real(all - inside) * (1.0 - share).ln()
    };
    tail((count..=all).map(chance_of))
}

/// Adds up the chances of a falling tail, given as logarithms, until what is left does not matter.
fn tail(logarithms: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0;
    for logarithm in logarithms {
        let chance = logarithm.exp();
        sum += chance;
        if chance < sum * 1e-12 || sum == 0.0 {
            break;
        }
    }
    sum.clamp(0.0, 1.0)
}

/// Returns the logarithm of the number of ways to choose `some` of `all`.
fn ln_choose(all: u64, some: u64) -> f64 {
    if some > all {
        return f64::NEG_INFINITY;
    }
    ln_factorial(all) - ln_factorial(some) - ln_factorial(all - some)
}

/// Returns the logarithm of `count!`, by Stirling's series where the product would be long.
fn ln_factorial(count: u64) -> f64 {
    if count < 20 {
        return (2..=count).map(|factor| real(factor).ln()).sum();
    }
    let n = real(count);
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + 1.0 / (12.0 * n) - 1.0 / (360.0 * n * n * n)
}

/// Returns a count as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts of events and lines stay far below 2^52")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// Returns a length as a real number.
#[expect(clippy::cast_precision_loss, reason = "lengths of series stay far below 2^52")]
pub(crate) fn length(count: usize) -> f64 {
    count as f64
}

/// Returns a metric's value as a count: rounded, and 0 for what is negative or no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is clamped first")]
pub(crate) fn whole(value: f64) -> u64 {
    if value.is_finite() { value.round().clamp(0.0, 1e15) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(failed: u64, of: u64) -> Failures {
        Failures { failed, of }
    }

    #[test]
    fn fishers_test_agrees_with_published_values() {
        // The lady tasting tea: 17/70 for three of four, 1/70 for all four.
        assert!((more_failures(of(3, 4), of(1, 4)) - 17.0 / 70.0).abs() < 1e-9);
        assert!((more_failures(of(4, 4), of(0, 4)) - 1.0 / 70.0).abs() < 1e-9);
    }

    #[test]
    fn the_rate_test_agrees_with_the_binomial() {
        // Eight of eight coins heads.
        assert!((more_events(8, 0, 0.5) - 1.0 / 256.0).abs() < 1e-9);
        assert!((more_events(7, 1, 0.5) - 9.0 / 256.0).abs() < 1e-9);
    }

    #[test]
    fn a_clear_difference_is_clear_and_an_equal_one_is_not() {
        assert!(more_failures(of(43, 60), of(0, 58)) < 1e-15);
        assert!(more_failures(of(5, 100), of(5, 100)) > 0.5);
        assert!(more_failures(of(1, 3), of(0, 58)) > CLEAR);
        assert!((more_failures(of(0, 0), of(0, 0)) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn more_failures_than_requests_count_as_all() {
        assert_eq!(Failures::new(7.0, 5.0), of(5, 5));
        assert_eq!(Failures::new(f64::NAN, -1.0), of(0, 0));
    }

    proptest! {
        #[test]
        fn every_chance_lies_between_zero_and_one(a in 0_u64..5_000, b in 0_u64..5_000, c in 0_u64..5_000, d in 0_u64..5_000, share in 0.0..1.0) {
            let fisher = more_failures(of(a.min(b), b), of(c.min(d), d));
            prop_assert!((0.0..=1.0).contains(&fisher));
            let rate = more_events(a, c, share);
            prop_assert!((0.0..=1.0).contains(&rate));
        }
    }
}
