//! A model played by a script: it plans, submits findings, concludes and reviews as a careful model would.

use std::sync::Arc;

use serde_json::{Value, json};
use sre_agent_emulator::{Script, ScriptedAnswer};

/// One question to the model.
pub(crate) struct Turn {
    /// Role that asks.
    pub(crate) agent: String,
    /// One-based turn of that role.
    pub(crate) turn: u32,
    /// Tools on offer.
    tools: Vec<String>,
    /// Everything that was said so far, as text.
    text: String,
}

impl Turn {
    fn of(body: &Value) -> Self {
        let metadata = |name: &str| body["requestMetadata"][name].as_str().unwrap_or_default().to_owned();
        let tools = body["toolConfig"]["tools"].as_array().into_iter().flatten();
        let mut text = String::new();
        gather_text(&body["messages"], &mut text);
        Turn {
            agent: metadata("agent"),
            turn: metadata("turn").parse().unwrap_or_default(),
            tools: tools.filter_map(|tool| tool["toolSpec"]["name"].as_str()).map(str::to_owned).collect(),
            text,
        }
    }

    /// Tells whether a tool is on offer.
    pub(crate) fn offers(&self, tool: &str) -> bool {
        self.tools.iter().any(|name| name == tool)
    }

    /// Tells whether the words were said to the model.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// Returns the id of the first evidence that holds the words.
    pub(crate) fn evidence_with(&self, words: &str) -> Option<&str> {
        self.text.split("<data-").skip(1).find_map(|marked| {
            let marked = marked.split("</data-").next()?;
            let id = marked.split(" of=\"").nth(1)?.split('"').next()?;
            marked.contains(words).then_some(id)
        })
    }
}

/// Joins every text below a message list: plain text and the texts of tool results.
fn gather_text(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(words) if name == "text" => {
                        text.push_str(words);
                        text.push('\n');
                    }
                    other => gather_text(other, text),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather_text(item, text)),
        _ => {}
    }
}

/// Makes the emulator's script of a function over turns.
pub(crate) fn scripted(answer: impl Fn(&Turn) -> ScriptedAnswer + Send + Sync + 'static) -> Script {
    Arc::new(move |body| answer(&Turn::of(body)))
}

/// Calls one tool.
pub(crate) fn call(tool: &str, input: &Value) -> ScriptedAnswer {
    ScriptedAnswer::Answer(json!({"tool_calls": [{"name": tool, "input": input}]}))
}

/// Answers as a careful model would, from the evidence that the request shows.
pub(crate) fn careful(turn: &Turn) -> ScriptedAnswer {
    if turn.offers("plan_investigation") {
        call("plan_investigation", &plan())
    } else if turn.offers("submit_findings") {
        call("submit_findings", &findings(turn))
    } else if turn.offers("submit_conclusion") {
        call("submit_conclusion", &conclusion(turn))
    } else {
        keep()
    }
}

/// All three specialists.
pub(crate) fn plan() -> Value {
    json!({"specialists": [
        {"role": "metrics", "brief": "Say which version fails."},
        {"role": "logs", "brief": "Say what the error text is and since when."},
        {"role": "changes", "brief": "Say what changed before the onset."},
    ]})
}

/// The reviewer agrees.
pub(crate) fn keep() -> ScriptedAnswer {
    call("submit_review", &json!({"decision": "keep", "reason": "The other version works beside it."}))
}

/// What each specialist finds.
pub(crate) fn findings(turn: &Turn) -> Value {
    let claim = match turn.agent.as_str() {
        "metrics" => comparison(turn),
        "logs" => error_text(turn),
        _ => deployment(turn),
    };
    match claim {
        Some(claim) => json!({"claims": [claim], "not_visible": []}),
        None => json!({"claims": [], "not_visible": ["the evidence that this brief asks for"]}),
    }
}

/// The deployment as the cause, with what ties the symptom to it where that was read.
pub(crate) fn conclusion(turn: &Turn) -> Value {
    let mut claims = Vec::new();
    if let Some(mut cause) = deployment(turn) {
        cause["kind"] = json!("cause");
        if let (Some(fact), Some(citations)) = (comparison(turn), cause["citations"].as_array_mut()) {
            citations.extend(fact["citations"].as_array().into_iter().flatten().cloned());
        }
        claims.push(cause);
    }
    claims.extend(comparison(turn));
    claims.extend(error_text(turn));
    let statement = claims.first().cloned().unwrap_or_else(
        || json!({"text": "The alarm went off.", "kind": "symptom", "citations": [{"evidence": "A1"}]}),
    );
    json!({"statement": statement, "claims": claims, "not_visible": [], "next_steps": []})
}

/// "Version 58 fails beside 57", from the computed fact.
pub(crate) fn comparison(turn: &Turn) -> Option<Value> {
    let fact = turn.evidence_with("43 of 60")?;
    Some(json!({
        "text": "Version 58 fails 43 of 60 requests.", "kind": "symptom", "citations": [{"evidence": fact}],
    }))
}

/// The error text, from the log lines.
pub(crate) fn error_text(turn: &Turn) -> Option<Value> {
    let quote = "Cannot read properties of undefined (reading 'taxRate')";
    turn.says(quote).then(|| {
        json!({
            "text": "Requests fail while reading taxRate.", "kind": "symptom",
            "citations": [{"evidence": "L1", "quote": quote}],
        })
    })
}

/// The new version, from the change.
pub(crate) fn deployment(turn: &Turn) -> Option<Value> {
    let change = turn.evidence_with("version 58 of invoice-render was published")?;
    Some(json!({
        "text": "Version 58 was published before the failures began.", "kind": "context",
        "citations": [{"evidence": change, "quote": "version 58 of invoice-render was published"}],
    }))
}
