//! Alarms out of every envelope they come in, and what is ignored with a reason.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::alarm::AlarmState;

const SINGLE: &str =
    include_str!("../../../tests/fixtures/alarms/cloudwatch-alarm-sns-payload-single-metric.json");
const MULTIPLE: &str =
    include_str!("../../../tests/fixtures/alarms/cloudwatch-alarm-sns-payload-multiple-metrics.json");
const NOT_AN_ALARM: &str = include_str!("../../../tests/fixtures/alarms/sns-event.json");
const DIRECT: &str = include_str!("../../../tests/fixtures/alarms/cloudwatch-alarm-metric.json");
const DIRECT_COMPOSITE: &str = include_str!("../../../tests/fixtures/alarms/cloudwatch-alarm-composite.json");
const EVENT_BRIDGE: &str =
    include_str!("../../../tests/fixtures/alarms/cloudwatch-alarm-composite-with-suppressor-alarm.json");

/// What was made of each record, a line each.
fn told(event: &[u8]) -> Vec<String> {
    parse_event(event)
        .records
        .into_iter()
        .map(|record| match record {
            WakeUp::Alarm(alarm) => format!("alarm {}", alarm.name),
            WakeUp::Manual { alarm_name, question: None } => format!("manual {alarm_name}"),
            WakeUp::Manual { alarm_name, question: Some(question) } => format!("{alarm_name}: {question}"),
            WakeUp::Silenced { by, wake_up } => match *wake_up {
                WakeUp::Alarm(alarm) => format!("the alarm {} {}", alarm.name, by.as_str()),
                other => format!("{other:?} {}", by.as_str()),
            },
            WakeUp::Ignored { reason } => reason,
        })
        .collect()
}

fn message() -> Value {
    json!({
        "AlarmName": "svc-5xx", "AlarmDescription": null, "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2026-09-14T11:18:43.496+0000", "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: 1 out of the last 1 datapoints [51.0 (14/09/26 11:17:00)] was greater than the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition).",
        "StateChangeTime": "2026-09-14T11:18:44.401+0000", "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:svc-5xx", "OldStateValue": "INSUFFICIENT_DATA",
        "ActionExecutedAfterMuteWindow": false, "OKActions": [],
        "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:t"], "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "StatisticType": "Statistic",
            "Statistic": "AVERAGE", "Unit": "Percent", "Dimensions": [{"value": "i-0abc", "name": "InstanceId"}],
            "Period": 300, "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold", "Threshold": 50.0, "TreatMissingData": "ignore",
            "EvaluateLowSampleCountPercentile": "",
        },
    })
}

fn record(subject: Option<&str>, message: &str) -> Value {
    json!({
        "EventSource": "aws:sns", "EventVersion": "1.0",
        "EventSubscriptionArn": "arn:aws:sns:us-east-1:123456789012:t:95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "Sns": {
            "Type": "Notification", "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Subject": subject, "Message": message,
            "Timestamp": "2026-09-14T11:18:44.452Z", "SignatureVersion": "1", "Signature": "EXAMPLE",
            "SigningCertUrl": "EXAMPLE", "UnsubscribeUrl": "EXAMPLE", "MessageAttributes": {},
        },
    })
}

fn event(records: &[Value]) -> Vec<u8> {
    json!({ "Records": records }).to_string().into_bytes()
}

#[test]
fn the_published_samples_are_read_or_refused_by_name() {
    assert_eq!(told(SINGLE.as_bytes()), ["alarm EXAMPLE"]);
    assert_eq!(told(MULTIPLE.as_bytes()), ["alarm EXAMPLE", "alarm EXAMPLE"]);
    assert_eq!(told(NOT_AN_ALARM.as_bytes()), ["SNS message 'Greetings' is not a CloudWatch alarm"]);
    assert_eq!(told(DIRECT.as_bytes()), ["alarm lambda-demo-metric-alarm"]);
    assert_eq!(told(DIRECT_COMPOSITE.as_bytes()), ["alarm CompositeDemo.Main"]);
    let suppressed = "the alarm ServiceAggregatedAlarm has its actions suppressed";
    assert_eq!(told(EVENT_BRIDGE.as_bytes()), [suppressed]);
}

#[test]
fn an_alarm_is_the_same_in_an_envelope_and_bare() {
    let text = message().to_string();
    let wrapped = parse_event(&event(&[record(Some("ALARM: \"svc-5xx\" in US East (N. Virginia)"), &text)]));
    let bare = parse_event(text.as_bytes());
    assert_eq!(wrapped, bare);
    assert_eq!(told(text.as_bytes()), ["alarm svc-5xx"]);
}

