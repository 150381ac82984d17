//! Groups log lines that differ only in their variable parts, and says which groups are new or more frequent.
//!
//! After Drain: lines fall into a shallow tree by number of words and first word, and within a leaf join the most
//! similar template. Three things differ. What is variable by its form (numbers, ids, times) is masked before
//! ([`mask`]). Words that name a failure never become a wildcard. And since all lines are at hand, the distinct
//! masked lines are grouped in a fixed order, so that the result does not depend on the order of the lines.

pub mod mask;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use jiff::SignedDuration;

use crate::analysis::significance::{CLEAR, length, more_events, real};
use crate::clock::Timestamp;
use crate::evidence::LogTemplate;
use crate::evidence::log_lines::TemplateTrend;
use crate::redact::Redacted;
use mask::WILDCARD;
pub(crate) use mask::masked;

/// Share of words that must agree for a line to join a template.
const SIMILAR: f64 = 0.6;
/// How many times as frequent as expected counts as a surge, if the difference is clear: traffic alone moves counts.
const SURGE: f64 = 1.5;
/// Templates in a leaf from which on a line joins the most similar one, so that random words cannot make thousands.
const CROWDED: usize = 200;
/// Templates that a leaf holds at most.
const FULL: usize = 1_000;
/// Leaves of one number of words; further first words share one.
const MOST_LEAVES: usize = 300;
/// First words from which on a first word is taken for a name.
const NAMES: usize = 5;
/// Longest part of a line that is quoted as a sample, characters.
const LONGEST_SAMPLE: usize = 1_200;

/// Which window a line was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InWindow {
    /// The incident's window.
    Incident,
    /// A normal time to compare with.
    Baseline,
}

/// How much time the lines were read from, for the expected counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// Length of the incident window.
    pub incident: SignedDuration,
    /// Length of all baseline windows together; zero where none was read, and then nothing is called new.
    pub baseline: SignedDuration,
}

/// Groups the lines into templates, the most telling first: new and surged ones that speak of a failure.
///
/// Every line is counted in exactly one template. The order of the lines does not matter.
pub fn cluster<'a>(
    lines: impl Iterator<Item = (Timestamp, &'a str, InWindow)>,
    spans: Spans,
) -> Vec<LogTemplate> {
    let mut forms: HashMap<String, Tally<'a>> = HashMap::new();
    for (at, line, window) in lines {
        let form = masked(line);
        match forms.get_mut(&form) {
            Some(tally) => tally.add(at, line, window),
            None => {
                forms.insert(form, Tally::of(at, line, window));
            }
        }
    }
    let mut forms: Vec<(String, Tally<'a>)> = forms.into_iter().collect();
    // Frequent forms first: they are the templates that rare ones join.
    forms.sort_by(|(left_form, left), (right_form, right)| {
        right.count().cmp(&left.count()).then_with(|| left_form.cmp(right_form))
    });
    let mut groups = Groups::default();
    for (form, tally) in forms {
        groups.add(&form, tally);
    }
    let mut templates: Vec<LogTemplate> =
        groups.merged().into_iter().map(|group| group.judged(spans)).collect();
    templates.sort_by(most_telling_first);
    templates
}

/// Tells whether the line belongs to the template, by the template's text as [`cluster`] wrote it.
pub fn belongs(line: &str, template: &LogTemplate) -> bool {
    fits(&masked(line), template)
}

/// Tells the same of a line that is masked already.
pub(crate) fn fits(form: &str, template: &LogTemplate) -> bool {
    let mut words = form.split(' ');
    let mut pattern = template.text.as_str().split(' ');
    loop {
        match (words.next(), pattern.next()) {
            (None, None) => return true,
            (Some(word), Some(part)) if part == WILDCARD || part == word => {}
            _ => return false,
        }
    }
}

/// How loudly a line speaks of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does not.
    Plain,
    /// It warns, retries or is throttled.
    Warning,
    /// It says that something failed.
    Failure,
}

/// Tells how loudly a line or template speaks of a failure, by its words.
pub fn severity(text: &str) -> Severity {
    words_of(text).map(severity_of_word).max().unwrap_or(Severity::Plain)
}

