//! Logs Insights within a budget of bytes: what a query would scan is estimated first, and what would exceed is not run.
//!
//! There are two questions: a log alarm's own query, and how many lines of trouble there are where not all were read.

use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::alarm::Trigger;
use crate::clock::Timestamp;
use crate::evidence::log_lines::LineCount;
use crate::evidence::query_rows::QueryRows;
use crate::evidence::{Body, Gap, Ledger, MetricId, Series, Source, Statistic, Status, Window, console};
use crate::gather::telemetry::{LogsAnswer, LogsQuery, MetricQuery, MetricsRequest, START_QUERY};
use crate::gather::{Plan, Reader, evidence, gap, place};
use crate::incident::Incident;
use crate::redact::Redacted;

/// Most rows that are asked for and kept of an alarm's own query.
const MOST_ROWS: u32 = 100;

/// Most characters of a row; a Lambda stack trace fits.
const LONGEST_ROW: usize = 1_200;

/// Most rows of a count by minute: a window is 13 hours at the longest.
const MOST_MINUTES: u32 = 10_000;

/// Period of what came into a group, seconds: kept for 63 days.
const INCOMING_PERIOD: i64 = 300;

const GIGABYTE: f64 = 1e9;

/// Most that the queries of a run may scan, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanLimits {
    /// Bytes of the run.
    pub run: u64,
    /// Bytes that the limit of the day leaves, and the limit; `None` is no limit.
    pub day: Option<(u64, u64)>,
    /// US dollars for 10⁹ bytes.
    pub usd_per_gb: f64,
}

/// The limit that kept a query from being run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ScanLimit {
    /// `budget.max_insights_bytes`.
    Run,
    /// `budget.max_insights_bytes_per_day`, over all runs.
    Day,
}

impl ScanLimit {
    /// Returns the word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            ScanLimit::Run => "insights_bytes",
            ScanLimit::Day => "day_insights_bytes",
        }
    }
}

/// What Logs Insights scanned for a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scanned {
    /// Queries that were started.
    pub queries: u32,
    /// Bytes, as the answers tell them; of a query whose end is not known what was estimated.
    pub bytes: u64,
    /// US dollars, estimated.
    pub cost_usd: f64,
    /// The limit that kept a query from being run, where one did.
    #[serde(default)]
    pub tripped: Option<ScanLimit>,
}

/// Counts what the queries of a run scan and says which may not be run.
#[derive(Debug)]
pub struct ScanBudget {
    limits: Mutex<ScanLimits>,
    scanned: Mutex<Scanned>,
}

impl ScanBudget {
    /// Returns an unspent budget.
    pub fn new(limits: ScanLimits) -> Self {
        ScanBudget { limits: Mutex::new(limits), scanned: Mutex::default() }
    }

    /// Notes what the limit of the day leaves, and the limit.
    pub fn day_leaves(&self, left: u64, limit: u64) {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).day = Some((left, limit));
    }

    /// Returns what was scanned so far.
    pub fn scanned(&self) -> Scanned {
        let usd_per_gb = self.limits.lock().unwrap_or_else(PoisonError::into_inner).usd_per_gb;
        let scanned = *self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        Scanned { cost_usd: gigabytes(scanned.bytes) * usd_per_gb, ..scanned }
    }

    /// Takes a query's estimate, so that two queries at once do not pass the limit together; the error says which limit
    /// forbids it, in words.
    fn take(&self, estimate: u64) -> Result<(), String> {
        let limits = *self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        let after = scanned.bytes.saturating_add(estimate);
        let about = in_bytes(estimate);
        let over = match limits.day {
            Some((left, limit)) if after > left => Some((
                ScanLimit::Day,
                format!(
                    "Logs Insights: about {about}, over what is left of the day's limit of {} \
                     (budget.max_insights_bytes_per_day)",
                    in_bytes(limit)
                ),
            )),
            Some(_) | None if after > limits.run => {
                let used = in_bytes(scanned.bytes);
                let used = if scanned.bytes == 0 { String::new() } else { format!(", {used} of it used") };
                let limit = in_bytes(limits.run);
                let words = format!(
                    "Logs Insights: about {about}, over the run's limit of {limit}{used} (budget.max_insights_bytes)"
                );
                Some((ScanLimit::Run, words))
            }
            Some(_) | None => None,
        };
        if let Some((limit, words)) = over {
            scanned.tripped.get_or_insert(limit);
            return Err(words);
        }
        scanned.queries += 1;
        scanned.bytes = after;
        Ok(())
    }

    /// Puts what was scanned in the place of the estimate; `None` where the query was never started.
    fn settle(&self, estimate: u64, bytes: Option<u64>) {
        let mut scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        scanned.bytes = scanned.bytes.saturating_sub(estimate).saturating_add(bytes.unwrap_or_default());
        scanned.queries -= u32::from(bytes.is_none());
    }
}

