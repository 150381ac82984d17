//! Remembers runs: at-least-once delivery without a second card, and one incident for the alarms of one fault. A store
//! that fails costs deduplication, never the report.
//!
//! Beside leases and records a store keeps small items that are read and written by comparison: [`incidents`], [`day`],
//! and what the model room shares between processes.

pub mod day;
pub mod incidents;
pub mod memory;

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::id::{EventKey, Seed, SeriesKey};
use crate::run::RunRecord;

/// Leases and records of runs, and small items that all processes share.
pub trait Store: Send + Sync {
    /// Asks to work on an event; `lease` is how long without a sign of life another try waits before it takes over.
    fn begin<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<Begin, StoreError>>;

    /// Gives a sign of life: the lease that is ours lasts so long from now. One that another try has taken is left to it.
    fn renew<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Keeps the record as it is now.
    fn save<'a>(&'a self, record: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Gives the lease back, so that a redelivery need not wait for it to end.
    fn release<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns the newest record of a change of the series to ALARM that was dealt with, as far as it is remembered.
    fn latest<'a>(&'a self, series: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>>;

    /// Reads items as they are now, in the order of their keys; one that is missing or too old is `None`.
    fn read<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Item>>, StoreError>>;

    /// Writes items, all or none, if each still is as it was seen; false where another was faster.
    fn write<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<bool, StoreError>>;
}

/// A small item as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Differs after each write.
    pub version: u64,
    /// What it holds.
    pub value: Value,
}

/// What an item is to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which item.
    pub key: String,
    /// The version that was read; `None` where there was no item.
    pub seen: Option<u64>,
    /// What it holds from now on.
    pub value: Value,
    /// How long it is of use.
    pub kept: Duration,
}

/// Tries of a write that others were faster with: each lost one is one that another process won.
const MOST_TRIES: u32 = 40;

/// Changes one item by what it holds. `change` sees the item as it is, again each time another process was faster, and
/// returns what the caller wants to know of it; an item that is missing or of another version begins at its default.
/// What `change` left as it was is not written.
pub async fn update<T, R>(
    store: &dyn Store,
    key: &str,
    kept: Duration,
    mut change: impl FnMut(&mut T) -> R,
) -> Result<R, StoreError>
where
    T: Serialize + DeserializeOwned + Default,
{
    let keys = [key.to_owned()];
    for attempt in 0..MOST_TRIES {
        let item = store.read(&keys).await?.into_iter().next().flatten();
        let seen = item.as_ref().map(|item| item.version);
        let before = item.map(|item| item.value);
        let mut held: T =
            before.clone().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let told = change(&mut held);
        let value = serde_json::to_value(&held).map_err(|error| unfit(&error))?;
        let blank = || serde_json::to_value(T::default()).ok();
        if before.or_else(blank).as_ref() == Some(&value) {
            return Ok(told);
        }
        let [key] = keys.clone();
        if store.write(&[Change { key, seen, value, kept }]).await? {
            return Ok(told);
        }
        lose(attempt).await;
    }
    Err(StoreError { operation: "write", reason: format!("{key} was changed by others {MOST_TRIES} times") })
}

/// Waits a little after a write that another process was faster with, longer each time and not all for the same time.
async fn lose(attempt: u32) {
    let most = LONGEST_PAUSE.min(SHORTEST_PAUSE * (attempt + 1));
    tokio::time::sleep(most.mul_f64(Seed::random().generator().f64())).await;
}

/// The most that is waited after a first lost write, and after many.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// What cannot be written as JSON is a defect of the program; it costs the item and not the run.
fn unfit(error: &serde_json::Error) -> StoreError {
    StoreError { operation: "write", reason: error.to_string() }
}

/// What the store knows of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Begin {
    /// The lease is ours. A record is there when an earlier try died underway: continue it.
    Fresh(Option<Box<RunRecord>>),
    /// Another invocation holds the lease.
    InProgress,
    /// The event was dealt with.
    Done(Box<RunRecord>),
}

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {reason}")]
pub struct StoreError {
    /// `begin`, `renew`, `save`, `release`, `latest`, `read` or `write`.
    pub operation: &'static str,
    /// In one line.
    pub reason: String,
}
