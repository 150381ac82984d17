//! Whether the agent can work here: what was seen of the account, judged without asking anything further.
//!
//! The questions are asked by the command line through `aws`; here are their answers as plain data and the judgement over
//! them. An answer that is missing is never a fault: it becomes a note that says which permission would give it.

pub mod listing;
pub mod load;
pub mod models;
pub mod quota;
pub mod surroundings;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::gather::telemetry::TelemetryError;
use crate::model::quota::ListedQuota;
use crate::model::{Failure, ModelId, Provider};

/// An answer, or why there is none.
pub type Seen<T> = Result<T, TelemetryError>;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Account id.
    pub account: String,
    /// ARN of the caller.
    pub arn: String,
}

/// Where a model is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Offered to everyone.
    Active,
    /// To be retired; closed to new accounts and to those that do not use it.
    Legacy,
}

/// A foundation model that the Region offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedModel {
    /// Id without geography prefix.
    pub id: String,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// When it can no longer be called, where that is announced.
    pub end_of_life: Option<Timestamp>,
    /// Whether it can be called without a profile.
    pub on_demand: bool,
}

/// An inference profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Id with its geography prefix, or an application profile's own.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Whether it can be called.
    pub active: bool,
    /// ARNs of its models, one for each destination Region.
    pub model_arns: Vec<String>,
}

impl Profile {
    /// Returns the Regions that a prompt may be sent to, sorted; the Region-less ARN of a global profile has none.
    pub fn destinations(&self) -> Vec<String> {
        let regions = self.model_arns.iter().filter_map(|arn| arn.split(':').nth(3));
        let mut regions: Vec<String> =
            regions.filter(|region| !region.is_empty()).map(str::to_owned).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }
}

/// The four gates in front of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// State of the Marketplace agreement: `AVAILABLE`, `PENDING`, `NOT_AVAILABLE`, `ERROR`.
    pub agreement: Option<String>,
    /// Whether the account is authorized.
    pub authorized: bool,
    /// Whether the account is entitled.
    pub entitled: bool,
    /// Whether the Region offers it.
    pub in_region: bool,
}

/// The key of a provider beside Bedrock, as far as it can be looked at without a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenKey {
    /// None is configured: a server at home wants none.
    NotWanted,
    /// It was read from this SSM parameter.
    Readable(String),
    /// It could not be read: why, and what to do.
    Unreadable(String),
}

/// Everything that was seen of the models' side of the account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Region in which models are asked.
    pub region: String,
    /// The moment for which dates are judged.
    pub now: Timestamp,
    /// Who asks.
    pub identity: Seen<Identity>,
    /// What the Region offers.
    pub offered: Seen<Vec<OfferedModel>>,
    /// Its profiles.
    pub profiles: Seen<Vec<Profile>>,
    /// The quotas on Bedrock.
    pub quotas: Seen<Vec<ListedQuota>>,
    /// The gates, by id without prefix; only of models that were looked at.
    pub availability: BTreeMap<String, Seen<Availability>>,
    /// The keys of the other providers; one that is not asked from here is absent.
    pub keys: BTreeMap<Provider, SeenKey>,
    /// What a minimal call brought, by model; empty where none was made.
    pub calls: BTreeMap<ModelId, Result<(), Failure>>,
}

impl Account {
    /// Tells whether anything of AWS answered, so that the credentials are good.
    pub fn was_reached(&self) -> bool {
        self.identity.is_ok() || self.offered.is_ok() || self.profiles.is_ok() || self.quotas.is_ok()
    }
}

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Not known, or worth knowing.
    Note,
    /// Works, but not as well or not for long.
    Warning,
    /// Does not work.
    Bad,
}

impl Level {
    /// Returns the word in the table's first column.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Good => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Bad => "FAILED",
        }
    }
}

/// One line of the examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// How good it is.
    pub level: Level,
    /// What was looked at: `identity`, a model's id, an IAM action, a channel.
    pub subject: String,
    /// What was found and why that is so.
    pub reason: String,
    /// What to do, where something is to be done.
    pub fix: Option<String>,
}

impl Check {
    pub(crate) fn new(level: Level, subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Check { level, subject: subject.into(), reason: reason.into(), fix: None }
    }

    #[must_use]
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Returns the note of a question that had no answer.
    pub(crate) fn unseen(subject: impl Into<String>, error: &TelemetryError) -> Self {
        let check = Check::new(
            Level::Note,
            subject,
            format!("not checked ({}): {}", error.status.as_str(), error.reason),
        );
        if error.status == crate::evidence::Status::Denied {
            check.fix(format!("Allow {} to see it.", error.operation))
        } else {
            check
        }
    }
}

/// A headed part of the examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `Who and where`, `Models`.
    pub heading: String,
    /// In the order in which they are read.
    pub checks: Vec<Check>,
}

/// The whole examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// Configured models that can be called as far as is known, best first.
    pub usable: Vec<ModelId>,
    /// Part by part.
    pub parts: Vec<Part>,
}

impl Examination {
    /// Examines the account for the configured models.
    pub fn of(account: &Account, configured: &[ModelId]) -> Self {
        let judged: Vec<models::Judged> =
            configured.iter().map(|model| models::judge(model, account)).collect();
        let usable = judged.iter().filter(|judged| judged.ready).map(|judged| judged.model.clone()).collect();
        let mut parts = vec![
            Part { heading: "Who and where".into(), checks: who(account) },
            Part {
                heading: "Where prompts can go".into(),
                checks: configured.iter().map(|model| models::reach(model, account)).collect(),
            },
        ];
        let mut checks: Vec<Check> = models::unread(account);
        checks.extend(judged.into_iter().flat_map(|judged| judged.checks));
        parts.push(Part { heading: "Models, in the order in which they are asked".into(), checks });
        Examination { usable, parts }
    }

    /// Returns what does not work or not for long, each with its part's heading.
    pub fn wrong(&self) -> Vec<(&str, &Check)> {
        let parts = self.parts.iter();
        let checks = parts.flat_map(|part| part.checks.iter().map(|check| (part.heading.as_str(), check)));
        checks.filter(|(_, check)| check.level >= Level::Warning).collect()
    }

    /// Returns the examination as the JSON of `doctor`: `format`, `conclusion`, `usable`, `parts`.
    pub fn as_json(&self) -> Value {
        json!({
            "format": 1,
            "conclusion": self.conclusion(),
            "usable": self.usable,
            "parts": self.parts,
        })
    }

    /// Returns the last line: whether models answer, and which first.
    pub fn conclusion(&self) -> String {
        match self.usable.first() {
            Some(first) => {
                let others = self.usable.len() - 1;
                format!(
                    "Usable: {first}{}",
                    if others > 0 { format!(" and {others} more") } else { String::new() }
                )
            }
            None => "No configured model is usable: reports will hold facts only.".into(),
        }
    }
}

fn who(account: &Account) -> Vec<Check> {
    let identity = match &account.identity {
        Ok(identity) => {
            Check::new(Level::Good, "identity", format!("{} in account {}", identity.arn, identity.account))
        }
        Err(error) => {
            Check::new(Level::Bad, "identity", format!("AWS does not know who asks: {}", error.reason))
                .fix("Name a --profile or sign in; then: aws sts get-caller-identity")
        }
    };
    vec![identity, Check::new(Level::Good, "Region", account.region.clone())]
}
