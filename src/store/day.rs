//! What models and Logs Insights have cost on a UTC day, over all runs that share the store.

use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, update};

/// An item is of use on its day; the rest is for who looks at yesterday's.
const KEPT: Duration = Duration::from_hours(2 * 24);

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DaySpent {
    /// US dollars, as far as the models have known prices.
    pub usd: f64,
    /// Tokens, in and out.
    pub tokens: u64,
    /// Answered calls.
    pub calls: u32,
    /// Bytes that Logs Insights scanned.
    #[serde(default)]
    pub insights_bytes: u64,
}

/// Adds to a day and returns its sum; nothing to add only asks.
pub async fn spend(store: &dyn Store, day: Date, more: DaySpent) -> Result<DaySpent, StoreError> {
    update(store, &format!("day#{day}"), KEPT, |day: &mut DaySpent| {
        day.usd += more.usd;
        day.tokens = day.tokens.saturating_add(more.tokens);
        day.calls = day.calls.saturating_add(more.calls);
        day.insights_bytes = day.insights_bytes.saturating_add(more.insights_bytes);
        *day
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn a_day_is_summed_and_the_next_one_begins_at_nothing() {
        let store = MemoryStore::default();
        let (day, next) = (jiff::civil::date(2026, 11, 24), jiff::civil::date(2026, 11, 25));
        let run = DaySpent { usd: 0.25, tokens: 1_000, calls: 3, insights_bytes: 7 };
        let none = DaySpent::default();
        assert_eq!(spend(&store, day, none).await, Ok(none));
        assert_eq!(spend(&store, day, run).await, Ok(run));
        let twice = DaySpent { usd: 0.5, tokens: 2_000, calls: 6, insights_bytes: 14 };
        assert_eq!(spend(&store, day, run).await, Ok(twice));
        assert_eq!(spend(&store, day, none).await, Ok(twice));
        assert_eq!(spend(&store, next, none).await, Ok(none));
    }
}