#[expect(clippy::cast_precision_loss, reason = "to be read and to be priced")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / GIGABYTE
}

/// Returns bytes as people write them: `12 GB`, `1.2 GB`, `340 MB`, `0 KB`.
pub fn in_bytes(bytes: u64) -> String {
    let written = |value: f64, unit: &str| {
        if value < 10.0 && value.fract() > 0.0 {
            format!("{value:.1} {unit}")
        } else {
            format!("{value:.0} {unit}")
        }
    };
    match gigabytes(bytes) {
        many if many >= 1.0 => written(many, "GB"),
        some if some >= 1e-3 => written(some * 1e3, "MB"),
        few => format!("{:.0} KB", (few * 1e6).ceil()),
    }
}

/// Runs a query, where what it would scan is known and within the limits.
async fn ask(reader: &Reader<'_>, query: &LogsQuery, subject: &str) -> Result<LogsAnswer, Gap> {
    let not_run = |reason: &str| gap(Source::Logs, subject, Status::NotRun, reason);
    let Some(estimate) = estimate(reader, &query.groups, query.window).await else {
        return Err(not_run("Logs Insights: not run, as nothing tells how much it would scan"));
    };
    reader.scans.take(estimate).map_err(|words| not_run(&words))?;
    let asked = async {
        let answer = reader.telemetry.query_logs(query).await;
        match &answer {
            Ok(answer) => reader.scans.settle(estimate, Some(answer.bytes_scanned)),
            // A start that got no answer may have been one.
            Err(error) if error.operation == START_QUERY && error.status != Status::TimedOut => {
                reader.scans.settle(estimate, None);
            }
            Err(_) => {}
        }
        answer
    };
    reader.ask(asked, Source::Logs, subject, START_QUERY).await
}

