//! Renders the document as a Slack message: Block Kit for the webhook, and plain text where blocks were refused.
//!
//! Slack refuses a whole message for one block that is too long, so every limit is held by construction.
//! Text from outside cannot mention, link or format: `& < >` are escaped, Slack's own marks become their look-alikes,
//! and `verbatim` keeps Slack from making links out of bare addresses.

mod thread;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::report::document::Document;
use crate::report::layout::{
    Face, Group, PHONE_WIDTH, Part, Row, break_shortcodes, card, clean, shorten, unfolded,
};
use crate::report::terminal::groups_as_text;

pub use thread::{conclusion, details, reply, threaded};

/// Slack takes 50 blocks a message.
pub const MOST_BLOCKS: usize = 50;

/// Slack refuses a message whose blocks have more than about 13,200 characters in all, frames included, with
/// `msg_blocks_too_long`. Its documentation does not say so; slackapi/bolt-js#2509 has the measures.
const MOST_ALL: usize = 12_000;

/// What the frame of a block counts.
const FRAME: usize = 200;

/// Slack cuts a section at 3,000 characters, counted as UTF-16 units to be safe with pictures.
const MOST_SECTION: usize = 3_000;

/// Once a row is this long its further links are shown as labels only, so that it always fits one section.
const MOST_LINKED_ROW: usize = 1_900;

/// What a phone shows of a message.
const MOST_PUSH: usize = 120;

/// Slack advises at most 4,000 characters of `text`.
const MOST_TEXT: usize = 4_000;

/// Returns the message with blocks.
pub fn render(document: &Document) -> Value {
    let groups = card(document, PHONE_WIDTH);
    let (closing, body): (Vec<&Group>, Vec<&Group>) =
        groups.iter().partition(|group| matches!(group.part, Part::Limits | Part::Links | Part::Footer));

    let (footer, lists): (Vec<&Group>, Vec<&Group>) =
        closing.into_iter().partition(|group| group.part == Part::Footer);
    let rows_of = |groups: Vec<&Group>| -> Vec<String> {
        groups.into_iter().flat_map(|group| &group.rows).map(|row| row_text(row, Times::Utc)).collect()
    };
    // What closes the card stays whole, however long the rest is.
    let mut closing = fitted(chunks(rows_of(lists)).iter().map(|text| section(text)), MOST_ALL / 3);
    closing.extend(fitted(chunks(rows_of(footer)).iter().map(|text| context(text)), MOST_ALL / 6));

    let mut blocks: Vec<Value> = Vec::new();
    for group in body {
        let times = if group.part == Part::Header { Times::UtcAndLocal } else { Times::Utc };
        let rows = group.rows.iter().map(|row| row_text(row, times)).collect();
        blocks.extend(chunks(rows).iter().map(|text| section(text)));
    }
    let mut blocks = fitted(blocks.into_iter(), MOST_ALL - weight(&closing));
    blocks.extend(closing);
    if blocks.is_empty() {
        blocks.push(section(&push(document)));
    }

    json!({
        "text": push(document),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// Returns the message with text alone, for when Slack refuses the blocks.
///
/// The card stands in a code block, where Slack makes nothing of it; the links follow.
pub fn render_text(document: &Document) -> Value {
    let groups = card(document, PHONE_WIDTH);
    let (links, body): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|group| group.part == Part::Links);

    let mut text = format!("{}\n```", push(document));
    let fence_end = "\n```";
    for line in groups_as_text(&body, |piece, _| escaped(&piece.text.replace('`', "ˋ"))).lines() {
        if length(&text) + length(line) + 1 > MOST_TEXT * 3 / 4 {
            text.push_str("\n…");
            break;
        }
        text.push('\n');
        text.push_str(line);
    }
    text.push_str(fence_end);
    for row in links.iter().flat_map(|group| &group.rows) {
        let row = row_text(row, Times::Utc);
        if length(&text) + length(&row) < MOST_TEXT {
            text.push('\n');
            text.push_str(&row);
        }
    }
    json!({ "text": text, "unfurl_links": false, "unfurl_media": false })
}

/// Whether a moment is also shown in the reader's own time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Utc,
    UtcAndLocal,
}

/// Returns the push text, which is never empty: Slack refuses a message without one.
fn push(document: &Document) -> String {
    let title: String = unfolded(&document.title).iter().map(|piece| piece.text.as_str()).collect();
    let text = [clean(&document.push).trim().to_owned(), title]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| "CloudWatch alarm report".to_owned());
    neutral(&shorten(&text, MOST_PUSH))
}

