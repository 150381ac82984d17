//! Composes the document from a run: what a responder reads first stands first.
//!
//! Every word on the card is ours, a checked claim, or redacted evidence. Links are built here from ids.

mod card;
mod chart;
mod data;
mod details;
mod footer;
mod notice;
mod quotes;
mod sections;

use serde::{Deserialize, Serialize};

use crate::alarm::{AlarmState, Hints};
use crate::analysis::Analysis;
use crate::clock::Timestamp;
use crate::diagnosis::GivenUp;
use crate::evidence::text::moment;
use crate::evidence::{Body, Ledger};
use crate::finding::claim::Piece;
use crate::finding::{Checked, ClaimKind, Verdict, VerdictKind, verify};
use crate::gather::insights::Scanned;
use crate::gather::recheck::Condition;
use crate::id::{EvidenceId, RunId};
use crate::incident::Incident;
use crate::investigation::depth::Choice;
use crate::investigation::{Investigation, InvestigationOutcome};
use crate::model::budget::Spent;
use crate::model::ladder::Ladder;
use crate::report::data::StoredAt;
use crate::report::document::{Document, FORMAT, Line, Span};
use crate::report::readers::LogQuotes;
use crate::report::steps::{self, Step};
use crate::store::incidents::OpenIncident;
pub use notice::{Earlier, firing_again, linked, own_alarm, state_change, test_alarm};

/// Most citations behind a sentence; more are noise on a phone, and the report JSON has all of them.
const MOST_MARKS: usize = 3;

/// What is told.
pub struct Told<'a> {
    /// Which run.
    pub run_id: &'a RunId,
    /// What was investigated.
    pub incident: &'a Incident,
    /// All evidence and gaps.
    pub ledger: &'a Ledger,
    /// What was computed.
    pub analysis: &'a Analysis,
    /// Still or recovered, as read just now.
    pub condition: &'a Condition,
    /// What the agents came to, where they were asked.
    pub investigation: Option<&'a Investigation>,
    /// How deep the run went, and why.
    pub depth: &'a Choice,
    /// The models of the run, with the reason for which each stands where it does.
    pub ladder: &'a Ladder,
    /// The calendar day by which models are judged, `2026-11-24`.
    pub today: &'a str,
    /// What a person wants to know, where the run is to answer a question.
    pub question: Option<&'a str>,
    /// Other alarms that this report answers as well.
    pub also: &'a [Also],
    /// The incident that is looked at again, because this alarm's metric moved first.
    pub second_look: Option<&'a OpenIncident>,
    /// Until when the conclusion follows, where this is told before it.
    pub follows: Option<Timestamp>,
    /// Why they were not asked, where they were not.
    pub why_facts: Option<&'a str>,
    /// Models that were left, why, and what that means.
    pub left: &'a [GivenUp],
    /// What the models cost.
    pub spent: &'a Spent,
    /// What Logs Insights scanned.
    pub scanned: &'a Scanned,
    /// Log groups of the incident.
    pub log_groups: &'a [String],
    /// Where the report will be kept, where it will.
    pub stored: Option<&'a StoredAt>,
    /// What the alarm's owner asks for.
    pub hints: &'a Hints,
    /// How long the run took so far.
    pub took: std::time::Duration,
}

/// An alarm that another one's report answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Also {
    /// Its name.
    pub alarm: String,
    /// Why it belongs there; `None` where it came in one event with the other, on the same resource.
    pub because: Option<String>,
}

