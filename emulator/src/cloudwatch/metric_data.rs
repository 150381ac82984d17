//! `GetMetricData`: any window, period and statistic over the recorded series, computed exactly or refused.
//!
//! Periods are counted from `StartTime`, rounded down as CloudWatch rounds it; a recorded datapoint belongs to the
//! period in which it begins. `StartTime` is inclusive, `EndTime` exclusive.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::cbor::Cbor;
use crate::cloudwatch::{Dimension, invalid, invalid_token, invalid_value};
use crate::failure::Failure;
use crate::input;
use crate::page::Pager;
use crate::scenario::{MetricKey, Paging, Scenario, Series, is_unit, percentile_of};

const OPERATION: &str = "GetMetricData";
/// Queries that one call may carry.
const MOST_QUERIES: usize = 500;
/// Datapoints that one page may carry.
const MOST_DATAPOINTS: i64 = 100_800;
const DAY: i64 = 86_400;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    #[serde(default)]
    metric_data_queries: Vec<Query>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    next_token: Option<String>,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    id: String,
    metric_stat: Option<MetricStat>,
    expression: Option<String>,
    label: Option<String>,
    return_data: Option<bool>,
    account_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricStat {
    metric: Metric,
    period: i64,
    stat: String,
    unit: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Metric {
    namespace: Option<String>,
    #[serde(rename = "MetricName")]
    name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

/// A statistic that a recording can answer.
#[derive(Debug, Clone, PartialEq)]
enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    Percentile { number: f64, name: String },
}

/// One query, checked.
struct Question<'a> {
    id: String,
    label: String,
    series: Option<&'a Series>,
    period: i64,
    statistic: Statistic,
}

/// The window in seconds, and from where on datapoints are not there yet.
#[derive(Clone, Copy)]
struct Window {
    start: i64,
    end: i64,
    /// Start times are rounded to this many seconds at the window's age; shorter periods have no data that old.
    granularity: i64,
    /// A datapoint is visible when its period ended at or before this second.
    visible_until: i64,
}

pub(crate) fn get_metric_data(scenario: &Scenario, paging: &Paging, raw: Value) -> Result<Cbor, Failure> {
    let pager = Pager::new(OPERATION, &raw, &["NextToken"]);
    let input: Input = input::read(OPERATION, raw)?;
    let newest_first = match input.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => {
            return Err(invalid_value(format!("The value {other} for parameter ScanBy is not supported.")));
        }
    };
    let most = input.max_datapoints.unwrap_or(MOST_DATAPOINTS);
    if !(1..=MOST_DATAPOINTS).contains(&most) {
        return Err(invalid(format!("MaxDatapoints must be between 1 and {MOST_DATAPOINTS}, it is {most}.")));
    }
    let window = window(scenario, input.start_time, input.end_time)?;
    let questions = questions(scenario, &input.metric_data_queries)?;
    let (first, skipped) = match input.next_token.as_deref() {
        None => (0, 0),
        Some(token) => place(&pager, token).ok_or_else(invalid_token)?,
    };

    let mut room = usize::try_from(most).unwrap_or(usize::MAX).min(paging.datapoints);
    let mut results = Vec::new();
    let mut next = None;
    for (index, question) in questions.iter().enumerate().skip(first) {
        if next.is_some() {
            results.push(result(question, &[], "PartialData"));
            continue;
        }
        let mut points = points(question, window)?;
        if newest_first {
            points.reverse();
        }
        let begin = if index == first { skipped.min(points.len()) } else { 0 };
        let end = points.len().min(begin.saturating_add(room));
        room -= end - begin;
        let complete = end == points.len();
        if !complete {
            next = Some(pager.token(&format!("{index}/{end}")));
        }
        let shown = points.get(begin..end).unwrap_or_default();
        results.push(result(question, shown, if complete { "Complete" } else { "PartialData" }));
    }
    let output =
        Cbor::map([("MetricDataResults", Cbor::List(results)), ("Messages", Cbor::List(Vec::new()))]);
    Ok(match next {
        Some(token) => output.with("NextToken", Cbor::Text(token)),
        None => output,
    })
}

/// Reads one metric's datapoints over a window, as a graph names it: start of the period in seconds, and value.
pub(super) fn datapoints(
    scenario: &Scenario,
    metric: MetricKey,
    stat: &str,
    period: i64,
    (start, end): (Timestamp, Timestamp),
) -> Result<Vec<(i64, f64)>, Failure> {
    let window = window(scenario, Some(start), Some(end))?;
    let question = Question {
        id: String::new(),
        label: String::new(),
        series: scenario.metrics().find(&metric),
        period,
        statistic: statistic(stat, "MetricWidget")?,
    };
    points(&question, window)
}

