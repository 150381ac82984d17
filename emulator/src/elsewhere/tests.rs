//! Both APIs' rules and forms, and that what they ask is the question that Converse would ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::bedrock::{BedrockOptions, Script, ScriptedAnswer, Turns};

const SONNET: &str = "claude-sonnet-4-6";
const LLAMA: &str = "llama3.1";

fn bedrock(options: BedrockOptions) -> Bedrock {
    let models = BTreeMap::from(
        [
            ("openai:llama3.1", ModelBehaviour::Answers),
            ("openai:secret", ModelBehaviour::AccessDenied),
            ("anthropic:claude-secret", ModelBehaviour::AccessDenied),
        ]
        .map(|(id, behaviour)| (id.to_owned(), behaviour)),
    );
    Bedrock::new(Path::new("/nowhere"), models, options).unwrap()
}

/// Answers every request with the same.
fn saying(answer: Value) -> BedrockOptions {
    let script: Script = Arc::new(move |_| ScriptedAnswer::Answer(answer.clone()));
    BedrockOptions { turns: Turns::Scripted(script), ..BedrockOptions::default() }
}

fn talkative() -> BedrockOptions {
    saying(json!({"text": "Noted."}))
}

fn keyed() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_static("sk-ant-local"));
    headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    headers
}

async fn ask(api: Api, bedrock: &Bedrock, request: &Value) -> (u16, Value) {
    let answer = api.answer(bedrock, None, &keyed(), request.to_string().as_bytes(), "1f").await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// The second turn of a conversation, as the Messages API carries it.
fn messages_request() -> Value {
    let mark = json!({"type": "ephemeral"});
    json!({
        "model": SONNET,
        "max_tokens": 2000,
        "system": [{"type": "text", "text": "You read logs.", "cache_control": mark}],
        "messages": [
            {"role": "user", "content": "What failed?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Look.", "signature": "abc"},
                {"type": "tool_use", "id": "tu_1", "name": "search_logs", "input": {"pattern": "ERROR"}},
                {"type": "tool_use", "id": "tu_2", "name": "search_logs", "input": {"pattern": "WARN"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "tu_2", "content": "denied", "is_error": true},
                {"type": "tool_result", "tool_use_id": "tu_1", "content": [{"type": "text", "text": "3 lines"}]},
                {"type": "text", "text": "Two turns are left."},
            ]},
        ],
        "tools": [{"name": "search_logs", "description": "Searches the logs.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
    })
}

/// The same as Converse carries it; `status` is that of the second tool's result.
fn converse_request(status: &str, thoughts: bool) -> Value {
    let mut said =
        vec![json!({"reasoningContent": {"reasoningText": {"text": "Look.", "signature": "abc"}}})];
    if !thoughts {
        said.clear();
    }
    said.push(
        json!({"toolUse": {"toolUseId": "tu_1", "name": "search_logs", "input": {"pattern": "ERROR"}}}),
    );
    said.push(json!({"toolUse": {"toolUseId": "tu_2", "name": "search_logs", "input": {"pattern": "WARN"}}}));
    json!({
        "system": [{"text": "You read logs."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [{"text": "What failed?"}]},
            {"role": "assistant", "content": said},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "tu_2", "status": status, "content": [{"text": "denied"}]}},
                {"toolResult": {"toolUseId": "tu_1", "status": "success", "content": [{"text": "3 lines"}]}},
                {"text": "Two turns are left."},
            ]},
        ],
        "inferenceConfig": {"maxTokens": 2000},
        "toolConfig": {
            "tools": [{"toolSpec": {
                "name": "search_logs", "description": "Searches the logs.",
                "inputSchema": {"json": {"type": "object"}},
            }}],
            "toolChoice": {"auto": {}},
        },
        "requestMetadata": {"agent": "logs", "turn": "2"},
    })
}

