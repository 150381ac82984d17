//! The way to one model: a place in the minute, then a place among the calls under way. The one caller of both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Deadline, Stopwatch};
use crate::model::gate::{Gate, Permit};
use crate::model::pace::shared::{Seen, Shared};
use crate::model::pace::{Exceeded, Pace, Quota, Ticket, slack};
use crate::model::{ConverseRequest, ErrorClass, ModelError, ModelId, Usage};
use crate::store::{Store, StoreError};

/// What stands before one model.
#[derive(Debug)]
pub struct Entrance {
    gate: Gate,
    pace: Pace,
    /// The account of all processes, where there is one.
    shared: Option<Shared>,
    /// Why that account did not answer, until somebody takes note.
    lost: Mutex<Option<StoreError>>,
    /// Tokens of quota that one token of output takes.
    burn_down: u64,
}

/// The right to make one call.
#[derive(Debug)]
pub struct Place<'a> {
    entrance: &'a Entrance,
    ticket: Ticket<'a>,
    /// Given back when the call is over.
    permit: Permit<'a>,
    /// How long was waited for it.
    pub waited: Duration,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The next one within the quota comes after so long, which is too late.
    TooLate(Duration),
    /// The request is larger than the tokens of a whole minute.
    TooLarge,
    /// The time was up while other calls were under way.
    OutOfTime,
}

impl Entrance {
    /// Returns the way to `model` with `widest` calls at once.
    pub fn new(model: &ModelId, widest: u32, quota: Quota, minute: Duration) -> Self {
        Entrance {
            gate: Gate::new(widest),
            pace: Pace::new(quota, minute),
            shared: None,
            lost: Mutex::default(),
            burn_down: burn_down(model),
        }
    }

    /// Keeps the pace together with the other processes that use the store.
    pub(crate) fn share(&mut self, store: Arc<dyn Store>, model: &ModelId, minute: Duration) {
        self.shared = Some(Shared::new(store, model.as_str(), minute, slack(minute)));
    }

    /// Learns what other processes have sent and were refused.
    pub async fn look(&self) {
        if let Some(shared) = &self.shared {
            self.seen(shared.look().await);
        }
    }

    /// Returns why the account of all processes did not answer, once; then the pace is this process's own.
    pub fn take_lost(&self) -> Option<StoreError> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes over what the account says, if it says anything.
    fn seen(&self, answer: Result<Seen, StoreError>) -> Option<Seen> {
        match answer {
            Ok(seen) => {
                self.pace.see(&seen);
                Some(seen)
            }
            Err(error) => {
                *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    }

    /// Returns how many calls may be under way now.
    pub fn width(&self) -> u32 {
        self.gate.width()
    }

    /// Returns the quota in force.
    pub fn quota(&self) -> Quota {
        self.pace.quota()
    }

    /// Takes over the quota that the account lists, where the configuration has none.
    pub fn list(&self, listed: Quota) {
        self.pace.list(listed);
    }

    /// Returns how many of `calls` usual requests would be sent within `time`.
    pub fn room(&self, calls: u32, time: Duration) -> u32 {
        self.pace.room(calls, USUAL_TOKENS, time)
    }

    /// Waits for a place if it comes early enough to leave `shortest_call` before the deadline; says so before each
    /// wait.
    pub async fn enter(
        &self,
        request: &ConverseRequest,
        deadline: Deadline,
        shortest_call: Duration,
        mut waiting: impl FnMut(Duration),
    ) -> Result<Place<'_>, NoPlace> {
        let watch = Stopwatch::start();
        let tokens = reserved(request);
        let ticket = self.pace.queue(tokens);
        loop {
            let wait = ticket.wait().ok_or(NoPlace::TooLarge)?;
            if wait + shortest_call > deadline.time_left() {
                return Err(NoPlace::TooLate(wait));
            }
            if !wait.is_zero() {
                waiting(wait);
                tokio::time::sleep(wait).await;
            }
            // Waiting for a place must not outlast the run either.
            let entered = tokio::time::timeout_at(deadline.instant(), self.gate.enter()).await;
            let permit = entered.map_err(|_| NoPlace::OutOfTime)?;
            // While the gate was closed, or a refusal taught a lower rate, the place may have moved.
            if !ticket.take() {
                continue;
            }
            let elsewhere = match &self.shared {
                // A store that fails costs the common pace, never the call.
                Some(shared) => self.seen(shared.enter(ticket.id(), tokens, self.pace.quota()).await),
                None => None,
            };
            match elsewhere.map(|seen| seen.wait) {
                None | Some(Some(Duration::ZERO)) => {
                    return Ok(Place { entrance: self, ticket, permit, waited: watch.elapsed() });
                }
                // Others were faster: their requests take the places until then.
                Some(Some(wait)) => {
                    ticket.give_back();
                    drop(permit);
                    if wait + shortest_call > deadline.time_left() {
                        return Err(NoPlace::TooLate(wait));
                    }
                    waiting(wait);
                    tokio::time::sleep(wait).await;
                }
                Some(None) => return Err(NoPlace::TooLarge),
            }
        }
    }
}

impl Place<'_> {
    /// Ends the call with an answer: it is counted as it was, and the gate widens.
    pub async fn answered(self, usage: Usage) {
        let output = usage.output.saturating_mul(self.entrance.burn_down);
        let tokens = usage.input + usage.cache_write + output;
        self.ticket.settle(tokens);
        drop(self.permit);
        self.entrance.gate.widen();
        // Where nothing is known of tokens, what they were is of no use to anybody.
        if let Some(shared) = self.entrance.shared.as_ref().filter(|_| self.entrance.quota().tokens.is_some())
        {
            self.entrance.seen(shared.settle(self.ticket.id(), tokens).await);
        }
    }

