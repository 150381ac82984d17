//! What is taken over from the definition, and how far a composite is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::alarm::{WakeUp, parse_event};
use crate::config::InvestigateSilenced;
use crate::evidence::{MetricId, Series, Status};
use crate::gather::Telemetry;
use crate::gather::telemetry::{
    FunctionState, LogGroup, LogPage, LogRequest, MetricsRequest, TelemetryError,
};
use crate::handler::tests::services_of;

/// What `DescribeAlarms` knows: definitions by name, and children by the name of their composite.
#[derive(Default)]
struct Account {
    alarms: BTreeMap<String, AlarmSnapshot>,
    children: BTreeMap<String, Vec<String>>,
}

impl Telemetry for Account {
    fn metrics<'a>(&'a self, _: &'a MetricsRequest) -> BoxFuture<'a, Result<Vec<Series>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn list_metrics<'a>(&'a self, _: &'a MetricId) -> BoxFuture<'a, Result<Vec<MetricId>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn alarm<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AlarmSnapshot>, TelemetryError>> {
        let answer = match name {
            "denied" => Err(TelemetryError {
                status: Status::Denied,
                operation: "cloudwatch:DescribeAlarms",
                reason: "no policy allows it".into(),
            }),
            name => Ok(self.alarms.get(name).cloned()),
        };
        Box::pin(std::future::ready(answer))
    }

    fn children<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<AlarmSnapshot>, TelemetryError>> {
        let names = self.children.get(name).into_iter().flatten();
        let found = names.filter_map(|name| self.alarms.get(name)).cloned().collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn log_group<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<LogGroup>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn log_events<'a>(&'a self, _: &'a LogRequest) -> BoxFuture<'a, Result<LogPage, TelemetryError>> {
        Box::pin(std::future::ready(Ok(LogPage::default())))
    }

    fn function<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<FunctionState>, TelemetryError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// An alarm message with a few fields over it.
fn alarm(name: &str, fields: &Value) -> Alarm {
    let mut message = json!({
        "AlarmName": name, "NewStateValue": "ALARM", "StateChangeTime": "2026-11-24T03:05:22.704+0000",
        "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"),
    });
    for (key, value) in fields.as_object().unwrap() {
        message[key] = value.clone();
    }
    match parse_event(message.to_string().as_bytes()).records.remove(0) {
        WakeUp::Alarm(alarm) => *alarm,
        other => panic!("no alarm: {other:?}"),
    }
}

fn metric(function: &str) -> Value {
    json!({"Trigger": {
        "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "SUM", "Period": 60, "EvaluationPeriods": 3,
        "Threshold": 20.0, "ComparisonOperator": "GreaterThanThreshold",
        "Dimensions": [{"name": "FunctionName", "value": function}],
    }})
}

fn rule() -> Value {
    json!({"AlarmRule": "ALARM(\"x\")"})
}

impl Account {
    /// Adds an alarm that is in ALARM since so many minutes past three, or in OK.
    fn with(mut self, alarm: Alarm, since: Option<u8>) -> Self {
        let since_text = format!("2026-11-24T03:{:02}:00Z", since.unwrap_or_default());
        let new_state = if since.is_some() { AlarmState::Alarm } else { AlarmState::Ok };
        let snapshot = AlarmSnapshot {
            state_since: Some(since_text.parse().unwrap()),
            alarm: Alarm { new_state, ..alarm },
            actions_enabled: true,
            tags: BTreeMap::new(),
        };
        self.alarms.insert(snapshot.alarm.name.clone(), snapshot);
        self
    }

    fn below(mut self, name: &str, children: &[&str]) -> Self {
        self.children.insert(name.into(), children.iter().map(|&child| child.to_owned()).collect());
        self
    }

