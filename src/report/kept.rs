//! What is kept of a run beside its report, so that a question can be answered later without reading anything again: the
//! incident, and all evidence in the form in which claims are checked against it. Redacted like everything that is kept.

use std::sync::Arc;

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

    /// Returns it as a document carries it: no text of it holds a secret, those of the alarm itself included.
    pub fn packed(&self) -> Option<Arc<Value>> {
        let mut value = serde_json::to_value(self).ok()?;
        redact(&mut value);
        Some(Arc::new(value))
    }

    /// Reads what a document carries.
    pub fn of(document: &Document) -> Result<Self, NotKept> {
        let value = document.kept.as_deref().ok_or(NotKept::Nothing)?;
        let otherwise = |reason: String| NotKept::Otherwise { reason };
        let kept = Kept::deserialize(value).map_err(|error| otherwise(error.to_string()))?;
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
