//! `scenario.toml`: what, when, from where, and what is denied, late or failing.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use crate::access::Fault;
use crate::bedrock::{Account, FoundationModel, InferenceProfile, ModelBehaviour, Quota};
use crate::scenario::LogClass;
use crate::scenario::error::{self, FORMAT, ScenarioError};

/// The file's content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    #[serde(rename = "format")]
    _format: u32,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) as_of: Timestamp,
    pub(crate) seed: u64,
    pub(crate) region: String,
    pub(crate) account: String,
    #[serde(rename = "provenance")]
    _provenance: Provenance,
    #[serde(rename = "log_group", default)]
    pub(crate) log_groups: Vec<LogGroupDescription>,
    #[serde(rename = "parameter", default)]
    pub(crate) parameters: Vec<Parameter>,
    /// SNS topics that exist; `None` means every topic of the account does.
    #[serde(rename = "topic", default)]
    pub(crate) topics: Option<Vec<Topic>>,
    #[serde(default)]
    pub(crate) denied: Vec<Denied>,
    #[serde(rename = "fault", default)]
    pub(crate) faults: Vec<Fault>,
    #[serde(default)]
    pub(crate) lag: Lag,
    #[serde(default)]
    pub(crate) paging: Paging,
    #[serde(default)]
    pub(crate) models: BTreeMap<String, ModelBehaviour>,
    #[serde(rename = "model", default)]
    foundation_models: Vec<FoundationModel>,
    #[serde(rename = "inference_profile", default)]
    inference_profiles: Vec<InferenceProfile>,
    #[serde(rename = "quota", default)]
    quotas: Vec<Quota>,
}

impl Description {
    pub(crate) fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = error::text(path)?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| broken(path, &text, &error))?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(found) if found == i64::from(FORMAT) => {}
            Some(found) => {
                return Err(ScenarioError::Format { path: path.to_owned(), found: found.to_string() });
            }
            None => return Err(ScenarioError::Format { path: path.to_owned(), found: "(none)".to_owned() }),
        }
        let description: Self = toml::from_str(&text).map_err(|error| broken(path, &text, &error))?;
        description.check().map_err(|reason| ScenarioError::invalid(path, reason))?;
        Ok(description)
    }

    /// Returns the changes to the account that every scenario has.
    pub(crate) fn account_tables(&self) -> Account {
        Account {
            as_of: None,
            models: self.foundation_models.clone(),
            inference_profiles: self.inference_profiles.clone(),
            quotas: self.quotas.clone(),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.account != "123456789012" {
            return Err(format!("the only account id in scenarios is 123456789012, not {}", self.account));
        }
        for parameter in &self.parameters {
            if self.parameters.iter().filter(|other| other.name == parameter.name).count() > 1 {
                return Err(format!("parameter {} stands twice", parameter.name));
            }
        }
        for group in &self.log_groups {
            if self.log_groups.iter().filter(|other| other.name == group.name).count() > 1 {
                return Err(format!("log group {} stands twice", group.name));
            }
        }
        self.account_tables().complete().map(drop)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provenance {
    #[serde(rename = "made")]
    _made: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "licence")]
    _licence: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogGroupDescription {
    pub(crate) name: String,
    /// Absent: kept for ever.
    pub(crate) retention_days: Option<u32>,
    pub(crate) created: Timestamp,
    #[serde(default)]
    pub(crate) class: LogClass,
}

/// One SSM parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: ParameterType,
    /// `{slack}` stands for the emulator's address as the caller reached it.
    pub(crate) value: String,
    /// Values of earlier versions, the oldest first.
    #[serde(default)]
    pub(crate) earlier: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum ParameterType {
    String,
    StringList,
    SecureString,
}

/// One SNS topic.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Denied {
    pub(crate) action: String,
}

/// How long data takes to become visible.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lag {
    #[serde(default)]
    pub(crate) metrics_seconds: i64,
    #[serde(default)]
    pub(crate) logs_seconds: i64,
}

/// How large pages are, smaller than AWS's where a little data should fill more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// Metrics on one page of `ListMetrics`.
    pub metrics: usize,
    /// Datapoints on one page of `GetMetricData`.
    pub datapoints: usize,
    /// Events on one page of `FilterLogEvents`, also where the caller allows more.
    pub log_events: usize,
    /// Whether the first page of every `FilterLogEvents` is empty and yet has a successor, as happens on AWS.
    pub empty_log_page_first: bool,
    /// Versions on one page of `ListVersionsByFunction`.
    pub versions: usize,
    /// Profiles on one page of `ListInferenceProfiles`, also where the caller allows more.
    pub inference_profiles: usize,
    /// Quotas on one page of `ListServiceQuotas`, also where the caller allows more.
    pub quotas: usize,
}

impl Default for Paging {
    /// AWS's own limits.
    fn default() -> Self {
        Self {
            metrics: 500,
            datapoints: 100_800,
            log_events: 10_000,
            empty_log_page_first: false,
            versions: 50,
            inference_profiles: 1000,
            quotas: 100,
        }
    }
}

/// TOML errors carry a span; people want a line.
fn broken(path: &Path, text: &str, error: &toml::de::Error) -> ScenarioError {
    let reason = error.message().to_owned();
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => ScenarioError::line(path, before.matches('\n').count(), reason),
        None => ScenarioError::invalid(path, reason),
    }
}
