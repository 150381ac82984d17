//! The cards as they look, hostile text in them, and the limits of each channel.

use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::layout::columns;
use super::{Document, json as report_json, markdown, plain, samples, slack, terminal};
use crate::alarm::AlarmState;
use crate::report::document::{Detail, FORMAT, Line, Marks, Section, Span, Topic};

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn terminal_cards_are_the_target_cards() {
    assert_snapshot!("terminal_cause_shown", terminal::render(&samples::cause_shown(), false));
    assert_snapshot!("terminal_facts_only", terminal::render(&samples::facts_only(), false));
    assert_snapshot!("terminal_cannot_be_shown", terminal::render(&samples::cannot_be_shown(), false));
}

#[test]
fn slack_messages_say_what_the_target_cards_say() {
    assert_snapshot!("slack_cause_shown", pretty(&slack::render(&samples::cause_shown())));
    assert_snapshot!("slack_facts_only", pretty(&slack::render(&samples::facts_only())));
    assert_snapshot!("slack_cannot_be_shown", pretty(&slack::render(&samples::cannot_be_shown())));
}

#[test]
fn every_other_rendering_of_a_shown_cause() {
    let document = samples::cause_shown();
    assert_snapshot!("terminal_colour", terminal::render(&document, true).replace('\u{1b}', "␛"));
    assert_snapshot!("slack_text", slack::render_text(&document)["text"].as_str().unwrap());
    assert_snapshot!("plain_card", plain::render(&document));
    assert_snapshot!("plain_report", plain::render_report(&document));
    assert_snapshot!("markdown_card", markdown::render_card(&document));
    assert_snapshot!("markdown_report", markdown::render_report(&document));
    assert_snapshot!("json_report", pretty(&report_json::render(&document)));
}

/// A document with the same hostile text in every place where text from outside can stand.
fn hostile(text: &str) -> Document {
    let line =
        || Line(vec![Span::Text(text.to_owned()), Span::Bold(text.to_owned()), Span::Code(text.to_owned())]);
    let cited = Span::Link { label: text.to_owned(), url: format!("https://example.com/{text}") };
    Document {
        push: text.to_owned(),
        title: line(),
        condition: line(),
        verdict: line(),
        statement: vec![line()],
        impact: vec![line()],
        sections: vec![Section {
            heading: text.to_owned(),
            marks: Marks::Bullets,
            items: vec![line().with(cited.clone())],
        }],
        limits: vec![line()],
        links: vec![cited, Span::Link { label: text.to_owned(), url: text.to_owned() }],
        footer: vec![line()],
        details: vec![Detail {
            topic: Topic::Other,
            heading: text.to_owned(),
            items: vec![line()],
            code: Some(text.to_owned()),
        }],
        ..samples::cause_shown()
    }
}

#[test]
fn hostile_text_shows_as_it_is_in_slack() {
    for (text, shown) in [
        (
            "<!channel> <@U123> <https://evil.example|ok>",
            "&lt;!channel&gt; &lt;@U123&gt; &lt;https://evil.example|ok&gt;",
        ),
        ("*bold* _italic_ ~gone~ `code`", "∗bold∗ _italicˍ ~gone∼ ˋcodeˋ"),
        ("my_function_name ~115 of 5", "my_function_name ~115 of 5"),
        (":fire: at 03:02:38, 02:57-03:05", "꞉fire: at 03:02:38, 02:57-03:05"),
        ("> quoted", "› quoted"),
        ("a & b", "a &amp; b"),
        ("one\ntwo\u{1b}[31m\u{202e}red", "one two [31mred"),
    ] {
        let document = Document { impact: vec![Line::text(text)], ..samples::cause_shown() };
        let message = slack::render(&document);
        assert_eq!(message["blocks"][2]["text"]["text"], shown);
        assert_eq!(message["blocks"][2]["text"]["verbatim"], true);
    }
}

