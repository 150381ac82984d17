//! The forms that agents fill in, and the check of what they filled in.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::agent::Role;
use crate::agent::driver::Submission;
use crate::evidence::text::clock_time;
use crate::finding::verify::{check, filled_text};
use crate::finding::wording::invented;
use crate::finding::{Checked, Claim, ClaimKind, Grounds};
use crate::investigation::{AgentEnd, Case};
use crate::model::ToolSpec;
use crate::redact::Redacted;

/// Most claims of one submission; a card has no room for more.
const MOST_CLAIMS: usize = 8;

/// What a specialist submitted, checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// Checked claims, removed ones included for the count.
    pub claims: Vec<Checked>,
    /// What it could not see.
    pub not_visible: Vec<String>,
    /// Lines of what it could not see that were left out, because they name what nothing names.
    #[serde(default)]
    pub guesses: u32,
}

/// What the supervisor concluded, checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    /// The sentence under the verdict.
    pub statement: Option<Checked>,
    /// Checked claims, removed ones included for the count.
    pub claims: Vec<Checked>,
    /// What would show the cause.
    pub not_visible: Vec<String>,
    /// Ids of next steps.
    pub next_steps: Vec<String>,
    /// Lines of what could not be seen that were left out, because they name what nothing names.
    #[serde(default)]
    pub guesses: u32,
}

impl Conclusion {
    /// Tells whether anything in it is worth a report: a claim or a statement that stands, or what was not visible.
    pub fn says_something(&self) -> bool {
        self.claims.iter().chain(&self.statement).any(|checked| !checked.removed)
            || !self.not_visible.is_empty()
    }

    /// Returns how much of it did not stand.
    pub fn removed(&self) -> u32 {
        let gone = self.claims.iter().chain(&self.statement).filter(|checked| checked.removed);
        gone.fold(self.guesses, |sum, _| sum + 1)
    }
}

#[derive(Deserialize)]
struct Plan {
    specialists: Vec<PlannedSpecialist>,
}

#[derive(Deserialize)]
struct PlannedSpecialist {
    role: String,
    brief: String,
}

#[derive(Deserialize)]
struct Findings {
    #[serde(default)]
    claims: Vec<Claim>,
    #[serde(default)]
    not_visible: Vec<String>,
}

#[derive(Deserialize)]
struct RawConclusion {
    #[serde(default)]
    statement: Option<Claim>,
    #[serde(default)]
    claims: Vec<Claim>,
    #[serde(default)]
    not_visible: Vec<String>,
    #[serde(default)]
    next_steps: Vec<String>,
}

/// Returns the supervisor's planning form, with those specialists on offer that have something to read.
pub fn plan_spec(specialists: &[Role]) -> ToolSpec {
    let roles: Vec<_> = specialists.iter().map(|role| role.name()).collect();
    let list: Vec<_> = specialists.iter().map(|role| format!("{} {}", role.name(), role.purpose())).collect();
    let list = list.join("; ");
    ToolSpec {
        name: "plan_investigation".into(),
        description: format!(
            "Starts the specialists in parallel, each with its brief. On offer, as they have something to read: {list}."
        ),
        input_schema: json!({
            "type": "object",
            "properties": {"specialists": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "role": {"type": "string", "enum": roles},
                    "brief": {"type": "string"}
                },
                "required": ["role", "brief"]
            }}},
            "required": ["specialists"]
        }),
    }
}

/// Accepts any plan that names a specialist on offer.
pub fn check_plan(value: &Value, specialists: &[Role], again: bool) -> Submission {
    if briefs(value, specialists).is_empty() && !again {
        let roles: Vec<_> = specialists.iter().map(|role| role.name()).collect();
        return Submission::SentBack(format!(
            "Name at least one specialist, each with a brief. On offer: {}.",
            roles.join(", ")
        ));
    }
    Submission::Accepted(value.clone())
}

/// Reads the briefs of a plan; roles that are repeated or not on offer are left out.
pub fn briefs(value: &Value, specialists: &[Role]) -> Vec<(Role, String)> {
    let Ok(plan) = serde_json::from_value::<Plan>(value.clone()) else { return Vec::new() };
    let mut briefs: Vec<(Role, String)> = Vec::new();
    for planned in plan.specialists {
        if let Some(role) = Role::specialist(&planned.role).filter(|role| specialists.contains(role))
            && !briefs.iter().any(|(known, _)| *known == role)
        {
            briefs.push((role, planned.brief));
        }
    }
    briefs
}

fn claim_schema(kinds: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "One sentence. Numbers and names literally as in what is cited, or as references like {M3@03:04}"},
            "kind": {"type": "string", "enum": kinds, "description": "cause: what made it happen; symptom: what fails and how; ruled_out: what is not the cause; context: what else a responder should know; alarm_fault: the alarm's own definition is wrong"},
            "citations": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "evidence": {"type": "string", "description": "Id, for instance L1"},
                    "quote": {"type": "string", "description": "Words copied exactly from that evidence"},
                    "at": {"type": "string", "description": "For a metric: the start of the period, 03:04 or 2026-01-31 03:04"},
                    "value": {"type": "number", "description": "For a metric: its value in that period"}
                },
                "required": ["evidence"]
            }}
        },
        "required": ["text", "kind", "citations"]
    })
}

