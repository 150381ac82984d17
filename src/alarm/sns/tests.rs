//! CloudWatch's own messages, whole, with holes and with kinds that are not known yet.

use serde_json::json;

use super::*;
use crate::alarm::parse_event;
use crate::alarm::{Comparison, MetricTrigger, MissingData};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn parsed(message: &Value) -> Alarm {
    match parse_event(message.to_string().as_bytes()).records.into_iter().next() {
        Some(WakeUp::Alarm(alarm)) => *alarm,
        other => panic!("no alarm: {other:?}"),
    }
}

/// The least that is an alarm, with a trigger.
fn with_trigger(trigger: &Value) -> Alarm {
    parsed(&json!({
        "AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": "2026-09-14T11:18:44.401+0000",
        "Trigger": trigger,
    }))
}

fn metric(change: impl FnOnce(&mut Value)) -> MetricTrigger {
    let mut trigger = json!({"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "AVERAGE"});
    change(&mut trigger);
    match with_trigger(&trigger).trigger {
        Trigger::Metric(metric) => metric,
        other => panic!("no metric: {other:?}"),
    }
}

fn kind_of(alarm: &Alarm) -> (&str, &str) {
    match &alarm.trigger {
        Trigger::Other { kind, raw } => (kind, raw),
        Trigger::Derived(derived) => (&derived.kind, &derived.raw),
        plain => panic!("a plain metric: {plain:?}"),
    }
}

#[test]
fn a_captured_metric_alarm_is_read_whole() {
    let message: Value = serde_json::from_str(
        r#"{"AlarmName":"svc-5xx","AlarmDescription":null,"AWSAccountId":"123456789012",
        "AlarmConfigurationUpdatedTimestamp":"2026-09-14T11:18:43.496+0000","NewStateValue":"ALARM",
        "NewStateReason":"Threshold Crossed: 1 out of the last 1 datapoints [51.0 (14/09/26 11:17:00)] was greater than the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition).",
        "StateChangeTime":"2026-09-14T11:18:44.401+0000","Region":"US East (N. Virginia)",
        "AlarmArn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:svc-5xx","OldStateValue":"INSUFFICIENT_DATA",
        "ActionExecutedAfterMuteWindow":false,"OKActions":[],"AlarmActions":["arn:aws:sns:us-east-1:123456789012:t"],
        "InsufficientDataActions":[],
        "Trigger":{"MetricName":"CPUUtilization","Namespace":"AWS/EC2","StatisticType":"Statistic","Statistic":"AVERAGE",
        "Unit":"Percent","Dimensions":[{"value":"i-0abc","name":"InstanceId"}],"Period":300,"EvaluationPeriods":3,
        "DatapointsToAlarm":2,"ComparisonOperator":"GreaterThanThreshold","Threshold":50.0,"TreatMissingData":"ignore",
        "EvaluateLowSampleCountPercentile":""}}"#,
    )
    .unwrap();
    assert_eq!(
        parsed(&message),
        Alarm {
            name: "svc-5xx".into(),
            arn: Some("arn:aws:cloudwatch:us-east-1:123456789012:alarm:svc-5xx".into()),
            place: Place {
                partition: "aws".into(),
                region: "us-east-1".into(),
                account: "123456789012".into()
            },
            description: None,
            new_state: AlarmState::Alarm,
            old_state: Some(AlarmState::InsufficientData),
            reason: message["NewStateReason"].as_str().unwrap().into(),
            changed_at: at("2026-09-14T11:18:44.401Z"),
            trigger: Trigger::Metric(MetricTrigger {
                namespace: "AWS/EC2".into(),
                metric: "CPUUtilization".into(),
                dimensions: BTreeMap::from([("InstanceId".into(), "i-0abc".into())]),
                statistic: "Average".into(),
                unit: Some("Percent".into()),
                period_seconds: 300,
                evaluation_periods: 3,
                datapoints_to_alarm: 2,
                comparison: Some(Comparison::Greater),
                threshold: Some(50.0),
                missing_data: MissingData::Ignore,
            }),
            contributor: None,
            attributes: BTreeMap::new(),
            by_action: true,
            leaves: Vec::new(),
            other_fields: BTreeMap::new(),
        }
    );
}

#[test]
fn times_are_read_in_every_spelling() {
    for text in [
        "2026-08-04T12:36:15.490+0000",
        "2026-08-04T12:36:15.490+00:00",
        "2026-08-04T12:36:15.490Z",
        "2026-08-04T14:36:15.490+0200",
        // As AWS's own sample has it.
        "2026-08-04T12: 36: 15.490+0000",
        " 2026-08-04T12:36:15.490 +0000 ",
    ] {
        assert_eq!(parse_time(text), Some(at("2026-08-04T12:36:15.490Z")), "{text}");
    }
    assert_eq!(parse_time("2026-09-14T11:18:48Z"), Some(at("2026-09-14T11:18:48Z")));
    for text in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-08-04"] {
        assert_eq!(parse_time(text), None, "{text}");
    }
}

