//! Reads alarms of every kind from CloudWatch.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{
    AlarmHistoryItem, AlarmType, CompositeAlarm, HistoryItemType, LogAlarm, MetricAlarm, MetricDataQuery,
    StateValue, Tag,
};
use aws_smithy_types::DateTime;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cloudwatch::{from_dimensions, from_metric};
use super::error::telemetry;
use super::timestamp;
use crate::alarm::{
    Alarm, AlarmSnapshot, AlarmState, Comparison, LogTrigger, MetricTrigger, Place, Trigger, trigger,
};
use crate::clock::{Clock, Timestamp};
use crate::doctor::load::History;
use crate::evidence::MetricId;
use crate::gather::telemetry::TelemetryError;

const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";

/// Pages of a hundred alarms that are read at most.
const ALARM_PAGES: usize = 20;

/// Lists the account's alarms of both kinds, up to two thousand.
pub(super) async fn alarms(client: &Client, region: &str) -> Result<Vec<AlarmSnapshot>, TelemetryError> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_alarms()
        .set_alarm_types(Some(ALL_TYPES.to_vec()))
        .max_records(100)
        .into_paginator()
        .send();
    for _ in 0..ALARM_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| telemetry(DESCRIBE_ALARMS, &error))?;
        found.extend(snapshots(&page, region));
    }
    Ok(found)
}

/// Every kind of alarm that there is.
const ALL_TYPES: [AlarmType; 3] = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm, AlarmType::LogAlarm];

/// Reads the alarms that a composite's rule names, up to a hundred, which is all that a rule may have.
pub(super) async fn children(
    client: &Client,
    name: &str,
    region: &str,
) -> Result<Vec<AlarmSnapshot>, TelemetryError> {
    let answer = client
        .describe_alarms()
        .children_of_alarm_name(name)
        .set_alarm_types(Some(ALL_TYPES.to_vec()))
        .max_records(100)
        .send()
        .await
        .map_err(|error| telemetry(DESCRIBE_ALARMS, &error))?;
    Ok(snapshots(&answer, region).collect())
}

/// Reads the tags of an alarm by its ARN.
pub(super) async fn tags(client: &Client, arn: &str) -> Result<BTreeMap<String, String>, TelemetryError> {
    let answer = client
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .map_err(|error| telemetry("cloudwatch:ListTagsForResource", &error))?;
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    Ok(answer.tags().iter().filter_map(pair).collect())
}

fn snapshots<'a>(
    page: &'a DescribeAlarmsOutput,
    region: &'a str,
) -> impl Iterator<Item = AlarmSnapshot> + 'a {
    let metric = page.metric_alarms().iter().map(move |alarm| from_metric_alarm(alarm, region));
    let composite = page.composite_alarms().iter().map(move |alarm| from_composite_alarm(alarm, region));
    let log = page.log_alarms().iter().map(move |alarm| from_log_alarm(alarm, region));
    metric.chain(composite).chain(log)
}

/// A change of an alarm to ALARM, as its history has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// When it went off.
    pub at: Timestamp,
    /// Why, in `CloudWatch`'s words.
    pub reason: String,
}

/// How long CloudWatch keeps an alarm's history.
const HISTORY_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Pages of a hundred items of history that are read at most.
const HISTORY_PAGES: usize = 20;

/// Lists when an alarm went off, newest first, as far as its history goes back: 30 days.
pub(super) async fn firings(client: &Client, name: &str) -> Result<Vec<Firing>, TelemetryError> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_alarm_history()
        .alarm_name(name)
        .set_alarm_types(Some(ALL_TYPES.to_vec()))
        .history_item_type(HistoryItemType::StateUpdate)
        .max_records(100)
        .into_paginator()
        .send();
    for _ in 0..HISTORY_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| telemetry("cloudwatch:DescribeAlarmHistory", &error))?;
        found.extend(page.alarm_history_items().iter().filter_map(firing));
    }
    Ok(found)
}

/// Lists when any alarm went off in the last 30 days, up to two thousand changes of state.
pub(super) async fn history(client: &Client) -> Result<History, TelemetryError> {
    let mut history = History { firings: Vec::new(), read: HISTORY_KEPT, complete: true };
    let (now, mut oldest) = (Clock::Wall.now(), None);
    let mut pages = client
        .describe_alarm_history()
        .set_alarm_types(Some(ALL_TYPES.to_vec()))
        .history_item_type(HistoryItemType::StateUpdate)
        .max_records(100)
        .into_paginator()
        .send();
    for _ in 0..HISTORY_PAGES {
        let Some(page) = pages.next().await else { return Ok(history) };
        let page = page.map_err(|error| telemetry("cloudwatch:DescribeAlarmHistory", &error))?;
        let named = |item: &AlarmHistoryItem| Some((item.alarm_name()?.to_owned(), firing(item)?.at));
        let last = page.alarm_history_items().last().and_then(AlarmHistoryItem::timestamp);
        oldest = last.and_then(timestamp).or(oldest);
        history.firings.extend(page.alarm_history_items().iter().filter_map(named));
    }
    if pages.next().await.is_some() {
        history.complete = false;
        // Newest first: what was read reaches back to the last item.
        let oldest = oldest.unwrap_or(now);
        history.read = now.duration_since(oldest);
    }
    Ok(history)
}

