//! `GetMetricData`: windows, periods, statistics, pages and refusals.

use serde_json::{Value, json};
use sre_agent_emulator::{Emulator, Options, Paging};

use crate::client::{cloudwatch, started, started_with};

fn query(id: &str, metric: &str, stat: &str, period: i64) -> Value {
    json!({"Id": id, "MetricStat": {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": metric,
            "Dimensions": [{"Name": "FunctionName", "Value": "sorter"}],
        },
        "Period": period,
        "Stat": stat,
    }})
}

fn cpu(instance: &str, period: i64) -> Value {
    json!({"Id": "cpu", "MetricStat": {
        "Metric": {
            "Namespace": "AWS/EC2",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": "InstanceId", "Value": instance}],
        },
        "Period": period,
        "Stat": "Average",
    }})
}

/// Asks oldest first and returns the one result's times, as `HH:MM`, with its values.
async fn points(emulator: &Emulator, query: Value, start: &str, end: &str) -> Vec<(String, f64)> {
    let input = json!({
        "MetricDataQueries": [query], "StartTime": start, "EndTime": end, "ScanBy": "TimestampAscending",
    });
    let reply = cloudwatch(emulator, "GetMetricData", input).await;
    assert_eq!(reply.status, 200, "{:?}", String::from_utf8_lossy(&reply.body));
    let result = &reply.cbor()["MetricDataResults"][0];
    assert_eq!(result["StatusCode"], "Complete");
    pairs(result)
}

