//! Names the channels that did not take a message in the messages of those that do.

use serde_json::json;

use crate::delivery::{Bucket, DeliveryError};
use crate::report::data::StoredAt;
use crate::report::layout::{clean, shorten};
use crate::report::{Document, Line, Span};

/// Most characters of a reason in a footer; the log has all of it.
const MOST_REASON: usize = 160;

/// Returns the document with a line for each channel that failed, and without the link to a report that is not kept.
pub(super) fn named_in(document: &Document, failed: &[DeliveryError]) -> Document {
    let mut document = document.clone();
    let mut named = Vec::new();
    for DeliveryError { channel, reason } in failed {
        let reason = shorten(clean(reason).trim(), MOST_REASON);
        if channel == Bucket::CHANNEL {
            let is_link = |span: &Span| matches!(span, Span::Link { label, .. } if label == StoredAt::LABEL);
            document.links.retain(|span| !is_link(span));
            if let Some(data) = document.data.as_object_mut() {
                data.remove("stored");
            }
            document.footer.push(Line::text(format!("Full report not kept: {reason}")));
        } else {
            document.footer.push(Line::text(format!("Not delivered to {channel}: {reason}")));
        }
        named.push(json!({ "channel": channel, "reason": reason }));
    }
    if let Some(data) = document.data.as_object_mut().filter(|_| !named.is_empty()) {
        data.insert("undelivered".into(), named.into());
    }
    document
}