fn firing(item: &AlarmHistoryItem) -> Option<Firing> {
    let data: Value = serde_json::from_str(item.history_data()?).ok()?;
    let state = data.get("newState")?;
    let text = |key: &str| state.get(key).and_then(Value::as_str);
    if text("stateValue") != Some("ALARM") {
        return None;
    }
    let reason = text("stateReason").unwrap_or_default().to_owned();
    Some(Firing { at: item.timestamp().and_then(timestamp)?, reason })
}

/// Reads an alarm of any kind by its name.
pub(super) async fn alarm(
    client: &Client,
    name: &str,
    region: &str,
) -> Result<Option<AlarmSnapshot>, TelemetryError> {
    let answer = client
        .describe_alarms()
        .alarm_names(name)
        // Without the types, CloudWatch answers for metric alarms only.
        .set_alarm_types(Some(ALL_TYPES.to_vec()))
        .send()
        .await
        .map_err(|error| telemetry(DESCRIBE_ALARMS, &error))?;
    if let Some(alarm) = answer.log_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name)) {
        return Ok(Some(from_log_alarm(alarm, region)));
    }
    if let Some(alarm) = answer.metric_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name)) {
        return Ok(Some(from_metric_alarm(alarm, region)));
    }
    let composite = answer.composite_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name));
    Ok(composite.map(|alarm| from_composite_alarm(alarm, region)))
}

/// The three kinds of alarm are three types with the same methods.
macro_rules! header {
    ($alarm:ident) => {
        Header {
            name: $alarm.alarm_name(),
            arn: $alarm.alarm_arn(),
            description: $alarm.alarm_description(),
            state: $alarm.state_value(),
            reason: $alarm.state_reason(),
            // `StateUpdatedTimestamp` also moves when only the reason changes.
            since: $alarm.state_transitioned_timestamp().or($alarm.state_updated_timestamp()),
            actions_enabled: $alarm.actions_enabled(),
        }
    };
}

fn from_metric_alarm(alarm: &MetricAlarm, region: &str) -> AlarmSnapshot {
    let header = header!(alarm);
    snapshot(&header, trigger_of(alarm), region)
}

fn from_composite_alarm(alarm: &CompositeAlarm, region: &str) -> AlarmSnapshot {
    let header = header!(alarm);
    let raw = json!({"AlarmRule": alarm.alarm_rule()}).to_string();
    snapshot(&header, Trigger::Other { kind: "composite".to_owned(), raw }, region)
}

fn from_log_alarm(alarm: &LogAlarm, region: &str) -> AlarmSnapshot {
    let header = header!(alarm);
    let query = alarm.scheduled_query_configuration();
    let trigger = LogTrigger {
        groups: query
            .map(|query| {
                query.log_group_identifiers().iter().map(|group| trigger::group_name(group)).collect()
            })
            .unwrap_or_default(),
        query: query.and_then(|query| query.query_string()).unwrap_or_default().to_owned(),
        aggregation: query.and_then(|query| query.aggregation_expression()).unwrap_or_default().to_owned(),
        raw: String::new(),
    };
    snapshot(&header, Trigger::Log(trigger), region)
}

/// What every kind of alarm tells of itself.
struct Header<'a> {
    name: Option<&'a str>,
    arn: Option<&'a str>,
    description: Option<&'a str>,
    state: Option<&'a StateValue>,
    reason: Option<&'a str>,
    since: Option<&'a DateTime>,
    actions_enabled: Option<bool>,
}

/// The times may lie a millisecond before what an event says of the same change: on this wire they are doubles, which
/// the SDK cuts at the millisecond.
fn snapshot(header: &Header<'_>, trigger: Trigger, region: &str) -> AlarmSnapshot {
    let since = header.since.and_then(timestamp);
    let state = header.state.and_then(|state| AlarmState::parse(state.as_str()));
    AlarmSnapshot {
        alarm: Alarm {
            name: header.name.unwrap_or_default().to_owned(),
            arn: header.arn.map(str::to_owned),
            place: place_of(header.arn.unwrap_or_default(), region),
            description: header.description.filter(|text| !text.is_empty()).map(str::to_owned),
            // An unheard-of state says nothing about the metric, which is what this one means.
            new_state: state.unwrap_or(AlarmState::InsufficientData),
            old_state: None,
            reason: header.reason.unwrap_or_default().to_owned(),
            // CloudWatch tells the time of every state; `state_since` keeps apart that it once did not.
            changed_at: since.unwrap_or(Timestamp::UNIX_EPOCH),
            trigger,
            contributor: None,
            attributes: BTreeMap::new(),
            by_action: false,
            leaves: Vec::new(),
            other_fields: BTreeMap::new(),
        },
        state_since: since,
        actions_enabled: header.actions_enabled.unwrap_or(true),
        tags: BTreeMap::new(),
    }
}

