//! Which messages a channel gets, in which order: facts and conclusion by webhook and by bot, in good runs and in bad ones.

use std::sync::Arc;
use std::time::Duration;

use sre_agent::aws;
use sre_agent::clock::Stopwatch;
use sre_agent::delivery::slack::{BotToken, SlackBot};
use sre_agent::delivery::{Channel, Destinations, Secret};
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::{BedrockOptions, Fault, FaultKind, Options, SlackBreak, SlackMessage, SlackOptions};

use crate::incident_run::{
    BAD_DEPLOY, ENOUGH, IncidentRun, TOPIC, alarm_of, answering, in_one_line, recovered_at, sns_event,
};
use crate::script::careful;

/// When the facts are due in these runs; two seconds of it are kept for reading again and posting.
const SOON: Duration = Duration::from_secs(5);

/// What an answer of the model takes: five of them, one after the other, come after the facts.
const SLOW: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Webhook,
    Bot,
}

/// A run whose Slack is a webhook or a bot, with SNS beside it.
async fn run(by: By, model: Duration, slack: SlackOptions) -> IncidentRun {
    let options = answering(careful);
    let bedrock = BedrockOptions { latency: model, ..options.bedrock };
    let mut run = IncidentRun::start(Options { bedrock, slack, ..options }).await;
    run.services.config.depth = Some(Depth::Full);
    run.services.config.facts_time = if model.is_zero() { ENOUGH } else { SOON };
    if by == By::Bot {
        run.services.channels = bot_and_sns(&run);
    }
    run
}

pub(crate) fn bot_and_sns(run: &IncidentRun) -> Vec<Arc<dyn Channel>> {
    let sdk = aws::local(&run.emulator.endpoint(), "us-east-1");
    let bot = SlackBot {
        token: BotToken::Token(Secret::new(run.emulator.slack_token())),
        channel: run.emulator.slack_channel().to_owned(),
        base_url: run.emulator.endpoint(),
        mention: Some("S0123456789".to_owned()),
    };
    let destinations = Destinations { bot: Some(&bot), topic: Some(TOPIC), ..Destinations::default() };
    aws::channels(&sdk, destinations)
}

/// What a message says, in a line.
fn said(message: &SlackMessage) -> String {
    let blocks = message.body["blocks"].as_array().cloned().unwrap_or_default();
    let text = blocks.iter().filter_map(|block| {
        let element = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text"))?;
        element.as_str()
    });
    in_one_line(&text.collect::<Vec<_>>().join("\n"))
}

/// The messages of the channel: where each stands, and the headline that it has now. Details are one, however many messages
/// they take.
fn seen(run: &IncidentRun) -> Vec<(&'static str, &'static str)> {
    let headline = |message: &SlackMessage| {
        if !message.files.is_empty() {
            return "(picture)";
        }
        if message.text.starts_with("Details of run ") {
            return "(details)";
        }
        let said = said(message);
        let known = ["INVESTIGATING", "CAUSE SHOWN", "FACTS ONLY", "RECOVERED", "ALSO FIRING"];
        let found = known.into_iter().find(|words| said.contains(words));
        found.unwrap_or_else(|| panic!("no headline in {said}"))
    };
    let place = |message: &SlackMessage| match (&message.thread_ts, message.is_broadcast, &message.edited) {
        (None, _, None) => "channel",
        (None, _, Some(_)) => "channel, edited",
        (Some(_), true, _) => "thread and channel",
        (Some(_), false, _) => "thread",
    };
    let messages = run.emulator.slack_messages();
    let mut seen: Vec<_> = messages.iter().map(|message| (place(message), headline(message))).collect();
    seen.dedup_by(|one, other| one == other && one.1 == "(details)");
    seen
}

async fn alarm(run: &IncidentRun) -> String {
    let response = run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    assert_eq!(run.emulator.unsupported(), Vec::<String>::new());
    response.runs[0].outcome.clone()
}

