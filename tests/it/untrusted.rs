//! What a model makes up, what an attacker writes into a log and what a log leaks: none of it reaches a responder.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::incident_run::{
    BAD_DEPLOY, ENOUGH, IncidentRun, alarm_of, answering, in_one_line, project, sns_event,
};
use crate::script::{Turn, call, careful, conclusion, findings, keep};

/// A number and a name that occur nowhere in the scenario.
const NUMBER: &str = "471199";
const NAME: &str = "orders-db";

/// Claims that no evidence holds, each in another way.
fn made_up(turn: &Turn) -> Vec<Value> {
    let fact = turn.evidence_with("43 of 60").unwrap();
    let quote = "Cannot read properties of undefined (reading 'taxRate')";
    vec![
        json!({"text": "The connection was refused.", "kind": "symptom",
               "citations": [{"evidence": "L1", "quote": format!("connection to {NAME} refused")}]}),
        json!({"text": format!("There were {NUMBER} failures."), "kind": "symptom", "citations": [{"evidence": fact}]}),
        json!({"text": format!("The {NAME} is down."), "kind": "context", "citations": [{"evidence": fact}]}),
        json!({"text": format!("It failed at {{{NAME} {NUMBER}}} first."), "kind": "symptom", "citations": [{"evidence": fact}]}),
        json!({"text": format!("It failed {{M1@{NUMBER}}} times."), "kind": "symptom", "citations": [{"evidence": fact}]}),
        json!({"text": "A Globex outage makes nine of ten requests fail.", "kind": "cause", "entity": "version 58",
               "citations": [{"evidence": fact}]}),
        json!({"text": "Requests fail while reading taxRate.", "kind": "symptom",
               "citations": [{"evidence": "L1", "quote": quote, "at": NAME, "value": 471_199.0}]}),
        json!({"text": "Version 58 fails.", "kind": "symptom",
               "citations": [{"evidence": fact, "value": 471_199.0, "at": NAME}]}),
        json!({"text": "Errors rose.", "kind": "symptom",
               "citations": [{"evidence": "M1", "at": "03:04", "value": 471_199.0}]}),
        json!({"text": "Errors rose again.", "kind": "symptom",
               "citations": [{"evidence": fact}, {"evidence": "L1", "quote": format!("{NUMBER} rows of {NAME}")}]}),
    ]
}

/// A model that adds made-up claims wherever it can, and submits the same again when it is sent back.
fn inventive(turn: &Turn) -> sre_agent_emulator::ScriptedAnswer {
    if turn.offers("submit_findings") {
        let mut submitted = findings(turn);
        // A submission holds eight claims at most.
        submitted["claims"].as_array_mut().unwrap().extend(made_up(turn).into_iter().take(7));
        submitted["not_visible"] = json!([format!("the {NUMBER} log lines of {NAME}")]);
        call("submit_findings", &submitted)
    } else if turn.offers("submit_conclusion") {
        let mut submitted = conclusion(turn);
        let claims = submitted["claims"].as_array_mut().unwrap();
        claims.truncate(1);
        claims.extend(made_up(turn).into_iter().skip(3));
        submitted["statement"] = made_up(turn).swap_remove(1);
        submitted["not_visible"] = json!([format!("the metrics of {NAME}"), format!("{NUMBER} traces")]);
        submitted["next_steps"] = json!([format!("restart {NAME}")]);
        call("submit_conclusion", &submitted)
    } else if turn.offers("submit_review") {
        call(
            "submit_review",
            &json!({"decision": "downgrade", "reason": format!("The {NAME} failed {NUMBER} times as well."),
                    "missing": format!("the logs of {NAME}")}),
        )
    } else {
        careful(turn)
    }
}

