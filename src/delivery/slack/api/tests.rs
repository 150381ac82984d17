//! The bot against the emulator's Slack, over the socket; and against a server that says what no Slack should.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sre_agent_emulator::{
    Emulator, Fault, FaultKind, Options, Scenario, SlackBreak, SlackMembership, SlackOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::report::{samples, slack};

const TOKEN: &str = "xoxb-1234-verysecret";
const ENOUGH: Duration = Duration::from_secs(20);
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and more";

async fn started(options: Options) -> Emulator {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/lambda-bad-deploy");
    Emulator::start(Scenario::load(folder.as_ref()).unwrap(), options).await.unwrap()
}

async fn with(slack: SlackOptions) -> (Emulator, SlackApi) {
    let emulator = started(Options { slack, ..Options::default() }).await;
    let api = bot(&emulator.endpoint());
    (emulator, api)
}

fn bot(base_url: &str) -> SlackApi {
    SlackApi::new(Secret::new(TOKEN), "C0123456789", base_url).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(ENOUGH)
}

async fn post(api: &SlackApi, message: &Value) -> Result<Posted, SlackError> {
    api.post(message, None, false, soon()).await
}

fn hello() -> Value {
    json!({"text": "hello"})
}

/// How often a method was asked for.
fn asked(emulator: &Emulator, method: &str) -> usize {
    emulator.requests().iter().filter(|request| request.action == method).count()
}

#[tokio::test]
async fn a_card_its_replies_and_its_edit_are_messages_that_slack_takes() {
    let (emulator, api) = with(SlackOptions::default()).await;
    let card = slack::render(&samples::cause_shown());
    let parent = post(&api, &card).await.unwrap();
    assert_eq!((parent.channel.as_str(), &parent.note), ("C0123456789", &None));
    let reply = api.post(&hello(), Some(&parent.ts), true, soon()).await.unwrap();
    let edited = api.update(&parent.ts, &json!({"text": "replaced"}), soon()).await.unwrap();
    assert_eq!(edited, parent);

    let [first, second] = emulator.slack_messages().try_into().unwrap();
    assert_eq!((first.ts.as_str(), first.text.as_str()), (parent.ts.as_str(), "replaced"));
    // Blocks that an edit leaves out would stay, and the text would be seen by nobody.
    assert_eq!((&first.body["blocks"], &first.earlier[0].body["blocks"]), (&json!([]), &card["blocks"]));
    assert_eq!((second.ts.as_str(), second.is_broadcast), (reply.ts.as_str(), true));
    assert_eq!(second.thread_ts.as_deref(), Some(parent.ts.as_str()));
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
    assert_eq!(emulator.slack_refusals(), []);
}

#[tokio::test]
async fn a_token_says_whose_it_is_and_what_it_may_do() {
    let (_emulator, api) = with(SlackOptions::default()).await;
    let identity = Identity {
        workspace: "Emulated workspace".to_owned(),
        user: "sre-agent".to_owned(),
        scopes: Some(vec!["chat:write".to_owned(), "files:write".to_owned()]),
    };
    assert_eq!(api.auth_test(soon()).await, Ok(identity));
}

