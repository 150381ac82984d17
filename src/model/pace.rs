//! Requests and tokens a minute of one model: when the next request may go, by a quota that was given or learned.
//!
//! The decision is pure: what was sent, what waits before, the quota and the time in, a moment out. [`Pace`] keeps the
//! account of one model for all runs of the process, and [`shared`] for all processes; `entrance` is the one caller that
//! waits.

pub(crate) mod shared;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::shared::Seen;
use crate::clock::Stopwatch;
use crate::id::Seed;
use crate::model::{ModelId, geography};

/// What a provider lets through of one model in a minute; `None` is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests a minute.
    pub requests: Option<u32>,
    /// Tokens a minute: input, and output as the provider counts it against the quota.
    pub tokens: Option<u64>,
}

/// The quotas of an account: plain data, from the configuration or from a service that knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// By model id, inference profile id or ARN; an entry without geography prefix holds for every profile of its model,
    /// and one of a geography (`us.…`) for the model's profiles in other geographies.
    pub models: BTreeMap<ModelId, Quota>,
    /// How long the provider's minute is: shorter only against an emulator.
    pub minute: Duration,
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas { models: BTreeMap::new(), minute: Duration::from_mins(1) }
    }
}

impl Quotas {
    /// Returns the quota of a model; nothing is known of one that is not listed.
    pub fn of(&self, model: &ModelId) -> Quota {
        let bare = || self.models.get(&ModelId::from(model.base()));
        // A model that moved to the Region's own geography keeps its quota: an account has one for all of them, but for
        // the global profile.
        let is_regional = |id: &ModelId| id.geography().is_some_and(|prefix| prefix != geography::GLOBAL);
        let moved = || {
            let sibling = |id: &&ModelId| is_regional(id) && id.base() == model.base();
            let (_, quota) = self.models.iter().find(|(id, _)| is_regional(model) && sibling(id))?;
            Some(quota)
        };
        self.models.get(model).or_else(bare).or_else(moved).copied().unwrap_or_default()
    }
}

/// Which of the two rates a provider found exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// `Too many requests`.
    Requests,
    /// `Too many tokens`.
    Tokens,
}

/// A learned rate is forgotten after so many minutes: what throttled may have been a shortage that is over. Twice what
/// a Lambda may run, so that no run meets the same refusal again.
const LEARNED_FOR: u32 = 30;

/// A request reaches the provider later than it is sent, one sooner than another: the minute is taken this much longer.
const LEAST_SLACK: Duration = Duration::from_millis(250);

/// Returns how much longer than the provider's minute one is taken.
pub(crate) fn slack(minute: Duration) -> Duration {
    (minute / 20).max(LEAST_SLACK)
}

/// The account of one model.
#[derive(Debug)]
pub struct Pace {
    /// What the configuration says; it goes before what the account lists.
    configured: Quota,
    /// The provider's minute with the slack.
    minute: Duration,
    learned_for: Duration,
    /// Times below are counted from here.
    since: Stopwatch,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In order of sending.
    sent: Vec<Sent>,
    /// What other processes sent, as far as their account was read.
    elsewhere: Vec<Sent>,
    /// In order of asking.
    waiting: Vec<Waiting>,
    /// What the account lists, once that was read.
    listed: Quota,
    learned: Option<(Quota, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    id: u64,
    at: Duration,
    tokens: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: u64,
    tokens: u64,
}

/// A request on its way through the pace; leaves the queue when dropped.
#[derive(Debug)]
pub struct Ticket<'a> {
    pace: &'a Pace,
    id: u64,
}

impl Pace {
    /// Returns the account of a model of which nothing was sent yet.
    pub fn new(configured: Quota, minute: Duration) -> Self {
        Pace {
            configured,
            minute: minute + slack(minute),
            learned_for: minute * LEARNED_FOR,
            since: Stopwatch::start(),
            state: Mutex::default(),
        }
    }

