//! What a run may spend on models, and what it has spent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::{ModelId, Recording, Usage, catalogue};
use crate::run::AgentShare;

/// Most that one run may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// US dollars.
    pub cost_usd: f64,
    /// Answered calls.
    pub calls: u32,
    /// Tokens, in and out.
    pub tokens: u64,
    /// What the day's limits leave.
    pub day: DayLeft,
}

/// Most that all runs of a UTC day may spend; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PerDay {
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Answered calls.
    pub calls: Option<u32>,
    /// Tokens, in and out.
    pub tokens: Option<u64>,
    /// Bytes that Logs Insights may scan; no matter of models, but of the same day.
    pub insights_bytes: Option<u64>,
}

/// What is left of a day's limits; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DayLeft {
    /// US dollars.
    pub usd: Option<f64>,
    /// Answered calls.
    pub calls: Option<u32>,
    /// Tokens, in and out.
    pub tokens: Option<u64>,
}

impl DayLeft {
    /// Returns the limit that leaves nothing.
    pub fn tripped(&self) -> Option<Tripped> {
        if self.usd.is_some_and(|left| left <= 0.0) {
            Some(Tripped::Day)
        } else if self.calls == Some(0) {
            Some(Tripped::DayCalls)
        } else if self.tokens == Some(0) {
            Some(Tripped::DayTokens)
        } else {
            None
        }
    }
}

/// Which limit ended the asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tripped {
    /// The cost limit.
    Cost,
    /// The call limit.
    Calls,
    /// The token limit.
    Tokens,
    /// The cost limit of the day, over all runs.
    Day,
    /// The call limit of the day.
    DayCalls,
    /// The token limit of the day.
    DayTokens,
}

impl Tripped {
    /// Returns the word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Tripped::Cost => "cost",
            Tripped::Calls => "calls",
            Tripped::Tokens => "tokens",
            Tripped::Day => "day",
            Tripped::DayCalls => "day_calls",
            Tripped::DayTokens => "day_tokens",
        }
    }

    /// Returns the words for a report: `the cost limit of the run was reached`.
    pub fn as_str(self) -> &'static str {
        match self {
            Tripped::Cost => "the cost limit of the run was reached",
            Tripped::Calls => "the call limit of the run was reached",
            Tripped::Tokens => "the token limit of the run was reached",
            Tripped::Day => "the cost limit of the day was reached",
            Tripped::DayCalls => "the call limit of the day was reached",
            Tripped::DayTokens => "the token limit of the day was reached",
        }
    }
}

/// What was spent, for footer, record and EMF.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// The limit that ended the asking, where one did.
    #[serde(default)]
    pub tripped: Option<Tripped>,
}

/// What one role spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

    /// Returns the share of each role, as the run's last event tells it.
    pub fn shares(&self) -> Vec<AgentShare> {
        let share = |(agent, spent): (&String, &AgentSpent)| AgentShare {
            agent: agent.clone(),
            model_calls: spent.calls,
            input_tokens: spent.usage.all_input(),
            output_tokens: spent.usage.output,
            cost_usd: spent.cost_usd,
        };
        self.agents.iter().map(share).collect()
    }
}

/// Counts what a run spends and says when to stop.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    spent: Mutex<Spent>,
    /// Calls that were begun and have not ended: agents ask in parallel, and each may be the last.
    under_way: AtomicU32,
}

/// A call that was begun; ended when dropped.
#[derive(Debug)]
pub struct Call<'a>(&'a Budget);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Budget {
    /// Returns an unspent budget.
    pub fn new(limits: Limits) -> Self {
        let spent = Spent { cost_usd: Some(0.0), ..Spent::default() };
        Budget { limits, spent: Mutex::new(spent), under_way: AtomicU32::new(0) }
    }

    /// Begins a call, if another one may be made; a limit that forbids it is remembered.
    pub fn begin(&self) -> Result<Call<'_>, Tripped> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = self.under_way.load(Ordering::SeqCst);
        match tripped(&spent, under_way, self.limits) {
            Some(limit) => {
                spent.tripped.get_or_insert(limit);
                Err(limit)
            }
            None => {
                self.under_way.fetch_add(1, Ordering::SeqCst);
                Ok(Call(self))
            }
        }
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

/// Returns the limit that forbids another call.
fn tripped(spent: &Spent, under_way: u32, limits: Limits) -> Option<Tripped> {
    // A model without a known price is bounded by calls and tokens only.
    let above = |limit: f64| spent.cost_usd.is_some_and(|cost| cost >= limit);
    let calls = spent.total_calls() + under_way;
    let tokens = spent.usage.all_input() + spent.usage.output;
    let day = limits.day;
    if day.calls.is_some_and(|left| left < limits.calls && calls >= left) {
        Some(Tripped::DayCalls)
    } else if calls >= limits.calls {
        Some(Tripped::Calls)
    } else if day.tokens.is_some_and(|left| left < limits.tokens && tokens >= left) {
        Some(Tripped::DayTokens)
    } else if tokens >= limits.tokens {
        Some(Tripped::Tokens)
    } else if day.usd.is_some_and(|left| left < limits.cost_usd && above(left)) {
        Some(Tripped::Day)
    } else if above(limits.cost_usd) {
        Some(Tripped::Cost)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        cost_usd: 0.10,
        calls: 3,
        tokens: 1_000_000,
        day: DayLeft { usd: None, calls: None, tokens: None },
    };

    fn day(change: fn(&mut DayLeft)) -> Limits {
        let mut limits = LIMITS;
        change(&mut limits.day);
        limits
    }

    #[test]
    fn each_limit_ends_the_asking_and_is_named() {
        let model = ModelId::from("us.anthropic.claude-sonnet-4-6");
        let dear = Usage { input: 40_000, ..Usage::default() };
        for (limits, calls, usage, expected) in [
            (LIMITS, 1, Usage::default(), None),
            (LIMITS, 1, dear, Some(Tripped::Cost)),
            (LIMITS, 3, Usage::default(), Some(Tripped::Calls)),
            (Limits { tokens: 40_000, ..LIMITS }, 1, dear, Some(Tripped::Tokens)),
            (day(|day| day.usd = Some(0.05)), 1, dear, Some(Tripped::Day)),
            (day(|day| day.usd = Some(9.0)), 1, dear, Some(Tripped::Cost)),
            (day(|day| day.calls = Some(2)), 2, Usage::default(), Some(Tripped::DayCalls)),
            (day(|day| day.calls = Some(9)), 3, Usage::default(), Some(Tripped::Calls)),
            (day(|day| day.tokens = Some(30_000)), 1, dear, Some(Tripped::DayTokens)),
            (day(|day| day.tokens = Some(0)), 0, Usage::default(), Some(Tripped::DayTokens)),
        ] {
            let budget = Budget::new(limits);
            for _ in 0..calls {
                let _call = budget.begin().unwrap();
                budget.charge("metrics", &model, usage, None);
            }
            assert_eq!(budget.begin().err(), expected, "{limits:?}");
            assert_eq!(budget.spent().tripped, expected, "{limits:?}");
        }
    }

    #[test]
    fn calls_under_way_count_so_that_agents_in_parallel_do_not_pass_the_limit_together() {
        let budget = Budget::new(LIMITS);
        let mut calls: Vec<_> = (0..3).map(|_| budget.begin().unwrap()).collect();
        assert_eq!(budget.begin().err(), Some(Tripped::Calls));
        // One that brought no answer gives its place back.
        calls.pop();
        assert!(budget.begin().is_ok());
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