/// Splits text into its words.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn severity_of_word(word: &str) -> Severity {
    const FAILURES: [&str; 37] = [
        "aborted",
        "corrupt",
        "crashed",
        "crit",
        "critical",
        "denied",
        "emerg",
        "err",
        "error",
        "errors",
        "exception",
        "exceptions",
        "exhausted",
        "fail",
        "failed",
        "failing",
        "fails",
        "failure",
        "failures",
        "fatal",
        "fault",
        "killed",
        "oom",
        "panic",
        "panicked",
        "refused",
        "segfault",
        "severe",
        "timed",
        "timedout",
        "timeout",
        "timeouts",
        "traceback",
        "unavailable",
        "unhandled",
        "unreachable",
        "unresponsive",
    ];
    const WARNINGS: [&str; 11] = [
        "degraded",
        "deprecated",
        "rejected",
        "retries",
        "retry",
        "retrying",
        "slow",
        "throttled",
        "throttling",
        "warn",
        "warning",
    ];
    // The names of failures end so: `UpstreamTimeoutError`, `NullPointerException`, `ReadTimeout`.
    const ENDINGS: [&str; 6] = ["Error", "Errors", "Exception", "Timeout", "Failure", "Fault"];
    if ENDINGS.iter().any(|ending| word.ends_with(ending)) {
        return Severity::Failure;
    }
    let is = |known: &&str| known.eq_ignore_ascii_case(word);
    if FAILURES.iter().any(is) {
        Severity::Failure
    } else if WARNINGS.iter().any(is) {
        Severity::Warning
    } else {
        Severity::Plain
    }
}

/// What is counted for a form or group of lines.
#[derive(Debug, Clone)]
struct Tally<'a> {
    incident: u64,
    baseline: u64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    sample: Sample<'a>,
}

/// The line to quote: one of the incident window, the earliest, and among those of one moment the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sample<'a> {
    from_baseline: bool,
    at: Timestamp,
    line: &'a str,
}

impl<'a> Tally<'a> {
    fn of(at: Timestamp, line: &'a str, window: InWindow) -> Self {
        let from_baseline = window == InWindow::Baseline;
        let inside = (!from_baseline).then_some(at);
        Tally {
            incident: u64::from(!from_baseline),
            baseline: u64::from(from_baseline),
            first_at: inside,
            last_at: inside,
            sample: Sample { from_baseline, at, line },
        }
    }

    fn add(&mut self, at: Timestamp, line: &'a str, window: InWindow) {
        self.join(&Tally::of(at, line, window));
    }

    fn join(&mut self, other: &Tally<'a>) {
        self.incident += other.incident;
        self.baseline += other.baseline;
        self.first_at = [self.first_at, other.first_at].into_iter().flatten().min();
        self.last_at = [self.last_at, other.last_at].into_iter().flatten().max();
        self.sample = self.sample.min(other.sample);
    }

    fn count(&self) -> u64 {
        self.incident + self.baseline
    }
}

/// Lines under one template.
#[derive(Debug)]
struct Group<'a> {
    words: Vec<Word>,
    tally: Tally<'a>,
}

/// A word of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    text: String,
    /// Set where the word speaks of a failure: `TypeError` and `RangeError` are two, however alike the rest is.
    fixed: bool,
}

impl Word {
    fn of(text: &str) -> Self {
        Word { text: text.to_owned(), fixed: severity(text) != Severity::Plain }
    }
}

impl<'a> Group<'a> {
    /// Takes in what another group or form counted; words that differ become wildcards.
    fn join(&mut self, words: &[Word], tally: &Tally<'a>) {
        for (part, word) in self.words.iter_mut().zip(words) {
            if part.text != word.text {
                *part = Word { text: WILDCARD.to_owned(), fixed: false };
            }
        }
        self.tally.join(tally);
    }

    /// Returns the share of words that agree; `None` where the two must not be one template.
    fn similarity(&self, words: &[Word]) -> Option<f64> {
        let mut equal = 0_usize;
        for (part, word) in self.words.iter().zip(words) {
            if part.text == word.text {
                equal += 1;
            } else if part.fixed || word.fixed {
                return None;
            }
        }
        Some(length(equal) / length(self.words.len().max(1)))
    }

    fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn judged(self, spans: Spans) -> LogTemplate {
        let text = self.text();
        let Tally { incident, baseline, first_at, last_at, sample } = self.tally;
        let (inside, outside) =
            (spans.incident.as_secs_f64().max(0.0), spans.baseline.as_secs_f64().max(0.0));
        let expected = if outside > 0.0 { real(baseline) * inside / outside } else { 0.0 };
        let share = inside / (inside + outside);
        let trend = if outside <= 0.0 || inside <= 0.0 {
            TemplateTrend::Steady
        } else if baseline == 0 {
            TemplateTrend::New
        } else if real(incident) > SURGE * expected && more_events(incident, baseline, share) < CLEAR {
            TemplateTrend::Surged
        } else if real(incident) * SURGE < expected && more_events(baseline, incident, 1.0 - share) < CLEAR {
            TemplateTrend::Vanished
        } else {
            TemplateTrend::Steady
        };
        let cut = sample.line.char_indices().nth(LONGEST_SAMPLE).map_or(sample.line.len(), |(at, _)| at);
        LogTemplate {
            text: Redacted::new(&text),
            incident_count: incident,
            baseline_count: baseline,
            expected,
            first_at,
            last_at,
            sample: Redacted::new(sample.line.get(..cut).unwrap_or(sample.line).trim_end()),
            trend,
        }
    }
}

