//! What is kept of a run beside its report, so that a question can be answered later without reading anything again: the
//! incident, and all evidence in the form in which claims are checked against it. Redacted like everything that is kept.

use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alarm::Hints;
use crate::evidence::Ledger;
use crate::gather::recheck::Condition;
use crate::id::RunId;
use crate::incident::Incident;
use crate::redact::Redacted;
use crate::report::Document;

/// Format number of what is kept. It is the program's own form: another version may read none of it.
const FORMAT: u32 = 1;

/// Most bytes that are unpacked: a report may come from anywhere, and must not fill the memory.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024;

/// The evidence of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// [`FORMAT`].
    format: u32,
    /// Which run.
    pub run_id: RunId,
    /// What was investigated.
    pub incident: Incident,
    /// Everything that was seen, and what could not be.
    pub ledger: Ledger,
    /// Log groups of the incident.
    pub log_groups: Vec<String>,
    /// What the alarm's owner asks for.
    pub hints: Hints,
    /// Still or recovered, as it was read last.
    pub condition: Condition,
}

/// What a document carries of it: packing takes time that only whoever keeps the report has a use for.
#[derive(Debug, Clone, PartialEq)]
pub enum Carried {
    /// As the run had it.
    Whole(Arc<Kept>),
    /// As a report was read.
    Packed(String),
}

impl Carried {
    /// Returns it as the report JSON holds it.
    pub fn packed(&self) -> Option<String> {
        match self {
            Carried::Whole(kept) => kept.packed(),
            Carried::Packed(packed) => Some(packed.clone()),
        }
    }
}

/// Why nothing can be asked of a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It is a notice, or a first try that died had composed it.
    #[error("the report holds no evidence to answer from: it tells a notice, or an older version wrote it")]
    Nothing,
    /// Another version wrote it.
    #[error("the report's evidence is in another form than this version reads: {reason}")]
    Otherwise {
        /// What does not fit.
        reason: String,
    },
}

impl Kept {
    /// Returns what is kept of a run.
    pub fn new(
        run_id: RunId,
        incident: Incident,
        ledger: Ledger,
        log_groups: Vec<String>,
        hints: Hints,
        condition: Condition,
    ) -> Self {
        Kept { format: FORMAT, run_id, incident, ledger, log_groups, hints, condition }
    }

    /// Returns it as JSON, gzip, base64: whole series and logs would make the report twenty times as long. No text of it holds a
    /// secret: evidence is redacted when it is read, and what the alarm's own texts hold is redacted here.
    fn packed(&self) -> Option<String> {
        let mut value = serde_json::to_value(self).ok()?;
        value.get_mut("incident").into_iter().for_each(redact);
        let items = value.pointer_mut("/ledger/items").and_then(Value::as_array_mut).into_iter().flatten();
        items.filter_map(|item| item.pointer_mut("/body/alarm")).for_each(redact);
        let mut packing = GzEncoder::new(Vec::new(), Compression::fast());
        packing.write_all(value.to_string().as_bytes()).ok()?;
        Some(STANDARD.encode(packing.finish().ok()?))
    }

    /// Reads what a document carries.
    pub fn of(document: &Document) -> Result<Self, NotKept> {
        let packed = match document.kept.as_ref().ok_or(NotKept::Nothing)? {
            Carried::Whole(kept) => return Ok(Kept::clone(kept)),
            Carried::Packed(packed) => packed,
        };
        let otherwise = |reason: String| NotKept::Otherwise { reason };
        let bytes = STANDARD.decode(packed).map_err(|error| otherwise(error.to_string()))?;
        let unpacking = GzDecoder::new(bytes.as_slice()).take(MOST_UNPACKED);
        let kept: Kept = serde_json::from_reader(unpacking).map_err(|error| otherwise(error.to_string()))?;
        if kept.format == FORMAT { Ok(kept) } else { Err(otherwise(format!("format {}", kept.format))) }
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::String(text) => {
            let clean = Redacted::new(text);
            if clean.as_str() != text {
                clean.as_str().clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(members) => members.values_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_that_is_kept_holds_a_secret_however_deep_it_stands() {
        let mut value = json!({
            "alarm": {"description": "page with password=hunter2hunter2", "state": "ALARM", "periods": 3},
            "lines": [{"text": "Authorization: Bearer abcdefghijklmnop"}, null, true],
        });
        redact(&mut value);
        let text = value.to_string();
        assert!(!text.contains("hunter2") && !text.contains("abcdefghij"), "{text}");
        assert_eq!(value["alarm"]["state"], "ALARM");
        assert_eq!(value["alarm"]["periods"], 3);
    }
}
