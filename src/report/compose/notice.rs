//! What is told without an investigation: recoveries, linked alarms, tests, the agent's own.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::card;
use super::footer::signed;
use crate::alarm::{AlarmState, Hints};
use crate::analysis::forced::TestAlarm;
use crate::clock::Timestamp;
use crate::evidence::console;
use crate::evidence::text::{clock_time, moment, number};
use crate::id::RunId;
use crate::incident::Incident;
use crate::redact::Redacted;
use crate::report::data::Data;
use crate::report::document::{Detail, Document, FORMAT, Line, Marks, Section, Span, VERSION};
use crate::report::readers::LogQuotes;
use crate::run::Receipt;
use crate::store::incidents::{Member, OpenIncident};

/// Alarms of one reason that a line names, and reasons that a message names.
const MOST_LINKED: usize = 4;

/// Returns names for a sentence, the first few of many: `a, b and 3 more`.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let listed = names.get(..MOST_LINKED).unwrap_or(&names);
    match names.len() - listed.len() {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

/// What was reported when the alarm went off, as far as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Earlier {
    /// When it went off.
    #[cfg_attr(test, schemars(with = "String"))]
    pub went_off: Timestamp,
    /// The run that reported it.
    pub run_id: RunId,
    /// What that run came to: `cause_shown`, `facts_only`.
    pub outcome: String,
    /// What its computed lead was, where there was one.
    pub lead: Option<String>,
    /// When it went off again since, where that was told in a line.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub again: Option<Timestamp>,
    /// Where it was reported.
    #[serde(default)]
    pub receipts: Vec<Receipt>,
    /// Channels that did not take the report.
    #[serde(default)]
    pub undelivered: Vec<String>,
}

impl Earlier {
    /// Says what came of it, in words.
    fn told(&self) -> String {
        match self.outcome.as_str() {
            "merged" => "as one incident with another alarm".to_owned(),
            outcome => outcome.replace('_', " "),
        }
    }

    /// Adds which channels did not take the report: they hear of the incident for the first time.
    fn name_missed(&self, document: &mut Document) {
        if !self.undelivered.is_empty() {
            let missed = self.undelivered.join(", ");
            document
                .footer
                .push(Line::text(format!("The report, run {}, did not reach {missed}.", self.run_id)));
        }
    }
}

/// Composes the notice of an OK or `INSUFFICIENT_DATA` transition: it is told and not investigated. `went_off` is when the
/// incident began that it ends, `firing` are other alarms of that incident that have not recovered.
pub fn state_change(
    incident: &Incident,
    run_id: &RunId,
    earlier: Option<&Earlier>,
    went_off: Option<Timestamp>,
    firing: &[String],
) -> Document {
    let is_ok = incident.alarm.new_state == AlarmState::Ok;
    let length = went_off.filter(|_| is_ok).map(|went_off| {
        let minutes = (incident.alarm.changed_at.duration_since(went_off).as_secs() + 30) / 60;
        if minutes < 120 { format!("{minutes} min") } else { format!("{} h", minutes / 60) }
    });
    let (headline, sentence) = match incident.alarm.new_state {
        AlarmState::Ok => ("RECOVERED", "The alarm is back within its threshold."),
        AlarmState::InsufficientData => (
            "NO DATA",
            "CloudWatch has too few datapoints to judge. That can mean no traffic, or that what sends the data is gone.",
        ),
        AlarmState::Alarm => ("IN ALARM", "The alarm went off."),
    };
    let mut sentence = sentence.to_owned();
    if let (Some(went_off), Some(length)) = (went_off, &length) {
        let _ = write!(sentence, " It was in ALARM for {length}, from {}", moment(went_off));
        let reported =
            earlier.map(|earlier| format!("; run {} reported it: {}", earlier.run_id, earlier.told()));
        let _ = write!(sentence, "{}.", reported.unwrap_or_default());
    }
    if !firing.is_empty() {
        let _ = write!(sentence, " Not over for {}.", names(firing.iter().map(String::as_str)));
    }
    let aside = match (&length, firing) {
        (_, [_, ..]) => " · linked alarms still fire".to_owned(),
        (Some(length), []) => format!(" · after {length}"),
        (None, []) => String::new(),
    };
    let notice = Notice {
        headline,
        aside: &aside,
        sentence,
        limit: "Not investigated: only a change to ALARM is.",
        outcome: "state_change",
    };
    let mut document = notice.document(incident, run_id);
    if let Some(earlier) = earlier {
        earlier.name_missed(&mut document);
    }
    document
}

