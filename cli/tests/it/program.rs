//! The built program, started with an empty environment, and what it said.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// Both scenarios, with the alarm that each is about.
pub(crate) const SCENARIOS: [(&str, &str); 2] =
    [("lambda-bad-deploy", "invoice-render-errors"), ("rds-cpu", "rds-cpu-high")];

/// Returns the project's folder.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member lies in the workspace").to_owned()
}

/// Returns the program in the project's folder with an empty environment: no account, no configuration.
pub(crate) fn sre_agent(arguments: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("sre-agent");
    // Without this the SDK would ask the machine's metadata service for credentials.
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").current_dir(project()).args(arguments);
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    sre_agent(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Checks the exit code and shows both streams where it differs.
#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", stdout(output), stderr(output));
}

/// Returns the secrets that are planted in the scenario with the bad deploy.
pub(crate) fn planted_secrets() -> Vec<String> {
    let truth = std::fs::read_to_string(project().join("scenarios/lambda-bad-deploy/truth.toml")).unwrap();
    let truth: toml::Table = truth.parse().unwrap();
    let values = truth["secrets"]["values"].as_array().unwrap();
    assert!(!values.is_empty());
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub(crate) fn assert_no_secret(text: &str, place: &str) {
    for secret in planted_secrets() {
        assert!(!text.contains(&secret), "{place} holds {secret}");
    }
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
