//! Anthropic's Messages API: its rules for a request, in its words where they are known, and its forms of an answer.

use serde_json::{Map, Value, json};

use crate::bedrock::Refusal;
use crate::elsewhere::{
    Asked, Tools, blocks, converse, formless, invalid, is_plain, known, not_streamed, present, specification,
    tokens,
};

/// The versions of the API that exist.
const VERSIONS: [&str; 2] = ["2023-01-01", "2023-06-01"];

/// Longest id of a tool use: what Converse's form, which the answers are recorded in, can hold.
const LONGEST_ID: usize = 64;
const LONGEST_NAME: usize = 128;

/// Checks who asks. A key is not verified, but every key of Anthropic's begins alike.
pub(super) fn authorized(key: Option<&str>, version: Option<&str>) -> Result<(), Refusal> {
    match key {
        None | Some("") => {
            return Err(Refusal::new(401, "authentication_error", "x-api-key header is required"));
        }
        Some(key) if !key.starts_with("sk-ant-") => {
            return Err(Refusal::new(401, "authentication_error", "invalid x-api-key"));
        }
        Some(_) => {}
    }
    match version {
        None | Some("") => Err(invalid("anthropic-version: header is required")),
        Some(version) if !VERSIONS.contains(&version) => {
            Err(invalid(format!("anthropic-version: \"{version}\" is not a valid version")))
        }
        Some(_) => Ok(()),
    }
}

/// Checks a request and puts it into Converse's form.
pub(super) fn asked(members: &Map<String, Value>) -> Result<Asked, Refusal> {
    known(
        members,
        "",
        &[
            "model",
            "max_tokens",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "temperature",
            "top_p",
            "stop_sequences",
            "stream",
        ],
    )?;
    not_streamed(members)?;
    let model = text(members, "model", "")?.to_owned();
    let inference = inference(members)?;
    let marks = marks_of(members);
    if marks > 4 {
        return Err(invalid(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {marks}."
        )));
    }
    let system = match present(members, "system") {
        None => None,
        Some(Value::String(text)) => Some(json!([{"text": text}])),
        Some(system) => Some(Value::Array(texts(system, "system")?)),
    };
    let tools = tools(members)?;
    let messages = messages(members)?;
    if tools.is_none() && messages.iter().any(uses_tools) {
        return Err(invalid("Requests which include `tool_use` or `tool_result` blocks must define tools"));
    }
    Ok(Asked { model, body: converse(system, messages, inference, tools) })
}

fn inference(members: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut inference = Map::new();
    let most = present(members, "max_tokens").ok_or_else(|| invalid("max_tokens: Field required"))?;
    match most.as_i64() {
        Some(tokens) if tokens >= 1 => inference.insert("maxTokens".to_owned(), json!(tokens)),
        Some(_) => return Err(invalid("max_tokens: Input should be greater than or equal to 1")),
        None => return Err(invalid("max_tokens: Input should be a valid integer")),
    };
    for (name, own) in [("temperature", "temperature"), ("top_p", "topP")] {
        let Some(value) = present(members, name) else { continue };
        let number =
            value.as_f64().ok_or_else(|| invalid(format!("{name}: Input should be a valid number")))?;
        if !(0.0..=1.0).contains(&number) {
            return Err(invalid(format!("{name}: range: 0..1")));
        }
        inference.insert(own.to_owned(), value.clone());
    }
    if let Some(sequences) = present(members, "stop_sequences") {
        let texts = sequences.as_array().filter(|list| list.iter().all(Value::is_string));
        let texts = texts.ok_or_else(|| invalid("stop_sequences: Input should be a list of strings"))?;
        inference.insert("stopSequences".to_owned(), json!(texts));
    }
    Ok(inference)
}

