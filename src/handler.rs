//! The whole run: a raw event and a deadline in, reports at their channels and a summary out.
//!
//! Knows nothing of Lambda's runtime, so that the command line and the tests run the same code. An investigation never
//! ends with nothing: whatever fails on the way, the facts that were read are posted.

mod asking;
mod batch;
mod definition;
mod earlier;
mod ending;
mod facts;
mod lease;
mod neighbours;
mod notice;
mod picture;
mod places;
mod response;
mod self_check;
mod stored;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::alarm::{Alarm, AlarmState, WakeUp, WakeUps, parse_event};
use crate::analysis::forced;
use crate::clock::{Clock, Deadline, Stopwatch};
use crate::config::Config;
use crate::delivery::Channel;
use crate::gather::insights::{ScanBudget, ScanLimit, ScanLimits};
use crate::gather::recheck::{Condition, recheck};
use crate::gather::{Reader, SoFar, Telemetry, gather};
use crate::id::{RunId, Seed};
use crate::incident::Incident;
use crate::model::Model;
use crate::model::budget::{Spent, Tripped};
use crate::model::ladder::Ladder;
use crate::report::compose::{self, Also, Told};
use crate::report::{self, Document};
use crate::run::{Observer, RECORD_FORMAT, RunEvent, RunRecord, Stage};
use crate::store::Store;
use crate::store::incidents::{self, Reported};
use facts::{Open, View};
use notice::{Notice, is_report};
pub use response::{BatchItemFailure, HandlerError, Response, RunSummary};
pub use self_check::self_check;
pub use stored::ask;

/// What a run works with; built once, outside the handler.
#[derive(Clone)]
pub struct Services {
    /// Checked configuration.
    pub config: Config,
    /// The run's calendar clock.
    pub clock: Clock,
    /// Seed of every run, where a scenario fixes it; else each run draws its own.
    pub seed: Option<Seed>,
    /// The account.
    pub telemetry: Arc<dyn Telemetry>,
    /// The provider, where one is configured.
    pub model: Option<Arc<dyn Model>>,
    /// Models and what is known of them; lives as long as the process.
    pub ladder: Arc<Ladder>,
    /// Where reports go.
    pub channels: Vec<Arc<dyn Channel>>,
    /// Leases and records.
    pub store: Arc<dyn Store>,
    /// Told everything.
    pub observer: Observer,
}

/// One alarm that a run is wanted for.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    alarm: Alarm,
    why: Why,
    /// Which record of the event asks for it.
    record: usize,
}

/// Handles an event: every record is dealt with, then the first failure, if any, is returned so that Lambda tries again.
/// Of a queue's batch only the records that failed are given back. Several alarms run at once, those of one resource in
/// order or as one (see `batch`).
pub async fn handle(event: &[u8], deadline: Deadline, services: &Services) -> Result<Response, HandlerError> {
    let mut response = Response::default();
    let WakeUps { records, message_ids } = parse_event(event);
    let read = records.into_iter().enumerate().map(|(at, record)| wanted(at, record, deadline, services));
    let mut runs = Vec::new();
    for found in futures::future::join_all(read).await {
        match found {
            Ok(found) => runs.push(found),
            Err(reason) => ignore(services, &mut response, reason),
        }
    }
    let mut failed: Vec<(usize, HandlerError)> = Vec::new();
    for (record, outcome) in batch::work(runs, deadline, services).await {
        match outcome {
            Ok(summary) => response.runs.push(summary),
            Err(error) => {
                services.observer.emit(RunEvent::Warning { message: error.to_string() });
                failed.push((record, error));
            }
        }
    }
    if let Some(ids) = message_ids.filter(|ids| ids.iter().all(|id| !id.is_empty())) {
        let mut given_back: Vec<usize> = failed.iter().map(|(record, _)| *record).collect();
        given_back.sort_unstable();
        given_back.dedup();
        let ids = given_back.into_iter().filter_map(|record| ids.get(record).cloned());
        let failures = ids.map(|item_identifier| BatchItemFailure { item_identifier });
        response.batch_item_failures = Some(failures.collect());
        return Ok(response);
    }
    match failed.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(response),
    }
}

