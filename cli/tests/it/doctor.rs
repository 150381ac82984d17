//! `doctor` and `models` against accounts that differ in one thing each, over real sockets.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use sre_agent_emulator::{Emulator, Fault, FaultKind, ModelBehaviour, Options, Scenario};

use crate::program::{assert_code, copy, project, run, sre_agent, stderr, stdout};

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";

/// Copies a scenario and adds to its description.
fn account(added: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&project().join("scenarios/rds-cpu"), folder.path());
    let path = folder.path().join("scenario.toml");
    let text =
        std::fs::read_to_string(&path).unwrap().replace("2014-04-18T23:43:30Z", "2026-11-24T03:05:30Z");
    // The keys of [models] are changed where they stand; tables are added.
    let (models, tables) = added.split_once('|').unwrap_or(("", added));
    let mut text = text;
    for change in models.split(';').filter(|change| !change.trim().is_empty()) {
        let (id, behaviour) = change.split_once('=').unwrap();
        let before = format!("\"{}\" = \"answers\"", id.trim());
        assert!(text.contains(&before), "{before} is not in the scenario");
        text = text.replace(&before, &format!("\"{}\" = \"{}\"", id.trim(), behaviour.trim()));
    }
    std::fs::write(&path, format!("{text}\n{tables}")).unwrap();
    folder
}

fn doctor(folder: &Path, options: &[&str]) -> Output {
    let mut arguments = vec!["doctor", "--scenario", folder.to_str().unwrap()];
    arguments.extend(options);
    run(&arguments)
}

