//! Slack's Web API over the socket: what it shows, and how it fails.

use serde_json::{Value, json};
use sre_agent_emulator::{Emulator, Fault, FaultKind, Options, SlackBreak, SlackOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Reply, send, started, started_with};

async fn call(emulator: &Emulator, method: &str, arguments: &Value) -> Reply {
    let authorization = format!("Bearer {}", emulator.slack_token());
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    send(emulator, "POST", &format!("/api/{method}"), &headers, arguments.to_string().as_bytes()).await
}

#[tokio::test]
async fn webhook_and_bot_write_into_one_channel_and_a_picture_is_uploaded_where_the_answer_says() {
    let emulator = started().await;
    let path = emulator.webhook_url().strip_prefix(&emulator.endpoint()).unwrap().to_owned();
    send(&emulator, "POST", &path, &[], b"{\"text\":\"by the webhook\"}").await;
    let posted =
        call(&emulator, "chat.postMessage", &json!({"channel": "C0123456789", "text": "by the bot"})).await;
    let ts = posted.json()["ts"].as_str().unwrap().to_owned();
    assert_eq!(ts, format!("{}.000200", emulator.scenario().as_of().as_second()));

    let picture = b"\x89PNG\r\n\x1a\n...";
    let begun = json!({"filename": "a.png", "length": picture.len()});
    let begun = call(&emulator, "files.getUploadURLExternal", &begun).await.json();
    let upload = begun["upload_url"].as_str().unwrap().strip_prefix(&emulator.endpoint()).unwrap().to_owned();
    assert_eq!(send(&emulator, "POST", &upload, &[], picture).await.text(), "OK - 11");
    let done = json!({"files": [{"id": begun["file_id"]}], "channel_id": "C0123456789", "thread_ts": ts});
    assert_eq!(call(&emulator, "files.completeUploadExternal", &done).await.json()["ok"], true);

    let page = send(&emulator, "GET", "/slack", &[], b"").await;
    for part in ["by the webhook", "by the bot", "1 reply", "data:image/png;base64,"] {
        assert!(page.text().contains(part), "{part}");
    }
    let listed = send(&emulator, "GET", "/emulator/slack", &[], b"").await.json();
    assert_eq!((&listed[2]["thread_ts"], &listed[2]["files"][0]["size"]), (&json!(ts), &json!(11)));
    let asked: Vec<_> =
        emulator.requests().into_iter().map(|request| (request.action, request.body)).collect();
    assert_eq!(asked[3], ("upload".to_owned(), "(11 bytes)".to_owned()));
    assert_eq!(asked[1].0, "chat.postMessage");
}

#[tokio::test]
async fn faults_by_name_and_an_unknown_method_reach_slack_as_well() {
    let fault = |kind| Fault { action: "slack:auth.test".to_owned(), kind, times: Some(1) };
    let faults =
        vec![fault(FaultKind::Throttled), fault(FaultKind::InternalError), fault(FaultKind::Overloaded)];
    let emulator = started_with(Options { faults, ..Options::default() }).await;
    for (status, error) in [(429, "ratelimited"), (200, "internal_error"), (503, "service_unavailable")] {
        let reply = call(&emulator, "auth.test", &json!({})).await;
        assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)));
    }
    assert_eq!(call(&emulator, "auth.test", &json!({})).await.json()["ok"], true);
    assert_eq!(call(&emulator, "conversations.list", &json!({})).await.status, 400);
    assert_eq!(emulator.unsupported(), ["emulator: unsupported Slack method conversations.list"]);
}

#[tokio::test]
async fn a_connection_that_breaks_off_sends_nothing_and_the_message_is_there() {
    let breaks = Some(SlackBreak { after: 0, is_taken: true });
    let slack = SlackOptions { breaks, ..SlackOptions::default() };
    let emulator = started_with(Options { slack, ..Options::default() }).await;
    let address = emulator.endpoint().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let body = "channel=C0123456789&text=hello";
    let head = format!(
        "POST /api/chat.postMessage HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer xoxb-1\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut received = Vec::new();
    // Closed or reset: either way nothing came.
    let _ended = stream.read_to_end(&mut received).await;
    assert_eq!(received, b"");
    assert_eq!(emulator.slack_messages()[0].text, "hello");
}
