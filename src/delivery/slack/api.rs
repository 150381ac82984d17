//! Slack's Web API with a bot token: who the token is, a message, an edit, a picture.
//!
//! Each call is bounded by a deadline. What may have arrived is never posted again; an edit, which does no harm twice,
//! is. A message whose blocks are refused goes out as plain text. The token stands in no error, log or `Debug`.
//! What to post and when is decided by the caller.

mod refusal;
mod setup;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::Deadline;
use crate::delivery::Secret;
use crate::delivery::slack::connection::{self, Answer, Connection, Server, Tries, Trouble};
use crate::delivery::slack::plain;

use refusal::Told;

pub use refusal::{Refusal, SlackError};
pub use setup::{BotToken, SetupError, SlackBot};

/// Where files are uploaded to: the hosts that Slack names.
const UPLOAD_HOSTS: [&str; 2] = ["files.slack.com", "files.slack-gov.com"];

/// Bytes of an answer that are read; it repeats the message.
const MOST_ANSWER: usize = 1 << 20;

/// Slack takes a picture's description of so many characters.
const MOST_ALT_TEXT: usize = 1_000;

/// What a new message may consist of.
const POSTED: [&str; 6] = ["text", "blocks", "attachments", "unfurl_links", "unfurl_media", "metadata"];

/// What an edit may replace.
const EDITED: [&str; 4] = ["text", "blocks", "attachments", "metadata"];

/// A message's identity in its channel, and with that its thread's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ts(String);

impl Ts {
    /// Returns it as Slack writes it, `1777867330.000100`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Ts {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        match text.split_once('.') {
            Some((seconds, rest)) if is_number(seconds) && is_number(rest) => Ok(Ts(text)),
            Some(_) | None => Err("no ts of a Slack message".to_owned()),
        }
    }
}

impl From<Ts> for String {
    fn from(ts: Ts) -> Self {
        ts.0
    }
}

/// A message that Slack took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Id of the channel.
    pub channel: String,
    /// Its identity there.
    pub ts: Ts,
    /// What was not as asked for: blocks that were refused.
    pub note: Option<String>,
}

/// A file that Slack took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its id, which an image block may name as `slack_file`.
    pub file: String,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the workspace.
    pub workspace: String,
    /// Name of the bot's user.
    pub user: String,
    /// Its scopes, where Slack says them.
    pub scopes: Option<Vec<String>>,
}

/// A bot and the channel that it writes into.
#[derive(Debug, Clone)]
pub struct SlackApi {
    base: Url,
    token: Secret,
    channel: String,
    connection: Connection,
}

/// What a second try of a call would do where the first may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twice {
    /// The same again.
    Harmless,
    /// Something would stand in the channel twice.
    Visible,
}

/// How a call's arguments are written.
enum Arguments {
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

/// What one answer means.
enum Verdict {
    Done(Map<String, Value>, HeaderMap),
    Again(Trouble),
    GiveUp(SlackError),
}

impl SlackApi {
    /// The channel's name in receipts and errors.
    pub const NAME: &'static str = "slack bot";

    /// Checks token, channel and address, and makes the client.
    pub fn new(token: Secret, channel: &str, base_url: &str) -> Result<Self, SetupError> {
        setup::check_token(&token)?;
        setup::check_channel(channel)?;
        let (base, server) = setup::base(base_url)?;
        let hidden = vec![(token.clone(), "[token]")];
        let connection = Connection::new(server, hidden).map_err(|reason| SetupError::Client { reason })?;
        Ok(SlackApi { base, token, channel: channel.to_owned(), connection })
    }

    /// Returns the id of the channel that it writes into.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Returns the same bot as it writes into another channel.
    pub fn writing_into(&self, channel: &str) -> Self {
        SlackApi { channel: channel.to_owned(), ..self.clone() }
    }

