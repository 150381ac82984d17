//! What is told and not investigated: recoveries, the agent's own alarms, one that fires again.

use super::{Run, Why, Worked};
use crate::model::budget::Spent;
use crate::report::Document;
use crate::report::compose::{self, Earlier};
use crate::run::{Receipt, RunRecord};
use crate::store::incidents::Recovery;

/// How a run ends that investigates nothing.
pub(super) enum Notice {
    /// With a message of its own, below the card of the incident that it belongs to.
    With(Box<Document>, Vec<Receipt>),
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
            let (first, firing, below) = match self.recovery().await {
                Recovery::Member(_) | Recovery::Reported => {
                    return Some(Notice::Silent("recovered_with_incident"));
                }
                Recovery::Ends(incident) => {
                    (incident.first.clone(), self.still_firing(&incident).await, incident.receipts())
                }
                Recovery::Unknown => (None, Vec::new(), Vec::new()),
            };
            let went_off = first.map(|first| first.went_off).or(earlier.map(|earlier| earlier.went_off));
            let document = compose::state_change(&self.incident, &record.run_id, earlier, went_off, &firing);
            return Some(Notice::With(Box::new(document), below));
        }
        if self.is_own() {
            let document = compose::own_alarm(&self.incident, &record.run_id);
            return Some(Notice::With(Box::new(document), Vec::new()));
        }
        let (earlier, until) = self.cooling_down(earlier)?;
        let document = compose::firing_again(&self.incident, &record.run_id, earlier, until);
        Some(Notice::With(Box::new(document), earlier.receipts.clone()))
    }

    /// Ends a run that investigates nothing further; the document knows what came of it.
    pub(super) fn told(mut record: RunRecord, notice: Notice) -> Worked {
        let (document, outcome, incident) = match notice {
            Notice::With(document, incident) => {
                let outcome = document.data.get("outcome").and_then(serde_json::Value::as_str);
                let outcome = outcome.map(str::to_owned);
                (Some(*document), outcome, incident)
            }
            Notice::Silent(outcome) => (None, Some(outcome.to_owned()), Vec::new()),
        };
        record.outcome = outcome;
        Worked { record, document, spent: Spent::default(), incident }
    }
}
