//! A Slack workspace with one channel, reached through an incoming webhook and through the Web API with a bot token: it
//! takes what Slack would take, refuses what Slack would refuse, and keeps what it took.
//!
//! It shows the channel as a page, so that a person sees it without a workspace.

mod block_kit;
mod channel;
mod content;
mod mrkdwn;
mod options;
mod page;
mod web_api;
mod webhook;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access::FaultKind;
use crate::failure::Failure;
use crate::slack::channel::Channel;
use crate::slack::web_api::files::Uploads;
use crate::wire::Answer;

pub use channel::{SlackFile, SlackMessage, SlackVersion};
pub use options::{SlackBreak, SlackMembership, SlackOptions};
pub(crate) use web_api::ApiRequest;
pub(crate) use web_api::files::UPLOAD_PATH;

/// A bot token that the workspace takes; so does it every other of this form.
pub(crate) const BOT_TOKEN: &str = "xoxb-emulator";
/// The channel's id.
pub(crate) const CHANNEL_ID: &str = "C0123456789";
/// The channel's name.
const CHANNEL_NAME: &str = "incidents";
const TEAM_ID: &str = "T00000000";
const BOT_ID: &str = "B00000000";
const BOT_USER_ID: &str = "U00000000";
const BOT_USER: &str = "sre-agent";

/// One request that the workspace did not take.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SlackRefusal {
    /// Path that was asked.
    pub path: String,
    /// HTTP status; 200 where the Web API says in the body that it refused.
    pub status: u16,
    /// Slack's own word: `invalid_blocks`, `no_text`.
    pub error: String,
    /// Where and why, which Slack's webhook keeps to itself.
    pub reasons: Vec<String>,
}

/// The workspace.
#[derive(Debug)]
pub struct Slack {
    options: SlackOptions,
    state: Mutex<State>,
}

/// What a request meets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// An answer.
    Answer(Answer),
    /// The connection breaks off without one.
    BrokenOff,
}

impl Slack {
    /// Builds an empty channel whose first message is posted at this second since 1970.
    pub fn new(options: SlackOptions, start: i64) -> Self {
        let state = State { channel: Channel::new(start), ..State::default() };
        Self { options, state: Mutex::new(state) }
    }

    /// Returns the messages that were taken as they stand now, in the order of their `ts`.
    pub fn messages(&self) -> Vec<SlackMessage> {
        self.state().channel.messages().to_vec()
    }

    /// Returns the requests that were refused, in order, with reasons that the wire does not carry.
    pub fn refusals(&self) -> Vec<SlackRefusal> {
        self.state().refusals.clone()
    }

    /// Renders the channel as one HTML page that needs nothing else, 390 pixels wide as on a phone.
    pub fn page(&self) -> String {
        page::channel(self.state().channel.messages())
    }

    /// Answers one POST to `path` of the webhook.
    pub(crate) fn webhook(
        &self,
        path: &str,
        body: &[u8],
        fault: Option<FaultKind>,
    ) -> Result<Reply, Failure> {
        self.unless_broken(|slack| slack.answer_webhook(path, body, fault))
    }

    /// Answers one request to the Web API.
    pub(crate) fn api(&self, request: &ApiRequest<'_>, fault: Option<FaultKind>) -> Result<Reply, Failure> {
        self.unless_broken(|slack| slack.answer_api(request, fault))
    }

    /// Takes the bytes of a file at an address that `files.getUploadURLExternal` gave.
    pub(crate) fn upload(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Reply, Failure> {
        self.unless_broken(|slack| slack.answer_upload(path, content_type, body))
    }

    /// Returns how long each answer is held back.
    pub(crate) fn slow(&self) -> Option<Duration> {
        self.options.slow
    }

    fn unless_broken(&self, answer: impl FnOnce(&Self) -> Result<Answer, Failure>) -> Result<Reply, Failure> {
        let taken = self.state().channel.messages().len();
        let breaks = self.options.breaks.filter(|breaks| taken >= breaks.after);
        if breaks.is_some_and(|breaks| !breaks.is_taken) {
            return Ok(Reply::BrokenOff);
        }
        let answer = answer(self)?;
        Ok(if breaks.is_some() { Reply::BrokenOff } else { Reply::Answer(answer) })
    }

    /// Counts a request against those that are answered with 429.
    fn is_limited(&self) -> bool {
        let mut state = self.state();
        let limited = state.rate_limited < self.options.rate_limited_first;
        state.rate_limited += u32::from(limited);
        limited
    }

    fn refuse(&self, path: &str, refused: &Refused) {
        self.state().refusals.push(SlackRefusal {
            path: path.to_owned(),
            status: refused.status,
            error: refused.error.clone(),
            reasons: refused.reasons.clone(),
        });
    }

    /// A panic elsewhere must not turn into one here: behind the lock are plain lists.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    channel: Channel,
    uploads: Uploads,
    refusals: Vec<SlackRefusal>,
    rate_limited: u32,
}

/// A refusal in Slack's words.
#[derive(Debug)]
struct Refused {
    status: u16,
    error: String,
    reasons: Vec<String>,
    retry_after: Option<Duration>,
}

impl Refused {
    fn new(status: u16, error: &str, reasons: Vec<String>) -> Self {
        Self { status, error: error.to_owned(), reasons, retry_after: None }
    }
}

/// `Retry-After` knows whole seconds only.
fn retry_after_header(wait: Duration) -> (String, String) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    ("retry-after".to_owned(), seconds.to_string())
}
