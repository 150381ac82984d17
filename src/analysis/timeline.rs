//! What happened, in order of time: changes, onsets, first lines of new templates.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::analysis::companion::{CompanionFinding, CompanionState};
use crate::analysis::entity::{FirstServed, logs};
use crate::analysis::log_templates::{Severity, severity};
use crate::analysis::onset::Onset;
use crate::analysis::readings::Readings;
use crate::clock::Timestamp;
use crate::evidence::log_lines::TemplateTrend;
use crate::evidence::text::number;
use crate::evidence::{Body, LogTemplate};
use crate::id::EvidenceId;

/// Changes up to this long before the incident window are shown.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// Templates of one log group that are shown.
const MOST_TEMPLATES: usize = 5;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// Something was changed.
    Change,
    /// A version began to serve.
    FirstServed,
    /// A line of a new template was written for the first time.
    LogTemplate,
    /// A metric left its normal range.
    Onset,
    /// The alarm changed its state.
    Alarm,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: TimelineKind,
    /// What, in a few words.
    pub text: String,
    /// Where it stands.
    pub evidence: EvidenceId,
}

/// Everything that happened, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Oldest first; of one moment, causes before symptoms.
    pub entries: Vec<TimelineEntry>,
}

/// What was computed before and belongs on the timeline.
pub(crate) struct Computed<'a> {
    /// Name of the alarm's metric.
    pub(crate) metric: Option<&'a str>,
    /// Its onset.
    pub(crate) onset: Option<&'a Onset>,
    /// The metrics beside it.
    pub(crate) companions: &'a [CompanionFinding],
    /// First requests, by entity.
    pub(crate) first_served: &'a [(String, FirstServed)],
}

impl Timeline {
    /// Puts everything that has a time in order.
    pub(crate) fn of(readings: &Readings<'_>, computed: &Computed<'_>) -> Self {
        let mut entries = changes(readings);
        entries.extend(computed.first_served.iter().filter(|(_, served)| !served.told).filter_map(
            |(entity, served)| {
                let text = format!("{entity} served its first request");
                Some(TimelineEntry {
                    at: served.at,
                    kind: TimelineKind::FirstServed,
                    text,
                    evidence: served.inputs.last()?.clone(),
                })
            },
        ));
        entries.extend(onsets(computed));
        for (evidence, logs) in logs(readings) {
            // A surge has no first line that would mean anything; it is told as a fact.
            let new = logs.templates.iter().filter(|template| is_telling(template));
            let new = new.filter(|template| template.trend == TemplateTrend::New).take(MOST_TEMPLATES);
            entries.extend(new.filter_map(|template| {
                Some(TimelineEntry {
                    at: template.first_at?,
                    kind: TimelineKind::LogTemplate,
                    text: format!("first \"{}\" ({} times)", message_of(template), template.incident_count),
                    evidence: evidence.id.clone(),
                })
            }));
        }
        if let Some(alarm) = readings.ledger.of_source(crate::evidence::Source::Alarm).next() {
            let alarmed = &readings.incident.alarm;
            entries.push(TimelineEntry {
                at: alarmed.changed_at,
                kind: TimelineKind::Alarm,
                text: format!("the alarm went to {}", alarmed.new_state),
                evidence: alarm.id.clone(),
            });
        }
        entries.sort_by(|left, right| {
            (left.at, left.kind).cmp(&(right.at, right.kind)).then_with(|| left.text.cmp(&right.text))
        });
        Timeline { entries }
    }
}

/// Tells whether a template is worth a line: new or surged, and it speaks of trouble.
pub(crate) fn is_telling(template: &LogTemplate) -> bool {
    matches!(template.trend, TemplateTrend::New | TemplateTrend::Surged)
        && template.incident_count > 0
        && severity(template.text.as_str()) > Severity::Plain
}

/// Returns a template's words without the time and ids that lines begin with.
pub(crate) fn message_of(template: &LogTemplate) -> &str {
    let text = template.text.as_str();
    let message = text.trim_start_matches("<*> ");
    if message == "<*>" { text } else { message }
}

fn changes(readings: &Readings<'_>) -> Vec<TimelineEntry> {
    let from = readings.incident.window.earlier(LOOK_BACK).start;
    let changes = readings.ledger.items().iter().filter_map(|evidence| match &evidence.body {
        Body::Change(change) if change.at >= from && change.at <= readings.incident.as_of => {
            Some(TimelineEntry {
                at: change.at,
                kind: TimelineKind::Change,
                text: change.summary.to_string(),
                evidence: evidence.id.clone(),
            })
        }
        Body::Change(_)
        | Body::Logs(_)
        | Body::Rows(_)
        | Body::Series(_)
        | Body::Nothing
        | Body::Fact(_)
        | Body::Alarm(_) => None,
    });
    changes.collect()
}

fn onsets(computed: &Computed<'_>) -> Vec<TimelineEntry> {
    let mut entries = Vec::new();
    if let Some(onset) = computed.onset
        && let Some(evidence) = &onset.evidence
    {
        let metric = computed.metric.unwrap_or("the alarm's metric");
        let text = match &onset.change {
            Some(change) => format!(
                "{metric} {}: median {} before, {} since",
                change.direction.verb(),
                number(change.before),
                number(change.after)
            ),
            None => format!("{metric} passed the alarm's threshold"),
        };
        entries.push(TimelineEntry {
            at: onset.at,
            kind: TimelineKind::Onset,
            text,
            evidence: evidence.clone(),
        });
    }
    for companion in computed.companions {
        if let (CompanionState::Changed(change), Some(evidence)) = (&companion.state, &companion.evidence) {
            entries.push(TimelineEntry {
                at: change.at,
                kind: TimelineKind::Onset,
                text: format!(
                    "{} {}: median {} before, {} since",
                    companion.title,
                    change.direction.verb(),
                    number(change.before),
                    number(change.after)
                ),
                evidence: evidence.clone(),
            });
        }
    }
    entries
}