/// Composes the line on alarms that belong to an open incident: it costs no model. `incident` is the alarm that tells it.
pub fn linked(incident: &Incident, run_id: &RunId, open: &OpenIncident, members: &[Member]) -> Document {
    let Some(first) = &open.first else {
        // An incident without a first alarm is none.
        return state_change(incident, run_id, None, None, &[]);
    };
    let report = match &open.reported {
        Some(reported) => format!("run {} reported it: {}", first.run_id, reported.outcome.replace('_', " ")),
        None => format!("run {} investigates it", first.run_id),
    };
    let subject = match members {
        [one] => one.alarm.clone(),
        several => format!("{} alarms", several.len()),
    };
    let notice = Notice {
        headline: "ALSO FIRING",
        aside: " · linked, not investigated",
        sentence: format!(
            "Linked to {}, which went off at {}; {report}.",
            first.alarm,
            clock_time(first.went_off)
        ),
        limit: "An alarm whose metric moved first would have been investigated.",
        outcome: "linked",
    };
    let mut document = notice.document(incident, run_id);
    document.push = card::cut(format!("Also firing: {subject}. Linked to {}.", first.alarm), 120);
    if members.len() > 1 {
        document.title = Line(vec![Span::Bold(subject), Span::Text(format!(" · with {}", first.alarm))]);
    }
    document.sections =
        vec![Section { heading: "Linked because".into(), marks: Marks::Bullets, items: reasons(members) }];
    if let Some(data) = document.data.as_object_mut() {
        data.insert("linked_to".into(), json!({"alarm": first.alarm, "run_id": first.run_id}));
        data.insert("linked".into(), serde_json::to_value(members).unwrap_or(Value::Null));
    }
    document
}

/// Returns a line for each reason with the alarms that it links, and one that counts the rest.
fn reasons(members: &[Member]) -> Vec<Line> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for member in members {
        match groups.iter_mut().find(|(because, _)| *because == member.because) {
            Some((_, alarms)) => alarms.push(&member.alarm),
            None => groups.push((&member.because, vec![&member.alarm])),
        }
    }
    let listed = groups.get(..MOST_LINKED).unwrap_or(&groups);
    let line = |(because, alarms): &(&str, Vec<&str>)| {
        Line::text(format!("{because}: {}", names(alarms.iter().copied())))
    };
    let mut lines: Vec<Line> = listed.iter().map(line).collect();
    let rest: usize = groups.iter().skip(listed.len()).map(|(_, alarms)| alarms.len()).sum();
    if rest > 0 {
        lines.push(Line::text(format!("for other reasons of this kind: and {rest} more")));
    }
    lines
}

/// Composes the notice of an alarm that went off again soon after it was reported: nothing new would be found, and a
/// flapping alarm must not spend the day's quota.
pub fn firing_again(incident: &Incident, run_id: &RunId, earlier: &Earlier, until: Timestamp) -> Document {
    let notice = Notice {
        headline: "FIRING AGAIN",
        aside: "",
        sentence: format!(
            "It went off at {} too; run {} reported that: {}.",
            clock_time(earlier.went_off),
            earlier.run_id,
            earlier.told()
        ),
        limit: "Not investigated again before",
        outcome: "firing_again",
    };
    let mut document = notice.document(incident, run_id);
    if let Some(limit) = document.limits.first_mut() {
        *limit = Line::text(format!("Not investigated again before {} UTC.", clock_time(until)));
    }
    earlier.name_missed(&mut document);
    if let Some(data) = document.data.as_object_mut() {
        data.insert("earlier".into(), serde_json::to_value(earlier).unwrap_or(Value::Null));
    }
    document
}

