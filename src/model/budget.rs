//! What a run may spend on models, and what it has spent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::{ModelId, Recording, Usage, catalogue};

/// Most that one run may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// US dollars.
    pub cost_usd: f64,
    /// Answered calls.
    pub calls: u32,
    /// Tokens, in and out.
    pub tokens: u64,
}

/// Which limit ended the asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tripped {
    /// The cost limit.
    Cost,
    /// The call limit.
    Calls,
    /// The token limit.
    Tokens,
}

impl Tripped {
    /// Returns the words for a report: `the cost limit of the run was reached`.
    pub fn as_str(self) -> &'static str {
        match self {
            Tripped::Cost => "the cost limit of the run was reached",
            Tripped::Calls => "the call limit of the run was reached",
            Tripped::Tokens => "the token limit of the run was reached",
        }
    }
}

/// What was spent, for footer, record and EMF.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Answered calls per model.
    pub calls: BTreeMap<ModelId, u32>,
    /// Tokens of all answers.
    pub usage: Usage,
    /// The same by the role that asked.
    #[serde(default)]
    pub agents: BTreeMap<String, AgentSpent>,
    /// US dollars; `None` once a model without a known price answered.
    pub cost_usd: Option<f64>,
    /// Answers that came from a recording or a person, by how the emulator called them.
    pub recordings: BTreeMap<String, u32>,
    /// Recorded answers that were made for another request.
    pub stale: u32,
}

/// What one role spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentSpent {
    /// Answered calls.
    pub calls: u32,
    /// Tokens of the answers.
    pub usage: Usage,
    /// US dollars; `None` once a model without a known price answered, or a recording, which costs nothing.
    pub cost_usd: Option<f64>,
}

impl Spent {
    /// Returns the number of answered calls.
    pub fn total_calls(&self) -> u32 {
        self.calls.values().sum()
    }
}

/// Counts what a run spends and says when to stop.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    spent: Mutex<Spent>,
}

impl Budget {
    /// Returns an unspent budget.
    pub fn new(limits: Limits) -> Self {
        Budget { limits, spent: Mutex::new(Spent { cost_usd: Some(0.0), ..Spent::default() }) }
    }

    /// Tells whether another call may be made.
    pub fn check(&self) -> Result<(), Tripped> {
        let spent = self.spent();
        if spent.total_calls() >= self.limits.calls {
            return Err(Tripped::Calls);
        }
        if spent.usage.input + spent.usage.cache_read + spent.usage.output >= self.limits.tokens {
            return Err(Tripped::Tokens);
        }
        // A model without a known price is bounded by calls and tokens only.
        if spent.cost_usd.is_some_and(|cost| cost >= self.limits.cost_usd) {
            return Err(Tripped::Cost);
        }
        Ok(())
    }

    /// Counts an answer. A recorded answer costs nothing and is never priced.
    pub fn charge(&self, agent: &str, model: &ModelId, usage: Usage, recording: Option<&Recording>) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent.calls.entry(model.clone()).or_default() += 1;
        spent.usage.add(usage);
        let cost = if recording.is_some() { None } else { catalogue::cost_usd(model, usage) };
        let first = AgentSpent { cost_usd: Some(0.0), ..AgentSpent::default() };
        let role = spent.agents.entry(agent.to_owned()).or_insert(first);
        role.calls += 1;
        role.usage.add(usage);
        role.cost_usd = role.cost_usd.zip(cost).map(|(sum, cost)| sum + cost);
        if let Some(recording) = recording {
            *spent.recordings.entry(recording.answered_by.clone()).or_default() += 1;
            spent.stale += u32::from(recording.stale);
            return;
        }
        spent.cost_usd = spent.cost_usd.zip(cost).map(|(sum, cost)| sum + cost);
    }

    /// Returns what was spent so far.
    pub fn spent(&self) -> Spent {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { cost_usd: 0.10, calls: 3, tokens: 1_000_000 };

    #[test]
    fn the_limit_that_trips_is_named() {
        let model = ModelId::from("us.anthropic.claude-sonnet-4-6");
        let budget = Budget::new(LIMITS);
        assert_eq!(budget.check(), Ok(()));
        budget.charge("metrics", &model, Usage { input: 40_000, ..Usage::default() }, None);
        assert_eq!(budget.check(), Err(Tripped::Cost));

        let budget = Budget::new(LIMITS);
        for _ in 0..3 {
            budget.charge("metrics", &model, Usage::default(), None);
        }
        assert_eq!(budget.check(), Err(Tripped::Calls));
    }

    #[test]
    fn an_unpriced_model_makes_the_cost_unknown_and_never_zero() {
        let budget = Budget::new(LIMITS);
        budget.charge("metrics", &ModelId::from("new.model"), Usage { input: 10, ..Usage::default() }, None);
        assert_eq!(budget.spent().cost_usd, None);
    }

    #[test]
    fn a_recorded_answer_is_counted_and_never_priced() {
        let budget = Budget::new(LIMITS);
        let recording = Recording { answered_by: "recorded, played by hand".into(), stale: true };
        let model = ModelId::from("us.anthropic.claude-sonnet-4-6");
        budget.charge("metrics", &model, Usage { input: 90_000, ..Usage::default() }, Some(&recording));
        let spent = budget.spent();
        assert_eq!((spent.total_calls(), spent.cost_usd, spent.stale), (1, Some(0.0), 1));
        assert_eq!(spent.agents["metrics"].cost_usd, None);
    }

    #[test]
    fn each_role_has_its_share_and_the_shares_make_the_sum() {
        let budget = Budget::new(LIMITS);
        let model = ModelId::from("us.anthropic.claude-sonnet-4-6");
        for (agent, input) in [("logs", 1_000), ("logs", 2_000), ("reviewer", 4_000)] {
            budget.charge(agent, &model, Usage { input, output: 100, ..Usage::default() }, None);
        }
        let spent = budget.spent();
        let logs = spent.agents["logs"];
        assert_eq!((logs.calls, logs.usage.input, logs.usage.output), (2, 3_000, 200));
        let shares: f64 = spent.agents.values().filter_map(|role| role.cost_usd).sum();
        assert!((shares - spent.cost_usd.unwrap()).abs() < 1e-12);
    }
}
