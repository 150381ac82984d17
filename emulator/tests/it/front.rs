//! The front: signatures, records, lists, the webhook, and the port that is freed.

use std::time::Duration;

use serde_json::{Value, json};
use sre_agent_emulator::{Options, Received};
use tokio::net::TcpListener;

use crate::client::{SIGNATURE, cloudwatch, logs, send, ssm, started, started_with};

#[tokio::test]
async fn a_request_without_a_signature_is_turned_away_in_each_protocol() {
    let emulator = started().await;
    let json_target = ("x-amz-target", "AmazonSSM.GetParameter");
    let reply = send(&emulator, "POST", "/", &[json_target], b"{\"Name\":\"colour\"}").await;
    assert_eq!((reply.status, &reply.json()["__type"]), (403, &json!("MissingAuthenticationTokenException")));
    let bearer = ("authorization", "Bearer abc");
    let reply = send(&emulator, "GET", "/2015-03-31/functions/sorter/versions", &[bearer], b"").await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("x-amzn-errortype"), Some("MissingAuthenticationTokenException"));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let reply = send(&emulator, "POST", "/", &[form], b"Action=Publish&Message=m").await;
    assert!(reply.status == 403 && reply.text().contains("<Code>MissingAuthenticationToken</Code>"));
    let target = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let reply = send(&emulator, "POST", target, &[("smithy-protocol", "rpc-v2-cbor")], b"").await;
    assert_eq!(reply.header("x-amzn-query-error"), Some("MissingAuthenticationToken;Sender"));
    let reply = send(&emulator, "POST", "/model/amazon.nova-pro-v1%3A0/converse", &[], b"{}").await;
    assert_eq!(reply.status, 403);
}

#[tokio::test]
async fn requests_are_kept_in_order_with_cbor_shown_as_json() {
    let emulator = started().await;
    let history = json!({"AlarmName": "a", "StartDate": "2026-05-04T00:00:00.5Z"});
    cloudwatch(&emulator, "DescribeAlarmHistory", history).await;
    logs(&emulator, "FilterLogEvents", json!({"logGroupName": "/none"})).await;
    let times: Vec<(u64, Option<u64>)> =
        emulator.requests().iter().map(|each| (each.arrived_ms, each.answered_ms)).collect();
    let expected = [
        Received {
            service: "cloudwatch".to_owned(),
            action: "DescribeAlarmHistory".to_owned(),
            iam_action: Some("cloudwatch:DescribeAlarmHistory".to_owned()),
            resource: None,
            target: "POST /service/GraniteServiceVersion20100801/operation/DescribeAlarmHistory".to_owned(),
            body: "{\"AlarmName\":\"a\",\"StartDate\":\"2026-05-04T00:00:00.5Z\"}".to_owned(),
            cbor: emulator.requests()[0].cbor.clone(),
            status: Some(200),
            arrived_ms: times[0].0,
            answered_ms: times[0].1,
        },
        Received {
            service: "logs".to_owned(),
            action: "FilterLogEvents".to_owned(),
            iam_action: Some("logs:FilterLogEvents".to_owned()),
            resource: Some("arn:aws:logs:eu-west-1:123456789012:log-group:/none:log-stream:".to_owned()),
            target: "POST /".to_owned(),
            body: "{\"logGroupName\":\"/none\"}".to_owned(),
            cbor: None,
            status: Some(400),
            arrived_ms: times[1].0,
            answered_ms: times[1].1,
        },
    ];
    assert_eq!(emulator.requests(), expected);
    // A map of two members, the first named by nine letters.
    assert!(expected[0].cbor.as_deref().unwrap().starts_with("a269416c61726d4e616d65"));
    let listed = send(&emulator, "GET", "/emulator/requests", &[], b"").await;
    assert_eq!(listed.json(), serde_json::to_value(expected).unwrap());
}

#[tokio::test]
async fn a_latency_that_is_asked_for_stands_between_arrival_and_answer() {
    let latency = Duration::from_millis(30);
    let emulator = started_with(Options { latency, ..Options::default() }).await;
    logs(&emulator, "FilterLogEvents", json!({"logGroupName": "/none"})).await;
    let requests = emulator.requests();
    assert!(requests[0].answered_ms.unwrap() >= requests[0].arrived_ms + 30, "{requests:?}");
}

