//! Lambda's reads, over restJson: `GetFunctionConfiguration`, `ListVersionsByFunction`, `ListAliases`, `GetAlias`,
//! `GetPolicy`, `ListEventSourceMappings`.
//!
//! Every other operation is refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::page::{self, Pager};
use crate::percent;
use crate::scenario::{Function, Paging, Scenario};

/// A request, told apart by method and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    query: BTreeMap<String, String>,
}

/// What is asked for. The first text is the function as the caller named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    GetFunctionConfiguration(String),
    ListVersionsByFunction(String),
    ListAliases(String),
    GetAlias(String, String),
    GetPolicy(String),
    /// The function is a parameter of the query.
    ListEventSourceMappings,
    /// Method and path of anything else.
    Other(String),
}

impl Operation {
    /// Returns the API's name of the operation.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::GetFunctionConfiguration(_) => "GetFunctionConfiguration",
            Self::ListVersionsByFunction(_) => "ListVersionsByFunction",
            Self::ListAliases(_) => "ListAliases",
            Self::GetAlias(..) => "GetAlias",
            Self::GetPolicy(_) => "GetPolicy",
            Self::ListEventSourceMappings => "ListEventSourceMappings",
            Self::Other(target) => target,
        }
    }

    /// Returns the function that the call is about, without account, Region and qualifier.
    pub(crate) fn function(&self) -> &str {
        match self {
            Self::GetFunctionConfiguration(name)
            | Self::ListVersionsByFunction(name)
            | Self::ListAliases(name)
            | Self::GetAlias(name, _)
            | Self::GetPolicy(name) => parse_name(name).0,
            Self::ListEventSourceMappings | Self::Other(_) => "",
        }
    }
}

/// Reads a path under a version date; `None` when it is not one of Lambda's.
pub(crate) fn request(method: &str, path: &str, query: &str) -> Option<Request> {
    let rest = path.strip_prefix('/')?;
    let (date, rest) = rest.split_once('/')?;
    let dated = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !dated {
        return None;
    }
    let parts: Vec<String> = rest.split('/').map(percent::decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let operation = match (date, method, parts.as_slice()) {
        ("2015-03-31", "GET", ["functions", name, "configuration"]) => {
            Operation::GetFunctionConfiguration((*name).to_owned())
        }
        ("2015-03-31", "GET", ["functions", name, "versions"]) => {
            Operation::ListVersionsByFunction((*name).to_owned())
        }
        ("2015-03-31", "GET", ["functions", name, "aliases"]) => Operation::ListAliases((*name).to_owned()),
        ("2015-03-31", "GET", ["functions", name, "aliases", alias]) => {
            Operation::GetAlias((*name).to_owned(), (*alias).to_owned())
        }
        ("2015-03-31", "GET", ["functions", name, "policy"]) => Operation::GetPolicy((*name).to_owned()),
        ("2015-03-31", "GET", ["event-source-mappings"]) => Operation::ListEventSourceMappings,
        _ => Operation::Other(format!("{method} {path}")),
    };
    Some(Request { operation, query: percent::pairs(query).into_iter().collect() })
}

/// Answers one request.
pub(crate) fn answer(scenario: &Scenario, paging: &Paging, request: &Request) -> Result<Value, Failure> {
    match &request.operation {
        Operation::GetFunctionConfiguration(name) => {
            request.only(&["Qualifier"])?;
            let (function, in_name) = function(scenario, name)?;
            let asked = request.query.get("Qualifier").map(String::as_str).filter(|asked| !asked.is_empty());
            if let (Some(asked), Some(in_name)) = (asked, in_name)
                && asked != in_name
            {
                return Err(invalid(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            configuration(function, asked.or(in_name))
        }
        Operation::ListVersionsByFunction(name) => {
            request.only(&["Marker", "MaxItems"])?;
            let (function, _) = function(scenario, name)?;
            let versions = function.versions.iter().cloned().map(Value::Object).collect();
            request.page("Versions", &function.arn, versions, paging.versions)
        }
        Operation::ListAliases(name) => {
            request.only(&["Marker", "MaxItems", "FunctionVersion"])?;
            let (function, _) = function(scenario, name)?;
            let wanted = request.query.get("FunctionVersion");
            let leads_there = |alias: &&Map<String, Value>| {
                wanted.is_none_or(|version| {
                    let main = alias.get("FunctionVersion").and_then(Value::as_str) == Some(version);
                    let weights = alias.get("RoutingConfig").and_then(|r| r.get("AdditionalVersionWeights"));
                    main || weights.is_some_and(|weights| weights.get(version).is_some())
                })
            };
            let aliases = function.aliases.iter().filter(leads_there).cloned().map(Value::Object).collect();
            request.page("Aliases", &function.arn, aliases, 50)
        }
        Operation::GetAlias(name, alias) => {
            request.only(&[])?;
            let (function, _) = function(scenario, name)?;
            let found = function
                .alias(alias)
                .ok_or_else(|| missing(format!("Cannot find alias arn: {}:{alias}", function.arn)))?;
            Ok(Value::Object(found.clone()))
        }
        Operation::GetPolicy(name) => {
            request.only(&[])?;
            let (function, _) = function(scenario, name)?;
            match &function.policy {
                Some(policy) => Ok(json!({"Policy": policy.to_string(), "RevisionId": "1"})),
                None => Err(missing("The resource you requested does not exist.".to_owned())),
            }
        }
        Operation::ListEventSourceMappings => {
            request.only(&["FunctionName", "Marker", "MaxItems"])?;
            let name = request.query.get("FunctionName").map(String::as_str).unwrap_or_default();
            let (function, _) = function(scenario, name)?;
            let mappings = function.event_sources.iter().cloned().map(Value::Object).collect();
            request.page("EventSourceMappings", &function.arn, mappings, 100)
        }
        Operation::Other(target) => Err(Failure::unsupported(format!("Lambda's {target}"))),
    }
}

impl Request {
    /// A query parameter that has no effect here would be passed over in silence, so it is refused.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        match self.query.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(Failure::unsupported(format!("parameter {name} of lambda:{}", self.operation.name())))
            }
            None => Ok(()),
        }
    }

    fn page(&self, list: &str, arn: &str, items: Vec<Value>, most: usize) -> Result<Value, Failure> {
        let size = match self.query.get("MaxItems").map(|text| text.parse::<usize>()) {
            None => most,
            Some(Ok(size @ 1..=10_000)) => size.min(most),
            Some(_) => {
                return Err(Failure::service(
                    400,
                    "ValidationException",
                    "1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have \
                     value between 1 and 10000",
                ));
            }
        };
        let pager = Pager::new(self.operation.name(), &json!({"Function": arn}), &[]);
        let position = pager
            .position(self.query.get("Marker").map(String::as_str).filter(|marker| !marker.is_empty()))
            .ok_or_else(|| invalid("Invalid marker"))?;
        let (items, next) = page::cut(items, position, size);
        let mut output = json!({list: items});
        if let (Some(next), Some(members)) = (next, output.as_object_mut()) {
            members.insert("NextMarker".to_owned(), pager.token(&next.to_string()).into());
        }
        Ok(output)
    }
}

/// Splits the forms in which a function may be named into its name and the qualifier behind it.
fn parse_name(named: &str) -> (&str, Option<&str>) {
    let rest = named.split_once("function:").map_or(named, |(_, rest)| rest);
    match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    }
}