#[tokio::test]
async fn a_conclusion_that_is_ready_in_time_is_one_message_and_a_bots_thread_has_the_details() {
    let webhook = run(By::Webhook, Duration::ZERO, SlackOptions::default()).await;
    assert_eq!(alarm(&webhook).await, "cause_shown");
    assert_eq!(seen(&webhook), [("channel", "CAUSE SHOWN")]);
    let bot = run(By::Bot, Duration::ZERO, SlackOptions::default()).await;
    assert_eq!(alarm(&bot).await, "cause_shown");
    assert_eq!(seen(&bot), [("channel", "CAUSE SHOWN"), ("thread", "(details)"), ("thread", "(picture)")]);
    let messages = bot.emulator.slack_messages();
    assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts));
    assert!(messages[0].body.to_string().contains("<!subteam^S0123456789>"), "{}", messages[0].body);
    assert!(said(&messages[0]).contains("Command in thread."), "{}", said(&messages[0]));
    assert!(said(&webhook.emulator.slack_messages()[0]).contains("Command in full report."));
    // SNS has no card to edit: one message, whatever Slack gets.
    assert_eq!((webhook.emulator.published().len(), bot.emulator.published().len()), (1, 1));
}

#[tokio::test]
async fn while_the_model_is_slow_the_facts_are_posted_first_and_not_repeated_by_the_conclusion() {
    let webhook = run(By::Webhook, SLOW, SlackOptions::default()).await;
    assert_eq!(alarm(&webhook).await, "cause_shown");
    assert_eq!(seen(&webhook), [("channel", "INVESTIGATING"), ("channel", "CAUSE SHOWN")]);
    let messages = webhook.emulator.slack_messages();
    let (facts, conclusion) = (said(&messages[0]), said(&messages[1]));
    assert!(facts.contains("the conclusion follows by"), "{facts}");
    assert!(facts.contains("43 of 118 requests/min fail (36%)"), "{facts}");
    assert!(!conclusion.contains("43 of 118 requests/min fail (36%)"), "{conclusion}");
    assert!(messages[0].text.contains("Investigating. Lead: version 58"), "{}", messages[0].text);
    assert_eq!(webhook.emulator.published().len(), 1);

    let bot = run(By::Bot, SLOW, SlackOptions::default()).await;
    assert_eq!(alarm(&bot).await, "cause_shown");
    let expected = [
        ("channel, edited", "CAUSE SHOWN"),
        ("thread and channel", "CAUSE SHOWN"),
        ("thread", "(details)"),
        ("thread", "(picture)"),
    ];
    assert_eq!(seen(&bot), expected);
    let messages = bot.emulator.slack_messages();
    assert!(messages[0].earlier[0].body.to_string().contains("INVESTIGATING"), "{:?}", messages[0].earlier);
    assert!(said(&messages[1]).chars().count() < 700, "short: {}", said(&messages[1]));
}

#[tokio::test]
async fn a_source_that_is_slow_does_not_hold_the_facts_back_and_is_named() {
    let options = answering(careful);
    let fault = Fault { action: "logs:FilterLogEvents".into(), kind: FaultKind::Hang, times: None };
    let mut run = IncidentRun::start(Options { faults: vec![fault], ..options }).await;
    run.services.config.facts_time = SOON;
    run.services.config.gather_time = Duration::from_secs(8);
    alarm(&run).await;
    let messages = run.emulator.slack_messages();
    let facts = said(&messages[0]);
    assert!(facts.contains("INVESTIGATING") && facts.contains("logs (still being read)"), "{facts}");
    assert!(facts.contains("43 of 118 requests/min fail (36%)"), "{facts}");
    let conclusion = said(messages.last().unwrap());
    assert!(!conclusion.contains("still being read"), "{conclusion}");
    assert_eq!(messages.len(), 2);
}

#[tokio::test]
async fn where_no_model_answers_the_facts_say_so_in_the_end() {
    for (by, expected) in [
        (By::Webhook, vec![("channel", "INVESTIGATING"), ("channel", "FACTS ONLY")]),
        (
            By::Bot,
            vec![
                ("channel, edited", "FACTS ONLY"),
                ("thread and channel", "FACTS ONLY"),
                ("thread", "(details)"),
            ],
        ),
    ] {
        let mut run = run(by, Duration::from_mins(1), SlackOptions::default()).await;
        run.services.config.publish_reserve = Duration::from_secs(2);
        let response =
            run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), Duration::from_secs(14)).await.unwrap();
        assert_eq!(response.runs[0].outcome, "facts_only");
        // Whether the little time that is left is enough for a picture, the machine decides.
        let seen: Vec<_> = seen(&run).into_iter().filter(|(_, what)| *what != "(picture)").collect();
        assert_eq!(seen, expected, "{by:?}");
    }
}

