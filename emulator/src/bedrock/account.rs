//! What an account has of Bedrock: foundation models, inference profiles and quotas, as tables of data.
//!
//! `account.toml` beside this file is what every scenario has. A scenario's tables, and a test's, change its rows key
//! by key or add rows; `docs/scenarios.md` describes them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Tables of models, profiles and quotas: a whole account, or changes to one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// The day that the rows hold for, in the shipped file only. What has ended by then is gone in every scenario,
    /// also in one whose own time is earlier.
    pub as_of: Option<Timestamp>,
    /// Foundation models, told apart by `id`.
    #[serde(rename = "model")]
    pub models: Vec<FoundationModel>,
    /// Inference profiles, told apart by `id`.
    #[serde(rename = "inference_profile")]
    pub inference_profiles: Vec<InferenceProfile>,
    /// Service quotas of Bedrock, told apart by `name`.
    #[serde(rename = "quota")]
    pub quotas: Vec<Quota>,
}

/// One foundation model. What is absent keeps the changed row's value, or else the default named here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundationModel {
    /// Base id, without a geography prefix.
    pub id: String,
    /// Name for people; the id by default.
    pub name: Option<String>,
    /// Provider as `byProvider` names it; by default the id up to its dot.
    pub provider: Option<String>,
    /// State in the lifecycle; active by default.
    pub status: Option<Status>,
    /// Launch.
    pub start: Option<Timestamp>,
    /// Since when it is legacy.
    pub legacy: Option<Timestamp>,
    /// Since when it costs more as a legacy model.
    pub extended_access: Option<Timestamp>,
    /// From then on the model is gone.
    pub end_of_life: Option<Timestamp>,
    /// How it may be called; on demand and through a profile by default.
    pub inference_types: Option<Vec<InferenceType>>,
    /// `TEXT`, `IMAGE`; both by default.
    pub input: Option<Vec<String>>,
    /// Regions that have it; every Region by default.
    pub regions: Option<Vec<String>>,
    /// State of the Marketplace agreement; available by default.
    pub agreement: Option<Agreement>,
    /// Whether the account is authorised; it is by default.
    pub authorization: Option<Authorization>,
    /// Whether the account is entitled; it is by default.
    pub entitlement: Option<Entitlement>,
    /// Regions in which a policy denies the model to the caller. A call that could be routed there is refused; the
    /// control plane shows nothing of it, as policies do not appear there.
    pub denied_in: Option<Vec<String>>,
}

/// One inference profile.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceProfile {
    /// Id, `us.anthropic.claude-sonnet-4-6` for instance, or the opaque one of an application's profile.
    pub id: String,
    /// Name for people; made of geography, provider and model by default.
    pub name: Option<String>,
    /// Who defined it; AWS by default.
    #[serde(rename = "type")]
    pub kind: Option<ProfileType>,
    /// Base id of its model; by default what follows the first dot of the id.
    pub model: Option<String>,
    /// Destination Regions, at most five; an empty one stands for the ARN without a Region. By default the own Region,
    /// and of a global profile also the empty one.
    pub destinations: Option<Vec<String>>,
}

/// One quota.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Name as Service Quotas spells it; capital letters do not tell quotas apart.
    pub name: String,
    /// What the account may have.
    pub value: Option<f64>,
    /// Whether more may be asked for; yes by default.
    pub adjustable: Option<bool>,
    /// `L-` and eight letters or digits; made from the name by default.
    pub code: Option<String>,
}

/// State in the lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Open to all.
    Active,
    /// Closed to new customers, with an end in sight.
    Legacy,
}

/// How a model may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InferenceType {
    /// By its base id.
    OnDemand,
    /// Through bought throughput.
    Provisioned,
    /// Through an inference profile.
    InferenceProfile,
}

/// State of the Marketplace agreement for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Agreement {
    /// Made, or not needed.
    Available,
    /// Being made.
    Pending,
    /// Not made.
    NotAvailable,
    /// Failed to be made.
    Error,
}

/// Whether the account is authorised for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Authorization {
    /// It is.
    Authorized,
    /// It is not.
    NotAuthorized,
}

/// Whether the account is entitled to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Entitlement {
    /// It is.
    Available,
    /// It is not.
    NotAvailable,
}

/// Who defined a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProfileType {
    /// AWS.
    SystemDefined,
    /// The account.
    Application,
}

impl Account {
    /// Returns the shipped account with these changes, checked; the error says which row is wrong.
    pub(crate) fn complete(self) -> Result<Self, String> {
        let shipped: Self = toml::from_str(include_str!("account.toml"))
            .map_err(|error| format!("the shipped account: {}", error.message()))?;
        let account = self.over(shipped);
        account.check()?;
        Ok(account)
    }

