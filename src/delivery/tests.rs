//! Several channels at once: none takes another with it, and each leaves a receipt or a reason.

use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::report::{Line, samples};
use crate::run::Stamped;

/// A channel that behaves in one way.
struct Scripted {
    name: &'static str,
    behaviour: Behaviour,
}

#[derive(Clone, Copy)]
enum Behaviour {
    Takes,
    Refuses,
    Hangs,
    Panics,
    PanicsAtOnce,
}

impl Channel for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn deliver<'a>(&'a self, _: Post<'a>, _: Deadline) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        if matches!(self.behaviour, Behaviour::PanicsAtOnce) {
            panic!("before the first await");
        }
        Box::pin(async move {
            match self.behaviour {
                Behaviour::Takes => Ok(receipt(self.name)),
                Behaviour::Refuses => Err(failure(self.name, "it said no")),
                Behaviour::Hangs => std::future::pending().await,
                Behaviour::Panics | Behaviour::PanicsAtOnce => panic!("inside"),
            }
        })
    }
}

fn channel(name: &'static str, behaviour: Behaviour) -> Arc<dyn Channel> {
    Arc::new(Scripted { name, behaviour })
}

fn receipt(name: &str) -> Receipt {
    Receipt { channel: name.to_owned(), reference: Some("7".to_owned()), note: None, facts: false }
}

fn failure(name: &str, reason: &str) -> DeliveryError {
    DeliveryError { channel: name.to_owned(), reason: reason.to_owned() }
}

/// Delivers and returns the results with the events in the order of their channels' names.
async fn deliver(
    channels: &[Arc<dyn Channel>],
    already: &[Receipt],
) -> (Vec<Result<Receipt, DeliveryError>>, Vec<RunEvent>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&events);
    let observer = Observer::new(vec![Arc::new(move |stamped: &Stamped| {
        kept.lock().unwrap().push(stamped.event.clone());
    })]);
    let deadline = Deadline::after(Duration::from_secs(10));
    let document = samples::cause_shown();
    let posting = Posting {
        document: &document,
        kind: Kind::Report,
        already,
        incident: &[],
        slack_channel: None,
        picture: None,
    };
    let results = deliver_all(channels, posting, deadline, &observer).await;
    let events = events.lock().unwrap().clone();
    (results, events)
}

fn delivered(name: &str) -> RunEvent {
    RunEvent::Delivered { channel: name.to_owned(), reference: Some("7".to_owned()), note: None }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_fails_hangs_or_panics_does_not_stop_the_others() {
    let channels = [
        channel("hangs", Behaviour::Hangs),
        channel("refuses", Behaviour::Refuses),
        channel("panics", Behaviour::Panics),
        channel("panics at once", Behaviour::PanicsAtOnce),
        channel("takes", Behaviour::Takes),
    ];
    let (results, events) = deliver(&channels, &[]).await;
    let hung = "no answer before the deadline; the report may or may not have arrived";
    let broke = "the channel broke off with a fault of its own; the log has its place";
    assert_eq!(
        results,
        vec![
            Err(failure("hangs", hung)),
            Err(failure("refuses", "it said no")),
            Err(failure("panics", broke)),
            Err(failure("panics at once", broke)),
            Ok(receipt("takes")),
        ]
    );
    let failed = |name: &str, reason: &str| RunEvent::DeliveryFailed {
        channel: name.to_owned(),
        reason: reason.to_owned(),
    };
    assert_eq!(
        events,
        vec![
            failed("refuses", "it said no"),
            failed("panics", broke),
            failed("panics at once", broke),
            delivered("takes"),
            failed("hangs", hung),
        ]
    );
}

#[tokio::test]
async fn a_channel_with_a_receipt_is_not_asked_again() {
    let channels = [channel("first", Behaviour::Panics), channel("second", Behaviour::Takes)];
    let kept = Receipt { note: Some("from the first try".to_owned()), ..receipt("first") };
    let (results, events) = deliver(&channels, std::slice::from_ref(&kept)).await;
    assert_eq!(results, vec![Ok(kept), Ok(receipt("second"))]);
    assert_eq!(events, vec![delivered("second")]);
}

#[test]
fn a_secret_is_never_shown() {
    assert_eq!(format!("{:?}", Secret::new("hunter2\n")), "Secret(…)");
    assert_eq!(Secret::new("hunter2\n").expose(), "hunter2");
}

#[test]
fn the_sns_message_of_a_shown_cause() {
    let message = sns_message(&samples::cause_shown());
    let push =
        "invoice-render: 36% of requests failing, still. Cause shown: version 58, serving since 03:02 UTC.";
    assert_eq!(message.subject, push);
    assert_eq!(message.sms, format!("{push}\n43 of 118 requests/min fail (36%)\nrun 7f3a9c"));
    assert!(message.default.starts_with("🔴 invoice-render-errors · prod"));
    assert!(message.email.starts_with(&message.default) && message.email.contains("aws lambda update-alias"));
    assert_eq!(
        message.attributes,
        [
            ("state", "ALARM"),
            ("runId", "7f3a9c"),
            ("alarmName", "invoice-render-errors"),
            ("outcome", "investigated"),
            ("verdict", "cause_shown"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let body: serde_json::Value = serde_json::from_str(&message.body()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "default": message.default, "email": message.email, "sms": message.sms })
    );
}

#[test]
fn a_long_subject_ends_in_three_dots_below_100_characters() {
    let document = Document { push: "a word ".repeat(30), ..samples::cause_shown() };
    let subject = subject(&document);
    assert_eq!(subject, format!("{}a...", "a word ".repeat(13)));
    assert!(subject.len() < 100, "{subject}");
}

#[test]
fn a_subject_has_an_ascii_spelling() {
    let push = "Zahlung – p99 ≥ 4 s…\nñ → 請求";
    let document = Document { push: push.to_owned(), ..samples::cause_shown() };
    assert_eq!(subject(&document), "Zahlung - p99 >= 4 s... ? -> ??");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sns_limits_hold_for_any_text(
        text in prop_oneof![any::<String>(), "[\"\\\\\n\t\u{1b}a-z漢]{0,300}"],
        times in prop_oneof![Just(1_usize), 1..20_000_usize],
    ) {
        let text = text.repeat(times.min(150_000 / text.len().max(1)));
        let mut document = samples::cause_shown();
        document.push.clone_from(&text);
        document.run_id.clone_from(&text);
        document.impact = vec![Line::text(text.as_str())];
        document.data = serde_json::json!({ "alarm": { "name": text }, "verdict": text });
        document.details[1].code = Some(text);
        let message = sns_message(&document);
        prop_assert!((1..100).contains(&message.subject.len()), "{}", message.subject.len());
        prop_assert!(message.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", message.subject);
        prop_assert!((1..=1_600).contains(&message.sms.len()));
        prop_assert!(message.sms.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        let attributes: usize = message.attributes.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        prop_assert!(message.attributes.iter().all(|(_, value)| !value.is_empty()));
        prop_assert!(message.body().len() + message.subject.len() + attributes <= 256 * 1024, "{}", message.body().len());
    }
}
