//! How a run ends: what came of it is kept and posted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::notice::is_report;
use super::{HandlerError, Run, RunSummary, locked};
use crate::clock::Deadline;
use crate::delivery::{DeliveryError, Kind, Posting, deliver_all};
use crate::report::Document;
use crate::run::{Receipt, RunEvent, RunRecord, Stage};

impl Run<'_> {
    /// Keeps what came of the run and posts it, where it is this run's to post.
    pub(super) async fn end(
        &self,
        record: &Mutex<RunRecord>,
        document: Option<Document>,
    ) -> Result<RunSummary, HandlerError> {
        let Some(mut document) = document else {
            self.keep(record, Stage::Delivery, None).await;
            return Ok(self.summary(record, None, Vec::new()));
        };
        self.keep(record, Stage::Report, Some(&document)).await;
        self.services.config.readers.fit(&mut document);
        let known = locked(record);
        let is_report = known.outcome.as_deref().is_some_and(is_report);
        let kind = if is_report { Kind::Report } else { Kind::Notice };
        let (mut receipts, undelivered) = self.post(&document, kind, &known, self.deadline).await;
        if !undelivered.is_empty() && !self.places().await.reached(&receipts) {
            // What was kept is not kept again by the next try, which has no evidence to keep with it.
            record.lock().unwrap_or_else(PoisonError::into_inner).receipts = receipts;
            self.keep(record, Stage::Report, Some(&document)).await;
            let reasons = undelivered.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(HandlerError::Undelivered { alarm: self.incident.alarm.name.clone(), reasons });
        }
        // A card that could not be edited stays where it is, and what belongs to it goes there.
        let is_left = |card: &&Receipt| !receipts.iter().any(|receipt| receipt.channel == card.channel);
        let left: Vec<Receipt> = known.receipts.iter().filter(is_left).cloned().collect();
        receipts.extend(left);
        {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            record.receipts = receipts;
            record.undelivered = undelivered.iter().map(|error| error.channel.clone()).collect();
        }
        self.keep(record, Stage::Delivery, Some(&document)).await;
        Ok(self.summary(record, Some(document), undelivered))
    }

    /// Posts to the channels that have not taken it yet; returns the receipts of all, and who failed.
    pub(super) async fn post(
        &self,
        document: &Document,
        kind: Kind,
        record: &RunRecord,
        deadline: Deadline,
    ) -> (Vec<Receipt>, Vec<DeliveryError>) {
        let places = self.places().await;
        let slack_channel = places.slack_channel.as_deref();
        let (already, incident) = (record.receipts.as_slice(), record.below.as_slice());
        let picture = self.picture(document, kind);
        let picture = picture.as_ref();
        let posting = Posting { document, kind, already, incident, slack_channel, picture };
        let deadline = deadline.less(Duration::from_millis(500));
        let delivering = deliver_all(&places.channels, posting, deadline, self.observer);
        let results = self
            .stage(Stage::Delivery, delivering, |results| {
                let taken = results.iter().filter(|result| result.is_ok()).count();
                format!("{taken} of {} channels", results.len())
            })
            .await;
        let (mut receipts, mut undelivered) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => undelivered.push(error),
            }
        }
        (receipts, undelivered)
    }

    fn summary(
        &self,
        record: &Mutex<RunRecord>,
        document: Option<Document>,
        undelivered: Vec<DeliveryError>,
    ) -> RunSummary {
        let record = locked(record);
        RunSummary {
            run_id: record.run_id,
            alarm: self.incident.alarm.name.clone(),
            outcome: record.outcome.unwrap_or_default(),
            document,
            delivered: record.receipts.into_iter().filter(|receipt| !receipt.facts).collect(),
            undelivered,
        }
    }

    /// Keeps the record; a store that fails costs the continuation, never the report.
    pub(super) async fn keep(&self, record: &Mutex<RunRecord>, stage: Stage, document: Option<&Document>) {
        // In order: an older state must not be written over a newer one.
        let _turn = self.saving.lock().await;
        let kept = {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            record.stage = stage;
            if let Some(document) = document {
                record.document = serde_json::to_value(document).ok();
            }
            record.clone()
        };
        if let Err(error) = self.services.store.save(&kept).await {
            self.observer.emit(RunEvent::Warning { message: format!("the run was not kept: {error}") });
        }
    }
}
