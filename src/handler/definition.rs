//! What an event leaves out of an alarm, read from `CloudWatch`: the threshold that `EventBridge` does not tell, the place,
//! the contributor's series, the children of a composite. What cannot be read is left as it came.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::Services;
use crate::alarm::envelope::one_line;
use crate::alarm::{Alarm, AlarmSnapshot, AlarmState, DerivedTrigger, Silence, Trigger, WakeUp, trigger};
use crate::clock::Deadline;
use crate::run::RunEvent;

/// Longest time for completing an alarm: the facts wait for it.
const TIME: Duration = Duration::from_secs(5);

/// Composites below composites that are opened.
const MOST_LEVELS: usize = 5;

/// Alarms below a composite that are named.
const MOST_LEAVES: usize = 20;

/// Completes an alarm that went off, where something is missing. The error is why nobody wants to hear of it: `EventBridge`
/// tells of alarms whose actions are off as well. Whoever asks for an alarm (`is_asked`) hears of it all the same.
pub(super) async fn complete(
    mut alarm: Alarm,
    is_asked: bool,
    deadline: Deadline,
    services: &Services,
) -> Result<Alarm, String> {
    if alarm.new_state != AlarmState::Alarm || is_whole(&alarm) {
        return Ok(alarm);
    }
    let deadline = deadline.at_most(TIME);
    let asked = tokio::time::timeout_at(deadline.instant(), services.telemetry.alarm(&alarm.name)).await;
    match asked {
        Ok(Ok(Some(snapshot))) => {
            if !snapshot.actions_enabled
                && !alarm.by_action
                && !is_asked
                && !is_heard(Silence::Disabled, services)
            {
                return Err(silenced(Silence::Disabled, &alarm.name));
            }
            take(&mut alarm, snapshot.alarm);
        }
        Ok(Ok(None)) => {}
        Ok(Err(error)) => warn(services, &alarm, &error.to_string()),
        Err(_) => warn(services, &alarm, "no answer in time"),
    }
    if matches!(&alarm.trigger, Trigger::Other { kind, .. } if kind == COMPOSITE) {
        // A rule that cannot be opened in time leaves the composite as the event told it.
        if tokio::time::timeout_at(deadline.instant(), open(&mut alarm, services)).await.is_err() {
            warn(services, &alarm, "the alarms of its rule gave no answer in time");
        }
    }
    Ok(alarm)
}

/// Returns what a silenced state change asks for, where the configuration wants to hear of it; the error is why not.
pub(super) fn heard(by: Silence, wake_up: WakeUp, services: &Services) -> Result<WakeUp, String> {
    let name = match &wake_up {
        _ if is_heard(by, services) => return Ok(wake_up),
        WakeUp::Alarm(alarm) => &alarm.name,
        WakeUp::Manual { alarm_name, .. } => alarm_name,
        WakeUp::Silenced { .. } | WakeUp::Ignored { .. } => return Ok(wake_up),
    };
    Err(silenced(by, name))
}

fn is_heard(by: Silence, services: &Services) -> bool {
    let wanted = services.config.silenced;
    match by {
        Silence::Muted => wanted.muted,
        Silence::Suppressed => wanted.suppressed,
        Silence::Disabled => wanted.disabled,
    }
}

fn silenced(by: Silence, alarm: &str) -> String {
    format!("the alarm {} {}", one_line(alarm), by.as_str())
}

/// The kind of a composite whose children are not known yet.
const COMPOSITE: &str = "composite";

fn warn(services: &Services, alarm: &Alarm, why: &str) {
    let message = format!("the definition of {} could not be read: {why}", alarm.name);
    services.observer.emit(RunEvent::Warning { message });
}