fn tools(members: &Map<String, Value>) -> Result<Option<Tools>, Refusal> {
    let list = match present(members, "tools") {
        None => &Vec::new(),
        Some(tools) => tools.as_array().ok_or_else(|| invalid("tools: Input should be a valid list"))?,
    };
    let mut names = Vec::new();
    let mut specifications = Vec::new();
    for (index, tool) in list.iter().enumerate() {
        let at = format!("tools.{index}");
        let tool = members_of(tool, &at)?;
        known(tool, &at, &["type", "name", "description", "input_schema", "cache_control"])?;
        if present(tool, "type").is_some_and(|kind| kind != "custom") {
            return Err(Refusal::unsupported(&format!("the tool type at {at}")));
        }
        let at = format!("{at}.custom");
        let name = text(tool, "name", &at)?;
        if !is_plain(name, LONGEST_NAME) {
            return Err(invalid(format!(
                "{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,{LONGEST_NAME}}}$'"
            )));
        }
        if names.contains(&name) {
            return Err(invalid("tools: Tool names must be unique."));
        }
        names.push(name);
        let description = present(tool, "description");
        if description.is_some_and(|description| !description.is_string()) {
            return Err(invalid(format!("{at}.description: Input should be a valid string")));
        }
        let schema = present(tool, "input_schema")
            .ok_or_else(|| invalid(format!("{at}.input_schema: Field required")))?;
        if !schema.is_object() {
            return Err(invalid(format!("{at}.input_schema: Input should be a valid dictionary")));
        }
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(invalid(format!("{at}.input_schema.type: Input should be 'object'")));
        }
        specifications.push(specification(name, description, schema));
    }
    let choice = present(members, "tool_choice").map(|choice| tool_choice(choice, &names)).transpose()?;
    match (specifications.is_empty(), choice) {
        (true, Some(_)) => Err(invalid("tool_choice: may only be specified while providing tools")),
        (true, None) => Ok(None),
        (false, choice) => Ok(Some((specifications, choice))),
    }
}

fn tool_choice(choice: &Value, names: &[&str]) -> Result<Value, Refusal> {
    let choice = members_of(choice, "tool_choice")?;
    known(choice, "tool_choice", &["type", "name"])?;
    match text(choice, "type", "tool_choice")? {
        "auto" => Ok(json!({"auto": {}})),
        "any" => Ok(json!({"any": {}})),
        "tool" => {
            let name = text(choice, "name", "tool_choice.tool")?;
            if names.is_empty() || names.contains(&name) {
                Ok(json!({"tool": {"name": name}}))
            } else {
                Err(invalid(format!("Tool '{name}' not found in provided tools")))
            }
        }
        other => Err(Refusal::unsupported(&format!("tool_choice of type {other}"))),
    }
}

/// A message's part in the answering of tool uses.
#[derive(Default)]
struct Uses {
    /// Ids that the model asked for in the message before.
    open: Vec<String>,
    /// Every id so far.
    seen: Vec<String>,
}

fn messages(members: &Map<String, Value>) -> Result<Vec<Value>, Refusal> {
    let list = present(members, "messages").ok_or_else(|| invalid("messages: Field required"))?;
    let list = list.as_array().ok_or_else(|| invalid("messages: Input should be a valid list"))?;
    if list.is_empty() {
        return Err(invalid("messages: at least one message is required"));
    }
    let mut uses = Uses::default();
    let mut converted = Vec::new();
    for (index, message) in list.iter().enumerate() {
        converted.push(message_of(message, index, index + 1 == list.len(), &mut uses)?);
    }
    if uses.open.is_empty() { Ok(converted) } else { Err(unanswered(list.len() - 1, &uses.open)) }
}

fn message_of(message: &Value, index: usize, is_last: bool, uses: &mut Uses) -> Result<Value, Refusal> {
    let at = format!("messages.{index}");
    let message = members_of(message, &at)?;
    known(message, &at, &["role", "content"])?;
    let role = text(message, "role", &at)?;
    if !matches!(role, "user" | "assistant") {
        return Err(invalid(format!("messages: Unexpected role \"{role}\"")));
    }
    if index == 0 && role != "user" {
        return Err(invalid("messages: first message must use the \"user\" role"));
    }
    if index.is_multiple_of(2) != (role == "user") {
        // The API joins them; Converse's form, in which answers are recorded, has no place for two.
        return Err(Refusal::unsupported(&format!("two messages of one role in turn, at {at}")));
    }
    let content = message.get("content").unwrap_or(&Value::Null);
    let blocks = match content {
        Value::String(text) => vec![text_block(text, &at)?],
        Value::Array(blocks) => {
            let mut converted = Vec::new();
            let mut answered = Vec::new();
            for (number, block) in blocks.iter().enumerate() {
                let at = format!("{at}.content.{number}");
                converted.push(block_of(block, role, &at, uses, &mut answered)?);
            }
            if role == "user" {
                uses.open.retain(|id| !answered.contains(id));
            }
            converted
        }
        Value::Null => return Err(invalid(format!("{at}.content: Field required"))),
        _ => return Err(invalid(format!("{at}.content: Input should be a valid list"))),
    };
    if blocks.is_empty() && !(is_last && role == "assistant") {
        let words =
            "all messages must have non-empty content except for the optional final assistant message";
        return Err(invalid(format!("{at}: {words}")));
    }
    // Only the message right behind a tool use can answer it.
    if role == "user" && !uses.open.is_empty() {
        return Err(unanswered(index.saturating_sub(1), &uses.open));
    }
    Ok(json!({"role": role, "content": blocks}))
}

