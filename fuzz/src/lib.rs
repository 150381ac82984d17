//! What must hold of any event whatever. The libFuzzer target and a test over the committed corpus ask the same.

use sre_agent::alarm::{self, Alarm, MetricTrigger, Trigger, WakeUp, WakeUps};
use sre_agent::clock::Timestamp;
use sre_agent::id::Seed;
use sre_agent::incident::Incident;

/// `CloudWatch`'s limit for an alarm name.
const MOST_NAME_CHARACTERS: usize = 255;

/// What is kept of a text that someone else wrote, with the mark that it was cut.
const MOST_CHARACTERS: usize = 4_001;

/// What is kept of a definition, with the mark that it was cut.
const MOST_DEFINITION_CHARACTERS: usize = 16_001;

/// Asks of an event what must hold of every one.
///
/// # Panics
///
/// Where something does not hold: that is what it is for.
pub fn parse_event(event: &[u8]) {
    let wake_ups = alarm::parse_event(event);
    assert_eq!(wake_ups, alarm::parse_event(event), "the same event is read in two ways");
    let WakeUps { records, message_ids } = wake_ups;
    assert!(!records.is_empty(), "an event is dropped without a word");
    if let Some(ids) = message_ids {
        assert_eq!(ids.len(), records.len(), "a record that cannot be given back");
    }
    for record in records {
        asks(record, false);
    }
}

fn asks(record: WakeUp, is_silenced: bool) {
    match record {
        WakeUp::Alarm(alarm) => holds(*alarm),
        WakeUp::Manual { alarm_name, question } => {
            name(&alarm_name);
            if let Some(question) = question {
                is_line(&question);
            }
        }
        WakeUp::Silenced { wake_up, .. } => {
            assert!(!is_silenced, "silenced twice");
            asks(*wake_up, true);
        }
        WakeUp::Ignored { reason } => {
            assert!(!is_silenced, "nothing is left to be heard");
            is_line(&reason);
        }
    }
}

/// An alarm can be kept with its run and read again, is bounded, and makes an incident whose times are in order.
fn holds(alarm: Alarm) {
    name(&alarm.name);
    for text in [alarm.description.as_deref(), Some(alarm.reason.as_str())].into_iter().flatten() {
        assert!(text.chars().count() <= MOST_CHARACTERS, "a text is kept without a bound");
    }
    assert!(alarm.other_fields.len() <= 20, "fields are kept without a bound");
    match &alarm.trigger {
        Trigger::Metric(metric) => evaluates(metric),
        Trigger::Derived(derived) => {
            evaluates(&derived.watched);
            assert!(
                derived.raw.chars().count() <= MOST_DEFINITION_CHARACTERS,
                "a definition without a bound"
            );
        }
        Trigger::Log(log) => {
            assert!(log.raw.chars().count() <= MOST_DEFINITION_CHARACTERS, "a definition without a bound");
        }
        Trigger::Other { kind, raw } => {
            is_line(kind);
            assert!(raw.chars().count() <= MOST_DEFINITION_CHARACTERS, "a definition without a bound");
        }
    }
    for (_, at) in alarm::reason_datapoints(&alarm.reason) {
        assert!((Timestamp::MIN..=Timestamp::MAX).contains(&at), "a time out of range");
    }
    kept(&alarm);
    let (hints, changed_at) = (alarm.hints(&alarm.other_fields), alarm.changed_at);
    if let Some(runbook) = hints.runbook {
        assert!(runbook.starts_with("https://"), "a runbook that is no https address");
    }
    let incident = Incident::from_alarm(alarm, changed_at, Seed(1));
    assert!(incident.first_breach <= changed_at, "the breach comes after the change");
    assert!(incident.window.start < incident.window.end, "the window is empty");
    for baseline in &incident.baselines {
        assert!(baseline.window.start < baseline.window.end, "a baseline is empty");
        assert!(!baseline.window.overlaps(&incident.window), "a baseline lies in the incident");
    }
    assert!(!incident.resource.name.is_empty(), "the resource has no name");
}

