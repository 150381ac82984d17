//! Renders the document as GitHub Markdown: the card alone, or the full report.
//!
//! Text from outside is escaped so that it shows as it is: no link, mention, picture or heading comes from it.
//! A code fence is always longer than any run of backticks inside it.

use crate::report::document::{Detail, Document, Line, Marks, Section};
use crate::report::layout::{
    Face, Piece, break_shortcodes, clean, clean_block, dot, left_out, links_line, paragraph, shown,
    shown_sections, unfolded,
};

/// Returns the card, to stand inside another page.
pub fn render_card(document: &Document) -> String {
    card(document, "###", |heading| format!("**{heading}**"))
}

/// Returns the card and the details behind it: evidence, timeline, commands.
pub fn render_report(document: &Document) -> String {
    let mut report = card(document, "#", |heading| format!("## {heading}"));
    for detail in &document.details {
        report.push('\n');
        report.push_str(&detail_text(detail));
    }
    report
}

fn card(document: &Document, title_level: &str, heading: impl Fn(&str) -> String) -> String {
    let mut blocks = vec![
        format!("{title_level} {} {}", dot(document), inline(&document.title)),
        inline(&document.condition),
        hard_lines([inline(&document.verdict), inline(&paragraph(&document.statement))]),
        list(&document.impact),
    ];
    for section in shown_sections(document) {
        blocks.push(heading(&escaped(clean(&section.heading).trim())));
        blocks.push(section_items(section));
    }
    blocks.push(list(&document.limits));
    blocks.push(inline(&links_line(&document.links)));
    blocks.push(list(&document.footer));
    blocks.retain(|block| !block.is_empty());
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

fn section_items(section: &Section) -> String {
    let (items, more) = shown(&section.items);
    let mut lines: Vec<String> = items
        .iter()
        .map(inline)
        .enumerate()
        .map(|(index, item)| match section.marks {
            Marks::Bullets => format!("- {item}"),
            Marks::Numbers => format!("{}. {item}", index + 1),
            Marks::Plain => item,
        })
        .collect();
    if more > 0 {
        lines.push(match section.marks {
            Marks::Bullets | Marks::Numbers => format!("- {}", left_out(more)),
            Marks::Plain => left_out(more),
        });
    }
    match section.marks {
        Marks::Bullets | Marks::Numbers => lines.join("\n"),
        Marks::Plain => hard_lines(lines),
    }
}

fn detail_text(detail: &Detail) -> String {
    let mut blocks = vec![format!("## {}", escaped(clean(&detail.heading).trim()))];
    let items: Vec<String> = detail.items.iter().map(inline).filter(|item| !item.is_empty()).collect();
    match items.as_slice() {
        [] => {}
        [only] => blocks.push(only.clone()),
        several => {
            blocks.push(several.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n"));
        }
    }
    if let Some(code) = &detail.code {
        let code = clean_block(code);
        let fence = "`".repeat(longest_run(&code, '`').max(2) + 1);
        blocks.push(format!("{fence}\n{code}\n{fence}"));
    }
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

/// Returns lines that stay lines; a backslash at the end is Markdown's visible line break.
fn list(lines: &[Line]) -> String {
    let (items, more) = shown(lines);
    let left_out = (more > 0).then(|| left_out(more));
    hard_lines(items.iter().map(inline).chain(left_out))
}

fn hard_lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\\\n")
}

fn inline(line: &Line) -> String {
    let text: String = unfolded(line).iter().map(piece_text).collect();
    at_line_start(text)
}

fn piece_text(piece: &Piece) -> String {
    match &piece.face {
        Face::Plain | Face::Time(_) => escaped(&piece.text),
        Face::Bold => format!("**{}**", escaped(&piece.text)),
        Face::Code => code_span(&piece.text),
        Face::Link(url) => format!("[{}](<{url}>)", escaped(&piece.text)),
    }
}

fn code_span(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Escapes what Markdown or GitHub would read as markup anywhere in a line.
///
/// Mentions, issue numbers, bare addresses and picture names have no escape on GitHub; a word joiner, which takes
/// no room, breaks them.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut previous: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let next = rest.peek().copied();
        let inside_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '~' | '|' | '$' => escaped.extend(['\\', character]),
            '_' if !(inside_word(previous) && inside_word(next)) => escaped.push_str("\\_"),
            '&' if next.is_some_and(|c| c.is_ascii_alphabetic() || c == '#') => escaped.push_str("&amp;"),
            '@' | '#' if inside_word(next) => escaped.extend([character, '\u{2060}']),
            _ => escaped.push(character),
        }
        previous = Some(character);
    }
    let escaped = escaped.replace("://", ":\u{2060}//");
    break_shortcodes(&break_www(&escaped), ":\u{2060}")
}

/// Breaks `www.` in any case, which GitHub makes a link without a scheme.
fn break_www(text: &str) -> String {
    let mut broken = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if character == '.'
            && at
                .checked_sub(3)
                .and_then(|start| text.get(start..at))
                .is_some_and(|word| word.eq_ignore_ascii_case("www"))
        {
            broken.push('\u{2060}');
        }
        broken.push(character);
    }
    broken
}

/// Escapes what is markup only at the start of a line: headings, lists, rules.
fn at_line_start(text: String) -> String {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let after_digits = text.get(digits..).unwrap_or("");
    match text.chars().next() {
        Some('#' | '+' | '-' | '=') => format!("\\{text}"),
        Some(_) if digits > 0 && after_digits.starts_with(['.', ')']) => {
            format!("{}\\{after_digits}", text.get(..digits).unwrap_or(""))
        }
        Some(_) | None => text,
    }
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
