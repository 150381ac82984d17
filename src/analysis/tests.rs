//! Whole incidents, from a ledger to what is said of it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::alarm::{Alarm, AlarmState, Comparison, MetricTrigger, MissingData, Place, Trigger};
use crate::analysis::log_templates::{InWindow, Spans, cluster};
use crate::clock::Timestamp;
use crate::evidence::{
    Change, ChangeKind, Datapoint, Gap, LogLine, LogLines, MetricId, Series, Statistic, Window,
};
use crate::id::Seed;
use crate::incident::{BaselineWindow, Resource};
use crate::playbook::{ChangeSource, Companion, Role};

/// Minutes of the incident window before the first breach.
const LEAD_IN: i64 = 60;

fn at(time: &str) -> Timestamp {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

fn service() -> Service {
    let companion = |metric: &str, statistic: &str, role, title: &str, missing_is_zero| Companion {
        metric: metric.into(),
        statistic: statistic.into(),
        role,
        title: title.into(),
        unit: None,
        missing_is_zero,
        optional: false,
    };
    Service {
        namespace: "AWS/Lambda".into(),
        title: "Lambda function".into(),
        resource_dimension: "FunctionName".into(),
        identities: vec![],
        arns: vec![],
        log_groups: vec![],
        companions: vec![
            companion("Invocations", "Sum", Role::Traffic, "invocations", true),
            companion("Errors", "Sum", Role::Errors, "errors", true),
            companion("Throttles", "Sum", Role::Throttling, "throttles", true),
            companion("Duration", "p99", Role::Latency, "duration p99", false),
        ],
        changes: ChangeSource::LambdaFunction,
        blind_spots: vec![],
        console: None,
        next_steps: vec![],
        is_guess: false,
    }
}

fn alarm(metric: &str, threshold: f64) -> Alarm {
    let dimensions: BTreeMap<_, _> = [("FunctionName".to_owned(), "render".to_owned())].into();
    Alarm {
        name: "render-errors".into(),
        arn: None,
        place: Place { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() },
        description: None,
        new_state: AlarmState::Alarm,
        old_state: Some(AlarmState::Ok),
        reason: String::new(),
        changed_at: at("03:05:20"),
        trigger: Trigger::Metric(MetricTrigger {
            namespace: "AWS/Lambda".into(),
            metric: metric.into(),
            dimensions,
            statistic: if metric == "Duration" { "p99" } else { "Sum" }.into(),
            unit: None,
            period_seconds: 60,
            evaluation_periods: 3,
            datapoints_to_alarm: 3,
            comparison: Some(Comparison::Greater),
            threshold: Some(threshold),
            missing_data: MissingData::NotBreaching,
        }),
        contributor: None,
        attributes: BTreeMap::new(),
        by_action: false,
        leaves: Vec::new(),
        other_fields: BTreeMap::new(),
    }
}

/// An incident at 03:02 and its ledger, filled piece by piece.
struct Case {
    incident: Incident,
    ledger: Ledger,
}

impl Case {
    fn new(metric: &str, threshold: f64) -> Self {
        let alarm = alarm(metric, threshold);
        let resource = Resource { namespace: "AWS/Lambda".into(), name: "render".into(), qualifier: None };
        let mut incident = Incident::from_alarm(alarm, at("03:05:30"), Seed(7));
        let window = Window { start: at("02:02:00"), end: at("03:05:00") };
        incident.resource = resource;
        incident.first_breach = at("03:02:00");
        incident.window = window;
        let before = Window { start: window.start.checked_sub(minutes(180)).unwrap(), end: window.start };
        incident.baselines = vec![
            BaselineWindow { title: "the 3 hours before".into(), window: before },
            BaselineWindow { title: "same time yesterday".into(), window: window.earlier(minutes(1_440)) },
        ];
        Case { incident, ledger: Ledger::default() }
    }

    /// Adds one evidence for each window; `value` gives the value so many minutes after the first breach.
    fn series(&mut self, name: &str, version: Option<&str>, value: impl Fn(i64) -> Option<f64>) -> &mut Self {
        let mut dimensions: BTreeMap<_, _> = [("FunctionName".to_owned(), "render".to_owned())].into();
        if let Some(version) = version {
            dimensions.insert("Resource".into(), "render:live".into());
            dimensions.insert("ExecutedVersion".into(), version.into());
        }
        let metric = MetricId { namespace: "AWS/Lambda".into(), name: name.into(), dimensions };
        let mut windows = vec![self.incident.window];
        if version.is_none() {
            windows.extend(self.incident.baselines.iter().map(|baseline| baseline.window));
        }
        for window in windows {
            let mut datapoints = Vec::new();
            let mut moment = window.start;
            while moment < window.end {
                let minute = moment.duration_since(at("03:02:00")).as_mins();
                datapoints.extend(value(minute).map(|value| Datapoint { at: moment, value }));
                moment = moment.checked_add(minutes(1)).unwrap();
            }
            let status = if datapoints.is_empty() { Status::Empty } else { Status::Found };
            let series = Series {
                metric: metric.clone(),
                statistic: Statistic(if name == "Duration" { "p99" } else { "Sum" }.into()),
                period_seconds: 60,
                unit: (name == "Duration").then(|| "Milliseconds".to_owned()),
                datapoints,
            };
            self.push(Source::Metrics, name, window, status, Body::Series(series));
        }
        self
    }

    fn change(&mut self, time: &str, entity: &str) -> &mut Self {
        let change = Change {
            at: time.parse().unwrap_or_else(|_| at(time)),
            kind: ChangeKind::Deployment,
            target: "render".into(),
            entity: entity.into(),
            summary: Redacted::new(&format!("{entity} was published")),
            details: vec![],
            rollback: None,
        };
        let window = self.incident.window;
        self.push(Source::Changes, "versions", window, Status::Found, Body::Change(change))
    }

    fn logs(&mut self, incident: &[(&str, &str, &str)], baseline: &[&str]) -> &mut Self {
        let lines: Vec<LogLine> = incident
            .iter()
            .map(|(time, stream, text)| LogLine {
                at: at(time),
                stream: (*stream).into(),
                text: Redacted::new(text),
            })
            .collect();
        let inside = lines.iter().map(|line| (line.at, line.text.as_str(), InWindow::Incident));
        let outside = baseline.iter().map(|text| (at("00:10:00"), *text, InWindow::Baseline));
        let spans = Spans { incident: minutes(63), baseline: minutes(180) };
        let templates = cluster(inside.chain(outside), spans);
        let logs = LogLines {
            group: "/aws/lambda/render".into(),
            pattern: String::new(),
            lines,
            complete: true,
            counted: None,
            templates,
        };
        let window = self.incident.window;
        self.push(Source::Logs, "logs", window, Status::Found, Body::Logs(logs))
    }

    fn push(&mut self, source: Source, title: &str, window: Window, status: Status, body: Body) -> &mut Self {
        let id = self.ledger.next_id(source);
        let title = Redacted::new(title);
        self.ledger.push(Evidence {
            id,
            source,
            title,
            query: Query::default(),
            window,
            status,
            horizon: None,
            body,
        });
        self
    }

    fn analysis(&self) -> Analysis {
        analyse_by(&self.incident, &self.ledger, Some(&service()))
    }
}

/// Version 58 takes half of the traffic at 03:02 and fails most of it.
fn bad_deploy() -> Case {
    let mut case = Case::new("Errors", 20.0);
    case.series("Invocations", None, |minute| {
        Some([116.0, 121.0, 118.0][usize::try_from(minute.rem_euclid(3)).unwrap()])
    })
    .series("Errors", None, |minute| {
        Some(match minute {
            0 => 22.0,
            1 => 41.0,
            2 => 43.0,
            _ => 0.0,
        })
    })
    .series("Throttles", None, |_| None)
    .series("Duration", None, |minute| Some(800.0 + f64::from(i32::try_from(minute.rem_euclid(7)).unwrap())))
    .series("Invocations", Some("57"), |minute| Some(if minute < 0 { 118.0 } else { 58.0 }))
    .series("Errors", Some("57"), |_| Some(0.0))
    .series("Invocations", Some("58"), |minute| (minute >= 0).then_some(60.0))
    .series("Errors", Some("58"), |minute| (minute >= 0).then_some(if minute == 0 { 22.0 } else { 43.0 }))
    .change("03:01:10", "version 58")
    .change("2026-11-05T14:20:33Z", "version 57");
    let error = "2026-11-24T03:02:40.113Z\t863e6457-6a0d-4c6a-a02c-85ddee863f60\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"Cannot read properties of undefined (reading 'taxRate')\"}";
    let mut lines = vec![
        ("02:30:00", "2026/11/24/[57]aa", "render 17 took 12 ms"),
        ("03:02:38", "2026/11/24/[58]bb", "render 18 took 12 ms"),
    ];
    lines.extend(std::iter::repeat_n(("03:02:40", "2026/11/24/[58]bb", error), 30));
    case.logs(&lines, &["render 16 took 11 ms"; 5]);
    case
}

fn texts(analysis: &Analysis) -> String {
    let mut lines = Vec::new();
    for evidence in &analysis.facts {
        if let Body::Fact(fact) = &evidence.body {
            let mark = fact.discriminates.as_ref().map(|entity| format!(" [{entity}]")).unwrap_or_default();
            lines.push(format!("{} {} -> {}{mark}", evidence.id, fact.text, fact.display));
        }
    }
    for entry in &analysis.timeline.entries {
        lines.push(format!("{} {} [{}]", fact::clock_second(entry.at), entry.text, entry.evidence));
    }
    match &analysis.lead {
        Some(lead) => lines.push(format!("lead: {}: {}", lead.entity, lead.reasons.join("; "))),
        None => lines.push(NOTHING_STANDS_OUT.to_owned()),
    }
    lines.join("\n")
}

#[test]
fn a_bad_deployment_is_told_from_its_neighbour() {
    let analysis = bad_deploy().analysis();
    insta::assert_snapshot!(texts(&analysis), @r#"
    F1 Errors rose at 03:02: median 0 before, 41 since -> 03:02
    F2 At 03:04, 43 of 118 requests failed (36%) -> 36%
    F3 The worst Errors since the onset was 43, at 03:04; the alarm's threshold is 20; normal is 0 -> 43
    F4 version 58 served its first request at 03:02:38 -> 03:02:38
    F5 At 03:04: version 58 fails 43 of 60, version 57 fails 0 of 58 -> 43 of 60 against 0 of 58 of version 57 [version 58]
    F6 At 03:04, version 58 served 60 of 118 requests (51%) -> 51%
    F7 First seen 03:02:40, none in the baseline: "ERROR Invoke Error TypeError: Cannot read properties of undefined (reading 'taxRate')", 30 lines, all of version 58 -> 03:02:40 [version 58]
    F8 Normal: invocations 118 (normal 116 to 121), throttles 0, duration p99 802 ms (normal 800 to 806) -> invocations, throttles, duration p99
    03:01:10 version 58 was published [C1]
    03:02:00 Errors rose: median 0 before, 41 since [M4]
    03:02:38 version 58 served its first request [L1]
    03:02:40 first "ERROR Invoke Error TypeError: Cannot read properties of undefined (reading 'taxRate')" (30 times) [L1]
    lead: version 58: It served its first request at 03:02:38, 2 s before its first error; it fails 43 of 60, version 57 beside it 0 of 58; all 30 lines read of the new error are its own
    "#);
    let lead = analysis.lead.unwrap();
    assert_eq!((lead.entity.as_str(), lead.at), ("version 58", at("03:02:38")));
    let impact = analysis.impact.unwrap();
    assert_eq!(
        (impact.failing, impact.total, impact.normal.as_deref()),
        (Some(43), Some(118), Some("0 of ~118"))
    );
    assert_eq!(impact.short(), "36% of requests failing");
    assert_eq!(
        impact.lines(),
        [
            "43 of 118 requests/min fail (36%)",
            "normal 0 of ~118 · alarm at 20",
            "▁▁▁▁▁▁▁▁▅██ Errors/min, 02:54-03:04"
        ]
    );
    assert_eq!(analysis.condition_hint, ConditionHint::Still);
    assert_eq!(analysis.onset.unwrap().at, at("03:02:00"));
}

#[test]
fn every_input_of_a_fact_is_in_the_ledger_or_a_fact() {
    let case = bad_deploy();
    let analysis = case.analysis();
    for evidence in &analysis.facts {
        let Body::Fact(fact) = &evidence.body else { panic!("not a fact") };
        assert!(!fact.inputs.is_empty() && !fact.formula.is_empty() && !fact.display.is_empty(), "{fact:?}");
        assert!(fact.inputs.iter().all(|id| case.ledger.get(id).is_some()), "{fact:?}");
    }
    let lead = analysis.lead.unwrap();
    let known =
        |id: &EvidenceId| case.ledger.get(id).is_some() || analysis.facts.iter().any(|fact| &fact.id == id);
    assert!(lead.evidence.iter().all(known), "{lead:?}");
}

#[test]
fn silence_of_a_metric_is_zero_only_where_the_playbook_says_so_and_the_resource_was_seen() {
    let states = |case: &Case| -> Vec<(String, CompanionState)> {
        case.analysis().companions.into_iter().map(|companion| (companion.title, companion.state)).collect()
    };
    let mut case = Case::new("Errors", 20.0);
    case.series("Throttles", None, |_| None).series("Duration", None, |_| None);
    assert_eq!(
        states(&case),
        [
            ("invocations".into(), CompanionState::NotAsked),
            ("throttles".into(), CompanionState::NoData),
            ("duration p99".into(), CompanionState::NoData),
        ]
    );
    case.series("Invocations", None, |_| Some(100.0));
    assert_eq!(
        states(&case),
        [
            ("invocations".into(), CompanionState::Normal),
            ("throttles".into(), CompanionState::Normal),
            ("duration p99".into(), CompanionState::NoData),
        ]
    );
}

#[test]
fn what_could_not_be_read_is_not_called_normal() {
    let mut case = Case::new("Errors", 20.0);
    let window = case.incident.window;
    case.push(Source::Metrics, "duration p99", window, Status::Denied, Body::Nothing);
    case.ledger.push_gap(Gap {
        source: Source::Metrics,
        subject: "throttles".into(),
        status: Status::Throttled,
        reason: "rate exceeded".into(),
        missing_action: None,
    });
    let states: Vec<_> = case.analysis().companions.into_iter().map(|companion| companion.state).collect();
    assert_eq!(
        states,
        [
            CompanionState::NotAsked,
            CompanionState::NotChecked(Status::Throttled),
            CompanionState::NotChecked(Status::Denied),
        ]
    );
}

#[test]
fn an_empty_ledger_still_has_the_onset_that_the_alarm_names() {
    let analysis = Case::new("Errors", 20.0).analysis();
    let onset = analysis.onset.unwrap();
    assert_eq!((onset.at, onset.source), (at("03:02:00"), OnsetSource::FirstBreach));
    assert_eq!((analysis.lead, analysis.impact, analysis.facts.len()), (None, None, 0));
    assert_eq!(analysis.condition_hint, ConditionHint::Unknown);
}

/// Errors at 03:02, nothing else known.
fn failing() -> Case {
    let mut case = Case::new("Errors", 20.0);
    case.series("Errors", None, |minute| Some(if minute >= 0 { 40.0 } else { 0.0 }));
    case
}

#[test]
fn a_change_after_the_onset_is_no_lead_and_one_in_its_period_is() {
    assert_eq!(failing().change("03:03:30", "version 58").analysis().lead, None);
    let lead = failing().change("03:02:30", "version 58").analysis().lead.unwrap();
    assert_eq!(lead.reasons, ["It dates from 2026-11-24 03:02, in the period of the onset"]);
}

#[test]
fn a_change_long_before_is_no_lead_and_the_nearest_of_two_is() {
    assert_eq!(failing().change("2026-11-23T17:00:00Z", "version 58").analysis().lead, None);
    let lead =
        failing().change("02:40:00", "memory").change("02:58:00", "version 58").analysis().lead.unwrap();
    assert_eq!((lead.entity.as_str(), lead.rivals), ("version 58", vec!["memory".to_owned()]));
    assert_eq!(lead.reasons, ["It dates from 2026-11-24 02:58, 4 min before the onset"]);
}

#[test]
fn a_version_that_served_nothing_is_no_lead() {
    let mut case = failing();
    case.change("03:01:00", "version 58").series("Invocations", Some("57"), |_| Some(100.0)).series(
        "Invocations",
        Some("58"),
        |minute| (minute >= 0).then_some(0.0),
    );
    assert_eq!(case.analysis().lead, None);
}

/// Two versions side by side since 03:02 that fail so many of so many a minute.
fn side_by_side(old: (f64, f64), new: (f64, f64)) -> Analysis {
    let mut case = failing();
    case.series("Invocations", None, |_| Some(old.1 + new.1))
        .series("Invocations", Some("57"), move |_| Some(old.1))
        .series("Errors", Some("57"), move |minute| Some(if minute >= 0 { old.0 } else { 0.0 }))
        .series("Invocations", Some("58"), move |minute| (minute >= 0).then_some(new.1))
        .series("Errors", Some("58"), move |minute| (minute >= 0).then_some(new.0));
    case.analysis()
}

fn discriminating(analysis: &Analysis) -> Vec<String> {
    let facts = analysis.facts.iter().filter_map(|evidence| match &evidence.body {
        Body::Fact(fact) if fact.discriminates.is_some() => Some(fact.text.to_string()),
        _ => None,
    });
    facts.collect()
}

#[test]
fn nothing_discriminates_where_both_versions_fail_or_the_other_hardly_served() {
    assert_eq!(discriminating(&side_by_side((40.0, 60.0), (40.0, 60.0))), Vec::<String>::new());
    assert_eq!(discriminating(&side_by_side((10.0, 60.0), (55.0, 60.0))), Vec::<String>::new());
    assert_eq!(discriminating(&side_by_side((0.0, 1.0), (40.0, 60.0))), Vec::<String>::new());
    assert_eq!(discriminating(&side_by_side((0.0, 0.0), (40.0, 60.0))), Vec::<String>::new());
}

#[test]
fn little_traffic_is_compared_since_the_onset() {
    assert_eq!(
        discriminating(&side_by_side((0.0, 5.0), (4.0, 5.0))),
        ["From 03:02 to 03:04: version 58 fails 12 of 15, version 57 fails 0 of 15"]
    );
}

#[test]
fn a_symptom_that_is_over_is_told_at_its_worst() {
    let mut case = Case::new("Duration", 2_000.0);
    case.incident.first_breach = at("02:40:00");
    case.incident.alarm.changed_at = at("02:43:10");
    case.series("Duration", None, |minute| {
        Some(match minute {
            -22..-18 => 4_000.0 + f64::from(i32::try_from(minute).unwrap()),
            _ => 800.0 + f64::from(i32::try_from(minute.rem_euclid(9)).unwrap()),
        })
    });
    let analysis = case.analysis();
    assert_eq!(analysis.condition_hint, ConditionHint::Recovered);
    let impact = analysis.impact.unwrap();
    assert_eq!((impact.at, impact.value, impact.failing), (at("02:43:00"), 3_981.0, None));
    assert_eq!(impact.lines()[0], "At its worst, 02:43: Duration p99 3981 ms");
    let change = analysis.onset.unwrap().change.unwrap();
    assert_eq!((change.at, change.last), (at("02:40:00"), Some(at("02:43:00"))));
}

#[test]
fn an_earlier_story_in_the_window_is_not_the_onset() {
    let mut case = Case::new("Errors", 20.0);
    case.series("Errors", None, |minute| {
        Some(match minute {
            -50..-40 => 90.0,
            0.. => 40.0,
            _ => 0.0,
        })
    });
    assert_eq!(case.analysis().onset.unwrap().at, at("03:02:00"));
}

#[test]
fn a_first_breach_before_the_clear_change_is_the_onset() {
    let mut case = failing();
    case.incident.first_breach = at("03:01:00");
    let onset = case.analysis().onset.unwrap();
    assert_eq!((onset.at, onset.source), (at("03:01:00"), OnsetSource::ChangePoint));
}

#[test]
fn a_traffic_change_in_the_ledger_is_the_first_request_and_not_told_twice() {
    let mut case = bad_deploy();
    let window = case.incident.window;
    let change = Change {
        at: at("03:02:38"),
        kind: ChangeKind::Traffic,
        target: "render:live".into(),
        entity: "version 58".into(),
        summary: Redacted::new("version 58 began to serve"),
        details: vec![],
        rollback: None,
    };
    case.push(Source::Changes, "traffic", window, Status::Found, Body::Change(change));
    let analysis = case.analysis();
    assert!(!texts(&analysis).contains("version 58 served its first request"));
    let lead = analysis.lead.unwrap();
    assert_eq!(lead.at, at("03:02:38"));
    assert!(lead.evidence.contains(&EvidenceId::new('C', 3)), "{lead:?}");
    assert_eq!(lead.reasons[0], "It served its first request at 03:02:38, 2 s before its first error");
}

#[test]
fn a_search_of_the_weeks_before_says_whether_the_error_is_really_new() {
    let told = |earlier: Vec<LogLine>| {
        let mut case = bad_deploy();
        let window =
            Window { start: "2026-11-10T03:05:30Z".parse().unwrap(), end: case.incident.window.start };
        let logs = LogLines {
            group: "/aws/lambda/render".into(),
            pattern: "\"Cannot read properties of undefined\"".into(),
            lines: earlier,
            complete: true,
            counted: None,
            templates: vec![],
        };
        case.push(Source::Logs, "before", window, Status::Found, Body::Logs(logs));
        texts(&case.analysis())
    };
    let fact = told(vec![]);
    assert!(fact.contains("First seen 03:02:40, none in the 14 days before:"), "{fact}");
    assert!(fact.contains("30 lines, all of version 58"), "{fact}");
    let line = LogLine {
        at: "2026-11-20T08:00:00Z".parse().unwrap(),
        stream: "s".into(),
        text: Redacted::new("Cannot read properties of undefined"),
    };
    assert!(told(vec![line]).contains("none in the baseline, but last seen 2026-11-20 08:00"));
}

#[test]
fn a_period_that_is_not_over_is_not_counted() {
    let mut case = bad_deploy();
    case.incident.as_of = at("03:04:30");
    let impact = case.analysis().impact.unwrap();
    assert_eq!((impact.at, impact.failing, impact.total), (at("03:03:00"), Some(41), Some(121)));
}

#[test]
fn the_analysis_survives_being_stored() {
    let analysis = bad_deploy().analysis();
    let stored: Analysis = serde_json::from_str(&serde_json::to_string(&analysis).unwrap()).unwrap();
    // Shares may differ in their last digit: serde_json reads fractions fast, not exactly.
    assert_eq!(
        (stored.lead, stored.timeline, stored.onset),
        (analysis.lead, analysis.timeline, analysis.onset)
    );
    assert_eq!((stored.baseline, stored.companions), (analysis.baseline, analysis.companions));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics_whatever_the_series(
        values in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 64),
        lead_in in 0_i64..LEAD_IN,
        publication in 0_i64..200,
    ) {
        let value = |shift: i64| {
            let values = values.clone();
            move |minute: i64| values[usize::try_from((minute + shift).rem_euclid(64)).unwrap()]
        };
        let mut case = Case::new("Errors", 20.0);
        case.series("Errors", None, value(0))
            .series("Invocations", None, value(7))
            .series("Duration", None, value(13))
            .series("Invocations", Some("57"), value(3))
            .series("Errors", Some("57"), value(5))
            .series("Invocations", Some("58"), move |minute| (minute >= -lead_in).then_some(50.0))
            .series("Errors", Some("58"), value(11));
        let published = at("00:30:00").checked_add(minutes(publication)).unwrap();
        case.change(&published.to_string(), "version 58");
        let analysis = case.analysis();
        let onset = analysis.onset.unwrap();
        // A cause cannot start after its symptom.
        prop_assert!(analysis.lead.is_none_or(|lead| lead.at <= onset.latest()));
    }
}
