//! The chat completions of `OpenAI`, as the many servers that copy them share them: rules for a request, forms of an
//! answer.

use serde_json::{Map, Value, json};

use crate::bedrock::Refusal;
use crate::elsewhere::{
    Asked, Tools, blocks, converse, formless, invalid, is_plain, known, not_streamed, present, specification,
    tokens,
};

/// Longest name of a function, and longest id of a call: what Converse's form can hold.
const LONGEST_NAME: usize = 64;

/// Checks who asks. A local server wants no key; one that is sent must at least be one.
pub(super) fn authorized(authorization: Option<&str>) -> Result<(), Refusal> {
    match authorization.map(|given| given.strip_prefix("Bearer ").unwrap_or_default().trim()) {
        Some("") => Err(Refusal::new(401, "invalid_api_key", "Incorrect API key provided.")),
        Some(_) | None => Ok(()),
    }
}

/// Checks a request and puts it into Converse's form.
pub(super) fn asked(members: &Map<String, Value>) -> Result<Asked, Refusal> {
    known(
        members,
        "",
        &[
            "model",
            "messages",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
            "stop",
            "tools",
            "tool_choice",
            "stream",
        ],
    )?;
    not_streamed(members)?;
    let model = text(members, "model", "")?.to_owned();
    let inference = inference(members)?;
    let tools = tools(members)?;
    let (system, messages) = messages(members)?;
    Ok(Asked { model, body: converse(system, messages, inference, tools) })
}

fn inference(members: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut inference = Map::new();
    for name in ["max_tokens", "max_completion_tokens"] {
        let Some(most) = present(members, name) else { continue };
        match most.as_i64() {
            Some(tokens) if tokens >= 1 => inference.insert("maxTokens".to_owned(), json!(tokens)),
            Some(tokens) => {
                let rule = format!("Expected a value >= 1, but got {tokens} instead.");
                return Err(invalid(format!("Invalid '{name}': integer below minimum value. {rule}")));
            }
            None => return Err(wrong_type(name, "an integer")),
        };
    }
    for (name, own, most) in [("temperature", "temperature", 2.0), ("top_p", "topP", 1.0)] {
        let Some(value) = present(members, name) else { continue };
        let number = value.as_f64().ok_or_else(|| wrong_type(name, "a decimal"))?;
        if !(0.0..=most).contains(&number) {
            return Err(invalid(format!("Invalid '{name}': decimal out of range: {number}")));
        }
        inference.insert(own.to_owned(), value.clone());
    }
    match present(members, "stop") {
        None => {}
        Some(Value::String(text)) => {
            inference.insert("stopSequences".to_owned(), json!([text]));
        }
        Some(Value::Array(texts)) if texts.iter().all(Value::is_string) => {
            inference.insert("stopSequences".to_owned(), json!(texts));
        }
        Some(_) => return Err(wrong_type("stop", "a string or an array of strings")),
    }
    Ok(inference)
}