/// The templates so far, found through a tree of two levels: number of words, then first constant word.
#[derive(Debug, Default)]
struct Groups<'a> {
    all: Vec<Group<'a>>,
    leaves: BTreeMap<usize, BTreeMap<String, Vec<usize>>>,
}

impl<'a> Groups<'a> {
    fn add(&mut self, form: &str, tally: Tally<'a>) {
        let words: Vec<Word> = form.split(' ').map(Word::of).collect();
        let leaves = self.leaves.entry(words.len()).or_default();
        let first = leaf_of(&words);
        let full = leaves.len() >= MOST_LEAVES && !leaves.contains_key(&first);
        let known = leaves.entry(if full { String::new() } else { first }).or_default();
        let needed = if known.len() < CROWDED { SIMILAR } else { 0.0 };
        let mut best: Option<(f64, usize)> = None;
        for &index in known.iter() {
            if let Some(similarity) = self.all.get(index).and_then(|group| group.similarity(&words))
                && similarity >= needed
                && best.is_none_or(|(most, _)| similarity > most)
            {
                best = Some((similarity, index));
            }
        }
        let last = known.last().copied().filter(|_| known.len() >= FULL);
        let chosen = best.map(|(_, index)| index).or(last);
        if let Some(group) = chosen.and_then(|index| self.all.get_mut(index)) {
            group.join(&words, &tally);
        } else {
            known.push(self.all.len());
            self.all.push(Group { words, tally });
        }
    }

    /// Returns the groups, those that differ in nothing but their first word as one: it was a name.
    fn merged(self) -> Vec<Group<'a>> {
        let mut by_rest: BTreeMap<Vec<Word>, Vec<Group<'a>>> = BTreeMap::new();
        for group in self.all {
            let rest = group.words.get(1..).unwrap_or_default().to_vec();
            by_rest.entry(rest).or_default().push(group);
        }
        let mut merged = Vec::new();
        for (rest, groups) in by_rest {
            let a_name = rest.len() >= 2
                && groups.len() >= NAMES
                && groups.iter().all(|group| group.words.first().is_some_and(|word| !word.fixed));
            let mut groups = groups.into_iter();
            if a_name && let Some(mut together) = groups.next() {
                for group in groups {
                    together.join(&group.words, &group.tally);
                }
                merged.push(together);
            } else {
                merged.extend(groups);
            }
        }
        merged
    }
}

/// Returns the word that chooses the leaf: the first that is constant. Single words share one leaf, so that a stream
/// of bare names cannot make a template of each.
fn leaf_of(words: &[Word]) -> String {
    if words.len() < 2 {
        return String::new();
    }
    words.iter().find(|word| word.text != WILDCARD).map(|word| word.text.clone()).unwrap_or_default()
}

/// Orders by trend and severity, then by how far the count is from what was expected, then by text.
fn most_telling_first(left: &LogTemplate, right: &LogTemplate) -> Ordering {
    let rank = |template: &LogTemplate| {
        let loudness = severity(template.text.as_str());
        let trend = match (template.trend, template.incident_count > 0) {
            (TemplateTrend::New, true) => 3,
            (TemplateTrend::Surged, _) => 2,
            (TemplateTrend::Vanished, _) => 1,
            (TemplateTrend::Steady, _) | (TemplateTrend::New, false) => 0,
        };
        // A new warning tells more than a steady error, a surged error more than a new plain line.
        match (trend, loudness) {
            (3, Severity::Failure) => 7,
            (2, Severity::Failure) => 6,
            (3, Severity::Warning) => 5,
            (2, Severity::Warning) => 4,
            (3, Severity::Plain) => 3,
            (2, Severity::Plain) => 2,
            (1, _) => 1,
            _ => 0,
        }
    };
    let distance = |template: &LogTemplate| (real(template.incident_count) - template.expected).abs();
    rank(right)
        .cmp(&rank(left))
        .then_with(|| distance(right).total_cmp(&distance(left)))
        .then_with(|| left.text.cmp(&right.text))
}

#[cfg(test)]
mod tests;
