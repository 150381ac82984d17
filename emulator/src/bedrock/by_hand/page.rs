//! The readable form of one request: how to answer, system prompt, tools, and the conversation with the newest last.

use std::fmt::Write as _;

use serde_json::Value;

use crate::bedrock::question::{Question, TurnKey};

/// Renders the whole page.
pub(crate) fn request_page(question: &Question, key: &TurnKey) -> String {
    let mut page = format!("# {}, turn {}\n\n", key.agent, key.turn);
    page.push_str(&how_to_answer(question, key));
    page.push_str("\n## System prompt\n\n");
    let system = question.body.get("system").and_then(Value::as_array);
    let prompts: Vec<&str> =
        system.into_iter().flatten().filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
    if prompts.is_empty() {
        page.push_str("(none)\n");
    }
    for prompt in prompts {
        page.push_str(&fenced(prompt, ""));
    }
    page.push_str("\n## Tools\n");
    let mut tools = 0;
    for tool in question.tools() {
        tools += 1;
        let text = |name: &str| tool.get(name).and_then(Value::as_str).unwrap_or_default();
        let _ = write!(page, "\n### {}\n\n{}\n\nInput schema:\n\n", text("name"), text("description"));
        let schema = tool.pointer("/inputSchema/json").unwrap_or(&Value::Null);
        page.push_str(&fenced(&format!("{schema:#}"), "json"));
    }
    if tools == 0 {
        page.push_str("\n(none: answer with a text)\n");
    }
    page.push_str("\n## Conversation so far, the newest message last\n");
    let messages = question.body.get("messages").and_then(Value::as_array);
    let count = messages.map_or(0, Vec::len);
    for (index, message) in messages.into_iter().flatten().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        let speaker = if role == "assistant" { "you" } else { "user" };
        let newest = if index + 1 == count { ": NEWEST, answer this" } else { "" };
        let _ = write!(page, "\n### Message {} of {count}, {speaker}{newest}\n", index + 1);
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            page.push('\n');
            page.push_str(&block_text(block));
        }
    }
    page
}

fn how_to_answer(question: &Question, key: &TurnKey) -> String {
    let mut text = format!(
        "You are the model. Read this page, then write your answer as `{key}.answer.json` beside this file. It is \
         picked up within a second. If it cannot be used, `{key}.answer.error.txt` says why; change the answer then.\n\n\
         The file takes one of two forms.\n\n\
         Short form, `text` or `tool_calls` or both; the rest is filled in for you:\n\n"
    );
    let example = match question.tools().next().and_then(|tool| tool.get("name")).and_then(Value::as_str) {
        Some(tool) => {
            format!(
                "{{\"text\": \"what you say\", \"tool_calls\": [{{\"name\": \"{tool}\", \"input\": {{}}}}]}}"
            )
        }
        None => "{\"text\": \"what you say\"}".to_owned(),
    };
    text.push_str(&fenced(&example, "json"));
    text.push_str("\nFull form, the body of a Converse answer (`usage` and `metrics` may be left out):\n\n");
    text.push_str(&fenced(
        "{\"output\": {\"message\": {\"role\": \"assistant\", \"content\": [{\"text\": \"what you say\"}]}}, \
         \"stopReason\": \"end_turn\"}",
        "json",
    ));
    let choice = question.body.pointer("/toolConfig/toolChoice");
    let forced = choice.and_then(|c| c.pointer("/tool/name")).and_then(Value::as_str);
    if let Some(name) = forced {
        let _ = write!(text, "\nYou must call the tool `{name}` in this turn.\n");
    } else if choice.is_some_and(|c| c.get("any").is_some()) {
        text.push_str("\nYou must call one of the tools in this turn.\n");
    } else if question.tools().next().is_some() {
        text.push_str("\nYou may call tools, several at once, or answer with text alone.\n");
    }
    if let Some(limit) = question.body.pointer("/inferenceConfig/maxTokens") {
        let _ = write!(text, "\nA model's answer would be cut at {limit} tokens.\n");
    }
    text
}

fn block_text(block: &Value) -> String {
    if let Some(text) = block.get("text").and_then(Value::as_str) {
        return fenced(text, "");
    }
    if let Some(call) = block.get("toolUse") {
        let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
        let id = call.get("toolUseId").and_then(Value::as_str).unwrap_or_default();
        let input = call.get("input").unwrap_or(&Value::Null);
        return format!("Tool call `{name}` ({id}):\n\n{}", fenced(&format!("{input:#}"), "json"));
    }
    if let Some(result) = block.get("toolResult") {
        let id = result.get("toolUseId").and_then(Value::as_str).unwrap_or_default();
        let failed = result.get("status").and_then(Value::as_str) == Some("error");
        let mut text = format!("Tool result{} ({id}):\n", if failed { ", an error" } else { "" });
        for part in result.get("content").and_then(Value::as_array).into_iter().flatten() {
            text.push('\n');
            match (part.get("text").and_then(Value::as_str), part.get("json")) {
                (Some(plain), _) => text.push_str(&fenced(plain, "")),
                (None, Some(json)) => text.push_str(&fenced(&format!("{json:#}"), "json")),
                (None, None) => text.push_str(&fenced(&format!("{part:#}"), "json")),
            }
        }
        return text;
    }
    if let Some(reasoning) = block.pointer("/reasoningContent/reasoningText/text").and_then(Value::as_str) {
        return format!("Reasoning:\n\n{}", fenced(reasoning, ""));
    }
    fenced(&format!("{block:#}"), "json")
}

/// A fence longer than any in the text, so that a log line cannot end it.
fn fenced(text: &str, language: &str) -> String {
    let mut longest = 2;
    let mut run = 0;
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}
