//! The investigation: a supervisor, specialists in parallel, a merge, one review, and a verdict by rule; or one analyst.
//!
//! An agent that fails is reported as failed. A run in which no agent submitted anything is *facts only*, with the reason.

pub mod brief;
pub mod depth;
pub mod digest;
pub mod review;
pub mod specialists;
pub mod submission;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::agent::roles::RULES;
use crate::agent::run::{Brief, Outcome};
use crate::agent::{Agent, Role, Toolbox};
use crate::clock::{Deadline, Timestamp};
use crate::evidence::{Ledger, Place, Source, Window};
use crate::finding::{Checked, ClaimKind, Counts, Grounds, Review, Verdict, VerdictKind, verdict};
use crate::gather::Telemetry;
use crate::model::caller::Caller;
use crate::model::{Failure, ToolSpec};
use crate::redact::Fence;
use crate::run::{Observer, RunEvent};
use depth::Depth;
use submission::{Conclusion, Submitted};

/// What an investigation works on.
pub struct Case {
    /// The digest: what was computed, as text, without fences around our own words.
    pub digest: String,
    /// All evidence so far.
    pub ledger: Ledger,
    /// When the symptom began.
    pub onset: Option<Timestamp>,
    /// The incident's window.
    pub window: Window,
    /// Farthest back that a tool may read.
    pub earliest: Timestamp,
    /// Period of the alarm's metric, seconds.
    pub period_seconds: i64,
    /// Log groups of the incident.
    pub log_groups: Vec<String>,
    /// Names that need no citation: alarm, resource, dimensions.
    pub known_names: BTreeSet<String>,
    /// Next steps on offer: id and words.
    pub steps: Vec<(String, String)>,
    /// What the playbook says cannot be seen for this kind of resource.
    pub blind_spots: Vec<String>,
    /// What a person wants to know, where the run is to answer a question.
    pub question: Option<String>,
    /// Account and Region of the incident.
    pub place: Place,
    /// Marks around untrusted text.
    pub fence: Fence,
}

/// What an investigation works with.
pub struct Means<'a> {
    /// Asks models.
    pub caller: &'a Caller,
    /// The account.
    pub telemetry: Arc<dyn Telemetry>,
    /// Told everything.
    pub observer: &'a Observer,
    /// When it must have ended.
    pub deadline: Deadline,
}

impl<'a> Means<'a> {
    /// Returns what runs an agent; `reserve` is time that it leaves to whoever comes after it.
    fn agent(&self, reserve: Duration) -> Agent<'a> {
        Agent { caller: self.caller, observer: self.observer, deadline: self.deadline, reserve }
    }
}

/// How one agent ended, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AgentEnd {
    /// Role name.
    pub agent: String,
    /// `complete`, `partial: …` or `failed: …`.
    pub outcome: String,
}

/// What an investigation came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Investigation {
    /// The verdict, or why there is none.
    pub outcome: InvestigationOutcome,
    /// Claims that stand, in the order of the card.
    pub claims: Vec<Checked>,
    /// The sentence under the verdict.
    pub statement: Option<Checked>,
    /// What the reviewer said.
    pub review: Option<Review>,
    /// What would show the cause, in the agents' words; each was checked for invented names.
    pub not_visible: Vec<String>,
    /// Ids of next steps, as chosen.
    pub next_steps: Vec<String>,
    /// How much was checked.
    pub counts: Counts,
    /// How each agent ended.
    pub agents: Vec<AgentEnd>,
    /// All evidence, that of the specialists included.
    pub ledger: Ledger,
}

/// The verdict, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvestigationOutcome {
    /// No agent submitted anything.
    FactsOnly {
        /// In one line.
        reason: String,
        /// The model's failure, where there was one.
        failure: Option<Failure>,
    },
    /// At least one agent submitted.
    Investigated(Verdict),
}

/// Most tokens of one answer. Bedrock reserves quota by this number, so it is small.
const MOST_TOKENS: u32 = 3_000;

