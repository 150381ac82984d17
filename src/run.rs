//! The run as a stream of events, and the record that survives it.
//!
//! Everything that happens is one append-only stream of [`RunEvent`]s through an [`Observer`]. The handler prints
//! nothing: the Lambda attaches a JSON log and an EMF line, the command line its progress, a test a recorder.

pub mod emf;
pub mod json_log;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Stopwatch;
use crate::id::{EventKey, EvidenceId, RunId};

/// Format number of [`RunRecord`].
pub const RECORD_FORMAT: u32 = 1;

/// A step of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the telemetry.
    Gather,
    /// Computing onset, templates, lead.
    Analysis,
    /// Asking the agents.
    Investigation,
    /// Reading state and last period again.
    Recheck,
    /// Composing the document.
    Report,
    /// Posting it.
    Delivery,
}

impl Stage {
    /// Returns the stage's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Gather => "gather",
            Stage::Analysis => "analysis",
            Stage::Investigation => "investigation",
            Stage::Recheck => "recheck",
            Stage::Report => "report",
            Stage::Delivery => "delivery",
        }
    }
}

/// Something that happened. Holds counts, names and ids, never a prompt, a log body or a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// A record of the event was not investigated.
    Ignored {
        /// Why, in one line.
        reason: String,
    },
    /// A run began.
    Started {
        /// Alarm name.
        alarm: String,
        /// State that the alarm changed to.
        state: String,
        /// The moment that the run calls "now".
        as_of: String,
    },
    /// How deep the run goes, and why.
    DepthChosen {
        /// `facts`, `brief` or `full`.
        depth: String,
        /// One line.
        reason: String,
        /// Calls planned.
        planned_calls: u32,
    },
    /// A stage began.
    StageStarted {
        /// Which.
        stage: Stage,
    },
    /// A stage ended.
    StageFinished {
        /// Which.
        stage: Stage,
        /// How long it took.
        took: Duration,
        /// In a few words: `14 pieces of evidence, 1 gap`.
        summary: String,
    },
    /// Evidence was read, or could not be.
    Gathered {
        /// Its id.
        id: EvidenceId,
        /// `found`, `empty`, `access denied`, …
        status: String,
        /// What was asked.
        title: String,
    },
    /// The client for a model was made.
    ModelClientCreated {
        /// Model id.
        model: String,
        /// Region.
        region: String,
        /// `bedrock`.
        provider: String,
    },
    /// An agent began.
    AgentStarted {
        /// Role.
        agent: String,
    },
    /// A request was sent to a model.
    ModelCalled {
        /// Role.
        agent: String,
        /// One-based.
        turn: u32,
        /// Model id.
        model: String,
        /// The API operation: `Converse`.
        api: String,
        /// One-based try.
        attempt: u32,
    },
    /// A model answered.
    ModelAnswered {
        /// Role.
        agent: String,
        /// One-based.
        turn: u32,
        /// Model id.
        model: String,
        /// The provider's request id: proof that the request reached it and that the caller was authenticated.
        request_id: Option<String>,
        /// How long it took.
        took: Duration,
        /// Tokens in, cached ones included.
        input_tokens: u64,
        /// Tokens out.
        output_tokens: u64,
        /// Why it stopped.
        stop: String,
    },
    /// A model call failed.
    ModelFailed {
        /// Role.
        agent: String,
        /// Model id.
        model: String,
        /// `throttled`, `retired`, …
        class: String,
        /// The provider's words, shortened and redacted.
        message: String,
        /// The provider's request id.
        request_id: Option<String>,
        /// One-based try.
        attempt: u32,
    },
    /// The caller waits before the next try.
    Waiting {
        /// Role.
        agent: String,
        /// Model id.
        model: String,
        /// How long.
        wait: Duration,
    },
    /// A refused request was changed and is sent again.
    RequestRepaired {
        /// Role.
        agent: String,
        /// Model id.
        model: String,
        /// What was changed: `sent with a free choice of tools`.
        repair: String,
    },
    /// A model of the ladder was given up.
    RungLeft {
        /// Model id.
        model: String,
        /// `throttled 5 times in 41 s`.
        reason: String,
        /// The next model, if one is left.
        next: Option<String>,
    },
    /// What a model's failure means, once a run for each model that was given up.
    Diagnosed {
        /// Model id.
        model: String,
        /// Name of the signature, for instance `needs_profile`.
        diagnosis: String,
        /// Why it failed.
        cause: String,
        /// The first thing to do.
        remedy: String,
        /// The command to run next.
        next: String,
    },
    /// An agent used a tool.
    ToolCalled {
        /// Role.
        agent: String,
        /// Tool name.
        tool: String,
        /// Evidence that it added or re-read.
        evidence: Vec<EvidenceId>,
        /// `found`, `empty`, `refused: …`.
        outcome: String,
    },
    /// An agent ended.
    AgentFinished {
        /// Role.
        agent: String,
        /// `complete`, `partial: …` or `failed: …`.
        outcome: String,
    },
    /// Claims were checked against the ledger.
    ClaimsChecked {
        /// Quotes and numbers that were re-read and hold.
        held: u32,
        /// Quotes and numbers that were checked.
        checked: u32,
        /// Claims removed.
        removed: u32,
    },
    /// A channel took the report.
    Delivered {
        /// Channel name.
        channel: String,
        /// Its reference.
        reference: Option<String>,
        /// Anything that it could not take as it was.
        note: Option<String>,
    },
    /// A channel did not take the report.
    DeliveryFailed {
        /// Channel name.
        channel: String,
        /// Why.
        reason: String,
    },
    /// Something that an operator should know and that stops nothing.
    Warning {
        /// In one line.
        message: String,
    },
    /// The agent has looked at itself: the heartbeat.
    SelfChecked {
        /// The function that looked, by Lambda's own name for it; `None` elsewhere.
        function: Option<String>,
        /// Configured models that can be called.
        usable: usize,
    },
    /// The run ended.
    Finished {
        /// `cause_shown`, `facts_only`, `state_change`, …; `undelivered` where no channel took the report.
        outcome: String,
        /// From the start to here.
        took: Duration,
        /// Model calls that were answered.
        model_calls: u32,
        /// Tokens in.
        input_tokens: u64,
        /// Tokens out.
        output_tokens: u64,
        /// Estimated cost; `None` where a model has no known price or none was asked.
        cost_usd: Option<f64>,
        /// The share of each agent.
        agents: Vec<AgentShare>,
        /// Bytes that Logs Insights scanned.
        insights_bytes: u64,
        /// The limits that were reached: `cost`, `day_tokens`, `insights_bytes`.
        tripped: Vec<String>,
    },
}