fn tools(members: &Map<String, Value>) -> Result<Option<Tools>, Refusal> {
    let Some(list) = present(members, "tools") else {
        return match present(members, "tool_choice") {
            Some(_) => Err(invalid(
                "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            )),
            None => Ok(None),
        };
    };
    let list = list.as_array().ok_or_else(|| wrong_type("tools", "an array"))?;
    if list.is_empty() {
        return Err(invalid("Invalid 'tools': empty array. Expected an array with minimum length 1."));
    }
    let mut names = Vec::new();
    let mut specifications = Vec::new();
    for (index, tool) in list.iter().enumerate() {
        let at = format!("tools[{index}]");
        let tool = members_of(tool, &at)?;
        known(tool, &at, &["type", "function"])?;
        if text(tool, "type", &at)? != "function" {
            return Err(Refusal::unsupported(&format!("the tool type at {at}")));
        }
        let at = format!("{at}.function");
        let function = members_of(tool.get("function").unwrap_or(&Value::Null), &at)?;
        known(function, &at, &["name", "description", "parameters"])?;
        let name = text(function, "name", &at)?;
        check_name(name, &format!("{at}.name"))?;
        if names.contains(&name) {
            return Err(Refusal::unsupported(&format!("two functions named {name}")));
        }
        names.push(name);
        let description = present(function, "description");
        if description.is_some_and(|description| !description.is_string()) {
            return Err(wrong_type(&format!("{at}.description"), "a string"));
        }
        // A function without parameters takes none.
        let none = json!({"type": "object", "properties": {}});
        let schema = present(function, "parameters").unwrap_or(&none);
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(invalid(format!(
                "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
            )));
        }
        specifications.push(specification(name, description, schema));
    }
    let choice = present(members, "tool_choice").map(|choice| tool_choice(choice, &names)).transpose()?;
    Ok(Some((specifications, choice)))
}

fn tool_choice(choice: &Value, names: &[&str]) -> Result<Value, Refusal> {
    match choice {
        Value::String(word) if word == "auto" => Ok(json!({"auto": {}})),
        Value::String(word) if word == "required" => Ok(json!({"any": {}})),
        Value::Object(choice) if choice.get("type").is_some_and(|kind| kind == "function") => {
            known(choice, "tool_choice", &["type", "function"])?;
            let function =
                members_of(choice.get("function").unwrap_or(&Value::Null), "tool_choice.function")?;
            let name = text(function, "name", "tool_choice.function")?;
            if !names.contains(&name) {
                return Err(invalid(format!(
                    "Invalid value for 'tool_choice': no function named {name} was specified in the 'tools' parameter."
                )));
            }
            Ok(json!({"tool": {"name": name}}))
        }
        other => Err(Refusal::unsupported(&format!("tool_choice {other}"))),
    }
}

/// A conversation while it is put together: tool messages and the user message behind them are one message there.
#[derive(Default)]
struct Conversation {
    messages: Vec<Value>,
    /// Blocks of the user's side that are not yet a message.
    results: Vec<Value>,
    /// Ids that the model asked for and that no tool has answered.
    open: Vec<String>,
    seen: Vec<String>,
}

fn messages(members: &Map<String, Value>) -> Result<(Option<Value>, Vec<Value>), Refusal> {
    let list =
        present(members, "messages").ok_or_else(|| invalid("Missing required parameter: 'messages'."))?;
    let list = list.as_array().ok_or_else(|| wrong_type("messages", "an array"))?;
    if list.is_empty() {
        return Err(invalid("Invalid 'messages': empty array. Expected an array with minimum length 1."));
    }
    let mut system = None;
    let mut conversation = Conversation::default();
    for (index, message) in list.iter().enumerate() {
        let at = format!("messages[{index}]");
        let message = members_of(message, &at)?;
        let role = text(message, "role", &at)?;
        if role != "tool" && !conversation.open.is_empty() {
            return Err(unanswered(&conversation.open));
        }
        match role {
            "system" if index == 0 => {
                known(message, &at, &["role", "content"])?;
                system = Some(Value::Array(texts(message, &at)?));
            }
            "user" => {
                known(message, &at, &["role", "content"])?;
                conversation.user(texts(message, &at)?, &at)?;
            }
            "assistant" => conversation.assistant(message, &at)?,
            "tool" => conversation.tool(message, &at)?,
            other => return Err(Refusal::unsupported(&format!("the role {other} at {at}"))),
        }
    }
    if !conversation.open.is_empty() {
        return Err(unanswered(&conversation.open));
    }
    conversation.close();
    if conversation.messages.is_empty() {
        return Err(Refusal::unsupported("a conversation of a system message alone"));
    }
    Ok((system, conversation.messages))
}

impl Conversation {
    fn close(&mut self) {
        if !self.results.is_empty() {
            let content = std::mem::take(&mut self.results);
            self.messages.push(json!({"role": "user", "content": content}));
        }
    }

    fn user(&mut self, texts: Vec<Value>, at: &str) -> Result<(), Refusal> {
        if self.results.is_empty() && self.last_role() == Some("user") {
            return Err(Refusal::unsupported(&format!("two user messages in turn, at {at}")));
        }
        self.results.extend(texts);
        self.close();
        Ok(())
    }

    fn assistant(&mut self, message: &Map<String, Value>, at: &str) -> Result<(), Refusal> {
        known(message, at, &["role", "content", "tool_calls"])?;
        self.close();
        match self.last_role() {
            Some("user") => {}
            None => return Err(Refusal::unsupported("a conversation that the assistant begins")),
            Some(_) => {
                return Err(Refusal::unsupported(&format!("two assistant messages in turn, at {at}")));
            }
        }
        let mut content =
            if present(message, "content").is_some() { texts(message, at)? } else { Vec::new() };
        if let Some(calls) = present(message, "tool_calls") {
            let at = format!("{at}.tool_calls");
            let calls = calls.as_array().ok_or_else(|| wrong_type(&at, "an array"))?;
            for (index, call) in calls.iter().enumerate() {
                content.push(self.call(call, &format!("{at}[{index}]"))?);
            }
        }
        if content.is_empty() {
            return Err(invalid(format!("Invalid value for '{at}.content': expected a string, got null.")));
        }
        self.messages.push(json!({"role": "assistant", "content": content}));
        Ok(())
    }

    fn call(&mut self, call: &Value, at: &str) -> Result<Value, Refusal> {
        let call = members_of(call, at)?;
        known(call, at, &["id", "type", "function"])?;
        if text(call, "type", at)? != "function" {
            return Err(Refusal::unsupported(&format!("the type of the call at {at}")));
        }
        let id = text(call, "id", at)?;
        check_name(id, &format!("{at}.id"))?;
        if self.seen.iter().any(|seen| seen == id) {
            return Err(invalid(format!("Duplicate value for 'tool_call_id' of '{id}' in {at}.")));
        }
        let at = format!("{at}.function");
        let function = members_of(call.get("function").unwrap_or(&Value::Null), &at)?;
        known(function, &at, &["name", "arguments"])?;
        let (name, arguments) = (text(function, "name", &at)?, text(function, "arguments", &at)?);
        let input = serde_json::from_str::<Value>(arguments).ok().filter(Value::is_object);
        let input = input.ok_or_else(|| {
            Refusal::unsupported(&format!("arguments that are no JSON object, at {at}.arguments"))
        })?;
        self.seen.push(id.to_owned());
        self.open.push(id.to_owned());
        Ok(json!({"toolUse": {"toolUseId": id, "name": name, "input": input}}))
    }

    fn tool(&mut self, message: &Map<String, Value>, at: &str) -> Result<(), Refusal> {
        known(message, at, &["role", "content", "tool_call_id"])?;
        let id = text(message, "tool_call_id", at)?;
        let Some(place) = self.open.iter().position(|open| open == id) else {
            return Err(invalid(
                "Invalid parameter: messages with role 'tool' must be a response to a preceding message with \
                 'tool_calls'.",
            ));
        };
        self.open.remove(place);
        // This API has no flag for a tool that could not do what was asked.
        let result = json!({"toolUseId": id, "status": "success", "content": texts(message, at)?});
        self.results.push(json!({"toolResult": result}));
        Ok(())
    }

    fn last_role(&self) -> Option<&str> {
        self.messages.last().and_then(|message| message.get("role")).and_then(Value::as_str)
    }
}

fn unanswered(ids: &[String]) -> Refusal {
    invalid(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
         The following tool_call_ids did not have response messages: {}",
        ids.join(", ")
    ))
}

