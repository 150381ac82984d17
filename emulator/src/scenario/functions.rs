//! `changes.json`: Lambda functions with their versions and aliases, in the API's own field names, and REST APIs.

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scenario::description::Description;
use crate::scenario::error::{self, ScenarioError};

/// One function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// `FunctionConfiguration` objects; `$LATEST` first, then by number.
    pub(crate) versions: Vec<Map<String, Value>>,
    /// `AliasConfiguration` objects.
    #[serde(default)]
    pub(crate) aliases: Vec<Map<String, Value>>,
    /// The resource policy, where it has one.
    #[serde(default)]
    pub(crate) policy: Option<Value>,
    /// `EventSourceMappingConfiguration` objects.
    #[serde(default)]
    pub(crate) event_sources: Vec<Map<String, Value>>,
    #[serde(skip)]
    pub(crate) arn: String,
}

impl Function {
    /// Finds a version by its number or `$LATEST`.
    pub(crate) fn version(&self, version: &str) -> Option<&Map<String, Value>> {
        self.versions.iter().find(|known| text(known, "Version") == version)
    }

    /// Finds an alias by name.
    pub(crate) fn alias(&self, name: &str) -> Option<&Map<String, Value>> {
        self.aliases.iter().find(|known| text(known, "Name") == name)
    }
}

/// A REST API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestApi {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// All functions, and the REST APIs in front of them.
#[derive(Debug)]
pub(crate) struct Functions {
    functions: Vec<Function>,
    pub(crate) rest_apis: Vec<RestApi>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "format")]
    _format: u32,
    functions: Vec<Function>,
    #[serde(default)]
    rest_apis: Vec<RestApi>,
}

impl Functions {
    /// Reads the file. What was modified after the scenario's instant does not exist yet and is left out.
    pub(crate) fn load(path: &Path, description: &Description) -> Result<Self, ScenarioError> {
        let File { mut functions, rest_apis, .. } = error::json_of_format(path)?;
        for function in &mut functions {
            function.arn = format!(
                "arn:aws:lambda:{}:{}:function:{}",
                description.region, description.account, function.name
            );
            complete(function, description.as_of).map_err(|reason| {
                ScenarioError::invalid(path, format!("function {}: {reason}", function.name))
            })?;
        }
        Ok(Self { functions, rest_apis })
    }

    /// Finds a function by name.
    pub(crate) fn find(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

/// Reads a text member; absent reads as empty.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn complete(function: &mut Function, as_of: Timestamp) -> Result<(), String> {
    let mut known = Vec::new();
    for mut version in std::mem::take(&mut function.versions) {
        let number = text(&version, "Version").to_owned();
        if number != "$LATEST" && number.parse::<u64>().is_err() {
            return Err(format!("version {number:?} is neither a number nor $LATEST"));
        }
        let modified = modified(text(&version, "LastModified"))?;
        if modified > as_of {
            continue;
        }
        version.insert("FunctionName".to_owned(), function.name.clone().into());
        version.insert("FunctionArn".to_owned(), format!("{}:{number}", function.arn).into());
        known.push(version);
    }
    if !known.iter().any(|version| text(version, "Version") == "$LATEST") {
        return Err("there is no $LATEST as of the scenario's instant".to_owned());
    }
    // `$LATEST` is no number and so comes first, as in the API.
    known.sort_by_key(|version| text(version, "Version").parse::<u64>().ok());
    function.versions = known;
    for alias in &mut function.aliases {
        let name = text(alias, "Name").to_owned();
        let target = text(alias, "FunctionVersion").to_owned();
        if name.is_empty() || !function.versions.iter().any(|version| text(version, "Version") == target) {
            return Err(format!("alias {name:?} leads to version {target:?}, which there is not"));
        }
        alias.insert("AliasArn".to_owned(), format!("{}:{name}", function.arn).into());
    }
    function.aliases.sort_by(|a, b| text(a, "Name").cmp(text(b, "Name")));
    Ok(())
}

/// Lambda writes `+0000` where RFC 3339 asks for `+00:00`.
fn modified(text: &str) -> Result<Timestamp, String> {
    text.replace("+0000", "Z").parse().map_err(|error| format!("LastModified {text:?}: {error}"))
}
