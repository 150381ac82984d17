//! The seam to `CloudWatch`, `CloudWatch` Logs and Lambda: questions in our own terms, answers as plain data.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::alarm::AlarmSnapshot;
use crate::clock::Timestamp;
use crate::evidence::{MetricId, Series, Statistic, Status};
use crate::incident::Window;

/// Read access to an account's telemetry. Implementations retry what is worth retrying, once, and bound each call's time.
pub trait Telemetry: Send + Sync {
    /// Reads series over one window; the answer has one series a query, in the order asked, empty where there is no data.
    fn metrics<'a>(
        &'a self,
        request: &'a MetricsRequest,
    ) -> BoxFuture<'a, Result<Vec<Series>, TelemetryError>>;

    /// Lists metrics of a namespace with this name, or with any where it is empty, that carry the given dimensions, whatever
    /// others they carry; about [`MOST_LISTED`] at most.
    fn list_metrics<'a>(&'a self, like: &'a MetricId)
    -> BoxFuture<'a, Result<Vec<MetricId>, TelemetryError>>;

    /// Reads an alarm's definition and state; `None` where there is no alarm of that name.
    fn alarm<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AlarmSnapshot>, TelemetryError>>;

    /// Reads the alarms that a composite's rule names, with their states; a stand-in may know none.
    fn children<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<AlarmSnapshot>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Reads the tags of an alarm by its ARN; a stand-in may know none.
    fn tags<'a>(&'a self, _arn: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(BTreeMap::new())))
    }

    /// Looks a log group up by its exact name.
    fn log_group<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<LogGroup>, TelemetryError>>;

    /// Reads log events.
    fn log_events<'a>(&'a self, request: &'a LogRequest) -> BoxFuture<'a, Result<LogPage, TelemetryError>>;

    /// Runs a query of Logs Insights, which costs by the byte scanned, and stops it where its answer is not waited for; a
    /// stand-in may have none.
    fn query_logs<'a>(&'a self, _query: &'a LogsQuery) -> BoxFuture<'a, Result<LogsAnswer, TelemetryError>> {
        Box::pin(std::future::ready(Err(TelemetryError {
            status: Status::NotApplicable,
            operation: START_QUERY,
            reason: "there is no Logs Insights here".to_owned(),
        })))
    }

    /// Reads the ARNs of what may call a Lambda function (its resource policy) and of what feeds it (its event sources); a
    /// stand-in may know none.
    fn callers<'a>(&'a self, _function: &'a str) -> BoxFuture<'a, Result<Vec<String>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Reads the name of a REST API by its id; `None` where there is none of that id, which may be that of an HTTP API. A
    /// stand-in may know none.
    fn rest_api_name<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<Option<String>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Reads a Lambda function's versions and aliases; `None` where there is no such function.
    fn function<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FunctionState>, TelemetryError>>;

    /// Has `CloudWatch` draw a metric widget, which is described in its own JSON, as a PNG; a stand-in may draw none.
    fn picture<'a>(&'a self, _widget: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// The IAM action that starts a query of Logs Insights; before it nothing is scanned.
pub const START_QUERY: &str = "logs:StartQuery";

/// Most metrics that are listed: ten pages of `ListMetrics`.
pub const MOST_LISTED: usize = 5_000;

/// One metric to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetricQuery {
    /// Which metric.
    pub metric: MetricId,
    /// Which statistic.
    pub statistic: Statistic,
    /// `CloudWatch`'s unit to filter by; `None` for any.
    pub unit: Option<String>,
}

/// Several metrics over one window at one period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetricsRequest {
    /// At most 500, `GetMetricData`'s limit.
    pub queries: Vec<MetricQuery>,
    /// Start inclusive, end exclusive.
    pub window: Window,
    /// Seconds; a multiple of 60.
    pub period_seconds: i64,
}

/// What is known of a log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Name.
    pub name: String,
    /// Days that events are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Bytes that it holds, of all its time.
    pub stored_bytes: Option<u64>,
}

/// Which log events to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogRequest {
    /// Log group.
    pub group: String,
    /// Only streams with this prefix.
    pub stream_prefix: Option<String>,
    /// `FilterLogEvents` pattern; empty for all.
    pub pattern: String,
    /// Start inclusive, end exclusive.
    pub window: Window,
    /// Stop after this many events.
    pub limit: usize,
}

/// One raw log event, not yet redacted. It never leaves `gather` in this form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// The event's own timestamp.
    pub at: Timestamp,
    /// Log stream.
    pub stream: String,
    /// Raw text.
    pub message: String,
}

/// Log events, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPage {
    /// Oldest first.
    pub events: Vec<LogEvent>,
    /// Whether these are all; false when the limit or the time ended the reading.
    pub complete: bool,
}

/// A query of Logs Insights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsQuery {
    /// Names of the log groups; at most 50.
    pub groups: Vec<String>,
    /// In Logs Insights' own language; at most 10,000 characters.
    pub query: String,
    /// Start inclusive, end exclusive; the service knows whole seconds.
    pub window: Window,
    /// Most rows of the answer; at most 10,000.
    pub limit: u32,
}

/// What a query of Logs Insights found, not yet redacted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogsAnswer {
    /// Rows in the order of the query: each its fields, name and value.
    pub rows: Vec<Vec<(String, String)>>,
    /// What was scanned and is paid for.
    pub bytes_scanned: u64,
    /// Log events that matched, before they were aggregated.
    pub records_matched: u64,
    /// Whether these are all rows; false when the limit cut them.
    pub complete: bool,
}

/// A Lambda function as its control plane shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionState {
    /// Published versions and `$LATEST`, oldest first.
    pub versions: Vec<FunctionVersion>,
    /// Aliases.
    pub aliases: Vec<FunctionAlias>,
    /// Log group of the current configuration, where it names one.
    pub log_group: Option<String>,
}

/// One version's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionVersion {
    /// `58` or `$LATEST`.
    pub version: String,
    /// When it was last modified; for a published version that is its publication.
    pub last_modified: Option<Timestamp>,
    /// Digest of the code package.
    pub code_sha256: String,
    /// Settings that can be compared, name to value. Values of environment variables are digests, never the values.
    pub settings: BTreeMap<String, String>,
}

/// One alias.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionAlias {
    /// Name.
    pub name: String,
    /// The version that takes what no weight diverts.
    pub version: String,
    /// Weights of additional versions, version to share in per mille (exact for the API's three decimals).
    pub weights: Vec<(String, u32)>,
}

/// Why a question had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {reason}")]
pub struct TelemetryError {
    /// `Denied`, `Throttled`, `TimedOut`, `Missing` or `Failed`.
    pub status: Status,
    /// The IAM action behind the call, for instance `logs:FilterLogEvents`.
    pub operation: &'static str,
    /// The service's own words, shortened.
    pub reason: String,
}
