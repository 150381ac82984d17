//! Tells the wake-up shapes apart by content and unwraps them.
//!
//! Content decides, not a deployment flag, so one function serves every way in. Envelopes are opened
//! one in another. Nothing in an event can make this fail: what cannot be read becomes [`WakeUp::Ignored`].

use serde_json::{Map, Value};

use crate::alarm::sns::{self, Envelope};
use crate::alarm::{Alarm, event};
use crate::redact::Redacted;

/// Largest event that is read: Lambda's limit for an invocation with an answer, 6 MB, which a queue's batch can reach.
const MOST_BYTES: usize = 6 * 1024 * 1024;

/// `CloudWatch`'s limit for an alarm name; a longer one is no alarm's.
pub(crate) const MOST_NAME_CHARACTERS: usize = 255;

/// A question is one sentence or two; a model reads it beside the whole digest.
const MOST_QUESTION_CHARACTERS: usize = 500;

/// What the reader of a refusal can send instead.
const ACCEPTED: &str = "accepted are alarms from SNS, SQS, EventBridge and Lambda actions, an alarm message itself and {\"alarmName\": \"…\"}";

/// What one record of an event asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum WakeUp {
    /// An alarm changed state.
    Alarm(Box<Alarm>),
    /// A person asks for an alarm by name: `{"alarmName": …}`, or a question about it: `{"alarmName": …, "question":
    /// …}`. Also what is left of an alarm message that does not tell the state or its time: `CloudWatch` can be asked
    /// for both.
    Manual {
        /// The alarm's name.
        alarm_name: String,
        /// What is asked, where it is a question.
        question: Option<String>,
    },
    /// A state change whose actions `CloudWatch` held back: only a setting makes somebody want to hear of it.
    Silenced {
        /// By what.
        by: Silence,
        /// What it asks for where it is heard all the same.
        wake_up: Box<WakeUp>,
    },
    /// Not an alarm: acknowledged and logged, never retried.
    Ignored {
        /// Why, in one line.
        reason: String,
    },
}

impl WakeUp {
    pub(crate) fn ignored(reason: impl Into<String>) -> Self {
        WakeUp::Ignored { reason: reason.into() }
    }
}

/// What holds an alarm's actions back; `EventBridge` tells of the state change all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// A mute rule.
    Muted,
    /// The suppressor of a composite, or the time that is waited for it.
    Suppressed,
    /// The alarm's own switch.
    Disabled,
}

impl Silence {
    /// Says what of the alarm, to follow its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Silence::Muted => "is muted",
            Silence::Suppressed => "has its actions suppressed",
            Silence::Disabled => "has its actions disabled",
        }
    }
}

/// All records of one event, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WakeUps {
    /// One a record.
    pub records: Vec<WakeUp>,
    /// Of a queue's batch the message ids, one a record in the same order: by them a part of the batch can be given back.
    pub message_ids: Option<Vec<String>>,
}

/// Reads an event of any shape; what cannot be read becomes [`WakeUp::Ignored`] with the reason.
///
/// The answer is never empty, so an event is never dropped without a word.
pub fn parse_event(event: &[u8]) -> WakeUps {
    let mut message_ids = None;
    let records = match read_json(event) {
        Ok(Value::Object(mut object)) => match object.remove("Records") {
            Some(Value::Array(records)) if !records.is_empty() => {
                message_ids = of_queue(&records);
                records.into_iter().map(record).collect()
            }
            Some(_) => vec![WakeUp::ignored("the event's Records hold nothing")],
            None => vec![bare(object, 0)],
        },
        Ok(_) => vec![WakeUp::ignored(format!("the event is not a JSON object; {ACCEPTED}"))],
        Err(reason) => vec![WakeUp::Ignored { reason }],
    };
    WakeUps { records, message_ids }
}

/// The shapes that an object can have, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Sns,
    /// SNS's envelope as HTTP and queues get it.
    Notification,
    Sqs,
    EventBridge,
    DirectAction,
    AlarmMessage,
    Manual,
    Unknown,
}

impl Shape {
    fn of(object: &Map<String, Value>) -> Self {
        let says = |key: &str, value: &str| object.get(key).and_then(Value::as_str) == Some(value);
        let holds_object = |key: &str| object.get(key).is_some_and(Value::is_object);
        // The capital letter of `EventSource` is SNS's own; SQS writes `eventSource`.
        if says("EventSource", "aws:sns") || holds_object("Sns") {
            Shape::Sns
        } else if says("eventSource", "aws:sqs") {
            Shape::Sqs
        } else if says("Type", "Notification") && object.contains_key("Message") {
            Shape::Notification
        } else if object.contains_key("detail-type") {
            Shape::EventBridge
        } else if object.contains_key("alarmData") {
            Shape::DirectAction
        } else if sns::is_alarm(object) {
            Shape::AlarmMessage
        } else if object.contains_key("alarmName") {
            Shape::Manual
        } else {
            Shape::Unknown
        }
    }
}

fn read_json(event: &[u8]) -> Result<Value, String> {
    let event = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    if event.len() > MOST_BYTES {
        return Err(format!("the event has {} bytes, more than the {MOST_BYTES} that are read", event.len()));
    }
    if event.iter().all(u8::is_ascii_whitespace) {
        return Err("the event is empty".into());
    }
    serde_json::from_slice(event).map_err(|error| {
        let what = if error.is_eof() { "truncated JSON" } else { "not JSON" };
        format!("the event is {what}: {error}")
    })
}