/// Investigates a case.
pub async fn investigate(mut case: Case, means: &Means<'_>) -> Investigation {
    let mut agents = Vec::new();
    let briefs = match plan(&case, means, &mut agents).await {
        Ok(briefs) => briefs,
        Err((reason, failure)) => return facts_only(case.ledger, agents, reason, failure),
    };
    // What was planned at first no longer fits once a refusal has taught how low the quota is: each specialist and the
    // merge need a call at least.
    let least = u32::try_from(briefs.len()).unwrap_or(u32::MAX).saturating_add(1);
    if briefs.len() > 1 && !means.caller.has_room(least, means.deadline) {
        means.observer.emit(RunEvent::DepthChosen {
            depth: Depth::Brief.as_str().into(),
            reason: format!("the model's quota has no room for {least} more calls in time"),
            planned_calls: Depth::Brief.planned_calls(),
        });
        return brief::analyse(case, means, agents).await;
    }
    let reports = specialists::run(&case, means, briefs).await;
    let mut found: Vec<(Role, Submitted)> = Vec::new();
    let mut first_failure = None;
    for report in reports {
        agents.push(AgentEnd { agent: report.role.name().into(), outcome: report.outcome.describe() });
        case.ledger.extend(report.ledger);
        match report.outcome {
            Outcome::Complete(value) => {
                if let Ok(submitted) = serde_json::from_value(value) {
                    found.push((report.role, submitted));
                }
            }
            Outcome::Failed { reason, failure } => {
                first_failure.get_or_insert((reason, failure));
            }
            Outcome::Partial { .. } => {}
        }
    }
    let concluded = conclude(&case, means, &found, &mut agents).await;
    // A conclusion that says nothing is none.
    let (conclusion, by_supervisor) = match concluded.filter(Conclusion::says_something) {
        Some(conclusion) => (conclusion, true),
        // The best so far: what the specialists submitted, unmerged and unreviewed.
        None => (unmerged(&found), false),
    };
    if !conclusion.says_something() {
        let (reason, failure) = first_failure.unwrap_or_else(|| {
            let guesses = found.iter().map(|(_, submitted)| removed(submitted)).sum();
            (why_nothing(guesses, &agents), None)
        });
        return facts_only(case.ledger, agents, reason, failure);
    }
    let proposes = conclusion
        .claims
        .iter()
        .any(|claim| !claim.removed && matches!(claim.claim.kind, ClaimKind::Cause | ClaimKind::AlarmFault));
    let review = if proposes && by_supervisor {
        review::run(&case, means, &conclusion, &mut agents).await
    } else {
        None
    };
    finish(case, conclusion, &found, review, agents, means.observer)
}

fn finish(
    case: Case,
    conclusion: Conclusion,
    found: &[(Role, Submitted)],
    review: Option<Review>,
    agents: Vec<AgentEnd>,
    observer: &Observer,
) -> Investigation {
    // What a playbook can never see counts only where an agent found that it would show the cause.
    let unseen = !case.ledger.gaps().is_empty() || !conclusion.not_visible.is_empty();
    let verdict = verdict::decide(&conclusion.claims, review.as_ref(), unseen);
    // Where a cause stands it is told in the statement's place; to a question the statement is the answer.
    let has_cause = matches!(verdict.kind, VerdictKind::CauseShown | VerdictKind::LikelyCause);
    let is_told = |statement: &Checked| !has_cause || statement.removed || case.question.is_some();
    let statement = conclusion.statement.filter(is_told);
    let mut counts = Counts::default();
    for checked in conclusion.claims.iter().chain(&statement) {
        counts.add(checked);
    }
    // Guesses that the specialists could not prove are removed too, before the supervisor ever saw them.
    counts.removed += conclusion.guesses + found.iter().map(|(_, submitted)| removed(submitted)).sum::<u32>();
    observer.emit(RunEvent::ClaimsChecked {
        held: counts.held,
        checked: counts.checked,
        removed: counts.removed,
    });
    Investigation {
        outcome: InvestigationOutcome::Investigated(verdict),
        claims: conclusion.claims.into_iter().filter_map(standing).collect(),
        statement: statement.and_then(standing),
        review,
        not_visible: conclusion.not_visible,
        next_steps: conclusion.next_steps,
        counts,
        agents,
        ledger: case.ledger,
    }
}

