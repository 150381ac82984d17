//! `GetMetricWidgetImage`: a graph over time as a PNG, with its annotations. What CloudWatch draws looks better and
//! holds the same.
//!
//! Lines of single metrics over an absolute window are drawn; expressions, stacks and other views are refused.

mod canvas;
mod graph;
mod png;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::cbor::Cbor;
use crate::cloudwatch::{invalid, invalid_value, metric_data};
use crate::failure::Failure;
use crate::input;
use crate::scenario::{MetricKey, Scenario};

use canvas::Colour;

const OPERATION: &str = "GetMetricWidgetImage";

/// CloudWatch draws up to so many pixels each way.
const MOST_PIXELS: u32 = 2_000;

/// Metrics that one graph may show.
const MOST_METRICS: usize = 100;

/// Colours of lines that name none, in CloudWatch's order.
const COLOURS: [Colour; 4] =
    [Colour(0x1f, 0x77, 0xb4), Colour(0xff, 0x7f, 0x0e), Colour(0x2c, 0xa0, 0x2c), Colour(0xd6, 0x27, 0x28)];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    metric_widget: Option<String>,
    output_format: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Widget {
    metrics: Vec<Vec<Value>>,
    start: Timestamp,
    end: Timestamp,
    #[serde(default = "default_width")]
    width: u32,
    #[serde(default = "default_height")]
    height: u32,
    #[serde(default)]
    title: String,
    view: Option<String>,
    #[serde(default)]
    stacked: bool,
    timezone: Option<String>,
    region: Option<String>,
    #[serde(default)]
    annotations: Annotations,
    #[serde(default)]
    y_axis: Axes,
    #[serde(default)]
    legend: Legend,
}

fn default_width() -> u32 {
    600
}

fn default_height() -> u32 {
    400
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    #[serde(default)]
    horizontal: Vec<Horizontal>,
    #[serde(default)]
    vertical: Vec<Annotation<Timestamp>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Horizontal {
    Line(Annotation<f64>),
    Band(Annotation<f64>, Annotation<f64>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotation<T> {
    value: T,
    #[serde(default)]
    label: String,
    color: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Axes {
    #[serde(default)]
    left: Axis,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Axis {
    min: Option<f64>,
    max: Option<f64>,
    #[serde(default)]
    label: String,
    #[serde(default)]
    show_units: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Legend {
    #[serde(default)]
    position: Option<String>,
}

/// The last member of a metric's row.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rendering {
    stat: Option<String>,
    period: Option<i64>,
    color: Option<String>,
    label: Option<String>,
}

/// One line of the graph.
struct Line {
    label: String,
    colour: Colour,
    period: i64,
    points: Vec<(i64, f64)>,
}

pub(super) fn get_metric_widget_image(scenario: &Scenario, raw: Value) -> Result<Cbor, Failure> {
    let input: Input = input::read(OPERATION, raw)?;
    if input.output_format.as_deref().is_some_and(|format| format != "png") {
        return Err(Failure::unsupported(format!("the output format {:?}", input.output_format)));
    }
    let widget = input.metric_widget.ok_or_else(|| invalid("The parameter MetricWidget is required."))?;
    let widget: Value = serde_json::from_str(&widget)
        .map_err(|error| invalid(format!("The parameter MetricWidget is not valid JSON: {error}")))?;
    let widget: Widget = serde_json::from_value(widget)
        .map_err(|error| Failure::unsupported(format!("the metric widget: {error}")))?;
    check(scenario, &widget)?;
    let lines: Vec<Line> = widget
        .metrics
        .iter()
        .zip(COLOURS.iter().cycle())
        .map(|(row, colour)| line(scenario, &widget, row, *colour))
        .collect::<Result<_, _>>()?;
    let picture = graph::drawn(&widget, &lines)?;
    Ok(Cbor::map([("MetricWidgetImage", Cbor::Bytes(png::encoded(&picture)))]))
}

fn check(scenario: &Scenario, widget: &Widget) -> Result<(), Failure> {
    let sizes = 1..=MOST_PIXELS;
    if !sizes.contains(&widget.width) || !sizes.contains(&widget.height) {
        return Err(invalid_value(format!("Width and height must be between 1 and {MOST_PIXELS}.")));
    }
    if !(1..=MOST_METRICS).contains(&widget.metrics.len()) {
        return Err(invalid_value(format!("A graph shows between 1 and {MOST_METRICS} metrics.")));
    }
    if widget.stacked || widget.view.as_deref().is_some_and(|view| view != "timeSeries") {
        return Err(Failure::unsupported("a graph that is no line over time"));
    }
    if widget.timezone.as_deref().is_some_and(|zone| zone != "+0000") {
        return Err(Failure::unsupported("a graph in another time zone than UTC"));
    }
    if widget.region.as_deref().is_some_and(|region| region != scenario.region()) {
        return Err(Failure::unsupported("a graph of another Region"));
    }
    if widget.y_axis.left.show_units == Some(true) {
        return Err(Failure::unsupported("a graph with units on its axis"));
    }
    if widget.legend.position.as_deref().is_some_and(|place| !matches!(place, "bottom" | "hidden")) {
        return Err(Failure::unsupported("a legend at another place than the bottom"));
    }
    Ok(())
}

fn line(scenario: &Scenario, widget: &Widget, row: &[Value], colour: Colour) -> Result<Line, Failure> {
    let (names, rendering) = match row.split_last() {
        Some((last, names)) if last.is_object() => {
            let rendering: Rendering = serde_json::from_value(last.clone())
                .map_err(|error| Failure::unsupported(format!("a metric of a graph: {error}")))?;
            (names, rendering)
        }
        Some(_) | None => (row, Rendering::default()),
    };
    let names: Vec<String> = names
        .iter()
        .map(|name| name.as_str().filter(|name| !name.is_empty()).map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| invalid_value("A metric is named by texts that are not empty."))?;
    if names.iter().any(|name| matches!(name.as_str(), "." | "...")) {
        return Err(Failure::unsupported("a metric that repeats a part of the one above"));
    }
    let ([namespace, name, dimensions @ ..], true) = (names.as_slice(), names.len().is_multiple_of(2)) else {
        return Err(invalid_value("A metric is a namespace, a name, and names and values of dimensions."));
    };
    let pairs = dimensions.chunks(2).filter_map(|pair| match pair {
        [name, value] => Some((name.clone(), value.clone())),
        _ => None,
    });
    let key = MetricKey {
        namespace: namespace.clone(),
        name: name.clone(),
        dimensions: pairs.collect::<BTreeMap<_, _>>(),
    };
    let period = rendering.period.unwrap_or(300);
    if period < 60 || period % 60 != 0 {
        return Err(Failure::unsupported("a graph with a period that is no multiple of a minute"));
    }
    let stat = rendering.stat.as_deref().unwrap_or("Average");
    let points = metric_data::datapoints(scenario, key, stat, period, (widget.start, widget.end))?;
    let colour = coloured(rendering.color.as_deref())?.unwrap_or(colour);
    Ok(Line { label: rendering.label.unwrap_or_else(|| name.clone()), colour, period, points })
}

/// Reads `#1f5fbf`.
fn coloured(text: Option<&str>) -> Result<Option<Colour>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let [_, red, green, blue] =
        number.ok_or_else(|| invalid_value(format!("{text} is no colour.")))?.to_be_bytes();
    Ok(Some(Colour(red, green, blue)))
}
