//! The machine's part of a report. These types are the one source of the report JSON, of its schema
//! (`docs/report.schema.json`) and of what the HTML report shows beyond the card.
//!
//! Everything in them is bounded: a report is kept in the state table. Whole series and log groups stay where they are;
//! the command and the console link of each piece of evidence lead there.

mod chart;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alarm::Hints;
use crate::clock::Timestamp;
use crate::evidence::{Gap, Source, Status, Window};
use crate::finding::{ClaimKind, Counts, Review, VerdictKind};
use crate::gather::insights::Scanned;
use crate::id::{EventKey, EvidenceId, RunId};
use crate::investigation::AgentEnd;
use crate::investigation::depth::Choice;
use crate::model::budget::Spent;
use crate::report::compose::{Also, Earlier};
use crate::report::document::Document;
use crate::report::steps::Step;

pub use chart::{ChangeMark, Chart, NormalBand, PointData};

/// The facts of a run. A notice that investigates nothing has the first few only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Data {
    /// Version of the program that made the report, as 0.1.0; empty where none is known.
    pub version: String,
    /// A verdict, `facts_only`, `answered`, `not_answered`, or a notice: `state_change`, `linked`, `firing_again`,
    /// `test_alarm`, `own_alarm`.
    pub outcome: String,
    /// The alarm.
    pub alarm: AlarmData,
    /// What was asked, where the run answers a question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The run whose kept evidence the question is answered from, where nothing was read anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_run: Option<RunId>,
    /// What the alarm's owner asks for, by tags and description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hints: Option<Hints>,
    /// The earlier report that a notice refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// Other alarms that this report answers as well.
    pub also_firing: Vec<Also>,
    /// Run of the incident that is looked at again, because this alarm's metric moved first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_look_at: Option<RunId>,
    /// The alarm of whose incident a notice tells more alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_to: Option<LinkedTo>,
    /// The alarms that such a notice tells.
    pub linked: Vec<LinkedAlarm>,
    /// How deep the run went, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<Choice>,
    /// The moment that the run calls "now".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub as_of: Option<Timestamp>,
    /// Where the report is kept, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<StoredAt>,
    /// Channels that are known not to have taken it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undelivered: Vec<Undelivered>,
    /// What was investigated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentData>,
    /// Still or recovered, as it was read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionData>,
    /// The verdict, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictKind>,
    /// Sources that agree on the cause.
    pub agreeing: Vec<Source>,
    /// What a stronger verdict lacks, a line each.
    pub lacks: Vec<String>,
    /// The review of the proposed cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The sentence under the verdict, where it is not the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<ClaimData>,
    /// The claims that stand, in the order of the card.
    pub claims: Vec<ClaimData>,
    /// How much was re-read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// How each agent ended.
    pub agents: Vec<AgentEnd>,
    /// Where to look first, by computation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadData>,
    /// What to do, looks before changes.
    pub next_steps: Vec<Step>,
    /// The alarm's metric, to be drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineItem>,
    /// What was seen, in the order of the plan.
    pub evidence: Vec<EvidenceData>,
    /// What could not be looked at.
    pub not_checked: Vec<Gap>,
    /// What is never looked at for this kind of resource.
    pub blind_spots: Vec<String>,
    /// The models in the order in which they are asked.
    pub ladder: Vec<Rung>,
    /// Models that were left.
    pub models_given_up: Vec<ModelLeft>,
    /// What the models cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// What Logs Insights scanned, where it was to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insights: Option<Scanned>,
}

impl Data {
    /// Reads the facts of a document; what another version wrote otherwise is left out.
    pub fn of(document: &Document) -> Self {
        Data::deserialize(&document.data).unwrap_or_default()
    }

    /// Returns the facts as a document carries them.
    pub fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Returns the evidence with this id.
    pub fn find(&self, id: &EvidenceId) -> Option<&EvidenceData> {
        self.evidence.iter().find(|item| item.id == *id)
    }

    /// Returns every address into the console.
    pub(crate) fn consoles_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let evidence = self.evidence.iter_mut().filter_map(|item| item.console.as_mut());
        evidence.chain(self.next_steps.iter_mut().filter_map(|step| step.link.as_mut()))
    }
}

/// The alarm.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AlarmData {
    /// Its name.
    pub name: String,
    /// Its ARN, where the event tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The account that it lies in.
    pub account: String,
    /// The Region that it lies in.
    pub region: String,
    /// When it changed its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub changed_at: Option<Timestamp>,
    /// Why, in the alarm's own words, without secrets.
    pub reason: String,
}

/// Where a report is kept: two objects of an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StoredAt {
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the page.
    pub html: String,
    /// Key of the JSON report.
    pub json: String,
}

impl StoredAt {
    /// What the link to the page is called on cards.
    pub const LABEL: &'static str = "Full report";
}

/// A channel that did not take a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Undelivered {
    /// Its name.
    pub channel: String,
    /// Why, in one line.
    pub reason: String,
}