    /// Joins the queue with a request that will count for so many tokens.
    pub fn queue(&self, tokens: u64) -> Ticket<'_> {
        self.with(|state| {
            // Told apart from those of other processes; no run depends on it.
            let id = Seed::random().0;
            state.waiting.push(Waiting { id, tokens });
            Ticket { pace: self, id }
        })
    }

    /// Takes over what the account of all processes says.
    pub(crate) fn see(&self, seen: &Seen) {
        self.with(|state| {
            let now = self.since.elapsed();
            let here: Vec<u64> = state.sent.iter().map(|sent| sent.id).collect();
            let others = seen.sent.iter().filter(|(id, ..)| !here.contains(id));
            let sent = |(id, age, tokens): &(u64, Duration, u64)| Sent {
                id: *id,
                at: now.saturating_sub(*age),
                tokens: *tokens,
            };
            state.elsewhere = others.map(sent).collect();
            if seen.learned != Quota::default() {
                let known = state.learned.filter(|(_, at)| now < *at + self.learned_for);
                state.learned =
                    Some((known.map_or(seen.learned, |(known, _)| less(known, seen.learned)), now));
            }
        });
    }

    /// Takes over what the account lists.
    pub fn list(&self, listed: Quota) {
        self.with(|state| state.listed = listed);
    }

    /// Returns the quota in force: what was configured or else listed, and what was learned where that is less.
    pub fn quota(&self) -> Quota {
        self.with(|state| self.in_force(state))
    }

    /// Returns how many of `calls` requests of so many tokens each would be sent within `time`, behind those that wait.
    pub fn room(&self, calls: u32, tokens: u64, time: Duration) -> u32 {
        self.with(|state| {
            let (now, quota) = (self.since.elapsed(), self.in_force(state));
            let mut sent = state.sent();
            let places = state.waiting.iter().map(|waiting| waiting.tokens);
            for waiting in places {
                sent.extend(place(&sent, waiting, quota, self.minute, now).map(|at| Sent {
                    id: 0,
                    at,
                    tokens: waiting,
                }));
            }
            let fits = |at: &Duration| *at <= now + time;
            (0..calls).fold(0, |room, _| match place(&sent, tokens, quota, self.minute, now).filter(fits) {
                Some(at) => {
                    sent.push(Sent { id: 0, at, tokens });
                    room + 1
                }
                None => room,
            })
        })
    }

    fn in_force(&self, state: &State) -> Quota {
        let now = self.since.elapsed();
        let given = Quota {
            requests: self.configured.requests.or(state.listed.requests),
            tokens: self.configured.tokens.or(state.listed.tokens),
        };
        let learned = state.learned.filter(|(_, at)| now < *at + self.learned_for);
        learned.map_or(given, |(learned, _)| less(given, learned))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.since.elapsed();
        state.sent.retain(|sent| sent.at + self.minute > now);
        state.elsewhere.retain(|sent| sent.at + self.minute > now);
        change(&mut state)
    }
}

impl State {
    /// Returns what was sent, here and elsewhere, in order of time.
    fn sent(&self) -> Vec<Sent> {
        let mut sent: Vec<Sent> = self.sent.iter().chain(&self.elsewhere).copied().collect();
        sent.sort_by_key(|sent| sent.at);
        sent
    }
}