fn place(pager: &Pager, token: &str) -> Option<(usize, usize)> {
    let place = pager.place(token)?;
    let (query, datapoint) = place.split_once('/')?;
    Some((query.parse().ok()?, datapoint.parse().ok()?))
}

fn window(scenario: &Scenario, start: Option<Timestamp>, end: Option<Timestamp>) -> Result<Window, Failure> {
    let missing = |name: &str| {
        Failure::service(
            400,
            "MissingRequiredParameterException",
            format!("The parameter {name} is required."),
        )
    };
    let start = start.ok_or_else(|| missing("StartTime"))?;
    let end = end.ok_or_else(|| missing("EndTime"))?;
    if start == end {
        return Err(invalid("The parameter StartTime must not equal parameter EndTime."));
    }
    if start > end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let as_of = scenario.as_of().as_second();
    let granularity = match as_of - start.as_second() {
        age if age < 15 * DAY => 60,
        age if age < 63 * DAY => 300,
        _ => 3600,
    };
    // A fraction of a second at the end still admits a datapoint that begins with that second.
    let end = end.as_second() + i64::from(end.subsec_nanosecond() > 0);
    Ok(Window {
        start: start.as_second() - start.as_second().rem_euclid(granularity),
        end,
        granularity,
        visible_until: as_of - scenario.description().lag.metrics_seconds,
    })
}

fn questions<'a>(scenario: &'a Scenario, queries: &[Query]) -> Result<Vec<Question<'a>>, Failure> {
    if queries.is_empty() {
        return Err(Failure::service(
            400,
            "MissingRequiredParameterException",
            "The parameter MetricDataQueries is required.",
        ));
    }
    if queries.len() > MOST_QUERIES {
        return Err(invalid(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )));
    }
    let mut ids = BTreeSet::new();
    let mut questions = Vec::new();
    for (index, query) in queries.iter().enumerate() {
        let at = format!("MetricDataQueries.member.{}", index + 1);
        if !is_query_id(&query.id) {
            return Err(invalid(format!(
                "The value {} for parameter {at}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.",
                query.id
            )));
        }
        if !ids.insert(query.id.as_str()) {
            return Err(invalid("The values for parameter id in MetricDataQueries are not unique."));
        }
        if query.account_id.as_deref().is_some_and(|account| account != scenario.account()) {
            return Err(Failure::unsupported("GetMetricData over another account"));
        }
        if query.label.as_deref().is_some_and(|label| label.contains("${")) {
            return Err(Failure::unsupported("dynamic labels of GetMetricData"));
        }
        let stat = match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => stat,
            (None, Some(_)) => {
                return Err(Failure::unsupported(
                    "expressions in GetMetricData; only MetricStat is answered",
                ));
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(Failure::service(
                    400,
                    "InvalidParameterCombinationException",
                    format!("Exactly one of {at}.Expression and {at}.MetricStat must be specified."),
                ));
            }
        };
        let question = question(scenario, query, stat, &at)?;
        if query.return_data.unwrap_or(true) {
            questions.push(question);
        }
    }
    if questions.is_empty() {
        return Err(invalid(
            "At least one element of the MetricDataQueries list must have ReturnData set to true.",
        ));
    }
    Ok(questions)
}

fn question<'a>(
    scenario: &'a Scenario,
    query: &Query,
    stat: &MetricStat,
    at: &str,
) -> Result<Question<'a>, Failure> {
    let required = |value: &Option<String>, name: &str| {
        value.clone().filter(|value| !value.is_empty()).ok_or_else(|| {
            invalid(format!("The parameter {at}.MetricStat.Metric.{name} is required and cannot be empty."))
        })
    };
    let namespace = required(&stat.metric.namespace, "Namespace")?;
    let name = required(&stat.metric.name, "MetricName")?;
    if stat.metric.dimensions.len() > 30 {
        return Err(invalid(format!(
            "The collection {at}.MetricStat.Metric.Dimensions must not have a size greater than 30."
        )));
    }
    match stat.period {
        1 | 5 | 10 | 20 | 30 => return Err(Failure::unsupported("periods below a minute")),
        period if period >= 60 && period % 60 == 0 => {}
        period => {
            return Err(invalid_value(format!(
                "The parameter {at}.MetricStat.Period must be 1, 5, 10, 20, 30 or a multiple of 60, it is {period}."
            )));
        }
    }
    if let Some(unit) = stat.unit.as_deref()
        && !is_unit(unit)
    {
        return Err(invalid_value(format!(
            "The value {unit} for parameter {at}.MetricStat.Unit is not supported."
        )));
    }
    let dimensions: BTreeMap<String, String> =
        stat.metric.dimensions.iter().map(|d| (d.name.clone(), d.value.clone())).collect();
    let label = query.label.clone().unwrap_or_else(|| name.clone());
    let series = scenario
        .metrics()
        .find(&MetricKey { namespace, name, dimensions })
        .filter(|series| stat.unit.as_ref().is_none_or(|unit| *unit == series.unit));
    Ok(Question {
        id: query.id.clone(),
        label,
        series,
        period: stat.period,
        statistic: statistic(&stat.stat, at)?,
    })
}

