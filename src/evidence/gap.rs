//! What could not be seen, and why: the one type behind "not checked", `doctor` and IAM hints.

use serde::{Deserialize, Serialize};

use crate::evidence::Source;

/// What came of asking a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Data came back.
    Found,
    /// The source answered, and there is nothing in the window.
    Empty,
    /// The caller may not read it.
    Denied,
    /// The source refused for load, after the retries.
    Throttled,
    /// No answer in the time given.
    TimedOut,
    /// It is still being read, while the facts are posted.
    Pending,
    /// The thing that was asked about does not exist.
    Missing,
    /// The source failed otherwise.
    Failed,
    /// It was not asked, because of what the asking would or might cost.
    NotRun,
    /// The question makes no sense for this alarm.
    NotApplicable,
}

impl Status {
    /// Returns the words that a report uses for the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Found => "found",
            Status::Empty => "empty",
            Status::Denied => "access denied",
            Status::Throttled => "throttled",
            Status::TimedOut => "timed out",
            Status::Pending => "still being read",
            Status::Missing => "does not exist",
            Status::Failed => "failed",
            Status::NotRun => "not run",
            Status::NotApplicable => "not applicable",
        }
    }

    /// Tells whether the source was really looked at, so that its silence means something.
    pub fn was_checked(self) -> bool {
        matches!(self, Status::Found | Status::Empty | Status::NotApplicable)
    }
}

/// One thing that the run could not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// Which source.
    pub source: Source,
    /// What was to be read, in a few words: "logs of /aws/lambda/invoice-render".
    pub subject: String,
    /// What came of asking.
    pub status: Status,
    /// One line, in words that a responder understands.
    pub reason: String,
    /// The IAM action whose absence explains it, for instance `logs:FilterLogEvents`.
    pub missing_action: Option<String>,
}
