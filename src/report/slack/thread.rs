//! What follows a card: the conclusion without what the facts said, the short reply that reaches phones, the details.

use serde_json::{Value, json};

use super::{MOST_ALL, MOST_BLOCKS, Times};
use super::{chunks, context, escaped, fitted, length, neutral, push, row_text, section, weight};
use crate::report::document::{Detail, Document, Span};
use crate::report::layout::{Fold, Group, PHONE_WIDTH, Part, card, clean, clean_block, fold, shorten};

/// Most characters of one block to copy, its fence included.
const MOST_CODE: usize = 2_900;

/// Most rows of one detail in the thread; the report has all of them.
const MOST_ROWS: usize = 120;

/// Returns the document as its card reads where the details stand in the card's own thread.
pub fn threaded(document: &Document) -> Document {
    let mut document = document.clone();
    let items = document.sections.iter_mut().flat_map(|section| &mut section.items);
    for span in items.flat_map(|item| &mut item.0) {
        if let Span::Text(text) = span
            && let Some(before) = text.strip_suffix(IN_REPORT)
        {
            *text = format!("{before}{IN_THREAD}");
        }
    }
    document
}

/// Where a card without a thread says that a command is, and where one with a thread does.
const IN_REPORT: &str = "Command in full report.";
const IN_THREAD: &str = "Command in thread.";

/// Returns the conclusion for a channel that has the facts card already: the impact is not said twice.
pub fn conclusion(document: &Document) -> Value {
    message(document, |part| part != Part::Impact)
}

/// Returns the short reply to a card that was edited: an edit reaches no phone.
pub fn reply(document: &Document) -> Value {
    message(document, |part| part == Part::Verdict)
}

fn message(document: &Document, is_wanted: impl Fn(Part) -> bool) -> Value {
    let groups = card(document, PHONE_WIDTH);
    let mut blocks = Vec::new();
    for group in groups.iter().filter(|group| is_wanted(group.part)) {
        blocks.extend(blocks_of(group));
    }
    if blocks.is_empty() {
        blocks.push(section(&push(document)));
    }
    let blocks = fitted(blocks.into_iter(), MOST_ALL);
    posted(&push(document), &blocks)
}

fn blocks_of(group: &Group) -> Vec<Value> {
    let times = if group.part == Part::Header { Times::UtcAndLocal } else { Times::Utc };
    let rows = group.rows.iter().map(|row| row_text(row, times)).collect();
    let block = if group.part == Part::Footer { context } else { section };
    chunks(rows).iter().map(|text| block(text)).collect()
}

/// Returns the details for the card's thread, in as few messages as hold them; one that fits a message is not parted.
pub fn details(document: &Document) -> Vec<Value> {
    let mut messages: Vec<Vec<Value>> = Vec::new();
    for detail in &document.details {
        let blocks = detail_blocks(detail);
        let parts =
            if has_room(&[], &blocks) { vec![blocks] } else { blocks.into_iter().map(|b| vec![b]).collect() };
        for part in parts {
            match messages.last_mut().filter(|blocks| has_room(blocks, &part)) {
                Some(blocks) => blocks.extend(part),
                None => messages.push(part),
            }
        }
    }
    let text = format!("Details of run {}", escaped(&document.run_id));
    messages.iter().map(|blocks| posted(&text, blocks)).collect()
}

/// Tells whether a message takes more blocks.
fn has_room(blocks: &[Value], more: &[Value]) -> bool {
    weight(blocks) + weight(more) <= MOST_ALL && blocks.len() + more.len() <= MOST_BLOCKS
}

fn detail_blocks(detail: &Detail) -> Vec<Value> {
    let plain = Fold::card(PHONE_WIDTH);
    let heading = shorten(clean(&detail.heading).trim(), PHONE_WIDTH);
    let mut rows = vec![format!("*{}*", neutral(&heading))];
    let items = detail.items.iter().flat_map(|item| fold(item, Fold { first: "• ", ..plain }));
    rows.extend(items.take(MOST_ROWS).map(|row| row_text(&row, Times::Utc)));
    let mut blocks: Vec<Value> = chunks(rows).iter().map(|text| section(text)).collect();
    if let Some(code) = &detail.code {
        blocks.extend(code_blocks(code));
    }
    blocks
}

/// Text to copy, in fences that nothing in it can close.
fn code_blocks(code: &str) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for line in clean_block(code).lines() {
        // The look-alike is no command any more, but a command has no reason to hold three of them. Cut before it is
        // escaped: the longest escape takes five characters for one, and a picture two.
        let line: String = line.replace("```", "ˋˋˋ").chars().take(MOST_CODE / 5).collect();
        let line = escaped(&line);
        match texts.last_mut() {
            Some(text) if length(text) + length(&line) < MOST_CODE => {
                text.push('\n');
                text.push_str(&line);
            }
            Some(_) | None => texts.push(line),
        }
    }
    texts.iter().map(|text| section(&format!("```\n{text}\n```"))).collect()
}

fn posted(text: &str, blocks: &[Value]) -> Value {
    json!({ "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}
