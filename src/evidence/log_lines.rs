//! Log lines as they may be quoted: redacted, with time and stream.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::redact::Redacted;

/// One log event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The event's own timestamp.
    pub at: Timestamp,
    /// Log stream; a Lambda stream names the version: `2026/11/24/[58]…`.
    pub stream: String,
    /// The message, redacted.
    pub text: Redacted,
}

/// Lines that differ only in their variable parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogTemplate {
    /// The constant words, `<*>` where lines differ.
    pub text: Redacted,
    /// Lines in the incident window.
    pub incident_count: u64,
    /// Lines in the baseline window.
    pub baseline_count: u64,
    /// Baseline count scaled to the incident window's length.
    pub expected: f64,
    /// First line in the incident window.
    pub first_at: Option<Timestamp>,
    /// Last line in the incident window.
    pub last_at: Option<Timestamp>,
    /// One whole line, for quoting.
    pub sample: Redacted,
    /// New, surged, vanished or steady against the baseline.
    pub trend: TemplateTrend,
}

/// How a template's count compares with the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateTrend {
    /// Not once in the baseline.
    New,
    /// Significantly more than expected.
    Surged,
    /// Significantly fewer than expected.
    Vanished,
    /// As usual.
    Steady,
}

/// How many lines there are, counted by Logs Insights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCount {
    /// All matching lines of the window.
    pub total: u64,
    /// Those that were read.
    pub read: u64,
    /// The minute with most lines, the first of several.
    pub peak_at: Timestamp,
    /// Lines in that minute.
    pub peak: u64,
}

/// What was read from one log group in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLines {
    /// Log group.
    pub group: String,
    /// Filter pattern of `FilterLogEvents`; empty for all lines.
    pub pattern: String,
    /// Oldest first.
    pub lines: Vec<LogLine>,
    /// Whether every matching line of the window is here; if not, counts are lower bounds.
    pub complete: bool,
    /// How many matching lines there are, where not all were read and they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<LineCount>,
    /// Templates of the lines, the most telling first; empty where none were computed.
    pub templates: Vec<LogTemplate>,
}
