//! Reduces a log line to its constant words: what is variable by its form becomes a wildcard.
//!
//! Only form counts here: whatever holds a digit (numbers, ids, addresses, times), long hexadecimal digits, e-mail
//! addresses. Paths and names keep their constant parts: `/orders/17` becomes `/orders/<*>`. Quoted words stay, for
//! in `(reading 'taxRate')` the quoted word is the message; where they vary, the grouping finds out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Stands for a variable part.
pub const WILDCARD: &str = "<*>";
/// Stands for a line without words.
const BLANK: &str = "(blank)";
/// What is looked at of one line, bytes: beyond it stand payloads, not messages.
const LOOKED_AT: usize = 8_192;
/// Words of one line that count.
const MOST_WORDS: usize = 120;
/// Levels of a JSON line that are looked at.
const DEEPEST: u8 = 3;

/// Keys of JSON lines whose text stands for itself, the message and what names it.
const TELLING_KEYS: [&str; 16] = [
    "level",
    "severity",
    "loglevel",
    "lvl",
    "message",
    "msg",
    "errormessage",
    "errortype",
    "error",
    "err",
    "exception",
    "reason",
    "event",
    "cause",
    "detail",
    "error_message",
];
/// Keys of JSON lines that tell nothing that the line's own time and message do not.
const SILENT_KEYS: [&str; 11] = [
    "stack",
    "stacktrace",
    "stack_trace",
    "trace",
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "datetime",
    "date",
    "location",
];
/// Keys whose three-digit value is a class, not a quantity.
const STATUS_KEYS: [&str; 6] =
    ["status", "statuscode", "status_code", "http_status", "httpstatus", "response_code"];

/// Returns the line's words with variable parts masked, parted by single blanks.
pub fn masked(line: &str) -> String {
    let end = (0..=LOOKED_AT.min(line.len())).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    let text = line.get(..end).unwrap_or(line).trim();
    let mut form = Form { text: String::with_capacity(text.len().min(512)), words: 0 };
    match json_object(text) {
        Some((before, object)) => {
            form.push_text(before);
            form.push_object("", &object, DEEPEST);
        }
        None => {
            for part in telling_lines(text) {
                form.push_text(part);
            }
        }
    }
    if form.text.is_empty() { BLANK.to_owned() } else { form.text }
}

/// Splits a line at the JSON object that it ends with, as `ERROR Invoke Error {"errorType": …}` does.
fn json_object(text: &str) -> Option<(&str, Map<String, Value>)> {
    if !text.ends_with('}') {
        return None;
    }
    let (start, _) = text.match_indices('{').take(4).find(|(start, _)| {
        let rest = text.get(start + 1..).unwrap_or_default().trim_start();
        rest.starts_with('"')
    })?;
    match serde_json::from_str(text.get(start..)?) {
        Ok(Value::Object(object)) => Some((text.get(..start)?, object)),
        _ => None,
    }
}

/// Returns the lines of a text that tell what happened: the first, and where a stack trace follows it the last that
/// names an error, which is where Python puts the message.
fn telling_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.split(['\n', '\r']).filter(|line| !line.trim().is_empty());
    let first = lines.next();
    let traced = first.is_some_and(|line| line.trim_start().starts_with("Traceback"));
    let last = if traced { lines.rfind(|line| !line.starts_with([' ', '\t'])) } else { None };
    first.into_iter().chain(last)
}

/// A line in the making.
struct Form {
    text: String,
    words: usize,
}

impl Form {
    /// Adds running text, word by word.
    fn push_text(&mut self, text: &str) {
        for word in text.split_whitespace() {
            self.push_word("", word);
        }
    }

    /// Adds one word after `lead`, which is taken as it is.
    fn push_word(&mut self, lead: &str, word: &str) {
        if self.words >= MOST_WORDS {
            return;
        }
        self.words += 1;
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(lead);
        mask_word(word, &mut self.text);
    }

