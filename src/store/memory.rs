//! The embedded default store: the memory of one process. Deduplicates within a warm container and nothing beyond it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::clock::Deadline;
use crate::id::{EventKey, SeriesKey};
use crate::run::{RunRecord, Stage};
use crate::store::{Begin, Change, Item, Store, StoreError};

/// Keeps leases and records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: Mutex<HashMap<EventKey, Entry>>,
    items: Mutex<HashMap<String, (Item, Deadline)>>,
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

    fn renew<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|entries| {
            if let Some(held) = entries.get_mut(event).and_then(|entry| entry.lease.as_mut()) {
                *held = Deadline::after(lease);
            }
        });
        async { Ok(()) }.boxed()
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
            let of_series = dealt_with
                .filter(|(_, record)| record.stage == Stage::Delivery && record.event.is_alarm_of(series));
            of_series.max_by_key(|(saved, _)| *saved).map(|(_, record)| record.clone())
        });
        async move { Ok(latest) }.boxed()
    }

    fn read<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Item>>, StoreError>> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |key: &String| {
            let (item, until) = items.get(key)?;
            (!until.time_left().is_zero()).then(|| item.clone())
        };
        let found = keys.iter().map(fresh).collect();
        async move { Ok(found) }.boxed()
    }

    fn write<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.retain(|_, (_, until)| !until.time_left().is_zero());
        let as_seen = |change: &Change| items.get(&change.key).map(|(item, _)| item.version) == change.seen;
        let is_written = changes.iter().all(as_seen);
        if is_written {
            for change in changes {
                let item = Item { version: change.seen.unwrap_or_default() + 1, value: change.value.clone() };
                items.insert(change.key.clone(), (item, Deadline::after(change.kept)));
            }
        }
        async move { Ok(is_written) }.boxed()
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
            event: event(),
            stage,
            outcome: None,
            document: None,
            receipts: Vec::new(),
            below: Vec::new(),
            undelivered: Vec::new(),
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

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_keeps_the_lease_and_a_lease_given_back_stays_so() {
        let store = MemoryStore::default();
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::Fresh(None)));
        tokio::time::advance(LEASE / 2).await;
        store.renew(&event(), LEASE).await.unwrap();
        tokio::time::advance(LEASE / 2).await;
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::InProgress));
        store.release(&event()).await.unwrap();
        store.renew(&event(), LEASE).await.unwrap();
        assert_eq!(store.begin(&event(), LEASE).await, Ok(Begin::Fresh(None)));
    }

    fn change(key: &str, seen: Option<u64>, value: u64) -> Change {
        Change { key: key.into(), seen, value: value.into(), kept: LEASE }
    }

    #[tokio::test(start_paused = true)]
    async fn items_are_written_all_or_none_and_only_as_they_were_seen() {
        let store = MemoryStore::default();
        let keys = ["a".to_owned(), "b".to_owned()];
        let held = async || {
            let found = store.read(&keys).await.unwrap();
            found.into_iter().map(|item| item.map(|item| (item.version, item.value))).collect::<Vec<_>>()
        };
        assert_eq!(store.write(&[change("a", None, 1), change("b", None, 2)]).await, Ok(true));
        // Another one was faster with one of two: neither is written.
        assert_eq!(store.write(&[change("a", Some(1), 3), change("b", None, 4)]).await, Ok(false));
        assert_eq!(held().await, [Some((1, 1.into())), Some((1, 2.into()))]);
        assert_eq!(store.write(&[change("a", Some(1), 3)]).await, Ok(true));
        assert_eq!(held().await, [Some((2, 3.into())), Some((1, 2.into()))]);
        tokio::time::advance(LEASE).await;
        assert_eq!(held().await, [None, None]);
        assert_eq!(store.write(&[change("a", None, 5)]).await, Ok(true));
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
