//! Evidence as text: what a model reads, and what its quotes are checked against. One function makes both.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::evidence::{
    Body, Datapoint, Evidence, LineCount, LogLine, LogLines, LogTemplate, Series, TemplateTrend,
};
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
        let mut text = self.headline();
        text.push('\n');
        match &self.body {
            Body::Nothing => {}
            Body::Series(series) => {
                let _ = writeln!(text, "{}", series_head(series));
                text.push_str(&points_text(series, window));
            }
            Body::Logs(logs) => {
                text.push_str(&logs_head(logs));
                let shown =
                    logs.lines.iter().filter(|line| window.is_none_or(|window| window.contains(line.at)));
                for line in shown {
                    let _ = writeln!(text, "{}", line_text(line));
                }
            }
            Body::Rows(rows) => {
                let _ = writeln!(text, "log groups {}; query: {}", rows.groups.join(", "), rows.query);
                let bounds = if rows.complete { "" } else { " (more rows were found)" };
                let _ = writeln!(text, "{} lines matched{bounds}", rows.matched);
                for row in &rows.rows {
                    let _ = writeln!(text, "{row}");
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
                if !fact.display.is_empty() {
                    let _ = writeln!(text, "value: {}", fact.display);
                }
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
                for (key, value) in snapshot.tags.iter().take(MOST_TAGS) {
                    let _ = writeln!(text, "tag {key}: {value}");
                }
            }
        }
        text
    }

    /// Returns the head line only: id and title; for what was asked over a window also the status and the window.
    pub fn headline(&self) -> String {
        let mut text = format!("[{}] {}", self.id, self.title);
        match &self.body {
            // A change and a fact say their own time.
            Body::Change(_) | Body::Fact(_) => {}
            Body::Nothing | Body::Series(_) | Body::Logs(_) | Body::Rows(_) | Body::Alarm(_) => {
                let (start, end) = (edge(self.window.start), edge(self.window.end));
                let _ = write!(text, " | {} | {start} to {end}", self.status.as_str());
            }
        }
        if let Some(horizon) = self.horizon {
            let _ = write!(text, " | seen up to {}", moment(horizon));
        }
        text
    }
}

/// Tags of an alarm that are told; AWS allows 50.
const MOST_TAGS: usize = 20;

/// Returns `2026-11-24 03:02` (UTC).
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns the minute, and the second where it is not the minute's start: counts up to 03:05:30 are not those up to 03:05.
fn edge(at: Timestamp) -> String {
    if at.as_second().rem_euclid(60) == 0 { moment(at) } else { second(at) }
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

/// Returns what a series is of, on one line.
pub fn series_head(series: &Series) -> String {
    let dimensions: Vec<_> =
        series.metric.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "{} {} {} ({}) every {} s{}",
        series.metric.namespace,
        series.metric.name,
        series.statistic.as_str(),
        dimensions.join(", "),
        series.period_seconds,
        series.unit.as_ref().map(|unit| format!(", {unit}")).unwrap_or_default(),
    )
}

/// Datapoints on one row.
const POINTS_A_ROW: usize = 10;

