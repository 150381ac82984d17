//! The two forms in which a person or a script gives an answer, made into one Converse output body.

use serde_json::{Map, Value, json};

use crate::bedrock::question::{Question, estimated_usage};
use crate::bedrock::schema_check;

const STOP_REASONS: &[&str] = &[
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
];

/// Returns the Converse output body for an answer in either form; ids, stop reason, usage and metrics are filled in
/// where they are missing. What is wrong comes back as sentences for the person who wrote it.
pub(crate) fn completed(answer: &Value, question: &Question) -> Result<Value, Vec<String>> {
    let Some(object) = answer.as_object() else {
        return Err(vec!["the answer must be a JSON object".to_owned()]);
    };
    let mut response =
        if object.contains_key("output") { object.clone() } else { from_short_form(object, question)? };
    let content = response.get("output").and_then(|output| output.pointer("/message/content")).cloned();
    let reasons = faults_of_full_form(&response, content.as_ref());
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let content = content.unwrap_or_default();
    response.entry("usage").or_insert_with(|| estimated_usage(&question.body, &content));
    response.entry("metrics").or_insert_with(|| json!({"latencyMs": 0}));
    Ok(Value::Object(response))
}

/// Checks what only a person is held to: that each tool exists, its input fits the schema and a forced tool is called.
/// A script may break these rules, because a model may.
pub(crate) fn faults_against_tools(response: &Value, question: &Question) -> Vec<String> {
    let blocks = response.pointer("/output/message/content").and_then(Value::as_array);
    let calls: Vec<&Value> = blocks.into_iter().flatten().filter_map(|block| block.get("toolUse")).collect();
    let mut faults = Vec::new();
    for call in &calls {
        let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
        match question.tools().find(|tool| tool.get("name").and_then(Value::as_str) == Some(name)) {
            None => {
                let offered: Vec<&str> =
                    question.tools().filter_map(|tool| tool.get("name").and_then(Value::as_str)).collect();
                let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
                faults.push(format!("there is no tool {name:?}; the tools on offer: {offered}"));
            }
            Some(tool) => {
                let schema = tool.pointer("/inputSchema/json").unwrap_or(&Value::Null);
                let input = call.get("input").unwrap_or(&Value::Null);
                faults.extend(schema_check::faults(schema, input, &format!("{name}: input")));
            }
        }
    }
    let choice = question.body.pointer("/toolConfig/toolChoice").and_then(Value::as_object);
    let called = |name: &str| calls.iter().any(|call| call.get("name").and_then(Value::as_str) == Some(name));
    if let Some(forced) =
        choice.and_then(|c| c.get("tool")).and_then(|t| t.get("name")).and_then(Value::as_str)
        && !called(forced)
    {
        faults.push(format!("the request forces the tool {forced:?}, so the answer must call it"));
    }
    if choice.is_some_and(|choice| choice.contains_key("any")) && calls.is_empty() {
        faults.push("the request forces a tool call, so the answer must call one".to_owned());
    }
    faults
}

fn from_short_form(
    object: &Map<String, Value>,
    question: &Question,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut faults = Vec::new();
    let mut content = Vec::new();
    for name in object.keys().filter(|name| !matches!(name.as_str(), "text" | "tool_calls")) {
        faults.push(format!("unknown member {name:?}: the short form has only \"text\" and \"tool_calls\""));
    }
    match object.get("text") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.trim().is_empty() => {}
        Some(Value::String(text)) => content.push(json!({"text": text})),
        Some(_) => faults.push("\"text\" must be a string".to_owned()),
    }
    let empty = Vec::new();
    let calls = match object.get("tool_calls") {
        None | Some(Value::Null) => &empty,
        Some(Value::Array(calls)) => calls,
        Some(_) => {
            faults.push("\"tool_calls\" must be a list".to_owned());
            &empty
        }
    };
    for (index, call) in calls.iter().enumerate() {
        let at = format!("tool_calls[{index}]");
        let Some(call) = call.as_object() else {
            faults.push(format!("{at} must be an object with \"name\" and \"input\""));
            continue;
        };
        for name in call.keys().filter(|name| !matches!(name.as_str(), "name" | "input")) {
            faults.push(format!("{at}: unknown member {name:?}: a call has only \"name\" and \"input\""));
        }
        let name = call.get("name").and_then(Value::as_str);
        let input = call.get("input").filter(|input| input.is_object());
        match (name, input) {
            (Some(name), Some(input)) => {
                let id = tool_use_id(question, index + 1);
                content.push(json!({"toolUse": {"toolUseId": id, "name": name, "input": input}}));
            }
            (None, _) => faults.push(format!("{at}: \"name\" must be a string")),
            (_, None) => {
                faults.push(format!("{at}: \"input\" must be an object, {{}} where nothing is to be said"));
            }
        }
    }
    if content.is_empty() && faults.is_empty() {
        faults.push("the answer says nothing: give a \"text\", \"tool_calls\" or both".to_owned());
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let stop_reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
    let mut response = Map::new();
    response.insert("output".to_owned(), json!({"message": {"role": "assistant", "content": content}}));
    response.insert("stopReason".to_owned(), json!(stop_reason));
    Ok(response)
}