/// Returns the message ids of a batch that a queue delivered; `None` for any other event.
fn of_queue(records: &[Value]) -> Option<Vec<String>> {
    let is_of_queue =
        |record: &Value| record.as_object().is_some_and(|object| Shape::of(object) == Shape::Sqs);
    let id = |record: &Value| record.get("messageId").and_then(Value::as_str).unwrap_or_default().to_owned();
    records.iter().all(is_of_queue).then(|| records.iter().map(id).collect())
}

/// One entry of `Records`.
fn record(record: Value) -> WakeUp {
    match record {
        Value::Object(object) => bare(object, 0),
        _ => WakeUp::ignored(format!("a record is not a JSON object; {ACCEPTED}")),
    }
}

/// Envelopes within envelopes that are opened: a queue's message, SNS's envelope in it, an event in that.
const MOST_ENVELOPES: u32 = 3;

/// An object that is any of the shapes, `depth` envelopes deep.
fn bare(mut object: Map<String, Value>, depth: u32) -> WakeUp {
    match Shape::of(&object) {
        Shape::AlarmMessage => sns::parse_alarm(object, &Envelope::default()),
        Shape::Manual => manual(&object),
        Shape::Sns => {
            let subscription = object.remove("EventSubscriptionArn");
            match object.remove("Sns") {
                Some(Value::Object(sns)) => notification(sns, subscription.as_ref(), depth),
                _ => WakeUp::ignored("an SNS record holds no message"),
            }
        }
        Shape::Notification => notification(object, None, depth),
        Shape::Sqs => queued(object.remove("body"), depth),
        Shape::EventBridge => event::parse_event_bridge(object),
        Shape::DirectAction => event::parse_direct(object),
        Shape::Unknown => WakeUp::ignored(format!("the event has an unknown shape; {ACCEPTED}")),
    }
}

/// The body of a queue's message: any shape as text.
fn queued(body: Option<Value>, depth: u32) -> WakeUp {
    if depth >= MOST_ENVELOPES {
        return WakeUp::ignored("a message is in more envelopes than are opened");
    }
    let body = match body {
        Some(Value::String(text)) => match read_json(text.as_bytes()) {
            Ok(body) => body,
            Err(reason) => return WakeUp::ignored(format!("a queue's message: {reason}")),
        },
        Some(body) => body,
        None => return WakeUp::ignored("a queue's message is empty"),
    };
    match body {
        Value::Object(object) => bare(object, depth + 1),
        _ => WakeUp::ignored(format!("a queue's message is not a JSON object; {ACCEPTED}")),
    }
}

fn manual(object: &Map<String, Value>) -> WakeUp {
    let name = object.get("alarmName").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    // A person may paste the ARN.
    let name = sns::Arn::parse(name).map_or_else(|| name.to_owned(), |arn| arn.alarm_name);
    if name.is_empty() || name.chars().count() > MOST_NAME_CHARACTERS {
        return WakeUp::ignored(format!(
            "alarmName is not a text of 1 to {MOST_NAME_CHARACTERS} characters; {ACCEPTED}"
        ));
    }
    let question = match object.get("question") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.chars().count() <= MOST_QUESTION_CHARACTERS => {
            let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            Some(words.join(" ")).filter(|text| !text.is_empty())
        }
        Some(_) => {
            return WakeUp::ignored(format!(
                "question is not a text of at most {MOST_QUESTION_CHARACTERS} characters"
            ));
        }
    };
    WakeUp::Manual { alarm_name: name, question }
}

/// SNS's envelope: around an alarm message, or around an event that somebody routes through a topic.
fn notification(mut sns: Map<String, Value>, subscription: Option<&Value>, depth: u32) -> WakeUp {
    let mut text = |key: &str| match sns.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let subject = text("Subject");
    let envelope = Envelope {
        sent_at: text("Timestamp").and_then(|text| sns::parse_time(&text)),
        // `arn:aws:sns:REGION:ACCOUNT:topic:subscription` begins with the topic's ARN.
        topic_arn: text("TopicArn").or_else(|| subscription.and_then(Value::as_str).map(str::to_owned)),
    };
    let named = match subject.as_deref().map(one_line).filter(|subject| !subject.is_empty()) {
        Some(subject) => format!("SNS message '{subject}'"),
        None => "SNS message without a subject".to_owned(),
    };
    let message = match sns.remove("Message") {
        Some(Value::String(text)) => match serde_json::from_str::<Value>(&text) {
            Ok(message) => message,
            Err(error) if error.is_eof() && text.trim_start().starts_with('{') => {
                return WakeUp::ignored(format!("{named} is truncated JSON: {error}"));
            }
            Err(_) => Value::Null,
        },
        // Some test tools nest the message unquoted.
        Some(message) => message,
        None => return WakeUp::ignored(format!("{named} is empty")),
    };
    match message {
        Value::Object(message) if sns::is_alarm(&message) => sns::parse_alarm(message, &envelope),
        Value::Object(message)
            if depth < MOST_ENVELOPES
                && matches!(
                    Shape::of(&message),
                    Shape::EventBridge | Shape::DirectAction | Shape::Manual
                ) =>
        {
            bare(message, depth + 1)
        }
        _ => WakeUp::ignored(format!("{named} is not a CloudWatch alarm")),
    }
}

/// Makes one short line of untrusted text on its way into a log line.
pub(crate) fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    Redacted::new(visible.trim()).as_str().chars().take(100).collect()
}

#[cfg(test)]
mod tests;
