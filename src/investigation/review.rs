//! One adversarial call on the proposed cause.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::driver::Submission;
use crate::agent::run::Outcome;
use crate::agent::{Agent, Role, Toolbox};
use crate::finding::{ClaimKind, Review};
use crate::investigation::submission::{Conclusion, cites};
use crate::investigation::{AgentEnd, Case, Means, Turns};
use crate::model::ToolSpec;
use crate::redact::Redacted;

/// Reviews the proposed cause; without an answer there is no review, and the verdict is likely at most.
pub async fn run(
    case: &Case,
    means: &Means<'_>,
    conclusion: &Conclusion,
    agents: &mut Vec<AgentEnd>,
) -> Option<Review> {
    let agent = Agent {
        caller: means.caller,
        observer: means.observer,
        deadline: means.deadline,
        reserve: Duration::ZERO,
    };
    let brief = case.brief(Role::Reviewer, task(case, conclusion), spec(), Turns { first: 1, most: 2 });
    let report = agent.run(brief, case.toolbox(Role::Reviewer, &means.telemetry), &mut check).await;
    agents.push(AgentEnd { agent: Role::Reviewer.name().into(), outcome: report.outcome.describe() });
    match report.outcome {
        Outcome::Complete(value) => serde_json::from_value(value).ok(),
        Outcome::Partial { .. } | Outcome::Failed { .. } => None,
    }
}

fn task(case: &Case, conclusion: &Conclusion) -> String {
    let mut text = case.digest.clone();
    let added = case.ledger.items().iter().filter(|item| item.id.as_str().contains('.'));
    for item in added {
        let _ = write!(text, "\n{}", case.fence.wrap(item.id.as_str(), &Redacted::new(&item.text())));
    }
    text.push_str("\n\n## Proposed\n");
    for checked in conclusion.claims.iter().filter(|checked| !checked.removed) {
        let claim = &checked.claim;
        let label = match claim.kind {
            ClaimKind::Cause => "PROPOSED CAUSE",
            ClaimKind::AlarmFault => "PROPOSED FAULT OF THE ALARM",
            ClaimKind::Symptom => "symptom",
            ClaimKind::RuledOut => "ruled out",
            ClaimKind::Context => "context",
        };
        let _ = writeln!(text, "- {label}: {} | cites {}", claim.text, cites(claim));
    }
    text.push_str("\nReview what is proposed with submit_review.");
    text
}

fn spec() -> ToolSpec {
    ToolSpec {
        name: "submit_review".into(),
        description: "Submits your review of what is proposed.".into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "decision": {"type": "string", "enum": ["keep", "downgrade", "reject"]},
                "reason": {"type": "string", "description": "One sentence"},
                "missing": {"type": "string", "description": "The evidence that would settle it; empty if none"}
            },
            "required": ["decision", "reason"]
        }),
    }
}

fn check(value: &Value, _toolbox: &Toolbox, _again: bool) -> Submission {
    match serde_json::from_value::<Review>(value.clone()) {
        Ok(_) => Submission::Accepted(value.clone()),
        Err(error) => Submission::SentBack(format!("The review could not be read: {error}.")),
    }
}