fn section(text: &str) -> Value {
    json!({
        "type": "section",
        "text": { "type": "mrkdwn", "text": text, "verbatim": true },
        "expand": true,
    })
}

fn context(text: &str) -> Value {
    json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": text, "verbatim": true }],
    })
}

/// Returns what blocks count of [`MOST_ALL`].
fn weight(blocks: &[Value]) -> usize {
    let text = |block: &Value| {
        let text = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text"));
        text.and_then(Value::as_str).map(length).unwrap_or_default()
    };
    blocks.iter().map(|block| FRAME + text(block)).sum()
}

/// Returns the blocks that there is room for, with a word in the place of those that are left out.
fn fitted(blocks: impl Iterator<Item = Value>, room: usize) -> Vec<Value> {
    let mut fitted: Vec<Value> = blocks.collect();
    if weight(&fitted) <= room && fitted.len() <= MOST_BLOCKS {
        return fitted;
    }
    let shortened = section("Shortened here: the rest is in the full report.");
    let room = room.saturating_sub(weight(std::slice::from_ref(&shortened)));
    while weight(&fitted) > room || fitted.len() >= MOST_BLOCKS {
        fitted.pop();
    }
    fitted.push(shortened);
    fitted
}

/// Joins rows into texts that each fit a section.
fn chunks(rows: Vec<String>) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    for row in rows {
        match chunks.last_mut() {
            Some(last) if length(last) + 1 + length(&row) <= MOST_SECTION => {
                last.push('\n');
                last.push_str(&row);
            }
            Some(_) | None => chunks.push(row),
        }
    }
    chunks
}

fn row_text(row: &Row, times: Times) -> String {
    let mut text = String::new();
    for (index, piece) in row.iter().enumerate() {
        let before =
            index.checked_sub(1).and_then(|index| row.get(index)).and_then(|p| p.text.chars().last());
        let after = row.get(index + 1).and_then(|p| p.text.chars().next());
        // Slack reads a mark as text where a letter touches it.
        let is_marked =
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric);
        let shown = neutral(&piece.text);
        match &piece.face {
            Face::Bold if is_marked => text.extend(["*", &shown, "*"]),
            Face::Code if is_marked => text.extend(["`", &shown, "`"]),
            Face::Link(url) if length(&text) + length(&escaped(url)) < MOST_LINKED_ROW => {
                text.extend(["<", &escaped(url), "|", &shown, ">"]);
            }
            Face::Plain | Face::Bold | Face::Code | Face::Link(_) => text.push_str(&shown),
            Face::Time(at) => {
                text.push_str(&shown);
                if times == Times::UtcAndLocal {
                    text.extend([" (", &local_time(*at), ")"]);
                }
            }
        }
    }
    // A row that begins with this sign would be a block quote, escaped or not.
    match text.strip_prefix("&gt;") {
        Some(rest) => format!("›{rest}"),
        None => text,
    }
}

/// Returns the moment in the reader's own time zone, as Slack writes it.
fn local_time(at: Timestamp) -> String {
    let fallback = at.strftime("%-d %b %H:%M UTC");
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{fallback}>", at.as_second())
}

/// Returns text that Slack shows as it stands: its marks as look-alikes, then escaped.
fn neutral(text: &str) -> String {
    let mut neutral = String::with_capacity(text.len());
    let mut previous: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        // Italics and strikes end only after a letter and before none, so `my_name` and `~115` may stay.
        let may_close = !previous.is_some_and(char::is_whitespace)
            && !rest.peek().copied().is_some_and(char::is_alphanumeric);
        neutral.push(match character {
            '*' => '∗',
            '`' => 'ˋ',
            '~' if may_close => '∼',
            '_' if may_close => 'ˍ',
            other => other,
        });
        previous = Some(character);
    }
    escaped(&break_shortcodes(&neutral, "꞉"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}
