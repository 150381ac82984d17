//! SNS's `Publish`.

use std::collections::BTreeMap;

use sre_agent_emulator::{MessageAttribute, Published};

use crate::client::{sns, started};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:findings";

#[tokio::test]
async fn a_message_is_kept_as_it_was_published() {
    let emulator = started().await;
    let reply = sns(
        &emulator,
        &[
            ("Action", "Publish"),
            ("Version", "2010-03-31"),
            ("TopicArn", TOPIC),
            ("Message", "line 1 + 2\nü & <b>"),
            ("Subject", "Sorter: 7 errors"),
            ("MessageAttributes.entry.1.Name", "severity"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", "high"),
        ],
    )
    .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("text/xml"));
    let published = emulator.published();
    let id = published[0].message_id.clone();
    assert!(reply.text().contains(&format!("<PublishResult><MessageId>{id}</MessageId></PublishResult>")));
    let severity = MessageAttribute { data_type: "String".to_owned(), value: "high".to_owned() };
    assert_eq!(
        published,
        [Published {
            message_id: id,
            topic_arn: TOPIC.to_owned(),
            subject: Some("Sorter: 7 errors".to_owned()),
            message: "line 1 + 2\nü & <b>".to_owned(),
            message_structure: None,
            attributes: BTreeMap::from([("severity".to_owned(), severity)]),
        }]
    );
}

#[tokio::test]
async fn what_sns_refuses_is_refused_and_not_kept() {
    let emulator = started().await;
    let long_subject = "x".repeat(100);
    let long_message = "x".repeat(262_145);
    let attribute = |kind: &'static str, value: &'static str| {
        vec![
            ("TopicArn", TOPIC),
            ("Message", "m"),
            ("MessageAttributes.entry.1.Name", "a"),
            ("MessageAttributes.entry.1.Value.DataType", kind),
            ("MessageAttributes.entry.1.Value.StringValue", value),
        ]
    };
    let with = |name: &'static str, value| vec![("TopicArn", TOPIC), ("Message", "m"), (name, value)];
    let to = |topic| vec![("TopicArn", topic), ("Message", "m")];
    let cases = [
        (with("Subject", &long_subject), 400, "InvalidParameter", "Invalid parameter: Subject"),
        (with("Subject", "two\nlines"), 400, "InvalidParameter", "Invalid parameter: Subject"),
        (with("Subject", "über"), 400, "InvalidParameter", "Invalid parameter: Subject"),
        (with("Subject", ""), 400, "InvalidParameter", "Invalid parameter: Subject"),
        (with("MessageStructure", "xml"), 400, "InvalidParameter", "Invalid parameter: MessageStructure"),
        (
            vec![("TopicArn", TOPIC), ("MessageStructure", "json"), ("Message", "{\"email\":\"x\"}")],
            400,
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            vec![("TopicArn", TOPIC), ("Message", "")],
            400,
            "InvalidParameter",
            "Invalid parameter: Empty message",
        ),
        (
            vec![("TopicArn", TOPIC), ("Message", long_message.as_str())],
            400,
            "InvalidParameter",
            "Invalid parameter: Message too long",
        ),
        (to("findings"), 400, "InvalidParameter", "Invalid parameter: TopicArn"),
        (
            to("arn:aws:sns:us-east-1:123456789012:findings"),
            400,
            "InvalidParameter",
            "Invalid parameter: TopicArn",
        ),
        (to("arn:aws:sns:eu-west-1:123456789012:none"), 404, "NotFound", "Topic does not exist"),
        (attribute("Text", "x"), 400, "ParameterValueInvalid", "invalid message attribute type"),
        (attribute("String", ""), 400, "ParameterValueInvalid", "non-empty message attribute value"),
        (attribute("Number", "many"), 400, "ParameterValueInvalid", "Could not cast"),
    ];
    for (fields, status, code, words) in cases {
        let fields: Vec<_> =
            [("Action", "Publish"), ("Version", "2010-03-31")].into_iter().chain(fields).collect();
        let reply = sns(&emulator, &fields).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(reply.text().contains(&format!("<Code>{code}</Code><Message>")), "{}", reply.text());
        assert!(reply.text().contains(words), "{words}: {}", reply.text());
    }
    assert_eq!(emulator.published(), []);
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn the_longest_message_and_subject_pass() {
    let emulator = started().await;
    let (subject, message) = ("x".repeat(99), "x".repeat(262_144));
    let reply = sns(
        &emulator,
        &[("Action", "Publish"), ("TopicArn", TOPIC), ("Subject", &subject), ("Message", &message)],
    )
    .await;
    assert_eq!(reply.status, 200);
    assert_eq!(emulator.published().len(), 1);
}

#[tokio::test]
async fn other_actions_and_members_are_refused() {
    let emulator = started().await;
    for fields in [
        vec![("Action", "Subscribe"), ("TopicArn", TOPIC)],
        vec![("Action", "Publish"), ("PhoneNumber", "+10000000000"), ("Message", "m")],
        vec![("Action", "Publish"), ("TopicArn", TOPIC), ("Message", "m"), ("MessageGroupId", "g")],
    ] {
        let reply = sns(&emulator, &fields).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("<Message>emulator: unsupported "), "{}", reply.text());
    }
    assert_eq!(emulator.unsupported().len(), 3);
    assert_eq!(emulator.published(), []);
}

#[tokio::test]
async fn a_topic_tells_its_subscriptions_and_another_accounts_topic_is_not_there() {
    let emulator = started().await;
    let ask = |topic: &'static str| {
        [("Action", "GetTopicAttributes"), ("Version", "2010-03-31"), ("TopicArn", topic)]
    };
    let reply = sns(&emulator, &ask(TOPIC)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let entry = "<entry><key>SubscriptionsConfirmed</key><value>1</value></entry>";
    assert!(reply.text().contains("<GetTopicAttributesResult><Attributes>"), "{}", reply.text());
    assert!(reply.text().contains(entry), "{}", reply.text());
    let reply = sns(&emulator, &ask("arn:aws:sns:eu-west-1:111122223333:findings")).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
}
