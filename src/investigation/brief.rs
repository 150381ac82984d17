//! The brief investigation: one analyst over the digest, with one repair. Nobody reviews it, so by the verdict's rules
//! a cause is likely at most. The answer to a person's question is made the same way.

use std::time::Duration;

use serde_json::Value;

use crate::agent::run::Outcome;
use crate::agent::{Role, Toolbox};
use crate::investigation::submission::{self, Conclusion};
use crate::investigation::{AgentEnd, Case, Investigation, Means, Turns, facts_only, finish, why_nothing};
use crate::redact::Redacted;

/// The answer and its repair.
const MOST_TURNS: u32 = 2;

/// Asks the analyst. `agents` are those who were at work before, where a full run had to end as a brief one.
pub async fn analyse(case: Case, means: &Means<'_>, mut agents: Vec<AgentEnd>) -> Investigation {
    let mut task = submission::conclusion_task(&case, &[], &agents);
    let role = if case.question.is_some() { Role::Question } else { Role::Analyst };
    if let Some(question) = &case.question {
        let question = case.fence.wrap("question", &Redacted::new(question));
        task = format!("{task}\n\n## The question\n{question}");
    }
    let turns = Turns { first: 1, most: MOST_TURNS };
    let brief = case.brief(role, task, submission::conclusion_spec(), turns);
    let agent = means.agent(Duration::ZERO);
    let toolbox = case.toolbox(role, &means.telemetry);
    let mut check = |value: &Value, toolbox: &Toolbox, again: bool| {
        submission::check_conclusion(value, &case, &case.grounds(&toolbox.ledger), again)
    };
    let report = agent.run(brief, toolbox, &mut check).await;
    agents.push(AgentEnd { agent: role.name().into(), outcome: report.outcome.describe() });
    let conclusion: Conclusion = match report.outcome {
        Outcome::Complete(value) => serde_json::from_value(value).unwrap_or_default(),
        Outcome::Partial { .. } => Conclusion::default(),
        Outcome::Failed { reason, failure } => return facts_only(case.ledger, agents, reason, failure),
    };
    if !conclusion.says_something() {
        let reason = why_nothing(conclusion.removed(), &agents);
        return facts_only(case.ledger, agents, reason, None);
    }
    finish(case, conclusion, &[], None, agents, means.observer)
}
