//! First breach, window and baselines of alarms from minutes to days.

use proptest::prelude::*;

use super::*;
use crate::alarm::{WakeUp, parse_event};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An alarm on one metric above 20, with this reason.
fn alarm(reason: &str, changed_at: Timestamp, period: i64, periods: u32) -> Alarm {
    let event = serde_json::json!({
        "AlarmName": "a", "NewStateValue": "ALARM", "NewStateReason": reason,
        "StateChangeTime": changed_at.to_string(),
        "Trigger": {
            "Namespace": "N", "MetricName": "M", "Statistic": "SUM", "Period": period, "EvaluationPeriods": periods,
            "ComparisonOperator": "GreaterThanThreshold", "Threshold": 20.0,
        },
    });
    match parse_event(event.to_string().as_bytes()).records.into_iter().next() {
        Some(WakeUp::Alarm(alarm)) => *alarm,
        other => panic!("no alarm: {other:?}"),
    }
}

const THREE: &str = "Threshold Crossed: 3 out of the last 3 datapoints [43.0 (24/11/26 03:04:00), 41.0 (24/11/26 03:03:00), 22.0 (24/11/26 03:02:00)] were greater than the threshold (20.0)";

#[test]
fn the_first_breach_is_the_earliest_listed_datapoint() {
    let alarm = alarm(THREE, at("2026-11-24T03:05:22Z"), 60, 3);
    assert_eq!(first_breach(&alarm), at("2026-11-24T03:02:00Z"));
}

#[test]
fn a_listed_datapoint_within_the_threshold_is_no_breach() {
    let reason = THREE.replace("22.0", "19.0");
    let alarm = alarm(&reason, at("2026-11-24T03:05:22Z"), 60, 5);
    assert_eq!(first_breach(&alarm), at("2026-11-24T03:03:00Z"));
}

#[test]
fn without_listed_datapoints_the_first_breach_is_counted_back_from_the_change() {
    let changed = at("2026-11-24T03:05:22.704Z");
    assert_eq!(first_breach(&alarm("test", changed, 60, 3)), at("2026-11-24T03:02:00Z"));
    assert_eq!(first_breach(&alarm("test", changed, 300, 3)), at("2026-11-24T02:50:00Z"));
}

#[test]
fn a_reason_from_another_time_is_not_believed() {
    // AWS's own sample writes 3 June as 06/03, which reads as 6 March.
    let reason =
        "1 out of the last 1 datapoints [1234.0 (06/03/15 17:43:27)] was greater than the threshold (0.0)";
    let alarm = alarm(reason, at("2015-06-03T17:43:27Z"), 60, 1);
    assert_eq!(first_breach(&alarm), at("2015-06-03T17:42:00Z"));
}

#[test]
fn a_math_alarm_is_counted_back_by_its_own_periods_and_a_composite_by_a_minute() {
    let math = r#"{"AlarmName":"a","NewStateValue":"ALARM","StateChangeTime":"2026-11-24T03:05:22Z",
        "Trigger":{"Period":300,"EvaluationPeriods":2,"Metrics":[{"Id":"e1","Expression":"m1","ReturnData":true}]}}"#;
    let composite = r#"{"AlarmName":"a","NewStateValue":"ALARM","StateChangeTime":"2026-11-24T03:05:22Z",
        "AlarmRule":"ALARM(x)"}"#;
    for (event, expected) in [(math, "2026-11-24T02:55:00Z"), (composite, "2026-11-24T03:04:00Z")] {
        match &parse_event(event.as_bytes()).records[..] {
            [WakeUp::Alarm(alarm)] => assert_eq!(first_breach(alarm), at(expected)),
            other => panic!("no alarm: {other:?}"),
        }
    }
}

#[test]
fn the_window_leads_by_an_hour_or_three_times_the_evaluation() {
    let as_of = at("2026-11-24T03:05:30Z");
    let breach = at("2026-11-24T03:02:00Z");
    let short = incident_window(&alarm(THREE, as_of, 60, 3), breach, as_of);
    assert_eq!(short, Window { start: at("2026-11-24T02:02:00Z"), end: as_of });
    let long = incident_window(&alarm("", as_of, 300, 6), breach, as_of);
    assert_eq!(long, Window { start: at("2026-11-24T01:32:00Z"), end: as_of });
}

