//! The alarm's metric and its companions, in the incident's window and in normal times.

use jiff::SignedDuration;

use crate::clock::Timestamp;
use crate::evidence::{Body, Gap, Ledger, MetricId, Series, Source, Statistic, Window, console};
use crate::gather::telemetry::{MetricQuery, MetricsRequest};
use crate::gather::{Plan, Reader, evidence, place};
use crate::id::EvidenceId;
use crate::incident::Incident;
use crate::playbook::Role;

/// How far back the alarm's own metric is read, so that "worst in 14 days" can be said. `CloudWatch` keeps
/// one-minute data for 15 days.
const HISTORY: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Least history that is worth its name; with less before the incident, the reading begins earlier.
const LEAST_HISTORY: SignedDuration = SignedDuration::from_hours(24);

/// Most versions whose metrics are compared: the one in service and the one being rolled out, with room for a leftover.
const MOST_VERSIONS: usize = 4;

/// One request with the evidence that its answer becomes.
pub(crate) struct Planned {
    request: MetricsRequest,
    /// One a query: id and title.
    evidence: Vec<(EvidenceId, String)>,
    subject: String,
}

/// Plans the requests: incident, history, then one for each baseline.
pub(crate) fn plan(incident: &Incident, plan: &mut Plan) -> Vec<Planned> {
    let Some(trigger) = incident.alarm.metric() else { return Vec::new() };
    let own = MetricQuery {
        metric: MetricId {
            namespace: trigger.namespace.clone(),
            name: trigger.metric.clone(),
            dimensions: trigger.dimensions.clone(),
        },
        statistic: Statistic(trigger.statistic.clone()),
        unit: None,
    };
    let mut queries = vec![(own.clone(), format!("{} (the alarm's metric)", trigger.metric))];
    for companion in incident.resource.service().into_iter().flat_map(|service| &service.companions) {
        let query = MetricQuery {
            metric: MetricId { name: companion.metric.clone(), ..own.metric.clone() },
            statistic: Statistic(companion.statistic.clone()),
            unit: None,
        };
        if query.metric != own.metric || query.statistic != own.statistic {
            queries.push((query, companion.title.clone()));
        }
    }
    let period = trigger.period_seconds.max(60);
    let mut planned = Vec::new();
    let mut add = |queries: &[(MetricQuery, String)], window: Window, when: &str| {
        let evidence = queries
            .iter()
            .map(|(_, title)| {
                let title = if when.is_empty() { title.clone() } else { format!("{title}, {when}") };
                (plan.next(Source::Metrics), title)
            })
            .collect();
        planned.push(Planned {
            request: MetricsRequest {
                queries: queries.iter().map(|(query, _)| query.clone()).collect(),
                window,
                period_seconds: period,
            },
            evidence,
            subject: if when.is_empty() {
                "metrics of the incident".into()
            } else {
                format!("metrics, {when}")
            },
        });
    };
    add(&queries, incident.window, "");
    // Of an alarm that is looked at days later, the time before it counts and not the time before today.
    let usual = incident.as_of.checked_sub(HISTORY).unwrap_or(Timestamp::MIN);
    let since = if usual < incident.window.start.checked_sub(LEAST_HISTORY).unwrap_or(Timestamp::MIN) {
        usual
    } else {
        incident.window.start.checked_sub(HISTORY).unwrap_or(Timestamp::MIN)
    };
    let history = Window { start: incident.window.period_start(since, period), end: incident.window.start };
    add(&[(own, format!("{} (the alarm's metric)", trigger.metric))], history, "14 days before");
    for baseline in &incident.baselines {
        add(&queries, baseline.window, &baseline.title);
    }
    planned
}

/// Sends the planned requests at once.
pub(crate) async fn read(reader: &Reader<'_>, planned: &[Planned]) -> Vec<Result<Vec<Series>, Gap>> {
    let asked = planned.iter().map(|planned| {
        reader.ask(
            reader.telemetry.metrics(&planned.request),
            Source::Metrics,
            &planned.subject,
            "cloudwatch:GetMetricData",
        )
    });
    futures::future::join_all(asked).await
}