fn block_of(
    block: &Value,
    role: &str,
    at: &str,
    uses: &mut Uses,
    answered: &mut Vec<String>,
) -> Result<Value, Refusal> {
    let block = members_of(block, at)?;
    let kind = text(block, "type", at)?;
    check_mark(block, at)?;
    match (kind, role) {
        ("text", _) => {
            known(block, at, &["type", "text", "cache_control"])?;
            text_block(text(block, "text", &format!("{at}.text"))?, at)
        }
        ("tool_use", "assistant") => {
            known(block, at, &["type", "id", "name", "input", "cache_control"])?;
            let at = format!("{at}.tool_use");
            let (id, name) = (text(block, "id", &at)?, text(block, "name", &at)?);
            if !is_plain(id, LONGEST_ID) {
                return Err(invalid(format!("{at}.id: String should match pattern '^[a-zA-Z0-9_-]+$'")));
            }
            let input = present(block, "input").filter(|input| input.is_object());
            let input =
                input.ok_or_else(|| invalid(format!("{at}.input: Input should be a valid dictionary")))?;
            if uses.seen.iter().any(|seen| seen == id) {
                return Err(invalid("messages: `tool_use` ids must be unique"));
            }
            uses.seen.push(id.to_owned());
            uses.open.push(id.to_owned());
            Ok(json!({"toolUse": {"toolUseId": id, "name": name, "input": input}}))
        }
        ("tool_result", "user") => {
            known(block, at, &["type", "tool_use_id", "content", "is_error", "cache_control"])?;
            let id = text(block, "tool_use_id", &format!("{at}.tool_result"))?;
            if answered.iter().any(|other| other == id) {
                return Err(invalid(format!(
                    "{at}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
                )));
            }
            if !uses.open.iter().any(|open| open == id) {
                return Err(invalid(format!(
                    "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must \
                     have a corresponding `tool_use` block in the previous message."
                )));
            }
            answered.push(id.to_owned());
            let content = match present(block, "content") {
                Some(Value::String(text)) => vec![text_block(text, at)?],
                Some(content) => texts(content, &format!("{at}.tool_result.content"))?,
                None => Vec::new(),
            };
            let status = match present(block, "is_error") {
                Some(Value::Bool(true)) => "error",
                Some(Value::Bool(false)) | None => "success",
                Some(_) => {
                    return Err(invalid(format!(
                        "{at}.tool_result.is_error: Input should be a valid boolean"
                    )));
                }
            };
            Ok(json!({"toolResult": {"toolUseId": id, "status": status, "content": content}}))
        }
        ("thinking", "assistant") => {
            known(block, at, &["type", "thinking", "signature"])?;
            let at = format!("{at}.thinking");
            let (thought, signature) = (text(block, "thinking", &at)?, text(block, "signature", &at)?);
            Ok(json!({"reasoningContent": {"reasoningText": {"text": thought, "signature": signature}}}))
        }
        ("tool_use" | "thinking", _) => {
            Err(invalid(format!("{at}: `{kind}` blocks can only be in `assistant` messages")))
        }
        ("tool_result", _) => {
            Err(invalid(format!("{at}: `tool_result` blocks can only be in `user` messages")))
        }
        _ => Err(Refusal::unsupported(&format!("the block type {kind} at {at}"))),
    }
}

fn unanswered(index: usize, ids: &[String]) -> Refusal {
    invalid(format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
         `tool_use` block must have a corresponding `tool_result` block in the next message.",
        ids.join(", ")
    ))
}

fn uses_tools(message: &Value) -> bool {
    let blocks = message.get("content").and_then(Value::as_array).into_iter().flatten();
    blocks.into_iter().any(|block| block.get("toolUse").or_else(|| block.get("toolResult")).is_some())
}

/// Reads a list of text blocks.
fn texts(list: &Value, at: &str) -> Result<Vec<Value>, Refusal> {
    let list = list.as_array().ok_or_else(|| invalid(format!("{at}: Input should be a valid list")))?;
    let mut texts = Vec::new();
    for (index, block) in list.iter().enumerate() {
        let at = format!("{at}.{index}");
        let block = members_of(block, &at)?;
        if text(block, "type", &at)? != "text" {
            return Err(Refusal::unsupported(&format!("a block that is no text at {at}")));
        }
        known(block, &at, &["type", "text", "cache_control"])?;
        check_mark(block, &at)?;
        texts.push(text_block(text(block, "text", &format!("{at}.text"))?, &at)?);
    }
    Ok(texts)
}