#[test]
fn the_baselines_are_three_hours_yesterday_and_last_week() {
    let window = Window { start: at("2026-11-24T02:02:00Z"), end: at("2026-11-24T03:05:30Z") };
    let told: Vec<_> = baselines(&window)
        .into_iter()
        .map(|baseline| format!("{}: {} to {}", baseline.title, baseline.window.start, baseline.window.end))
        .collect();
    assert_eq!(
        told,
        [
            "the 3 hours before: 2026-11-23T23:02:00Z to 2026-11-24T02:02:00Z",
            "same time yesterday: 2026-11-23T02:02:00Z to 2026-11-23T03:05:30Z",
            "same time last week: 2026-11-17T02:02:00Z to 2026-11-17T03:05:30Z",
        ]
    );
}

#[test]
fn an_incident_of_days_has_no_same_time_yesterday() {
    let end = at("2026-11-24T03:05:30Z");
    let titles = |length: SignedDuration| -> Vec<String> {
        let window = Window { start: end.checked_sub(length).unwrap(), end };
        baselines(&window).into_iter().map(|baseline| baseline.title).collect()
    };
    assert_eq!(titles(SignedDuration::from_hours(30)), ["the 3 hours before", "same time last week"]);
    assert_eq!(titles(SignedDuration::from_hours(24 * 9)), ["the 3 hours before"]);
}

#[test]
fn the_ends_of_time_are_survived() {
    for changed in [Timestamp::MIN, Timestamp::MAX] {
        let mut alarm = alarm("", at("2026-11-24T03:05:30Z"), 86_400, 100_000);
        alarm.changed_at = changed;
        let breach = first_breach(&alarm);
        assert!(breach <= changed);
        let _ = baselines(&incident_window(&alarm, breach, changed));
    }
}

#[test]
fn periods_are_counted_from_the_windows_start_in_both_directions() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let window = Window { start: at("2026-11-24T02:02:00Z"), end: at("2026-11-24T03:05:30Z") };
    assert_eq!(window.period_start(at("2026-11-10T03:05:30Z"), 300), at("2026-11-10T03:02:00Z"));
    assert_eq!(window.period_start(at("2026-11-24T02:55:30.5Z"), 60), at("2026-11-24T02:55:00Z"));
    assert_eq!(window.period_start(window.start, 300), window.start);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_window_contains_the_first_breach_and_no_baseline_overlaps_the_incident(
        changed in 1_400_000_000_i64..1_900_000_000,
        as_of_after in -7_200_i64..40 * 86_400,
        period in prop::sample::select(vec![1_i64, 10, 30, 60, 300, 900, 3_600, 86_400]),
        periods in 1_u32..1_000,
        listed in prop::collection::vec((0.0_f64..100.0, -200_000_i64..10_000), 0..6),
    ) {
        let changed = Timestamp::from_second(changed).unwrap();
        let reason: Vec<String> = listed
            .iter()
            .map(|(value, after)| {
                let moment = changed.checked_add(SignedDuration::from_secs(*after)).unwrap();
                format!("{value:.3} ({})", moment.strftime("%d/%m/%y %H:%M:%S"))
            })
            .collect();
        let alarm = alarm(&format!("datapoints [{}] were", reason.join(", ")), changed, period, periods);
        let as_of = changed.checked_add(SignedDuration::from_secs(as_of_after)).unwrap();

        let breach = first_breach(&alarm);
        prop_assert!(breach <= changed);
        let window = incident_window(&alarm, breach, as_of);
        prop_assert!(window.contains(breach));
        prop_assert!(breach.duration_since(window.start) >= SignedDuration::from_mins(60));
        let baselines = baselines(&window);
        prop_assert!(!baselines.is_empty());
        for (index, baseline) in baselines.iter().enumerate() {
            prop_assert!(baseline.window.end <= window.start, "{}", baseline.title);
            prop_assert!(!baseline.window.contains(breach));
            for other in &baselines[..index] {
                prop_assert!(!other.window.overlaps(&baseline.window), "{} {}", other.title, baseline.title);
                prop_assert!(other.window.start > baseline.window.start, "nearest first");
            }
        }
    }
}