    /// Ends the call with an error; throttling narrows the gate and teaches the pace.
    pub async fn failed(self, error: &ModelError) {
        if error.class == ErrorClass::Throttled {
            // `Too many tokens, please wait before trying again.`; every other text means requests.
            let tokens = error.message.to_lowercase().contains("too many tokens");
            let exceeded = if tokens { Exceeded::Tokens } else { Exceeded::Requests };
            self.ticket.refused(exceeded);
            self.entrance.gate.narrow();
            if let Some(shared) = &self.entrance.shared {
                self.entrance.seen(shared.refused(self.ticket.id(), exceeded).await);
            }
        }
    }
}

/// Tokens that a usual call of a run reserves: a digest, and the most of an answer.
const USUAL_TOKENS: u64 = 12_000;

/// Returns the tokens that Bedrock reserves for a request: its input, about four bytes a token, and `maxTokens`.
fn reserved(request: &ConverseRequest) -> u64 {
    let text = serde_json::to_string(&(&request.system, &request.messages, &request.tools));
    let bytes = text.map_or(0, |text| text.len());
    u64::try_from(bytes / 4).unwrap_or(u64::MAX).saturating_add(u64::from(request.max_tokens))
}

/// Returns how many tokens of quota one token of output takes: five for Claude from 3.7 on, one for older ones and for
/// other families (Amazon Bedrock user guide, token burndown rate).
fn burn_down(model: &ModelId) -> u64 {
    let base = model.base();
    let counts_once = |name: &str| {
        ["claude-3-5", "claude-3-haiku", "claude-3-sonnet", "claude-3-opus"]
            .iter()
            .any(|old| name.starts_with(old))
    };
    match base.strip_prefix("anthropic.") {
        Some(name) if !counts_once(name) => 5,
        Some(_) | None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_newer_claude_models_takes_five_tokens_of_quota() {
        for (model, expected) in [
            ("us.anthropic.claude-sonnet-4-6", 5),
            ("anthropic.claude-3-7-sonnet-20250219-v1:0", 5),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", 1),
            ("us.amazon.nova-pro-v1:0", 1),
        ] {
            assert_eq!(burn_down(&ModelId::from(model)), expected, "{model}");
        }
    }
}
