//! The models in the order in which they are tried, and what is known about those that did not answer.
//!
//! A rung that is dead for good (retired, denied, unknown) is remembered for the life of the process, so that a
//! warm container asks it once. A rung that was throttled is left for one run only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::model::gate::Gate;
use crate::model::{ErrorClass, Failure, ModelId};

/// The configured models, best first.
#[derive(Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    dead: Mutex<BTreeMap<ModelId, Failure>>,
}

#[derive(Debug)]
struct Rung {
    model: ModelId,
    gate: Gate,
}

impl Ladder {
    /// Returns a ladder of the primary and its fallbacks; repetitions are dropped.
    pub fn new(models: impl IntoIterator<Item = ModelId>, widest: u32) -> Self {
        let mut rungs: Vec<Rung> = Vec::new();
        for model in models {
            if !rungs.iter().any(|rung| rung.model == model) {
                rungs.push(Rung { model, gate: Gate::new(widest) });
            }
        }
        Ladder { rungs, dead: Mutex::default() }
    }

    /// Returns every model, best first.
    pub fn models(&self) -> impl Iterator<Item = &ModelId> {
        self.rungs.iter().map(|rung| &rung.model)
    }

    /// Returns the gate in front of a model.
    pub fn gate(&self, model: &ModelId) -> Option<&Gate> {
        self.rungs.iter().find(|rung| &rung.model == model).map(|rung| &rung.gate)
    }

    /// Returns why a model is known dead, if it is.
    pub fn known_dead(&self, model: &ModelId) -> Option<Failure> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).get(model).cloned()
    }

    /// Remembers that a model is dead, where its failure is of a kind that lasts.
    pub fn remember(&self, model: &ModelId, failure: &Failure) {
        if lasts(failure.class) {
            self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(model.clone(), failure.clone());
        }
    }
}

/// Tells whether a failure outlives the run.
fn lasts(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::EndOfLife
            | ErrorClass::NeedsProfile
            | ErrorClass::InvalidIdentifier
            | ErrorClass::AccessDenied
            | ErrorClass::NotEnabled
    )
}