#[test]
fn a_person_may_ask_by_name_or_arn() {
    assert_eq!(told(br#"{"alarmName": " invoice-render-errors "}"#), ["manual invoice-render-errors"]);
    let arn = json!({"alarmName": "arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:a:b \u{e9}"});
    assert_eq!(told(arn.to_string().as_bytes()), ["manual a:b \u{e9}"]);
    let long = json!({"alarmName": "x".repeat(256)}).to_string();
    for nothing in [r#"{"alarmName": ""}"#, r#"{"alarmName": null}"#, r#"{"alarmName": 7}"#, long.as_str()] {
        let [reason] = &told(nothing.as_bytes())[..] else { panic!("one record") };
        assert!(reason.starts_with("alarmName is not a text of 1 to 255 characters"), "{reason}");
    }
}

#[test]
fn a_question_comes_with_the_name_of_an_alarm() {
    let asked = |question: Value| {
        told(json!({"alarmName": "svc-5xx", "question": question}).to_string().as_bytes()).remove(0)
    };
    assert_eq!(asked(json!("  Since when\n does it fail? ")), "svc-5xx: Since when does it fail?");
    for none in [json!(null), json!(""), json!("  ")] {
        assert_eq!(asked(none), "manual svc-5xx");
    }
    for wrong in [json!(7), json!(["why"]), json!("x".repeat(501))] {
        assert_eq!(asked(wrong), "question is not a text of at most 500 characters");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(told(b""), ["the event is empty"]);
    assert_eq!(told(b" \n"), ["the event is empty"]);
    assert_eq!(
        told(br#"{"Records": [{"Sns": {"Mess"#),
        ["the event is truncated JSON: EOF while parsing a string at line 1 column 27"]
    );
    assert_eq!(told(b"hello"), ["the event is not JSON: expected value at line 1 column 1"]);
    assert_eq!(told(b"\xff\xfe{}"), ["the event is not JSON: expected value at line 1 column 1"]);
    assert_eq!(told(b"[1]"), [format!("the event is not a JSON object; {ACCEPTED}")]);
    assert_eq!(told(b"{}"), [format!("the event has an unknown shape; {ACCEPTED}")]);
    assert_eq!(told(br#"{"Records": []}"#), ["the event's Records hold nothing"]);
    assert_eq!(told(br#"{"Records": null}"#), ["the event's Records hold nothing"]);
    let queued = |body: &str| {
        told(json!({"Records": [{"eventSource": "aws:sqs", "body": body}]}).to_string().as_bytes()).remove(0)
    };
    assert_eq!(queued("{}"), format!("the event has an unknown shape; {ACCEPTED}"));
    assert_eq!(queued("[1]"), format!("a queue's message is not a JSON object; {ACCEPTED}"));
    assert_eq!(queued(""), "a queue's message: the event is empty");
    assert!(queued("{\"AlarmName\": ").starts_with("a queue's message: the event is truncated JSON"));
    assert_eq!(told(br#"{"Records": [{"eventSource": "aws:sqs"}]}"#), ["a queue's message is empty"]);
}

#[test]
fn an_sns_message_that_is_no_alarm_is_named_by_its_subject() {
    let cases = [
        (Some("Greetings"), "Hello\r\nworld!", "SNS message 'Greetings' is not a CloudWatch alarm"),
        (Some("RDS"), r#"{"Event Source":"db-instance"}"#, "SNS message 'RDS' is not a CloudWatch alarm"),
        (Some("Numbers"), "[1,2]", "SNS message 'Numbers' is not a CloudWatch alarm"),
        (None, "42", "SNS message without a subject is not a CloudWatch alarm"),
        (Some("  "), "", "SNS message without a subject is not a CloudWatch alarm"),
        (
            Some("ALARM"),
            r#"{"AlarmName": "svc"#,
            "SNS message 'ALARM' is truncated JSON: EOF while parsing a string at line 1 column 18",
        ),
        // A line break in a subject would forge a second log line.
        (Some("a\nERROR b"), "x", "SNS message 'a ERROR b' is not a CloudWatch alarm"),
    ];
    for (subject, message, expected) in cases {
        assert_eq!(told(&event(&[record(subject, message)])), [expected]);
    }
}

#[test]
fn a_bad_record_never_takes_the_others_with_it() {
    let good = record(None, &message().to_string());
    let bad = [
        json!(null),
        json!("text"),
        json!({}),
        json!({"EventSource": "aws:sns", "Sns": null}),
        json!({"EventSource": "aws:sns", "Sns": {"Message": null}}),
        record(Some("x"), "{"),
    ];
    for bad in bad {
        let told = told(&event(&[bad.clone(), good.clone(), bad.clone()]));
        assert_eq!(told.len(), 3, "{bad}");
        assert_eq!(told[1], "alarm svc-5xx", "{bad}");
        assert_eq!(told[0], told[2], "{bad}");
        assert!(!told[0].starts_with("alarm ") && !told[0].is_empty(), "{bad}: {}", told[0]);
    }
}

#[test]
fn a_message_of_300_kilobytes_is_read_and_what_is_kept_of_it_is_bounded() {
    let mut message = message();
    message["AlarmDescription"] = json!("d".repeat(100_000));
    message["NewStateReason"] = json!("r".repeat(100_000));
    message["Surprise"] = json!("s".repeat(100_000));
    let records = parse_event(&event(&[record(None, &message.to_string())])).records;
    let [WakeUp::Alarm(alarm)] = &records[..] else { panic!("one alarm") };
    for kept in [alarm.description.as_ref().unwrap(), &alarm.reason, &alarm.other_fields["Surprise"]] {
        assert_eq!(kept.chars().count(), 4_001);
        assert!(kept.ends_with('…'));
    }
}

#[test]
fn a_name_that_no_alarm_can_have_is_refused_in_every_shape() {
    let mut message = message();
    message["AlarmName"] = json!("n".repeat(256));
    let changed = state_change(|event| event["detail"]["alarmName"] = json!("n".repeat(256)));
    for event in [event(&[record(None, &message.to_string())]), changed.to_string().into_bytes()] {
        assert_eq!(told(&event), ["an alarm's name is longer than CloudWatch allows"]);
    }
    message["AlarmName"] = json!("\u{e4}".repeat(255));
    assert!(told(&event(&[record(None, &message.to_string())]))[0].starts_with("alarm \u{e4}"));
}

#[test]
fn an_event_beyond_what_lambda_takes_is_refused_with_its_size() {
    let mut event = b"{\"alarmName\":\"".to_vec();
    event.resize(MOST_BYTES + 1, b'x');
    assert_eq!(told(&event), ["the event has 6291457 bytes, more than the 6291456 that are read"]);
}

#[test]
fn json_nested_without_end_does_not_overflow_the_stack() {
    let deep = "[".repeat(100_000);
    let [reason] = &told(deep.as_bytes())[..] else { panic!("one record") };
    assert!(reason.starts_with("the event is not JSON: recursion limit exceeded"), "{reason}");
    let inside = told(&event(&[record(Some("deep"), &deep)]));
    assert_eq!(inside, ["SNS message 'deep' is not a CloudWatch alarm"]);
}

/// Every path to a value of a JSON document, outer ones too.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut go = |key: &str, inner: &Value| {
        let path = format!("{at}/{key}");
        found.push(path.clone());
        paths(inner, &path, found);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| go(key, inner)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| go(&index.to_string(), inner));
        }
        _ => {}
    }
}

fn without(document: &Value, path: &str) -> Value {
    let mut document = document.clone();
    let (parent, key) = path.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(map) => {
            map.remove(key);
        }
        Value::Array(items) => {
            items.remove(key.parse().unwrap());
        }
        _ => panic!("{parent} holds nothing"),
    }
    document
}

fn with(document: &Value, path: &str, value: Value) -> Value {
    let mut document = document.clone();
    *document.pointer_mut(path).unwrap() = value;
    document
}

fn math() -> Value {
    let mut message = message();
    message["Trigger"] = json!({
        "Period": 60, "EvaluationPeriods": 1, "DatapointsToAlarm": 1, "ThresholdMetricId": null,
        "ComparisonOperator": "GreaterThanThreshold", "Threshold": 50.0, "TreatMissingData": "ignore",
        "Metrics": [
            {"Id": "m1", "Label": "CPU", "MetricStat": {"Metric": {"Dimensions": [], "MetricName": "CPUUtilization",
             "Namespace": "AWS/EC2"}, "Period": 60, "Stat": "Average"}, "ReturnData": false},
            {"Expression": "m1 + 0", "Id": "e1", "ReturnData": true, "Period": 60},
        ],
    });
    message
}

fn composite() -> Value {
    let mut message = message();
    let map = message.as_object_mut().unwrap();
    map.remove("Trigger");
    map.insert("AlarmRule".into(), json!("ALARM(\"child\")"));
    map.insert(
        "TriggeringChildren".into(),
        json!([{"Arn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:child",
                "State": {"Value": "ALARM", "Timestamp": "2026-09-14T11:18:52.496+0000"}}]),
    );
    message
}

fn contributor() -> Value {
    let mut message = message();
    let map = message.as_object_mut().unwrap();
    map.insert("AlarmContributorId".into(), json!("0f1e2d3c4b5a6978"));
    map.insert("AlarmContributorAttributes".into(), json!({"Team": "a"}));
    message
}

#[test]
fn any_one_field_of_an_alarm_message_may_be_absent_null_or_of_another_type() {
    for message in [message(), math(), composite(), contributor()] {
        let mut all = Vec::new();
        paths(&message, "", &mut all);
        assert!(all.len() > 15);
        for path in &all {
            let mut variants = vec![without(&message, path)];
            for odd in [json!(null), json!(-1.5), json!(true), json!(""), json!([[]]), json!({"a": {}})] {
                variants.push(with(&message, path, odd));
            }
            for variant in variants {
                let text = variant.to_string();
                for event in [event(&[record(None, &text)]), text.clone().into_bytes()] {
                    let records = parse_event(&event).records;
                    match &records[..] {
                        [WakeUp::Alarm(alarm)] => {
                            assert_eq!(alarm.name, read_name(&variant), "{path}: {text}");
                        }
                        // Without a state or its time CloudWatch is asked.
                        [WakeUp::Manual { alarm_name, question: None }] => {
                            assert_eq!(alarm_name, "svc-5xx");
                            assert!(path == "/NewStateValue" || path == "/StateChangeTime", "{path}: {text}");
                        }
                        other => panic!("{path}: {text} gave {other:?}"),
                    }
                }
            }
        }
    }
}

/// A number is taken for a name; anything else that is no name leaves the ARN's.
fn read_name(message: &Value) -> String {
    match &message["AlarmName"] {
        Value::Number(number) => number.to_string(),
        _ => "svc-5xx".to_owned(),
    }
}

#[test]
fn any_one_field_of_the_envelope_may_be_absent_or_null() {
    let whole: Value = serde_json::from_slice(&event(&[record(Some("s"), &message().to_string())])).unwrap();
    let mut all = Vec::new();
    paths(&whole, "", &mut all);
    for path in all {
        for variant in [without(&whole, &path), with(&whole, &path, Value::Null)] {
            let records = parse_event(variant.to_string().as_bytes()).records;
            let [record] = &records[..] else { panic!("{path}: {records:?}") };
            // What carries the message must be there; the rest is dispensable.
            let carrier = ["/Records", "/Records/0", "/Records/0/Sns", "/Records/0/Sns/Message"]
                .contains(&path.as_str());
            assert_eq!(matches!(record, WakeUp::Ignored { .. }), carrier, "{path}: {record:?}");
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[A-Za-z]{1,8}".prop_map(String::from),
        prop::sample::select(vec![
            "Records",
            "Sns",
            "Message",
            "AlarmName",
            "NewStateValue",
            "StateChangeTime",
            "Trigger",
            "alarmName",
            "EventSource",
            "Dimensions",
            "Period",
            "Metrics",
            "Namespace",
            "MetricName",
            "Statistic",
        ])
        .prop_map(String::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(vec!["ALARM", "aws:sns", "2026-09-14T11:18:44.401+0000", "SUM"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_dropped_without_a_word(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!parse_event(&bytes).records.is_empty());
    }

    #[test]
    fn arbitrary_json_never_panics(value in json_value()) {
        let text = value.to_string();
        prop_assert!(!parse_event(text.as_bytes()).records.is_empty());
        prop_assert_eq!(parse_event(&event(&[record(None, &text)])).records.len(), 1);
    }

    #[test]
    fn a_message_cut_anywhere_is_answered(cut in 0_usize..4_000) {
        let whole = event(&[record(Some("s"), &message().to_string())]);
        let cut = cut.min(whole.len() - 1);
        let records = parse_event(&whole[..cut]).records;
        let ignored = matches!(&records[..], [WakeUp::Ignored { .. }]);
        prop_assert!(ignored);
    }
}

/// An alarm message in every envelope that leads to the function.
#[test]
fn one_alarm_is_the_same_whatever_brings_it() {
    let text = message().to_string();
    let plain = parse_event(text.as_bytes()).records;
    let queue = |body: &str| json!({"messageId": "m-1", "eventSource": "aws:sqs", "body": body});
    let notification = json!({
        "Type": "Notification", "MessageId": "n-1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
        "Message": text, "Timestamp": "2026-09-14T11:18:44.452Z", "SigningCertURL": "EXAMPLE",
    });
    for record in [queue(&text), queue(&notification.to_string())] {
        let found = parse_event(&event(&[record]));
        assert_eq!(found.records, plain);
        assert_eq!(found.message_ids.as_deref(), Some(&["m-1".to_owned()][..]));
    }
    assert_eq!(parse_event(notification.to_string().as_bytes()).records, plain);
    assert_eq!(parse_event(text.as_bytes()).message_ids, None);
}

#[test]
fn envelopes_in_envelopes_are_opened_to_a_depth() {
    let mut body = message().to_string();
    for _ in 0..3 {
        body = json!({"messageId": "m", "eventSource": "aws:sqs", "body": body}).to_string();
    }
    assert_eq!(told(format!("{{\"Records\": [{body}]}}").as_bytes()), ["alarm svc-5xx"]);
    body = json!({"messageId": "m", "eventSource": "aws:sqs", "body": body}).to_string();
    assert_eq!(
        told(format!("{{\"Records\": [{body}]}}").as_bytes()),
        ["a message is in more envelopes than are opened"]
    );
}

#[test]
fn a_batch_with_a_record_that_is_no_queues_is_no_queues_batch() {
    let queued = json!({"messageId": "m", "eventSource": "aws:sqs", "body": message().to_string()});
    let found = parse_event(&event(&[queued, record(None, &message().to_string())]));
    assert_eq!((found.records.len(), found.message_ids), (2, None));
}

/// A state change as `EventBridge` tells it.
fn state_change(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = json!({
        "version": "0", "id": "x", "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch",
        "account": "123456789012", "time": "2026-09-14T11:18:48Z", "region": "us-east-1",
        "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:svc"],
        "detail": {
            "alarmName": "svc",
            "state": {"value": "ALARM", "reason": "Threshold Crossed: 1 out of the last 1 datapoints", "timestamp": "2026-09-14T11:18:48.031+0000"},
            "previousState": {"value": "OK", "timestamp": "2026-09-14T11:00:48.031+0000"},
            "configuration": {"description": "d", "metrics": [{
                "id": "m1", "returnData": true,
                "metricStat": {"metric": {"namespace": "AWS/Lambda", "name": "Errors", "dimensions": {"FunctionName": "f"}}, "period": 60, "stat": "Sum"},
            }]},
        },
    });
    change(&mut event);
    event
}

#[test]
fn a_state_change_of_event_bridge_is_an_alarm_without_a_threshold() {
    let records = parse_event(state_change(|_| ()).to_string().as_bytes()).records;
    let [WakeUp::Alarm(alarm)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        (alarm.name.as_str(), alarm.new_state, alarm.old_state),
        ("svc", AlarmState::Alarm, Some(AlarmState::Ok))
    );
    assert_eq!(alarm.changed_at.to_string(), "2026-09-14T11:18:48.031Z");
    assert_eq!((alarm.place.region.as_str(), alarm.place.account.as_str()), ("us-east-1", "123456789012"));
    let metric = alarm.metric().unwrap();
    assert_eq!(
        (metric.metric.as_str(), metric.statistic.as_str(), metric.threshold),
        ("Errors", "Sum", None)
    );
    assert_eq!(metric.dimensions["FunctionName"], "f");
}

#[test]
fn what_nobody_wants_to_hear_of_is_ignored_with_the_reason() {
    type Change = fn(&mut Value);
    let rows: [(Change, &str); 4] = [
        (|event| event["detail"]["muteDetail"] = json!({"mutedByArn": "arn:x"}), "the alarm svc is muted"),
        (
            |event| event["detail"]["state"]["actionsSuppressedBy"] = json!("Alarm"),
            "the alarm svc has its actions suppressed",
        ),
        (
            |event| event["detail-type"] = json!("CloudWatch Alarm Configuration Change"),
            "an event of EventBridge that is no state change of an alarm: 'CloudWatch Alarm Configuration Change'",
        ),
        (|event| event["detail"] = json!(null), "an event about an alarm holds no state change"),
    ];
    for (change, reason) in rows {
        assert_eq!(told(state_change(change).to_string().as_bytes()), [reason]);
    }
}

#[test]
fn what_silenced_an_alarm_and_what_is_not_known_comes_with_it() {
    let event = state_change(|event| {
        event["detail"]["muteDetail"] = json!({"mutedByArn": "arn:x"});
        event["detail"]["state"]["actionsSuppressedBy"] = json!("WaitPeriod");
        event["detail"]["surprise"] = json!("password=hunter2hunter2");
    });
    let WakeUp::Silenced { by, wake_up } = parse_event(event.to_string().as_bytes()).records.remove(0) else {
        panic!("{event}")
    };
    assert_eq!(by, Silence::Muted);
    let WakeUp::Alarm(alarm) = *wake_up else { panic!("{event}") };
    let fields: Vec<&str> = alarm.other_fields.keys().map(String::as_str).collect();
    assert_eq!(fields, ["actionsSuppressedBy", "muteDetail", "surprise"]);
    assert_eq!(alarm.other_fields["muteDetail"], r#"{"mutedByArn":"arn:x"}"#);
    assert!(!alarm.other_fields["surprise"].contains("hunter2"), "{:?}", alarm.other_fields);
    let plain = parse_event(state_change(|_| ()).to_string().as_bytes()).records.remove(0);
    let WakeUp::Alarm(alarm) = plain else { panic!("{plain:?}") };
    assert!(alarm.other_fields.is_empty(), "{:?}", alarm.other_fields);
}

#[test]
fn a_contributor_of_event_bridge_brings_its_attributes() {
    let event = state_change(|event| {
        event["detail-type"] = json!("CloudWatch Alarm Contributor State Change");
        event["detail"]["alarmContributor"] =
            json!({"id": "0f1e2d3c4b5a6978", "attributes": {"FunctionName": "g"}});
        event["detail"]["configuration"]["metrics"] = json!([{
            "id": "q1", "returnData": true, "period": 60,
            "expression": "SELECT SUM(Errors) FROM SCHEMA(\"AWS/Lambda\", FunctionName) GROUP BY FunctionName",
        }]);
    });
    let records = parse_event(event.to_string().as_bytes()).records;
    let [WakeUp::Alarm(alarm)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(alarm.contributor.as_deref(), Some("0f1e2d3c4b5a6978"));
    let metric = alarm.metric().unwrap();
    assert_eq!((metric.namespace.as_str(), metric.metric.as_str()), ("AWS/Lambda", "Errors"));
    assert_eq!(metric.dimensions["FunctionName"], "g");
}

#[test]
fn no_key_of_any_shape_is_needed_to_parse() {
    let shapes = [
        state_change(|_| ()),
        serde_json::from_str(DIRECT).unwrap(),
        serde_json::from_str(EVENT_BRIDGE).unwrap(),
        json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": state_change(|_| ()).to_string()}]}),
    ];
    let mut tried = 0;
    for shape in shapes {
        for path in keys(&shape) {
            for null in [false, true] {
                let mut event = shape.clone();
                take_out(&mut event, &path, null);
                assert_eq!(parse_event(event.to_string().as_bytes()).records.len(), 1, "{path:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried} variants");
}

/// Every key below a value, as a path of keys and positions.
fn keys(value: &Value) -> Vec<Vec<String>> {
    let below = |key: String, value: &Value| {
        let mut found = vec![vec![key.clone()]];
        found.extend(keys(value).into_iter().map(|path| [vec![key.clone()], path].concat()));
        found
    };
    match value {
        Value::Object(object) => object.iter().flat_map(|(key, value)| below(key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, value)| below(at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

fn take_out(value: &mut Value, path: &[String], null: bool) {
    let [key, rest @ ..] = path else { return };
    match value {
        Value::Object(object) if rest.is_empty() && !null => drop(object.remove(key)),
        Value::Object(object) => match object.get_mut(key) {
            Some(found) if rest.is_empty() => *found = Value::Null,
            Some(found) => take_out(found, rest, null),
            None => {}
        },
        Value::Array(items) => match items.get_mut(key.parse::<usize>().unwrap()) {
            Some(found) if rest.is_empty() => *found = Value::Null,
            Some(found) => take_out(found, rest, null),
            None => {}
        },
        _ => {}
    }
}
