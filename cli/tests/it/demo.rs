//! `demo`, end to end over real sockets.

use std::path::Path;

use serde_json::Value;

use crate::program::{SCENARIOS, assert_code, assert_no_secret, project, run, stderr, stdout};

/// Returns the widest line, in characters; cards hold no wide ones.
fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

#[test]
fn both_scenarios_end_in_a_card_and_a_folder_of_renderings() {
    for (scenario, alarm) in SCENARIOS {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("report");
        let output = run(&["demo", scenario, "--depth", "facts", "--out", out.to_str().unwrap()]);
        // Facts that were asked for are a report like any other.
        assert_code(&output, 0);
        let card = stdout(&output);
        assert!(card.contains(alarm), "{card}");
        assert!(card.contains("FACTS ONLY"), "{card}");
        assert!(widest(&card) <= 55, "{card}");
        assert!(!card.contains('\u{1b}'), "escape sequences without a terminal");
        let said = stderr(&output);
        for words in
            ["gather", "analysis", "delivery", "slack webhook took the report", "sns took the report"]
        {
            assert!(said.contains(words), "{words} is missing in: {said}");
        }
        assert!(!said.contains("emulator: unsupported"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
        check_files(&out, &card);
        assert_no_secret(&card, "the card");
        assert_no_secret(&said, "the progress");
    }
}

fn check_files(folder: &Path, card: &str) {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("card.txt"), card);
    let slack: Value = serde_json::from_str(&read("slack.json")).unwrap();
    assert!(slack["text"].as_str().is_some_and(|text| text.chars().count() <= 120), "{slack}");
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["format"], 1);
    assert!(read("report.md").starts_with("# "));
    assert!(read("sns.txt").starts_with("Subject: "));
    for name in ["card.txt", "slack.json", "report.html", "report.json", "report.md", "sns.txt"] {
        assert_no_secret(&read(name), name);
    }
}

#[test]
fn the_folder_is_named_after_scenario_and_run() {
    let here = tempfile::tempdir().unwrap();
    let scenario = project().join("scenarios/rds-cpu");
    let mut command =
        crate::program::sre_agent(&["demo", scenario.to_str().unwrap(), "--depth", "facts", "--json"]);
    let output = command.current_dir(here.path()).output().unwrap();
    assert_code(&output, 0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let run_id = printed["runs"][0]["run_id"].as_str().unwrap();
    let folder = format!("target/sre-agent/rds-cpu-{run_id}");
    assert_eq!(printed["files"], folder.as_str());
    assert!(here.path().join(folder).join("report.md").is_file());
}

#[test]
fn the_same_scenario_gives_the_same_card_twice() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["demo", "rds-cpu", "--depth", "facts", "-q", "--out", folder.path().to_str().unwrap()];
    let (one, other) = (run(&arguments), run(&arguments));
    assert_code(&one, 0);
    assert_eq!(without_time_taken(&stdout(&one)), without_time_taken(&stdout(&other)));
    assert_eq!(stderr(&one), "", "quiet means quiet");
}

/// The footer tells how long the run took, which is the one thing that differs.
fn without_time_taken(card: &str) -> String {
    card.lines()
        .map(|line| line.split(" s · run").next().unwrap_or(line).trim_end_matches(char::is_numeric))
        .collect()
}

#[test]
fn json_is_one_document_and_progress_stays_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["demo", "--depth", "facts", "--json", "--out", folder.path().to_str().unwrap()]);
    assert_code(&output, 0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(printed["format"], 1);
    assert_eq!(printed["runs"][0]["alarm"], "invoice-render-errors");
    assert_eq!(printed["runs"][0]["outcome"], "facts_only");
    assert_eq!(printed["runs"][0]["report"]["format"], 1);
    assert!(stderr(&output).contains("gather"));
}

#[test]
fn a_model_that_is_wanted_and_denied_leaves_facts_and_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let output = run(&["demo", "--depth", "full", "--deny", "bedrock:InvokeModel", "--out", out]);
    assert_code(&output, 3);
    assert!(stdout(&output).contains("FACTS ONLY"), "{}", stdout(&output));
    assert!(stderr(&output).contains("is given up"), "{}", stderr(&output));
}

