//! Events that are not alarms, and tries that die on the way: nothing is lost, nothing is posted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use sre_agent::alarm::{AlarmSnapshot, AlarmState};
use sre_agent::clock::Deadline;
use sre_agent::delivery::{Channel, DeliveryError, Post, Receipt};
use sre_agent::evidence::{MetricId, Series};
use sre_agent::gather::Telemetry;
use sre_agent::gather::telemetry::{
    FunctionState, LogGroup, LogPage, LogRequest, MetricsRequest, TelemetryError,
};
use sre_agent::handler::{HandlerError, Response};
use sre_agent::run::RunEvent;

use crate::incident_run::{BAD_DEPLOY, ENOUGH, IncidentRun, alarm_of, answering, later_alarm, sns_event};
use crate::script::careful;

fn ignored(run: &IncidentRun) -> Vec<String> {
    run.events()
        .into_iter()
        .filter_map(|event| match event {
            RunEvent::Ignored { reason } => Some(reason),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn what_is_no_alarm_is_ignored_with_the_reason() {
    let whole = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let long = "x".repeat(300 * 1024);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "empty"),
        (b"   \n".to_vec(), "empty"),
        (whole[..whole.len() / 2].to_vec(), "truncated JSON"),
        (b"\xff\xfe\x00".to_vec(), "not JSON"),
        (b"[1, 2]".to_vec(), "not a JSON object"),
        (b"{\"Records\": []}".to_vec(), "hold nothing"),
        (sns_event(&[json!("Your budget is used up.")]), "not a CloudWatch alarm"),
        (sns_event(&[json!(long)]), "not a CloudWatch alarm"),
        (sns_event(&[json!(format!("{{\"AlarmName\": \"{long}"))]), "truncated JSON"),
    ];
    let run = IncidentRun::start(answering(careful)).await;
    for (event, words) in &cases {
        let response = run.handle(event, ENOUGH).await.unwrap();
        assert_eq!(response.runs, []);
        let [reason] = response.ignored.as_slice() else { panic!("{words}: {response:?}") };
        assert!(reason.contains(words), "{words} is not in {reason}");
        assert!(reason.chars().count() < 400, "{} characters", reason.chars().count());
    }
    assert_eq!(ignored(&run).len(), cases.len());
    assert_eq!(run.emulator.requests(), []);
}

#[tokio::test]
async fn a_bad_record_does_not_take_the_good_one_with_it() {
    let run = IncidentRun::start(answering(careful)).await;
    let event = sns_event(&[json!("not an alarm"), alarm_of(BAD_DEPLOY)]);
    let response = run.handle(&event, ENOUGH).await.unwrap();
    assert_eq!(response.runs.len(), 1);
    assert_eq!(response.runs[0].outcome, "cause_shown");
    assert_eq!(ignored(&run), response.ignored);
    assert_eq!(response.ignored.len(), 1);
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 1));
}

#[tokio::test]
async fn an_alarm_with_a_description_of_300_kilobytes_is_investigated_like_any_other() {
    let mut alarm = alarm_of(BAD_DEPLOY);
    alarm["AlarmDescription"] = json!("a very long story ".repeat(17_000));
    alarm["SomethingNew"] = json!("another long story ".repeat(2_000));
    let run = IncidentRun::start(answering(careful)).await;
    let seen = run.report_of(&sns_event(&[alarm]), ENOUGH).await;
    assert_eq!(seen.outcome, "cause_shown");
    let largest = run.emulator.converse_calls().iter().map(|call| call.body.to_string().len()).max();
    assert!(largest.is_some_and(|bytes| bytes < 150_000), "{largest:?}");
    let kept = run
        .kept
        .saved()
        .iter()
        .filter_map(|record| record.document.clone())
        .map(|d| d.to_string().len())
        .max();
    assert!(kept.is_some_and(|bytes| bytes < 1_500_000), "{kept:?}");
}

/// Breaks off the first time and then does what the real one does.
struct BreaksOnce {
    inner: Arc<dyn Channel>,
    calls: AtomicU32,
    /// Whether it panics or says that it failed.
    panics: bool,
}

impl BreaksOnce {
    fn before(inner: Arc<dyn Channel>, panics: bool) -> Arc<dyn Channel> {
        Arc::new(BreaksOnce { inner, calls: AtomicU32::new(0), panics })
    }
}

impl Channel for BreaksOnce {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        if self.calls.fetch_add(1, Ordering::SeqCst) > 0 {
            return self.inner.deliver(post, deadline);
        }
        assert!(!self.panics, "a planted panic");
        let error = DeliveryError { channel: self.name().to_owned(), reason: "a planted failure".to_owned() };
        Box::pin(async move { Err(error) })
    }
}

