//! A message without its blocks, for when Slack refuses them.
//!
//! What the blocks say stands in a code block, where Slack makes nothing of it; the links that they had follow. Every
//! `<…|…>` in them was built by code, because text from outside is escaped.

use serde_json::{Map, Value, json};

/// An edit's text has at most 4,000 characters, and Slack was seen to count them in bytes.
const MOST_TEXT: usize = 4_000;

/// Bytes for what the blocks say; the rest is for the first line and the links.
const MOST_BODY: usize = 2_800;

const FENCE: &str = "\n```";

/// Tells whether there is something to leave out.
pub(super) fn has_parts(message: &Map<String, Value>) -> bool {
    ["blocks", "attachments"]
        .iter()
        .any(|name| message.get(*name).and_then(Value::as_array).is_some_and(|list| !list.is_empty()))
}

/// Puts all that the message says into its text. Lists that it names are left empty, so that an edit removes what was.
pub(super) fn reduce(message: &mut Map<String, Value>) {
    let mut said = Said::default();
    said.read(message.get("blocks").unwrap_or(&Value::Null));
    said.read(message.get("attachments").unwrap_or(&Value::Null));
    let mut text = fitted(message.get("text").and_then(Value::as_str).unwrap_or_default());
    if !said.lines.is_empty() && text.len() + MOST_BODY < MOST_TEXT {
        text.push_str(FENCE);
        let mut room = MOST_BODY;
        for line in &said.lines {
            let Some(left) = room.checked_sub(line.len() + 1) else {
                text.push_str("\n…");
                break;
            };
            room = left;
            text.push('\n');
            text.push_str(line);
        }
        text.push_str(FENCE);
    }
    for link in &said.links {
        if text.len() + link.len() < MOST_TEXT && !text.contains(link.as_str()) {
            text.push('\n');
            text.push_str(link);
        }
    }
    message.insert("text".to_owned(), json!(text));
    for name in ["blocks", "attachments"] {
        if message.contains_key(name) {
            message.insert(name.to_owned(), json!([]));
        }
    }
    // A fault in it would refuse the text as well.
    message.remove("metadata");
}

/// Returns a text as long as an edit may have it, cut at a line, with a code block closed again.
pub(super) fn fitted(text: &str) -> String {
    if text.len() <= MOST_TEXT {
        return text.to_owned();
    }
    let mut kept = String::new();
    for line in text.lines() {
        if kept.len() + line.len() + 1 > MOST_TEXT - FENCE.len() - "\n…".len() {
            break;
        }
        if !kept.is_empty() {
            kept.push('\n');
        }
        kept.push_str(line);
    }
    if kept.is_empty() {
        // One line that is too long by itself; escapes are not cut in two.
        let most = MOST_TEXT - "…".len();
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        let cut = text.get(..end).unwrap_or_default();
        let cut = cut.rfind('&').filter(|at| end - at < 5).and_then(|at| cut.get(..at)).unwrap_or(cut);
        return format!("{cut}…");
    }
    kept.push_str("\n…");
    if !kept.matches("```").count().is_multiple_of(2) {
        kept.push_str(FENCE);
    }
    kept
}

/// Lines and links in the order of the blocks.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    links: Vec<String>,
}

impl Said {
    fn read(&mut self, part: &Value) {
        match part {
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::Object(members) => {
                let text = members.get("text").and_then(Value::as_str);
                match (members.get("type").and_then(Value::as_str), text) {
                    (Some("plain_text"), Some(text)) => {
                        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                        self.lines.extend(escaped.lines().map(|line| line.replace('`', "ˋ")));
                    }
                    (_, Some(text)) => text.lines().for_each(|line| self.mrkdwn(line)),
                    (_, None) => members
                        .iter()
                        .filter(|(name, _)| *name != "accessory" && *name != "metadata")
                        .for_each(|(_, member)| self.read(member)),
                }
            }
            _ => {}
        }
    }

    /// Takes one line without its marks. Text from outside holds none of them: its own were put as look-alikes.
    fn mrkdwn(&mut self, line: &str) {
        let mut shown = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('<') {
            let Some((inside, behind)) = after.split_once('>') else { break };
            shown.push_str(before);
            let (target, label) = inside.split_once('|').unwrap_or((inside, inside));
            shown.push_str(label);
            if target.starts_with("https://") || target.starts_with("http://") {
                self.links.push(format!("<{inside}>"));
            }
            rest = behind;
        }
        shown.push_str(rest);
        self.lines.push(shown.replace(['*', '`', '<', '>'], ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{samples, slack};

    fn reduced(mut message: Value) -> String {
        let members = message.as_object_mut().unwrap();
        assert!(has_parts(members));
        reduce(members);
        assert!(!has_parts(members));
        members["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_the_blocks_say_stands_in_a_code_block_and_their_links_follow() {
        let section = |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
        let text = reduced(json!({
            "text": "push",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "a < b ``` c"}},
                section("*Errors* at <!date^1^{time}|03:02> in `f` &lt;!channel&gt; <https://a.example/?x=1&amp;y|logs>"),
                {"type": "context", "elements": [{"type": "mrkdwn", "text": "two\nlines"}]},
            ],
        }));
        assert_eq!(
            text,
            "push\n```\na &lt; b ˋˋˋ c\nErrors at 03:02 in f &lt;!channel&gt; logs\ntwo\nlines\n```\n\
             <https://a.example/?x=1&amp;y|logs>"
        );
    }

    #[test]
    fn every_card_fits_an_edit_and_nothing_in_it_is_live_but_links() {
        for document in [samples::cause_shown(), samples::facts_only(), samples::cannot_be_shown()] {
            let text = reduced(slack::render(&document));
            assert!(text.len() <= MOST_TEXT, "{} bytes", text.len());
            assert_eq!(text.matches("```").count(), 2, "{text}");
            let (_, rest) = text.split_once("\n```\n").unwrap();
            let (body, links) = rest.split_once("\n```").unwrap();
            assert!(!body.contains(['<', '>', '`']), "{body}");
            assert!(
                links.lines().skip(1).all(|line| line.starts_with("<http") && line.ends_with('>')),
                "{links}"
            );
        }
    }

    #[test]
    fn a_text_is_cut_where_an_edit_takes_no_more() {
        assert_eq!(fitted("short"), "short");
        for text in ["ü".repeat(3_000), format!("{}&amp;&amp;", "x".repeat(3_994)), "line\n".repeat(1_000)] {
            let cut = fitted(&text);
            assert!(cut.len() <= MOST_TEXT && cut.ends_with('…'), "{cut}");
            assert!(!cut.trim_end_matches('…').ends_with("&am"), "{cut}");
        }
    }
}
