//! The report as data: what every renderer prints, in the order in which a responder reads it.
//!
//! Text in a [`Span`] is never markup. A renderer escapes all of it, so a log line cannot become a link or a mention.

use serde::{Deserialize, Serialize};

use crate::alarm::AlarmState;
use crate::clock::Timestamp;
use crate::id::EvidenceId;
use crate::report::kept::Carried;
use crate::report::readers::LogQuotes;

/// The format number of the report JSON.
pub const FORMAT: u32 = 1;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Plain text.
    Text(String),
    /// Emphasised text.
    Bold(String),
    /// Text to copy or a quote, in a fixed-width face.
    Code(String),
    /// A link that code built; `label` is plain text.
    Link {
        /// What is shown.
        label: String,
        /// Where it leads.
        url: String,
    },
    /// Words of a log; a channel may show less of them than the report does.
    LogQuote {
        /// As they stand there.
        full: String,
        /// The constant ones, `<*>` where lines differ.
        template: String,
    },
    /// A piece of evidence, as `[L1]`.
    Evidence {
        /// Which.
        id: EvidenceId,
        /// Its page in the console, where it has one.
        url: Option<String>,
    },
    /// A moment: `03:02 UTC`, and the reader's own time zone where the channel can.
    Time(#[cfg_attr(test, schemars(with = "String"))] Timestamp),
}

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Span::Text(text.to_owned())
    }
}

impl From<String> for Span {
    fn from(text: String) -> Self {
        Span::Text(text)
    }
}

/// One line or paragraph; each renderer folds it at its own width, at most 55 columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Line(pub Vec<Span>);

impl Line {
    /// Returns a line of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Line(vec![Span::Text(text.into())])
    }

    /// Returns the line with one more span.
    #[must_use]
    pub fn with(mut self, span: impl Into<Span>) -> Self {
        self.0.push(span.into());
        self
    }
}

/// How the items of a section are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Marks {
    /// A bullet before each.
    Bullets,
    /// Numbers.
    Numbers,
    /// Nothing.
    Plain,
}

/// A headed list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Section {
    /// `Why`, `What the data says`, `Next`, `Not visible`.
    pub heading: String,
    /// How its items are marked.
    pub marks: Marks,
    /// One a line.
    pub items: Vec<Line>,
}

/// What a detail is about; a renderer that has the same as data shows that instead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// What happened, in order.
    Timeline,
    /// What was seen.
    Evidence,
    /// What was ruled out, and what the review said.
    RuledOut,
    /// What to type.
    Commands,
    /// What was not looked at.
    NotChecked,
    /// How each agent ended.
    Agents,
    /// Which models answered, and what that cost.
    Models,
    /// Anything else.
    #[default]
    Other,
}

/// The detail behind the card: the full report and the thread show it, the card does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Detail {
    /// What it is about.
    #[serde(default)]
    pub topic: Topic,
    /// Heading, for instance `Timeline`, `Evidence`, `Commands`, `Ruled out`, `Cost`.
    pub heading: String,
    /// Paragraphs.
    pub items: Vec<Line>,
    /// A block to copy: commands, an IAM statement.
    pub code: Option<String>,
}

/// A report, ready to render. [`Document::lines`] gives the card; the details come after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Format number of this document.
    pub format: u32,
    /// Run id.
    pub run_id: String,
    /// State of the alarm, for the coloured dot.
    pub state: AlarmState,
    /// Whether the alarm had recovered when the report was made; the dot follows it.
    pub recovered: bool,
    /// At most 120 characters: resource, impact, still or recovered, verdict. Push text, SNS subject.
    pub push: String,
    /// Line 1: what and where.
    pub title: Line,
    /// Line 2: still or recovered, and since when.
    pub condition: Line,
    /// Line 4: the verdict in capitals and what agrees.
    pub verdict: Line,
    /// What the verdict says, one to three sentences.
    pub statement: Vec<Line>,
    /// Count, denominator, share, normal; then the sparkline.
    pub impact: Vec<Line>,
    /// Why, next, what was not visible; in order.
    pub sections: Vec<Section>,
    /// "Not known yet", "Not checked".
    pub limits: Vec<Line>,
    /// Alarm, deploy, logs, full report.
    pub links: Vec<Span>,
    /// Counts of what was re-read, model, cost, run.
    pub footer: Vec<Line>,
    /// How much of a log's words channels show.
    #[serde(default)]
    pub log_quotes: LogQuotes,
    /// What the full report adds.
    pub details: Vec<Detail>,
    /// The machine's part: alarm, verdict, evidence, costs; the report JSON prints it.
    pub data: serde_json::Value,
    /// What a later question is answered from. The report JSON holds it; what is remembered for another try of the run does
    /// not, as that must stay small.
    #[serde(skip)]
    pub kept: Option<Carried>,
}

/// What `data.version` and the footer of every report say.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Document {
    /// Returns a message that is about no alarm: the agent speaks of itself. `id` stands where a run's id does.
    pub fn of_itself(id: &str, push: String, title: &str, condition: String, verdict: &str) -> Self {
        Document {
            format: FORMAT,
            run_id: id.to_owned(),
            state: AlarmState::Ok,
            recovered: true,
            push,
            title: Line::text(title),
            condition: Line::text(condition),
            verdict: Line(vec![Span::Bold(verdict.to_owned())]),
            statement: Vec::new(),
            impact: Vec::new(),
            sections: Vec::new(),
            limits: Vec::new(),
            links: Vec::new(),
            footer: vec![Line::text(format!("v{VERSION}"))],
            log_quotes: LogQuotes::default(),
            details: Vec::new(),
            data: serde_json::json!({ "outcome": id }),
            kept: None,
        }
    }
}
