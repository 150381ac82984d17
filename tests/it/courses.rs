//! What the channels beside Slack are told in the course of a run, and in which order; `stages` has Slack's.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};
use sre_agent::alarm::AlarmState;
use sre_agent::clock::Stopwatch;
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::{BedrockOptions, Options, SlackBreak, SlackOptions};

use crate::destinations::{AMAZON_Q, bot, published, with};
use crate::incident_run::{BAD_DEPLOY, ENOUGH, IncidentRun, TOPIC, alarm_of, answering, sns_event};
use crate::script::careful;
use crate::tries::Planted;

/// What an answer of the model takes.
const SLOW: Duration = Duration::from_secs(2);

/// A run whose channels are a bot, SNS, Amazon Q and a bucket; the facts are due after a few seconds where the model is slow.
async fn run(model: Duration, slack: SlackOptions) -> IncidentRun {
    let options = answering(careful);
    let bedrock = BedrockOptions { latency: model, ..options.bedrock };
    let (mut run, faults) = with(BAD_DEPLOY, &bot(), Options { bedrock, slack, ..options }).await;
    assert_eq!(faults, Vec::<String>::new());
    run.services.config.depth = Some(Depth::Full);
    run.services.config.facts_time = if model.is_zero() { ENOUGH } else { Duration::from_secs(5) };
    run
}

fn recovered() -> Value {
    let mut alarm = alarm_of(BAD_DEPLOY);
    alarm["NewStateValue"] = "OK".into();
    alarm["OldStateValue"] = "ALARM".into();
    alarm["StateChangeTime"] = "2026-11-24T03:05:29.704+0000".into();
    alarm
}

/// Messages to SNS, what Amazon Q was told by its events, and kept objects.
fn told(run: &IncidentRun) -> (usize, Vec<String>, usize) {
    let chat = published(run, AMAZON_Q);
    let threads: Vec<&Value> = chat.iter().map(|message| &message["metadata"]["threadId"]).collect();
    assert!(threads.windows(2).all(|two| two[0] == two[1]), "one incident is one thread: {threads:?}");
    let events = chat.iter().map(|message| message["metadata"]["eventType"].as_str().unwrap().to_owned());
    (published(run, TOPIC).len(), events.collect(), run.emulator.objects().len())
}

fn expected(sns: usize, chat: &[&str], kept: usize) -> (usize, Vec<String>, usize) {
    (sns, chat.iter().map(|event| (*event).to_owned()).collect(), kept)
}

#[tokio::test]
async fn each_channel_has_its_messages_in_order_in_every_course_of_a_run() {
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let normal = async {
        let run = run(Duration::ZERO, SlackOptions::default()).await;
        run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(told(&run), expected(1, &["cause_shown"], 2), "normal");
    };
    let slow = async {
        let run = run(SLOW, SlackOptions::default()).await;
        run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(told(&run), expected(1, &["facts", "cause_shown"], 2), "slow");
    };
    let dead = async {
        let mut run = run(Duration::from_mins(1), SlackOptions::default()).await;
        run.services.config.publish_reserve = SLOW;
        run.handle(&event, Duration::from_secs(14)).await.unwrap();
        assert_eq!(told(&run), expected(1, &["facts", "facts_only"], 2), "dead");
    };
    let broken = async {
        let breaks = Some(SlackBreak { after: 1, is_taken: false });
        let run = run(SLOW, SlackOptions { breaks, ..SlackOptions::default() }).await;
        let response = run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(response.runs[0].undelivered.len(), 1, "{response:?}");
        assert_eq!(told(&run), expected(1, &["facts", "cause_shown"], 2), "broken");
    };
    let over_meanwhile = async {
        let run = run(SLOW, SlackOptions::default()).await;
        let meanwhile = async {
            while published(&run, AMAZON_Q).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            run.handle(&sns_event(&[recovered()]), ENOUGH).await.unwrap()
        };
        let (_, ok) = tokio::join!(run.handle(&event, ENOUGH), meanwhile);
        assert_eq!(ok.runs[0].outcome, "recovered_with_incident");
        assert_eq!(told(&run), expected(2, &["facts", "cause_shown", "state_change"], 2), "over");
    };
    let killed = async {
        let mut run = run(SLOW, SlackOptions::default()).await;
        let (life, begun) = (Duration::from_secs(14), Stopwatch::start());
        tokio::select! {
            _ = run.handle(&event, life) => panic!("it ended before the facts"),
            () = async {
                while published(&run, AMAZON_Q).is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                // The receipts are to be kept.
                tokio::time::sleep(Duration::from_millis(500)).await;
            } => {}
        }
        tokio::time::sleep((life + SLOW).saturating_sub(begun.elapsed())).await;
        run.services.config.facts_time = ENOUGH;
        run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(told(&run), expected(1, &["facts", "cause_shown"], 2), "killed");
    };
    // Two at once: a run whose time is short must not wait for the others' computing.
    tokio::join!(normal, dead);
    tokio::join!(slow, broken);
    tokio::join!(over_meanwhile, killed);
}

#[tokio::test]
async fn a_recovery_that_the_report_saw_is_one_message_and_no_second_one() {
    let mut run = run(Duration::ZERO, SlackOptions::default()).await;
    let inner = Arc::clone(&run.services.telemetry);
    let state = Some(AlarmState::Ok);
    run.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(false), state });
    run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    let ok = run.handle(&sns_event(&[recovered()]), ENOUGH).await.unwrap();
    assert_eq!(ok.runs[0].outcome, "recovered_with_incident");
    assert_eq!(told(&run), expected(1, &["cause_shown"], 2));
    let messages = run.emulator.slack_messages();
    let in_channel = messages.iter().filter(|message| message.thread_ts.is_none() || message.is_broadcast);
    assert_eq!(in_channel.count(), 1, "{messages:?}");
    assert!(messages[0].text.contains("recovered"), "{}", messages[0].text);
}

#[tokio::test]
async fn an_alarm_that_is_told_elsewhere_has_an_incident_of_its_own() {
    let rule = "[[route]]\nalarm_prefix = \"dev-\"\nchannels = [\"s3\"]\n";
    let (run, _) = with(BAD_DEPLOY, &format!("{}{rule}", bot()), answering(careful)).await;
    let mut dev = alarm_of(BAD_DEPLOY);
    dev["AlarmName"] = json!("dev-errors");
    dev["AlarmArn"] = json!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:dev-errors");
    let response = run.handle(&sns_event(&[dev, alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    // Linked to the first, or merged with it, the second would lead to a card that nobody sees.
    assert!(
        response.runs.iter().all(|run| run.document.is_some() && run.outcome != "linked"),
        "{response:?}"
    );
    assert_eq!(told(&run).0, 1);
    assert!(
        run.emulator.slack_messages()[0].text.contains("Cause shown"),
        "{:?}",
        run.emulator.slack_messages()
    );
}