const NOT_VISIBLE: &str = "What data would show the cause and is neither listed under 'Could not be read' nor as without datapoints, a line each. No guesses";

/// Returns the specialists' form.
pub fn findings_spec() -> ToolSpec {
    ToolSpec {
        name: "submit_findings".into(),
        description: format!(
            "Submits your findings, at most {MOST_CLAIMS}, and ends your part. Each claim is checked against the evidence."
        ),
        input_schema: json!({
            "type": "object",
            "properties": {
                "claims": {"type": "array", "items": claim_schema(&["cause", "symptom", "ruled_out", "context", "alarm_fault"])},
                "not_visible": {"type": "array", "items": {"type": "string"}, "description": NOT_VISIBLE}
            },
            "required": ["claims"]
        }),
    }
}

/// Checks a specialist's findings.
pub fn check_findings(value: &Value, grounds: &Grounds<'_>, again: bool) -> Submission {
    let findings: Findings = match serde_json::from_value(value.clone()) {
        Ok(findings) => findings,
        Err(error) => return unreadable(&error),
    };
    if findings.claims.is_empty() && findings.not_visible.is_empty() {
        return Submission::SentBack(
            "Submit at least one claim, or say in not_visible what could not be seen.".into(),
        );
    }
    let claims: Vec<Checked> = check_all(&findings.claims, grounds);
    let long = too_long(&findings.not_visible);
    let (not_visible, guesses) = honest_lines(findings.not_visible, grounds);
    let complaint = format!("{}{}{long}", faults(&claims).unwrap_or_default(), invented_names(&guesses));
    if !complaint.is_empty() && !again {
        return Submission::SentBack(complaint);
    }
    accepted(&Submitted { claims, not_visible, guesses: count(&guesses) })
}

/// Returns the supervisor's concluding form.
pub fn conclusion_spec() -> ToolSpec {
    ToolSpec {
        name: "submit_conclusion".into(),
        description: format!(
            "Submits the conclusion: at most one claim of kind cause, at most {MOST_CLAIMS} claims in all, the most telling first."
        ),
        input_schema: json!({
            "type": "object",
            "properties": {
                "statement": claim_schema(&["symptom", "context"]),
                "claims": {"type": "array", "items": claim_schema(&["cause", "symptom", "ruled_out", "context", "alarm_fault"])},
                "not_visible": {"type": "array", "items": {"type": "string"}, "description": NOT_VISIBLE},
                "next_steps": {"type": "array", "items": {"type": "string"}, "description": "Ids from the list in the task"}
            },
            "required": ["claims", "next_steps"]
        }),
    }
}

/// Checks a conclusion. Only an answer to a question may do without both cause and statement.
pub fn check_conclusion(value: &Value, case: &Case, grounds: &Grounds<'_>, again: bool) -> Submission {
    let steps = &case.steps;
    let raw: RawConclusion = match serde_json::from_value(value.clone()) {
        Ok(raw) => raw,
        Err(error) => return unreadable(&error),
    };
    let mut claims = check_all(&raw.claims, grounds);
    let statement = raw.statement.map(|claim| check(&claim, grounds));
    let mut complaint = too_long(&raw.not_visible);
    let (not_visible, guesses) = honest_lines(raw.not_visible, grounds);
    complaint.push_str(&invented_names(&guesses));
    match raw.claims.iter().filter(|claim| claim.kind == ClaimKind::Cause).count() {
        0 if statement.is_none() && case.question.is_none() => {
            complaint.push_str("Without a claim of kind cause a statement is needed.\n");
        }
        0 | 1 => {}
        _ => complaint.push_str("Submit at most one claim of kind cause.\n"),
    }
    let all: Vec<Checked> = statement.iter().chain(&claims).cloned().collect();
    if let Some(text) = faults(&all) {
        complaint.push_str(&text);
    }
    for id in raw.next_steps.iter().filter(|id| !steps.iter().any(|(known, _)| &known == id)) {
        let _ = writeln!(complaint, "There is no next step {id:?}.");
    }
    if !complaint.is_empty() && !again {
        return Submission::SentBack(complaint);
    }
    let mut seen_cause = false;
    for checked in
        claims.iter_mut().filter(|checked| checked.claim.kind == ClaimKind::Cause && !checked.removed)
    {
        checked.removed = seen_cause;
        seen_cause = true;
    }
    let next_steps =
        raw.next_steps.into_iter().filter(|id| steps.iter().any(|(known, _)| known == id)).collect();
    accepted(&Conclusion { statement, claims, not_visible, next_steps, guesses: count(&guesses) })
}

