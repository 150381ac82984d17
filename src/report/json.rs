//! Renders the document as JSON for machines, and reads it again: the card, its text, and the facts of the run.
//!
//! `docs/report.schema.json` is made from these types by a test, which fails where the two differ.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alarm::AlarmState;
use crate::report::data::Data;
use crate::report::document::{Detail, Document, Line, Section, Span};
use crate::report::plain;
use crate::report::readers::LogQuotes;

/// The JSON Schema of the report, as it is committed.
pub const SCHEMA: &str = include_str!("../../docs/report.schema.json");

/// The report of a run. A member that a reader does not know may be ignored; one that is gone or means something else
/// comes with another `format`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "sre-agent report"))]
pub struct Report {
    /// Format number of the report: 1.
    pub format: u32,
    /// Names the run.
    pub run_id: String,
    /// State of the alarm.
    #[cfg_attr(test, schemars(with = "tests::State"))]
    pub state: AlarmState,
    /// Whether the alarm had recovered when the report was made.
    pub recovered: bool,
    /// At most 120 characters: resource, impact, still or recovered, verdict.
    pub push: String,
    /// The card as plain text.
    pub text: String,
    /// The card and the details behind it, line by line.
    pub card: Card,
    /// The facts of the run.
    pub data: Data,
    /// What `ask --run` answers from: the incident and all its evidence, without secrets. Its form is the program's own and
    /// may change with any version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, Value>>"))]
    pub kept: Option<Value>,
}

/// What a person reads, in order. Text in it is never markup.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Card {
    /// What and where.
    pub title: Line,
    /// Still or recovered, and since when.
    pub condition: Line,
    /// The verdict and what agrees.
    pub verdict: Line,
    /// What the verdict says.
    pub statement: Vec<Line>,
    /// Count, denominator, share, normal; then the sparkline.
    pub impact: Vec<Line>,
    /// Why, next, what was not visible; in order.
    pub sections: Vec<Section>,
    /// What is not known and was not checked.
    pub limits: Vec<Line>,
    /// Where to look.
    pub links: Vec<Span>,
    /// Counts of what was re-read, model, cost, run.
    pub footer: Vec<Line>,
    /// What the full report adds.
    pub details: Vec<Detail>,
}

/// Returns the report as JSON.
pub fn render(document: &Document) -> Value {
    serde_json::to_value(Report::of(document)).unwrap_or(Value::Null)
}

impl Report {
    /// Returns the report of a document.
    pub fn of(document: &Document) -> Self {
        let document = document.clone();
        Report {
            format: document.format,
            run_id: document.run_id.clone(),
            state: document.state,
            recovered: document.recovered,
            push: document.push.clone(),
            text: plain::render(&document),
            kept: document.kept.as_deref().cloned(),
            data: Data::of(&document),
            card: Card {
                title: document.title,
                condition: document.condition,
                verdict: document.verdict,
                statement: document.statement,
                impact: document.impact,
                sections: document.sections,
                limits: document.limits,
                links: document.links,
                footer: document.footer,
                details: document.details,
            },
        }
    }

    /// Returns the document, to be rendered otherwise.
    pub fn document(self) -> Document {
        let Report { format, run_id, state, recovered, push, text: _, card, data, kept } = self;
        Document {
            format,
            run_id,
            state,
            recovered,
            push,
            title: card.title,
            condition: card.condition,
            verdict: card.verdict,
            statement: card.statement,
            impact: card.impact,
            sections: card.sections,
            limits: card.limits,
            links: card.links,
            footer: card.footer,
            details: card.details,
            log_quotes: LogQuotes::Full,
            data: data.value(),
            kept: kept.map(Arc::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::samples;

    /// A state as it is written.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, clippy::upper_case_acronyms, non_camel_case_types, reason = "only its names count")]
    pub(super) enum State {
        OK,
        ALARM,
        INSUFFICIENT_DATA,
    }

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<Report>();
        let made = format!("{:#}\n", serde_json::to_value(schema).unwrap());
        if made != SCHEMA {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report.schema.json");
            std::fs::write(&path, &made).unwrap();
            panic!(
                "docs/report.schema.json is not of these types; what they make lies in {}",
                path.display()
            );
        }
    }

    #[test]
    fn a_report_that_was_written_is_read_again() {
        for document in [samples::cause_shown(), samples::facts_only(), samples::cannot_be_shown()] {
            let written = render(&document).to_string();
            let read: Report = serde_json::from_str(&written).unwrap();
            assert_eq!(read.document(), document);
        }
    }
}
