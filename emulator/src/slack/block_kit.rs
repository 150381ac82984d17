//! Slack's rules for blocks: which exist, what each must and may hold, and how long it may be.
//!
//! Lengths count characters. One fault rejects the whole message, as on Slack.

mod element;
mod member;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::slack::block_kit::element::{
    ACCESSORIES, ACTIONS, check_alt_text, check_element, check_picture_source,
};
use crate::slack::block_kit::member::{Faults, TextKind, check_text_object, known, text_member};

const BLOCK_LIMIT: usize = 50;
/// All `markdown` blocks of one message together.
const MARKDOWN_LIMIT: usize = 12_000;

/// Returns one sentence for each fault. Each list is one `blocks` member with the place where it stands; identifiers
/// and Markdown text are counted over all of them, because they share one message.
pub(crate) fn faults(lists: &[(String, &[Value])]) -> Vec<String> {
    let mut check = Check::default();
    for (at, blocks) in lists {
        if blocks.len() > BLOCK_LIMIT {
            check.faults.add(at, format!("{} blocks, at most {BLOCK_LIMIT}", blocks.len()));
        }
        for (index, block) in blocks.iter().enumerate() {
            check.block(block, &format!("{at}/{index}"));
        }
    }
    if check.markdown > MARKDOWN_LIMIT {
        let reason = format!("{} characters of markdown in all, at most {MARKDOWN_LIMIT}", check.markdown);
        check.faults.add("/blocks", reason);
    }
    check.faults.0
}

#[derive(Default)]
struct Check {
    faults: Faults,
    block_ids: BTreeSet<String>,
    markdown: usize,
}

impl Check {
    fn block(&mut self, block: &Value, at: &str) {
        let Some(members) = block.as_object() else {
            self.faults.add(at, "not an object");
            return;
        };
        self.block_id(members, at);
        match members.get("type").and_then(Value::as_str) {
            Some("section") => self.section(members, at),
            Some("header") => {
                known(members, at, &["text", "level"], &mut self.faults);
                check_text_object(
                    members.get("text"),
                    &format!("{at}/text"),
                    150,
                    TextKind::Plain,
                    &mut self.faults,
                );
            }
            Some("divider") => known(members, at, &[], &mut self.faults),
            Some("context") => self.context(members, at),
            Some("actions") => self.actions(members, at),
            Some("image") => {
                known(members, at, &["image_url", "slack_file", "alt_text", "title"], &mut self.faults);
                check_picture_source(members, at, &mut self.faults);
                check_alt_text(members, at, &mut self.faults);
                if let Some(title) = members.get("title") {
                    check_text_object(
                        Some(title),
                        &format!("{at}/title"),
                        2_000,
                        TextKind::Plain,
                        &mut self.faults,
                    );
                }
            }
            Some("markdown") => {
                known(members, at, &["text"], &mut self.faults);
                let text = text_member(members, "text", at, MARKDOWN_LIMIT, &mut self.faults);
                self.markdown += text.map_or(0, |text| text.chars().count());
            }
            // Its inner sections, lists and quotes are Slack's editor's business; only the frame is checked.
            Some("rich_text") => {
                known(members, at, &["elements"], &mut self.faults);
                let kinds =
                    ["rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"];
                for (index, element) in self.list(members, "elements", at, usize::MAX).iter().enumerate() {
                    let kind = element.get("type").and_then(Value::as_str).unwrap_or_default();
                    if !kinds.contains(&kind) || !element.get("elements").is_some_and(Value::is_array) {
                        self.faults.add(
                            &format!("{at}/elements/{index}"),
                            format!("{kind:?} is no part of rich_text"),
                        );
                    }
                }
            }
            Some("table") => self.table(members, at),
            Some("alert") => {
                known(members, at, &["text", "level"], &mut self.faults);
                check_text_object(
                    members.get("text"),
                    &format!("{at}/text"),
                    200,
                    TextKind::Either,
                    &mut self.faults,
                );
                let levels = ["default", "info", "warning", "error", "success"];
                if let Some(level) = members.get("level")
                    && !level.as_str().is_some_and(|level| levels.contains(&level))
                {
                    self.faults.add(&format!("{at}/level"), format!("{level} is no level"));
                }
            }
            Some(other) => self.faults.add(at, format!("unsupported block type {other:?}")),
            None => self.faults.add(at, "no type"),
        }
    }

