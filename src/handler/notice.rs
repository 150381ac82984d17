//! What is told and not investigated: recoveries, the agent's own alarms, one that fires again.

use super::{Run, Why, Worked};
use crate::alarm::AlarmState;
use crate::clock::Timestamp;
use crate::delivery::{Posting, deliver_all};
use crate::id::RunId;
use crate::model::budget::Spent;
use crate::report::Document;
use crate::report::compose::{self, Earlier};
use crate::run::{Receipt, RunRecord};
use crate::store::incidents::{self, Recovery};

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
        let reported =
            |earlier: Option<&Earlier>| earlier.map(|earlier| earlier.receipts.clone()).unwrap_or_default();
        match self.incident.alarm.new_state {
            AlarmState::Ok => return Some(self.recovered(record, earlier).await),
            AlarmState::InsufficientData => {
                let document = compose::state_change(&self.incident, &record.run_id, earlier, None, &[]);
                return Some(Notice::With(Box::new(document), reported(earlier)));
            }
            AlarmState::Alarm => {}
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
        record.below = incident;
        Worked { record, document, spent: Spent::default() }
    }

    /// A change to OK: told once for an incident, by the alarm that opened it, by the last one of it that fired, or by the
    /// report itself.
    async fn recovered(&self, record: &RunRecord, earlier: Option<&Earlier>) -> Notice {
        let (first, firing, below) = match self.recovery().await {
            Recovery::Reported => return Notice::Silent("recovered_with_incident"),
            Recovery::Member(open) => {
                let Some(first) = open.first.clone().filter(|_| open.reported.is_some()) else {
                    return Notice::Silent("recovered_with_incident");
                };
                // An alarm without an OK action never tells that it is over.
                let others = std::iter::once(first.alarm.as_str());
                let is_over = self.still_firing(&open, others).await.is_empty();
                if !is_over || !self.ends(&first.event).await {
                    return Notice::Silent("recovered_with_incident");
                }
                (Some(first), Vec::new(), open.receipts())
            }
            Recovery::Ends(open) => {
                let firing = self.still_firing(&open, std::iter::empty()).await;
                if let Some(first) = open.first.as_ref().filter(|_| !firing.is_empty()) {
                    let kept = incidents::still_fires(self.services.store.as_ref(), &first.event).await;
                    self.remembered(kept, "the end of the other alarms is not told");
                }
                (open.first.clone(), firing, open.receipts())
            }
            Recovery::Unknown => {
                let below = earlier.map(|earlier| earlier.receipts.clone()).unwrap_or_default();
                (None, Vec::new(), below)
            }
        };
        let known = earlier.map(|earlier| earlier.again.unwrap_or(earlier.went_off));
        let went_off = first.map(|first| first.went_off).or(known);
        let document = compose::state_change(&self.incident, &record.run_id, earlier, went_off, &firing);
        Notice::With(Box::new(document), below)
    }

    /// Tells a recovery that came while the report was on its way and that the report does not tell.
    pub(super) async fn tell_recovery(&self, at: Timestamp, run_id: &RunId, delivered: &[Receipt]) {
        let mut over = self.incident.clone();
        over.alarm.old_state = Some(over.alarm.new_state);
        over.alarm.new_state = AlarmState::Ok;
        over.alarm.changed_at = at;
        let mut document =
            compose::state_change(&over, run_id, None, Some(self.incident.alarm.changed_at), &[]);
        self.services.config.readers.fit(&mut document);
        let places = self.places().await;
        let slack_channel = places.slack_channel.as_deref();
        let posting = Posting { slack_channel, ..Posting::notice(&document, delivered) };
        deliver_all(&places.channels, posting, self.deadline, self.observer).await;
    }
}
