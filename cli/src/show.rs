//! `show`: a report that was kept, rendered again; `schema`: what its JSON holds.

use sre_agent::report::{html, json, markdown, plain, terminal};

use crate::args::{Format, Shared, Show};
use crate::environment::takes_colour;
use crate::failure::{Ending, Failure};
use crate::{output, stored};

/// Prints the report that is named.
pub(crate) async fn run(asked: &Show, shared: &Shared) -> Result<Ending, Failure> {
    let document = stored::report(&asked.report, &asked.stored, shared).await?.document();
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
