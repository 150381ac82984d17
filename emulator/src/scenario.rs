//! A recorded incident, read from its folder and checked; `docs/scenarios.md` is the format.
//!
//! Scenarios are this project's own files, so nothing in them is forgiven: an unknown key, a row out of order or a log
//! line of an unnamed group stops the loading with file and line.

mod alarms;
mod description;
mod error;
mod functions;
mod log_store;
mod series;
mod wake_up;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::access::Fault;
use crate::bedrock::{Account, ModelBehaviour};

pub(crate) use alarms::{Alarm, Alarms};
use description::Description;
pub use description::Paging;
pub(crate) use description::{Parameter, ParameterType};
pub use error::ScenarioError;
pub(crate) use functions::{Function, Functions, RestApi};
pub(crate) use log_store::{LogClass, LogEvent, LogGroup, LogStore};
pub(crate) use series::{MetricKey, MetricStore, Series};
pub(crate) use series::{is_unit, percentile_of};
pub(crate) use wake_up::uuid;

/// One scenario, ready to be served.
#[derive(Debug, Clone)]
pub struct Scenario {
    dir: PathBuf,
    description: Arc<Description>,
    alarm_message: Arc<Value>,
    alarms: Arc<Alarms>,
    metrics: Arc<MetricStore>,
    logs: Arc<LogStore>,
    functions: Arc<Functions>,
}

impl Scenario {
    /// Reads and checks a scenario's folder.
    pub fn load(dir: &Path) -> Result<Self, ScenarioError> {
        let description = Description::load(&dir.join("scenario.toml"))?;
        let alarm_path = dir.join("alarm.json");
        let alarm_message: Value = error::json(&alarm_path)?;
        if !alarm_message.is_object() {
            return Err(ScenarioError::invalid(&alarm_path, "it must be a JSON object"));
        }
        let logs = LogStore::load(&dir.join("logs"), &description)?;
        Ok(Self {
            alarms: Arc::new(Alarms::load(&dir.join("alarms.json"))?),
            metrics: Arc::new(MetricStore::load(&dir.join("metrics.jsonl"))?),
            functions: Arc::new(Functions::load(&dir.join("changes.json"), &description)?),
            logs: Arc::new(logs),
            alarm_message: Arc::new(alarm_message),
            description: Arc::new(description),
            dir: dir.to_owned(),
        })
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the short name, which is also the folder's.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Returns the one-line description.
    pub fn title(&self) -> &str {
        &self.description.title
    }

    /// Returns the instant at which the run happens; later data does not exist yet.
    pub fn as_of(&self) -> Timestamp {
        self.description.as_of
    }

    /// Returns the number that ids and jitter of the run come from.
    pub fn seed(&self) -> u64 {
        self.description.seed
    }

    /// Returns the Region's code.
    pub fn region(&self) -> &str {
        &self.description.region
    }

    /// Returns the account id.
    pub fn account(&self) -> &str {
        &self.description.account
    }

    /// Returns the alarm message as SNS carries it, a JSON object.
    pub fn alarm_message(&self) -> &Value {
        &self.alarm_message
    }

    /// Returns the alarm message in the envelope in which SNS hands it to Lambda.
    pub fn wake_up_event(&self) -> Value {
        wake_up::event(self)
    }

    /// Returns the names of the log groups.
    pub fn log_group_names(&self) -> Vec<String> {
        self.logs.groups().iter().map(|group| group.name.clone()).collect()
    }

    /// Returns the names of the SSM parameters.
    pub fn parameter_names(&self) -> Vec<String> {
        self.description.parameters.iter().map(|parameter| parameter.name.clone()).collect()
    }

    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    pub(crate) fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    pub(crate) fn metrics(&self) -> &MetricStore {
        &self.metrics
    }

    pub(crate) fn logs(&self) -> &LogStore {
        &self.logs
    }

    pub(crate) fn rest_apis(&self) -> &[RestApi] {
        &self.functions.rest_apis
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(crate) fn denied(&self) -> impl Iterator<Item = String> {
        self.description.denied.iter().map(|denied| denied.action.clone())
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> {
        self.description.faults.iter().cloned()
    }

    pub(crate) fn account_tables(&self) -> Account {
        self.description.account_tables()
    }

    pub(crate) fn models(&self) -> &BTreeMap<String, ModelBehaviour> {
        &self.description.models
    }
}