/// Reads `arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME`.
fn place_of(arn: &str, region: &str) -> Place {
    let mut parts = arn.splitn(6, ':').skip(1);
    let partition = parts.next().filter(|text| !text.is_empty()).unwrap_or("aws");
    let told_region = parts.nth(1).filter(|text| !text.is_empty()).unwrap_or(region);
    let account = parts.next().unwrap_or_default();
    Place { partition: partition.to_owned(), region: told_region.to_owned(), account: account.to_owned() }
}

fn trigger_of(alarm: &MetricAlarm) -> Trigger {
    // An alarm on a metric of another account has one query that is nothing but that metric.
    let single = match alarm.metrics() {
        [query] if query.expression().is_none() => query.metric_stat(),
        _ => None,
    };
    let stat = single.and_then(|stat| stat.metric().map(|metric| (stat, metric)));
    let watched = match (stat, alarm.metric_name()) {
        (Some((stat, metric)), _) => MetricTrigger {
            statistic: stat.stat().unwrap_or_default().to_owned(),
            unit: stat.unit().map(|unit| unit.as_str().to_owned()),
            period_seconds: i64::from(stat.period().unwrap_or(60)),
            ..watched(alarm, from_metric(metric))
        },
        (None, Some(name)) => watched(
            alarm,
            MetricId {
                namespace: alarm.namespace().unwrap_or_default().to_owned(),
                name: name.to_owned(),
                dimensions: from_dimensions(alarm.dimensions()),
            },
        ),
        (None, None) => {
            let definition = raw_definition(alarm);
            let raw = definition.to_string();
            return match definition {
                Value::Object(definition) => trigger::read(&definition, &BTreeMap::new(), raw),
                _ => Trigger::Other { kind: "unknown".to_owned(), raw },
            };
        }
    };
    Trigger::Metric(watched)
}

fn watched(alarm: &MetricAlarm, metric: MetricId) -> MetricTrigger {
    let statistic =
        alarm.extended_statistic().or(alarm.statistic().map(aws_sdk_cloudwatch::types::Statistic::as_str));
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let evaluation_periods = count(alarm.evaluation_periods()).unwrap_or(1);
    let missing_data =
        trigger::missing_data(alarm.treat_missing_data().unwrap_or_default(), &metric.namespace);
    MetricTrigger {
        namespace: metric.namespace,
        metric: metric.name,
        dimensions: metric.dimensions,
        statistic: statistic.unwrap_or_default().to_owned(),
        unit: alarm.unit().map(|unit| unit.as_str().to_owned()),
        period_seconds: i64::from(alarm.period().unwrap_or(60)),
        evaluation_periods,
        // An alarm that does not say M of N wants all N.
        datapoints_to_alarm: count(alarm.datapoints_to_alarm()).unwrap_or(evaluation_periods),
        comparison: alarm.comparison_operator().and_then(|operator| Comparison::parse(operator.as_str())),
        threshold: alarm.threshold(),
        missing_data,
    }
}

/// Writes the queries of a computed alarm as CloudWatch's own JSON would.
fn raw_definition(alarm: &MetricAlarm) -> Value {
    let queries: Vec<Value> = alarm.metrics().iter().map(raw_query).collect();
    json!({
        "Metrics": queries,
        "ComparisonOperator": alarm.comparison_operator().map(|operator| operator.as_str().to_owned()),
        "Threshold": alarm.threshold(),
        "ThresholdMetricId": alarm.threshold_metric_id(),
        "EvaluationPeriods": alarm.evaluation_periods(),
        "DatapointsToAlarm": alarm.datapoints_to_alarm(),
        "TreatMissingData": alarm.treat_missing_data(),
    })
}

