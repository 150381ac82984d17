//! `search_logs`: reads log lines that hold a text.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::tools::{Question, Said, Toolbox, arguments, found};
use crate::evidence::{Body, LogLine, LogLines, Source, console};
use crate::gather::telemetry::{LogEvent, LogRequest};
use crate::model::ToolSpec;
use crate::redact::Redacted;

/// Most lines of one search: what a person would read.
const MOST_LINES: usize = 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    log_group: Option<String>,
    contains: String,
    #[serde(default)]
    stream_prefix: Option<String>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

/// Returns what the model is told about the tool.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "search_logs".into(),
        description: format!(
            "Reads log lines of the incident's log group that hold an exact text, oldest first, at most {MOST_LINES}, and returns \
             them as new evidence. An empty result is evidence too: the text does not occur in that window."
        ),
        input_schema: json!({
            "type": "object",
            "properties": {
                "contains": {"type": "string", "description": "Exact text, case counts; for instance TypeError"},
                "log_group": {"type": "string", "description": "One of the incident's log groups; the first by default"},
                "stream_prefix": {"type": "string", "description": "Only streams that begin so; a Lambda stream is 2026/01/31/[58]…"},
                "start": {"type": "string", "description": "UTC, 2026-01-31T03:00:00Z or 03:00; the incident's window by default"},
                "end": {"type": "string", "description": "UTC, exclusive; now by default"}
            },
            "required": ["contains"]
        }),
    }
}

/// Runs the tool.
pub async fn call(toolbox: &mut Toolbox, input: &Value) -> Said {
    let asked: Arguments = match arguments(input) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let Some(group) = asked.log_group.or_else(|| toolbox.log_groups.first().cloned()) else {
        return Said::refused("No log group of this incident can be read. Work with the other evidence.");
    };
    if !toolbox.log_groups.contains(&group) {
        return Said::refused(format!(
            "{group} does not belong to this incident. Readable: {}.",
            toolbox.log_groups.join(", ")
        ));
    }
    let text = asked.contains.replace(['"', '\\'], " ");
    let text = text.trim();
    if text.is_empty() {
        return Said::refused("Give the text that the lines must hold.");
    }
    let window = match toolbox.asked_window(asked.start.as_deref(), asked.end.as_deref()) {
        Ok(window) => window,
        Err(refusal) => return refusal,
    };
    // The title is all that others see of the question, so it must hold every filter.
    let streams = asked.stream_prefix.as_ref().map(|prefix| format!(" in streams that begin with {prefix}"));
    let title = format!("lines of {group} with \"{text}\"{}", streams.unwrap_or_default());
    let request = LogRequest {
        group: group.clone(),
        stream_prefix: asked.stream_prefix,
        // A quoted pattern is matched literally.
        pattern: format!("\"{text}\""),
        window,
        limit: MOST_LINES,
    };
    let question = Question {
        id: toolbox.next_id(Source::Logs),
        source: Source::Logs,
        title,
        query: console::log_query(&toolbox.place, &request.group, &request.pattern, window),
        window,
    };
    match toolbox.telemetry.log_events(&request).await {
        Ok(page) => {
            let line = |event: LogEvent| LogLine {
                at: event.at,
                stream: event.stream,
                text: Redacted::new(&event.message),
            };
            let lines: Vec<LogLine> = page.events.into_iter().map(line).collect();
            let status = found(!lines.is_empty());
            let logs = LogLines {
                group: request.group,
                pattern: request.pattern,
                lines,
                complete: page.complete,
                counted: None,
                templates: Vec::new(),
            };
            toolbox.add(question.answered(status, Body::Logs(logs)))
        }
        Err(error) => toolbox.not_read(question, &error),
    }
}
