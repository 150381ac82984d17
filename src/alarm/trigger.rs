//! What sets an alarm off, read from its definition as SNS, `EventBridge` and the direct action write it.
//!
//! A plain metric keeps its threshold. Of everything computed from several series the one that tells most of the resource
//! is named as watched, without a threshold, since the alarm's threshold is on the computed value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Comparison, DerivedTrigger, LogTrigger, MetricTrigger, MissingData, Trigger};

/// Longest expression that is kept; `CloudWatch` takes 2,048 characters for a query of metrics.
const MOST_EXPRESSION: usize = 2_048;

/// Longest query of logs that is kept; `CloudWatch` takes no longer one.
const MOST_QUERY: usize = 10_000;

/// One entry of `Metrics`.
struct Entry {
    id: String,
    expression: Option<String>,
    metric: Option<Watched>,
    /// Whether it is the alarmed series.
    returned: bool,
}

/// A metric with its statistic, as an entry names it.
struct Watched {
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
    statistic: String,
    period_seconds: Option<i64>,
    unit: Option<String>,
}

/// Reads the trigger from a definition: SNS's `Trigger`, or the `configuration` of an event. `attributes` are those of the
/// contributor that changed its state, where the alarm watches many series; `raw` is the definition as text.
pub(crate) fn read(
    definition: &Map<String, Value>,
    attributes: &BTreeMap<String, String>,
    raw: String,
) -> Trigger {
    if let Some(metric) = plain(definition) {
        return Trigger::Metric(metric);
    }
    if let Some(log) = log(definition, &raw) {
        return log;
    }
    let entries: Vec<Entry> = either(definition, "Metrics", "metrics")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(entry)
        .collect();
    if let [Entry { expression: None, metric: Some(watched), .. }] = entries.as_slice() {
        return Trigger::Metric(trigger_of(watched, definition, threshold(definition)));
    }
    let returned = entries.iter().find(|entry| entry.returned && entry.expression.is_some());
    let expression = returned.and_then(|entry| entry.expression.clone()).unwrap_or_default();
    let is_band = either(definition, "ThresholdMetricId", "thresholdMetricId").is_some_and(Value::is_string);
    if let Some(query) = query(&expression) {
        // Without its contributor nothing tells which of the series it is.
        let watched = (!attributes.is_empty()).then(|| {
            let series = Watched { dimensions: attributes.clone(), ..query };
            trigger_of(&series, definition, threshold(definition))
        });
        return derived("metrics query", &expression, watched, raw);
    }
    let inputs = || entries.iter().filter(|entry| entry.metric.is_some());
    let first = if is_band {
        inputs().find(|entry| entry.returned).or_else(|| inputs().next())
    } else {
        inputs().min_by_key(|entry| position(&expression, &entry.id))
    };
    let watched =
        first.and_then(|entry| entry.metric.as_ref()).map(|metric| trigger_of(metric, definition, None));
    let kind = match (is_band, entries.is_empty()) {
        (true, _) => "anomaly band",
        (false, false) if !attributes.is_empty() => "query by contributor",
        (false, false) => "metric math",
        (false, true) if has_any(definition, &["MetricName", "Namespace"]) => "incomplete metric",
        (false, true) => "unknown",
    };
    derived(kind, &expression, watched, raw)
}

fn derived(kind: &str, expression: &str, watched: Option<MetricTrigger>, raw: String) -> Trigger {
    match watched {
        Some(watched) => Trigger::Derived(Box::new(DerivedTrigger {
            kind: kind.to_owned(),
            expression: expression.chars().take(MOST_EXPRESSION).collect(),
            watched,
            raw,
        })),
        None => Trigger::Other { kind: kind.to_owned(), raw },
    }
}

