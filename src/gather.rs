//! Reads the telemetry of an incident into the ledger, concurrently and under one deadline.
//!
//! No status is fatal: what cannot be read becomes a [`Gap`]. Ids follow the plan, not the order of completion.

pub mod changes;
pub mod insights;
pub mod logs;
pub mod metrics;
pub mod recheck;
pub mod telemetry;
mod unlisted;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::alarm::{AlarmSnapshot, Hints, Place};
use crate::clock::Deadline;
use crate::evidence::{Body, Evidence, Gap, Ledger, Query, Series, Source, Status, Window, console};
use crate::gather::insights::{OwnQuery, ScanBudget};
use crate::gather::logs::LogReading;
use crate::gather::telemetry::{FunctionState, TelemetryError};
use crate::id::EvidenceId;
use crate::incident::Incident;
use crate::playbook::ChangeSource;
use crate::redact::Redacted;
use crate::run::{Observer, RunEvent};

pub use telemetry::Telemetry;

/// What gathering found.
pub struct Gathered {
    /// The evidence and the gaps.
    pub ledger: Ledger,
    /// Log groups that exist and belong to the incident.
    pub log_groups: Vec<String>,
    /// What the alarm's owner asks for, by its tags and its description.
    pub hints: Hints,
}

/// Longest time for reading the tags: the logs wait for them.
const TAGS_TIME: Duration = Duration::from_secs(3);

/// Reads an account under a deadline.
pub struct Reader<'a> {
    /// The account.
    pub telemetry: Arc<dyn Telemetry>,
    /// Told what was read.
    pub observer: &'a Observer,
    /// No source is waited for beyond this.
    pub deadline: Deadline,
    /// Log group of a resource, where the owner configured one.
    pub configured_log_group: Option<String>,
    /// What Logs Insights may scan.
    pub scans: &'a ScanBudget,
}

/// What has come in while an incident's telemetry is read; shared with whoever cannot wait for all of it.
#[derive(Default)]
pub struct SoFar(Mutex<Came>);

/// Answers by source; `None` is still being read.
#[derive(Default, Clone)]
struct Came {
    series: Option<Vec<Result<Vec<Series>, Gap>>>,
    alarm: Option<Result<Option<AlarmSnapshot>, Gap>>,
    unlisted: Option<unlisted::Found>,
    function: Option<Result<Option<FunctionState>, Gap>>,
    tags: Option<Result<BTreeMap<String, String>, Gap>>,
    versions: Option<Result<Vec<Series>, Gap>>,
    logs: Option<LogReading>,
    own_query: Option<OwnQuery>,
}

