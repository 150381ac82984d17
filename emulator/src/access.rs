//! Which calls are let through: denials, a role's grants, and faults by IAM action, from the scenario and the options.

use std::sync::Mutex;

use serde::Deserialize;

use crate::recorder::lock;

/// An action that is answered otherwise than by its result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// IAM action, `cloudwatch:GetMetricData` for instance; `logs:*` stands for a whole service. The other providers'
    /// APIs are named in the same form: `anthropic:CreateMessage`, `openai:CreateChatCompletion`, `slack:webhook`,
    /// `slack:chat.postMessage`.
    pub action: String,
    /// What happens.
    pub kind: FaultKind,
    /// How many calls it hits before the action works again; `None` means for ever.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What happens to a call instead of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Refused for calling too often.
    Throttled,
    /// Never answered.
    Hang,
    /// Answered with 500.
    InternalError,
    /// Refused for want of capacity: 503, and 529 by Anthropic.
    Overloaded,
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It is answered.
    Allowed,
    /// The caller may not do this.
    Denied,
    /// It meets a fault.
    Faulty(FaultKind),
}

/// The rules, with what is left of counted faults.
#[derive(Debug)]
pub(crate) struct Access {
    denied: Vec<String>,
    allowed: Option<Vec<String>>,
    faults: Mutex<Vec<Fault>>,
}

impl Access {
    /// Joins rules; an earlier fault of an action is used up before a later one. As in IAM, a denial outweighs a grant.
    pub(crate) fn new(denied: Vec<String>, allowed: Option<Vec<String>>, faults: Vec<Fault>) -> Self {
        Self { denied, allowed, faults: Mutex::new(faults) }
    }

    /// Rules on one call and counts it. Who one is, STS tells everybody, whatever the policies say.
    pub(crate) fn ruling(&self, action: &str) -> Ruling {
        let covered = |rules: &[String]| rules.iter().any(|rule| covers(rule, action));
        let deniable = action != "sts:GetCallerIdentity";
        if deniable && (covered(&self.denied) || !self.allowed.as_deref().is_none_or(covered)) {
            return Ruling::Denied;
        }
        self.fault(action).map_or(Ruling::Allowed, Ruling::Faulty)
    }

    /// Returns the fault that a call meets and counts it. What is no AWS call knows no policies, only faults.
    pub(crate) fn fault(&self, action: &str) -> Option<FaultKind> {
        let mut faults = lock(&self.faults);
        let fault = faults.iter_mut().find(|f| f.times != Some(0) && covers(&f.action, action))?;
        fault.times = fault.times.map(|left| left.saturating_sub(1));
        Some(fault.kind)
    }
}

fn covers(rule: &str, action: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => rule == action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_ends_and_a_denial_does_not() {
        let fault = |kind, times| Fault { action: "ssm:GetParameter".to_owned(), kind, times };
        let access = Access::new(
            vec!["logs:*".to_owned()],
            None,
            vec![fault(FaultKind::Throttled, Some(2)), fault(FaultKind::InternalError, Some(1))],
        );
        assert_eq!(access.ruling("ssm:GetParameter"), Ruling::Faulty(FaultKind::Throttled));
        assert_eq!(access.ruling("ssm:GetParameter"), Ruling::Faulty(FaultKind::Throttled));
        assert_eq!(access.ruling("ssm:GetParameter"), Ruling::Faulty(FaultKind::InternalError));
        assert_eq!(access.ruling("ssm:GetParameter"), Ruling::Allowed);
        assert_eq!(access.ruling("logs:FilterLogEvents"), Ruling::Denied);
        assert_eq!(access.ruling("sns:Publish"), Ruling::Allowed);
    }

    #[test]
    fn what_no_grant_covers_is_denied_and_a_denial_outweighs_a_grant() {
        let grants = vec!["logs:*".to_owned(), "sns:Publish".to_owned()];
        let access = Access::new(vec!["logs:FilterLogEvents".to_owned()], Some(grants), Vec::new());
        assert_eq!(access.ruling("logs:DescribeLogGroups"), Ruling::Allowed);
        assert_eq!(access.ruling("logs:FilterLogEvents"), Ruling::Denied);
        assert_eq!(access.ruling("sns:Publish"), Ruling::Allowed);
        assert_eq!(access.ruling("ssm:GetParameter"), Ruling::Denied);
    }

    #[test]
    fn nobody_can_be_denied_to_ask_who_he_is() {
        let access = Access::new(vec!["sts:*".to_owned()], Some(Vec::new()), Vec::new());
        assert_eq!(access.ruling("sts:GetCallerIdentity"), Ruling::Allowed);
        assert_eq!(access.ruling("sts:AssumeRole"), Ruling::Denied);
    }

    #[test]
    fn a_fault_without_a_count_stays() {
        let access = Access::new(
            Vec::new(),
            None,
            vec![Fault { action: "sns:Publish".to_owned(), kind: FaultKind::Hang, times: None }],
        );
        for _ in 0..5 {
            assert_eq!(access.ruling("sns:Publish"), Ruling::Faulty(FaultKind::Hang));
        }
    }
}
