//! Block Kit: what passes at each limit and what fails one beyond it.

use super::*;

/// `None` when the blocks are taken, otherwise the reasons.
fn reasons(blocks: &Value) -> Option<Vec<String>> {
    let slack = quiet();
    let answer = post(&slack, PATH, &json!({"text": "fallback", "blocks": blocks}).to_string());
    let refusal = slack.refusals().pop();
    match refusal {
        None => {
            assert_eq!((answer, slack.messages().len()), (ok(), 1));
            None
        }
        Some(refusal) => {
            assert_eq!((answer, slack.messages().len()), (refused(400, "invalid_blocks"), 0));
            Some(refusal.reasons)
        }
    }
}

fn passes(block: &Value) {
    assert_eq!(reasons(&json!([block])), None, "{block}");
}

fn fails(block: &Value, reason: &str) {
    let found = reasons(&json!([block])).unwrap_or_default();
    assert!(found.iter().any(|found| found == &format!("/blocks/0{reason}")), "{block}: {found:?}");
}

fn mrkdwn(length: usize) -> Value {
    // Characters count, not bytes.
    json!({"type": "mrkdwn", "text": "ü".repeat(length)})
}

fn plain(length: usize) -> Value {
    json!({"type": "plain_text", "text": "ü".repeat(length)})
}

#[test]
fn a_message_has_at_most_fifty_blocks() {
    let dividers = |count: usize| Value::Array(vec![json!({"type": "divider"}); count]);
    assert_eq!(reasons(&dividers(50)), None);
    assert_eq!(reasons(&dividers(51)), Some(vec!["/blocks: 51 blocks, at most 50".to_owned()]));
}

#[test]
fn unknown_blocks_and_members_are_refused() {
    fails(&json!({"type": "paragraph"}), ": unsupported block type \"paragraph\"");
    fails(&json!({}), ": no type");
    fails(&json!("divider"), ": not an object");
    fails(&json!({"type": "divider", "text": "x"}), ": invalid additional property: text");
    passes(&json!({"type": "divider"}));
}

#[test]
fn block_ids_are_short_and_unique() {
    passes(&json!({"type": "divider", "block_id": "a".repeat(255)}));
    fails(&json!({"type": "divider", "block_id": "a".repeat(256)}), "/block_id: 256 characters, at most 255");
    fails(&json!({"type": "divider", "block_id": 7}), "/block_id: must be a text");
    let twice = json!([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]);
    assert_eq!(reasons(&twice), Some(vec!["/blocks/1/block_id: \"a\" is used twice".to_owned()]));
}

#[test]
fn a_section_holds_text_or_fields_within_their_lengths() {
    passes(&json!({"type": "section", "text": mrkdwn(3_000), "expand": true}));
    passes(&json!({"type": "section", "text": plain(3_000)}));
    fails(&json!({"type": "section", "text": mrkdwn(3_001)}), "/text/text: 3001 characters, at most 3000");
    fails(&json!({"type": "section", "text": mrkdwn(0)}), "/text/text: must be more than 0 characters");
    fails(&json!({"type": "section", "text": "hello"}), "/text: must be a text object");
    fails(&json!({"type": "section"}), ": a section needs text or fields");
    fails(&json!({"type": "section", "text": mrkdwn(1), "expand": "yes"}), "/expand: not true or false");
    passes(&json!({"type": "section", "fields": vec![mrkdwn(2_000); 10]}));
    fails(&json!({"type": "section", "fields": vec![mrkdwn(1); 11]}), "/fields: 11 items, at most 10");
    fails(&json!({"type": "section", "fields": []}), "/fields: must not be empty");
    fails(
        &json!({"type": "section", "fields": [mrkdwn(2_001)]}),
        "/fields/0/text: 2001 characters, at most 2000",
    );
    fails(
        &json!({"type": "section", "text": mrkdwn(1), "accessory": {"type": "divider"}}),
        "/accessory: unsupported element type \"divider\"",
    );
}

#[test]
fn text_objects_are_of_a_kind_and_have_its_members_only() {
    fails(
        &json!({"type": "section", "text": {"type": "markdown", "text": "x"}}),
        "/text: Some(\"markdown\") is neither plain_text nor mrkdwn",
    );
    fails(
        &json!({"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": true}}),
        "/text: invalid additional property: emoji",
    );
    passes(&json!({"type": "section", "text": {"type": "plain_text", "text": "x", "emoji": true}}));
    passes(&json!({"type": "section", "text": {"type": "mrkdwn", "text": "x", "verbatim": true}}));
    fails(&json!({"type": "section", "text": {"type": "mrkdwn"}}), "/text/text: must be a text");
}

#[test]
fn a_header_is_plain_text_of_at_most_150() {
    passes(&json!({"type": "header", "text": plain(150)}));
    fails(&json!({"type": "header", "text": plain(151)}), "/text/text: 151 characters, at most 150");
    fails(&json!({"type": "header", "text": mrkdwn(1)}), "/text: Some(\"mrkdwn\") is not plain_text");
}

#[test]
fn a_context_holds_at_most_ten_texts_and_pictures() {
    let image = json!({"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"});
    let mut elements = vec![mrkdwn(1); 9];
    elements.push(image);
    passes(&json!({"type": "context", "elements": elements}));
    fails(&json!({"type": "context", "elements": vec![mrkdwn(1); 11]}), "/elements: 11 items, at most 10");
    fails(&json!({"type": "context", "elements": []}), "/elements: must not be empty");
    fails(
        &json!({"type": "context", "elements": [{"type": "button", "text": plain(1)}]}),
        "/elements/0: unsupported element type \"button\"",
    );
    fails(&json!({"type": "context"}), "/elements: must be a list");
}

