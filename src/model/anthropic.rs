//! Anthropic's Messages API: a rung outside Bedrock, for the day on which a Region's Bedrock does not answer.

use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::model::http::{Endpoint, ReadKey, recording, unreadable};
use crate::model::{
    Content, ConverseReply, ConverseRequest, Message, Model, ModelError, ModelId, Speaker, StopReason,
    ToolChoice, Usage,
};

/// Where the API is unless the configuration says otherwise.
pub const BASE_URL: &str = "https://api.anthropic.com";

/// The API's version, which it wants to be told.
const VERSION: &str = "2023-06-01";

/// Sent for a tool that had nothing to say: blank text is refused.
const NO_TEXT: &str = "(no text)";

/// The Messages API.
pub struct Anthropic {
    endpoint: Endpoint,
}

impl Anthropic {
    /// Makes the client; the key is read when the first question is asked.
    pub fn new(base_url: &str, key: ReadKey) -> Self {
        Anthropic { endpoint: Endpoint::new(base_url, Some(key)) }
    }

    async fn ask(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        time_limit: Duration,
    ) -> Result<ConverseReply, ModelError> {
        let key = self.endpoint.key().await?;
        let mut headers = vec![("anthropic-version", VERSION)];
        headers.extend(key.map(|key| ("x-api-key", key.expose())));
        let body = body(model, request);
        let answered = self.endpoint.post("/v1/messages", &headers, &body, time_limit).await?;
        reply(&answered.body, answered.request_id)
    }
}

impl std::fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Anthropic({})", self.endpoint.base_url())
    }
}

impl Model for Anthropic {
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        request: &'a ConverseRequest,
        time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        Box::pin(self.ask(model, request, time_limit))
    }
}

/// Returns the request as the API takes it.
fn body(model: &ModelId, request: &ConverseRequest) -> Value {
    let mark = json!({"type": "ephemeral"});
    let mut messages: Vec<Value> = request.messages.iter().map(message).collect();
    if request.tuning.cache.after_task
        && let Some(task) = messages.first_mut().and_then(|first| first.pointer_mut("/content/0"))
        && let Some(task) = task.as_object_mut()
    {
        task.insert("cache_control".to_owned(), mark.clone());
    }
    let mut body = json!({
        "model": model.as_sent(),
        "max_tokens": request.max_tokens,
        "messages": messages,
    });
    let Some(members) = body.as_object_mut() else { return body };
    if !request.system.trim().is_empty() {
        let mut system = json!({"type": "text", "text": request.system});
        if let (true, Some(system)) = (request.tuning.cache.after_system, system.as_object_mut()) {
            system.insert("cache_control".to_owned(), mark);
        }
        members.insert("system".to_owned(), json!([system]));
    }
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "name": tool.name, "description": tool.description, "input_schema": tool.input_schema,
                })
            })
            .collect();
        members.insert("tools".to_owned(), json!(tools));
        let choice = match &request.tool_choice {
            ToolChoice::Auto => json!({"type": "auto"}),
            ToolChoice::Tool(name) => json!({"type": "tool", "name": name}),
        };
        members.insert("tool_choice".to_owned(), choice);
    }
    body
}

fn message(message: &Message) -> Value {
    let role = match message.speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    };
    let content: Vec<Value> = message.content.iter().filter_map(block).collect();
    json!({"role": role, "content": content})
}