/// Reads a message's content: a text, or a list of text parts.
fn texts(message: &Map<String, Value>, at: &str) -> Result<Vec<Value>, Refusal> {
    let at = format!("{at}.content");
    let mut texts = Vec::new();
    match message.get("content") {
        Some(Value::String(text)) => texts.push(text_block(text, &at)?),
        Some(Value::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                let at = format!("{at}[{index}]");
                let part = members_of(part, &at)?;
                known(part, &at, &["type", "text"])?;
                if text(part, "type", &at)? != "text" {
                    return Err(Refusal::unsupported(&format!("a part that is no text at {at}")));
                }
                texts.push(text_block(text(part, "text", &at)?, &at)?);
            }
        }
        _ => return Err(wrong_type(&at, "a string or an array of objects")),
    }
    Ok(texts)
}

/// The API takes blank text; Converse's form, in which answers are recorded, has no place for it.
fn text_block(text: &str, at: &str) -> Result<Value, Refusal> {
    match text.trim() {
        "" => Err(Refusal::unsupported(&format!("blank text at {at}"))),
        _ => Ok(json!({"text": text})),
    }
}

fn check_name(name: &str, at: &str) -> Result<(), Refusal> {
    if is_plain(name, LONGEST_NAME) {
        return Ok(());
    }
    let rule = "Expected a string that matches the pattern '^[a-zA-Z0-9_-]{1,64}$'.";
    Err(invalid(format!("Invalid '{at}': string does not match pattern. {rule}")))
}

