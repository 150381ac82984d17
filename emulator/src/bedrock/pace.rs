//! How many requests are let through: the first ones throttled, or so many a minute for each model.

use std::collections::BTreeMap;
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
    /// Arrivals that were let through, by the model's base id.
    admitted: BTreeMap<String, Vec<Instant>>,
}

impl Pace {
    pub(crate) fn new(options: &BedrockOptions) -> Self {
        Self {
            throttle_first: options.throttle_first.unwrap_or_default(),
            requests_per_minute: options.requests_per_minute,
            minute: options.minute,
            throttled: 0,
            admitted: BTreeMap::new(),
        }
    }

    /// Whether a request for `model` arriving `now` is let through. A throttled one does not use up the quota.
    pub(crate) fn admits(&mut self, model: &str, now: Instant) -> bool {
        if self.throttle_first == u32::MAX {
            return false;
        }
        if self.throttled < self.throttle_first {
            self.throttled += 1;
            return false;
        }
        let admitted = self.admitted.entry(model.to_owned()).or_default();
        let recent =
            admitted.iter().rev().take_while(|then| now.duration_since(**then) < self.minute).count();
        let quota = self.requests_per_minute.map(|quota| usize::try_from(quota).unwrap_or(usize::MAX));
        if quota.is_some_and(|quota| recent >= quota) {
            return false;
        }
        admitted.push(now);
        true
    }

    /// Counts what was let through in each minute since `start`, by the minute's number from 0.
    pub(crate) fn admitted_per_minute(&self, start: Instant) -> BTreeMap<String, BTreeMap<u128, usize>> {
        let minute = self.minute.as_nanos().max(1);
        let counted = |admitted: &[Instant]| {
            let mut counts = BTreeMap::new();
            for at in admitted {
                *counts.entry(at.duration_since(start).as_nanos() / minute).or_default() += 1;
            }
            counts
        };
        self.admitted.iter().map(|(model, admitted)| (model.clone(), counted(admitted))).collect()
    }
}
