//! Open incidents: one fault trips many alarms; one of them is investigated, and the others are told in a line.
//!
//! An incident stands under the keys of its own resource and of what is known to be next to it. An alarm that finds one by
//! its own keys, or finds one of its neighbours' own, belongs to it. All keys are written at once, so that of two alarms
//! at the same moment the second finds the first.

mod keys;
mod recovery;

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Change, Item, Store, StoreError, lose, unfit, update};
use crate::clock::Timestamp;
use crate::id::{EventKey, RunId, SeriesKey};
use crate::run::Receipt;
use recovery::Ended;
pub use recovery::{Recovery, end, recover, still_fires};

/// Alarms that went off within this time of the incident's first one belong to it.
pub const TOGETHER: SignedDuration = SignedDuration::from_mins(15);

/// No run takes longer: Lambda ends it.
const LONGEST_RUN: SignedDuration = SignedDuration::from_mins(15);

/// How long an incident is remembered: its recovery is told when it comes.
const KEPT: Duration = Duration::from_hours(14 * 24);

/// How long a key leads to an incident: events may come late, as long as a topic or a queue tries.
const KEY_KEPT: Duration = Duration::from_hours(24);

/// Most alarms that an incident names: an item holds 400 KB and is written anew with each of them, and nobody reads so many.
const MOST_MEMBERS: usize = 150;

/// Tries to open or join before the alarm is investigated by itself; each lost one is one that another alarm won.
const MOST_TRIES: u32 = 60;

/// Time beyond its turn after which an alarm that waits to tell the others is given up.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// A key under which an incident stands, and in words why an alarm that has it belongs there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// A resource or an alarm.
    pub key: SeriesKey,
    /// `on the same Lambda function`, `queue orders feeds invoice-render`.
    pub because: String,
}

/// An incident as it is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// The alarm that opened it; `None` of an item that is not there.
    pub first: Option<First>,
    /// Set when that alarm has recovered, or was none: nothing belongs to it any more.
    pub closed: bool,
    /// The recovery that ended it.
    #[serde(default)]
    ended: Option<Ended>,
    /// Where the facts card stands, before there is a report.
    pub card: Vec<Receipt>,
    /// What was reported, once it was.
    pub reported: Option<Reported>,
    /// The other alarms, in order of their coming.
    pub members: Vec<Member>,
    /// How many have come that are not named, because an item holds no more.
    #[serde(default)]
    beyond: u32,
    /// When it was opened, by the calendar clock.
    opened_at: Option<Timestamp>,
    /// When a line on members was told last, by the same clock.
    line_at: Option<Timestamp>,
    /// The alarm that waits to tell the members that come meanwhile, and until when it is believed to.
    teller: Option<(EventKey, Timestamp)>,
    /// The alarm whose metric moved first, and for which the incident is looked at again.
    looked_again: Option<EventKey>,
}

/// The alarm that opened an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct First {
    /// Its state change.
    pub event: EventKey,
    /// Its name.
    pub alarm: String,
    /// The run that investigates it.
    pub run_id: RunId,
    /// When it went off.
    pub went_off: Timestamp,
    /// When its metric first breached, as far as the event tells.
    pub first_breach: Timestamp,
}

/// What was reported of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// `cause_shown`, `facts_only`.
    pub outcome: String,
    /// Where the report stands.
    pub receipts: Vec<Receipt>,
    /// Whether it told that the alarm has recovered.
    #[serde(default)]
    pub recovered: bool,
}

/// Another alarm of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its state change.
    pub event: EventKey,
    /// Its name.
    pub alarm: String,
    /// Why it belongs there, in words.
    pub because: String,
    /// Whether a line or the report has told it.
    pub told: bool,
    /// The alarm that told it, or was about to: it tells the same ones when it is tried again.
    #[serde(default)]
    told_by: Option<EventKey>,
}

/// An alarm that asks whether it belongs to an open incident.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What it says of itself.
    pub first: First,
    /// Its series, by which its recovery is recognised.
    pub series: SeriesKey,
    /// End of its first breaching period: a metric of which that lies before the incident's first breach moved first.
    pub breached_by: Timestamp,
    /// Its resource, and its own name.
    pub own: Vec<Key>,
    /// What stands next to it.
    pub near: Vec<Key>,
    /// Least time between two lines.
    pub pause: SignedDuration,
    /// Now, by the calendar clock.
    pub now: Timestamp,
}

/// What an alarm finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Joined {
    /// None: it has opened one and is to be investigated.
    Opened,
    /// One that began after its own metric moved: it is to be investigated as a second look, the only one.
    SecondLook(Box<OpenIncident>),
    /// One that it belongs to.
    Linked(Box<OpenIncident>, Turn),
}