    /// Asks Slack whose token it is. Nobody sees that.
    pub async fn auth_test(&self, deadline: Deadline) -> Result<Identity, SlackError> {
        let (answer, headers) =
            self.call("auth.test", &Arguments::Json(json!({})), Twice::Harmless, deadline).await?;
        let name = |member: &str| {
            let text = answer.get(member).and_then(Value::as_str).unwrap_or_default();
            self.connection.line(text, 80)
        };
        let scopes = headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok()).map(|list| {
            list.split(',')
                .map(|scope| self.connection.line(scope, 60))
                .filter(|scope| !scope.is_empty())
                .collect()
        });
        Ok(Identity { workspace: name("team"), user: name("user"), scopes })
    }

    /// Posts a message, into a thread where one is given; `broadcast` shows a reply in the channel as well.
    ///
    /// The message has the members `text`, `blocks`, `attachments`, `unfurl_links`, `unfurl_media` and `metadata`; others
    /// are left out.
    pub async fn post(
        &self,
        message: &Value,
        thread: Option<&Ts>,
        broadcast: bool,
        deadline: Deadline,
    ) -> Result<Posted, SlackError> {
        let mut arguments = self.picked(message, &POSTED);
        if let Some(thread) = thread {
            arguments.insert("thread_ts".to_owned(), json!(thread));
            // Slack has nothing to broadcast that is no reply.
            arguments.insert("reply_broadcast".to_owned(), json!(broadcast));
        }
        self.write("chat.postMessage", arguments, Twice::Visible, deadline).await
    }

    /// Replaces a message. What the new one leaves out of text and blocks is gone.
    pub async fn update(&self, ts: &Ts, message: &Value, deadline: Deadline) -> Result<Posted, SlackError> {
        let mut arguments = self.picked(message, &EDITED);
        arguments.insert("ts".to_owned(), json!(ts));
        // Blocks that an edit does not name would stay as they were.
        arguments.entry("blocks").or_insert_with(|| json!([]));
        if let Some(text) = arguments.get("text").and_then(Value::as_str).map(plain::fitted) {
            arguments.insert("text".to_owned(), json!(text));
        }
        self.write("chat.update", arguments, Twice::Harmless, deadline).await
    }

    /// Uploads a PNG and shows it in the channel, in a thread where one is given.
    pub async fn upload_png(
        &self,
        bytes: &[u8],
        title: &str,
        alt: &str,
        thread: Option<&Ts>,
        deadline: Deadline,
    ) -> Result<Uploaded, SlackError> {
        let alt: String = alt.chars().take(MOST_ALT_TEXT).collect();
        let form =
            vec![("filename", "chart.png".to_owned()), ("length", bytes.len().to_string()), ("alt_txt", alt)];
        // An address that nothing is uploaded to is no file: asking for a second one does no harm.
        let (begun, _) = self
            .call("files.getUploadURLExternal", &Arguments::Form(form), Twice::Harmless, deadline)
            .await?;
        let text = |member: &str| begun.get(member).and_then(Value::as_str).unwrap_or_default();
        let (file, url) = (text("file_id").to_owned(), self.upload_url(text("upload_url"))?);
        self.send_bytes(url, bytes, deadline).await?;

        let mut arguments = Map::new();
        arguments.insert("files".to_owned(), json!([{"id": file, "title": title}]));
        arguments.insert("channel_id".to_owned(), json!(self.channel));
        if let Some(thread) = thread {
            arguments.insert("thread_ts".to_owned(), json!(thread));
        }
        let arguments = Arguments::Json(Value::Object(arguments));
        self.call("files.completeUploadExternal", &arguments, Twice::Visible, deadline).await?;
        Ok(Uploaded { file })
    }

    fn picked(&self, message: &Value, members: &[&str]) -> Map<String, Value> {
        let mut arguments = Map::new();
        arguments.insert("channel".to_owned(), json!(self.channel));
        for name in members {
            if let Some(value) = message.get(*name) {
                arguments.insert((*name).to_owned(), value.clone());
            }
        }
        arguments
    }

