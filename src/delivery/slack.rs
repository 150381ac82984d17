//! Posts to a Slack incoming webhook: one message, a connection of its own, within the deadline.
//!
//! The URL is the only credential, so it never stands in an error, a log or `Debug`. Slack's answers are turned into
//! a line that says what to do. A webhook cannot edit or answer in a thread; that needs a bot token.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use crate::clock::Deadline;
use crate::delivery::{Channel, DeliveryError, Receipt, Secret};
use crate::report::layout::{clean, shorten};
use crate::report::{Document, slack};

/// Hosts of incoming webhooks: commercial Slack and its government cloud.
const SLACK_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Names under which a local emulator is reached, from the machine itself or from a container on it.
const LOCAL_HOSTS: [&str; 5] = ["localhost", "127.0.0.1", "[::1]", "::1", "host.docker.internal"];

/// One try may take this long; Slack answers within a second.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries after Slack said "too many requests".
const MOST_RATE_LIMIT_RETRIES: u32 = 2;

/// Tries after Slack failed by itself or could not be reached.
const MOST_FAILURE_RETRIES: u32 = 1;

/// Wait before trying again after a failure of Slack's own.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// Slack takes about one message a second, so a refusal without `Retry-After` means that.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

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
#[derive(Clone)]
pub struct SlackWebhook {
    url: Secret,
    client: Client,
}

impl std::fmt::Debug for SlackWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlackWebhook").field("url", &self.url).finish_non_exhaustive()
    }
}

impl SlackWebhook {
    /// The channel's name in receipts and errors.
    pub const NAME: &'static str = "slack webhook";

    /// Checks whether a text can be the URL of a webhook, and tells whether it is one of an emulator on this machine.
    pub fn check(url: &Secret) -> Result<bool, WebhookError> {
        let parsed = Url::parse(url.expose()).map_err(|_| WebhookError::NotAUrl)?;
        let host = parsed.host_str().unwrap_or_default();
        let is_local = LOCAL_HOSTS.contains(&host) && matches!(parsed.scheme(), "http" | "https");
        let is_slack = SLACK_HOSTS.contains(&host) && parsed.scheme() == "https" && parsed.port().is_none();
        if !(is_local || is_slack) {
            return Err(WebhookError::WrongHost);
        }
        if parsed.path().starts_with("/triggers/") || parsed.path().starts_with("/workflows/") {
            return Err(WebhookError::Workflow);
        }
        Ok(is_local)
    }

    /// Checks the URL and makes the client.
    pub fn new(url: Secret) -> Result<Self, WebhookError> {
        let is_local = Self::check(&url)?;
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // An idle connection dies when the function's environment is frozen, and the next post with it.
            .pool_max_idle_per_host(0)
            // A redirect would hand the message to a host that was not checked.
            .redirect(reqwest::redirect::Policy::none());
        if is_local {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| WebhookError::Client { reason: cause_of(error) })?;
        Ok(SlackWebhook { url, client })
    }

