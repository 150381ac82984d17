//! Posts to a Slack incoming webhook: one message, a connection of its own, within the deadline.
//!
//! The URL is the only credential, so it never stands in an error, a log or `Debug`. Slack's answers are turned into
//! a line that says what to do. A webhook cannot edit or answer in a thread; a bot can.

use futures::future::BoxFuture;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::clock::Deadline;
use crate::delivery::slack::connection::{self, Answer, Connection, Server, Tries, Trouble};
use crate::delivery::{Channel, DeliveryError, Post, Receipt, Secret};
use crate::report::slack;

/// Hosts of incoming webhooks: commercial Slack and its government cloud.
const SLACK_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Bytes of an answer that are read; Slack's are a word.
const MOST_ANSWER: usize = 2_048;

/// Why a text cannot be the URL of a webhook. Never repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Not a URL.
    #[error("the Slack webhook is not a URL; it looks like https://hooks.slack.com/services/T…/B…/…")]
    NotAUrl,
    /// Another host, or no TLS.
    #[error(
        "the Slack webhook must begin with https://hooks.slack.com/ or https://hooks.slack-gov.com/ \
         (http:// only for an emulator on this machine)"
    )]
    WrongHost,
    /// A Workflow Builder trigger, which takes variables instead of messages.
    #[error(
        "this is a Workflow Builder URL, which takes no messages; make an incoming webhook, \
         https://hooks.slack.com/services/…"
    )]
    Workflow,
    /// The TLS client could not be made.
    #[error("the HTTPS client for Slack could not be made: {reason}")]
    Client {
        /// What the TLS library said.
        reason: String,
    },
}

/// Where the Slack webhook's address is.
#[derive(Debug, Clone)]
pub enum Webhook {
    /// Name of an SSM parameter.
    Parameter(String),
    /// The address itself.
    Url(Secret),
}

/// A Slack incoming webhook.
#[derive(Debug, Clone)]
pub struct SlackWebhook {
    url: Secret,
    connection: Connection,
}

impl SlackWebhook {
    /// The channel's name in receipts and errors.
    pub const NAME: &'static str = "slack webhook";

    /// Checks whether a text can be the URL of a webhook, and tells whether it is one of an emulator on this machine.
    pub fn check(url: &Secret) -> Result<bool, WebhookError> {
        let parsed = Url::parse(url.expose()).map_err(|_| WebhookError::NotAUrl)?;
        let server = Server::of(&parsed, &SLACK_HOSTS).ok_or(WebhookError::WrongHost)?;
        if parsed.path().starts_with("/triggers/") || parsed.path().starts_with("/workflows/") {
            return Err(WebhookError::Workflow);
        }
        Ok(server == Server::Local)
    }

    /// Checks the URL and makes the client.
    pub fn new(url: Secret) -> Result<Self, WebhookError> {
        let server = if Self::check(&url)? { Server::Local } else { Server::Slack };
        let path = Url::parse(url.expose()).map(|url| url.path().to_owned()).unwrap_or_default();
        let mut hidden = vec![(url.clone(), "[webhook]")];
        if path.len() > 1 {
            hidden.push((Secret::new(&path), "/[webhook]"));
        }
        let connection = Connection::new(server, hidden).map_err(|reason| WebhookError::Client { reason })?;
        Ok(SlackWebhook { url, connection })
    }

    async fn post(&self, post: Post<'_>, deadline: Deadline) -> Result<Receipt, String> {
        let document = post.document;
        // What was posted cannot be edited; it is not said again.
        let mut message = match post.card {
            Some(_) => slack::conclusion(document),
            None => slack::render(document),
        };
        let mut note = None;
        let mut tries = Tries::until(deadline);
        loop {
            let answer = self.send(&message, deadline).await;
            match self.decide(answer) {
                Decision::Taken => {
                    let channel = SlackWebhook::NAME.to_owned();
                    return Ok(Receipt { channel, reference: None, note, facts: false });
                }
                Decision::SendText { answer } if note.is_none() => {
                    message = slack::render_text(document);
                    note = Some(format!("blocks refused ({answer}), sent as plain text"));
                }
                Decision::SendText { answer } => {
                    return Err(format!("Slack refused the plain text as well: {answer}"));
                }
                Decision::Again(trouble) => tries.wait(trouble).await?,
                Decision::GiveUp { reason } => return Err(reason),
            }
        }
    }

    async fn send(&self, message: &Value, deadline: Deadline) -> Answer {
        let request = self
            .connection
            .client()
            .post(self.url.expose())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(message.to_string());
        self.connection.send(request, deadline, MOST_ANSWER).await
    }

    fn decide(&self, answer: Answer) -> Decision {
        let (status, wait, text) = match answer {
            Answer::TimedOut => {
                // Not tried again: the message may have been posted.
                return Decision::GiveUp {
                    reason: "Slack did not answer in time; the message may have arrived".to_owned(),
                };
            }
            Answer::Unreachable { is_sent: true, reason } => {
                return Decision::GiveUp { reason: format!("the connection to Slack broke off: {reason}") };
            }
            Answer::Unreachable { is_sent: false, reason } => {
                return Decision::Again(Trouble::Failed { reason: connection::unreachable(&reason) });
            }
            Answer::Response { status, headers, body } => {
                let text = self.connection.line(&String::from_utf8_lossy(&body), 120);
                (status.as_u16(), connection::retry_after(&headers), text)
            }
        };
        if let Some(advice) = advice(&text) {
            return Decision::GiveUp { reason: format!("{advice} (Slack: {status} {text})") };
        }
        match status {
            200..=299 => Decision::Taken,
            429 => Decision::Again(Trouble::RateLimited { wait }),
            400 | 413 | 422 => Decision::SendText { answer: text },
            401 | 403 | 404 | 410 => {
                Decision::GiveUp { reason: format!("{REVOKED} (Slack: {status} {text})") }
            }
            500..=599 => Decision::Again(Trouble::Failed {
                reason: format!("Slack failed by itself: {status} {text}"),
            }),
            other => Decision::GiveUp { reason: format!("Slack answered {other} {text}") },
        }
    }
}

impl Channel for SlackWebhook {
    fn name(&self) -> &'static str {
        SlackWebhook::NAME
    }

    fn takes_facts(&self) -> bool {
        true
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.post(post, deadline)
                .await
                .map_err(|reason| DeliveryError { channel: SlackWebhook::NAME.to_owned(), reason })
        })
    }
}

/// What to do about an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// Done.
    Taken,
    /// Slack refused the content: send it as text.
    SendText { answer: String },
    /// Another try may help.
    Again(Trouble),
    /// Another try is useless or would post twice.
    GiveUp { reason: String },
}

const REVOKED: &str = "the webhook was revoked: make a new one and update the SSM parameter";

/// Returns what to do about an answer that no other message would change.
fn advice(text: &str) -> Option<&'static str> {
    Some(match text {
        "invalid_token" | "no_service" | "no_service_id" | "no_active_hooks" | "no_team"
        | "team_disabled" => REVOKED,
        "channel_is_archived" => {
            "the webhook's channel is archived: unarchive it, or make a webhook for another channel and update the SSM \
             parameter"
        }
        "channel_not_found" => {
            "the webhook's channel is gone: make a webhook for another channel and update the SSM parameter"
        }
        "user_not_found" => {
            "the person whom the webhook wrote to is gone: make a webhook for a channel and update the SSM parameter"
        }
        "action_prohibited" | "posting_to_general_channel_denied" => {
            "a workspace admin forbids posts to this channel: ask one to allow them, or make a webhook for another \
             channel and update the SSM parameter"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