fn function<'a, 'b>(
    scenario: &'a Scenario,
    named: &'b str,
) -> Result<(&'a Function, Option<&'b str>), Failure> {
    let (name, qualifier) = parse_name(named);
    let found = scenario.functions().find(name).ok_or_else(|| {
        missing(format!(
            "Function not found: arn:aws:lambda:{}:{}:function:{name}",
            scenario.region(),
            scenario.account()
        ))
    })?;
    Ok((found, qualifier))
}

fn configuration(function: &Function, qualifier: Option<&str>) -> Result<Value, Failure> {
    let not_found =
        || missing(format!("Function not found: {}:{}", function.arn, qualifier.unwrap_or("$LATEST")));
    let version = match qualifier {
        None => "$LATEST",
        Some(qualifier) => match function.alias(qualifier) {
            Some(alias) => alias.get("FunctionVersion").and_then(Value::as_str).unwrap_or_default(),
            None => qualifier,
        },
    };
    let mut found = function.version(version).ok_or_else(not_found)?.clone();
    // The ARN names what was asked for: nothing, the version or the alias.
    let arn =
        qualifier.map_or_else(|| function.arn.clone(), |qualifier| format!("{}:{qualifier}", function.arn));
    found.insert("FunctionArn".to_owned(), arn.into());
    Ok(Value::Object(found))
}

fn missing(message: String) -> Failure {
    Failure::service(404, "ResourceNotFoundException", message)
}

fn invalid(message: &str) -> Failure {
    Failure::service(400, "InvalidParameterValueException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_in_all_the_forms_that_lambda_takes() {
        for named in [
            "f:live",
            "123456789012:function:f:live",
            "arn:aws:lambda:us-east-1:123456789012:function:f:live",
        ] {
            assert_eq!(parse_name(named), ("f", Some("live")), "{named}");
        }
        assert_eq!(parse_name("f"), ("f", None));
    }

    #[test]
    fn paths_are_told_apart_and_strangers_are_not_lambdas() {
        let of = |method, path| request(method, path, "").map(|request| request.operation);
        assert_eq!(
            of("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af/aliases/live"),
            Some(Operation::GetAlias("arn:aws:lambda:us-east-1:1:function:f".to_owned(), "live".to_owned()))
        );
        assert_eq!(
            of("DELETE", "/2015-03-31/functions/f"),
            Some(Operation::Other("DELETE /2015-03-31/functions/f".to_owned()))
        );
        assert_eq!(of("GET", "/services/T/B/X"), None);
    }
}
