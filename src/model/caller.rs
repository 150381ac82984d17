//! Asks the ladder: one retry layer, one entrance a model, one budget a run, and every step told to the observer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Deadline, Stopwatch};
use crate::id::Seed;
use crate::model::backoff::{Backoff, Decision};
use crate::model::budget::{Budget, Spent, Tripped};
use crate::model::catalogue::Tier;
use crate::model::entrance::{Entrance, NoPlace, Place};
use crate::model::ladder::Ladder;
use crate::model::remedy::{Remedy, Repair, remedy, repair as changed};
use crate::model::tuning::fit;
use crate::model::{
    ConverseReply, ConverseRequest, ErrorClass, Failure, Model, ModelError, ModelId, StopReason,
};
use crate::redact::Redacted;
use crate::run::{Observer, RunEvent};

/// Longest time for the list of inference profiles, a control-plane call that answers in well under a second.
const PROFILES_TIME: Duration = Duration::from_secs(5);

/// Least output that a request is cut down to after a model was too slow.
const SHORT_OUTPUT: u32 = 1024;

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
    /// The models in the order of this run.
    order: Vec<ModelId>,
    /// Rungs that this run has left, with the reason, in ladder order of leaving.
    left: Mutex<Vec<(ModelId, Failure)>>,
    /// Rungs that had no place for a request within the quota: passed over for that request only.
    passed: Mutex<Vec<(ModelId, Failure)>>,
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
    /// The tier whose models are asked first; `None` keeps the ladder's order.
    pub begin_with: Option<Tier>,
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
            order: parts.ladder.beginning_with(parts.begin_with),
            ladder: parts.ladder,
            backoff: parts.backoff,
            budget: parts.budget,
            observer: parts.observer,
            jitter: Mutex::new(parts.seed.for_purpose("jitter").generator()),
            call_limit: parts.call_limit,
            left: Mutex::default(),
            passed: Mutex::default(),
            slowest: Mutex::default(),
        }
    }

    /// Asks the best model that is left; moves down the ladder where one does not answer.
    pub async fn ask(
        &self,
        request: &ConverseRequest,
        deadline: Deadline,
    ) -> Result<ConverseReply, AskError> {
        let _call = self.budget.begin().map_err(AskError::Budget)?;
        let mut passed: Vec<(ModelId, Failure)> = Vec::new();
        loop {
            let Some(model) = self.current(&passed) else {
                return Err(self.no_model_left(passed.pop()));
            };
            match self.ask_one(&model, request, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(Unanswered::OutOfTime) => return Err(AskError::OutOfTime),
                Err(Unanswered::GivenUp(failure)) => self.give_up(&model, &failure),
                Err(Unanswered::NoPlace(failure)) => {
                    self.pass(&model, &failure);
                    passed.push((model, failure));
                }
            }
        }
    }

    /// Returns the models that this run has left, or passed over for want of a place, and why.
    pub fn left(&self) -> Vec<(ModelId, Failure)> {
        let mut left = locked(&self.left).clone();
        for (model, failure) in locked(&self.passed).iter() {
            if !left.iter().any(|(known, _)| known == model) {
                left.push((model.clone(), failure.clone()));
            }
        }
        left
    }

    /// Tells whether `calls` more requests would be sent before the deadline by the pace of the model that is asked
    /// now.
    pub fn has_room(&self, calls: u32, deadline: Deadline) -> bool {
        let Some(model) = self.current(&[]) else { return false };
        let time = deadline.time_left().saturating_sub(self.expected_call());
        self.ladder.entrance(&model).is_none_or(|entrance| entrance.room(calls, time) >= calls)
    }

    /// Returns what was spent so far.
    pub fn spent(&self) -> Spent {
        self.budget.spent()
    }

    /// Returns the time that one more call should be expected to take: the slowest so far, and no less than a call
    /// needs to be worth making.
    pub fn expected_call(&self) -> Duration {
        let slowest = *locked(&self.slowest);
        slowest.max(self.backoff.shortest_call)
    }

    /// Returns the first rung that is neither left by this run, nor passed over, nor known dead; notes those known dead.
    fn current(&self, passed: &[(ModelId, Failure)]) -> Option<ModelId> {
        for model in &self.order {
            if passed.iter().chain(locked(&self.left).iter()).any(|(left, _)| left == model) {
                continue;
            }
            match self.ladder.known_dead(model) {
                Some(failure) => self.leave(model, failure),
                None => return Some(model.clone()),
            }
        }
        None
    }

    /// Leaves a model, and where its failure is its provider's also the provider's other models.
    fn give_up(&self, model: &ModelId, failure: &Failure) {
        let mut leaving = vec![(model.clone(), failure.clone())];
        if remedy(failure.class, &failure.message) == Remedy::Stop {
            let others = self.ladder.models().filter(|other| other.provider() == model.provider());
            leaving.extend(others.filter(|other| *other != model).map(|other| {
                let not_asked = Failure {
                    model: Some(other.to_string()),
                    attempts: 0,
                    waited: Duration::ZERO,
                    ..failure.clone()
                };
                (other.clone(), not_asked)
            }));
        }
        self.leave_all(leaving);
    }

    fn leave(&self, model: &ModelId, failure: Failure) {
        self.leave_all(vec![(model.clone(), failure)]);
    }

    fn leave_all(&self, leaving: Vec<(ModelId, Failure)>) {
        let mut new = Vec::new();
        {
            let mut left = locked(&self.left);
            for (model, failure) in leaving {
                self.ladder.remember(&model, &failure);
                // Agents ask in parallel, so two may give the same rung up.
                if !left.iter().any(|(known, _)| *known == model) {
                    left.push((model.clone(), failure.clone()));
                    new.push((model, failure));
                }
            }
        }
        for (model, failure) in new {
            self.tell_left(&model, failure.to_string());
        }
    }

    /// Notes that a rung had no place for a request; told once a run.
    fn pass(&self, model: &ModelId, failure: &Failure) {
        {
            let mut passed = locked(&self.passed);
            if passed.iter().any(|(known, _)| known == model) {
                return;
            }
            passed.push((model.clone(), failure.clone()));
        }
        self.tell_left(model, failure.to_string());
    }

    fn tell_left(&self, model: &ModelId, reason: String) {
        let next = self.order.iter().find(|other| !self.left().iter().any(|(left, _)| left == *other));
        self.observer.emit(RunEvent::RungLeft {
            model: model.to_string(),
            reason,
            next: next.map(ToString::to_string),
        });
    }

    fn no_model_left(&self, passed: Option<(ModelId, Failure)>) -> AskError {
        let last = passed.or_else(|| locked(&self.left).last().cloned()).map(|(_, failure)| failure);
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

    /// Tries one model until it answers or is given up.
    async fn ask_one(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        deadline: Deadline,
    ) -> Result<ConverseReply, Unanswered> {
        let mut request = fit(request, model);
        let mut repairs = BTreeSet::new();
        let mut waited = Duration::ZERO;
        let mut attempt = 0;
        loop {
            attempt += 1;
            if deadline.time_left() < self.backoff.shortest_call {
                return Err(Unanswered::OutOfTime);
            }
            let place = match self.place(model, &request, deadline).await {
                Ok(place) => place,
                Err(NoPlace::OutOfTime) => return Err(Unanswered::OutOfTime),
                Err(none) => {
                    let message = self.why_no_place(model, none, deadline);
                    let failure = failure(model, throttled(message), attempt - 1, waited);
                    return Err(Unanswered::NoPlace(failure));
                }
            };
            waited += place.as_ref().map(|place| place.waited).unwrap_or_default();
            let outcome = self.call(model, &request, attempt, deadline, place).await;
            let repair = match &outcome {
                Ok(reply) => (reply.stop == StopReason::ContextExceeded).then_some(Repair::ShrinkInput),
                Err(error) => match remedy(error.class, &error.message) {
                    Remedy::Repair(repair) => Some(repair),
                    Remedy::Retry(_) | Remedy::NextRung | Remedy::Stop => None,
                },
            };
            // Each repair is tried once; where it changes nothing, the same would only be refused again.
            if let Some(repair) = repair
                && repairs.insert(repair)
                && self.mend(model, &mut request, repair, deadline).await
            {
                self.observer.emit(RunEvent::RequestRepaired {
                    agent: request.agent.clone(),
                    model: model.to_string(),
                    repair: repair.as_str().into(),
                });
                continue;
            }
            let error = match outcome {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            // The asker's own time ran out under the call, which says nothing against the model: others have more.
            if error.class == ErrorClass::TimedOut && deadline.time_left() < self.backoff.shortest_call {
                return Err(Unanswered::OutOfTime);
            }
            let jitter = locked(&self.jitter).f64();
            let time_left = deadline.time_left();
            let repaired = u32::try_from(repairs.len()).unwrap_or(u32::MAX);
            let asked = attempt.saturating_sub(repaired).max(1);
            match self.backoff.decide(asked, error.class, error.retry_after, time_left, jitter) {
                Decision::WaitFor(wait) => {
                    self.observer.emit(RunEvent::Waiting {
                        agent: request.agent.clone(),
                        model: model.to_string(),
                        wait,
                    });
                    tokio::time::sleep(wait).await;
                    waited += wait;
                    if error.class == ErrorClass::TimedOut {
                        // A shorter answer is ready sooner.
                        let shorter = (request.max_tokens / 2).max(SHORT_OUTPUT);
                        request.max_tokens = request.max_tokens.min(shorter);
                    }
                }
                Decision::GiveUp(_) => {
                    let spelled = self.ladder.spelling(model);
                    return Err(Unanswered::GivenUp(failure(&spelled, error, attempt, waited)));
                }
            }
        }
    }

    /// Waits for a place at the model's entrance.
    async fn place<'a>(
        &'a self,
        model: &ModelId,
        request: &ConverseRequest,
        deadline: Deadline,
    ) -> Result<Option<Place<'a>>, NoPlace> {
        let Some(entrance) = self.ladder.entrance(model) else { return Ok(None) };
        let tell = |wait| {
            self.observer.emit(RunEvent::Waiting {
                agent: request.agent.clone(),
                model: model.to_string(),
                wait,
            });
        };
        let place = entrance.enter(request, deadline, self.backoff.shortest_call, tell).await;
        self.ladder.tell_lost(&self.observer);
        place.map(Some)
    }

    /// Says why a request had no place: `its quota of 1 request a minute has the next place in 58 s, 12 s are left`.
    fn why_no_place(&self, model: &ModelId, none: NoPlace, deadline: Deadline) -> String {
        let quota = self.ladder.entrance(model).map(Entrance::quota).unwrap_or_default();
        let rates = [
            quota
                .requests
                .map(|most| format!("{most} {} a minute", if most == 1 { "request" } else { "requests" })),
            quota.tokens.map(|most| format!("{most} tokens a minute")),
        ];
        let rates = rates.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        match none {
            NoPlace::TooLate(wait) => format!(
                "its quota of {rates} has the next place in {} s, {} s are left",
                wait.as_secs_f64().ceil(),
                deadline.time_left().as_secs()
            ),
            NoPlace::TooLarge if quota.requests == Some(0) => "its quota lets no request through".to_owned(),
            NoPlace::TooLarge => format!("the request is larger than its quota of {rates}"),
            NoPlace::OutOfTime => "no time was left".to_owned(),
        }
    }

    /// Repairs a request, or the way to the model; tells whether anything is different now.
    async fn mend(
        &self,
        model: &ModelId,
        request: &mut ConverseRequest,
        wanted: Repair,
        deadline: Deadline,
    ) -> bool {
        match wanted {
            Repair::DropParameter | Repair::ShrinkInput | Repair::ToolChoiceAuto => changed(request, wanted),
            Repair::PrependProfile => self.find_profile(model, deadline).await,
        }
    }

    /// Finds the profile through which a model is called, and remembers it.
    async fn find_profile(&self, model: &ModelId, deadline: Deadline) -> bool {
        let limit = PROFILES_TIME.min(deadline.time_left());
        let listed = tokio::time::timeout(limit, self.model.profiles()).await;
        let listed = listed.unwrap_or_else(|_| Err(timed_out("no answer in the time given")));
        let profile = self.ladder.profile_for(model, listed.as_deref().ok());
        let Some(profile) = profile.filter(|profile| *profile != self.ladder.spelling(model)) else {
            return false;
        };
        if let Err(error) = listed {
            let why = shorten(&error.to_string());
            let message = format!(
                "the inference profiles cannot be listed ({why}); {profile} is guessed from the Region"
            );
            self.observer.emit(RunEvent::Warning { message });
        }
        self.ladder.spell(model, profile);
        true
    }

    async fn call(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        attempt: u32,
        deadline: Deadline,
        place: Option<Place<'_>>,
    ) -> Result<ConverseReply, ModelError> {
        let rung = model;
        let model = &self.ladder.spelling(rung);
        self.observer.emit(RunEvent::ModelCalled {
            agent: request.agent.clone(),
            turn: request.turn,
            model: model.to_string(),
            api: model.provider().operation().into(),
            attempt,
        });
        let watch = Stopwatch::start();
        let limit = self.call_limit.min(deadline.time_left());
        // The adapter bounds the call itself; this is the belt for one that does not.
        let answered = tokio::time::timeout(limit, self.model.converse(model, request, limit)).await;
        let result = answered.unwrap_or_else(|_| Err(timed_out("no answer in the time given")));
        let took = watch.elapsed();
        match (place, &result) {
            (Some(place), Ok(reply)) => place.answered(reply.usage).await,
            (Some(place), Err(error)) => place.failed(error).await,
            (None, _) => {}
        }
        match &result {
            Ok(reply) => {
                self.budget.charge(&request.agent, model, reply.usage, reply.recording.as_ref());
                let mut slowest = locked(&self.slowest);
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

/// Why one model did not answer.
enum Unanswered {
    /// No time is left for any model.
    OutOfTime,
    /// It was tried and is left for the rest of the run.
    GivenUp(Failure),
    /// Its quota has no place for this request in time.
    NoPlace(Failure),
}

fn failure(model: &ModelId, error: ModelError, attempts: u32, waited: Duration) -> Failure {
    Failure {
        class: error.class,
        operation: model.provider().operation().into(),
        model: Some(model.to_string()),
        attempts,
        waited,
        request_id: error.request_id,
        message: shorten(&error.message),
    }
}

fn timed_out(message: &str) -> ModelError {
    ModelError { class: ErrorClass::TimedOut, message: message.into(), request_id: None, retry_after: None }
}

fn throttled(message: String) -> ModelError {
    ModelError { class: ErrorClass::Throttled, message, request_id: None, retry_after: None }
}

/// What is behind these locks stays whole whatever a panic cut off.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Longest message that is kept: what the adapter keeps, so that a denial still names its resource and its reason.
const MESSAGE_CHARACTERS: usize = 600;

/// Shortens a provider's message to what fits a log line; it may quote the request, so it is redacted.
fn shorten(message: &str) -> String {
    let redacted = Redacted::new(message.trim());
    let mut short: String = redacted.as_str().chars().take(MESSAGE_CHARACTERS).collect();
    if short.len() < redacted.as_str().len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
