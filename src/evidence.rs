//! What was seen, in the exact form in which it can be cited and re-read. Data only.
//!
//! A piece of evidence has an id, the query that reproduces it, a window, a status and a body.
//! `empty`, `denied` and `throttled` are evidence too: they become the report's "not checked".

pub mod change;
pub mod console;
pub mod gap;
pub mod ledger;
pub mod log_lines;
pub mod query_rows;
pub mod series;
pub mod text;

use serde::{Deserialize, Serialize};

pub use change::{Change, ChangeKind, Fact, FactKind, Rollback};
pub use gap::{Gap, Status};
pub use ledger::Ledger;
pub use log_lines::{LineCount, LogLine, LogLines, LogTemplate, TemplateTrend};
pub use query_rows::QueryRows;
pub use series::{Datapoint, MetricId, Series, Statistic};

use crate::alarm::AlarmSnapshot;
pub use crate::alarm::Place;
use crate::clock::Timestamp;
use crate::id::EvidenceId;
pub use crate::incident::Window;
use crate::redact::Redacted;

/// Where a piece of evidence comes from. Two sources that agree are independent; two metrics are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `CloudWatch` metrics.
    Metrics,
    /// `CloudWatch` Logs.
    Logs,
    /// Deployments and configuration.
    Changes,
    /// The alarm itself.
    Alarm,
    /// Computed from other evidence.
    Analysis,
}

impl Source {
    /// Returns the word that a report uses for the source.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Metrics => "metrics",
            Source::Logs => "logs",
            Source::Changes => "changes",
            Source::Alarm => "alarm",
            Source::Analysis => "analysis",
        }
    }

    /// Returns the letter of the source's evidence ids.
    pub fn letter(self) -> char {
        match self {
            Source::Metrics => 'M',
            Source::Logs => 'L',
            Source::Changes => 'C',
            Source::Alarm => 'A',
            Source::Analysis => 'F',
        }
    }
}

/// How a person sees the same data: a console deep link and a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// A read-only AWS CLI line.
    pub cli: String,
    /// Deep link into the console, where one is known.
    pub console: Option<String>,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Cited by this id; follows plan order, not completion order.
    pub id: EvidenceId,
    /// Where it comes from.
    pub source: Source,
    /// What was asked, in a few words.
    pub title: Redacted,
    /// How to see it again.
    pub query: Query,
    /// The time that was asked for.
    pub window: Window,
    /// What came of asking.
    pub status: Status,
    /// The newest moment that the source shows, where it lags behind the window's end.
    pub horizon: Option<Timestamp>,
    /// What was found.
    pub body: Body,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing: see the status.
    Nothing,
    /// A metric series.
    Series(Series),
    /// Log lines and the templates they fall into.
    Logs(LogLines),
    /// Rows of a query over logs.
    Rows(QueryRows),
    /// A change with its time.
    Change(Change),
    /// A number or statement that code derived from other evidence.
    Fact(Fact),
    /// The alarm's definition and state as read from `CloudWatch`.
    Alarm(Box<AlarmSnapshot>),
}
