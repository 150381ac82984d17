//! `doctor` with a Slack bot: whose token it is, what it may do, and what to do where Slack does not hear it.

use std::process::Output;

use serde_json::Value;
use sre_agent_emulator::{Emulator, Options, Scenario, SlackOptions};

use crate::program::{project, sre_agent, stderr, stdout};

/// Runs `doctor` with a bot; returns what it printed and the messages that Slack took.
fn doctor(slack: SlackOptions, token: &str, options: &[&str]) -> (Output, usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scenario = Scenario::load(&project().join("scenarios/lambda-bad-deploy")).unwrap();
    let emulator =
        runtime.block_on(Emulator::start(scenario, Options { slack, ..Options::default() })).unwrap();
    let endpoint = emulator.endpoint();
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("config.toml");
    let text = format!(
        "format = 1\n[slack]\ntoken = \"{token}\"\nchannel = \"{}\"\nbase_url = \"{endpoint}\"\n",
        emulator.slack_channel()
    );
    std::fs::write(&document, text).unwrap();
    let output = sre_agent(&[&["doctor", "-q"], options].concat())
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("SRE_AGENT_CONFIG", &document)
        .output()
        .unwrap();
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
    let shown = stdout(&output) + &stderr(&output);
    assert!(!shown.contains("verysecret"), "{shown}");
    (output, emulator.slack_messages().len())
}

const TOKEN: &str = "xoxb-verysecret";

/// Returns level, reason and fix of what is said of the bot.
fn said_of_bot(output: &Output) -> Vec<(String, String, String)> {
    let printed: Value = serde_json::from_str(&stdout(output)).unwrap();
    let parts = printed["parts"].as_array().unwrap();
    let channels = parts.iter().find(|part| part["heading"] == "Channels").unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = channels["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| text(check, "subject").starts_with("slack bot"))
        .map(|check| (text(check, "level"), text(check, "reason"), text(check, "fix")))
        .collect()
}

#[test]
fn a_bot_that_slack_knows_is_told_by_its_names_and_nothing_is_posted() {
    let (output, messages) = doctor(SlackOptions::default(), TOKEN, &[]);
    let printed = stdout(&output);
    let channels = &printed[printed.find("Channels\n").unwrap()..];
    let told = channels.split("\n\n").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        told,
        "Channels slack bot ok the token is that of sre-agent in Emulated workspace; that it may write into \
         C0123456789 shows only when it does"
    );
    assert_eq!(messages, 0);
}

#[test]
fn each_failure_of_a_bot_is_told_with_its_fix() {
    let bad = |slack| said_of_bot(&doctor(slack, TOKEN, &["--json"]).0);
    let revoked = bad(SlackOptions { token_revoked: true, ..SlackOptions::default() });
    assert_eq!(
        revoked,
        [(
            "bad".to_owned(),
            "Slack refuses the token: token_revoked".to_owned(),
            "the bot token was revoked: install the app again and put its new token where the old one is"
                .to_owned()
        )]
    );
    for (word, fix) in
        [("invalid_auth", "Bot User OAuth Token"), ("account_inactive", "install the app again")]
    {
        let errors = [("auth.test".to_owned(), word.to_owned())].into();
        let said = bad(SlackOptions { errors, ..SlackOptions::default() });
        assert!(said[0].1.ends_with(word) && said[0].2.contains(fix), "{said:?}");
    }
    let said = bad(SlackOptions { scopes: Some(vec!["users:read".to_owned()]), ..SlackOptions::default() });
    let levels: Vec<_> = said.iter().map(|(level, ..)| level.as_str()).collect();
    assert_eq!(levels, ["good", "bad", "warning"], "{said:?}");
    assert!(said[1].1.contains("chat:write") && said[2].1.contains("files:write"), "{said:?}");
    assert!(said[2].2.contains("install the app again"), "{said:?}");
}

#[test]
fn a_token_that_is_not_where_it_should_be_is_told_with_its_place() {
    let (output, _) = doctor(SlackOptions::default(), "ssm:/nowhere", &["--json"]);
    let said = said_of_bot(&output);
    assert_eq!(said[0].0, "bad");
    assert!(said[0].1.contains("no SSM parameter /nowhere in this Region: create it"), "{said:?}");
    // The scenario keeps its webhook there.
    let (output, _) = doctor(SlackOptions::default(), "ssm:/sre-agent/slack-webhook", &["--json"]);
    let said = said_of_bot(&output);
    assert!(said[0].1.contains("the Slack token is not a bot's"), "{said:?}");
}