#[test]
fn hostile_text_shows_as_it_is_in_markdown() {
    let text =
        "@octocat #12 https://evil.example www.evil.example [a](b) <img src=x> **b** :fire: &lt; `x` \\";
    let document = Document { impact: vec![Line::text(text)], sections: vec![], ..samples::cause_shown() };
    let card = markdown::render_card(&document).replace('\u{2060}', "␣");
    let line = card.lines().find(|line| line.contains("octocat")).unwrap();
    assert_snapshot!(
        line,
        @r"@␣octocat #␣12 https:␣//evil.example www␣.evil.example \[a\](b) \<img src=x\> \*\*b\*\* :␣fire: &amp;lt; \`x\` \\"
    );
}

#[test]
fn a_log_text_cannot_close_the_code_fence_around_it() {
    let mut document = samples::cause_shown();
    document.details = vec![Detail {
        topic: Topic::Evidence,
        heading: "Evidence".to_owned(),
        items: vec![Line(vec![Span::Code("a ``` b".to_owned())])],
        code: Some("x\n```\n# not a heading\n````".to_owned()),
    }];
    let report = markdown::render_report(&document);
    assert!(report.contains("\n`````\nx\n```\n# not a heading\n````\n`````\n"), "{report}");
    assert!(report.contains("````a ``` b````"), "{report}");
}

#[test]
fn a_link_that_is_no_web_address_shows_its_label_only() {
    for url in [
        "javascript:alert(1)",
        "",
        "ftp://example.com",
        &format!("https://example.com/{}", "a".repeat(3_000)),
    ] {
        let link = Span::Link { label: "Alarm".to_owned(), url: url.to_owned() };
        let document = Document { links: vec![link], limits: vec![], ..samples::cause_shown() };
        assert_eq!(slack::render(&document)["blocks"][5]["text"]["text"], "Alarm");
        assert!(markdown::render_card(&document).contains("\n\nAlarm\n\n"));
        assert!(!plain::render(&document).contains("Alarm:"));
    }
}

#[test]
fn an_address_counts_as_slack_gets_it() {
    let url = format!("https://example.com/?{}", "a&".repeat(800));
    let link = Span::Link { label: "[M3]".to_owned(), url };
    let document = Document { impact: vec![Line(vec![link])], ..samples::cause_shown() };
    let message = slack::render(&document);
    check_slack(&message);
    assert_eq!(message["blocks"][2]["text"]["text"], "[M3]");
}

#[test]
fn a_card_that_is_too_long_says_how_much_it_leaves_out() {
    let items = (0..30).map(|index| Line::text(format!("fact {index}"))).collect();
    let sections = vec![Section { heading: "Why".to_owned(), marks: Marks::Bullets, items }];
    let document = Document { sections, ..samples::cause_shown() };
    let card = terminal::render(&document, false);
    assert!(card.contains("• fact 11\n… 18 more in the full report"), "{card}");
    assert!(markdown::render_card(&document).contains("- fact 11\n- … 18 more in the full report"));
}

#[test]
fn the_dot_follows_the_alarm_and_its_recovery() {
    for (state, recovered, dot) in [
        (AlarmState::Alarm, false, "🔴"),
        (AlarmState::Alarm, true, "🟢"),
        (AlarmState::Ok, false, "🟢"),
        (AlarmState::InsufficientData, false, "⚪"),
    ] {
        let document = Document { state, recovered, ..samples::cause_shown() };
        assert!(terminal::render(&document, false).starts_with(dot), "{state:?} {recovered}");
    }
}

#[test]
fn an_empty_document_still_makes_a_message() {
    let empty = Document {
        format: FORMAT,
        run_id: String::new(),
        state: AlarmState::Alarm,
        recovered: false,
        push: " \n".to_owned(),
        title: Line::default(),
        condition: Line::default(),
        verdict: Line::default(),
        statement: vec![],
        impact: vec![],
        sections: vec![],
        limits: vec![],
        links: vec![],
        footer: vec![],
        details: vec![],
        log_quotes: super::readers::LogQuotes::Full,
        data: Value::Null,
        kept: None,
    };
    let message = slack::render(&empty);
    check_slack(&message);
    assert_eq!(message["text"], "CloudWatch alarm report");
}

