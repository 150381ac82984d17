//! The channel of a Slack bot: a card that is edited, a reply that reaches phones, details and a picture in its thread.

use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::clock::Deadline;
use crate::delivery::slack::{Posted, Refusal, SlackApi, SlackError, Ts};
use crate::delivery::{Channel, DeliveryError, Kind, Picture, Post, Receipt};
use crate::report::{Document, slack};

/// Longest time that a picture is waited for and uploaded, once everything else stands.
const PICTURE_TIME: Duration = Duration::from_secs(6);

/// What is left of the deadline when a picture is given up: the report stands, and must not count as undelivered.
const AFTER_PICTURE: Duration = Duration::from_secs(1);

/// Posts by a bot's token.
#[derive(Debug, Clone)]
pub struct SlackBotChannel {
    api: SlackApi,
    /// Id of the user group that a card mentions.
    mention: Option<String>,
}

impl SlackBotChannel {
    /// Returns the channel; `mention` is the id of a user group, checked by the configuration.
    pub fn new(api: SlackApi, mention: Option<&str>) -> Self {
        SlackBotChannel { api, mention: mention.map(str::to_owned) }
    }

    /// Returns the channel as it writes for one message: where the card or its incident stands, else where a route leads.
    fn placed(&self, post: &Post<'_>) -> Self {
        let stands = post.card.or(post.incident).and_then(|receipt| receipt.reference.as_deref());
        let stands = stands.and_then(|reference| reference.rsplit_once(':')).map(|(channel, _)| channel);
        match stands.or(post.slack_channel) {
            Some(channel) => {
                SlackBotChannel { api: self.api.writing_into(channel), mention: self.mention.clone() }
            }
            None => self.clone(),
        }
    }

    async fn post(&self, post: Post<'_>, deadline: Deadline) -> Result<Receipt, SlackError> {
        let document = post.document;
        let incident = post.incident.and_then(ts_of);
        let card = post.card.and_then(ts_of);
        if let (Kind::Report | Kind::Notice, Some(card)) = (post.kind, &card)
            && let Some(posted) = self.edit(document, card, deadline).await?
        {
            let mut notes: Vec<String> = posted.note.iter().cloned().collect();
            // A card that stands in an incident's thread has none of its own.
            let thread = incident.as_ref().unwrap_or(card);
            // The card holds the conclusion by now; what follows is worth a note and no failure.
            if let Err(error) = self.api.post(&slack::reply(document), Some(thread), true, deadline).await {
                notes.push(format!("the reply that reaches phones was not posted: {error}"));
            }
            notes.extend(self.below(post, thread, deadline).await);
            return Ok(Self::receipt(&posted, &notes));
        }
        let message = self.card(&post);
        // Who is linked stands in the thread of the incident that phones know of; everything else reaches them.
        let outcome = document.data.get("outcome").and_then(Value::as_str);
        let is_loud = outcome != Some("linked");
        let posted = self.api.post(&message, incident.as_ref(), is_loud, deadline).await?;
        let mut notes: Vec<String> = posted.note.iter().cloned().collect();
        if post.kind == Kind::Report {
            let thread = incident.as_ref().unwrap_or(&posted.ts);
            notes.extend(self.below(post, thread, deadline).await);
        }
        Ok(Self::receipt(&posted, &notes))
    }

    /// Returns what is posted, or put in the place of what was.
    fn card(&self, post: &Post<'_>) -> Value {
        match post.kind {
            Kind::Report | Kind::Facts => self.mentioning(slack::render(&slack::threaded(post.document))),
            Kind::Notice => slack::render(post.document),
        }
    }

    /// Replaces a card; `None` where it is gone or too old to be edited, and a new message takes its place.
    async fn edit(
        &self,
        document: &Document,
        card: &Ts,
        deadline: Deadline,
    ) -> Result<Option<Posted>, SlackError> {
        match self
            .api
            .update(card, &self.mentioning(slack::render(&slack::threaded(document))), deadline)
            .await
        {
            Ok(posted) => Ok(Some(posted)),
            Err(error) if error.refusal() == Some(Refusal::Message) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Posts what stands in the thread; what is missing there is noted.
    async fn below(&self, post: Post<'_>, thread: &Ts, deadline: Deadline) -> Vec<String> {
        let mut notes: Vec<String> = self.details(post, thread, deadline).await.into_iter().collect();
        if let Some(picture) = post.picture {
            let until = deadline.less(AFTER_PICTURE).at_most(PICTURE_TIME);
            let shown = tokio::time::timeout_at(until.instant(), self.show(picture, thread, until)).await;
            let failed = shown.unwrap_or_else(|_elapsed| Err("there was no time for it".to_owned())).err();
            notes.extend(failed.map(|reason| format!("the thread has no picture: {reason}")));
        }
        notes
    }

    /// Uploads the picture into the thread, where there is one.
    async fn show(&self, picture: &Picture, thread: &Ts, until: Deadline) -> Result<(), String> {
        let Some(bytes) = picture.drawn().await? else { return Ok(()) };
        let uploading = self.api.upload_png(&bytes, &picture.title, &picture.alt, Some(thread), until);
        uploading.await.map(drop).map_err(|error| error.to_string())
    }

    /// Posts the details into the thread; what is missing there is noted.
    async fn details(&self, post: Post<'_>, thread: &Ts, deadline: Deadline) -> Option<String> {
        for message in slack::details(post.document) {
            if let Err(error) = self.api.post(&message, Some(thread), false, deadline).await {
                return Some(format!("the thread has not all details: {error}"));
            }
        }
        None
    }

    /// Adds the mention of the group, which code builds and no text from outside can.
    fn mentioning(&self, mut message: Value) -> Value {
        if let Some(group) = &self.mention
            && let Some(blocks) = message.get_mut("blocks").and_then(Value::as_array_mut)
        {
            let text = format!("<!subteam^{group}>");
            let elements = json!([{ "type": "mrkdwn", "text": text }]);
            blocks.push(json!({ "type": "context", "elements": elements }));
            // Slack takes fifty; the card's own last block is its footer.
            if blocks.len() > slack::MOST_BLOCKS {
                blocks.remove(slack::MOST_BLOCKS / 2);
            }
        }
        message
    }

    fn receipt(posted: &Posted, notes: &[String]) -> Receipt {
        Receipt {
            channel: SlackApi::NAME.to_owned(),
            reference: Some(format!("{}:{}", posted.channel, posted.ts.as_str())),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            facts: false,
        }
    }
}

fn failed(error: SlackError) -> DeliveryError {
    DeliveryError { channel: SlackApi::NAME.to_owned(), reason: error.to_string() }
}

/// Reads a message's identity back from a receipt.
fn ts_of(receipt: &Receipt) -> Option<Ts> {
    let (_, ts) = receipt.reference.as_deref()?.rsplit_once(':')?;
    Ts::try_from(ts.to_owned()).ok()
}

impl Channel for SlackBotChannel {
    fn name(&self) -> &'static str {
        SlackApi::NAME
    }

    fn takes_facts(&self) -> bool {
        true
    }

    fn takes_pictures(&self) -> bool {
        true
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move { self.placed(&post).post(post, deadline).await.map_err(failed) })
    }

    fn amend<'a>(
        &'a self,
        post: Post<'a>,
        receipt: &'a Receipt,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            let Some(card) = ts_of(receipt) else { return Ok(()) };
            let here = self.placed(&Post { card: Some(receipt), ..post });
            let message = here.card(&post);
            here.api.update(&card, &message, deadline).await.map(drop).map_err(failed)
        })
    }
}