/// Returns a claim that stands without what was wrong with it, which repeats what the model made up.
fn standing(checked: Checked) -> Option<Checked> {
    (!checked.removed).then(|| Checked { faults: Vec::new(), ..checked })
}

/// Returns how much of a submission did not stand.
fn removed(submitted: &Submitted) -> u32 {
    submitted.claims.iter().filter(|claim| claim.removed).fold(submitted.guesses, |sum, _| sum + 1)
}

/// Says why agents that a model answered come to nothing, `guesses` of whose claims were removed: why the first of them did not finish, else that nothing stood.
fn why_nothing(guesses: u32, agents: &[AgentEnd]) -> String {
    if guesses > 0 {
        return format!("none of the agents' claims stood up to the check, {guesses} were removed");
    }
    match agents.iter().find_map(|agent| agent.outcome.strip_prefix("partial: ").map(|why| (agent, why))) {
        Some((agent, why)) => format!("no agent submitted anything; the {} agent: {why}", agent.agent),
        None => "no agent submitted anything".to_owned(),
    }
}

fn facts_only(
    ledger: Ledger,
    agents: Vec<AgentEnd>,
    reason: String,
    failure: Option<Failure>,
) -> Investigation {
    Investigation {
        outcome: InvestigationOutcome::FactsOnly { reason, failure },
        claims: Vec::new(),
        statement: None,
        review: None,
        not_visible: Vec::new(),
        next_steps: Vec::new(),
        counts: Counts::default(),
        agents,
        ledger,
    }
}

impl Case {
    /// Returns the specialists that have something to read.
    pub(crate) fn specialists(&self) -> Vec<Role> {
        let has_something = |role: &Role| match role {
            Role::Logs => !self.log_groups.is_empty(),
            Role::Changes => self.ledger.of_source(Source::Changes).next().is_some(),
            Role::Metrics | Role::Supervisor | Role::Reviewer | Role::Analyst | Role::Question => true,
        };
        Role::SPECIALISTS.into_iter().filter(has_something).collect()
    }

    /// Returns what claims are checked against.
    pub(crate) fn grounds<'a>(&'a self, ledger: &'a Ledger) -> Grounds<'a> {
        Grounds {
            ledger,
            onset: self.onset,
            tolerance: SignedDuration::from_secs(self.period_seconds),
            known_names: &self.known_names,
        }
    }

    /// Returns an agent's tools, which work on a copy of the evidence.
    pub(crate) fn toolbox(&self, role: Role, telemetry: &Arc<dyn Telemetry>) -> Toolbox {
        Toolbox {
            role: role.name(),
            telemetry: Arc::clone(telemetry),
            ledger: self.ledger.clone(),
            place: self.place.clone(),
            fence: self.fence.clone(),
            window: self.window,
            earliest: self.earliest,
            log_groups: self.log_groups.clone(),
            period_seconds: self.period_seconds,
            answered: std::collections::BTreeMap::new(),
        }
    }

    /// Returns the brief of a role: rules, role, tools and task.
    pub(crate) fn brief(&self, role: Role, task: String, submit: ToolSpec, turns: Turns) -> Brief {
        let mut tools = Toolbox::specs(role.tools());
        let submit_with = submit.name.clone();
        tools.push(submit);
        Brief {
            agent: role.name().into(),
            system: format!(
                "{RULES}\n{}\nYou have at most {} turns; in the last one you submit. The mark of this run is {}.",
                role.prompt(),
                turns.most,
                self.fence.nonce()
            ),
            task,
            tools,
            submit_with,
            max_turns: turns.most,
            max_tokens: MOST_TOKENS,
            first_turn: turns.first,
        }
    }
}

