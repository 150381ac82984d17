//! Versions, traffic shifts and configuration differences of a Lambda function.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::clock::Timestamp;
use crate::evidence::text::second;
use crate::evidence::{Body, Change, ChangeKind, Ledger, Rollback, Source, Window, console};
use crate::gather::telemetry::{FunctionAlias, FunctionState, FunctionVersion};
use crate::gather::{Plan, evidence, place};
use crate::incident::Incident;
use crate::redact::Redacted;

/// How far before the incident's window a change is still worth telling.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

/// Writes the function's recent changes into the ledger, oldest first.
pub(crate) fn record(
    incident: &Incident,
    function: &FunctionState,
    first_served: &BTreeMap<String, Timestamp>,
    plan: &mut Plan,
    ledger: &mut Ledger,
) {
    let since = incident.window.start.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
    let window = Window { start: since, end: incident.as_of };
    let mut changes: Vec<Change> = Vec::new();
    let published: Vec<&FunctionVersion> =
        function.versions.iter().filter(|version| version.version != "$LATEST").collect();
    for (index, version) in published.iter().enumerate() {
        let Some(at) = version.last_modified.filter(|at| window.contains(*at)) else { continue };
        let previous = index.checked_sub(1).and_then(|index| published.get(index)).copied();
        let alias = alias_of(function, version);
        let rollback = alias.and_then(|alias| {
            let before = served_before(alias, version, previous, first_served)?;
            Some(Rollback {
                alias: alias.name.clone(),
                version: version.version.clone(),
                previous_version: before.to_owned(),
            })
        });
        let mut published = publication(incident, version, previous, at);
        published.rollback.clone_from(&rollback);
        changes.push(published);
        if let Some(served) = first_served.get(&version.version) {
            changes.push(Change { rollback, ..shift(incident, alias, version, *served) });
        }
    }
    changes.sort_by_key(|change| change.at);
    let query = console::function_query(place(incident), &incident.resource.name);
    if changes.is_empty() {
        // Silence of a source that was read means something, so it is evidence too.
        let title = format!("no version of {} was published since {}", incident.resource.name, second(since));
        ledger.push(evidence(
            plan.next(Source::Changes),
            Source::Changes,
            &title,
            query,
            window,
            Body::Nothing,
        ));
        return;
    }
    for change in changes {
        let title = change.summary.as_str().to_owned();
        ledger.push(evidence(
            plan.next(Source::Changes),
            Source::Changes,
            &title,
            query.clone(),
            window,
            Body::Change(change),
        ));
    }
}

fn publication(
    incident: &Incident,
    version: &FunctionVersion,
    previous: Option<&FunctionVersion>,
    at: Timestamp,
) -> Change {
    let mut details = Vec::new();
    if let Some(previous) = previous {
        if previous.code_sha256 != version.code_sha256 {
            details.push(Redacted::new(&format!("the code differs from version {}", previous.version)));
        }
        for (name, value) in &version.settings {
            match previous.settings.get(name) {
                Some(before) if before == value => {}
                before => {
                    details.push(Redacted::new(&difference(name, before.map(String::as_str), Some(value))));
                }
            }
        }
        for (name, before) in
            previous.settings.iter().filter(|(name, _)| !version.settings.contains_key(*name))
        {
            details.push(Redacted::new(&difference(name, Some(before), None)));
        }
    }
    Change {
        at,
        kind: ChangeKind::Deployment,
        target: incident.resource.name.clone(),
        entity: format!("version {}", version.version),
        summary: Redacted::new(&format!(
            "version {} of {} was published",
            version.version, incident.resource.name
        )),
        details,
        rollback: None,
    }
}

/// Says how a setting differs. What stands in environment variables is never shown, not even as a digest.
fn difference(name: &str, before: Option<&str>, after: Option<&str>) -> String {
    let is_environment = name.starts_with("env:");
    let name = name
        .strip_prefix("env:")
        .map_or_else(|| name.to_owned(), |name| format!("environment variable {name}"));
    match (before, after) {
        (Some(_), Some(_)) if is_environment => format!("{name} has another value (values are withheld)"),
        (Some(before), Some(after)) => format!("{name}: {before} before, {after} now"),
        (None, _) => format!("{name} is new"),
        (_, None) => format!("{name} is gone"),
    }
}

