//! Recorded answers: `turns/<agent>-<n>.json` of a scenario, and how such a file is written.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bedrock::marked;
use crate::bedrock::question::{Question, TurnKey};
use crate::bedrock::refusal::Refusal;

const FORMAT: u64 = 1;

/// All turns of one scenario.
#[derive(Debug)]
pub(crate) struct Recordings(BTreeMap<TurnKey, TurnFile>);

/// How a recording was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MadeBy {
    /// A model on Bedrock answered.
    #[serde(rename = "a live model")]
    LiveModel,
    /// A person, or another mind, answered through files.
    #[serde(rename = "by hand")]
    Hand,
    /// Written down without anybody having been asked.
    #[serde(rename = "a script")]
    Script,
}

/// One turn file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnFile {
    /// Always 1.
    pub(crate) format: u64,
    /// `agent` of the request metadata.
    pub(crate) agent: String,
    /// `turn` of the request metadata.
    pub(crate) turn: u32,
    /// How it was made.
    pub(crate) made_by: MadeBy,
    /// Digest of the request that it answers.
    pub(crate) request_digest: String,
    /// Whether it answers this request and no other of the same agent and turn: an answer to a question is none to
    /// another question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) only_for_its_request: bool,
    /// For people: what is to be known of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// Converse output body.
    pub(crate) response: Value,
}

impl Recordings {
    /// Reads every turn file; a missing folder is a scenario without recordings.
    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let mut turns = BTreeMap::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self(turns)),
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        };
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let turn = read_turn(&path).map_err(|reason| format!("{}: {reason}", path.display()))?;
            turns.insert(TurnKey { agent: turn.agent.clone(), turn: turn.turn }, turn);
        }
        Ok(Self(turns))
    }

    /// Returns the recorded answer, marked with how it was made and whether it was made for another request.
    pub(crate) fn answer(&self, question: &Question) -> Result<Value, Refusal> {
        let key = question.key().map_err(|reason| Refusal::unsupported(&reason))?;
        let found = if question.by_digest {
            self.0.values().find(|turn| turn.request_digest == question.digest)
        } else {
            self.0.get(&key)
        };
        let Some(turn) = found else {
            let TurnKey { agent, turn } = key;
            let missing = if question.by_digest {
                format!("no turn was recorded for this very request ({})", question.digest)
            } else {
                format!("no recorded turn for agent {agent}, turn {turn}")
            };
            return Err(Refusal::unsupported(&missing));
        };
        let stale = turn.request_digest != question.digest;
        if stale && turn.only_for_its_request {
            let TurnKey { agent, turn } = key;
            return Err(Refusal::unsupported(&format!(
                "no recorded turn for this request of agent {agent}, turn {turn}; the recorded one answers another question"
            )));
        }
        let answered_by = match turn.made_by {
            MadeBy::LiveModel => "recorded, live model",
            MadeBy::Hand => "recorded, played by hand",
            MadeBy::Script => "recorded, scripted",
        };
        Ok(marked(turn.response.clone(), answered_by, stale))
    }
}

fn read_turn(path: &Path) -> Result<TurnFile, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    // Before anything else, so that a file of a later format is refused by its number and not by a strange member.
    match value.get("format") {
        Some(format) if format.as_u64() == Some(FORMAT) => {}
        Some(format) => return Err(format!("format {format} is not known, only {FORMAT}")),
        None => return Err(format!("no format, expected {FORMAT}")),
    }
    let turn: TurnFile = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let key = TurnKey { agent: turn.agent.clone(), turn: turn.turn };
    if path.file_stem().is_none_or(|stem| stem.to_string_lossy() != key.to_string()) {
        return Err(format!("holds {key}, so its name must be {key}.json"));
    }
    let role = turn.response.pointer("/output/message/role").and_then(Value::as_str);
    let content = turn.response.pointer("/output/message/content").and_then(Value::as_array);
    if role != Some("assistant") || content.is_none() {
        return Err("response.output.message must have role assistant and a content list".to_owned());
    }
    let numbers = ["/usage/inputTokens", "/usage/outputTokens", "/usage/totalTokens", "/metrics/latencyMs"];
    if let Some(missing) =
        numbers.iter().find(|at| turn.response.pointer(at).and_then(Value::as_u64).is_none())
    {
        return Err(format!("response{missing} must be a whole number"));
    }
    if turn.response.get("stopReason").and_then(Value::as_str).is_none() {
        return Err("response.stopReason must be a text".to_owned());
    }
    Ok(turn)
}