    /// Adds what a JSON object tells, its keys in their order.
    fn push_object(&mut self, path: &str, object: &Map<String, Value>, depth: u8) {
        for (key, value) in object {
            let lower = key.to_ascii_lowercase();
            if SILENT_KEYS.contains(&lower.as_str()) {
                continue;
            }
            let name: String = key.split_whitespace().collect::<Vec<_>>().join("_");
            let mut lead = String::with_capacity(path.len() + name.len() + 1);
            lead.push_str(path);
            mask_word(&name, &mut lead);
            match value {
                Value::String(text) if lower == "errortype" => {
                    let _ = write!(lead, "=");
                    self.push_word(
                        "",
                        &format!("{}:", text.split_whitespace().collect::<Vec<_>>().join("_")),
                    );
                }
                Value::String(text) if TELLING_KEYS.contains(&lower.as_str()) => {
                    for part in telling_lines(text) {
                        self.push_text(part);
                    }
                }
                Value::Object(inner) if depth > 1 => {
                    lead.push('.');
                    self.push_object(&lead, inner, depth - 1);
                }
                Value::Number(number) if STATUS_KEYS.contains(&lower.as_str()) => {
                    if self.words < MOST_WORDS {
                        self.push_word(&format!("{lead}={number}"), "");
                    }
                }
                Value::String(text) if !text.contains(char::is_whitespace) => {
                    lead.push('=');
                    self.push_word(&lead, text);
                }
                Value::Bool(flag) => {
                    let _ = write!(lead, "={flag}");
                    self.push_word(&lead, "");
                }
                Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    lead.push('=');
                    lead.push_str(WILDCARD);
                    self.push_word(&lead, "");
                }
            }
        }
    }
}

/// Appends the word with its variable parts masked.
fn mask_word(word: &str, out: &mut String) {
    if let Some((key, value)) = word.split_once('=')
        && is_status(key, value)
    {
        out.push_str(word);
        return;
    }
    if !word.bytes().any(|byte| byte.is_ascii_digit())
        && word.is_ascii()
        && !word.contains('@')
        && word.len() < 16
    {
        out.push_str(word);
        return;
    }
    let core = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    if is_identifier(core) {
        let at = word.find(core).unwrap_or(0);
        out.push_str(word.get(..at).unwrap_or_default());
        out.push_str(WILDCARD);
        out.push_str(word.get(at + core.len()..).unwrap_or_default());
        return;
    }
    mask_parts(word, out);
}

/// Masks each run of letters and digits that holds a digit; wildcards with nothing but marks between them are one.
fn mask_parts(word: &str, out: &mut String) {
    let mut rest = word;
    // Where the last wildcard ends in `out`, as long as only marks have followed it.
    let mut wildcard_end: Option<usize> = None;
    while !rest.is_empty() {
        let marks = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
        let (before, behind) = rest.split_at(marks);
        let length = behind.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(behind.len());
        let (part, next) = behind.split_at(length);
        rest = next;
        if part.chars().any(char::is_numeric) || is_long_hexadecimal(part) {
            match wildcard_end {
                Some(end) if !before.contains('=') => out.truncate(end),
                _ => {
                    // The sign of a number is variable too.
                    let signed = before.ends_with(['-', '+'])
                        && part.starts_with(char::is_numeric)
                        && !before.trim_end_matches(['-', '+']).is_empty() | out.is_empty();
                    out.push_str(if signed { before.trim_end_matches(['-', '+']) } else { before });
                    out.push_str(WILDCARD);
                }
            }
            wildcard_end = Some(out.len());
        } else {
            out.push_str(before);
            out.push_str(part);
            if !part.is_empty() {
                wildcard_end = None;
            }
        }
    }
}

