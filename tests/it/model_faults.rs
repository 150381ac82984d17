//! Models that throttle, retire, refuse, babble or dawdle: what the responder gets all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sre_agent::id::Seed;
use sre_agent::investigation::depth::Depth;
use sre_agent::model::ModelId;
use sre_agent::model::ladder::Ladder;
use sre_agent::model::pace::Quota;
use sre_agent::run::RunEvent;
use sre_agent_emulator::{BedrockOptions, CallOutcome, ModelBehaviour, Options, ScriptedAnswer, Turns};

use crate::incident_run::{
    BAD_DEPLOY, ENOUGH, IncidentRun, Seen, alarm_of, answering, in_one_line, later_alarm, sns_event,
};
use crate::script::{Turn, call, careful, conclusion, plan, scripted};

const RETIRED: &str = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
const SONNET: &str = "us.anthropic.claude-sonnet-4-6";
const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA: &str = "us.amazon.nova-pro-v1:0";

/// The careful model behind a Bedrock that misbehaves.
fn careful_with(change: impl FnOnce(&mut BedrockOptions)) -> Options {
    let mut options = answering(careful);
    change(&mut options.bedrock);
    options
}

/// Returns a seed whose first draws of jitter are small, so that the waits of a test are short.
fn short_waits(draws: usize) -> Option<Seed> {
    (0..10_000_000).map(Seed).find(|seed| {
        let mut jitter = seed.for_purpose("jitter").generator();
        (0..draws).all(|_| jitter.f64() < 0.15)
    })
}

fn count(events: &[RunEvent], is_wanted: impl Fn(&RunEvent) -> bool) -> usize {
    events.iter().filter(|event| is_wanted(event)).count()
}

/// A report without a conclusion reached both channels and says that no model answered.
fn assert_facts_posted(run: &IncidentRun, seen: &Seen) {
    assert_eq!(seen.outcome, "facts_only");
    assert!(seen.card.contains("FACTS ONLY"), "{}", seen.card);
    assert!(seen.words().contains("version 58"), "the computed facts stand: {}", seen.card);
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (1, 1));
    assert!(seen.slack.to_string().contains("FACTS ONLY"), "{}", seen.slack);
    assert!(seen.email.contains("FACTS ONLY"), "{}", seen.email);
    assert_eq!(seen.json["data"]["outcome"], "facts_only");
    assert_eq!(seen.json["data"]["verdict"], Value::Null);
}

/// Returns each model that was given up with the name of its diagnosis.
fn diagnosed(run: &IncidentRun) -> Vec<(String, String)> {
    let told = run.events().into_iter().filter_map(|event| match event {
        RunEvent::Diagnosed { model, diagnosis, .. } => Some((model, diagnosis)),
        _ => None,
    });
    told.collect()
}

#[tokio::test]
async fn a_model_that_throttles_three_times_is_waited_for_and_then_investigates() {
    let mut run = IncidentRun::start(careful_with(|bedrock| bedrock.throttle_first = Some(3))).await;
    run.services.seed = short_waits(3);
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown");
    assert!(seen.card.contains("CAUSE SHOWN"), "{}", seen.card);
    let events = run.events();
    assert_eq!(count(&events, |event| matches!(event, RunEvent::Waiting { .. })), 3);
    let throttled =
        |event: &RunEvent| matches!(event, RunEvent::ModelFailed { class, .. } if class == "throttled");
    assert_eq!(count(&events, throttled), 3);
    // Plan, three specialists, conclusion and review were answered.
    assert_eq!(seen.json["data"]["spent"]["calls"], json!({SONNET: 6}));
    assert!(seen.words().contains("6 answers"), "{}", seen.card);
    let finished = |event: &RunEvent| matches!(event, RunEvent::Finished { model_calls: 6, .. });
    assert_eq!(count(&events, finished), 1);
    let called = |event: &RunEvent| matches!(event, RunEvent::ModelCalled { .. });
    assert_eq!(count(&events, called), run.emulator.converse_calls().len());
    // The retired model once, Sonnet three times for nothing and six times for an answer.
    assert_eq!(run.emulator.converse_calls().len(), 10);
}