/// Written as JSON and read back, an alarm is the same, but for the last binary digit of its threshold.
fn kept(alarm: &Alarm) {
    let text = match serde_json::to_string(alarm) {
        Ok(text) => text,
        Err(error) => unreachable!("an alarm cannot be kept: {error}"),
    };
    let mut read: Alarm = match serde_json::from_str(&text) {
        Ok(read) => read,
        Err(error) => unreachable!("a kept alarm cannot be read: {error}: {text}"),
    };
    if let (Some(one), Some(other)) = (threshold(&mut read), threshold(&mut alarm.clone())) {
        if let (Some(was), Some(is)) = (*other, *one) {
            assert!((was - is).abs() <= was.abs() * 1e-12, "the threshold {was} becomes {is}");
        }
        *one = *other;
    }
    assert_eq!(&read, alarm, "a kept alarm is another one");
}

fn threshold(alarm: &mut Alarm) -> Option<&mut Option<f64>> {
    match &mut alarm.trigger {
        Trigger::Metric(metric) => Some(&mut metric.threshold),
        Trigger::Derived(derived) => Some(&mut derived.watched.threshold),
        Trigger::Log(_) | Trigger::Other { .. } => None,
    }
}

fn evaluates(metric: &MetricTrigger) {
    assert!(!metric.namespace.is_empty() && !metric.metric.is_empty(), "a metric without a name");
    assert!(!metric.statistic.is_empty(), "a metric without a statistic");
    assert!((1..=604_800).contains(&metric.period_seconds), "a period of {} s", metric.period_seconds);
    assert!((1..=100_000).contains(&metric.evaluation_periods), "{} periods", metric.evaluation_periods);
    assert!(
        (1..=metric.evaluation_periods).contains(&metric.datapoints_to_alarm),
        "more datapoints than periods"
    );
    assert!(metric.threshold.is_none_or(f64::is_finite), "a threshold that is no number");
}

fn name(name: &str) {
    assert!(!name.trim().is_empty(), "an alarm without a name");
    assert!(name.chars().count() <= MOST_NAME_CHARACTERS, "a name that CloudWatch does not know");
}

/// A reason is one line of a log: a line break in it would forge a second one.
fn is_line(text: &str) {
    assert!(!text.trim().is_empty(), "nothing is said");
    assert!(!text.contains(char::is_control), "more than one line: {text:?}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A fuzzer finds its way from inputs that already lead into every branch.
    #[test]
    fn the_corpus_holds_and_has_every_shape_and_kind() {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/parse_event");
        for entry in fs::read_dir(folder).unwrap() {
            let event = fs::read(entry.unwrap().path()).unwrap();
            parse_event(&event);
            for record in alarm::parse_event(&event).records {
                let kind = match record {
                    WakeUp::Silenced { .. } => "silenced".to_owned(),
                    WakeUp::Alarm(alarm) => match alarm.trigger {
                        Trigger::Metric(_) => "metric".to_owned(),
                        Trigger::Derived(derived) => derived.kind,
                        Trigger::Log(_) => "log".to_owned(),
                        Trigger::Other { kind, .. } => kind,
                    },
                    WakeUp::Manual { question, .. } => {
                        if question.is_some() { "question" } else { "manual" }.to_owned()
                    }
                    WakeUp::Ignored { .. } => "ignored".to_owned(),
                };
                *kinds.entry(kind).or_default() += 1;
            }
        }
        let found: Vec<&str> = kinds.keys().map(String::as_str).collect();
        assert_eq!(
            found,
            [
                "anomaly band",
                "composite",
                "ignored",
                "log",
                "manual",
                "metric",
                "metric math",
                "metrics query",
                "question",
                "silenced",
                "unknown"
            ]
        );
    }

    #[test]
    fn what_does_not_hold_is_found() {
        for (broken, why) in [("", "a reason of nothing"), ("a\nb", "a reason of two lines")] {
            assert!(std::panic::catch_unwind(|| is_line(broken)).is_err(), "{why}");
        }
        assert!(std::panic::catch_unwind(|| name(&"x".repeat(256))).is_err());
    }
}