    /// Lays these tables over others: a row of the same key changes what it names, another one is added.
    pub(crate) fn over(self, base: Self) -> Self {
        Self {
            as_of: self.as_of.or(base.as_of),
            models: laid_over(base.models, self.models, |one, other| one.id == other.id),
            inference_profiles: laid_over(base.inference_profiles, self.inference_profiles, |one, other| {
                one.id == other.id
            }),
            quotas: laid_over(base.quotas, self.quotas, |one, other| {
                one.name.eq_ignore_ascii_case(&other.name)
            }),
        }
    }

    /// Returns a model by its base id.
    pub(crate) fn model(&self, id: &str) -> Option<&FoundationModel> {
        self.models.iter().find(|model| model.id == id)
    }

    /// Returns a profile by its id.
    pub(crate) fn profile(&self, id: &str) -> Option<&InferenceProfile> {
        self.inference_profiles.iter().find(|profile| profile.id == id)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(model) = self.models.iter().find(|model| !model.id.contains('.')) {
            return Err(format!("model {}: a base id is provider.model", model.id));
        }
        for profile in &self.inference_profiles {
            let Some(model) = profile.model().and_then(|id| self.model(id)) else {
                return Err(format!("inference profile {}: its model is in no [[model]]", profile.id));
            };
            if profile.destinations.as_ref().is_some_and(|regions| !(1..=5).contains(&regions.len())) {
                return Err(format!(
                    "inference profile {}: it must have one to five destinations",
                    profile.id
                ));
            }
            if !model.types().contains(&InferenceType::InferenceProfile) {
                return Err(format!(
                    "inference profile {}: {} has no inference type INFERENCE_PROFILE",
                    profile.id, model.id
                ));
            }
        }
        match self.quotas.iter().find(|quota| quota.value.is_none()) {
            Some(quota) => Err(format!("quota {}: it has no value", quota.name)),
            None => Ok(()),
        }
    }
}

impl FoundationModel {
    /// Returns the name for people.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Returns the provider.
    pub(crate) fn provider(&self) -> &str {
        let from_id = || self.id.split_once('.').map_or("", |(provider, _)| provider);
        self.provider.as_deref().unwrap_or_else(from_id)
    }

    /// Returns how it may be called.
    pub(crate) fn types(&self) -> &[InferenceType] {
        const BOTH: &[InferenceType] = &[InferenceType::OnDemand, InferenceType::InferenceProfile];
        self.inference_types.as_deref().unwrap_or(BOTH)
    }

    /// Says whether a Region has it.
    pub(crate) fn is_in(&self, region: &str) -> bool {
        self.regions.as_ref().is_none_or(|regions| regions.iter().any(|one| one == region))
    }
}

impl InferenceProfile {
    /// Returns the base id of the model.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref().or_else(|| self.id.split_once('.').map(|(_, model)| model))
    }

    /// Returns the destination Regions of a call from `region`.
    pub(crate) fn destinations(&self, region: &str) -> Vec<String> {
        self.destinations.clone().unwrap_or_else(|| {
            let region = region.to_owned();
            if self.id.starts_with("global.") { vec![region, String::new()] } else { vec![region] }
        })
    }

    /// Returns who defined it.
    pub(crate) fn kind(&self) -> ProfileType {
        self.kind.unwrap_or(ProfileType::SystemDefined)
    }
}

/// A row that can change another one of its kind.
trait Row {
    fn over(self, base: Self) -> Self;
}

impl Row for FoundationModel {
    fn over(self, base: Self) -> Self {
        Self {
            id: base.id,
            name: self.name.or(base.name),
            provider: self.provider.or(base.provider),
            status: self.status.or(base.status),
            start: self.start.or(base.start),
            legacy: self.legacy.or(base.legacy),
            extended_access: self.extended_access.or(base.extended_access),
            end_of_life: self.end_of_life.or(base.end_of_life),
            inference_types: self.inference_types.or(base.inference_types),
            input: self.input.or(base.input),
            regions: self.regions.or(base.regions),
            agreement: self.agreement.or(base.agreement),
            authorization: self.authorization.or(base.authorization),
            entitlement: self.entitlement.or(base.entitlement),
            denied_in: self.denied_in.or(base.denied_in),
        }
    }
}

impl Row for InferenceProfile {
    fn over(self, base: Self) -> Self {
        Self {
            id: base.id,
            name: self.name.or(base.name),
            kind: self.kind.or(base.kind),
            model: self.model.or(base.model),
            destinations: self.destinations.or(base.destinations),
        }
    }
}

impl Row for Quota {
    fn over(self, base: Self) -> Self {
        Self {
            name: self.name,
            value: self.value.or(base.value),
            adjustable: self.adjustable.or(base.adjustable),
            code: self.code.or(base.code),
        }
    }
}

fn laid_over<T: Row + Clone>(mut rows: Vec<T>, changes: Vec<T>, same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    for change in changes {
        match rows.iter_mut().find(|row| same(row, &change)) {
            Some(row) => *row = change.over(row.clone()),
            None => rows.push(change),
        }
    }
    rows
}
