//! The shared digest: what was computed and read, as the text that every agent begins with.
//!
//! Our own words stand bare; everything that came from outside stands redacted between the run's marks.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;

use crate::analysis::Analysis;
use crate::analysis::baseline::median;
use crate::evidence::text::{
    clock_time, line_text, logs_head, moment, number, points_text, second, series_head,
};
use crate::evidence::{Body, Evidence, Ledger, LogLine, LogLines, LogTemplate, Source, Status, Window};
use crate::incident::Incident;
use crate::redact::{Fence, Redacted};

/// Most characters of one piece of evidence in the digest, about 1,500 tokens; `read_evidence` shows the rest.
const LONGEST: usize = 6_000;

/// Returns the digest.
pub fn write(incident: &Incident, ledger: &Ledger, analysis: &Analysis, fence: &Fence) -> String {
    let mut text = String::from("# The case\n");
    let _ = writeln!(
        text,
        "Now: {} UTC. Incident window: {} to {}. Baseline windows: {}.",
        second(incident.as_of),
        moment(incident.window.start),
        moment(incident.window.end),
        incident
            .baselines
            .iter()
            .map(|baseline| {
                format!(
                    "{} ({} to {})",
                    baseline.title,
                    moment(baseline.window.start),
                    moment(baseline.window.end)
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    );
    alarm(incident, fence, &mut text);
    text.push_str("\n## Computed from the data\n");
    match &analysis.onset {
        Some(onset) => {
            let _ = writeln!(
                text,
                "The symptom's onset: the alarm's metric left its normal range in the period from {} to {} UTC.",
                second(onset.at),
                second(onset.latest())
            );
        }
        None => text.push_str("No clear onset was found in the alarm's metric.\n"),
    }
    match &analysis.lead {
        Some(lead) => {
            let _ = writeln!(
                text,
                "Computed lead (a hint, not a verdict): {}. {}",
                lead.entity,
                lead.reasons.join("; ")
            );
        }
        None => text.push_str("No computed lead: nothing stands out among what was read.\n"),
    }
    for item in ledger.of_source(Source::Analysis) {
        text.push_str(&fence.wrap(item.id.as_str(), &Redacted::new(item.text().trim_end())));
        text.push('\n');
    }
    text.push_str("\n## Evidence of the incident\n");
    let near = near(incident, analysis);
    let (shown, listed): (Vec<&Evidence>, Vec<&Evidence>) = ledger
        .items()
        .iter()
        .filter(|item| item.source != Source::Analysis)
        .partition(|item| is_of_incident(item, incident) && has_something(item));
    for item in shown {
        text.push_str(&fence.wrap(item.id.as_str(), &Redacted::new(summed_up(item, near).trim_end())));
        text.push('\n');
    }
    if !listed.is_empty() {
        text.push_str("\n## Also read (the computed facts sum it up)\n");
        let titles = titles(&listed, incident);
        text.push_str(&fence.wrap("list", &Redacted::new(titles.trim_end())));
        text.push('\n');
    }
    text.push_str("\n## Could not be read\n");
    for gap in ledger.gaps() {
        let _ = writeln!(text, "- {} ({}: {})", gap.subject, gap.status.as_str(), gap.reason);
    }
    let blind = incident.resource.service().map(|service| service.blind_spots.as_slice()).unwrap_or_default();
    for blind in blind {
        let _ = writeln!(text, "- {blind}");
    }
    if ledger.gaps().is_empty() && blind.is_empty() {
        text.push_str("nothing\n");
    }
    text
}

/// Returns the names that a claim may use without citing.
pub fn known_names(incident: &Incident) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = [
        incident.alarm.name.clone(),
        incident.resource.name.clone(),
        incident.resource.namespace.clone(),
        incident.alarm.place.region.clone(),
    ]
    .into();
    if let Some(metric) = incident.alarm.metric() {
        names.insert(metric.metric.clone());
        names.extend(metric.dimensions.values().cloned());
        names.extend(metric.dimensions.keys().cloned());
    }
    names.extend(incident.alarm.attributes.values().cloned());
    names.extend(incident.alarm.leaves.iter().cloned());
    names.retain(|name| !name.is_empty());
    names
}

fn alarm(incident: &Incident, fence: &Fence, text: &mut String) {
    let alarm = &incident.alarm;
    let mut about = format!(
        "alarm: {}\nstate: {} since {}\nreason: {}\n",
        alarm.name,
        alarm.new_state,
        second(alarm.changed_at),
        alarm.reason
    );
    if let Some(description) = &alarm.description {
        let _ = writeln!(about, "description: {description}");
    }
    if let Some(metric) = alarm.metric() {
        let dimensions: Vec<_> =
            metric.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(
            about,
            "watches: {} {} {} of {} every {} s, {} of {} periods {} {}",
            metric.namespace,
            metric.metric,
            metric.statistic,
            dimensions.join(", "),
            metric.period_seconds,
            metric.datapoints_to_alarm,
            metric.evaluation_periods,
            metric.comparison.map_or("beyond", |comparison| if comparison.high_is_bad() {
                "above"
            } else {
                "below"
            }),
            metric.threshold.map_or_else(|| "its threshold".to_owned(), crate::evidence::text::number),
        );
    }
    if let Some(computed) = alarm.computed() {
        let _ = writeln!(about, "{computed}");
    }
    for (name, value) in alarm.attributes.iter().chain(&alarm.other_fields) {
        let _ = writeln!(about, "{name}: {value}");
    }
    if !alarm.leaves.is_empty() {
        let _ = writeln!(about, "alarms below it in ALARM: {}", alarm.leaves.join(", "));
    }
    text.push_str(&fence.wrap("alarm", &Redacted::new(about.trim_end())));
    text.push('\n');
}

/// How long before the onset series are shown period by period.
const NEAR: SignedDuration = SignedDuration::from_mins(10);

/// Returns the time that is shown period by period: from shortly before the onset on.
fn near(incident: &Incident, analysis: &Analysis) -> Window {
    let onset = analysis.onset.as_ref().map_or(incident.first_breach, |onset| onset.at);
    let period = incident.alarm.metric().map_or(60, |metric| metric.period_seconds.clamp(1, 86_400));
    let lead = NEAR.max(SignedDuration::from_secs(5 * period));
    Window { start: onset.checked_sub(lead).unwrap_or(onset), end: incident.window.end }
}

/// Tells whether the evidence is of the incident itself. Normal times are summed up in facts.
fn is_of_incident(item: &Evidence, incident: &Incident) -> bool {
    !matches!(item.body, Body::Series(_)) || item.window == incident.window
}

/// Tells whether the evidence holds more than its headline says.
fn has_something(item: &Evidence) -> bool {
    match &item.body {
        Body::Series(series) => !series.datapoints.is_empty(),
        Body::Rows(rows) => !rows.rows.is_empty(),
        Body::Logs(_) | Body::Change(_) | Body::Fact(_) | Body::Alarm(_) => true,
        Body::Nothing => false,
    }
}

/// Returns evidence as an agent first sees it: a series period by period near the onset and summed up before it, of
/// log lines the templates and a line of each of the first.
fn summed_up(item: &Evidence, near: Window) -> String {
    match &item.body {
        Body::Series(series) => {
            let mut text = format!("{}\n{}\n", item.headline(), series_head(series));
            let before: Vec<f64> = series
                .datapoints
                .iter()
                .filter(|point| point.at < near.start)
                .map(|point| point.value)
                .collect();
            let lowest = before.iter().copied().min_by(f64::total_cmp);
            let highest = before.iter().copied().max_by(f64::total_cmp);
            if let (Some(lowest), Some(median), Some(highest)) = (lowest, median(&before), highest) {
                let _ = writeln!(
                    text,
                    "until {}: lowest {}, median {}, highest {}",
                    clock_time(near.start),
                    number(lowest),
                    number(median),
                    number(highest)
                );
            }
            text.push_str(&points_text(series, Some(near)));
            text
        }
        Body::Logs(logs) => {
            let mut text = format!("{}\n{}", item.headline(), logs_head(logs));
            for line in telling_lines(logs) {
                let _ = writeln!(text, "{}", line_text(line));
            }
            whole_or_cut(text, item)
        }
        Body::Rows(_) | Body::Change(_) | Body::Fact(_) | Body::Alarm(_) | Body::Nothing => {
            whole_or_cut(item.text(), item)
        }
    }
}

/// Templates whose lines are shown.
const MOST_TEMPLATES: usize = 4;

/// Returns a line of each of the most telling templates; without templates the first lines.
fn telling_lines(logs: &LogLines) -> Vec<&LogLine> {
    if logs.templates.is_empty() {
        return logs.lines.iter().take(2 * MOST_TEMPLATES).collect();
    }
    let in_incident = logs.templates.iter().filter(|template| template.incident_count > 0);
    let sample = |template: &LogTemplate| logs.lines.iter().find(|line| line.text == template.sample);
    in_incident.take(MOST_TEMPLATES).filter_map(sample).collect()
}

fn whole_or_cut(mut text: String, item: &Evidence) -> String {
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        let _ = write!(text, "\n(cut here: read_evidence {} shows the rest)", item.id);
    }
    text
}

/// Lists what was read beside the incident, by the time that it is of.
fn titles(listed: &[&Evidence], incident: &Incident) -> String {
    let mut text = String::new();
    let times = incident.baselines.iter().map(|baseline| (baseline.title.as_str(), baseline.window));
    let times: Vec<(&str, Window)> =
        std::iter::once(("the incident window", incident.window)).chain(times).collect();
    for (when, window) in &times {
        let suffix = format!(", {when}");
        let of = |status: Status| -> Vec<String> {
            listed
                .iter()
                .filter(|item| item.window == *window && item.status == status)
                .map(|item| {
                    let title = item.title.as_str();
                    // What has no datapoints in a normal time is told by its number alone.
                    if status == Status::Empty && *window != incident.window {
                        return item.id.to_string();
                    }
                    format!("{} {}", item.id, title.strip_suffix(&suffix).unwrap_or(title))
                })
                .collect()
        };
        for (status, what) in [(Status::Found, ""), (Status::Empty, ", no datapoints")] {
            let titles = of(status);
            if !titles.is_empty() {
                let _ = writeln!(text, "{when}{what}: {}", titles.join(", "));
            }
        }
    }
    for item in listed.iter().filter(|item| !times.iter().any(|(_, window)| *window == item.window)) {
        let _ = writeln!(text, "{} {} ({})", item.id, item.title, item.status.as_str());
    }
    text
}
