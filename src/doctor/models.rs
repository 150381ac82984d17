//! Whether a model can be called: lifecycle, profile, the account's gates, quota, and a call where one was made.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::diagnosis;
use crate::doctor::{Account, Availability, Check, Level, Lifecycle, OfferedModel, Profile, SeenKey, quota};
use crate::evidence::Status;
use crate::evidence::text::day;
use crate::gather::telemetry::TelemetryError;
use crate::iam::{self, Access, access};
use crate::model::{ErrorClass, ModelId, catalogue};

/// Days before its end of life from which a model is warned of.
const WARNED_DAYS: i64 = 60;

/// A model as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The model.
    pub model: ModelId,
    /// Whether nothing is known that keeps it from answering.
    pub ready: bool,
    /// At least one.
    pub checks: Vec<Check>,
}

impl Judged {
    /// Returns the reason of the worst finding, where there is one worth telling.
    pub fn why(&self) -> Option<&str> {
        let worst = self.checks.iter().rev().max_by_key(|check| check.level)?;
        (worst.level >= Level::Warning).then_some(worst.reason.as_str())
    }
}

/// Judges one model.
pub fn judge(model: &ModelId, account: &Account) -> Judged {
    if access(model) == Access::Elsewhere {
        let mut checks = vec![key(model, account)];
        checks.extend(call(model, account));
        if checks.len() == 1 && checks.iter().all(|check| check.level < Level::Bad) {
            let reason = "not in AWS: whether it answers shows only a call";
            checks.push(Check::new(Level::Note, model.as_str(), reason).fix("--call-models makes one."));
        }
        return judged(model, account, checks);
    }
    let mut checks = Vec::new();
    checks.extend(lifecycle(model, account));
    // What is gone has neither a profile nor gates, and its quota helps nobody.
    if checks.iter().all(|check: &Check| check.level < Level::Bad) {
        checks.extend(profile(model, account));
        if let Some(Ok(found)) = account.availability.get(model.base()) {
            checks.extend(gates(model, found));
        }
        if let Ok(quotas) = &account.quotas {
            checks.extend(quota::judge(model, quotas));
        }
    }
    checks.extend(call(model, account));
    if !account.was_reached() && !account.calls.contains_key(model) {
        checks.push(Check::new(Level::Bad, model.as_str(), "nobody can call it without credentials"));
    }
    if checks.is_empty() {
        checks.push(
            Check::new(Level::Note, model.as_str(), "nothing could be read of it")
                .fix("--call-models shows whether it answers."),
        );
    }
    judged(model, account, checks)
}

fn judged(model: &ModelId, account: &Account, checks: Vec<Check>) -> Judged {
    // A call that was answered outweighs what was seen without one.
    let answered = matches!(account.calls.get(model), Some(Ok(())));
    let ready = answered || checks.iter().all(|check| check.level < Level::Bad);
    Judged { model: model.clone(), ready, checks }
}

/// Says whether the key of another provider can be read.
fn key(model: &ModelId, account: &Account) -> Check {
    let name = model.provider().as_str();
    match account.keys.get(&model.provider()) {
        Some(SeenKey::Readable(parameter)) => {
            Check::new(Level::Good, model.as_str(), format!("its key was read from SSM parameter {parameter}"))
        }
        Some(SeenKey::NotWanted) => Check::new(Level::Good, model.as_str(), "asked without a key"),
        Some(SeenKey::Unreadable(reason)) => {
            Check::new(Level::Bad, model.as_str(), format!("its key could not be read: {reason}"))
                .fix("Then look again: sre-agent doctor --call-models")
        }
        None => Check::new(
            Level::Bad,
            model.as_str(),
            format!("not asked: [providers.{name}] is not configured, or a recorded incident does not leave this machine"),
        )
        .fix(format!("Configure [providers.{name}], or give it an address on this machine.")),
    }
}

/// Returns the notes on what could not be read of any model.
pub fn unread(account: &Account) -> Vec<Check> {
    let mut notes = Vec::new();
    if !account.was_reached() {
        // Who and where says why; four more notes would only repeat it.
        return notes;
    }
    notes.extend(account.offered.as_ref().err().map(|error| Check::unseen("lifecycle of models", error)));
    notes.extend(account.profiles.as_ref().err().map(|error| Check::unseen("inference profiles", error)));
    notes.extend(account.quotas.as_ref().err().map(|error| Check::unseen("quotas", error)));
    // A model that does not exist is judged by the list.
    let unread = |error: &&TelemetryError| error.status != Status::Missing;
    let gates = account.availability.values().filter_map(|seen| seen.as_ref().err()).find(unread);
    notes.extend(gates.map(|error| Check::unseen("availability of models", error)));
    notes
}

