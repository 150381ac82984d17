//! The document as it is written, before any check. Unknown keys are refused, section by section, so that all of them are told.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::Fault;

/// The whole document.
#[derive(Debug, Clone, Default)]
pub(super) struct RawConfig {
    pub(super) format: Option<u64>,
    pub(super) depth: Option<String>,
    pub(super) models: RawModels,
    pub(super) providers: RawProviders,
    pub(super) budget: RawBudget,
    pub(super) deadline: RawDeadline,
    pub(super) logs: RawLogs,
    pub(super) report: RawReport,
    pub(super) slack: RawSlack,
    pub(super) sns: RawSns,
    pub(super) amazon_q: RawAmazonQ,
    pub(super) s3: RawS3,
    pub(super) stdout: RawStdout,
    pub(super) route: Option<Vec<RawRoute>>,
    pub(super) run: RawRun,
    pub(super) store: RawStore,
    pub(super) alarms: RawAlarms,
}

macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $(pub(super) $field: Option<$type>,)*
        }

        impl $name {
            /// Takes over every key that the other layer sets.
            fn overlay(&mut self, other: Self) {
                $(if other.$field.is_some() { self.$field = other.$field; })*
            }
        }
    };
}

section! {
    /// `[models]`.
    RawModels {
        provider: String,
        primary: String,
        fallback: Vec<String>,
        region: String,
        allow_global: bool,
        allow_provider: Vec<String>,
        catalogue: Vec<toml::Table>,
        max_attempts: u64,
        max_concurrent: u64,
        quota: Vec<RawQuota>,
    }
}
/// `[[models.quota]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuota {
    pub(super) model: String,
    pub(super) requests_per_minute: Option<u32>,
    pub(super) tokens_per_minute: Option<u64>,
}

section! {
    /// `[providers]`.
    RawProviders { anthropic: RawProvider, openai: RawProvider }
}
/// `[providers.anthropic]`, `[providers.openai]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProvider {
    pub(super) base_url: Option<String>,
    pub(super) key: Option<String>,
}

section! {
    /// `[budget]`.
    RawBudget {
        max_cost_usd: f64, max_cost_usd_per_day: f64, max_model_calls: u64, max_model_calls_per_day: u64,
        max_tokens: u64, max_tokens_per_day: u64, max_insights_bytes: u64, max_insights_bytes_per_day: u64,
        insights_usd_per_gb: f64
    }
}
section! {
    /// `[deadline]`.
    RawDeadline {
        publish_reserve_seconds: u64, gather_seconds: u64, facts_seconds: u64, model_call_seconds: u64
    }
}
section! {
    /// `[logs]`.
    RawLogs { groups: BTreeMap<String, String> }
}
section! {
    /// `[report]`.
    RawReport { console_link: String, log_quotes: String }
}
section! {
    /// `[slack]`.
    RawSlack { webhook: String, token: String, channel: String, base_url: String, mention: String }
}
section! {
    /// `[sns]`.
    RawSns { topic_arn: String }
}
section! {
    /// `[amazon_q]`.
    RawAmazonQ { topic_arn: String }
}
section! {
    /// `[s3]`.
    RawS3 { bucket: String, prefix: String }
}
section! {
    /// `[stdout]`.
    RawStdout { enabled: bool }
}
/// `[[route]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRoute {
    pub(super) alarm_prefix: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) channels: Option<Vec<String>>,
    pub(super) slack_channel: Option<String>,
}
section! {
    /// `[alarms]`.
    RawAlarms {
        cool_down_seconds: u64,
        investigate_muted: bool,
        investigate_suppressed: bool,
        investigate_disabled: bool,
    }
}

section! {
    /// `[store]`.
    RawStore { table: String }
}

section! {
    /// `[run]`.
    RawRun { as_of: String, seed: u64, minute_seconds: u64, own_queues: Vec<String> }
}

