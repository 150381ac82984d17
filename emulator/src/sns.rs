//! SNS's `Publish`, over awsQuery: checked as SNS checks it, and kept; and `GetTopicAttributes`. Every other operation is
//! refused.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::recorder::lock;
use crate::scenario::{Scenario, uuid};

/// Namespace of the answers.
pub(crate) const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// Message and attributes together, in bytes.
const LARGEST: usize = 262_144;

/// One message that SNS took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The id that the publisher was told.
    pub message_id: String,
    /// Topic.
    pub topic_arn: String,
    /// Subject, where there is one.
    pub subject: Option<String>,
    /// The message as published; with `message_structure` `json` it holds one text per protocol.
    pub message: String,
    /// `json` or nothing.
    pub message_structure: Option<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, MessageAttribute>,
}

/// One message attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MessageAttribute {
    /// `String`, `Number`, `Binary` or `String.Array`, perhaps with a custom label behind a dot.
    pub data_type: String,
    /// The value; of a binary one the base64 text.
    pub value: String,
}

/// What was published so far.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    published: Mutex<Vec<Published>>,
}

impl Outbox {
    /// Returns the messages in order.
    pub(crate) fn published(&self) -> Vec<Published> {
        lock(&self.published).clone()
    }

    /// Answers one request; the text is what belongs into `<PublishResult>`.
    pub(crate) fn answer(&self, scenario: &Scenario, form: &[(String, String)]) -> Result<String, Failure> {
        let form = Form { fields: form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect() };
        match form.get("Action") {
            Some("Publish") => {}
            Some("GetTopicAttributes") => return form.topic_attributes(scenario),
            action => {
                return Err(Failure::unsupported(format!("operation sns:{}", action.unwrap_or("(none)"))));
            }
        }
        let attributes = form.attributes()?;
        let topic_arn = form.topic(scenario)?;
        let message = form.get("Message").unwrap_or_default();
        check_message(message, form.get("MessageStructure"), &attributes)?;
        if let Some(subject) = form.get("Subject") {
            check_subject(subject)?;
        }
        let mut published = lock(&self.published);
        let message_id = uuid(&format!("{} {} {message}", scenario.name(), published.len()));
        published.push(Published {
            message_id: message_id.clone(),
            topic_arn,
            subject: form.get("Subject").map(str::to_owned),
            message: message.to_owned(),
            message_structure: form.get("MessageStructure").map(str::to_owned),
            attributes,
        });
        Ok(format!("<MessageId>{message_id}</MessageId>"))
    }
}

/// A form's fields by name.
struct Form<'a> {
    fields: BTreeMap<&'a str, &'a str>,
}