/// Says where a prompt to the model can be processed.
pub fn reach(model: &ModelId, account: &Account) -> Check {
    let known = account.profiles.as_ref().ok().and_then(|profiles| find(model, profiles));
    let regions = known.map(Profile::destinations).filter(|regions| !regions.is_empty());
    match access(model) {
        Access::Direct => Check::new(Level::Good, model.as_str(), format!("stays in {}", account.region)),
        Access::Geographic(prefix) => {
            let (regions, source) = match (regions, iam::destinations(prefix)) {
                (Some(regions), _) => (regions, ""),
                (None, Some(regions)) => (regions.to_vec(), " (by the built-in table)"),
                (None, None) => {
                    return Check::new(
                        Level::Note,
                        model.as_str(),
                        format!("Regions of {prefix}, which are not known here"),
                    );
                }
            };
            Check::new(Level::Good, model.as_str(), format!("{}{source}", regions.join(", ")))
        }
        Access::Global => Check::new(Level::Note, model.as_str(), "any commercial Region")
            .fix("Where data must stay in a geography, use its profile instead."),
        Access::Elsewhere => Check::new(
            Level::Warning,
            model.as_str(),
            format!("leaves AWS: prompts go to {}", model.provider().as_str()),
        ),
        Access::Opaque => match regions {
            Some(regions) => Check::new(Level::Good, model.as_str(), regions.join(", ")),
            None => {
                Check::new(Level::Note, model.as_str(), "wherever the ARN's model is; it could not be read")
            }
        },
    }
}

fn find<'a>(model: &ModelId, profiles: &'a [Profile]) -> Option<&'a Profile> {
    let id = model.as_str();
    profiles
        .iter()
        .find(|profile| profile.id == id || profile.arn == id || id.ends_with(&format!("/{}", profile.id)))
}

fn lifecycle(model: &ModelId, account: &Account) -> Option<Check> {
    if access(model) == Access::Opaque {
        return None;
    }
    let today = day(account.now);
    let retired =
        catalogue::entry(model).and_then(|row| row.retired.as_deref()).filter(|day| **day <= *today);
    let said = match &account.offered {
        Ok(offered) => offered
            .iter()
            .find(|offered| offered.id == model.base())
            .map(|offered| judge_life(model, offered, account.now)),
        Err(_) => None,
    };
    let bad =
        |reason: String| Check::new(Level::Bad, model.as_str(), reason).fix(replacement(model, account));
    match (said, retired) {
        (Some(check), _) => Some(check.unwrap_or_else(|| Check::new(Level::Good, model.as_str(), "active"))),
        (None, Some(day)) => Some(bad(format!("reached the end of its life on {day}: AWS has retired it"))),
        (None, None) if account.offered.is_ok() => Some(bad(format!(
            "{} does not offer it; a retired model is no longer listed{}",
            account.region,
            near(model)
        ))),
        (None, None) => None,
    }
}

/// Judges a model that the Region still lists; `None` for an active one without a date.
fn judge_life(model: &ModelId, offered: &OfferedModel, now: Timestamp) -> Option<Check> {
    let left = offered.end_of_life.map(|end| (end.as_second() - now.as_second()) / 86_400);
    let fix = "Put a current model first (SRE_AGENT_MODEL); see: sre-agent models";
    match (offered.lifecycle, offered.end_of_life, left) {
        (_, Some(end), Some(_)) if end <= now => Some(
            Check::new(Level::Bad, model.as_str(), format!("reached the end of its life on {}", day(end)))
                .fix(fix),
        ),
        (_, Some(end), Some(left)) if left < WARNED_DAYS => Some(
            Check::new(
                Level::Warning,
                model.as_str(),
                format!("reaches the end of its life on {}, in {left} days", day(end)),
            )
            .fix(fix),
        ),
        (Lifecycle::Legacy, end, _) => {
            let end = end.map(|end| format!(", end of life {}", day(end))).unwrap_or_default();
            let reason = format!("legacy{end}: closed to accounts that do not use it");
            Some(Check::new(Level::Warning, model.as_str(), reason).fix(fix))
        }
        (Lifecycle::Active, _, _) => None,
    }
}

