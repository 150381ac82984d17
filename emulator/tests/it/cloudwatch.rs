//! `ListMetrics` and the alarm operations.

use serde_json::{Value, json};
use sre_agent_emulator::{Emulator, Options, Paging};

use crate::client::{cloudwatch, started, started_with};

async fn names(emulator: &Emulator, input: Value) -> Vec<String> {
    let output = cloudwatch(emulator, "DescribeAlarms", input).await.cbor();
    ["CompositeAlarms", "MetricAlarms"]
        .iter()
        .flat_map(|list| output[list].as_array().unwrap())
        .map(|alarm| alarm["AlarmName"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn metrics_are_listed_by_namespace_name_and_dimensions() {
    let emulator = started().await;
    let listed = async |input: Value| {
        let output = cloudwatch(&emulator, "ListMetrics", input).await.cbor();
        let of = |metric: &Value| {
            let values: Vec<&str> = metric["Dimensions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| d["Value"].as_str().unwrap())
                .collect();
            format!("{} {}", metric["MetricName"].as_str().unwrap(), values.join(","))
        };
        output["Metrics"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(listed(json!({"MetricName": "Errors"})).await, ["Errors sorter", "Errors sorter,sorter:live"]);
    assert_eq!(
        listed(json!({"Namespace": "AWS/Lambda", "Dimensions": [{"Name": "Resource"}]})).await,
        ["Errors sorter,sorter:live"]
    );
    let wrong = json!({"Dimensions": [{"Name": "FunctionName", "Value": "other"}]});
    assert_eq!(listed(wrong).await, Vec::<String>::new());
    // i-0old had its last datapoint 24 days ago, i-0abc yesterday.
    assert_eq!(listed(json!({"Namespace": "AWS/EC2"})).await, ["CPUUtilization i-0abc"]);
    let recent = json!({"Namespace": "AWS/EC2", "RecentlyActive": "PT3H"});
    assert_eq!(listed(recent).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_of_metrics_comes_in_pages() {
    let paging = Paging { metrics: 2, ..Paging::default() };
    let emulator = started_with(Options { paging: Some(paging), ..Options::default() }).await;
    let first = cloudwatch(&emulator, "ListMetrics", json!({"Namespace": "AWS/Lambda"})).await.cbor();
    assert_eq!(first["Metrics"].as_array().unwrap().len(), 2);
    let next = json!({"Namespace": "AWS/Lambda", "NextToken": first["NextToken"]});
    let second = cloudwatch(&emulator, "ListMetrics", next).await.cbor();
    assert_eq!(second["Metrics"].as_array().unwrap().len(), 2);
    assert_eq!(second.get("NextToken"), None);
    assert_ne!(first["Metrics"], second["Metrics"]);
}

#[tokio::test]
async fn alarms_are_described_with_doubles_and_times_and_only_metric_alarms_unless_asked() {
    let emulator = started().await;
    let output =
        cloudwatch(&emulator, "DescribeAlarms", json!({"AlarmNames": ["sorter-slow", "none"]})).await.cbor();
    let alarm = &output["MetricAlarms"][0];
    assert!(alarm["Threshold"].is_f64(), "5000 in the file is a double on the wire: {alarm}");
    assert_eq!(alarm["StateUpdatedTimestamp"], 1_777_593_600);
    assert_eq!(alarm["Dimensions"], json!([{"Name": "FunctionName", "Value": "sorter"}]));
    assert_eq!(output["MetricAlarms"].as_array().unwrap().len(), 1);
    assert_eq!(names(&emulator, json!({})).await, ["sorter-errors", "sorter-slow"]);
    assert_eq!(names(&emulator, json!({"AlarmTypes": ["CompositeAlarm"]})).await, ["sorter-any"]);
    let both = json!({"AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "StateValue": "ALARM"});
    assert_eq!(names(&emulator, both).await, ["sorter-any", "sorter-errors"]);
    let below = |name: &str| json!({"ChildrenOfAlarmName": name, "AlarmTypes": ["MetricAlarm", "LogAlarm"]});
    assert_eq!(names(&emulator, below("sorter-any")).await, ["sorter-errors"]);
    assert_eq!(names(&emulator, below("sorter-errors")).await, Vec::<String>::new());
    let mixed = json!({"ChildrenOfAlarmName": "sorter-any", "StateValue": "ALARM"});
    assert_eq!(cloudwatch(&emulator, "DescribeAlarms", mixed).await.status, 400);
    assert_eq!(names(&emulator, json!({"AlarmNamePrefix": "sorter-s"})).await, ["sorter-slow"]);
    assert_eq!(names(&emulator, json!({"ActionPrefix": "arn:aws:sns"})).await, ["sorter-errors"]);
}

#[tokio::test]
async fn alarms_come_in_pages_of_max_records() {
    let emulator = started().await;
    let first = cloudwatch(&emulator, "DescribeAlarms", json!({"MaxRecords": 1})).await.cbor();
    assert_eq!(first["MetricAlarms"][0]["AlarmName"], "sorter-errors");
    let next = json!({"MaxRecords": 1, "NextToken": first["NextToken"]});
    let second = cloudwatch(&emulator, "DescribeAlarms", next).await.cbor();
    assert_eq!(second["MetricAlarms"][0]["AlarmName"], "sorter-slow");
    assert_eq!(second.get("NextToken"), None);
    for input in [json!({"MaxRecords": 101}), json!({"NextToken": "made-up"}), json!({"StateValue": "BAD"})] {
        assert_eq!(cloudwatch(&emulator, "DescribeAlarms", input).await.status, 400);
    }
}

#[tokio::test]
async fn history_is_kept_for_thirty_days_and_read_newest_first() {
    let emulator = started().await;
    let kinds = async |input: Value| {
        let output = cloudwatch(&emulator, "DescribeAlarmHistory", input).await.cbor();
        let items = output["AlarmHistoryItems"].as_array().unwrap().clone();
        items.iter().map(|item| item["HistoryItemType"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(json!({"AlarmName": "sorter-errors"})).await, ["StateUpdate", "ConfigurationUpdate"]);
    assert_eq!(
        kinds(json!({"ScanBy": "TimestampAscending"})).await,
        ["ConfigurationUpdate", "StateUpdate"],
        "composite alarms only when asked for"
    );
    assert_eq!(kinds(json!({"HistoryItemType": "ConfigurationUpdate"})).await, ["ConfigurationUpdate"]);
    assert_eq!(kinds(json!({"StartDate": "2026-05-02T00:00:00Z"})).await, ["StateUpdate"]);
    assert_eq!(kinds(json!({"EndDate": "2026-05-02T00:00:00Z"})).await, ["ConfigurationUpdate"]);
    assert_eq!(kinds(json!({"AlarmTypes": ["CompositeAlarm"]})).await, ["StateUpdate"]);
}

#[tokio::test]
async fn alarms_of_a_metric_need_its_exact_dimensions() {
    let emulator = started().await;
    let mut input = json!({
        "Namespace": "AWS/Lambda", "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "sorter"}],
    });
    let output = cloudwatch(&emulator, "DescribeAlarmsForMetric", input.clone()).await.cbor();
    assert_eq!(output["MetricAlarms"][0]["AlarmName"], "sorter-errors");
    assert_eq!(output["MetricAlarms"].as_array().unwrap().len(), 1);
    input["Dimensions"] = json!([]);
    let output = cloudwatch(&emulator, "DescribeAlarmsForMetric", input).await.cbor();
    assert_eq!(output["MetricAlarms"], json!([]));
}

#[tokio::test]
async fn tags_of_an_alarm_are_listed_by_its_arn() {
    let emulator = started().await;
    let arn = |name: &str| json!({"ResourceARN": format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}")});
    let tags = cloudwatch(&emulator, "ListTagsForResource", arn("sorter-errors")).await.cbor();
    let expected = json!([
        {"Key": "runbook", "Value": "https://wiki.example.com/sorter"}, {"Key": "severity", "Value": "2"}
    ]);
    assert_eq!(tags["Tags"], expected);
    let none = cloudwatch(&emulator, "ListTagsForResource", arn("sorter-slow")).await.cbor();
    assert_eq!(none["Tags"], json!([]));
    let unknown = cloudwatch(&emulator, "ListTagsForResource", arn("nobody")).await;
    assert_eq!(unknown.status, 404);
    let asked =
        emulator.requests().into_iter().find(|request| request.action == "ListTagsForResource").unwrap();
    assert_eq!(
        asked.resource.as_deref(),
        Some("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:sorter-errors")
    );
}

#[tokio::test]
async fn operations_and_members_outside_the_subset_are_refused() {
    let emulator = started().await;
    let cases = [
        ("PutMetricData", json!({"Namespace": "x"}), "operation cloudwatch:PutMetricData"),
        (
            "DescribeAlarms",
            json!({"ParentsOfAlarmName": "sorter-errors"}),
            "member ParentsOfAlarmName of DescribeAlarms",
        ),
        ("ListMetrics", json!({"IncludeLinkedAccounts": true}), "metrics of linked accounts"),
    ];
    for (operation, input, words) in cases {
        let reply = cloudwatch(&emulator, operation, input).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.cbor()["message"], format!("emulator: unsupported {words}"));
    }
    assert_eq!(emulator.unsupported().len(), 3);
}