#[tokio::test]
async fn strangers_are_refused_and_listed() {
    let emulator = started().await;
    let reply = send(&emulator, "GET", "/nowhere?x=1", &[("authorization", SIGNATURE)], b"").await;
    assert_eq!((reply.status, reply.text()), (400, "emulator: unsupported request GET /nowhere?x=1"));
    let stream = send(
        &emulator,
        "POST",
        "/model/amazon.nova-pro-v1%3A0/converse-stream",
        &[("authorization", SIGNATURE)],
        b"{}",
    )
    .await;
    assert_eq!(stream.status, 400);
    let listed = send(&emulator, "GET", "/emulator/unsupported", &[], b"").await.json();
    assert_eq!(
        listed,
        json!([
            "emulator: unsupported request GET /nowhere?x=1",
            "emulator: unsupported Bedrock's POST /model/amazon.nova-pro-v1%3A0/converse-stream",
        ])
    );
    assert_eq!(send(&emulator, "GET", "/emulator/nothing", &[], b"").await.status, 404);
}

#[tokio::test]
async fn the_webhook_keeps_messages_and_shows_them() {
    let emulator = started().await;
    let path = emulator.webhook_url().strip_prefix(&emulator.endpoint()).unwrap().to_owned();
    let headers = [("content-type", "application/json")];
    let reply = send(&emulator, "POST", &path, &headers, b"{\"text\":\"seven <b> errors\"}").await;
    assert_eq!((reply.status, reply.text()), (200, "ok"));
    assert_eq!(emulator.slack_messages()[0].text, "seven <b> errors");
    let listed: Value = send(&emulator, "GET", "/emulator/slack", &[], b"").await.json();
    assert_eq!(listed[0]["text"], "seven <b> errors");
    let page = send(&emulator, "GET", "/slack", &[], b"").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("seven") && !page.text().contains("seven <b> errors"), "it is escaped");
    assert_eq!(emulator.requests()[0].service, "slack");
    assert_eq!(send(&emulator, "GET", "/emulator/published", &[], b"").await.json(), json!([]));
}

#[tokio::test]
async fn a_refused_turn_of_bedrock_stands_among_the_refusals() {
    let emulator = started().await;
    let reply = send(
        &emulator,
        "POST",
        "/model/eu.amazon.nova-pro-v1%3A0/converse",
        &[("authorization", SIGNATURE), ("content-type", "application/json")],
        br#"{"messages":[{"role":"user","content":[{"text":"hello"}]}],"requestMetadata":{"agent":"logs","turn":"3"}}"#,
    )
    .await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("emulator: unsupported"), "{message}");
    assert_eq!(emulator.unsupported(), [message]);
    assert_eq!(emulator.converse_calls().len(), 1);
}

#[tokio::test]
async fn the_port_is_free_after_the_stop_and_after_the_drop() {
    let emulator = started().await;
    let address = emulator.endpoint().strip_prefix("http://").unwrap().to_owned();
    assert_eq!(ssm(&emulator, json!({"Name": "colour"})).await.status, 200);
    emulator.stop().await;
    drop(TcpListener::bind(&address).await.expect("free after the stop"));

    let emulator = started().await;
    let address = emulator.endpoint().strip_prefix("http://").unwrap().to_owned();
    drop(emulator);
    let mut tries = 0;
    while TcpListener::bind(&address).await.is_err() {
        tries += 1;
        assert!(tries < 1000, "the port is still taken");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_to_other_providers_are_kept_without_an_iam_action_and_what_is_refused_is_listed() {
    let emulator = started().await;
    let question = json!({"model": "llama3.1", "messages": [{"role": "user", "content": "What failed?"}]});
    let question = question.to_string();
    let reply = send(&emulator, "POST", "/openai/v1/chat/completions", &[], question.as_bytes()).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert!(reply.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    let headers = [("x-api-key", "sk-ant-local"), ("anthropic-version", "2023-06-01")];
    let reply = send(&emulator, "POST", "/anthropic/v1/messages", &headers, b"{\"stream\":true}").await;
    assert_eq!(reply.json()["error"]["message"], "emulator: unsupported: stream");
    assert_eq!(reply.header("request-id"), reply.json()["request_id"].as_str());
    let kept: Vec<_> =
        emulator.requests().into_iter().map(|r| (r.service, r.action, r.iam_action, r.status)).collect();
    let row =
        |service: &str, action: &str, status| (service.to_owned(), action.to_owned(), None, Some(status));
    assert_eq!(kept, [row("openai", "CreateChatCompletion", 404), row("anthropic", "CreateMessage", 400)]);
    assert_eq!(emulator.unsupported(), ["emulator: unsupported: stream"]);
    let reply = send(&emulator, "GET", "/anthropic/v1/models", &headers, b"").await;
    assert_eq!(reply.text(), "emulator: unsupported request GET /anthropic/v1/models");
}