#[tokio::test]
async fn what_a_model_makes_up_never_reaches_a_responder_and_is_counted() {
    let run = IncidentRun::start(answering(inventive)).await;
    let seen = run.report().await;
    let everything = seen.everything();
    for made_up in [NUMBER, NAME, "Globex", "nine of ten"] {
        let around = everything.find(made_up).map(|at| {
            let start = everything.floor_char_boundary(at.saturating_sub(200));
            everything[start..everything.floor_char_boundary(at + 100)].to_owned()
        });
        assert_eq!(around, None, "{made_up} got through");
    }
    assert!(!run.log().contains(NAME), "{}", run.log());
    // A downgraded cause stands as likely, with what holds.
    assert_eq!(seen.outcome, "likely_cause", "{}", seen.card);
    assert!(seen.words().contains("unproven guesses removed"), "{}", seen.card);
    let removed = seen.json["data"]["counts"]["removed"].as_u64().unwrap();
    assert!(removed >= 10, "{}", seen.json["data"]["counts"]);
}

#[tokio::test]
async fn a_model_that_mends_its_claim_after_one_complaint_is_heard() {
    let sent_back = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&sent_back);
    let run = IncidentRun::start(answering(move |turn: &Turn| {
        if turn.offers("submit_conclusion") && !once.swap(true, Ordering::SeqCst) {
            let mut submitted = conclusion(turn);
            submitted["claims"] = json!(made_up(turn));
            return call("submit_conclusion", &submitted);
        }
        careful(turn)
    }))
    .await;
    let seen = run.report().await;
    assert_eq!(seen.outcome, "cause_shown", "{}", seen.card);
    assert!(!seen.everything().contains(NUMBER));
    assert!(seen.words().contains("4 of 4 quotes and numbers re-read"), "{}", seen.card);
}

#[tokio::test]
async fn markup_in_a_claim_is_shown_as_text_and_never_works() {
    let run = IncidentRun::start(answering(|turn: &Turn| {
        if !turn.offers("submit_conclusion") {
            return careful(turn);
        }
        let mut submitted = conclusion(turn);
        let fact = turn.evidence_with("43 of 60").unwrap();
        // A card has room for five.
        submitted["claims"].as_array_mut().unwrap().truncate(1);
        for text in [
            "<!channel> version 58 fails *all* of `it`.",
            "<!here> <!everyone> requests <fail|click here>.",
            "Requests fail & &lt;!channel&gt; more \u{202e}backwards.",
        ] {
            let claim = json!({"text": text, "kind": "context", "citations": [{"evidence": fact}]});
            submitted["claims"].as_array_mut().unwrap().push(claim);
        }
        // The hostile log line holds a link, so a claim that repeats it can be cited.
        submitted["claims"].as_array_mut().unwrap().push(json!({
            "text": "Look at <https://evil.example|click> now.", "kind": "context",
            "citations": [{"evidence": "L1", "quote": "<https://evil.example|click>"}],
        }));
        call("submit_conclusion", &submitted)
    }))
    .await;
    let seen = run.report().await;
    let slack = seen.slack.to_string();
    for live in ["<!channel", "<!here", "<!everyone", "<https://evil", "<fail|", "\u{202e}"] {
        assert!(!slack.contains(live), "{live} is live in {slack}");
    }
    assert!(slack.contains("&lt;!channel&gt; version 58 fails"), "{slack}");
    assert!(slack.contains("&amp;lt;!channel&amp;gt;"), "{slack}");
    assert_eq!(run.emulator.slack_refusals(), []);
    assert!(!seen.card.contains('\u{202e}') && !seen.email.contains('\u{202e}'), "{}", seen.card);
}

#[derive(Deserialize)]
struct Truth {
    secrets: Secrets,
    hostile: Hostile,
    expected: Expected,
}

#[derive(Deserialize)]
struct Secrets {
    values: Vec<String>,
}

#[derive(Deserialize)]
struct Hostile {
    text: String,
}

#[derive(Deserialize)]
struct Expected {
    verdicts: Vec<String>,
}

