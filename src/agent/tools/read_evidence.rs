//! `read_evidence`: shows a piece of evidence whole, where the digest shows only its head.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::tools::{Said, Toolbox, arguments};
use crate::analysis::baseline::median;
use crate::evidence::text::{moment, number, series_head};
use crate::evidence::{Body, Datapoint, Evidence, Series, Window};
use crate::id::EvidenceId;
use crate::model::ToolSpec;
use crate::redact::Redacted;

/// Longest answer, characters: about 3,000 tokens.
const LONGEST: usize = 12_000;

/// Datapoints up to which a series is shown one by one.
const MOST_POINTS: usize = 300;

/// Rows into which a longer series is summed up.
const MOST_ROWS: i64 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    id: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

/// Returns what the model is told about the tool.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "read_evidence".into(),
        description: "Shows a piece of evidence by its id: a series datapoint by datapoint, a long one summed up by the hour or more. \
                      For single datapoints of a long series, or for many log lines, give start and end.".into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "For instance M3 or L1"},
                "start": {"type": "string", "description": "UTC, only from here"},
                "end": {"type": "string", "description": "UTC, only before this"}
            },
            "required": ["id"]
        }),
    }
}

/// Runs the tool.
pub fn call(toolbox: &Toolbox, input: &Value) -> Said {
    let asked: Arguments = match arguments(input) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let id = EvidenceId::parse(&asked.id);
    let Some(evidence) = toolbox.ledger.get(&id) else {
        let ids: Vec<_> = toolbox.ledger.items().iter().map(|item| item.id.to_string()).collect();
        return Said::refused(format!("There is no evidence {id}. There is: {}.", ids.join(", ")));
    };
    let window = if asked.start.is_some() || asked.end.is_some() {
        match toolbox.asked_window(asked.start.as_deref(), asked.end.as_deref()) {
            Ok(window) => Some(window),
            Err(refusal) => return refusal,
        }
    } else {
        None
    };
    let mut text = match &evidence.body {
        Body::Series(series) if shown(series, window).count() > MOST_POINTS => {
            summed_up(evidence, series, window)
        }
        Body::Series(_)
        | Body::Logs(_)
        | Body::Rows(_)
        | Body::Change(_)
        | Body::Fact(_)
        | Body::Alarm(_)
        | Body::Nothing => evidence.text_within(window),
    };
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        // Whole lines only: half an entry reads like another value.
        text.truncate(text.get(..cut).and_then(|head| head.rfind('\n')).unwrap_or(cut));
        text.push_str("\n(cut here: give start and end for what comes after)");
    }
    Said {
        text: toolbox.fence.wrap(id.as_str(), &Redacted::new(&text)),
        is_error: false,
        evidence: vec![id],
        outcome: "found".into(),
    }
}

fn shown(series: &Series, window: Option<Window>) -> impl Iterator<Item = &Datapoint> {
    series.datapoints.iter().filter(move |point| window.is_none_or(|window| window.contains(point.at)))
}

/// Returns a long series as rows of several periods, each with its lowest, median and highest value.
fn summed_up(evidence: &Evidence, series: &Series, window: Option<Window>) -> String {
    let mut text = format!("{}\n{}\n", evidence.headline(), series_head(series));
    let points: Vec<&Datapoint> = shown(series, window).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return text };
    let hours = last.at.duration_since(first.at).as_hours() / MOST_ROWS + 1;
    let _ = writeln!(
        text,
        "rows of {hours} h: start, lowest, median, highest (give start and end for single datapoints)"
    );
    let row_of = |point: &Datapoint| point.at.duration_since(first.at).as_hours() / hours;
    for row in points.chunk_by(|left, right| row_of(left) == row_of(right)) {
        let values: Vec<f64> = row.iter().map(|point| point.value).collect();
        let lowest = values.iter().copied().min_by(f64::total_cmp);
        let highest = values.iter().copied().max_by(f64::total_cmp);
        if let (Some(start), Some(low), Some(middle), Some(high)) =
            (row.first(), lowest, median(&values), highest)
        {
            let _ =
                writeln!(text, "{} {} {} {}", moment(start.at), number(low), number(middle), number(high));
        }
    }
    text
}
