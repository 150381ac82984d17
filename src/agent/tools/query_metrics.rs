//! `query_metrics`: reads one metric that the digest lacks.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::tools::{Question, Said, Toolbox, arguments, found};
use crate::evidence::{Body, MetricId, Source, Statistic, Window, console};
use crate::gather::telemetry::{MetricQuery, MetricsRequest};
use crate::model::ToolSpec;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
    statistic: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

/// Returns what the model is told about the tool.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "query_metrics".into(),
        description: "Reads one CloudWatch metric over a window and returns it as new evidence. CloudWatch matches the exact \
                      set of dimensions: a subset returns nothing, and nothing is not zero. Use it for a metric, \
                      dimension or time that the digest does not show."
            .into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "namespace": {"type": "string", "description": "For instance AWS/Lambda"},
                "metric": {"type": "string", "description": "For instance Throttles"},
                "dimensions": {"type": "object", "additionalProperties": {"type": "string"}, "description": "The exact set, name to value"},
                "statistic": {"type": "string", "description": "Sum, Average, Maximum, Minimum, SampleCount or a percentile such as p99"},
                "start": {"type": "string", "description": "UTC, 2026-01-31T03:00:00Z or 03:00; the incident's window by default"},
                "end": {"type": "string", "description": "UTC, exclusive; now by default"}
            },
            "required": ["namespace", "metric", "dimensions", "statistic"]
        }),
    }
}

/// Runs the tool.
pub async fn call(toolbox: &mut Toolbox, input: &Value) -> Said {
    let asked: Arguments = match arguments(input) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let window = match toolbox.asked_window(asked.start.as_deref(), asked.end.as_deref()) {
        Ok(window) => window,
        Err(refusal) => return refusal,
    };
    // A long window at the alarm's own period would fill the conversation; 300 datapoints is a screenful.
    let periods = window.length().as_secs() / toolbox.period_seconds.max(60);
    let period_seconds = toolbox.period_seconds.max(60) * (periods / 300 + 1);
    let window = Window { start: toolbox.window.period_start(window.start, period_seconds), ..window };
    let metric = MetricId { namespace: asked.namespace, name: asked.metric, dimensions: asked.dimensions };
    let statistic = Statistic(asked.statistic);
    let question = Question {
        id: toolbox.next_id(Source::Metrics),
        source: Source::Metrics,
        title: format!("{} {}", metric.name, statistic.as_str()),
        query: console::metric_query(&toolbox.place, &metric, &statistic, window, period_seconds),
        window,
    };
    let queries = vec![MetricQuery { metric, statistic, unit: None }];
    let request = MetricsRequest { queries, window, period_seconds };
    match toolbox.telemetry.metrics(&request).await {
        Ok(series) => {
            let Some(mut series) = series.into_iter().next() else {
                return Said::refused("CloudWatch returned no series for this metric.");
            };
            if series.unit.is_none() {
                series.unit = known_unit(toolbox, &series.metric);
            }
            toolbox.add(question.answered(found(!series.datapoints.is_empty()), Body::Series(series)))
        }
        Err(error) => toolbox.not_read(question, &error),
    }
}

/// Returns the unit that the ledger knows of a metric, whatever its dimensions.
fn known_unit(toolbox: &Toolbox, metric: &MetricId) -> Option<String> {
    toolbox.ledger.items().iter().find_map(|item| match &item.body {
        Body::Series(series)
            if series.metric.namespace == metric.namespace && series.metric.name == metric.name =>
        {
            series.unit.clone()
        }
        Body::Series(_)
        | Body::Logs(_)
        | Body::Rows(_)
        | Body::Change(_)
        | Body::Fact(_)
        | Body::Alarm(_)
        | Body::Nothing => None,
    })
}
