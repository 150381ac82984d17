//! The shared digest: what was computed and read, as the text that every agent begins with.
//!
//! Our own words stand bare; everything that came from outside stands redacted between the run's marks.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::analysis::Analysis;
use crate::evidence::text::{moment, second};
use crate::evidence::{Body, Evidence, Ledger, Source};
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
                "The alarm's metric left its normal range at {} UTC (the symptom's onset).",
                second(onset.at)
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
    text.push_str("\n## Evidence\n");
    for item in ledger.items().iter().filter(|item| item.source != Source::Analysis) {
        let shown = if stands_whole(item, incident) { whole(item) } else { item.headline() };
        text.push_str(&fence.wrap(item.id.as_str(), &Redacted::new(shown.trim_end())));
        text.push('\n');
    }
    text.push_str("\n## Could not be read\n");
    if ledger.gaps().is_empty() {
        text.push_str("nothing\n");
    }
    for gap in ledger.gaps() {
        let _ = writeln!(text, "- {} ({}: {})", gap.subject, gap.status.as_str(), gap.reason);
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
    for (name, value) in &alarm.other_fields {
        let _ = writeln!(about, "{name}: {value}");
    }
    text.push_str(&fence.wrap("alarm", &Redacted::new(about.trim_end())));
    text.push('\n');
}

/// Tells whether the digest shows the evidence whole: what is of the incident itself. Normal times are summed up in facts.
fn stands_whole(item: &Evidence, incident: &Incident) -> bool {
    match &item.body {
        Body::Series(_) => item.window == incident.window,
        Body::Logs(_) | Body::Change(_) | Body::Fact(_) | Body::Alarm(_) => true,
        Body::Nothing => false,
    }
}

fn whole(item: &Evidence) -> String {
    let mut text = item.text();
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        let _ = write!(text, "\n(cut here: read_evidence {} shows the rest)", item.id);
    }
    text
}