    fn block_id(&mut self, members: &Map<String, Value>, at: &str) {
        if !members.contains_key("block_id") {
            return;
        }
        if let Some(id) = text_member(members, "block_id", at, 255, &mut self.faults)
            && !self.block_ids.insert(id.to_owned())
        {
            self.faults.add(&format!("{at}/block_id"), format!("{id:?} is used twice"));
        }
    }

    fn section(&mut self, members: &Map<String, Value>, at: &str) {
        known(members, at, &["text", "fields", "accessory", "expand"], &mut self.faults);
        if let Some(text) = members.get("text") {
            check_text_object(Some(text), &format!("{at}/text"), 3_000, TextKind::Either, &mut self.faults);
        } else if !members.contains_key("fields") {
            self.faults.add(at, "a section needs text or fields");
        }
        if members.contains_key("fields") {
            for (index, field) in self.list(members, "fields", at, 10).iter().enumerate() {
                let at = format!("{at}/fields/{index}");
                check_text_object(Some(field), &at, 2_000, TextKind::Either, &mut self.faults);
            }
        }
        if let Some(accessory) = members.get("accessory") {
            check_element(accessory, &format!("{at}/accessory"), ACCESSORIES, &mut self.faults);
        }
        if members.get("expand").is_some_and(|expand| !expand.is_boolean()) {
            self.faults.add(&format!("{at}/expand"), "not true or false");
        }
    }

    fn context(&mut self, members: &Map<String, Value>, at: &str) {
        known(members, at, &["elements"], &mut self.faults);
        for (index, element) in self.list(members, "elements", at, 10).iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            match element.get("type").and_then(Value::as_str) {
                Some("mrkdwn" | "plain_text") => {
                    check_text_object(Some(element), &at, 3_000, TextKind::Either, &mut self.faults);
                }
                _ => check_element(element, &at, &["image"], &mut self.faults),
            }
        }
    }

    fn actions(&mut self, members: &Map<String, Value>, at: &str) {
        known(members, at, &["elements"], &mut self.faults);
        let mut action_ids = BTreeSet::new();
        for (index, element) in self.list(members, "elements", at, 25).iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            check_element(element, &at, ACTIONS, &mut self.faults);
            if let Some(id) = element.get("action_id").and_then(Value::as_str)
                && !action_ids.insert(id.to_owned())
            {
                self.faults.add(&format!("{at}/action_id"), format!("{id:?} is used twice"));
            }
        }
    }

    fn table(&mut self, members: &Map<String, Value>, at: &str) {
        known(members, at, &["rows", "column_settings"], &mut self.faults);
        for (index, row) in self.list(members, "rows", at, 100).iter().enumerate() {
            let at = format!("{at}/rows/{index}");
            let Some(cells) = row.as_array() else {
                self.faults.add(&at, "not a list of cells");
                continue;
            };
            if !(1..=20).contains(&cells.len()) {
                self.faults.add(&at, format!("{} cells, 1 to 20 allowed", cells.len()));
            }
            for (column, cell) in cells.iter().enumerate() {
                if !matches!(cell.get("type").and_then(Value::as_str), Some("raw_text" | "rich_text")) {
                    self.faults.add(&format!("{at}/{column}"), "a cell is raw_text or rich_text");
                }
            }
        }
    }

    /// Returns a required list of 1 to `most` items; what is wrong with it is noted.
    fn list<'a>(
        &mut self,
        members: &'a Map<String, Value>,
        name: &str,
        at: &str,
        most: usize,
    ) -> &'a [Value] {
        let at = format!("{at}/{name}");
        match members.get(name).and_then(Value::as_array) {
            None => {
                self.faults.add(&at, "must be a list");
                &[]
            }
            Some(items) => {
                if items.is_empty() {
                    self.faults.add(&at, "must not be empty");
                }
                if items.len() > most {
                    self.faults.add(&at, format!("{} items, at most {most}", items.len()));
                }
                items
            }
        }
    }
}
