//! Several alarms in one event: at once but bounded, each under its own lease; those of one resource in order, and
//! those that went off together as one investigation.

use futures::FutureExt;
use futures::stream::{self, StreamExt};

use super::{HandlerError, Run, RunSummary, Services, Wanted, Why, lease};
use crate::alarm::{Alarm, AlarmState};
use crate::clock::Deadline;
use crate::id::{EventKey, RunId, Seed, SeriesKey};
use crate::incident::{Incident, Resource};
use crate::run::{RECORD_FORMAT, RunEvent, RunRecord, Stage};
use crate::store::Begin;
use crate::store::incidents::{self, Member, TOGETHER};

/// Resources that are worked on at once. Their model calls share one pace; more would only wait for it together.
const MOST_LANES: usize = 4;

/// One run to be made: an alarm, and those that its report answers as well.
#[derive(Debug, Clone, PartialEq)]
struct Unit {
    lead: Wanted,
    also: Vec<Wanted>,
}

/// What became of one alarm, with the record that it came by.
type Outcome = (usize, Result<RunSummary, HandlerError>);

/// Deals with every alarm.
pub(super) async fn work(wanted: Vec<Wanted>, deadline: Deadline, services: &Services) -> Vec<Outcome> {
    // By rules, each may be told elsewhere.
    let merges = services.config.routes.is_empty();
    let lanes = lanes(wanted, merges).into_iter().map(|lane| {
        Box::pin(async move {
            let mut outcomes = Vec::new();
            for unit in lane {
                outcomes.extend(together(unit, deadline, services).await);
            }
            outcomes
        })
    });
    // A lane that waits for its turn to tell must not keep the others from beginning.
    let mut outcomes = stream::iter(lanes).buffer_unordered(MOST_LANES).concat().await;
    outcomes.sort_by_key(|(record, _)| *record);
    outcomes
}

/// Sorts alarms into lanes, one a resource; `merges` makes those that belong together one run. Lanes and what is in them
/// keep the order of the event.
fn lanes(wanted: Vec<Wanted>, merges: bool) -> Vec<Vec<Unit>> {
    let mut lanes: Vec<(SeriesKey, Vec<Unit>)> = Vec::new();
    for wanted in wanted {
        let resource = Resource::of(&wanted.alarm).key(&wanted.alarm);
        match lanes.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, units)) => match units.last_mut().filter(|last| merges && belongs(last, &wanted)) {
                Some(last) => last.also.push(wanted),
                None => units.push(Unit { lead: wanted, also: Vec::new() }),
            },
            None => lanes.push((resource, vec![Unit { lead: wanted, also: Vec::new() }])),
        }
    }
    lanes.into_iter().map(|(_, units)| units).collect()
}

/// Tells whether an alarm of the same resource belongs to a run: both went off, by themselves, and together. The same
/// state change twice does not; the second finds the first one reported.
fn belongs(unit: &Unit, wanted: &Wanted) -> bool {
    let went_off =
        |wanted: &Wanted| wanted.why == Why::StateChange && wanted.alarm.new_state == AlarmState::Alarm;
    let known = std::iter::once(&unit.lead).chain(&unit.also);
    let repeated = known.into_iter().any(|known| key(&known.alarm) == key(&wanted.alarm));
    went_off(&unit.lead)
        && went_off(wanted)
        && !repeated
        && wanted.alarm.changed_at.duration_since(unit.lead.alarm.changed_at).abs() <= TOGETHER
}

fn key(alarm: &Alarm) -> EventKey {
    EventKey::new(&alarm.series_key(), alarm.new_state.as_str(), alarm.changed_at)
}

/// Runs a unit. The others are delivered by its report and recorded as merged; where it made none that names them,
/// each is run by itself.
async fn together(unit: Unit, deadline: Deadline, services: &Services) -> Vec<Outcome> {
    let mut joined: Vec<Wanted> = Vec::new();
    let mut apart: Vec<Wanted> = Vec::new();
    for other in unit.also {
        match lease::begin(&key(&other.alarm), deadline, services).await {
            Ok(Begin::Fresh(None)) | Err(_) => joined.push(other),
            Ok(Begin::Fresh(Some(_))) => {
                // An earlier try of its own left a record to continue from.
                release(&other.alarm, services).await;
                apart.push(other);
            }
            // Its own run finds the same and says so.
            Ok(Begin::InProgress | Begin::Done(_)) => apart.push(other),
        }
    }
    let (lead, event) = (unit.lead.alarm.name.clone(), key(&unit.lead.alarm));
    let record = unit.lead.record;
    let leaves = unit.lead.alarm.leaves.iter().cloned();
    let mut names: Vec<String> = leaves.chain(joined.iter().map(|other| other.alarm.name.clone())).collect();
    names.retain(|name| *name != lead);
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    // Boxed, so that the state of a whole run is not carried about on the stack of every caller.
    let held: Vec<EventKey> = joined.iter().map(|other| key(&other.alarm)).collect();
    let outcome = lease::holding(&held, deadline, services, run(unit.lead, names, deadline, services));
    let outcome = Box::pin(outcome).await;
    let mut outcomes = Vec::new();
    for other in joined {
        let told = |summary: &&RunSummary| other.alarm.name == lead || names_it(summary, &other.alarm);
        match outcome.as_ref().ok().filter(told) {
            Some(summary) if summary.document.is_some() => {
                outcomes.push((other.record, Ok(merged(&other.alarm, &event, summary, services).await)));
            }
            Some(_) | None => apart.push(other.clone()),
        }
        release(&other.alarm, services).await;
    }
    outcomes.insert(0, (record, outcome));
    for other in apart {
        let (record, other) = (other.record, Wanted { why: Why::StateChange, ..other });
        outcomes.push((record, Box::pin(run(other, Vec::new(), deadline, services)).await));
    }
    outcomes
}

