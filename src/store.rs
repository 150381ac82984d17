//! Remembers runs: at-least-once delivery without a second card. A store that fails costs deduplication, never the report.

pub mod memory;

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::civil::Date;

use crate::id::{EventKey, SeriesKey};
use crate::run::RunRecord;

/// Leases and records of runs.
pub trait Store: Send + Sync {
    /// Asks to work on an event; `lease` is how long the work may take before another try may take over.
    fn begin<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<Begin, StoreError>>;

    /// Keeps the record as it is now.
    fn save<'a>(&'a self, record: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Gives the lease back, so that a redelivery need not wait for it to end.
    fn release<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns the newest record of a change of the series to ALARM that was dealt with, or of an investigation of the
    /// resource, as far as it is remembered.
    fn latest<'a>(&'a self, series: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>>;

    /// Adds to what the models have cost on a UTC day, US dollars, and returns the sum; zero only asks.
    fn add_cost(&self, day: Date, usd: f64) -> BoxFuture<'_, Result<f64, StoreError>>;
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
    /// `begin`, `save`, `release`, `latest` or `add_cost`.
    pub operation: &'static str,
    /// In one line.
    pub reason: String,
}