/// Whose turn it is to tell that an alarm was linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// This alarm tells these now, itself among them.
    Now(Vec<Member>),
    /// This alarm waits so long, and then tells whoever has come by then ([`take_turn`]).
    After(Duration),
    /// Another one tells it.
    Others,
}

/// Opens an incident for the alarm, or finds the one that it belongs to.
pub async fn join(store: &dyn Store, arrival: &Arrival) -> Result<Joined, StoreError> {
    let mut known_home = None;
    for attempt in 0..MOST_TRIES {
        let keys: Vec<String> =
            arrival.own.iter().chain(&arrival.near).map(|key| key_item(&key.key)).collect();
        let leads = store.read(&keys).await?;
        let found = keys::found(arrival, &leads);
        let items: Vec<String> = found.keys().map(incident_item).collect();
        let known = if items.is_empty() { Vec::new() } else { store.read(&items).await? };
        let mut open: Vec<(u64, OpenIncident, &String)> = Vec::new();
        for (item, because) in known.into_iter().zip(found.values()) {
            if let Some((version, incident)) = item.and_then(opened) {
                open.push((version, incident, because));
            }
        }
        let is_mine = |incident: &OpenIncident| incident.is_opened_by(&arrival.first.event);
        // An earlier try of the same alarm opened it; what has become of it since is kept.
        if open.iter().any(|(_, incident, _)| is_mine(incident)) {
            return Ok(Joined::Opened);
        }
        // The alarm that opened it and goes off once more is no part of it: what is to be told of that, or whether it is
        // looked at again, is decided by when it was reported.
        open.retain(|(_, incident, _)| {
            !incident.is_opened_by_series(&arrival.series) && incident.takes(arrival)
        });
        // Of several the first to go off: the others are its consequence as likely as not.
        open.sort_by_key(|(_, incident, _)| incident.first.as_ref().map(|first| first.went_off));
        let joined = match open.into_iter().next() {
            Some((version, incident, because)) => {
                // That it belongs there is known: a store that fails from here on costs the order of the lines.
                let alone =
                    Joined::Linked(Box::new(incident.clone()), Turn::Now(vec![arrival.member(because)]));
                known_home = Some(alone.clone());
                link(store, arrival, version, incident, because).await.unwrap_or(Some(alone))
            }
            None => start(store, arrival, &leads).await?,
        };
        if let Some(joined) = joined {
            return Ok(joined);
        }
        lose(attempt).await;
    }
    let reason = format!("the incident was changed by others {MOST_TRIES} times");
    known_home.ok_or(StoreError { operation: "write", reason })
}

/// Tells whoever has come since the last line, after this alarm's time to wait; empty where the report told them all.
pub async fn take_turn(
    store: &dyn Store,
    incident: &EventKey,
    teller: &EventKey,
    now: Timestamp,
) -> Result<(OpenIncident, Vec<Member>), StoreError> {
    update(store, &incident_item(incident), KEPT, |incident: &mut OpenIncident| {
        if incident.teller.as_ref().is_some_and(|(known, _)| known == teller) {
            incident.teller = None;
        }
        let untold = incident.take_untold(teller);
        if !untold.is_empty() {
            incident.line_at = Some(now);
        }
        (incident.clone(), untold)
    })
    .await
}

/// Returns the members that no line has told, for the report to tell; from then on they count as told.
pub async fn take_members(store: &dyn Store, incident: &EventKey) -> Result<Vec<Member>, StoreError> {
    let lead = incident;
    update(store, &incident_item(incident), KEPT, |incident: &mut OpenIncident| {
        incident.take_untold(lead);
        incident.members.clone()
    })
    .await
}

/// Remembers what was reported, and where. Returns when the alarm recovered meanwhile, where the report does not tell that
/// and nobody else will.
pub async fn report(
    store: &dyn Store,
    incident: &EventKey,
    reported: Reported,
) -> Result<Option<Timestamp>, StoreError> {
    update(store, &incident_item(incident), KEPT, |incident: &mut OpenIncident| {
        incident.first.as_ref()?;
        let was_reported = incident.reported.replace(reported.clone()).is_some();
        let ended = incident.ended.as_ref().map(|ended| ended.at);
        ended.filter(|_| !was_reported && !reported.recovered)
    })
    .await
}

/// Remembers where the facts card stands, while the report is worked on.
pub async fn card(store: &dyn Store, incident: &EventKey, receipts: Vec<Receipt>) -> Result<(), StoreError> {
    update(store, &incident_item(incident), KEPT, |incident: &mut OpenIncident| {
        if incident.first.is_some() {
            incident.card.clone_from(&receipts);
        }
    })
    .await
}

