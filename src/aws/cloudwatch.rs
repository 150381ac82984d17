//! Reads metrics and alarms from CloudWatch.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    AlarmType, CompositeAlarm, Dimension, DimensionFilter, MessageData, Metric, MetricAlarm, MetricDataQuery,
    MetricDataResult, MetricStat, ScanBy, StandardUnit, StateValue, StatusCode,
};
use aws_smithy_types::DateTime;
use serde_json::{Value, json};

use super::error::{shortened, telemetry};
use super::{DATA_CALL_TIME, timestamp};
use crate::alarm::{
    Alarm, AlarmSnapshot, AlarmState, Comparison, MetricTrigger, MissingData, Place, Trigger,
};
use crate::clock::{Deadline, Timestamp};
use crate::evidence::{Datapoint, MetricId, Series, Status};
use crate::gather::telemetry::{MetricQuery, MetricsRequest, TelemetryError};

const GET_METRIC_DATA: &str = "cloudwatch:GetMetricData";
const LIST_METRICS: &str = "cloudwatch:ListMetrics";
const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";

/// `GetMetricData` takes this many queries a call.
const QUERIES_A_CALL: usize = 500;

/// Reads one series a query, in order.
pub(super) async fn metrics(
    client: &Client,
    request: &MetricsRequest,
) -> Result<Vec<Series>, TelemetryError> {
    let deadline = Deadline::after(DATA_CALL_TIME);
    let mut series = Vec::with_capacity(request.queries.len());
    for queries in request.queries.chunks(QUERIES_A_CALL) {
        series.extend(metrics_of_one_call(client, request, queries, deadline).await?);
    }
    Ok(series)
}

async fn metrics_of_one_call(
    client: &Client,
    request: &MetricsRequest,
    queries: &[MetricQuery],
    deadline: Deadline,
) -> Result<Vec<Series>, TelemetryError> {
    let asked: Vec<MetricDataQuery> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| to_query(number, query, request.period_seconds))
        .collect();
    let mut found = Found::default();
    let mut page: Option<String> = None;
    loop {
        let answer = client
            .get_metric_data()
            .set_metric_data_queries(Some(asked.clone()))
            .start_time(to_date_time(request.window.start))
            .end_time(to_date_time(request.window.end))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(page.take())
            .send()
            .await
            .map_err(|error| telemetry(GET_METRIC_DATA, &error))?;
        for result in answer.metric_data_results() {
            found.add(result);
        }
        found.complaints.extend(answer.messages().iter().filter_map(complaint));
        page = answer.next_token.filter(|token| !token.is_empty());
        if page.is_none() {
            break;
        }
        still_time(deadline, GET_METRIC_DATA)?;
    }
    found.check()?;
    let series = queries.iter().enumerate().map(|(number, query)| Series {
        metric: query.metric.clone(),
        statistic: query.statistic.clone(),
        period_seconds: request.period_seconds,
        unit: query.unit.clone(),
        datapoints: found.datapoints(&id_of(number)),
    });
    Ok(series.collect())
}

/// What the pages of one call brought, by query id.
#[derive(Default)]
struct Found {
    values: BTreeMap<String, BTreeMap<Timestamp, f64>>,
    /// The state of each series after its last page: an earlier page says `PartialData` because more is to come.
    codes: BTreeMap<String, StatusCode>,
    complaints: Vec<String>,
}

impl Found {
    fn add(&mut self, result: &MetricDataResult) {
        let id = result.id().unwrap_or_default().to_owned();
        let values = self.values.entry(id.clone()).or_default();
        for (time, value) in result.timestamps().iter().zip(result.values()) {
            if let Some(at) = timestamp(time).filter(|_| value.is_finite()) {
                values.insert(at, *value);
            }
        }
        if let Some(code) = result.status_code() {
            self.codes.insert(id, code.clone());
        }
        self.complaints.extend(result.messages().iter().filter_map(complaint));
    }

    /// Refuses what is not whole: a series with a hole that nobody knows of would be read as "no errors then".
    fn check(&self) -> Result<(), TelemetryError> {
        let error = |status, what: &str| {
            let said = self.complaints.join("; ");
            let reason = if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") };
            Err(TelemetryError { status, operation: GET_METRIC_DATA, reason: shortened(&reason, 200) })
        };
        for code in self.codes.values() {
            match code {
                StatusCode::Complete => {}
                StatusCode::Forbidden => return error(Status::Denied, "a metric may not be read"),
                StatusCode::PartialData => return error(Status::Failed, "only a part of the data came"),
                other => {
                    return error(
                        Status::Failed,
                        &format!("CloudWatch could not read a metric ({})", other.as_str()),
                    );
                }
            }
        }
        Ok(())
    }

