//! `--prompt`: one question in plain words. What the agent can do is answered from its own registry, without a model.

use std::fmt::Write as _;

use serde_json::json;
use sre_agent::agent::{Role, Toolbox};

use crate::args::Shared;
use crate::failure::{Ending, Failure};
use crate::output::{self, fold};

/// Every role, in the order in which they take part.
const ROLES: [Role; 6] =
    [Role::Supervisor, Role::Metrics, Role::Logs, Role::Changes, Role::Reviewer, Role::Analyst];

/// Answers the question.
pub(crate) fn run(question: &str, shared: &Shared) -> Result<Ending, Failure> {
    if !asks_for_capabilities(question) {
        return Err(Failure::usage("this version answers one kind of prompt: what its agents and tools are")
            .hint(
                "Ask \"List your available capabilities and tools\", or investigate an alarm:\n  \
             sre-agent investigate ALARM --depth brief\n  \
             sre-agent investigate ALARM --scenario scenarios/lambda-bad-deploy",
            ));
    }
    let printed = if shared.json { as_json() } else { as_text() };
    output::to_stdout(printed.as_bytes())?;
    Ok(Ending::Done)
}

/// Tells whether somebody wants to know what the agent can do.
fn asks_for_capabilities(question: &str) -> bool {
    let question = question.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| question.contains(word));
    has(&["capabilit", "what can you do"])
        || (has(&["tools", "agents"]) && has(&["list", "what", "which", "show", "available"]))
}

fn tools() -> Vec<(String, String)> {
    let mut names: Vec<&str> = ROLES.iter().flat_map(|role| role.tools()).copied().collect();
    names.sort_unstable();
    names.dedup();
    Toolbox::specs(&names).into_iter().map(|spec| (spec.name, spec.description)).collect()
}

fn as_json() -> String {
    let agents: Vec<_> = ROLES
        .iter()
        .map(|role| json!({ "name": role.name(), "purpose": role.purpose(), "tools": role.tools() }))
        .collect();
    let tools: Vec<_> = tools()
        .into_iter()
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    format!("{:#}\n", json!({ "format": output::FORMAT, "model_calls": 0, "agents": agents, "tools": tools }))
}

fn as_text() -> String {
    let mut text = "Agents\n".to_owned();
    for role in ROLES {
        text.push_str(&fold(&format!("  {:<11}", role.name()), role.purpose()));
        if !role.tools().is_empty() {
            text.push_str(&fold(&format!("  {:<11}", ""), &format!("tools: {}", role.tools().join(", "))));
        }
    }
    text.push_str("\nTools, all of them read-only\n");
    for (name, description) in tools() {
        text.push_str(&fold(&format!("  {name:<15}"), &description));
    }
    // Writing to a `String` cannot fail.
    let _written = write!(
        text,
        "\nAnswered from the program's own registry; no model was called.\nNext: sre-agent investigate ALARM, or sre-agent demo\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_for_capabilities_is_known_in_several_words() {
        for question in [
            "List your available capabilities and tools",
            "What tools do you have?",
            "which agents are there",
            "What can you do?",
        ] {
            assert!(asks_for_capabilities(question), "{question}");
        }
        for question in ["Why is my function failing?", "list the alarms", ""] {
            assert!(!asks_for_capabilities(question), "{question}");
        }
    }

    #[test]
    fn every_tool_of_a_role_is_described() {
        let described = tools();
        for role in ROLES {
            for tool in role.tools() {
                assert!(described.iter().any(|(name, _)| name == tool), "{tool}");
            }
        }
    }
}
