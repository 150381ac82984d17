//! One embedded-metric-format line per run: Lambda's log agent turns it into `CloudWatch` metrics.
//!
//! Written by hand because it is one JSON object; the alarm's name is never a dimension, since each value would be a
//! metric of its own and cost as one. Format: `CloudWatch` embedded metric format specification.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::run::{RunEvent, Sink, Stamped};

/// Returns a sink that writes a line to `out` when a run finishes.
pub fn sink(out: Arc<Mutex<dyn Write + Send>>) -> Sink {
    Arc::new(move |stamped| {
        if let Some(line) = line(stamped, Clock::Wall.now().as_millisecond()) {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            // A metric that cannot be written must not stop the run.
            let _ = writeln!(out, "{line}");
        }
    })
}

/// Returns the line of a finished run, or of a channel that did not take a report: others may have, so it shows nowhere else.
fn line(stamped: &Stamped, at: i64) -> Option<Value> {
    if let RunEvent::DeliveryFailed { channel, .. } = &stamped.event {
        return Some(json!({
            "_aws": {"Timestamp": at, "CloudWatchMetrics": [{
                "Namespace": "SreAgent", "Dimensions": [["Channel"]],
                "Metrics": [{"Name": "DeliveryFailures", "Unit": "Count"}],
            }]},
            "Channel": channel,
            "RunId": stamped.run_id,
            "DeliveryFailures": 1,
        }));
    }
    if let RunEvent::SelfChecked { function, usable } = &stamped.event {
        return Some(json!({
            "_aws": {"Timestamp": at, "CloudWatchMetrics": [{
                "Namespace": "SreAgent", "Dimensions": [["FunctionName"]],
                "Metrics": [{"Name": "Heartbeat", "Unit": "Count"}, {"Name": "UsableModels", "Unit": "Count"}],
            }]},
            "FunctionName": function.as_deref().unwrap_or("none"),
            "Heartbeat": 1,
            "UsableModels": usable,
        }));
    }
    let RunEvent::Finished {
        outcome,
        took,
        model_calls,
        input_tokens,
        output_tokens,
        cost_usd,
        agents,
        insights_bytes,
        tripped,
    } = &stamped.event
    else {
        return None;
    };
    let mut metrics = vec![
        json!({"Name": "Runs", "Unit": "Count"}),
        json!({"Name": "Duration", "Unit": "Milliseconds"}),
        json!({"Name": "ModelCalls", "Unit": "Count"}),
        json!({"Name": "InputTokens", "Unit": "Count"}),
        json!({"Name": "OutputTokens", "Unit": "Count"}),
    ];
    let mut line = json!({
        "Outcome": outcome,
        "RunId": stamped.run_id,
        "Runs": 1,
        "Duration": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "ModelCalls": model_calls,
        "InputTokens": input_tokens,
        "OutputTokens": output_tokens,
        // A property and no metric: Logs Insights can sum it up, and metrics by agent would cost as two dozen.
        "Agents": agents,
        // A property for the same reason: which limits were reached.
        "Tripped": tripped,
    });
    // An unknown cost is absent, never zero.
    if let (Some(cost), Some(fields)) = (cost_usd, line.as_object_mut()) {
        metrics.push(json!({"Name": "CostUsd", "Unit": "None"}));
        fields.insert("CostUsd".into(), json!(cost));
    }
    // Most runs scan nothing, and a metric costs.
    if let (1.., Some(fields)) = (*insights_bytes, line.as_object_mut()) {
        metrics.push(json!({"Name": "InsightsBytes", "Unit": "Bytes"}));
        fields.insert("InsightsBytes".into(), json!(insights_bytes));
    }
    let directive = json!({
        "Timestamp": at,
        "CloudWatchMetrics": [{"Namespace": "SreAgent", "Dimensions": [["Outcome"]], "Metrics": metrics}],
    });
    line.as_object_mut()?.insert("_aws".into(), directive);
    Some(line)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::run::AgentShare;

    fn finished(cost_usd: Option<f64>) -> Stamped {
        let event = RunEvent::Finished {
            outcome: "facts_only".into(),
            took: Duration::from_millis(1500),
            model_calls: 2,
            input_tokens: 100,
            output_tokens: 20,
            cost_usd,
            agents: vec![AgentShare {
                agent: "metrics".into(),
                model_calls: 2,
                input_tokens: 100,
                output_tokens: 20,
                cost_usd,
            }],
            insights_bytes: 1_000,
            tripped: vec!["insights_bytes".into()],
        };
        Stamped { run_id: "7f3a9c".into(), elapsed: Duration::ZERO, event }
    }

    #[test]
    fn every_named_metric_has_a_value_and_the_outcome_is_the_only_dimension() {
        let line = line(&finished(Some(0.14)), 1000).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Outcome"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
        }
        assert_eq!(line["_aws"]["Timestamp"], 1000);
        assert_eq!((&line["InsightsBytes"], &line["Tripped"]), (&json!(1_000), &json!(["insights_bytes"])));
        assert_eq!(
            line["Agents"][0],
            json!({"agent": "metrics", "model_calls": 2, "input_tokens": 100, "output_tokens": 20, "cost_usd": 0.14})
        );
    }

    #[test]
    fn a_channel_that_fails_is_a_metric() {
        let event = RunEvent::DeliveryFailed { channel: "slack webhook".into(), reason: "no_service".into() };
        let stamped = Stamped { run_id: "7f3a9c".into(), elapsed: Duration::ZERO, event };
        let line = line(&stamped, 1000).unwrap();
        assert_eq!((&line["DeliveryFailures"], &line["Channel"]), (&json!(1), &json!("slack webhook")));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Channel"]]));
    }

    #[test]
    fn an_unknown_cost_is_absent() {
        assert!(line(&finished(None), 0).unwrap().get("CostUsd").is_none());
    }
}