    async fn post(&self, document: &Document, deadline: Deadline) -> Result<Receipt, String> {
        let mut message = slack::render(document);
        let mut note = None;
        let mut rate_limit_retries = 0;
        let mut failure_retries = 0;
        loop {
            let answer = self.send(&message, deadline).await;
            let (wait, reason) = match decide(answer) {
                Decision::Taken => {
                    return Ok(Receipt { channel: SlackWebhook::NAME.to_owned(), reference: None, note });
                }
                Decision::SendText { answer } if note.is_none() => {
                    message = slack::render_text(document);
                    note = Some(format!("blocks refused ({answer}), sent as plain text"));
                    continue;
                }
                Decision::SendText { answer } => {
                    return Err(format!("Slack refused the plain text as well: {answer}"));
                }
                Decision::RateLimited { wait } if rate_limit_retries < MOST_RATE_LIMIT_RETRIES => {
                    rate_limit_retries += 1;
                    (wait, format!("Slack limits the rate and asks to wait {} s", wait.as_secs()))
                }
                Decision::RateLimited { .. } => {
                    return Err(format!(
                        "Slack still limits the rate after {} tries",
                        rate_limit_retries + 1
                    ));
                }
                Decision::Failed { reason } if failure_retries < MOST_FAILURE_RETRIES => {
                    failure_retries += 1;
                    (FAILURE_WAIT, reason)
                }
                Decision::Failed { reason } | Decision::GiveUp { reason } => return Err(reason),
            };
            if wait >= deadline.time_left() {
                return Err(format!("{reason}; no time is left for another try"));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(&self, message: &Value, deadline: Deadline) -> Answer {
        let request = self
            .client
            .post(self.url.expose())
            .timeout(TRY_TIMEOUT.min(deadline.time_left()))
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(message.to_string())
            .send();
        match request.await {
            Ok(mut response) => {
                let status = response.status();
                let retry_after = retry_after(response.headers());
                let mut body = Vec::new();
                while body.len() < MOST_ANSWER {
                    match response.chunk().await {
                        Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                        // The status has been read; a body that breaks off changes nothing.
                        Ok(None) | Err(_) => break,
                    }
                }
                let text = shorten(clean(&String::from_utf8_lossy(&body)).trim(), 120);
                Answer::Response { status, retry_after, text: self.without_url(&text) }
            }
            Err(error) if error.is_timeout() && !error.is_connect() => Answer::TimedOut,
            Err(error) => Answer::Unreachable {
                is_sent: !error.is_connect(),
                reason: self.without_url(&cause_of(error)),
            },
        }
    }

    /// Removes the URL and its path, should a proxy or an error have repeated them.
    fn without_url(&self, text: &str) -> String {
        let url = self.url.expose();
        let path = Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
        let text = text.replace(url, "[webhook]");
        if path.len() > 1 { text.replace(&path, "/[webhook]") } else { text }
    }
}

impl Channel for SlackWebhook {
    fn name(&self) -> &'static str {
        SlackWebhook::NAME
    }

    fn deliver<'a>(
        &'a self,
        document: &'a Document,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.post(document, deadline)
                .await
                .map_err(|reason| DeliveryError { channel: SlackWebhook::NAME.to_owned(), reason })
        })
    }
}

/// What came back from one try.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Response { status: StatusCode, retry_after: Option<Duration>, text: String },
    TimedOut,
    Unreachable { is_sent: bool, reason: String },
}

/// What to do about an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// Done.
    Taken,
    /// Slack refused the content: send it as text.
    SendText { answer: String },
    /// Slack asks to wait.
    RateLimited { wait: Duration },
    /// Slack failed by itself; another try may help.
    Failed { reason: String },
    /// Another try is useless or would post twice.
    GiveUp { reason: String },
}

fn decide(answer: Answer) -> Decision {
    let (status, retry_after, text) = match answer {
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
            return Decision::Failed {
                reason: format!(
                    "Slack cannot be reached: {reason}; check the function's way to the internet"
                ),
            };
        }
        Answer::Response { status, retry_after, text } => (status, retry_after, text),
    };
    if let Some(advice) = advice(&text) {
        return Decision::GiveUp {
            reason: format!("{advice} (Slack: {status_code} {text})", status_code = status.as_u16()),
        };
    }
    match status.as_u16() {
        200..=299 => Decision::Taken,
        429 => Decision::RateLimited { wait: retry_after.unwrap_or(DEFAULT_RETRY_AFTER) },
        400 | 413 | 422 => Decision::SendText { answer: text },
        401 | 403 | 404 | 410 => {
            Decision::GiveUp { reason: format!("{REVOKED} (Slack: {} {text})", status.as_u16()) }
        }
        500..=599 => {
            Decision::Failed { reason: format!("Slack failed by itself: {} {text}", status.as_u16()) }
        }
        other => Decision::GiveUp { reason: format!("Slack answered {other} {text}") },
    }
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

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Returns the deepest cause of an error, which says most, and never the URL.
fn cause_of(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    shorten(clean(&cause.to_string()).trim(), 160)
}

#[cfg(test)]
mod tests;