#[tokio::test]
async fn when_every_channel_fails_the_next_try_posts_what_was_found_without_asking_again() {
    for panics in [false, true] {
        let mut run = IncidentRun::start(answering(careful)).await;
        let channels = std::mem::take(&mut run.services.channels);
        run.services.channels =
            channels.into_iter().map(|channel| BreaksOnce::before(channel, panics)).collect();
        let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
        let error = run.handle(&event, ENOUGH).await.unwrap_err();
        assert!(matches!(error, HandlerError::Undelivered { .. }), "{error}");
        let finished = run.events().into_iter().find_map(|event| match event {
            RunEvent::Finished { outcome, .. } => Some(outcome),
            _ => None,
        });
        assert_eq!(finished.as_deref(), Some("undelivered"), "a report that nobody has is no success");
        let reads = run.emulator.requests().len();
        let response = run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(response.runs[0].outcome, "cause_shown");
        assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 1));
        assert_eq!(
            run.emulator.requests().len(),
            reads + 4,
            "the state and the last period again, and two posts"
        );
        let card = run.seen(&response.runs[0]);
        assert!(card.card.contains("CAUSE SHOWN"), "{}", card.card);
    }
}

#[tokio::test]
async fn what_another_version_left_behind_is_refused_by_its_format_and_investigated_anew() {
    for (record_format, report_format, words) in [
        (99, json!(1), "the record has format 99, this version reads 1"),
        (1, json!(7), "its report has format 7, this version reads 1"),
        (1, json!(null), "its report has no format, this version reads 1"),
    ] {
        let mut run = IncidentRun::start(answering(careful)).await;
        let channels = std::mem::take(&mut run.services.channels);
        run.services.channels =
            channels.into_iter().map(|channel| BreaksOnce::before(channel, false)).collect();
        let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
        run.handle(&event, ENOUGH).await.unwrap_err();
        let mut left = run.kept.saved().pop().unwrap();
        left.format = record_format;
        left.document.as_mut().unwrap()["format"] = report_format;
        run.services.store.save(&left).await.unwrap();
        let calls = run.emulator.converse_calls().len();
        let response = run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(response.runs[0].outcome, "cause_shown");
        assert!(run.emulator.converse_calls().len() > calls, "the models were asked again");
        let told =
            |event: &RunEvent| matches!(event, RunEvent::Warning { message } if message.contains(words));
        assert!(run.events().iter().any(told), "{words}: {}", run.log());
    }
}

#[tokio::test]
async fn the_next_try_tells_the_state_as_it_is_then() {
    let mut run = IncidentRun::start(answering(careful)).await;
    let channels = std::mem::take(&mut run.services.channels);
    run.services.channels = channels.into_iter().map(|channel| BreaksOnce::before(channel, false)).collect();
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    run.handle(&event, ENOUGH).await.unwrap_err();
    let inner = Arc::clone(&run.services.telemetry);
    let state = Some(AlarmState::Ok);
    run.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(false), state });
    let response = run.handle(&event, ENOUGH).await.unwrap();
    let card = run.seen(&response.runs[0]).card;
    assert!(card.starts_with("🟢"), "{card}");
    assert!(card.contains("Recovered at 03:05 · began 03:02"), "{card}");
    assert!(!card.contains("Still failing"), "{card}");
    let email = run.emulator.published();
    assert!(format!("{:?}", email[0]).contains("ecovered"), "{email:?}");
}

#[tokio::test]
async fn a_channel_that_broke_off_does_not_make_the_other_post_twice() {
    let mut run = IncidentRun::start(answering(careful)).await;
    let slack = run.services.channels.remove(0);
    run.services.channels.insert(0, BreaksOnce::before(slack, true));
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let response = run.handle(&event, ENOUGH).await.unwrap();
    assert_eq!(response.runs[0].delivered.len(), 1);
    assert_eq!(response.runs[0].undelivered.len(), 1);
    let again = run.handle(&event, ENOUGH).await.unwrap();
    assert_eq!(again.runs[0].outcome, "already_reported");
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (0, 1));
}

