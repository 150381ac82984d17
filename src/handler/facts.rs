//! Facts first: what is known a few seconds after the start is posted, while the models are still asked.
//!
//! Where the conclusion is ready by then there is one message. Whether the facts were posted is kept at once, so that a try
//! that dies after them is continued below them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Run, Worked, locked};
use crate::alarm::Hints;
use crate::analysis::{self, Analysis};
use crate::clock::{Deadline, Stopwatch, Timestamp};
use crate::delivery::Kind;
use crate::evidence::Ledger;
use crate::gather::insights::Scanned;
use crate::gather::recheck::recheck;
use crate::gather::{Gathered, SoFar};
use crate::investigation::depth::{Choice, Depth};
use crate::model::budget::Spent;
use crate::report::compose::{self, Earlier, Told};
use crate::run::{RunRecord, Stage};
use crate::store::incidents::{self, OpenIncident};

/// Time to read the state again and to post, before the facts are due.
const POST_TIME: Duration = Duration::from_secs(2);

/// A case that is worked on.
pub(super) struct Open {
    pub(super) watch: Stopwatch,
    pub(super) earlier: Option<Earlier>,
    pub(super) second_look: Option<Box<OpenIncident>>,
    /// Kept after each stage, and when the facts are posted.
    pub(super) record: Mutex<RunRecord>,
    /// What was read and computed, once all of it was.
    pub(super) view: Mutex<Option<View>>,
}

impl Open {
    /// Returns the record as it is now.
    pub(super) fn record(&self) -> RunRecord {
        locked(&self.record)
    }
}

/// What was read and computed.
#[derive(Clone)]
pub(super) struct View {
    pub(super) ledger: Ledger,
    pub(super) analysis: Analysis,
    pub(super) log_groups: Vec<String>,
    pub(super) hints: Hints,
}

impl Run<'_> {
    /// Works on a case; the facts are posted where the conclusion takes longer than a responder should wait for anything.
    pub(super) async fn work_with_facts_first(&self, case: &Open) -> Worked {
        let so_far = SoFar::default();
        let posting = tokio::sync::Mutex::new(());
        let facts = async {
            let due = self.services.config.facts_time.saturating_sub(POST_TIME);
            tokio::time::sleep(due.saturating_sub(case.watch.elapsed())).await;
            let _posting = posting.lock().await;
            self.post_facts(case, &so_far).await;
        };
        let work = self.find_out(case, &so_far);
        tokio::pin!(facts, work);
        let mut worked = tokio::select! {
            biased;
            worked = &mut work => {
                // A card that is on its way is waited for: whether it arrived decides how the conclusion is told.
                if posting.try_lock().is_err() {
                    facts.await;
                }
                worked
            }
            () = &mut facts => work.await,
        };
        worked.record.receipts = case.record().receipts;
        worked
    }

    /// Tells until when the work may take.
    pub(super) fn work_until(&self) -> Deadline {
        self.deadline.less(self.reserve)
    }

    /// Computes what can be computed; the derived facts become evidence.
    pub(super) fn analysed(&self, gathered: Gathered) -> View {
        let Gathered { mut ledger, log_groups, hints } = gathered;
        let analysis = analysis::analyse(&self.incident, &ledger);
        for fact in &analysis.facts {
            ledger.push(fact.clone());
        }
        View { ledger, analysis, log_groups, hints }
    }

    async fn post_facts(&self, case: &Open, so_far: &SoFar) {
        let takes = self.places().await.channels.iter().any(|channel| channel.takes_facts());
        let is_posted = case.record().receipts.iter().any(|receipt| receipt.facts);
        if !takes || is_posted || self.why.question().is_some() {
            return;
        }
        let reader = self.reader(Deadline::after(POST_TIME / 2));
        let known = case.view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let view = known.unwrap_or_else(|| self.analysed(so_far.gathered(&self.incident, &reader)));
        let condition = recheck(&self.incident, &reader, self.services.clock.now()).await;
        let record = case.record();
        let mut document = compose::document(&Told {
            run_id: &record.run_id,
            incident: &self.incident,
            ledger: &view.ledger,
            analysis: &view.analysis,
            condition: &condition,
            investigation: None,
            depth: &Choice { depth: Depth::Facts, reason: "before the conclusion".into() },
            ladder: &self.services.ladder,
            today: &Self::today(),
            question: None,
            also: &[],
            second_look: case.second_look.as_deref(),
            follows: Some(self.follows_by()),
            why_facts: None,
            left: &[],
            spent: &Spent::default(),
            scanned: &Scanned::default(),
            log_groups: &view.log_groups,
            // It is kept with the conclusion.
            stored: None,
            hints: &view.hints,
            took: case.watch.elapsed(),
        });
        self.services.config.readers.fit(&mut document);
        let (receipts, _) = self.post(&document, Kind::Facts, &record, self.work_until()).await;
        case.record.lock().unwrap_or_else(PoisonError::into_inner).receipts.clone_from(&receipts);
        self.keep(&case.record, Stage::Gather, None).await;
        let store = self.services.store.as_ref();
        let kept = incidents::card(store, &self.incident.event, receipts).await;
        self.remembered(kept, "alarms that are linked meanwhile do not find the card");
    }

    /// Returns the moment by which the conclusion is posted, by the run's own clock.
    fn follows_by(&self) -> Timestamp {
        let now = self.services.clock.now();
        now.checked_add(self.deadline.time_left()).unwrap_or(now)
    }
}
