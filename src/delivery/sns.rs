//! What SNS is told: subject, a text for each protocol, and attributes to filter by. Pure; `aws` sends it.

use serde_json::{Value, json};

use crate::report::layout::{clean, shorten, unfolded};
use crate::report::{Document, Line, plain};

/// SNS refuses subjects of 100 characters or more.
const MOST_SUBJECT: usize = 99;

/// SNS takes 1,600 characters of text message in several parts; a responder reads two or three parts.
const MOST_SMS: usize = 400;

/// JSON can double a text (quotes, backslashes, line ends), and all texts together must stay below 256 KiB:
/// `2 * (96 + 24) KiB` leaves 16 KiB for the subject, the text message and the attributes.
const MOST_EMAIL_BYTES: usize = 96 * 1024;

/// See [`MOST_EMAIL_BYTES`].
const MOST_DEFAULT_BYTES: usize = 24 * 1024;

/// Longest value of an attribute.
const MOST_ATTRIBUTE: usize = 256;

/// A message for `Publish` with `MessageStructure: json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsMessage {
    /// Printable ASCII, 1 to 99 characters.
    pub subject: String,
    /// For every protocol without a text of its own: the card.
    pub default: String,
    /// The card and the details.
    pub email: String,
    /// Printable ASCII, a few sentences.
    pub sms: String,
    /// Names and values to filter by: `state`, `runId`, and where known `alarmName`, `outcome`, `verdict`.
    pub attributes: Vec<(String, String)>,
}

impl SnsMessage {
    /// Returns the `Message` parameter: one string for each protocol.
    pub fn body(&self) -> String {
        json!({ "default": self.default, "email": self.email, "sms": self.sms }).to_string()
    }
}

/// Returns the message for a document.
///
/// The attributes are read from `alarm.name`, `outcome` and `verdict` of [`Document::data`].
pub fn sns_message(document: &Document) -> SnsMessage {
    SnsMessage {
        subject: subject(document),
        default: cut_bytes(plain::render(document), MOST_DEFAULT_BYTES),
        email: cut_bytes(plain::render_report(document), MOST_EMAIL_BYTES),
        sms: sms(document),
        attributes: attributes(document),
    }
}

/// Returns the subject: the push text in printable ASCII, shorter than 100 characters and never empty.
pub fn subject(document: &Document) -> String {
    let subject = shorten_ascii(&ascii(&document.push), MOST_SUBJECT);
    if subject.is_empty() { "CloudWatch alarm report".to_owned() } else { subject }
}

fn sms(document: &Document) -> String {
    let impact = document.impact.first().map(line_text).unwrap_or_default();
    let lines = [ascii(&document.push), ascii(&impact), ascii(&format!("run {}", document.run_id))];
    let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    shorten_ascii(&lines.join("\n"), MOST_SMS)
}

fn attributes(document: &Document) -> Vec<(String, String)> {
    let from_data =
        |pointer: &str| document.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    [
        ("state", document.state.as_str()),
        ("runId", document.run_id.as_str()),
        ("alarmName", from_data("/alarm/name")),
        ("outcome", from_data("/outcome")),
        ("verdict", from_data("/verdict")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), shorten(clean(value).trim(), MOST_ATTRIBUTE)))
    // SNS refuses a message for one empty value.
    .filter(|(_, value)| !value.is_empty())
    .collect()
}

fn line_text(line: &Line) -> String {
    unfolded(line).iter().map(|piece| piece.text.as_str()).collect()
}

/// Returns one line of printable ASCII: common signs by their nearest spelling, every other one as `?`.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in clean(text).trim().chars() {
        match character {
            ' '..='~' => ascii.push(character),
            '–' | '—' | '−' | '·' | '•' => ascii.push('-'),
            '‘' | '’' | '′' => ascii.push('\''),
            '“' | '”' | '″' => ascii.push('"'),
            '…' => ascii.push_str("..."),
            '≤' => ascii.push_str("<="),
            '≥' => ascii.push_str(">="),
            '→' => ascii.push_str("->"),
            '×' => ascii.push('x'),
            'µ' | 'μ' => ascii.push('u'),
            _ => ascii.push('?'),
        }
    }
    ascii
}

/// Cuts ASCII text to `most` characters, marking the cut with three dots.
fn shorten_ascii(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    // `shorten` ends in one `…`, which takes two more characters in ASCII.
    shorten(text, most - 2).replace('…', "...")
}

/// Cuts text to `most` bytes at a line end where there is one.
fn cut_bytes(mut text: String, most: usize) -> String {
    const MARK: &str = "\n… cut here: see the full report";
    if text.len() <= most {
        return text;
    }
    text.truncate(text.floor_char_boundary(most - MARK.len()));
    if let Some(at) = text.rfind('\n') {
        text.truncate(at);
    }
    text.push_str(MARK);
    text
}
