//! Sources that are denied, throttled, missing, empty or hanging: the report names each and goes on with the others.

use std::time::Duration;

use serde_json::json;
use sre_agent_emulator::{Fault, FaultKind, Options};

use crate::incident_run::{
    BAD_DEPLOY, ENOUGH, IncidentRun, Seen, alarm_of, answering, in_one_line, sns_event,
};
use crate::script::careful;

fn denied(action: &str) -> Options {
    Options { denied: vec![action.to_owned()], ..answering(careful) }
}

fn faulty(action: &str, kind: FaultKind) -> Options {
    Options { faults: vec![Fault { action: action.to_owned(), kind, times: None }], ..answering(careful) }
}

/// The words stand after "Not checked" or under "Not visible", on the card and in Slack; capitals do not count.
fn assert_not_checked(seen: &Seen, words: &str) {
    let (card, words) = (seen.words().to_lowercase(), words.to_lowercase());
    let heading = card.find("not checked").or_else(|| card.find("not visible"));
    let Some(at) = heading else { panic!("nothing is said to be unchecked: {}", seen.card) };
    assert!(card[at..].contains(&words), "{words} is not said in {}", seen.card);
    let slack = in_one_line(&seen.slack.to_string().replace("\\n", " ")).to_lowercase();
    assert!(slack.contains(&words), "{words} is not said in {slack}");
}

#[tokio::test]
async fn denied_logs_are_named_with_the_action_that_would_open_them() {
    let run = IncidentRun::start(denied("logs:FilterLogEvents")).await;
    let seen = run.report().await;
    assert_not_checked(&seen, "logs of /aws/lambda/invoice-render");
    assert_not_checked(&seen, "access denied");
    let email = in_one_line(&seen.email);
    assert!(email.contains("This statement in the agent's role would open it"), "{}", seen.email);
    assert!(email.contains("logs:FilterLogEvents"), "{}", seen.email);
    // Metrics and changes still show the cause.
    assert_eq!(seen.outcome, "cause_shown", "{}", seen.card);
    assert_eq!(seen.words().matches("access denied").count(), 1, "one denial is told once: {}", seen.card);
}

#[tokio::test]
async fn a_denied_service_is_named_and_nothing_of_it_is_claimed() {
    let run = IncidentRun::start(denied("logs:*")).await;
    let seen = run.report().await;
    assert_not_checked(&seen, "logs of /aws/lambda/invoice-render");
    assert!(!seen.card.contains("[L1]"), "{}", seen.card);
    assert!(in_one_line(&seen.email).contains("logs:FilterLogEvents"), "{}", seen.email);
}

#[tokio::test]
async fn a_denied_control_plane_leaves_logs_and_metrics_and_no_change_is_claimed() {
    let run = IncidentRun::start(denied("lambda:*")).await;
    let seen = run.report().await;
    assert_not_checked(&seen, "versions and aliases of invoice-render");
    assert!(seen.card.contains("[L1]"), "{}", seen.card);
    assert!(!seen.card.contains("was published"), "{}", seen.card);
    assert!(in_one_line(&seen.email).contains("lambda:"), "{}", seen.email);
}

#[tokio::test]
async fn a_denied_alarm_state_is_unknown_and_never_guessed() {
    let run = IncidentRun::start(denied("cloudwatch:DescribeAlarms")).await;
    let seen = run.report().await;
    assert!(seen.words().contains("State unknown at 03:05"), "{}", seen.card);
    assert!(in_one_line(&seen.email).contains("cloudwatch:DescribeAlarms"), "{}", seen.email);
}

#[tokio::test]
async fn metrics_that_are_throttled_for_ever_are_said_to_be_throttled() {
    let mut run = IncidentRun::start(faulty("cloudwatch:GetMetricData", FaultKind::Throttled)).await;
    // The second look is bounded by a third of this.
    run.services.config.publish_reserve = Duration::from_secs(3);
    let seen = run.report().await;
    assert_not_checked(&seen, "metrics (throttled)");
    assert!(seen.card.contains("[L1]"), "the logs were read: {}", seen.card);
    assert!(!in_one_line(&seen.email).contains("would open it"), "no permission helps: {}", seen.email);
}