impl Form<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).copied()
    }

    /// SNS numbers attributes from 1: `MessageAttributes.entry.1.Name`, `….Value.DataType`, `….Value.StringValue`.
    fn attributes(&self) -> Result<BTreeMap<String, MessageAttribute>, Failure> {
        const KNOWN: [&str; 9] = [
            "Action",
            "Version",
            "TopicArn",
            "TargetArn",
            "Message",
            "Subject",
            "MessageStructure",
            "MessageDeduplicationId",
            "MessageGroupId",
        ];
        let mut by_number: BTreeMap<&str, (Option<&str>, MessageAttribute)> = BTreeMap::new();
        for (field, value) in &self.fields {
            if KNOWN.contains(field) {
                continue;
            }
            let Some((number, member)) =
                field.strip_prefix("MessageAttributes.entry.").and_then(|rest| rest.split_once('.'))
            else {
                return Err(Failure::unsupported(format!("member {field} of Publish")));
            };
            let entry = by_number.entry(number).or_default();
            match member {
                "Name" => entry.0 = Some(value),
                "Value.DataType" => (*value).clone_into(&mut entry.1.data_type),
                "Value.StringValue" | "Value.BinaryValue" => (*value).clone_into(&mut entry.1.value),
                _ => return Err(Failure::unsupported(format!("member {field} of Publish"))),
            }
        }
        let mut attributes = BTreeMap::new();
        for (name, attribute) in by_number.into_values() {
            let name = name.unwrap_or_default();
            check_attribute(name, &attribute)?;
            attributes.insert(name.to_owned(), attribute);
        }
        Ok(attributes)
    }

    /// What a topic tells of itself: here every one has one confirmed subscription.
    fn topic_attributes(&self, scenario: &Scenario) -> Result<String, Failure> {
        if let Some(other) =
            self.fields.keys().find(|field| !matches!(**field, "Action" | "Version" | "TopicArn"))
        {
            return Err(Failure::unsupported(format!("member {other} of GetTopicAttributes")));
        }
        let arn = self.topic(scenario)?;
        let attributes = [
            ("TopicArn", arn.as_str()),
            ("Owner", scenario.account()),
            ("SubscriptionsConfirmed", "1"),
            ("SubscriptionsPending", "0"),
            ("SubscriptionsDeleted", "0"),
        ];
        let entries =
            attributes.map(|(name, value)| format!("<entry><key>{name}</key><value>{value}</value></entry>"));
        Ok(format!("<Attributes>{}</Attributes>", entries.concat()))
    }

    fn topic(&self, scenario: &Scenario) -> Result<String, Failure> {
        if self.get("MessageGroupId").is_some() || self.get("MessageDeduplicationId").is_some() {
            return Err(Failure::unsupported("FIFO topics"));
        }
        let arn = match (self.get("TopicArn"), self.get("TargetArn")) {
            (Some(arn), None) | (None, Some(arn)) => arn,
            (None, None) => {
                return Err(invalid(
                    "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(invalid("Invalid parameter: Both TopicArn and TargetArn are specified"));
            }
        };
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "sns", region, account, name] = parts.as_slice() else {
            return Err(invalid("Invalid parameter: TopicArn"));
        };
        let exists = match &scenario.description().topics {
            None => true,
            Some(topics) => topics.iter().any(|topic| topic.name == *name),
        };
        if *region != scenario.region() {
            return Err(invalid("Invalid parameter: TopicArn"));
        }
        if *account != scenario.account() || !exists {
            return Err(Failure::service(404, "NotFound", "Topic does not exist"));
        }
        Ok(arn.to_owned())
    }
}

/// SNS takes ASCII that begins with a letter, digit or punctuation mark, below 100 characters and on one line.
fn check_subject(subject: &str) -> Result<(), Failure> {
    let fits = (1..100).contains(&subject.len())
        && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !subject.starts_with(' ');
    if fits { Ok(()) } else { Err(invalid("Invalid parameter: Subject")) }
}

fn check_message(
    message: &str,
    structure: Option<&str>,
    attributes: &BTreeMap<String, MessageAttribute>,
) -> Result<(), Failure> {
    if message.is_empty() {
        return Err(invalid("Invalid parameter: Empty message"));
    }
    let attribute_bytes: usize =
        attributes.iter().map(|(name, a)| name.len() + a.data_type.len() + a.value.len()).sum();
    if message.len() + attribute_bytes > LARGEST {
        return Err(invalid("Invalid parameter: Message too long"));
    }
    match structure {
        None => Ok(()),
        Some("json") => {
            let body: Value = serde_json::from_str(message).map_err(|_| {
                invalid("Invalid parameter: Message Structure - JSON message body failed to parse")
            })?;
            if body.get("default").and_then(Value::as_str).is_none() {
                return Err(invalid(
                    "Invalid parameter: Message Structure - No default entry in JSON message body",
                ));
            }
            Ok(())
        }
        Some(_) => Err(invalid("Invalid parameter: MessageStructure")),
    }
}

fn check_attribute(name: &str, attribute: &MessageAttribute) -> Result<(), Failure> {
    let refused = |reason: String| Failure::service(400, "ParameterValueInvalid", reason);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !(1..=256).contains(&name.len())
        || !name.chars().all(plain)
        || name.starts_with('.')
        || name.ends_with('.')
        || name.contains("..")
    {
        return Err(refused(format!("Invalid message attribute name '{name}'.")));
    }
    let logical = attribute.data_type.split('.').next().unwrap_or_default();
    if !matches!(logical, "String" | "Number" | "Binary") {
        return Err(refused(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes \
             is Binary, Number, String, and String.Array."
        )));
    }
    if attribute.value.is_empty() {
        return Err(refused(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute type \
             '{}'.",
            attribute.data_type
        )));
    }
    if logical == "Number" && attribute.value.parse::<f64>().is_err() {
        return Err(refused(format!("Could not cast message attribute '{name}' value to number.")));
    }
    Ok(())
}

fn invalid(message: &str) -> Failure {
    Failure::service(400, "InvalidParameter", message)
}
