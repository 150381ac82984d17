//! How a command ends: the exit codes, and errors that name their cause and the next command.

use std::fmt;
use std::process::ExitCode;

/// The command did what it was asked to, and this came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A report was made, whatever its verdict, or the command has none.
    Done,
    /// A model was wanted and none answered: the report holds facts only.
    FactsOnly,
    /// The account was examined, and no configured model can be called.
    NothingUsable,
    /// An error was to be explained, and its text is not known.
    NotRecognised,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => ExitCode::SUCCESS,
            Ending::NothingUsable | Ending::NotRecognised => ExitCode::from(1),
            Ending::FactsOnly => ExitCode::from(3),
        }
    }
}

/// The command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: Kind,
    reason: String,
    hint: Option<String>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something outside the command line went wrong.
    Failed,
    /// The command line or the configuration has to be changed.
    Usage,
}

impl Failure {
    /// Something went wrong that neither the command line nor the configuration caused.
    pub(crate) fn failed(reason: impl fmt::Display) -> Self {
        Failure { kind: Kind::Failed, reason: reason.to_string(), hint: None }
    }

    /// The command line or the configuration cannot be followed as it is.
    pub(crate) fn usage(reason: impl fmt::Display) -> Self {
        Failure { kind: Kind::Usage, reason: reason.to_string(), hint: None }
    }

    /// Returns the failure with what to do next.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.reason.trim_end())?;
        match &self.hint {
            Some(hint) => write!(f, "\n\n{hint}"),
            None => Ok(()),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Failed => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_cause_and_then_the_next_step() {
        let failure = Failure::usage("no AWS Region is set").hint("Give --region.");
        assert_eq!(failure.to_string(), "error: no AWS Region is set\n\nGive --region.");
    }
}
