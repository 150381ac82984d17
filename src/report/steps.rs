//! Next steps: playbook templates whose holes only evidence of this run fills.
//!
//! A step whose hole cannot be filled is not offered; a step that changes something comes after the look that precedes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::evidence::console;
use crate::evidence::{Body, Ledger, Rollback};
use crate::incident::Incident;
use crate::playbook::StepCondition;

/// A next step, ready to print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// Id of its template.
    pub id: String,
    /// What to do.
    pub text: String,
    /// The command; empty where there is none.
    pub command: String,
    /// Console page of a read-only step.
    pub link: Option<String>,
    /// What it changes; `None` for a look.
    pub changes: Option<String>,
    /// Id of the look that goes before a change.
    pub check_first: Option<String>,
}

impl Step {
    /// Returns the step's words with a mark that tells a look from a change, as a model reads it.
    pub fn described(&self) -> String {
        match &self.changes {
            Some(target) => format!("[changes {target}] {}", self.text),
            None => format!("[look] {}", self.text),
        }
    }
}

/// Returns every step that applies, looks first.
pub fn offered(
    incident: &Incident,
    ledger: &Ledger,
    analysis: &Analysis,
    log_groups: &[String],
) -> Vec<Step> {
    let Some(service) = incident.resource.service() else { return Vec::new() };
    let rollback = suspected(ledger, analysis);
    let holes = holes(incident, rollback.as_ref(), log_groups);
    let applies = |condition: StepCondition| match condition {
        StepCondition::Always => true,
        StepCondition::CauseIsDeployment => rollback.is_some(),
        StepCondition::LogsFound => !log_groups.is_empty(),
    };
    let mut steps: Vec<Step> = service
        .next_steps
        .iter()
        .filter(|template| applies(template.when))
        .filter_map(|template| {
            Some(Step {
                id: template.id.clone(),
                text: fill(&template.text, &holes, str::to_owned)?,
                command: fill(&template.command, &holes, console::quote)?,
                link: match &template.link {
                    Some(link) => Some(fill(link, &holes, console::encode)?),
                    None => None,
                },
                changes: match &template.changes {
                    Some(changes) => Some(fill(changes, &holes, str::to_owned)?),
                    None => None,
                },
                check_first: template.check_first.clone(),
            })
        })
        .collect();
    steps.sort_by_key(|step| step.changes.is_some());
    steps
}

/// Returns the step back from the change that the computed lead points at.
fn suspected(ledger: &Ledger, analysis: &Analysis) -> Option<Rollback> {
    let lead = analysis.lead.as_ref()?;
    ledger.items().iter().find_map(|item| match &item.body {
        Body::Change(change) if change.entity == lead.entity => change.rollback.clone(),
        Body::Change(_)
        | Body::Series(_)
        | Body::Logs(_)
        | Body::Rows(_)
        | Body::Fact(_)
        | Body::Alarm(_)
        | Body::Nothing => None,
    })
}

fn holes(
    incident: &Incident,
    rollback: Option<&Rollback>,
    log_groups: &[String],
) -> BTreeMap<&'static str, String> {
    let mut holes = BTreeMap::from([
        ("resource", incident.resource.name.clone()),
        ("region", incident.alarm.place.region.clone()),
        ("alarm", incident.alarm.name.clone()),
        ("start", incident.window.start.to_string()),
        ("end", incident.window.end.to_string()),
        ("start_ms", incident.window.start.as_millisecond().to_string()),
        ("end_ms", incident.window.end.as_millisecond().to_string()),
    ]);
    if let Some(group) = log_groups.first() {
        holes.insert("log_group", group.clone());
    }
    if let Some(rollback) = rollback {
        holes.insert("alias", rollback.alias.clone());
        holes.insert("version", rollback.version.clone());
        holes.insert("previous_version", rollback.previous_version.clone());
    }
    holes
}

/// Fills the holes of a template; `None` where one has nothing to fill it. `{}` is not a hole.
fn fill(
    template: &str,
    holes: &BTreeMap<&'static str, String>,
    spell: impl Fn(&str) -> String,
) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, behind) = after.split_once('}')?;
        if name.is_empty() {
            filled.push_str("{}");
        } else {
            filled.push_str(&spell(holes.get(name)?));
        }
        rest = behind;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_that_nothing_fills_withholds_the_step_and_a_name_stays_one_shell_word() {
        let holes = BTreeMap::from([("resource", "a; rm -rf /".to_owned())]);
        assert_eq!(fill("get {resource} {}", &holes, console::quote).unwrap(), "get 'a; rm -rf /' {}");
        assert_eq!(fill("to {previous_version}", &holes, console::quote), None);
    }
}
