//! `read_evidence`: shows a piece of evidence whole, where the digest shows only its head.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::tools::{Said, Toolbox, arguments};
use crate::id::EvidenceId;
use crate::model::ToolSpec;
use crate::redact::Redacted;

/// Longest answer, characters: about 6,000 tokens.
const LONGEST: usize = 24_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    id: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

/// Returns what the model is told about the tool.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "read_evidence".into(),
        description: "Shows a piece of evidence whole by its id. For a long series or many log lines give start and end.".into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "For instance M3 or L1"},
                "start": {"type": "string", "description": "UTC, only from here"},
                "end": {"type": "string", "description": "UTC, only before this"}
            },
            "required": ["id"]
        }),
    }
}

/// Runs the tool.
pub fn call(toolbox: &Toolbox, input: &Value) -> Said {
    let asked: Arguments = match arguments(input) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let id = EvidenceId::parse(&asked.id);
    let Some(evidence) = toolbox.ledger.get(&id) else {
        let ids: Vec<_> = toolbox.ledger.items().iter().map(|item| item.id.to_string()).collect();
        return Said::refused(format!("There is no evidence {id}. There is: {}.", ids.join(", ")));
    };
    let window = if asked.start.is_some() || asked.end.is_some() {
        match toolbox.asked_window(asked.start.as_deref(), asked.end.as_deref()) {
            Ok(window) => Some(window),
            Err(refusal) => return refusal,
        }
    } else {
        None
    };
    let mut text = evidence.text_within(window);
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        text.push_str("\n(cut here: ask for a shorter window)");
    }
    Said {
        text: toolbox.fence.wrap(id.as_str(), &Redacted::new(&text)),
        is_error: false,
        evidence: vec![id],
        outcome: "found".into(),
    }
}
