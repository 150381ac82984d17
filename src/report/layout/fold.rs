//! Folds a line of spans into rows of bounded width, keeping what is emphasised, code or a link.

use crate::clock::Timestamp;
use crate::report::document::{Line, Span};
use crate::report::layout::text::{character_columns, clean, columns, safe_url, shorten};

/// Columns of a card's line in a fixed-width face.
pub(crate) const WIDTH: usize = 55;

/// Columns of a card's line in Slack's proportional face: what a phone 390 px wide shows without breaking it again.
/// A line that breaks twice leaves single words on lines of their own.
pub(crate) const PHONE_WIDTH: usize = 44;

/// Rows that one line of the card may fold into; a longer one ends in `…`.
const MOST_ROWS: usize = 8;

/// Characters of one span that are looked at: more than `MOST_ROWS` full rows can show.
const MOST_CHARACTERS: usize = 2_000;

/// How a piece of a row is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Face {
    /// As it is.
    Plain,
    /// Emphasised.
    Bold,
    /// Fixed width.
    Code,
    /// A link to a URL that has been made safe.
    Link(String),
    /// A moment; the text is its time of day.
    Time(Timestamp),
}

/// A stretch of one face on one row, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// How it is shown.
    pub(crate) face: Face,
    /// What is shown; never empty.
    pub(crate) text: String,
}

impl Piece {
    /// Returns a piece of plain text.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Piece::new(Face::Plain, text)
    }

    fn new(face: Face, text: impl Into<String>) -> Self {
        Piece { face, text: text.into() }
    }
}

/// One printed row.
pub(crate) type Row = Vec<Piece>;

/// How a line folds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold<'a> {
    /// Columns.
    pub(crate) width: usize,
    /// What stands before the first row.
    pub(crate) first: &'a str,
    /// What stands before every other row.
    pub(crate) hang: &'a str,
    /// The most rows that it may take.
    pub(crate) most_rows: usize,
}

impl Fold<'_> {
    /// A line of the card with nothing before it.
    pub(crate) const fn card(width: usize) -> Fold<'static> {
        Fold { width, first: "", hang: "", most_rows: MOST_ROWS }
    }
}

/// Folds a line into rows of at most `fold.width` columns.
///
/// Breaks stand between words; a word longer than a row is cut, after punctuation where there is some.
/// A citation in brackets never begins a row alone if its word can come along.
pub(crate) fn fold(line: &Line, fold: Fold<'_>) -> Vec<Row> {
    let words = words(line);
    if words.is_empty() {
        return Vec::new();
    }
    // A mark as wide as the row would leave no room; none of ours is, and a floor keeps the cutting finite.
    let room = fold.width.saturating_sub(columns(fold.hang).max(columns(fold.first))).max(8);
    let mut rows = RowBuilder::new(fold);
    for word in words {
        if word.columns() > room {
            for part in word.cut(room) {
                rows.place(part);
            }
        } else {
            rows.place(word);
        }
    }
    rows.finish()
}

/// Returns a line's spans as cleaned pieces on one row, for a renderer that does not fold.
pub(crate) fn unfolded(line: &Line) -> Row {
    fold(line, Fold { width: usize::MAX / 2, first: "", hang: "", most_rows: 1 })
        .into_iter()
        .next()
        .unwrap_or_default()
}