#[test]
fn a_brief_run_is_one_recorded_answer_of_the_analyst_and_a_cause_is_likely_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["demo", "--depth", "brief", "-q", "--out", folder.path().to_str().unwrap()]);
    assert_code(&output, 0);
    let card = stdout(&output);
    assert!(card.contains("LIKELY CAUSE · lacks a review"), "{card}");
    assert!(card.contains("1 answer as Haiku 4.5"), "{card}");
    assert!(!card.contains("stale"), "{card}");
    assert_no_secret(&card, "the card");
}

#[test]
fn closed_logs_are_named_on_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let output = run(&["demo", "--depth", "facts", "--deny", "logs:*", "-q", "--out", out]);
    assert_code(&output, 0);
    // The card folds its lines, so words are looked for without their breaks.
    let card = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    let gap = "logs of /aws/lambda/invoice-render (access denied: logs:FilterLogEvents)";
    assert!(card.contains(gap), "{card}");
}

#[test]
fn a_role_that_grants_only_metrics_leaves_the_rest_unchecked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let grants = ["cloudwatch:*", "ssm:GetParameter", "sns:Publish"].map(|action| ["--allow", action]);
    let arguments = [&["demo", "--depth", "facts", "-q", "--out", out], grants.as_flattened()].concat();
    let output = run(&arguments);
    assert_code(&output, 0);
    let card = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(card.contains("Not checked") && card.contains("access denied"), "{card}");
}

#[test]
fn a_webhook_that_cannot_be_read_costs_slack_alone_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let output = run(&["demo", "--depth", "facts", "--deny", "ssm:GetParameter", "--out", out]);
    assert_code(&output, 1);
    assert!(stdout(&output).contains("FACTS ONLY"), "{}", stdout(&output));
    let said = stderr(&output);
    for words in ["allow ssm:GetParameter on it", "sns took the report", "not posted everywhere"] {
        assert!(said.contains(words), "{words} is missing in: {said}");
    }
}

/// Returns the ground truth of a scenario.
fn truth(scenario: &str) -> toml::Table {
    let path = project().join("scenarios").join(scenario).join("truth.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn each_recorded_run_ends_as_its_ground_truth_says_and_no_turn_is_stale() {
    for (scenario, _) in SCENARIOS {
        let folder = tempfile::tempdir().unwrap();
        let output = run(&["demo", scenario, "-q", "--json", "--out", folder.path().to_str().unwrap()]);
        assert_code(&output, 0);
        let truth = truth(scenario);
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let report = &printed["runs"][0]["report"];
        let data = &report["data"];
        let verdicts = truth["expected"]["verdicts"].as_array().unwrap();
        let verdict = data["verdict"].as_str().unwrap();
        assert!(verdicts.iter().any(|expected| expected.as_str() == Some(verdict)), "{scenario}: {verdict}");
        assert_eq!(
            data["condition"]["state"] == "still",
            truth["expected"]["condition"].as_str() == Some("still")
        );
        assert_eq!(data["spent"]["stale"], 0, "{scenario}: make the turns anew with --model-by-hand");
        assert_eq!(data["counts"]["held"], data["counts"]["checked"], "{scenario}");
        if let Some(cause) = truth["cause"].get("version") {
            let entity = format!("version {}", cause.as_str().unwrap());
            let claims = data["claims"].as_array().unwrap();
            let cause = claims.iter().find(|claim| claim["kind"] == "cause").unwrap();
            assert_eq!(cause["entity"], entity.as_str());
        }
        let card = report["text"].as_str().unwrap();
        let forbidden = truth.get("must_not").and_then(|must_not| must_not.get("text"));
        for text in forbidden.and_then(toml::Value::as_array).into_iter().flatten() {
            assert!(!card.contains(text.as_str().unwrap()), "{scenario}: {text:?} stands on the card");
        }
    }
}

#[test]
fn the_readme_shows_the_card_that_the_demo_prints() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["demo", "-q", "--out", folder.path().to_str().unwrap()]);
    assert_code(&output, 0);
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let shown = readme.split("```").find(|block| block.contains("🔴")).unwrap();
    assert_eq!(without_time_taken(shown.trim()), without_time_taken(stdout(&output).trim()));
}
