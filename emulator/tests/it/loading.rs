//! Loading: what a scenario says of itself, and how a broken one is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sre_agent_emulator::{Scenario, ScenarioError};

use crate::client::{folder, scenario};

/// A copy of the small scenario to spoil.
fn copy(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(target.join("logs")).unwrap();
    for file in
        ["scenario.toml", "alarm.json", "alarms.json", "metrics.jsonl", "changes.json", "logs/sorter.jsonl"]
    {
        fs::copy(folder().join(file), target.join(file)).unwrap();
    }
    target
}

/// Loads a copy in which one text of one file is replaced, and returns the error.
fn spoilt(name: &str, file: &str, from: &str, to: &str) -> ScenarioError {
    let target = copy(name);
    let text = fs::read_to_string(target.join(file)).unwrap();
    assert!(text.contains(from), "{file} holds no {from}");
    fs::write(target.join(file), text.replacen(from, to, 1)).unwrap();
    Scenario::load(&target).unwrap_err()
}

#[test]
fn a_scenario_says_what_it_is() {
    let scenario = scenario();
    assert_eq!(scenario.name(), "scenario");
    assert_eq!(scenario.title(), "A small scenario for the emulator's own tests");
    assert_eq!(scenario.as_of().to_string(), "2026-05-04T12:00:30Z");
    assert_eq!((scenario.seed(), scenario.region(), scenario.account()), (3, "eu-west-1", "123456789012"));
    assert_eq!(scenario.parameter_names(), ["/sre-agent/slack-webhook", "colour", "/document"]);
    assert_eq!(scenario.log_group_names().len(), 4);
}

#[test]
fn the_wake_up_event_is_the_alarm_message_in_the_envelope_of_sns() {
    let scenario = scenario();
    let event = scenario.wake_up_event();
    let record = &event["Records"][0];
    assert_eq!(record["EventSource"], "aws:sns");
    let message: serde_json::Value =
        serde_json::from_str(record["Sns"]["Message"].as_str().unwrap()).unwrap();
    assert_eq!(&message, scenario.alarm_message());
    assert_eq!(record["Sns"]["TopicArn"], "arn:aws:sns:eu-west-1:123456789012:alarms");
    assert_eq!(record["Sns"]["Subject"], "ALARM: \"sorter-errors\" in EU (Ireland)");
    assert_eq!(record["Sns"]["Timestamp"], "2026-05-04T11:59:40.500Z");
    assert_eq!(event, scenario.wake_up_event(), "the same scenario sends the same event");
}

#[test]
fn another_format_is_refused_by_its_number() {
    for (name, file, from, to) in [
        ("format-toml", "scenario.toml", "format = 1", "format = 2\nnews = true"),
        ("format-alarms", "alarms.json", "\"format\": 1", "\"format\": 2, \"news\": true"),
        ("format-changes", "changes.json", "\"format\": 1", "\"format\": 2"),
    ] {
        let error = spoilt(name, file, from, to);
        assert!(matches!(error, ScenarioError::Format { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(file) && text.contains("format 2 is not known"), "{text}");
    }
}

#[test]
fn a_bad_line_is_named_by_file_and_number() {
    for (name, file, from, to, line, words) in [
        ("row", "metrics.jsonl", "[30,5,20,5,0,1]", "[29,5,20,5,0,1]", 1, "out of order"),
        ("mean", "metrics.jsonl", "[0,60,10,1000,50,250]", "[0,60,10,9000,50,250]", 2, "impossible"),
        ("unit", "metrics.jsonl", "\"Milliseconds\"", "\"ms\"", 2, "unit ms"),
        ("twice", "metrics.jsonl", "\"Invocations\"", "\"Errors\"", 3, "earlier line"),
        ("key", "metrics.jsonl", "\"period\":60", "\"periods\":60", 1, "unknown field `periods`"),
        ("group", "logs/sorter.jsonl", "/audit", "/unknown", 9, "log group /unknown is not in scenario.toml"),
        ("time", "logs/sorter.jsonl", "2026-05-04T11:58:00.250Z", "11:58", 2, "time 11:58"),
        ("toml", "scenario.toml", "seed = 3", "sead = 3", 5, "unknown field `sead`"),
        (
            "model",
            "scenario.toml",
            "[models]",
            "[[model]]\nid = \"acme.one\"\nend = 1\n\n[models]",
            60,
            "unknown field `end`",
        ),
        ("json", "alarm.json", "\"AWSAccountId\":", "\"AWSAccountId\"", 4, "expected `:`"),
    ] {
        let error = spoilt(&format!("line-{name}"), file, from, to).to_string();
        assert!(error.contains(&format!("{file}:{line}: ")), "{name}: {error}");
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn what_does_not_fit_together_is_told_with_its_file() {
    for (name, file, from, to, words) in [
        ("account", "scenario.toml", "123456789012", "999999999999", "999999999999"),
        (
            "profile",
            "scenario.toml",
            "[models]",
            "[[inference_profile]]\nid = \"eu.acme.none\"\n\n[models]",
            "eu.acme.none: its model",
        ),
        ("member", "alarms.json", "\"StateValue\": \"OK\"", "\"State\": \"OK\"", "no member State"),
        (
            "alias",
            "changes.json",
            "\"FunctionVersion\": \"8\"",
            "\"FunctionVersion\": \"11\"",
            "alias \"live\"",
        ),
        ("latest", "changes.json", "$LATEST", "12", "no $LATEST"),
    ] {
        let error = spoilt(&format!("whole-{name}"), file, from, to).to_string();
        assert!(error.contains(file) && error.contains(words), "{name}: {error}");
    }
    let folder = copy("missing-file");
    fs::remove_file(folder.join("changes.json")).unwrap();
    let error = Scenario::load(&folder).unwrap_err().to_string();
    assert!(error.starts_with("failed to read ") && error.contains("changes.json"), "{error}");
}

/// Fourteen days by the minute, ten times over, must not make every test slow.
#[test]
fn a_large_scenario_loads_in_time() {
    let folder = copy("large");
    let rows: Vec<String> = (0..20_160).map(|n| format!("[{n},1,{},{},0,1]", 100 + n % 7, n % 3)).collect();
    let lines: Vec<String> = (0..10)
        .map(|n| {
            format!(
                "{{\"namespace\":\"A\",\"metric\":\"m{n}\",\"dimensions\":{{}},\"unit\":\"Count\",\"period\":60,\
                 \"start\":\"2026-04-20T12:00:00Z\",\"points\":[{}]}}",
                rows.join(",")
            )
        })
        .collect();
    fs::write(folder.join("metrics.jsonl"), lines.join("\n")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the time that loading takes is what is tested")]
    let started = Instant::now();
    Scenario::load(&folder).unwrap();
    let taken = started.elapsed();
    assert!(taken < Duration::from_secs(5), "it took {taken:?}");
}