/// Makes an alarm a member that a report has told already: one that came in the same event as the alarm that opened the
/// incident. Its recovery is that of a member from then on.
pub async fn add_told(
    store: &dyn Store,
    incident: &EventKey,
    member: Member,
    series: &SeriesKey,
) -> Result<(), StoreError> {
    let item = incident_item(incident);
    let is_open = update(store, &item, KEPT, |open: &mut OpenIncident| {
        if open.first.is_none() {
            return false;
        }
        if !open.members.iter().any(|known| known.event == member.event) {
            open.add(member.clone());
        }
        true
    });
    if is_open.await? {
        let item = series_item(series);
        update(store, &item, KEPT, |of: &mut Option<EventKey>| *of = Some(incident.clone())).await?;
    }
    Ok(())
}

impl Member {
    /// Returns an alarm that a report has told.
    pub fn told(event: EventKey, alarm: &str, because: &str) -> Self {
        Member { event, alarm: alarm.to_owned(), because: because.to_owned(), told: true, told_by: None }
    }
}

impl Arrival {
    fn member(&self, because: &str) -> Member {
        Member {
            event: self.first.event.clone(),
            alarm: self.first.alarm.clone(),
            because: because.to_owned(),
            told: false,
            told_by: None,
        }
    }
}

impl OpenIncident {
    /// Returns where the incident's card stands, by channel.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.reported.as_ref().map_or_else(|| self.card.clone(), |reported| reported.receipts.clone())
    }

    /// Tells whether the report has told the recovery, or is being worked on and reads the state again before it is posted.
    fn tells_recovery(&self, now: Timestamp) -> bool {
        match &self.reported {
            Some(reported) => reported.recovered,
            None => self.opened_at.is_some_and(|opened| now.duration_since(opened) <= LONGEST_RUN),
        }
    }

    fn is_opened_by(&self, event: &EventKey) -> bool {
        self.first.as_ref().is_some_and(|first| first.event == *event)
    }

    fn is_opened_by_series(&self, series: &SeriesKey) -> bool {
        self.first.as_ref().and_then(|first| first.event.series_of_alarm()).as_ref() == Some(series)
    }

    /// Tells whether an alarm went off close enough to belong to it.
    fn takes(&self, arrival: &Arrival) -> bool {
        let is_near = |first: &First| arrival.first.went_off.duration_since(first.went_off).abs() <= TOGETHER;
        // Whoever belongs to it already, belongs to it when it is tried again.
        let is_member = self.members.iter().any(|member| member.event == arrival.first.event);
        !self.closed && (is_member || self.first.as_ref().is_some_and(is_near))
    }

    /// Adds a member; those beyond the most that are named share one entry that counts them.
    fn add(&mut self, member: Member) {
        if self.members.len() < MOST_MEMBERS {
            self.members.push(member);
            return;
        }
        self.beyond += 1;
        let counted = Member {
            alarm: format!("{} alarms more", self.beyond),
            because: format!("beyond the first {MOST_MEMBERS}"),
            told: false,
            ..member
        };
        self.members.truncate(MOST_MEMBERS);
        self.members.push(counted);
    }

    /// Takes the members that nobody has told, for `teller` to tell, and those that it took before.
    fn take_untold(&mut self, teller: &EventKey) -> Vec<Member> {
        let is_its = |member: &&mut Member| !member.told || member.told_by.as_ref() == Some(teller);
        let untold = self.members.iter_mut().filter(is_its);
        untold
            .map(|member| {
                member.told = true;
                member.told_by = Some(teller.clone());
                member.clone()
            })
            .collect()
    }

    /// Decides who tells the alarm, which is a member by now.
    fn turn(&mut self, arrival: &Arrival) -> Turn {
        let event = &arrival.first.event;
        // Until there is a report, it is the one to tell who has come; it is waited for as for a line.
        let before = self.line_at.or(if self.reported.is_none() { self.opened_at } else { None });
        let due = before.and_then(|at| at.checked_add(arrival.pause).ok());
        let wait = due.map(|due| due.duration_since(arrival.now)).filter(SignedDuration::is_positive);
        let mine = self.members.iter().find(|member| member.event == *event).cloned();
        // It was told, or it was to be: whoever did so may have died, and twice is better than never. What it was itself
        // to tell, it tells.
        if let Some(mine) = mine.filter(|member| member.told) {
            let own = self.members.iter().filter(|member| member.told_by.as_ref() == Some(event)).cloned();
            let own: Vec<Member> = own.collect();
            return Turn::Now(if own.is_empty() { vec![mine] } else { own });
        }
        let waits = |(teller, until): &(EventKey, Timestamp)| teller != event && *until > arrival.now;
        match wait {
            None => {
                self.line_at = Some(arrival.now);
                Turn::Now(self.take_untold(event))
            }
            Some(_) if self.teller.as_ref().is_some_and(waits) => Turn::Others,
            Some(wait) => {
                let until = arrival.now.checked_add(wait + GRACE).unwrap_or(arrival.now);
                self.teller = Some((event.clone(), until));
                Turn::After(wait.unsigned_abs())
            }
        }
    }
}