#[tokio::test]
async fn a_missing_log_group_is_told_with_the_names_that_were_tried() {
    let run = IncidentRun::of("rds-cpu", answering(careful)).await;
    let seen = run.report().await;
    assert_not_checked(&seen, "does not exist");
    assert!(in_one_line(&seen.email).contains("/aws/rds/instance/"), "{}", seen.email);
}

#[tokio::test]
async fn an_alarm_of_a_function_without_any_data_is_told_honestly() {
    let mut alarm = alarm_of(BAD_DEPLOY);
    alarm["Trigger"]["Dimensions"] = json!([{"name": "FunctionName", "value": "nobody-knows-me"}]);
    let run = IncidentRun::start(answering(careful)).await;
    let seen = run.report_of(&sns_event(&[alarm]), ENOUGH).await;
    assert_eq!(seen.outcome, "cannot_be_shown", "{}", seen.card);
    assert!(seen.card.contains("CAUSE CANNOT BE SHOWN"), "{}", seen.card);
    assert_not_checked(&seen, "versions and aliases of nobody-knows-me");
    assert_not_checked(&seen, "log group of nobody-knows-me");
    assert!(in_one_line(&seen.email).contains("/aws/lambda/nobody-knows-me"), "{}", seen.email);
    assert_not_checked(&seen, "does not exist");
    assert!(!seen.card.contains("version 58"), "nothing of another function is told: {}", seen.card);
}

#[tokio::test]
async fn a_log_search_that_hangs_costs_only_itself() {
    let mut run = IncidentRun::start(faulty("logs:FilterLogEvents", FaultKind::Hang)).await;
    run.services.config.gather_time = Duration::from_millis(1_500);
    let seen = tokio::time::timeout(ENOUGH, run.report()).await.unwrap();
    assert_not_checked(&seen, "logs of /aws/lambda/invoice-render");
    assert_not_checked(&seen, "timed out");
    assert_eq!(seen.outcome, "cause_shown", "{}", seen.card);
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 1));
}

#[tokio::test]
async fn an_account_in_which_everything_hangs_still_gets_a_card_from_the_event_alone() {
    let mut options = answering(careful);
    options.faults = ["cloudwatch:*", "logs:*", "lambda:*"]
        .map(|action| Fault { action: action.to_owned(), kind: FaultKind::Hang, times: None })
        .to_vec();
    let mut run = IncidentRun::start(options).await;
    run.services.config.gather_time = Duration::from_millis(500);
    run.services.config.publish_reserve = Duration::from_secs(2);
    let seen = tokio::time::timeout(ENOUGH, run.report()).await.unwrap();
    assert!(seen.words().contains("State unknown at 03:05"), "{}", seen.card);
    assert_not_checked(&seen, "timed out");
    assert!(!seen.card.contains("CAUSE SHOWN"), "{}", seen.card);
}

#[tokio::test]
async fn a_source_that_fails_once_is_read_again_and_leaves_no_trace() {
    let fault = |action: &str, kind| Fault { action: action.to_owned(), kind, times: Some(1) };
    let mut options = answering(careful);
    options.faults = vec![
        fault("cloudwatch:GetMetricData", FaultKind::InternalError),
        fault("logs:FilterLogEvents", FaultKind::Throttled),
    ];
    let run = IncidentRun::start(options).await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown");
    for words in ["throttled", "failed", "metrics of", "logs of"] {
        assert!(!seen.words().contains(words), "{words}: {}", seen.card);
    }
    assert_eq!(seen.json["data"]["not_checked"], json!([]), "{}", seen.card);
}