/// Waits until the channel has a message.
async fn first_message(run: &IncidentRun) {
    while run.emulator.slack_messages().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The answer is on its way, and the receipt is to be kept.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn a_try_that_is_killed_after_the_facts_is_continued_below_them() {
    for (by, expected) in [
        (By::Webhook, vec![("channel", "INVESTIGATING"), ("channel", "CAUSE SHOWN")]),
        (
            By::Bot,
            vec![
                ("channel, edited", "CAUSE SHOWN"),
                ("thread and channel", "CAUSE SHOWN"),
                ("thread", "(details)"),
                ("thread", "(picture)"),
            ],
        ),
    ] {
        let mut run = run(by, SLOW, SlackOptions::default()).await;
        let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
        // Lambda kills the process while the model is asked; the lease ends with what the try could have lived.
        let life = Duration::from_secs(14);
        let begun = Stopwatch::start();
        tokio::select! {
            _ = run.handle(&event, life) => panic!("it ended before the facts"),
            () = first_message(&run) => {}
        }
        assert_eq!(seen(&run), [("channel", "INVESTIGATING")], "{by:?}");
        tokio::time::sleep((life + SLOW).saturating_sub(begun.elapsed())).await;
        run.services.config.facts_time = ENOUGH;
        let response = run.handle(&event, ENOUGH).await.unwrap();
        assert_eq!(response.runs[0].outcome, "cause_shown");
        assert_eq!(seen(&run), expected, "{by:?}");
    }
}

#[tokio::test]
async fn a_slack_that_breaks_after_the_facts_leaves_sns_with_the_report_and_says_so() {
    let slack =
        SlackOptions { breaks: Some(SlackBreak { after: 1, is_taken: false }), ..SlackOptions::default() };
    for by in [By::Webhook, By::Bot] {
        let run = run(by, SLOW, slack.clone()).await;
        let response = run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
        assert_eq!(seen(&run), [("channel", "INVESTIGATING")], "{by:?}");
        let [undelivered] = response.runs[0].undelivered.as_slice() else { panic!("{response:?}") };
        assert!(undelivered.channel.starts_with("slack"), "{undelivered}");
        assert_eq!(run.emulator.published().len(), 1);
        // What is linked later belongs to the card that could not be edited.
        let event = run.kept.saved().last().unwrap().event.clone();
        let incident =
            run.services.store.read(&[format!("incident#{event}")]).await.unwrap().remove(0).unwrap();
        let receipts = incident.value["reported"]["receipts"].as_array().unwrap();
        let known: Vec<&str> = receipts.iter().map(|receipt| receipt["channel"].as_str().unwrap()).collect();
        assert!(known.contains(&"sns") && known.contains(&undelivered.channel.as_str()), "{known:?}");
    }
}

#[tokio::test]
async fn a_recovery_is_told_below_the_card_and_reaches_phones() {
    let run = run(By::Bot, Duration::ZERO, SlackOptions::default()).await;
    assert_eq!(alarm(&run).await, "cause_shown");
    let recovered = recovered_at("03:17:22");
    let response = run.handle(&sns_event(&[recovered]), ENOUGH).await.unwrap();
    assert_eq!(response.runs[0].outcome, "state_change");
    let messages = run.emulator.slack_messages();
    let last = messages.last().unwrap();
    assert_eq!((last.thread_ts.as_ref(), last.is_broadcast), (Some(&messages[0].ts), true));
    assert!(said(last).contains("after 12 min"), "{}", said(last));
}

#[tokio::test]
async fn a_recovery_that_comes_during_the_run_is_left_to_it_and_told_once_below_the_report() {
    for (by, expected) in [
        (
            By::Webhook,
            vec![("channel", "INVESTIGATING"), ("channel", "CAUSE SHOWN"), ("channel", "RECOVERED")],
        ),
        (
            By::Bot,
            vec![
                ("channel, edited", "CAUSE SHOWN"),
                ("thread and channel", "CAUSE SHOWN"),
                ("thread", "(details)"),
                ("thread", "(picture)"),
                ("thread and channel", "RECOVERED"),
            ],
        ),
    ] {
        let run = run(by, SLOW, SlackOptions::default()).await;
        let recovered = recovered_at("03:05:29");
        let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
        let meanwhile = async {
            first_message(&run).await;
            run.handle(&sns_event(&[recovered]), ENOUGH).await.unwrap()
        };
        // CloudWatch's own state, which the report reads again, is that of the recording: still ALARM.
        let (reported, told) = tokio::join!(run.handle(&event, ENOUGH), meanwhile);
        assert_eq!(reported.unwrap().runs[0].outcome, "cause_shown", "{by:?}");
        assert_eq!(told.runs[0].outcome, "recovered_with_incident", "{by:?}");
        assert_eq!(seen(&run), expected, "{by:?}");
    }
}