/// How many turns an agent has and how they are numbered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turns {
    /// Number of the first.
    pub(crate) first: u32,
    /// Most of them.
    pub(crate) most: u32,
}

/// A specialist's task, as the supervisor set it.
type Briefs = Vec<(Role, String)>;

/// Why there is no plan: in one line, and the model's failure.
type NoPlan = (String, Option<Failure>);

/// The supervisor picks the specialists. A plan that cannot be read means all of them; no model at all means no investigation.
async fn plan(case: &Case, means: &Means<'_>, agents: &mut Vec<AgentEnd>) -> Result<Briefs, NoPlan> {
    let task = format!(
        "{}\n\nPick the specialists whose reading can tell the cause, and give each a brief of one or two sentences: \
         what to find out, and which evidence to begin with.",
        case.digest
    );
    let specialists = case.specialists();
    // Where there is nothing to choose, no call is spent on it.
    if let [only] = specialists.as_slice() {
        return Ok(vec![(*only, "Find what your evidence shows.".to_owned())]);
    }
    let spec = submission::plan_spec(&specialists);
    let brief = case.brief(Role::Supervisor, task, spec, Turns { first: 1, most: 2 });
    let agent = means.agent(Duration::ZERO);
    let toolbox = case.toolbox(Role::Supervisor, &means.telemetry);
    let mut check = |value: &serde_json::Value, _: &Toolbox, again: bool| {
        submission::check_plan(value, &specialists, again)
    };
    let report = agent.run(brief, toolbox, &mut check).await;
    let everyone =
        || specialists.iter().map(|role| (*role, "Find what your evidence shows.".to_owned())).collect();
    match report.outcome {
        Outcome::Complete(value) => {
            let briefs = submission::briefs(&value, &specialists);
            Ok(if briefs.is_empty() { everyone() } else { briefs })
        }
        Outcome::Partial { reason } => {
            agents
                .push(AgentEnd { agent: "supervisor (plan)".into(), outcome: format!("partial: {reason}") });
            Ok(everyone())
        }
        Outcome::Failed { reason, failure } => {
            agents.push(AgentEnd { agent: "supervisor".into(), outcome: format!("failed: {reason}") });
            Err((reason, failure))
        }
    }
}

/// The supervisor merges what the specialists found.
async fn conclude(
    case: &Case,
    means: &Means<'_>,
    found: &[(Role, Submitted)],
    agents: &mut Vec<AgentEnd>,
) -> Option<Conclusion> {
    let task = submission::conclusion_task(case, found, agents);
    let brief =
        case.brief(Role::Supervisor, task, submission::conclusion_spec(), Turns { first: 2, most: 2 });
    let agent = means.agent(means.caller.expected_call());
    let toolbox = case.toolbox(Role::Supervisor, &means.telemetry);
    let mut check = |value: &serde_json::Value, toolbox: &Toolbox, again: bool| {
        submission::check_conclusion(value, case, &case.grounds(&toolbox.ledger), again)
    };
    let report = agent.run(brief, toolbox, &mut check).await;
    agents.push(AgentEnd { agent: "supervisor".into(), outcome: report.outcome.describe() });
    match report.outcome {
        Outcome::Complete(value) => serde_json::from_value(value).ok(),
        Outcome::Partial { .. } | Outcome::Failed { .. } => None,
    }
}

/// What the specialists submitted, as a conclusion: of several causes only the first is kept, as they do not agree.
fn unmerged(found: &[(Role, Submitted)]) -> Conclusion {
    let mut claims: Vec<Checked> = Vec::new();
    for checked in found.iter().flat_map(|(_, submitted)| &submitted.claims) {
        let second_cause = checked.claim.kind == ClaimKind::Cause
            && claims.iter().any(|known| known.claim.kind == ClaimKind::Cause);
        if !checked.removed && !second_cause {
            claims.push(checked.clone());
        }
    }
    let not_visible = found.iter().flat_map(|(_, submitted)| submitted.not_visible.iter().cloned()).collect();
    Conclusion { claims, not_visible, ..Conclusion::default() }
}
