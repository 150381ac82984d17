//! Names the channels that did not take a message in the messages of those that do.

use serde_json::json;

use crate::delivery::{Bucket, DeliveryError};
use crate::report::data::StoredAt;
use crate::report::layout::{clean, shorten};
use crate::report::{Document, Line, Span};

/// Most characters of a reason in a footer; the log has all of it.
const MOST_REASON: usize = 160;

/// Returns a reason up to its first ARN or account id, which belong on no card; the log and the report's JSON have all of it.
fn without_names(reason: &str) -> String {
    let is_name = |word: &str| {
        word.contains("arn:") || word.split(|sign: char| !sign.is_ascii_digit()).any(|run| run.len() == 12)
    };
    let words: Vec<&str> = reason.split_whitespace().take_while(|word| !is_name(word)).collect();
    let mut text = words.join(" ");
    // An aside that was cut short says nothing.
    if let Some(at) = text.rfind('(').filter(|at| !text.get(*at..).unwrap_or_default().contains(')')) {
        text.truncate(at);
    }
    let text = text.trim_end();
    let text = ["allow sns:Publish on", "allow s3:PutObject on", " on"].iter().fold(text, |text, end| {
        text.strip_suffix(end).unwrap_or(text).trim_end().trim_end_matches([':', ',', ';'])
    });
    text.to_owned()
}

/// Returns the document with a line for each channel that failed, and without the link to a report that is not kept.
pub(super) fn named_in(document: &Document, failed: &[DeliveryError]) -> Document {
    let mut document = document.clone();
    let mut named = Vec::new();
    for DeliveryError { channel, reason } in failed {
        let shown = shorten(clean(&without_names(reason)).trim(), MOST_REASON);
        if channel == Bucket::CHANNEL {
            let is_link = |span: &Span| matches!(span, Span::Link { label, .. } if label == StoredAt::LABEL);
            document.links.retain(|span| !is_link(span));
            if let Some(data) = document.data.as_object_mut() {
                data.remove("stored");
            }
            document.footer.push(Line::text(format!("Full report not kept: {shown}")));
        } else {
            document.footer.push(Line::text(format!("Not delivered to {channel}: {shown}")));
        }
        named.push(json!({ "channel": channel, "reason": reason }));
    }
    if let Some(data) = document.data.as_object_mut().filter(|_| !named.is_empty()) {
        data.insert("undelivered".into(), named.into());
    }
    document
}