fn raw_query(query: &MetricDataQuery) -> Value {
    let stat = query.metric_stat().map(|stat| {
        let metric = stat.metric().map(from_metric);
        json!({
            "Metric": metric.map(|metric| json!({
                "Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": metric.dimensions,
            })),
            "Period": stat.period(),
            "Stat": stat.stat(),
            "Unit": stat.unit().map(|unit| unit.as_str().to_owned()),
        })
    });
    json!({
        "Id": query.id(),
        "Expression": query.expression(),
        "Label": query.label(),
        "ReturnData": query.return_data(),
        "MetricStat": stat,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricStat, Statistic};

    use super::*;
    use crate::alarm::MissingData;
    use crate::aws::cloudwatch::to_metric;

    const ARN: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:render: errors";

    fn plain_alarm() -> MetricAlarm {
        MetricAlarm::builder()
            .alarm_name("render: errors")
            .alarm_arn(ARN)
            .actions_enabled(false)
            .state_value(StateValue::Alarm)
            .state_reason("Threshold Crossed")
            .state_updated_timestamp(DateTime::from_secs(200))
            .state_transitioned_timestamp(DateTime::from_secs(100))
            .namespace("AWS/Lambda")
            .metric_name("Errors")
            .dimensions(Dimension::builder().name("FunctionName").value("render").build())
            .statistic(Statistic::Sum)
            .period(60)
            .evaluation_periods(3)
            .threshold(5.0)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .treat_missing_data("notBreaching")
            .build()
    }

    #[test]
    fn a_metric_alarm_keeps_definition_state_and_place() {
        let snapshot = from_metric_alarm(&plain_alarm(), "us-east-1");
        let expected = MetricTrigger {
            namespace: "AWS/Lambda".into(),
            metric: "Errors".into(),
            dimensions: BTreeMap::from([("FunctionName".into(), "render".into())]),
            statistic: "Sum".into(),
            unit: None,
            period_seconds: 60,
            evaluation_periods: 3,
            datapoints_to_alarm: 3,
            comparison: Some(Comparison::Greater),
            threshold: Some(5.0),
            missing_data: MissingData::NotBreaching,
        };
        assert_eq!(snapshot.alarm.trigger, Trigger::Metric(expected));
        assert_eq!(snapshot.alarm.new_state, AlarmState::Alarm);
        assert_eq!(snapshot.state_since, Timestamp::from_second(100).ok());
        assert!(!snapshot.actions_enabled);
        let place =
            Place { partition: "aws".into(), region: "eu-west-1".into(), account: "123456789012".into() };
        assert_eq!(snapshot.alarm.place, place);
    }

    #[test]
    fn an_alarm_on_dynamodb_ignores_missing_data_unless_it_says_otherwise() {
        let treated = |namespace: &str, treatment: Option<&str>| {
            let alarm = MetricAlarm::builder().metric_name("Throttles").namespace(namespace);
            let alarm = alarm.statistic(Statistic::Sum).set_treat_missing_data(treatment.map(str::to_owned));
            match trigger_of(&alarm.build()) {
                Trigger::Metric(metric) => metric.missing_data,
                other => panic!("a single metric, not {other:?}"),
            }
        };
        assert_eq!(treated("AWS/DynamoDB", None), MissingData::Ignore);
        assert_eq!(treated("AWS/DynamoDB", Some("breaching")), MissingData::Breaching);
        assert_eq!(treated("AWS/Lambda", None), MissingData::Missing);
        assert_eq!(treated("AWS/Lambda", Some("notBreaching")), MissingData::NotBreaching);
    }

    #[test]
    fn an_alarm_without_an_arn_lies_in_the_clients_region() {
        let place = Place { partition: "aws".into(), region: "us-east-1".into(), account: String::new() };
        assert_eq!(place_of("", "us-east-1"), place);
    }

    #[test]
    fn metric_math_keeps_its_definition_as_text() {
        let query = MetricDataQuery::builder().id("e1").expression("m1/m2").build();
        let other = MetricDataQuery::builder().id("m1").build();
        let alarm = MetricAlarm::builder().alarm_name("a").metrics(query).metrics(other).build();
        let Trigger::Other { kind, raw } = trigger_of(&alarm) else { panic!("not a single metric") };
        assert_eq!(kind, "metric math");
        assert!(raw.contains("m1/m2"), "{raw}");
    }

    #[test]
    fn an_alarm_whose_one_query_is_a_metric_is_a_metric_alarm() {
        let metric = MetricId { namespace: "N".into(), name: "M".into(), dimensions: BTreeMap::new() };
        let stat = MetricStat::builder().metric(to_metric(&metric)).period(300).stat("p99").build();
        let query = MetricDataQuery::builder().id("m1").metric_stat(stat).build();
        let alarm = MetricAlarm::builder().alarm_name("a").metrics(query).threshold(1.0).build();
        let Trigger::Metric(trigger) = trigger_of(&alarm) else { panic!("a single metric") };
        assert_eq!(
            (trigger.metric.as_str(), trigger.statistic.as_str(), trigger.period_seconds),
            ("M", "p99", 300)
        );
    }
}
