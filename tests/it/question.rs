//! A person's question about an alarm: one analyst, one answer, checked like a claim.

use serde_json::{Value, json};
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::CallOutcome;

use crate::incident_run::{ENOUGH, IncidentRun, Seen, answering, in_one_line};
use crate::script::{Turn, call, conclusion};

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
