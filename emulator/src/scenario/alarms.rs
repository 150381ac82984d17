//! `alarms.json`: what `DescribeAlarms` and `DescribeAlarmHistory` know, in the API's own field names.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cbor::Cbor;
use crate::scenario::error::{self, ScenarioError};

/// Members of `MetricAlarm`, `CompositeAlarm` and `AlarmHistoryItem` as of November 2026. A name that is not here is a
/// slip of the pen, and no client would ever see it.
const ALARM_MEMBERS: [&str; 40] = [
    "AlarmName",
    "AlarmArn",
    "AlarmDescription",
    "AlarmConfigurationUpdatedTimestamp",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "StateValue",
    "StateReason",
    "StateReasonData",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "ThresholdMetricId",
    "EvaluationState",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
    "AlarmRule",
    "ActionsSuppressedBy",
    "ActionsSuppressedReason",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
];

const HISTORY_MEMBERS: [&str; 8] = [
    "AlarmName",
    "AlarmContributorId",
    "AlarmType",
    "Timestamp",
    "HistoryItemType",
    "HistorySummary",
    "HistoryData",
    "AlarmContributorAttributes",
];

/// One alarm: its members as recorded, and the same ready for the wire.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) members: Map<String, Value>,
    pub(crate) wire: Cbor,
}

impl Alarm {
    /// Reads a text member; absent reads as empty.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// One entry of an alarm's history.
#[derive(Debug, Clone)]
pub(crate) struct HistoryItem {
    pub(crate) alarm: String,
    pub(crate) alarm_type: String,
    pub(crate) kind: String,
    pub(crate) at: Timestamp,
    pub(crate) wire: Cbor,
}

/// Everything that is known of alarms.
#[derive(Debug)]
pub(crate) struct Alarms {
    /// Sorted by name.
    pub(crate) metric: Vec<Alarm>,
    /// Sorted by name.
    pub(crate) composite: Vec<Alarm>,
    /// Oldest first.
    pub(crate) history: Vec<HistoryItem>,
    /// By the name of the alarm: key to value.
    pub(crate) tags: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "format")]
    _format: u32,
    metric_alarms: Vec<Map<String, Value>>,
    #[serde(default)]
    composite_alarms: Vec<Map<String, Value>>,
    #[serde(default)]
    history: Vec<Map<String, Value>>,
    #[serde(default)]
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

impl Alarms {
    /// Returns the alarm of either kind that has this ARN.
    pub(crate) fn by_arn(&self, arn: &str) -> Option<&Alarm> {
        self.metric.iter().chain(&self.composite).find(|alarm| alarm.text("AlarmArn") == arn)
    }

    pub(crate) fn load(path: &Path) -> Result<Self, ScenarioError> {
        let file: File = error::json_of_format(path)?;
        let build = || -> Result<Self, String> {
            let mut history: Vec<HistoryItem> =
                file.history.iter().map(history_item).collect::<Result<_, _>>()?;
            history.sort_by_key(|item| item.at);
            let (metric, composite) = (alarms(&file.metric_alarms)?, alarms(&file.composite_alarms)?);
            let known =
                |name: &str| metric.iter().chain(&composite).any(|alarm| alarm.text("AlarmName") == name);
            if let Some(name) = file.tags.keys().find(|name| !known(name)) {
                return Err(format!("tags of an alarm {name}, which is not here"));
            }
            Ok(Self { metric, composite, history, tags: file.tags.clone() })
        };
        build().map_err(|reason| ScenarioError::invalid(path, reason))
    }
}

fn alarms(recorded: &[Map<String, Value>]) -> Result<Vec<Alarm>, String> {
    let mut alarms = Vec::new();
    for members in recorded {
        let name = members.get("AlarmName").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err("an alarm has no AlarmName".to_owned());
        }
        let wire =
            wire_members(members, &ALARM_MEMBERS).map_err(|reason| format!("alarm {name}: {reason}"))?;
        alarms.push(Alarm { members: members.clone(), wire });
    }
    alarms.sort_by(|a, b| a.text("AlarmName").cmp(b.text("AlarmName")));
    Ok(alarms)
}

fn history_item(members: &Map<String, Value>) -> Result<HistoryItem, String> {
    let text = |name: &str| {
        members
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("a history item has no {name}"))
    };
    Ok(HistoryItem {
        alarm: text("AlarmName")?,
        alarm_type: text("AlarmType")?,
        kind: text("HistoryItemType")?,
        at: text("Timestamp")?.parse().map_err(|error| format!("a history item's Timestamp: {error}"))?,
        wire: wire_members(members, &HISTORY_MEMBERS)?,
    })
}

fn wire_members(members: &Map<String, Value>, known: &[&str]) -> Result<Cbor, String> {
    let mut wire = Vec::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        if !known.contains(&name.as_str()) {
            return Err(format!("the API has no member {name} here"));
        }
        wire.push((name.clone(), wire_value(name, value)?));
    }
    Ok(Cbor::Map(wire))
}

fn wire_value(name: &str, value: &Value) -> Result<Cbor, String> {
    Ok(match value {
        Value::String(text) if name.ends_with("Timestamp") => {
            Cbor::Time(text.parse().map_err(|error| format!("{name}: {error}"))?)
        }
        Value::String(text) => Cbor::text(text),
        Value::Bool(flag) => Cbor::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            // The one double among an alarm's numbers, also where it is written without a fraction.
            Some(whole) if name != "Threshold" => Cbor::Integer(whole),
            _ => Cbor::Double(number.as_f64().ok_or_else(|| format!("{name}: {number} is out of range"))?),
        },
        Value::Array(items) => {
            Cbor::List(items.iter().map(|item| wire_value(name, item)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => Cbor::Map(
            members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| Ok((name.clone(), wire_value(name, member)?)))
                .collect::<Result<_, String>>()?,
        ),
        Value::Null => return Err(format!("{name}: null in a list")),
    })
}
