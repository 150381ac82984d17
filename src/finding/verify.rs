//! Reads the cited evidence again and says what holds.
//!
//! Three things are checked: each citation (the quote stands there, the datapoint has that value), each number and
//! name in the text (it stands in what the claim cites), and the time of a cause (not after its symptom).

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::analysis::companion::quantity;
use crate::clock::Timestamp;
use crate::evidence::text::{clock_time, moment, number, second};
use crate::evidence::{Body, Datapoint, Evidence, Ledger, Series, Source, Status};
use crate::finding::claim::{Citation, Claim, ClaimKind, Piece};
use crate::finding::wording::{faults_of_wording, occurs, unproven};
use crate::id::EvidenceId;

/// What claims are checked against.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// All evidence of the run.
    pub ledger: &'a Ledger,
    /// When the symptom began, where that is known.
    pub onset: Option<Timestamp>,
    /// One period of the alarm's metric: the precision of the onset.
    pub tolerance: SignedDuration,
    /// Names that may be used without citing: the alarm, its resource, its dimensions.
    pub known_names: &'a BTreeSet<String>,
}

/// A claim after the check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The claim, with the citations that hold.
    pub claim: Claim,
    /// Base sources of the citations that hold; a derived fact counts as what it was computed from.
    pub sources: BTreeSet<Source>,
    /// Earliest moment among the citations that hold.
    pub earliest: Option<Timestamp>,
    /// Entity of a cited change or discriminating fact: `version 58`.
    pub entity: Option<String>,
    /// Whether a citation that holds tells the cause from its neighbours.
    pub discriminates: bool,
    /// What is wrong, a line each, in words that a model can act on. Empty means that the claim stands as submitted.
    pub faults: Vec<String>,
    /// Whether the claim must not be shown.
    pub removed: bool,
    /// Quotes and values that were looked up.
    pub looked_up: u32,
    /// Those of them that hold.
    pub held: u32,
}

/// How much was checked, for the card's footer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Quotes and numbers that were read again and hold.
    pub held: u32,
    /// Quotes and numbers that were read again.
    pub checked: u32,
    /// Claims that were removed.
    pub removed: u32,
}

impl Counts {
    /// Adds a claim's outcome. A citation that failed is gone with its claim or its repair; what stays on the card is counted as held.
    pub fn add(&mut self, checked: &Checked) {
        if checked.removed {
            self.removed += 1;
        } else {
            self.held += checked.held;
            self.checked += checked.looked_up;
        }
    }
}

/// Checks one claim.
pub fn check(claim: &Claim, grounds: &Grounds<'_>) -> Checked {
    let mut checked = Checked {
        claim: Claim { text: claim.text.clone(), kind: claim.kind, citations: Vec::new() },
        sources: BTreeSet::new(),
        earliest: None,
        entity: None,
        discriminates: false,
        faults: Vec::new(),
        removed: false,
        looked_up: 0,
        held: 0,
    };
    for citation in with_references(claim) {
        checked.looked_up += 1;
        match look_up(&citation, grounds.ledger) {
            Ok(found) => {
                checked.held += 1;
                note(&mut checked, &found, &citation, grounds.ledger);
                checked.claim.citations.push(only_checked(citation, found.evidence));
            }
            Err(fault) => {
                checked.faults.push(fault);
                // The text itself says what the citation should have shown.
                checked.removed |= is_referred_to(&citation, claim);
            }
        }
    }
    if checked.claim.citations.is_empty() {
        checked.faults.push(
            "no citation holds: cite evidence by id with an exact quote, or a metric with time and value"
                .into(),
        );
        checked.removed = true;
        return checked;
    }
    for (fault, removes) in faults_of_wording(&checked.claim, grounds.ledger) {
        checked.faults.push(fault);
        checked.removed |= removes;
    }
    for token in unproven(&checked.claim, grounds) {
        checked.faults.push(format!(
            "\"{token}\" does not stand in the evidence that the claim cites: cite where it stands, use a reference such as {{F1}}, or leave it out"
        ));
        checked.removed = true;
    }
    if claim.kind == ClaimKind::Cause
        && let Some(onset) = grounds.onset
    {
        let latest = onset.checked_add(grounds.tolerance).unwrap_or(onset);
        match checked.earliest {
            Some(earliest) if earliest <= latest => {}
            Some(earliest) => {
                checked.faults.push(format!(
                    "a cause cannot start after its symptom: the earliest evidence cited is of {}, the symptom began {}",
                    second(earliest),
                    second(onset)
                ));
                checked.removed = true;
            }
            None => {
                checked.faults.push(
                    "a cause needs evidence with a time: a change, a log line, or a metric value".into(),
                );
                checked.removed = true;
            }
        }
    }
    checked
}

