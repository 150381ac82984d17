//! The catalogue joined with what the account shows: one row a way to call a model.

use serde::Serialize;

use crate::doctor::{Account, Lifecycle, models};
use crate::evidence::text::day;
use crate::iam::{Access, access};
use crate::model::catalogue::Tier;
use crate::model::{ModelId, catalogue, quota};

/// One way to call a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The id to configure.
    pub id: String,
    /// `direct`, `us profile`, `global profile`.
    pub access: String,
    /// `fast` or `strong`.
    pub tier: &'static str,
    /// `active`, `legacy, end 2027-04-08`, `retired 2026-03-01`.
    pub lifecycle: String,
    /// Quota of requests a minute, where it is known.
    pub requests_per_minute: Option<f64>,
    /// US dollars per million tokens in and out; `None` is unpriced, never free.
    pub price_usd: Option<(f64, f64)>,
    /// Position in the configured ladder, from 1.
    pub configured: Option<usize>,
    /// Whether it can be called as far as is known; `None` where no account was read.
    pub ready: Option<bool>,
    /// Why it is not ready, or what to know about it.
    pub why: Option<String>,
}

/// Returns the ids that a listing is about: the configured ones, then each way to call a model of the catalogue.
pub fn ids(account: Option<&Account>, configured: &[ModelId]) -> Vec<ModelId> {
    let mut ids = configured.to_vec();
    for entry in catalogue::rows() {
        let base = ModelId(entry.id.clone());
        if access(&base) == Access::Elsewhere {
            continue;
        }
        let seen = account.and_then(|account| account.profiles.as_ref().ok());
        let profiles = seen.into_iter().flatten().map(|profile| ModelId(profile.id.clone()));
        let mut ways: Vec<ModelId> = profiles.filter(|id| id.base() == entry.id && *id != base).collect();
        let offered = account.and_then(|account| account.offered.as_ref().ok());
        let on_demand =
            offered.is_none_or(|offered| offered.iter().any(|model| model.id == entry.id && model.on_demand));
        let listed = ids.iter().chain(&ways).any(|id| id.base() == entry.id);
        if on_demand && offered.is_some() || !listed {
            ways.push(base);
        }
        for id in ways {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}

/// Returns the rows of these ids; without an account, what is known everywhere.
pub fn rows(ids: &[ModelId], account: Option<&Account>, configured: &[ModelId], today: &str) -> Vec<Row> {
    ids.iter().map(|id| row(id, account, configured, today)).collect()
}

fn row(id: &ModelId, account: Option<&Account>, configured: &[ModelId], today: &str) -> Row {
    let entry = catalogue::entry(id);
    let judged = account.map(|account| models::judge(id, account));
    let quotas = account.and_then(|account| account.quotas.as_ref().ok());
    let requests = quotas.and_then(|quotas| quota::per_minute(id, quota::Unit::Requests, quotas));
    Row {
        id: id.to_string(),
        access: access(id).label(),
        tier: match Tier::of(id) {
            Tier::Fast => "fast",
            Tier::Strong => "strong",
        },
        lifecycle: lifecycle(id, account, today),
        requests_per_minute: requests.map(|quota| quota.value),
        price_usd: entry.and_then(|entry| entry.input.zip(entry.output)),
        configured: configured.iter().position(|other| other == id).map(|at| at + 1),
        ready: judged.as_ref().map(|judged| judged.ready),
        why: judged.as_ref().and_then(models::Judged::why).map(str::to_owned),
    }
}

fn lifecycle(id: &ModelId, account: Option<&Account>, today: &str) -> String {
    let offered = account.and_then(|account| account.offered.as_ref().ok());
    let listed = offered.and_then(|offered| offered.iter().find(|model| model.id == id.base()));
    if let Some(model) = listed {
        let end = model.end_of_life.map(day);
        return match (model.lifecycle, end) {
            (_, Some(end)) if *end <= *today => format!("retired {end}"),
            (Lifecycle::Legacy, Some(end)) => format!("legacy, end {end}"),
            (Lifecycle::Legacy, None) => "legacy".into(),
            (Lifecycle::Active, Some(end)) => format!("active, end {end}"),
            (Lifecycle::Active, None) => "active".into(),
        };
    }
    let Some(entry) = catalogue::entry(id) else {
        return if offered.is_some() { "not offered here" } else { "unknown" }.into();
    };
    match (entry.retired.as_deref(), entry.legacy.as_deref()) {
        (Some(end), _) if end <= today => format!("retired {end}"),
        _ if offered.is_some() => "not offered here".into(),
        (Some(end), Some(legacy)) if legacy <= today => format!("legacy, end {end}"),
        (None, Some(legacy)) if legacy <= today => "legacy".into(),
        (Some(end), _) => format!("active, end {end}"),
        (None, _) => "active".into(),
    }
}
