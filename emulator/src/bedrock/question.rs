//! One valid request in Converse's form with what chooses its answer: agent, turn and digest.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A request that passed validation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// The request body, in Converse's form.
    pub(crate) body: Value,
    /// `agent` of the request metadata.
    pub(crate) agent: Option<String>,
    /// `turn` of the request metadata.
    pub(crate) turn: Option<u32>,
    /// `sha256:…` over `system`, `messages` and `toolConfig`.
    pub(crate) digest: String,
    /// Whether the API has no place for agent and turn, so that the digest alone tells one question from another.
    pub(crate) by_digest: bool,
}

/// What a turn is filed under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TurnKey {
    /// Letters, digits, `-` and `_` only, because it becomes a file name.
    pub(crate) agent: String,
    /// One-based.
    pub(crate) turn: u32,
}

impl std::fmt::Display for TurnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.agent, self.turn)
    }
}

impl Question {
    pub(crate) fn new(body: Value) -> Self {
        let (agent, turn) = metadata(&body);
        let digest = digest(&body);
        Self { body, agent, turn, digest, by_digest: false }
    }

    /// Makes the question of an API that carries neither agent nor turn. By hand it is filed under its digest, so that
    /// the same question finds the same answer.
    pub(crate) fn unnamed(body: Value) -> Self {
        let digest = digest(&body);
        let start: String = digest.chars().skip("sha256:".len()).take(12).collect();
        Self { body, agent: Some(format!("request-{start}")), turn: Some(1), digest, by_digest: true }
    }

    /// Returns the key, or what is missing for one.
    pub(crate) fn key(&self) -> Result<TurnKey, String> {
        let (Some(agent), Some(turn)) = (&self.agent, self.turn) else {
            return Err("requestMetadata without agent and turn, so no turn can be chosen".to_owned());
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if agent.is_empty() || !agent.chars().all(plain) {
            return Err(format!("agent name {agent:?}: only letters, digits, - and _ can name a turn file"));
        }
        Ok(TurnKey { agent: agent.clone(), turn })
    }

    /// Returns the tool specifications on offer.
    pub(crate) fn tools(&self) -> impl Iterator<Item = &Value> {
        let tools =
            self.body.get("toolConfig").and_then(|config| config.get("tools")).and_then(Value::as_array);
        tools.into_iter().flatten().filter_map(|tool| tool.get("toolSpec"))
    }
}

/// Reads agent and turn wherever they stand, even in a request that will be refused.
pub(crate) fn metadata(body: &Value) -> (Option<String>, Option<u32>) {
    let text = |name: &str| body.get("requestMetadata").and_then(|m| m.get(name)).and_then(Value::as_str);
    (text("agent").map(str::to_owned), text("turn").and_then(|turn| turn.parse().ok()))
}

/// Digest of what the model is asked: `system`, `messages` and `toolConfig` as one JSON object with sorted keys and no
/// white space; a member that the request does not carry is left out. So are cache points: they tell what the provider
/// keeps, and the model reads the same with and without them.
pub(crate) fn digest(body: &Value) -> String {
    let mut asked = Map::new();
    for name in ["system", "messages", "toolConfig"] {
        if let Some(value) = body.get(name) {
            asked.insert(name.to_owned(), without_cache_points(value));
        }
    }
    let text = sorted(&Value::Object(asked)).to_string();
    format!("sha256:{}", hex(&Sha256::digest(text.as_bytes())))
}

fn without_cache_points(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let read = items.iter().filter(|item| item.get("cachePoint").is_none());
            Value::Array(read.map(without_cache_points).collect())
        }
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (name.clone(), without_cache_points(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Estimates tokens as a quarter of the characters, for answers that no tokenizer has counted.
pub(crate) fn estimated_usage(request: &Value, content: &Value) -> Value {
    let asked: usize = ["system", "messages", "toolConfig"]
        .iter()
        .filter_map(|name| request.get(*name))
        .map(|value| value.to_string().chars().count())
        .sum();
    let input = (asked / 4).max(1);
    let output = (content.to_string().chars().count() / 4).max(1);
    json!({"inputTokens": input, "outputTokens": output, "totalTokens": input + output})
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The workspace keeps the order of keys as written, so two equal requests could differ in it.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let pairs = names.into_iter().filter_map(|name| Some((name.clone(), sorted(members.get(name)?))));
            Value::Object(pairs.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