fn usable(output: &Output) -> Vec<String> {
    let printed: Value = serde_json::from_str(&stdout(output)).unwrap();
    printed["usable"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Returns level and reason of everything that is said of a model.
fn said_of(output: &Output, subject: &str) -> Vec<(String, String)> {
    let printed: Value = serde_json::from_str(&stdout(output)).unwrap();
    let parts = printed["parts"].as_array().unwrap();
    let models = parts.iter().find(|part| part["heading"].as_str().unwrap().starts_with("Models")).unwrap();
    let checks = models["checks"].as_array().unwrap().iter().filter(|check| check["subject"] == subject);
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    checks.map(|check| (text(check, "level"), text(check, "reason") + " -> " + &text(check, "fix"))).collect()
}

#[test]
fn all_is_well_where_the_first_model_answers() {
    let folder = account("");
    let output = doctor(folder.path(), &["--model", SONNET, "--call-models"]);
    assert_code(&output, 0);
    insta::assert_snapshot!(stdout(&output));
    assert!(
        stderr(&output).contains("a first call may accept a Marketplace subscription"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_default_model_is_at_the_end_of_its_life_and_a_fallback_is_usable() {
    let output = run(&["doctor", "--scenario", "lambda-bad-deploy", "--json", "-q"]);
    assert_code(&output, 0);
    assert_eq!(
        usable(&output),
        [SONNET, "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-pro-v1:0"]
    );
    assert_eq!(
        said_of(&output, "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        [(
            "bad".to_owned(),
            format!(
                "reached the end of its life on 2026-03-01: AWS has retired it -> Put a current model first \
                 (SRE_AGENT_MODEL), for instance {SONNET}; see: sre-agent models"
            )
        )]
    );
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_denial_in_one_destination_region_is_named_with_the_region_and_the_policy() {
    let folder = account(&format!("[[model]]\nid = \"{}\"\ndenied_in = [\"us-west-2\"]\n", &SONNET[3..]));
    let output = doctor(folder.path(), &["--model", SONNET, "--call-models", "--json"]);
    assert_code(&output, 0);
    assert!(!usable(&output).contains(&SONNET.to_owned()));
    let said = said_of(&output, SONNET);
    let (level, reason) = said.last().unwrap();
    assert_eq!(level, "bad");
    assert!(
        reason.contains("arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-6"),
        "{reason}"
    );
    assert!(reason.contains(&format!("sre-agent iam-policy --model {SONNET}")), "{reason}");
}

#[test]
fn a_quota_that_is_too_small_for_an_investigation_is_warned_of_by_its_name() {
    let name = "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.6";
    let folder = account(&format!("[[quota]]\nname = \"{name}\"\nvalue = 1.0\nadjustable = true\n"));
    let output = doctor(folder.path(), &["--model", SONNET, "--json"]);
    assert_code(&output, 0);
    let said = said_of(&output, SONNET);
    let (level, reason) =
        said.iter().find(|(_, reason)| reason.contains("a minute: quota")).expect("the quota");
    assert_eq!(level, "warning");
    assert!(
        reason.starts_with("1 request a minute: quota too small for an investigation at full"),
        "{reason}"
    );
    assert!(reason.contains("aws service-quotas request-service-quota-increase"), "{reason}");
}

#[test]
fn where_nothing_is_usable_the_exit_code_says_so() {
    let folder = account(
        "anthropic.claude-sonnet-4-6 = access_denied; anthropic.claude-haiku-4-5-20251001-v1:0 = access_denied; \
         amazon.nova-pro-v1:0 = end_of_life|",
    );
    let output = doctor(folder.path(), &["--call-models"]);
    assert_code(&output, 1);
    let text = stdout(&output);
    assert!(text.ends_with("No configured model is usable: reports will hold facts only.\n"), "{text}");
    assert!(!stderr(&output).contains("error:"), "{}", stderr(&output));
}

#[test]
fn a_missing_permission_of_doctor_degrades_to_a_note() {
    let folder = account(
        "[[denied]]\naction = \"servicequotas:ListServiceQuotas\"\n[[denied]]\naction = \"bedrock:ListInferenceProfiles\"\n\
         [[denied]]\naction = \"logs:FilterLogEvents\"\n",
    );
    let output = doctor(folder.path(), &["--model", SONNET]);
    assert_code(&output, 0);
    let text = stdout(&output);
    for words in [
        "Allow servicequotas:ListServiceQuotas to see it",
        "Allow logs:FilterLogEvents to the role",
        "(by the built-in table)",
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
}

#[test]
fn a_test_message_is_posted_only_when_asked_for() {
    let folder = account("");
    let silent = doctor(folder.path(), &["-q"]);
    assert!(stdout(&silent).contains("cannot be seen without posting one"), "{}", stdout(&silent));
    let posted = doctor(folder.path(), &["-q", "--post-test"]);
    assert_code(&posted, 0);
    assert_eq!(stdout(&posted).matches("took the test message").count(), 2, "{}", stdout(&posted));
}

#[test]
fn without_credentials_no_model_is_usable_and_the_reason_is_told_once() {
    let output = run(&["doctor", "--region", "us-east-1"]);
    assert_code(&output, 1);
    let text = stdout(&output);
    assert_eq!(text.matches("AWS does not know who asks").count(), 1, "{text}");
    assert!(text.contains("aws sts get-caller-identity"), "{text}");
    let nowhere = run(&["doctor"]);
    assert_code(&nowhere, 2);
    assert!(stderr(&nowhere).contains("--region"), "{}", stderr(&nowhere));
}

const CLAUDE: &str = "anthropic:claude-sonnet-4-6";
const LLAMA: &str = "openai:llama3.1";

/// Runs `doctor` over a ladder of one model in Bedrock, one at Anthropic and one at home, all served by the emulator;
/// returns what it printed and how many requests reached the two others.
fn doctor_elsewhere(change: impl FnOnce(&mut Options), key: &str, options: &[&str]) -> (Output, usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scenario = Scenario::load(&project().join("scenarios/lambda-bad-deploy")).unwrap();
    let mut served = Options::default();
    served.models.insert(LLAMA.to_owned(), ModelBehaviour::Answers);
    change(&mut served);
    let emulator = runtime.block_on(Emulator::start(scenario, served)).unwrap();
    let endpoint = emulator.endpoint();
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("config.toml");
    let text = format!(
        "format = 1\n[models]\nprimary = \"{SONNET}\"\nfallback = [\"{CLAUDE}\", \"{LLAMA}\"]\n\
         allow_provider = [\"anthropic\", \"openai\"]\n\
         [providers.anthropic]\nkey = \"ssm:{key}\"\nbase_url = \"{endpoint}/anthropic\"\n\
         [providers.openai]\nbase_url = \"{endpoint}/openai/v1\"\n"
    );
    std::fs::write(&document, text).unwrap();
    let arguments: Vec<&str> = ["doctor", "--json", "-q"].iter().chain(options).copied().collect();
    let output = sre_agent(&arguments)
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("SRE_AGENT_CONFIG", &document)
        .output()
        .unwrap();
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
    let requests = emulator.requests();
    let elsewhere = requests.iter().filter(|each| ["anthropic", "openai"].contains(&each.service.as_str()));
    (output, elsewhere.count())
}

const KEY: &str = "/sre-agent/anthropic-key";

fn row(level: &str, text: &str) -> (String, String) {
    (level.to_owned(), text.to_owned())
}

#[test]
fn a_model_of_another_provider_is_looked_at_without_a_call_and_asked_with_one() {
    let (output, requests) = doctor_elsewhere(|_| {}, KEY, &[]);
    assert_code(&output, 0);
    assert_eq!((usable(&output), requests), (vec![SONNET.into(), CLAUDE.into(), LLAMA.into()], 0));
    let unknown = row("note", "not in AWS: whether it answers shows only a call -> --call-models makes one.");
    let key = row("good", &format!("its key was read from SSM parameter {KEY} -> "));
    assert_eq!(said_of(&output, CLAUDE), [key.clone(), unknown.clone()]);
    assert_eq!(said_of(&output, LLAMA), [row("good", "asked without a key -> "), unknown]);

    let (output, requests) = doctor_elsewhere(|_| {}, KEY, &["--call-models"]);
    assert_code(&output, 0);
    let answered = row("good", "answered a minimal call -> ");
    assert_eq!(said_of(&output, CLAUDE), [key, answered.clone()]);
    assert_eq!(said_of(&output, LLAMA)[1], answered);
    assert_eq!(requests, 2);
    assert!(!stdout(&output).contains("sk-ant-local"), "{}", stdout(&output));
}

#[test]
fn a_key_that_is_not_there_is_told_without_a_call() {
    let (output, requests) = doctor_elsewhere(|_| {}, "/nowhere", &["--call-models"]);
    assert_code(&output, 0);
    assert_eq!((usable(&output), requests), (vec![SONNET.into(), LLAMA.into()], 1));
    let said = said_of(&output, CLAUDE);
    assert_eq!((said.len(), said[0].0.as_str()), (1, "bad"));
    assert!(said[0].1.contains("no SSM parameter /nowhere in this Region: create it"), "{said:?}");
}

#[test]
fn a_call_of_another_provider_that_fails_is_explained_in_its_own_terms() {
    // The webhook's address stands in for a key that the provider does not take.
    let (output, _) = doctor_elsewhere(|_| {}, "/sre-agent/slack-webhook", &["--call-models"]);
    assert_eq!(usable(&output), [SONNET, LLAMA]);
    let said = said_of(&output, CLAUDE);
    let wanted = "a minimal call failed, no valid credentials: The provider does not take the key";
    assert!(said[1].0 == "bad" && said[1].1.starts_with(wanted), "{said:?}");

    let busy = |options: &mut Options| {
        let fault = |action: &str, kind| Fault { action: action.to_owned(), kind, times: None };
        options.faults.push(fault("anthropic:CreateMessage", FaultKind::Overloaded));
        options.models.insert(LLAMA.to_owned(), ModelBehaviour::InvalidIdentifier);
    };
    let (output, _) = doctor_elsewhere(busy, KEY, &["--call-models"]);
    assert_eq!(usable(&output), [SONNET]);
    let said = said_of(&output, CLAUDE);
    assert!(said[1].1.contains("unavailable: The provider is short of capacity or failed"), "{said:?}");
    let said = said_of(&output, LLAMA);
    assert!(said[1].1.contains("unknown model id: The provider does not know openai:llama3.1"), "{said:?}");
}

#[test]
fn models_joins_the_catalogue_with_the_account() {
    let output = run(&["models", "--scenario", "lambda-bad-deploy", "--json", "-q"]);
    assert_code(&output, 0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let rows = printed["models"].as_array().unwrap();
    let of =
        |id: &str| rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id} is not listed"));
    let old = of("us.anthropic.claude-3-5-sonnet-20241022-v2:0");
    assert_eq!(
        (&old["ready"], &old["configured"], &old["lifecycle"]),
        (&false.into(), &1.into(), &"retired 2026-03-01".into())
    );
    let sonnet = of(SONNET);
    assert_eq!(
        (&sonnet["ready"], &sonnet["access"], &sonnet["tier"]),
        (&true.into(), &"us profile".into(), &"strong".into())
    );
    assert_eq!(sonnet["requests_per_minute"], 200.0);
    assert_eq!(of("global.anthropic.claude-sonnet-4-6")["access"], "global profile");
    assert_eq!(of("amazon.nova-pro-v1:0")["access"], "direct");
}

#[test]
fn without_an_account_models_prints_the_catalogue_and_says_so() {
    for arguments in [&["models"][..], &["models", "--region", "us-east-1"]] {
        let output = sre_agent(arguments).output().unwrap();
        assert_code(&output, 0);
        assert!(stderr(&output).contains("the catalogue alone"), "{}", stderr(&output));
        assert!(stdout(&output).contains("anthropic.claude-sonnet-4-6"), "{}", stdout(&output));
        assert!(!stdout(&output).contains("  yes"), "{}", stdout(&output));
    }
}

#[test]
fn the_topic_is_looked_at_and_the_documents_earlier_primary_is_told_and_judged() {
    let document = |model: &str| format!("format = 1\\n[models]\\nprimary = \\\"{model}\\\"\\n");
    let folder = account(&format!(
        "[[parameter]]\nname = \"/sre-agent/config\"\ntype = \"String\"\nvalue = \"{}\"\nearlier = [\"{}\", \"{}\", \"no = = toml\"]\n",
        document("us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        document("us.amazon.nova-pro-v1:0"),
        document("us.anthropic.claude-3-7-sonnet-20250219-v1:0"),
    ));
    let output = sre_agent(&["doctor", "--scenario", folder.path().to_str().unwrap(), "--json"])
        .env("SRE_AGENT_CONFIG", "ssm:/sre-agent/config")
        .output()
        .unwrap();
    assert_code(&output, 0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let parts = printed["parts"].as_array().unwrap();
    let part =
        |heading: &str| parts.iter().find(|part| part["heading"] == heading).unwrap()["checks"].clone();
    let history = part("Configuration document");
    assert_eq!(history[0]["subject"], "ssm:/sre-agent/config");
    assert_eq!(
        history[0]["reason"], "before, version 1 named us.amazon.nova-pro-v1:0, which can be called today",
        "version 2 is newer, and its model is retired"
    );
    let topics = part("Channels");
    let topic = topics.as_array().unwrap().iter().find(|check| check["subject"] == "sns").unwrap();
    assert_eq!(topic["reason"], "the topic is there with 1 confirmed subscription");
    assert_eq!(topic["level"], "good");
}
