//! Lines as markup: every text is escaped, a link leads only where code meant it to, a citation leads to its evidence.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::id::EvidenceId;
use crate::report::data::EvidenceData;
use crate::report::document::{Line, Span};
use crate::report::layout::{clean, safe_url, time_of_day};

/// Characters of one piece of text; more than any line of ours has.
const MOST_CHARACTERS: usize = 4_000;

/// Where the evidence stands on the page.
#[derive(Debug, Default)]
pub(super) struct Anchors(BTreeMap<EvidenceId, String>);

impl Anchors {
    /// Gives each piece of evidence a place of its own.
    pub(super) fn of(evidence: &[EvidenceData]) -> Self {
        let plain = |id: &str| {
            id.len() <= 40 && id.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-".contains(letter))
        };
        let anchor = |(index, item): (usize, &EvidenceData)| {
            let id = item.id.as_str();
            let anchor = if plain(id) { format!("e-{id}") } else { format!("e--{index}") };
            (item.id.clone(), anchor)
        };
        Anchors(evidence.iter().enumerate().map(anchor).collect())
    }

    /// Returns the place of a piece of evidence.
    pub(super) fn get(&self, id: &EvidenceId) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// Returns a citation: a link to the evidence on this page, else to the console, else plain text.
    pub(super) fn cite(&self, id: &EvidenceId, console: Option<&str>) -> Markup {
        let label = text(id.as_str());
        match (self.get(id), console) {
            (Some(anchor), _) => html! { a.cite href={ "#" (anchor) } { (label) } },
            (None, Some(url)) => link(&format!("[{label}]"), url),
            (None, None) => html! { "[" (label) "]" },
        }
    }

    /// Returns a line as markup.
    pub(super) fn line(&self, line: &Line) -> Markup {
        html! {
            @for span in &line.0 {
                @match span {
                    Span::Text(words) | Span::LogQuote { full: words, .. } => (text(words)),
                    Span::Bold(words) => strong { (text(words)) },
                    Span::Code(words) => code { (text(words)) },
                    Span::Link { label, url } => (link(label, url)),
                    Span::Evidence { id, url } => (self.cite(id, url.as_deref())),
                    Span::Time(at) => time datetime=(at) { (time_of_day(*at)) },
                }
            }
        }
    }

    /// Returns lines, a paragraph each.
    pub(super) fn paragraphs(&self, lines: &[Line]) -> Markup {
        html! { @for line in lines { p { (self.line(line)) } } }
    }
}

/// Returns text as it is shown: on one line, without control and direction characters, bounded.
pub(super) fn text(words: &str) -> String {
    let mut cleaned = clean(words);
    if let Some((at, _)) = cleaned.char_indices().nth(MOST_CHARACTERS) {
        cleaned.truncate(at);
        cleaned.push('…');
    }
    cleaned
}

/// Returns a link out of the report; of an address that is not of the web only the label.
pub(super) fn link(label: &str, url: &str) -> Markup {
    let label = text(label);
    html! {
        @match safe_url(url) {
            Some(url) => a.out href=(url) rel="noopener noreferrer" { (label) },
            None => (label),
        }
    }
}
