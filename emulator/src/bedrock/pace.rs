//! How many requests are let through: the first ones throttled, or so many a minute.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::bedrock::BedrockOptions;

/// The quota of one run.
#[derive(Debug)]
pub(crate) struct Pace {
    throttle_first: u32,
    requests_per_minute: Option<u32>,
    minute: Duration,
    throttled: u32,
    admitted: VecDeque<Instant>,
}

impl Pace {
    pub(crate) fn new(options: &BedrockOptions) -> Self {
        Self {
            throttle_first: options.throttle_first.unwrap_or_default(),
            requests_per_minute: options.requests_per_minute,
            minute: options.minute,
            throttled: 0,
            admitted: VecDeque::new(),
        }
    }

    /// Whether a request arriving `now` is let through. A throttled one does not use up the quota.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        if self.throttle_first == u32::MAX {
            return false;
        }
        if self.throttled < self.throttle_first {
            self.throttled += 1;
            return false;
        }
        let Some(quota) = self.requests_per_minute else { return true };
        while self.admitted.front().is_some_and(|first| now.duration_since(*first) >= self.minute) {
            self.admitted.pop_front();
        }
        if self.admitted.len() >= usize::try_from(quota).unwrap_or(usize::MAX) {
            return false;
        }
        self.admitted.push_back(now);
        true
    }
}
