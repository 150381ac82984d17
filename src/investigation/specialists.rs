//! The specialists, in parallel; none sees another's traffic.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::agent::run::Outcome;
use crate::agent::{Agent, Role, Toolbox};
use crate::evidence::Ledger;
use crate::investigation::{Case, Means, Turns, submission};

/// Most model turns of a specialist: a look, a second look, the findings and their repair.
const MOST_TURNS: u32 = 4;

/// What a specialist leaves behind.
pub struct SpecialistReport {
    /// Which.
    pub role: Role,
    /// How it ended.
    pub outcome: Outcome,
    /// The evidence it added, and the gaps it met.
    pub ledger: Ledger,
}

/// Runs the specialists and returns their reports in plan order.
pub async fn run(case: &Case, means: &Means<'_>, briefs: Vec<(Role, String)>) -> Vec<SpecialistReport> {
    // The merge and the review come after, each a call; one specialist that hangs must not cost the others these.
    let deadline = means.deadline.less(2 * means.caller.expected_call());
    let work = briefs.into_iter().map(|(role, brief)| async move {
        let task = format!("{}\n\n## Your brief\n{brief}", case.digest);
        let brief = case.brief(role, task, submission::findings_spec(), Turns { first: 1, most: MOST_TURNS });
        let agent = Agent { deadline, ..means.agent(Duration::ZERO) };
        let toolbox = case.toolbox(role, &Arc::clone(&means.telemetry));
        let mut check = |value: &Value, toolbox: &Toolbox, again: bool| {
            submission::check_findings(value, &case.grounds(&toolbox.ledger), again)
        };
        let report = agent.run(brief, toolbox, &mut check).await;
        SpecialistReport { role, outcome: report.outcome, ledger: report.toolbox.ledger }
    });
    futures::future::join_all(work).await
}
