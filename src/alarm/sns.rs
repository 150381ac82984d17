//! The alarm message that `CloudWatch` publishes to SNS.
//!
//! Tolerant on purpose: any field may be null, absent or new. What the message does not tell is left out or has the
//! default that `CloudWatch` documents; where even the state or its time is missing, the alarm is asked for by name.
//! Untrusted text is bounded and redacted here, because an alarm is stored with its run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::alarm::envelope::MOST_NAME_CHARACTERS;
use crate::alarm::{Alarm, AlarmState, Place, Trigger, WakeUp, reason_datapoints, trigger};
use crate::clock::Timestamp;
use crate::redact::Redacted;

/// Most characters kept of a description, a reason or a field that this parser does not know.
pub(crate) const MOST_CHARACTERS: usize = 4_000;

/// Most characters kept of a definition that is not a plain metric: a math alarm of ten metrics fits.
const MOST_DEFINITION_CHARACTERS: usize = 16_000;

/// Most fields kept that this parser does not know.
const MOST_OTHER_FIELDS: usize = 20;

/// Why a name is none.
pub(crate) const TOO_LONG: &str = "an alarm's name is longer than CloudWatch allows";

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
    if name.chars().count() > MOST_NAME_CHARACTERS {
        return WakeUp::ignored(TOO_LONG);
    }
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
    let attributes = trigger::dimensions(fields.0.remove("AlarmContributorAttributes").as_ref());
    WakeUp::Alarm(Box::new(Alarm {
        name,
        arn,
        place,
        description: fields.untrusted("AlarmDescription"),
        new_state,
        old_state: fields.text("OldStateValue").and_then(|text| AlarmState::parse(text.trim())),
        reason,
        changed_at,
        trigger: trigger_of(&mut fields, &attributes),
        contributor: fields.text("AlarmContributorId"),
        attributes,
        by_action: true,
        leaves: Vec::new(),
        other_fields: rest(fields.0),
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

fn trigger_of(fields: &mut Fields, attributes: &BTreeMap<String, String>) -> Trigger {
    let rule: Map<String, Value> = ["AlarmRule", "TriggeringChildren"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), fields.0.remove(*key).filter(|value| !value.is_null())?)))
        .collect();
    match fields.0.remove("Trigger") {
        Some(Value::Object(found)) => {
            let raw = definition(&Value::Object(found.clone()));
            trigger::read(&found, attributes, raw)
        }
        _ if !rule.is_empty() => {
            Trigger::Other { kind: "composite".to_owned(), raw: definition(&Value::Object(rule)) }
        }
        Some(Value::Null) | None => Trigger::Other { kind: "unknown".to_owned(), raw: String::new() },
        Some(other) => Trigger::Other { kind: "unknown".to_owned(), raw: definition(&other) },
    }
}

pub(crate) fn definition(value: &Value) -> String {
    bounded(&value.to_string(), MOST_DEFINITION_CHARACTERS)
}

/// Redacts before cutting, so that half a secret is never left standing at the cut.
pub(crate) fn bounded(text: &str, most: usize) -> String {
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
}

/// Returns fields that nobody took, as text.
pub(crate) fn rest(fields: Map<String, Value>) -> BTreeMap<String, String> {
    fields
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

#[cfg(test)]
mod tests;
