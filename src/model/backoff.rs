//! When to try again: a pure policy over attempt, error, time left and the provider's wish.

use std::time::Duration;

use crate::model::ErrorClass;
use crate::model::remedy::{Remedy, Tries, remedy};

/// Exponential backoff with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Longest wait after the first try; doubled after each further one.
    pub base: Duration,
    /// Longest wait of all.
    pub cap: Duration,
    /// Tries in all, the first included.
    pub max_attempts: u32,
    /// A call needs at least this long; a wait that leaves less is not worth it.
    pub shortest_call: Duration,
}

impl Default for Backoff {
    /// Five tries as the AWS documentation advises for Bedrock, 1 s base and 20 s cap as the SDK's standard mode.
    fn default() -> Self {
        Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(20),
            max_attempts: 5,
            shortest_call: Duration::from_secs(2),
        }
    }
}

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Wait this long, then try the same model again.
    WaitFor(Duration),
    /// Leave this model.
    GiveUp(GiveUp),
}

/// Why a model is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// Waiting does not help against this error.
    NotRetryable,
    /// All tries are used.
    OutOfAttempts,
    /// The wait would leave no time for the call.
    OutOfTime,
}

impl Backoff {
    /// Decides after try number `attempt` (one-based). `jitter` is drawn from `[0, 1)`.
    pub fn decide(
        &self,
        attempt: u32,
        class: ErrorClass,
        retry_after: Option<Duration>,
        time_left: Duration,
        jitter: f64,
    ) -> Decision {
        // What a repair can mend is not waited for; the caller repairs before it asks here.
        let attempts = match remedy(class, "") {
            Remedy::Retry(Tries::All) => self.max_attempts,
            Remedy::Retry(Tries::OnceMore) => 2.min(self.max_attempts),
            Remedy::Repair(_) | Remedy::NextRung | Remedy::Stop => {
                return Decision::GiveUp(GiveUp::NotRetryable);
            }
        };
        if attempt >= attempts {
            return Decision::GiveUp(GiveUp::OutOfAttempts);
        }
        let exponent = attempt.saturating_sub(1).min(16);
        let longest = self.base.saturating_mul(2_u32.saturating_pow(exponent)).min(self.cap);
        let wait = longest.mul_f64(jitter.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default());
        if wait + self.shortest_call > time_left {
            return Decision::GiveUp(GiveUp::OutOfTime);
        }
        Decision::WaitFor(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    #[test]
    fn waits_grow_with_the_attempt_up_to_the_cap() {
        let backoff = Backoff { max_attempts: 10, ..Backoff::default() };
        let waits: Vec<_> =
            (1..8).map(|attempt| backoff.decide(attempt, ErrorClass::Throttled, None, LONG, 1.0)).collect();
        let seconds = [1, 2, 4, 8, 16, 20, 20];
        assert_eq!(waits, seconds.map(|s| Decision::WaitFor(Duration::from_secs(s))));
    }

    #[test]
    fn waiting_never_helps_against_an_end_of_life_or_a_daily_quota() {
        for class in [ErrorClass::EndOfLife, ErrorClass::DailyQuota, ErrorClass::AccessDenied] {
            let decision = Backoff::default().decide(1, class, None, LONG, 0.5);
            assert_eq!(decision, Decision::GiveUp(GiveUp::NotRetryable));
        }
    }

    #[test]
    fn the_fifth_throttle_is_the_last() {
        let decide = |attempt| Backoff::default().decide(attempt, ErrorClass::Throttled, None, LONG, 0.5);
        assert!(matches!(decide(4), Decision::WaitFor(_)));
        assert_eq!(decide(5), Decision::GiveUp(GiveUp::OutOfAttempts));
    }

    proptest! {
        #[test]
        fn a_wait_respects_retry_after_and_always_leaves_time_for_the_call(
            attempt in 1_u32..6, retry_after in 0_u64..40, left in 0_u64..60, jitter in 0.0_f64..1.0,
        ) {
            let backoff = Backoff::default();
            let left = Duration::from_secs(left);
            let floor = Duration::from_secs(retry_after);
            if let Decision::WaitFor(wait) =
                backoff.decide(attempt, ErrorClass::Throttled, Some(floor), left, jitter)
            {
                prop_assert!(wait >= floor);
                prop_assert!(wait + backoff.shortest_call <= left);
                prop_assert!(wait <= backoff.cap.max(floor));
            }
        }
    }
}
