//! How many calls to one model may be under way: narrows on throttling, widens on success.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Limits concurrent calls to one model. Additive increase, multiplicative decrease.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy)]
struct State {
    limit: f64,
    widest: f64,
    under_way: u32,
}

/// The right to make one call; given back when dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    gate: &'a Gate,
}

impl Gate {
    /// Returns a gate that lets `widest` calls through at once, at least one.
    pub fn new(widest: u32) -> Self {
        let widest = f64::from(widest.max(1));
        Gate { state: Mutex::new(State { limit: widest, widest, under_way: 0 }), changed: Notify::new() }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Permit<'_> {
        loop {
            let changed = self.changed.notified();
            if self.try_enter() {
                return Permit { gate: self };
            }
            changed.await;
        }
    }

    /// Returns how many calls may be under way now.
    pub fn width(&self) -> u32 {
        let limit = self.with(|state| state.limit);
        // The limit lies between 1 and `widest`, a u32.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by 1 and a u32")]
        let width = limit as u32;
        width.max(1)
    }

    /// Halves the width, because the provider throttled.
    pub fn narrow(&self) {
        self.with(|state| state.limit = (state.limit / 2.0).max(1.0));
    }

    /// Widens by one place per round of successes.
    pub fn widen(&self) {
        self.with(|state| state.limit = (state.limit + 1.0 / state.limit).min(state.widest));
        self.changed.notify_waiters();
    }

    fn try_enter(&self) -> bool {
        let width = self.width();
        self.with(|state| {
            let free = state.under_way < width;
            if free {
                state.under_way += 1;
            }
            free
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.gate.with(|state| state.under_way = state.under_way.saturating_sub(1));
        self.gate.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_throttle_halves_and_successes_widen_again() {
        let gate = Gate::new(4);
        assert_eq!(gate.width(), 4);
        gate.narrow();
        assert_eq!(gate.width(), 2);
        gate.narrow();
        gate.narrow();
        assert_eq!(gate.width(), 1);
        for _ in 0..20 {
            gate.widen();
        }
        assert_eq!(gate.width(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_are_under_way_than_the_width_allows() {
        let gate = Arc::new(Gate::new(2));
        let most = Arc::new(Mutex::new((0_u32, 0_u32)));
        let calls = (0..8).map(|_| {
            let (gate, most) = (Arc::clone(&gate), Arc::clone(&most));
            async move {
                let _permit = gate.enter().await;
                {
                    let mut most = most.lock().unwrap();
                    most.0 += 1;
                    most.1 = most.1.max(most.0);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                most.lock().unwrap().0 -= 1;
            }
        });
        futures::future::join_all(calls).await;
        assert_eq!(most.lock().unwrap().1, 2);
    }
}