    /// Posts or edits, once more as plain text where the content is refused.
    async fn write(
        &self,
        method: &str,
        mut arguments: Map<String, Value>,
        twice: Twice,
        deadline: Deadline,
    ) -> Result<Posted, SlackError> {
        let mut note = None;
        let answer = loop {
            let asked = Arguments::Json(Value::Object(arguments.clone()));
            match self.call(method, &asked, twice, deadline).await {
                Ok((answer, _)) => break answer,
                Err(error) if error.is_about_content() && plain::has_parts(&arguments) => {
                    note = Some(format!("blocks refused ({}), sent as plain text", error.word()));
                    plain::reduce(&mut arguments);
                }
                Err(error) => return Err(error),
            }
        };
        let text = |member: &str| answer.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        match Ts::try_from(text("ts")) {
            Ok(ts) => Ok(Posted { channel: text("channel"), ts, note }),
            Err(_) => Err(SlackError::Unknown {
                reason: "Slack took the message and did not say where it is".to_owned(),
            }),
        }
    }

    /// Calls a method until it is done, has failed, or there is no time left.
    async fn call(
        &self,
        method: &str,
        arguments: &Arguments,
        twice: Twice,
        deadline: Deadline,
    ) -> Result<(Map<String, Value>, HeaderMap), SlackError> {
        let mut tries = Tries::until(deadline);
        loop {
            let request = self.request(method, arguments)?;
            let answer = self.connection.send(request, deadline, MOST_ANSWER).await;
            match self.judge(method, answer, twice) {
                Verdict::Done(result, headers) => return Ok((result, headers)),
                Verdict::Again(trouble) => {
                    tries.wait(trouble).await.map_err(|reason| SlackError::Unavailable { reason })?;
                }
                Verdict::GiveUp(error) => return Err(error),
            }
        }
    }

    fn request(&self, method: &str, arguments: &Arguments) -> Result<RequestBuilder, SlackError> {
        let unable = |_| SlackError::Unavailable { reason: format!("{method} has no address") };
        let url = self.base.join(&format!("api/{method}")).map_err(unable)?;
        let (kind, body) = match arguments {
            Arguments::Json(value) => ("application/json; charset=utf-8", value.to_string()),
            Arguments::Form(fields) => {
                let mut form = self.base.clone();
                form.query_pairs_mut().extend_pairs(fields);
                ("application/x-www-form-urlencoded", form.query().unwrap_or_default().to_owned())
            }
        };
        Ok(self
            .connection
            .client()
            .post(url)
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .header(CONTENT_TYPE, kind)
            .body(body))
    }

