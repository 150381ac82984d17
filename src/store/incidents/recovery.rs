//! How an incident ends, and who tells that it has.

use serde::{Deserialize, Serialize};

use super::{KEPT, OpenIncident, incident_item, series_item};
use crate::clock::Timestamp;
use crate::id::{EventKey, SeriesKey};
use crate::store::{Store, StoreError, update};

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// The change to OK.
    pub(super) event: EventKey,
    pub(super) at: Timestamp,
    /// Whether it was told that other alarms of it still fire: the last of them tells that they do no more.
    #[serde(default)]
    firing: bool,
}

/// What the recovery of an alarm means.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// It is of no incident that is remembered.
    Unknown,
    /// It ends the incident that it opened.
    Ends(Box<OpenIncident>),
    /// Its incident's own recovery tells it.
    Member(Box<OpenIncident>),
    /// It ends the incident that it opened; the report tells that, which is being worked on or told it already.
    Reported,
}

/// Finds what the recovery of a series ends; an incident of its own is closed by it. `ok` is the change to OK, which was
/// at `at`.
pub async fn recover(
    store: &dyn Store,
    series: &SeriesKey,
    ok: &EventKey,
    at: Timestamp,
    now: Timestamp,
) -> Result<Recovery, StoreError> {
    let Some(item) = store.read(&[series_item(series)]).await?.into_iter().next().flatten() else {
        return Ok(Recovery::Unknown);
    };
    let Ok(event) = serde_json::from_value::<EventKey>(item.value) else { return Ok(Recovery::Unknown) };
    update(store, &incident_item(&event), KEPT, |incident: &mut OpenIncident| {
        let Some(first) = &incident.first else { return Recovery::Unknown };
        if !incident.is_opened_by_series(series) {
            return Recovery::Member(Box::new(incident.clone()));
        }
        // One that comes late is of an earlier firing.
        if at < first.went_off || (incident.closed && incident.ended.is_none()) {
            return Recovery::Unknown;
        }
        incident.closed = true;
        let by_this = incident.ended.get_or_insert_with(|| Ended::by(ok, at)).event == *ok;
        if by_this && !incident.tells_recovery(now) {
            Recovery::Ends(Box::new(incident.clone()))
        } else {
            Recovery::Reported
        }
    })
    .await
}

/// Ends an incident of which no alarm fires any more, by the recovery of one that did not open it; false where it has
/// ended before.
pub async fn end(
    store: &dyn Store,
    incident: &EventKey,
    ok: &EventKey,
    at: Timestamp,
) -> Result<bool, StoreError> {
    update(store, &incident_item(incident), KEPT, |incident: &mut OpenIncident| {
        if incident.first.is_none() || (incident.closed && incident.ended.is_none()) {
            return false;
        }
        incident.closed = true;
        if incident.ended.as_ref().is_some_and(|ended| ended.firing) {
            incident.ended = None;
        }
        incident.ended.get_or_insert_with(|| Ended::by(ok, at)).event == *ok
    })
    .await
}

/// Notes that the recovery tells of alarms that still fire.
pub async fn still_fires(store: &dyn Store, incident: &EventKey) -> Result<(), StoreError> {
    update(store, &incident_item(incident), KEPT, |incident: &mut OpenIncident| {
        if let Some(ended) = &mut incident.ended {
            ended.firing = true;
        }
    })
    .await
}

impl Ended {
    fn by(ok: &EventKey, at: Timestamp) -> Self {
        Ended { event: ok.clone(), at, firing: false }
    }
}
