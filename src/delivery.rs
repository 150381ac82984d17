//! Brings a report to its channels. One that fails never stops the others; each leaves a receipt.

pub mod slack;
mod sns;
pub mod stdout;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};

use crate::clock::Deadline;
use crate::report::Document;
use crate::run::{Observer, RunEvent};

pub use crate::redact::Secret;
pub use crate::run::Receipt;
pub use slack::{SlackApi, SlackBot, SlackWebhook, Webhook};
pub use sns::{SnsMessage, sns_message, subject};
pub use stdout::Stdout;

/// A place where reports go.
pub trait Channel: Send + Sync {
    /// Returns the channel's name in receipts and configuration: `slack webhook`, `sns`, `stdout`.
    fn name(&self) -> &'static str;

    /// Delivers the document before the deadline.
    fn deliver<'a>(
        &'a self,
        document: &'a Document,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>>;
}

/// Why a channel did not take a report. Never holds the channel's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{channel}: {reason}")]
pub struct DeliveryError {
    /// Channel name.
    pub channel: String,
    /// What went wrong and what to do about it, in one line.
    pub reason: String,
}

/// Delivers the document, as channels may show it, to every channel at once and returns one result for each, in their order.
///
/// A channel whose receipt is among `already` is not asked again: its receipt is returned as it is. A channel that
/// hangs is given up at the deadline, one that panics counts as failed, and neither touches the others.
pub async fn deliver_all(
    channels: &[Arc<dyn Channel>],
    document: &Document,
    deadline: Deadline,
    already: &[Receipt],
    observer: &Observer,
) -> Vec<Result<Receipt, DeliveryError>> {
    let document = &document.for_channel();
    join_all(channels.iter().map(|channel| async move {
        let name = channel.name();
        if let Some(receipt) = already.iter().find(|receipt| receipt.channel == name) {
            return Ok(receipt.clone());
        }
        let result = deliver_one(channel.as_ref(), document, deadline).await;
        observer.emit(match &result {
            Ok(receipt) => RunEvent::Delivered {
                channel: name.to_owned(),
                reference: receipt.reference.clone(),
                note: receipt.note.clone(),
            },
            Err(error) => RunEvent::DeliveryFailed { channel: name.to_owned(), reason: error.reason.clone() },
        });
        result
    }))
    .await
}

async fn deliver_one(
    channel: &dyn Channel,
    document: &Document,
    deadline: Deadline,
) -> Result<Receipt, DeliveryError> {
    let failed =
        |reason: &str| DeliveryError { channel: channel.name().to_owned(), reason: reason.to_owned() };
    // The call itself stands inside the guarded future, so that a panic before its first await is caught as well.
    let delivery = AssertUnwindSafe(async { channel.deliver(document, deadline).await }).catch_unwind();
    match tokio::time::timeout_at(deadline.instant(), delivery).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => {
            Err(failed("the channel broke off with a fault of its own; the log has its place"))
        }
        Err(_elapsed) => Err(failed("no answer before the deadline; the report may or may not have arrived")),
    }
}

#[cfg(test)]
mod tests;