/// Investigates an alarm that went off before, as of then: a person asks for it, so it is never a repetition.
pub async fn replay(alarm: Alarm, deadline: Deadline, services: &Services) -> Result<Response, HandlerError> {
    let mut response = Response::default();
    match definition::complete(alarm, true, deadline, services).await {
        Ok(alarm) => {
            let wanted = vec![Wanted { alarm, why: Why::AskedByName, record: 0 }];
            for (_, outcome) in batch::work(wanted, deadline, services).await {
                response.runs.push(outcome?);
            }
        }
        Err(reason) => ignore(services, &mut response, reason),
    }
    Ok(response)
}

/// Returns the run that a record asks for; the error is why it asks for none.
async fn wanted(
    record: usize,
    wake_up: WakeUp,
    deadline: Deadline,
    services: &Services,
) -> Result<Wanted, String> {
    let wake_up = match wake_up {
        WakeUp::Silenced { by, wake_up } => definition::heard(by, *wake_up, services)?,
        wake_up => wake_up,
    };
    let (alarm, why) = match wake_up {
        WakeUp::Alarm(alarm) => {
            (definition::complete(*alarm, false, deadline, services).await?, Why::StateChange)
        }
        WakeUp::Manual { alarm_name, question } => (
            definition::complete(by_name(&alarm_name, deadline, services).await?, true, deadline, services)
                .await?,
            question.map_or(Why::AskedByName, Why::Question),
        ),
        WakeUp::Silenced { by, .. } => return Err(format!("the alarm {}", by.as_str())),
        WakeUp::Ignored { reason } => return Err(reason),
    };
    Ok(Wanted { alarm, why, record })
}

fn ignore(services: &Services, response: &mut Response, reason: String) {
    services.observer.emit(RunEvent::Ignored { reason: reason.clone() });
    response.ignored.push(reason);
}

/// Why a run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// The alarm changed its state: reported once, and investigated where it went to ALARM.
    StateChange,
    /// A person asked for the alarm by its name: investigated whatever its state, and as often as it is asked for.
    AskedByName,
    /// A person asks this about the alarm: one analyst answers, and nothing is investigated beyond the digest.
    Question(String),
}

impl Why {
    /// Tells whether a person waits for it: whatever the alarm's state, and as often as it is asked for.
    fn is_asked(&self) -> bool {
        match self {
            Why::StateChange => false,
            Why::AskedByName | Why::Question(_) => true,
        }
    }

    /// Returns the question, where there is one.
    fn question(&self) -> Option<&str> {
        match self {
            Why::Question(question) => Some(question),
            Why::StateChange | Why::AskedByName => None,
        }
    }
}

/// A person asks by name: the alarm as `CloudWatch` has it now. One that is not in ALARM is looked at as if it had
/// just gone off.
async fn by_name(name: &str, deadline: Deadline, services: &Services) -> Result<Alarm, String> {
    match tokio::time::timeout(deadline.time_left(), services.telemetry.alarm(name)).await {
        Ok(Ok(Some(snapshot))) => {
            let mut alarm = snapshot.alarm;
            alarm.changed_at = match snapshot.state_since {
                Some(since) if alarm.new_state == AlarmState::Alarm => since,
                Some(_) | None => services.clock.now(),
            };
            Ok(alarm)
        }
        Ok(Ok(None)) => Err(format!("there is no alarm {name:?} in this account and Region")),
        Ok(Err(error)) => Err(format!("the alarm {name:?} could not be read: {error}")),
        Err(_) => Err(format!("the alarm {name:?} could not be read in time")),
    }
}

/// What a run has come to before it is delivered.
struct Worked {
    record: RunRecord,
    /// What is posted; `None` where another run's message tells it.
    document: Option<Document>,
    spent: Spent,
}

/// Returns a record as it is now.
fn locked(record: &Mutex<RunRecord>) -> RunRecord {
    record.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// One run.
struct Run<'a> {
    services: &'a Services,
    observer: &'a Observer,
    deadline: Deadline,
    /// Time that is kept for posting.
    reserve: Duration,
    seed: Seed,
    incident: Incident,
    why: Why,
    /// Names of other alarms that this run answers as well.
    also: Vec<String>,
    /// Where it is told, once the rules were read.
    places: tokio::sync::OnceCell<places::Places>,
    /// Held while the record is kept.
    saving: tokio::sync::Mutex<()>,
    /// What Logs Insights may scan, and has.
    scans: ScanBudget,
}

