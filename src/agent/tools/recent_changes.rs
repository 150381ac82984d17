//! `recent_changes`: lists every change that was read, with its details.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::tools::{Said, Toolbox, arguments};
use crate::evidence::Source;
use crate::model::ToolSpec;
use crate::redact::Redacted;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {}

/// Returns what the model is told about the tool.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "recent_changes".into(),
        description: "Lists again, oldest first and with all details, the deployments, traffic shifts and configuration \
                      differences that were read, and what could not be read. It reads nothing new: call it only where the \
                      digest was cut."
            .into(),
        input_schema: json!({"type": "object", "properties": {}}),
    }
}

/// Runs the tool.
pub fn call(toolbox: &Toolbox, input: &Value) -> Said {
    if let Err(refusal) = arguments::<Arguments>(input) {
        return refusal;
    }
    let mut text = String::new();
    let mut evidence = Vec::new();
    for item in toolbox.ledger.of_source(Source::Changes) {
        text.push_str(&item.text());
        evidence.push(item.id.clone());
    }
    for gap in toolbox.ledger.gaps().iter().filter(|gap| gap.source == Source::Changes) {
        let _ = writeln!(text, "not read: {} ({}: {})", gap.subject, gap.status.as_str(), gap.reason);
    }
    let outcome = if evidence.is_empty() { "empty" } else { "found" };
    if text.is_empty() {
        text.push_str("no change was read\n");
    }
    Said {
        text: toolbox.fence.wrap("changes", &Redacted::new(&text)),
        is_error: false,
        evidence,
        outcome: outcome.into(),
    }
}
