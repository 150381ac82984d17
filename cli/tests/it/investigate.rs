//! `investigate`: what its argument means, and that it posts only when asked to.

use serde_json::Value;

use crate::program::{assert_code, copy, project, sre_agent, stderr, stdout};

fn json(output: &std::process::Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

fn channels(printed: &Value) -> Vec<&str> {
    let delivered = printed["runs"][0]["delivered"].as_array().unwrap();
    delivered.iter().map(|receipt| receipt["channel"].as_str().unwrap()).collect()
}

#[test]
fn an_alarm_is_found_by_its_name() {
    let output = sre_agent(&["investigate", "rds-cpu-high", "--scenario", "rds-cpu", "--depth", "facts"])
        .output()
        .unwrap();
    assert_code(&output, 0);
    assert!(stdout(&output).contains("rds-cpu-high"), "{}", stdout(&output));
    let said = stderr(&output);
    assert!(said.starts_with("plan: depth facts, no model call, no model charge"), "{said}");
    assert!(said.contains("posts nothing (no --post)"), "{said}");
}

#[test]
fn what_ends_in_json_is_a_file_and_a_dash_is_standard_input() {
    let from_file = sre_agent(&[
        "investigate",
        "events/sns-rds-cpu.json",
        "--scenario",
        "rds-cpu",
        "--depth",
        "facts",
        "--json",
    ])
    .output()
    .unwrap();
    assert_code(&from_file, 0);
    assert_eq!(json(&from_file)["runs"][0]["alarm"], "rds-cpu-high");

    let event = std::fs::read(project().join("events/sns-rds-cpu.json")).unwrap();
    let from_stdin =
        sre_agent(&["investigate", "-", "--scenario", "rds-cpu", "--depth", "facts", "--json", "-q"])
            .write_stdin(event)
            .output()
            .unwrap();
    assert_code(&from_stdin, 0);
    assert_eq!(json(&from_stdin)["runs"][0]["alarm"], "rds-cpu-high");
    assert_eq!(stderr(&from_stdin), "");

    let missing = sre_agent(&["investigate", "rds-cpu-high.json", "--scenario", "rds-cpu"]).output().unwrap();
    assert_code(&missing, 2);
    assert!(stderr(&missing).contains("rds-cpu-high.json cannot be read"), "{}", stderr(&missing));
}

#[test]
fn what_is_no_alarm_fails_with_the_reason() {
    for (event, reason) in
        [("", "empty"), ("{\"Records\": [", "JSON"), ("{\"hello\": \"world\"}", "nothing was investigated")]
    {
        let output = sre_agent(&["investigate", "-", "--scenario", "rds-cpu", "-q"])
            .write_stdin(event)
            .output()
            .unwrap();
        assert_code(&output, 1);
        assert!(stderr(&output).contains(reason), "{event:?}: {}", stderr(&output));
    }
    let output =
        sre_agent(&["investigate", "no-such-alarm", "--scenario", "rds-cpu", "-q"]).output().unwrap();
    assert_code(&output, 1);
    assert!(stderr(&output).contains("no-such-alarm"), "{}", stderr(&output));
}

#[test]
fn a_report_is_posted_only_when_that_was_asked_for() {
    let arguments =
        ["investigate", "rds-cpu-high", "--scenario", "rds-cpu", "--depth", "facts", "--json", "-q"];
    let silent = sre_agent(&arguments).output().unwrap();
    assert_code(&silent, 0);
    assert_eq!(channels(&json(&silent)), ["stdout"]);

    let posted = sre_agent(&arguments).arg("--post").output().unwrap();
    assert_code(&posted, 0);
    assert_eq!(channels(&json(&posted)), ["stdout", "slack webhook", "sns"]);
}

#[test]
fn with_a_scenario_nothing_leads_to_channels_of_the_real_world() {
    let output =
        sre_agent(&["investigate", "rds-cpu-high", "--scenario", "rds-cpu", "--depth", "facts", "--post"])
            .args(["--json", "-q"])
            .env("SRE_AGENT_SLACK_WEBHOOK", "https://hooks.slack.com/services/T1/B1/real")
            .env("SRE_AGENT_FINDINGS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:real")
            .output()
            .unwrap();
    assert_code(&output, 0);
    assert_eq!(channels(&json(&output)), ["stdout", "slack webhook", "sns"]);
    assert!(!stdout(&output).contains("real"), "{}", stdout(&output));
}

#[test]
fn posting_without_a_channel_is_a_fault_of_the_configuration() {
    let output = sre_agent(&["investigate", "x", "--region", "us-east-1", "--post"]).output().unwrap();
    assert_code(&output, 2);
    assert!(stderr(&output).contains("SRE_AGENT_SLACK_WEBHOOK"), "{}", stderr(&output));
}

#[test]
fn a_missing_region_is_told_before_anything_is_asked() {
    let output = sre_agent(&["investigate", "x"]).output().unwrap();
    assert_code(&output, 2);
    assert!(stderr(&output).contains("--region"), "{}", stderr(&output));
}

#[test]
fn an_alarm_that_is_not_in_alarm_is_looked_at_when_a_person_asks() {
    let output = sre_agent(&["investigate", "invoice-render-slow", "--scenario", "lambda-bad-deploy"])
        .args(["--depth", "facts", "-q"])
        .output()
        .unwrap();
    assert_code(&output, 0);
    let card = stdout(&output);
    assert!(card.starts_with("🟢 invoice-render-slow"), "{card}");
    for words in ["Not in alarm at 03:05 (OK)", "Duration p99", "FACTS ONLY"] {
        assert!(card.contains(words), "{words} is missing in {card}");
    }
    for words in ["Recovered", "Still", "began"] {
        assert!(!card.lines().nth(1).unwrap().contains(words), "{card}");
    }
}

/// Returns the card of the bad deploy's alarm, read from data of which one thing in one file is another.
fn card_where(file: &str, before: &str, after: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let scenario = project().join("scenarios/lambda-bad-deploy");
    copy(&scenario, folder.path());
    let path = folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(before), "{before} is not in {file}");
    std::fs::write(&path, text.replacen(before, after, 1)).unwrap();
    let event = scenario.join("alarm.json");
    let output = sre_agent(&["investigate", event.to_str().unwrap(), "--depth", "facts", "-q", "--scenario"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_code(&output, 0);
    stdout(&output)
}

#[test]
fn an_alarm_that_lost_its_data_has_not_recovered() {
    let state = |state: &str| format!("\"StateValue\": \"{state}\"");
    let card = card_where("alarms.json", &state("ALARM"), &state("INSUFFICIENT_DATA"));
    assert!(card.starts_with("⚪ invoice-render-errors"), "{card}");
    assert!(card.contains("No data since 03:05 (not a recovery)"), "{card}");
    assert!(!card.contains("Recovered"), "{card}");
}

#[test]
fn silence_of_a_log_group_counts_only_as_far_back_as_it_keeps_lines() {
    let card = card_where("scenario.toml", "retention_days = 30", "retention_days = 3");
    let card = card.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(card.contains("none in the 3 days before"), "{card}");
}

#[test]
fn a_past_firing_is_replayed_as_of_then() {
    let replay = |options: &[&str]| {
        let fixed =
            ["replay", "invoice-render-errors", "--scenario", "lambda-bad-deploy", "--depth", "facts"];
        sre_agent(&[&fixed[..], options].concat()).output().unwrap()
    };
    let output = replay(&[]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("Still failing at 03:05 · began 03:02 UTC"), "{}", stdout(&output));
    assert!(
        stderr(&output).starts_with("replays invoice-render-errors as of 2026-11-24T03:05:22"),
        "{}",
        stderr(&output)
    );
    let posted = json(&replay(&["--json", "--at", "2026-11-24T03:10:00Z"]));
    assert_eq!(channels(&posted), ["stdout"], "a replay posts nothing");

    let before = replay(&["--at", "2026-11-01T00:00:00Z"]);
    assert_code(&before, 1);
    let said = stderr(&before);
    assert!(said.contains("is not known to have gone off up to 2026-11-01T00:00:00Z"), "{said}");
    assert!(said.contains("Its history has it go off once, first at 2026-11-24T03:05:22"), "{said}");
    let wrong = replay(&["--at", "yesterday"]);
    assert_code(&wrong, 2);
    assert!(stderr(&wrong).contains("give a time in UTC"), "{}", stderr(&wrong));
}