/// Returns the moment's time of day: `03:02 UTC`.
pub(crate) fn time_of_day(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

/// Pieces with no place to break between them.
#[derive(Debug, Clone, Default)]
struct Word(Vec<Piece>);

impl Word {
    fn columns(&self) -> usize {
        self.0.iter().map(|piece| columns(&piece.text)).sum()
    }

    fn push(&mut self, face: &Face, character: char) {
        match self.0.last_mut() {
            Some(piece) if piece.face == *face && !matches!(face, Face::Link(_) | Face::Time(_)) => {
                piece.text.push(character);
            }
            Some(_) | None => self.0.push(Piece::new(face.clone(), character)),
        }
    }

    /// Tells whether the word is a citation such as `[C1]` or `[M2-M4]`, which should stay with what it supports.
    fn is_citation(&self) -> bool {
        let starts = self.0.first().is_some_and(|piece| piece.text.starts_with('['));
        let ends = self.0.last().is_some_and(|piece| piece.text.trim_end_matches([',', '.']).ends_with(']'));
        starts && ends && self.columns() <= 12
    }

    /// Cuts the word into parts of at most `room` columns; each part of a link leads to the same place.
    fn cut(self, room: usize) -> Vec<Word> {
        let mut parts = vec![];
        let mut part = Word::default();
        let mut used = 0;
        for piece in self.0 {
            if used + columns(&piece.text) <= room {
                used += columns(&piece.text);
                part.0.push(piece);
                continue;
            }
            let mut rest = piece.text.as_str();
            while !rest.is_empty() {
                let head = head_of(rest, room - used, room);
                if head.is_empty() {
                    parts.push(std::mem::take(&mut part));
                    used = 0;
                    continue;
                }
                part.0.push(Piece::new(piece.face.clone(), head));
                used += columns(head);
                rest = rest.get(head.len()..).unwrap_or("");
                if !rest.is_empty() {
                    parts.push(std::mem::take(&mut part));
                    used = 0;
                }
            }
        }
        parts.push(part);
        parts.retain(|part| !part.0.is_empty());
        parts
    }
}

/// Returns the part of `text` that fits `left` columns, ending after punctuation if that keeps half a row.
fn head_of(text: &str, left: usize, room: usize) -> &str {
    let mut used = 0;
    let mut end = 0;
    let mut after_punctuation = None;
    for (at, character) in text.char_indices() {
        used += character_columns(character);
        if used > left {
            if let Some((good_end, good_used)) = after_punctuation
                && good_used * 2 >= room
            {
                return text.get(..good_end).unwrap_or(text);
            }
            return text.get(..end).unwrap_or(text);
        }
        end = at + character.len_utf8();
        if matches!(character, '-' | '/' | '_' | '.' | ':' | ',' | ';' | '&' | '=' | '?') {
            after_punctuation = Some((end, used));
        }
    }
    text
}

fn words(line: &Line) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut word = Word::default();
    for span in &line.0 {
        let (face, text) = match span {
            Span::Text(text) => (Face::Plain, text),
            Span::Bold(text) => (Face::Bold, text),
            Span::Code(text) => (Face::Code, text),
            Span::LogQuote { full, .. } => (Face::Plain, full),
            Span::Link { label, url } => {
                let label = shorten(clean(label).trim(), WIDTH);
                let face = safe_url(url).map_or(Face::Plain, Face::Link);
                if !label.is_empty() {
                    word.0.push(Piece::new(face, label));
                }
                continue;
            }
            Span::Evidence { id, url } => {
                let label = shorten(clean(&format!("[{id}]")).trim(), WIDTH);
                let face = url.as_deref().and_then(safe_url).map_or(Face::Plain, Face::Link);
                word.0.push(Piece::new(face, label));
                continue;
            }
            Span::Time(at) => {
                word.0.push(Piece::new(Face::Time(*at), time_of_day(*at)));
                continue;
            }
        };
        for character in bounded(text).chars() {
            if character == ' ' {
                finish_word(&mut words, &mut word);
            } else {
                word.push(&face, character);
            }
        }
    }
    finish_word(&mut words, &mut word);
    words
}

/// Returns the text cleaned and cut where no card shows it any more.
fn bounded(text: &str) -> String {
    let mut cleaned = clean(text);
    if let Some((at, _)) = cleaned.char_indices().nth(MOST_CHARACTERS) {
        cleaned.truncate(at);
        cleaned.push('…');
    }
    cleaned
}

fn finish_word(words: &mut Vec<Word>, word: &mut Word) {
    let word = std::mem::take(word);
    if word.0.is_empty() {
        return;
    }
    match words.last_mut() {
        Some(last) if word.is_citation() && last.columns() + word.columns() < WIDTH / 2 => {
            last.0.push(Piece::plain(" "));
            last.0.extend(word.0);
        }
        Some(_) | None => words.push(word),
    }
}

struct RowBuilder<'a> {
    fold: Fold<'a>,
    rows: Vec<Row>,
    row: Row,
    used: usize,
    is_fresh: bool,
}

impl<'a> RowBuilder<'a> {
    fn new(fold: Fold<'a>) -> Self {
        let mut builder = RowBuilder { fold, rows: Vec::new(), row: Vec::new(), used: 0, is_fresh: true };
        builder.begin(fold.first);
        builder
    }

    fn begin(&mut self, mark: &str) {
        self.used = columns(mark);
        self.is_fresh = true;
        if !mark.is_empty() {
            self.row.push(Piece::plain(mark));
        }
    }

    fn place(&mut self, word: Word) {
        let needed = word.columns() + usize::from(!self.is_fresh);
        if self.used + needed > self.fold.width && !self.is_fresh {
            self.rows.push(std::mem::take(&mut self.row));
            self.begin(self.fold.hang);
        }
        if !self.is_fresh {
            let face = match (self.row.last(), word.0.first()) {
                (Some(last), Some(next)) if last.face == next.face && next.face == Face::Bold => Face::Bold,
                (Some(last), Some(next)) if last.face == next.face && next.face == Face::Code => Face::Code,
                _ => Face::Plain,
            };
            self.append(Piece::new(face, " "));
        }
        self.is_fresh = false;
        for piece in word.0 {
            self.append(piece);
        }
    }

    fn append(&mut self, piece: Piece) {
        self.used += columns(&piece.text);
        match self.row.last_mut() {
            Some(last) if last.face == piece.face && !matches!(piece.face, Face::Link(_) | Face::Time(_)) => {
                last.text.push_str(&piece.text);
            }
            Some(_) | None => self.row.push(piece),
        }
    }

    fn finish(mut self) -> Vec<Row> {
        self.rows.push(self.row);
        if self.rows.len() > self.fold.most_rows {
            self.rows.truncate(self.fold.most_rows.saturating_sub(1));
            self.rows.push(vec![Piece::plain(format!("{}…", self.fold.hang))]);
        }
        self.rows
    }
}
