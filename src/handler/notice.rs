//! What is told and not investigated: recoveries, the agent's own alarms, one that fires again.

use super::{Run, Why, Worked};
use crate::model::budget::Spent;
use crate::report::Document;
use crate::report::compose::{self, Earlier};
use crate::run::{RunRecord, Stage};
use crate::store::incidents::Recovery;

/// How a run ends that investigates nothing.
pub(super) enum Notice {
    /// With a message of its own.
    With(Box<Document>),
    /// Without one: another alarm's message tells it. The outcome.
    Silent(&'static str),
}

/// Tells whether an outcome is that of a report, which alarms can be linked to.
pub(super) fn is_report(outcome: &str) -> bool {
    !matches!(
        outcome,
        "state_change" | "firing_again" | "linked" | "test_alarm" | "own_alarm" | "recovered_with_incident"
    )
}

impl Run<'_> {
    /// Returns what a change of state is told with that is no alarm to investigate: the agent's own, one that was reported
    /// a moment ago, or a recovery, which one alarm of an incident tells for all.
    pub(super) async fn notice(&self, record: &RunRecord, earlier: Option<&Earlier>) -> Option<Notice> {
        if self.why != Why::StateChange {
            return None;
        }
        if !self.is_alarm() {
            let (length, firing) = match self.recovery().await {
                Recovery::Member(_) => return Some(Notice::Silent("recovered_with_incident")),
                Recovery::Ends(incident) => (incident.first.clone(), self.still_firing(&incident).await),
                Recovery::Unknown => (None, Vec::new()),
            };
            let went_off = length.map(|first| first.went_off).or(earlier.map(|earlier| earlier.went_off));
            let document = compose::state_change(&self.incident, &record.run_id, earlier, went_off, &firing);
            return Some(Notice::With(Box::new(document)));
        }
        if self.is_own() {
            return Some(Notice::With(Box::new(compose::own_alarm(&self.incident, &record.run_id))));
        }
        let (earlier, until) = self.cooling_down(earlier)?;
        let document = compose::firing_again(&self.incident, &record.run_id, earlier, until);
        Some(Notice::With(Box::new(document)))
    }

    /// Ends a run that investigates nothing further; the document knows what came of it.
    pub(super) async fn told(&self, mut record: RunRecord, notice: Notice) -> Worked {
        let document = match notice {
            Notice::With(document) => *document,
            Notice::Silent(outcome) => {
                record.outcome = Some(outcome.to_owned());
                return Worked { record, document: None, spent: Spent::default() };
            }
        };
        let outcome = document.data.get("outcome").and_then(serde_json::Value::as_str);
        record.outcome = outcome.map(str::to_owned);
        self.keep(&mut record, Stage::Report, Some(&document)).await;
        Worked { record, document: Some(document), spent: Spent::default() }
    }
}
