//! Which alarms of one event run together, which in order and which side by side.

use jiff::SignedDuration;
use serde_json::Value;

use super::*;
use crate::alarm::{WakeUp, parse_event};

/// The usual alarm under another name, on another function, in another state, so many minutes later.
fn alarm(name: &str, function: &str, state: AlarmState, minutes: i64) -> Alarm {
    let event: Value = serde_json::from_str(include_str!("../../../events/sns-metric-alarm.json")).unwrap();
    let text = event.to_string().replace("invoice-render", function);
    let WakeUp::Alarm(alarm) = parse_event(text.as_bytes()).records.remove(0) else { panic!("an alarm") };
    let changed_at = alarm.changed_at + SignedDuration::from_mins(minutes);
    Alarm { name: name.to_owned(), arn: Some(format!("arn:{name}")), new_state: state, changed_at, ..*alarm }
}

/// Lanes as text: a lane a line, units with commas, merged ones with a plus.
fn shape(wanted: Vec<(Alarm, Why)>) -> String {
    let wanted = wanted.into_iter().enumerate();
    let wanted = wanted.map(|(record, (alarm, why))| Wanted { alarm, why, record }).collect();
    let unit = |unit: &Unit| {
        let names = std::iter::once(&unit.lead).chain(&unit.also).map(|wanted| wanted.alarm.name.as_str());
        names.collect::<Vec<_>>().join("+")
    };
    let lane = |units: &Vec<Unit>| units.iter().map(unit).collect::<Vec<_>>().join(", ");
    lanes(wanted, true).iter().map(lane).collect::<Vec<_>>().join("; ")
}

#[test]
fn alarms_of_one_resource_that_went_off_together_are_one_and_others_stand_apart() {
    use AlarmState::{Alarm as Off, Ok as Well};
    let by_itself =
        |name, function, state, minutes| (alarm(name, function, state, minutes), Why::StateChange);
    for (wanted, expected) in [
        (vec![by_itself("a", "one", Off, 0), by_itself("b", "one", Off, 14)], "a+b"),
        (vec![by_itself("a", "one", Off, 0), by_itself("b", "one", Off, 16)], "a, b"),
        (vec![by_itself("a", "one", Off, 0), by_itself("b", "two", Off, 0)], "a; b"),
        (
            vec![by_itself("a", "one", Off, 0), by_itself("b", "two", Off, 0), by_itself("c", "one", Off, 1)],
            "a+c; b",
        ),
        // The same alarm again: another change joins, the same one finds the first reported.
        (vec![by_itself("a", "one", Off, 0), by_itself("a", "one", Off, 1)], "a+a"),
        (vec![by_itself("a", "one", Off, 0), by_itself("a", "one", Off, 0)], "a, a"),
        // A recovery is told after what it recovers from.
        (vec![by_itself("a", "one", Off, 0), by_itself("a", "one", Well, 1)], "a, a"),
        (vec![by_itself("a", "one", Off, 0), (alarm("b", "one", Off, 0), Why::AskedByName)], "a, b"),
    ] {
        assert_eq!(shape(wanted), expected);
    }
}
