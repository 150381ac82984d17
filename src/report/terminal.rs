//! Renders the card for a terminal: at most 55 columns, with colour where the terminal wants it.
//!
//! Colour never carries meaning alone, and nothing that came from outside can hold an escape sequence.

use crate::report::document::Document;
use crate::report::layout::{Face, Group, Part, Piece, WIDTH, card};

/// Returns the card as text without a final line end.
///
/// With `colour` it holds ANSI emphasis, and citations and links can be clicked in terminals that know OSC 8.
pub fn render(document: &Document, colour: bool) -> String {
    groups_as_text(&card(document, WIDTH), |piece, part| match (colour, &piece.face) {
        (false, _) | (true, Face::Plain | Face::Time(_)) => piece.text.clone(),
        (true, Face::Bold) => format!("\u{1b}[1m{}\u{1b}[22m", piece.text),
        (true, Face::Code) => format!("\u{1b}[36m{}\u{1b}[39m", piece.text),
        (true, Face::Link(url)) => {
            let label = if part == Part::Links {
                format!("\u{1b}[4m{}\u{1b}[24m", piece.text)
            } else {
                format!("\u{1b}[2m{}\u{1b}[22m", piece.text)
            };
            format!("\u{1b}]8;;{url}\u{1b}\\{label}\u{1b}]8;;\u{1b}\\")
        }
    })
}

/// Joins groups into text, with an empty line where a new part begins.
pub(crate) fn groups_as_text(groups: &[Group], show: impl Fn(&Piece, Part) -> String) -> String {
    let mut text = String::new();
    let mut previous: Option<Part> = None;
    for group in groups {
        if let Some(previous) = previous {
            text.push_str(if group.part.stands_apart_from(previous) { "\n\n" } else { "\n" });
        }
        previous = Some(group.part);
        for (index, row) in group.rows.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            for piece in row {
                text.push_str(&show(piece, group.part));
            }
        }
    }
    text
}