fn statistic(stat: &str, at: &str) -> Result<Statistic, Failure> {
    Ok(match stat {
        "SampleCount" => Statistic::SampleCount,
        "Sum" => Statistic::Sum,
        "Average" => Statistic::Average,
        "Minimum" => Statistic::Minimum,
        "Maximum" => Statistic::Maximum,
        _ => {
            if let Some((number, name)) = percentile_of(stat) {
                return Ok(Statistic::Percentile { number, name });
            }
            // Trimmed and winsorized means, ranks and the like: CloudWatch has them, a recording does not.
            let extended = ["tm", "wm", "tc", "ts", "TM(", "WM(", "TC(", "TS(", "PR(", "IQM"];
            if extended.iter().any(|prefix| stat.starts_with(prefix)) {
                return Err(Failure::unsupported(format!("the statistic {stat}")));
            }
            return Err(invalid_value(format!(
                "The value {stat} for parameter {at}.MetricStat.Stat is not supported."
            )));
        }
    })
}

fn is_query_id(id: &str) -> bool {
    id.len() <= 255
        && id.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Computes a query's datapoints, oldest first.
fn points(question: &Question<'_>, window: Window) -> Result<Vec<(i64, f64)>, Failure> {
    let Some((series, (first, last))) = question.series.and_then(|series| Some((series, series.extent()?)))
    else {
        return Ok(Vec::new());
    };
    if question.period % window.granularity != 0 {
        return Ok(Vec::new());
    }
    let end = window.end.min(last).min(window.visible_until - series.period + 1);
    // Whole periods before the first datapoint are passed over at once.
    let idle = (first - window.start).max(0).div_euclid(question.period);
    let mut begin = window.start + idle * question.period;
    let mut points = Vec::new();
    while begin < end {
        let until = (begin + question.period).min(end);
        if let Some(aggregate) = series.aggregate(begin, until) {
            let set = aggregate.set;
            let value = match &question.statistic {
                Statistic::SampleCount => set.count,
                Statistic::Sum => set.sum,
                Statistic::Average => set.sum / set.count,
                Statistic::Minimum => set.minimum,
                Statistic::Maximum => set.maximum,
                Statistic::Percentile { number, name } => {
                    let recorded = || {
                        (aggregate.datapoints == 1)
                            .then(|| series.percentile(name, aggregate.first))
                            .flatten()
                    };
                    // All values of the period are equal, or the percentile is the largest of them.
                    let all_equal = set.minimum >= set.maximum;
                    let largest = *number >= 100.0;
                    let certain = (all_equal || largest).then_some(set.maximum);
                    certain.or_else(recorded).ok_or_else(|| not_recorded(series, name, question.period))?
                }
            };
            points.push((begin, value));
        }
        begin += question.period;
    }
    Ok(points)
}

fn not_recorded(series: &Series, percentile: &str, period: i64) -> Failure {
    Failure::unsupported(format!(
        "{percentile} of {} at a period of {period} s: it follows from no recorded statistic",
        series.key.name
    ))
}

fn result(question: &Question<'_>, points: &[(i64, f64)], status: &str) -> Cbor {
    let times =
        points.iter().filter_map(|(at, _)| Timestamp::from_second(*at).ok()).map(Cbor::Time).collect();
    let values = points.iter().map(|(_, value)| Cbor::Double(*value)).collect();
    Cbor::map([
        ("Id", Cbor::text(&question.id)),
        ("Label", Cbor::text(&question.label)),
        ("Timestamps", Cbor::List(times)),
        ("Values", Cbor::List(values)),
        ("StatusCode", Cbor::text(status)),
    ])
}