#[tokio::test]
async fn models_that_throttle_for_ever_leave_the_facts_and_are_each_named_with_their_tries() {
    let mut run = IncidentRun::start(careful_with(|bedrock| bedrock.throttle_first = Some(u32::MAX))).await;
    run.services.config.max_attempts = 3;
    run.services.seed = short_waits(6);
    let seen = run.report().await;
    assert_facts_posted(&run, &seen);
    let words = seen.words();
    assert!(words.contains("no AI model answered"), "{}", seen.card);
    for part in [
        "3.5 Sonnet v2 retired",
        "Sonnet 4.6 throttled 3 times",
        "Haiku 4.5 throttled 3 times",
        "Nova Pro throttled 3 times",
    ] {
        assert!(words.contains(part), "{part} is not in {}", seen.card);
    }
    // Report and log say of each what it means and what to do.
    let details = serde_json::to_string(&seen.document.details).unwrap();
    for part in [
        "Why: AWS has retired us.anthropic.claude-3-5-sonnet-20241022-v2:0; no account can call it any more.",
        "Remedy: Make a current model the primary",
        "Cross-region model inference requests per minute for Anthropic Claude Haiku 4.5",
        "sre-agent doctor",
    ] {
        assert!(details.contains(part), "{part} is not in {details}");
    }
    let diagnosed = diagnosed(&run);
    // Service Quotas lists more than a run makes, so somebody else uses the rate up.
    let throttled = |model: &str| (model.to_owned(), "throttled_burst".to_owned());
    assert_eq!(
        diagnosed,
        [
            (RETIRED.to_owned(), "end_of_life".to_owned()),
            throttled(SONNET),
            throttled(HAIKU),
            throttled(NOVA)
        ]
    );
    let asked: Vec<String> = run.emulator.converse_calls().into_iter().map(|call| call.model_id).collect();
    assert_eq!(asked, [RETIRED, SONNET, SONNET, SONNET, HAIKU, HAIKU, HAIKU, NOVA, NOVA, NOVA]);
}

#[tokio::test]
async fn a_refusal_is_told_as_a_burst_or_as_a_quota_too_small_where_the_rate_is_known() {
    let mut run = IncidentRun::start(Options {
        // Of the first model no rate is known: its quotas cannot be read.
        denied: vec!["servicequotas:ListServiceQuotas".into()],
        ..careful_with(|bedrock| bedrock.throttle_first = Some(u32::MAX))
    })
    .await;
    run.services.config.max_attempts = 1;
    let quotas = &mut run.services.config.quotas;
    for (model, requests) in [(HAIKU, 1), (NOVA, 500)] {
        quotas.models.insert(ModelId::from(model), Quota { requests: Some(requests), tokens: None });
    }
    let models = [SONNET, HAIKU, NOVA].map(ModelId::from);
    run.services.ladder = Ladder::new(models, 4, &run.services.config.quotas).into();
    run.services.config.depth = Some(Depth::Full);
    let seen = run.report().await;
    assert_facts_posted(&run, &seen);
    let diagnosed = diagnosed(&run);
    assert_eq!(
        diagnosed,
        [(SONNET, "throttled_requests"), (HAIKU, "quota_too_small"), (NOVA, "throttled_burst")]
            .map(|(model, name)| (model.to_owned(), name.to_owned()))
    );
    let details = serde_json::to_string(&seen.document.details).unwrap();
    assert!(
        details.contains("is too small for one run (1 request a minute; 11 calls planned in "),
        "{details}"
    );
}

#[tokio::test]
async fn a_throttled_model_that_asks_for_more_time_than_is_left_is_not_waited_for() {
    let mut run = IncidentRun::start(careful_with(|bedrock| {
        bedrock.throttle_first = Some(u32::MAX);
        bedrock.retry_after = Some(Duration::from_hours(1));
    }))
    .await;
    run.services.config.publish_reserve = Duration::from_secs(5);
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let seen = run.report_of(&event, Duration::from_secs(20)).await;
    assert_facts_posted(&run, &seen);
    assert_eq!(count(&run.events(), |event| matches!(event, RunEvent::Waiting { .. })), 0);
}

#[tokio::test]
async fn a_retired_primary_is_named_with_its_stand_in_and_asked_once_in_a_process() {
    let mut run = IncidentRun::start(answering(careful)).await;
    run.services.config.depth = Some(Depth::Full);
    run.services.config.cool_down = Duration::ZERO;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown");
    assert!(seen.words().contains("Sonnet 4.6 (for retired 3.5 Sonnet v2)"), "{}", seen.card);
    let second = run.report_of(&sns_event(&[later_alarm(3)]), ENOUGH).await;
    assert_eq!(second.outcome, "cause_shown");
    assert!(second.words().contains("Sonnet 4.6 (for retired 3.5 Sonnet v2)"), "{}", second.card);
    let dead = run.emulator.converse_calls().into_iter().filter(|call| call.model_id == RETIRED);
    assert_eq!(dead.count(), 1);
}

