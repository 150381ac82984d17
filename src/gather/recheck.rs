//! Just before a post, the alarm's state and the last complete period are read again.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::alarm::AlarmState;
use crate::clock::Timestamp;
use crate::evidence::{MetricId, Source, Statistic, Window};
use crate::gather::Reader;
use crate::gather::telemetry::{MetricQuery, MetricsRequest};
use crate::incident::Incident;

/// Whether the symptom goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The alarm is still in ALARM.
    Still {
        /// When that was read.
        at: Timestamp,
        /// Start of the last complete period that was read, with its value.
        last: Option<(Timestamp, f64)>,
    },
    /// The alarm has left ALARM.
    Recovered {
        /// Since when, where `CloudWatch` tells.
        since: Option<Timestamp>,
    },
    /// The alarm gets too few datapoints to tell, which is no recovery.
    NoData {
        /// Since when, where `CloudWatch` tells.
        since: Option<Timestamp>,
    },
    /// It could not be read.
    Unknown {
        /// When that was tried.
        at: Timestamp,
        /// Why, in one line.
        reason: String,
    },
}

impl Condition {
    /// Returns `still`, `recovered`, `no data` or `state unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Condition::Still { .. } => "still",
            Condition::Recovered { .. } => "recovered",
            Condition::NoData { .. } => "no data",
            Condition::Unknown { .. } => "state unknown",
        }
    }
}

/// Reads state and last period again; `now` is the run's clock at this moment, which may be minutes after its start.
pub async fn recheck(incident: &Incident, reader: &Reader<'_>, now: Timestamp) -> Condition {
    let state = reader.ask(
        reader.telemetry.alarm(&incident.alarm.name),
        Source::Alarm,
        "state of the alarm",
        "cloudwatch:DescribeAlarms",
    );
    let (state, last) = futures::join!(state, last_period(incident, reader, now));
    match state {
        Ok(Some(snapshot)) => match snapshot.alarm.new_state {
            AlarmState::Alarm => Condition::Still { at: now, last },
            AlarmState::Ok => Condition::Recovered { since: snapshot.state_since },
            AlarmState::InsufficientData => Condition::NoData { since: snapshot.state_since },
        },
        Ok(None) => Condition::Unknown { at: now, reason: "CloudWatch knows no alarm of this name".into() },
        Err(gap) => {
            // What AWS answers names account and role, which a card does not show.
            let why = match &gap.missing_action {
                Some(action) => format!("{}: {action}", gap.status.as_str()),
                None => gap.status.as_str().to_owned(),
            };
            Condition::Unknown { at: now, reason: why }
        }
    }
}

/// Reads the newest datapoint of the alarm's metric whose period is over.
async fn last_period(incident: &Incident, reader: &Reader<'_>, end: Timestamp) -> Option<(Timestamp, f64)> {
    let trigger = incident.alarm.metric()?;
    let period = SignedDuration::from_secs(trigger.period_seconds.max(60));
    let request = MetricsRequest {
        queries: vec![MetricQuery {
            metric: MetricId {
                namespace: trigger.namespace.clone(),
                name: trigger.metric.clone(),
                dimensions: trigger.dimensions.clone(),
            },
            statistic: Statistic(trigger.statistic.clone()),
            unit: None,
        }],
        window: Window {
            start: incident.window.period_start(end.checked_sub(period * 10).ok()?, period.as_secs()),
            end,
        },
        period_seconds: period.as_secs(),
    };
    let answer = reader.telemetry.metrics(&request);
    let series = reader.ask(answer, Source::Metrics, "last period", "cloudwatch:GetMetricData").await.ok()?;
    let point = series
        .first()?
        .datapoints
        .iter()
        .rev()
        .find(|point| point.at.checked_add(period).is_ok_and(|over| over <= end))?;
    Some((point.at, point.value))
}