/// Slack's limits (contracts 4.1), checked without the renderer's own measures.
fn check_slack(message: &Value) {
    let text = message["text"].as_str().unwrap();
    let shown = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!((1..=120).contains(&shown.chars().count()), "push of {} characters", shown.chars().count());
    check_mrkdwn(text);
    let blocks = message["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    for block in blocks {
        let text = match block["type"].as_str().unwrap() {
            "section" => {
                assert_eq!(block["expand"], true);
                &block["text"]
            }
            "context" => {
                assert_eq!(block["elements"].as_array().unwrap().len(), 1);
                &block["elements"][0]
            }
            other => panic!("block {other}"),
        };
        assert_eq!((&text["type"], &text["verbatim"]), (&"mrkdwn".into(), &true.into()));
        let text = text["text"].as_str().unwrap();
        assert!((1..=3_000).contains(&text.encode_utf16().count()), "section of {}", text.len());
        check_mrkdwn(text);
    }
}

/// Every `<` begins a link or a date that code built, and is closed.
fn check_mrkdwn(text: &str) {
    for part in text.split('<').skip(1) {
        assert!(part.starts_with("https://") || part.starts_with("!date^"), "{part}");
        let (inside, after) = part.split_once('>').unwrap();
        assert_eq!(
            inside.matches('|').count(),
            if inside.starts_with('!') { 1 } else { inside.matches('|').count() }
        );
        assert!(!after.contains('>'), "{after}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,80}",
        "[a-z<>&*_~`|:@#! \n\t\u{1b}\u{202e}中🔴]{0,200}",
        ("[&<>a-z`漢🔥]{1,3}", 1..3_000_usize).prop_map(|(text, times)| text.repeat(times)),
        Just("<!channel> <@U1> <https://evil.example|x> ``` @here".to_owned()),
    ]
}

fn any_line() -> impl Strategy<Value = Line> {
    let span = prop_oneof![
        any_text().prop_map(Span::Text),
        any_text().prop_map(Span::Bold),
        any_text().prop_map(Span::Code),
        (any_text(), any_text())
            .prop_map(|(label, path)| Span::Link { label, url: format!("https://example.com/{path}") }),
        (any_text(), any_text()).prop_map(|(label, url)| Span::Link { label, url }),
        (0..4_000_000_000_i64).prop_map(|at| Span::Time(crate::clock::Timestamp::from_second(at).unwrap())),
    ];
    prop::collection::vec(span, 0..5).prop_map(Line)
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    prop_oneof![
        prop::collection::vec(any_line(), 0..4),
        (any_line(), 0..40_usize).prop_map(|(line, times)| vec![line; times]),
    ]
}

fn any_document() -> impl Strategy<Value = Document> {
    let section = || {
        (any_text(), any_lines(), 0..3_usize).prop_map(|(heading, items, marks)| Section {
            heading,
            marks: [Marks::Bullets, Marks::Numbers, Marks::Plain][marks],
            items,
        })
    };
    let sections = prop_oneof![
        prop::collection::vec(section(), 0..3),
        (section(), 0..40_usize).prop_map(|(section, times)| vec![section; times]),
    ];
    let heads = (any_text(), any_text(), any_line(), any_line(), any_line());
    let lists = (any_lines(), any_lines(), any_lines(), any_line(), any_lines());
    (heads, sections, lists).prop_map(
        |(
            (push, run_id, title, condition, verdict),
            sections,
            (statement, impact, limits, links, footer),
        )| Document {
            push,
            run_id,
            title,
            condition,
            verdict,
            details: vec![Detail {
                topic: Topic::Other,
                heading: "Details".to_owned(),
                items: impact.clone(),
                code: Some(format!("{statement:?}")),
            }],
            statement,
            impact,
            sections,
            limits,
            links: links.0,
            footer,
            ..samples::cause_shown()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slack_limits_hold_for_any_document(document in any_document()) {
        check_slack(&slack::render(&document));
        let fallback = slack::render_text(&document);
        let text = fallback["text"].as_str().unwrap();
        prop_assert!((1..=4_100).contains(&text.encode_utf16().count()), "{}", text.len());
        check_mrkdwn(text);
        prop_assert_eq!(text.matches("```").count(), 2);
    }

    #[test]
    fn a_terminal_line_has_at_most_55_columns(document in any_document()) {
        let card = terminal::render(&document, false);
        for line in card.lines() {
            prop_assert!(columns(line) <= 55 && line.chars().count() <= 55, "{} columns: {line}", columns(line));
        }
        prop_assert!(!card.chars().any(|c| c.is_control() && c != '\n'));
        let coloured = terminal::render(&document, true);
        let ours = regex::Regex::new("\u{1b}(\\[[0-9]+m|\\]8;;[^\u{1b}]*\u{1b}\\\\)").unwrap();
        prop_assert_eq!(ours.replace_all(&coloured, ""), card);
    }

    #[test]
    fn every_other_rendering_takes_any_document(document in any_document()) {
        let code = document.details[0].code.clone().unwrap();
        prop_assert!(markdown::render_report(&document).len() > markdown::render_card(&document).len());
        prop_assert!(plain::render_report(&document).len() > code.len());
        let report = report_json::render(&document);
        prop_assert_eq!(&report["format"], 1);
        let written = report.to_string();
        prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), report);
    }
}

#[test]
fn hostile_text_is_within_the_limits_everywhere() {
    for text in [
        "<!channel>",
        "a".repeat(20_000).as_str(),
        "&".repeat(20_000).as_str(),
        "漢字".repeat(5_000).as_str(),
    ] {
        check_slack(&slack::render(&hostile(text)));
    }
}

/// Returns every message that Slack gets of a document, by what it is.
fn slack_messages(document: &Document) -> Vec<(&'static str, Value)> {
    let shown = document.for_channel();
    let mut messages = vec![
        ("card", slack::render(&slack::threaded(&shown))),
        ("card without a thread", slack::render(&shown)),
        ("conclusion", slack::conclusion(&shown)),
        ("reply", slack::reply(&shown)),
        ("text", slack::render_text(&shown)),
    ];
    messages.extend(slack::details(&shown).into_iter().map(|message| ("details", message)));
    messages
}

/// `tests/test_slack_messages.py` holds them against a checker that is not ours, and against the emulator's.
#[test]
fn the_slack_messages_of_many_documents_are_kept_for_other_checkers() {
    let mut runner = TestRunner::deterministic();
    let any = any_document();
    let mut documents: Vec<Document> =
        (0..24).map(|_| any.new_tree(&mut runner).unwrap().current()).collect();
    documents.extend([samples::cause_shown(), samples::facts_only(), samples::cannot_be_shown()]);
    for text in
        ["<!channel> ``` *a* :x: &", &"a".repeat(20_000), &"&".repeat(20_000), &"漢字🔥 ".repeat(5_000)]
    {
        let mut document = hostile(text);
        document.impact = vec![document.impact[0].clone(); 40];
        document.details = vec![document.details[0].clone(); 40];
        documents.push(document);
    }
    let mut lines = String::new();
    for (what, message) in documents.iter().flat_map(slack_messages) {
        let blocks = message["blocks"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |block: &Value| {
            let text = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text")).unwrap();
            text.as_str().unwrap().encode_utf16().count()
        };
        assert!(blocks.len() <= 50, "{what} of {} blocks", blocks.len());
        let all: usize = blocks.iter().map(text).sum();
        assert!(all <= 12_000, "{what} with {all} characters in its blocks");
        lines.push_str(&format!("{}\n", json!({ "what": what, "message": message })));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/slack-messages.jsonl");
    std::fs::write(path, lines).unwrap();
}