fn block(content: &Content) -> Option<Value> {
    Some(match content {
        Content::Text(text) => json!({"type": "text", "text": text}),
        Content::ToolUse { id, name, input } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
        Content::ToolResult { id, text, is_error } => {
            let text = if text.trim().is_empty() { NO_TEXT } else { text };
            json!({"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error})
        }
        // Thoughts without a signature are another provider's; this one would refuse them.
        Content::Reasoning { text, signature } => {
            json!({"type": "thinking", "thinking": text, "signature": signature.as_ref()?})
        }
        Content::RedactedReasoning { data } => json!({"type": "redacted_thinking", "data": data}),
    })
}

/// Returns the answer in the product's terms. Blocks that the product has no use for are left out.
fn reply(body: &Value, request_id: Option<String>) -> Result<ConverseReply, ModelError> {
    let Some(blocks) = body.get("content").and_then(Value::as_array) else {
        return Err(unreadable("it has no content", request_id));
    };
    let count = |name: &str| {
        body.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64).unwrap_or_default()
    };
    Ok(ConverseReply {
        content: blocks.iter().filter_map(content).collect(),
        stop: match body.get("stop_reason").and_then(Value::as_str).unwrap_or_default() {
            "end_turn" | "stop_sequence" => StopReason::EndTurn,
            "tool_use" => StopReason::ToolUse,
            "max_tokens" => StopReason::MaxTokens,
            "model_context_window_exceeded" => StopReason::ContextExceeded,
            "refusal" => StopReason::Filtered,
            other => StopReason::Other(other.to_owned()),
        },
        usage: Usage {
            input: count("input_tokens"),
            output: count("output_tokens"),
            cache_read: count("cache_read_input_tokens"),
            cache_write: count("cache_creation_input_tokens"),
        },
        request_id,
        recording: recording(body),
    })
}

fn content(block: &Value) -> Option<Content> {
    let text = |name: &str| block.get(name).and_then(Value::as_str).map(str::to_owned);
    match block.get("type")?.as_str()? {
        "text" => text("text").filter(|text| !text.trim().is_empty()).map(Content::Text),
        "tool_use" => Some(Content::ToolUse {
            id: text("id")?,
            name: text("name")?,
            input: block.get("input").cloned().unwrap_or_else(|| json!({})),
        }),
        "redacted_thinking" => Some(Content::RedactedReasoning { data: text("data")? }),
        "thinking" => Some(Content::Reasoning { text: text("thinking")?, signature: text("signature") }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::refused;
    use crate::model::{CachePoints, ErrorClass, ToolSpec, Tuning};

    fn said(speaker: Speaker, content: Vec<Content>) -> Message {
        Message { speaker, content }
    }

    #[test]
    fn a_conversation_is_sent_whole_with_its_marks() {
        let thought = |signature: Option<&str>| Content::Reasoning {
            text: "hm".into(),
            signature: signature.map(str::to_owned),
        };
        let request = ConverseRequest {
            agent: "logs".into(),
            turn: 2,
            system: "rules".into(),
            messages: vec![
                said(Speaker::User, vec![Content::Text("task".into())]),
                said(
                    Speaker::Assistant,
                    vec![
                        thought(Some("sig")),
                        thought(None),
                        Content::ToolUse { id: "t1".into(), name: "look".into(), input: json!({"n": 1}) },
                    ],
                ),
                said(
                    Speaker::User,
                    vec![Content::ToolResult { id: "t1".into(), text: " ".into(), is_error: true }],
                ),
            ],
            tools: vec![ToolSpec {
                name: "look".into(),
                description: "Looks.".into(),
                input_schema: json!({"type": "object"}),
            }],
            tool_choice: ToolChoice::Tool("look".into()),
            max_tokens: 900,
            tuning: Tuning { sampling: None, cache: CachePoints { after_system: true, after_task: true } },
        };
        let mark = json!({"type": "ephemeral"});
        assert_eq!(
            body(&ModelId::from("anthropic:claude-sonnet-4-6"), &request),
            json!({
                "model": "claude-sonnet-4-6",
                "max_tokens": 900,
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "task", "cache_control": mark}]},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "sig"},
                        {"type": "tool_use", "id": "t1", "name": "look", "input": {"n": 1}},
                    ]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": NO_TEXT, "is_error": true},
                    ]},
                ],
                "system": [{"type": "text", "text": "rules", "cache_control": mark}],
                "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}],
                "tool_choice": {"type": "tool", "name": "look"},
            })
        );
    }

    #[test]
    fn an_answer_is_read_whole_and_what_it_says_can_be_sent_back() {
        let blocks = json!([
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"n": 1}},
        ]);
        let answer = json!({
            "content": blocks, "stop_reason": "tool_use",
            "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 7,
                      "cache_creation_input_tokens": 3},
        });
        let reply = reply(&answer, Some("req_1".into())).unwrap();
        assert_eq!(reply.stop, StopReason::ToolUse);
        assert_eq!(reply.usage, Usage { input: 10, output: 5, cache_read: 7, cache_write: 3 });
        assert_eq!(reply.request_id.as_deref(), Some("req_1"));
        let back = message(&said(Speaker::Assistant, reply.content));
        assert_eq!(back["content"], blocks);
    }

    #[test]
    fn an_answer_without_content_is_an_error_and_no_panic() {
        for body in [json!({}), json!(null), json!({"content": "text"}), json!([])] {
            assert_eq!(reply(&body, None).unwrap_err().class, ErrorClass::Unknown, "{body}");
        }
    }

    #[test]
    fn every_refusal_of_the_api_has_its_class() {
        let rows: &[(u16, &str, &str, ErrorClass)] = &[
            (400, "invalid_request_error", "max_tokens: must be positive", ErrorClass::InvalidRequest),
            (
                400,
                "invalid_request_error",
                "prompt is too long: 9 tokens > 8 maximum",
                ErrorClass::InputTooLong,
            ),
            (400, "invalid_request_error", "Your credit balance is too low", ErrorClass::NotEnabled),
            (401, "authentication_error", "invalid x-api-key", ErrorClass::Credentials),
            (402, "billing_error", "Pay first", ErrorClass::NotEnabled),
            (403, "permission_error", "not for this key", ErrorClass::AccessDenied),
            (404, "not_found_error", "model: claude-nobody", ErrorClass::InvalidIdentifier),
            (413, "request_too_large", "too large", ErrorClass::InputTooLong),
            (429, "rate_limit_error", "This request would exceed your rate limit", ErrorClass::Throttled),
            (500, "api_error", "Internal server error", ErrorClass::Unavailable),
            (529, "overloaded_error", "Overloaded", ErrorClass::Unavailable),
        ];
        for (status, kind, message, class) in rows {
            let body = json!({"type": "error", "error": {"type": kind, "message": message}});
            let error = refused(*status, Some(&body), None);
            assert_eq!((error.class, error.message), (*class, format!("{kind}: {message}")));
        }
    }
}
