//! What comes of an event: a summary a record, or why it must be delivered again.

use serde::Serialize;

use crate::delivery::DeliveryError;
use crate::id::RunId;
use crate::report::Document;
use crate::run::Receipt;

/// What came of an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Response {
    /// One a record that was reported.
    pub runs: Vec<RunSummary>,
    /// Why the other records were not, a line each.
    pub ignored: Vec<String>,
    /// Of a queue's batch the messages to deliver again, as Lambda reads them; `None` for any other event.
    #[serde(rename = "batchItemFailures", skip_serializing_if = "Option::is_none")]
    pub batch_item_failures: Option<Vec<BatchItemFailure>>,
}

/// A message of a queue that is to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its id.
    pub item_identifier: String,
}

/// What came of one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Which run.
    pub run_id: RunId,
    /// Alarm name.
    pub alarm: String,
    /// A verdict, `facts_only`, `state_change`, `firing_again`, `linked`, `test_alarm`, `own_alarm`, `answered`, `not_answered`, `already_reported`,
    /// `merged` into the report of another alarm, or `recovered_with_incident`: an alarm went back to OK, and the
    /// report or the recovery of another one of its incident tells that.
    pub outcome: String,
    /// The report, where this run made one.
    #[serde(skip)]
    pub document: Option<Document>,
    /// Channels that took it.
    pub delivered: Vec<Receipt>,
    /// Channels that did not.
    pub undelivered: Vec<DeliveryError>,
}

/// Why an event must be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// A report was made and no channel took it.
    #[error("no channel took the report of {alarm}: {reasons}")]
    Undelivered {
        /// Alarm name.
        alarm: String,
        /// All channels' reasons.
        reasons: String,
    },
    /// An earlier try holds the lease; its end decides.
    #[error("another invocation is at work on {alarm}")]
    InProgress {
        /// Alarm name.
        alarm: String,
    },
    /// The run itself broke; the report, if any, was not posted.
    #[error("the run of {alarm} broke off: {reason}")]
    Broken {
        /// Alarm name.
        alarm: String,
        /// In one line.
        reason: String,
    },
}

impl HandlerError {
    /// Returns the kind of failure in a word, as Lambda's error type and alarms on it name it.
    pub fn kind(&self) -> &'static str {
        match self {
            HandlerError::Undelivered { .. } => "Undelivered",
            HandlerError::InProgress { .. } => "InProgress",
            HandlerError::Broken { .. } => "Broken",
        }
    }
}