#[tokio::test]
async fn an_event_that_was_reported_is_not_posted_again() {
    let mut run = IncidentRun::start(answering(careful)).await;
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let first = run.handle(&event, ENOUGH).await.unwrap();
    let requests = run.emulator.requests().len();
    let second = run.handle(&event, ENOUGH).await.unwrap();
    assert_eq!(second.runs[0].outcome, "already_reported");
    assert_eq!(second.runs[0].run_id, first.runs[0].run_id);
    assert_eq!(second.runs[0].delivered, first.runs[0].delivered);
    assert_eq!(run.emulator.requests().len(), requests);
    // Another state change of the same alarm is another event: soon after the report it is told and not investigated.
    let calls = run.emulator.converse_calls().len();
    for seconds in [4, 5] {
        let again = run.handle(&sns_event(&[later_alarm(seconds)]), ENOUGH).await.unwrap();
        assert_eq!(again.runs[0].outcome, "firing_again");
        let card = run.seen(&again.runs[0]).words();
        let told =
            format!("It went off at 03:05 too; run {} reported that: cause shown.", first.runs[0].run_id);
        assert!(card.contains(&told), "{card}");
        assert!(card.contains("Not investigated again before 03:15 UTC"), "{card}");
    }
    assert_eq!(run.emulator.converse_calls().len(), calls);
    // Later it is looked at briefly, because its lead is known.
    run.services.config.cool_down = Duration::ZERO;
    let third = run.handle(&sns_event(&[later_alarm(6)]), ENOUGH).await.unwrap();
    assert_eq!(third.runs[0].outcome, "likely_cause");
    let depth = &third.runs[0].document.as_ref().unwrap().data["depth"];
    let reason = "the same alarm was reported with the same lead before";
    assert_eq!(*depth, json!({"depth": "brief", "reason": reason}));
    assert_eq!(run.emulator.slack_messages().len(), 4);
}

/// Answers as the account does, but for what a test plants.
pub(crate) struct Planted {
    pub(crate) inner: Arc<dyn Telemetry>,
    /// Whether the next question about a function panics.
    pub(crate) panics: AtomicBool,
    /// The state that the alarm has, whatever it had.
    pub(crate) state: Option<AlarmState>,
}

impl Telemetry for Planted {
    fn metrics<'a>(
        &'a self,
        request: &'a MetricsRequest,
    ) -> BoxFuture<'a, Result<Vec<Series>, TelemetryError>> {
        self.inner.metrics(request)
    }

    fn list_metrics<'a>(
        &'a self,
        like: &'a MetricId,
    ) -> BoxFuture<'a, Result<Vec<MetricId>, TelemetryError>> {
        self.inner.list_metrics(like)
    }

    fn alarm<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AlarmSnapshot>, TelemetryError>> {
        let (answer, state) = (self.inner.alarm(name), self.state);
        Box::pin(async move {
            let mut snapshot = answer.await?;
            if let (Some(snapshot), Some(state)) = (&mut snapshot, state) {
                snapshot.alarm.new_state = state;
            }
            Ok(snapshot)
        })
    }

    fn log_group<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<LogGroup>, TelemetryError>> {
        self.inner.log_group(name)
    }

    fn log_events<'a>(&'a self, request: &'a LogRequest) -> BoxFuture<'a, Result<LogPage, TelemetryError>> {
        self.inner.log_events(request)
    }

    fn function<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FunctionState>, TelemetryError>> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "a planted panic");
        self.inner.function(name)
    }
}

#[tokio::test]
async fn a_try_that_panics_gives_the_lease_back_and_the_next_one_posts() {
    let mut run = IncidentRun::start(answering(careful)).await;
    let inner = Arc::clone(&run.services.telemetry);
    run.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(true), state: None });
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let error = run.handle(&event, ENOUGH).await.unwrap_err();
    assert!(matches!(error, HandlerError::Broken { .. }), "{error}");
    assert_eq!(run.emulator.slack_messages(), []);
    let response = run.handle(&event, ENOUGH).await.unwrap();
    assert_eq!(response.runs[0].outcome, "cause_shown");
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 1));
}

#[tokio::test]
async fn a_run_that_broke_off_does_not_keep_the_other_record_from_its_report() {
    let mut run = IncidentRun::start(answering(careful)).await;
    let inner = Arc::clone(&run.services.telemetry);
    run.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(true), state: None });
    let event = sns_event(&[alarm_of(BAD_DEPLOY), later_alarm(5)]);
    let error = run.handle(&event, ENOUGH).await.unwrap_err();
    assert!(matches!(error, HandlerError::Broken { .. }), "{error}");
    assert_eq!(run.emulator.slack_messages().len(), 1);
    // The retry of the whole event reports the first record, which is older than what was reported since, and leaves
    // the second alone.
    let response = run.handle(&event, ENOUGH).await.unwrap();
    let outcomes: Vec<&str> = response.runs.iter().map(|run| run.outcome.as_str()).collect();
    assert_eq!(outcomes, ["cause_shown", "already_reported"]);
    assert_eq!(run.emulator.slack_messages().len(), 2);
}

