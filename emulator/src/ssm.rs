//! SSM's `GetParameter` and `GetParameterHistory`, over awsJson 1.1. Every other operation is refused.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input;
use crate::page::{self, Pager, short_digest};
use crate::scenario::{Parameter, ParameterType, Scenario};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    name: String,
    with_decryption: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HistoryInput {
    name: String,
    with_decryption: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Versions on a page of a parameter's history, where the caller does not say.
const HISTORY_PAGE: usize = 50;

/// Answers one operation. `{slack}` in a value becomes `own_address`, the address at which the caller reached us.
pub(crate) fn answer(
    scenario: &Scenario,
    own_address: &str,
    operation: &str,
    input: Value,
) -> Result<Value, Failure> {
    match operation {
        "GetParameter" => current(scenario, own_address, operation, input),
        "GetParameterHistory" => history(scenario, own_address, operation, input),
        _ => Err(Failure::unsupported(format!("operation ssm:{operation}"))),
    }
}

fn current(scenario: &Scenario, own_address: &str, operation: &str, input: Value) -> Result<Value, Failure> {
    let input: Input = input::read(operation, input)?;
    let asked = bare_name(scenario, &input.name);
    let (name, selector) = match asked.split_once(':') {
        None => (asked.as_str(), None),
        Some((name, version)) => match version.parse::<usize>() {
            Ok(number) => (name, Some(number)),
            Err(_) => return Err(Failure::unsupported("parameter labels")),
        },
    };
    let parameter = find(scenario, name)?;
    let newest = parameter.earlier.len() + 1;
    let version = selector.unwrap_or(newest);
    if version == 0 || version > newest {
        return Err(Failure::service(400, "ParameterVersionNotFound", ""));
    }
    let mut found = shown(scenario, parameter, version, input.with_decryption == Some(true), own_address);
    if let (Some(version), Some(members)) = (selector, found.as_object_mut()) {
        members.insert("Selector".to_owned(), format!(":{version}").into());
    }
    if let Some(members) = found.as_object_mut() {
        members.insert("ARN".to_owned(), arn(scenario, &parameter.name).into());
    }
    Ok(json!({"Parameter": found}))
}

fn history(scenario: &Scenario, own_address: &str, operation: &str, input: Value) -> Result<Value, Failure> {
    let pager = Pager::new(operation, &input, &["NextToken", "MaxResults"]);
    let input: HistoryInput = input::read(operation, input)?;
    let parameter = find(scenario, &bare_name(scenario, &input.name))?;
    let size = input.max_results.unwrap_or(HISTORY_PAGE);
    if !(1..=HISTORY_PAGE).contains(&size) {
        return Err(Failure::service(400, "ValidationException", "MaxResults must be between 1 and 50."));
    }
    let position = pager
        .position(input.next_token.as_deref())
        .ok_or_else(|| Failure::service(400, "InvalidNextToken", "The specified token is not valid."))?;
    let decrypted = input.with_decryption == Some(true);
    let versions = (1..=parameter.earlier.len() + 1)
        .map(|version| shown(scenario, parameter, version, decrypted, own_address))
        .collect();
    let (versions, next) = page::cut(versions, position, size);
    let mut output = json!({"Parameters": Value::Array(versions)});
    if let (Some(next), Some(members)) = (next, output.as_object_mut()) {
        members.insert("NextToken".to_owned(), pager.token(&next.to_string()).into());
    }
    Ok(output)
}

/// Returns the name in an ARN; a name as it is.
fn bare_name(scenario: &Scenario, given: &str) -> String {
    given.strip_prefix(&arn(scenario, "")).map_or_else(
        || given.to_owned(),
        // The slash that a name begins with is also the one behind `parameter`.
        |rest| {
            if rest.matches('/').count() > 1 {
                rest.to_owned()
            } else {
                rest.trim_start_matches('/').to_owned()
            }
        },
    )
}

fn find<'a>(scenario: &'a Scenario, name: &str) -> Result<&'a Parameter, Failure> {
    let mut parameters = scenario.description().parameters.iter();
    parameters
        .find(|parameter| parameter.name == name || parameter.name.strip_prefix('/') == Some(name))
        .ok_or_else(|| Failure::service(400, "ParameterNotFound", ""))
}

/// Returns one version, counted from 1. Each is a month older than the next.
fn shown(
    scenario: &Scenario,
    parameter: &Parameter,
    version: usize,
    decrypted: bool,
    own_address: &str,
) -> Value {
    let (kind, secret) = match parameter.kind {
        ParameterType::String => ("String", false),
        ParameterType::StringList => ("StringList", false),
        ParameterType::SecureString => ("SecureString", true),
    };
    let value = parameter.earlier.get(version - 1).unwrap_or(&parameter.value);
    let value =
        if secret && !decrypted { ciphertext(parameter) } else { value.replace("{slack}", own_address) };
    let months = i64::try_from(parameter.earlier.len() + 2 - version).unwrap_or(1);
    json!({
        "DataType": "text",
        "LastModifiedDate": scenario.as_of().as_second() - months * 30 * 86_400,
        "Name": parameter.name,
        "Type": kind,
        "Value": value,
        "Version": version,
    })
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
