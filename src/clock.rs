//! The one place that asks what time it is.
//!
//! Two clocks never mix. [`Clock`] gives the run's `as_of`: windows, "still or recovered" and the
//! prompt's clock use it, and a scenario or replay fixes it. [`Deadline`] and [`Stopwatch`] are
//! monotonic and are only for "how long may this still take".

use std::time::Duration;

pub use jiff::Timestamp;

/// The run's calendar clock: live, or fixed by a scenario, a replay or `SRE_AGENT_AS_OF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    Wall,
    /// The same moment for the whole run.
    Fixed(Timestamp),
}

impl Clock {
    /// Returns the moment that the run calls "now".
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::Wall => Timestamp::now(),
            Clock::Fixed(at) => *at,
        }
    }
}

/// A monotonic moment after which no more work may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(tokio::time::Instant);

impl Deadline {
    /// Returns the deadline that lies `time` ahead.
    #[expect(clippy::disallowed_methods, reason = "deadlines are monotonic and made here only")]
    pub fn after(time: Duration) -> Self {
        Deadline(tokio::time::Instant::now() + time)
    }

    /// Returns the time left, zero once the deadline has passed.
    #[expect(clippy::disallowed_methods, reason = "deadlines are monotonic and read here only")]
    pub fn time_left(&self) -> Duration {
        self.0.saturating_duration_since(tokio::time::Instant::now())
    }

    /// Returns this deadline moved `reserve` earlier, for work that must leave room for what follows it.
    #[must_use]
    pub fn less(&self, reserve: Duration) -> Self {
        Deadline(self.0.checked_sub(reserve).unwrap_or(self.0))
    }

    /// Returns the earlier of this deadline and one `time` ahead of now.
    #[must_use]
    pub fn at_most(&self, time: Duration) -> Self {
        (*self).min(Deadline::after(time))
    }

    /// Returns the instant for `tokio::time::timeout_at`.
    pub(crate) fn instant(&self) -> tokio::time::Instant {
        self.0
    }
}

/// Measures how long something took, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "durations are monotonic and measured here only")]
    pub fn start() -> Self {
        Stopwatch(tokio::time::Instant::now())
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
