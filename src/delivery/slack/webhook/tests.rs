//! One message through each answer that a webhook gives, on a local port.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::report::samples;

/// What the server does with a connection.
#[derive(Debug, Clone)]
enum Reply {
    /// Answers: status line, further header lines, body.
    Say(&'static str, &'static str, &'static str),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes.
    Close,
}

const OK: Reply = Reply::Say("200 OK", "", "ok");

/// A server that gives one reply a connection, in order, and keeps what it was sent.
struct Server {
    url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(replies: Vec<Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/services/T0/B0/verysecret", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let body = read_body(&mut stream).await;
                kept.lock().unwrap().push(body);
                match reply {
                    Reply::Say(status, headers, body) => {
                        let length = body.len();
                        let answer =
                            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                    Reply::Hang => open.push(stream),
                    Reply::Close => {}
                }
            }
            // Hanging connections stay open until the test ends.
            std::future::pending::<()>().await;
            drop(open);
        });
        Server { url, bodies, task }
    }

    fn webhook(&self) -> SlackWebhook {
        SlackWebhook::new(Secret::new(&self.url)).unwrap()
    }

    async fn post(&self, within: Duration) -> Result<Receipt, DeliveryError> {
        self.webhook().deliver(Post::report(&samples::cause_shown()), Deadline::after(within)).await
    }

    fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_body(stream: &mut TcpStream) -> Value {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the request broke off");
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /services/t0/b0/verysecret "), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let length =
            head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse::<usize>().unwrap();
        if body.len() >= length {
            return serde_json::from_str(body).unwrap();
        }
    }
}

const ENOUGH: Duration = Duration::from_secs(20);

fn receipt(note: Option<&str>) -> Receipt {
    Receipt {
        channel: "slack webhook".to_owned(),
        reference: None,
        note: note.map(str::to_owned),
        facts: false,
    }
}

#[tokio::test]
async fn one_message_with_blocks_is_posted() {
    let server = Server::start(vec![OK]).await;
    assert_eq!(server.post(ENOUGH).await, Ok(receipt(None)));
    assert_eq!(server.bodies(), vec![slack::render(&samples::cause_shown())]);
}

#[tokio::test]
async fn a_rate_limit_is_waited_out() {
    let limited = Reply::Say("429 Too Many Requests", "Retry-After: 0\r\n", "rate_limited");
    let server = Server::start(vec![limited.clone(), limited, OK]).await;
    assert_eq!(server.post(ENOUGH).await, Ok(receipt(None)));
    assert_eq!(server.bodies().len(), 3);
}

