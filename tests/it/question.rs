//! A person's question about an alarm: one analyst, one answer, checked like a claim.

use serde_json::{Value, json};
use sre_agent::clock::Deadline;
use sre_agent::handler::ask;
use sre_agent::investigation::depth::Depth;
use sre_agent::report::json::Report;
use sre_agent::report::kept::Kept;
use sre_agent_emulator::{CallOutcome, Options};

use crate::incident_run::{ENOUGH, IncidentRun, Seen, answering, in_one_line};
use crate::script::{Turn, call, careful, conclusion};

const QUESTION: &str = "Since when does invoice-render fail?";

fn asked() -> Vec<u8> {
    json!({"alarmName": "invoice-render-errors", "question": QUESTION}).to_string().into_bytes()
}

/// Asks the question; the model fills the form in as `change` leaves it.
async fn answered(change: impl Fn(&mut Value) + Send + Sync + 'static) -> (Seen, IncidentRun) {
    let script = move |turn: &Turn| {
        assert_eq!(turn.agent, "question");
        assert!(turn.says(QUESTION), "the model reads the question");
        let mut form = conclusion(turn);
        change(&mut form);
        call("submit_conclusion", &form)
    };
    let run = IncidentRun::start(answering(script)).await;
    let seen = run.report_of(&asked(), ENOUGH).await;
    (seen, run)
}

/// The conclusion's first symptom, said as the answer.
fn as_answer(form: &Value) -> Value {
    let claims = form["claims"].as_array().unwrap();
    claims.iter().find(|claim| claim["kind"] == "symptom").unwrap().clone()
}

#[tokio::test]
async fn an_answer_that_stands_is_told_with_the_question_and_costs_one_call() {
    let (seen, run) = answered(|form| form["statement"] = as_answer(form)).await;
    assert_eq!(seen.outcome, "answered");
    assert!(seen.words().contains(&format!("ANSWER · {QUESTION}")), "{}", seen.card);
    assert!(seen.words().contains("Likely cause: "), "a cause that stands is a reason: {}", seen.card);
    assert_eq!(seen.document.data["outcome"], "answered");
    assert_eq!(seen.document.data["question"], QUESTION);
    let calls = run.emulator.converse_calls();
    let answered = calls.iter().filter(|call| matches!(call.outcome, CallOutcome::Answered { .. }));
    assert_eq!(answered.count(), 1);
}

#[tokio::test]
async fn a_question_that_the_evidence_does_not_answer_is_said_to_be_unanswered() {
    let (seen, run) = answered(|form| {
        *form = json!({"claims": [], "next_steps": [], "not_visible": ["the account's bill"]});
    })
    .await;
    assert_eq!(seen.outcome, "not_answered");
    let answered = run.emulator.converse_calls().into_iter();
    let answered = answered.filter(|call| matches!(call.outcome, CallOutcome::Answered { .. })).count();
    assert_eq!(answered, 1, "to say so needs no repair");
    assert!(seen.words().contains(&format!("NOT ANSWERED · {QUESTION}")), "{}", seen.card);
    assert!(seen.words().contains("The account's bill"), "{}", seen.card);
}

#[tokio::test]
async fn an_answer_that_no_evidence_proves_is_removed() {
    let (seen, _run) = answered(|form| {
        form["statement"] = json!({
            "kind": "context", "text": "It fails since 01:17 on host web-17.",
            "citations": [{"evidence": "M1", "at": "03:04", "value": 4711.0}],
        });
    })
    .await;
    assert_eq!(seen.outcome, "not_answered");
    assert!(!in_one_line(&seen.everything()).contains("web-17"), "{}", seen.everything());
}

#[tokio::test]
async fn with_facts_alone_no_model_is_asked() {
    let mut run = IncidentRun::start(answering(|turn| panic!("{} asks", turn.agent))).await;
    run.services.config.depth = Some(Depth::Facts);
    let seen = run.report_of(&asked(), ENOUGH).await;
    assert_eq!(seen.outcome, "facts_only");
    assert_eq!(run.emulator.converse_calls(), []);
}

/// Runs the alarm through a full investigation, and returns what is kept of it as it comes out of the report JSON.
async fn kept() -> (Kept, Vec<String>) {
    let looks_further = |turn: &Turn| match (turn.agent.as_str(), turn.turn) {
        ("logs", 1) => call("search_logs", &json!({"contains": "tax client"})),
        _ => careful(turn),
    };
    let run = IncidentRun::start(answering(looks_further)).await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown");
    let written = seen.json.to_string();
    let read: Report = serde_json::from_str(&written).unwrap();
    (Kept::of(&read.document()).unwrap(), evidence_of(&seen))
}

/// Id and excerpt of each piece of evidence that a report shows.
fn evidence_of(seen: &Seen) -> Vec<String> {
    let items = seen.document.data["evidence"].as_array().unwrap().iter();
    items.map(|item| format!("{} {}", item["id"], item["excerpt"])).collect()
}

/// Asks about a run that is over, in an account where nothing may be read any more.
async fn asked_later(
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> (Seen, Vec<String>, IncidentRun) {
    let (kept, before) = kept().await;
    let script = move |turn: &Turn| {
        assert_eq!(turn.agent, "question");
        assert!(turn.says(QUESTION), "the model reads the question");
        let mut form = conclusion(turn);
        change(&mut form);
        call("submit_conclusion", &form)
    };
    let denied = ["cloudwatch", "logs", "lambda"].map(|service| format!("{service}:*")).to_vec();
    let run = IncidentRun::start(Options { denied, ..answering(script) }).await;
    let summary = ask(kept, QUESTION, Deadline::after(ENOUGH), &run.services).await.unwrap();
    (run.seen(&summary), before, run)
}

#[tokio::test]
async fn a_run_that_is_over_is_asked_about_without_reading_anything() {
    let (seen, before, run) = asked_later(|form| form["statement"] = as_answer(form)).await;
    assert_eq!(seen.outcome, "answered");
    assert!(seen.words().contains("nothing was read since."), "{}", seen.card);
    let of_telemetry = |service: &str| ["cloudwatch", "logs", "lambda"].contains(&service);
    let read = run.emulator.requests().into_iter().filter(|request| of_telemetry(&request.service));
    assert_eq!(read.map(|request| request.action).collect::<Vec<_>>(), Vec::<String>::new());
    // All that was evidence then is evidence now: what was computed, and what a specialist had looked up.
    assert!(before.iter().any(|item| item.starts_with("\"logs.L1\"")), "{before:?}");
    assert!(evidence_of(&seen) == before);
}

#[tokio::test]
async fn an_answer_to_a_kept_run_is_checked_against_what_was_kept() {
    let (seen, _, _) = asked_later(|form| {
        form["claims"] = json!([]);
        form["statement"] = json!({
            "kind": "context", "text": "It fails since 01:17 on host web-17.",
            "citations": [{"evidence": "M1", "at": "03:04", "value": 4711.0}],
        });
        form["not_visible"] = json!(["the account's bill"]);
    })
    .await;
    assert_eq!(seen.outcome, "not_answered");
    assert!(!in_one_line(&seen.everything()).contains("web-17"));
}
