//! Tests of Bedrock as a caller meets it: status, headers, body.

mod by_hand;
mod models;
mod pace;
mod recorded;
mod validation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::*;

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("sre-agent-bedrock-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn all_models() -> BTreeMap<String, ModelBehaviour> {
    [
        ("anthropic.claude-sonnet-4-6", ModelBehaviour::Answers),
        ("anthropic.claude-sonnet-5", ModelBehaviour::Answers),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", ModelBehaviour::Answers),
        ("amazon.nova-pro-v1:0", ModelBehaviour::Answers),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", ModelBehaviour::EndOfLife),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", ModelBehaviour::Legacy),
        ("anthropic.claude-opus-5-5", ModelBehaviour::AccessDenied),
        ("amazon.nova-lite-v1:0", ModelBehaviour::OnDemandUnsupported),
        ("us.amazon.nova-2-lite-v1:0", ModelBehaviour::OnDemandUnsupported),
        ("anthropic.claude-haiku-5-5", ModelBehaviour::InvalidIdentifier),
    ]
    .into_iter()
    .map(|(id, behaviour)| (id.to_owned(), behaviour))
    .collect()
}

fn service(options: BedrockOptions) -> Bedrock {
    Bedrock::new(Path::new("/nowhere"), all_models(), options).unwrap()
}

/// Answers every request with the same text.
fn talkative() -> BedrockOptions {
    let script: Script = Arc::new(|_| ScriptedAnswer::Answer(json!({"text": "Noted."})));
    BedrockOptions { turns: Turns::Scripted(script), ..BedrockOptions::default() }
}

/// A valid second turn: history with a tool use and its result.
fn valid_request() -> Value {
    json!({
        "system": [{"text": "You read logs."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [{"text": "What failed?"}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "Look.", "signature": "abc"}}},
                {"toolUse": {"toolUseId": "tu_1", "name": "search_logs", "input": {"pattern": "ERROR"}}},
                {"toolUse": {"toolUseId": "tu_2", "name": "search_logs", "input": {"pattern": "WARN"}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "tu_2", "status": "error", "content": [{"text": "denied"}]}},
                {"toolResult": {"toolUseId": "tu_1", "status": "success", "content": [{"json": {"lines": 3}}]}},
                {"text": "Two turns are left."},
            ]},
        ],
        "inferenceConfig": {"maxTokens": 2000},
        "toolConfig": {
            "tools": [
                {"toolSpec": {
                    "name": "search_logs",
                    "description": "Searches the logs.",
                    "inputSchema": {"json": {
                        "type": "object",
                        "properties": {"pattern": {"type": "string"}, "limit": {"type": "integer"}},
                        "required": ["pattern"],
                        "additionalProperties": false,
                    }},
                }},
                {"cachePoint": {"type": "default"}},
            ],
            "toolChoice": {"auto": {}},
        },
        "requestMetadata": {"agent": "logs", "turn": "2"},
    })
}

/// A valid first turn with no tools.
fn plain_request(agent: &str, turn: u32) -> Value {
    json!({
        "messages": [{"role": "user", "content": [{"text": "What failed?"}]}],
        "inferenceConfig": {"maxTokens": 2000},
        "requestMetadata": {"agent": agent, "turn": turn.to_string()},
    })
}

async fn ask(bedrock: &Bedrock, model: &str, request: &Value) -> (u16, Value) {
    let answer = bedrock.converse(model, request.to_string().as_bytes()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}