/// Returns about how many bytes a query scans: what came into the groups in that time; of a group for which no metric
/// tells it, all that it holds.
async fn estimate(reader: &Reader<'_>, groups: &[String], window: Window) -> Option<u64> {
    let queries = groups.iter().map(|group| MetricQuery {
        metric: MetricId {
            namespace: "AWS/Logs".into(),
            name: "IncomingBytes".into(),
            dimensions: [("LogGroupName".to_owned(), group.clone())].into(),
        },
        statistic: Statistic("Sum".into()),
        unit: None,
    });
    let whole = |second: i64| Timestamp::from_second(second).unwrap_or(window.end);
    let request = MetricsRequest {
        queries: queries.collect(),
        window: Window {
            start: whole(window.start.as_second().div_euclid(INCOMING_PERIOD) * INCOMING_PERIOD),
            end: whole((window.end.as_second().div_euclid(INCOMING_PERIOD) + 1) * INCOMING_PERIOD),
        },
        period_seconds: INCOMING_PERIOD,
    };
    let answer = reader.telemetry.metrics(&request);
    let known = reader.ask(answer, Source::Logs, "size of the logs", "cloudwatch:GetMetricData").await;
    let known = known.unwrap_or_default();
    let sizes = groups.iter().enumerate().map(|(at, group)| {
        let incoming = known.get(at).map(Series::values).filter(|values| !values.is_empty());
        async move {
            if let Some(values) = incoming {
                return Some(whole_bytes(values.iter().sum()));
            }
            let answer = reader.telemetry.log_group(group);
            let found = reader.ask(answer, Source::Logs, "size of the logs", "logs:DescribeLogGroups").await;
            // A group that does not exist is for the query itself to tell.
            found.ok()?.map_or(Some(0), |group| group.stored_bytes)
        }
    });
    let sizes = futures::future::join_all(sizes).await;
    sizes.into_iter().try_fold(0_u64, |sum, size| Some(sum.saturating_add(size?)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates; bytes are whole"
)]
fn whole_bytes(bytes: f64) -> u64 {
    bytes.max(0.0) as u64
}

/// A query that names its own groups would scan others than those that were estimated.
static NAMES_GROUPS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:^|[|(\n{])\s*source\b").ok());

/// What became of a log alarm's own query.
pub(crate) type OwnQuery = Option<Result<QueryRows, Gap>>;

const OWN_QUERY: &str = "the alarm's own query";

/// Tells that the answer is awaited, where there is a query.
pub(crate) fn pending(incident: &Incident) -> OwnQuery {
    own_query(incident)?;
    Some(Err(gap(Source::Logs, OWN_QUERY, Status::Pending, "no answer yet")))
}

/// Runs a log alarm's own query again, over the incident's window.
pub(crate) async fn read_own(incident: &Incident, reader: &Reader<'_>) -> OwnQuery {
    let query = own_query(incident)?;
    if NAMES_GROUPS.as_ref().is_none_or(|names| names.is_match(&query.query)) {
        let reason = "Logs Insights: not run, as the query names log groups itself";
        return Some(Err(gap(Source::Logs, OWN_QUERY, Status::NotRun, reason)));
    }
    let answer = ask(reader, &query, OWN_QUERY).await;
    Some(answer.map(|answer| {
        QueryRows {
            rows: answer
                .rows
                .iter()
                .take(usize::try_from(MOST_ROWS).unwrap_or(usize::MAX))
                .map(|fields| row(fields))
                .collect(),
            groups: query.groups,
            query: Redacted::new(&query.query),
            matched: answer.records_matched,
            complete: answer.complete,
        }
    }))
}

fn own_query(incident: &Incident) -> Option<LogsQuery> {
    let Trigger::Log(log) = &incident.alarm.trigger else { return None };
    if log.groups.is_empty() || log.query.trim().is_empty() {
        return None;
    }
    let query = match log.aggregation.trim() {
        "" => log.query.clone(),
        aggregation => format!("{}\n| stats {aggregation}", log.query.trim_end()),
    };
    Some(LogsQuery { groups: log.groups.clone(), query, window: incident.window, limit: MOST_ROWS })
}

fn row(fields: &[(String, String)]) -> Redacted {
    let text: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}: {}", value.trim_end())).collect();
    // A secret is known by its whole form, so it goes before anything is folded or cut.
    let text = Redacted::new(&text.join(", "));
    let line = text.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
    Redacted::new(&line.chars().take(LONGEST_ROW).collect::<String>())
}

/// Writes what the alarm's query found into the ledger.
pub(crate) fn record_own(incident: &Incident, plan: &mut Plan, found: OwnQuery, ledger: &mut Ledger) {
    match found {
        Some(Ok(rows)) => {
            let query =
                console::insights_query(place(incident), &rows.groups, rows.query.as_str(), incident.window);
            let title = format!("{OWN_QUERY}: {} lines matched", rows.matched);
            let (id, body) = (plan.next(Source::Logs), Body::Rows(rows));
            ledger.push(evidence(id, Source::Logs, &title, query, incident.window, body));
        }
        Some(Err(gap)) => ledger.push_gap(gap),
        None => {}
    }
}

/// Counts a group's lines that hold one of the words, minute by minute. `read` is how many of them were read: a count
/// below it is of something else, and none.
pub(crate) async fn count(
    reader: &Reader<'_>,
    group: &str,
    words: &[&str],
    window: Window,
    read: usize,
) -> Result<Option<LineCount>, Gap> {
    let query = LogsQuery {
        groups: vec![group.to_owned()],
        query: format!("filter @message like /{}/ | stats count(*) as lines by bin(1m)", words.join("|")),
        window,
        limit: MOST_MINUTES,
    };
    let answer = ask(reader, &query, &format!("number of lines of {group}")).await?;
    let minutes: Vec<(Timestamp, u64)> = answer.rows.iter().filter_map(|row| minute(row)).collect();
    if !answer.complete || minutes.len() != answer.rows.len() {
        return Ok(None);
    }
    let total = minutes.iter().fold(0_u64, |sum, (_, lines)| sum.saturating_add(*lines));
    let read = u64::try_from(read).unwrap_or(u64::MAX);
    let peak = minutes.iter().copied().max_by_key(|(at, lines)| (*lines, std::cmp::Reverse(*at)));
    Ok(peak.filter(|_| total >= read).map(|peak| LineCount { total, read, peak_at: peak.0, peak: peak.1 }))
}

/// Reads a row of a count: `bin(1m)` as `2026-11-24 03:02:00.000`, and `lines`.
fn minute(row: &[(String, String)]) -> Option<(Timestamp, u64)> {
    let field = |wanted: &str| row.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let at = format!("{}Z", field("bin(1m)")?.replace(' ', "T")).parse().ok()?;
    Some((at, field("lines")?.parse().ok()?))
}

#[cfg(test)]
mod tests;