/// Where an id stands in an expression, as a word of its own; last where it does not.
fn position(expression: &str, id: &str) -> usize {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    expression
        .match_indices(id)
        .find(|(at, _)| {
            let before = expression.get(..*at).and_then(|text| text.chars().next_back());
            let after = expression.get(at + id.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
        .map_or(usize::MAX, |(at, _)| at)
}

/// Reads a plain metric; `None` where metric, namespace or statistic is missing, since a guess would read another series.
fn plain(trigger: &Map<String, Value>) -> Option<MetricTrigger> {
    let (namespace, name) = (text(trigger, "Namespace")?, text(trigger, "MetricName")?);
    let statistic = text(trigger, "Statistic").or_else(|| text(trigger, "ExtendedStatistic"))?;
    let watched = Watched {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: dimensions(trigger.get("Dimensions")),
        statistic: statistic.to_owned(),
        period_seconds: None,
        unit: text(trigger, "Unit").map(str::to_owned),
    };
    Some(trigger_of(&watched, trigger, threshold(trigger)))
}

/// Joins a metric with how its alarm evaluates it.
fn trigger_of(watched: &Watched, definition: &Map<String, Value>, threshold: Option<f64>) -> MetricTrigger {
    let periods = |upper: &str, lower: &str| {
        let count = number(either(definition, upper, lower)).and_then(whole);
        count.and_then(|count| u32::try_from(count).ok()).filter(|count| (1..=100_000).contains(count))
    };
    let evaluation_periods = periods("EvaluationPeriods", "evaluationPeriods").unwrap_or(1);
    // More than a day for one period and more than a week for all of them is nothing that CloudWatch accepts.
    let period_seconds = watched
        .period_seconds
        .or_else(|| number(either(definition, "Period", "period")).and_then(whole))
        .filter(|seconds| (1..=604_800).contains(seconds))
        .unwrap_or(60);
    let operator = either(definition, "ComparisonOperator", "comparisonOperator").and_then(Value::as_str);
    let treatment = either(definition, "TreatMissingData", "treatMissingData").and_then(Value::as_str);
    MetricTrigger {
        namespace: watched.namespace.clone(),
        metric: watched.name.clone(),
        dimensions: watched.dimensions.clone(),
        statistic: normalised_statistic(&watched.statistic),
        unit: watched.unit.clone(),
        period_seconds,
        evaluation_periods,
        // Without "M out of N" all N must breach.
        datapoints_to_alarm: periods("DatapointsToAlarm", "datapointsToAlarm")
            .unwrap_or(evaluation_periods)
            .min(evaluation_periods),
        comparison: operator.map(str::trim).and_then(comparison),
        threshold,
        missing_data: missing_data(treatment.unwrap_or_default(), &watched.namespace),
    }
}

/// A band's own operators say on which side of it the bad values are; the one for both sides says nothing.
fn comparison(operator: &str) -> Option<Comparison> {
    match operator {
        "GreaterThanUpperThreshold" => Some(Comparison::Greater),
        "LessThanLowerThreshold" => Some(Comparison::Less),
        other => Comparison::parse(other),
    }
}

/// Reads one entry of `Metrics`, in either spelling of its keys.
fn entry(value: &Value) -> Option<Entry> {
    let object = value.as_object()?;
    let stat = either(object, "MetricStat", "metricStat").and_then(Value::as_object);
    let metric = stat.and_then(|stat| {
        let metric = either(stat, "Metric", "metric")?.as_object()?;
        let word = |object: &Map<String, Value>, upper: &str, lower: &str| {
            either(object, upper, lower).and_then(Value::as_str).map(str::trim).map(str::to_owned)
        };
        Some(Watched {
            namespace: word(metric, "Namespace", "namespace").filter(|text| !text.is_empty())?,
            name: word(metric, "MetricName", "name").filter(|text| !text.is_empty())?,
            dimensions: dimensions(either(metric, "Dimensions", "dimensions")),
            statistic: word(stat, "Stat", "stat").filter(|text| !text.is_empty())?,
            period_seconds: number(either(stat, "Period", "period")).and_then(whole),
            unit: word(stat, "Unit", "unit").filter(|text| !text.is_empty()),
        })
    });
    let expression = either(object, "Expression", "expression").and_then(Value::as_str).map(str::to_owned);
    Some(Entry {
        id: either(object, "Id", "id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        expression,
        metric,
        // Where nothing is said, the series is returned.
        returned: either(object, "ReturnData", "returnData").and_then(Value::as_bool).unwrap_or(true),
    })
}

/// `SELECT AVG(CPUUtilization) FROM SCHEMA("AWS/EC2", InstanceId) GROUP BY InstanceId`: statistic, metric, namespace.
static QUERY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)^\s*SELECT\s+(AVG|SUM|MIN|MAX|COUNT)\s*\(\s*"?([^()"]+?)"?\s*\)\s+FROM\s+(?:SCHEMA\s*\(\s*)?"?([A-Za-z0-9/_.-]+)"?"#)
        .ok()
});

