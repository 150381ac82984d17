//! The alarm message that `CloudWatch` publishes to SNS.
//!
//! Tolerant on purpose: any field may be null, absent or new. What the message does not tell is left out or has the
//! default that `CloudWatch` documents; where even the state or its time is missing, the alarm is asked for by name.
//! Untrusted text is bounded and redacted here, because an alarm is stored with its run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::alarm::{
    Alarm, AlarmState, Comparison, MetricTrigger, MissingData, Place, Trigger, WakeUp, reason_datapoints,
};
use crate::clock::Timestamp;
use crate::redact::Redacted;

/// Most characters kept of a description, a reason or a field that this parser does not know.
const MOST_CHARACTERS: usize = 4_000;

/// Most characters kept of a definition that is not a plain metric: a math alarm of ten metrics fits.
const MOST_DEFINITION_CHARACTERS: usize = 16_000;

/// Most fields kept that this parser does not know.
const MOST_OTHER_FIELDS: usize = 20;

/// What the envelope around an alarm message adds to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Envelope {
    /// When SNS sent it.
    pub(crate) sent_at: Option<Timestamp>,
    /// The topic that it came through.
    pub(crate) topic_arn: Option<String>,
}

/// The parts of an alarm's ARN that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arn {
    /// Partition, Region and account.
    pub(crate) place: Place,
    /// The alarm's name, which may itself hold colons and blanks.
    pub(crate) alarm_name: String,
}

impl Arn {
    /// Reads `arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (place, service, rest) = split_arn(text)?;
        let alarm_name = rest.strip_prefix("alarm:")?.trim();
        (service == "cloudwatch" && !alarm_name.is_empty())
            .then(|| Arn { place, alarm_name: alarm_name.to_owned() })
    }
}

/// Returns place, service and the rest of any ARN. AWS's own samples have blanks before the account id.
fn split_arn(text: &str) -> Option<(Place, &str, &str)> {
    let mut parts = text.trim().splitn(6, ':');
    let mut next = || parts.next().map(str::trim);
    if next()? != "arn" {
        return None;
    }
    let partition = next()?.to_owned();
    let service = next()?;
    let (region, account) = (next()?.to_owned(), next()?.to_owned());
    Some((Place { partition, region, account }, service, next()?))
}

/// Tells whether an object is an alarm message: it names an alarm and says something that only an alarm says.
pub(crate) fn is_alarm(object: &Map<String, Value>) -> bool {
    let names_one =
        ["AlarmName", "AlarmArn"].iter().any(|key| object.get(*key).is_some_and(Value::is_string));
    let says_more =
        ["NewStateValue", "NewStateReason", "StateChangeTime", "OldStateValue", "Trigger", "AlarmRule"];
    names_one && says_more.iter().any(|key| object.contains_key(*key))
}

/// Reads an alarm message.
pub(crate) fn parse_alarm(message: Map<String, Value>, envelope: &Envelope) -> WakeUp {
    let mut fields = Fields(message);
    let arn = fields.text("AlarmArn");
    let parts = arn.as_deref().and_then(Arn::parse);
    let name = fields.text("AlarmName").or_else(|| parts.as_ref().map(|parts| parts.alarm_name.clone()));
    let Some(name) = name else {
        return WakeUp::ignored("an alarm message names no alarm");
    };
    let reason = fields.untrusted("NewStateReason").unwrap_or_default();
    let new_state = fields.text("NewStateValue").and_then(|text| AlarmState::parse(text.trim()));
    let changed_at = fields
        .text("StateChangeTime")
        .and_then(|text| parse_time(&text))
        .or(envelope.sent_at)
        .or_else(|| reason_datapoints(&reason).into_iter().map(|(_, at)| at).max());
    let (Some(new_state), Some(changed_at)) = (new_state, changed_at) else {
        return WakeUp::Manual { alarm_name: name, question: None };
    };
    let account = fields.text("AWSAccountId");
    let place = place(parts, &mut fields, account, envelope);
    // The rest of these is known and says nothing that is not said better elsewhere.
    for key in ["Region", "AlarmConfigurationUpdatedTimestamp"] {
        fields.0.remove(key);
    }
    // Only `true` matters: the state may then be older than the message by hours.
    if fields.0.get("ActionExecutedAfterMuteWindow") != Some(&Value::Bool(true)) {
        fields.0.remove("ActionExecutedAfterMuteWindow");
    }
    WakeUp::Alarm(Box::new(Alarm {
        name,
        arn,
        place,
        description: fields.untrusted("AlarmDescription"),
        new_state,
        old_state: fields.text("OldStateValue").and_then(|text| AlarmState::parse(text.trim())),
        reason,
        changed_at,
        trigger: trigger(&mut fields),
        contributor: fields.text("AlarmContributorId"),
        other_fields: fields.rest(),
    }))
}

/// Reads a time as `CloudWatch` writes it: `+0000`, `Z`, `+00:00`, even with blanks inside.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let read =
        |text: &str| text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok());
    read(text.trim()).or_else(|| read(&text.split_whitespace().collect::<String>()))
}