/// Returns the datapoints, ten on a row behind their day: `2026-11-24 03:02 22, 03:03 41`. Equal neighbours make one
/// entry, so that a quiet day costs a few words and not 1,440.
pub fn points_text(series: &Series, window: Option<Window>) -> String {
    let shown: Vec<&Datapoint> = series
        .datapoints
        .iter()
        .filter(|point| window.is_none_or(|window| window.contains(point.at)))
        .collect();
    if shown.is_empty() {
        return "no datapoints\n".to_owned();
    }
    let mut text = String::new();
    let mut row: (String, usize) = (String::new(), 0);
    let mut rest = shown.as_slice();
    while let Some((first, _)) = rest.split_first() {
        let mut length = 1;
        while let (Some(previous), Some(next)) = (rest.get(length - 1), rest.get(length)) {
            let step = next.at.duration_since(previous.at).as_secs();
            if number(next.value) != number(first.value) || step != series.period_seconds {
                break;
            }
            length += 1;
        }
        let last = rest.get(length - 1).unwrap_or(first);
        let day = day(first.at);
        if row.0 != day || row.1 == POINTS_A_ROW {
            let end = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{end}{day} ");
            row = (day, 0);
        } else {
            text.push_str(", ");
        }
        row.1 += 1;
        let value = number(first.value);
        if length == 1 {
            let _ = write!(text, "{} {value}", clock_time(first.at));
        } else {
            // A run over midnight names the day on which it ends.
            let end = if self::day(last.at) == row.0 { clock_time(last.at) } else { moment(last.at) };
            let _ = write!(text, "{} to {end} {value} ({length} times)", clock_time(first.at));
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    text.push('\n');
    text
}

/// Returns `2026-11-24` (UTC).
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Returns the log group and the templates, a line each; without the lines themselves.
pub fn logs_head(logs: &LogLines) -> String {
    let bounds = match logs.counted {
        _ if logs.complete => String::new(),
        Some(LineCount { total, read, peak_at, peak }) => format!(
            " ({read} of {total} lines were read, the counts of texts are of those; most lines at {}: {peak})",
            moment(peak_at)
        ),
        None => " (not all lines were read: counts are lower bounds)".to_owned(),
    };
    let mut text = format!("log group {}{bounds}\n", logs.group);
    for template in &logs.templates {
        let _ = writeln!(text, "{}", template_text(template));
    }
    if logs.lines.is_empty() && logs.templates.is_empty() {
        text.push_str("no such line\n");
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
    // Of a text that stood there before, the first line of the window says nothing.
    let new = template.trend == TemplateTrend::New;
    let first = template.first_at.filter(|_| new).map(|at| format!(", first {}", second(at)));
    let first = first.unwrap_or_default();
    let trend = match template.trend {
        TemplateTrend::New => "new",
        TemplateTrend::Surged => "surged",
        TemplateTrend::Vanished => "vanished",
        TemplateTrend::Steady => "as usual",
    };
    format!(
        "{trend}: {} in the incident window, {} in the baseline ({} expected){first}: {}",
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

    #[test]
    fn datapoints_stand_ten_on_a_row_and_equal_neighbours_are_one_entry() {
        let start: Timestamp = "2026-11-24T23:50:00Z".parse().unwrap();
        let values = [5.0, 0.0, 0.0, 0.0, 7.0].into_iter().chain((0..14).map(f64::from));
        let datapoints = values
            .zip(0..)
            .map(|(value, minute)| Datapoint {
                at: start.checked_add(jiff::SignedDuration::from_mins(minute)).unwrap(),
                value,
            })
            .collect();
        let mut series = Series {
            metric: crate::evidence::MetricId {
                namespace: "AWS/Lambda".into(),
                name: "Errors".into(),
                dimensions: std::collections::BTreeMap::new(),
            },
            statistic: crate::evidence::Statistic("Sum".into()),
            period_seconds: 60,
            unit: None,
            datapoints,
        };
        assert_eq!(
            points_text(&series, None),
            "2026-11-24 23:50 5, 23:51 to 23:53 0 (3 times), 23:54 7, 23:55 0, 23:56 1, 23:57 2, 23:58 3, 23:59 4\n\
             2026-11-25 00:00 5, 00:01 6, 00:02 7, 00:03 8, 00:04 9, 00:05 10, 00:06 11, 00:07 12, 00:08 13\n"
        );
        for point in &mut series.datapoints {
            point.value = 0.0;
        }
        assert_eq!(points_text(&series, None), "2026-11-24 23:50 to 2026-11-25 00:08 0 (19 times)\n");
        series.datapoints.clear();
        assert_eq!(points_text(&series, None), "no datapoints\n");
    }
}