/// Tells whether the event said everything that an investigation needs.
fn is_whole(alarm: &Alarm) -> bool {
    let has_place = !alarm.place.region.is_empty() && alarm.arn.is_some();
    has_place
        && match &alarm.trigger {
            Trigger::Metric(metric) => metric.threshold.is_some() && metric.comparison.is_some(),
            // The operator comes with every definition but that of an event.
            Trigger::Derived(derived) => derived.raw.contains("omparisonOperator"),
            Trigger::Log(log) => !log.groups.is_empty(),
            Trigger::Other { .. } => false,
        }
}

/// Takes over from the definition what the event lacks.
fn take(alarm: &mut Alarm, known: Alarm) {
    if alarm.place.region.is_empty() {
        alarm.place = known.place;
    }
    alarm.arn = alarm.arn.take().or(known.arn);
    alarm.description = alarm.description.take().or(known.description);
    let trigger = match known.trigger {
        Trigger::Derived(derived) => {
            of_contributor(&derived.raw, &alarm.attributes).unwrap_or(Trigger::Derived(derived))
        }
        Trigger::Other { kind, raw } => {
            of_contributor(&raw, &alarm.attributes).unwrap_or(Trigger::Other { kind, raw })
        }
        known @ (Trigger::Metric(_) | Trigger::Log(_)) => known,
    };
    // A definition that says nothing is no gain over what the event said.
    if !matches!(&trigger, Trigger::Other { kind, .. } if kind == "unknown") {
        alarm.trigger = trigger;
    }
}

/// Reads a definition once more for one of the many series that it has.
fn of_contributor(raw: &str, attributes: &BTreeMap<String, String>) -> Option<Trigger> {
    if attributes.is_empty() {
        return None;
    }
    match serde_json::from_str(raw).ok()? {
        Value::Object(definition) => Some(trigger::read(&definition, attributes, raw.to_owned())),
        _ => None,
    }
}

/// Opens a composite: the alarms below it that are in ALARM, the first that went off before the others.
async fn open(alarm: &mut Alarm, services: &Services) {
    let mut leaves: Vec<AlarmSnapshot> = Vec::new();
    let mut opened = BTreeSet::from([alarm.name.clone()]);
    let mut level = vec![alarm.name.clone()];
    for _ in 0..MOST_LEVELS {
        let asked = level.iter().map(|name| services.telemetry.children(name));
        let mut next = Vec::new();
        for answer in futures::future::join_all(asked).await {
            let children = match answer {
                Ok(children) => children,
                Err(error) => {
                    warn(services, alarm, &format!("its rule's alarms: {error}"));
                    continue;
                }
            };
            // A rule may name an alarm twice, and two rules one another.
            for child in children {
                if child.alarm.new_state == AlarmState::Alarm && opened.insert(child.alarm.name.clone()) {
                    if matches!(&child.alarm.trigger, Trigger::Other { kind, .. } if kind == COMPOSITE) {
                        next.push(child.alarm.name);
                    } else {
                        leaves.push(child);
                    }
                }
            }
        }
        level = next;
        if level.is_empty() {
            break;
        }
    }
    leaves.sort_by_key(|leaf| leaf.state_since);
    leaves.truncate(MOST_LEAVES);
    // Looked at is the first of which something can be read.
    if let Some(at) = leaves.iter().position(|leaf| !matches!(leaf.alarm.trigger, Trigger::Other { .. })) {
        let first = leaves.remove(at);
        leaves.insert(0, first);
    }
    alarm.leaves = leaves.iter().map(|leaf| leaf.alarm.name.clone()).collect();
    let Some(first) = leaves.into_iter().next() else { return };
    let Trigger::Other { raw, .. } = &alarm.trigger else { return };
    alarm.trigger = match (first.alarm.metric().cloned(), first.alarm.trigger) {
        (Some(watched), _) => Trigger::Derived(Box::new(DerivedTrigger {
            kind: COMPOSITE.to_owned(),
            expression: format!("{} of its rule", first.alarm.name),
            watched,
            raw: raw.clone(),
        })),
        (None, log @ Trigger::Log(_)) => log,
        (None, _) => return,
    };
}

#[cfg(test)]
mod tests;
