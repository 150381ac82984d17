//! An endpoint that speaks the chat completions of `OpenAI`: a model at home, or one of the many servers that copy it.

use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::model::http::{Endpoint, ReadKey, recording, unreadable};
use crate::model::{
    Content, ConverseReply, ConverseRequest, Message, Model, ModelError, ModelId, Speaker, StopReason,
    ToolChoice, Usage,
};

/// Chat completions at one address.
pub struct OpenAi {
    endpoint: Endpoint,
}

impl OpenAi {
    /// Makes the client. `base_url` holds the version where the server has one: `http://localhost:11434/v1`. A local
    /// server has no key.
    pub fn new(base_url: &str, key: Option<ReadKey>) -> Self {
        OpenAi { endpoint: Endpoint::new(base_url, key) }
    }

    async fn ask(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        time_limit: Duration,
    ) -> Result<ConverseReply, ModelError> {
        let key = self.endpoint.key().await?;
        let bearer = key.map(|key| format!("Bearer {}", key.expose()));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let body = body(model, request);
        let answered = self.endpoint.post("/chat/completions", &headers, &body, time_limit).await?;
        reply(&answered.body, answered.request_id)
    }
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenAi({})", self.endpoint.base_url())
    }
}

impl Model for OpenAi {
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        request: &'a ConverseRequest,
        time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        Box::pin(self.ask(model, request, time_limit))
    }
}

/// Returns the request as the endpoint takes it.
fn body(model: &ModelId, request: &ConverseRequest) -> Value {
    let system =
        (!request.system.trim().is_empty()).then(|| json!({"role": "system", "content": request.system}));
    let messages: Vec<Value> = system.into_iter().chain(request.messages.iter().flat_map(messages)).collect();
    let mut body = json!({
        "model": model.as_sent(),
        "max_tokens": request.max_tokens,
        "messages": messages,
    });
    if let (false, Some(members)) = (request.tools.is_empty(), body.as_object_mut()) {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                let function = json!({
                    "name": tool.name, "description": tool.description, "parameters": tool.input_schema,
                });
                json!({"type": "function", "function": function})
            })
            .collect();
        members.insert("tools".to_owned(), json!(tools));
        let choice = match &request.tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
        };
        members.insert("tool_choice".to_owned(), choice);
    }
    body
}