    async fn completes(self, alarm: Alarm) -> Result<Alarm, String> {
        let services = services_of(Arc::new(self));
        complete(alarm, false, Deadline::after(Duration::from_mins(1)), &services).await
    }
}

/// What `EventBridge` says of a metric alarm: no threshold.
fn of_event_bridge(name: &str) -> Alarm {
    let event = json!({
        "detail-type": "CloudWatch Alarm State Change", "region": "us-east-1",
        "resources": [format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")],
        "detail": {"alarmName": name, "state": {"value": "ALARM", "timestamp": "2026-11-24T03:05:22.704+0000"},
            "configuration": {"metrics": [{"id": "m1", "returnData": true, "metricStat": {"period": 60, "stat": "Sum",
                "metric": {"namespace": "AWS/Lambda", "name": "Errors", "dimensions": {"FunctionName": "f"}}}}]}},
    });
    match parse_event(event.to_string().as_bytes()).records.remove(0) {
        WakeUp::Alarm(alarm) => *alarm,
        other => panic!("no alarm: {other:?}"),
    }
}

#[tokio::test]
async fn the_threshold_that_an_event_leaves_out_is_read() {
    let account = Account::default().with(alarm("a", &metric("f")), Some(2));
    let whole = account.completes(of_event_bridge("a")).await.unwrap();
    let watched = whole.metric().unwrap();
    assert_eq!((watched.threshold, watched.evaluation_periods), (Some(20.0), 3));
    // Where nothing can be read, what the event said is kept.
    for name in ["denied", "unknown"] {
        let kept = Account::default().completes(of_event_bridge(name)).await.unwrap();
        assert_eq!(kept.metric().unwrap().threshold, None);
    }
}

#[tokio::test]
async fn an_alarm_whose_actions_are_off_is_not_wanted() {
    let mut account = Account::default().with(alarm("a", &metric("f")), Some(2));
    account.alarms.get_mut("a").unwrap().actions_enabled = false;
    let whole = Alarm { arn: None, ..alarm("a", &metric("f")) };
    let services = services_of(Arc::new(account));
    let deadline = Deadline::after(Duration::from_mins(1));
    assert_eq!(
        complete(of_event_bridge("a"), false, deadline, &services).await,
        Err("the alarm a has its actions disabled".into())
    );
    // A person asks for it; or an action brought it, so they were on when it went off.
    assert!(complete(of_event_bridge("a"), true, deadline, &services).await.is_ok());
    assert!(complete(whole, false, deadline, &services).await.is_ok());
    // The operator wants to hear of it all the same.
    let mut services = services;
    services.config.silenced.disabled = true;
    assert!(complete(of_event_bridge("a"), false, deadline, &services).await.is_ok());
}

#[test]
fn what_is_silenced_is_heard_only_where_its_own_setting_says_so() {
    let wake_up = || WakeUp::Alarm(Box::new(of_event_bridge("a\nb")));
    let kinds = [Silence::Muted, Silence::Suppressed, Silence::Disabled];
    let mut services = services_of(Arc::new(Account::default()));
    for by in kinds {
        let reason = heard(by, wake_up(), &services).unwrap_err();
        assert_eq!(reason, format!("the alarm a b {}", by.as_str()));
    }
    for wanted in kinds {
        services.config.silenced = InvestigateSilenced {
            muted: wanted == Silence::Muted,
            suppressed: wanted == Silence::Suppressed,
            disabled: wanted == Silence::Disabled,
        };
        for by in kinds {
            assert_eq!(heard(by, wake_up(), &services).is_ok(), by == wanted, "{by:?} with {wanted:?}");
        }
    }
    let by_name = WakeUp::Manual { alarm_name: "a".into(), question: None };
    services.config.silenced = InvestigateSilenced::default();
    assert_eq!(heard(Silence::Muted, by_name, &services), Err("the alarm a is muted".into()));
}

#[tokio::test]
async fn a_composite_stands_on_the_first_of_its_leaves_that_went_off() {
    let account = Account::default()
        .with(alarm("top", &rule()), Some(5))
        .with(alarm("inner", &rule()), Some(4))
        .with(alarm("late", &metric("late")), Some(4))
        .with(alarm("early", &metric("early")), Some(1))
        .with(alarm("well", &metric("well")), None)
        .below("top", &["inner", "late", "well"])
        // A rule that names its own parent, and an alarm twice.
        .below("inner", &["early", "late", "top"]);
    let opened = account.completes(alarm("top", &rule())).await.unwrap();
    assert_eq!(opened.leaves, ["early", "late"]);
    let watched = opened.metric().unwrap();
    assert_eq!((watched.dimensions["FunctionName"].as_str(), watched.threshold), ("early", Some(20.0)));
    assert!(matches!(&opened.trigger, Trigger::Derived(derived) if derived.kind == "composite"));
}

#[tokio::test]
async fn a_composite_whose_leaves_are_not_known_keeps_its_rule() {
    for account in [Account::default(), Account::default().with(alarm("top", &rule()), Some(5))] {
        let kept = account.completes(alarm("top", &rule())).await.unwrap();
        assert!(matches!(&kept.trigger, Trigger::Other { kind, .. } if kind == "composite"));
        assert!(kept.leaves.is_empty());
    }
}

#[tokio::test]
async fn what_went_back_to_ok_and_what_is_whole_is_not_asked_for() {
    let services = services_of(Arc::new(Account::default().with(alarm("a", &metric("other")), Some(1))));
    let deadline = Deadline::after(Duration::from_mins(1));
    for message in [alarm("a", &metric("f")), Alarm { new_state: AlarmState::Ok, ..of_event_bridge("a") }] {
        assert_eq!(complete(message.clone(), false, deadline, &services).await, Ok(message));
    }
}