#[tokio::test]
async fn a_third_rate_limit_is_final() {
    let limited = Reply::Say("429 Too Many Requests", "Retry-After: 0\r\n", "rate_limited");
    let server = Server::start(vec![limited.clone(), limited.clone(), limited, OK]).await;
    assert_eq!(server.post(ENOUGH).await.unwrap_err().reason, "Slack still limits the rate after 3 tries");
    assert_eq!(server.bodies().len(), 3);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let limited = Reply::Say("429 Too Many Requests", "Retry-After: 30\r\n", "");
    let server = Server::start(vec![limited, OK]).await;
    assert_eq!(
        server.post(Duration::from_secs(5)).await.unwrap_err().reason,
        "Slack limits the rate and asks to wait 30 s; no time is left for another try"
    );
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn refused_blocks_are_sent_as_plain_text() {
    let server = Server::start(vec![Reply::Say("400 Bad Request", "", "invalid_blocks"), OK]).await;
    let note = "blocks refused (invalid_blocks), sent as plain text";
    assert_eq!(server.post(ENOUGH).await, Ok(receipt(Some(note))));
    assert_eq!(server.bodies()[1], slack::render_text(&samples::cause_shown()));
    assert!(server.bodies()[1].get("blocks").is_none());
}

#[tokio::test]
async fn refused_text_is_final() {
    let refused = Reply::Say("400 Bad Request", "", "invalid_payload");
    let server = Server::start(vec![refused.clone(), refused, OK]).await;
    assert_eq!(
        server.post(ENOUGH).await.unwrap_err().reason,
        "Slack refused the plain text as well: invalid_payload"
    );
    assert_eq!(server.bodies().len(), 2);
}

#[tokio::test]
async fn a_failure_of_slack_is_tried_once_more() {
    let failed = Reply::Say("500 Internal Server Error", "", "rollup_error");
    let server = Server::start(vec![failed.clone(), OK]).await;
    assert_eq!(server.post(ENOUGH).await, Ok(receipt(None)));
    let server = Server::start(vec![failed.clone(), failed, OK]).await;
    assert_eq!(server.post(ENOUGH).await.unwrap_err().reason, "Slack failed by itself: 500 rollup_error");
    assert_eq!(server.bodies().len(), 2);
}

#[tokio::test]
async fn a_hanging_slack_is_given_up_at_the_deadline_and_not_asked_twice() {
    let server = Server::start(vec![Reply::Hang, OK]).await;
    assert_eq!(
        server.post(Duration::from_millis(300)).await.unwrap_err().reason,
        "Slack did not answer in time; the message may have arrived"
    );
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_not_asked_twice() {
    let server = Server::start(vec![Reply::Close, OK]).await;
    let reason = server.post(ENOUGH).await.unwrap_err().reason;
    assert!(reason.starts_with("the connection to Slack broke off: "), "{reason}");
    assert!(!reason.contains("verysecret"), "{reason}");
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_reached_says_so_without_its_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/T0/B0/verysecret", listener.local_addr().unwrap());
    drop(listener);
    let webhook = SlackWebhook::new(Secret::new(&url)).unwrap();
    let error =
        webhook.deliver(Post::report(&samples::cause_shown()), Deadline::after(ENOUGH)).await.unwrap_err();
    assert!(error.reason.starts_with("Slack cannot be reached: "), "{error}");
    assert!(!format!("{error} {error:?} {webhook:?}").contains("verysecret"));
}

#[tokio::test]
async fn an_answer_that_repeats_the_url_does_not_reach_the_error() {
    let answer = Reply::Say("418 Teapot", "", "no route for /services/T0/B0/verysecret");
    let server = Server::start(vec![answer]).await;
    assert_eq!(server.post(ENOUGH).await.unwrap_err().reason, "Slack answered 418 no route for /[webhook]");
}

#[tokio::test]
async fn an_answer_about_the_webhook_says_what_to_do() {
    for (status, answer, expected) in [
        (
            "403 Forbidden",
            "invalid_token",
            "the webhook was revoked: make a new one and update the SSM parameter (Slack: 403 invalid_token)",
        ),
        (
            "404 Not Found",
            "no_service",
            "the webhook was revoked: make a new one and update the SSM parameter (Slack: 404 no_service)",
        ),
        (
            "404 Not Found",
            "channel_not_found",
            "the webhook's channel is gone: make a webhook for another channel and update the SSM parameter (Slack: \
             404 channel_not_found)",
        ),
        (
            "410 Gone",
            "channel_is_archived",
            "the webhook's channel is archived: unarchive it, or make a webhook for another channel and update the \
             SSM parameter (Slack: 410 channel_is_archived)",
        ),
        (
            "403 Forbidden",
            "action_prohibited",
            "a workspace admin forbids posts to this channel: ask one to allow them, or make a webhook for another \
             channel and update the SSM parameter (Slack: 403 action_prohibited)",
        ),
    ] {
        let server = Server::start(vec![Reply::Say(status, "", answer), OK]).await;
        assert_eq!(server.post(ENOUGH).await.unwrap_err().reason, expected);
        assert_eq!(server.bodies().len(), 1);
    }
}

#[test]
fn only_slack_and_a_local_emulator_are_accepted() {
    for url in [
        "https://hooks.slack.com/services/T/B/X",
        " https://hooks.slack-gov.com/services/T/B/X\n",
        "http://127.0.0.1:4566/services/T/B/X",
        "http://localhost:4566/services/T/B/X",
        "http://[::1]:4566/services/T/B/X",
        "http://host.docker.internal:4566/services/T/B/X",
    ] {
        assert!(SlackWebhook::new(Secret::new(url)).is_ok(), "{url}");
    }
    for (url, expected) in [
        ("not a url", WebhookError::NotAUrl),
        ("", WebhookError::NotAUrl),
        ("http://hooks.slack.com/services/T/B/X", WebhookError::WrongHost),
        ("https://hooks.slack.com.evil.example/services/T/B/X", WebhookError::WrongHost),
        ("https://hooks.slack.com@evil.example/services/T/B/X", WebhookError::WrongHost),
        ("https://evil.example/hooks.slack.com", WebhookError::WrongHost),
        ("http://169.254.169.254/latest", WebhookError::WrongHost),
        ("file://localhost/etc/passwd", WebhookError::WrongHost),
        ("https://hooks.slack.com/triggers/T/1/x", WebhookError::Workflow),
        ("https://hooks.slack.com/workflows/T/1/x", WebhookError::Workflow),
    ] {
        assert_eq!(SlackWebhook::new(Secret::new(url)).unwrap_err(), expected, "{url}");
    }
}
