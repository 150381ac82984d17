//! `chat.postMessage` and `chat.update`.

use serde_json::{Map, Value, json};

use crate::slack::channel::SlackMessage;
use crate::slack::web_api::Stop;
use crate::slack::web_api::arguments::{Arguments, invalid};
use crate::slack::{BOT_ID, BOT_USER_ID, CHANNEL_ID, Slack, SlackMembership, TEAM_ID, content};

/// What an edit may replace.
const EDITABLE: [&str; 4] = ["text", "blocks", "attachments", "metadata"];

/// `chat.update` refuses a longer text, and counts it in bytes.
const EDITED_TEXT_LIMIT: usize = 4_000;

/// All texts of all blocks together. Slack adds some room for the blocks themselves that it does not write down.
const BLOCK_TEXT_LIMIT: usize = 12_000;

impl Slack {
    pub(super) fn post_message(&self, arguments: &Arguments) -> Result<Map<String, Value>, Stop> {
        self.check_channel(arguments.required("channel")?, true)?;
        if self.options.membership == SlackMembership::Outside
            && !self.scopes().contains(&"chat:write.public")
        {
            return Err(Stop::word("not_in_channel"));
        }
        let text = self.check_content(&arguments.0)?;
        arguments.flag("unfurl_links")?;
        arguments.flag("unfurl_media")?;
        let thread = arguments.text("thread_ts")?;
        let is_broadcast = arguments.flag("reply_broadcast")?;
        if is_broadcast && thread.is_none() {
            return Err(Stop::unsupported("reply_broadcast without thread_ts"));
        }
        self.check_thread(thread)?;
        let message = self.state().channel.add(SlackMessage {
            path: "/api/chat.postMessage".to_owned(),
            ts: String::new(),
            thread_ts: thread.map(str::to_owned),
            is_broadcast,
            text,
            body: Value::Object(arguments.0.clone()),
            edited: None,
            earlier: Vec::new(),
            files: Vec::new(),
        });
        Ok(posted(&message, &[]))
    }

    pub(super) fn update(&self, arguments: &Arguments) -> Result<Map<String, Value>, Stop> {
        self.check_channel(arguments.required("channel")?, false)?;
        let ts = arguments.required("ts")?;
        let found = self.state().channel.find(ts).cloned().ok_or_else(|| Stop::word("message_not_found"))?;
        if !found.path.starts_with("/api/") {
            return Err(Stop::word("cant_update_message"));
        }
        if !found.files.is_empty() {
            return Err(Stop::unsupported("chat.update of a message that shares a file"));
        }
        if arguments.text("text")?.is_some_and(|text| text.len() > EDITED_TEXT_LIMIT) {
            return Err(Stop::word("msg_too_long"));
        }
        if !["text", "blocks", "attachments"].iter().any(|name| arguments.0.contains_key(*name)) {
            return Err(Stop::word("no_text"));
        }
        let mut body = found.body.as_object().cloned().unwrap_or_default();
        for name in EDITABLE {
            // What is not named stays as it was, blocks above all; an empty list removes them.
            if let Some(value) = arguments.0.get(name) {
                body.insert(name.to_owned(), value.clone());
            }
        }
        let text = self.check_content(&body)?;
        let mut state = self.state();
        let message = state
            .channel
            .edit(ts, text, Value::Object(body))
            .ok_or_else(|| Stop::word("message_not_found"))?;
        Ok(posted(message, &[("text", json!(message.text))]))
    }

    /// Returns the text that Slack keeps.
    fn check_content(&self, payload: &Map<String, Value>) -> Result<String, Stop> {
        let text = content::check(payload)?;
        if self.options.refuse_blocks && content::has_blocks(payload) {
            let reason = "/blocks: the options refuse all blocks".to_owned();
            return Err(Stop::because("invalid_blocks", vec![reason]));
        }
        let blocks = payload.get("blocks").unwrap_or(&Value::Null);
        if characters(blocks) > BLOCK_TEXT_LIMIT {
            return Err(Stop::word("msg_blocks_too_long"));
        }
        let mut pictures = Vec::new();
        slack_files(blocks, "/blocks", &mut pictures);
        let state = self.state();
        let reasons: Vec<String> = pictures
            .into_iter()
            .filter(|(_, id)| !state.channel.shares(id))
            .map(|(at, _)| format!("{at}: invalid slack file"))
            .collect();
        if !reasons.is_empty() {
            return Err(Stop::because("invalid_blocks", reasons));
        }
        check_metadata(payload.get("metadata"))?;
        Ok(text)
    }
}

/// The answer of both methods.
fn posted(message: &SlackMessage, more: &[(&str, Value)]) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("type".to_owned(), json!("message"));
    shown.insert("user".to_owned(), json!(BOT_USER_ID));
    shown.insert("bot_id".to_owned(), json!(BOT_ID));
    shown.insert("team".to_owned(), json!(TEAM_ID));
    shown.insert("text".to_owned(), json!(message.text));
    shown.insert("ts".to_owned(), json!(message.ts));
    shown.extend(message.thread_ts.iter().map(|ts| ("thread_ts".to_owned(), json!(ts))));
    shown.extend(message.body.get("blocks").map(|blocks| ("blocks".to_owned(), blocks.clone())));
    shown.extend(
        message.edited.iter().map(|ts| ("edited".to_owned(), json!({"user": BOT_USER_ID, "ts": ts}))),
    );
    let mut answer = Map::new();
    answer.insert("channel".to_owned(), json!(CHANNEL_ID));
    answer.insert("ts".to_owned(), json!(message.ts));
    answer.insert("message".to_owned(), Value::Object(shown));
    answer.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    answer
}

/// An empty object removes what there was.
fn check_metadata(metadata: Option<&Value>) -> Result<(), Stop> {
    let Some(metadata) = metadata else { return Ok(()) };
    let Some(members) = metadata.as_object() else {
        return Err(Stop::word("invalid_metadata_format"));
    };
    let has_type = members.get("event_type").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty());
    let has_payload = members.get("event_payload").is_some_and(Value::is_object);
    let is_complete = has_type && has_payload;
    if !members.is_empty() && !is_complete {
        return Err(Stop::word("invalid_metadata_format"));
    }
    if members.keys().any(|name| !matches!(name.as_str(), "event_type" | "event_payload")) {
        return Err(invalid("/metadata: invalid additional property"));
    }
    Ok(())
}

/// Counts the characters of every text in a tree of blocks.
fn characters(part: &Value) -> usize {
    match part {
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(text) if name == "text" => text.chars().count(),
                _ => characters(value),
            })
            .sum(),
        _ => 0,
    }
}

/// Finds the files that blocks show, with their places.
fn slack_files(part: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match part {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                slack_files(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let at = format!("{at}/{name}");
                match value.get("id").and_then(Value::as_str) {
                    Some(id) if name == "slack_file" => found.push((at, id.to_owned())),
                    _ => slack_files(value, &at, found),
                }
            }
        }
        _ => {}
    }
}
