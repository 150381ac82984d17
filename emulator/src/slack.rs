//! A Slack incoming webhook: takes what Slack would take, refuses what Slack would refuse, and keeps what it took.
//!
//! It shows the kept messages as a page, so that a person sees the channel without a workspace.

mod block_kit;
mod mrkdwn;
mod page;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::wire::Answer;

/// Slack cuts a message's text here.
const TEXT_LIMIT: usize = 40_000;
/// More attachments than this are refused.
const ATTACHMENT_LIMIT: usize = 100;

/// How the webhook misbehaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlackOptions {
    /// So many requests are answered first with 429.
    pub rate_limited_first: u32,
    /// `Retry-After` of those, rounded up to whole seconds.
    pub retry_after: Option<Duration>,
    /// Every other request is answered with this status and text, for instance 403 `invalid_token`,
    /// 410 `channel_is_archived` or 500 `rollup_error`.
    pub always: Option<(u16, String)>,
    /// Every message with blocks is answered with 400 `invalid_blocks`, as when Slack changes its rules; one of text
    /// alone is taken.
    pub refuse_blocks: bool,
}

/// One message that the channel took.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SlackMessage {
    /// Path of the webhook.
    pub path: String,
    /// Top-level text as Slack keeps it, cut at 40,000 characters; empty where only blocks were sent.
    pub text: String,
    /// Body as sent.
    pub body: Value,
}

/// One request that the channel did not take.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SlackRefusal {
    /// Path that was asked.
    pub path: String,
    /// HTTP status.
    pub status: u16,
    /// Slack's own word: `invalid_blocks`, `no_text`.
    pub error: String,
    /// Where and why, which Slack's webhook keeps to itself.
    pub reasons: Vec<String>,
}

/// The webhook with its channel.
#[derive(Debug)]
pub struct Slack {
    options: SlackOptions,
    state: Mutex<State>,
}

impl Slack {
    /// Builds an empty channel.
    pub fn new(options: SlackOptions) -> Self {
        Self { options, state: Mutex::new(State::default()) }
    }

    /// Returns the messages that were taken, in order.
    pub fn messages(&self) -> Vec<SlackMessage> {
        self.state().messages.clone()
    }

    /// Returns the requests that were refused, in order, with reasons that the wire does not carry.
    pub fn refusals(&self) -> Vec<SlackRefusal> {
        self.state().refusals.clone()
    }

    /// Renders the channel as one HTML page that needs nothing else, 390 pixels wide as on a phone.
    pub fn page(&self) -> String {
        page::channel(&self.state().messages)
    }

    /// Answers one POST to `path`.
    pub(crate) fn webhook(&self, path: &str, body: &[u8]) -> Answer {
        let result = self.check(path, body);
        let mut state = self.state();
        match result {
            Ok(message) => {
                state.messages.push(message);
                plain(200, "ok", None)
            }
            Err(refused) => {
                let answer = plain(refused.status, &refused.error, refused.retry_after);
                state.refusals.push(SlackRefusal {
                    path: path.to_owned(),
                    status: refused.status,
                    error: refused.error,
                    reasons: refused.reasons,
                });
                answer
            }
        }
    }

    fn check(&self, path: &str, body: &[u8]) -> Result<SlackMessage, Refused> {
        if !is_webhook_path(path) {
            let reason = format!("{path} is not /services/T…/B…/…");
            return Err(Refused::new(404, "no_service", vec![reason]));
        }
        {
            let mut state = self.state();
            if state.rate_limited < self.options.rate_limited_first {
                state.rate_limited += 1;
                let refused = Refused::new(429, "rate_limited", Vec::new());
                return Err(Refused { retry_after: self.options.retry_after, ..refused });
            }
        }
        if let Some((status, error)) = &self.options.always {
            return Err(Refused::new(*status, error, Vec::new()));
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Refused::new(400, "invalid_payload", vec![error.to_string()]))?;
        let Some(payload) = body.as_object() else {
            return Err(Refused::new(400, "invalid_payload", vec!["not a JSON object".to_owned()]));
        };
        let text = check_payload(payload)?;
        let has_blocks = payload.get("blocks").is_some_and(|blocks| !blocks.is_null());
        if self.options.refuse_blocks && has_blocks {
            return Err(Refused::new(
                400,
                "invalid_blocks",
                vec!["the options refuse all blocks".to_owned()],
            ));
        }
        Ok(SlackMessage { path: path.to_owned(), text, body })
    }

    /// A panic elsewhere must not turn into one here: behind the lock are plain lists.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<SlackMessage>,
    refusals: Vec<SlackRefusal>,
    rate_limited: u32,
}

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

fn is_webhook_path(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/services/") else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    let [team, hook, secret] = parts.as_slice() else { return false };
    let is_id = |id: &str, letter: char| {
        id.starts_with(letter) && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    is_id(team, 'T')
        && is_id(hook, 'B')
        && !secret.is_empty()
        && secret.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Returns the text that Slack keeps.
fn check_payload(payload: &Map<String, Value>) -> Result<String, Refused> {
    let invalid = |reason: &str| Refused::new(400, "invalid_payload", vec![reason.to_owned()]);
    let text = match payload.get("text") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(invalid("/text is not a text")),
    };
    let blocks = match payload.get("blocks") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(blocks)) => blocks,
        Some(_) => {
            return Err(Refused::new(400, "invalid_blocks_format", vec!["/blocks is not a list".to_owned()]));
        }
    };
    let attachments = match payload.get("attachments") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(attachments)) => attachments,
        Some(_) => return Err(invalid("/attachments is not a list")),
    };
    if text.trim().is_empty() && blocks.is_empty() && attachments.is_empty() {
        return Err(Refused::new(400, "no_text", vec!["neither text, blocks nor attachments".to_owned()]));
    }
    if attachments.len() > ATTACHMENT_LIMIT {
        let reason = format!("{} attachments, at most {ATTACHMENT_LIMIT}", attachments.len());
        return Err(Refused::new(400, "too_many_attachments", vec![reason]));
    }
    let mut lists = vec![("/blocks".to_owned(), blocks)];
    for (index, attachment) in attachments.iter().enumerate() {
        let Some(attachment) = attachment.as_object() else {
            return Err(invalid("an attachment is not an object"));
        };
        match attachment.get("blocks") {
            None | Some(Value::Null) => {}
            Some(Value::Array(blocks)) => lists.push((format!("/attachments/{index}/blocks"), blocks)),
            Some(_) => return Err(invalid("an attachment's blocks are not a list")),
        }
    }
    let reasons = block_kit::faults(&lists);
    if !reasons.is_empty() {
        return Err(Refused::new(400, "invalid_blocks", reasons));
    }
    Ok(text.chars().take(TEXT_LIMIT).collect())
}

fn plain(status: u16, text: &str, retry_after: Option<Duration>) -> Answer {
    let mut headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    if let Some(wait) = retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.push(("retry-after".to_owned(), seconds.to_string()));
    }
    Answer { status, headers, body: text.as_bytes().to_vec() }
}