impl<'a> Run<'a> {
    fn new(
        services: &'a Services,
        observer: &'a Observer,
        deadline: Deadline,
        seed: Seed,
        incident: Incident,
        why: Why,
        also: Vec<String>,
    ) -> Self {
        let limits = ScanLimits {
            run: services.config.max_insights_bytes,
            day: None,
            usd_per_gb: services.config.insights_usd_per_gb,
        };
        Run {
            services,
            observer,
            deadline,
            reserve: services.config.reserve(deadline.time_left()),
            seed,
            incident,
            why,
            also,
            places: tokio::sync::OnceCell::new(),
            saving: tokio::sync::Mutex::new(()),
            scans: ScanBudget::new(limits),
        }
    }
}

impl Run<'_> {
    async fn work(&self, earlier: Option<RunRecord>) -> Result<RunSummary, HandlerError> {
        let watch = Stopwatch::start();
        self.started();
        // An earlier try that died after composing the report left it here: only the posting is still to be done.
        let Worked { record, document, spent } = match earlier {
            Some(earlier) if earlier.document.is_some() => match self.composed(&earlier) {
                Some(mut document) => {
                    // It tells a state that is a try old; what is posted must be true now.
                    if self.is_alarm() && earlier.outcome.as_deref().is_some_and(is_report) {
                        let condition = self.read_again(&self.reader(self.deadline)).await;
                        compose::renew(&mut document, &self.incident, &condition);
                    }
                    let (document, spent) = (Some(document), Spent::default());
                    Worked { record: earlier, document, spent }
                }
                None => Box::pin(self.investigate(watch, None)).await,
            },
            earlier => Box::pin(self.investigate(watch, earlier)).await,
        };
        let outcome = record.outcome.clone();
        let record = Mutex::new(record);
        let summary = self.end(&record, document).await;
        if let Ok(summary) = &summary
            && outcome.as_deref().is_some_and(is_report)
        {
            // Where a card could not be edited, it still is what later lines belong to.
            let (outcome, receipts) = (outcome.clone().unwrap_or_default(), locked(&record).receipts);
            let recovered = summary.document.as_ref().is_some_and(|document| document.recovered);
            let reported = Reported { outcome, receipts: receipts.clone(), recovered };
            let event = &self.incident.event;
            let kept = incidents::report(self.services.store.as_ref(), event, reported).await;
            let kept = self.remembered(kept, "alarms that are linked later do not know the report");
            if let Some(at) = kept.flatten() {
                self.tell_recovery(at, &summary.run_id, &receipts).await;
            }
        }
        self.finished(outcome.unwrap_or_default(), &spent, watch.elapsed(), summary.is_ok());
        summary
    }

    /// Tells that the run begins.
    fn started(&self) {
        let alarm = &self.incident.alarm;
        self.observer.emit(RunEvent::Started {
            alarm: alarm.name.clone(),
            state: alarm.new_state.to_string(),
            as_of: self.incident.as_of.to_string(),
        });
    }

    /// Tells that the run is over. A report that nobody received is no success, whatever it says.
    fn finished(&self, outcome: String, spent: &Spent, took: Duration, is_delivered: bool) {
        let scanned = self.scans.scanned();
        let tripped =
            spent.tripped.map(Tripped::name).into_iter().chain(scanned.tripped.map(ScanLimit::name));
        self.observer.emit(RunEvent::Finished {
            outcome: if is_delivered { outcome } else { "undelivered".into() },
            took,
            model_calls: spent.total_calls(),
            input_tokens: spent.usage.all_input(),
            output_tokens: spent.usage.output,
            cost_usd: if spent.recordings.is_empty() { spent.cost_usd } else { None },
            agents: spent.shares(),
            insights_bytes: scanned.bytes,
            tripped: tripped.map(str::to_owned).collect(),
        });
    }

    /// Returns the document that an earlier try had composed, where it and the record are of a format that is known here:
    /// another version of the program may have written them.
    fn composed(&self, record: &RunRecord) -> Option<Document> {
        let document = record.document.clone()?;
        let format = document.get("format").and_then(serde_json::Value::as_u64);
        let refused = if record.format != RECORD_FORMAT {
            format!("the record has format {}, this version reads {RECORD_FORMAT}", record.format)
        } else if format != Some(u64::from(report::FORMAT)) {
            let found = format.map_or_else(|| "no format".to_owned(), |format| format!("format {format}"));
            format!("its report has {found}, this version reads {}", report::FORMAT)
        } else {
            match serde_json::from_value(document) {
                Ok(document) => return Some(document),
                Err(error) => format!("its report cannot be read: {error}"),
            }
        };
        let message =
            format!("an earlier try of this alarm is not continued, it is investigated anew: {refused}");
        self.observer.emit(RunEvent::Warning { message });
        None
    }

    /// Tells whether the alarm went off, and not back.
    fn is_alarm(&self) -> bool {
        self.incident.alarm.new_state == AlarmState::Alarm
    }

    /// Everything up to the composed document.
    async fn investigate(&self, watch: Stopwatch, earlier: Option<RunRecord>) -> Worked {
        // A try that died after the facts card goes on below that card.
        let posted = earlier.filter(|record| record.receipts.iter().any(|receipt| receipt.facts));
        let (run_id, receipts) = match posted {
            Some(record) => (record.run_id, record.receipts),
            None => (RunId::mint(self.seed), Vec::new()),
        };
        let record = RunRecord {
            format: RECORD_FORMAT,
            run_id,
            event: self.incident.event.clone(),
            stage: Stage::Gather,
            outcome: None,
            document: None,
            receipts,
            below: Vec::new(),
            undelivered: Vec::new(),
        };
        // An alarm on the agent itself asks nothing of the store either.
        let is_remembered = self.why == Why::StateChange && !(self.is_alarm() && self.is_own());
        let earlier = if is_remembered { self.earlier().await } else { None };
        if let Some(told) = self.notice(&record, earlier.as_ref()).await {
            return Self::told(record, told);
        }
        // Nothing may be linked to a test: one that may be one joins once its metric has been read.
        let part = if self.may_be_test() { Ok(None) } else { self.joined(&record.run_id, false).await };
        let second_look = match part {
            Ok(second_look) => second_look,
            Err(notice) => return Self::told(record, notice),
        };
        let mut record = record;
        record.below = second_look.as_ref().map(|open| open.receipts()).unwrap_or_default();
        let case = Open { watch, earlier, second_look, record: Mutex::new(record), view: Mutex::default() };
        // Boxed, as the state of a whole run is large.
        Box::pin(self.work_with_facts_first(&case)).await
    }

    /// Reads, computes, and asks the models.
    async fn find_out(&self, case: &Open, so_far: &SoFar) -> Worked {
        let work_until = self.work_until();
        let reader = self.reader(work_until.at_most(self.services.config.gather_time));
        self.read_day_of_scans().await;
        let gathering = self.stage(Stage::Gather, gather(&self.incident, &reader, so_far), |gathered| {
            format!(
                "{} pieces of evidence, {} gaps",
                gathered.ledger.items().len(),
                gathered.ledger.gaps().len()
            )
        });
        // The depth depends on the quotas; while telemetry is read, reading them costs no time.
        let reading = async { tokio::join!(gathering, self.read_quotas(), self.places()) };
        // The channels read what they need meanwhile; whatever is not there by then is asked for when there is something to tell.
        let beside = async {
            self.ready_places().await;
            std::future::pending::<Infallible>().await
        };
        let (gathered, (), _) = tokio::select! {
            read = reading => read,
            never = beside => match never {},
        };
        self.charge_day_of_scans().await;
        self.keep(&case.record, Stage::Gather, None).await;
        let analysing = async { self.analysed(gathered) };
        let view = self
            .stage(Stage::Analysis, analysing, |view| {
                let lead = view.analysis.lead.as_ref();
                let lead = lead.map_or("nothing stands out", |lead| lead.entity.as_str());
                format!("{} facts, lead: {lead}", view.analysis.facts.len())
            })
            .await;
        let test = forced::test_alarm(&self.incident, &view.ledger).filter(|_| self.why == Why::StateChange);
        if let Some(test) = test {
            let record = case.record();
            let document = compose::test_alarm(&self.incident, &record.run_id, &test);
            return Self::told(record, Notice::With(Box::new(document), Vec::new()));
        }
        let mut second_look = case.second_look.clone();
        if self.may_be_test() {
            let record = case.record();
            let is_shown = record.receipts.iter().any(|receipt| receipt.facts);
            match self.joined(&record.run_id, is_shown).await {
                Ok(looked) => {
                    let below = looked.as_ref().map(|open| open.receipts()).unwrap_or_default();
                    case.record.lock().unwrap_or_else(PoisonError::into_inner).below = below;
                    second_look = looked;
                }
                Err(notice) => return Self::told(case.record(), notice),
            }
        }
        *case.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
        let earlier = case.earlier.as_ref();
        let asked =
            self.ask_models(&view.ledger, &view.analysis, &view.log_groups, earlier, work_until).await;
        let ledger = match &asked.investigation {
            Some(investigation) => investigation.ledger.clone(),
            None => view.ledger.clone(),
        };
        let condition = self.read_again(&reader).await;
        let also = self.also().await;
        let mut record = case.record();
        let stored = self.stored(&record.run_id).await;
        let mut document = compose::document(&Told {
            run_id: &record.run_id,
            incident: &self.incident,
            ledger: &ledger,
            analysis: &view.analysis,
            condition: &condition,
            investigation: asked.investigation.as_ref(),
            depth: &asked.depth,
            ladder: &self.services.ladder,
            today: &Self::today(),
            question: self.why.question(),
            also: &also,
            second_look: second_look.as_deref(),
            follows: None,
            why_facts: asked.why_facts.as_deref(),
            left: &asked.left,
            spent: &asked.spent,
            scanned: &self.scans.scanned(),
            log_groups: &view.log_groups,
            stored: stored.as_ref(),
            hints: &view.hints,
            took: case.watch.elapsed(),
        });
        let view = View { ledger, ..view };
        document.kept = Some(self.kept(&record.run_id, view, condition));
        let outcome = compose::outcome_name(asked.investigation.as_ref(), self.why.question().is_some());
        record.outcome = Some(outcome.to_owned());
        Worked { record, document: Some(document), spent: asked.spent }
    }

    /// Returns the other alarms that the report answers: those of the same event, and those that have joined its incident.
    async fn also(&self) -> Vec<Also> {
        let beside = self.also.iter().map(|alarm| Also { alarm: alarm.clone(), because: None });
        let mut also: Vec<Also> = beside.collect();
        if self.why == Why::StateChange {
            let joined = incidents::take_members(self.services.store.as_ref(), &self.incident.event).await;
            for member in self.remembered(joined, "linked alarms are not named").unwrap_or_default() {
                if !also.iter().any(|known| known.alarm == member.alarm) {
                    also.push(Also { alarm: member.alarm, because: Some(member.because) });
                }
            }
        }
        also
    }

    /// Tells whether the alarm watches a part of the agent itself.
    fn is_own(&self) -> bool {
        let resource = &self.incident.resource;
        self.services.config.own.holds(&resource.namespace, &resource.name)
    }

    fn reader(&self, deadline: Deadline) -> Reader<'_> {
        Reader {
            telemetry: Arc::clone(&self.services.telemetry),
            observer: self.observer,
            deadline,
            configured_log_group: self.services.config.log_groups.get(&self.incident.resource.name).cloned(),
            scans: &self.scans,
        }
    }

    /// Reads state and last period once more. The reserve belongs to posting; this gets a third of it at most.
    async fn read_again(&self, reader: &Reader<'_>) -> Condition {
        let reader = Reader {
            telemetry: Arc::clone(&reader.telemetry),
            deadline: self.deadline.at_most(self.reserve / 3),
            configured_log_group: None,
            scans: reader.scans,
            observer: reader.observer,
        };
        let again = recheck(&self.incident, &reader, self.services.clock.now());
        self.stage(Stage::Recheck, again, |condition| condition.word().to_owned()).await
    }

    /// Runs a stage and tells the observer.
    async fn stage<T>(
        &self,
        stage: Stage,
        work: impl Future<Output = T>,
        summary: impl FnOnce(&T) -> String,
    ) -> T {
        self.observer.emit(RunEvent::StageStarted { stage });
        let watch = Stopwatch::start();
        let result = work.await;
        self.observer.emit(RunEvent::StageFinished {
            stage,
            took: watch.elapsed(),
            summary: summary(&result),
        });
        result
    }
}

#[cfg(test)]
mod tests;
