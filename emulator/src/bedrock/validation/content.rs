//! Rules for one content block.

use serde_json::{Map, Value};

use crate::bedrock::validation::{
    Checked, check_identifier, constraint, known_members, list, object, present, wrong_type,
};

const MESSAGE_BLOCKS: &[&str] = &[
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
    "toolAddition",
    "toolRemoval",
];
pub(crate) const SYSTEM_BLOCKS: &[&str] = &["text", "guardContent", "cachePoint"];
const RESULT_BLOCKS: &[&str] = &["json", "text", "image", "document", "video", "searchResult"];

/// What a block means for the rest of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The model asks for a tool, by id.
    Use(String),
    /// A tool's answer, by id.
    Result(String),
    /// Anything else.
    Other,
}

/// Checks one block of a message of `role`.
pub(crate) fn check_block(block: &Value, role: &str, at: &str) -> Result<Part, String> {
    let (name, value) = only_member(block, at, "ContentBlock", MESSAGE_BLOCKS)?;
    match name {
        "text" => check_text(value, at, "ContentBlock").map(|()| Part::Other),
        "cachePoint" => check_cache_point(value, at).map(|()| Part::Other),
        "toolUse" if role != "assistant" => Err(format!(
            "The toolUse block at {at} is not allowed in a user message. Remove it and try again."
        )),
        "toolUse" => check_tool_use(structure(value, at)?, at).map(Part::Use),
        "toolResult" if role != "user" => Err(format!(
            "The toolResult block at {at} is not allowed in an assistant message. Remove it and try again."
        )),
        "toolResult" => check_tool_result(structure(value, at)?, at).map(Part::Result),
        "reasoningContent" if role != "assistant" => Err(format!(
            "The reasoningContent block at {at} is not allowed in a user message. Remove it and try again."
        )),
        "reasoningContent" => {
            let (kind, value) = only_member(
                value,
                &format!("{at}.reasoningContent"),
                "ReasoningContentBlock",
                &["reasoningText", "redactedContent"],
            )?;
            if kind == "reasoningText" && value.get("text").and_then(Value::as_str).is_none() {
                let at = format!("{at}.reasoningContent.reasoningText.text");
                return Err(constraint("null", &at, "Member must not be null"));
            }
            Ok(Part::Other)
        }
        // Pictures, documents and the like are taken on trust: nothing here reads them.
        _ => structure(value, at).map(|_| Part::Other),
    }
}

/// Returns the one member of a union that is set.
pub(crate) fn only_member<'a>(
    block: &'a Value,
    at: &str,
    union: &str,
    known: &[&str],
) -> Result<(&'a str, &'a Value), String> {
    let members = block.as_object().ok_or_else(|| wrong_type(at, "a json object"))?;
    if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!(
            "The {union} object at {at} holds the unknown key {name}. It must set one of the \
                            following keys: {}.",
            known.join(", ")
        ));
    }
    let mut set = members.iter().filter(|(_, value)| !value.is_null());
    match (set.next(), set.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(format!(
            "The {union} object at {at} must set exactly one of the following keys: {}.",
            known.join(", ")
        )),
    }
}

pub(crate) fn check_text(value: &Value, at: &str, object: &str) -> Checked {
    let text = value.as_str().ok_or_else(|| wrong_type(&format!("{at}.text"), "a text"))?;
    if text.trim().is_empty() {
        return Err(format!(
            "The text field in the {object} object at {at} is blank. Add text to the text field, and try again."
        ));
    }
    Ok(())
}

pub(crate) fn check_cache_point(value: &Value, at: &str) -> Checked {
    let at = format!("{at}.cachePoint");
    let point = structure(value, &at)?;
    known_members(point, &at, &["type", "ttl"])?;
    for (name, allowed, required) in [("type", &["default"][..], true), ("ttl", &["5m", "1h"][..], false)] {
        let given = present(point, name);
        let fits = given.and_then(Value::as_str).is_some_and(|given| allowed.contains(&given));
        if !fits && (required || given.is_some()) {
            let rule = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
            let given = given.map_or_else(|| "null".to_owned(), Value::to_string);
            return Err(constraint(&given, &format!("{at}.{name}"), &rule));
        }
    }
    Ok(())
}

fn structure<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| wrong_type(at, "a json object"))
}

fn check_tool_use(tool_use: &Map<String, Value>, at: &str) -> Result<String, String> {
    let at = format!("{at}.toolUse");
    known_members(tool_use, &at, &["toolUseId", "name", "input", "type"])?;
    let id = check_identifier(present(tool_use, "toolUseId"), &format!("{at}.toolUseId"), "_.:-")?;
    check_identifier(present(tool_use, "name"), &format!("{at}.name"), "_-")?;
    if !tool_use.get("input").is_some_and(Value::is_object) {
        return Err(wrong_type(&format!("{at}.input"), "a json object"));
    }
    Ok(id)
}

fn check_tool_result(result: &Map<String, Value>, at: &str) -> Result<String, String> {
    let at = format!("{at}.toolResult");
    known_members(result, &at, &["toolUseId", "content", "status", "type"])?;
    let id = check_identifier(present(result, "toolUseId"), &format!("{at}.toolUseId"), "_.:-")?;
    let Some(blocks) = list(result, "content", &format!("{at}.content"))? else {
        return Err(constraint("null", &format!("{at}.content"), "Member must not be null"));
    };
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content.{index}");
        let (name, value) = only_member(block, &at, "ToolResultContentBlock", RESULT_BLOCKS)?;
        match name {
            "text" => check_text(value, &at, "ToolResultContentBlock")?,
            "json" if !value.is_object() => return Err(wrong_type(&format!("{at}.json"), "a json object")),
            _ => {}
        }
    }
    if let Some(status) = present(result, "status")
        && !matches!(status.as_str(), Some("success" | "error"))
    {
        let rule = "Member must satisfy enum value set: [success, error]";
        return Err(constraint(&status.to_string(), &format!("{at}.status"), rule));
    }
    Ok(id)
}

/// Checks the members of a tool choice's alternative, which but for `tool` are empty objects.
pub(crate) fn check_tool_choice<'a>(
    config: &'a Map<String, Value>,
    at: &str,
) -> Result<Option<&'a str>, String> {
    if object(config, "toolChoice", at)?.is_none() {
        return Ok(None);
    }
    let (name, value) = only_member(
        config.get("toolChoice").unwrap_or(&Value::Null),
        at,
        "ToolChoice",
        &["auto", "any", "tool"],
    )?;
    let at = format!("{at}.{name}");
    let choice = structure(value, &at)?;
    if name != "tool" {
        known_members(choice, &at, &[])?;
        return Ok(None);
    }
    known_members(choice, &at, &["name"])?;
    check_identifier(present(choice, "name"), &format!("{at}.name"), "_-")?;
    Ok(choice.get("name").and_then(Value::as_str))
}