/// One message of ours is several here: every tool result is one of its own, and they follow their calls at once.
fn messages(message: &Message) -> Vec<Value> {
    let mut results = Vec::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut calls = Vec::new();
    for content in &message.content {
        match content {
            Content::Text(text) => texts.push(text),
            Content::ToolUse { id, name, input } => {
                // Arguments are JSON in a text here.
                let function = json!({"name": name, "arguments": input.to_string()});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            Content::ToolResult { id, text, is_error } => {
                // There is no flag for a tool that could not do what was asked.
                let text = if *is_error { format!("error: {text}") } else { text.clone() };
                results.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
            }
            // No server takes another model's thoughts back.
            Content::Reasoning { .. } | Content::RedactedReasoning { .. } => {}
        }
    }
    let text = (!texts.is_empty()).then(|| texts.join("\n\n"));
    match message.speaker {
        Speaker::User => {
            results.extend(text.map(|text| json!({"role": "user", "content": text})));
            results
        }
        Speaker::Assistant if calls.is_empty() => vec![json!({"role": "assistant", "content": text})],
        Speaker::Assistant => vec![json!({"role": "assistant", "content": text, "tool_calls": calls})],
    }
}

/// Returns the answer in the product's terms.
fn reply(body: &Value, request_id: Option<String>) -> Result<ConverseReply, ModelError> {
    let request_id = request_id.or_else(|| body.get("id").and_then(Value::as_str).map(str::to_owned));
    let Some(choice) = body.pointer("/choices/0") else {
        return Err(unreadable("it has no choices", request_id));
    };
    let text = choice.pointer("/message/content").and_then(Value::as_str).unwrap_or_default();
    let said = (!text.trim().is_empty()).then(|| Content::Text(text.to_owned()));
    let calls = choice.pointer("/message/tool_calls").and_then(Value::as_array);
    let calls: Vec<Option<Content>> = calls.into_iter().flatten().map(tool_use).collect();
    let unread = calls.iter().any(Option::is_none);
    let content: Vec<Content> = said.into_iter().chain(calls.into_iter().flatten()).collect();
    let uses_tools = content.iter().any(|content| matches!(content, Content::ToolUse { .. }));
    let finish = choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
    let stop = match finish {
        _ if unread && finish != "length" => StopReason::Malformed,
        "length" => StopReason::MaxTokens,
        "content_filter" => StopReason::Filtered,
        // Some servers say "stop" although they call a tool.
        _ if uses_tools => StopReason::ToolUse,
        "stop" => StopReason::EndTurn,
        other => StopReason::Other(other.to_owned()),
    };
    let count = |path: &str| body.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    let cached = count("/usage/prompt_tokens_details/cached_tokens");
    let usage = Usage {
        // The endpoint counts cached tokens among the others; ours do not.
        input: count("/usage/prompt_tokens").saturating_sub(cached),
        output: count("/usage/completion_tokens"),
        cache_read: cached,
        cache_write: 0,
    };
    Ok(ConverseReply { content, stop, usage, request_id, recording: recording(body) })
}

/// `None` for a call whose arguments are no JSON.
fn tool_use(call: &Value) -> Option<Content> {
    let text = |path: &str| call.pointer(path).and_then(Value::as_str);
    let arguments = text("/function/arguments")?;
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    Some(Content::ToolUse {
        id: text("/id")?.to_owned(),
        name: text("/function/name")?.to_owned(),
        input: serde_json::from_str(arguments).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::refused;
    use crate::model::{ErrorClass, ToolSpec, Tuning};

    fn said(speaker: Speaker, content: Vec<Content>) -> Message {
        Message { speaker, content }
    }

    #[test]
    fn a_conversation_is_sent_whole() {
        let used = |id: &str| Content::ToolUse { id: id.into(), name: "look".into(), input: json!({"n": 1}) };
        let result =
            |id: &str, is_error| Content::ToolResult { id: id.into(), text: "found".into(), is_error };
        let request = ConverseRequest {
            agent: "logs".into(),
            turn: 2,
            system: "rules".into(),
            messages: vec![
                said(Speaker::User, vec![Content::Text("task".into())]),
                said(
                    Speaker::Assistant,
                    vec![Content::Reasoning { text: "hm".into(), signature: None }, used("t1"), used("t2")],
                ),
                said(
                    Speaker::User,
                    vec![result("t1", false), result("t2", true), Content::Text("hurry".into())],
                ),
            ],
            tools: vec![ToolSpec {
                name: "look".into(),
                description: "Looks.".into(),
                input_schema: json!({"type": "object"}),
            }],
            tool_choice: ToolChoice::Auto,
            max_tokens: 900,
            tuning: Tuning::default(),
        };
        let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{\"n\":1}"}});
        assert_eq!(
            body(&ModelId::from("openai:llama3.1:8b"), &request),
            json!({
                "model": "llama3.1:8b",
                "max_tokens": 900,
                "messages": [
                    {"role": "system", "content": "rules"},
                    {"role": "user", "content": "task"},
                    {"role": "assistant", "content": null, "tool_calls": [call("t1"), call("t2")]},
                    {"role": "tool", "tool_call_id": "t1", "content": "found"},
                    {"role": "tool", "tool_call_id": "t2", "content": "error: found"},
                    {"role": "user", "content": "hurry"},
                ],
                "tools": [{"type": "function", "function": {
                    "name": "look", "description": "Looks.", "parameters": {"type": "object"},
                }}],
                "tool_choice": "auto",
            })
        );
    }

    fn answer(message: &Value, finish: &str) -> ConverseReply {
        let body = json!({
            "id": "chat-1", "choices": [{"message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}},
        });
        reply(&body, None).unwrap()
    }

    #[test]
    fn an_answer_is_read_whole_and_what_it_says_can_be_sent_back() {
        let message = json!({"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"n\":1}"}},
        ]});
        let reply = answer(&message, "stop");
        assert_eq!((&reply.stop, reply.request_id.as_deref()), (&StopReason::ToolUse, Some("chat-1")));
        assert_eq!(reply.usage, Usage { input: 10, output: 5, cache_read: 2, cache_write: 0 });
        assert_eq!(messages(&said(Speaker::Assistant, reply.content)), [message]);
    }

    #[test]
    fn each_end_of_an_answer_has_its_stop_reason() {
        let text = json!({"content": "x"});
        assert_eq!(answer(&text, "stop").stop, StopReason::EndTurn);
        assert_eq!(answer(&text, "length").stop, StopReason::MaxTokens);
        assert_eq!(answer(&text, "content_filter").stop, StopReason::Filtered);
        assert_eq!(answer(&text, "new").stop, StopReason::Other("new".into()));
        let broken = json!({"tool_calls": [{"id": "t1", "function": {"name": "look", "arguments": "{"}}]});
        assert_eq!(answer(&broken, "tool_calls").stop, StopReason::Malformed);
        assert_eq!(answer(&broken, "length").stop, StopReason::MaxTokens);
    }

    #[test]
    fn an_answer_without_choices_is_an_error_and_no_panic() {
        for body in [json!({}), json!(null), json!({"choices": []})] {
            assert_eq!(reply(&body, None).unwrap_err().class, ErrorClass::Unknown, "{body}");
        }
    }

    #[test]
    fn every_refusal_of_the_endpoint_has_its_class() {
        let rows: &[(u16, Value, ErrorClass)] = &[
            (
                401,
                json!({"code": "invalid_api_key", "message": "Incorrect API key"}),
                ErrorClass::Credentials,
            ),
            (
                404,
                json!({"code": "model_not_found", "message": "no such model"}),
                ErrorClass::InvalidIdentifier,
            ),
            (429, json!({"code": "rate_limit_exceeded", "message": "Slow down"}), ErrorClass::Throttled),
            (
                429,
                json!({"code": "insufficient_quota", "message": "You exceeded your current quota"}),
                ErrorClass::DailyQuota,
            ),
            (
                400,
                json!({"code": "context_length_exceeded", "message": "This model's maximum context length is 8 tokens"}),
                ErrorClass::InputTooLong,
            ),
            (500, json!("out of memory"), ErrorClass::Unavailable),
        ];
        for (status, error, class) in rows {
            let body = json!({"error": error});
            assert_eq!(refused(*status, Some(&body), None).class, *class, "{error}");
        }
    }
}
