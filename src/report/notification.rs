//! Renders the document as a custom notification of Amazon Q Developer in chat applications.
//!
//! What does not keep to its schema is dropped there without a word, so every limit is held by construction. The text is
//! the chat platform's own markdown, Slack's or Teams': marks of either, and what could mention or link, become
//! look-alikes; addresses stand behind the card, where both make links of them.

use serde_json::{Map, Value, json};

use crate::report::document::{Document, Line, Span};
use crate::report::layout::{PHONE_WIDTH, Part, break_shortcodes, card, clean, safe_url, shorten, unfolded};
use crate::report::terminal::groups_as_text;

/// Amazon Q takes titles of 250 characters.
const MOST_TITLE: usize = 250;

/// It takes descriptions of 1 to 8,000 characters; counted as UTF-16 units, to be safe with pictures.
const MOST_DESCRIPTION: usize = 8_000;

/// Next steps, keywords and addresses; more are not read.
const MOST_ITEMS: usize = 10;

/// Most characters of one of them.
const MOST_ITEM: usize = 500;

/// Most characters of a value beside the text.
const MOST_VALUE: usize = 250;

/// What was told in the same thread before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Nothing.
    Nothing,
    /// The facts, whose impact is not said again.
    Facts,
}

/// Returns the notification; messages of one `thread` stand together where the chat channel's preferences say so.
pub fn render(document: &Document, thread: &str, follows: Follows) -> Value {
    let mut shown = document.clone();
    let is_next = |heading: &str| heading == "Next";
    let next =
        shown.sections.iter().filter(|section| is_next(&section.heading)).flat_map(|section| &section.items);
    let next: Vec<String> = next.map(plain).filter(|step| !step.is_empty()).take(MOST_ITEMS).collect();
    shown.sections.retain(|section| !is_next(&section.heading));
    let from_data = |pointer: &str| {
        let text = document.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        shorten(clean(text).trim(), MOST_VALUE)
    };
    let title = shorten(&plain(&Line::text(document.push.as_str())), MOST_TITLE);
    let title = if title.is_empty() { "CloudWatch alarm report".to_owned() } else { title };
    let keywords = ["/alarm/name", "/incident/resource", "/outcome"].map(from_data);
    let keywords: Vec<&String> = keywords.iter().filter(|keyword| !keyword.is_empty()).collect();
    let mut content = json!({
        "textType": "client-markdown",
        "title": title,
        "description": description(&shown, follows),
    });
    let mut metadata = json!({
        "threadId": shorten(&clean(thread), MOST_VALUE),
        "summary": title,
        "additionalContext": context(document, &from_data),
    });
    put(&mut content, "nextSteps", !next.is_empty(), json!(next));
    put(&mut content, "keywords", !keywords.is_empty(), json!(keywords));
    let (event, arn) = (from_data("/outcome"), from_data("/alarm/arn"));
    put(&mut metadata, "eventType", !event.is_empty(), json!(event));
    put(&mut metadata, "relatedResources", !arn.is_empty(), json!([arn]));
    json!({ "version": "1.0", "source": "custom", "content": content, "metadata": metadata })
}

fn put(object: &mut Value, name: &str, is_wanted: bool, value: Value) {
    if let Some(object) = object.as_object_mut().filter(|_| is_wanted) {
        object.insert(name.to_owned(), value);
    }
}

/// What a custom action of the channel may be filled with.
fn context(document: &Document, from_data: &dyn Fn(&str) -> String) -> Value {
    let pairs = [
        ("runId", shorten(clean(&document.run_id).trim(), MOST_VALUE)),
        ("state", document.state.as_str().to_owned()),
        ("alarm", from_data("/alarm/name")),
        ("region", from_data("/alarm/region")),
    ];
    let known = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(known.map(|(name, value)| (name.to_owned(), Value::String(value))).collect::<Map<_, _>>())
}

