//! Renders the document as JSON for machines: `format = 1`, the facts of the run, and the card as text.

use serde_json::{Value, json};

use crate::report::document::{Document, FORMAT};
use crate::report::plain;

/// Returns the report: `format`, `run_id`, `state`, `recovered`, `push`, `text`, and `data` as composed.
pub fn render(document: &Document) -> Value {
    json!({
        "format": FORMAT,
        "run_id": document.run_id,
        "state": document.state.as_str(),
        "recovered": document.recovered,
        "push": document.push,
        "text": plain::render(document),
        "data": document.data,
    })
}
