//! A question about a run that is over, answered from what was kept of it: nothing is read of the account.

use std::sync::{Arc, Mutex};

use super::{HandlerError, Run, RunSummary, Services, View, Why};
use crate::clock::{Deadline, Stopwatch};
use crate::evidence::{Ledger, Source};
use crate::gather::Gathered;
use crate::gather::recheck::Condition;
use crate::id::{EventKey, RunId, Seed};
use crate::report::compose::{self, Told};
use crate::report::kept::{Carried, Kept};
use crate::run::{RECORD_FORMAT, RunRecord, Stage};

/// Answers a question from what was kept of a run. One analyst reads it, and what it says is checked against the same
/// evidence; models and money are used as in any run.
pub async fn ask(
    kept: Kept,
    question: &str,
    deadline: Deadline,
    services: &Services,
) -> Result<RunSummary, HandlerError> {
    let seed = services.seed.unwrap_or_else(Seed::random);
    let run_id = RunId::mint(seed);
    let observer = services.observer.for_run(&run_id);
    let mut incident = kept.incident.clone();
    incident.event = EventKey::of_request(&incident.series, &RunId::mint(Seed::random()));
    let why = Why::Question(question.to_owned());
    let run = Run::new(services, &observer, deadline, seed, incident, why, Vec::new());
    Box::pin(run.answer(kept, run_id, question)).await
}

impl Run<'_> {
    /// Returns what is kept of a run, with all that was evidence in the end.
    pub(super) fn kept(&self, run_id: &RunId, view: View, condition: Condition) -> Carried {
        let View { ledger, log_groups, hints, .. } = view;
        let incident = self.incident.clone();
        Carried::Whole(Arc::new(Kept::new(run_id.clone(), incident, ledger, log_groups, hints, condition)))
    }

    async fn answer(&self, kept: Kept, run_id: RunId, question: &str) -> Result<RunSummary, HandlerError> {
        let watch = Stopwatch::start();
        self.started();
        let (asked_of, condition) = (kept.run_id.clone(), kept.condition.clone());
        self.read_quotas().await;
        let view = self.seen_again(kept);
        let asked =
            self.ask_models(&view.ledger, &view.analysis, &view.log_groups, None, self.work_until()).await;
        let mut document = compose::document(&Told {
            run_id: &run_id,
            incident: &self.incident,
            ledger: &view.ledger,
            analysis: &view.analysis,
            condition: &condition,
            investigation: asked.investigation.as_ref(),
            depth: &asked.depth,
            ladder: &self.services.ladder,
            today: &Self::today(),
            question: Some(question),
            also: &[],
            second_look: None,
            follows: None,
            why_facts: asked.why_facts.as_deref(),
            left: &asked.left,
            spent: &asked.spent,
            scanned: &self.scans.scanned(),
            log_groups: &view.log_groups,
            stored: None,
            hints: &view.hints,
            took: watch.elapsed(),
        });
        compose::from_kept(&mut document, &asked_of, self.incident.as_of);
        let outcome = compose::outcome_name(asked.investigation.as_ref(), true).to_owned();
        let record = RunRecord {
            format: RECORD_FORMAT,
            run_id,
            event: self.incident.event.clone(),
            stage: Stage::Report,
            outcome: Some(outcome.clone()),
            document: None,
            receipts: Vec::new(),
            below: Vec::new(),
            undelivered: Vec::new(),
        };
        let summary = self.end(&Mutex::new(record), Some(document)).await;
        self.finished(outcome, &asked.spent, watch.elapsed(), summary.is_ok());
        summary
    }

    /// Computes again what was computed of the evidence, which stays as it was: first what was gathered, then what
    /// specialists had looked up beyond that.
    fn seen_again(&self, kept: Kept) -> View {
        let (mut gathered, mut looked_up) = (Ledger::default(), Vec::new());
        for item in kept.ledger.items() {
            if item.id.as_str().contains('.') {
                looked_up.push(item.clone());
            } else if item.source != Source::Analysis {
                gathered.push(item.clone());
            }
        }
        for gap in kept.ledger.gaps() {
            gathered.push_gap(gap.clone());
        }
        let Kept { log_groups, hints, .. } = kept;
        let mut view = self.analysed(Gathered { ledger: gathered, log_groups, hints });
        for item in looked_up {
            view.ledger.push(item);
        }
        view
    }
}
