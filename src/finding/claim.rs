//! What a model claims, as it submits it.

use serde::{Deserialize, Serialize};

use crate::id::EvidenceId;

/// What a claim is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// What made the alarm go off.
    Cause,
    /// What fails, and how.
    Symptom,
    /// What was checked and is not the cause.
    RuledOut,
    /// What the reader should know besides.
    Context,
    /// The alarm's own definition is at fault.
    AlarmFault,
}

/// A pointer into the evidence that code can follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// Which evidence.
    pub evidence: EvidenceId,
    /// Exact words of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// For a metric: the time of the datapoint, `03:04` or `2026-11-24 03:04`, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// For a metric: the value at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// One claim: a sentence and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// One sentence; numbers and names stand as references (`{F1}`, `{M3@03:05}`) or literally in what is cited.
    pub text: String,
    /// What it is for.
    pub kind: ClaimKind,
    /// What it rests on.
    #[serde(default)]
    pub citations: Vec<Citation>,
}

/// A piece of a claim's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Words(String),
    /// `{F1}` or `{M3@03:05}`.
    Reference {
        /// Which evidence.
        evidence: EvidenceId,
        /// For a metric: which datapoint.
        at: Option<String>,
    },
}

impl Claim {
    /// Splits the text at its references. An unclosed brace is words.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, behind)) = after.split_once('}') else { break };
            if !before.is_empty() {
                pieces.push(Piece::Words(before.to_owned()));
            }
            pieces.push(match inside.split_once('@') {
                Some((id, at)) => {
                    Piece::Reference { evidence: EvidenceId::parse(id), at: Some(at.trim().to_owned()) }
                }
                None => Piece::Reference { evidence: EvidenceId::parse(inside), at: None },
            });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Words(rest.to_owned()));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_words() {
        let claim =
            Claim { text: "At {M3@03:04} of {F1}, {".into(), kind: ClaimKind::Symptom, citations: vec![] };
        assert_eq!(
            claim.pieces(),
            [
                Piece::Words("At ".into()),
                Piece::Reference { evidence: EvidenceId::new('M', 3), at: Some("03:04".into()) },
                Piece::Words(" of ".into()),
                Piece::Reference { evidence: EvidenceId::new('F', 1), at: None },
                Piece::Words(", {".into()),
            ]
        );
    }
}
