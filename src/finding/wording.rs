//! The words of a claim: whether they make a sentence, and whether its numbers and names stand in what it cites.
//!
//! Code cannot check an inference, but it can see that a number, a name or a time stands nowhere in the evidence.

use std::fmt::Write as _;

use crate::evidence::text::{number, second};
use crate::evidence::{Body, Ledger, MetricId};
use crate::finding::claim::{Claim, Piece};
use crate::finding::verify::{Grounds, datapoint};

/// Longest claim, characters; on a card it is a sentence and not a paragraph.
const LONGEST_CLAIM: usize = 240;

/// Fewest words beside the references: "{F2}." filled in is a number without a meaning.
const FEWEST_WORDS: usize = 3;

/// Words that say something of a whole range, which single datapoints cannot show.
const OF_A_RANGE: [&str; 5] = ["never", "always", "every", "highest", "lowest"];

/// Returns what is wrong with the wording, and whether the claim must go for it.
pub(crate) fn faults_of_wording(claim: &Claim, ledger: &Ledger) -> Vec<(String, bool)> {
    let mut faults = Vec::new();
    if claim.text.chars().count() > LONGEST_CLAIM {
        faults.push(("it is too long for a card: at most 200 characters".to_owned(), false));
    }
    let words = tokens(&words_of(claim).to_lowercase());
    if words.len() < FEWEST_WORDS {
        let fault = "it says nothing beside its references: code fills in the value alone, so write a sentence around it";
        faults.push((fault.to_owned(), true));
    }
    let computed = claim
        .citations
        .iter()
        .filter_map(|citation| ledger.get(&citation.evidence))
        .any(|evidence| matches!(evidence.body, Body::Fact(_)));
    let of_a_range = words.iter().find(|word| OF_A_RANGE.contains(&word.as_str()));
    if let Some(word) = of_a_range.filter(|_| !computed) {
        let fault = format!(
            "\"{word}\" says something of a whole range: cite a computed fact that shows it, or leave it out"
        );
        faults.push((fault, true));
    }
    faults
}

/// Hyphenated words of plain English; every other hyphenated word is taken for a name and must be cited.
const PLAIN_HYPHENATED: &[&str] = &[
    "read-only",
    "per-version",
    "per-minute",
    "end-to-end",
    "follow-up",
    "up-to-date",
    "on-call",
    "non-zero",
    "so-called",
    "well-known",
    "long-running",
    "short-lived",
    "out-of-memory",
    "first-time",
    "one-off",
    "re-read",
    "roll-back",
    "near-zero",
    "same-time",
    "day-old",
    "week-old",
    "multi-day",
    "all-time",
    "time-based",
    "cause-and-effect",
    "version-specific",
    "long-term",
    "short-term",
    "in-flight",
    "high-cpu",
    "low-level",
    "client-side",
    "server-side",
];

/// Returns the numbers and names of the text that stand nowhere in what the claim cites.
pub(crate) fn unproven(claim: &Claim, grounds: &Grounds<'_>) -> Vec<String> {
    let mut proof = String::new();
    for citation in &claim.citations {
        let Some(evidence) = grounds.ledger.get(&citation.evidence) else { continue };
        match &evidence.body {
            // Among thousands of datapoints any number occurs; only the cited one proves something.
            Body::Series(series) => {
                let statistic = series.statistic.as_str();
                let _ = writeln!(proof, "{} {statistic} {}", evidence.headline(), name_of(&series.metric));
                if let Some(point) = citation.at.as_deref().and_then(|at| datapoint(series, at)) {
                    let _ = writeln!(proof, "{} {}", second(point.at), number(point.value));
                } else if let Some(value) = citation.value {
                    let _ = writeln!(proof, "{}", number(value));
                }
            }
            Body::Nothing
            | Body::Logs(_)
            | Body::Rows(_)
            | Body::Change(_)
            | Body::Fact(_)
            | Body::Alarm(_) => {
                proof.push_str(&evidence.text());
                proof.push('\n');
            }
        }
    }
    proof.push_str(&without_stamp_letters(&proof));
    let words = words_of(claim);
    let lower = proof.to_lowercase();
    let known = |name: &str| {
        let name = name.to_lowercase();
        occurs(&name, &lower) || grounds.known_names.iter().any(|known| occurs(&name, &known.to_lowercase()))
    };
    let mut unproven: Vec<String> = tokens(&words)
        .into_iter()
        .filter(|token| needs_proof(token))
        .filter(|token| !occurs(token, &proof) && !number_occurs(token, &proof))
        .filter(|token| !grounds.known_names.iter().any(|name| occurs(token, name)))
        .collect();
    unproven.extend(capitalised(&words).into_iter().filter(|name| !known(name)));
    let spelled = tokens(&words.to_lowercase()).into_iter();
    unproven.extend(spelled.filter(|word| {
        spelled_number(word).is_some_and(|digits| !number_occurs(digits, &proof)) && !occurs(word, &lower)
    }));
    unproven
}