/// The alarm that opened an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LinkedTo {
    /// Its name.
    pub alarm: String,
    /// The run that reported it.
    pub run_id: RunId,
}

/// An alarm that belongs to an open incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LinkedAlarm {
    /// Its state change.
    pub event: EventKey,
    /// Its name.
    pub alarm: String,
    /// Why it belongs there, in words.
    pub because: String,
    /// Whether a line or the report has told it.
    pub told: bool,
}

/// What was investigated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IncidentData {
    /// Names the incident.
    pub id: String,
    /// What the alarm watches.
    pub resource: String,
    /// From before the first breaching datapoint to "now".
    pub window: Window,
    /// First breaching datapoint, as far as the event tells it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub first_breach: Timestamp,
    /// When the symptom began, as computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub onset: Option<Timestamp>,
    /// Normal times that it was compared with, nearest first.
    pub baselines: Vec<Window>,
}

/// Whether the symptom goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConditionData {
    /// `still`, `recovered`, `no data` or `state unknown`.
    pub state: String,
    /// When that was read, or since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub at: Option<Timestamp>,
    /// Value of the last complete period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A claim that was checked and stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClaimData {
    /// What it is for.
    pub kind: ClaimKind,
    /// The sentence, with its values filled in.
    pub text: String,
    /// What it names as the cause: `version 58`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Sources that it rests on; a computed fact counts as what it was computed from.
    pub sources: Vec<Source>,
    /// What it rests on; each was read again.
    pub citations: Vec<CitationData>,
}

/// What a claim rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CitationData {
    /// Which evidence.
    pub evidence: EvidenceId,
    /// Exact words of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Of a metric: the time of the datapoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Of a metric: the value at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// Where to look first, by computation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeadData {
    /// What: `version 58`.
    pub entity: String,
    /// Why, most telling first.
    pub reasons: Vec<String>,
    /// Where that stands.
    pub evidence: Vec<EvidenceId>,
}

/// The lane of the timeline that an entry stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Deployments, traffic, configuration.
    Changes,
    /// New texts in the logs.
    Logs,
    /// Metrics that left their normal range.
    Metrics,
    /// The alarm itself.
    Alarms,
}

impl Lane {
    /// Every lane, causes before symptoms.
    pub const ALL: [Lane; 4] = [Lane::Changes, Lane::Logs, Lane::Metrics, Lane::Alarms];

    /// Returns the lane's heading.
    pub fn heading(self) -> &'static str {
        match self {
            Lane::Changes => "Changes",
            Lane::Logs => "Logs",
            Lane::Metrics => "Metrics",
            Lane::Alarms => "Alarms",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimelineItem {
    /// When.
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// Whether only the minute is known, as of a metric.
    pub to_the_minute: bool,
    /// In which lane it stands.
    pub lane: Lane,
    /// What, in a few words.
    pub text: String,
    /// Where it stands.
    pub evidence: EvidenceId,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EvidenceData {
    /// Cited by this id.
    pub id: EvidenceId,
    /// Where it comes from.
    pub source: Source,
    /// What was asked.
    pub title: String,
    /// What came of asking.
    pub status: Status,
    /// The time that was asked for.
    pub window: Window,
    /// The newest moment that the source shows, where it lags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub seen_up_to: Option<Timestamp>,
    /// Whether it only says what is normal.
    #[serde(default)]
    pub for_comparison: bool,
    /// A read-only AWS CLI line that shows it again; empty for a computed fact.
    #[serde(default)]
    pub command: String,
    /// Its page in the console; for a computed fact that of its first input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// What was found, as text, from its beginning.
    #[serde(default)]
    pub excerpt: String,
    /// Whether the excerpt leaves something out.
    #[serde(default)]
    pub cut: bool,
    /// Of a computed fact: how the value follows from the inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Of a computed fact: what it was computed from.
    #[serde(default)]
    pub inputs: Vec<EvidenceId>,
}

/// A model and why it stands where it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rung {
    /// Its id.
    pub model: String,
    /// Why it is asked at this place.
    pub reason: String,
    /// What is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
}

/// A model that was left, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelLeft {
    /// Its id.
    pub model: String,
    /// The class of the failure: `throttled`, `access denied`.
    pub class: String,
    /// The provider's own words, shortened.
    pub message: String,
    /// Tries made.
    pub attempts: u32,
    /// What it means.
    pub cause: String,
    /// What to do, most useful first.
    pub remedies: Vec<String>,
}

/// Groups evidence by its source, in the order of first appearance.
pub(crate) fn by_source(evidence: &[EvidenceData]) -> BTreeMap<Source, Vec<&EvidenceData>> {
    let mut groups: BTreeMap<Source, Vec<&EvidenceData>> = BTreeMap::new();
    for item in evidence {
        groups.entry(item.source).or_default().push(item);
    }
    groups
}
