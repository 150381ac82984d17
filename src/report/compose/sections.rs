//! The card's lists: why, what the data says, what was checked and is normal, what is not visible, what to do next.

use crate::analysis::companion::CompanionState;
use crate::analysis::log_templates::{Severity, severity};
use crate::clock::Timestamp;
use crate::evidence::text::{clock_time, second};
use crate::evidence::{Body, ChangeKind, FactKind, Gap, Source, Status};
use crate::finding::{ClaimKind, VerdictKind};
use crate::gather::recheck::Condition;
use crate::report::compose::Told;
use crate::report::compose::card::cut;
use crate::report::document::{Line, Marks, Section, Span};
use crate::report::steps::Step;

/// Most bullets of a section: a phone shows about twenty lines.
const MOST_BULLETS: usize = 5;

/// Most next steps: a responder does one or two and then looks again.
const MOST_STEPS: usize = 3;

/// Most names of one list before "and 3 more".
const MOST_NAMES: usize = 5;

/// Returns the lists in the order in which they are read.
pub(super) fn sections(told: &Told<'_>) -> Vec<Section> {
    let mut sections = Vec::new();
    let verdict = told.verdict().map(|verdict| verdict.kind);
    match verdict {
        None => sections.push(bullets("What the data says", fact_lines(told))),
        Some(kind) => {
            sections.push(bullets(heading(kind), claim_lines(told)));
            if kind != VerdictKind::CauseShown {
                sections.push(bullets("Checked, normal", normal_lines(told)));
            }
            if kind == VerdictKind::CannotBeShown {
                sections.push(bullets("Not visible", not_visible(told)));
            }
        }
    }
    let steps = told.steps();
    let items = next_steps(&steps).map(step_line).collect();
    sections.push(Section { heading: "Next".into(), marks: Marks::Numbers, items });
    sections.retain(|section| !section.items.is_empty());
    sections
}

fn bullets(heading: &str, items: Vec<Line>) -> Section {
    Section { heading: heading.into(), marks: Marks::Bullets, items }
}

fn heading(verdict: VerdictKind) -> &'static str {
    match verdict {
        VerdictKind::CauseShown | VerdictKind::LikelyCause => "Why",
        VerdictKind::SymptomOnly | VerdictKind::CannotBeShown | VerdictKind::AlarmMisfired => {
            "What the data says"
        }
    }
}

/// The claims: what is wrong with the alarm first, then symptoms and context, then what was ruled out. A cause that
/// stands is told under the verdict, and one that does not stand is not told.
fn claim_lines(told: &Told<'_>) -> Vec<Line> {
    let of = |kinds: &'static [ClaimKind]| {
        told.claims().iter().filter(move |checked| kinds.contains(&checked.claim.kind))
    };
    // To a question the statement is the answer, so a cause stands among its reasons; nobody reviewed it.
    let cause = told.question.and_then(|_| told.cause());
    let cause = cause.map(|checked| prefixed("Likely cause: ", told.line(checked)));
    let mut lines: Vec<Line> = cause
        .into_iter()
        .chain(
            of(&[ClaimKind::AlarmFault])
                .chain(of(&[ClaimKind::Symptom, ClaimKind::Context]))
                .map(|checked| told.line(checked)),
        )
        .take(MOST_BULLETS)
        .collect();
    for checked in of(&[ClaimKind::RuledOut]).take(2) {
        lines.push(prefixed("Ruled out: ", told.line(checked)));
    }
    lines
}

/// Puts words before a sentence.
fn prefixed(words: &str, sentence: Line) -> Line {
    let mut line = Line::text(words);
    let mut spans = sentence.0;
    if let Some(Span::Text(first)) = spans.first_mut() {
        *first = first_lower(first);
    }
    line.0.extend(spans);
    line
}

/// How much a bullet of the facts tells; smaller is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// What a log alarm's own query counts.
    Counted,
    /// What happened to the lead.
    Lead,
    /// What fails where the lead is and works where it is not.
    Comparison,
    /// The first new text that tells of a failure.
    NewText,
    /// Another metric that moved.
    Companion,
    /// A change that is not the lead's.
    OtherChange,
    /// That it happened before.
    History,
    /// Lines 2 and the impact tell it already.
    Onset,
}