#[test]
fn a_missing_time_is_the_envelopes_or_the_newest_datapoints_else_the_alarm_is_asked_for() {
    let mut message = json!({
        "AlarmName": "a", "NewStateValue": "ALARM",
        "NewStateReason": "datapoints [1.0 (14/09/26 11:17:00), 2.0 (14/09/26 11:16:00)]",
    });
    assert_eq!(parsed(&message).changed_at, at("2026-09-14T11:17:00Z"));
    let envelope = Envelope { sent_at: Some(at("2026-09-14T11:18:44Z")), topic_arn: None };
    let Value::Object(map) = message.clone() else { panic!("an object") };
    let WakeUp::Alarm(alarm) = parse_alarm(map, &envelope) else { panic!("an alarm") };
    assert_eq!(alarm.changed_at, at("2026-09-14T11:18:44Z"));
    message["NewStateReason"] = json!("test");
    assert_eq!(
        parse_event(message.to_string().as_bytes()).records,
        [WakeUp::Manual { alarm_name: "a".into(), question: None }]
    );
}

#[test]
fn the_region_is_the_arns_and_never_the_display_name() {
    let place = |message: Value| parsed(&message).place;
    let base = |arn: &str| {
        json!({"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": "2026-09-14T11:18:44.401+0000",
               "Region": "China (Beijing)", "AWSAccountId": "123456789012", "AlarmArn": arn})
    };
    let gov = place(base("arn:aws-us-gov:cloudwatch:us-gov-west-1:123456789012:alarm:a:b c"));
    assert_eq!((gov.partition.as_str(), gov.region.as_str()), ("aws-us-gov", "us-gov-west-1"));
    let spaced = place(base("arn:aws:cloudwatch:eu-west-1: 123456789012:alarm:a"));
    assert_eq!((spaced.region.as_str(), spaced.account.as_str()), ("eu-west-1", "123456789012"));

    let mut without_arn = base("");
    without_arn["AlarmActions"] = json!([null, "arn:aws-cn:sns:cn-north-1:123456789012:t"]);
    let by_action = place(without_arn.clone());
    assert_eq!((by_action.partition.as_str(), by_action.region.as_str()), ("aws-cn", "cn-north-1"));

    without_arn["AlarmActions"] = json!([]);
    let unknown = place(without_arn.clone());
    assert_eq!(
        unknown,
        Place { partition: "aws".into(), region: String::new(), account: "123456789012".into() }
    );

    let Value::Object(map) = without_arn else { panic!("an object") };
    let topic = Envelope { sent_at: None, topic_arn: Some("arn:aws:sns:ap-south-1:123456789012:t".into()) };
    let WakeUp::Alarm(alarm) = parse_alarm(map, &topic) else { panic!("an alarm") };
    assert_eq!(alarm.place.region, "ap-south-1");
}

#[test]
fn an_alarm_name_keeps_its_colons_and_letters() {
    let arn = Arn::parse("arn:aws:cloudwatch:us-east-1:123456789012:alarm:team: größe:high").unwrap();
    assert_eq!(arn.alarm_name, "team: größe:high");
    for text in [
        "",
        "arn",
        "arn:aws:sns:us-east-1:123456789012:t",
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:",
    ] {
        assert_eq!(Arn::parse(text), None, "{text}");
    }
}

#[test]
fn statistics_are_spelled_as_get_metric_data_wants_them() {
    for (sent, wanted) in [
        ("AVERAGE", "Average"),
        ("SUM", "Sum"),
        ("MINIMUM", "Minimum"),
        ("MAXIMUM", "Maximum"),
        ("SAMPLECOUNT", "SampleCount"),
        ("Average", "Average"),
        ("p99", "p99"),
        ("P99.9", "p99.9"),
        ("tm99", "tm99"),
        ("PR(100:)", "PR(100:)"),
        ("IQM", "IQM"),
    ] {
        assert_eq!(metric(|trigger| trigger["Statistic"] = json!(sent)).statistic, wanted);
    }
    let extended = metric(|trigger| {
        trigger["Statistic"] = json!(null);
        trigger["StatisticType"] = json!("ExtendedStatistic");
        trigger["ExtendedStatistic"] = json!("p95");
    });
    assert_eq!(extended.statistic, "p95");
}

#[test]
fn missing_data_is_read_in_every_spelling() {
    for (sent, wanted) in [
        (json!("missing"), MissingData::Missing),
        (json!("breaching"), MissingData::Breaching),
        (json!("notBreaching"), MissingData::NotBreaching),
        (json!("ignore"), MissingData::Ignore),
        (json!(""), MissingData::Missing),
        (json!(null), MissingData::Missing),
        (json!("- TreatMissingData:                    missing"), MissingData::Missing),
        (json!("- TreatMissingData:NonBreaching"), MissingData::NotBreaching),
        (json!("- TreatMissingData: Breaching"), MissingData::Breaching),
    ] {
        assert_eq!(
            metric(|trigger| trigger["TreatMissingData"] = sent.clone()).missing_data,
            wanted,
            "{sent}"
        );
    }
    let table = metric(|trigger| trigger["Namespace"] = json!("AWS/DynamoDB"));
    assert_eq!(table.missing_data, MissingData::Ignore);
}