/// The place by the alarm's ARN, else by the ARN of an action or of the topic: alarms act within their own Region.
fn place(parts: Option<Arn>, fields: &mut Fields, account: Option<String>, envelope: &Envelope) -> Place {
    let actions: Vec<String> = ["AlarmActions", "OKActions", "InsufficientDataActions"]
        .iter()
        .filter_map(|key| match fields.0.remove(*key) {
            Some(Value::Array(actions)) => Some(actions),
            _ => None,
        })
        .flatten()
        .filter_map(|action| action.as_str().map(str::to_owned))
        .collect();
    let nowhere = || Place { partition: "aws".into(), region: String::new(), account: String::new() };
    let by_neighbour = || {
        let neighbours = actions.iter().chain(&envelope.topic_arn);
        let mut places = neighbours.filter_map(|arn| split_arn(arn)).map(|(place, ..)| place);
        places.find(|place| !place.region.is_empty())
    };
    let mut place = parts.map(|parts| parts.place).or_else(by_neighbour).unwrap_or_else(nowhere);
    if let Some(account) = account {
        place.account = account;
    }
    place
}

fn trigger(fields: &mut Fields) -> Trigger {
    let rule: Map<String, Value> = ["AlarmRule", "TriggeringChildren"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), fields.0.remove(*key).filter(|value| !value.is_null())?)))
        .collect();
    match fields.0.remove("Trigger") {
        Some(Value::Object(trigger)) => match metric_trigger(&trigger) {
            Some(metric) => Trigger::Metric(metric),
            None => {
                Trigger::Other { kind: kind(&trigger).to_owned(), raw: definition(&Value::Object(trigger)) }
            }
        },
        _ if !rule.is_empty() => {
            Trigger::Other { kind: "composite".to_owned(), raw: definition(&Value::Object(rule)) }
        }
        Some(Value::Null) | None => Trigger::Other { kind: "unknown".to_owned(), raw: String::new() },
        Some(other) => Trigger::Other { kind: "unknown".to_owned(), raw: definition(&other) },
    }
}

/// A word for a trigger that is not one metric and a threshold.
fn kind(trigger: &Map<String, Value>) -> &'static str {
    let expressions = trigger
        .get("Metrics")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("Expression").and_then(Value::as_str));
    let begins = |expression: &str, word: &str| {
        expression.trim_start().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if trigger.get("ThresholdMetricId").is_some_and(Value::is_string) {
        "anomaly band"
    } else if expressions.clone().any(|expression| begins(expression, "SELECT")) {
        "metrics query"
    } else if trigger.get("Metrics").is_some_and(Value::is_array) {
        "metric math"
    } else if trigger.contains_key("MetricName") || trigger.contains_key("Namespace") {
        "incomplete metric"
    } else {
        "unknown"
    }
}

/// Reads a plain metric; `None` where metric, namespace or statistic is missing, since a guess would read another series.
fn metric_trigger(trigger: &Map<String, Value>) -> Option<MetricTrigger> {
    let text =
        |key: &str| trigger.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let (namespace, metric) = (text("Namespace")?, text("MetricName")?);
    let statistic = text("Statistic").or_else(|| text("ExtendedStatistic"))?;
    // More than a day for one period and more than a week for all of them is nothing that CloudWatch accepts.
    let period_seconds = number(trigger.get("Period"))
        .and_then(whole)
        .filter(|seconds| (1..=604_800).contains(seconds))
        .unwrap_or(60);
    let periods = |key: &str| {
        let count = number(trigger.get(key)).and_then(whole).and_then(|count| u32::try_from(count).ok());
        count.filter(|count| (1..=100_000).contains(count))
    };
    let evaluation_periods = periods("EvaluationPeriods").unwrap_or(1);
    let treatment = text("TreatMissingData").unwrap_or_default();
    Some(MetricTrigger {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimensions: dimensions(trigger.get("Dimensions")),
        statistic: normalised_statistic(statistic),
        unit: text("Unit").map(str::to_owned),
        period_seconds,
        evaluation_periods,
        // Without "M out of N" all N must breach.
        datapoints_to_alarm: periods("DatapointsToAlarm")
            .unwrap_or(evaluation_periods)
            .min(evaluation_periods),
        comparison: text("ComparisonOperator").and_then(Comparison::parse),
        threshold: number(trigger.get("Threshold")),
        missing_data: missing_data(treatment, namespace),
    })
}

/// Lower-case keys in SNS, upper-case ones in the API, a map in `EventBridge`.
fn dimensions(value: Option<&Value>) -> BTreeMap<String, String> {
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
fn missing_data(text: &str, namespace: &str) -> MissingData {
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

fn definition(value: &Value) -> String {
    bounded(&value.to_string(), MOST_DEFINITION_CHARACTERS)
}

/// Redacts before cutting, so that half a secret is never left standing at the cut.
fn bounded(text: &str, most: usize) -> String {
    let text = Redacted::new(text);
    match text.as_str().char_indices().nth(most) {
        Some((cut, _)) => format!("{}…", text.as_str().get(..cut).unwrap_or_default()),
        None => text.as_str().to_owned(),
    }
}

/// The message's fields, taken out one by one, so that what remains is what is not known.
struct Fields(Map<String, Value>);

impl Fields {
    /// Takes a text; numbers count, blanks and nulls do not.
    fn text(&mut self, key: &str) -> Option<String> {
        let text = match self.0.remove(key)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// Takes a text that someone else wrote.
    fn untrusted(&mut self, key: &str) -> Option<String> {
        self.text(key).map(|text| bounded(&text, MOST_CHARACTERS))
    }

    /// Returns what nobody took, as text.
    fn rest(self) -> BTreeMap<String, String> {
        self.0
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .take(MOST_OTHER_FIELDS)
            .map(|(key, value)| {
                let text = match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                (bounded(&key, 100), bounded(&text, MOST_CHARACTERS))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
