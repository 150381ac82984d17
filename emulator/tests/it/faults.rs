//! Denials and faults, in each service's own words.

use std::time::Duration;

use serde_json::json;
use sre_agent_emulator::{Emulator, Fault, FaultKind, Options};
use tokio::time::timeout;

use crate::client::{Reply, SIGNATURE, cloudwatch, lambda, logs, send, sns, ssm, started_with};

const ACTIONS: [&str; 6] = [
    "cloudwatch:ListMetrics",
    "logs:FilterLogEvents",
    "lambda:ListAliases",
    "ssm:GetParameter",
    "sns:Publish",
    "bedrock:InvokeModel",
];

async fn one_of_each(emulator: &Emulator) -> [Reply; 6] {
    let topic = "arn:aws:sns:eu-west-1:123456789012:findings";
    [
        cloudwatch(emulator, "ListMetrics", json!({})).await,
        logs(emulator, "FilterLogEvents", json!({"logGroupName": "/aws/lambda/sorter"})).await,
        lambda(emulator, "/2015-03-31/functions/sorter/aliases").await,
        ssm(emulator, json!({"Name": "colour"})).await,
        sns(emulator, &[("Action", "Publish"), ("TopicArn", topic), ("Message", "m")]).await,
        send(
            emulator,
            "POST",
            "/model/eu.amazon.nova-pro-v1%3A0/converse",
            &[("authorization", SIGNATURE), ("content-type", "application/json")],
            br#"{"messages":[{"role":"user","content":[{"text":"hello"}]}]}"#,
        )
        .await,
    ]
}

fn faults(kind: FaultKind, times: Option<u32>) -> Vec<Fault> {
    ACTIONS.iter().map(|action| Fault { action: (*action).to_owned(), kind, times }).collect()
}

#[tokio::test]
async fn denied_actions_are_worded_as_each_service_words_them() {
    let denied = ACTIONS.iter().map(|action| (*action).to_owned()).collect();
    let emulator = started_with(Options { denied, ..Options::default() }).await;
    let [metrics, events, aliases, parameter, publish, converse] = one_of_each(&emulator).await;
    let text = |action: &str, resource: &str| {
        format!(
            "User: arn:aws:sts::123456789012:assumed-role/sre-agent/sre-agent is not authorized to perform: {action}\
             {resource} because no identity-based policy allows the {action} action"
        )
    };
    assert_eq!((metrics.status, metrics.header("x-amzn-query-error")), (403, Some("AccessDenied;Sender")));
    assert_eq!(metrics.cbor()["message"], text("cloudwatch:ListMetrics", ""));
    assert_eq!((events.status, &events.json()["__type"]), (400, &json!("AccessDeniedException")));
    let group = " on resource: arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/sorter:log-stream:";
    assert_eq!(events.json()["message"], text("logs:FilterLogEvents", group));
    assert_eq!((aliases.status, aliases.header("x-amzn-errortype")), (403, Some("AccessDeniedException")));
    let function = " on resource: arn:aws:lambda:eu-west-1:123456789012:function:sorter";
    assert_eq!(aliases.json()["message"], text("lambda:ListAliases", function));
    assert_eq!((parameter.status, &parameter.json()["__type"]), (400, &json!("AccessDeniedException")));
    let name = " on resource: arn:aws:ssm:eu-west-1:123456789012:parameter/colour";
    assert_eq!(parameter.json()["message"], text("ssm:GetParameter", name));
    assert_eq!(publish.status, 403);
    let topic = " on resource: arn:aws:sns:eu-west-1:123456789012:findings";
    let expected =
        format!("<Code>AuthorizationError</Code><Message>{}</Message>", text("SNS:Publish", topic));
    assert!(publish.text().contains(&expected), "{}", publish.text());
    assert_eq!((converse.status, converse.header("x-amzn-errortype")), (403, Some("AccessDeniedException")));
    let model =
        " on resource: arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0";
    assert_eq!(converse.json()["message"], text("bedrock:InvokeModel", model));
    assert_eq!(emulator.published(), []);
}

#[tokio::test]
async fn a_counted_throttle_ends_and_the_call_is_answered() {
    let emulator =
        started_with(Options { faults: faults(FaultKind::Throttled, Some(1)), ..Options::default() }).await;
    let throttled = one_of_each(&emulator).await;
    assert_eq!(throttled.each_ref().map(|reply| reply.status), [400, 400, 429, 400, 400, 429]);
    let [metrics, events, aliases, parameter, publish, converse] = throttled;
    assert_eq!(metrics.header("x-amzn-query-error"), Some("Throttling;Sender"));
    assert_eq!(events.json(), json!({"__type": "ThrottlingException", "message": "Rate exceeded"}));
    assert_eq!(aliases.header("x-amzn-errortype"), Some("TooManyRequestsException"));
    assert_eq!(parameter.json()["__type"], "ThrottlingException");
    assert!(publish.text().contains("<Code>Throttling</Code>"));
    assert_eq!(converse.header("x-amzn-errortype"), Some("ThrottlingException"));
    let [metrics, events, aliases, parameter, publish, _] = one_of_each(&emulator).await;
    for reply in [metrics, events, aliases, parameter, publish] {
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn an_internal_error_is_a_500_in_each_protocol() {
    let emulator =
        started_with(Options { faults: faults(FaultKind::InternalError, None), ..Options::default() }).await;
    for _ in 0..2 {
        let [metrics, events, aliases, parameter, publish, converse] = one_of_each(&emulator).await;
        assert_eq!(
            (metrics.status, metrics.header("x-amzn-query-error")),
            (500, Some("InternalServiceError;Receiver"))
        );
        assert_eq!((events.status, &events.json()["__type"]), (500, &json!("ServiceUnavailableException")));
        assert_eq!((aliases.status, aliases.header("x-amzn-errortype")), (500, Some("ServiceException")));
        assert_eq!((parameter.status, &parameter.json()["__type"]), (500, &json!("InternalServerError")));
        assert!(publish.status == 500 && publish.text().contains("<Code>InternalError</Code>"));
        assert_eq!(
            (converse.status, converse.header("x-amzn-errortype")),
            (500, Some("InternalServerException"))
        );
    }
}

#[tokio::test]
async fn a_hanging_call_is_seen_but_not_answered_and_does_not_hold_up_the_stop() {
    let emulator = started_with(Options {
        faults: vec![Fault { action: "logs:*".to_owned(), kind: FaultKind::Hang, times: None }],
        ..Options::default()
    })
    .await;
    let call = logs(&emulator, "DescribeLogGroups", json!({}));
    assert!(timeout(Duration::from_millis(200), call).await.is_err(), "it must hang");
    let received = emulator.requests();
    assert_eq!((received.len(), received[0].status), (1, None));
    assert_eq!(ssm(&emulator, json!({"Name": "colour"})).await.status, 200, "others are not held up");
    timeout(Duration::from_secs(3), emulator.stop()).await.expect("the stop ends");
}