impl<'a> Told<'a> {
    /// Returns the verdict, where there is one.
    fn verdict(&self) -> Option<&'a Verdict> {
        match &self.investigation?.outcome {
            InvestigationOutcome::Investigated(verdict) => Some(verdict),
            InvestigationOutcome::FactsOnly { .. } => None,
        }
    }

    /// Returns the claims that stand.
    fn claims(&self) -> &'a [Checked] {
        self.investigation.map(|investigation| investigation.claims.as_slice()).unwrap_or_default()
    }

    /// Returns the cause that the verdict lets stand; a rejected one is not told.
    fn cause(&self) -> Option<&'a Checked> {
        let kind = self.verdict()?.kind;
        matches!(kind, VerdictKind::CauseShown | VerdictKind::LikelyCause)
            .then(|| self.claims().iter().find(|checked| checked.claim.kind == ClaimKind::Cause))
            .flatten()
    }

    /// Returns the statement that stands.
    fn statement(&self) -> Option<&'a Checked> {
        self.investigation?.statement.as_ref()
    }

    /// Returns the evidence's mark as a link, where the evidence has a page.
    fn mark(&self, id: &EvidenceId) -> Span {
        Span::Evidence { id: id.clone(), url: self.console(id) }
    }

    /// Returns the page on which the evidence can be seen; for a derived fact that of its first input.
    fn console(&self, id: &EvidenceId) -> Option<String> {
        let evidence = self.ledger.get(id)?;
        match &evidence.body {
            Body::Fact(fact) => {
                fact.inputs.iter().find_map(|input| self.ledger.get(input)?.query.console.clone())
            }
            Body::Series(_)
            | Body::Logs(_)
            | Body::Rows(_)
            | Body::Change(_)
            | Body::Alarm(_)
            | Body::Nothing => evidence.query.console.clone(),
        }
    }

    /// Returns a claim's text with its references filled in and its evidence marked.
    fn line(&self, checked: &Checked) -> Line {
        let mut line = Line::default();
        let mut marked: Vec<EvidenceId> = Vec::new();
        for piece in checked.claim.pieces() {
            match piece {
                Piece::Words(words) => line.0.push(Span::Text(words)),
                Piece::Reference { evidence, at } => {
                    match verify::filled(&evidence, at.as_deref(), self.ledger) {
                        Some(value) => line.0.push(Span::Text(value)),
                        None => {
                            line.0.push(self.mark(&evidence));
                            marked.push(evidence);
                        }
                    }
                }
            }
        }
        let cited = verify::cited(std::slice::from_ref(checked));
        for id in cited.iter().filter(|id| !marked.contains(id)).take(MOST_MARKS) {
            line.0.push(Span::Text(" ".into()));
            line.0.push(self.mark(id));
        }
        line
    }

    /// Returns the next steps in the order in which they are printed: those chosen, else those that apply.
    fn steps(&self) -> Vec<Step> {
        let offered = steps::offered(self.incident, self.ledger, self.analysis, self.log_groups);
        let Some(investigation) =
            self.investigation.filter(|investigation| !investigation.next_steps.is_empty())
        else {
            return offered;
        };
        let order = |step: &Step| investigation.next_steps.iter().position(|id| *id == step.id);
        let mut chosen: Vec<(usize, Step)> =
            offered.into_iter().filter_map(|step| Some((order(&step)?, step))).collect();
        // The model's order, but a look always comes before a change.
        chosen.sort_by_key(|(order, step)| (step.changes.is_some(), *order));
        chosen.into_iter().map(|(_, step)| step).collect()
    }
}

/// Puts the state of the alarm as it is now into a document that an earlier try composed.
pub fn renew(document: &mut Document, incident: &Incident, condition: &Condition) {
    card::renew(document, incident, condition);
}

/// Says that an answer comes from what another run had read.
pub fn from_kept(document: &mut Document, run_id: &RunId, as_of: Timestamp) {
    let read = moment(as_of);
    let line = format!("Answered from what run {run_id} had read by {read} UTC; nothing was read since.");
    document.limits.insert(0, Line::text(line));
    if let Some(data) = document.data.as_object_mut() {
        data.insert("from_run".into(), run_id.as_str().into());
    }
}

/// Returns the run's outcome as logs, EMF and JSON spell it.
pub fn outcome_name(investigation: Option<&Investigation>, is_question: bool) -> &'static str {
    let Some(investigation) = investigation else { return "facts_only" };
    match &investigation.outcome {
        InvestigationOutcome::Investigated(_) if is_question && investigation.statement.is_some() => {
            "answered"
        }
        InvestigationOutcome::Investigated(_) if is_question => "not_answered",
        InvestigationOutcome::Investigated(verdict) => verdict.kind.as_str(),
        InvestigationOutcome::FactsOnly { .. } => "facts_only",
    }
}

/// Composes the report of an investigated alarm.
pub fn document(told: &Told<'_>) -> Document {
    let alarm = &told.incident.alarm;
    let mut document = Document {
        format: FORMAT,
        run_id: told.run_id.to_string(),
        state: card::state(told.incident, told.condition),
        recovered: alarm.new_state == AlarmState::Alarm
            && matches!(told.condition, Condition::Recovered { .. }),
        push: card::push(told),
        title: card::title(told.incident, told.hints),
        condition: card::condition(told),
        verdict: card::verdict(told),
        statement: card::statement(told),
        impact: card::impact(told),
        sections: sections::sections(told),
        limits: sections::limits(told),
        links: card::links(told),
        footer: footer::footer(told),
        details: details::details(told),
        log_quotes: LogQuotes::default(),
        data: data::data(told).value(),
        kept: None,
    };
    quotes::mark(&mut document, told.ledger);
    document
}
