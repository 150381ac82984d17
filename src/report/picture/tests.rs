//! The widget of a report: every mark of the chart in it, and nothing of a hostile name but text.

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::evidence::Window;
use crate::id::EvidenceId;
use crate::report::data::{AlarmData, ChangeMark, NormalBand, PointData};
use crate::report::samples;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_489_200 + second).unwrap()
}

fn chart() -> Chart {
    let values = [0.0, 0.0, 1.0, 43.0];
    Chart {
        namespace: "AWS/Lambda".into(),
        metric: "Errors".into(),
        dimensions: [("FunctionName".to_owned(), "invoice-render".to_owned())].into(),
        statistic: "Sum".into(),
        unit: None,
        period_seconds: 60,
        evidence: EvidenceId::new('M', 1),
        window: Window { start: at(0), end: at(3_600) },
        points: values.iter().zip(0..).map(|(v, m)| PointData { at: at(m * 60), value: *v }).collect(),
        threshold: Some(20.0),
        normal: Some(NormalBand { low: 0.0, high: 2.0 }),
        onset: Some(at(180)),
        changes: vec![
            ChangeMark { at: at(158), evidence: EvidenceId::new('C', 1) },
            ChangeMark { at: at(3_000), evidence: EvidenceId::new('C', 2) },
        ],
    }
}

fn picture(name: &str, chart: Chart) -> Option<Picture> {
    let alarm = AlarmData { name: name.to_owned(), region: "us-east-1".to_owned(), ..AlarmData::default() };
    let data = Data { alarm, chart: Some(chart), ..Data::default() };
    Picture::of(&Document { data: data.value(), ..samples::cause_shown() })
}

#[test]
fn a_picture_holds_the_metric_its_threshold_the_normal_range_the_onset_and_the_changes() {
    let picture = picture("invoice-render-errors", chart()).unwrap();
    insta::assert_snapshot!(picture.title, @"invoice-render-errors: Errors (Sum) every 60 s, 03:00 to 04:00 UTC");
    insta::assert_snapshot!(
        picture.alt,
        @"Errors (Sum) every 60 s, 03:00 to 04:00 UTC. Highest 43, alarm at 20, onset 03:03."
    );
    let widget: Value = serde_json::from_str(&picture.widget).unwrap();
    assert_eq!(
        widget,
        json!({
            "width": 720,
            "height": 400,
            "title": "invoice-render-errors: Errors (Sum) every 60 s, 03:00 to 04:00 UTC",
            "view": "timeSeries",
            "stacked": false,
            "timezone": "+0000",
            "region": "us-east-1",
            "start": "2026-11-24T03:00:00Z",
            "end": "2026-11-24T04:00:00Z",
            "metrics": [[
                "AWS/Lambda", "Errors", "FunctionName", "invoice-render",
                { "stat": "Sum", "period": 60, "color": "#1f5fbf", "label": "Errors (Sum)" },
            ]],
            "annotations": {
                "horizontal": [
                    { "value": 20.0, "label": "alarm at 20", "color": "#c62828" },
                    [{ "value": 2.0, "label": "normal 0 to 2", "color": "#2e7d32" }, { "value": 0.0 }],
                ],
                "vertical": [
                    { "value": "2026-11-24T03:02:38Z", "color": "#6b3fa0", "label": "C1, began" },
                    { "value": "2026-11-24T03:03:00Z", "color": "#b45309" },
                    { "value": "2026-11-24T03:50:00Z", "color": "#6b3fa0", "label": "C2" },
                ],
            },
            "yAxis": { "left": { "min": 0, "showUnits": false, "label": "" } },
            "legend": { "position": "hidden" },
        })
    );
}

#[test]
fn what_has_no_chart_or_no_metric_by_name_has_no_picture() {
    assert_eq!(Picture::of(&samples::cause_shown()), None);
    let nameless = |change: fn(&mut Chart)| {
        let mut chart = chart();
        change(&mut chart);
        picture("a", chart)
    };
    assert_eq!(nameless(|chart| chart.namespace.clear()), None, "a report of an earlier version");
    assert_eq!(nameless(|chart| chart.metric = "...".to_owned()), None);
    assert!(nameless(|chart| chart.dimensions.clear()).is_some(), "a metric without dimensions is one");
}

#[test]
fn what_happened_before_the_window_is_marked_at_its_edge() {
    let mut early = chart();
    early.onset = Some(at(-600));
    let widget: Value = serde_json::from_str(&picture("a", early).unwrap().widget).unwrap();
    assert_eq!(widget["annotations"]["vertical"][0]["value"], "2026-11-24T03:00:00Z");
    assert_eq!(widget["annotations"]["vertical"][0]["label"], "began, C1");
}

proptest! {
    #[test]
    fn a_hostile_name_is_one_short_line_of_text_and_changes_nothing_else(
        name in "\\PC{0,60}|(\\$\\{LABEL\\}|\"\\}\\]|:x:|\u{202e}|\n|<!channel>|&){0,9}",
        value in any::<f64>(),
    ) {
        let mut chart = chart();
        chart.threshold = value.is_finite().then_some(value);
        let picture = picture(&name, chart.clone()).unwrap();
        prop_assert!(picture.title.chars().count() <= MOST_TITLE);
        for text in [&picture.title, &picture.alt] {
            let is_marked = ["\n", "\u{202e}", "${", ":x:"].iter().any(|mark| text.contains(mark));
            prop_assert!(!is_marked, "{}", text);
        }
        let mut widget: Value = serde_json::from_str(&picture.widget).unwrap();
        let harmless = self::picture("a", chart).unwrap();
        let mut harmless: Value = serde_json::from_str(&harmless.widget).unwrap();
        widget["title"] = Value::Null;
        harmless["title"] = Value::Null;
        prop_assert_eq!(widget, harmless);
    }
}
