//! Tests of the webhook as a caller meets it, and of the page as a person reads it.

mod limits;
mod rendering;
mod web_api;

use serde_json::{Value, json};

use super::*;

const PATH: &str = "/services/T00000000/B00000000/XXXX";

fn quiet() -> Slack {
    started(SlackOptions::default())
}

/// A channel that begins with the ts 1777867330.000100.
fn started(options: SlackOptions) -> Slack {
    Slack::new(options, 1_777_867_330)
}

fn webhook(slack: &Slack, path: &str, body: &[u8]) -> Answer {
    match slack.webhook(path, body, None).unwrap() {
        Reply::Answer(answer) => answer,
        Reply::BrokenOff => panic!("the connection broke off"),
    }
}

fn post(slack: &Slack, path: &str, body: &str) -> (u16, String) {
    let answer = webhook(slack, path, body.as_bytes());
    (answer.status, String::from_utf8(answer.body).unwrap())
}

fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

fn refused(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

#[test]
fn a_message_is_taken_and_kept() {
    let slack = quiet();
    let body = json!({"text": "Hello", "blocks": [{"type": "divider"}]});
    let answer = webhook(&slack, PATH, body.to_string().as_bytes());
    let plain = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    assert_eq!(answer, Answer { status: 200, headers: plain, body: b"ok".to_vec() });
    let kept = SlackMessage {
        path: PATH.to_owned(),
        ts: "1777867330.000100".to_owned(),
        thread_ts: None,
        is_broadcast: false,
        text: "Hello".to_owned(),
        body,
        edited: None,
        earlier: vec![],
        files: vec![],
    };
    assert_eq!((slack.messages(), slack.refusals()), (vec![kept], vec![]));
}

#[test]
fn a_malformed_path_is_no_service() {
    let slack = quiet();
    for path in [
        "/services",
        "/services/T/B",
        "/services/T/B/",
        "/services/B/T/X",
        "/services/T/B/X/Y",
        "/hooks/T/B/X",
    ] {
        assert_eq!(post(&slack, path, "{\"text\":\"a\"}"), refused(404, "no_service"), "{path}");
    }
    assert_eq!(post(&slack, "/services/T/B/X", "{\"text\":\"a\"}"), ok());
    assert_eq!(slack.messages().len(), 1);
}

#[test]
fn payloads_without_json_or_content_are_refused() {
    let slack = quiet();
    for body in ["", "{\"text\":", "[]", "\"text\"", "{\"text\": 7}", "{\"text\":\"a\",\"attachments\":{}}"] {
        assert_eq!(post(&slack, PATH, body), refused(400, "invalid_payload"), "{body}");
    }
    for body in ["{}", "{\"text\":\"\"}", "{\"text\":\" \"}", "{\"blocks\":[]}", "{\"text\":null}"] {
        assert_eq!(post(&slack, PATH, body), refused(400, "no_text"), "{body}");
    }
    assert_eq!(post(&slack, PATH, "{\"blocks\":{}}"), refused(400, "invalid_blocks_format"));
    assert_eq!(post(&slack, PATH, "{\"blocks\":[{\"type\":\"divider\"}]}"), ok());
    assert_eq!(slack.messages().len(), 1);
}

#[test]
fn text_is_cut_at_forty_thousand_characters() {
    let slack = quiet();
    for length in [40_000, 40_001] {
        assert_eq!(post(&slack, PATH, &json!({"text": "ü".repeat(length)}).to_string()), ok());
    }
    let lengths: Vec<usize> = slack.messages().iter().map(|message| message.text.chars().count()).collect();
    assert_eq!(lengths, [40_000, 40_000]);
}

#[test]
fn attachments_are_counted_and_their_blocks_checked() {
    let slack = quiet();
    let attachments = |count: usize, block: &Value| {
        json!({"attachments": vec![json!({"color": "#ff0000", "blocks": [block]}); count]}).to_string()
    };
    let divider = json!({"type": "divider"});
    assert_eq!(post(&slack, PATH, &attachments(100, &divider)), ok());
    assert_eq!(post(&slack, PATH, &attachments(101, &divider)), refused(400, "too_many_attachments"));
    assert_eq!(post(&slack, PATH, &attachments(1, &json!({"type": "line"}))), refused(400, "invalid_blocks"));
    let reasons = slack.refusals().pop().unwrap().reasons;
    assert_eq!(reasons, ["/attachments/0/blocks/0: unsupported block type \"line\""]);
}

#[test]
fn the_first_requests_are_rate_limited_with_the_wait_asked_for() {
    let wait = Some(Duration::from_millis(1_500));
    let slack = started(SlackOptions { rate_limited_first: 2, retry_after: wait, ..SlackOptions::default() });
    for _ in 0..2 {
        let answer = webhook(&slack, PATH, b"{\"text\":\"a\"}");
        assert_eq!(answer.status, 429);
        assert!(answer.headers.contains(&("retry-after".to_owned(), "2".to_owned())));
    }
    assert_eq!(post(&slack, PATH, "{\"text\":\"a\"}"), ok());
    assert_eq!((slack.messages().len(), slack.refusals().len()), (1, 2));
}

#[test]
fn a_configured_fault_answers_everything_after_that() {
    let always = Some((410, "channel_is_archived".to_owned()));
    let slack = started(SlackOptions { rate_limited_first: 1, always, ..SlackOptions::default() });
    let statuses: Vec<u16> = (0..3).map(|_| post(&slack, PATH, "{\"text\":\"a\"}").0).collect();
    assert_eq!(statuses, [429, 410, 410]);
    assert_eq!(post(&slack, PATH, "{\"text\":\"a\"}").1, "channel_is_archived");
    assert!(slack.messages().is_empty());
}

#[test]
fn blocks_can_be_refused_while_text_is_taken() {
    let slack = started(SlackOptions { refuse_blocks: true, ..SlackOptions::default() });
    let blocks = r#"{"text":"a","blocks":[{"type":"divider"}]}"#;
    let answer = webhook(&slack, "/services/T0/B0/X", blocks.as_bytes());
    assert_eq!((answer.status, answer.body.as_slice()), (400, b"invalid_blocks".as_slice()));
    assert_eq!(webhook(&slack, "/services/T0/B0/X", br#"{"text":"a"}"#).status, 200);
    assert_eq!((slack.messages().len(), slack.refusals().len()), (1, 1));
}