    fn datapoints(&self, id: &str) -> Vec<Datapoint> {
        let values = self.values.get(id).into_iter().flatten();
        values.map(|(at, value)| Datapoint { at: *at, value: *value }).collect()
    }
}

/// Lists the metrics that carry the given name and dimensions, whatever others they carry.
pub(super) async fn list_metrics(client: &Client, like: &MetricId) -> Result<Vec<MetricId>, TelemetryError> {
    let deadline = Deadline::after(DATA_CALL_TIME);
    let dimensions: Vec<DimensionFilter> = like
        .dimensions
        .iter()
        .map(|(name, value)| DimensionFilter::builder().name(name).value(value).build())
        .collect();
    let mut metrics = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let answer = client
            .list_metrics()
            .namespace(&like.namespace)
            .metric_name(&like.name)
            .set_dimensions(Some(dimensions.clone()).filter(|dimensions| !dimensions.is_empty()))
            .set_next_token(page.take())
            .send()
            .await
            .map_err(|error| telemetry(LIST_METRICS, &error))?;
        metrics.extend(answer.metrics().iter().map(from_metric));
        page = answer.next_token.filter(|token| !token.is_empty());
        if page.is_none() {
            return Ok(metrics);
        }
        still_time(deadline, LIST_METRICS)?;
    }
}

/// Pages of a hundred alarms that are read at most.
const ALARM_PAGES: usize = 20;

/// Lists the account's alarms of both kinds, up to two thousand.
pub(super) async fn alarms(client: &Client, region: &str) -> Result<Vec<AlarmSnapshot>, TelemetryError> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_alarms()
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .max_records(100)
        .into_paginator()
        .send();
    for _ in 0..ALARM_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| telemetry(DESCRIBE_ALARMS, &error))?;
        found.extend(page.metric_alarms().iter().map(|alarm| from_metric_alarm(alarm, region)));
        found.extend(page.composite_alarms().iter().map(|alarm| from_composite_alarm(alarm, region)));
    }
    Ok(found)
}

/// Reads an alarm of either kind by its name.
pub(super) async fn alarm(
    client: &Client,
    name: &str,
    region: &str,
) -> Result<Option<AlarmSnapshot>, TelemetryError> {
    let answer = client
        .describe_alarms()
        .alarm_names(name)
        // Without the types, CloudWatch answers for metric alarms only.
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .send()
        .await
        .map_err(|error| telemetry(DESCRIBE_ALARMS, &error))?;
    if let Some(alarm) = answer.metric_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name)) {
        return Ok(Some(from_metric_alarm(alarm, region)));
    }
    let composite = answer.composite_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name));
    Ok(composite.map(|alarm| from_composite_alarm(alarm, region)))
}

fn still_time(deadline: Deadline, operation: &'static str) -> Result<(), TelemetryError> {
    if deadline.time_left().is_zero() {
        let reason = format!("more pages than can be read in {} s", DATA_CALL_TIME.as_secs());
        return Err(TelemetryError { status: Status::TimedOut, operation, reason });
    }
    Ok(())
}

fn complaint(message: &MessageData) -> Option<String> {
    message.value().or(message.code()).map(str::to_owned)
}

fn id_of(number: usize) -> String {
    format!("q{number}")
}

fn to_query(number: usize, query: &MetricQuery, period_seconds: i64) -> MetricDataQuery {
    let stat = MetricStat::builder()
        .metric(to_metric(&query.metric))
        .period(i32::try_from(period_seconds).unwrap_or(i32::MAX))
        .stat(query.statistic.as_str())
        .set_unit(query.unit.as_deref().map(StandardUnit::from))
        .build();
    MetricDataQuery::builder().id(id_of(number)).metric_stat(stat).build()
}

fn to_metric(metric: &MetricId) -> Metric {
    let dimensions = metric
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build())
        .collect();
    Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(dimensions))
        .build()
}

