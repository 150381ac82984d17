//! Rules for the elements inside blocks. Only those that a message without an app behind it can use are checked in
//! depth; the other interactive ones are known by name and taken on trust.

use serde_json::{Map, Value};

use crate::slack::block_kit::member::{Faults, TextKind, check_text_object, check_url, known, text_member};

/// What an `actions` block may hold.
pub(crate) const ACTIONS: &[&str] = &[
    "button",
    "overflow",
    "datepicker",
    "datetimepicker",
    "timepicker",
    "checkboxes",
    "radio_buttons",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "workflow_button",
];

/// What may stand beside a section.
pub(crate) const ACCESSORIES: &[&str] = &[
    "image",
    "button",
    "overflow",
    "datepicker",
    "timepicker",
    "checkboxes",
    "radio_buttons",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
    "workflow_button",
];

/// Checks an element whose type must be one of `allowed`.
pub(crate) fn check_element(element: &Value, at: &str, allowed: &[&str], faults: &mut Faults) {
    let Some(members) = element.as_object() else {
        faults.add(at, "not an object");
        return;
    };
    let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
    if !allowed.contains(&kind) {
        faults.add(at, format!("unsupported element type {kind:?}"));
        return;
    }
    if members.contains_key("action_id") {
        text_member(members, "action_id", at, 255, faults);
    }
    match kind {
        "image" => {
            known(members, at, &["image_url", "slack_file", "alt_text"], faults);
            check_picture_source(members, at, faults);
            check_alt_text(members, at, faults);
        }
        "button" => check_button(members, at, faults),
        _ => {}
    }
}

fn check_button(members: &Map<String, Value>, at: &str, faults: &mut Faults) {
    let names = ["text", "action_id", "url", "value", "style", "confirm", "accessibility_label"];
    known(members, at, &names, faults);
    check_text_object(members.get("text"), &format!("{at}/text"), 75, TextKind::Plain, faults);
    if members.contains_key("url") {
        check_url(members, "url", at, faults);
    }
    if members.contains_key("value") {
        text_member(members, "value", at, 2_000, faults);
    }
    if members.contains_key("accessibility_label") {
        text_member(members, "accessibility_label", at, 75, faults);
    }
    if let Some(style) = members.get("style")
        && !matches!(style.as_str(), Some("primary" | "danger"))
    {
        faults.add(&format!("{at}/style"), format!("{style} is neither primary nor danger"));
    }
    if members.get("confirm").is_some_and(|confirm| !confirm.is_object()) {
        faults.add(&format!("{at}/confirm"), "not an object");
    }
}

/// A picture comes from an address or from a file in Slack, never both.
pub(crate) fn check_picture_source(members: &Map<String, Value>, at: &str, faults: &mut Faults) {
    match (members.get("image_url"), members.get("slack_file")) {
        (Some(_), None) => check_url(members, "image_url", at, faults),
        (None, Some(file)) if file.get("id").is_some() != file.get("url").is_some() => {}
        (None, Some(_)) => faults.add(&format!("{at}/slack_file"), "needs an id or a url"),
        _ => faults.add(at, "a picture needs image_url or slack_file"),
    }
}

pub(crate) fn check_alt_text(members: &Map<String, Value>, at: &str, faults: &mut Faults) {
    text_member(members, "alt_text", at, 2_000, faults);
}