fn pairs(result: &Value) -> Vec<(String, f64)> {
    let times = result["Timestamps"].as_array().unwrap().iter().map(|time| {
        let time = jiff::Timestamp::from_second(time.as_i64().unwrap()).unwrap().to_string();
        time[11..16].to_owned()
    });
    let values = result["Values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
    times.zip(values).collect()
}

fn at(points: &[(&str, f64)]) -> Vec<(String, f64)> {
    points.iter().map(|(time, value)| ((*time).to_owned(), *value)).collect()
}

#[tokio::test]
async fn the_start_is_inside_the_window_and_the_end_is_not() {
    let emulator = started().await;
    let found =
        points(&emulator, query("q", "Errors", "Sum", 60), "2026-05-04T11:57:00Z", "2026-05-04T11:59:00Z")
            .await;
    assert_eq!(found, at(&[("11:57", 1.0), ("11:58", 6.0)]));
}

#[tokio::test]
async fn a_start_is_rounded_down_to_its_minute() {
    let emulator = started().await;
    let found = points(
        &emulator,
        query("q", "Errors", "Sum", 60),
        "2026-05-04T11:57:59.9Z",
        "2026-05-04T11:58:00.5Z",
    )
    .await;
    assert_eq!(found, at(&[("11:57", 1.0), ("11:58", 6.0)]));
}

#[tokio::test]
async fn every_statistic_is_taken_over_all_datapoints_of_a_period() {
    let emulator = started().await;
    // 11:28, 11:29: 10 calls and no error each; 11:30 to 11:32: 20 calls and 5 errors each.
    for (stat, expected) in
        [("SampleCount", 80.0), ("Sum", 15.0), ("Average", 15.0 / 80.0), ("Minimum", 0.0), ("Maximum", 1.0)]
    {
        let found = points(
            &emulator,
            query("q", "Errors", stat, 300),
            "2026-05-04T11:28:00Z",
            "2026-05-04T11:33:00Z",
        )
        .await;
        assert_eq!(found, at(&[("11:28", expected)]), "{stat}");
    }
}

#[tokio::test]
async fn periods_are_counted_from_the_start_and_gaps_stay_gaps() {
    let emulator = started().await;
    // 11:30 to 11:34 hold 5 each, 11:35 to 11:39 nothing, from 11:40 on 1 each.
    let found =
        points(&emulator, query("q", "Errors", "Sum", 180), "2026-05-04T11:31:00Z", "2026-05-04T11:43:00Z")
            .await;
    assert_eq!(found, at(&[("11:31", 15.0), ("11:34", 5.0), ("11:40", 3.0)]));
}

#[tokio::test]
async fn a_window_that_ends_inside_a_period_takes_only_what_is_before_its_end() {
    let emulator = started().await;
    let found =
        points(&emulator, query("q", "Errors", "Sum", 300), "2026-05-04T11:55:00Z", "2026-05-04T11:59:00Z")
            .await;
    assert_eq!(found, at(&[("11:55", 9.0)]));
}

#[tokio::test]
async fn a_minute_that_the_lag_hides_is_not_there_yet() {
    let emulator = started().await;
    // As of 12:00:30 with a lag of 30 s the minute 11:59, over at 12:00:00, is the last one visible.
    let found =
        points(&emulator, query("q", "Errors", "Sum", 60), "2026-05-04T11:58:00Z", "2026-05-05T00:00:00Z")
            .await;
    assert_eq!(found, at(&[("11:58", 6.0), ("11:59", 7.0)]));
}

#[tokio::test]
async fn a_datapoint_belongs_to_the_period_in_which_it_begins() {
    let emulator = started().await;
    // Recorded at 12:02, 12:07, …, 12:57 with 10 and from 13:02 on with 20.
    let found = points(&emulator, cpu("i-0abc", 600), "2026-05-03T12:50:00Z", "2026-05-03T13:10:00Z").await;
    assert_eq!(found, at(&[("12:50", 10.0), ("13:00", 20.0)]));
    let found = points(&emulator, cpu("i-0abc", 60), "2026-05-03T12:57:00Z", "2026-05-03T13:03:00Z").await;
    assert_eq!(found, at(&[("12:57", 10.0), ("13:02", 20.0)]));
}

#[tokio::test]
async fn data_older_than_15_days_is_kept_by_five_minutes_only() {
    let emulator = started().await;
    let found = points(&emulator, cpu("i-0old", 300), "2026-04-10T00:03:00Z", "2026-04-10T00:10:00Z").await;
    assert_eq!(found, at(&[("00:00", 40.0), ("00:05", 40.0)]));
    let found = points(&emulator, cpu("i-0old", 60), "2026-04-10T00:03:00Z", "2026-04-10T00:10:00Z").await;
    assert_eq!(found, []);
}

#[tokio::test]
async fn a_percentile_is_answered_where_it_is_recorded_or_certain_and_refused_elsewhere() {
    let emulator = started().await;
    let window = ("2026-05-04T11:29:00Z", "2026-05-04T11:31:00Z");
    let found = points(&emulator, query("q", "Duration", "p99", 60), window.0, window.1).await;
    assert_eq!(found, at(&[("11:29", 240.5), ("11:30", 249.0)]));
    let found = points(&emulator, query("q", "Duration", "p50.0", 60), window.0, window.1).await;
    assert_eq!(found, at(&[("11:29", 98.0), ("11:30", 98.0)]));
    let found = points(&emulator, query("q", "Duration", "p100", 120), window.0, window.1).await;
    assert_eq!(found, at(&[("11:29", 250.0)]));
    let found = points(&emulator, query("q", "Invocations", "p90", 120), window.0, window.1).await;
    assert_eq!(found, at(&[("11:29", 1.0)]));
    for (stat, period) in [("p99", 120), ("p90", 60)] {
        let input = json!({
            "MetricDataQueries": [query("q", "Duration", stat, period)],
            "StartTime": window.0, "EndTime": window.1,
        });
        let reply = cloudwatch(&emulator, "GetMetricData", input).await;
        assert_eq!(reply.status, 400, "{stat} at {period}");
        assert!(reply.cbor()["message"].as_str().unwrap().starts_with("emulator: unsupported p9"));
    }
}

#[tokio::test]
async fn another_unit_or_another_set_of_dimensions_is_another_metric() {
    let emulator = started().await;
    let window = ("2026-05-04T11:50:00Z", "2026-05-04T11:52:00Z");
    let mut with_unit = query("q", "Errors", "Sum", 60);
    with_unit["MetricStat"]["Unit"] = json!("Count");
    assert_eq!(points(&emulator, with_unit.clone(), window.0, window.1).await.len(), 2);
    with_unit["MetricStat"]["Unit"] = json!("Seconds");
    assert_eq!(points(&emulator, with_unit, window.0, window.1).await, []);
    let mut without = query("q", "Errors", "Sum", 60);
    without["MetricStat"]["Metric"]["Dimensions"] = json!([]);
    assert_eq!(points(&emulator, without, window.0, window.1).await, []);
}

#[tokio::test]
async fn results_stand_in_the_order_of_the_queries_newest_first_unless_told_otherwise() {
    let emulator = started().await;
    let mut hidden = query("hidden", "Errors", "Sum", 60);
    hidden["ReturnData"] = json!(false);
    let mut labelled = query("b", "Errors", "Sum", 60);
    labelled["Label"] = json!("failures");
    let input = json!({
        "MetricDataQueries": [labelled, hidden, query("a", "Invocations", "Sum", 60)],
        "StartTime": "2026-05-04T11:57:00Z", "EndTime": "2026-05-04T11:59:00Z",
    });
    let reply = cloudwatch(&emulator, "GetMetricData", input).await;
    assert_eq!(reply.header("content-type"), Some("application/cbor"));
    assert_eq!(reply.header("smithy-protocol"), Some("rpc-v2-cbor"));
    let output = reply.cbor();
    let results = output["MetricDataResults"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!((&results[0]["Id"], &results[0]["Label"]), (&json!("b"), &json!("failures")));
    assert_eq!(pairs(&results[0]), at(&[("11:58", 6.0), ("11:57", 1.0)]));
    assert_eq!((&results[1]["Id"], &results[1]["Label"]), (&json!("a"), &json!("Invocations")));
}

#[tokio::test]
async fn pages_are_cut_across_results_and_add_up() {
    let paging = Paging { datapoints: 7, ..Paging::default() };
    let emulator = started_with(Options { paging: Some(paging), ..Options::default() }).await;
    let mut input = json!({
        "MetricDataQueries": [query("a", "Errors", "Sum", 60), query("b", "Invocations", "Sum", 60)],
        "StartTime": "2026-05-04T11:50:00Z", "EndTime": "2026-05-04T12:00:00Z", "MaxDatapoints": 1000,
    });
    let (mut a, mut b, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let output = cloudwatch(&emulator, "GetMetricData", input.clone()).await.cbor();
        let mut statuses = Vec::new();
        for result in output["MetricDataResults"].as_array().unwrap() {
            let list = if result["Id"] == "a" { &mut a } else { &mut b };
            list.extend(pairs(result));
            statuses.push(format!(
                "{} {} {}",
                result["Id"].as_str().unwrap(),
                result["Values"].as_array().unwrap().len(),
                result["StatusCode"].as_str().unwrap()
            ));
        }
        pages.push(statuses);
        match output.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(
        pages,
        [
            vec!["a 7 PartialData", "b 0 PartialData"],
            vec!["a 3 Complete", "b 4 PartialData"],
            vec!["b 6 Complete"],
        ]
    );
    assert_eq!(a.len(), 10);
    assert_eq!(b.first().unwrap().0, "11:59");
    assert_eq!(b.last().unwrap().0, "11:50");
    input["MetricDataQueries"][0]["Id"] = json!("other");
    let reply = cloudwatch(&emulator, "GetMetricData", input).await;
    assert_eq!(reply.header("x-amzn-query-error"), Some("InvalidNextToken;Sender"));
}

#[tokio::test]
async fn what_aws_refuses_is_refused_in_its_words() {
    let emulator = started().await;
    let window = ("2026-05-04T11:50:00Z", "2026-05-04T12:00:00Z");
    let many: Vec<Value> = (0..501).map(|n| query(&format!("q{n}"), "Errors", "Sum", 60)).collect();
    let both =
        json!({"Id": "x", "Expression": "1", "MetricStat": query("x", "Errors", "Sum", 60)["MetricStat"]});
    let cases = [
        (json!([query("Q", "Errors", "Sum", 60)]), window.1, "ValidationError", "expected pattern"),
        (
            json!([query("q", "Errors", "Sum", 60), query("q", "Errors", "Sum", 60)]),
            window.1,
            "ValidationError",
            "not unique",
        ),
        (json!(many), window.1, "ValidationError", "greater than 500"),
        (json!([]), window.1, "MissingParameter", "MetricDataQueries"),
        (json!([{"Id": "x"}]), window.1, "InvalidParameterCombination", "Exactly one"),
        (json!([both]), window.1, "InvalidParameterCombination", "Exactly one"),
        (json!([query("q", "Errors", "SUM", 60)]), window.1, "InvalidParameterValue", "SUM"),
        (json!([query("q", "Errors", "Sum", 61)]), window.1, "InvalidParameterValue", "multiple of 60"),
        (json!([query("q", "Errors", "Sum", 60)]), window.0, "ValidationError", "must not equal"),
        (json!([query("q", "Errors", "Sum", 60)]), "2026-05-04T11:00:00Z", "ValidationError", "less than"),
    ];
    for (queries, end, code, words) in cases {
        let input = json!({"MetricDataQueries": queries, "StartTime": window.0, "EndTime": end});
        let reply = cloudwatch(&emulator, "GetMetricData", input).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.header("x-amzn-query-error"), Some(format!("{code};Sender").as_str()));
        let error = reply.cbor();
        assert!(error["__type"].as_str().unwrap().starts_with("com.amazonaws.cloudwatch#"));
        assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
    }
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_outside_the_subset_is_refused_and_kept() {
    let emulator = started().await;
    let mut elsewhere = query("q", "Errors", "Sum", 60);
    elsewhere["AccountId"] = json!("111122223333");
    let queries = [
        (json!({"Id": "e", "Expression": "m1 / m2"}), json!({}), "expressions"),
        (query("q", "Errors", "tm90", 60), json!({}), "statistic tm90"),
        (query("q", "Errors", "Sum", 10), json!({}), "periods below a minute"),
        (elsewhere, json!({}), "another account"),
        (
            query("q", "Errors", "Sum", 60),
            json!({"LabelOptions": {"Timezone": "+0000"}}),
            "member LabelOptions",
        ),
    ];
    for (query, more, words) in queries {
        let mut input = json!({
            "MetricDataQueries": [query],
            "StartTime": "2026-05-04T11:50:00Z", "EndTime": "2026-05-04T12:00:00Z",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = cloudwatch(&emulator, "GetMetricData", input).await;
        assert_eq!(reply.status, 400);
        let message = reply.cbor()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("emulator: unsupported ") && message.contains(words), "{message}");
        assert_eq!(emulator.unsupported().last(), Some(&message));
    }
}
