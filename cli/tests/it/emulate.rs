//! `emulate`: the first line that programs wait for, and an agent in another process that works against it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{assert_code, project, sre_agent, stdout};

/// A running emulator; it is killed when the test ends, however it ends.
struct Emulation {
    process: Child,
    endpoint: String,
}

impl Emulation {
    fn start(scenario: &str) -> Self {
        let mut process = Command::new(assert_cmd::cargo::cargo_bin!("sre-agent"))
            .args(["emulate", scenario, "--port", "0"])
            .env_clear()
            .current_dir(project())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let endpoint = first.strip_prefix("listening on ").unwrap().to_owned();
        // The rest is read and dropped, since a full pipe would stop the emulator.
        std::thread::spawn(move || lines.for_each(drop));
        Emulation { process, endpoint }
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn an_agent_in_another_process_works_against_it_by_variables_alone() {
    let emulation = Emulation::start("rds-cpu");
    let output = sre_agent(&["investigate", "rds-cpu-high", "--depth", "facts", "--post", "--json"])
        .env("AWS_ENDPOINT_URL", &emulation.endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("SRE_AGENT_SLACK_WEBHOOK", "ssm:/sre-agent/slack-webhook")
        .env("SRE_AGENT_AS_OF", "2014-04-18T23:43:30Z")
        .output()
        .unwrap();
    assert_code(&output, 0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(printed["runs"][0]["alarm"], "rds-cpu-high");
    assert_eq!(printed["runs"][0]["undelivered"].as_array().unwrap().len(), 0, "{printed}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_it_with_code_0() {
    let mut emulation = Emulation::start("rds-cpu");
    let killed = Command::new("kill").args(["-INT", &emulation.process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(emulation.process.wait().unwrap().code(), Some(0));
}
