//! The account of one model that all processes keep together: what was sent in the last minute, and what was learned.
//!
//! Each request is entered before it goes, by one write that fails where another process was faster; so all of them
//! together keep the rate, and a refusal that one of them meets slows all of them down.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exceeded, LEARNED_FOR, Quota, Sent, less, place};
use crate::clock::{Clock, Timestamp};
use crate::store::{Store, StoreError, update};

/// What a store keeps of one model.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    /// In order of sending.
    sent: Vec<Entry>,
    learned: Option<Learned>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Entry {
    id: u64,
    /// By the calendar clock; hosts of one provider agree on it to a few milliseconds.
    at: Timestamp,
    tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Learned {
    quota: Quota,
    until: Timestamp,
}

/// What the account says at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How long ago requests of any process were sent, and their tokens; without the one that was entered just now.
    pub(crate) sent: Vec<(u64, Duration, u64)>,
    /// The rate that a refusal has taught.
    pub(crate) learned: Quota,
    /// How long the request that asks must wait; zero where it was entered. `None` where it never fits.
    pub(crate) wait: Option<Duration>,
}

/// The way to the account.
#[derive(Clone)]
pub(crate) struct Shared {
    store: Arc<dyn Store>,
    key: String,
    /// The provider's minute with the slack.
    minute: Duration,
    learned_for: Duration,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({})", self.key)
    }
}

impl Shared {
    /// Returns the way to the account of `model`.
    pub(crate) fn new(store: Arc<dyn Store>, model: &str, minute: Duration, slack: Duration) -> Self {
        Shared {
            store,
            key: format!("pace#{model}"),
            minute: minute + slack,
            learned_for: minute * LEARNED_FOR,
        }
    }

    /// Enters a request of so many tokens if its moment has come by the quota, else says how long to wait.
    pub(crate) async fn enter(&self, id: u64, tokens: u64, quota: Quota) -> Result<Seen, StoreError> {
        self.change(|account, now| {
            let seen = self.seen(account, now);
            let quota = less(quota, seen.learned);
            // `place` counts from a moment that lies a minute back.
            let before = self.before(account, now);
            let wait = place(&before, tokens, quota, self.minute, self.minute)
                .map(|at| at.saturating_sub(self.minute));
            if wait == Some(Duration::ZERO) {
                account.sent.retain(|entry| age(entry.at, now) < self.minute);
                account.sent.push(Entry { id, at: now, tokens });
            }
            Seen { wait, ..seen }
        })
        .await
    }

    /// Looks without entering anything.
    pub(crate) async fn look(&self) -> Result<Seen, StoreError> {
        self.change(|account, now| self.seen(account, now)).await
    }

    /// Counts what an answer really took of the quota.
    pub(crate) async fn settle(&self, id: u64, tokens: u64) -> Result<Seen, StoreError> {
        self.change(|account, now| {
            for entry in account.sent.iter_mut().filter(|entry| entry.id == id) {
                entry.tokens = tokens;
            }
            self.seen(account, now)
        })
        .await
    }

    /// Takes a request back that was refused, and learns the rate at which that happened.
    pub(crate) async fn refused(&self, id: u64, exceeded: Exceeded) -> Result<Seen, StoreError> {
        self.change(|account, now| {
            account.sent.retain(|entry| entry.id != id && age(entry.at, now) < self.minute);
            if let Some(found) = super::taught(&self.before(account, now), exceeded) {
                let known = self.seen(account, now).learned;
                let until = now.checked_add(self.learned_for).unwrap_or(now);
                account.learned = Some(Learned { quota: less(known, found), until });
            }
            self.seen(account, now)
        })
        .await
    }

    async fn change(
        &self,
        mut change: impl FnMut(&mut Account, Timestamp) -> Seen,
    ) -> Result<Seen, StoreError> {
        let kept = self.learned_for;
        update(self.store.as_ref(), &self.key, kept, |account| change(account, Clock::Wall.now())).await
    }

