//! One computed lead: what changed shortly before it began, or what alone fails. Or nothing.
//!
//! A cause cannot start after its symptom. What changed long before and fails no more than its neighbours is no lead.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::analysis::change_point::ChangePoint;
use crate::analysis::companion::{CompanionFinding, CompanionState, quantity};
use crate::analysis::entity::{Comparison, Entity, FirstServed};
use crate::analysis::fact::{Exclusive, clock_second};
use crate::analysis::onset::Onset;
use crate::analysis::readings::Readings;
use crate::clock::Timestamp;
use crate::evidence::text::{clock_time, moment};
use crate::evidence::{Body, Status};
use crate::id::EvidenceId;

/// What a report says where there is no lead.
pub const NOTHING_STANDS_OUT: &str = "nothing stands out";

/// A change this long before the onset is near; at its far end it weighs nothing.
const NEAR_SECONDS: i64 = 3_600;
/// The same in periods of the alarm's metric, where those are long.
const NEAR_PERIODS: i64 = 10;

/// What speaks for a lead, part by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// 1 right at the onset, falling to 0 an hour or ten periods before it.
    pub proximity: f64,
    /// 2 where it fails beside neighbours that do not.
    pub discrimination: f64,
    /// 1 where the new error stands in its log streams alone.
    pub own_error: f64,
}

impl Score {
    /// Returns the sum that leads are ranked by.
    pub fn total(self) -> f64 {
        self.proximity + self.discrimination + self.own_error
    }
}

/// What the computed facts point at. A lead is where to look first, not a cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// `version 58`.
    pub entity: String,
    /// When it took effect.
    pub at: Timestamp,
    /// What it rests on.
    pub evidence: Vec<EvidenceId>,
    /// Why, a clause each, to be read after the entity's name; the first begins with a capital: `It served …`.
    pub reasons: Vec<String>,
    /// What speaks for it, part by part.
    pub score: Score,
    /// Other changes that qualify, better first.
    pub rivals: Vec<String>,
}

/// What a lead is chosen from.
pub(crate) struct Clues<'a> {
    /// When the symptom began.
    pub(crate) onset: &'a Onset,
    /// What runs side by side.
    pub(crate) entities: &'a [Entity<'a>],
    /// First requests, by entity.
    pub(crate) first_served: &'a [(String, FirstServed)],
    /// What fails beside its neighbours, and the fact that says so.
    pub(crate) comparison: Option<(&'a Comparison, EvidenceId)>,
    /// New errors of one entity alone.
    pub(crate) exclusives: &'a [Exclusive],
}

/// Chooses the lead; `None` where nothing stands out.
pub(crate) fn choose(readings: &Readings<'_>, clues: &Clues<'_>) -> Option<Lead> {
    let mut changed: BTreeMap<String, Vec<(Timestamp, EvidenceId)>> = BTreeMap::new();
    for evidence in readings.ledger.items() {
        if let (Body::Change(change), Status::Found) = (&evidence.body, evidence.status) {
            changed.entry(change.entity.clone()).or_default().push((change.at, evidence.id.clone()));
        }
    }
    for (entity, _) in clues.first_served {
        changed.entry(entity.clone()).or_default();
    }
    if let Some((comparison, _)) = &clues.comparison {
        changed.entry(comparison.entity.clone()).or_default();
    }
    let mut leads: Vec<Lead> =
        changed.iter().filter_map(|(entity, changes)| candidate(entity, changes, clues)).collect();
    leads.sort_by(|left, right| {
        right.score.total().total_cmp(&left.score.total()).then_with(|| right.at.cmp(&left.at))
    });
    let mut leads = leads.into_iter();
    let first = leads.next()?;
    Some(Lead { rivals: leads.map(|lead| lead.entity).collect(), ..first })
}

/// Returns the metric beside the alarm's that left its normal range first, where that was shortly before the onset. It is
/// no change that somebody made, so it leads only where none does.
pub(crate) fn moved_first(companions: &[CompanionFinding], onset: &Onset) -> Option<Lead> {
    let near = near(onset);
    let mut moved: Vec<(&CompanionFinding, &ChangePoint, EvidenceId)> = companions
        .iter()
        .filter_map(|companion| {
            let CompanionState::Changed(change) = &companion.state else { return None };
            let before = onset.at.duration_since(change.at);
            // What moved before the window began says nothing of when.
            let is_first = !change.from_start && change.at < onset.at && before < near;
            is_first.then(|| Some((companion, change, companion.evidence.clone()?))).flatten()
        })
        .collect();
    moved.sort_by(|(_, left, _), (_, right, _)| {
        left.at.cmp(&right.at).then_with(|| right.strength.total_cmp(&left.strength))
    });
    let mut moved = moved.into_iter();
    let (first, change, evidence) = moved.next()?;
    let before = onset.at.duration_since(change.at);
    let unit = first.unit.as_deref();
    Some(Lead {
        entity: first.title.clone(),
        at: change.at,
        evidence: vec![evidence],
        reasons: vec![
            format!(
                "It {} at {}, {} the onset",
                change.direction.verb(),
                clock_time(change.at),
                distance_words(change.at, onset.at)
            ),
            format!(
                "median {} before, {} since",
                quantity(change.before, unit),
                quantity(change.after, unit)
            ),
        ],
        score: Score { proximity: 1.0 - before.as_secs_f64() / near.as_secs_f64(), ..Score::default() },
        rivals: moved.map(|(companion, ..)| companion.title.clone()).collect(),
    })
}