/// Composes the notice of an alarm that somebody set by hand: everybody's way to see whether anything arrives.
pub fn test_alarm(incident: &Incident, run_id: &RunId, test: &TestAlarm) -> Document {
    let reason = Redacted::new(incident.alarm.reason.trim());
    let newest = test.newest.map(|(at, value)| format!(" at {} and was {}", clock_time(at), number(value)));
    let sentence = format!(
        "Set by hand: \"{}\". {} was read{}; the alarm is at {}.",
        card::cut(reason.as_str().to_owned(), MOST_TEST_REASON),
        test.metric,
        newest.unwrap_or_else(|| " and has no datapoint".into()),
        number(test.threshold)
    );
    let notice = Notice {
        headline: "TEST ALARM",
        aside: " · the path works",
        sentence,
        limit: "Not investigated: the metric does not breach. No model was asked.",
        outcome: "test_alarm",
    };
    notice.document(incident, run_id)
}

/// Composes the notice of an alarm on a part of the agent itself, which an investigation could set off again.
pub fn own_alarm(incident: &Incident, run_id: &RunId) -> Document {
    let notice = Notice {
        headline: "THE AGENT ITSELF",
        aside: " · its own alarm went off",
        sentence: format!(
            "{} is a part of sre-agent. Until it works again, alarms may come without a report.",
            incident.resource.title()
        ),
        limit: "Not investigated: an investigation of itself could go round in circles.",
        outcome: "own_alarm",
    };
    notice.document(incident, run_id)
}

/// Most characters of the reason that somebody gave to a test.
const MOST_TEST_REASON: usize = 120;

/// What is told without an investigation.
struct Notice<'a> {
    headline: &'static str,
    /// What follows the headline on its line.
    aside: &'a str,
    sentence: String,
    limit: &'static str,
    outcome: &'static str,
}

impl Notice<'_> {
    fn document(self, incident: &Incident, run_id: &RunId) -> Document {
        let alarm = &incident.alarm;
        let at = clock_time(alarm.changed_at);
        let before = alarm.old_state.map(|state| format!(" (before: {state})")).unwrap_or_default();
        let mut verdict = Line(vec![Span::Bold(self.headline.into())]);
        if !self.aside.is_empty() {
            verdict = verdict.with(self.aside);
        }
        Document {
            format: FORMAT,
            run_id: run_id.to_string(),
            state: alarm.new_state,
            recovered: alarm.new_state == AlarmState::Ok,
            push: card::cut(format!("{}: {} at {at} UTC.", alarm.name, self.headline.to_lowercase()), 120),
            title: card::title(incident, &Hints::default()),
            condition: Line::text(format!("{} since ", alarm.new_state))
                .with(Span::Time(alarm.changed_at))
                .with(before),
            verdict,
            statement: vec![Line::text(self.sentence)],
            impact: Vec::new(),
            sections: Vec::new(),
            limits: vec![Line::text(self.limit)],
            links: vec![Span::Link { label: "Alarm".into(), url: console::alarm(&alarm.place, &alarm.name) }],
            footer: vec![Line::text(format!("no model asked · {}", signed(run_id)))],
            details: Vec::<Detail>::new(),
            log_quotes: LogQuotes::default(),
            data: Data {
                version: VERSION.into(),
                outcome: self.outcome.into(),
                alarm: super::data::alarm(incident),
                ..Data::default()
            }
            .value(),
            kept: None,
        }
    }
}
