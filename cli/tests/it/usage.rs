//! Help, usage errors and configuration faults.

use crate::program::{assert_code, run, sre_agent, stderr, stdout};

#[test]
fn the_first_screen_lists_the_commands_that_work() {
    let output = run(&["--help"]);
    assert_code(&output, 0);
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn each_command_has_help_with_examples_and_only_the_options_that_it_uses() {
    for (command, unused) in [
        ("demo", &["--profile", "--region", "--scenario"][..]),
        ("investigate", &[]),
        ("emulate", &["--profile", "--region", "--scenario", "--depth", "--max-cost", "--json", "--quiet"]),
        ("doctor", &["--depth", "--max-cost"]),
        ("models", &["--depth", "--max-cost"]),
        ("diagnose", &["--profile", "--region", "--scenario", "--depth", "--max-cost", "--quiet"]),
        ("iam-policy", &["--depth", "--max-cost", "--json"]),
        ("show", &["--scenario", "--depth", "--max-cost"]),
        ("ask", &[]),
        ("schema", &["--profile", "--depth"]),
        ("completions", &["--profile", "--depth", "--json"]),
        ("man", &["--profile", "--depth", "--json"]),
    ] {
        let output = run(&[command, "--help"]);
        assert_code(&output, 0);
        let help = stdout(&output);
        assert!(help.contains("Example"), "{command}: {help}");
        for option in unused {
            assert!(!help.contains(option), "{command} shows {option}");
        }
    }
}

#[test]
fn without_a_command_the_help_is_shown_as_a_usage_error() {
    let output = run(&[]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("Usage: sre-agent"));
}

#[test]
fn an_option_that_a_command_would_ignore_is_refused() {
    for (arguments, words) in [
        (&["demo", "--profile", "prod"][..], "'demo' has no use for --profile"),
        (&["--region", "us-east-1", "demo"], "'demo' has no use for --region"),
        (&["demo", "--scenario", "rds-cpu"], "sre-agent demo SCENARIO"),
        (&["emulate", "rds-cpu", "--depth", "full"], "'emulate' has no use for --depth"),
        (&["diagnose", "x", "--scenario", "rds-cpu"], "'diagnose' has no use for --scenario"),
        (&["investigate", "x", "--model", "a.b", "--model", "c.d"], "'investigate' takes one --model"),
        (&["doctor", "--function", "f", "--post-test"], "cannot be used with"),
        (&["doctor", "--call-models", "--function", "f"], "cannot be used with"),
        (&["completions", "bash", "--json"], "'completions' has no use for --json"),
        (&["investigate", "x", "--scenario", "rds-cpu", "--profile", "prod"], "--scenario replaces AWS"),
    ] {
        let output = run(arguments);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn variables_of_the_shell_are_no_typed_options() {
    let output =
        sre_agent(&["demo", "nowhere"]).env("AWS_PROFILE", "prod").env("AWS_REGION", "x").output().unwrap();
    assert_code(&output, 2);
    assert!(stderr(&output).contains("there is no scenario nowhere"), "{}", stderr(&output));
}

#[test]
fn values_out_of_range_are_usage_errors() {
    for arguments in [
        &["demo", "--deadline", "0"][..],
        &["demo", "--deny", "logs"],
        &["demo", "--throttle-model", "often"],
        &["demo", "--model-latency", "-1"],
        &["investigate", "x", "--depth", "deep"],
        &["investigate", "x", "--max-cost", "cheap"],
        &["emulate", "rds-cpu", "--port", "70000"],
    ] {
        assert_code(&run(arguments), 2);
    }
}

#[test]
fn an_unknown_scenario_is_told_with_those_that_there_are() {
    let output = run(&["demo", "nowhere"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("Scenarios here: lambda-bad-deploy, rds-cpu"), "{}", stderr(&output));
}

#[test]
fn every_configuration_fault_is_told_at_once_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("agent.toml");
    std::fs::write(&document, "format = 1\ncolour = \"red\"\n[deadline]\ngather_seconds = -1\n").unwrap();
    let output = sre_agent(&["investigate", "some-alarm", "--region", "us-east-1"])
        .env("SRE_AGENT_CONFIG", &document)
        .env("SRE_AGENT_DEPTH", "deep")
        .env("SRE_AGENT_MODLE", "x")
        .env("SRE_AGENT_MAX_COST_USD", "cheap")
        .env("SRE_AGENT_FINDINGS_TOPIC_ARN", "topic")
        .env("SRE_AGENT_AS_OF", "2026-11-24T03:05:30Z")
        .output()
        .unwrap();
    assert_code(&output, 2);
    let said = stderr(&output);
    for key in [
        "colour",
        "deadline.gather_seconds",
        "depth",
        "SRE_AGENT_MODLE",
        "did you mean SRE_AGENT_MODEL?",
        "SRE_AGENT_MAX_COST_USD",
        "sns.topic_arn",
        "run.as_of",
    ] {
        assert!(said.contains(key), "{key} is missing in: {said}");
    }
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_configuration_document_that_is_not_there_is_named() {
    let output = sre_agent(&["investigate", "some-alarm", "--region", "us-east-1"])
        .env("SRE_AGENT_CONFIG", "no-such-file.toml")
        .output()
        .unwrap();
    assert_code(&output, 2);
    assert!(stderr(&output).contains("SRE_AGENT_CONFIG=no-such-file.toml"), "{}", stderr(&output));
}

#[test]
fn a_completion_script_is_printed() {
    let output = run(&["completions", "bash"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("sre-agent"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_manual_page_of_the_program_and_of_each_command_is_printed() {
    let program = run(&["man"]);
    assert_code(&program, 0);
    let page = stdout(&program);
    assert!(page.contains(".TH sre-agent 1"), "{page}");
    assert!(page.contains("sre\\-agent\\-demo(1)") && page.contains(env!("CARGO_PKG_VERSION")), "{page}");
    let demo = run(&["man", "demo"]);
    assert_code(&demo, 0);
    let page = stdout(&demo);
    assert!(page.contains(".TH sre-agent-demo 1") && page.contains("\\-\\-out"), "{page}");
    assert!(!page.contains("\\-\\-profile"), "a hidden option stands in {page}");
    let none = run(&["man", "dmeo"]);
    assert_code(&none, 2);
    assert!(stderr(&none).contains("there is no command 'dmeo'"), "{}", stderr(&none));
}