/// Returns how long before the onset a change may lie.
fn near(onset: &Onset) -> SignedDuration {
    SignedDuration::from_secs(NEAR_SECONDS.max(NEAR_PERIODS * onset.period_seconds))
}

/// Returns the entity as a lead, where it qualifies.
fn candidate(entity: &str, changes: &[(Timestamp, EvidenceId)], clues: &Clues<'_>) -> Option<Lead> {
    let onset = clues.onset;
    let known = clues.entities.iter().find(|known| known.name == entity);
    // What was published and never asked for anything did no harm.
    if known.is_some_and(|known| known.served() == Some(false)) {
        return None;
    }
    let served = clues.first_served.iter().find(|(name, _)| name == entity).map(|(_, served)| served);
    let in_time: Vec<&(Timestamp, EvidenceId)> =
        changes.iter().filter(|(at, _)| *at <= onset.latest()).collect();
    let newest_change = in_time.iter().map(|(at, _)| *at).max();
    // A version takes effect with its first request, not with its publication.
    let at = match served {
        Some(served) => served.at,
        None => newest_change.or_else(|| known.map(|_| onset.at))?,
    };
    if at > onset.latest() {
        return None;
    }
    let mut evidence: Vec<EvidenceId> = in_time.iter().map(|(_, id)| id.clone()).collect();
    let mut reasons = Vec::new();
    let mut score = Score::default();
    let own_error = clues.exclusives.iter().find(|own| own.entity == entity && own.first_at >= at);

    let dated = served.is_some() || newest_change.is_some();
    let before = onset.at.duration_since(at).max(SignedDuration::ZERO);
    let near = near(onset);
    if dated {
        score.proximity = (1.0 - before.as_secs_f64() / near.as_secs_f64()).max(0.0);
    }
    if let Some(served) = served {
        reasons.push(served_words(served, onset, own_error));
        evidence.extend(served.inputs.iter().cloned());
    } else if let Some(changed_at) = newest_change {
        let distance = distance_words(changed_at, onset.at);
        reasons.push(format!("it dates from {}, {distance} the onset", moment(changed_at)));
    }
    if let Some((comparison, fact)) = &clues.comparison
        && comparison.entity == entity
    {
        score.discrimination = 2.0;
        reasons.push(format!(
            "it fails {} of {}, {} beside it {} of {}",
            comparison.here.failed,
            comparison.here.of,
            comparison.other,
            comparison.there.failed,
            comparison.there.of
        ));
        evidence.push(fact.clone());
    }
    if let Some(own) = own_error {
        score.own_error = 1.0;
        reasons.push(format!("all {} lines read of the new error are its own", own.lines));
        evidence.push(own.evidence.clone());
    }
    if let Some(first) = reasons.first_mut() {
        *first = first.replacen("it ", "It ", 1);
    }
    let mut unique = Vec::new();
    for id in evidence {
        if !unique.contains(&id) {
            unique.push(id);
        }
    }
    (score.total() > 0.0).then(|| Lead {
        entity: entity.to_owned(),
        at,
        evidence: unique,
        reasons,
        score,
        rivals: Vec::new(),
    })
}

/// Says when an entity began to serve: before its first error where both are known to the second.
fn served_words(served: &FirstServed, onset: &Onset, own_error: Option<&Exclusive>) -> String {
    match own_error {
        Some(own) if served.exact => format!(
            "it served its first request at {}, {} its first error",
            clock_second(served.at),
            distance_words(served.at, own.first_at)
        ),
        _ if served.at >= onset.at => {
            format!("it served its first request at {}, in the period of the onset", clock_time(served.at))
        }
        _ => format!(
            "it served its first request at {}, {} the onset",
            clock_time(served.at),
            distance_words(served.at, onset.at)
        ),
    }
}

/// Returns `2 s before`, `12 min before`, `within a second of`, `in the period of`.
fn distance_words(earlier: Timestamp, later: Timestamp) -> String {
    // As printed: two times that read 38 and 40 are two seconds apart, whatever their fractions.
    let seconds = later.as_second() - earlier.as_second();
    match seconds {
        ..0 => "in the period of".to_owned(),
        0 => "within a second of".to_owned(),
        1..120 => format!("{seconds} s before"),
        120..7_200 => format!("{} min before", (seconds + 30) / 60),
        7_200..172_800 => format!("{} h before", (seconds + 1_800) / 3_600),
        _ => format!("{} days before", (seconds + 43_200) / 86_400),
    }
}
