//! What can be wrong with a scenario's files, always with the file and, where there are lines, the line.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The `format` that this emulator reads.
pub(crate) const FORMAT: u32 = 1;

/// Why a scenario cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file cannot be read.
    #[error("failed to read {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is of another format.
    #[error("{path}: format {found} is not known, this emulator reads format {FORMAT}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The number it names, or `(none)`.
        found: String,
    },
    /// A file does not say what it should.
    #[error("{path}: {reason}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One line of a file does not say what it should.
    #[error("{path}:{line}: {reason}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl ScenarioError {
    pub(crate) fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn line(path: &Path, index: usize, reason: impl Into<String>) -> Self {
        Self::Line { path: path.to_owned(), line: index + 1, reason: reason.into() }
    }
}

pub(crate) fn text(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path)
        .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })
}

pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, ScenarioError> {
    serde_json::from_str(&text(path)?).map_err(|error| match error.line() {
        0 => ScenarioError::invalid(path, error.to_string()),
        line => ScenarioError::line(path, line - 1, error.to_string()),
    })
}

/// Reads a JSON file that begins with `format`. The number is looked at first: a file of another format is refused by
/// that, and not by the first key that happens to be new in it.
pub(crate) fn json_of_format<T: DeserializeOwned>(path: &Path) -> Result<T, ScenarioError> {
    let value: serde_json::Value = json(path)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found == u64::from(FORMAT) => {}
        Some(found) => {
            return Err(ScenarioError::Format { path: path.to_owned(), found: found.to_string() });
        }
        None => return Err(ScenarioError::Format { path: path.to_owned(), found: "(none)".to_owned() }),
    }
    serde_json::from_value(value).map_err(|error| ScenarioError::invalid(path, error.to_string()))
}
