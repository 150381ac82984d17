//! What a run leaves: the card or one JSON document on standard output, and the renderings in a folder.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sre_agent::delivery::{Channel, Stdout, sns_message};
use sre_agent::handler::{Response, RunSummary};
use sre_agent::report::{Document, html, json as report_json, markdown, slack, terminal};

use crate::environment::takes_colour;
use crate::failure::Failure;
use crate::progress::say;

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

/// Writes what was asked for of each report: every rendering into a folder, the page into a file.
pub(crate) fn keep(
    response: &Response,
    folder: Option<&Path>,
    page: Option<&Path>,
    quiet: bool,
) -> Result<(), Failure> {
    let documents: Vec<&Document> = response.runs.iter().filter_map(|run| run.document.as_ref()).collect();
    // Two reports in one place would overwrite each other.
    let several = documents.len() > 1;
    for document in documents {
        if let Some(folder) = folder {
            let folder = if several { folder.join(&document.run_id) } else { folder.to_owned() };
            let names = write(document, &folder)?;
            say(quiet, format_args!("wrote {} into {}", names.join(", "), folder.display()));
        }
        if let Some(page) = page {
            let page = if several { named_by_run(page, &document.run_id) } else { page.to_owned() };
            write_file(&page, &html::render(document), "--html")?;
            say(quiet, format_args!("wrote {}", page.display()));
        }
    }
    Ok(())
}

/// Returns `report-7f3a9c.html` for `report.html`.
fn named_by_run(page: &Path, run_id: &str) -> PathBuf {
    let stem = page.file_stem().unwrap_or_default().to_string_lossy();
    let extension = page.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    page.with_file_name(format!("{stem}-{run_id}{}", extension.unwrap_or_default()))
}

/// Writes every rendering of a report into a folder and returns the files' names.
fn write(document: &Document, folder: &Path) -> Result<Vec<&'static str>, Failure> {
    // What channels get shows as much of a log as they may; the reports are the reader's own.
    let card = document.for_channel();
    let sns = sns_message(&card);
    let sns = format!("Subject: {}\n\n{}\n", sns.subject, sns.default);
    let files = [
        ("report.html", html::render(document)),
        ("report.md", markdown::render_report(document)),
        ("report.json", format!("{:#}\n", report_json::render(document))),
        ("card.txt", terminal::render(&card, false) + "\n"),
        ("slack.json", format!("{:#}\n", slack::render(&card))),
        ("sns.txt", sns),
    ];
    for (name, text) in &files {
        write_file(&folder.join(name), text, "--out")?;
    }
    Ok(files.iter().map(|(name, _)| *name).collect())
}

/// Writes a file, and its folder where that is missing; `option` is what named it.
fn write_file(path: &Path, text: &str, option: &str) -> Result<(), Failure> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder.and_then(|()| std::fs::write(path, text)).map_err(|error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()))
            .hint(format!("Give another place with {option}."))
    })
}
