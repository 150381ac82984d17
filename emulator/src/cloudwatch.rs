//! CloudWatch: metrics and alarms, over Smithy rpc-v2-cbor.
//!
//! Answered: `GetMetricData` (metric queries, no expressions), `ListMetrics`, `DescribeAlarms`, `DescribeAlarmHistory`,
//! `DescribeAlarmsForMetric`, `ListTagsForResource` (of alarms), `GetMetricWidgetImage` (lines over time). Every other
//! operation is refused.

mod alarms;
mod metric_data;
mod metric_list;
mod widget_image;

use serde::Deserialize;
use serde_json::Value;

use crate::cbor::Cbor;
use crate::failure::Failure;
use crate::scenario::{Paging, Scenario};

/// Answers one operation.
pub(crate) fn answer(
    scenario: &Scenario,
    paging: &Paging,
    operation: &str,
    input: Value,
) -> Result<Cbor, Failure> {
    match operation {
        "GetMetricData" => metric_data::get_metric_data(scenario, paging, input),
        "GetMetricWidgetImage" => widget_image::get_metric_widget_image(scenario, input),
        "ListMetrics" => metric_list::list_metrics(scenario, paging, input),
        "DescribeAlarms" => alarms::describe_alarms(scenario, input),
        "DescribeAlarmHistory" => alarms::describe_alarm_history(scenario, input),
        "ListTagsForResource" => alarms::list_tags(scenario, input),
        "DescribeAlarmsForMetric" => alarms::describe_alarms_for_metric(scenario, input),
        other => Err(Failure::unsupported(format!("operation cloudwatch:{other}"))),
    }
}

/// A dimension as requests carry it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Dimension {
    name: String,
    value: String,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::service(400, "ValidationException", message)
}

fn invalid_value(message: impl Into<String>) -> Failure {
    Failure::service(400, "InvalidParameterValueException", message)
}

fn invalid_token() -> Failure {
    Failure::service(400, "InvalidNextToken", "The NextToken provided is invalid.")
}
