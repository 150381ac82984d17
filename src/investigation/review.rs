//! One adversarial call on the proposed cause.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::driver::Submission;
use crate::agent::run::Outcome;
use crate::agent::{Role, Toolbox};
use crate::finding::verify::filled_text;
use crate::finding::wording::invented;
use crate::finding::{ClaimKind, Grounds, Review};
use crate::investigation::submission::{Conclusion, added_evidence, cites};
use crate::investigation::{AgentEnd, Case, Means, Turns};
use crate::model::ToolSpec;

/// Reviews the proposed cause; without an answer there is no review, and the verdict is likely at most.
pub async fn run(
    case: &Case,
    means: &Means<'_>,
    conclusion: &Conclusion,
    agents: &mut Vec<AgentEnd>,
) -> Option<Review> {
    let agent = means.agent(Duration::ZERO);
    let brief = case.brief(Role::Reviewer, task(case, conclusion), spec(), Turns { first: 1, most: 2 });
    let mut check =
        |value: &Value, toolbox: &Toolbox, again: bool| check(value, &case.grounds(&toolbox.ledger), again);
    let report = agent.run(brief, case.toolbox(Role::Reviewer, &means.telemetry), &mut check).await;
    agents.push(AgentEnd { agent: Role::Reviewer.name().into(), outcome: report.outcome.describe() });
    match report.outcome {
        Outcome::Complete(value) => serde_json::from_value(value).ok(),
        Outcome::Partial { .. } | Outcome::Failed { .. } => None,
    }
}

fn task(case: &Case, conclusion: &Conclusion) -> String {
    let mut text = case.digest.clone();
    text.push_str(&added_evidence(case));
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
        let said = filled_text(claim, &case.ledger);
        let _ = writeln!(text, "- {label}: {said} | cites {}", cites(claim));
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

/// What stands on the card where the reviewer gave a reason that names what nothing names.
const NO_REASON: &str = "it gave no reason that the evidence holds";

/// The reason and what is missing are printed without a citation, so they may name nothing that the run does not know.
fn check(value: &Value, grounds: &Grounds<'_>, again: bool) -> Submission {
    let mut review = match serde_json::from_value::<Review>(value.clone()) {
        Ok(review) => review,
        Err(error) => return Submission::SentBack(format!("The review could not be read: {error}.")),
    };
    let (in_reason, in_missing) = (invented(&review.reason, grounds), invented(&review.missing, grounds));
    if !again && let Some(name) = in_reason.iter().chain(&in_missing).next() {
        return Submission::SentBack(format!(
            "\"{name}\" stands in no evidence. Say it with what the evidence names, and submit the review again."
        ));
    }
    if !in_reason.is_empty() {
        NO_REASON.clone_into(&mut review.reason);
    }
    if !in_missing.is_empty() {
        review.missing.clear();
    }
    match serde_json::to_value(&review) {
        Ok(value) => Submission::Accepted(value),
        Err(error) => Submission::SentBack(format!("The review could not be kept: {error}.")),
    }
}
