//! Marks the words of logs in what is told, so that a channel can show less of them.
//!
//! Words of ours and of a model stay: withheld is what stands in quotation marks and in a log, and the text of a log
//! template wherever it stands.

use std::sync::LazyLock;

use regex::Regex;

use crate::analysis::log_templates::masked;
use crate::analysis::timeline::message_of;
use crate::evidence::{Body, Ledger};
use crate::redact::Redacted;
use crate::report::document::{Document, Line, Span};

/// Shorter words are of every language, not of a log.
const LEAST: usize = 3;

/// Quotation of one kind, also one that a cut left open.
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#""(?P<a>[^"]+)(?:"|$)|“(?P<b>[^”]+)(?:”|$)|(?:^|[\s(])'(?P<c>[^']+)(?:'|$)|`(?P<d>[^`]+)(?:`|$)"#,
    )
    .ok()
});

/// What was read in logs.
struct Logs<'a> {
    /// Words of the templates, longest first.
    messages: Vec<&'a str>,
    /// Every line and template.
    texts: Vec<&'a str>,
    /// Rows of queries, longest first: a field may hold anything.
    rows: Vec<&'a str>,
}

/// Marks every line of the document.
pub(super) fn mark(document: &mut Document, ledger: &Ledger) {
    let logs = Logs::of(ledger);
    if !(logs.texts.is_empty() && logs.rows.is_empty()) {
        document.each_line(&mut |line| *line = logs.marked(std::mem::take(line)));
    }
}

impl<'a> Logs<'a> {
    fn of(ledger: &'a Ledger) -> Self {
        let (mut messages, mut texts, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for item in ledger.items() {
            if let Body::Rows(found) = &item.body {
                rows.extend(found.rows.iter().map(Redacted::as_str));
                texts.extend(found.rows.iter().map(Redacted::as_str));
            }
            let Body::Logs(logs) = &item.body else { continue };
            for template in &logs.templates {
                messages.push(message_of(template));
                texts.extend([template.text.as_str(), template.sample.as_str()]);
            }
            texts.extend(logs.lines.iter().map(|line| line.text.as_str()));
        }
        for found in [&mut messages, &mut rows] {
            found.retain(|message| message.chars().count() > LEAST);
            found.sort_by_key(|message| std::cmp::Reverse(message.len()));
            found.dedup();
        }
        Logs { messages, texts, rows }
    }

    fn marked(&self, line: Line) -> Line {
        let mut spans = Vec::new();
        for span in line.0 {
            match span {
                Span::Text(text) => self.split(&text, &mut spans),
                other @ (Span::Bold(_)
                | Span::Code(_)
                | Span::Link { .. }
                | Span::Evidence { .. }
                | Span::LogQuote { .. }
                | Span::Time(_)) => spans.push(other),
            }
        }
        Line(spans)
    }

    /// Splits a text at the words of templates, whole or cut, then at quotations.
    fn split(&self, text: &str, spans: &mut Vec<Span>) {
        // A row may hold a template's words, which are the constant ones, beside others that are not.
        let row = found(&self.rows, text).map(|place| (place, true));
        let place = row.or_else(|| found(&self.messages, text).map(|place| (place, false)));
        if let Some(((at, length), varies)) = place {
            let (before, rest) = text.split_at(at);
            let (words, after) = rest.split_at(length);
            self.quotations(before, spans);
            let template = if varies { masked(words) } else { words.to_owned() };
            spans.push(Span::LogQuote { full: words.to_owned(), template });
            if !after.is_empty() {
                self.split(after, spans);
            }
        } else {
            self.quotations(text, spans);
        }
    }

    fn quotations(&self, text: &str, spans: &mut Vec<Span>) {
        let mut told = 0;
        let quotations = QUOTED.iter().flat_map(|quoted| quoted.captures_iter(text));
        for found in quotations {
            let Some(words) = ["a", "b", "c", "d"].into_iter().find_map(|name| found.name(name)) else {
                continue;
            };
            let whole = words.as_str().trim_end_matches('…');
            if whole.chars().count() < LEAST || !self.texts.iter().any(|line| line.contains(whole)) {
                continue;
            }
            spans.extend(text.get(told..words.start()).filter(|text| !text.is_empty()).map(Span::from));
            spans.push(Span::LogQuote { full: words.as_str().to_owned(), template: masked(words.as_str()) });
            told = words.end();
        }
        spans.extend(text.get(told..).filter(|text| !text.is_empty()).map(Span::from));
    }
}

/// Finds one of the messages in a text: whole, or its beginning at the end of a text that was cut.
fn found(messages: &[&str], text: &str) -> Option<(usize, usize)> {
    let whole = messages.iter().find_map(|message| Some((text.find(message)?, message.len())));
    whole.or_else(|| {
        let kept = text.strip_suffix('…')?;
        let at = kept.find('"')? + 1;
        let words = kept.get(at..).filter(|words| words.chars().count() > LEAST)?;
        messages.iter().any(|message| message.starts_with(words)).then_some((at, words.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Vec<(bool, String)> {
        let logs = Logs {
            messages: vec!["ERROR order <*> of \"shop\" failed"],
            texts: vec!["ERROR order 4711 of \"shop\" failed", "Cannot read 'taxRate' of order 4711"],
            rows: vec!["count(*): 51, @message: {\"order\":\"4711\"}"],
        };
        let line = logs.marked(Line::text(text));
        let shown = line.0.into_iter().map(|span| match span {
            Span::LogQuote { template, .. } => (true, template),
            Span::Text(text) => (false, text),
            other => panic!("{other:?}"),
        });
        shown.collect()
    }

    #[test]
    fn a_templates_words_are_marked_whole_or_cut() {
        let told = marked("first \"ERROR order <*> of \"shop\" failed\" (7 times)");
        assert_eq!(
            told,
            [
                (false, "first \"".into()),
                (true, "ERROR order <*> of \"shop\" failed".into()),
                (false, "\" (7 times)".into())
            ]
        );
        let cut = marked("first \"ERROR order <*> of \"sh…");
        assert_eq!(cut[1], (true, "ERROR order <*> of \"sh".into()));
    }

    #[test]
    fn a_row_is_marked_whole_or_cut_whatever_quotation_marks_it_holds() {
        let row = "count(*): 51, @message: {\"order\":\"4711\"}";
        let told = marked(&format!("51 lines matched: \"{row}\""));
        assert_eq!(told[0], (false, "51 lines matched: \"".into()));
        assert!(told[1].0 && !told[1].1.contains("4711"), "{told:?}");
        assert_eq!(told[2], (false, "\"".into()));
        assert!(marked("51 lines matched: \"count(*): 51, @message: {\"ord…")[1].0);
    }

    #[test]
    fn a_quotation_of_a_log_is_marked_and_our_own_words_are_not() {
        assert_eq!(
            marked("It fails with \"order 4711\" since \"version 58\" serves"),
            [
                (false, "It fails with \"".into()),
                (true, "order <*>".into()),
                (false, "\" since \"version 58\" serves".into())
            ]
        );
        assert_eq!(marked("a TypeError on 'taxRate'")[1], (true, "taxRate".into()));
        assert_eq!(marked("the agent's order"), [(false, "the agent's order".into())]);
    }
}
