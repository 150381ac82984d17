//! `diagnose`, `iam-policy` and `--prompt`: answers to what is typed.

use serde_json::Value;

use crate::program::{assert_code, run, sre_agent, stderr, stdout};

#[test]
fn an_error_is_explained_with_cause_remedies_and_the_next_command() {
    let output = run(&[
        "diagnose",
        "ValidationException: Invocation of model ID anthropic.claude-sonnet-4-6 with on-demand throughput isn\u{2019}t supported.",
    ]);
    assert_code(&output, 0);
    insta::assert_snapshot!(stdout(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_error_is_read_from_standard_input_and_printed_as_json() {
    let output = sre_agent(&["diagnose", "-", "--json"])
        .write_stdin("ThrottlingException: Too many tokens, please wait before trying again.")
        .output()
        .unwrap();
    assert_code(&output, 0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(printed["diagnosis"]["class"], "throttled");
    assert_eq!(printed["diagnosis"]["name"], "throttled_tokens");
    assert_eq!((&printed["recognised"], &printed["retryable"]), (&Value::Bool(true), &Value::Bool(true)));
    let empty = sre_agent(&["diagnose", "-"]).write_stdin("\n").output().unwrap();
    assert_code(&empty, 2);
    assert!(stderr(&empty).contains("sre-agent diagnose"), "{}", stderr(&empty));
}

#[test]
fn an_error_that_is_not_known_ends_in_one_and_says_where_to_look() {
    let output = run(&["diagnose", "the moon is full"]);
    assert_code(&output, 1);
    insta::assert_snapshot!(stdout(&output));
    assert_eq!(stderr(&output), "");
    let as_json = run(&["diagnose", "the moon is full", "--json"]);
    assert_code(&as_json, 1);
    let printed: Value = serde_json::from_str(&stdout(&as_json)).unwrap();
    assert_eq!((&printed["recognised"], &printed["retryable"]), (&Value::Bool(false), &Value::Null));
}

fn statements(output: &std::process::Output) -> Vec<String> {
    let policy: Value = serde_json::from_str(&stdout(output)).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements.map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_policy_alone_is_on_standard_output_for_one_model_for_several_and_for_the_ladder() {
    let one = run(&["iam-policy", "--model", "us.anthropic.claude-sonnet-4-6", "--region", "us-east-1"]);
    assert_code(&one, 0);
    assert_eq!(statements(&one), ["InvokeProfile", "InvokeModelThroughProfile"]);
    assert!(stderr(&one).contains("placeholder"), "{}", stderr(&one));

    let two = run(&[
        "iam-policy",
        "--model",
        "us.anthropic.claude-sonnet-4-6",
        "--model",
        "amazon.nova-pro-v1:0",
        "--region",
        "us-east-1",
        "--account",
        "111122223333",
    ]);
    assert_code(&two, 0);
    assert_eq!(statements(&two), ["InvokeProfile1", "InvokeModelThroughProfile1", "InvokeModel2"]);
    assert!(stdout(&two).contains("111122223333"));

    let ladder = run(&["iam-policy", "--region", "us-east-1"]);
    assert_code(&ladder, 0);
    assert_eq!(statements(&ladder).len(), 8);

    let global = run(&[
        "iam-policy",
        "--model",
        "us.anthropic.claude-sonnet-4-6",
        "--global",
        "--region",
        "eu-west-1",
    ]);
    assert_code(&global, 0);
    assert_eq!(
        statements(&global),
        ["InvokeGlobalProfile", "InvokeModelInSourceRegion", "InvokeModelInAnyRegion"]
    );
}

#[test]
fn regions_come_from_the_account_where_one_is_named() {
    let output = run(&[
        "iam-policy",
        "--scenario",
        "lambda-bad-deploy",
        "--model",
        "us.anthropic.claude-sonnet-4-6",
        "-q",
    ]);
    assert_code(&output, 0);
    assert_eq!(stderr(&output), "");
    for region in ["us-east-1", "us-east-2", "us-west-2"] {
        assert!(
            stdout(&output).contains(&format!("arn:aws:bedrock:{region}::foundation-model/")),
            "{region}"
        );
    }
}

#[test]
fn marketplace_is_a_policy_of_its_own() {
    let output =
        run(&["iam-policy", "--model", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "--marketplace"]);
    assert_code(&output, 0);
    assert!(
        stdout(&output).contains("prod-xdkflymybwmvi") && !stdout(&output).contains("bedrock:InvokeModel")
    );
    assert!(stderr(&output).contains("once"), "{}", stderr(&output));
}

#[test]
fn a_policy_that_cannot_be_right_is_refused_with_the_next_step() {
    for (arguments, words) in [
        (&["iam-policy", "--model", "us.anthropic.claude-sonnet-4-6"][..], "no AWS Region is set"),
        (
            &["iam-policy", "--model", "us.amazon.nova-pro-v1:0", "--region", "eu-west-1"],
            "cannot be called from eu-west-1",
        ),
        (&["iam-policy", "--model", "mars.amazon.nova-pro-v1:0", "--region", "eu-west-1"], "are not known"),
        (
            &["iam-policy", "--model", "us.anthropic.claude-opus-4-6-v1", "--marketplace"],
            "no Marketplace product",
        ),
        (&["iam-policy", "--region", "us-east-1", "--account", "42"], "12 digits"),
    ] {
        let output = run(arguments);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn capabilities_are_answered_from_the_registry_without_a_model() {
    let question = "List your available capabilities and tools";
    let output = run(&["--prompt", question, "--provider", "bedrock"]);
    assert_code(&output, 0);
    insta::assert_snapshot!(stdout(&output));
    assert_eq!(stderr(&output), "");
    let as_json = run(&["--prompt", question, "--json"]);
    let printed: Value = serde_json::from_str(&stdout(&as_json)).unwrap();
    assert_eq!(printed["model_calls"], 0);
    assert_eq!(printed["tools"].as_array().unwrap().len(), 4);
}

#[test]
fn a_recorded_incident_answers_its_own_question_and_no_other() {
    let ask = |question: &str, options: &[&str]| {
        run(&[&["--prompt", question, "--scenario", "lambda-bad-deploy", "-q"], options].concat())
    };
    let own = "Since when does invoice-render fail, and what changed before?";
    let answered = ask(own, &["--json"]);
    assert_code(&answered, 0);
    let printed: Value = serde_json::from_str(&stdout(&answered)).unwrap();
    let data = &printed["runs"][0]["report"]["data"];
    assert_eq!((&data["outcome"], &data["question"]), (&"answered".into(), &own.into()));
    assert_eq!(data["spent"]["stale"], 0, "make the turn anew with --model-by-hand");
    assert_eq!(data["counts"]["held"], data["counts"]["checked"]);
    // An answer to one question is none to another.
    let other = ask("Is invoice-render slow?", &[]);
    assert_code(&other, 3);
    assert!(stdout(&other).contains("FACTS ONLY"), "{}", stdout(&other));
}

#[test]
fn a_question_without_an_account_says_what_is_missing() {
    let output = run(&["--prompt", "Why is invoice-render failing?", "--provider", "bedrock"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("no AWS Region is set"), "{}", stderr(&output));
    let with_command = run(&["--prompt", "tools", "demo"]);
    assert_code(&with_command, 2);
    let neither = run(&["--json"]);
    assert_code(&neither, 2);
    let unknown = run(&["--prompt", "tools", "--provider", "nobody"]);
    assert_code(&unknown, 2);
}
