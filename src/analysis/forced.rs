//! A state that somebody set by hand: `aws cloudwatch set-alarm-state`, which everybody tries a new alarm with.
//!
//! Two things must agree, since a wrong guess would hide an incident: the reason is none that `CloudWatch` writes, and the
//! metric was read and does not breach.

use crate::alarm::reason::is_cloudwatchs;
use crate::alarm::{Alarm, MissingData, Trigger};
use crate::clock::Timestamp;
use crate::evidence::{Body, Ledger, Status};
use crate::incident::Incident;

/// A test alarm, with what shows that it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct TestAlarm {
    /// Name of the alarm's metric.
    pub metric: String,
    /// Its newest datapoint, where it has one in the time that was evaluated.
    pub newest: Option<(Timestamp, f64)>,
    /// The alarm's threshold.
    pub threshold: f64,
}

/// Tells whether somebody may have set the alarm's state by hand: the reason is none that `CloudWatch` writes.
pub fn may_be_test(alarm: &Alarm) -> bool {
    let is_judged = match &alarm.trigger {
        Trigger::Metric(metric) => metric.comparison.is_some() && metric.threshold.is_some(),
        Trigger::Derived(_) | Trigger::Log(_) | Trigger::Other { .. } => false,
    };
    is_judged && !alarm.reason.trim().is_empty() && !is_cloudwatchs(&alarm.reason)
}

/// Tells whether somebody set the alarm's state by hand.
pub fn test_alarm(incident: &Incident, ledger: &Ledger) -> Option<TestAlarm> {
    let alarm = &incident.alarm;
    let Trigger::Metric(metric) = &alarm.trigger else { return None };
    let (comparison, threshold) = (metric.comparison?, metric.threshold?);
    if !may_be_test(alarm) {
        return None;
    }
    let own = ledger.items().iter().find(|item| {
        item.window == incident.window
            && match &item.body {
                Body::Series(series) => {
                    series.metric.name == metric.metric
                        && series.metric.dimensions == metric.dimensions
                        && series.statistic.as_str() == metric.statistic
                }
                _ => false,
            }
    })?;
    if !matches!(own.status, Status::Found | Status::Empty) {
        return None;
    }
    let Body::Series(series) = &own.body else { return None };
    // The periods that were evaluated, and as many before: a set state may meet an alarm about to go off by itself.
    let length = i64::from(metric.evaluation_periods).saturating_mul(2).saturating_mul(metric.period_seconds);
    let since = incident.alarm.changed_at.as_second().saturating_sub(length);
    let recent = || series.datapoints.iter().filter(|point| point.at.as_second() >= since);
    if recent().any(|point| comparison.breaches(point.value, threshold)) {
        return None;
    }
    let newest = recent().max_by_key(|point| point.at).map(|point| (point.at, point.value));
    if newest.is_none() && metric.missing_data == MissingData::Breaching {
        return None;
    }
    Some(TestAlarm { metric: metric.metric.clone(), newest, threshold })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::alarm::{WakeUp, parse_event};
    use crate::evidence::{Datapoint, Evidence, MetricId, Query, Series, Source, Statistic};
    use crate::id::{EvidenceId, Seed};
    use crate::redact::Redacted;

    fn incident(reason: &str, trigger: &Value) -> Incident {
        let message = json!({
            "AlarmName": "render-errors", "NewStateValue": "ALARM", "NewStateReason": reason,
            "StateChangeTime": "2026-11-24T03:05:22.000+0000", "Trigger": trigger,
        });
        let WakeUp::Alarm(alarm) = parse_event(message.to_string().as_bytes()).records.remove(0) else {
            panic!("{message}")
        };
        Incident::from_alarm(*alarm, "2026-11-24T03:05:30Z".parse().unwrap(), Seed(7))
    }

    fn trigger() -> Value {
        json!({
            "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "SUM", "Period": 60, "EvaluationPeriods": 3,
            "Threshold": 20.0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
            "Dimensions": [{"name": "FunctionName", "value": "render"}],
        })
    }

    /// The alarm's series with these values at these minutes past three.
    fn ledger(incident: &Incident, status: Status, points: &[(u8, f64)]) -> Ledger {
        let metric = MetricId {
            namespace: "AWS/Lambda".into(),
            name: "Errors".into(),
            dimensions: [("FunctionName".to_owned(), "render".to_owned())].into(),
        };
        let point = |(minute, value): &(u8, f64)| Datapoint {
            at: format!("2026-11-24T03:{minute:02}:00Z").parse().unwrap(),
            value: *value,
        };
        let mut ledger = Ledger::default();
        ledger.push(Evidence {
            id: EvidenceId::new('M', 1),
            source: Source::Metrics,
            title: Redacted::new("Errors"),
            query: Query::default(),
            window: incident.window,
            status,
            horizon: None,
            body: Body::Series(Series {
                metric,
                statistic: Statistic("Sum".into()),
                unit: None,
                period_seconds: 60,
                datapoints: points.iter().map(point).collect(),
            }),
        });
        ledger
    }

    #[test]
    fn free_text_and_a_metric_that_does_not_breach_make_a_test_and_neither_alone() {
        type Row<'a> = (&'a str, Status, &'a [(u8, f64)], bool);
        let crossed = "Threshold Crossed: 3 out of the last 3 datapoints [43.0 (24/11/26 03:04:00)]";
        let quiet: &[(u8, f64)] = &[(3, 0.0), (4, 2.0)];
        let rows: &[Row<'_>] = &[
            ("testing the pager", Status::Found, quiet, true),
            ("testing the pager", Status::Empty, &[], true),
            // What breached an hour ago is over.
            ("testing the pager", Status::Found, &[(0, 0.0), (4, 1.0)], true),
            (crossed, Status::Found, quiet, false),
            ("testing the pager", Status::Found, &[(3, 0.0), (4, 43.0)], false),
            ("testing the pager", Status::Denied, &[], false),
            ("", Status::Found, quiet, false),
        ];
        for (reason, status, points, expected) in rows {
            let incident = incident(reason, &trigger());
            let found = test_alarm(&incident, &ledger(&incident, *status, points));
            assert_eq!(found.is_some(), *expected, "{reason} {status:?} {points:?}");
        }
        let incident = incident("testing the pager", &trigger());
        let found = test_alarm(&incident, &ledger(&incident, Status::Found, quiet)).unwrap();
        assert_eq!((found.newest.unwrap().1, found.threshold), (2.0, 20.0));
        assert_eq!(test_alarm(&incident, &Ledger::default()), None, "nothing was read");
    }

    #[test]
    fn silence_is_no_test_where_it_breaches_and_a_computed_alarm_never_is() {
        let mut breaching = trigger();
        breaching["TreatMissingData"] = json!("breaching");
        let silent = incident("testing the pager", &breaching);
        assert_eq!(test_alarm(&silent, &ledger(&silent, Status::Empty, &[])), None);
        let math = json!({"Metrics": [{"Id": "e1", "Expression": "m1 / 2"}], "Threshold": 1.0});
        let computed = incident("testing the pager", &math);
        assert_eq!(test_alarm(&computed, &ledger(&computed, Status::Found, &[(4, 0.0)])), None);
    }
}
