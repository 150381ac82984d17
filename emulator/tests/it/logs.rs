//! CloudWatch Logs: groups, streams, and events by window, stream and pattern.

use serde_json::{Value, json};
use sre_agent_emulator::{Emulator, Options, Paging};

use crate::client::{logs, started, started_with};

const GROUP: &str = "/aws/lambda/sorter";
/// 2026-05-04T11:58:00Z.
const T: i64 = 1_777_895_880_000;

fn messages(output: &Value) -> Vec<&str> {
    output["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].as_str().unwrap().trim())
        .collect()
}

async fn found(emulator: &Emulator, more: Value) -> Vec<String> {
    let mut input = json!({"logGroupName": GROUP});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = logs(emulator, "FilterLogEvents", input).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    messages(&reply.json()).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn both_ends_of_the_window_are_inside_it() {
    let emulator = started().await;
    assert_eq!(
        found(&emulator, json!({"startTime": T + 250, "endTime": T + 1000})).await,
        ["INFO sorted 12 letters", "ERROR Invoke Error {\"errorType\":\"TypeError\"}"]
    );
    assert_eq!(
        found(&emulator, json!({"startTime": T + 251, "endTime": T + 999})).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn what_is_too_old_or_has_not_arrived_is_not_there() {
    let emulator = started().await;
    // The group keeps 14 days; as of 12:00:30 the lag hides what came after 12:00:25.
    let errors = found(&emulator, json!({"filterPattern": "ERROR"})).await;
    assert_eq!(errors.len(), 3);
    assert_eq!(errors[2], "ERROR just arrived");
    let kept = logs(&emulator, "FilterLogEvents", json!({"logGroupName": "/audit"})).await.json();
    assert_eq!(messages(&kept), ["ERROR kept for ever"]);
}

#[tokio::test]
async fn patterns_and_streams_narrow_together() {
    let emulator = started().await;
    let narrowed = json!({"filterPattern": "?TypeError ?slow", "logStreamNamePrefix": "2026/05/04/[7]"});
    assert_eq!(found(&emulator, narrowed).await, ["WARN slow shelf"]);
    let named = json!({"filterPattern": "\"Invoke Error\" -Range", "logStreamNames": ["2026/05/04/[8]bbbb"]});
    assert_eq!(found(&emulator, named).await, ["ERROR Invoke Error {\"errorType\":\"TypeError\"}"]);
}

#[tokio::test]
async fn pages_follow_their_token_also_backwards() {
    let emulator = started().await;
    let mut input = json!({"logGroupName": GROUP, "startTime": T, "startFromHead": false, "limit": 2});
    let first = logs(&emulator, "FilterLogEvents", input.clone()).await.json();
    assert_eq!(messages(&first), ["ERROR just arrived", "ERROR Invoke Error {\"errorType\":\"RangeError\"}"]);
    // The token keeps the direction, whatever the second request says of it.
    input["nextToken"] = first["nextToken"].clone();
    input["startFromHead"] = json!(true);
    input["limit"] = json!(3);
    let second = logs(&emulator, "FilterLogEvents", input.clone()).await.json();
    assert_eq!(messages(&second)[0], "WARN slow shelf");
    assert_eq!(messages(&second).len(), 3);
    input["nextToken"] = second["nextToken"].clone();
    let third = logs(&emulator, "FilterLogEvents", input.clone()).await.json();
    assert_eq!(messages(&third), ["START RequestId: 1"]);
    assert_eq!(third.get("nextToken"), None);
    input["filterPattern"] = json!("other");
    assert_eq!(logs(&emulator, "FilterLogEvents", input).await.status, 400);
}

#[tokio::test]
async fn a_first_page_may_be_empty_and_have_a_successor() {
    let paging = Paging { empty_log_page_first: true, log_events: 4, ..Paging::default() };
    let emulator = started_with(Options { paging: Some(paging), ..Options::default() }).await;
    let mut input = json!({"logGroupName": GROUP});
    let mut sizes = Vec::new();
    loop {
        let output = logs(&emulator, "FilterLogEvents", input.clone()).await.json();
        sizes.push(messages(&output).len());
        match output.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(sizes, [0, 4, 2]);
}

#[tokio::test]
async fn events_carry_what_aws_gives_them() {
    let emulator = started().await;
    let output =
        logs(&emulator, "FilterLogEvents", json!({"logGroupName": GROUP, "startTime": T, "limit": 1}))
            .await
            .json();
    let event = &output["events"][0];
    assert_eq!(event["timestamp"], T);
    assert_eq!(event["ingestionTime"], T + 5000);
    assert_eq!(event["logStreamName"], "2026/05/04/[7]aaaa");
    assert_eq!(event["message"], "START RequestId: 1\n");
    let id = event["eventId"].as_str().unwrap();
    assert!(id.len() == 56 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert_eq!(output["searchedLogStreams"], json!([]));
}

#[tokio::test]
async fn groups_are_found_by_prefix_and_by_part_of_their_name() {
    let emulator = started().await;
    let listed = async |input: Value| {
        let output = logs(&emulator, "DescribeLogGroups", input).await.json();
        let groups = output["logGroups"].as_array().unwrap().clone();
        groups.iter().map(|group| group["logGroupName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        listed(json!({})).await,
        ["/audit", "/aws/lambda/sorter", "/aws/lambda/sorter-archive"],
        "/tomorrow is not made yet"
    );
    assert_eq!(listed(json!({"logGroupNamePrefix": "/aws/"})).await.len(), 2);
    assert_eq!(listed(json!({"logGroupNamePattern": "archive"})).await, ["/aws/lambda/sorter-archive"]);
    assert_eq!(listed(json!({"logGroupClass": "INFREQUENT_ACCESS"})).await.len(), 1);
    let first = logs(&emulator, "DescribeLogGroups", json!({"limit": 2})).await.json();
    assert_eq!(listed(json!({"limit": 2, "nextToken": first["nextToken"]})).await.len(), 1);
    let described = logs(&emulator, "DescribeLogGroups", json!({"logGroupNamePrefix": GROUP})).await.json();
    let group = &described["logGroups"][0];
    assert_eq!(group["arn"], "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/sorter:*");
    assert_eq!(group["retentionInDays"], 14);
    assert_eq!(group["creationTime"], 1_767_323_045_000_i64);
    let by_pattern =
        logs(&emulator, "DescribeLogGroups", json!({"logGroupNamePattern": "sorter"})).await.json();
    assert_eq!(
        by_pattern["logGroups"][0].get("retentionInDays"),
        None,
        "a pattern search tells three members"
    );
}

#[tokio::test]
async fn streams_are_listed_by_name_or_by_their_last_event() {
    let emulator = started().await;
    let by_name = logs(&emulator, "DescribeLogStreams", json!({"logGroupName": GROUP})).await.json();
    let names: Vec<&Value> =
        by_name["logStreams"].as_array().unwrap().iter().map(|stream| &stream["logStreamName"]).collect();
    assert_eq!(names, ["2026/05/04/[7]aaaa", "2026/05/04/[8]bbbb"], "[6]cccc is past its retention");
    assert_eq!(by_name["logStreams"][0]["firstEventTimestamp"], T);
    assert_eq!(by_name["logStreams"][0]["lastEventTimestamp"], T + 1500);
    let newest = json!({"logGroupName": GROUP, "orderBy": "LastEventTime", "descending": true, "limit": 1});
    let newest = logs(&emulator, "DescribeLogStreams", newest).await.json();
    assert_eq!(newest["logStreams"][0]["logStreamName"], "2026/05/04/[8]bbbb");
    assert!(newest.get("nextToken").is_some());
    let both = json!({"logGroupName": GROUP, "orderBy": "LastEventTime", "logStreamNamePrefix": "2026"});
    assert_eq!(logs(&emulator, "DescribeLogStreams", both).await.status, 400);
}

#[tokio::test]
async fn what_aws_refuses_is_refused_in_its_words() {
    let emulator = started().await;
    let cases = [
        (json!({"logGroupName": "/none"}), "ResourceNotFoundException", "log group does not exist"),
        (json!({"logGroupName": "/tomorrow"}), "ResourceNotFoundException", "log group does not exist"),
        (
            json!({"logGroupName": GROUP, "logStreamNames": ["none"]}),
            "ResourceNotFoundException",
            "log stream",
        ),
        (json!({}), "InvalidParameterException", "must be specified"),
        (json!({"logGroupName": GROUP, "limit": 10_001}), "InvalidParameterException", "10000"),
        (
            json!({"logGroupName": GROUP, "startTime": 2, "endTime": 1}),
            "InvalidParameterException",
            "endTime",
        ),
        (
            json!({"logGroupName": GROUP, "logStreamNames": ["a"], "logStreamNamePrefix": "a"}),
            "InvalidParameterException",
            "together",
        ),
        (json!({"logGroupName": GROUP, "startFromHead": false}), "InvalidParameterException", "2024"),
        (
            json!({"logGroupName": GROUP, "filterPattern": "a.b"}),
            "InvalidParameterException",
            "Invalid character",
        ),
        (json!({"logGroupName": GROUP, "startTime": "now"}), "SerializationException", "invalid type"),
    ];
    for (input, code, words) in cases {
        let reply = logs(&emulator, "FilterLogEvents", input).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.header("content-type"), Some("application/x-amz-json-1.1"));
        let error = reply.json();
        assert_eq!(error["__type"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
    }
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_outside_the_subset_is_refused_and_kept() {
    let emulator = started().await;
    let cases = [
        ("FilterLogEvents", json!({"logGroupName": GROUP, "filterPattern": "{ $.level = \"error\" }"})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/sorter-archive"})),
        ("FilterLogEvents", json!({"logGroupName": GROUP, "unmask": true})),
        ("FilterLogEvents", json!({"logGroupName": GROUP, "colour": "blue"})),
        ("StartQuery", json!({"queryString": "fields @message", "startTime": 0, "endTime": 1})),
        ("GetLogEvents", json!({})),
    ];
    for (place, (operation, input)) in cases.into_iter().enumerate() {
        let reply = logs(&emulator, operation, input).await;
        assert_eq!(reply.status, 400);
        assert!(reply.json()["message"].as_str().unwrap().starts_with("emulator: unsupported "));
        assert_eq!(emulator.unsupported().len(), place + 1);
    }
}
