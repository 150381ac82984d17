//! An alarm on a metric of its owner's: companions are found by its dimensions, its log group by its tags or its name, and
//! its tags say what its owner calls things.

use serde_json::{Value, json};
use sre_agent::config::{Config, Layers};
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::{Fault, FaultKind, Options};

use crate::incident_run::{ENOUGH, IncidentRun, Seen, alarm_of, sns_event};

const CHECKOUT: &str = "../tests/fixtures/scenarios/custom-namespace";

async fn run(options: Options) -> IncidentRun {
    let mut run = IncidentRun::of(CHECKOUT, options).await;
    run.services.config.depth = Some(Depth::Facts);
    run
}

fn asked(run: &IncidentRun, action: &str) -> Vec<Value> {
    let requests = run.emulator.requests().into_iter().filter(|request| request.action == action);
    requests
        .map(|request| serde_json::from_str(&request.body).unwrap_or(Value::String(request.body)))
        .collect()
}

fn gaps(seen: &Seen) -> Vec<String> {
    let gaps = seen.json["data"]["not_checked"].as_array().unwrap();
    gaps.iter().map(|gap| format!("{}: {}", gap["subject"], gap["status"]).replace('"', "")).collect()
}

#[tokio::test]
async fn a_companion_of_a_custom_namespace_that_moved_first_is_the_lead() {
    let run = run(Options::default()).await;
    let seen = run.report().await;
    let lead = &seen.json["data"]["lead"];
    assert_eq!(lead["entity"], "QueueDepth");
    let words = seen.words();
    assert!(
        words.contains(
            "Lead (computed): QueueDepth. It rose at 02:56, 6 min before the onset; median 4 before, "
        ),
        "{words}"
    );
    // What another service does under the same name is nobody's companion, and the guesses make no share of failures.
    assert!(!seen.everything().contains("\"search\""));
    assert!(!words.contains("requests"), "{words}");
    assert_eq!(asked(&run, "ListMetrics").len(), 1);
}

#[tokio::test]
async fn the_log_group_of_the_service_that_a_dimension_names_is_read_where_it_exists() {
    let run = run(Options::default()).await;
    let seen = run.report().await;
    assert!(seen.words().contains("worker pool is full"), "{}", seen.card);
    assert!(seen.everything().contains("/ecs/checkout"));
    assert_eq!(gaps(&seen), ["changes of checkout: not_applicable"]);
}

#[tokio::test]
async fn tags_name_the_runbook_the_service_and_how_bad_the_owner_calls_it() {
    let run = run(Options::default()).await;
    let seen = run.report().await;
    let title = seen.card.lines().next().unwrap();
    assert!(title.contains("checkout-orders-failed · Web shop · us-east-1"), "{title}");
    // As the owner wrote it, and no mention.
    assert!(seen.words().contains("severity SEV-2 <!channel> *now*"), "{}", seen.card);
    let slack = seen.slack.to_string();
    assert!(!slack.contains("<!channel>") && slack.contains("&lt;!channel&gt;"), "{slack}");
    assert!(slack.contains("<https://wiki.example.com/checkout|Runbook>"), "{slack}");
    let hints = &seen.json["data"]["hints"];
    assert_eq!((&hints["service"], &hints["channel"]), (&json!("Web shop"), &json!("shop-oncall")));
    assert_eq!(asked(&run, "ListTagsForResource").len(), 1);
}

#[tokio::test]
async fn the_log_group_of_a_tag_goes_before_the_description_and_after_the_configuration() {
    let mut alarm = alarm_of(CHECKOUT);
    alarm["AlarmName"] = json!("checkout-orders-failed-too");
    alarm["AlarmArn"] = json!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:checkout-orders-failed-too");
    alarm["AlarmDescription"] = json!("log-group: /ecs/checkout");
    let event = sns_event(&[alarm]);
    let by_tag = run(Options::default()).await;
    let group = |seen: &Seen| {
        seen.document.data["evidence"].to_string().contains("errors and warnings of /shop/checkout")
    };
    assert!(group(&by_tag.report_of(&event, ENOUGH).await));
    let mut configured = run(Options::default()).await;
    let document = "format = 1\n[logs.groups]\ncheckout = \"/ecs/checkout\"";
    let layers = Layers { document: Some(("test", document)), ..Layers::default() };
    configured.services.config.log_groups = Config::load(&layers).unwrap().log_groups;
    assert!(!group(&configured.report_of(&event, ENOUGH).await));
}

#[tokio::test]
async fn tags_that_cannot_be_read_are_a_gap_and_cost_nothing_else() {
    let denied = Options { denied: vec!["cloudwatch:ListTagsForResource".into()], ..Options::default() };
    let fault = Fault { action: "cloudwatch:ListTagsForResource".into(), kind: FaultKind::Hang, times: None };
    let hanging = Options { faults: vec![fault], ..Options::default() };
    for (options, status) in [(denied, "denied"), (hanging, "timed_out")] {
        let run = run(options).await;
        let seen = run.report().await;
        assert_eq!(
            gaps(&seen),
            [format!("tags of the alarm: {status}"), "changes of checkout: not_applicable".to_owned()]
        );
        assert_eq!(seen.json["data"]["lead"]["entity"], "QueueDepth");
        assert!(seen.words().contains("worker pool is full"), "{}", seen.card);
    }
}