    fn judge(&self, method: &str, answer: Answer, twice: Twice) -> Verdict {
        // Whether it arrived nobody can tell.
        let in_doubt = |reason: String| match twice {
            Twice::Harmless => Verdict::Again(Trouble::Failed { reason }),
            Twice::Visible => Verdict::GiveUp(SlackError::Unknown {
                reason: format!("{reason}; the message may have arrived"),
            }),
        };
        let (status, headers, body) = match answer {
            Answer::TimedOut => return in_doubt("Slack did not answer in time".to_owned()),
            Answer::Unreachable { is_sent: true, reason } => {
                return in_doubt(format!("the connection to Slack broke off: {reason}"));
            }
            Answer::Unreachable { is_sent: false, reason } => {
                return Verdict::Again(Trouble::Failed { reason: connection::unreachable(&reason) });
            }
            Answer::Response { status, headers, body } => (status, headers, body),
        };
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Verdict::Again(Trouble::RateLimited { wait: connection::retry_after(&headers) });
        }
        let answer: Option<Map<String, Value>> = serde_json::from_slice(&body).ok();
        let member = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)?.as_str());
        let word = member("error").map(|word| self.connection.line(word, 60)).unwrap_or_default();
        if status == StatusCode::GATEWAY_TIMEOUT {
            return in_doubt("Slack did not answer in time: 504".to_owned());
        }
        if status.is_server_error() {
            let reason = format!("Slack failed by itself: {} {word}", status.as_u16());
            return Verdict::Again(Trouble::Failed { reason: reason.trim_end().to_owned() });
        }
        match (answer, word.as_str()) {
            (Some(answer), _) if answer.get("ok") == Some(&json!(true)) => Verdict::Done(answer, headers),
            (Some(_), "ratelimited" | "rate_limited") => {
                Verdict::Again(Trouble::RateLimited { wait: connection::retry_after(&headers) })
            }
            (Some(_), "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout") => {
                Verdict::Again(Trouble::Failed { reason: format!("Slack failed by itself: {word}") })
            }
            (Some(answer), word) if !word.is_empty() => {
                let said = |name: &str| {
                    let text = answer.get(name).and_then(Value::as_str).unwrap_or_default();
                    self.connection.line(text, 120)
                };
                // Where in the blocks and why, which Slack says of the first fault at least.
                let place = answer.get("errors").and_then(|errors| errors.get(0)?.as_str());
                Verdict::GiveUp(SlackError::refused(&Told {
                    method,
                    word,
                    channel: &self.channel,
                    needed: &said("needed"),
                    provided: &said("provided"),
                    place: place.map(|text| self.connection.line(text, 120)),
                }))
            }
            (Some(_) | None, _) if status.is_success() => {
                in_doubt("Slack's answer cannot be read".to_owned())
            }
            (Some(_) | None, _) => Verdict::GiveUp(SlackError::Unavailable {
                reason: format!("Slack answered {} to {method}: check slack.base_url", status.as_u16()),
            }),
        }
    }

    /// Checks where Slack wants the bytes: they show what an account's metrics did.
    fn upload_url(&self, text: &str) -> Result<Url, SlackError> {
        let url = Url::parse(text).ok().filter(|url| match Server::of(url, &UPLOAD_HOSTS) {
            Some(Server::Slack) => true,
            // Only the emulator that is spoken to anyway.
            Some(Server::Local) => url.origin() == self.base.origin(),
            None => false,
        });
        url.ok_or_else(|| SlackError::Unavailable {
            reason: "Slack named an address for the upload that is not its own".to_owned(),
        })
    }

    /// Sends the bytes. Nobody sees them before the upload is completed, and the address is the only credential.
    async fn send_bytes(&self, url: Url, bytes: &[u8], deadline: Deadline) -> Result<(), SlackError> {
        let mut tries = Tries::until(deadline);
        loop {
            let request = self.connection.client().post(url.clone()).header(CONTENT_TYPE, "image/png");
            let answer = self.connection.send(request.body(bytes.to_vec()), deadline, 256).await;
            let trouble = match answer {
                Answer::Response { status, .. } if status.is_success() => return Ok(()),
                Answer::Response { status, headers, .. } if status == StatusCode::TOO_MANY_REQUESTS => {
                    Trouble::RateLimited { wait: connection::retry_after(&headers) }
                }
                Answer::Response { status, .. } if status.is_server_error() => {
                    Trouble::Failed { reason: format!("Slack failed by itself: {}", status.as_u16()) }
                }
                Answer::Response { status, .. } => {
                    let reason = format!("Slack did not take the picture: {}", status.as_u16());
                    return Err(SlackError::Unavailable { reason });
                }
                Answer::TimedOut => {
                    let reason = "Slack did not take the picture in time".to_owned();
                    return Err(SlackError::Unavailable { reason });
                }
                Answer::Unreachable { is_sent: true, reason } => {
                    let reason = format!("the connection to Slack broke off: {reason}");
                    return Err(SlackError::Unavailable { reason });
                }
                Answer::Unreachable { is_sent: false, reason } => {
                    Trouble::Failed { reason: connection::unreachable(&reason) }
                }
            };
            tries.wait(trouble).await.map_err(|reason| SlackError::Unavailable { reason })?;
        }
    }
}

#[cfg(test)]
mod tests;
