//! What webhook and bot have in common: where requests may go, one try, and when there is another.
//!
//! Each try has a connection of its own, stays within the deadline, and never shows the credential that it carries.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode, Url};

use crate::clock::Deadline;
use crate::delivery::Secret;
use crate::report::layout::{clean, shorten};

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

/// Whose server a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// Slack's, over TLS.
    Slack,
    /// An emulator on this machine.
    Local,
}

impl Server {
    /// Returns the server of a URL; `hosts` are Slack's for the purpose. None of another host, or without TLS.
    pub(super) fn of(url: &Url, hosts: &[&str]) -> Option<Self> {
        let host = url.host_str().unwrap_or_default();
        if LOCAL_HOSTS.contains(&host) && matches!(url.scheme(), "http" | "https") {
            return Some(Server::Local);
        }
        (hosts.contains(&host) && url.scheme() == "https" && url.port().is_none()).then_some(Server::Slack)
    }
}

/// The HTTPS client, with what must never stand in a text.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    hidden: Vec<(Secret, &'static str)>,
}

impl Connection {
    /// Makes the client; `hidden` are the credentials and what is shown for them. The error is the TLS library's.
    pub(super) fn new(server: Server, hidden: Vec<(Secret, &'static str)>) -> Result<Self, String> {
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // An idle connection dies when the function's environment is frozen, and the next post with it.
            .pool_max_idle_per_host(0)
            // A redirect would hand the message to a host that was not checked.
            .redirect(reqwest::redirect::Policy::none());
        if server == Server::Local {
            client = client.no_proxy();
        }
        let client = client.build().map_err(cause_of)?;
        Ok(Connection { client, hidden })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends one request and reads at most `most` bytes of its answer.
    pub(super) async fn send(&self, request: RequestBuilder, deadline: Deadline, most: usize) -> Answer {
        match request.timeout(TRY_TIMEOUT.min(deadline.time_left())).send().await {
            Ok(mut response) => {
                let status = response.status();
                let headers = std::mem::take(response.headers_mut());
                let mut body = Vec::new();
                while body.len() < most {
                    match response.chunk().await {
                        Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                        // The status has been read; what a body that breaks off is worth is the caller's to judge.
                        Ok(None) | Err(_) => break,
                    }
                }
                Answer::Response { status, headers, body }
            }
            Err(error) if error.is_timeout() && !error.is_connect() => Answer::TimedOut,
            Err(error) => Answer::Unreachable {
                is_sent: !error.is_connect(),
                reason: self.without_secrets(&cause_of(error)),
            },
        }
    }

    /// Returns a text of Slack's in one line, without the credentials, should it have repeated them.
    pub(super) fn line(&self, text: &str, most: usize) -> String {
        // Hidden before it is cut, or a half of one would be left.
        shorten(clean(&self.without_secrets(text)).trim(), most)
    }

    fn without_secrets(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, (secret, shown)| text.replace(secret.expose(), shown))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// What came back from one try.
#[derive(Debug)]
pub(super) enum Answer {
    Response { status: StatusCode, headers: HeaderMap, body: Vec<u8> },
    TimedOut,
    Unreachable { is_sent: bool, reason: String },
}

/// Says that there is no way to Slack.
pub(super) fn unreachable(reason: &str) -> String {
    format!("Slack cannot be reached: {reason}; check the function's way to the internet")
}

/// Returns how long Slack asks to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(DEFAULT_RETRY_AFTER, Duration::from_secs)
}

/// Why a try failed that may be followed by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Slack asks to wait.
    RateLimited { wait: Duration },
    /// Slack failed by itself, or nothing of the request reached it.
    Failed { reason: String },
}

/// Counts the tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    deadline: Deadline,
    rate_limited: u32,
    failed: u32,
}

impl Tries {
    pub(super) fn until(deadline: Deadline) -> Self {
        Tries { deadline, rate_limited: 0, failed: 0 }
    }

    /// Waits until the next try, or returns why there is none.
    pub(super) async fn wait(&mut self, trouble: Trouble) -> Result<(), String> {
        let (wait, reason) = match trouble {
            Trouble::RateLimited { .. } if self.rate_limited >= MOST_RATE_LIMIT_RETRIES => {
                return Err(format!("Slack still limits the rate after {} tries", self.rate_limited + 1));
            }
            Trouble::RateLimited { wait } => {
                self.rate_limited += 1;
                (wait, format!("Slack limits the rate and asks to wait {} s", wait.as_secs()))
            }
            Trouble::Failed { reason } if self.failed >= MOST_FAILURE_RETRIES => return Err(reason),
            Trouble::Failed { reason } => {
                self.failed += 1;
                (FAILURE_WAIT, reason)
            }
        };
        if wait >= self.deadline.time_left() {
            return Err(format!("{reason}; no time is left for another try"));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
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