#[tokio::test]
async fn models_that_the_role_may_not_use_leave_the_facts_and_the_missing_permission() {
    let mut options = answering(careful);
    options.models = BTreeMap::from(
        [RETIRED, SONNET, HAIKU, NOVA].map(|model| (model.to_owned(), ModelBehaviour::AccessDenied)),
    );
    let run = IncidentRun::start(options).await;
    let seen = run.report().await;
    assert_facts_posted(&run, &seen);
    for model in ["3.5 Sonnet v2", "Sonnet 4.6", "Haiku 4.5", "Nova Pro"] {
        assert!(seen.words().contains(&format!("{model} access denied")), "{}", seen.card);
    }
    assert!(in_one_line(&seen.email).contains("bedrock:InvokeModel"), "{}", seen.email);
    assert_eq!(run.emulator.converse_calls().len(), 4, "a denial is not tried again");
}

#[tokio::test]
async fn a_tool_call_that_cannot_be_read_is_asked_for_again() {
    let run = IncidentRun::start(careful_with(|bedrock| bedrock.malformed_tool_use = 1)).await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown");
    assert_eq!(seen.json["data"]["spent"]["calls"], json!({SONNET: 7}));
}

#[tokio::test]
async fn tool_calls_that_can_never_be_read_leave_the_facts_and_say_so() {
    let run = IncidentRun::start(careful_with(|bedrock| bedrock.malformed_tool_use = u32::MAX)).await;
    let seen = run.report().await;
    assert_facts_posted(&run, &seen);
    assert!(in_one_line(&seen.email).contains("tool calls could not be read"), "{}", seen.email);
    let agents = seen.json["data"]["agents"].as_array().unwrap();
    assert!(agents.len() >= 4, "{agents:?}");
    assert!(agents.iter().all(|agent| agent["outcome"] != "complete"), "{agents:?}");
}

#[tokio::test]
async fn a_slow_model_and_greedy_agents_end_in_a_report_before_the_deadline() {
    let greedy = |turn: &Turn| {
        if turn.offers("submit_findings") && !turn.says("This is your last turn") {
            call("read_evidence", &json!({"id": format!("M{}", turn.turn)}))
        } else {
            careful(turn)
        }
    };
    let mut options = answering(greedy);
    options.bedrock.latency = Duration::from_secs(2);
    let mut run = IncidentRun::start(options).await;
    run.services.config.publish_reserve = Duration::from_secs(5);
    let time = Duration::from_secs(20);
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    let seen = tokio::time::timeout(time, run.report_of(&event, time)).await.unwrap();
    // On a busy machine no time may be left for the review, and the report says so.
    assert!(["cause_shown", "likely_cause"].contains(&seen.outcome.as_str()), "{}", seen.card);
    // Slack has had the facts before; the topic's readers get one message.
    assert_eq!((run.emulator.slack_messages().len(), run.emulator.published().len()), (2, 1));
}

#[tokio::test]
async fn a_run_with_too_little_time_for_a_model_says_so_and_posts_the_facts() {
    let run = IncidentRun::start(answering(careful)).await;
    let event = sns_event(&[alarm_of(BAD_DEPLOY)]);
    // A quarter is kept for posting.
    let seen = run.report_of(&event, Duration::from_secs(6)).await;
    assert_facts_posted(&run, &seen);
    assert!(seen.words().contains("too few for an investigation"), "{}", seen.card);
    assert_eq!(run.emulator.converse_calls(), []);
}

/// Plans well; every other agent says nothing that can be used.
fn planned_and_then(answer: impl Fn(&Turn) -> ScriptedAnswer + Send + Sync + 'static) -> Options {
    answering(move |turn: &Turn| {
        if turn.offers("plan_investigation") { call("plan_investigation", &plan()) } else { answer(turn) }
    })
}