/// Names that are nobody's resource: they say where a thing was read or what kind it is.
const PLAIN_NAMES: [&str; 14] = [
    "AWS",
    "UTC",
    "API",
    "CPU",
    "HTTP",
    "JSON",
    "SQL",
    "IAM",
    "ID",
    "I",
    "CloudWatch",
    "CloudTrail",
    "Lambda",
    "RDS",
];

/// Returns the words with a capital that do not begin a sentence: names, unless they stand in [`PLAIN_NAMES`].
fn capitalised(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut begins = true;
    for word in text.split_whitespace() {
        let name = tokens(word).into_iter().next().unwrap_or_default();
        let has_capital = name.starts_with(char::is_uppercase);
        if has_capital && !begins && !PLAIN_NAMES.contains(&name.as_str()) {
            names.push(name);
        }
        begins = word.ends_with(['.', ':', '!', '?']);
    }
    names
}

/// Returns the digits of a number in words. "One" and "two" are left out: they count what the sentence itself names.
fn spelled_number(word: &str) -> Option<&'static str> {
    Some(match word {
        "twice" | "double" | "doubled" | "doubling" => "2",
        "three" | "thrice" | "triple" | "tripled" => "3",
        "four" | "quadrupled" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        "ten" | "tenfold" => "10",
        "eleven" => "11",
        "twelve" | "dozen" => "12",
        "twenty" => "20",
        "thirty" => "30",
        "forty" => "40",
        "fifty" | "half" => "50",
        "sixty" => "60",
        "seventy" => "70",
        "eighty" => "80",
        "ninety" => "90",
        "hundred" | "hundreds" => "100",
        "thousand" | "thousands" => "1000",
        "million" | "millions" => "1000000",
        _ => return None,
    })
}

