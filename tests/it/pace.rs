//! A scarce quota over real sockets: two alarms at once, at 1, 2 and 10 requests a minute, with the rate known and not.

use std::time::Duration;

use serde_json::json;
use sre_agent::model::ModelId;
use sre_agent::model::ladder::Ladder;
use sre_agent::model::pace::Quota;
use sre_agent_emulator::{CallOutcome, ConverseCall, Quota as ListedQuota, ScriptedAnswer};

use crate::incident_run::{BAD_DEPLOY, IncidentRun, alarm_of, answering, sns_event};
use crate::script::{Turn, call, careful, conclusion};

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";

/// A minute of the emulated quota.
const MINUTE: Duration = Duration::from_millis(500);

/// A longer one: a full run does not fit the time at one request in each.
const LONG_MINUTE: Duration = Duration::from_secs(4);

/// Calls of one model under way at once.
const WIDEST: u32 = 4;

/// The scenario's alarm, and the same of a namesake in another account: a resource of its own, so nothing merges them.
fn two_alarms() -> Vec<u8> {
    let alarm = alarm_of(BAD_DEPLOY);
    let other = alarm.to_string().replace("123456789012", "111122223333");
    sns_event(&[alarm, serde_json::from_str(&other).unwrap()])
}

/// Of the function without data nothing can be said, and that is said.
fn concluded(turn: &Turn) -> ScriptedAnswer {
    let mut form = conclusion(turn);
    if form["claims"] == json!([]) {
        form["not_visible"] = json!(["everything about it"]);
    }
    call("submit_conclusion", &form)
}

fn throttled(call: &ConverseCall) -> bool {
    matches!(call.outcome, CallOutcome::Refused { status: 429, .. })
}

/// What two alarms at once came to.
struct Came {
    outcomes: Vec<(String, String)>,
    calls: Vec<ConverseCall>,
}

/// How the rate comes to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    Configured,
    /// Service Quotas lists it, and nothing else says it.
    Listed,
    ToBeLearned,
}

async fn two_alarms_at(requests: u32, minute: Duration, rate: Rate) -> Came {
    let mut options =
        answering(
            |turn: &Turn| {
                if turn.offers("submit_conclusion") { concluded(turn) } else { careful(turn) }
            },
        );
    options.bedrock.requests_per_minute = Some(requests);
    options.bedrock.minute = minute;
    if rate == Rate::Listed {
        options.bedrock.account.quotas.push(ListedQuota {
            name: "Cross-Region model inference requests per minute for Anthropic Claude Sonnet 4.6".into(),
            value: Some(requests.into()),
            ..ListedQuota::default()
        });
    }
    let mut run = IncidentRun::start(options).await;
    let config = &mut run.services.config;
    config.publish_reserve = Duration::from_secs(4);
    config.quotas.minute = minute;
    if rate == Rate::Configured {
        let quota = Quota { requests: Some(requests), tokens: None };
        config.quotas.models.insert(ModelId::from(SONNET), quota);
    }
    run.services.ladder = Ladder::new([ModelId::from(SONNET)], WIDEST, &config.quotas).into();
    let time = Duration::from_secs(40);
    let response = tokio::time::timeout(time, run.handle(&two_alarms(), time)).await.unwrap().unwrap();
    let outcomes = response.runs.iter().map(|run| {
        let document = run.document.as_ref().unwrap();
        let depth = document.data["depth"]["depth"].as_str().unwrap().to_owned();
        assert_eq!(run.delivered.len(), 2, "both channels took it");
        (run.outcome.clone(), depth)
    });
    let came = Came { outcomes: outcomes.collect(), calls: run.emulator.converse_calls() };
    let refused = came.calls.iter().filter(|call| throttled(call)).count();
    println!(
        "{requests} a minute, {rate:?}: {} requests, {refused} refused, {:?}",
        came.calls.len(),
        came.outcomes
    );
    came
}

fn assert_reported(came: &Came) {
    assert_eq!(came.outcomes.len(), 2);
    for (outcome, _) in &came.outcomes {
        assert_ne!(outcome, "facts_only", "a model answered each: {:?}", came.outcomes);
    }
}

#[tokio::test]
async fn with_a_known_rate_nothing_is_refused_and_both_alarms_get_a_report_of_a_model() {
    for (requests, minute, rate) in [
        (1, LONG_MINUTE, Rate::Configured),
        (1, LONG_MINUTE, Rate::Listed),
        (2, MINUTE, Rate::Configured),
        (2, MINUTE, Rate::Listed),
        (10, MINUTE, Rate::Configured),
    ] {
        let came = two_alarms_at(requests, minute, rate).await;
        assert_reported(&came);
        assert_eq!(came.calls.iter().filter(|call| throttled(call)).count(), 0, "{requests}");
        let expected =
            if minute == LONG_MINUTE { ("likely_cause", "brief") } else { ("cause_shown", "full") };
        let (outcome, depth) = &came.outcomes[0];
        assert_eq!((outcome.as_str(), depth.as_str()), expected, "{requests}");
    }
}

#[tokio::test]
async fn with_an_unknown_rate_only_what_was_under_way_at_the_first_refusal_is_refused() {
    for requests in [1, 2, 10] {
        let came = two_alarms_at(requests, MINUTE, Rate::ToBeLearned).await;
        assert_reported(&came);
        let refused = came.calls.iter().filter(|call| throttled(call)).count();
        assert!(refused <= usize::try_from(WIDEST).unwrap(), "{refused} refused at {requests}");
    }
}
