//! The page as a reader gets it: complete, self-contained, and with nothing of a log as markup.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::evidence::{Source, Status, Window};
use crate::finding::ClaimKind;
use crate::id::EvidenceId;
use crate::report::data::{CitationData, ClaimData, EvidenceData, Lane, TimelineItem};
use crate::report::document::Span;
use crate::report::samples;
use crate::report::steps::Step;

/// Words that a browser would act on, wherever a text of ours stands.
const ATTACK: &str = "</script></style></title></pre></textarea>--><script>x</script><img src=x onerror=x>\" onclick='x' javascript:x";

fn at(text: &str) -> crate::clock::Timestamp {
    text.parse().unwrap()
}

/// Facts with the same text in every place where text can stand.
fn data(text: &str) -> Data {
    let id = EvidenceId::parse("logs.L2");
    let window = Window { start: at("2026-11-24T02:05:00Z"), end: at("2026-11-24T03:05:00Z") };
    Data {
        timeline: vec![TimelineItem {
            at: at("2026-11-24T03:02:40Z"),
            to_the_minute: false,
            lane: Lane::Logs,
            text: text.into(),
            evidence: id.clone(),
        }],
        evidence: vec![EvidenceData {
            id: id.clone(),
            source: Source::Logs,
            title: text.into(),
            status: Status::Found,
            window,
            seen_up_to: None,
            for_comparison: false,
            command: text.into(),
            console: Some(text.into()),
            excerpt: text.into(),
            cut: true,
            formula: Some(text.into()),
            inputs: vec![EvidenceId::parse(text)],
        }],
        claims: vec![ClaimData {
            kind: ClaimKind::Symptom,
            text: text.into(),
            entity: Some(text.into()),
            sources: vec![Source::Logs],
            citations: vec![
                CitationData {
                    evidence: id,
                    quote: Some(text.into()),
                    at: Some(text.into()),
                    value: Some(1.0),
                },
                CitationData { evidence: EvidenceId::parse(text), quote: None, at: None, value: None },
            ],
        }],
        next_steps: vec![Step {
            id: "look".into(),
            text: text.into(),
            command: text.into(),
            link: Some(text.into()),
            changes: Some(text.into()),
            check_first: None,
        }],
        lacks: vec![text.into()],
        ..Data::default()
    }
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    let document = Document { data: data("a < b").value(), ..samples::cause_shown() };
    let page = render(&document);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    assert!(!page.contains("src=") && !page.contains("@import") && !page.contains("url("), "{page}");
    assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{page}");
    assert!(page.contains("<a class=\"cite\" href=\"#e-logs.L2\">logs.L2</a>"), "{page}");
    assert!(page.contains("id=\"e-logs.L2\""), "{page}");
    assert!(page.contains("a &lt; b"), "{page}");
}

#[test]
fn a_document_without_facts_shows_its_details_instead() {
    let page = render(&samples::cause_shown());
    for words in ["CAUSE SHOWN", "version 58 starts serving", "Timeline", "Commands", "update-alias"] {
        assert!(page.contains(words), "{words} is missing");
    }
    assert!(render(&Document { data: Value::Null, ..samples::facts_only() }).contains("FACTS ONLY"));
}

#[test]
fn a_citation_without_evidence_on_the_page_leads_to_the_console() {
    let line = Line(vec![Span::Evidence {
        id: EvidenceId::new('M', 9),
        url: Some("https://us-east-1.console.aws.amazon.com/x".into()),
    }]);
    let page = render(&Document { statement: vec![line], data: Value::Null, ..samples::cause_shown() });
    assert!(
        page.contains("href=\"https://us-east-1.console.aws.amazon.com/x\" rel=\"noopener noreferrer\">[M9]"),
        "{page}"
    );
}

/// Every tag of a page, without our own style and script.
fn tags(page: &str) -> Vec<String> {
    let page = page.replace(CSS, "").replace(SCRIPT, "");
    regex::Regex::new("<[^>]*>").unwrap().find_iter(&page).map(|tag| tag.as_str().to_owned()).collect()
}

/// A document with the text in every place.
fn filled(text: &str) -> Document {
    let line = || Line(vec![Span::Text(text.into()), Span::Bold(text.into()), Span::Code(text.into())]);
    let anchor = || Span::Link { label: text.into(), url: text.into() };
    Document {
        push: text.into(),
        title: line(),
        condition: line(),
        verdict: line(),
        statement: vec![line().with(anchor())],
        impact: vec![line()],
        sections: vec![Section { heading: text.into(), marks: Marks::Bullets, items: vec![line()] }],
        limits: vec![line()],
        links: vec![anchor()],
        footer: vec![line()],
        details: vec![Detail {
            topic: Topic::Other,
            heading: text.into(),
            items: vec![line()],
            code: Some(text.into()),
        }],
        data: data(text).value(),
        ..samples::cause_shown()
    }
}

#[test]
fn an_attack_in_every_place_is_text_in_every_place() {
    let harmless = tags(&render(&filled("harmless")));
    let attacked = tags(&render(&filled(ATTACK)));
    // The same tags in the same order, but for the place of evidence that the attack's text names.
    assert_eq!(attacked, harmless);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_ever_markup(text in "[a-z<>&\"'/=:;!\\-`{}\u{202e}\u{0} \n]{1,60}") {
        let page = render(&filled(&text));
        for tag in tags(&page) {
            let name: String = tag.trim_start_matches(['<', '/', '!']).chars().take_while(char::is_ascii_alphanumeric).collect();
            prop_assert!(
                ["DOCTYPE", "html", "head", "meta", "title", "style", "body", "main", "header", "p", "span", "strong",
                 "code", "time", "h1", "h2", "h3", "div", "nav", "a", "section", "ul", "ol", "li", "details", "summary",
                 "pre", "button", "q", "dl", "dt", "dd", "footer", "script"].contains(&name.as_str()),
                "{tag}"
            );
            let harmful = tag.contains(" on") || tag.contains(" style=") || tag.contains("javascript:");
            prop_assert!(!harmful, "{tag}");
        }
    }
}