/// What a computed report says: the most telling first chosen, then in order of time, what is normal last.
fn fact_lines(told: &Told<'_>) -> Vec<Line> {
    let lead = told.analysis.lead.as_ref().map(|lead| lead.entity.as_str());
    let mut found: Vec<(Weight, Option<Timestamp>, Line)> = Vec::new();
    let mut texts = 0;
    for item in told.ledger.items() {
        let (weight, at, text) = match &item.body {
            Body::Change(change) if told.incident.window.contains(change.at) => {
                // A version takes effect with its first request; its publication stands in the timeline.
                if change.kind == ChangeKind::Deployment && serves(told, &change.entity) {
                    continue;
                }
                let weight =
                    if Some(change.entity.as_str()) == lead { Weight::Lead } else { Weight::OtherChange };
                (weight, Some(change.at), format!("{} {}", clock_second(change.at), change.summary))
            }
            Body::Fact(fact) => {
                let weight = match fact.kind {
                    FactKind::Comparison => Weight::Comparison,
                    FactKind::FirstServed => Weight::Lead,
                    FactKind::Companion => Weight::Companion,
                    FactKind::Onset => Weight::Onset,
                    // That it never happened before, the impact says already.
                    FactKind::EarlierBreaches if fact.value.is_some_and(|count| count > 0.0) => {
                        Weight::History
                    }
                    FactKind::LogTemplate => {
                        texts += 1;
                        // The first is the most telling; more of them only where they speak of a failure too.
                        if texts > 1 && severity(fact.text.as_str()) < Severity::Failure {
                            continue;
                        }
                        Weight::NewText
                    }
                    FactKind::FailureShare
                    | FactKind::Peak
                    | FactKind::WorstBefore
                    | FactKind::EarlierBreaches
                    | FactKind::TrafficShare
                    | FactKind::Normal
                    | FactKind::Silent => continue,
                };
                (weight, fact.at, cut(fact.text.to_string(), 220))
            }
            Body::Rows(rows) => {
                let first = rows.rows.first().map(|row| format!(": \"{row}\"")).unwrap_or_default();
                let more = match rows.rows.len() {
                    0 | 1 => String::new(),
                    rows => format!(", the first of {rows} rows"),
                };
                let text = format!("{}{more}{first}", first_upper(item.title.as_str()));
                (Weight::Counted, None, cut(text, 220))
            }
            Body::Change(_) | Body::Logs(_) | Body::Series(_) | Body::Alarm(_) | Body::Nothing => continue,
        };
        found.push((weight, at, Line::text(format!("{text} ")).with(told.mark(&item.id))));
    }
    found.sort_by_key(|(weight, at, _)| (*weight, *at));
    found.truncate(MOST_BULLETS - 1);
    if found.len() > 1 {
        found.retain(|(weight, _, _)| *weight != Weight::Onset);
    }
    // A comparison is the newest word on the matter, so it stands last.
    found.sort_by_key(|(weight, at, _)| (*weight == Weight::Comparison, *at));
    found.into_iter().map(|(_, _, line)| line).chain(normal_names(told)).collect()
}

/// Tells whether a change in the ledger gave the entity traffic.
fn serves(told: &Told<'_>, entity: &str) -> bool {
    told.ledger.items().iter().any(|item| match &item.body {
        Body::Change(change) => change.kind == ChangeKind::Traffic && change.entity == entity,
        Body::Fact(_) | Body::Logs(_) | Body::Rows(_) | Body::Series(_) | Body::Alarm(_) | Body::Nothing => {
            false
        }
    })
}