#[tokio::test]
async fn a_picture_is_uploaded_into_a_thread_with_its_description() {
    let (emulator, api) = with(SlackOptions::default()).await;
    let parent = post(&api, &hello()).await.unwrap();
    let alt = format!("errors & more {}", "x".repeat(2_000));
    let uploaded = api.upload_png(PICTURE, "Errors a minute", &alt, Some(&parent.ts), soon()).await.unwrap();
    let shared = emulator.slack_messages().pop().unwrap();
    assert_eq!(shared.thread_ts.as_deref(), Some(parent.ts.as_str()));
    let file = &shared.files[0];
    assert_eq!((&file.id, file.bytes.as_slice()), (&uploaded.file, PICTURE));
    assert_eq!(file.title.as_deref(), Some("Errors a minute"));
    assert_eq!(file.alt_text, Some(alt.chars().take(1_000).collect()));
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn each_word_of_slack_is_told_with_what_to_do() {
    let words = [
        ("token_revoked", Refusal::Token, "install the app again"),
        ("account_inactive", Refusal::Token, "install the app again"),
        ("invalid_auth", Refusal::Token, "Bot User OAuth Token"),
        ("not_authed", Refusal::Token, "Bot User OAuth Token"),
        ("token_expired", Refusal::Token, "token rotation"),
        ("not_allowed_token_type", Refusal::Token, "Bot User OAuth Token"),
        ("missing_scope", Refusal::Scope, "the scope chat:write: add it"),
        ("channel_not_found", Refusal::Channel, "no channel C0123456789"),
        ("not_in_channel", Refusal::Membership, "chat:write.public"),
        ("is_archived", Refusal::Archived, "unarchive it"),
        ("restricted_action", Refusal::Forbidden, "ask an admin"),
        ("restricted_action_thread_locked", Refusal::Thread, "into the channel instead"),
        ("message_not_found", Refusal::Message, "a new one takes its place"),
        ("edit_window_closed", Refusal::Message, "a new one takes its place"),
        ("msg_too_long", Refusal::Content, "a fault of this program"),
        ("no_text", Refusal::Content, "a fault of this program"),
        ("storage_limit_reached", Refusal::File, "make room"),
        ("some_new_word", Refusal::Other, "Slack refused chat.postMessage"),
    ];
    let answer = |word: &str| (OK, json!({"ok": false, "error": word}).to_string());
    let server = Server::start(words.iter().map(|(word, ..)| answer(word)).collect()).await;
    let api = bot(&server.endpoint);
    for (word, refusal, advice) in words {
        let error = post(&api, &hello()).await.unwrap_err();
        assert_eq!((error.refusal(), error.may_have_arrived()), (Some(refusal), false), "{word}");
        let told = error.to_string();
        assert!(told.contains(advice) && told.ends_with(&format!("(Slack: {word})")), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }
    // Asked again, Slack would say the same.
    assert_eq!(server.heard().len(), words.len());
}

#[tokio::test]
async fn what_a_workspace_refuses_is_told_by_what_it_is() {
    let scopes = Some(vec!["files:read".to_owned(), "users:read".to_owned()]);
    for (options, told) in [
        (SlackOptions { token_revoked: true, ..SlackOptions::default() }, "was revoked"),
        (
            SlackOptions { membership: SlackMembership::Unseen, ..SlackOptions::default() },
            "invite the app where it is private",
        ),
        (
            SlackOptions { membership: SlackMembership::Outside, ..SlackOptions::default() },
            "give it the scope chat:write.public",
        ),
        (
            SlackOptions { scopes, ..SlackOptions::default() },
            "chat:write: add it beside files:read,users:read under",
        ),
    ] {
        let (emulator, api) = with(options).await;
        let error = post(&api, &hello()).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert!(emulator.slack_messages().is_empty());
    }
    let public = ["chat:write", "chat:write.public", "files:write"].map(str::to_owned).to_vec();
    let options = SlackOptions {
        membership: SlackMembership::Outside,
        scopes: Some(public),
        ..SlackOptions::default()
    };
    let (_emulator, api) = with(options).await;
    post(&api, &hello()).await.unwrap();
    let error = api.upload_png(PICTURE, "a", "b", None, soon()).await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::Membership));
    assert!(error.to_string().contains("which files need in public ones too"), "{error}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_and_the_third_is_final() {
    let limited = |first| SlackOptions {
        rate_limited_first: first,
        retry_after: Some(Duration::ZERO),
        ..SlackOptions::default()
    };
    let (emulator, api) = with(limited(2)).await;
    post(&api, &hello()).await.unwrap();
    assert_eq!((asked(&emulator, "chat.postMessage"), emulator.slack_messages().len()), (3, 1));
    let (emulator, api) = with(limited(9)).await;
    let error = post(&api, &hello()).await.unwrap_err();
    assert_eq!(error.to_string(), "Slack still limits the rate after 3 tries");
    assert_eq!(asked(&emulator, "chat.postMessage"), 3);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let retry_after = Some(Duration::from_secs(30));
    let options = SlackOptions { rate_limited_first: 1, retry_after, ..SlackOptions::default() };
    let (emulator, api) = with(options).await;
    let error = api.post(&hello(), None, false, Deadline::after(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Slack limits the rate and asks to wait 30 s; no time is left for another try"
    );
    assert_eq!(asked(&emulator, "chat.postMessage"), 1);
}

#[tokio::test]
async fn a_failure_of_slacks_own_is_tried_once_more() {
    for kind in [FaultKind::InternalError, FaultKind::Overloaded] {
        for (times, posted) in [(1, 1), (2, 0)] {
            let fault = Fault { action: "slack:chat.postMessage".to_owned(), kind, times: Some(times) };
            let emulator = started(Options { faults: vec![fault], ..Options::default() }).await;
            let result = post(&bot(&emulator.endpoint()), &hello()).await;
            assert_eq!((result.is_ok(), emulator.slack_messages().len()), (posted == 1, posted));
            assert_eq!(asked(&emulator, "chat.postMessage"), 2);
            if let Err(error) = result {
                assert!(error.to_string().starts_with("Slack failed by itself: "), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn refused_blocks_are_sent_as_plain_text_that_says_the_same() {
    let (emulator, api) = with(SlackOptions { refuse_blocks: true, ..SlackOptions::default() }).await;
    let card = slack::render(&samples::cause_shown());
    let posted = post(&api, &card).await.unwrap();
    let note = "blocks refused (invalid_blocks: the options refuse all blocks [json-pointer:/blocks]), sent as plain text";
    assert_eq!(posted.note.as_deref(), Some(note));
    let message = emulator.slack_messages().pop().unwrap();
    assert!(message.text.starts_with(card["text"].as_str().unwrap()), "{}", message.text);
    assert!(message.text.len() <= 4_000 && message.text.contains("CAUSE SHOWN"), "{}", message.text);
    assert!(message.text.contains("\n<https://"), "links follow: {}", message.text);

    let edited = api.update(&posted.ts, &card, soon()).await.unwrap();
    assert_eq!((edited.ts, edited.note), (posted.ts, posted.note));
    let message = emulator.slack_messages().pop().unwrap();
    assert_eq!((message.earlier.len(), &message.body["blocks"]), (1, &json!([])));
}

#[tokio::test]
async fn an_edits_text_is_as_long_as_slack_takes_one() {
    let (emulator, api) = with(SlackOptions::default()).await;
    let ts = post(&api, &hello()).await.unwrap().ts;
    let long = format!("begins\n```\n{}", "a line with an ü\n".repeat(1_000));
    api.update(&ts, &json!({"text": long}), soon()).await.unwrap();
    let text = emulator.slack_messages().pop().unwrap().text;
    assert!(text.starts_with("begins\n```\n") && text.ends_with("\n…\n```"), "{text}");
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_not_posted_twice() {
    for is_taken in [true, false] {
        let breaks = Some(SlackBreak { after: 0, is_taken });
        let (emulator, api) = with(SlackOptions { breaks, ..SlackOptions::default() }).await;
        let error = post(&api, &hello()).await.unwrap_err();
        assert!(error.may_have_arrived(), "{error}");
        let told = error.to_string();
        assert!(told.starts_with("the connection to Slack broke off: "), "{told}");
        assert!(told.ends_with("; the message may have arrived"), "{told}");
        assert_eq!(asked(&emulator, "chat.postMessage"), 1);
        assert_eq!(emulator.slack_messages().len(), usize::from(is_taken));
    }
}

#[tokio::test]
async fn a_slow_slack_is_given_up_at_the_deadline_and_not_asked_twice() {
    let slow = Some(Duration::from_mins(10));
    let (emulator, api) = with(SlackOptions { slow, ..SlackOptions::default() }).await;
    let deadline = Deadline::after(Duration::from_millis(300));
    let error = api.post(&hello(), None, false, deadline).await.unwrap_err();
    assert_eq!(error.to_string(), "Slack did not answer in time; the message may have arrived");
    assert_eq!((asked(&emulator, "chat.postMessage"), emulator.slack_messages().len()), (1, 1));
}

#[tokio::test]
async fn an_edit_does_no_harm_twice_and_is_tried_again() {
    let breaks = Some(SlackBreak { after: 1, is_taken: true });
    let (emulator, api) = with(SlackOptions { breaks, ..SlackOptions::default() }).await;
    let ts = post(&api, &hello()).await.unwrap().ts;
    let error = api.update(&ts, &json!({"text": "replaced"}), soon()).await.unwrap_err();
    assert!(!error.may_have_arrived() && error.to_string().contains("broke off"), "{error}");
    assert_eq!((asked(&emulator, "chat.update"), emulator.slack_messages()[0].earlier.len()), (2, 2));
}

/// A server that gives one answer a connection, in order, and keeps what it was sent.
struct Server {
    endpoint: String,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// `{here}` in an answer's body becomes the server's address.
    async fn start(answers: Vec<(&'static str, String)>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (heard, here) = (Arc::new(Mutex::new(Vec::new())), endpoint.clone());
        let kept = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = String::new();
                let mut buffer = [0; 4_096];
                while !is_whole(&request) {
                    let read = stream.read(&mut buffer).await.unwrap();
                    assert!(read > 0, "the request broke off");
                    request.push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
                kept.lock().unwrap().push(request.to_ascii_lowercase());
                let body = body.replace("{here}", &here);
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Server { endpoint, heard, task }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
    body.len() >= length.parse::<usize>().unwrap()
}

const OK: &str = "200 OK";

#[tokio::test]
async fn the_token_goes_to_the_api_and_not_to_the_upload() {
    let server = Server::start(vec![
        (OK, r#"{"ok":true,"file_id":"F1","upload_url":"{here}/upload/v1/x"}"#.to_owned()),
        (OK, "OK - 7".to_owned()),
        (OK, r#"{"ok":true,"files":[]}"#.to_owned()),
    ])
    .await;
    bot(&server.endpoint).upload_png(b"picture", "a", "b", None, soon()).await.unwrap();
    let heard = server.heard();
    let bears: Vec<bool> = heard.iter().map(|request| request.contains(TOKEN)).collect();
    assert_eq!(bears, [true, false, true], "{heard:?}");
    assert!(heard[1].starts_with("post /upload/v1/x ") && heard[1].ends_with("picture"), "{}", heard[1]);
}

#[tokio::test]
async fn an_upload_goes_nowhere_but_to_slack() {
    for url in [
        "https://evil.example/upload",
        "http://files.slack.com/upload/v1/x",
        "https://files.slack.com.evil.example/upload/v1/x",
        "https://files.slack.com:8443/upload/v1/x",
        "http://127.0.0.1:9/upload/v1/x",
        "file:///etc/passwd",
        "",
    ] {
        let answer = json!({"ok": true, "file_id": "F1", "upload_url": url}).to_string();
        let server = Server::start(vec![(OK, answer)]).await;
        let error = bot(&server.endpoint).upload_png(b"picture", "a", "b", None, soon()).await.unwrap_err();
        assert_eq!(error.to_string(), "Slack named an address for the upload that is not its own", "{url}");
    }
}

#[tokio::test]
async fn an_answer_that_repeats_the_token_or_cannot_be_read_does_no_harm() {
    for (status, body, told) in [
        (
            OK,
            json!({"ok": false, "error": TOKEN}).to_string(),
            "Slack refused chat.postMessage (Slack: [token])",
        ),
        (
            OK,
            json!({"ok": false, "error": "missing_scope", "needed": TOKEN}).to_string(),
            "the scope [token]: add it",
        ),
        (OK, json!({"ok": false, "error": "a\nb\u{1b}[31m"}).to_string(), "(Slack: a b [31m)"),
        (OK, "<html>".to_owned(), "Slack's answer cannot be read; the message may have arrived"),
        (OK, "{\"ok\":true".to_owned(), "Slack's answer cannot be read; the message may have arrived"),
        (OK, "{\"ok\":true}".to_owned(), "Slack took the message and did not say where it is"),
        ("302 Found", String::new(), "Slack answered 302 to chat.postMessage: check slack.base_url"),
        ("404 Not Found", TOKEN.to_owned(), "Slack answered 404 to chat.postMessage: check slack.base_url"),
        (
            "504 Gateway Timeout",
            String::new(),
            "Slack did not answer in time: 504; the message may have arrived",
        ),
    ] {
        let server = Server::start(vec![(status, body.clone())]).await;
        let error = post(&bot(&server.endpoint), &hello()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{body}: {error}");
        assert!(!format!("{error} {error:?}").contains("verysecret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_slack_that_cannot_be_reached_says_so_without_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = bot(&endpoint);
    let error = post(&api, &hello()).await.unwrap_err();
    assert!(error.to_string().starts_with("Slack cannot be reached: "), "{error}");
    assert!(!error.may_have_arrived());
    assert!(!format!("{error} {error:?} {api:?}").contains("verysecret"), "{api:?}");
}

#[test]
fn only_a_bots_token_a_channels_id_and_an_address_of_slacks_are_accepted() {
    let new =
        |token: &str, channel: &str, base: &str| SlackApi::new(Secret::new(token), channel, base).map(drop);
    for base in [
        "https://slack.com",
        "https://slack-gov.com/",
        "http://127.0.0.1:4566",
        "http://localhost:4566/",
        "http://host.docker.internal:4566",
    ] {
        assert_eq!(new(TOKEN, "C0123456789", base), Ok(()), "{base}");
    }
    for base in [
        "",
        "slack.com",
        "http://slack.com",
        "https://slack.com:8443",
        "https://slack.com.evil.example",
        "https://slack.com@evil.example",
        "https://someone@slack.com",
        "https://slack.com/api",
        "https://hooks.slack.com",
        "http://169.254.169.254",
    ] {
        assert_eq!(new(TOKEN, "C0123456789", base), Err(SetupError::WrongHost), "{base}");
    }
    for channel in ["", "incidents", "#incidents", "C1", "c0123456789", "U0123456789", "C0123456789\n"] {
        assert_eq!(new(TOKEN, channel, "https://slack.com"), Err(SetupError::NotAChannel), "{channel}");
    }
    for token in [
        "",
        "xoxb-",
        "xoxp-1",
        "xapp-1",
        "xoxb-a b",
        "xoxb-a\u{e4}",
        "https://hooks.slack.com/services/T/B/X",
    ] {
        assert_eq!(new(token, "C0123456789", "https://slack.com"), Err(SetupError::NotABotToken), "{token}");
    }
}

#[test]
fn a_ts_is_read_back_as_it_was_written_and_nothing_else_is_one() {
    let ts: Ts = serde_json::from_str("\"1777867330.000100\"").unwrap();
    assert_eq!(serde_json::to_string(&ts).unwrap(), "\"1777867330.000100\"");
    for text in ["", "1", "1.", ".1", "1.2.3", "now", "1777867330.000100\n"] {
        assert!(Ts::try_from(text.to_owned()).is_err(), "{text:?}");
    }
}
