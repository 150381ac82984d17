//! What can go wrong between us and a model, by what is to be done about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Class of a failed model call. The text of each class is in `reference` of the provider's documentation; texts drift,
/// so an adapter matches the error code and a lower-cased part of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Too many requests or tokens a minute: waiting helps.
    Throttled,
    /// The daily quota is spent: waiting does not help within a run.
    DailyQuota,
    /// The service is short of capacity or failed: waiting helps.
    Unavailable,
    /// No answer in the time given.
    TimedOut,
    /// The model itself failed.
    ModelFailed,
    /// The model has reached its end of life or is closed to this account as legacy.
    EndOfLife,
    /// The model must be called through an inference profile.
    NeedsProfile,
    /// The provider does not know the identifier.
    InvalidIdentifier,
    /// The caller may not use the model.
    AccessDenied,
    /// The account has to be enabled for the model first.
    NotEnabled,
    /// Credentials are missing, wrong or expired.
    Credentials,
    /// The request is larger than the model takes.
    InputTooLong,
    /// The request itself is refused.
    InvalidRequest,
    /// The provider could not be reached.
    Unreachable,
    /// Anything else.
    Unknown,
}

impl ErrorClass {
    /// Returns the words that a card uses: `throttled`, `retired by AWS`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Throttled => "throttled",
            ErrorClass::DailyQuota => "daily quota spent",
            ErrorClass::Unavailable => "unavailable",
            ErrorClass::TimedOut => "timed out",
            ErrorClass::ModelFailed => "model failed",
            ErrorClass::EndOfLife => "retired",
            ErrorClass::NeedsProfile => "needs an inference profile",
            ErrorClass::InvalidIdentifier => "unknown model id",
            ErrorClass::AccessDenied => "access denied",
            ErrorClass::NotEnabled => "not enabled for the account",
            ErrorClass::Credentials => "no valid credentials",
            ErrorClass::InputTooLong => "input too long",
            ErrorClass::InvalidRequest => "request refused",
            ErrorClass::Unreachable => "unreachable",
            ErrorClass::Unknown => "failed",
        }
    }
}

/// One failed call, as an adapter reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", class.as_str())]
pub struct ModelError {
    /// What is to be done about it.
    pub class: ErrorClass,
    /// The provider's own words.
    pub message: String,
    /// The provider's request id.
    pub request_id: Option<String>,
    /// The provider's wish how long to wait.
    pub retry_after: Option<Duration>,
}

/// What is left when a rung of the ladder, an agent or a channel has given up: the one type behind logs, footer and diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong last.
    pub class: ErrorClass,
    /// What was attempted, for instance `Converse`.
    pub operation: String,
    /// On which model, where one was asked.
    pub model: Option<String>,
    /// Tries made.
    pub attempts: u32,
    /// Time spent waiting between them.
    pub waited: Duration,
    /// Request id of the last try.
    pub request_id: Option<String>,
    /// The provider's own words, shortened.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let times = if self.attempts == 1 { "once" } else { "times" };
        write!(f, "{}", self.model.as_deref().unwrap_or("model"))?;
        if self.attempts == 0 && self.class == ErrorClass::Throttled {
            // It was never asked: its quota had no place in time.
            write!(f, " over its rate")?;
        } else if self.attempts == 0 {
            // Given up with its provider.
            write!(f, " {}, not asked", self.class.as_str())?;
        } else if self.attempts == 1 {
            write!(f, " {} {times}", self.class.as_str())?;
        } else {
            write!(f, " {} {} {times} in {} s", self.class.as_str(), self.attempts, self.waited.as_secs())?;
        }
        write!(f, " ({}: {})", self.operation, self.message)
    }
}