impl RawConfig {
    /// Takes over every key that the other layer sets.
    pub(super) fn overlay(&mut self, other: RawConfig) {
        self.format = other.format;
        if other.depth.is_some() {
            self.depth = other.depth;
        }
        self.models.overlay(other.models);
        self.providers.overlay(other.providers);
        self.budget.overlay(other.budget);
        self.deadline.overlay(other.deadline);
        self.logs.overlay(other.logs);
        self.report.overlay(other.report);
        self.slack.overlay(other.slack);
        self.sns.overlay(other.sns);
        self.amazon_q.overlay(other.amazon_q);
        self.s3.overlay(other.s3);
        self.stdout.overlay(other.stdout);
        if other.route.is_some() {
            self.route = other.route;
        }
        self.run.overlay(other.run);
        self.store.overlay(other.store);
        self.alarms.overlay(other.alarms);
    }
}

/// Returns the embedded default; a test of its own reads it, so a broken one cannot ship.
pub(super) fn embedded() -> RawConfig {
    read(include_str!("default.toml")).0
}

/// Reads a document: what could be read, and every fault.
pub(super) fn read(text: &str) -> (RawConfig, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut raw = RawConfig::default();
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = error.span().and_then(|span| text.get(..span.start)).map(|before| {
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!("line {}, column {column}: ", before.matches('\n').count() + 1)
            });
            let reason = format!("{}{}", line.unwrap_or_default(), one_line(error.message()));
            faults.push(Fault { key: "document".into(), reason });
            // Without a table there is no format to complain of as well.
            raw.format = Some(1);
            return (raw, faults);
        }
    };
    for (key, value) in table {
        match key.as_str() {
            "format" => raw.format = part(&key, value, &mut faults),
            "depth" => raw.depth = part(&key, value, &mut faults),
            "models" => raw.models = section(&key, value, &mut faults),
            "providers" => raw.providers = section(&key, value, &mut faults),
            "budget" => raw.budget = section(&key, value, &mut faults),
            "deadline" => raw.deadline = section(&key, value, &mut faults),
            "logs" => raw.logs = section(&key, value, &mut faults),
            "report" => raw.report = section(&key, value, &mut faults),
            "slack" => raw.slack = section(&key, value, &mut faults),
            "sns" => raw.sns = section(&key, value, &mut faults),
            "amazon_q" => raw.amazon_q = section(&key, value, &mut faults),
            "s3" => raw.s3 = section(&key, value, &mut faults),
            "stdout" => raw.stdout = section(&key, value, &mut faults),
            "route" => raw.route = part(&key, value, &mut faults),
            "run" => raw.run = section(&key, value, &mut faults),
            "store" => raw.store = section(&key, value, &mut faults),
            "alarms" => raw.alarms = section(&key, value, &mut faults),
            _ => faults.push(Fault {
                key,
                reason:
                    "unknown key; known are format, depth, alarms, models, providers, budget, deadline, logs, report, slack, sns, amazon_q, s3, stdout, route, store, run"
                        .into(),
            }),
        }
    }
    (raw, faults)
}

/// Reads a section key by key, so that one faulty key does not hide the next.
fn section<T: DeserializeOwned + Default>(name: &str, value: toml::Value, faults: &mut Vec<Fault>) -> T {
    let Ok(table) = value.clone().try_into::<toml::Table>() else {
        faults.push(Fault { key: name.to_owned(), reason: format!("a section [{name}] is wanted") });
        return T::default();
    };
    for (key, value) in &table {
        let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = alone.try_into::<T>() {
            faults.push(Fault { key: format!("{name}.{key}"), reason: one_line(error.message()) });
        }
    }
    value.try_into().unwrap_or_default()
}

fn part<T: DeserializeOwned>(key: &str, value: toml::Value, faults: &mut Vec<Fault>) -> Option<T> {
    match value.try_into() {
        Ok(value) => Some(value),
        Err(error) => {
            faults.push(Fault { key: key.to_owned(), reason: one_line(error.message()) });
            None
        }
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
