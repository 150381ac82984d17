//! The event that wakes the product: the alarm message in the envelope in which SNS hands it to Lambda.

use serde_json::{Value, json};

use crate::page::short_digest;
use crate::scenario::Scenario;

/// Wraps the alarm message. The ids come from the scenario, so that the same scenario always sends the same event.
pub(crate) fn event(scenario: &Scenario) -> Value {
    let message = scenario.alarm_message();
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let topic = message
        .pointer("/AlarmActions/0")
        .and_then(Value::as_str)
        .map_or_else(|| fallback_topic(scenario), str::to_owned);
    let subscription = format!("{topic}:{}", uuid(&format!("subscription of {topic}")));
    let region = scenario.region();
    json!({
        "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": {
                "Type": "Notification",
                "MessageId": uuid(&format!("{} {}", scenario.name(), message)),
                "TopicArn": topic,
                "Subject": format!("{}: \"{}\" in {}", text("NewStateValue"), text("AlarmName"), text("Region")),
                "Message": message.to_string(),
                "Timestamp": text("StateChangeTime").replace("+0000", "Z"),
                "SignatureVersion": "1",
                "Signature": "EXAMPLE",
                "SigningCertUrl":
                    format!("https://sns.{region}.amazonaws.com/SimpleNotificationService-EXAMPLE.pem"),
                "UnsubscribeUrl":
                    format!("https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}"),
                "MessageAttributes": {},
            },
        }],
    })
}

fn fallback_topic(scenario: &Scenario) -> String {
    format!("arn:aws:sns:{}:{}:cloudwatch-alarms", scenario.region(), scenario.account())
}

/// Writes 32 hex digits of a digest the way UUIDs are written.
pub(crate) fn uuid(of: &str) -> String {
    let mut id = String::new();
    for (place, digit) in short_digest(of).chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}