#[tokio::test]
async fn of_a_queues_batch_only_the_record_that_failed_is_given_back() {
    let mut run = IncidentRun::start(answering(careful)).await;
    let inner = Arc::clone(&run.services.telemetry);
    run.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(true), state: None });
    let alarm = |number: usize| {
        let mut alarm = alarm_of(BAD_DEPLOY);
        alarm["AlarmName"] = json!(format!("alarm-{number}"));
        alarm["AlarmArn"] = json!(format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:alarm-{number}"));
        // Resources of their own, so nothing merges them.
        alarm["Trigger"]["Dimensions"][0]["value"] = json!(format!("fn-{number}"));
        alarm.to_string()
    };
    let bodies = (0..10).map(|number| match number {
        3 => "not an alarm".to_owned(),
        7 => "{\"AlarmName\": ".to_owned(),
        number => alarm(number),
    });
    let record = |(number, body): (usize, String)| json!({"messageId": format!("m-{number}"), "eventSource": "aws:sqs", "body": body});
    let batch = json!({"Records": bodies.enumerate().map(record).collect::<Vec<_>>()});
    let response = run.handle(batch.to_string().as_bytes(), ENOUGH).await.unwrap();
    let failed = response.batch_item_failures.clone().unwrap();
    // Which of them met the planted panic is the scheduler's choice: one of the eight alarms.
    let [failed] = failed.as_slice() else { panic!("one failed: {failed:?}") };
    assert!(!["m-3", "m-7"].contains(&failed.item_identifier.as_str()), "{failed:?}");
    assert_eq!((response.runs.len(), response.ignored.len()), (7, 2));
    assert_eq!(run.emulator.slack_messages().len(), 7);
    let answer = serde_json::to_value(&response).unwrap();
    assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": failed.item_identifier}]));
    // Brought again, it is reported, and the others are not.
    let again = run.handle(batch.to_string().as_bytes(), ENOUGH).await.unwrap();
    assert_eq!(again.batch_item_failures, Some(Vec::new()));
    assert_eq!(run.emulator.slack_messages().len(), 8);
}

#[tokio::test]
async fn a_recovery_is_told_and_not_investigated() {
    let mut alarm = later_alarm(9);
    alarm["NewStateValue"] = json!("OK");
    alarm["OldStateValue"] = json!("ALARM");
    let run = IncidentRun::start(answering(careful)).await;
    let seen = run.report_of(&sns_event(&[alarm]), ENOUGH).await;
    assert_eq!(seen.outcome, "state_change");
    assert!(seen.card.contains("RECOVERED"), "{}", seen.card);
    assert_eq!(run.emulator.converse_calls(), []);
    assert_eq!(seen.json["data"]["alarm"]["name"], Value::from("invoice-render-errors"));
}

#[tokio::test]
async fn a_recovery_tells_how_long_it_took_and_is_told_once_for_alarms_that_were_one_incident() {
    let ok = |alarm: &Value| {
        let mut alarm = alarm.clone();
        alarm["NewStateValue"] = json!("OK");
        alarm["OldStateValue"] = json!("ALARM");
        alarm["StateChangeTime"] = json!("2026-11-24T03:13:22.691+0000");
        alarm
    };
    let lead = alarm_of(BAD_DEPLOY);
    let mut other = lead.clone();
    other["AlarmName"] = json!("invoice-render-faults");
    other["AlarmArn"] = json!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:invoice-render-faults");
    let run = IncidentRun::start(answering(careful)).await;
    let went_off = run.handle(&sns_event(&[lead.clone(), other.clone()]), ENOUGH).await.unwrap();
    assert_eq!(outcomes(&went_off), ["cause_shown", "merged"]);
    let recovered = run.handle(&sns_event(&[ok(&lead), ok(&other)]), ENOUGH).await.unwrap();
    assert_eq!(outcomes(&recovered), ["state_change", "recovered_with_incident"]);
    let card = run.seen(&recovered.runs[0]).words();
    let run_id = &went_off.runs[0].run_id;
    assert!(
        card.contains(&format!(
            "It was in ALARM for 8 min, from 2026-11-24 03:05; run {run_id} reported it: cause shown."
        )),
        "{card}"
    );
    assert_eq!(run.emulator.slack_messages().len(), 2);
}

fn outcomes(response: &Response) -> Vec<&str> {
    response.runs.iter().map(|run| run.outcome.as_str()).collect()
}

#[tokio::test]
async fn a_person_who_asks_by_name_is_answered_each_time() {
    let run = IncidentRun::start(answering(careful)).await;
    let event = json!({"alarmName": "invoice-render-errors"}).to_string();
    for time in 1..=2 {
        let response = run.handle(event.as_bytes(), ENOUGH).await.unwrap();
        assert_eq!(response.runs[0].outcome, "cause_shown", "the {time}. time");
    }
    assert_eq!(run.emulator.published().len(), 2);
    // The alarm's own event is still news.
    let response = run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    assert_eq!(response.runs[0].outcome, "cause_shown");
}