/// Writes the answers into the ledger.
pub(crate) fn record(
    incident: &Incident,
    planned: &[Planned],
    answers: Vec<Result<Vec<Series>, Gap>>,
    ledger: &mut Ledger,
) {
    for (planned, answer) in planned.iter().zip(answers) {
        match answer {
            Ok(series) => {
                for ((id, title), series) in planned.evidence.iter().zip(series) {
                    push(incident, id.clone(), title, planned.request.window, series, ledger);
                }
            }
            Err(gap) => ledger.push_gap(gap),
        }
    }
}

pub(crate) fn push(
    incident: &Incident,
    id: EvidenceId,
    title: &str,
    window: Window,
    mut series: Series,
    ledger: &mut Ledger,
) {
    if series.unit.is_none() {
        series.unit = unit(incident, &series.metric.name);
    }
    let query = console::metric_query(
        place(incident),
        &series.metric,
        &series.statistic,
        window,
        series.period_seconds,
    );
    ledger.push(evidence(id, Source::Metrics, title, query, window, Body::Series(series)));
}

/// Returns the unit of a metric: the alarm's own, where it names one, else what AWS documents for it.
fn unit(incident: &Incident, metric: &str) -> Option<String> {
    let own = incident.alarm.metric().filter(|trigger| trigger.metric == metric);
    own.and_then(|trigger| trigger.unit.clone()).or_else(|| {
        let mut companions = incident.resource.service()?.companions.iter();
        companions.find(|companion| companion.metric == metric)?.unit.clone()
    })
}

/// Reads failures and traffic by executed version, where an alias splits traffic.
pub(crate) async fn read_versions(incident: &Incident, reader: &Reader<'_>) -> Result<Vec<Series>, Gap> {
    let (Some(trigger), Some(service)) = (incident.alarm.metric(), incident.resource.service()) else {
        return Ok(Vec::new());
    };
    // Only functions count by version; that needs no word from Lambda itself, whose API may be denied.
    if service.resource_dimension != "FunctionName" {
        return Ok(Vec::new());
    }
    // The first metric of a role is the one that the role is about.
    let first_of = |role| service.companions.iter().find(|companion| companion.role == role);
    let wanted: Vec<(&str, &str)> = [Role::Traffic, Role::Errors]
        .into_iter()
        .filter_map(first_of)
        .map(|companion| (companion.metric.as_str(), companion.statistic.as_str()))
        .collect();
    let like = MetricId {
        namespace: trigger.namespace.clone(),
        name: "Invocations".into(),
        dimensions: [(service.resource_dimension.clone(), incident.resource.name.clone())].into(),
    };
    let listed = reader
        .ask(
            reader.telemetry.list_metrics(&like),
            Source::Metrics,
            "metrics by version",
            "cloudwatch:ListMetrics",
        )
        .await?;
    let mut by_version: Vec<MetricId> =
        listed.into_iter().filter(|metric| metric.dimensions.contains_key("ExecutedVersion")).collect();
    // Versions are numbers, so the longer text is the newer one.
    by_version.sort_by_key(|metric| {
        let version = metric.dimensions.get("ExecutedVersion").cloned().unwrap_or_default();
        std::cmp::Reverse((version.len(), version))
    });
    by_version.truncate(MOST_VERSIONS);
    by_version.reverse();
    let queries: Vec<MetricQuery> = by_version
        .iter()
        .flat_map(|metric| {
            wanted.iter().map(|(name, statistic)| MetricQuery {
                metric: MetricId { name: (*name).to_owned(), ..metric.clone() },
                statistic: Statistic((*statistic).to_owned()),
                unit: None,
            })
        })
        .collect();
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let request =
        MetricsRequest { queries, window: incident.window, period_seconds: trigger.period_seconds.max(60) };
    let read = reader.telemetry.metrics(&request);
    reader.ask(read, Source::Metrics, "metrics by version", "cloudwatch:GetMetricData").await
}

/// Writes the series by version into the ledger.
pub(crate) fn record_versions(
    incident: &Incident,
    plan: &mut Plan,
    versions: Result<Vec<Series>, Gap>,
    ledger: &mut Ledger,
) {
    match versions {
        Ok(series) => {
            for series in series {
                let version = series.metric.dimensions.get("ExecutedVersion").cloned().unwrap_or_default();
                let title = format!("{} of version {version}", series.metric.name);
                push(incident, plan.next(Source::Metrics), &title, incident.window, series, ledger);
            }
        }
        Err(gap) => ledger.push_gap(gap),
    }
}
