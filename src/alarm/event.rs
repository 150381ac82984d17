//! A state change as `EventBridge` and the direct Lambda action tell it: lower-case keys, and no threshold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::alarm::envelope::{MOST_NAME_CHARACTERS, one_line};
use crate::alarm::sns::{Arn, MOST_CHARACTERS, TOO_LONG, bounded, definition, parse_time, rest};
use crate::alarm::{Alarm, AlarmState, Place, Silence, Trigger, WakeUp, trigger};

/// Detail types of state changes.
const STATE_CHANGES: [&str; 2] =
    ["CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"];

/// What is read of a state change. What else it holds is kept as it came, and so is what muted it.
const KNOWN: [&str; 5] = ["alarmName", "state", "previousState", "configuration", "alarmContributor"];

/// Reads an event of `EventBridge`.
pub(crate) fn parse_event_bridge(mut object: Map<String, Value>) -> WakeUp {
    let kind = text(&object, "detail-type").unwrap_or_default().to_owned();
    if !STATE_CHANGES.contains(&kind.as_str()) {
        let kind = one_line(&kind);
        return WakeUp::ignored(format!(
            "an event of EventBridge that is no state change of an alarm: '{kind}'"
        ));
    }
    let arn = object.get("resources").and_then(|list| list.get(0)).and_then(Value::as_str).map(str::to_owned);
    let body = object.remove("detail").or_else(|| object.remove("alarmData"));
    state_change(&object, body, arn, false)
}

/// Reads the payload of an alarm that calls the function itself.
pub(crate) fn parse_direct(mut object: Map<String, Value>) -> WakeUp {
    let arn = text(&object, "alarmArn").map(str::to_owned);
    let body = object.remove("alarmData");
    state_change(&object, body, arn, true)
}

fn state_change(
    envelope: &Map<String, Value>,
    body: Option<Value>,
    arn: Option<String>,
    by_action: bool,
) -> WakeUp {
    let Some(Value::Object(body)) = body else {
        return WakeUp::ignored("an event about an alarm holds no state change");
    };
    let parts = arn.as_deref().and_then(Arn::parse);
    let name = text(&body, "alarmName").map(str::to_owned);
    let Some(name) = name.or_else(|| parts.as_ref().map(|parts| parts.alarm_name.clone())) else {
        return WakeUp::ignored("an event about an alarm names no alarm");
    };
    if name.chars().count() > MOST_NAME_CHARACTERS {
        return WakeUp::ignored(TOO_LONG);
    }
    let silence = silence(&body);
    let wake_up = change_of(envelope, &body, name, arn, by_action);
    match silence {
        Some(by) => WakeUp::Silenced { by, wake_up: Box::new(wake_up) },
        None => wake_up,
    }
}

fn change_of(
    envelope: &Map<String, Value>,
    body: &Map<String, Value>,
    name: String,
    arn: Option<String>,
    by_action: bool,
) -> WakeUp {
    let parts = arn.as_deref().and_then(Arn::parse);
    let empty = Map::new();
    let object = |key: &str| body.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let (state, previous) = (object("state"), object("previousState"));
    let new_state = text(state, "value").and_then(AlarmState::parse);
    let times = [text(state, "timestamp"), text(envelope, "time")];
    let changed_at = times.into_iter().flatten().find_map(parse_time);
    let (Some(new_state), Some(changed_at)) = (new_state, changed_at) else {
        return WakeUp::Manual { alarm_name: name, question: None };
    };
    let place = match parts {
        Some(parts) => parts.place,
        None => Place {
            partition: "aws".into(),
            region: text(envelope, "region").unwrap_or_default().to_owned(),
            account: text(envelope, if by_action { "accountId" } else { "account" })
                .unwrap_or_default()
                .to_owned(),
        },
    };
    let contributor = object("alarmContributor");
    let attributes = trigger::dimensions(contributor.get("attributes"));
    let configuration = object("configuration");
    let mut unknown: Map<String, Value> = body
        .iter()
        .filter(|(key, _)| !KNOWN.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(by) = state.get("actionsSuppressedBy") {
        unknown.insert("actionsSuppressedBy".to_owned(), by.clone());
    }
    let reason = bounded(text(state, "reason").unwrap_or_default(), MOST_CHARACTERS);
    WakeUp::Alarm(Box::new(Alarm {
        name,
        arn,
        place,
        description: text(configuration, "description").map(|text| bounded(text, MOST_CHARACTERS)),
        new_state,
        old_state: text(previous, "value").and_then(AlarmState::parse),
        reason,
        changed_at,
        trigger: trigger_of(configuration, &attributes),
        contributor: text(contributor, "id").map(str::to_owned),
        attributes,
        by_action,
        leaves: Vec::new(),
        other_fields: rest(unknown),
    }))
}

/// Tells what held the actions of the alarm back: `EventBridge` tells of alarms whose actions are muted or suppressed as
/// well.
fn silence(body: &Map<String, Value>) -> Option<Silence> {
    if body.get("muteDetail").is_some_and(Value::is_object) {
        return Some(Silence::Muted);
    }
    let state = body.get("state").and_then(Value::as_object)?;
    text(state, "actionsSuppressedBy").map(|_| Silence::Suppressed)
}

fn trigger_of(configuration: &Map<String, Value>, attributes: &BTreeMap<String, String>) -> Trigger {
    let raw = definition(&Value::Object(configuration.clone()));
    if configuration.get("alarmRule").is_some_and(Value::is_string) {
        return Trigger::Other { kind: "composite".to_owned(), raw };
    }
    trigger::read(configuration, attributes, raw)
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}