impl SoFar {
    fn note(&self, note: impl FnOnce(&mut Came)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns what has come in, with a gap for each source that is still being read.
    pub fn gathered(&self, incident: &Incident, reader: &Reader<'_>) -> Gathered {
        let came = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assembled(incident, reader, came)
    }
}

/// Reads everything that the incident's playbook row asks for; what comes in is noted at once.
pub async fn gather(incident: &Incident, reader: &Reader<'_>, so_far: &SoFar) -> Gathered {
    let metric_plan = metrics::plan(incident, &mut Plan::default());
    let series = async {
        let series = metrics::read(reader, &metric_plan).await;
        so_far.note(|came| came.series = Some(series));
    };
    let alarm = async {
        let alarm = reader.ask(
            reader.telemetry.alarm(&incident.alarm.name),
            Source::Alarm,
            "definition and state of the alarm",
            "cloudwatch:DescribeAlarms",
        );
        let alarm = alarm.await;
        so_far.note(|came| came.alarm = Some(alarm));
    };
    let unlisted = async {
        let found = unlisted::read(incident, reader).await;
        so_far.note(|came| came.unlisted = Some(found));
    };
    let own_query = async {
        let found = insights::read_own(incident, reader).await;
        so_far.note(|came| came.own_query = Some(found));
    };
    let function = async {
        let function = read_function(incident, reader).await;
        so_far.note(|came| came.function = Some(function.clone()));
        function.ok().flatten()
    };
    let tags = async {
        let tags = read_tags(incident, reader).await;
        so_far.note(|came| came.tags = Some(tags.clone()));
        tags.unwrap_or_default()
    };
    let versions = async {
        let versions = metrics::read_versions(incident, reader).await;
        so_far.note(|came| came.versions = Some(versions));
    };
    let after_control_plane = async {
        let (function, tags) = futures::join!(function, tags);
        let hints = incident.alarm.hints(&tags);
        let logs = logs::read(incident, reader, function.as_ref(), hints.log_group.as_deref());
        let (logs, ()) = futures::join!(logs, versions);
        so_far.note(|came| came.logs = Some(logs));
    };
    futures::join!(series, alarm, unlisted, own_query, after_control_plane);
    let gathered = so_far.gathered(incident, reader);
    for item in gathered.ledger.items() {
        reader.observer.emit(RunEvent::Gathered {
            id: item.id.clone(),
            status: item.status.as_str().into(),
            title: item.title.to_string(),
        });
    }
    gathered
}

/// Reads versions and aliases, where the incident is about a function.
async fn read_function(incident: &Incident, reader: &Reader<'_>) -> Result<Option<FunctionState>, Gap> {
    if !is_function(incident) {
        return Ok(None);
    }
    let name = &incident.resource.name;
    let subject = versions_of(incident);
    reader
        .ask(reader.telemetry.function(name), Source::Changes, &subject, "lambda:ListVersionsByFunction")
        .await
}

fn is_function(incident: &Incident) -> bool {
    incident.resource.service().is_some_and(|service| service.changes == ChangeSource::LambdaFunction)
}

fn versions_of(incident: &Incident) -> String {
    format!("versions and aliases of {}", incident.resource.name)
}

/// Puts answers into a ledger, in the order of the plan.
fn assembled(incident: &Incident, reader: &Reader<'_>, came: Came) -> Gathered {
    let mut plan = Plan::default();
    let mut ledger = Ledger::default();
    let pending = |source, subject: &str| gap(source, subject, Status::Pending, "no answer yet");
    let metric_plan = metrics::plan(incident, &mut plan);
    match came.series {
        Some(series) => metrics::record(incident, &metric_plan, series, &mut ledger),
        None => ledger.push_gap(pending(Source::Metrics, "metrics")),
    }
    metrics::record_versions(
        incident,
        &mut plan,
        came.versions.unwrap_or_else(|| Ok(Vec::new())),
        &mut ledger,
    );
    unlisted::record(incident, &mut plan, came.unlisted.unwrap_or_default(), &mut ledger);
    let (tags, untagged) = match came.tags.unwrap_or_else(|| Ok(BTreeMap::new())) {
        Ok(tags) => (tags, None),
        // That there is no such alarm is told once, by its definition.
        Err(gap) if gap.status == Status::Missing => (BTreeMap::new(), None),
        Err(gap) => (BTreeMap::new(), Some(gap)),
    };
    let hints = incident.alarm.hints(&tags);
    let function = came.function.unwrap_or_else(|| Err(pending(Source::Changes, &versions_of(incident))));
    let (function, missing) = match function {
        Ok(Some(function)) => (Some(function), None),
        Ok(None) if is_function(incident) => {
            let reason =
                format!("there is no function {} in {}", incident.resource.name, place(incident).region);
            (None, Some(gap(Source::Changes, &versions_of(incident), Status::Missing, &reason)))
        }
        Ok(None) => (None, None),
        Err(gap) => (None, Some(gap)),
    };
    let logs = came
        .logs
        .unwrap_or_else(|| logs::pending(incident, reader, function.as_ref(), hints.log_group.as_deref()));
    let first_served = logs.first_served.clone();
    let log_groups = logs::record(incident, &mut plan, logs, &mut ledger);
    let own_query = came.own_query.unwrap_or_else(|| insights::pending(incident));
    insights::record_own(incident, &mut plan, own_query, &mut ledger);
    for gap in missing.into_iter().chain(untagged) {
        ledger.push_gap(gap);
    }
    if let Some(function) = &function {
        changes::record(incident, function, &first_served, &mut plan, &mut ledger);
    }
    let alarm =
        came.alarm.unwrap_or_else(|| Err(pending(Source::Alarm, "definition and state of the alarm")));
    record_alarm(incident, alarm, &tags, &mut plan, &mut ledger);
    for unread in unread_sources(incident) {
        ledger.push_gap(unread);
    }
    Gathered { ledger, log_groups, hints }
}

/// Reads the alarm's tags, where its ARN is known.
async fn read_tags(incident: &Incident, reader: &Reader<'_>) -> Result<BTreeMap<String, String>, Gap> {
    let Some(arn) = &incident.alarm.arn else { return Ok(BTreeMap::new()) };
    let asked = reader.telemetry.tags(arn);
    reader
        .until(TAGS_TIME)
        .ask(asked, Source::Alarm, "tags of the alarm", "cloudwatch:ListTagsForResource")
        .await
}

/// Sources that the playbook has no way to read for this kind of resource.
fn unread_sources(incident: &Incident) -> Vec<Gap> {
    let Some(service) = incident.resource.service() else {
        let what = if incident.resource.namespace.is_empty() {
            "this kind of alarm"
        } else {
            &incident.resource.namespace
        };
        return vec![gap(
            Source::Changes,
            &format!("changes of {}", incident.resource.title()),
            Status::NotApplicable,
            &format!("the playbook has no row for {what}"),
        )];
    };
    if service.changes == ChangeSource::None {
        return vec![gap(
            Source::Changes,
            &format!("changes of {}", incident.resource.title()),
            Status::NotApplicable,
            "not read for this service",
        )];
    }
    Vec::new()
}

fn record_alarm(
    incident: &Incident,
    alarm: Result<Option<AlarmSnapshot>, Gap>,
    tags: &BTreeMap<String, String>,
    plan: &mut Plan,
    ledger: &mut Ledger,
) {
    match alarm {
        Ok(Some(mut snapshot)) => {
            // The owner's description and the reason are untrusted text.
            snapshot.alarm.reason = Redacted::new(&snapshot.alarm.reason).to_string();
            snapshot.alarm.description =
                snapshot.alarm.description.map(|text| Redacted::new(&text).to_string());
            let redacted = |text: &str| Redacted::new(text).to_string();
            snapshot.tags = tags.iter().map(|(key, value)| (redacted(key), redacted(value))).collect();
            ledger.push(Evidence {
                id: plan.next(Source::Alarm),
                source: Source::Alarm,
                title: Redacted::new("the alarm's definition and state"),
                query: console::alarm_query(&incident.alarm.place, &incident.alarm.name),
                window: incident.window,
                status: Status::Found,
                horizon: None,
                body: Body::Alarm(Box::new(snapshot)),
            });
        }
        Ok(None) => ledger.push_gap(gap(
            Source::Alarm,
            "definition and state of the alarm",
            Status::Missing,
            "CloudWatch knows no alarm of this name: deleted, or another account or Region",
        )),
        Err(gap) => ledger.push_gap(gap),
    }
}

/// Numbers evidence in plan order.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    metrics: usize,
    logs: usize,
    changes: usize,
    alarms: usize,
}