/// Makes the alarm a member; `None` where another one was faster.
async fn link(
    store: &dyn Store,
    arrival: &Arrival,
    version: u64,
    mut incident: OpenIncident,
    because: &str,
) -> Result<Option<Joined>, StoreError> {
    let Some(first) = incident.first.clone() else { return Ok(None) };
    let event = &arrival.first.event;
    let began_before = arrival.breached_by <= first.first_breach;
    let is_second_look = match &incident.looked_again {
        Some(again) => again == event,
        None if began_before => {
            incident.looked_again = Some(event.clone());
            true
        }
        None => false,
    };
    // A member that flaps has been told.
    let flaps = |member: &Member| {
        member.event != *event && member.event.series_of_alarm().as_ref() == Some(&arrival.series)
    };
    if !is_second_look && incident.members.iter().any(flaps) {
        return Ok(Some(Joined::Linked(Box::new(incident), Turn::Others)));
    }
    if !incident.members.iter().any(|member| member.event == *event) {
        // A second look has a report of its own.
        incident.add(Member { told: is_second_look, ..arrival.member(because) });
    }
    let turn = (!is_second_look).then(|| incident.turn(arrival));
    let changes = [
        change(incident_item(&first.event), Some(version), &incident, KEPT)?,
        series_change(store, &arrival.series, &first.event).await?,
    ];
    if !store.write(&changes).await? {
        return Ok(None);
    }
    let incident = Box::new(incident);
    Ok(Some(match turn {
        Some(turn) => Joined::Linked(incident, turn),
        None => Joined::SecondLook(incident),
    }))
}

/// Opens an incident under all keys; `None` where another one was faster.
async fn start(
    store: &dyn Store,
    arrival: &Arrival,
    leads: &[Option<Item>],
) -> Result<Option<Joined>, StoreError> {
    let event = &arrival.first.event;
    let item = incident_item(event);
    let known = store.read(std::slice::from_ref(&item)).await?.into_iter().next().flatten();
    let incident = OpenIncident {
        first: Some(arrival.first.clone()),
        opened_at: Some(arrival.now),
        ..OpenIncident::default()
    };
    let mut changes = vec![change(item, known.map(|item| item.version), &incident, KEPT)?];
    let own = arrival.own.iter().map(|key| (key, true));
    let near = arrival.near.iter().map(|key| (key, false));
    for ((key, own), seen) in own.chain(near).zip(leads) {
        let item = key_item(&key.key);
        // A transaction may name an item once.
        if !changes.iter().any(|change| change.key == item) {
            let leads = keys::with(seen.as_ref(), keys::Lead::new(arrival, key, own), arrival.now);
            changes.push(change(item, seen.as_ref().map(|item| item.version), &leads, KEY_KEPT)?);
        }
    }
    changes.push(series_change(store, &arrival.series, event).await?);
    Ok(store.write(&changes).await?.then_some(Joined::Opened))
}

async fn series_change(
    store: &dyn Store,
    series: &SeriesKey,
    incident: &EventKey,
) -> Result<Change, StoreError> {
    let key = series_item(series);
    let seen = store.read(std::slice::from_ref(&key)).await?.into_iter().next().flatten();
    change(key, seen.map(|item| item.version), incident, KEPT)
}

fn change(
    key: String,
    seen: Option<u64>,
    value: &impl Serialize,
    kept: Duration,
) -> Result<Change, StoreError> {
    let value: Value = serde_json::to_value(value).map_err(|error| unfit(&error))?;
    Ok(Change { key, seen, value, kept })
}

fn opened(item: Item) -> Option<(u64, OpenIncident)> {
    Some((item.version, serde_json::from_value(item.value).ok()?))
}

fn incident_item(event: &EventKey) -> String {
    format!("incident#{event}")
}

fn key_item(key: &SeriesKey) -> String {
    format!("key#{key}")
}

fn series_item(series: &SeriesKey) -> String {
    format!("incident-of#{series}")
}

#[cfg(test)]
mod tests;
