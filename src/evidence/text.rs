//! Evidence as text: what a model reads, and what its quotes are checked against. One function makes both.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::evidence::{Body, Datapoint, Evidence, LogLine, LogTemplate, Series};
use crate::incident::Window;

/// Longest log line that a model is shown, characters. A Lambda stack trace fits; a dumped payload does not.
const LONGEST_LINE: usize = 1_200;

impl Evidence {
    /// Returns the evidence as text, whole.
    pub fn text(&self) -> String {
        self.text_within(None)
    }

    /// Returns the evidence as text; series and log lines only within `window`, where one is given.
    pub fn text_within(&self, window: Option<Window>) -> String {
        let mut text = format!(
            "[{}] {} | {} | {} to {}",
            self.id,
            self.title,
            self.status.as_str(),
            moment(self.window.start),
            moment(self.window.end),
        );
        if let Some(horizon) = self.horizon {
            let _ = write!(text, " | seen up to {}", moment(horizon));
        }
        text.push('\n');
        match &self.body {
            Body::Nothing => {}
            Body::Series(series) => text.push_str(&series_text(series, window)),
            Body::Logs(logs) => {
                let _ = writeln!(
                    text,
                    "log group {}{}",
                    logs.group,
                    if logs.complete { "" } else { " (not all lines were read: counts are lower bounds)" }
                );
                for template in &logs.templates {
                    let _ = writeln!(text, "{}", template_text(template));
                }
                let shown =
                    logs.lines.iter().filter(|line| window.is_none_or(|window| window.contains(line.at)));
                for line in shown {
                    let _ = writeln!(text, "{}", line_text(line));
                }
            }
            Body::Change(change) => {
                let _ = writeln!(text, "{} {} ({})", second(change.at), change.summary, change.target);
                for detail in &change.details {
                    let _ = writeln!(text, "- {detail}");
                }
            }
            Body::Fact(fact) => {
                let inputs: Vec<_> = fact.inputs.iter().map(ToString::to_string).collect();
                let _ = writeln!(text, "{} (= {}; from {})", fact.text, fact.formula, inputs.join(", "));
                if let Some(entity) = &fact.discriminates {
                    let _ = writeln!(
                        text,
                        "discriminates: it fails where {entity} is, and works where it is not"
                    );
                }
            }
            Body::Alarm(snapshot) => {
                let _ =
                    writeln!(text, "state {}; reason: {}", snapshot.alarm.new_state, snapshot.alarm.reason);
            }
        }
        text
    }

    /// Returns the head line only: id, title, status, window.
    pub fn headline(&self) -> String {
        self.text_within(None).lines().next().unwrap_or_default().to_owned()
    }
}

/// Returns `2026-11-24 03:02` (UTC).
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns `2026-11-24 03:02:40` (UTC).
pub fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns `03:02` (UTC).
pub fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M").to_string()
}

/// Returns a number as people write it: `43`, `0.1`, `812.4`; no digits that nobody reads.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    let digits = if magnitude >= 100.0 || value.fract() == 0.0 {
        0
    } else if magnitude >= 10.0 {
        1
    } else if magnitude >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn series_text(series: &Series, window: Option<Window>) -> String {
    let dimensions: Vec<_> =
        series.metric.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut text = format!(
        "{} {} {} ({}) every {} s{}\n",
        series.metric.namespace,
        series.metric.name,
        series.statistic.as_str(),
        dimensions.join(", "),
        series.period_seconds,
        series.unit.as_ref().map(|unit| format!(", {unit}")).unwrap_or_default(),
    );
    let shown: Vec<&Datapoint> = series
        .datapoints
        .iter()
        .filter(|point| window.is_none_or(|window| window.contains(point.at)))
        .collect();
    if shown.is_empty() {
        text.push_str("no datapoints\n");
    }
    let mut rest = shown.as_slice();
    while let Some((first, _)) = rest.split_first() {
        // Equal neighbours make one row, so that a quiet day costs a line and not 1,440.
        let mut length = 1;
        while let (Some(previous), Some(next)) = (rest.get(length - 1), rest.get(length)) {
            let step = next.at.duration_since(previous.at).as_secs();
            if number(next.value) != number(first.value) || step != series.period_seconds {
                break;
            }
            length += 1;
        }
        let last = rest.get(length - 1).unwrap_or(first);
        if length == 1 {
            let _ = writeln!(text, "{} {}", moment(first.at), number(first.value));
        } else {
            let _ = writeln!(
                text,
                "{} to {} {} ({length} times)",
                moment(first.at),
                moment(last.at),
                number(first.value)
            );
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    text
}

/// Returns a log line as a model sees it.
pub fn line_text(line: &LogLine) -> String {
    let text = line.text.as_str();
    let cut = text.char_indices().nth(LONGEST_LINE).map_or(text.len(), |(at, _)| at);
    let body = text.get(..cut).unwrap_or(text);
    format!("{} {} {}", second(line.at), line.stream, body.trim_end())
}

fn template_text(template: &LogTemplate) -> String {
    let first = template.first_at.map(|at| format!(", first {}", second(at))).unwrap_or_default();
    format!(
        "template {:?}: {} in the incident window, {} in the baseline ({} expected){first}: {}",
        template.trend,
        template.incident_count,
        template.baseline_count,
        number(template.expected),
        template.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let written = [43.0, 0.1, 36.4406, 812.4, 0.0, 4.2, -1.5, 1234.56].map(number);
        assert_eq!(written, ["43", "0.1", "36.4", "812", "0", "4.2", "-1.5", "1235"]);
    }
}