/// Tells whether the word as a whole is variable though parts of it may hold no digit.
fn is_identifier(core: &str) -> bool {
    let hexadecimal =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b':'));
    let digits = core.bytes().filter(u8::is_ascii_digit).count();
    // An UUID, a digest, a MAC address: hexadecimal digits in groups.
    if core.len() >= 8 && digits > 0 && hexadecimal(core) {
        return true;
    }
    // An e-mail address.
    if let Some((name, host)) = core.split_once('@')
        && !name.is_empty()
        && host.contains('.')
        && !host.contains('/')
    {
        return true;
    }
    is_long_hexadecimal(core)
}

/// Tells whether the text is a digest that happens to hold no digit.
fn is_long_hexadecimal(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Tells whether a value is an HTTP status: `status=500` and `status=200` are not the same message.
fn is_status(key: &str, value: &str) -> bool {
    let value = value.trim_end_matches([',', ';', ')']);
    value.len() == 3
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && STATUS_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_masked_and_constant_words_stay() {
        let forms = [
            (
                "START RequestId: 863e6457-6a0d-4c6a-a02c-85ddee863f60 Version: 58",
                "START RequestId: <*> Version: <*>",
            ),
            ("2026-11-24T03:02:40.113Z took 12.5 ms (-3 %)", "<*> took <*> ms (<*> %)"),
            ("GET /orders/17/items?page=2 from 10.0.0.7:443", "GET /orders/<*>/items?page=<*> from <*>"),
            (
                "Receiving block blk_-1608999687919862906 src: /10.250.19.102:54106",
                "Receiving block blk_<*> src: /<*>",
            ),
            ("mail to priya.raman@customer.example failed", "mail to <*> failed"),
            ("digest n=deadbeefdeadbeefdeadbeef", "digest n=<*>"),
            ("KeyError: 'customer-8841'", "KeyError: 'customer-<*>'"),
            ("request done status=500 in 12ms", "request done status=500 in <*>"),
            ("grün für 3 Kunden", "grün für <*> Kunden"),
            ("   ", "(blank)"),
        ];
        for (line, form) in forms {
            assert_eq!(masked(line), form);
        }
    }

    #[test]
    fn a_lambda_error_keeps_its_type_and_message() {
        let line = "2026-11-24T03:02:40.113Z\t863e6457-6a0d-4c6a-a02c-85ddee863f60\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"Cannot read properties of undefined (reading 'taxRate')\",\"stack\":[\"TypeError: x\",\"    at a (/var/task/a.js:1:2)\"]}\n";
        assert_eq!(
            masked(line),
            "<*> <*> ERROR Invoke Error TypeError: Cannot read properties of undefined (reading 'taxRate')"
        );
    }

    #[test]
    fn json_lines_keep_the_message_and_mask_the_rest() {
        let line = r#"{"time":"2026-11-24T03:02:40Z","level":"error","msg":"render failed","orderId":"o-17","ms":12,"status":502,"http":{"path":"/a/1"},"ok":false,"tags":["a"]}"#;
        assert_eq!(
            masked(line),
            "error render failed orderId=o-<*> ms=<*> status=502 http.path=/a/<*> ok=false tags=<*>"
        );
    }

    #[test]
    fn a_python_traceback_is_told_by_its_first_and_last_line() {
        let line = "Traceback (most recent call last):\n  File \"/var/task/a.py\", line 3, in handler\n    x[1]\nKeyError: 'taxRate'\n";
        assert_eq!(masked(line), "Traceback (most recent call last): KeyError: 'taxRate'");
        let lambda = "[ERROR] KeyError: 'taxRate'\nTraceback (most recent call last):\n  File \"/var/task/a.py\", line 3";
        assert_eq!(masked(lambda), "[ERROR] KeyError: 'taxRate'");
    }

    #[test]
    fn broken_json_is_plain_text() {
        assert_eq!(masked("oops {\"a\": }"), "oops {\"a\": }");
        assert_eq!(masked("{}"), "{}");
    }
}