#[test]
fn actions_hold_at_most_25_elements_with_their_own_ids() {
    let button = |id: usize| json!({"type": "button", "text": plain(1), "action_id": id.to_string()});
    passes(&json!({"type": "actions", "elements": (0..25).map(button).collect::<Vec<_>>()}));
    let many: Vec<Value> = (0..26).map(button).collect();
    fails(&json!({"type": "actions", "elements": many}), "/elements: 26 items, at most 25");
    fails(
        &json!({"type": "actions", "elements": [button(1), button(1)]}),
        "/elements/1/action_id: \"1\" is used twice",
    );
    fails(
        &json!({"type": "actions", "elements": [{"type": "link"}]}),
        "/elements/0: unsupported element type \"link\"",
    );
}

#[test]
fn a_button_keeps_its_lengths() {
    let with = |name: &str, value: Value| {
        let mut button = json!({"type": "button", "text": plain(75), "url": "https://example.com/"});
        button[name] = value;
        json!({"type": "actions", "elements": [button]})
    };
    let url = |length: usize| json!(format!("https://example.com/{}", "a".repeat(length - 20)));
    passes(&with("value", json!("v".repeat(2_000))));
    passes(&with("url", url(3_000)));
    passes(&with("action_id", json!("a".repeat(255))));
    passes(&with("style", json!("danger")));
    fails(&with("text", plain(76)), "/elements/0/text/text: 76 characters, at most 75");
    fails(&with("text", mrkdwn(1)), "/elements/0/text: Some(\"mrkdwn\") is not plain_text");
    fails(&with("value", json!("v".repeat(2_001))), "/elements/0/value: 2001 characters, at most 2000");
    fails(&with("url", url(3_001)), "/elements/0/url: 3001 characters, at most 3000");
    fails(&with("url", json!("javascript:alert(1)")), "/elements/0/url: invalid url");
    fails(&with("url", json!("https://a b")), "/elements/0/url: invalid url");
    fails(&with("action_id", json!("a".repeat(256))), "/elements/0/action_id: 256 characters, at most 255");
    fails(&with("style", json!("red")), "/elements/0/style: \"red\" is neither primary nor danger");
    fails(&with("href", json!("x")), "/elements/0: invalid additional property: href");
}

#[test]
fn a_picture_has_a_source_and_a_description() {
    let with = |name: &str, value: Value| {
        let mut image = json!({"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"});
        image[name] = value;
        image
    };
    passes(&with("alt_text", json!("a".repeat(2_000))));
    passes(&with("title", plain(2_000)));
    passes(&json!({"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a"}));
    fails(&with("alt_text", json!("a".repeat(2_001))), "/alt_text: 2001 characters, at most 2000");
    fails(&with("title", plain(2_001)), "/title/text: 2001 characters, at most 2000");
    let long = format!("https://example.com/{}", "a".repeat(2_981));
    fails(&with("image_url", json!(long)), "/image_url: 3001 characters, at most 3000");
    fails(&with("slack_file", json!({"id": "F1"})), ": a picture needs image_url or slack_file");
    fails(&json!({"type": "image", "slack_file": {}, "alt_text": "a"}), "/slack_file: needs an id or a url");
    fails(&json!({"type": "image", "image_url": "https://example.com/a.png"}), "/alt_text: must be a text");
}

#[test]
fn markdown_is_counted_over_the_whole_message() {
    let markdown = |length: usize| json!({"type": "markdown", "text": "a".repeat(length)});
    assert_eq!(reasons(&json!([markdown(6_000), markdown(6_000)])), None);
    let over = reasons(&json!([markdown(6_000), markdown(6_001)]));
    assert_eq!(over, Some(vec!["/blocks: 12001 characters of markdown in all, at most 12000".to_owned()]));
    fails(&json!({"type": "markdown"}), "/text: must be a text");
}

#[test]
fn rich_text_tables_and_alerts_are_checked_by_their_frame() {
    let section = json!({"type": "rich_text_section", "elements": [{"type": "text", "text": "a"}]});
    passes(&json!({"type": "rich_text", "elements": [section]}));
    fails(
        &json!({"type": "rich_text", "elements": [{"type": "text"}]}),
        "/elements/0: \"text\" is no part of rich_text",
    );
    fails(&json!({"type": "rich_text"}), "/elements: must be a list");

    let rows = |rows: usize, cells: usize| json!({"type": "table", "rows": vec![vec![json!({"type": "raw_text", "text": "a"}); cells]; rows]});
    passes(&rows(100, 20));
    fails(&rows(101, 1), "/rows: 101 items, at most 100");
    fails(&rows(1, 21), "/rows/0: 21 cells, 1 to 20 allowed");
    fails(
        &json!({"type": "table", "rows": [[{"type": "mrkdwn"}]]}),
        "/rows/0/0: a cell is raw_text or rich_text",
    );

    passes(&json!({"type": "alert", "level": "error", "text": mrkdwn(200)}));
    fails(&json!({"type": "alert", "text": mrkdwn(201)}), "/text/text: 201 characters, at most 200");
    fails(&json!({"type": "alert", "level": "loud", "text": mrkdwn(1)}), "/level: \"loud\" is no level");
}

#[test]
fn every_fault_is_named_though_one_would_do() {
    let blocks = json!([{"type": "header", "text": plain(151)}, {"type": "divider"}, {"type": "section"}]);
    let wanted =
        ["/blocks/0/text/text: 151 characters, at most 150", "/blocks/2: a section needs text or fields"];
    assert_eq!(reasons(&blocks), Some(wanted.map(str::to_owned).to_vec()));
}
