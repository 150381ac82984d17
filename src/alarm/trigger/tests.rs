//! Every kind of definition, and what is looked at of it.

use serde_json::json;

use super::*;

fn kind_and_watched(
    definition: &Value,
    attributes: &[(&str, &str)],
) -> (String, Option<(String, Option<f64>)>) {
    let attributes =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let Value::Object(definition) = definition else { panic!("an object") };
    let seen = |metric: &MetricTrigger| {
        let dimensions: Vec<_> =
            metric.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let name = format!(
            "{} {} {} of {}",
            metric.namespace,
            metric.metric,
            metric.statistic,
            dimensions.join(",")
        );
        (name, metric.threshold)
    };
    match read(definition, &attributes, "raw".into()) {
        Trigger::Metric(metric) => ("metric".into(), Some(seen(&metric))),
        Trigger::Derived(derived) => (derived.kind.clone(), Some(seen(&derived.watched))),
        Trigger::Log(log) => (format!("log of {}: {}", log.groups.join(","), log.query), None),
        Trigger::Other { kind, .. } => (kind, None),
    }
}

fn stat(id: &str, name: &str, returned: bool) -> Value {
    json!({"Id": id, "ReturnData": returned, "MetricStat": {
        "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": [{"name": "LoadBalancer", "value": "app/a/1"}]},
        "Period": 60, "Stat": "Sum",
    }})
}

#[test]
fn each_kind_names_what_is_looked_at_and_keeps_a_threshold_only_on_the_series_itself() {
    let select = "SELECT MAX(CPUUtilization) FROM SCHEMA(\"AWS/EC2\", InstanceId) GROUP BY InstanceId";
    let watched = |name: &str, threshold| Some((name.to_owned(), threshold));
    let elb = |metric: &str| format!("AWS/ApplicationELB {metric} Sum of LoadBalancer=app/a/1");
    let rows = [
        (
            json!({"Metrics": [stat("m1", "Errors", true)], "Threshold": 5.0}),
            &[][..],
            "metric",
            watched(&elb("Errors"), Some(5.0)),
        ),
        (
            // The expression's first word counts, not the first entry.
            json!({"Metrics": [stat("m1", "RequestCount", false), stat("m2", "HTTPCode_ELB_5XX_Count", false),
                {"Id": "e1", "Expression": "100 * m2 / m1", "ReturnData": true}], "Threshold": 5.0}),
            &[],
            "metric math",
            watched(&elb("HTTPCode_ELB_5XX_Count"), None),
        ),
        (
            json!({"Metrics": [stat("m1", "RequestCount", true), {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)", "ReturnData": true}],
                "ThresholdMetricId": "ad1", "ComparisonOperator": "LessThanLowerThreshold"}),
            &[],
            "anomaly band",
            watched(&elb("RequestCount"), None),
        ),
        (
            json!({"Metrics": [{"Id": "q1", "Expression": select, "ReturnData": true, "Period": 60}], "Threshold": 90.0}),
            &[("InstanceId", "i-1")],
            "metrics query",
            watched("AWS/EC2 CPUUtilization Maximum of InstanceId=i-1", Some(90.0)),
        ),
        // The parent of many series is none of them.
        (
            json!({"Metrics": [{"Id": "q1", "Expression": select}], "Threshold": 90.0}),
            &[],
            "metrics query",
            None,
        ),
        (
            json!({"Metrics": [{"Id": "q1", "Expression": "sum by (service) (rate(errors[5m])) > 1"}]}),
            &[("service", "render")],
            "query by contributor",
            None,
        ),
        (
            json!({"ScheduledQueryConfiguration": {
                "LogGroupIdentifiers": ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f:*", "/app"],
                "QueryString": "filter @message like /ERROR/",
            }}),
            &[],
            "log of /aws/lambda/f,/app: filter @message like /ERROR/",
            None,
        ),
        (json!({"MetricName": "Errors"}), &[], "incomplete metric", None),
        (json!({}), &[], "unknown", None),
    ];
    for (definition, attributes, kind, watched) in rows {
        assert_eq!(kind_and_watched(&definition, attributes), (kind.to_owned(), watched), "{definition}");
    }
}

#[test]
fn an_id_is_found_as_a_word_of_its_own() {
    assert_eq!(position("m10 + m1", "m1"), 6);
    assert_eq!(position("m10", "m1"), usize::MAX);
    assert_eq!(position("", ""), 0);
}