#[test]
fn dimensions_are_read_in_all_three_forms() {
    let wanted = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
    for form in [
        json!([{"name": "A", "value": "1"}, {"value": "2", "name": "B"}, null, {"name": "C", "value": null}]),
        json!([{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]),
        json!({"A": "1", "B": "2", "C": null}),
    ] {
        assert_eq!(metric(|trigger| trigger["Dimensions"] = form.clone()).dimensions, wanted, "{form}");
    }
}

#[test]
fn numbers_may_be_whole_or_text_and_absent_ones_have_the_documented_default() {
    let full = metric(|trigger| {
        trigger["Threshold"] = json!(20);
        trigger["Period"] = json!("300");
        trigger["EvaluationPeriods"] = json!(5.0);
    });
    assert_eq!((full.threshold, full.period_seconds), (Some(20.0), 300));
    assert_eq!((full.evaluation_periods, full.datapoints_to_alarm), (5, 5));
    let bare = metric(|_| ());
    assert_eq!((bare.threshold, bare.comparison), (None, None));
    assert_eq!((bare.period_seconds, bare.evaluation_periods, bare.datapoints_to_alarm), (60, 1, 1));
    let absurd = metric(|trigger| {
        trigger["Period"] = json!(-5);
        trigger["EvaluationPeriods"] = json!(1e300);
        trigger["DatapointsToAlarm"] = json!(7);
    });
    assert_eq!((absurd.period_seconds, absurd.evaluation_periods, absurd.datapoints_to_alarm), (60, 1, 1));
}

#[test]
fn other_triggers_are_named_and_kept_as_text() {
    let math = with_trigger(&json!({"Period": 60, "Metrics": [{"Expression": "m1 + 0", "Id": "e1"}]}));
    assert_eq!(
        kind_of(&math),
        ("metric math", r#"{"Period":60,"Metrics":[{"Expression":"m1 + 0","Id":"e1"}]}"#)
    );
    let band = with_trigger(&json!({"ThresholdMetricId": "ad1", "Metrics": []}));
    assert_eq!(kind_of(&band).0, "anomaly band");
    let query =
        with_trigger(&json!({"Metrics": [{"Expression": " select SUM(Errors) FROM \"AWS/Lambda\""}]}));
    assert_eq!(kind_of(&query).0, "metrics query");
    let half = with_trigger(&json!({"MetricName": "Errors", "Namespace": "AWS/Lambda"}));
    assert_eq!(kind_of(&half).0, "incomplete metric");
    assert_eq!(kind_of(&with_trigger(&json!({}))).0, "unknown");
    assert_eq!(kind_of(&with_trigger(&json!(null))), ("unknown", ""));
}

#[test]
fn a_composite_keeps_its_rule_and_children() {
    let alarm = parsed(&json!({
        "AlarmName": "c", "NewStateValue": "ALARM", "StateChangeTime": "2026-09-14T11:18:52.496+0000",
        "AlarmRule": "ALARM(\"child\")", "TriggeringChildren": [{"Arn": "arn:x"}],
    }));
    assert_eq!(
        kind_of(&alarm),
        ("composite", r#"{"AlarmRule":"ALARM(\"child\")","TriggeringChildren":[{"Arn":"arn:x"}]}"#)
    );
    assert_eq!(alarm.other_fields, BTreeMap::new());
}

#[test]
fn a_contributor_tells_its_series_apart_and_unknown_fields_are_kept() {
    let alarm = parsed(&json!({
        "AlarmName": "a", "NewStateValue": "OK", "StateChangeTime": "2026-09-14T11:18:52.496+0000",
        "AlarmContributorId": "0f1e2d3c4b5a6978", "AlarmContributorAttributes": {"Team": "a"},
        "ActionExecutedAfterMuteWindow": true, "LogLines": ["x"], "Nothing": null,
    }));
    assert_eq!(alarm.contributor.as_deref(), Some("0f1e2d3c4b5a6978"));
    assert_eq!(alarm.series_key().as_str(), "a|0f1e2d3c4b5a6978");
    assert_eq!(alarm.attributes, BTreeMap::from([("Team".to_owned(), "a".to_owned())]));
    let kept: Vec<_> = alarm.other_fields.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    assert_eq!(kept, [("ActionExecutedAfterMuteWindow", "true"), ("LogLines", r#"["x"]"#),]);
}

#[test]
fn the_number_of_unknown_fields_is_bounded() {
    let mut message = json!({
        "AlarmName": "a", "NewStateValue": "OK", "StateChangeTime": "2026-09-14T11:18:52.496+0000",
    });
    for index in 0..500 {
        message[format!("Field{index}")] = json!("x");
    }
    assert_eq!(parsed(&message).other_fields.len(), MOST_OTHER_FIELDS);
}