#[tokio::test]
async fn a_run_whose_agents_all_failed_is_never_reported_as_investigated() {
    let text = |words: &str| ScriptedAnswer::Answer(json!({"text": words}));
    let refused = ScriptedAnswer::Refused {
        status: 424,
        exception: "ModelErrorException".to_owned(),
        message: "The model failed.".to_owned(),
    };
    let unreadable = |turn: &Turn| {
        let tool = if turn.offers("submit_findings") { "submit_findings" } else { "submit_conclusion" };
        call(tool, &json!({"claims": "many"}))
    };
    let empty = |turn: &Turn| {
        let tool = if turn.offers("submit_findings") { "submit_findings" } else { "submit_conclusion" };
        call(tool, &json!({"claims": [], "next_steps": []}))
    };
    let ways: Vec<(&str, Options)> = vec![
        ("silent", planned_and_then(move |_| text("All is well."))),
        ("failing", planned_and_then(move |_| refused.clone())),
        ("unreadable", planned_and_then(unreadable)),
        ("empty", planned_and_then(empty)),
        ("wrong tool", planned_and_then(|_| call("restart_everything", &json!({})))),
    ];
    for (way, options) in ways {
        let mut run = IncidentRun::start(options).await;
        run.services.config.max_attempts = 1;
        let seen = run.report().await;
        assert_eq!(seen.outcome, "facts_only", "{way}: {}", seen.card);
        assert_facts_posted(&run, &seen);
        assert!(seen.words().contains("No AI:"), "{way}: {}", seen.card);
    }
}

#[tokio::test]
async fn the_log_of_a_run_proves_that_the_model_was_reached_and_what_came_of_it() {
    let run = IncidentRun::start(answering(careful)).await;
    let seen = run.report().await;
    let events = run.events();
    let created = |event: &RunEvent| matches!(event, RunEvent::ModelClientCreated { model, region, .. } if model == SONNET && region == "us-east-1");
    assert_eq!(count(&events, created), 1);
    let called = |event: &RunEvent| matches!(event, RunEvent::ModelCalled { model, api, .. } if model == SONNET && api == "Converse");
    assert_eq!(count(&events, called), 6);
    let answered: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::ModelAnswered { request_id, .. } => request_id.as_deref(),
            _ => None,
        })
        .collect();
    let calls = run.emulator.converse_calls();
    let sent: Vec<&str> = calls
        .iter()
        .filter(|call| matches!(call.outcome, CallOutcome::Answered { .. }))
        .map(|call| call.request_id.as_str())
        .collect();
    assert_eq!(sent.len(), 6);
    assert!(sent.iter().all(|id| answered.contains(id)), "{sent:?} against {answered:?}");
    let finished =
        |event: &RunEvent| matches!(event, RunEvent::Finished { outcome, .. } if *outcome == seen.outcome);
    assert_eq!(count(&events, finished), 1);
    let log = run.log();
    for name in ["model_client_created", "model_called", "model_answered", "finished", "delivered"] {
        assert!(log.contains(&format!("\"event\":\"{name}\"")), "{name} is not in {log}");
    }
}

#[tokio::test]
async fn a_recorded_answer_and_a_scripted_one_are_never_passed_off_as_a_live_call() {
    let turns = Turns::Scripted(scripted(careful));
    let run = IncidentRun::start(Options {
        bedrock: BedrockOptions { turns, ..BedrockOptions::default() },
        ..Options::default()
    })
    .await;
    let seen = run.report().await;
    assert!(seen.words().contains("Model: recorded, scripted; no Bedrock call"), "{}", seen.card);
    assert!(!seen.card.contains('$'), "{}", seen.card);
}

#[tokio::test]
async fn what_fails_is_shown_and_why_is_not_where_nothing_that_would_show_it_is_named() {
    for (not_visible, outcome, headline) in [
        (json!([]), "symptom_only", "SYMPTOM SHOWN, CAUSE NOT"),
        (json!(["what changed in the client"]), "cannot_be_shown", "CAUSE CANNOT BE SHOWN"),
    ] {
        let mut run = IncidentRun::start(answering(move |turn: &Turn| {
            let mut form = conclusion(turn);
            if let Some(claims) = form["claims"].as_array_mut() {
                claims.retain(|claim| claim["kind"] != "cause");
            }
            form["statement"] = form["claims"][0].clone();
            form["not_visible"] = not_visible.clone();
            call("submit_conclusion", &form)
        }))
        .await;
        run.services.config.depth = Some(Depth::Brief);
        let seen = run.report().await;
        assert_eq!(seen.outcome, outcome);
        assert!(seen.words().contains(headline), "{}", seen.card);
    }
}
