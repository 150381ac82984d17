//! Rules for the small parts of a block: text objects, plain members, addresses.

use serde_json::{Map, Value};

/// Sentences with the JSON pointer of what they are about.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<String>);

impl Faults {
    pub(crate) fn add(&mut self, at: &str, reason: impl AsRef<str>) {
        self.0.push(format!("{at}: {}", reason.as_ref()));
    }
}

/// Which text objects fit in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// `plain_text` only.
    Plain,
    /// `plain_text` or `mrkdwn`.
    Either,
}

/// Refuses members that Slack does not know; `type` and `block_id` are known everywhere.
pub(crate) fn known(members: &Map<String, Value>, at: &str, names: &[&str], faults: &mut Faults) {
    for name in members.keys() {
        if !matches!(name.as_str(), "type" | "block_id") && !names.contains(&name.as_str()) {
            faults.add(at, format!("invalid additional property: {name}"));
        }
    }
}

/// Checks a text object of 1 to `most` characters.
pub(crate) fn check_text_object(
    value: Option<&Value>,
    at: &str,
    most: usize,
    kind: TextKind,
    faults: &mut Faults,
) {
    let Some(members) = value.and_then(Value::as_object) else {
        faults.add(at, "must be a text object");
        return;
    };
    if members.contains_key("block_id") {
        faults.add(at, "invalid additional property: block_id");
    }
    match (members.get("type").and_then(Value::as_str), kind) {
        (Some("plain_text"), _) => {
            known(members, at, &["text", "emoji"], faults);
            if members.get("emoji").is_some_and(|emoji| !emoji.is_boolean()) {
                faults.add(&format!("{at}/emoji"), "not true or false");
            }
        }
        (Some("mrkdwn"), TextKind::Either) => {
            known(members, at, &["text", "verbatim"], faults);
            if members.get("verbatim").is_some_and(|verbatim| !verbatim.is_boolean()) {
                faults.add(&format!("{at}/verbatim"), "not true or false");
            }
        }
        (other, TextKind::Either) => faults.add(at, format!("{other:?} is neither plain_text nor mrkdwn")),
        (other, TextKind::Plain) => faults.add(at, format!("{other:?} is not plain_text")),
    }
    text_member(members, "text", at, most, faults);
}

/// Returns a required text member of 1 to `most` characters; what is wrong with it is noted.
pub(crate) fn text_member<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    at: &str,
    most: usize,
    faults: &mut Faults,
) -> Option<&'a str> {
    let at = format!("{at}/{name}");
    let Some(text) = members.get(name).and_then(Value::as_str) else {
        faults.add(&at, "must be a text");
        return None;
    };
    let length = text.chars().count();
    if length == 0 {
        faults.add(&at, "must be more than 0 characters");
    }
    if length > most {
        faults.add(&at, format!("{length} characters, at most {most}"));
    }
    Some(text)
}

/// Checks an address: http or https with a host.
pub(crate) fn check_url(members: &Map<String, Value>, name: &str, at: &str, faults: &mut Faults) {
    let Some(url) = text_member(members, name, at, 3_000, faults) else { return };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if !has_host || url.chars().any(char::is_whitespace) {
        faults.add(&format!("{at}/{name}"), "invalid url");
    }
}
