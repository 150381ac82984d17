//! Brings a report to its channels. One that fails never stops the others; each leaves a receipt.

mod picture;
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
pub use picture::{Drawn, Picture};
pub use slack::{SlackApi, SlackBot, SlackWebhook, Webhook};
pub use sns::{SnsMessage, sns_message, subject};
pub use stdout::Stdout;

/// A place where reports go.
pub trait Channel: Send + Sync {
    /// Returns the channel's name in receipts and configuration: `slack webhook`, `sns`, `stdout`.
    fn name(&self) -> &'static str;

    /// Tells whether its readers want the facts before the conclusion is ready. Where a message cannot be followed by
    /// another one without being one too many, as an e-mail or an SMS, they wait for the whole.
    fn takes_facts(&self) -> bool {
        false
    }

    /// Tells whether it shows the picture of a report.
    fn takes_pictures(&self) -> bool {
        false
    }

    /// Delivers a message before the deadline.
    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>>;
}

/// The channels that a configuration names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Destinations<'a> {
    /// A Slack webhook.
    pub webhook: Option<&'a Webhook>,
    /// A Slack bot.
    pub bot: Option<&'a SlackBot>,
    /// ARN of an SNS topic.
    pub topic: Option<&'a str>,
}

/// One message to one channel.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// What it says.
    pub document: &'a Document,
    /// What it is in the course of a run.
    pub kind: Kind,
    /// The facts card that this channel took of the same run: a report replaces it, or follows without repeating it.
    pub card: Option<&'a Receipt>,
    /// The card at this channel of the incident that the message belongs to.
    pub incident: Option<&'a Receipt>,
    /// The picture of a report, for a channel that takes pictures.
    pub picture: Option<&'a Picture>,
}

impl<'a> Post<'a> {
    /// Returns the post of a report that nothing came before.
    pub fn report(document: &'a Document) -> Self {
        Post { document, kind: Kind::Report, card: None, incident: None, picture: None }
    }
}

/// What a message is in the course of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The facts, while the conclusion is still worked on.
    Facts,
    /// The report.
    Report,
    /// What is told without an investigation.
    Notice,
}

/// One message to all channels.
#[derive(Debug, Clone, Copy)]
pub struct Posting<'a> {
    /// What it says.
    pub document: &'a Document,
    /// What it is in the course of a run.
    pub kind: Kind,
    /// What channels took of this run before.
    pub already: &'a [Receipt],
    /// Where the card of the incident stands that the message belongs to.
    pub incident: &'a [Receipt],
    /// The picture of a report.
    pub picture: Option<&'a Picture>,
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

/// Delivers a message, as channels may show it, to every channel at once and returns one result for each that it is for, in their order.
///
/// A channel that took it before is not asked again: its receipt is returned as it is. A channel that hangs is given up at
/// the deadline, one that panics counts as failed, and neither touches the others.
pub async fn deliver_all(
    channels: &[Arc<dyn Channel>],
    posting: Posting<'_>,
    deadline: Deadline,
    observer: &Observer,
) -> Vec<Result<Receipt, DeliveryError>> {
    let shown = &posting.document.for_channel();
    let is_for = |channel: &&Arc<dyn Channel>| posting.kind != Kind::Facts || channel.takes_facts();
    join_all(channels.iter().filter(is_for).map(|channel| async move {
        let name = channel.name();
        let of_channel = |receipts: &'_ [Receipt], facts: bool| {
            receipts.iter().find(|receipt| receipt.channel == name && receipt.facts == facts).cloned()
        };
        let card = of_channel(posting.already, true);
        let taken = of_channel(posting.already, false);
        if let Some(receipt) = taken.or_else(|| card.clone().filter(|_| posting.kind == Kind::Facts)) {
            return Ok(receipt);
        }
        let incident = posting.incident.iter().find(|receipt| receipt.channel == name);
        let picture = posting.picture.filter(|_| channel.takes_pictures());
        let post = Post { document: shown, kind: posting.kind, card: card.as_ref(), incident, picture };
        let result = tokio::select! {
            result = deliver_one(channel.as_ref(), post, deadline) => result,
            result = drawn_meanwhile(picture) => result,
        };
        observer.emit(match &result {
            Ok(receipt) => RunEvent::Delivered {
                channel: name.to_owned(),
                reference: receipt.reference.clone(),
                note: receipt.note.clone(),
            },
            Err(error) => RunEvent::DeliveryFailed { channel: name.to_owned(), reason: error.reason.clone() },
        });
        result.map(|receipt| Receipt { facts: posting.kind == Kind::Facts, ..receipt })
    }))
    .await
}

/// Has the picture drawn beside the posting, so that it is there when the report stands. Ends never.
async fn drawn_meanwhile<T>(picture: Option<&Picture>) -> T {
    if let Some(picture) = picture {
        // The channel is told what came of it.
        let _drawn = picture.drawn().await;
    }
    std::future::pending().await
}

async fn deliver_one(
    channel: &dyn Channel,
    post: Post<'_>,
    deadline: Deadline,
) -> Result<Receipt, DeliveryError> {
    let failed =
        |reason: &str| DeliveryError { channel: channel.name().to_owned(), reason: reason.to_owned() };
    // The call itself stands inside the guarded future, so that a panic before its first await is caught as well.
    let delivery = AssertUnwindSafe(async { channel.deliver(post, deadline).await }).catch_unwind();
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