/// Returns the claim's citations and, for each reference in its text that is not among them, one more.
fn with_references(claim: &Claim) -> Vec<Citation> {
    let mut citations = claim.citations.clone();
    for piece in claim.pieces() {
        if let Piece::Reference { evidence, at } = piece {
            let known = citations
                .iter()
                .any(|citation| citation.evidence == evidence && (at.is_none() || citation.at == at));
            if !known {
                citations.push(Citation { evidence, quote: None, at, value: None });
            }
        }
    }
    citations
}

/// Tells whether the claim's text holds the citation as a reference, which code would fill in.
fn is_referred_to(citation: &Citation, claim: &Claim) -> bool {
    claim.pieces().iter().any(|piece| match piece {
        Piece::Reference { evidence, at } => {
            *evidence == citation.evidence && (at.is_none() || *at == citation.at)
        }
        Piece::Words(_) => false,
    })
}

/// Returns the citation without what was not compared with anything: only a metric has a value at a time, and of the
/// facts only some have a value.
fn only_checked(mut citation: Citation, evidence: &Evidence) -> Citation {
    match &evidence.body {
        Body::Series(_) => {}
        Body::Fact(fact) => {
            citation.at = None;
            citation.value = citation.value.filter(|_| fact.value.is_some());
        }
        Body::Nothing | Body::Logs(_) | Body::Rows(_) | Body::Change(_) | Body::Alarm(_) => {
            citation.at = None;
            citation.value = None;
        }
    }
    citation
}

/// What a citation leads to.
struct Found<'a> {
    evidence: &'a Evidence,
    at: Option<Timestamp>,
}

fn look_up<'a>(citation: &Citation, ledger: &'a Ledger) -> Result<Found<'a>, String> {
    let id = &citation.evidence;
    let evidence = ledger.get(id).ok_or_else(|| format!("there is no evidence {id}"))?;
    if !matches!(evidence.status, Status::Found | Status::Empty) {
        return Err(format!(
            "{id} was not read ({}), so nothing can be shown with it",
            evidence.status.as_str()
        ));
    }
    let mut at = dated(evidence);
    if let Some(quote) = &citation.quote {
        let quote = fold(quote);
        if quote.chars().count() < 3 {
            return Err(format!("the quote from {id} is too short to prove anything"));
        }
        if !fold(&evidence.text()).contains(&quote) {
            return Err(format!("{id} does not hold the words \"{}\"", cut(&quote, 80)));
        }
        at = quoted_line_time(evidence, &quote).or(at);
    }
    match (&evidence.body, &citation.at) {
        (Body::Series(series), Some(time)) => {
            let point = datapoint(series, time).ok_or_else(|| format!("{id} has no datapoint at {time}"))?;
            if let Some(value) = citation.value
                && !close(value, point.value)
            {
                return Err(format!(
                    "{id} at {} is {}, not {}",
                    clock_time(point.at),
                    number(point.value),
                    number(value)
                ));
            }
            at = Some(point.at);
        }
        (Body::Series(series), None) => {
            if let Some(value) = citation.value
                && !series.datapoints.iter().any(|point| close(value, point.value))
            {
                return Err(format!("{id} never has the value {}; give its time", number(value)));
            }
        }
        (Body::Fact(fact), _) => {
            if let (Some(value), Some(known)) = (citation.value, fact.value)
                && !close(value, known)
            {
                return Err(format!("{id} is {}, not {}", fact.display, number(value)));
            }
        }
        (Body::Nothing | Body::Logs(_) | Body::Rows(_) | Body::Change(_) | Body::Alarm(_), _) => {}
    }
    Ok(Found { evidence, at })
}