/// Returns the alias that sends traffic to the version.
fn alias_of<'a>(function: &'a FunctionState, version: &FunctionVersion) -> Option<&'a FunctionAlias> {
    function.aliases.iter().find(|alias| {
        alias.version == version.version
            || alias.weights.iter().any(|(weighted, _)| weighted == &version.version)
    })
}

/// Returns the version that served before: of an alias with weights the one that takes the rest, else the one published
/// before, which is only known to have served where its lines were seen.
fn served_before<'a>(
    alias: &'a FunctionAlias,
    version: &FunctionVersion,
    previous: Option<&'a FunctionVersion>,
    first_served: &BTreeMap<String, Timestamp>,
) -> Option<&'a str> {
    if alias.version != version.version {
        return Some(&alias.version);
    }
    // An alias that was wholly moved keeps no trace of where it pointed.
    previous.map(|previous| previous.version.as_str()).filter(|previous| first_served.contains_key(*previous))
}

fn shift(
    incident: &Incident,
    alias: Option<&FunctionAlias>,
    version: &FunctionVersion,
    served: Timestamp,
) -> Change {
    let name = &incident.resource.name;
    Change {
        at: served,
        kind: ChangeKind::Traffic,
        target: alias.map_or_else(|| name.clone(), |alias| format!("{name}:{}", alias.name)),
        entity: format!("version {}", version.version),
        summary: Redacted::new(&format!(
            "version {} began to serve{}",
            version.version,
            alias.and_then(|alias| given(alias, &version.version)).unwrap_or_default()
        )),
        details: [Redacted::new("seen as the first line in its log streams")]
            .into_iter()
            .chain(alias.map(|alias| Redacted::new(&weights(alias))))
            .collect(),
        rollback: None,
    }
}

/// Says what an alias gives to the version now: `; alias "live" gives it 50%`.
fn given(alias: &FunctionAlias, version: &str) -> Option<String> {
    let name = &alias.name;
    if let Some((_, per_mille)) = alias.weights.iter().find(|(weighted, _)| weighted == version) {
        return Some(format!("; alias \"{name}\" gives it {}%", percent(*per_mille)));
    }
    (alias.version == version && alias.weights.is_empty()).then(|| format!("; alias \"{name}\" gives it all"))
}

/// Says how an alias splits its traffic.
fn weights(alias: &FunctionAlias) -> String {
    let diverted: u32 = alias.weights.iter().map(|(_, per_mille)| per_mille).sum();
    let mut parts =
        vec![format!("version {} gets {}%", alias.version, percent(1000_u32.saturating_sub(diverted)))];
    for (version, per_mille) in &alias.weights {
        parts.push(format!("version {version} gets {}%", percent(*per_mille)));
    }
    format!("alias {}: {}", alias.name, parts.join(", "))
}

fn percent(per_mille: u32) -> String {
    if per_mille.is_multiple_of(10) {
        format!("{}", per_mille / 10)
    } else {
        format!("{}.{}", per_mille / 10, per_mille % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str) -> FunctionVersion {
        FunctionVersion { version: name.into(), ..FunctionVersion::default() }
    }

    fn alias(main: &str, weights: &[(&str, u32)]) -> FunctionAlias {
        FunctionAlias {
            name: "live".into(),
            version: main.into(),
            weights: weights.iter().map(|(version, share)| ((*version).to_owned(), *share)).collect(),
        }
    }

    #[test]
    fn a_step_back_goes_to_a_version_that_is_known_to_have_served() {
        let (before, new) = (version("57"), version("58"));
        let served = BTreeMap::from([("57".to_owned(), Timestamp::UNIX_EPOCH)]);
        // 57 was published and never served: the alias still gives the rest to 56.
        let weighted = alias("56", &[("58", 500)]);
        assert_eq!(served_before(&weighted, &new, Some(&before), &BTreeMap::new()), Some("56"));
        let moved = alias("58", &[]);
        assert_eq!(served_before(&moved, &new, Some(&before), &served), Some("57"));
        assert_eq!(served_before(&moved, &new, Some(&before), &BTreeMap::new()), None);
    }
}
