//! Brings a report to its channels. One that fails never stops the others; each leaves a receipt, and who can still be
//! told learns of those that failed.

mod amazon_q;
mod failed;
mod picture;
mod route;
pub mod slack;
mod sns;
pub mod stdout;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};

use crate::clock::{Deadline, Timestamp};
use crate::id::RunId;
use crate::report::Document;
use crate::report::data::StoredAt;
use crate::run::{Observer, RunEvent};

pub use crate::redact::Secret;
pub use crate::run::Receipt;
pub use amazon_q::{AmazonQ, notification, thread_of};
pub use picture::{Drawn, Picture};
pub use route::{Asked, Name, Route, Routed, needs_tags, route};
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

    /// Tells whether it keeps reports instead of telling anybody. It gets whole reports and nothing else, before the
    /// others do, whose messages lead there.
    fn keeps(&self) -> bool {
        false
    }

    /// Reads what it needs where it has not yet, and returns what keeps it from taking anything: a secret that cannot be read.
    fn fault(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async { None })
    }

    /// Replaces what the channel took, where it can, by the same message that names the channels that failed.
    fn amend<'a>(
        &'a self,
        _post: Post<'a>,
        _receipt: &'a Receipt,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async { Ok(()) })
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
    /// ARN of the SNS topic that Amazon Q Developer in chat applications listens to.
    pub amazon_q: Option<&'a str>,
    /// The bucket that reports are kept in.
    pub bucket: Option<&'a Bucket>,
}

/// Where reports are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Name of an S3 bucket.
    pub name: String,
    /// What every key begins with: `reports/`.
    pub prefix: String,
}

impl Bucket {
    /// The channel's name in receipts and errors.
    pub const CHANNEL: &'static str = "s3";

    /// Returns the beginning of the keys of a day's reports: `reports/2026/11/24/`.
    pub fn of_day(&self, day: jiff::civil::Date) -> String {
        format!("{}{}", self.prefix, day.strftime("%Y/%m/%d/"))
    }

    /// Returns where the report of a run is kept, by the day of the moment that the run calls "now".
    pub fn place(&self, as_of: Timestamp, run_id: &RunId) -> StoredAt {
        let day = self.of_day(as_of.to_zoned_datetime(jiff::tz::TimeZone::UTC).date());
        StoredAt {
            bucket: self.name.clone(),
            html: format!("{day}{run_id}.html"),
            json: format!("{day}{run_id}.json"),
        }
    }
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
    /// Id of the Slack channel that a route chose, where a bot is not to write into its usual one.
    pub slack_channel: Option<&'a str>,
    /// The picture of a report, for a channel that takes pictures.
    pub picture: Option<&'a Picture>,
}

