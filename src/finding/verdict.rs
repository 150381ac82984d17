//! The verdict follows from rules over verified evidence and the review, never from a number that a model typed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::evidence::Source;
use crate::finding::claim::ClaimKind;
use crate::finding::verify::Checked;

/// What the investigation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// A cause before the onset, two sources, a discriminating fact, a review that kept it.
    CauseShown,
    /// A verified cause before the onset that lacks one of these.
    LikelyCause,
    /// What fails is shown, why is not.
    SymptomOnly,
    /// What would show it cannot be seen, and is named.
    CannotBeShown,
    /// The alarm's own definition is the fault.
    AlarmMisfired,
}

impl VerdictKind {
    /// Returns the verdict as logs, EMF and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictKind::CauseShown => "cause_shown",
            VerdictKind::LikelyCause => "likely_cause",
            VerdictKind::SymptomOnly => "symptom_only",
            VerdictKind::CannotBeShown => "cannot_be_shown",
            VerdictKind::AlarmMisfired => "alarm_misfired",
        }
    }

    /// Returns the words of the card's fourth line.
    pub fn headline(self) -> &'static str {
        match self {
            VerdictKind::CauseShown => "CAUSE SHOWN",
            VerdictKind::LikelyCause => "LIKELY CAUSE",
            VerdictKind::SymptomOnly => "SYMPTOM SHOWN, CAUSE NOT",
            VerdictKind::CannotBeShown => "CAUSE CANNOT BE SHOWN",
            VerdictKind::AlarmMisfired => "THE ALARM ITSELF IS AT FAULT",
        }
    }
}

/// What the reviewer decided about the proposed cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    /// It stands.
    Keep,
    /// It is likely at most.
    Downgrade,
    /// It does not follow from the evidence.
    Reject,
}

/// The review of the proposed cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Review {
    /// What it decided.
    pub decision: ReviewDecision,
    /// Why, in one sentence.
    pub reason: String,
    /// What evidence would settle it.
    #[serde(default)]
    pub missing: String,
}

/// The verdict and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which.
    pub kind: VerdictKind,
    /// Sources that agree on the cause.
    pub agreeing: BTreeSet<Source>,
    /// What a stronger verdict lacks, a line each.
    pub lacks: Vec<String>,
}

/// Decides by rule. `unseen` tells whether something named could not be looked at.
pub fn decide(claims: &[Checked], review: Option<&Review>, unseen: bool) -> Verdict {
    let standing = || claims.iter().filter(|claim| !claim.removed);
    let cause = standing().find(|claim| claim.claim.kind == ClaimKind::Cause);
    let rejected = review.is_some_and(|review| review.decision == ReviewDecision::Reject);
    if let Some(cause) = cause.filter(|_| !rejected) {
        return for_cause(cause, claims, review);
    }
    let mut lacks = Vec::new();
    if let Some(review) = review.filter(|_| rejected) {
        lacks.push(format!("the review rejected the proposed cause: {}", review.reason));
    }
    let kept = review.is_some_and(|review| review.decision == ReviewDecision::Keep);
    let fault = standing().find(|claim| claim.claim.kind == ClaimKind::AlarmFault);
    let kind = if fault.is_some() && kept {
        VerdictKind::AlarmMisfired
    } else if unseen {
        VerdictKind::CannotBeShown
    } else {
        VerdictKind::SymptomOnly
    };
    Verdict { kind, agreeing: BTreeSet::new(), lacks }
}

/// A cause that stands is shown or likely, never less.
fn for_cause(cause: &Checked, claims: &[Checked], review: Option<&Review>) -> Verdict {
    // A symptom claim that names the same entity supports the cause with its own sources.
    let supports =
        |claim: &&Checked| !claim.removed && claim.entity.is_some() && claim.entity == cause.entity;
    let supporting = || claims.iter().filter(supports).chain([cause]);
    let agreeing: BTreeSet<Source> = supporting()
        .flat_map(|claim| claim.sources.iter().copied())
        .filter(|source| !matches!(source, Source::Alarm | Source::Analysis))
        .collect();
    let mut lacks = Vec::new();
    if agreeing.len() < 2 {
        lacks.push("a second independent source".to_owned());
    }
    if !supporting().any(|claim| claim.discriminates) {
        lacks.push("a fact that tells the cause from its neighbours".to_owned());
    }
    match review {
        Some(Review { decision: ReviewDecision::Keep, .. }) => {}
        Some(review) => lacks.push(format!("the review: {}", review.reason)),
        None => lacks.push("a review".to_owned()),
    }
    let kind = if lacks.is_empty() { VerdictKind::CauseShown } else { VerdictKind::LikelyCause };
    Verdict { kind, agreeing, lacks }
}

#[cfg(test)]
mod tests;