fn chat_request() -> Value {
    let call = |id: &str, pattern: &str| {
        let arguments = json!({"pattern": pattern}).to_string();
        json!({"id": id, "type": "function", "function": {"name": "search_logs", "arguments": arguments}})
    };
    json!({
        "model": LLAMA,
        "max_tokens": 2000,
        "messages": [
            {"role": "system", "content": "You read logs."},
            {"role": "user", "content": [{"type": "text", "text": "What failed?"}]},
            {"role": "assistant", "content": null, "tool_calls": [call("tu_1", "ERROR"), call("tu_2", "WARN")]},
            {"role": "tool", "tool_call_id": "tu_2", "content": "denied"},
            {"role": "tool", "tool_call_id": "tu_1", "content": "3 lines"},
            {"role": "user", "content": "Two turns are left."},
        ],
        "tools": [{"type": "function", "function": {
            "name": "search_logs", "description": "Searches the logs.", "parameters": {"type": "object"},
        }}],
        "tool_choice": "auto",
    })
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn each_api_asks_the_question_that_converse_asks() {
    let digest = |body: Value| Question::new(body).digest;
    let asked = anthropic::asked(&members(&messages_request())).unwrap();
    assert_eq!(asked.model, SONNET);
    assert_eq!(digest(asked.body), digest(converse_request("error", true)));
    let asked = openai::asked(&members(&chat_request())).unwrap();
    assert_eq!(asked.model, LLAMA);
    assert_eq!(digest(asked.body), digest(converse_request("success", false)));
}

#[test]
fn a_question_without_a_name_is_filed_under_its_digest() {
    let asked = || anthropic::asked(&members(&messages_request())).unwrap().body;
    let key = Question::unnamed(asked()).key().unwrap().to_string();
    let digest = Question::unnamed(asked()).digest;
    assert_eq!(key, format!("request-{}-1", &digest["sha256:".len()..][..12]));
}

/// Changes one place of a request; null takes the member away.
fn changed(mut request: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match request.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => drop(members.remove(name)),
        Value::Object(members) => drop(members.insert(name.to_owned(), value)),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer} leads into {other}"),
    }
    request
}

#[tokio::test]
async fn the_messages_api_refuses_what_breaks_its_rules() {
    let bedrock = bedrock(talkative());
    let rows: Vec<(&str, Value, &str)> = vec![
        ("/model", Value::Null, "model: Field required"),
        ("/max_tokens", Value::Null, "max_tokens: Field required"),
        ("/max_tokens", json!(0), "max_tokens: Input should be greater than or equal to 1"),
        ("/max_tokens", json!(64_001), "max_tokens: 64001 > 64000, which is the maximum"),
        ("/messages", Value::Null, "messages: Field required"),
        ("/messages", json!([]), "messages: at least one message is required"),
        ("/messages/0/role", json!("assistant"), "messages: first message must use the \"user\" role"),
        ("/messages/0/role", json!("system"), "messages: Unexpected role \"system\""),
        ("/messages/0/content", json!(" "), "messages: text content blocks must contain non-whitespace text"),
        ("/messages/0/content", json!([]), "messages.0: all messages must have non-empty content"),
        ("/messages/1/role", json!("user"), "emulator: unsupported: two messages of one role in turn"),
        (
            "/messages/1/content/0/signature",
            Value::Null,
            "messages.1.content.0.thinking.signature: Field required",
        ),
        ("/messages/1/content/1/id", json!("a b"), "messages.1.content.1.tool_use.id: String should match"),
        ("/messages/1/content/1/id", json!("tu_2"), "messages: `tool_use` ids must be unique"),
        (
            "/messages/2/content",
            json!([{"type": "tool_result", "tool_use_id": "tu_1", "content": "3 lines"}]),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: tu_2.",
        ),
        (
            "/messages/2/content/0/tool_use_id",
            json!("tu_9"),
            "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: tu_9.",
        ),
        (
            "/messages/2/content/0/tool_use_id",
            json!("tu_1"),
            "messages.2.content.1: each tool_use must have a single result.",
        ),
        ("/messages/2/content/2/type", json!("image"), "emulator: unsupported: the block type image"),
        ("/tools/0/name", json!("a b"), "tools.0.custom.name: String should match pattern"),
        ("/tools/0/input_schema", Value::Null, "tools.0.custom.input_schema: Field required"),
        ("/tool_choice", json!({"type": "tool", "name": "x"}), "Tool 'x' not found in provided tools"),
        ("/tool_choice", json!({"type": "none"}), "emulator: unsupported: tool_choice of type none"),
        ("/stream", json!(true), "emulator: unsupported: stream"),
        ("/thinking", json!({}), "emulator: unsupported: member thinking of the request"),
        ("/temperature", json!(2), "temperature: range: 0..1"),
    ];
    for (pointer, value, words) in rows {
        let request = changed(messages_request(), pointer, value.clone());
        let (status, body) = ask(Api::Messages, &bedrock, &request).await;
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(words), "{pointer} = {value}: {message}");
        assert_eq!((status, &body["type"]), (400, &json!("error")), "{pointer}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["request_id"], "req_1f");
    }
    let without = changed(changed(messages_request(), "/tool_choice", Value::Null), "/tools", Value::Null);
    let (_, body) = ask(Api::Messages, &bedrock, &without).await;
    let words = "Requests which include `tool_use` or `tool_result` blocks must define tools";
    assert_eq!(body["error"]["message"], words);
    assert_eq!(ask(Api::Messages, &bedrock, &messages_request()).await.0, 200);
}

