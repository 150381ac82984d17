//! SSM's `GetParameter`, over awsJson 1.1. Every other operation is refused.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input;
use crate::page::short_digest;
use crate::scenario::{Parameter, ParameterType, Scenario};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    name: String,
    with_decryption: Option<bool>,
}

/// Answers one operation. `{slack}` in a value becomes `own_address`, the address at which the caller reached us.
pub(crate) fn answer(
    scenario: &Scenario,
    own_address: &str,
    operation: &str,
    input: Value,
) -> Result<Value, Failure> {
    if operation != "GetParameter" {
        return Err(Failure::unsupported(format!("operation ssm:{operation}")));
    }
    let input: Input = input::read(operation, input)?;
    let asked = input.name.strip_prefix(&arn(scenario, "")).map_or_else(
        || input.name.clone(),
        // The slash that a name begins with is also the one behind `parameter`.
        |rest| {
            if rest.matches('/').count() > 1 {
                rest.to_owned()
            } else {
                rest.trim_start_matches('/').to_owned()
            }
        },
    );
    let (name, selector) = match asked.split_once(':') {
        None => (asked.as_str(), None),
        Some((name, "1")) => (name, Some(":1")),
        Some(_) => return Err(Failure::unsupported("parameter labels and versions other than 1")),
    };
    let parameter = scenario
        .description()
        .parameters
        .iter()
        .find(|parameter| parameter.name == name || input.name == arn(scenario, &parameter.name))
        .ok_or_else(|| Failure::service(400, "ParameterNotFound", ""))?;
    let kind = match parameter.kind {
        ParameterType::String => "String",
        ParameterType::StringList => "StringList",
        ParameterType::SecureString => "SecureString",
    };
    let encrypted = parameter.kind == ParameterType::SecureString && input.with_decryption != Some(true);
    let value =
        if encrypted { ciphertext(parameter) } else { parameter.value.replace("{slack}", own_address) };
    let mut found = json!({
        "ARN": arn(scenario, &parameter.name),
        "DataType": "text",
        "LastModifiedDate": scenario.as_of().as_second() - 30 * 86_400,
        "Name": parameter.name,
        "Type": kind,
        "Value": value,
        "Version": 1,
    });
    if let (Some(selector), Some(members)) = (selector, found.as_object_mut()) {
        members.insert("Selector".to_owned(), selector.into());
    }
    Ok(json!({"Parameter": found}))
}

/// Returns a parameter's ARN; a name that begins with a slash shares it.
pub(crate) fn arn(scenario: &Scenario, name: &str) -> String {
    let slash = if name.starts_with('/') || name.is_empty() { "" } else { "/" };
    format!("arn:aws:ssm:{}:{}:parameter{slash}{name}", scenario.region(), scenario.account())
}

/// Looks like what KMS makes and holds nothing of the value.
fn ciphertext(parameter: &Parameter) -> String {
    let hex = short_digest(&parameter.name);
    format!("AQICAHh{hex}{hex}AAAAdDByBgkqhkiG9w0BBwagZTBjAgEAMF4GCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQM==")
}