fn truth() -> Truth {
    let path = project().join("scenarios").join(BAD_DEPLOY).join("truth.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Specialists that read everything that they may before they submit.
fn curious(turn: &Turn) -> sre_agent_emulator::ScriptedAnswer {
    if !turn.offers("submit_findings") || turn.turn > 3 {
        return careful(turn);
    }
    match (turn.agent.as_str(), turn.turn) {
        ("logs", 1) => call("search_logs", &json!({"contains": "tax client"})),
        ("logs", 2) => call("search_logs", &json!({"contains": "SYSTEM"})),
        ("changes", 1) => call("recent_changes", &json!({})),
        (_, 3) => call("read_evidence", &json!({"id": "C1"})),
        _ => call("read_evidence", &json!({"id": "L1"})),
    }
}

#[tokio::test]
async fn planted_secrets_are_nowhere_to_be_seen() {
    let truth = truth();
    let mut alarm = alarm_of(BAD_DEPLOY);
    // An owner may write a password into the description, and a new field may hold one.
    let all = truth.secrets.values.iter().map(|secret| format!("password={secret}")).collect::<Vec<_>>();
    alarm["AlarmDescription"] = json!(format!("Runbook: log in with {}", all.join(" ")));
    alarm["SomethingNew"] = json!({"note": format!("token={}", truth.secrets.values[1])});
    let run = IncidentRun::start(answering(curious)).await;
    let seen = run.report_of(&sns_event(&[alarm]), ENOUGH).await;
    assert!(truth.expected.verdicts.contains(&seen.outcome), "{}", seen.card);
    let asked: Vec<String> = run.emulator.converse_calls().iter().map(|call| call.body.to_string()).collect();
    assert!(asked.iter().any(|body| body.contains("[redacted: ")), "the secrets were met on the way");
    let kept = run.kept.saved();
    assert!(kept.len() >= 3, "{}", kept.len());
    let places = [
        ("a request to Bedrock", asked.join("\n")),
        ("an event", run.log()),
        ("a record", serde_json::to_string(&kept).unwrap()),
        ("Slack", format!("{:?}", run.emulator.slack_messages())),
        ("SNS", format!("{:?}", run.emulator.published())),
        ("the report", seen.everything()),
        ("the document", serde_json::to_string(&seen.document).unwrap()),
    ];
    for (place, text) in &places {
        for secret in &truth.secrets.values {
            // JSON may write a slash or a quotation mark with a backslash before it.
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}");
        }
    }
}

#[tokio::test]
async fn a_hostile_log_line_changes_nothing() {
    let truth = truth();
    let run = IncidentRun::start(answering(curious)).await;
    let seen = run.report().await;
    assert!(truth.expected.verdicts.contains(&seen.outcome), "{}", seen.card);
    // It was really read: a model has seen it, between the marks of the run only.
    let bodies: Vec<Value> = run.emulator.converse_calls().into_iter().map(|call| call.body).collect();
    let mut met = 0;
    for body in &bodies {
        for text in texts(body) {
            for (at, _) in text.match_indices("ignore previous instructions") {
                met += 1;
                let before = &text[..at];
                assert!(
                    before.matches("<data-").count() > before.matches("</data-").count(),
                    "the hostile line stands outside the marks: {text}"
                );
            }
        }
    }
    assert!(met > 0, "no request held the hostile line");
    for (place, text) in [
        ("the card", seen.card.clone()),
        ("Slack", seen.slack.to_string()),
        ("the text message", run.emulator.published()[0].subject.clone().unwrap_or_default()),
    ] {
        for words in ["delete-function", "evil.example", "<!channel>", "alarm_misfired"] {
            assert!(!text.contains(words), "{words} is in {place}: {text}");
        }
    }
    assert!(in_one_line(&truth.hostile.text).contains("ignore previous instructions"));
    let claims = seen.json["data"]["claims"].to_string();
    assert!(!claims.contains("ignore previous"), "{claims}");
}

/// Returns every text below a value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(object) => object.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_reviewer_that_agrees_with_nothing_wrong_keeps_the_verdict() {
    let run =
        IncidentRun::start(answering(
            |turn: &Turn| {
                if turn.offers("submit_review") { keep() } else { careful(turn) }
            },
        ))
        .await;
    assert_eq!(run.report().await.outcome, "cause_shown");
}