fn description(document: &Document, follows: Follows) -> String {
    const MARK: &str = "\n… cut here: see the full report";
    let mut groups = card(document, PHONE_WIDTH);
    groups.retain(|group| {
        group.part != Part::Links && (follows == Follows::Nothing || group.part != Part::Impact)
    });
    let card = groups_as_text(&groups, |piece, _| neutral(&piece.text));
    let links = document.links.iter().filter_map(|span| match span {
        Span::Link { label, url } => Some(format!("{}: {}", neutral(&clean(label)), safe_url(url)?)),
        _ => None,
    });
    let links: Vec<String> = links.take(MOST_ITEMS).collect();
    let links = if links.is_empty() { String::new() } else { format!("\n\n{}", links.join("\n")) };
    let room = MOST_DESCRIPTION.saturating_sub(length(&links) + length(MARK));
    let mut text = String::new();
    let mut used = 0;
    for line in card.lines() {
        used += length(line) + 1;
        if used > room {
            text.push_str(MARK);
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    // Ten addresses of the greatest length do not fit; the card goes before them.
    if length(&text) + length(&links) <= MOST_DESCRIPTION {
        text.push_str(&links);
    }
    if text.trim().is_empty() { "CloudWatch alarm report".to_owned() } else { text }
}

/// Returns a line as plain text of its bounded length.
fn plain(line: &Line) -> String {
    let text: String = unfolded(line).iter().map(|piece| piece.text.as_str()).collect();
    neutral(&shorten(clean(&text).trim(), MOST_ITEM))
}

/// Returns text that neither Slack nor Teams makes anything of.
fn neutral(text: &str) -> String {
    let mut previous = ' ';
    let mut rest = text.chars().peekable();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = rest.next() {
        // Italics end after a letter and before none, so `my_name` may stay.
        let may_close = !previous.is_whitespace() && !rest.peek().copied().is_some_and(char::is_alphanumeric);
        previous = letter;
        plain.push(match letter {
            '_' if may_close => 'ˍ',
            '<' => '‹',
            '>' => '›',
            '*' => '∗',
            '`' => 'ˋ',
            '~' => '∼',
            '[' => '［',
            ']' => '］',
            '@' => '＠',
            '&' => '＆',
            '#' => '＃',
            other => other,
        });
    }
    break_shortcodes(&plain, "꞉")
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::samples;

    #[test]
    fn a_card_is_told_with_its_steps_apart_and_its_links_behind_it() {
        let note = render(&samples::cause_shown(), "inc-1", Follows::Nothing);
        let description = note["content"]["description"].as_str().unwrap();
        assert!(description.contains("CAUSE SHOWN") && description.contains("43 of 118"), "{description}");
        assert!(description.contains("\nAlarm: https://us-east-1.console"), "{description}");
        assert!(!description.contains("Changes prod"), "{description}");
        assert_eq!(note["content"]["nextSteps"].as_array().unwrap().len(), 2);
        let later = render(&samples::cause_shown(), "inc-1", Follows::Facts);
        assert!(!later["content"]["description"].as_str().unwrap().contains("43 of 118 requests"));
    }

    #[test]
    fn text_from_outside_is_no_markup_of_slack_or_teams() {
        let text = "<!channel> <https://evil.example|x> [x](https://evil.example) *b* _i_ `c` ~s~ @here &lt; :tada: # h";
        let document = Document { statement: vec![Line::text(text)], ..samples::cause_shown() };
        let note = render(&document, "t", Follows::Nothing);
        let description = note["content"]["description"].as_str().unwrap();
        for mark in ["<", "[x]", "*", "`", "~", "@", "&lt;", ":tada:", "_i_"] {
            assert!(!description.split("\n\nAlarm:").next().unwrap().contains(mark), "{mark}: {description}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_limits_of_the_schema_hold_for_any_text(
            text in prop_oneof![any::<String>(), "[<&*_`~\\n😀a-z漢]{0,300}"],
            times in prop_oneof![Just(1_usize), 1..3_000_usize],
        ) {
            let text = text.repeat(times.min(60_000 / text.len().max(1)));
            let mut document = samples::cause_shown();
            document.push.clone_from(&text);
            document.run_id.clone_from(&text);
            document.statement = vec![Line::text(text.as_str()); 40];
            for section in &mut document.sections {
                section.items = vec![Line::text(text.as_str()); 20];
            }
            document.links = vec![Span::Link { label: text.clone(), url: format!("https://a.example/{}", "x".repeat(1_900)) }; 9];
            document.data = json!({ "alarm": { "name": text, "arn": text }, "outcome": text });
            let note = render(&document, &text, Follows::Nothing);
            let chars = |value: &Value| value.as_str().unwrap().encode_utf16().count();
            prop_assert!((1..=MOST_DESCRIPTION).contains(&chars(&note["content"]["description"])));
            prop_assert!((1..=2 * MOST_TITLE).contains(&chars(&note["content"]["title"])));
            prop_assert!(note["content"]["title"].as_str().unwrap().chars().count() <= MOST_TITLE);
            prop_assert!(note.to_string().len() < 256 * 1024);
            for list in [&note["content"]["nextSteps"], &note["content"]["keywords"]] {
                for item in list.as_array().into_iter().flatten() {
                    prop_assert!(!item.as_str().unwrap().is_empty());
                }
            }
        }
    }
}
