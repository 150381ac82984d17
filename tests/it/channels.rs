//! Channels that refuse: one never stops the other, and a refused card is sent as text.

use std::time::Duration;

use sre_agent_emulator::{Options, SlackOptions};

use crate::incident_run::{IncidentRun, answering, in_one_line};
use crate::script::careful;

async fn with_slack(slack: SlackOptions) -> IncidentRun {
    IncidentRun::start(Options { slack, ..answering(careful) }).await
}

#[tokio::test]
async fn a_slack_that_refuses_does_not_stop_sns() {
    for (status, error, words) in [
        (403, "invalid_token", "revoked"),
        (410, "channel_is_archived", "archived"),
        (500, "rollup_error", "failed by itself"),
    ] {
        let slack = SlackOptions { always: Some((status, error.to_owned())), ..SlackOptions::default() };
        let run = with_slack(slack).await;
        let seen = run.report().await;
        assert_eq!(seen.outcome, "cause_shown");
        let [reason] = seen.undelivered.as_slice() else { panic!("{:?}", seen.undelivered) };
        assert!(reason.contains("slack webhook") && reason.contains(words), "{reason}");
        assert!(!reason.contains("/services/"), "the address is a secret: {reason}");
        assert!(!run.log().contains("/services/"), "{}", run.log());
        assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (0, 1));
        assert!(seen.email.contains("CAUSE SHOWN"), "{}", seen.email);
    }
}

#[tokio::test]
async fn an_sns_that_refuses_does_not_stop_slack() {
    let mut options = answering(careful);
    options.denied = vec!["sns:Publish".to_owned()];
    let run = IncidentRun::start(options).await;
    let seen = run.report().await;
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 0));
    let [reason] = seen.undelivered.as_slice() else { panic!("{:?}", seen.undelivered) };
    assert!(reason.contains("allow sns:Publish on arn:aws:sns:us-east-1:123456789012:findings"), "{reason}");
}

#[tokio::test]
async fn a_slack_that_limits_the_rate_is_asked_again() {
    let slack =
        SlackOptions { rate_limited_first: 1, retry_after: Some(Duration::ZERO), ..SlackOptions::default() };
    let run = with_slack(slack).await;
    run.report().await;
    assert_eq!((run.emulator.slack_refusals().len(), run.emulator.slack_messages().len()), (1, 1));
}

#[tokio::test]
async fn a_card_whose_blocks_slack_refuses_is_sent_as_plain_text() {
    let run = with_slack(SlackOptions { refuse_blocks: true, ..SlackOptions::default() }).await;
    let seen = run.report().await;
    assert_eq!(seen.undelivered, Vec::<String>::new());
    let refusals = run.emulator.slack_refusals();
    assert_eq!((refusals.len(), refusals[0].error.as_str()), (1, "invalid_blocks"));
    assert!(seen.slack.get("blocks").is_none(), "{}", seen.slack);
    let text = in_one_line(seen.slack["text"].as_str().unwrap());
    assert!(text.contains("CAUSE SHOWN") && text.contains("43 of 118"), "{text}");
    assert!(run.log().contains("blocks refused (invalid_blocks), sent as plain text"), "{}", run.log());
}

#[tokio::test]
async fn every_message_of_a_run_is_one_that_slack_takes() {
    let run = with_slack(SlackOptions::default()).await;
    run.report().await;
    assert_eq!(run.emulator.slack_refusals(), []);
}
