//! STS's `GetCallerIdentity`, over awsQuery. Every other operation is refused.

use crate::failure::Failure;
use crate::scenario::Scenario;

/// The `Version` by which a form is told to be for STS and not for SNS.
pub(crate) const VERSION: &str = "2011-06-15";
/// Namespace of the answers.
pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Returns who calls: everybody is this role's session.
pub(crate) fn caller(scenario: &Scenario) -> String {
    format!("arn:aws:sts::{}:assumed-role/sre-agent/sre-agent", scenario.account())
}

/// Answers one request; the text is what belongs into `<GetCallerIdentityResult>`.
pub(crate) fn answer(scenario: &Scenario, form: &[(String, String)]) -> Result<String, Failure> {
    let action = form.iter().find(|(name, _)| name == "Action").map_or("(none)", |(_, value)| value.as_str());
    if action != "GetCallerIdentity" {
        return Err(Failure::unsupported(format!("operation sts:{action}")));
    }
    if let Some((member, _)) = form.iter().find(|(name, _)| !["Action", "Version"].contains(&name.as_str())) {
        return Err(Failure::unsupported(format!("member {member} of {action}")));
    }
    Ok(format!(
        "<Arn>{}</Arn><UserId>AROAEXAMPLEROLEID0000:sre-agent</UserId><Account>{}</Account>",
        caller(scenario),
        scenario.account()
    ))
}