/// The same turn always gets the same ids, so that a recording replays to the letter.
fn tool_use_id(question: &Question, number: usize) -> String {
    let agent: String = question
        .agent
        .as_deref()
        .unwrap_or("agent")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(32)
        .collect();
    // Without a turn the conversation's length keeps the ids of its turns apart.
    let turn = question.turn.map_or_else(
        || format!("m{}", question.body.get("messages").and_then(Value::as_array).map_or(0, Vec::len)),
        |turn| turn.to_string(),
    );
    format!("tooluse_{agent}_{turn}_{number}")
}

fn faults_of_full_form(response: &Map<String, Value>, content: Option<&Value>) -> Vec<String> {
    let mut faults = Vec::new();
    let role =
        response.get("output").and_then(|output| output.pointer("/message/role")).and_then(Value::as_str);
    if role != Some("assistant") {
        faults.push("output.message.role must be \"assistant\"".to_owned());
    }
    let stop_reason = response.get("stopReason").and_then(Value::as_str);
    if !stop_reason.is_some_and(|reason| STOP_REASONS.contains(&reason)) {
        faults.push(format!("stopReason must be one of {}", STOP_REASONS.join(", ")));
    }
    let Some(blocks) = content.and_then(Value::as_array).filter(|blocks| !blocks.is_empty()) else {
        faults.push("output.message.content must be a list with at least one block".to_owned());
        return faults;
    };
    let mut ids = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("output.message.content[{index}]");
        let only =
            block.as_object().filter(|members| members.len() == 1).and_then(|members| members.iter().next());
        match only {
            Some((name, Value::String(_))) if name == "text" => {}
            Some((name, reasoning)) if name == "reasoningContent" && reasoning.is_object() => {}
            Some((name, call)) if name == "toolUse" => {
                let id = call.get("toolUseId").and_then(Value::as_str).unwrap_or_default();
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
                if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
                    faults.push(format!("{at}: toolUseId must be 1 to 64 of [a-zA-Z0-9_.:-]"));
                } else if ids.contains(&id) {
                    faults.push(format!("{at}: toolUseId {id:?} is used twice"));
                }
                ids.push(id);
                if call.get("name").and_then(Value::as_str).is_none() {
                    faults.push(format!("{at}: toolUse needs a name"));
                }
                if !call.get("input").is_some_and(Value::is_object) {
                    faults.push(format!("{at}: toolUse needs an input object"));
                }
            }
            _ => faults.push(format!("{at} must have exactly one of text, toolUse, reasoningContent")),
        }
    }
    if ids.is_empty() == (stop_reason == Some("tool_use"))
        && matches!(stop_reason, Some("tool_use" | "end_turn"))
    {
        faults.push("stopReason must be \"tool_use\" exactly when content holds a toolUse".to_owned());
    }
    for (at, name) in [("usage", "inputTokens"), ("usage", "outputTokens"), ("usage", "totalTokens")] {
        if let Some(usage) = response.get(at)
            && usage.get(name).and_then(Value::as_u64).is_none()
        {
            faults.push(format!("{at}.{name} must be a whole number (or leave {at} out: it is estimated)"));
        }
    }
    if let Some(metrics) = response.get("metrics")
        && metrics.get("latencyMs").and_then(Value::as_u64).is_none()
    {
        faults.push("metrics.latencyMs must be a whole number (or leave metrics out)".to_owned());
    }
    faults
}