#[tokio::test]
async fn chat_completions_refuse_what_breaks_their_rules() {
    let bedrock = bedrock(talkative());
    let rows: Vec<(&str, Value, &str)> = vec![
        ("/model", Value::Null, "Missing required parameter: 'model'."),
        ("/messages", Value::Null, "Missing required parameter: 'messages'."),
        ("/messages", json!([]), "Invalid 'messages': empty array."),
        ("/messages/0/role", json!("developer"), "emulator: unsupported: the role developer"),
        ("/messages/1/content", json!(" "), "emulator: unsupported: blank text at messages[1].content"),
        ("/messages/2/tool_calls", Value::Null, "Invalid value for 'messages[2].content'"),
        (
            "/messages/2/tool_calls/0/function/arguments",
            json!("{"),
            "emulator: unsupported: arguments that are no JSON object",
        ),
        ("/messages/3/tool_call_id", json!("tu_9"), "Invalid parameter: messages with role 'tool' must be"),
        ("/messages/4/role", json!("user"), "An assistant message with 'tool_calls' must be followed by"),
        ("/tools/0/function/name", json!("a b"), "Invalid 'tools[0].function.name'"),
        ("/tools", Value::Null, "Invalid value for 'tool_choice': 'tool_choice' is only allowed when"),
        (
            "/tool_choice",
            json!({"type": "function", "function": {"name": "x"}}),
            "Invalid value for 'tool_choice': no function named x",
        ),
        ("/max_tokens", json!(0), "Invalid 'max_tokens': integer below minimum value."),
        ("/n", json!(2), "emulator: unsupported: member n of the request"),
        ("/stream", json!(true), "emulator: unsupported: stream"),
    ];
    for (pointer, value, words) in rows {
        let request = changed(chat_request(), pointer, value.clone());
        let (status, body) = ask(Api::ChatCompletions, &bedrock, &request).await;
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(words), "{pointer} = {value}: {message}");
        assert_eq!((status, &body["error"]["type"]), (400, &json!("invalid_request_error")), "{pointer}");
    }
    assert_eq!(ask(Api::ChatCompletions, &bedrock, &chat_request()).await.0, 200);
}

#[tokio::test]
async fn who_asks_without_a_good_key_is_turned_away() {
    type Row<'a> = (Api, Value, &'a [(&'a str, &'static str)], u16, &'a str);
    let bedrock = bedrock(talkative());
    let rows: [Row<'_>; 6] = [
        (Api::Messages, messages_request(), &[], 401, "x-api-key header is required"),
        (Api::Messages, messages_request(), &[("x-api-key", "wrong")], 401, "invalid x-api-key"),
        (
            Api::Messages,
            messages_request(),
            &[("x-api-key", "sk-ant-local")],
            400,
            "anthropic-version: header is required",
        ),
        (
            Api::Messages,
            messages_request(),
            &[("x-api-key", "sk-ant-local"), ("anthropic-version", "2024-01-01")],
            400,
            "anthropic-version: \"2024-01-01\" is not a valid version",
        ),
        (
            Api::ChatCompletions,
            chat_request(),
            &[("authorization", "Basic x")],
            401,
            "Incorrect API key provided.",
        ),
        (
            Api::ChatCompletions,
            chat_request(),
            &[("authorization", "Bearer ")],
            401,
            "Incorrect API key provided.",
        ),
    ];
    for (api, request, given, status, words) in rows {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let answer = api.answer(&bedrock, None, &headers, request.to_string().as_bytes(), "1f").await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, body["error"]["message"].as_str()), (status, Some(words)));
    }
    let (nobody, request) = (HeaderMap::new(), chat_request().to_string());
    let answer = Api::ChatCompletions.answer(&bedrock, None, &nobody, request.as_bytes(), "1f");
    assert_eq!(answer.await.status, 200, "a local server wants no key");
}

