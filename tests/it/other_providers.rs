//! Bedrock is down in the Region: a rung at another provider investigates instead, over that provider's own API.

use sre_agent::run::RunEvent;
use sre_agent_emulator::{BedrockOptions, Fault, FaultKind, ModelBehaviour, Options, Turns};

use crate::incident_run::{BAD_DEPLOY, IncidentRun, Seen};
use crate::script::{careful, scripted};

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";
const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

/// Every Converse call meets the fault.
fn bedrock_is_down(kind: FaultKind) -> Options {
    let fault = Fault { action: "bedrock:InvokeModel".to_owned(), kind, times: None };
    Options { faults: vec![fault], ..Options::default() }
}

/// A ladder of two rungs in Bedrock and one at Anthropic.
fn with_anthropic(endpoint: &str) -> String {
    format!(
        "format = 1\n[models]\nprimary = \"{SONNET}\"\n\
         fallback = [\"{HAIKU}\", \"anthropic:claude-sonnet-4-6\"]\n\
         allow_provider = [\"anthropic\"]\nmax_attempts = 1\n\
         [providers.anthropic]\nkey = \"ssm:/sre-agent/anthropic-key\"\nbase_url = \"{endpoint}/anthropic\"\n"
    )
}

/// A ladder of one rung in Bedrock and one at a server that speaks chat completions.
fn with_openai(endpoint: &str) -> String {
    format!(
        "format = 1\n[models]\nprimary = \"{SONNET}\"\nfallback = [\"openai:llama3.1\"]\n\
         allow_provider = [\"openai\"]\nmax_attempts = 1\n\
         [providers.openai]\nbase_url = \"{endpoint}/openai/v1\"\n"
    )
}

fn details(seen: &Seen) -> String {
    serde_json::to_string(&seen.document.details).unwrap()
}

/// Returns status and number of the requests to a service.
fn asked(run: &IncidentRun, service: &str) -> Vec<Option<u16>> {
    let requests = run.emulator.requests();
    requests.iter().filter(|each| each.service == service).map(|each| each.status).collect()
}

fn answered(run: &IncidentRun) -> Vec<String> {
    let model = |event: RunEvent| match event {
        RunEvent::ModelAnswered { model, .. } => Some(model),
        _ => None,
    };
    run.events().into_iter().filter_map(model).collect()
}

#[tokio::test]
async fn without_bedrock_anthropics_api_investigates_with_the_same_recorded_turns() {
    for (kind, said) in [(FaultKind::Overloaded, "unavailable"), (FaultKind::Throttled, "throttled")] {
        let run = IncidentRun::configured(BAD_DEPLOY, bedrock_is_down(kind), with_anthropic).await;
        let seen = run.report().await;
        assert_eq!(seen.outcome, "cause_shown", "{}", seen.card);
        let words = seen.words();
        assert!(words.contains("Model: recorded, played by hand"), "{}", seen.card);
        let line =
            format!("6 answers as Sonnet 4.6 (Anthropic's API) (for Sonnet 4.6, {said}, Haiku 4.5, {said})");
        assert!(words.contains(&line), "{line} is not in {}", seen.card);
        assert!(!words.contains("stale"), "each question is the one that was recorded: {}", seen.card);
        let details = details(&seen);
        for part in [
            format!("Given up: {SONNET} {said} once (Converse: "),
            format!("Given up: {HAIKU} {said} once (Converse: "),
            "(anthropic:claude-sonnet-4-6): 6 answers".to_owned(),
        ] {
            assert!(details.contains(&part), "{part} is not in {details}");
        }
        assert_eq!(answered(&run), ["anthropic:claude-sonnet-4-6"; 6]);
        assert_eq!(asked(&run, "anthropic"), [Some(200); 6]);
        assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 1));
        assert!(!seen.everything().contains("sk-ant-local") && !run.log().contains("sk-ant-local"));
    }
}

#[tokio::test]
async fn without_bedrock_a_server_with_chat_completions_investigates() {
    let mut options = bedrock_is_down(FaultKind::Overloaded);
    // Chat completions hold a message's texts as one and know no failed tool, so recorded turns are not found by them.
    options.bedrock =
        BedrockOptions { turns: Turns::Scripted(scripted(careful)), ..BedrockOptions::default() };
    options.models.insert("openai:llama3.1".to_owned(), ModelBehaviour::Answers);
    let run = IncidentRun::configured(BAD_DEPLOY, options, with_openai).await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown", "{}", seen.card);
    let words = seen.words();
    assert!(words.contains("Model: recorded, scripted"), "{}", seen.card);
    let line = "answers as llama3.1 (OpenAI-compatible endpoint) (for Sonnet 4.6, unavailable)";
    assert!(words.contains(line), "{}", seen.card);
    let details = details(&seen);
    assert!(details.contains(&format!("Given up: {SONNET} unavailable once (Converse: ")), "{details}");
    let models = answered(&run);
    assert!(models.len() > 1 && models.iter().all(|model| model == "openai:llama3.1"), "{models:?}");
    assert_eq!(asked(&run, "openai"), vec![Some(200); models.len()]);
}

#[tokio::test]
async fn where_no_provider_answers_each_is_named_with_its_own_reason() {
    let mut options = bedrock_is_down(FaultKind::InternalError);
    options.faults.push(Fault {
        action: "anthropic:CreateMessage".to_owned(),
        kind: FaultKind::Overloaded,
        times: None,
    });
    let run = IncidentRun::configured(BAD_DEPLOY, options, with_anthropic).await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "facts_only", "{}", seen.card);
    for name in
        ["Sonnet 4.6 unavailable", "Haiku 4.5 unavailable", "Sonnet 4.6 (Anthropic's API) unavailable"]
    {
        assert!(seen.words().contains(name), "{name} is not in {}", seen.card);
    }
    let details = details(&seen);
    let given_up =
        "Given up: anthropic:claude-sonnet-4-6 unavailable once (Messages: overloaded_error: Overloaded)";
    assert!(details.contains(given_up), "{details}");
    assert_eq!(asked(&run, "anthropic"), [Some(529)]);
}

#[tokio::test]
async fn a_key_that_may_not_be_read_leaves_the_facts_and_says_which() {
    let mut options = bedrock_is_down(FaultKind::Overloaded);
    options.denied.push("ssm:GetParameter".to_owned());
    let run = IncidentRun::configured(BAD_DEPLOY, options, with_anthropic).await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "facts_only", "{}", seen.card);
    let details = details(&seen);
    assert!(details.contains("SSM parameter /sre-agent/anthropic-key may not be read"), "{details}");
    assert_eq!(asked(&run, "anthropic"), []);
}