fn from_metric(metric: &Metric) -> MetricId {
    MetricId {
        namespace: metric.namespace().unwrap_or_default().to_owned(),
        name: metric.metric_name().unwrap_or_default().to_owned(),
        dimensions: from_dimensions(metric.dimensions()),
    }
}

fn from_dimensions(dimensions: &[Dimension]) -> BTreeMap<String, String> {
    let pair = |dimension: &Dimension| {
        let name = dimension.name()?;
        Some((name.to_owned(), dimension.value().unwrap_or_default().to_owned()))
    };
    dimensions.iter().filter_map(pair).collect()
}

fn to_date_time(at: Timestamp) -> DateTime {
    // The clock's range lies inside the SDK's, so the fallback is never taken.
    DateTime::from_nanos(at.as_nanosecond()).unwrap_or_else(|_| DateTime::from_millis(at.as_millisecond()))
}

fn from_metric_alarm(alarm: &MetricAlarm, region: &str) -> AlarmSnapshot {
    let header = Header {
        name: alarm.alarm_name(),
        arn: alarm.alarm_arn(),
        description: alarm.alarm_description(),
        state: alarm.state_value(),
        reason: alarm.state_reason(),
        // `StateUpdatedTimestamp` also moves when only the reason changes.
        since: alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp()),
        actions_enabled: alarm.actions_enabled(),
    };
    snapshot(&header, trigger_of(alarm), region)
}

fn from_composite_alarm(alarm: &CompositeAlarm, region: &str) -> AlarmSnapshot {
    let header = Header {
        name: alarm.alarm_name(),
        arn: alarm.alarm_arn(),
        description: alarm.alarm_description(),
        state: alarm.state_value(),
        reason: alarm.state_reason(),
        since: alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp()),
        actions_enabled: alarm.actions_enabled(),
    };
    let raw = json!({"AlarmRule": alarm.alarm_rule()}).to_string();
    snapshot(&header, Trigger::Other { kind: "composite".to_owned(), raw }, region)
}

/// What both kinds of alarm tell of themselves.
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
            other_fields: BTreeMap::new(),
        },
        state_since: since,
        actions_enabled: header.actions_enabled.unwrap_or(true),
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
            let kind = match (alarm.threshold_metric_id(), alarm.metrics()) {
                (Some(_), _) => "anomaly band",
                (None, []) => "unknown",
                (None, _) => "metric math",
            };
            return Trigger::Other { kind: kind.to_owned(), raw: raw_definition(alarm).to_string() };
        }
    };
    Trigger::Metric(watched)
}

fn watched(alarm: &MetricAlarm, metric: MetricId) -> MetricTrigger {
    let statistic =
        alarm.extended_statistic().or(alarm.statistic().map(aws_sdk_cloudwatch::types::Statistic::as_str));
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let evaluation_periods = count(alarm.evaluation_periods()).unwrap_or(1);
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
        missing_data: match alarm.treat_missing_data() {
            Some("breaching") => MissingData::Breaching,
            Some("notBreaching") => MissingData::NotBreaching,
            Some("ignore") => MissingData::Ignore,
            _ => MissingData::Missing,
        },
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
            "Namespace": metric.as_ref().map(|metric| &metric.namespace),
            "MetricName": metric.as_ref().map(|metric| &metric.name),
            "Dimensions": metric.as_ref().map(|metric| &metric.dimensions),
            "Period": stat.period(),
            "Stat": stat.stat(),
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
    use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};

    use super::*;

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

    #[test]
    fn pages_of_a_series_join_in_order_and_the_last_page_tells_whether_it_is_whole() {
        let page = |second: i64, code: StatusCode| {
            MetricDataResult::builder()
                .id("q0")
                .timestamps(DateTime::from_secs(second))
                .values(1.5)
                .status_code(code)
                .build()
        };
        let mut found = Found::default();
        found.add(&page(120, StatusCode::PartialData));
        assert_eq!(found.check().unwrap_err().status, Status::Failed);
        found.add(&page(60, StatusCode::Complete));
        found.check().unwrap();
        let seconds: Vec<i64> = found.datapoints("q0").iter().map(|point| point.at.as_second()).collect();
        assert_eq!(seconds, [60, 120]);
        assert_eq!(found.datapoints("q1"), []);
        found.add(&page(180, StatusCode::Forbidden));
        assert_eq!(found.check().unwrap_err().status, Status::Denied);
    }
}
