//! `show`: a report that was kept as JSON, rendered again; `schema`: what such a file holds.

use std::io::Read;
use std::path::Path;

use serde_json::Value;
use sre_agent::report::json::{self, Report};
use sre_agent::report::{FORMAT, html, markdown, plain, terminal};

use crate::args::{Format, Show};
use crate::environment::takes_colour;
use crate::failure::{Ending, Failure};
use crate::output;

/// Most bytes of a report; those that are kept have a few hundred KB.
const LARGEST_REPORT: u64 = 32 * 1024 * 1024;

/// Prints the report that the file holds.
pub(crate) fn run(asked: &Show) -> Result<Ending, Failure> {
    let document = report(&asked.report)?.document();
    let mut text = match asked.format {
        Format::Card => terminal::render(&document, takes_colour(&std::io::stdout())),
        Format::Plain => plain::render_report(&document),
        Format::Markdown => markdown::render_report(&document),
        Format::Html => html::render(&document),
        Format::Json => format!("{:#}", json::render(&document)),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    output::to_stdout(text.as_bytes())?;
    Ok(Ending::Done)
}

/// Prints the schema.
pub(crate) fn schema() -> Result<Ending, Failure> {
    output::to_stdout(json::SCHEMA.as_bytes())?;
    Ok(Ending::Done)
}

fn report(path: &Path) -> Result<Report, Failure> {
    let unread =
        |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST_REPORT).read_to_string(&mut text).map_err(unread)?;
    } else {
        let file = std::fs::File::open(path).map_err(unread)?;
        file.take(LARGEST_REPORT).read_to_string(&mut text).map_err(unread)?;
    }
    let no_report = |reason: String| {
        Failure::usage(format!("{} holds no report: {reason}", path.display()))
            .hint("A report is the file report.json of --out, or what --json prints.")
    };
    let mut value: Value = serde_json::from_str(&text).map_err(|error| no_report(error.to_string()))?;
    if let Some(report) = value.pointer_mut("/runs/0/report") {
        value = report.take();
    }
    let format = value.get("format").and_then(Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        return Err(no_report(match format {
            Some(format) => format!("it has format {format}, this version reads {FORMAT}"),
            None => "it has no format".into(),
        }));
    }
    serde_json::from_value(value).map_err(|error| no_report(error.to_string()))
}
