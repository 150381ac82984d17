//! The tools of the agents: typed arguments in, text with evidence ids out, and what was read into the ledger.
//!
//! A tool's failure is of two kinds only: the model can act on it (it reads advice), or the run stops.

pub mod query_metrics;
pub mod read_evidence;
pub mod recent_changes;
pub mod search_logs;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::evidence::{Body, Evidence, Gap, Ledger, Place, Query, Source, Status, Window};
use crate::gather::Telemetry;
use crate::gather::telemetry::TelemetryError;
use crate::id::EvidenceId;
use crate::model::ToolSpec;
use crate::redact::{Fence, Redacted};

/// What one agent's tools work on.
pub struct Toolbox {
    /// Role name: prefix of the evidence ids that its tools add.
    pub role: &'static str,
    /// The account.
    pub telemetry: Arc<dyn Telemetry>,
    /// What is known so far; grows by what the tools read.
    pub ledger: Ledger,
    /// Account and Region, for links to what was read.
    pub place: Place,
    /// Marks around what comes from outside.
    pub fence: Fence,
    /// The incident's window.
    pub window: Window,
    /// Farthest back that a tool may read.
    pub earliest: Timestamp,
    /// Log groups that belong to the incident; no other is read.
    pub log_groups: Vec<String>,
    /// Period of the alarm's metric, seconds.
    pub period_seconds: i64,
    /// Answers by tool and arguments: the same question is answered from here.
    pub answered: BTreeMap<String, String>,
}

/// What a tool says to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What the model reads.
    pub text: String,
    /// Whether it should do something else.
    pub is_error: bool,
    /// Evidence that was added or read.
    pub evidence: Vec<EvidenceId>,
    /// For the event stream: `found`, `empty`, `access denied`, `refused`.
    pub outcome: String,
}

impl Said {
    /// Returns a refusal with advice.
    pub fn refused(advice: impl Into<String>) -> Self {
        Said { text: advice.into(), is_error: true, evidence: Vec::new(), outcome: "refused".into() }
    }
}

impl Toolbox {
    /// Returns the specifications of the named tools.
    pub fn specs(names: &[&str]) -> Vec<ToolSpec> {
        [query_metrics::spec(), search_logs::spec(), recent_changes::spec(), read_evidence::spec()]
            .into_iter()
            .filter(|spec| names.contains(&spec.name.as_str()))
            .collect()
    }

    /// Runs a tool. The same question is answered from what is known, and says so.
    pub async fn call(&mut self, name: &str, input: &Value) -> Said {
        let question = format!("{name} {input}");
        if let Some(known) = self.answered.get(&question) {
            return Said {
                text: format!("You asked this before; the answer is the same.\n{known}"),
                is_error: false,
                evidence: Vec::new(),
                outcome: "answered from the ledger".into(),
            };
        }
        let said = match name {
            "query_metrics" => query_metrics::call(self, input).await,
            "search_logs" => search_logs::call(self, input).await,
            "recent_changes" => recent_changes::call(self, input),
            "read_evidence" => read_evidence::call(self, input),
            _ => Said::refused(format!("There is no tool {name:?}. Use one of those offered.")),
        };
        if !said.is_error {
            self.answered.insert(question, said.text.clone());
        }
        said
    }

    /// Returns the next id of the role's own evidence.
    fn next_id(&self, source: Source) -> EvidenceId {
        let prefix = format!("{}.{}", self.role, source.letter());
        let taken = self.ledger.items().iter().filter(|item| item.id.as_str().starts_with(&prefix)).count();
        EvidenceId::of_role(self.role, source.letter(), taken + 1)
    }

    /// Adds evidence and returns what the model reads of it.
    fn add(&mut self, evidence: Evidence) -> Said {
        let text = self.fence.wrap(evidence.id.as_str(), &Redacted::new(&evidence.text()));
        let said = Said {
            text,
            is_error: false,
            evidence: vec![evidence.id.clone()],
            outcome: evidence.status.as_str().to_owned(),
        };
        self.ledger.push(evidence);
        said
    }

    /// Notes a question that had no answer, as a gap and as evidence without a body, and returns what the model reads.
    fn not_read(&mut self, question: Question, error: &TelemetryError) -> Said {
        self.ledger.push_gap(Gap {
            source: question.source,
            subject: question.title.clone(),
            status: error.status,
            reason: Redacted::new(&error.reason).to_string(),
            // Only a denial is mended by a permission.
            missing_action: (error.status == Status::Denied).then(|| error.operation.to_owned()),
        });
        self.add(question.answered(error.status, Body::Nothing))
    }

    /// Returns the window that a model asked for, kept within what may be read.
    fn asked_window(&self, start: Option<&str>, end: Option<&str>) -> Result<Window, Said> {
        let read = |text: Option<&str>, default: Timestamp| {
            match text {
            None => Ok(default),
            Some(text) => time_of(text, self.window.end).ok_or_else(|| {
                Said::refused(format!("{text:?} is not a time. Write 2026-01-31T03:00:00Z, or 03:00 for a time of the incident's day."))
            }),
        }
        };
        let window = Window {
            start: read(start, self.window.start)?.max(self.earliest),
            end: read(end, self.window.end)?.min(self.window.end),
        };
        if window.start >= window.end {
            return Err(Said::refused(format!(
                "The window is empty. Data may be read from {} to {}.",
                self.earliest, self.window.end
            )));
        }
        Ok(window)
    }
}

/// Reads a time as a model writes it: RFC 3339, `2026-01-31 03:00`, or `03:00`, which means the day of `near`.
fn time_of(text: &str, near: Timestamp) -> Option<Timestamp> {
    let text = text.trim().trim_end_matches("UTC").trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let spelled = text.replace('T', " ").trim_end_matches('Z').to_owned();
    let with_date = if spelled.contains('-') {
        spelled
    } else {
        let day = crate::evidence::text::moment(near);
        format!("{} {spelled}", day.split(' ').next()?)
    };
    let seconds = if with_date.matches(':').count() >= 2 { "" } else { ":00" };
    format!("{}{seconds}Z", with_date.replace(' ', "T")).parse().ok()
}

/// Reads a tool's arguments; a fault is told to the model.
fn arguments<T: DeserializeOwned>(input: &Value) -> Result<T, Said> {
    serde_json::from_value(input.clone())
        .map_err(|error| Said::refused(format!("The arguments do not fit: {error}.")))
}

/// What a tool asked an account.
struct Question {
    id: EvidenceId,
    source: Source,
    title: String,
    query: Query,
    window: Window,
}

impl Question {
    /// Returns the evidence of an answer.
    fn answered(self, status: Status, body: Body) -> Evidence {
        Evidence {
            id: self.id,
            source: self.source,
            title: Redacted::new(&self.title),
            query: self.query,
            window: self.window,
            status,
            horizon: None,
            body,
        }
    }
}

/// Returns `found` or `empty`.
fn found(any: bool) -> Status {
    if any { Status::Found } else { Status::Empty }
}