fn clock_second(at: Timestamp) -> String {
    second(at).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Returns the mark of the fact that says what is normal.
fn normal_mark(told: &Told<'_>) -> Option<Span> {
    let item = told
        .ledger
        .items()
        .iter()
        .find(|item| matches!(&item.body, Body::Fact(fact) if fact.kind == FactKind::Normal))?;
    Some(told.mark(&item.id))
}

fn normal_titles(
    told: &Told<'_>,
    words: impl Fn(&crate::analysis::CompanionFinding) -> String,
) -> Vec<String> {
    told.analysis
        .companions
        .iter()
        .filter(|companion| matches!(companion.state, CompanionState::Normal) && !companion.strays())
        .map(words)
        .collect()
}

/// `Normal: invocations, throttles, median duration`, in one bullet.
fn normal_names(told: &Told<'_>) -> Option<Line> {
    let titles = normal_titles(told, |companion| companion.title.clone());
    let mark = normal_mark(told)?;
    (!titles.is_empty()).then(|| Line::text(format!("Normal: {} ", listed(&titles))).with(mark))
}

/// What was read and is as usual, with its newest values; and that nothing changed, where that was read.
fn normal_lines(told: &Told<'_>) -> Vec<Line> {
    let values = normal_titles(told, crate::analysis::CompanionFinding::now);
    let mut lines = Vec::new();
    if let Some(mark) = normal_mark(told).filter(|_| !values.is_empty()) {
        lines.push(Line::text(format!("{} ", listed(&values))).with(mark));
    }
    for item in told.ledger.of_source(Source::Changes).filter(|item| item.status == Status::Empty) {
        lines.push(Line::text(format!("{} ", item.title)).with(told.mark(&item.id)));
    }
    lines
}

/// `a, b, c and 2 more`.
fn listed(names: &[String]) -> String {
    // "and 1 more" takes the room of the name itself.
    if names.len() <= MOST_NAMES + 1 {
        return names.join(", ");
    }
    let shown = names.get(..MOST_NAMES).unwrap_or(names);
    format!("{} and {} more", shown.join(", "), names.len() - shown.len())
}

/// Metrics that were asked for and have no data: not zero, not normal, unknown.
fn without_data(told: &Told<'_>) -> Option<String> {
    let titles: Vec<String> = told
        .analysis
        .companions
        .iter()
        .filter(|companion| matches!(companion.state, CompanionState::NoData) && !companion.optional)
        .map(|companion| companion.title.clone())
        .collect();
    (!titles.is_empty()).then(|| format!("{} (no data)", listed(&titles)))
}

/// What stands in the way, a line each: gaps, metrics without data, what the agents and the playbook say.
fn not_visible(told: &Told<'_>) -> Vec<Line> {
    let lines = unread(told).into_iter().chain(said_not_visible(told)).chain(blind_spots(told));
    lines.take(MOST_BULLETS + 1).map(|line| Line::text(first_upper(&line))).collect()
}

/// What would show the cause, in the agents' words.
fn said_not_visible(told: &Told<'_>) -> Vec<String> {
    let lines = told.investigation.map(|investigation| investigation.not_visible.as_slice());
    lines.unwrap_or_default().iter().map(|line| line.trim_end_matches('.').to_owned()).collect()
}

/// What could not be read, each in a few words. Metrics that fail alike in every window are one thing to a reader.
fn unread(told: &Told<'_>) -> Vec<String> {
    let gaps = told.ledger.gaps();
    let of_metrics = |gap: &&Gap| gap.source == Source::Metrics;
    let alike = gaps.iter().filter(of_metrics).map(|gap| gap.status);
    let alike: std::collections::HashSet<_> = alike.collect();
    let folded = alike.len() == 1 && gaps.iter().filter(of_metrics).count() > 2;
    let mut words: Vec<String> = Vec::new();
    for gap in gaps {
        let phrase = if folded && gap.source == Source::Metrics {
            let actions = gaps.iter().filter(of_metrics).filter_map(|gap| gap.missing_action.as_deref());
            let actions: std::collections::BTreeSet<&str> = actions.collect();
            let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
            let missing_action = (!actions.is_empty()).then_some(actions);
            gap_words(&Gap { subject: "metrics".into(), missing_action, ..gap.clone() })
        } else {
            gap_words(gap)
        };
        if !words.contains(&phrase) {
            words.push(phrase);
        }
    }
    words.extend(without_data(told));
    words
}

/// `logs of /ecs/partner-gateway (access denied: logs:FilterLogEvents)`.
fn gap_words(gap: &Gap) -> String {
    let why = match (gap.status, &gap.missing_action) {
        (Status::NotApplicable | Status::NotRun, _) => gap.reason.clone(),
        (status, Some(action)) => format!("{}: {action}", status.as_str()),
        (status, None) => status.as_str().to_owned(),
    };
    format!("{} ({why})", gap.subject)
}

fn blind_spots(told: &Told<'_>) -> Vec<String> {
    told.incident.resource.service().map(|service| service.blind_spots.clone()).unwrap_or_default()
}

/// Returns the text with its first word in small letters, unless the word is a name: `CPU`, `TypeError`.
fn first_lower(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let plain = word.chars().skip(1).all(|letter| !letter.is_uppercase() && !letter.is_ascii_digit());
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if plain && word.chars().count() > 1 || word == "A" => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// "Not checked" and "not known yet", where no section above says it.
pub(super) fn limits(told: &Told<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if told.verdict().map(|verdict| verdict.kind) != Some(VerdictKind::CannotBeShown) {
        for said in said_not_visible(told) {
            lines.push(Line::text(format!("Not known: {}", first_lower(&said))));
        }
        // Two blind spots remind; the report has all of them.
        let items: Vec<String> =
            unread(told).into_iter().chain(blind_spots(told).into_iter().take(2)).collect();
        if !items.is_empty() {
            lines.push(Line::text(format!("Not checked: {}", items.join("; "))));
        }
    }
    if let Condition::Unknown { reason, .. } = told.condition {
        lines.push(Line::text(format!("State could not be re-read: {}", cut(reason.clone(), 120))));
    }
    let late = told.ledger.items().iter().find_map(|item| Some((item.source, item.horizon?)));
    if let Some((source, horizon)) = late {
        let seen = clock_time(horizon);
        lines.push(Line::text(format!("Not known yet: {} after {seen}", source.as_str())));
    }
    lines
}

/// Chooses what to print: the first looks in their order, the one that goes before a change always among them, then
/// the change.
fn next_steps(steps: &[Step]) -> impl Iterator<Item = &Step> {
    let change = steps.iter().find(|step| step.changes.is_some());
    let check = change.and_then(|change| change.check_first.as_ref());
    let is_check = |step: &&Step| Some(&step.id) == check;
    let room = MOST_STEPS - usize::from(change.is_some());
    let looks = || steps.iter().filter(|step| step.changes.is_none());
    let others = room - usize::from(looks().any(|step| is_check(&step)));
    let mut left = others;
    let chosen: Vec<&Step> = looks()
        .filter(|step| is_check(step) || left.checked_sub(1).map(|fewer| left = fewer).is_some())
        .collect();
    chosen.into_iter().chain(change)
}

fn step_line(step: &Step) -> Line {
    match (&step.changes, &step.link) {
        (Some(target), _) => {
            Line::text(format!("⚠ Changes {target}: {}. Command in full report.", step.text))
        }
        (None, Some(url)) => Line::text(format!("Look (safe): {} ", step.text))
            .with(Span::Link { label: "[Open]".into(), url: url.clone() }),
        (None, None) => Line::text(format!("Look (safe): {}. Command in full report.", step.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, changes: Option<&str>, check_first: Option<&str>) -> Step {
        Step {
            id: id.into(),
            text: id.into(),
            command: String::new(),
            link: None,
            changes: changes.map(str::to_owned),
            check_first: check_first.map(str::to_owned),
        }
    }

    fn chosen(steps: &[Step]) -> Vec<&str> {
        next_steps(steps).map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn a_change_is_printed_behind_the_look_that_goes_before_it() {
        let looks = [step("errors", None, None), step("logs", None, None), step("alias-now", None, None)];
        assert_eq!(chosen(&looks), ["errors", "logs", "alias-now"]);
        let mut steps = looks.to_vec();
        steps.push(step("alias-back", Some("traffic"), Some("alias-now")));
        assert_eq!(chosen(&steps), ["errors", "alias-now", "alias-back"]);
        // Whoever chose the order keeps it.
        let asked = [step("alias-now", None, None), step("errors", None, None), steps[3].clone()];
        assert_eq!(chosen(&asked), ["alias-now", "errors", "alias-back"]);
        assert_eq!(chosen(&[]), Vec::<&str>::new());
    }

    #[test]
    fn a_sentence_behind_a_colon_begins_small_unless_with_a_name() {
        for (text, small) in [
            ("Traffic is normal", "traffic is normal"),
            ("A weekly pattern", "a weekly pattern"),
            ("CPU is normal", "CPU is normal"),
            ("TypeError is old", "TypeError is old"),
        ] {
            assert_eq!(first_lower(text), small);
        }
    }

    #[test]
    fn a_long_list_is_cut_and_says_by_how_much() {
        let names: Vec<String> = (1..=8).map(|number| format!("m{number}")).collect();
        assert_eq!(listed(&names), "m1, m2, m3, m4, m5 and 3 more");
        assert_eq!(listed(&names[..6]), "m1, m2, m3, m4, m5, m6");
    }
}