/// What one agent took of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentShare {
    /// Role.
    pub agent: String,
    /// Model calls that were answered.
    pub model_calls: u32,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Estimated cost; `None` where a model has no known price.
    pub cost_usd: Option<f64>,
}

/// An event with its run and moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Which run; empty before one began.
    pub run_id: String,
    /// Since the run's start.
    pub elapsed: Duration,
    /// What happened.
    #[serde(flatten)]
    pub event: RunEvent,
}

/// Receives every event of a run.
pub type Sink = Arc<dyn Fn(&Stamped) + Send + Sync>;

/// Hands events to every sink, stamped.
#[derive(Clone)]
pub struct Observer {
    run_id: String,
    since: Stopwatch,
    sinks: Arc<[Sink]>,
}

impl Observer {
    /// Returns an observer of a process that has not begun a run.
    pub fn new(sinks: Vec<Sink>) -> Self {
        Observer { run_id: String::new(), since: Stopwatch::start(), sinks: sinks.into() }
    }

    /// Returns an observer for one run; its clock starts now.
    #[must_use]
    pub fn for_run(&self, run_id: &RunId) -> Self {
        Observer { run_id: run_id.to_string(), since: Stopwatch::start(), sinks: Arc::clone(&self.sinks) }
    }

    /// Returns an observer that also feeds `sink`.
    #[must_use]
    pub fn and(&self, sink: Sink) -> Self {
        let sinks = self.sinks.iter().cloned().chain([sink]).collect();
        Observer { run_id: self.run_id.clone(), since: self.since, sinks }
    }

    /// Tells every sink.
    pub fn emit(&self, event: RunEvent) {
        let stamped = Stamped { run_id: self.run_id.clone(), elapsed: self.since.elapsed(), event };
        for sink in self.sinks.iter() {
            sink(&stamped);
        }
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Observer({}, {} sinks)", self.run_id, self.sinks.len())
    }
}

/// Proof that a channel took a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Receipt {
    /// Channel name.
    pub channel: String,
    /// What identifies the message at the channel: an SNS message id, a Slack channel and `ts`.
    pub reference: Option<String>,
    /// Anything that the channel could not take as it was, for instance `blocks refused, sent as plain text`.
    pub note: Option<String>,
    /// Whether this is the facts card of a report whose conclusion is still to come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub facts: bool,
}

/// What is kept of a run, after each stage, so that another try continues instead of beginning again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RECORD_FORMAT`].
    pub format: u32,
    /// Which run.
    pub run_id: RunId,
    /// Which state change it is about.
    pub event: EventKey,
    /// The last stage that ended.
    pub stage: Stage,
    /// `cause_shown`, `facts_only`, …; absent until there is one.
    pub outcome: Option<String>,
    /// The report document, once composed.
    pub document: Option<serde_json::Value>,
    /// Channels that took it.
    pub receipts: Vec<Receipt>,
    /// Where the card of the incident stands that its message belongs to.
    #[serde(default)]
    pub below: Vec<Receipt>,
    /// Channels that did not take it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undelivered: Vec<String>,
}
