//! The card: line 1 says what and where, line 2 still or recovered, line 4 the verdict.

use crate::analysis::companion::{CompanionState, quantity};
use crate::analysis::impact::Impact;
use crate::analysis::lead::Lead;
use crate::analysis::sparkline::sparkline;
use crate::evidence::text::{clock_time, number, second};
use crate::evidence::{Body, Evidence, Fact, Source, TemplateTrend, console};
use crate::finding::{Checked, ClaimKind, VerdictKind};
use crate::gather::recheck::Condition;
use crate::incident::Incident;
use crate::investigation::InvestigationOutcome;
use crate::playbook::Role;
use crate::report::compose::Told;
use crate::report::document::{Line, Marks, Section, Span};

/// Most bullets of a section: a phone shows about twenty lines.
const MOST_BULLETS: usize = 5;

/// Cuts text to `most` characters with an ellipsis.
pub(super) fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Line 1.
pub(super) fn title(incident: &Incident) -> Line {
    Line(vec![Span::Bold(incident.alarm.name.clone())]).with(format!(" · {}", incident.alarm.place.region))
}

/// What the symptom does, in a word.
fn doing(told: &Told<'_>) -> &'static str {
    match role(told) {
        Some(Role::Errors) => "failing",
        Some(Role::Latency) => "slow",
        Some(Role::Throttling) => "throttled",
        Some(Role::Saturation | Role::Traffic) | None => "in alarm",
    }
}

/// What the alarm's metric stands for.
fn role(told: &Told<'_>) -> Option<Role> {
    let metric = told.incident.alarm.metric()?;
    let service = told.incident.resource.service()?;
    service
        .companions
        .iter()
        .find(|companion| companion.metric == metric.metric)
        .map(|companion| companion.role)
}

/// When the symptom began: the computed onset, else the first breaching datapoint that the event tells.
fn began(told: &Told<'_>) -> crate::clock::Timestamp {
    told.analysis.onset.as_ref().map_or(told.incident.first_breach, |onset| onset.at)
}

/// Line 2.
pub(super) fn condition(told: &Told<'_>) -> Line {
    let now = clock_time(told.incident.as_of);
    let line = match told.condition {
        Condition::Still { .. } => format!("Still {} at {now} · began ", doing(told)),
        Condition::Recovered { since } => {
            let at = since.map_or(now, clock_time);
            format!("Recovered at {at} · began ")
        }
        Condition::Unknown { .. } => format!("State unknown at {now} (could not be re-read) · began "),
    };
    Line::text(line).with(Span::Time(began(told)))
}

/// `still`, `recovered` or `state unknown`.
fn condition_word(told: &Told<'_>) -> &'static str {
    match told.condition {
        Condition::Still { .. } => "still",
        Condition::Recovered { .. } => "recovered",
        Condition::Unknown { .. } => "state unknown",
    }
}

/// The push text.
pub(super) fn push(told: &Told<'_>) -> String {
    let impact = match &told.analysis.impact {
        Some(impact) => impact_words(told, impact),
        None => doing(told).to_owned(),
    };
    let verdict = match told.verdict() {
        Some(verdict) => {
            let entity = cause(told.claims()).and_then(|cause| cause.entity.clone());
            let words = match verdict.kind {
                VerdictKind::CauseShown => "Cause shown",
                VerdictKind::LikelyCause => "Likely cause",
                VerdictKind::SymptomOnly => "Cause not shown",
                VerdictKind::CannotBeShown => "Cause cannot be shown",
                VerdictKind::AlarmMisfired => "The alarm itself is at fault",
            };
            match entity
                .filter(|_| matches!(verdict.kind, VerdictKind::CauseShown | VerdictKind::LikelyCause))
            {
                Some(entity) => format!("{words}: {entity}."),
                None => format!("{words}."),
            }
        }
        None => match &told.analysis.lead {
            Some(lead) => format!("No AI answer. Lead: {}.", lead.entity),
            None => "No AI answer. Nothing stands out.".into(),
        },
    };
    let resource = &told.incident.resource.name;
    let tail = format!(", {}. {verdict}", condition_word(told));
    // The verdict must survive the cut, so only what stands before it is shortened.
    let room = 120_usize.saturating_sub(tail.chars().count());
    cut(format!("{}{tail}", cut(format!("{resource}: {impact}"), room)), 120)
}

/// Returns the proposed cause that stands.
fn cause(claims: &[Checked]) -> Option<&Checked> {
    claims.iter().find(|checked| checked.claim.kind == ClaimKind::Cause)
}

/// Line 4.
pub(super) fn verdict(told: &Told<'_>) -> Line {
    match told.verdict() {
        Some(verdict) => {
            let line = Line(vec![Span::Bold(verdict.kind.headline().into())]);
            let agreeing: Vec<_> = verdict.agreeing.iter().map(|source| source.as_str()).collect();
            match (verdict.kind, agreeing.as_slice()) {
                (VerdictKind::CauseShown, [rest @ .., last]) if !rest.is_empty() => {
                    line.with(format!(" · {} and {last} agree", rest.join(", ")))
                }
                (VerdictKind::LikelyCause, _) => match verdict.lacks.first() {
                    Some(lack) => line.with(format!(" · lacks {lack}")),
                    None => line,
                },
                _ => line,
            }
        }
        None => {
            let asked = matches!(
                told.investigation.map(|investigation| &investigation.outcome),
                Some(InvestigationOutcome::FactsOnly { .. })
            );
            let why = if asked { "no AI model answered" } else { "no AI model asked" };
            Line(vec![Span::Bold("FACTS ONLY".into())]).with(format!(" · {why}, no cause judged"))
        }
    }
}

/// Line 5: what the verdict says.
pub(super) fn statement(told: &Told<'_>) -> Vec<Line> {
    if told.verdict().is_some() {
        let statement = told.investigation.and_then(|investigation| investigation.statement.as_ref());
        return statement
            .or_else(|| cause(told.claims()))
            .map(|checked| vec![told.line(checked)])
            .unwrap_or_default();
    }
    match &told.analysis.lead {
        Some(lead) => vec![lead_line(told, lead)],
        None => vec![Line::text("Lead (computed): nothing stands out among what was read.")],
    }
}

fn lead_line(told: &Told<'_>, lead: &Lead) -> Line {
    let mut line = Line::text(format!("Lead (computed): {}. {}", lead.entity, lead.reasons.join("; ")));
    for id in &lead.evidence {
        line = line.with(" ").with(told.mark(id));
    }
    line
}

/// The impact in a few words, for the push text: `36% of requests failing`, `CPUUtilization 27.4%`.
fn impact_words(told: &Told<'_>, impact: &Impact) -> String {
    match impact.share {
        Some(share) => format!("{}% of requests {}", number((share * 100.0).round()), doing(told)),
        None => format!("{} {}", impact.metric, quantity(impact.value, impact.unit.as_deref())),
    }
}

/// Count, denominator, share, normal; then the sparkline.
pub(super) fn impact(told: &Told<'_>) -> Vec<Line> {
    let Some(impact) = &told.analysis.impact else { return Vec::new() };
    let per =
        if impact.period_seconds == 60 { "min".to_owned() } else { format!("{} s", impact.period_seconds) };
    let unit = impact.unit.as_deref();
    let mut lines = Vec::new();
    lines.push(Line::text(match (impact.failing, impact.total, impact.share) {
        (Some(failing), Some(total), Some(share)) => format!(
            "{failing} of {total} requests fail ({}%) in the {per} of {}",
            number((share * 100.0).round()),
            clock_time(impact.at)
        ),
        _ => format!(
            "{} {} {} at {}{}",
            impact.metric,
            impact.statistic.as_str().to_lowercase(),
            quantity(impact.value, unit),
            clock_time(impact.at),
            if impact.statistic.is_count() { ", share unknown" } else { "" }
        ),
    }));
    let mut context = Vec::new();
    if let Some(normal) = &impact.normal {
        context.push(format!("normal {normal}"));
    }
    if let Some(threshold) = impact.threshold {
        context.push(format!("alarm at {}", quantity(threshold, unit)));
    }
    if let Some(worst) = &impact.worst {
        context.push(format!("{}-day worst {}", worst.days, quantity(worst.value, unit)));
    }
    if !context.is_empty() {
        lines.push(Line::text(context.join(" · ")));
    }
    if impact.values.len() > 1 {
        let (from, to) = impact.shown;
        lines.push(Line::text(format!(
            "{} {} per {per}, {}-{}",
            sparkline(&impact.values),
            impact.metric,
            clock_time(from),
            clock_time(to)
        )));
    }
    lines
}

/// Why, what was checked, what is not visible, what next.
pub(super) fn sections(told: &Told<'_>) -> Vec<Section> {
    let mut sections = Vec::new();
    let verdict = told.verdict().map(|verdict| verdict.kind);
    match verdict {
        Some(kind) => {
            let heading = match kind {
                VerdictKind::CauseShown | VerdictKind::LikelyCause => "Why",
                VerdictKind::SymptomOnly | VerdictKind::CannotBeShown | VerdictKind::AlarmMisfired => {
                    "What the data says"
                }
            };
            sections.push(bullets(heading, claim_lines(told)));
        }
        None => sections.push(bullets("What the data says", fact_lines(told))),
    }
    if verdict != Some(VerdictKind::CauseShown) {
        let normal = normal_lines(told);
        if !normal.is_empty() {
            sections.push(bullets("Checked, normal", normal));
        }
    }
    if verdict == Some(VerdictKind::CannotBeShown) {
        sections.push(bullets("Not visible", not_visible(told)));
    }
    let steps = told.steps();
    let next: Vec<Line> = steps
        .iter()
        .map(|step| match &step.changes {
            Some(target) => Line::text(format!("⚠ Changes {target}: {}. Command in full report.", step.text)),
            None => match &step.link {
                Some(url) => Line::text(format!("Look (safe): {} ", step.text))
                    .with(Span::Link { label: "[Open]".into(), url: url.clone() }),
                None => Line::text(format!("Look (safe): {}", step.text)),
            },
        })
        .take(4)
        .collect();
    if !next.is_empty() {
        sections.push(Section { heading: "Next".into(), marks: Marks::Numbers, items: next });
    }
    sections.retain(|section| !section.items.is_empty());
    sections
}

fn bullets(heading: &str, items: Vec<Line>) -> Section {
    Section { heading: heading.into(), marks: Marks::Bullets, items }
}

/// The claims: causes first, then symptoms and context, then what was ruled out in one bullet each.
fn claim_lines(told: &Told<'_>) -> Vec<Line> {
    let of = |kinds: &'static [ClaimKind]| {
        told.claims().iter().filter(move |checked| kinds.contains(&checked.claim.kind))
    };
    let mut lines: Vec<Line> = of(&[ClaimKind::Cause, ClaimKind::AlarmFault])
        .chain(of(&[ClaimKind::Symptom, ClaimKind::Context]))
        .map(|checked| told.line(checked))
        .take(MOST_BULLETS)
        .collect();
    for checked in of(&[ClaimKind::RuledOut]).take(2) {
        let Line(spans) = told.line(checked);
        let mut line = Line::text("Ruled out: ");
        line.0.extend(spans);
        lines.push(line);
    }
    lines
}

/// Facts, new log texts and changes, in order of time where they have one.
fn fact_lines(told: &Told<'_>) -> Vec<Line> {
    let mut dated: Vec<(Option<crate::clock::Timestamp>, Line)> = Vec::new();
    for item in told.ledger.items() {
        match &item.body {
            Body::Change(change) if told.incident.window.contains(change.at) => {
                let line = Line::text(format!("{} {} ", clock_of(change.at), change.summary))
                    .with(told.mark(&item.id));
                dated.push((Some(change.at), line));
            }
            Body::Fact(fact) if !is_normal(fact) && !in_impact(fact) => {
                dated.push((fact.at, Line::text(format!("{} ", fact.text)).with(told.mark(&item.id))));
            }
            Body::Logs(_) => dated.extend(new_text(told, item)),
            _ => {}
        }
    }
    dated.sort_by_key(|(at, _)| *at);
    dated.into_iter().map(|(_, line)| line).take(MOST_BULLETS + 1).collect()
}

/// The most telling new log text.
fn new_text(told: &Told<'_>, item: &Evidence) -> Option<(Option<crate::clock::Timestamp>, Line)> {
    let Body::Logs(logs) = &item.body else { return None };
    let template = logs
        .templates
        .iter()
        .find(|template| matches!(template.trend, TemplateTrend::New | TemplateTrend::Surged))?;
    let first = template.first_at.map(|at| format!("{} ", clock_of(at))).unwrap_or_default();
    let what = match template.trend {
        TemplateTrend::New => "new log text",
        TemplateTrend::Surged | TemplateTrend::Vanished | TemplateTrend::Steady => "log text surged",
    };
    let line = Line::text(format!("{first}{what}, {} times: ", template.incident_count))
        .with(Span::Code(cut(quotable(template.sample.as_str()), 110)))
        .with(" ")
        .with(told.mark(&item.id));
    Some((template.first_at, line))
}

/// The part of a log line that says what happened: without the leading time, ids and tabs.
fn quotable(text: &str) -> String {
    let message = text
        .find("\"errorMessage\":\"")
        .and_then(|at| text.get(at + 16..))
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| text.rsplit('\t').next().unwrap_or(text));
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clock_of(at: crate::clock::Timestamp) -> String {
    second(at).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Facts that say that something is as usual stand under "Checked, normal".
fn is_normal(fact: &Fact) -> bool {
    fact.display == "normal"
}

/// The impact lines already say these.
fn in_impact(fact: &Fact) -> bool {
    fact.formula.starts_with("100 *") || fact.formula.starts_with("max(")
}

/// Companions that were read and are as usual.
fn normal_lines(told: &Told<'_>) -> Vec<Line> {
    let mut titles: Vec<String> = Vec::new();
    let mut line = Line::default();
    for companion in &told.analysis.companions {
        if matches!(companion.state, CompanionState::Normal) && !titles.contains(&companion.title) {
            if !titles.is_empty() {
                line.0.push(Span::Text(", ".into()));
            }
            line.0.push(Span::Text(companion.words()));
            if let Some(evidence) = &companion.evidence {
                line.0.push(Span::Text(" ".into()));
                line.0.push(told.mark(evidence));
            }
            titles.push(companion.title.clone());
        }
    }
    if titles.is_empty() { Vec::new() } else { vec![line] }
}

/// Gaps first, then what the agents and the playbook say.
fn not_visible(told: &Told<'_>) -> Vec<Line> {
    let mut lines: Vec<Line> = told.ledger.gaps().iter().map(gap_line).collect();
    let blind =
        told.incident.resource.service().map(|service| service.blind_spots.as_slice()).unwrap_or_default();
    lines.extend(blind.iter().map(|line| Line::text(line.clone())));
    if let Some(investigation) = told.investigation {
        lines.extend(investigation.not_visible.iter().map(|line| Line::text(line.clone())));
    }
    lines.truncate(MOST_BULLETS);
    lines
}

fn gap_line(gap: &crate::evidence::Gap) -> Line {
    let what = match gap.status {
        crate::evidence::Status::NotApplicable => gap.reason.clone(),
        status => status.as_str().to_owned(),
    };
    let missing =
        gap.missing_action.as_ref().map(|action| format!(". Missing: {action}")).unwrap_or_default();
    Line::text(format!("{}: {what}{missing}", gap.subject))
}

/// "Not checked", where the section above does not say it.
pub(super) fn limits(told: &Told<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if told.verdict().map(|verdict| verdict.kind) != Some(VerdictKind::CannotBeShown) {
        let gaps: Vec<String> = told
            .ledger
            .gaps()
            .iter()
            .map(|gap| format!("{} ({})", gap.subject, gap.status.as_str()))
            .collect();
        if !gaps.is_empty() {
            lines.push(Line::text(format!("Not checked: {}", gaps.join("; "))));
        }
    }
    if let Condition::Unknown { reason } = told.condition {
        lines.push(Line::text(format!("State could not be re-read: {}", cut(reason.clone(), 120))));
    }
    let horizons: Vec<String> = told
        .ledger
        .items()
        .iter()
        .filter_map(|item| {
            item.horizon.map(|horizon| format!("{} seen up to {}", item.source.as_str(), clock_time(horizon)))
        })
        .collect();
    if let Some(first) = horizons.first() {
        lines.push(Line::text(format!("Not known yet: {first}")));
    }
    lines
}

/// Alarm, resource, logs.
pub(super) fn links(told: &Told<'_>) -> Vec<Span> {
    let place = &told.incident.alarm.place;
    let mut links =
        vec![Span::Link { label: "Alarm".into(), url: console::alarm(place, &told.incident.alarm.name) }];
    let resource = told.ledger.of_source(Source::Changes).find_map(|item| item.query.console.clone());
    if let Some(url) = resource {
        links.push(Span::Link { label: "Deploy".into(), url });
    }
    if let Some(group) = told.log_groups.first() {
        links.push(Span::Link { label: "Logs".into(), url: console::log_group(place, group) });
    }
    links
}
