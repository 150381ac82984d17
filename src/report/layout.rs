//! Lays the card out: which lines stand in which order, and where they fold.
//!
//! Text from outside is cleaned here for every renderer: one line, no control or direction characters, bounded.
//! What a channel may misread as markup is each renderer's own business.

mod fold;
mod text;

use crate::alarm::AlarmState;
use crate::report::document::{Document, Line, Marks, Section, Span};

pub(crate) use fold::{Face, Fold, PHONE_WIDTH, Piece, Row, WIDTH, fold, time_of_day, unfolded};
pub(crate) use text::{break_shortcodes, clean, clean_block, columns, safe_url, shorten};

/// Items of one list on the card; a card that needs more is not read.
const MOST_ITEMS: usize = 12;

/// Sections on the card.
const MOST_SECTIONS: usize = 10;

/// What a group of rows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What, where, still or recovered.
    Header,
    /// The verdict and its sentences.
    Verdict,
    /// Impact and sparkline.
    Impact,
    /// A headed list.
    Section,
    /// What is not known and was not checked.
    Limits,
    /// Where to look.
    Links,
    /// What was re-read, by which model, for how much.
    Footer,
}

impl Part {
    /// Tells whether an empty line stands before this part when it follows `previous`.
    pub(crate) fn stands_apart_from(self, previous: Part) -> bool {
        !(matches!(self, Part::Links | Part::Footer) && matches!(previous, Part::Limits | Part::Links))
    }
}

/// Rows that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What they are.
    pub(crate) part: Part,
    /// Never empty.
    pub(crate) rows: Vec<Row>,
}

/// Returns the card of a document in the order in which a responder reads it, folded at `width` columns.
pub(crate) fn card(document: &Document, width: usize) -> Vec<Group> {
    let plain = Fold::card(width);
    let title_mark = format!("{} ", dot(document));
    let mut header = fold(&document.title, Fold { first: &title_mark, ..plain });
    header.extend(fold(&document.condition, plain));

    let mut verdict = fold(&document.verdict, plain);
    verdict.extend(fold(&paragraph(&document.statement), plain));

    let mut groups = vec![
        Group { part: Part::Header, rows: header },
        Group { part: Part::Verdict, rows: verdict },
        Group { part: Part::Impact, rows: lines(&document.impact, plain) },
    ];
    for section in document.sections.iter().take(MOST_SECTIONS) {
        groups.push(Group { part: Part::Section, rows: section_rows(section, plain) });
    }
    groups.push(Group { part: Part::Limits, rows: lines(&document.limits, plain) });
    groups.push(Group { part: Part::Links, rows: fold(&links_line(&document.links), plain) });
    groups.push(Group { part: Part::Footer, rows: lines(&document.footer, plain) });
    groups.retain(|group| !group.rows.is_empty());
    groups
}

/// Returns the coloured dot: the state of the alarm, nothing else.
pub(crate) fn dot(document: &Document) -> &'static str {
    match (document.state, document.recovered) {
        (AlarmState::Alarm, false) => "🔴",
        (AlarmState::Ok, _) | (AlarmState::Alarm | AlarmState::InsufficientData, true) => "🟢",
        (AlarmState::InsufficientData, false) => "⚪",
    }
}

/// Returns sentences as one paragraph.
pub(crate) fn paragraph(sentences: &[Line]) -> Line {
    joined(sentences.iter().take(MOST_ITEMS).map(|line| line.0.as_slice()), " ")
}

/// Returns the row of links with a dot between two.
pub(crate) fn links_line(links: &[Span]) -> Line {
    joined(links.iter().take(MOST_ITEMS).map(std::slice::from_ref), " · ")
}

/// Returns the items that a card shows of a list and how many it leaves out.
pub(crate) fn shown<T>(items: &[T]) -> (&[T], usize) {
    let shown = items.get(..MOST_ITEMS).unwrap_or(items);
    (shown, items.len() - shown.len())
}

/// Returns the sections that a card shows.
pub(crate) fn shown_sections(document: &Document) -> &[Section] {
    document.sections.get(..MOST_SECTIONS).unwrap_or(&document.sections)
}

/// Returns the words for items that were left out of the card.
pub(crate) fn left_out(count: usize) -> String {
    format!("… {count} more in the full report")
}

/// Returns the mark of a section's item and the blank of the same width.
pub(crate) fn item_marks(marks: Marks, index: usize) -> (String, String) {
    let first = match marks {
        Marks::Bullets => "• ".to_owned(),
        Marks::Numbers => format!("{}. ", index + 1),
        Marks::Plain => String::new(),
    };
    let hang = " ".repeat(columns(&first));
    (first, hang)
}

fn lines(lines: &[Line], plain: Fold<'_>) -> Vec<Row> {
    let (items, more) = shown(lines);
    let mut rows: Vec<Row> = items.iter().flat_map(|line| fold(line, plain)).collect();
    if more > 0 {
        rows.push(vec![Piece::plain(left_out(more))]);
    }
    rows
}

fn section_rows(section: &Section, plain: Fold<'_>) -> Vec<Row> {
    let mut rows = fold(&Line(vec![Span::Bold(section.heading.clone())]), plain);
    let (items, more) = shown(&section.items);
    for (index, item) in items.iter().enumerate() {
        let (first, hang) = item_marks(section.marks, index);
        rows.extend(fold(item, Fold { first: &first, hang: &hang, ..plain }));
    }
    if more > 0 {
        rows.push(vec![Piece::plain(left_out(more))]);
    }
    rows
}

fn joined<'a>(parts: impl Iterator<Item = &'a [Span]>, between: &str) -> Line {
    let mut spans = Vec::new();
    for part in parts {
        if !spans.is_empty() {
            spans.push(Span::from(between));
        }
        spans.extend_from_slice(part);
    }
    Line(spans)
}
