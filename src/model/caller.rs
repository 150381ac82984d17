//! Asks the ladder: one retry layer, one gate a model, one budget a run, and every step told to the observer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Deadline, Stopwatch};
use crate::id::Seed;
use crate::model::backoff::{Backoff, Decision};
use crate::model::budget::{Budget, Spent, Tripped};
use crate::model::ladder::Ladder;
use crate::model::{
    ConverseReply, ConverseRequest, ErrorClass, Failure, Model, ModelError, ModelId, StopReason, ToolChoice,
    catalogue,
};
use crate::redact::Redacted;
use crate::run::{Observer, RunEvent};

/// Asks models on behalf of one run. Shared by its agents.
pub struct Caller {
    model: Arc<dyn Model>,
    ladder: Arc<Ladder>,
    backoff: Backoff,
    budget: Budget,
    observer: Observer,
    jitter: Mutex<fastrand::Rng>,
    /// Longest time for one call.
    call_limit: Duration,
    /// Rungs that this run has left, with the reason, in ladder order of leaving.
    left: Mutex<Vec<(ModelId, Failure)>>,
    slowest: Mutex<Duration>,
}

/// Why no model answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Every rung failed; the last failure, the others are in [`Caller::left`].
    #[error("{0}")]
    NoModel(Failure),
    /// A limit of the run's budget was reached.
    #[error("{}", .0.as_str())]
    Budget(Tripped),
    /// The deadline has passed or leaves no time for a call.
    #[error("no time was left for a model call")]
    OutOfTime,
}

/// What a caller is made of.
pub struct CallerParts {
    /// The provider.
    pub model: Arc<dyn Model>,
    /// The models, best first.
    pub ladder: Arc<Ladder>,
    /// When to try again.
    pub backoff: Backoff,
    /// What may be spent.
    pub budget: Budget,
    /// Told everything.
    pub observer: Observer,
    /// For the jitter.
    pub seed: Seed,
    /// Longest time for one call.
    pub call_limit: Duration,
}

impl Caller {
    /// Returns a caller for one run.
    pub fn new(parts: CallerParts) -> Self {
        Caller {
            model: parts.model,
            ladder: parts.ladder,
            backoff: parts.backoff,
            budget: parts.budget,
            observer: parts.observer,
            jitter: Mutex::new(parts.seed.for_purpose("jitter").generator()),
            call_limit: parts.call_limit,
            left: Mutex::default(),
            slowest: Mutex::default(),
        }
    }

    /// Asks the best model that is left; moves down the ladder where one does not answer.
    pub async fn ask(
        &self,
        request: &ConverseRequest,
        deadline: Deadline,
    ) -> Result<ConverseReply, AskError> {
        self.budget.check().map_err(AskError::Budget)?;
        loop {
            let Some(model) = self.current() else {
                return Err(self.no_model_left());
            };
            match self.ask_one(&model, request, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(None) => return Err(AskError::OutOfTime),
                Err(Some(failure)) => self.leave(&model, failure),
            }
        }
    }

    /// Returns the models that this run has left and why.
    pub fn left(&self) -> Vec<(ModelId, Failure)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what was spent so far.
    pub fn spent(&self) -> Spent {
        self.budget.spent()
    }

    /// Returns the time that one more call should be expected to take: the slowest so far, and no less than a call
    /// needs to be worth making.
    pub fn expected_call(&self) -> Duration {
        let slowest = *self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        slowest.max(self.backoff.shortest_call)
    }

