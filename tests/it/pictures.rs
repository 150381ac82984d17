//! The picture of a report: drawn by CloudWatch, uploaded into the card's thread, and never in the way of the verdict.

use std::time::Duration;

use serde_json::Value;
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::{Fault, FaultKind, Options, SlackOptions};

use crate::incident_run::{BAD_DEPLOY, ENOUGH, IncidentRun, alarm_of, answering, sns_event};
use crate::script::careful;
use crate::stages::bot_and_sns;

const DRAWN: &str = "GetMetricWidgetImage";

async fn run(scenario: &str, options: Options) -> IncidentRun {
    let mut run = IncidentRun::of(scenario, options).await;
    run.services.config.depth = Some(Depth::Full);
    // One message: these tests are not about time.
    run.services.config.facts_time = ENOUGH;
    run.services.channels = bot_and_sns(&run);
    run
}

/// Runs the alarm; returns the note on the bot's receipt.
async fn note(run: &IncidentRun, scenario: &str) -> Option<String> {
    let response = run.handle(&sns_event(&[alarm_of(scenario)]), ENOUGH).await.unwrap();
    assert_eq!(run.emulator.unsupported(), Vec::<String>::new());
    let [run] = response.runs.as_slice() else { panic!("{response:?}") };
    assert_eq!(run.undelivered, []);
    let bot = run.delivered.iter().find(|receipt| receipt.channel == "slack bot").unwrap();
    bot.note.clone()
}

/// The widgets that CloudWatch was asked to draw.
fn widgets(run: &IncidentRun) -> Vec<Value> {
    let asked = run.emulator.requests().into_iter().filter(|request| request.action == DRAWN);
    asked
        .map(|request| {
            let input: Value = serde_json::from_str(&request.body).unwrap();
            serde_json::from_str(input["MetricWidget"].as_str().unwrap()).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn a_report_has_its_metric_as_a_picture_in_the_cards_thread() {
    let run = run(BAD_DEPLOY, answering(careful)).await;
    assert_eq!(note(&run, BAD_DEPLOY).await, None);
    let messages = run.emulator.slack_messages();
    let (card, picture) = (&messages[0], messages.last().unwrap());
    assert_eq!(picture.thread_ts.as_ref(), Some(&card.ts));
    let [file] = picture.files.as_slice() else { panic!("{picture:?}") };
    assert!(file.bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Width and height stand in the first chunk.
    assert_eq!(file.bytes[16..24], [0, 0, 2, 208, 0, 0, 1, 144]);
    insta::assert_snapshot!(
        file.title.as_deref().unwrap(),
        @"invoice-render-errors: Errors (Sum) every 60 s, 02:02 to 03:05 UTC"
    );
    insta::assert_snapshot!(
        file.alt_text.as_deref().unwrap(),
        @"Errors (Sum) every 60 s, 02:02 to 03:05 UTC. Highest 43, alarm at 20, onset 03:02."
    );
    let [widget] = widgets(&run).try_into().unwrap();
    insta::assert_snapshot!(format!("{widget:#}"));
    assert!(!widget.to_string().contains("123456789012"), "{widget}");
}

#[tokio::test]
async fn the_facts_have_no_picture_and_a_webhook_asks_for_none() {
    let webhook = IncidentRun::start(answering(careful)).await;
    webhook.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    assert_eq!(widgets(&webhook), Vec::<Value>::new());

    let mut options = answering(careful);
    options.bedrock.latency = Duration::from_mins(1);
    let mut bot = run(BAD_DEPLOY, options).await;
    bot.services.config.facts_time = Duration::from_secs(3);
    bot.services.config.publish_reserve = Duration::from_secs(1);
    // Lambda kills it while the model is asked.
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    tokio::select! {
        _ = bot.handle(&event, ENOUGH) => panic!("it ended before the facts"),
        () = async {
            while bot.emulator.slack_messages().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        } => {}
    }
    assert_eq!(bot.emulator.slack_messages().len(), 1);
    assert_eq!(widgets(&bot), Vec::<Value>::new());
}

#[tokio::test]
async fn a_picture_that_may_not_be_drawn_is_a_note_and_the_verdict_stands() {
    let mut options = answering(careful);
    options.denied = vec![format!("cloudwatch:{DRAWN}")];
    let run = run(BAD_DEPLOY, options).await;
    let note = note(&run, BAD_DEPLOY).await.unwrap();
    assert!(note.starts_with("the thread has no picture: cloudwatch:GetMetricWidgetImage: "), "{note}");
    assert!(note.contains("not authorized to perform"), "{note}");
    assert!(run.log().contains("the thread has no picture"), "{}", run.log());
    let said: Vec<String> = run.emulator.slack_messages().iter().map(|m| m.body.to_string()).collect();
    assert!(said[0].contains("CAUSE SHOWN") && said[1].contains("Timeline"), "{said:?}");
    assert!(run.emulator.slack_messages().iter().all(|message| message.files.is_empty()));
}

#[tokio::test]
async fn a_picture_that_is_never_drawn_is_given_up() {
    let fault = Fault { action: format!("cloudwatch:{DRAWN}"), kind: FaultKind::Hang, times: None };
    let run = run(BAD_DEPLOY, Options { faults: vec![fault], ..answering(careful) }).await;
    let note = note(&run, BAD_DEPLOY).await.unwrap();
    assert_eq!(note, "the thread has no picture: not drawn in 5 s");
    assert_eq!(run.emulator.published().len(), 1);
}

#[tokio::test]
async fn a_slack_that_takes_messages_and_no_files_is_told_in_a_note() {
    let slack = SlackOptions { scopes: Some(vec!["chat:write".to_owned()]), ..SlackOptions::default() };
    let run = run(BAD_DEPLOY, Options { slack, ..answering(careful) }).await;
    let note = note(&run, BAD_DEPLOY).await.unwrap();
    assert!(note.contains("the thread has no picture") && note.contains("files:write"), "{note}");
    let messages = run.emulator.slack_messages();
    assert!(messages.len() > 1 && messages.iter().all(|message| message.files.is_empty()), "{messages:?}");
}

#[tokio::test]
async fn a_metric_that_is_read_in_percent_is_drawn_as_well() {
    let run = run("rds-cpu", answering(careful)).await;
    assert_eq!(note(&run, "rds-cpu").await, None);
    let [widget] = widgets(&run).try_into().unwrap();
    assert_eq!(widget["metrics"][0][1], "CPUUtilization");
    assert_eq!(run.emulator.slack_messages().last().unwrap().files.len(), 1);
}