fn members_of<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| wrong_type(at, "an object"))
}

fn text<'a>(members: &'a Map<String, Value>, name: &str, at: &str) -> Result<&'a str, Refusal> {
    let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let value = members.get(name).ok_or_else(|| invalid(format!("Missing required parameter: '{at}'.")))?;
    value.as_str().ok_or_else(|| wrong_type(&at, "a string"))
}

fn wrong_type(at: &str, wanted: &str) -> Refusal {
    invalid(format!("Invalid type for '{at}': expected {wanted}."))
}

/// Puts a Converse answer into the API's form. Thoughts have no place in it and are left out, as servers do.
pub(super) fn answered(reply: &Value, model: &str, id: &str, created: i64) -> Result<Value, Refusal> {
    const API: &str = "chat completions";
    let mut texts = Vec::new();
    let mut calls = Vec::new();
    for block in blocks(reply) {
        if let Some(text) = block.get("text").and_then(Value::as_str) {
            texts.push(text);
        } else if let Some(used) = block.get("toolUse") {
            let part = |name: &str| used.get(name).cloned().unwrap_or_default();
            let function = json!({"name": part("name"), "arguments": part("input").to_string()});
            calls.push(json!({"id": part("toolUseId"), "type": "function", "function": function}));
        } else if block.get("reasoningContent").is_none() {
            return Err(formless(API, "another block than text, tool use or thoughts"));
        }
    }
    let finish = match reply.get("stopReason").and_then(Value::as_str).unwrap_or_default() {
        "end_turn" | "stop_sequence" => "stop",
        "tool_use" => "tool_calls",
        "max_tokens" => "length",
        "content_filtered" | "guardrail_intervened" => "content_filter",
        other => return Err(formless(API, &format!("the stop reason {other}"))),
    };
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    message.insert("content".to_owned(), (!texts.is_empty()).then(|| texts.join("\n\n")).into());
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    let cached = tokens(reply, "cacheReadInputTokens");
    // Cached tokens count among the others here.
    let prompt = tokens(reply, "inputTokens") + cached + tokens(reply, "cacheWriteInputTokens");
    let completion = tokens(reply, "outputTokens");
    Ok(json!({
        "id": format!("chatcmpl-{id}"),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }))
}

/// Returns status and body of a refusal. A code that tells more than the status is kept.
pub(super) fn refused(refusal: &Refusal) -> (u16, Value) {
    let (kind, usual) = match refusal.status {
        429 => ("requests", json!("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", Value::Null),
        _ => ("server_error", Value::Null),
    };
    let code = match refusal.exception.as_str() {
        code @ ("invalid_api_key" | "model_not_found" | "context_length_exceeded" | "invalid_value") => {
            json!(code)
        }
        _ => usual,
    };
    let error = json!({"message": refusal.message, "type": kind, "param": null, "code": code});
    (refusal.status, json!({"error": error}))
}