/// Returns the words that name a metric: namespace, name, values of dimensions.
fn name_of(metric: &MetricId) -> String {
    let dimensions = metric.dimensions.values().map(String::as_str);
    [metric.namespace.as_str(), metric.name.as_str()]
        .into_iter()
        .chain(dimensions)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the claim's words without its references.
fn words_of(claim: &Claim) -> String {
    let words = claim.pieces().into_iter().filter_map(|piece| match piece {
        Piece::Words(words) => Some(words),
        Piece::Reference { .. } => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Returns the text with blanks for the letters in time stamps, so that `03:02:47.656` stands in
/// `2026-11-24T03:02:47.656Z` as a word of its own.
fn without_stamp_letters(text: &str) -> String {
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        let of_stamp = before.is_ascii_digit()
            && (letter == 'T' && after.is_ascii_digit() || letter == 'Z' && !after.is_alphanumeric());
        plain.push(if of_stamp { ' ' } else { letter });
        before = letter;
    }
    plain
}

/// Splits text into words that keep what names and numbers are made of.
fn tokens(text: &str) -> Vec<String> {
    text.split(|letter: char| letter.is_whitespace() || "\"'`()[]{}<>,;=“”‘’!?".contains(letter))
        .map(|word| {
            word.trim_matches(['.', ':', '-', '–', '—', '*', '/', '%', '~', '≈', '→', '…']).to_owned()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Tells whether a word is a number or looks like a name: digits, inner capitals, `_`, `/`, `::`, `.`, `$`, or hyphens.
fn needs_proof(word: &str) -> bool {
    if word.chars().any(|letter| letter.is_ascii_digit() || matches!(letter, '_' | '/' | '$' | '@' | '#')) {
        return true;
    }
    let letters: Vec<char> = word.chars().collect();
    let inner_capital = letters
        .windows(2)
        .any(|pair| matches!(pair, [before, after] if before.is_lowercase() && after.is_uppercase()));
    if inner_capital && !matches!(word, "CloudWatch" | "CloudTrail") {
        return true;
    }
    if word.contains("::") || word.trim_matches('.').contains('.') {
        return true;
    }
    word.contains('-') && !PLAIN_HYPHENATED.contains(&word.to_lowercase().as_str())
}

/// Tells whether the words stand in the text with no letter or digit attached to either end.
pub(crate) fn occurs(words: &str, text: &str) -> bool {
    text.match_indices(words).any(|(at, found)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|text| text.chars().next());
        let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !is_word(before) && !is_word(after)
    })
}

/// Tells whether a number, with or without unit, stands in the text in another spelling: `36` for `36.0`, `812ms`. The
/// digits of ids, dates and times prove nothing.
pub(crate) fn number_occurs(token: &str, text: &str) -> bool {
    let Some(wanted) = number_of(token) else { return false };
    tokens(text)
        .iter()
        .filter_map(|found| {
            // `duration:812` names the number that it holds.
            let value =
                found.rsplit_once(':').filter(|(name, _)| !name.contains(|c: char| c.is_ascii_digit()));
            number_of(value.map_or(found.as_str(), |(_, value)| value))
        })
        .any(|found| {
            (found - wanted).abs() <= f64::EPSILON * wanted.abs().max(1.0) || number(found) == number(wanted)
        })
}

/// Reads a number with or without a unit behind it.
fn number_of(token: &str) -> Option<f64> {
    let digits = token.trim_end_matches(|letter: char| letter.is_alphabetic() || matches!(letter, '%' | '×'));
    digits.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Returns the numbers and names of text without citations that nothing names: no evidence, no gap, no known name.
/// Neither log lines nor datapoints count, because among so many any number and any word occurs.
pub fn invented(text: &str, grounds: &Grounds<'_>) -> Vec<String> {
    let mut proof = String::new();
    for evidence in grounds.ledger.items() {
        let _ = writeln!(proof, "{}", evidence.headline());
        match &evidence.body {
            Body::Series(series) => {
                let _ = writeln!(proof, "{}", name_of(&series.metric));
            }
            Body::Logs(logs) => {
                let _ = writeln!(proof, "{}", logs.group);
            }
            Body::Rows(rows) => {
                let _ = writeln!(proof, "{}", rows.groups.join("\n"));
            }
            Body::Change(_) | Body::Fact(_) | Body::Alarm(_) => {
                let _ = writeln!(proof, "{}", evidence.text());
            }
            Body::Nothing => {}
        }
    }
    for gap in grounds.ledger.gaps() {
        let action = gap.missing_action.as_deref().unwrap_or_default();
        let _ = writeln!(proof, "{} {} {action}", gap.subject, gap.reason);
    }
    tokens(text)
        .into_iter()
        .filter(|token| needs_proof(token) && !is_action(token))
        .filter(|token| !occurs(token, &proof) && !number_occurs(token, &proof))
        .filter(|token| !grounds.known_names.iter().any(|name| occurs(token, name)))
        .collect()
}

/// Tells whether a word is spelled as an IAM action, `cloudtrail:LookupEvents`: what is missing may be a permission
/// that no evidence names.
fn is_action(word: &str) -> bool {
    word.split_once(':').is_some_and(|(service, action)| {
        !service.is_empty()
            && service.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
            && action.starts_with(|letter: char| letter.is_ascii_uppercase())
            && action.chars().all(|letter| letter.is_ascii_alphabetic())
    })
}