fn query(expression: &str) -> Option<Watched> {
    let found = QUERY.as_ref()?.captures(expression)?;
    let part = |at: usize| found.get(at).map(|part| part.as_str().to_owned());
    let statistic = match part(1)?.to_ascii_uppercase().as_str() {
        "AVG" => "Average",
        "SUM" => "Sum",
        "MIN" => "Minimum",
        "MAX" => "Maximum",
        _ => "SampleCount",
    };
    Some(Watched {
        namespace: part(3)?,
        name: part(2)?,
        dimensions: BTreeMap::new(),
        statistic: statistic.to_owned(),
        period_seconds: None,
        unit: None,
    })
}

/// Reads a log alarm: its groups and its query.
fn log(definition: &Map<String, Value>, raw: &str) -> Option<Trigger> {
    let query =
        either(definition, "ScheduledQueryConfiguration", "scheduledQueryConfiguration")?.as_object()?;
    let groups = either(query, "LogGroupIdentifiers", "logGroupIdentifiers").and_then(Value::as_array);
    let groups: Vec<String> =
        groups.into_iter().flatten().filter_map(Value::as_str).map(group_name).collect();
    let text = |upper: &str, lower: &str, most: usize| -> String {
        either(query, upper, lower).and_then(Value::as_str).unwrap_or_default().chars().take(most).collect()
    };
    Some(Trigger::Log(LogTrigger {
        groups,
        query: text("QueryString", "queryString", MOST_QUERY),
        aggregation: text("AggregationExpression", "aggregationExpression", MOST_EXPRESSION),
        raw: raw.to_owned(),
    }))
}

/// A group is named by itself or by its ARN, `arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*`.
pub(crate) fn group_name(identifier: &str) -> String {
    let name = identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name).to_owned()
}

fn threshold(definition: &Map<String, Value>) -> Option<f64> {
    number(either(definition, "Threshold", "threshold"))
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn has_any(object: &Map<String, Value>, keys: &[&str]) -> bool {
    keys.iter().any(|key| object.contains_key(*key))
}

fn either<'a>(object: &'a Map<String, Value>, one: &str, other: &str) -> Option<&'a Value> {
    object.get(one).or_else(|| object.get(other)).filter(|value| !value.is_null())
}

/// Lower-case keys in SNS, upper-case ones in the API, a map in `EventBridge`.
pub(crate) fn dimensions(value: Option<&Value>) -> BTreeMap<String, String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match value {
        Some(Value::Array(entries)) => entries
            .iter()
            .filter_map(|entry| {
                let name = text(entry.get("name").or_else(|| entry.get("Name")))?;
                let value = text(entry.get("value").or_else(|| entry.get("Value")))?;
                Some((name, value))
            })
            .collect(),
        Some(Value::Object(map)) => {
            map.iter().filter_map(|(name, value)| Some((name.clone(), text(Some(value))?))).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// `AVERAGE` in SNS is `Average` in `GetMetricData`; percentiles and the like keep their form.
fn normalised_statistic(text: &str) -> String {
    match text.to_ascii_uppercase().as_str() {
        "AVERAGE" => "Average".to_owned(),
        "SUM" => "Sum".to_owned(),
        "MINIMUM" => "Minimum".to_owned(),
        "MAXIMUM" => "Maximum".to_owned(),
        "SAMPLECOUNT" | "SAMPLE_COUNT" => "SampleCount".to_owned(),
        upper => match upper.strip_prefix('P') {
            Some(percent) if percent.parse::<f64>().is_ok() => format!("p{percent}"),
            _ => text.to_owned(),
        },
    }
}

/// Old payloads carry the line of the e-mail itself: `- TreatMissingData:                    missing`.
pub(crate) fn missing_data(text: &str, namespace: &str) -> MissingData {
    let word = text.rsplit(':').next().unwrap_or(text).trim().to_ascii_lowercase();
    match word.as_str() {
        "breaching" => MissingData::Breaching,
        "notbreaching" | "nonbreaching" => MissingData::NotBreaching,
        "ignore" => MissingData::Ignore,
        // The documented exception: alarms on DynamoDB's metrics ignore missing data unless told otherwise.
        "" if namespace == "AWS/DynamoDB" => MissingData::Ignore,
        _ => MissingData::Missing,
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
    .filter(|number| number.is_finite())
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and far below 2^53")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e12).then_some(number as i64)
}

#[cfg(test)]
mod tests;