/// Names a model to put in the place of one that is gone: of its kind where there is one, that can be called here.
fn replacement(model: &ModelId, account: &Account) -> String {
    let today = day(account.now);
    let offered = account.offered.as_ref().ok();
    let gone = catalogue::entry(model);
    let current = catalogue::rows().iter().filter(|row| {
        let still = row.retired.as_deref().is_none_or(|retired| *retired > *today);
        still && offered.is_none_or(|offered| offered.iter().any(|other| other.id == row.id))
    });
    let unlike = |row: &&catalogue::CatalogueEntry| {
        gone.map(|gone| (gone.family != row.family || gone.variant != row.variant, gone.tier != row.tier))
    };
    let Some(row) = current.min_by_key(unlike) else {
        return "Put a current model first (SRE_AGENT_MODEL); see: sre-agent models".into();
    };
    let profiles = account.profiles.iter().flatten();
    let ways: Vec<&str> = profiles
        .filter(|profile| profile.active && ModelId(profile.id.clone()).base() == row.id)
        .map(|profile| profile.id.as_str())
        .collect();
    // A geography's own profile keeps prompts in it; the global one is somebody's choice.
    let way = ways.iter().find(|id| !id.starts_with("global.")).or(ways.first()).copied();
    format!(
        "Put a current model first (SRE_AGENT_MODEL), for instance {}; see: sre-agent models",
        way.unwrap_or(row.id.as_str())
    )
}

fn near(model: &ModelId) -> String {
    match catalogue::nearest(model) {
        Some(row) if row.id != model.base() => format!("; the nearest id that is known is {}", row.id),
        Some(_) | None => String::new(),
    }
}

fn profile(model: &ModelId, account: &Account) -> Option<Check> {
    let profiles = account.profiles.as_ref().ok()?;
    match access(model) {
        Access::Direct => {
            let offered = account.offered.as_ref().ok()?.iter().find(|offered| offered.id == model.base())?;
            if offered.on_demand {
                return None;
            }
            let other = profiles.iter().find(|profile| ModelId(profile.id.clone()).base() == model.base());
            let fix = other.map_or_else(
                || "This Region has no profile of it either; see: sre-agent models".to_owned(),
                |profile| format!("Use {} instead.", profile.id),
            );
            Some(
                Check::new(
                    Level::Bad,
                    model.as_str(),
                    "has no on-demand throughput: it is called through a profile only",
                )
                .fix(fix),
            )
        }
        Access::Geographic(_) | Access::Global => match find(model, profiles) {
            Some(profile) if profile.active => None,
            Some(_) => Some(Check::new(Level::Bad, model.as_str(), "its inference profile is not active")),
            None => {
                let others: Vec<&str> = profiles
                    .iter()
                    .filter(|profile| ModelId(profile.id.clone()).base() == model.base())
                    .map(|profile| profile.id.as_str())
                    .collect();
                let check = Check::new(
                    Level::Bad,
                    model.as_str(),
                    format!("{} has no such inference profile", account.region),
                );
                Some(if others.is_empty() {
                    check.fix("See what there is: sre-agent models")
                } else {
                    check.fix(format!("Use {} instead.", others.join(" or ")))
                })
            }
        },
        Access::Opaque | Access::Elsewhere => None,
    }
}

fn gates(model: &ModelId, found: &Availability) -> Option<Check> {
    let bad = |reason: &str, fix: String| Some(Check::new(Level::Bad, model.as_str(), reason).fix(fix));
    let enable = format!(
        "An admin enables it once: sre-agent iam-policy --model {model} --marketplace, then one call."
    );
    if !found.authorized {
        return bad(
            "the account is not authorized for it",
            "Submit the provider's use case form in the Bedrock console (Model catalog), then wait 15 minutes.".into(),
        );
    }
    if !found.entitled {
        return bad("the account is not entitled to it", enable);
    }
    match found.agreement.as_deref() {
        Some("PENDING") => bad(
            "its Marketplace subscription is still being processed",
            "Wait 15 minutes and look again.".into(),
        ),
        Some("NOT_AVAILABLE") => bad("the account has no Marketplace agreement for it", enable),
        Some("ERROR") => bad(
            "its Marketplace agreement failed",
            "Check the account's payment method, then subscribe again.".into(),
        ),
        Some(_) | None if !found.in_region && access(model) == Access::Direct => {
            bad("the Region does not offer it", "Use a profile, or another models.region.".into())
        }
        Some(_) | None => None,
    }
}

fn call(model: &ModelId, account: &Account) -> Option<Check> {
    Some(match account.calls.get(model)? {
        Ok(()) => Check::new(Level::Good, model.as_str(), "answered a minimal call"),
        Err(failure) => {
            let quotas = account.quotas.as_ref().ok();
            let demand = quotas.map(|quotas| quota::demand(model, &failure.message, quotas));
            let found = diagnosis::of_failure(failure, demand.as_ref());
            let fix = found.remedies.into_iter().next().unwrap_or_default();
            let mut reason = format!("a minimal call failed, {}: {}", failure.class.as_str(), found.cause);
            if matches!(failure.class, ErrorClass::InvalidRequest | ErrorClass::Unknown) {
                let _written = write!(reason, " It said: {}", failure.message);
            }
            Check::new(Level::Bad, model.as_str(), reason).fix(format!("{fix} Next: {}", found.next))
        }
    })
}

#[cfg(test)]
mod tests;