/// Tells whether the report names the alarm: one that an earlier try composed may not.
fn names_it(summary: &RunSummary, alarm: &Alarm) -> bool {
    let also = summary.document.as_ref().and_then(|document| document.data.get("also_firing"));
    let mut names = also.and_then(serde_json::Value::as_array).into_iter().flatten();
    names.any(|also| also.get("alarm").and_then(serde_json::Value::as_str) == Some(alarm.name.as_str()))
}

/// Records an alarm as answered by another one's report, and as a member of the incident that `event` opened.
async fn merged(alarm: &Alarm, event: &EventKey, lead: &RunSummary, services: &Services) -> RunSummary {
    let record = RunRecord {
        format: RECORD_FORMAT,
        run_id: lead.run_id.clone(),
        event: key(alarm),
        stage: Stage::Delivery,
        outcome: Some("merged".into()),
        document: None,
        receipts: lead.delivered.clone(),
        below: Vec::new(),
        undelivered: Vec::new(),
    };
    if let Err(error) = services.store.save(&record).await {
        services.observer.emit(RunEvent::Warning { message: format!("the run was not kept: {error}") });
    }
    let member = Member::told(record.event.clone(), &alarm.name, "came in the same event");
    let joined = incidents::add_told(services.store.as_ref(), event, member, &alarm.series_key()).await;
    if let Err(error) = joined {
        let message = format!("the recovery of {} may be told twice: {error}", alarm.name);
        services.observer.emit(RunEvent::Warning { message });
    }
    RunSummary {
        run_id: record.run_id,
        alarm: alarm.name.clone(),
        outcome: "merged".into(),
        document: None,
        delivered: record.receipts,
        undelivered: Vec::new(),
    }
}

async fn release(alarm: &Alarm, services: &Services) {
    if let Err(error) = services.store.release(&key(alarm)).await {
        services
            .observer
            .emit(RunEvent::Warning { message: format!("the lease was not given back: {error}") });
    }
}

/// One record under its lease.
async fn run(
    wanted: Wanted,
    also: Vec<String>,
    deadline: Deadline,
    services: &Services,
) -> Result<RunSummary, HandlerError> {
    let Wanted { alarm, why, .. } = wanted;
    let seed = services.seed.unwrap_or_else(Seed::random);
    let run_id = RunId::mint(seed);
    let observer = services.observer.for_run(&run_id);
    let name = alarm.name.clone();
    let mut incident = Incident::from_alarm(alarm, services.clock.now(), seed);
    if why.is_asked() {
        // A recorded seed mints the same run id each time, and the same question is answered each time.
        incident.event = EventKey::of_request(&incident.series, &RunId::mint(Seed::random()));
    }
    let event = incident.event.clone();
    let earlier = match lease::begin_or_wait(&event, deadline, services).await {
        Ok(Begin::Fresh(record)) => record,
        Ok(Begin::InProgress) => return Err(HandlerError::InProgress { alarm: name }),
        Ok(Begin::Done(record)) => {
            return Ok(RunSummary {
                run_id: record.run_id.clone(),
                alarm: name,
                outcome: "already_reported".into(),
                document: None,
                delivered: record.receipts.clone(),
                undelivered: Vec::new(),
            });
        }
        // A store that fails costs deduplication, never the report.
        Err(error) => {
            observer.emit(RunEvent::Warning {
                message: format!("the store did not answer, duplicates are possible: {error}"),
            });
            None
        }
    };
    let work = Run::new(services, &observer, deadline, seed, incident, why, also);
    // A panic must give the lease back, or the retry would find the event "in progress".
    let guarded = std::panic::AssertUnwindSafe(work.work(earlier.map(|record| *record))).catch_unwind();
    let outcome = lease::holding(std::slice::from_ref(&event), deadline, services, guarded).await;
    if let Err(error) = services.store.release(&event).await {
        observer.emit(RunEvent::Warning { message: format!("the lease was not given back: {error}") });
    }
    match outcome {
        Ok(result) => result,
        Err(_) => Err(HandlerError::Broken {
            alarm: name,
            reason: "a panic, which is a defect of the program".into(),
        }),
    }
}

#[cfg(test)]
mod tests;
