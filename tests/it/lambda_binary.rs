//! The Lambda binary as a process: what its start says where it cannot run. Its runs are tested under AWS's runtime
//! interface emulator in `tests/rie.py`.

use std::process::{Command, Output};

/// Starts the binary with these variables alone and a runtime that nobody serves.
fn start(variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sre-agent-lambda"))
        .env_clear()
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_LAMBDA_FUNCTION_NAME", "investigate"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            // Port 9 discards; nothing listens there.
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
        ])
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_wrong_configuration_stops_the_start_with_every_fault_in_one_log_line() {
    let output = start(&[
        ("SRE_AGENT_DEPTH", "deep"),
        ("SRE_AGENT_MODLE", "x"),
        ("SRE_AGENT_MAX_COST_USD", "cheap"),
        ("SRE_AGENT_SLACK_WEBHOOK", "https://example.com/hook"),
        ("SRE_AGENT_AS_OF", "2026-11-24T03:05:30Z"),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(line["level"], "ERROR");
    let error = line["fields"]["error"].as_str().unwrap();
    for key in ["depth", "SRE_AGENT_MODLE", "SRE_AGENT_MAX_COST_USD", "slack.webhook", "run.as_of"] {
        assert!(error.contains(key), "{key} is missing in {error}");
    }
    assert!(!error.contains("example.com"), "a mistyped webhook is a secret all the same: {error}");
}