#[tokio::test]
async fn a_model_is_known_denied_or_gone() {
    let bedrock = bedrock(talkative());
    let rows = [
        (Api::Messages, "claude-haiku-4-5-20251001", 200, ""),
        (Api::Messages, "claude-haiku-4-5-20251001-v1:0", 404, "not_found_error"),
        (Api::Messages, "anthropic.claude-sonnet-4-6", 404, "not_found_error"),
        (Api::Messages, "nova-pro", 404, "not_found_error"),
        (Api::Messages, "claude-secret", 403, "permission_error"),
        (Api::ChatCompletions, "llama3.1", 200, ""),
        (Api::ChatCompletions, SONNET, 404, "invalid_request_error"),
        (Api::ChatCompletions, "secret", 403, "invalid_request_error"),
    ];
    for (api, model, status, kind) in rows {
        let request = match api {
            Api::Messages => messages_request(),
            Api::ChatCompletions => chat_request(),
        };
        let (given, body) = ask(api, &bedrock, &changed(request, "/model", json!(model))).await;
        assert_eq!(
            (given, body["error"]["type"].as_str().unwrap_or_default()),
            (status, kind),
            "{model}: {body}"
        );
    }
    let (_, body) =
        ask(Api::ChatCompletions, &bedrock, &changed(chat_request(), "/model", json!("nobody"))).await;
    assert_eq!(body["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn what_only_bedrock_says_of_a_model_is_not_said_of_anothers() {
    let models = BTreeMap::from([("openai:llama3.1".to_owned(), ModelBehaviour::Legacy)]);
    let error = Bedrock::new(Path::new("/nowhere"), models, talkative()).map(drop).unwrap_err();
    assert!(error.contains("openai:llama3.1"), "{error}");
}

#[tokio::test]
async fn a_busy_provider_says_so_in_its_own_form_with_the_wait() {
    let options = || BedrockOptions {
        throttle_first: Some(1),
        retry_after: Some(Duration::from_millis(6500)),
        ..talkative()
    };
    for (api, request, kind) in [
        (Api::Messages, messages_request(), "rate_limit_error"),
        (Api::ChatCompletions, chat_request(), "requests"),
    ] {
        let bedrock = bedrock(options());
        let answer = api.answer(&bedrock, None, &keyed(), request.to_string().as_bytes(), "1f").await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]["type"]), (429, &json!(kind)));
        assert!(answer.headers.contains(&("retry-after".to_owned(), "7".to_owned())), "{:?}", answer.headers);
        assert_eq!(ask(api, &bedrock, &request).await.0, 200);
    }
    let bedrock = bedrock(talkative());
    for (api, fault, status, kind) in [
        (Api::Messages, FaultKind::Overloaded, 529, "overloaded_error"),
        (Api::Messages, FaultKind::InternalError, 500, "api_error"),
        (Api::Messages, FaultKind::Throttled, 429, "rate_limit_error"),
        (Api::ChatCompletions, FaultKind::Overloaded, 503, "server_error"),
        (Api::ChatCompletions, FaultKind::InternalError, 500, "server_error"),
    ] {
        let answer = api.answer(&bedrock, Some(fault), &keyed(), b"{}", "1f").await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]["type"]), (status, &json!(kind)), "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_has_the_apis_form_and_says_that_no_live_model_gave_it() {
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"text": "I look."},
        {"toolUse": {"toolUseId": "tu_3", "name": "search_logs", "input": {"n": 1}}},
    ]);
    let usage = json!({"inputTokens": 10, "outputTokens": 5, "totalTokens": 22, "cacheReadInputTokens": 7});
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": "tool_use", "usage": usage,
    });
    let bedrock = bedrock(saying(answer));
    let emulator = json!({"answered_by": "recorded, scripted", "stale": false});
    let (_, body) = ask(Api::Messages, &bedrock, &messages_request()).await;
    assert_eq!(
        body,
        json!({
            "id": "msg_1f", "type": "message", "role": "assistant", "model": SONNET,
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "tu_3", "name": "search_logs", "input": {"n": 1}},
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {
                "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 7,
                "output_tokens": 5,
            },
            "emulator": emulator,
        })
    );
    let (_, body) = ask(Api::ChatCompletions, &bedrock, &chat_request()).await;
    let function = json!({"name": "search_logs", "arguments": "{\"n\":1}"});
    assert_eq!(
        body,
        json!({
            "id": "chatcmpl-1f", "object": "chat.completion", "created": 0, "model": LLAMA,
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant", "content": "I look.",
                    "tool_calls": [{"id": "tu_3", "type": "function", "function": function}],
                },
                "logprobs": null, "finish_reason": "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 17, "completion_tokens": 5, "total_tokens": 22,
                "prompt_tokens_details": {"cached_tokens": 7},
            },
            "emulator": emulator,
        })
    );
}

#[tokio::test]
async fn an_answer_that_the_api_has_no_form_for_is_not_made_up() {
    let bedrock = bedrock(BedrockOptions { malformed_tool_use: 2, ..talkative() });
    for (api, request) in [(Api::Messages, messages_request()), (Api::ChatCompletions, chat_request())] {
        let (status, body) = ask(api, &bedrock, &request).await;
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(status, 400);
        assert!(
            message.starts_with(
                "emulator: unsupported: an answer with the stop reason malformed_tool_use has no"
            ),
            "{message}"
        );
    }
}
