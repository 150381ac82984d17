//! Rules for the messages together: who speaks when, and that every tool use is answered once, at once.

use serde_json::Value;

use crate::bedrock::validation::content::{Part, check_block};
use crate::bedrock::validation::{Checked, constraint, known_members, list, wrong_type};

/// Checks all messages; `has_tools` says whether the request has a `toolConfig`.
pub(crate) fn check(messages: &[Value], has_tools: bool) -> Checked {
    let mut seen_ids: Vec<String> = Vec::new();
    let mut unanswered: Vec<String> = Vec::new();
    let mut uses_tools = false;
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages.{index}");
        let parts = check_message(message, index, &at)?;
        uses_tools |= parts.iter().any(|part| *part != Part::Other);
        if index.is_multiple_of(2) {
            check_results(&parts, &unanswered, &at)?;
            unanswered.clear();
            continue;
        }
        for part in parts {
            if let Part::Use(id) = part {
                if seen_ids.contains(&id) {
                    return Err(format!("{at}.content: `tool_use` ids must be unique, found {id} twice"));
                }
                seen_ids.push(id.clone());
                unanswered.push(id);
            }
        }
    }
    if !unanswered.is_empty() {
        return Err(expected_results(&format!("messages.{}", messages.len()), &unanswered));
    }
    if uses_tools && !has_tools {
        return Err("The toolConfig field must be defined when using toolUse and toolResult content blocks."
            .to_owned());
    }
    Ok(())
}

fn check_message(message: &Value, index: usize, at: &str) -> Result<Vec<Part>, String> {
    let members = message.as_object().ok_or_else(|| wrong_type(at, "a json object"))?;
    known_members(members, at, &["role", "content"])?;
    let role = members.get("role").and_then(Value::as_str);
    let Some(role @ ("user" | "assistant")) = role else {
        if role == Some("system") {
            return Err(format!("emulator: unsupported: the role system at {at}.role"));
        }
        let speakers = "Member must satisfy enum value set: [user, assistant]";
        return Err(constraint(role.unwrap_or("null"), &format!("{at}.role"), speakers));
    };
    if index == 0 && role != "user" {
        return Err(
            "A conversation must start with a user message. Try again with a conversation that starts with \
                    a user message."
                .to_owned(),
        );
    }
    if index.is_multiple_of(2) != (role == "user") {
        return Err(
            "A conversation must alternate between user and assistant roles. Make sure the conversation \
                    alternates between user and assistant roles and try again."
                .to_owned(),
        );
    }
    let blocks = list(members, "content", &format!("{at}.content"))?;
    let Some(blocks) = blocks.filter(|blocks| !blocks.is_empty()) else {
        return Err(format!(
            "The content field in the Message object at {at} is empty. Add a ContentBlock object to the content \
             field and try again."
        ));
    };
    blocks
        .iter()
        .enumerate()
        .map(|(number, block)| check_block(block, role, &format!("{at}.content.{number}")))
        .collect()
}

fn check_results(parts: &[Part], unanswered: &[String], at: &str) -> Checked {
    let mut answered: Vec<&String> = Vec::new();
    let mut spoken = false;
    for part in parts {
        match part {
            Part::Result(id) if answered.contains(&id) => {
                return Err(format!("The toolResult blocks at {at}.content contain duplicate Ids: {id}"));
            }
            Part::Result(id) if !unanswered.contains(id) => {
                return Err(format!(
                    "The number of toolResult blocks at {at}.content exceeds the number of toolUse blocks of \
                     previous turn. No toolUse has the Id: {id}"
                ));
            }
            Part::Result(id) if spoken => {
                return Err(format!(
                    "{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each \
                     `tool_use` block must have a corresponding `tool_result` block in the next message."
                ));
            }
            Part::Result(id) => answered.push(id),
            Part::Use(_) | Part::Other => spoken = true,
        }
    }
    let missing: Vec<String> = unanswered.iter().filter(|id| !answered.contains(id)).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(expected_results(at, &missing)) }
}

fn expected_results(at: &str, missing: &[String]) -> String {
    format!("Expected toolResult blocks at {at}.content for the following Ids: {}", missing.join(", "))
}
