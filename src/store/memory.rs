//! The embedded default store: the memory of one process. Deduplicates within a warm container and nothing beyond it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::civil::Date;

use crate::clock::Deadline;
use crate::id::{EventKey, SeriesKey};
use crate::run::{RunRecord, Stage};
use crate::store::{Begin, Store, StoreError};

/// Keeps leases and records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: Mutex<HashMap<EventKey, Entry>>,
    /// The last day on which something was spent, and how much.
    cost: Mutex<Option<(Date, f64)>>,
}

#[derive(Debug, Default)]
struct Entry {
    lease: Option<Deadline>,
    record: Option<RunRecord>,
    /// Order of saving.
    saved: u64,
}

/// More events than one container sees in its life; the oldest records are of no use by then.
const MOST_ENTRIES: usize = 1_000;

impl MemoryStore {
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<EventKey, Entry>) -> T) -> T {
        change(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn begin<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<Begin, StoreError>> {
        let begun = self.with(|entries| {
            if entries.len() >= MOST_ENTRIES && !entries.contains_key(event) {
                entries.retain(|_, entry| entry.lease.is_some_and(|lease| !lease.time_left().is_zero()));
            }
            let entry = entries.entry(event.clone()).or_default();
            if let Some(record) = entry.record.as_ref().filter(|record| record.stage == Stage::Delivery) {
                return Begin::Done(Box::new(record.clone()));
            }
            if entry.lease.is_some_and(|lease| !lease.time_left().is_zero()) {
                return Begin::InProgress;
            }
            entry.lease = Some(Deadline::after(lease));
            Begin::Fresh(entry.record.clone().map(Box::new))
        });
        async move { Ok(begun) }.boxed()
    }

    fn save<'a>(&'a self, record: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|entries| {
            let saved = 1 + entries.values().map(|entry| entry.saved).max().unwrap_or_default();
            let entry = entries.entry(record.event.clone()).or_default();
            entry.record = Some(record.clone());
            entry.saved = saved;
        });
        async { Ok(()) }.boxed()
    }

    fn release<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|entries| {
            if let Some(entry) = entries.get_mut(event) {
                entry.lease = None;
            }
        });
        async { Ok(()) }.boxed()
    }

    fn latest<'a>(&'a self, series: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>> {
        let latest = self.with(|entries| {
            let dealt_with = entries.values().filter_map(|entry| Some((entry.saved, entry.record.as_ref()?)));
            let of_series = dealt_with.filter(|(_, record)| {
                let is_of = record.event.is_alarm_of(series) || record.resource.as_ref() == Some(series);
                record.stage == Stage::Delivery && is_of
            });
            of_series.max_by_key(|(saved, _)| *saved).map(|(_, record)| record.clone())
        });
        async move { Ok(latest) }.boxed()
    }

    fn add_cost(&self, day: Date, usd: f64) -> BoxFuture<'_, Result<f64, StoreError>> {
        let sum = {
            let mut cost = self.cost.lock().unwrap_or_else(PoisonError::into_inner);
            let before = cost.filter(|(known, _)| *known == day).map_or(0.0, |(_, sum)| sum);
            *cost = Some((day, before + usd));
            before + usd
        };
        async move { Ok(sum) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{RunId, Seed};
    use crate::run::RECORD_FORMAT;

    fn event() -> EventKey {
        EventKey::new(&SeriesKey::new("arn", None), "ALARM", Timestamp::UNIX_EPOCH)
    }

    fn record(stage: Stage) -> RunRecord {
        RunRecord {
            format: RECORD_FORMAT,
            run_id: RunId::mint(Seed(1)),
            resource: None,
            event: event(),
            stage,
            outcome: None,
            document: None,
            receipts: Vec::new(),
        }
    }

    const LEASE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_second_try_waits_for_the_lease_and_then_continues_the_record() {
        let store = MemoryStore::default();
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::Fresh(None)));
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::InProgress));
        store.save(&record(Stage::Report)).await.unwrap();
        tokio::time::advance(LEASE).await;
        let begun = store.begin(&event(), LEASE).await;
        assert_eq!(begun, Ok(Begin::Fresh(Some(Box::new(record(Stage::Report))))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_lease_can_be_taken_at_once_and_a_delivered_run_is_done() {
        let store = MemoryStore::default();
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::Fresh(None)));
        store.release(&event()).await.unwrap();
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::Fresh(None)));
        store.save(&record(Stage::Delivery)).await.unwrap();
        store.release(&event()).await.unwrap();
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::Done(Box::new(record(Stage::Delivery)))));
    }

    #[tokio::test]
    async fn a_days_cost_is_summed_and_the_next_day_begins_at_nothing() {
        let store = MemoryStore::default();
        let (day, next) = (jiff::civil::date(2026, 11, 24), jiff::civil::date(2026, 11, 25));
        for (day, usd, sum) in [(day, 0.0, 0.0), (day, 0.25, 0.25), (day, 0.5, 0.75), (next, 0.0, 0.0)] {
            assert_eq!(store.add_cost(day, usd).await, Ok(sum));
        }
    }

    #[tokio::test]
    async fn the_latest_record_of_a_series_is_the_last_that_was_dealt_with() {
        let store = MemoryStore::default();
        let series = SeriesKey::new("arn", None);
        let at = |minute: i64| Timestamp::from_second(60 * minute).unwrap();
        let of = |series: &SeriesKey, minute, stage| RunRecord {
            event: EventKey::new(series, "ALARM", at(minute)),
            ..record(stage)
        };
        let (first, second) = (of(&series, 1, Stage::Delivery), of(&series, 2, Stage::Delivery));
        let other = of(&SeriesKey::new("arn2", None), 3, Stage::Delivery);
        for record in [&first, &second, &other, &of(&series, 4, Stage::Report)] {
            store.save(record).await.unwrap();
        }
        assert_eq!(store.latest(&series).await, Ok(Some(second)));
        assert_eq!(store.latest(&SeriesKey::new("ar", None)).await, Ok(None));
    }
}
