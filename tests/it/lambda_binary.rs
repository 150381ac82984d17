//! The Lambda binary as a process: what its start says where it cannot run. Its runs are tested under AWS's runtime
//! interface emulator in `tests/rie.py`.

use std::process::{Command, Output};

/// Starts the binary with these variables alone and a runtime that nobody serves.
fn start(variables: &[(&str, &str)]) -> Output {
    command(variables).output().unwrap()
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sre-agent-lambda"));
    command
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
        .envs(variables.iter().copied());
    command
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

/// Returns the faults of the one line that a start which fails writes.
fn faults(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap();
    let line: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    line["fields"]["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_document_that_cannot_be_read_is_a_fault_beside_the_others() {
    let said = faults(&start(&[("SRE_AGENT_CONFIG", "/nowhere.toml"), ("SRE_AGENT_DEPTH", "deep")]));
    assert!(said.contains("SRE_AGENT_CONFIG=/nowhere.toml"), "{said}");
    assert!(said.contains("depth"), "{said}");
}

#[test]
fn a_function_without_a_channel_does_not_start() {
    let said = faults(&start(&[]));
    assert!(said.contains("no channel is configured"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_fault_and_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let text = std::ffi::OsStr::from_bytes(b"de\xffep").to_owned();
    let said = faults(
        &command(&[])
            .env("SRE_AGENT_DEPTH", text)
            .env("OTHER", std::ffi::OsStr::from_bytes(b"\xff"))
            .output()
            .unwrap(),
    );
    assert!(said.contains("depth"), "{said}");
}