    /// Returns the first rung that is neither left by this run nor known dead; notes those known dead.
    fn current(&self) -> Option<ModelId> {
        for model in self.ladder.models() {
            if self.left.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(left, _)| left == model)
            {
                continue;
            }
            match self.ladder.known_dead(model) {
                Some(failure) => self.leave(model, failure),
                None => return Some(model.clone()),
            }
        }
        None
    }

    fn leave(&self, model: &ModelId, failure: Failure) {
        let reason = failure.to_string();
        self.ladder.remember(model, &failure);
        {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            // Agents ask in parallel, so two may give the same rung up.
            if left.iter().any(|(known, _)| known == model) {
                return;
            }
            left.push((model.clone(), failure));
        }
        let next = self.ladder.models().find(|other| !self.left().iter().any(|(left, _)| &left == other));
        self.observer.emit(RunEvent::RungLeft {
            model: model.to_string(),
            reason,
            next: next.map(ToString::to_string),
        });
    }

    fn no_model_left(&self) -> AskError {
        let last = self.left().pop().map(|(_, failure)| failure);
        AskError::NoModel(last.unwrap_or_else(|| Failure {
            class: ErrorClass::InvalidIdentifier,
            operation: "Converse".into(),
            model: None,
            attempts: 0,
            waited: Duration::ZERO,
            request_id: None,
            message: "no model is configured".into(),
        }))
    }

    /// Tries one model until it answers or is given up. `Err(None)` means that no time is left for any model.
    async fn ask_one(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        deadline: Deadline,
    ) -> Result<ConverseReply, Option<Failure>> {
        let mut request = fit(request, model);
        let mut waited = Duration::ZERO;
        let mut attempt = 0;
        loop {
            attempt += 1;
            if deadline.time_left() < self.backoff.shortest_call {
                return Err(None);
            }
            let error = match self.call(model, &request, attempt, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            // A model that refuses a forced tool choice takes the same request with `auto`.
            if error.class == ErrorClass::InvalidRequest
                && error.message.contains("tool_choice")
                && request.tool_choice != ToolChoice::Auto
            {
                request.tool_choice = ToolChoice::Auto;
                continue;
            }
            // The asker's own time ran out under the call, which says nothing against the model: others have more.
            if error.class == ErrorClass::TimedOut && deadline.time_left() < self.backoff.shortest_call {
                return Err(None);
            }
            let jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).f64();
            let time_left = deadline.time_left();
            match self.backoff.decide(attempt, error.class, error.retry_after, time_left, jitter) {
                Decision::WaitFor(wait) => {
                    self.observer.emit(RunEvent::Waiting {
                        agent: request.agent.clone(),
                        model: model.to_string(),
                        wait,
                    });
                    tokio::time::sleep(wait).await;
                    waited += wait;
                }
                Decision::GiveUp(_) => {
                    return Err(Some(Failure {
                        class: error.class,
                        operation: "Converse".into(),
                        model: Some(model.to_string()),
                        attempts: attempt,
                        waited,
                        request_id: error.request_id,
                        message: shorten(&error.message),
                    }));
                }
            }
        }
    }

    async fn call(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        attempt: u32,
        deadline: Deadline,
    ) -> Result<ConverseReply, ModelError> {
        let gate = self.ladder.gate(model);
        let permit = match gate {
            // Waiting for a place must not outlast the run either.
            Some(gate) => tokio::time::timeout_at(deadline.instant(), gate.enter()).await.ok(),
            None => None,
        };
        if gate.is_some() && permit.is_none() {
            return Err(timed_out("waited for a place behind other calls until the time was up"));
        }
        self.observer.emit(RunEvent::ModelCalled {
            agent: request.agent.clone(),
            turn: request.turn,
            model: model.to_string(),
            api: "Converse".into(),
            attempt,
        });
        let watch = Stopwatch::start();
        let limit = self.call_limit.min(deadline.time_left());
        // The adapter bounds the call itself; this is the belt for one that does not.
        let answered = tokio::time::timeout(limit, self.model.converse(model, request, limit)).await;
        let result = answered.unwrap_or_else(|_| Err(timed_out("no answer in the time given")));
        drop(permit);
        let took = watch.elapsed();
        match &result {
            Ok(reply) => {
                if let Some(gate) = gate {
                    gate.widen();
                }
                self.budget.charge(&request.agent, model, reply.usage, reply.recording.as_ref());
                let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
                *slowest = (*slowest).max(took);
                self.observer.emit(RunEvent::ModelAnswered {
                    agent: request.agent.clone(),
                    turn: request.turn,
                    model: model.to_string(),
                    request_id: reply.request_id.clone(),
                    took,
                    input_tokens: reply.usage.all_input(),
                    output_tokens: reply.usage.output,
                    stop: stop_name(&reply.stop),
                });
            }
            Err(error) => {
                if let (Some(gate), ErrorClass::Throttled) = (gate, error.class) {
                    gate.narrow();
                }
                self.observer.emit(RunEvent::ModelFailed {
                    agent: request.agent.clone(),
                    model: model.to_string(),
                    class: error.class.as_str().into(),
                    message: shorten(&error.message),
                    request_id: error.request_id.clone(),
                    attempt,
                });
            }
        }
        result
    }
}

/// Adapts a request to what the model takes.
fn fit(request: &ConverseRequest, model: &ModelId) -> ConverseRequest {
    let mut request = request.clone();
    request.max_tokens = catalogue::clamp_output(model, request.max_tokens);
    if !catalogue::entry(model).is_some_and(|row| row.forced_tool_choice) {
        request.tool_choice = ToolChoice::Auto;
    }
    request
}

fn timed_out(message: &str) -> ModelError {
    ModelError { class: ErrorClass::TimedOut, message: message.into(), request_id: None, retry_after: None }
}

fn stop_name(stop: &StopReason) -> String {
    match stop {
        StopReason::EndTurn => "end_turn".into(),
        StopReason::ToolUse => "tool_use".into(),
        StopReason::MaxTokens => "max_tokens".into(),
        StopReason::Malformed => "malformed".into(),
        StopReason::ContextExceeded => "context_exceeded".into(),
        StopReason::Filtered => "filtered".into(),
        StopReason::Other(name) => name.clone(),
    }
}

/// Shortens a provider's message to what fits a log line and a footer; it may quote the request, so it is redacted.
fn shorten(message: &str) -> String {
    let redacted = Redacted::new(message.trim());
    let mut short: String = redacted.as_str().chars().take(240).collect();
    if short.len() < redacted.as_str().len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