/// Notes what a citation that holds says about sources, time and entity.
fn note(checked: &mut Checked, found: &Found<'_>, citation: &Citation, ledger: &Ledger) {
    let evidence = found.evidence;
    if let Some(at) = found.at {
        checked.earliest = Some(checked.earliest.map_or(at, |earliest| earliest.min(at)));
    }
    match &evidence.body {
        Body::Fact(fact) => {
            for input in &fact.inputs {
                if let Some(input) = ledger.get(input) {
                    checked.sources.insert(input.source);
                }
            }
            if let Some(entity) = &fact.discriminates {
                checked.discriminates = true;
                checked.entity.get_or_insert_with(|| entity.clone());
            }
        }
        Body::Change(change) => {
            checked.sources.insert(evidence.source);
            // The change itself names the entity best, so it wins over a fact.
            checked.entity = Some(change.entity.clone());
        }
        Body::Logs(_) => {
            checked.sources.insert(evidence.source);
            // An error text that names the cause tells it from its neighbours as well as a comparison does.
            if let (Some(entity), Some(quote)) = (&checked.entity, &citation.quote)
                && occurs(entity, quote)
            {
                checked.discriminates = true;
            }
        }
        Body::Series(_) | Body::Rows(_) | Body::Alarm(_) | Body::Nothing => {
            checked.sources.insert(evidence.source);
        }
    }
}

/// Returns the moment that the evidence is about, for evidence that has one of its own.
fn dated(evidence: &Evidence) -> Option<Timestamp> {
    match &evidence.body {
        Body::Change(change) => Some(change.at),
        Body::Fact(fact) => fact.at,
        Body::Nothing | Body::Series(_) | Body::Logs(_) | Body::Rows(_) | Body::Alarm(_) => None,
    }
}

fn quoted_line_time(evidence: &Evidence, quote: &str) -> Option<Timestamp> {
    let Body::Logs(logs) = &evidence.body else { return None };
    let of_line = logs.lines.iter().find(|line| fold(line.text.as_str()).contains(quote)).map(|line| line.at);
    of_line.or_else(|| {
        let template = logs.templates.iter().find(|template| fold(template.text.as_str()).contains(quote))?;
        template.first_at
    })
}

/// Finds the datapoint of a time as a model writes it; of several with the same clock time the latest is meant.
pub fn datapoint<'a>(series: &'a Series, time: &str) -> Option<&'a Datapoint> {
    let time = time.trim().trim_end_matches("UTC").trim().trim_end_matches('Z').replace('T', " ");
    if time.len() < 4 {
        return None;
    }
    series.datapoints.iter().rev().find(|point| {
        let start = moment(point.at);
        let exact = second(point.at);
        time == start
            || time == exact
            || start.ends_with(&format!(" {time}"))
            || exact.ends_with(&format!(" {time}"))
    })
}

/// Tells whether a value that a model typed is the stored one, as rounding on paper allows.
fn close(claimed: f64, stored: f64) -> bool {
    let tolerance = (stored.abs() * 0.005).max(0.005);
    (claimed - stored).abs() <= tolerance || number(claimed) == number(stored)
}

/// Folds white space, so that a quote across a line break still matches.
fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Returns what code fills in for a reference: a fact's value, a datapoint with its unit. Other evidence has no value.
pub fn filled(id: &EvidenceId, at: Option<&str>, ledger: &Ledger) -> Option<String> {
    match (&ledger.get(id)?.body, at) {
        (Body::Fact(fact), _) => Some(fact.display.clone()),
        (Body::Series(series), Some(at)) => {
            datapoint(series, at).map(|point| quantity(point.value, series.unit.as_deref()))
        }
        (
            Body::Series(_)
            | Body::Logs(_)
            | Body::Rows(_)
            | Body::Change(_)
            | Body::Alarm(_)
            | Body::Nothing,
            _,
        ) => None,
    }
}

/// Returns a claim's text with its references filled in; one without a value stays as its id.
pub fn filled_text(claim: &Claim, ledger: &Ledger) -> String {
    let pieces = claim.pieces().into_iter().map(|piece| match piece {
        Piece::Words(words) => words,
        Piece::Reference { evidence, at } => {
            filled(&evidence, at.as_deref(), ledger).unwrap_or_else(|| format!("[{evidence}]"))
        }
    });
    pieces.collect()
}

/// Returns the ids that the checked claims rest on, in order and once each.
pub fn cited(claims: &[Checked]) -> Vec<EvidenceId> {
    let mut ids: Vec<EvidenceId> = Vec::new();
    for citation in claims.iter().filter(|claim| !claim.removed).flat_map(|claim| &claim.claim.citations) {
        if !ids.contains(&citation.evidence) {
            ids.push(citation.evidence.clone());
        }
    }
    ids
}

#[cfg(test)]
mod tests;
