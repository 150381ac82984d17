//! The chart of a report as `CloudWatch` draws it: a metric widget for `GetMetricWidgetImage`, made by code.
//!
//! It shows what the chart of the HTML report shows: the alarm's metric, threshold, normal range, onset and changes. Text
//! from outside is a JSON string in it, on one line and short, and never one of the words that a widget gives a meaning.

use serde_json::{Value, json};

use crate::evidence::text::number;
use crate::report::data::{Chart, Data};
use crate::report::document::Document;
use crate::report::layout::{break_shortcodes, clean, shorten};

/// Width and height in pixels. A phone shows it at about half of that: more pixels would make the letters smaller.
const SIZE: (u32, u32) = (720, 400);

/// Most characters of the title; a longer one is cut off at the picture's edge.
const MOST_TITLE: usize = 90;

/// Most characters of an alarm's name before the rest of the title.
const MOST_NAME: usize = 40;

const SERIES: &str = "#1f5fbf";
const THRESHOLD: &str = "#c62828";
/// `CloudWatch` shades a band with this colour, thinly.
const BAND: &str = "#2e7d32";
const ONSET: &str = "#b45309";
const CHANGE: &str = "#6b3fa0";

/// A picture to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The widget, in `CloudWatch`'s JSON.
    pub widget: String,
    /// What it is called where it is shown.
    pub title: String,
    /// What is to be seen, for those who do not see it.
    pub alt: String,
}

impl Picture {
    /// Returns the picture of a report; `None` where its alarm has no metric that was read and that a widget can name.
    pub fn of(document: &Document) -> Option<Self> {
        let data = Data::of(document);
        let chart = data.chart.as_ref()?;
        let series = series(chart)?;
        let name = shorten(&plain(&data.alarm.name), MOST_NAME);
        let title = shorten(plain(&format!("{name}: {}", chart.title())).trim(), MOST_TITLE);
        let (width, height) = SIZE;
        let mut widget = json!({
            "width": width,
            "height": height,
            "title": title,
            "view": "timeSeries",
            "stacked": false,
            "timezone": "+0000",
            "start": chart.window.start.to_string(),
            "end": chart.window.end.to_string(),
            "metrics": [series],
            "annotations": { "horizontal": horizontal(chart), "vertical": vertical(chart) },
            "yAxis": { "left": left(chart) },
            "legend": { "position": "hidden" },
        });
        if let (Some(members), false) = (widget.as_object_mut(), data.alarm.region.is_empty()) {
            members.insert("region".to_owned(), json!(data.alarm.region));
        }
        Some(Picture { widget: widget.to_string(), title, alt: plain(&chart.described()) })
    }
}

/// Returns text on one line, with nothing in it that Slack or `CloudWatch` would read as more than text.
fn plain(text: &str) -> String {
    break_shortcodes(&clean(text), "꞉").replace("${", "$ {")
}

/// Returns the metric's row. A widget repeats the row above for `.` and `...`, so none can name such a metric.
fn series(chart: &Chart) -> Option<Vec<Value>> {
    let dimensions = chart.dimensions.iter().flat_map(|(name, value)| [name, value]);
    let names: Vec<&String> = [&chart.namespace, &chart.metric].into_iter().chain(dimensions).collect();
    if names.iter().any(|name| name.is_empty() || matches!(name.as_str(), "." | "...")) {
        return None;
    }
    let mut row: Vec<Value> = names.into_iter().map(|name| json!(name)).collect();
    row.push(json!({
        "stat": chart.statistic,
        "period": chart.period_seconds,
        "color": SERIES,
        "label": format!("{} ({})", plain(&chart.metric), plain(&chart.statistic)),
    }));
    Some(row)
}

fn horizontal(chart: &Chart) -> Vec<Value> {
    let mut lines = Vec::new();
    if let Some(threshold) = chart.threshold.filter(|value| value.is_finite()) {
        let label = format!("alarm at {}", number(threshold));
        lines.push(json!({ "value": threshold, "label": label, "color": THRESHOLD }));
    }
    match chart.normal.filter(|normal| normal.low.is_finite() && normal.high.is_finite()) {
        Some(normal) if normal.low < normal.high => {
            let label = format!("normal {} to {}", number(normal.low), number(normal.high));
            let top = json!({ "value": normal.high, "label": label, "color": BAND });
            lines.push(json!([top, { "value": normal.low }]));
        }
        Some(normal) => {
            let label = format!("normal {}", number(normal.low));
            lines.push(json!({ "value": normal.low, "label": label, "color": BAND }));
        }
        None => {}
    }
    lines
}

/// Returns the upright lines. One that stands close behind another bears no label: that of the other tells of both.
fn vertical(chart: &Chart) -> Vec<Value> {
    let (first, last) = chart.seconds();
    let mut labels = chart.labels().into_iter().peekable();
    let changes = chart.changes.iter().map(|change| (change.at, CHANGE));
    let mut marks: Vec<_> = changes.chain(chart.onset.map(|onset| (onset, ONSET))).collect();
    marks.sort_by_key(|(at, _)| *at);
    let lines = marks.into_iter().map(|(at, color)| {
        // One outside would stretch the axis of time.
        let at = at.clamp(chart.window.start, chart.window.end.max(chart.window.start));
        let mut line = json!({ "value": at.to_string(), "color": color });
        let second = at.as_second().clamp(first, last);
        if let (Some((_, label)), Some(members)) =
            (labels.next_if(|(labelled, _)| *labelled == second), line.as_object_mut())
        {
            members.insert("label".to_owned(), json!(label));
        }
        line
    });
    lines.collect()
}

fn left(chart: &Chart) -> Value {
    let normal = chart.normal.into_iter().flat_map(|normal| [normal.low, normal.high]);
    let drawn = chart.points.iter().map(|point| point.value).chain(chart.threshold).chain(normal);
    let drawn: Vec<f64> = drawn.filter(|value| value.is_finite()).collect();
    let lowest = drawn.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = drawn.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let label = chart.unit.as_deref().map(plain).unwrap_or_default();
    if Chart::begins_at_zero(lowest, highest) {
        json!({ "min": 0, "showUnits": false, "label": label })
    } else {
        json!({ "showUnits": false, "label": label })
    }
}

#[cfg(test)]
mod tests;
