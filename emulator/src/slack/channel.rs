//! The channel: messages in threads, with their edits and files. The webhook and the bot write into the same one.

use serde_json::Value;

/// Two messages of one second are so many microseconds apart.
const STEP_MICROS: i64 = 100;

/// One message of the channel.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SlackMessage {
    /// Path of the webhook or of the method.
    pub path: String,
    /// Its identity: seconds since 1970 and six digits.
    pub ts: String,
    /// The message that it replies to.
    pub thread_ts: Option<String>,
    /// A reply that stands in the channel as well.
    pub is_broadcast: bool,
    /// Top-level text as Slack keeps it, cut at 40,000 characters; empty where only blocks were sent.
    pub text: String,
    /// Body as sent, with the parts that an edit has replaced.
    pub body: Value,
    /// When it was edited last, as a `ts`.
    pub edited: Option<String>,
    /// What it was before each edit, oldest first.
    pub earlier: Vec<SlackVersion>,
    /// Files that it shares.
    pub files: Vec<SlackFile>,
}

/// What a message was before an edit.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SlackVersion {
    /// Its text.
    pub text: String,
    /// Its body.
    pub body: Value,
}

/// A file in the workspace.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SlackFile {
    /// `F` and digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Title, where there is one.
    pub title: Option<String>,
    /// What it shows, in words for those who do not see it.
    pub alt_text: Option<String>,
    /// Length in bytes.
    pub size: usize,
    /// What was uploaded; left out of the list, which is JSON.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// What a message is for one that would reply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It stands in the channel itself.
    Channel,
    /// It is a reply.
    Thread,
    /// There is none.
    Nowhere,
}

/// The messages in the order of their `ts`.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    start: i64,
    moments: i64,
    messages: Vec<SlackMessage>,
}

impl Channel {
    /// Builds an empty channel that begins at a second since 1970.
    pub(crate) fn new(start: i64) -> Self {
        Self { start, ..Self::default() }
    }

    pub(crate) fn messages(&self) -> &[SlackMessage] {
        &self.messages
    }

    pub(crate) fn find(&self, ts: &str) -> Option<&SlackMessage> {
        self.messages.iter().find(|message| message.ts == ts)
    }

    pub(crate) fn place(&self, ts: &str) -> Place {
        match self.find(ts) {
            Some(message) if message.thread_ts.is_some() => Place::Thread,
            Some(_) => Place::Channel,
            None => Place::Nowhere,
        }
    }

    /// Tells whether a file stands in the channel, so that everybody there may see it.
    pub(crate) fn shares(&self, file: &str) -> bool {
        self.messages.iter().flat_map(|message| &message.files).any(|shared| shared.id == file)
    }

    /// Adds a message under a new `ts` and returns it as it was added.
    pub(crate) fn add(&mut self, message: SlackMessage) -> SlackMessage {
        let added = SlackMessage { ts: self.next_ts(), ..message };
        self.messages.push(added.clone());
        added
    }

    /// Replaces text and body of a message and keeps what it was.
    pub(crate) fn edit(&mut self, ts: &str, text: String, body: Value) -> Option<&SlackMessage> {
        let edited = self.next_ts();
        let message = self.messages.iter_mut().find(|message| message.ts == ts)?;
        let earlier = SlackVersion {
            text: std::mem::replace(&mut message.text, text),
            body: std::mem::replace(&mut message.body, body),
        };
        message.earlier.push(earlier);
        message.edited = Some(edited);
        Some(message)
    }

    /// The clock of a recorded incident stands still, so that a moment is told by its number alone.
    fn next_ts(&mut self) -> String {
        self.moments += 1;
        let micros = self.moments * STEP_MICROS;
        format!("{}.{:06}", self.start + micros / 1_000_000, micros % 1_000_000)
    }
}
