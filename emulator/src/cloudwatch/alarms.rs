//! `DescribeAlarms`, `DescribeAlarmHistory`, `DescribeAlarmsForMetric` and `ListTagsForResource`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::cbor::Cbor;
use crate::cloudwatch::{Dimension, invalid, invalid_token, invalid_value};
use crate::failure::Failure;
use crate::input;
use crate::page::{self, Pager};
use crate::scenario::{Alarm, Scenario};

/// Alarm history is kept for 30 days.
const HISTORY_KEPT: i64 = 30 * 86_400;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AlarmsInput {
    #[serde(default)]
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    #[serde(default)]
    alarm_types: Vec<String>,
    children_of_alarm_name: Option<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

pub(crate) fn describe_alarms(scenario: &Scenario, raw: Value) -> Result<Cbor, Failure> {
    const OPERATION: &str = "DescribeAlarms";
    let pager = Pager::new(OPERATION, &raw, &["NextToken"]);
    let input: AlarmsInput = input::read(OPERATION, raw)?;
    if !input.alarm_names.is_empty() && input.alarm_name_prefix.is_some() {
        return Err(Failure::service(
            400,
            "InvalidParameterCombinationException",
            "AlarmNamePrefix and AlarmNames cannot be specified together.",
        ));
    }
    // With the name of a composite nothing else may be asked but kinds and pages.
    if input.children_of_alarm_name.is_some()
        && (!input.alarm_names.is_empty()
            || input.alarm_name_prefix.is_some()
            || input.state_value.is_some()
            || input.action_prefix.is_some())
    {
        return Err(Failure::service(
            400,
            "InvalidParameterCombinationException",
            "ChildrenOfAlarmName cannot be specified with other filters.",
        ));
    }
    if input.alarm_names.len() > 100 {
        return Err(invalid("The collection AlarmNames must not have a size greater than 100."));
    }
    if let Some(state) = input.state_value.as_deref()
        && !matches!(state, "OK" | "ALARM" | "INSUFFICIENT_DATA")
    {
        return Err(invalid_value(format!("The value {state} for parameter StateValue is not supported.")));
    }
    let kinds = types(&input.alarm_types)?;
    let mut found: Vec<(bool, &Alarm)> = Vec::new();
    if kinds.composite {
        found.extend(scenario.alarms().composite.iter().map(|alarm| (true, alarm)));
    }
    if kinds.metric {
        found.extend(scenario.alarms().metric.iter().map(|alarm| (false, alarm)));
    }
    found.retain(|(_, alarm)| matches(&input, alarm));
    if let Some(parent) = &input.children_of_alarm_name {
        let parent = scenario.alarms().composite.iter().find(|alarm| alarm.text("AlarmName") == parent);
        let rule = parent.map(|alarm| alarm.text("AlarmRule").to_owned()).unwrap_or_default();
        found.retain(|(_, alarm)| in_rule(&rule, alarm.text("AlarmName"), alarm.text("AlarmArn")));
    }
    let position = pager.position(input.next_token.as_deref()).ok_or_else(invalid_token)?;
    let (found, next) = page::cut(found, position, records(input.max_records, 50)?);
    let of_kind = |composite: bool| {
        Cbor::List(
            found
                .iter()
                .filter(|(kind, _)| *kind == composite)
                .map(|(_, alarm)| alarm.wire.clone())
                .collect(),
        )
    };
    let output = Cbor::map([("CompositeAlarms", of_kind(true)), ("MetricAlarms", of_kind(false))]);
    Ok(with_next(output, &pager, next))
}

fn matches(input: &AlarmsInput, alarm: &Alarm) -> bool {
    let name = alarm.text("AlarmName");
    let acts = |prefix: &str| {
        ["OKActions", "AlarmActions", "InsufficientDataActions"].iter().any(|list| {
            let actions = alarm.members.get(*list).and_then(Value::as_array);
            actions.is_some_and(|a| a.iter().filter_map(Value::as_str).any(|arn| arn.starts_with(prefix)))
        })
    };
    (input.alarm_names.is_empty() || input.alarm_names.iter().any(|wanted| wanted == name))
        && input.alarm_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
        && input.state_value.as_ref().is_none_or(|state| alarm.text("StateValue") == state)
        && input.action_prefix.as_ref().is_none_or(|prefix| acts(prefix))
}

/// Tells whether a composite's rule names an alarm: `ALARM(name)`, `OK("name")`, or by its ARN.
fn in_rule(rule: &str, name: &str, arn: &str) -> bool {
    rule.split(['(', ')']).map(|part| part.trim().trim_matches('"')).any(|part| part == name || part == arn)
}

struct Kinds {
    metric: bool,
    composite: bool,
}

/// Without a word about types only metric alarms are meant.
fn types(named: &[String]) -> Result<Kinds, Failure> {
    if let Some(other) =
        named.iter().find(|name| !matches!(name.as_str(), "MetricAlarm" | "CompositeAlarm" | "LogAlarm"))
    {
        return Err(invalid_value(format!("The value {other} for parameter AlarmTypes is not supported.")));
    }
    let has = |wanted: &str| named.iter().any(|name| name == wanted);
    Ok(Kinds { metric: named.is_empty() || has("MetricAlarm"), composite: has("CompositeAlarm") })
}

fn records(asked: Option<usize>, most: usize) -> Result<usize, Failure> {
    match asked {
        None => Ok(most),
        Some(records @ 1..=100) => Ok(records),
        Some(records) => Err(invalid(format!("MaxRecords must be between 1 and 100, it is {records}."))),
    }
}

fn with_next(output: Cbor, pager: &Pager, next: Option<usize>) -> Cbor {
    match next {
        Some(next) => output.with("NextToken", Cbor::Text(pager.token(&next.to_string()))),
        None => output,
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HistoryInput {
    alarm_name: Option<String>,
    #[serde(default)]
    alarm_types: Vec<String>,
    history_item_type: Option<String>,
    start_date: Option<Timestamp>,
    end_date: Option<Timestamp>,
    scan_by: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

pub(crate) fn describe_alarm_history(scenario: &Scenario, raw: Value) -> Result<Cbor, Failure> {
    const OPERATION: &str = "DescribeAlarmHistory";
    let pager = Pager::new(OPERATION, &raw, &["NextToken"]);
    let input: HistoryInput = input::read(OPERATION, raw)?;
    let newest_first = match input.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => {
            return Err(invalid_value(format!("The value {other} for parameter ScanBy is not supported.")));
        }
    };
    if let (Some(start), Some(end)) = (input.start_date, input.end_date)
        && start >= end
    {
        return Err(invalid("The parameter StartDate must be less than the parameter EndDate."));
    }
    let kinds = types(&input.alarm_types)?;
    let as_of = scenario.as_of();
    let mut items: Vec<Cbor> = scenario
        .alarms()
        .history
        .iter()
        .filter(|item| item.at <= as_of && as_of.as_second() - item.at.as_second() <= HISTORY_KEPT)
        .filter(|item| if item.alarm_type == "CompositeAlarm" { kinds.composite } else { kinds.metric })
        .filter(|item| input.alarm_name.as_ref().is_none_or(|name| *name == item.alarm))
        .filter(|item| input.history_item_type.as_ref().is_none_or(|kind| *kind == item.kind))
        .filter(|item| input.start_date.is_none_or(|start| item.at >= start))
        .filter(|item| input.end_date.is_none_or(|end| item.at <= end))
        .map(|item| item.wire.clone())
        .collect();
    if newest_first {
        items.reverse();
    }
    let position = pager.position(input.next_token.as_deref()).ok_or_else(invalid_token)?;
    let (items, next) = page::cut(items, position, records(input.max_records, 100)?);
    Ok(with_next(Cbor::map([("AlarmHistoryItems", Cbor::List(items))]), &pager, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ForMetricInput {
    metric_name: String,
    namespace: String,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<String>,
}

pub(crate) fn describe_alarms_for_metric(scenario: &Scenario, raw: Value) -> Result<Cbor, Failure> {
    let input: ForMetricInput = input::read("DescribeAlarmsForMetric", raw)?;
    let dimensions: BTreeMap<&str, &str> =
        input.dimensions.iter().map(|d| (d.name.as_str(), d.value.as_str())).collect();
    let found = scenario
        .alarms()
        .metric
        .iter()
        .filter(|alarm| {
            alarm.text("MetricName") == input.metric_name && alarm.text("Namespace") == input.namespace
        })
        .filter(|alarm| dimensions_of(alarm) == dimensions)
        .filter(|alarm| input.statistic.as_ref().is_none_or(|s| alarm.text("Statistic") == s))
        .filter(|alarm| {
            input.extended_statistic.as_ref().is_none_or(|s| alarm.text("ExtendedStatistic") == s)
        })
        .filter(|alarm| input.unit.as_ref().is_none_or(|unit| alarm.text("Unit") == unit))
        .filter(|alarm| {
            input
                .period
                .is_none_or(|period| alarm.members.get("Period").and_then(Value::as_i64) == Some(period))
        })
        .map(|alarm| alarm.wire.clone())
        .collect();
    Ok(Cbor::map([("MetricAlarms", Cbor::List(found))]))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TagsInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

pub(crate) fn list_tags(scenario: &Scenario, raw: Value) -> Result<Cbor, Failure> {
    let input: TagsInput = input::read("ListTagsForResource", raw)?;
    let Some(alarm) = scenario.alarms().by_arn(&input.resource_arn) else {
        let message = format!("Resource {} does not exist.", input.resource_arn);
        return Err(Failure::service(404, "ResourceNotFoundException", message));
    };
    let tags = scenario.alarms().tags.get(alarm.text("AlarmName")).into_iter().flatten();
    let tags = tags.map(|(key, value)| Cbor::map([("Key", Cbor::text(key)), ("Value", Cbor::text(value))]));
    Ok(Cbor::map([("Tags", Cbor::List(tags.collect()))]))
}

fn dimensions_of(alarm: &Alarm) -> BTreeMap<&str, &str> {
    let dimensions = alarm.members.get("Dimensions").and_then(Value::as_array);
    dimensions
        .into_iter()
        .flatten()
        .filter_map(|d| Some((d.get("Name")?.as_str()?, d.get("Value")?.as_str()?)))
        .collect()
}