impl Ticket<'_> {
    /// Its number in the account.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Gives a place back that other processes do not leave it, and joins the queue again.
    pub(crate) fn give_back(&self) {
        self.pace.with(|state| {
            if let Some(at) = state.sent.iter().position(|sent| sent.id == self.id) {
                let sent = state.sent.remove(at);
                state.waiting.insert(0, Waiting { id: self.id, tokens: sent.tokens });
            }
        });
    }

    /// Returns how long to wait before it is worth asking again; zero means that the request may go, `None` that it is
    /// larger than a minute's tokens and never may.
    pub fn wait(&self) -> Option<Duration> {
        let now = self.pace.since.elapsed();
        self.pace.with(|state| self.place(state, now)).map(|at| at.saturating_sub(now))
    }

    /// Takes the place if it is free now, and counts the request as sent.
    pub fn take(&self) -> bool {
        self.pace.with(|state| {
            let now = self.pace.since.elapsed();
            let free = self.place(state, now).is_some_and(|at| at <= now);
            if free && let Some(index) = state.waiting.iter().position(|waiting| waiting.id == self.id) {
                let waiting = state.waiting.remove(index);
                state.sent.push(Sent { id: self.id, at: now, tokens: waiting.tokens });
            }
            free
        })
    }

    /// Counts what an answer really took of the quota.
    pub fn settle(&self, tokens: u64) {
        self.pace.with(|state| {
            for sent in state.sent.iter_mut().filter(|sent| sent.id == self.id) {
                sent.tokens = tokens;
            }
        });
    }

    /// Learns from a refusal: the provider let through what else was sent in this minute, and not this one. Where
    /// nothing else was sent, the rate is somebody else's doing and nothing can be learned.
    pub fn refused(&self, exceeded: Exceeded) {
        self.pace.with(|state| {
            state.sent.retain(|sent| sent.id != self.id);
            let Some(found) = taught(&state.sent(), exceeded) else { return };
            let now = self.pace.since.elapsed();
            let known = state.learned.filter(|(_, at)| now < *at + self.pace.learned_for);
            state.learned = Some((known.map_or(found, |(known, _)| less(known, found)), now));
        });
    }

    /// Returns the moment of the request's place behind those that asked before it.
    fn place(&self, state: &State, now: Duration) -> Option<Duration> {
        let quota = self.pace.in_force(state);
        let mut sent = state.sent();
        for waiting in &state.waiting {
            let at = place(&sent, waiting.tokens, quota, self.pace.minute, now);
            if waiting.id == self.id {
                return at;
            }
            sent.extend(at.map(|at| Sent { id: waiting.id, at, tokens: waiting.tokens }));
        }
        // It was sent already.
        Some(now)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.pace.with(|state| state.waiting.retain(|waiting| waiting.id != self.id));
    }
}

/// Returns the earliest moment at which one more request keeps every minute within the quota; `None` where its tokens
/// alone exceed one. `sent` is in order of time, and none is overtaken.
fn place(sent: &[Sent], tokens: u64, quota: Quota, minute: Duration, now: Duration) -> Option<Duration> {
    if quota.tokens.is_some_and(|most| tokens > most) {
        return None;
    }
    let earliest = sent.last().map_or(now, |last| now.max(last.at));
    let fits = |at: &Duration| {
        let within = || sent.iter().filter(|sent| sent.at + minute > *at);
        let requests = u32::try_from(within().count()).unwrap_or(u32::MAX);
        quota.requests.is_none_or(|most| requests < most)
            && quota.tokens.is_none_or(|most| within().map(|sent| sent.tokens).sum::<u64>() + tokens <= most)
    };
    // Room comes only when an earlier request grows older than a minute.
    let later = sent.iter().map(|sent| sent.at + minute).filter(|at| *at > earliest);
    std::iter::once(earliest).chain(later).find(fits)
}

/// Returns what a refusal teaches beside what else was sent in its minute: that much was let through. Where nothing was,
/// the rate is somebody else's doing.
fn taught(sent: &[Sent], exceeded: Exceeded) -> Option<Quota> {
    if sent.is_empty() {
        return None;
    }
    Some(match exceeded {
        Exceeded::Requests => {
            Quota { requests: Some(u32::try_from(sent.len()).unwrap_or(u32::MAX)), tokens: None }
        }
        Exceeded::Tokens => Quota { requests: None, tokens: Some(sent.iter().map(|sent| sent.tokens).sum()) },
    })
}

/// Returns the smaller of two quotas, rate by rate.
fn less(one: Quota, other: Quota) -> Quota {
    Quota {
        requests: one.requests.into_iter().chain(other.requests).min(),
        tokens: one.tokens.into_iter().chain(other.tokens).min(),
    }
}

#[cfg(test)]
mod tests;
