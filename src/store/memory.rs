//! The embedded default store: the memory of one process. Deduplicates within a warm container and nothing beyond it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::clock::Deadline;
use crate::id::EventKey;
use crate::run::{RunRecord, Stage};
use crate::store::{Begin, Store, StoreError};

/// Keeps leases and records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: Mutex<HashMap<EventKey, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    lease: Option<Deadline>,
    record: Option<RunRecord>,
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
            entries.entry(record.event.clone()).or_default().record = Some(record.clone());
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{RunId, Seed, SeriesKey};
    use crate::run::RECORD_FORMAT;

    fn event() -> EventKey {
        EventKey::new(&SeriesKey::new("arn", None), "ALARM", Timestamp::UNIX_EPOCH)
    }

    fn record(stage: Stage) -> RunRecord {
        RunRecord {
            format: RECORD_FORMAT,
            run_id: RunId::mint(Seed(1)),
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
}
