//! The run's evidence in plan order. Only redacted text gets in, so that what code verifies is exactly what a model saw.

use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Gap, Source};
use crate::id::EvidenceId;

/// Everything that was seen, and everything that could not be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    items: Vec<Evidence>,
    gaps: Vec<Gap>,
}

impl Ledger {
    /// Adds evidence; an id that is already there is replaced, so that a repeated query does not grow the ledger.
    pub fn push(&mut self, evidence: Evidence) {
        match self.items.iter_mut().find(|item| item.id == evidence.id) {
            Some(item) => *item = evidence,
            None => self.items.push(evidence),
        }
    }

    /// Notes what could not be looked at; the same gap is kept once.
    pub fn push_gap(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Returns the evidence with this id.
    pub fn get(&self, id: &EvidenceId) -> Option<&Evidence> {
        self.items.iter().find(|item| &item.id == id)
    }

    /// Returns all evidence in plan order.
    pub fn items(&self) -> &[Evidence] {
        &self.items
    }

    /// Returns everything that could not be looked at.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Returns the evidence of one source.
    pub fn of_source(&self, source: Source) -> impl Iterator<Item = &Evidence> {
        self.items.iter().filter(move |item| item.source == source)
    }

    /// Returns the next free id for a source.
    pub fn next_id(&self, source: Source) -> EvidenceId {
        let taken = self.of_source(source).filter(|item| !item.id.as_str().contains('.')).count();
        EvidenceId::new(source.letter(), taken + 1)
    }

    /// Adds what another ledger holds, for the merge of specialists.
    pub fn extend(&mut self, other: Ledger) {
        for item in other.items {
            self.push(item);
        }
        for gap in other.gaps {
            self.push_gap(gap);
        }
    }
}