    fn seen(&self, account: &Account, now: Timestamp) -> Seen {
        let sent = account.sent.iter().map(|entry| (entry.id, age(entry.at, now), entry.tokens));
        let learned = account.learned.filter(|learned| now < learned.until);
        Seen {
            sent: sent.filter(|(_, age, _)| *age < self.minute).collect(),
            learned: learned.map(|learned| learned.quota).unwrap_or_default(),
            wait: Some(Duration::ZERO),
        }
    }

    /// Returns what was sent within the minute, counted from its start.
    fn before(&self, account: &Account, now: Timestamp) -> Vec<Sent> {
        let within = account.sent.iter().filter(|entry| age(entry.at, now) < self.minute);
        within
            .map(|entry| Sent {
                id: entry.id,
                at: self.minute.saturating_sub(age(entry.at, now)),
                tokens: entry.tokens,
            })
            .collect()
    }
}

/// A clock that is ahead makes nothing younger than now.
fn age(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    const MINUTE: Duration = Duration::from_mins(1);

    fn shared(store: &Arc<MemoryStore>) -> Shared {
        Shared::new(Arc::<MemoryStore>::clone(store), "model", MINUTE, Duration::ZERO)
    }

    fn requests(most: u32) -> Quota {
        Quota { requests: Some(most), tokens: None }
    }

    #[tokio::test]
    async fn processes_enter_one_account_and_the_one_too_many_is_told_to_wait() {
        let store = Arc::new(MemoryStore::default());
        let (one, other) = (shared(&store), shared(&store));
        for (process, id) in [(&one, 1), (&other, 2)] {
            assert_eq!(process.enter(id, 10, requests(2)).await.unwrap().wait, Some(Duration::ZERO));
        }
        let third = one.enter(3, 10, requests(2)).await.unwrap();
        assert_eq!(third.sent.len(), 2);
        let wait = third.wait.unwrap();
        assert!(wait > MINUTE / 2 && wait <= MINUTE, "{wait:?}");
        // Another model's account, and one whose quota is larger, are open.
        assert_eq!(other.enter(4, 10, requests(3)).await.unwrap().wait, Some(Duration::ZERO));
        // More tokens than a minute has.
        let tokens = Quota { requests: None, tokens: Some(5) };
        assert_eq!(other.enter(5, 10, tokens).await.unwrap().wait, None);
        assert_eq!(other.look().await.unwrap().sent.len(), 3);
    }

    #[tokio::test]
    async fn what_an_answer_took_replaces_what_was_reserved_for_it() {
        let store = Arc::new(MemoryStore::default());
        let (one, other) = (shared(&store), shared(&store));
        let tokens = Quota { requests: None, tokens: Some(30_000) };
        one.enter(1, 20_000, tokens).await.unwrap();
        assert!(other.enter(2, 20_000, tokens).await.unwrap().wait.is_some_and(|wait| wait > MINUTE / 2));
        one.settle(1, 5_000).await.unwrap();
        assert_eq!(other.enter(2, 20_000, tokens).await.unwrap().wait, Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn what_one_process_learns_from_a_refusal_holds_for_all() {
        let store = Arc::new(MemoryStore::default());
        let (one, other) = (shared(&store), shared(&store));
        for id in 1..=4 {
            one.enter(id, 10, Quota::default()).await.unwrap();
        }
        one.refused(4, Exceeded::Requests).await.unwrap();
        let seen = other.enter(5, 10, Quota::default()).await.unwrap();
        assert_eq!(seen.learned, requests(3));
        assert!(seen.wait.is_some_and(|wait| wait > Duration::ZERO), "{seen:?}");
        // Where nothing else was sent, the refusal is somebody else's doing.
        let alone = Arc::new(MemoryStore::default());
        shared(&alone).enter(1, 10, Quota::default()).await.unwrap();
        assert_eq!(shared(&alone).refused(1, Exceeded::Requests).await.unwrap().learned, Quota::default());
    }
}
