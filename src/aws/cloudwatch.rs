//! Reads metrics from CloudWatch, and has them drawn.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    Dimension, DimensionFilter, MessageData, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    StandardUnit, StatusCode,
};
use aws_smithy_types::DateTime;

use super::error::{shortened, telemetry};
use super::{DATA_CALL_TIME, timestamp};
use crate::clock::{Deadline, Timestamp};
use crate::evidence::{Datapoint, MetricId, Series, Status};
use crate::gather::telemetry::{MOST_LISTED, MetricQuery, MetricsRequest, TelemetryError};

const GET_METRIC_DATA: &str = "cloudwatch:GetMetricData";
const GET_METRIC_WIDGET_IMAGE: &str = "cloudwatch:GetMetricWidgetImage";
const LIST_METRICS: &str = "cloudwatch:ListMetrics";

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
            .set_metric_name(Some(like.name.clone()).filter(|name| !name.is_empty()))
            .set_dimensions(Some(dimensions.clone()).filter(|dimensions| !dimensions.is_empty()))
            .set_next_token(page.take())
            .send()
            .await
            .map_err(|error| telemetry(LIST_METRICS, &error))?;
        metrics.extend(answer.metrics().iter().map(from_metric));
        page = answer.next_token.filter(|token| !token.is_empty());
        if page.is_none() || metrics.len() >= MOST_LISTED {
            return Ok(metrics);
        }
        still_time(deadline, LIST_METRICS)?;
    }
}

/// Has a metric widget drawn as a PNG.
pub(super) async fn picture(client: &Client, widget: &str) -> Result<Option<Vec<u8>>, TelemetryError> {
    let asked = client.get_metric_widget_image().metric_widget(widget);
    let answer = asked.send().await.map_err(|error| telemetry(GET_METRIC_WIDGET_IMAGE, &error))?;
    Ok(answer.metric_widget_image.map(aws_smithy_types::Blob::into_inner).filter(|bytes| !bytes.is_empty()))
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

pub(super) fn to_metric(metric: &MetricId) -> Metric {
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

pub(super) fn from_metric(metric: &Metric) -> MetricId {
    MetricId {
        namespace: metric.namespace().unwrap_or_default().to_owned(),
        name: metric.metric_name().unwrap_or_default().to_owned(),
        dimensions: from_dimensions(metric.dimensions()),
    }
}

pub(super) fn from_dimensions(dimensions: &[Dimension]) -> BTreeMap<String, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