fn text_block(text: &str, at: &str) -> Result<Value, Refusal> {
    let place = at.split('.').next().unwrap_or(at);
    match text {
        "" => Err(invalid(format!("{place}: text content blocks must be non-empty"))),
        _ if text.trim().is_empty() => {
            Err(invalid(format!("{place}: text content blocks must contain non-whitespace text")))
        }
        _ => Ok(json!({"text": text})),
    }
}

fn check_mark(block: &Map<String, Value>, at: &str) -> Result<(), Refusal> {
    let Some(mark) = present(block, "cache_control") else { return Ok(()) };
    let at = format!("{at}.cache_control");
    let mark = members_of(mark, &at)?;
    known(mark, &at, &["type", "ttl"])?;
    if text(mark, "type", &at)? != "ephemeral" {
        return Err(invalid(format!("{at}.type: Input should be 'ephemeral'")));
    }
    match present(mark, "ttl").map(Value::as_str) {
        None | Some(Some("5m" | "1h")) => Ok(()),
        Some(_) => Err(invalid(format!("{at}.ttl: Input should be '5m' or '1h'"))),
    }
}

/// Counts the blocks that are marked to be cached, wherever they stand. The input of a tool use is no block.
fn marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(marks).sum(),
        Value::Object(members) => marks_of(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn marks_of(members: &Map<String, Value>) -> usize {
    let own = usize::from(present(members, "cache_control").is_some());
    let below = members.iter().filter(|(name, _)| !matches!(name.as_str(), "input" | "input_schema"));
    own + below.map(|(_, value)| marks(value)).sum::<usize>()
}

fn members_of<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| invalid(format!("{at}: Input should be a valid dictionary")))
}

fn text<'a>(members: &'a Map<String, Value>, name: &str, at: &str) -> Result<&'a str, Refusal> {
    let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let value = members.get(name).ok_or_else(|| invalid(format!("{at}: Field required")))?;
    value.as_str().ok_or_else(|| invalid(format!("{at}: Input should be a valid string")))
}

/// Puts a Converse answer into the API's form.
pub(super) fn answered(reply: &Value, model: &str, id: &str) -> Result<Value, Refusal> {
    const API: &str = "the Messages API";
    let mut content = Vec::new();
    for block in blocks(reply) {
        if let Some(text) = block.get("text") {
            content.push(json!({"type": "text", "text": text}));
        } else if let Some(used) = block.get("toolUse") {
            let part = |name: &str| used.get(name).cloned().unwrap_or_default();
            content.push(json!({
                "type": "tool_use", "id": part("toolUseId"), "name": part("name"), "input": part("input"),
            }));
        } else if let Some(thought) = block.pointer("/reasoningContent/reasoningText") {
            let part = |name: &str| thought.get(name).and_then(Value::as_str).unwrap_or_default();
            content
                .push(json!({"type": "thinking", "thinking": part("text"), "signature": part("signature")}));
        } else {
            return Err(formless(API, "another block than text, tool use or thoughts"));
        }
    }
    let stop = match reply.get("stopReason").and_then(Value::as_str).unwrap_or_default() {
        stop @ ("end_turn"
        | "tool_use"
        | "max_tokens"
        | "stop_sequence"
        | "model_context_window_exceeded") => stop,
        "content_filtered" | "guardrail_intervened" => "refusal",
        other => return Err(formless(API, &format!("the stop reason {other}"))),
    };
    Ok(json!({
        "id": format!("msg_{id}"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": {
            "input_tokens": tokens(reply, "inputTokens"),
            "cache_creation_input_tokens": tokens(reply, "cacheWriteInputTokens"),
            "cache_read_input_tokens": tokens(reply, "cacheReadInputTokens"),
            "output_tokens": tokens(reply, "outputTokens"),
        },
    }))
}

/// Returns status and body of a refusal. What Bedrock says with 503, this API says with 529.
pub(super) fn refused(refusal: &Refusal, request_id: &str) -> (u16, Value) {
    let (status, kind) = match refusal.status {
        400 => (400, "invalid_request_error"),
        401 => (401, "authentication_error"),
        403 => (403, "permission_error"),
        404 => (404, "not_found_error"),
        413 => (413, "request_too_large"),
        429 => (429, "rate_limit_error"),
        503 | 529 => (529, "overloaded_error"),
        _ => (500, "api_error"),
    };
    let error = json!({"type": kind, "message": refusal.message});
    (status, json!({"type": "error", "error": error, "request_id": request_id}))
}
