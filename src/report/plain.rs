//! Renders the document as plain text: mail, SNS, and wherever markup was refused.
//!
//! The card as on a terminal, then the addresses behind its links, because plain text cannot hide them.

use crate::report::document::{Document, Line, Span};
use crate::report::layout::{Face, Fold, Part, Row, WIDTH, card, clean_block, fold};
use crate::report::terminal::groups_as_text;

/// Columns of the details; mail programs break lines at about 76.
const DETAIL_WIDTH: usize = 72;

/// Rows of one paragraph of the details.
const MOST_DETAIL_ROWS: usize = 40;

/// Returns the card and its addresses.
pub fn render(document: &Document) -> String {
    let mut groups = card(document, WIDTH);
    groups.retain(|group| group.part != Part::Links);
    let mut text = groups_as_text(&groups, |piece, _| piece.text.clone());
    let addresses = addresses(document);
    if !addresses.is_empty() {
        text.push_str("\n\nLinks");
        for (label, url) in addresses {
            text.extend(["\n", &label, ": ", &url]);
        }
    }
    text
}

/// Returns the card and the details behind it.
pub fn render_report(document: &Document) -> String {
    let mut text = render(document);
    for detail in &document.details {
        let heading = row_text(&single_row(&Line::text(detail.heading.as_str())));
        text.extend(["\n\n", &heading, "\n", &"-".repeat(heading.chars().count())]);
        for item in &detail.items {
            let wide = Fold { width: DETAIL_WIDTH, first: "- ", hang: "  ", most_rows: MOST_DETAIL_ROWS };
            for row in fold(item, wide) {
                text.push('\n');
                text.push_str(&row_text(&row));
            }
        }
        if let Some(code) = &detail.code {
            for line in clean_block(code).lines() {
                text.extend(["\n    ", line]);
            }
        }
    }
    text
}

/// Returns each address once, with its label: first the links of the card, then its citations.
fn addresses(document: &Document) -> Vec<(String, String)> {
    let links = document.links.iter().cloned().map(|span| Line(vec![span]));
    let card_lines = document
        .statement
        .iter()
        .chain(&document.impact)
        .chain(document.sections.iter().flat_map(|section| &section.items))
        .chain(&document.limits)
        .cloned();
    let mut addresses: Vec<(String, String)> = Vec::new();
    for line in links.chain(card_lines) {
        for span in line.0 {
            if !matches!(span, Span::Link { .. } | Span::Evidence { .. }) {
                continue;
            }
            for piece in single_row(&Line(vec![span])) {
                if let Face::Link(url) = piece.face
                    && !addresses.iter().any(|(label, known)| *label == piece.text && *known == url)
                {
                    addresses.push((piece.text, url));
                }
            }
        }
    }
    addresses
}

fn single_row(line: &Line) -> Row {
    fold(line, Fold { most_rows: 1, ..Fold::card(WIDTH) }).into_iter().next().unwrap_or_default()
}

fn row_text(row: &Row) -> String {
    row.iter().map(|piece| piece.text.as_str()).collect()
}