/// Returns the supervisor's second task: the digest, the evidence that specialists added, and their checked findings.
pub fn conclusion_task(case: &Case, found: &[(Role, Submitted)], agents: &[AgentEnd]) -> String {
    let mut text = case.digest.clone();
    text.push_str(&added_evidence(case));
    if found.is_empty() && agents.is_empty() {
        text.push('\n');
    } else {
        text.push_str("\n\n## Findings of the specialists (checked; what did not hold is gone)\n");
    }
    for (role, submitted) in found {
        let _ = writeln!(text, "### {}", role.name());
        for checked in submitted.claims.iter().filter(|checked| !checked.removed) {
            let claim = &checked.claim;
            let kind = serde_json::to_value(claim.kind).ok();
            let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
            let said = filled_text(claim, &case.ledger);
            let _ = writeln!(text, "- {kind}: {said} | cites {}", cites(claim));
        }
        for line in &submitted.not_visible {
            let _ = writeln!(text, "- not visible: {line}");
        }
    }
    for agent in agents.iter().filter(|agent| agent.outcome != "complete") {
        let _ = writeln!(text, "- the {} agent: {}", agent.agent, agent.outcome);
    }
    if let Some(onset) = case.onset {
        let _ = writeln!(text, "\nThe symptom began in the period from {} UTC on.", clock_time(onset));
    }
    text.push_str("\n## Next steps on offer\n");
    for (id, words) in &case.steps {
        let _ = writeln!(text, "- {id}: {words}");
    }
    text.push_str("\nConclude now with submit_conclusion.");
    text
}

/// Most characters of one piece of added evidence that those see who did not ask for it.
const MOST_ADDED: usize = 2_500;

/// Returns the evidence that the specialists fetched themselves, under its heading; nothing where there is none.
pub fn added_evidence(case: &Case) -> String {
    let mut text = String::new();
    for item in case.ledger.items().iter().filter(|item| item.id.as_str().contains('.')) {
        if text.is_empty() {
            text.push_str("\n\n## Evidence that the specialists added\n");
        }
        let mut shown = item.text();
        if let Some((cut, _)) = shown.char_indices().nth(MOST_ADDED) {
            // Whole lines only: half an entry reads like another value.
            shown.truncate(shown.get(..cut).and_then(|head| head.rfind('\n')).unwrap_or(cut));
            shown.push_str("\n(cut here)");
        }
        text.push_str(&case.fence.wrap(item.id.as_str(), &Redacted::new(&shown)));
        text.push('\n');
    }
    text
}

/// Returns a claim's citations as a form that can be copied into another claim.
pub fn cites(claim: &Claim) -> String {
    serde_json::to_string(&claim.citations).unwrap_or_default()
}

fn check_all(claims: &[Claim], grounds: &Grounds<'_>) -> Vec<Checked> {
    claims.iter().take(MOST_CLAIMS).map(|claim| check(claim, grounds)).collect()
}

/// Returns what is wrong with the claims, for one repair; nothing where all stand.
fn faults(claims: &[Checked]) -> Option<String> {
    let mut text = String::new();
    for checked in claims.iter().filter(|checked| !checked.faults.is_empty()) {
        let _ = writeln!(text, "Claim \"{}\":", checked.claim.text);
        for fault in &checked.faults {
            let _ = writeln!(text, "- {fault}");
        }
    }
    (!text.is_empty())
        .then(|| format!("Not all of it stands. Mend or drop these and submit the whole form again; what still does not stand is deleted.\n{text}"))
}

/// Longest line of "not visible", characters.
const LONGEST_LINE: usize = 160;

/// Returns what is wrong with lines that would be left out for their length, for one repair.
fn too_long(lines: &[String]) -> String {
    let long = lines.iter().any(|line| line.chars().count() > LONGEST_LINE);
    if long {
        format!("A line of not_visible is longer than {LONGEST_LINE} characters: shorten it.\n")
    } else {
        String::new()
    }
}

/// Lines of "not visible" are printed without a citation, so they may name nothing that the run does not know, and
/// nothing long. Returns the lines that may stand and the names that the others made up.
fn honest_lines(lines: Vec<String>, grounds: &Grounds<'_>) -> (Vec<String>, Vec<Vec<String>>) {
    let mut honest = Vec::new();
    let mut guesses = Vec::new();
    for line in lines {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() || line.chars().count() > LONGEST_LINE {
            continue;
        }
        match invented(&line, grounds) {
            names if names.is_empty() => honest.push(line),
            names => guesses.push(names),
        }
    }
    honest.truncate(4);
    (honest, guesses)
}

/// Returns what is wrong with the lines that were left out, for one repair.
fn invented_names(guesses: &[Vec<String>]) -> String {
    guesses.iter().flatten().fold(String::new(), |mut text, name| {
        let _ = writeln!(text, "not_visible names \"{name}\", which no evidence names: leave it out.");
        text
    })
}

fn count(guesses: &[Vec<String>]) -> u32 {
    u32::try_from(guesses.len()).unwrap_or(u32::MAX)
}

/// A form that cannot be read is no submission, however often it comes: the agent's turns end it.
fn unreadable(error: &serde_json::Error) -> Submission {
    Submission::SentBack(format!("The form could not be read: {error}. Submit it again."))
}

fn accepted<T: Serialize>(value: &T) -> Submission {
    match serde_json::to_value(value) {
        Ok(value) => Submission::Accepted(value),
        Err(error) => Submission::SentBack(format!("The form could not be kept: {error}.")),
    }
}
