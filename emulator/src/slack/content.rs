//! What a message consists of, by the rules that the webhook and the Web API share.

use serde_json::{Map, Value};

use crate::slack::{Refused, block_kit};

/// Slack cuts a message's text here.
const TEXT_LIMIT: usize = 40_000;
/// More attachments than this are refused.
const ATTACHMENT_LIMIT: usize = 100;

/// Returns the text that Slack keeps.
pub(crate) fn check(payload: &Map<String, Value>) -> Result<String, Refused> {
    let invalid = |reason: &str| Refused::new(400, "invalid_payload", vec![reason.to_owned()]);
    let text = match payload.get("text") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(invalid("/text is not a text")),
    };
    let blocks = match payload.get("blocks") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(blocks)) => blocks,
        Some(_) => {
            return Err(Refused::new(400, "invalid_blocks_format", vec!["/blocks is not a list".to_owned()]));
        }
    };
    let attachments = match payload.get("attachments") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(attachments)) => attachments,
        Some(_) => return Err(invalid("/attachments is not a list")),
    };
    if text.trim().is_empty() && blocks.is_empty() && attachments.is_empty() {
        return Err(Refused::new(400, "no_text", vec!["neither text, blocks nor attachments".to_owned()]));
    }
    if attachments.len() > ATTACHMENT_LIMIT {
        let reason = format!("{} attachments, at most {ATTACHMENT_LIMIT}", attachments.len());
        return Err(Refused::new(400, "too_many_attachments", vec![reason]));
    }
    let mut lists = vec![("/blocks".to_owned(), blocks)];
    for (index, attachment) in attachments.iter().enumerate() {
        let Some(attachment) = attachment.as_object() else {
            return Err(invalid("an attachment is not an object"));
        };
        match attachment.get("blocks") {
            None | Some(Value::Null) => {}
            Some(Value::Array(blocks)) => lists.push((format!("/attachments/{index}/blocks"), blocks)),
            Some(_) => return Err(invalid("an attachment's blocks are not a list")),
        }
    }
    let reasons = block_kit::faults(&lists);
    if !reasons.is_empty() {
        return Err(Refused::new(400, "invalid_blocks", reasons));
    }
    Ok(text.chars().take(TEXT_LIMIT).collect())
}

/// Tells whether a message has blocks of its own.
pub(crate) fn has_blocks(payload: &Map<String, Value>) -> bool {
    payload.get("blocks").and_then(Value::as_array).is_some_and(|blocks| !blocks.is_empty())
}
