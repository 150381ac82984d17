//! Rows of a query of Logs Insights as they may be quoted: redacted and bounded.

use serde::{Deserialize, Serialize};

use crate::redact::Redacted;

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryRows {
    /// Log groups that were asked.
    pub groups: Vec<String>,
    /// The query, redacted: an alarm's own may hold anything.
    pub query: Redacted,
    /// A text a row, `name: value, name: value`, redacted; in the order of the query.
    pub rows: Vec<Redacted>,
    /// Log events that matched, before they were aggregated.
    pub matched: u64,
    /// Whether all rows are here.
    pub complete: bool,
}