impl<'a> Post<'a> {
    /// Returns the post of a report that nothing came before.
    pub fn report(document: &'a Document) -> Self {
        Post { document, kind: Kind::Report, card: None, incident: None, slack_channel: None, picture: None }
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
    /// Id of the Slack channel that a route chose.
    pub slack_channel: Option<&'a str>,
    /// The picture of a report.
    pub picture: Option<&'a Picture>,
}

impl<'a> Posting<'a> {
    /// Returns the posting of a notice that belongs to an incident.
    pub fn notice(document: &'a Document, incident: &'a [Receipt]) -> Self {
        Posting { document, kind: Kind::Notice, already: &[], incident, slack_channel: None, picture: None }
    }
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

/// Time for keeping a report, before the messages that lead there go out.
const KEEP_TIME: Duration = Duration::from_secs(4);

/// Time for seeing that a channel cannot work; one that takes longer is asked like the others.
const FAULT_TIME: Duration = Duration::from_secs(1);

/// Lets channels read what they need, all at once, and returns those that cannot work, in their order. A channel that is not
/// ready by the deadline may still work.
pub async fn faults<'a>(
    channels: impl IntoIterator<Item = &'a Arc<dyn Channel>>,
    deadline: Deadline,
) -> Vec<DeliveryError> {
    let faults = channels.into_iter().map(|channel| async {
        let asked = AssertUnwindSafe(async { channel.fault().await }).catch_unwind();
        // One that breaks off here is asked like the others, and then counts as failed.
        let asked = tokio::time::timeout_at(deadline.instant(), asked).await;
        let reason = asked.ok()?.ok().flatten()?;
        Some(DeliveryError { channel: channel.name().to_owned(), reason })
    });
    join_all(faults).await.into_iter().flatten().collect()
}

/// Delivers a message, as channels may show it, to every channel and returns one result for each that it is for, in their
/// order: to those that keep it first, then to all others at once.
///
/// A channel that took it before is not asked again: its receipt is returned as it is. A channel that hangs is given up at
/// the deadline, one that panics counts as failed, and neither touches the others. What is known to fail is named in the
/// messages of the others from the start; what fails while they go out is named where a message can be edited.
pub async fn deliver_all(
    channels: &[Arc<dyn Channel>],
    posting: Posting<'_>,
    deadline: Deadline,
    observer: &Observer,
) -> Vec<Result<Receipt, DeliveryError>> {
    let is_for = |channel: &&Arc<dyn Channel>| match posting.kind {
        Kind::Facts => channel.takes_facts() && !channel.keeps(),
        Kind::Report => true,
        Kind::Notice => !channel.keeps(),
    };
    let asked: Vec<&Arc<dyn Channel>> = channels.iter().filter(is_for).collect();
    let mut results: Vec<Option<Result<Receipt, DeliveryError>>> = vec![None; asked.len()];
    let mut known = faults(asked.iter().copied(), deadline.at_most(FAULT_TIME)).await;
    let keeping = deadline.at_most(KEEP_TIME);
    wave(&asked, &mut results, |channel| channel.keeps(), posting, keeping, observer).await;
    known.extend(errors(&results));
    let document = failed::named_in(posting.document, &known);
    let told = Posting { document: &document, ..posting };
    wave(&asked, &mut results, |_| true, told, deadline, observer).await;
    let all: Vec<DeliveryError> = errors(&results).collect();
    // One that failed at first sight may have worked when it was asked.
    let is_news =
        all.iter().any(|error| !known.contains(error)) || known.iter().any(|error| !all.contains(error));
    // The facts are followed by the conclusion, which names whoever fails again.
    if posting.kind != Kind::Facts && is_news {
        let document = failed::named_in(posting.document, &all);
        amend(&asked, &results, Posting { document: &document, ..posting }, deadline, observer).await;
    }
    results.into_iter().flatten().collect()
}

fn errors(results: &[Option<Result<Receipt, DeliveryError>>]) -> impl Iterator<Item = DeliveryError> {
    results.iter().flatten().filter_map(|result| result.as_ref().err().cloned())
}

/// Delivers at once to the channels that are wanted and have not been asked.
async fn wave(
    channels: &[&Arc<dyn Channel>],
    results: &mut [Option<Result<Receipt, DeliveryError>>],
    is_wanted: impl Fn(&dyn Channel) -> bool,
    posting: Posting<'_>,
    deadline: Deadline,
    observer: &Observer,
) {
    let shown = posting.document.for_channel();
    let asked = channels
        .iter()
        .zip(results)
        .filter(|(channel, result)| result.is_none() && is_wanted(channel.as_ref()));
    let delivering = asked.map(|(channel, result)| {
        let shown = &shown;
        async move { *result = Some(deliver_once(channel.as_ref(), shown, posting, deadline, observer).await) }
    });
    join_all(delivering).await;
}

/// Returns what one channel is to be told of a posting.
fn post_for<'a>(channel: &dyn Channel, shown: &'a Document, posting: Posting<'a>) -> Post<'a> {
    let name = channel.name();
    Post {
        document: if channel.keeps() { posting.document } else { shown },
        kind: posting.kind,
        card: posting.already.iter().find(|receipt| receipt.channel == name && receipt.facts),
        incident: posting.incident.iter().find(|receipt| receipt.channel == name),
        slack_channel: posting.slack_channel,
        picture: posting.picture.filter(|_| channel.takes_pictures()),
    }
}

async fn deliver_once(
    channel: &dyn Channel,
    shown: &Document,
    posting: Posting<'_>,
    deadline: Deadline,
    observer: &Observer,
) -> Result<Receipt, DeliveryError> {
    let name = channel.name();
    let post = post_for(channel, shown, posting);
    let taken = posting.already.iter().find(|receipt| receipt.channel == name && !receipt.facts);
    if let Some(receipt) = taken.or(post.card.filter(|_| posting.kind == Kind::Facts)) {
        return Ok(receipt.clone());
    }
    let result = tokio::select! {
        result = deliver_one(channel, post, deadline) => result,
        result = drawn_meanwhile(post.picture) => result,
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
}

/// Tells the channels that took the message who did not, where that can still be said.
async fn amend(
    channels: &[&Arc<dyn Channel>],
    results: &[Option<Result<Receipt, DeliveryError>>],
    posting: Posting<'_>,
    deadline: Deadline,
    observer: &Observer,
) {
    let shown = &posting.document.for_channel();
    let taken = channels
        .iter()
        .zip(results)
        .filter_map(|(channel, result)| result.as_ref()?.as_ref().ok().map(|receipt| (channel, receipt)));
    let amending = taken.map(|(channel, receipt)| async move {
        let post = post_for(channel.as_ref(), shown, posting);
        let work = AssertUnwindSafe(async { channel.amend(post, receipt, deadline).await }).catch_unwind();
        let name = channel.name();
        let failed = match tokio::time::timeout_at(deadline.instant(), work).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error.reason,
            Ok(Err(_panic)) => "the channel broke off with a fault of its own".to_owned(),
            Err(_elapsed) => "no answer before the deadline".to_owned(),
        };
        let message = format!("{name} was not told which channels failed: {failed}");
        observer.emit(RunEvent::Warning { message });
    });
    join_all(amending).await;
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
