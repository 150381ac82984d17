//! The keys under which incidents stand, and where each leads: a key that two incidents share leads to both.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Arrival, Key, TOGETHER};
use crate::clock::Timestamp;
use crate::id::EventKey;
use crate::store::Item;

/// Most incidents that one key leads to; the oldest give way.
const MOST_LEADS: usize = 20;

/// Where a key leads.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Lead {
    incident: EventKey,
    /// Whether it is the incident's own key, and not a neighbour's.
    own: bool,
    because: String,
    /// When the incident was opened.
    opened_at: Timestamp,
}

impl Lead {
    /// Returns where a key of the arriving alarm leads, once that has opened an incident.
    pub(super) fn new(arrival: &Arrival, key: &Key, own: bool) -> Self {
        let incident = arrival.first.event.clone();
        Lead { incident, own, because: key.because.clone(), opened_at: arrival.now }
    }
}

/// Returns where a key leads with one lead more. Those are left out to which nothing can be linked any more.
pub(super) fn with(item: Option<&Item>, lead: Lead, now: Timestamp) -> Vec<Lead> {
    // An event may come as late as it takes to be delivered; what is open that long ago still takes its own members.
    let is_fresh = |known: &Lead| now.duration_since(known.opened_at) <= TOGETHER + LATE;
    let mut leads: Vec<Lead> = of(item).into_iter().filter(is_fresh).collect();
    // Of one resource the newer incident is the open one; as a neighbour it may stand next to several.
    leads.retain(|known| known.incident != lead.incident && !(known.own && lead.own));
    leads.push(lead);
    let beyond = leads.len().saturating_sub(MOST_LEADS);
    leads.drain(..beyond);
    leads
}

/// How late an event may come and still find the incident that it belongs to.
const LATE: SignedDuration = SignedDuration::from_hours(6);

/// Returns the incidents that the alarm's keys lead to, each with the reason.
pub(super) fn found(arrival: &Arrival, items: &[Option<Item>]) -> BTreeMap<EventKey, String> {
    let mut found = BTreeMap::new();
    let own = arrival.own.iter().map(|key| (key, true));
    let near = arrival.near.iter().map(|key| (key, false));
    for ((key, is_own), item) in own.chain(near).zip(items) {
        for lead in of(item.as_ref()) {
            // Two that share a neighbour are not neighbours.
            if lead.own || is_own {
                let because = if lead.own { key.because.clone() } else { lead.because };
                found.entry(lead.incident).or_insert(because);
            }
        }
    }
    found
}

fn of(item: Option<&Item>) -> Vec<Lead> {
    item.and_then(|item| Vec::deserialize(&item.value).ok()).unwrap_or_default()
}
