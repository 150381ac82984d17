//! The page: simple markup rendered, everything else escaped, nothing loaded.

use super::*;
use crate::slack::mrkdwn::html;

#[test]
fn markup_becomes_html() {
    for (text, wanted) in [
        ("a *bold* word", "a <b>bold</b> word"),
        ("_it_ ~gone~", "<i>it</i> <s>gone</s>"),
        ("*bold _and_ more*", "<b>bold <i>and</i> more</b>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("* no list * here", "* no list * here"),
        ("`a *b* <c>`", "<code>a *b* &lt;c&gt;</code>"),
        ("`&lt;tag&gt; &amp;lt;`", "<code>&lt;tag&gt; &amp;lt;</code>"),
        ("x\n```\nline *1*\nline 2\n```\ny", "x<pre>line *1*\nline 2</pre>y"),
        ("open ``` only", "open ``` only"),
        ("one\ntwo", "one<br>two"),
        ("&gt; said\n&gt; more\nafter", "<blockquote>said<br>more</blockquote>after"),
        ("> said", "<blockquote>said</blockquote>"),
        ("5 &lt; 6 &amp; 7 &gt; 6", "5 &lt; 6 &amp; 7 &gt; 6"),
        (
            "<https://example.com/?a=1&amp;b=2|the *logs*>",
            "<a rel=\"noreferrer\" href=\"https://example.com/?a=1&amp;b=2\">the *logs*</a>",
        ),
        (
            "<https://example.com/>",
            "<a rel=\"noreferrer\" href=\"https://example.com/\">https://example.com/</a>",
        ),
        ("<!channel> <@U1> <#C1|ops>", "<mark>@channel</mark> <mark>@U1</mark> <mark>#ops</mark>"),
    ] {
        assert_eq!(html(text), wanted, "{text}");
    }
}

#[test]
fn nothing_a_message_says_becomes_markup_of_the_page() {
    for text in [
        "<script>alert(1)</script>",
        "<javascript:alert(1)|click>",
        "<https://e.com/\" onclick=\"x|click>",
        "\"'&<>",
        "`<script>`",
        "```<script>```",
        "*<script>*",
        "<!<script>|<script>>",
    ] {
        let html = html(text);
        assert!(!html.contains("<script") && !html.contains("\" onclick"), "{html}");
        assert!(!html.contains("href=\"javascript"), "{html}");
    }
}

#[test]
fn the_page_shows_each_block_on_a_phones_width_and_loads_nothing() {
    let slack = quiet();
    let hostile = "<img src=x onerror=alert(1)>";
    let blocks = json!([
        {"type": "header", "text": {"type": "plain_text", "text": format!("Head {hostile} *x*")}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "*36%* of requests"},
         "fields": [{"type": "mrkdwn", "text": "*Onset*\n03:02"}, {"type": "plain_text", "text": hostile}]},
        {"type": "divider"},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "`M3` read"},
            {"type": "image", "image_url": "https://example.com/a.png", "alt_text": hostile}]},
        {"type": "actions", "elements": [
            {"type": "button", "style": "primary", "text": {"type": "plain_text", "text": "Open"},
             "url": "https://example.com/x"}]},
        {"type": "image", "image_url": "https://example.com/chart.png", "alt_text": "errors a minute"},
        {"type": "markdown", "text": format!("# Title {hostile}")},
        {"type": "rich_text", "elements": [{"type": "rich_text_preformatted",
            "elements": [{"type": "text", "text": hostile}]}]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "one"}, {"type": "raw_text", "text": hostile}]]},
        {"type": "alert", "text": {"type": "mrkdwn", "text": "careful"}},
    ]);
    let body = json!({"text": format!("Lock screen {hostile}"), "blocks": blocks});
    assert_eq!(post(&slack, PATH, &body.to_string()), ok());
    assert_eq!(post(&slack, PATH, "{\"text\":\"only *text*\"}"), ok());
    let attached = json!({"attachments": [{"text": "under a bar", "blocks": [{"type": "divider"}]}]});
    assert_eq!(post(&slack, PATH, &attached.to_string()), ok());
    let page = slack.page();
    let escaped = "&lt;img src=x onerror=alert(1)&gt;";
    let mut from = 0;
    for part in [
        "main{width:390px",
        &format!("<h2>Head {escaped} *x*</h2>"),
        "<b>36%</b> of requests",
        "<b>Onset</b><br>03:02",
        escaped,
        "<hr>",
        "<code>M3</code> read",
        "class=\"button primary\" rel=\"noreferrer\" href=\"https://example.com/x\">Open</a>",
        "Picture: errors a minute<br><small>https://example.com/chart.png</small>",
        &format!("<pre># Title {escaped}</pre>"),
        &format!("<pre>{escaped}</pre>"),
        &format!("<td>one</td><td>{escaped}</td>"),
        "careful",
        // What stands between angle brackets in a mrkdwn text is a link to Slack, and this one leads nowhere.
        "<summary>Notification</summary>Lock screen img src=x onerror=alert(1)</details>",
        "only <b>text</b>",
        "under a bar",
    ] {
        let found =
            page[from..].find(part).unwrap_or_else(|| panic!("{part:?} is not in its place in\n{page}"));
        from += found + part.len();
    }
    assert!(!page.contains("<img") && !page.contains("<script") && !page.contains("src=\""), "{page}");
}

#[test]
fn an_empty_channel_says_so() {
    let page = quiet().page();
    assert!(page.starts_with("<!doctype html>") && page.contains("No message yet."));
}