impl Plan {
    /// Returns the next id for a source.
    pub(crate) fn next(&mut self, source: Source) -> EvidenceId {
        let count = match source {
            Source::Metrics => &mut self.metrics,
            Source::Logs => &mut self.logs,
            Source::Changes => &mut self.changes,
            Source::Alarm | Source::Analysis => &mut self.alarms,
        };
        *count += 1;
        EvidenceId::new(source.letter(), *count)
    }
}

impl<'a> Reader<'a> {
    /// Returns the same with less time.
    pub(crate) fn until(&self, time: Duration) -> Reader<'a> {
        Reader {
            telemetry: Arc::clone(&self.telemetry),
            observer: self.observer,
            deadline: self.deadline.at_most(time),
            configured_log_group: self.configured_log_group.clone(),
            scans: self.scans,
        }
    }

    /// Waits for an answer until the deadline; a failure becomes a gap.
    pub(crate) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, TelemetryError>>,
        source: Source,
        subject: &str,
        action: &'static str,
    ) -> Result<T, Gap> {
        match tokio::time::timeout_at(self.deadline.instant(), question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Gap {
                source,
                subject: subject.to_owned(),
                status: error.status,
                reason: Redacted::new(&error.reason).to_string(),
                missing_action: (error.status == Status::Denied).then(|| error.operation.to_owned()),
            }),
            Err(_) => Err(Gap {
                source,
                subject: subject.to_owned(),
                status: Status::TimedOut,
                reason: format!("{action} gave no answer in time"),
                missing_action: None,
            }),
        }
    }
}

/// Returns a gap that no permission explains.
pub(crate) fn gap(source: Source, subject: &str, status: Status, reason: &str) -> Gap {
    Gap { source, subject: subject.to_owned(), status, reason: reason.to_owned(), missing_action: None }
}

/// Returns evidence with its way to be seen again.
pub(crate) fn evidence(
    id: EvidenceId,
    source: Source,
    title: &str,
    query: Query,
    window: Window,
    body: Body,
) -> Evidence {
    let empty = match &body {
        Body::Series(series) => series.datapoints.is_empty(),
        Body::Logs(logs) => logs.lines.is_empty(),
        Body::Rows(rows) => rows.rows.is_empty(),
        Body::Nothing => true,
        Body::Change(_) | Body::Fact(_) | Body::Alarm(_) => false,
    };
    Evidence {
        id,
        source,
        title: Redacted::new(title),
        query,
        window,
        status: if empty { Status::Empty } else { Status::Found },
        horizon: None,
        body,
    }
}

/// Returns the Region and account that evidence of the incident comes from.
pub(crate) fn place(incident: &Incident) -> &Place {
    &incident.alarm.place
}
