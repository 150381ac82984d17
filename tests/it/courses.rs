//! What the channels beside Slack are told in the course of a run, and in which order; `stages` has Slack's.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sre_agent::alarm::AlarmState;
use sre_agent::clock::Stopwatch;
use sre_agent::delivery::Stdout;
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::{BedrockOptions, Options, SlackBreak, SlackOptions};

use crate::destinations::{AMAZON_Q, bot, published, with};
use crate::incident_run::{
    BAD_DEPLOY, ENOUGH, IncidentRun, TOPIC, alarm_of, answering, recovered_at, sns_event,
};
use crate::script::careful;
use crate::tries::Planted;

/// What an answer of the model takes.
const SLOW: Duration = Duration::from_secs(2);

/// A run whose channels are a bot, SNS, Amazon Q, a bucket and a log; the facts are due after a few seconds where the model
/// is slow.
async fn run(model: Duration, slack: SlackOptions) -> (IncidentRun, Log) {
    let options = answering(careful);
    let bedrock = BedrockOptions { latency: model, ..options.bedrock };
    let mut run = with(BAD_DEPLOY, &bot(), Options { bedrock, slack, ..options }).await;
    run.services.config.depth = Some(Depth::Full);
    run.services.config.facts_time = if model.is_zero() { ENOUGH } else { Duration::from_secs(5) };
    let log = Log::default();
    run.services.channels.push(Arc::new(Stdout::new(Arc::<Mutex<Vec<u8>>>::clone(&log), false)));
    (run, log)
}

/// What the channel `stdout` wrote.
type Log = Arc<Mutex<Vec<u8>>>;

/// Messages to SNS and to the log, what Amazon Q was told by its events, and kept objects.
fn told((run, log): &(IncidentRun, Log)) -> (usize, Vec<String>, usize) {
    let chat = published(run, AMAZON_Q);
    let threads: Vec<&Value> = chat.iter().map(|message| &message["metadata"]["threadId"]).collect();
    assert!(threads.windows(2).all(|two| two[0] == two[1]), "one incident is one thread: {threads:?}");
    let events = chat.iter().map(|message| message["metadata"]["eventType"].as_str().unwrap().to_owned());
    let mails = published(run, TOPIC).len();
    // Neither can edit: both get whole messages, and as many.
    let written = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert_eq!(written.matches("invoice-render-errors ·").count(), mails, "{written}");
    (mails, events.collect(), run.emulator.objects().len())
}

fn expected(sns: usize, chat: &[&str], kept: usize) -> (usize, Vec<String>, usize) {
    (sns, chat.iter().map(|event| (*event).to_owned()).collect(), kept)
}

#[tokio::test]
async fn each_channel_has_its_messages_in_order_in_every_course_of_a_run() {
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let normal = async {
        let course = run(Duration::ZERO, SlackOptions::default()).await;
        course.0.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(told(&course), expected(1, &["cause_shown"], 2), "normal");
    };
    let slow = async {
        let course = run(SLOW, SlackOptions::default()).await;
        course.0.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(told(&course), expected(1, &["facts", "cause_shown"], 2), "slow");
    };
    let dead = async {
        let mut course = run(Duration::from_mins(1), SlackOptions::default()).await;
        course.0.services.config.publish_reserve = SLOW;
        course.0.handle(&event, Duration::from_secs(14)).await.unwrap();
        assert_eq!(told(&course), expected(1, &["facts", "facts_only"], 2), "dead");
    };
    let broken = async {
        let breaks = Some(SlackBreak { after: 1, is_taken: false });
        let course = run(SLOW, SlackOptions { breaks, ..SlackOptions::default() }).await;
        let response = course.0.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(response.runs[0].undelivered.len(), 1, "{response:?}");
        assert_eq!(told(&course), expected(1, &["facts", "cause_shown"], 2), "broken");
    };
    let over_meanwhile = async {
        let course = run(SLOW, SlackOptions::default()).await;
        let meanwhile = async {
            while published(&course.0, AMAZON_Q).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            course.0.handle(&sns_event(&[recovered_at("03:05:29")]), ENOUGH).await.unwrap()
        };
        let (_, ok) = tokio::join!(course.0.handle(&event, ENOUGH), meanwhile);
        assert_eq!(ok.runs[0].outcome, "recovered_with_incident");
        assert_eq!(told(&course), expected(2, &["facts", "cause_shown", "state_change"], 2), "over");
    };
    let killed = async {
        let mut course = run(SLOW, SlackOptions::default()).await;
        let (life, begun) = (Duration::from_secs(14), Stopwatch::start());
        tokio::select! {
            _ = course.0.handle(&event, life) => panic!("it ended before the facts"),
            () = async {
                while published(&course.0, AMAZON_Q).is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                // The receipts are to be kept.
                tokio::time::sleep(Duration::from_millis(500)).await;
            } => {}
        }
        tokio::time::sleep((life + SLOW).saturating_sub(begun.elapsed())).await;
        course.0.services.config.facts_time = ENOUGH;
        course.0.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(told(&course), expected(1, &["facts", "cause_shown"], 2), "killed");
    };
    // Two at once: a run whose time is short must not wait for the others' computing.
    tokio::join!(normal, dead);
    tokio::join!(slow, broken);
    tokio::join!(over_meanwhile, killed);
}

#[tokio::test]
async fn a_recovery_that_the_report_saw_is_one_message_and_no_second_one() {
    let mut course = run(Duration::ZERO, SlackOptions::default()).await;
    let inner = Arc::clone(&course.0.services.telemetry);
    let state = Some(AlarmState::Ok);
    course.0.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(false), state });
    course.0.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    let ok = course.0.handle(&sns_event(&[recovered_at("03:05:29")]), ENOUGH).await.unwrap();
    assert_eq!(ok.runs[0].outcome, "recovered_with_incident");
    assert_eq!(told(&course), expected(1, &["cause_shown"], 2));
    let messages = course.0.emulator.slack_messages();
    let in_channel = messages.iter().filter(|message| message.thread_ts.is_none() || message.is_broadcast);
    assert_eq!(in_channel.count(), 1, "{messages:?}");
    assert!(messages[0].text.contains("recovered"), "{}", messages[0].text);
}

#[tokio::test]
async fn an_alarm_that_is_told_elsewhere_has_an_incident_of_its_own() {
    let rule = "[[route]]\nalarm_prefix = \"dev-\"\nchannels = [\"s3\"]\n";
    let run = with(BAD_DEPLOY, &format!("{}{rule}", bot()), answering(careful)).await;
    let mut dev = alarm_of(BAD_DEPLOY);
    dev["AlarmName"] = json!("dev-errors");
    dev["AlarmArn"] = json!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:dev-errors");
    let response = run.handle(&sns_event(&[dev, alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    // Linked to the first, or merged with it, the second would lead to a card that nobody sees.
    assert!(
        response.runs.iter().all(|run| run.document.is_some() && run.outcome != "linked"),
        "{response:?}"
    );
    assert_eq!(published(&run, TOPIC).len(), 1);
    assert!(
        run.emulator.slack_messages()[0].text.contains("Cause shown"),
        "{:?}",
        run.emulator.slack_messages()
    );
}
