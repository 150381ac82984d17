//! What a run leaves: the card or one JSON document on standard output, and the renderings in a folder.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sre_agent::delivery::{Channel, Stdout, sns_message};
use sre_agent::handler::{Response, RunSummary};
use sre_agent::report::{Document, json as report_json, markdown, slack, terminal};

use crate::environment::takes_colour;
use crate::failure::Failure;

/// Format number of the JSON documents on standard output.
pub(crate) const FORMAT: u32 = 1;

/// Columns of text for people; a narrower terminal wraps by itself.
const WIDTH: usize = 100;

/// Writes to standard output. A reader that has read enough is not an error.
pub(crate) fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output cannot be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Folds a text after its head, with the lines below it under the text, and keeps what came from outside from steering
/// the terminal.
pub(crate) fn fold(head: &str, text: &str) -> String {
    let indent = head.chars().count();
    let mut lines = head.to_owned();
    let mut at = indent;
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|letter| !letter.is_control()).collect();
        let length = word.chars().count();
        if at > indent && at + 1 + length > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            at = indent;
        } else if at > indent {
            lines.push(' ');
            at += 1;
        }
        lines.push_str(&word);
        at += length;
    }
    lines.push('\n');
    lines
}

/// Sets rows in columns, two blanks between; the last column is as wide as it is.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The card, kept until the run is over: progress on the same terminal would tear it.
///
/// It is a channel like any other. That one always takes the report, so a webhook that refuses it does not lose it.
#[derive(Clone, Default)]
pub(crate) struct Card(Arc<Mutex<Vec<u8>>>);

impl Card {
    /// Returns the channel that fills it.
    pub(crate) fn channel(&self) -> Arc<dyn Channel> {
        let writer: Arc<Mutex<Vec<u8>>> = Arc::clone(&self.0);
        Arc::new(Stdout::new(writer, takes_colour(&std::io::stdout())))
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Prints the card, or with `as_json` the one document for machines.
pub(crate) fn print(
    response: &Response,
    card: &Card,
    folder: Option<&Path>,
    as_json: bool,
) -> Result<(), Failure> {
    if as_json {
        to_stdout(format!("{:#}\n", as_document(response, folder)).as_bytes())
    } else {
        to_stdout(&card.take())
    }
}

fn as_document(response: &Response, folder: Option<&Path>) -> Value {
    let runs: Vec<Value> = response.runs.iter().map(run_as_json).collect();
    json!({
        "format": FORMAT,
        "runs": runs,
        "ignored": response.ignored,
        "files": folder.map(|folder| folder.display().to_string()),
    })
}

fn run_as_json(run: &RunSummary) -> Value {
    json!({
        "run_id": run.run_id,
        "alarm": run.alarm,
        "outcome": run.outcome,
        "report": run.document.as_ref().map(report_json::render),
        "delivered": run.delivered,
        "undelivered": run.undelivered,
    })
}

/// Writes every rendering of a report into a folder, which is made where it is missing, and returns the files' names.
pub(crate) fn write(document: &Document, folder: &Path) -> Result<Vec<&'static str>, Failure> {
    let unable = |path: &Path, error: &std::io::Error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()))
            .hint("Give another folder with --out.")
    };
    let sns = sns_message(document);
    let sns = format!("Subject: {}\n\n{}\n", sns.subject, sns.default);
    let files = [
        ("slack.json", format!("{:#}\n", slack::render(document))),
        ("report.md", markdown::render_report(document)),
        ("report.json", format!("{:#}\n", report_json::render(document))),
        ("card.txt", terminal::render(document, false) + "\n"),
        ("sns.txt", sns),
    ];
    std::fs::create_dir_all(folder).map_err(|error| unable(folder, &error))?;
    for (name, text) in &files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| unable(&path, &error))?;
    }
    Ok(files.iter().map(|(name, _)| *name).collect())
}
