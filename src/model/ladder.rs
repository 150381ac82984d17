//! The models in the order in which they are tried, and what is known about those that did not answer.
//!
//! A rung that is dead (retired or unknown: for good; denied: for 15 minutes) is remembered while the process lives, so
//! that a warm container asks it once; with a store it is asked once a day by all of them. A rung that was throttled is
//! left for one run only.

pub mod plan;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::clock::{Clock, Deadline, Timestamp};
use crate::model::catalogue::Tier;
use crate::model::entrance::Entrance;
use crate::model::ladder::plan::Plan;
use crate::model::pace::Quotas;
use crate::model::{ErrorClass, Failure, Model, ModelId, catalogue, quota};
use crate::run::{Observer, RunEvent};
use crate::store::{Store, StoreError, update};

/// The configured models, best first.
pub struct Ladder {
    rungs: Vec<Rung>,
    dead: Mutex<BTreeMap<ModelId, Dead>>,
    /// What the processes share, where they do.
    store: Option<Arc<dyn Store>>,
    /// The provider's minute: shorter only against an emulator.
    minute: Duration,
    /// Profiles that stand for rungs which refused to be called by their own id.
    spelled: Mutex<BTreeMap<ModelId, ModelId>>,
    /// Region of Bedrock, and whether a profile may be global; empty and false where the ladder was not planned.
    region: String,
    allow_global: bool,
    /// Set once the account was asked for its quotas, whatever came of it.
    quotas_asked: OnceCell<()>,
}

#[derive(Debug)]
struct Rung {
    model: ModelId,
    /// Why it stands here, as the plan says.
    reason: String,
    entrance: Entrance,
}

/// A rung that does not answer, as the process remembers it.
#[derive(Debug, Clone)]
struct Dead {
    failure: Failure,
    /// Until when; `None` for the life of the process.
    until: Option<Deadline>,
    /// Whether other processes know it.
    told: bool,
}

/// The same as the store keeps it.
#[derive(Default, Serialize, Deserialize)]
struct DeadElsewhere {
    failure: Option<Failure>,
    until: Option<Timestamp>,
}

impl std::fmt::Debug for Ladder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ladder({:?})", self.models().collect::<Vec<_>>())
    }
}

impl Ladder {
    /// Returns a ladder of the primary and its fallbacks, each with its pace; repetitions are dropped.
    pub fn new(models: impl IntoIterator<Item = ModelId>, widest: u32, quotas: &Quotas) -> Self {
        let mut rungs: Vec<Rung> = Vec::new();
        for model in models {
            if !rungs.iter().any(|rung| rung.model == model) {
                let entrance = Entrance::new(&model, widest, quotas.of(&model), quotas.minute);
                rungs.push(Rung { model, reason: String::new(), entrance });
            }
        }
        Ladder {
            rungs,
            dead: Mutex::default(),
            store: None,
            minute: quotas.minute,
            spelled: Mutex::default(),
            region: String::new(),
            allow_global: false,
            quotas_asked: OnceCell::new(),
        }
    }

    /// Shares pace and dead rungs with the other processes that use the store.
    #[must_use]
    pub fn sharing(mut self, store: &Arc<dyn Store>) -> Self {
        for rung in &mut self.rungs {
            rung.entrance.share(Arc::clone(store), &rung.model, self.minute);
        }
        self.store = Some(Arc::clone(store));
        self
    }

    /// Learns what other processes know: dead rungs, what they have sent and what they were refused.
    pub async fn read_shared(&self, observer: &Observer) {
        let Some(store) = &self.store else { return };
        let looks = self.rungs.iter().map(|rung| rung.entrance.look());
        let keys: Vec<String> = self.models().map(dead_item).collect();
        let (_, read) = futures::join!(futures::future::join_all(looks), store.read(&keys));
        self.tell_lost(observer);
        let items = match read {
            Ok(items) => items,
            Err(error) => return Self::not_shared(observer, &error),
        };
        let now = Clock::Wall.now();
        for (rung, item) in self.rungs.iter().zip(items) {
            let known = item.and_then(|item| serde_json::from_value::<DeadElsewhere>(item.value).ok());
            let Some(DeadElsewhere { failure: Some(failure), until: Some(until) }) = known else { continue };
            let Ok(left) = Duration::try_from(until.duration_since(now)) else { continue };
            if self.known_dead(&rung.model).is_none() {
                let dead = Dead { failure, until: Some(Deadline::after(left)), told: true };
                self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(rung.model.clone(), dead);
            }
        }
    }

    /// Tells other processes of the rungs that were found dead here.
    pub async fn tell_dead(&self, observer: &Observer) {
        let Some(store) = &self.store else { return };
        let untold: Vec<(ModelId, Failure)> = {
            let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
            let untold = dead.iter_mut().filter(|(_, dead)| !dead.told);
            let told = |(model, dead): (&ModelId, &mut Dead)| {
                dead.told = true;
                (model.clone(), dead.failure.clone())
            };
            untold.map(told).collect()
        };
        for (model, failure) in untold {
            let kept = memory(failure.class).unwrap_or_default().min(DEAD_KEPT);
            let until = Clock::Wall.now().checked_add(kept).ok();
            let item = dead_item(&model);
            let told = update(store.as_ref(), &item, kept, |dead: &mut DeadElsewhere| {
                *dead = DeadElsewhere { failure: Some(failure.clone()), until };
            });
            if let Err(error) = told.await {
                Self::not_shared(observer, &error);
            }
        }
    }

    /// Tells that the common pace was not kept, once each time.
    pub(crate) fn tell_lost(&self, observer: &Observer) {
        for lost in self.rungs.iter().filter_map(|rung| rung.entrance.take_lost()) {
            Self::not_shared(observer, &lost);
        }
    }

    fn not_shared(observer: &Observer, error: &StoreError) {
        let message =
            format!("the store did not answer, pace and dead models are this container's own: {error}");
        observer.emit(RunEvent::Warning { message });
    }

    /// Asks the account what it lets through of each model, once a process: what is listed paces the rungs, where the
    /// configuration does not. Where nothing comes in `limit`, the rates are learned from refusals instead.
    pub async fn read_quotas(&self, model: &dyn Model, limit: Duration, observer: &Observer) {
        let ask = async {
            let listed = tokio::time::timeout(limit, model.quotas()).await;
            let why = match listed {
                Ok(Ok(listed)) => {
                    for rung in &self.rungs {
                        rung.entrance.list(quota::of(&rung.model, &listed));
                    }
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer in {} s", limit.as_secs()),
            };
            let message =
                format!("the account's quotas could not be read, rates are learned from refusals: {why}");
            observer.emit(RunEvent::Warning { message });
        };
        self.quotas_asked.get_or_init(|| ask).await;
    }

    /// Returns the ladder of a plan.
    pub fn planned(plan: &Plan, widest: u32, quotas: &Quotas) -> Self {
        let models = plan.rungs.iter().map(|rung| rung.model.clone());
        let mut ladder = Ladder {
            region: plan.region.clone(),
            allow_global: plan.allow_global,
            ..Ladder::new(models, widest, quotas)
        };
        for (rung, planned) in ladder.rungs.iter_mut().zip(&plan.rungs) {
            rung.reason.clone_from(&planned.reason);
        }
        ladder
    }

    /// Returns every model, best first.
    pub fn models(&self) -> impl Iterator<Item = &ModelId> {
        self.rungs.iter().map(|rung| &rung.model)
    }

    /// Returns every model with the reason for which it stands there, best first.
    pub fn reasons(&self) -> impl Iterator<Item = (&ModelId, &str)> {
        self.rungs.iter().map(|rung| (&rung.model, rung.reason.as_str()))
    }

    /// Returns every model in the order of one run: those of the tier that it begins with, then the others.
    pub fn beginning_with(&self, tier: Option<Tier>) -> Vec<ModelId> {
        let mut models: Vec<ModelId> = self.models().cloned().collect();
        models.sort_by_key(|model| tier.is_some_and(|tier| Tier::of(model) != tier));
        models
    }

    /// Returns the way to a model.
    pub fn entrance(&self, model: &ModelId) -> Option<&Entrance> {
        self.rungs.iter().find(|rung| &rung.model == model).map(|rung| &rung.entrance)
    }

    /// Returns the first model of which an answer can be expected: neither known dead nor retired by
    /// `today` (`2026-11-24`). It may be asked all the same; what a run plans does not count on it.
    pub fn expected(&self, today: &str) -> Option<&ModelId> {
        let retired = |model: &ModelId| {
            let day = catalogue::entry(model).and_then(|row| row.retired.as_deref());
            day.is_some_and(|day| day <= today)
        };
        self.models().find(|model| self.known_dead(model).is_none() && !retired(model))
    }

    /// Returns what a rung is called by: itself, or the profile that was found to hold it.
    pub(crate) fn spelling(&self, model: &ModelId) -> ModelId {
        let spelled = self.spelled.lock().unwrap_or_else(PoisonError::into_inner);
        spelled.get(model).unwrap_or(model).clone()
    }

    /// Remembers the profile by which a rung is called, for the life of the process.
    pub(crate) fn spell(&self, model: &ModelId, profile: ModelId) {
        self.spelled.lock().unwrap_or_else(PoisonError::into_inner).insert(model.clone(), profile);
    }

    /// Returns the profile that holds a model: one of those that the account has, or where that list could not be read
    /// the likeliest of the Region's geography.
    pub(crate) fn profile_for(&self, model: &ModelId, profiles: Option<&[String]>) -> Option<ModelId> {
        match profiles {
            Some(profiles) => plan::profile_among(model, &self.region, self.allow_global, profiles),
            None => plan::profile_guessed(model, &self.region),
        }
    }

    /// Returns why a model is known dead, if it is.
    pub fn known_dead(&self, model: &ModelId) -> Option<Failure> {
        let dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let Dead { failure, until, .. } = dead.get(model)?;
        let over = until.is_some_and(|until| until.time_left().is_zero());
        (!over).then(|| failure.clone())
    }

    /// Remembers that a model is dead, where its failure is of a kind that lasts.
    pub fn remember(&self, model: &ModelId, failure: &Failure) {
        // What is remembered keeps its first moment: a run that heeds it learns nothing new.
        if let Some(memory) = memory(failure.class)
            && self.known_dead(model).is_none()
        {
            let until = (memory < Duration::MAX).then(|| Deadline::after(memory));
            let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
            dead.insert(model.clone(), Dead { failure: failure.clone(), until, told: false });
        }
    }
}

/// How long other processes are told of a dead rung: then one of them tries it again.
const DEAD_KEPT: Duration = Duration::from_hours(24);

fn dead_item(model: &ModelId) -> String {
    format!("rung#{model}")
}

/// How long a failure is remembered; `None` where it says nothing beyond the run.
///
/// A permission can be granted and a subscription can come through (Bedrock: within 15 minutes) while the container
/// lives; an id does not become valid.
fn memory(class: ErrorClass) -> Option<Duration> {
    match class {
        ErrorClass::EndOfLife | ErrorClass::NeedsProfile | ErrorClass::InvalidIdentifier => {
            Some(Duration::MAX)
        }
        ErrorClass::AccessDenied | ErrorClass::NotEnabled => Some(Duration::from_mins(15)),
        ErrorClass::Throttled
        | ErrorClass::DailyQuota
        | ErrorClass::Unavailable
        | ErrorClass::TimedOut
        | ErrorClass::ModelFailed
        | ErrorClass::Credentials
        | ErrorClass::InputTooLong
        | ErrorClass::InvalidRequest
        | ErrorClass::Unreachable
        | ErrorClass::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;
    use crate::model::pace::Quota;
    use crate::model::quota::ListedQuota;
    use crate::model::{ConverseReply, ConverseRequest, ModelError};
    use crate::run::Stamped;

    fn failure(class: ErrorClass) -> Failure {
        Failure {
            class,
            operation: "Converse".into(),
            model: None,
            attempts: 1,
            waited: Duration::ZERO,
            request_id: None,
            message: String::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_can_be_lifted_is_forgotten_after_a_quarter_of_an_hour_and_an_end_of_life_never() {
        let [denied, subscribing, retired, busy] = ["a", "b", "c", "d"].map(ModelId::from);
        let ladder = Ladder::new([denied.clone(), retired.clone()], 4, &Quotas::default());
        ladder.remember(&denied, &failure(ErrorClass::AccessDenied));
        ladder.remember(&subscribing, &failure(ErrorClass::NotEnabled));
        ladder.remember(&retired, &failure(ErrorClass::EndOfLife));
        ladder.remember(&busy, &failure(ErrorClass::Throttled));
        assert_eq!(ladder.known_dead(&busy), None);
        tokio::time::advance(Duration::from_mins(14)).await;
        // Heeding it again does not make it last longer.
        ladder.remember(&denied, &failure(ErrorClass::AccessDenied));
        assert!(ladder.known_dead(&denied).is_some() && ladder.known_dead(&subscribing).is_some());
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!((ladder.known_dead(&denied), ladder.known_dead(&subscribing)), (None, None));
        assert!(ladder.known_dead(&retired).is_some());
    }

    #[tokio::test]
    async fn a_rung_that_one_process_finds_dead_is_passed_over_by_the_others_and_says_why() {
        let store: Arc<dyn Store> = Arc::new(crate::store::memory::MemoryStore::default());
        let [retired, denied, busy] = ["a", "b", "c"].map(ModelId::from);
        let ladder = || {
            Ladder::new([retired.clone(), denied.clone(), busy.clone()], 4, &Quotas::default())
                .sharing(&store)
        };
        let (one, other) = (ladder(), ladder());
        let observer = Observer::new(Vec::new());
        one.remember(&retired, &failure(ErrorClass::EndOfLife));
        one.remember(&denied, &failure(ErrorClass::AccessDenied));
        one.remember(&busy, &failure(ErrorClass::Throttled));
        one.tell_dead(&observer).await;
        assert_eq!(other.known_dead(&retired), None);
        other.read_shared(&observer).await;
        assert_eq!(other.known_dead(&retired), Some(failure(ErrorClass::EndOfLife)));
        assert_eq!(other.known_dead(&denied), Some(failure(ErrorClass::AccessDenied)));
        assert_eq!(other.known_dead(&busy), None);
        // What was learned from the store is not told to it again.
        let key = [dead_item(&retired)];
        let before = store.read(&key).await.unwrap();
        other.tell_dead(&observer).await;
        assert_eq!(store.read(&key).await.unwrap(), before);
    }

    /// Lists its quotas after a while, or refuses to.
    struct Lists(Result<Vec<ListedQuota>, ModelError>, Duration);

    impl Model for Lists {
        fn converse<'a>(
            &'a self,
            _model: &'a ModelId,
            _request: &'a ConverseRequest,
            _time_limit: Duration,
        ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
            Box::pin(std::future::pending())
        }

        fn quotas(&self) -> BoxFuture<'_, Result<Vec<ListedQuota>, ModelError>> {
            Box::pin(async {
                tokio::time::sleep(self.1).await;
                self.0.clone()
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn listed_quotas_pace_what_the_configuration_leaves_open_and_are_asked_once() {
        let quota = |unit: &str, value| ListedQuota {
            name: format!("Cross-Region model inference {unit} per minute for Amazon Nova Pro"),
            code: "L-00000000".into(),
            value,
            adjustable: true,
        };
        let listed = vec![quota("requests", 3.0), quota("tokens", 50_000.0)];
        let denied = ModelError {
            class: ErrorClass::AccessDenied,
            message: "not authorized".into(),
            request_id: None,
            retry_after: None,
        };
        let model = ModelId::from("us.amazon.nova-pro-v1:0");
        let configured = Quota { requests: None, tokens: Some(9_000) };
        let quotas = Quotas { models: BTreeMap::from([(model.clone(), configured)]), ..Quotas::default() };
        let limit = Duration::from_secs(5);
        for (lists, known, warning) in [
            (Lists(Ok(listed.clone()), limit / 2), Some(3), None),
            (Lists(Ok(listed), limit * 2), None, Some("no answer in 5 s")),
            (Lists(Err(denied), Duration::ZERO), None, Some("not authorized")),
            (Lists(Ok(Vec::new()), Duration::ZERO), None, None),
        ] {
            let ladder = Ladder::new([model.clone()], 4, &quotas);
            let told = Arc::new(Mutex::new(Vec::new()));
            let heard = Arc::clone(&told);
            let hear = move |stamped: &Stamped| heard.lock().unwrap().push(stamped.event.clone());
            let observer = Observer::new(vec![Arc::new(hear)]);
            for _ in 0..2 {
                ladder.read_quotas(&lists, limit, &observer).await;
            }
            let in_force = ladder.entrance(&model).unwrap().quota();
            assert_eq!(in_force, Quota { requests: known, tokens: Some(9_000) });
            let told = told.lock().unwrap();
            match (warning, told.as_slice()) {
                (None, []) => {}
                (Some(words), [RunEvent::Warning { message }]) => {
                    assert!(message.contains(words), "{message}");
                }
                _ => panic!("{told:?}"),
            }
        }
    }

    #[test]
    fn a_model_counts_as_retired_from_its_day_on() {
        let [old, next] =
            ["anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-pro-v1:0"].map(ModelId::from);
        let day = catalogue::entry(&old).and_then(|row| row.retired.clone()).unwrap();
        let ladder = Ladder::new([old.clone(), next.clone()], 4, &Quotas::default());
        assert_eq!(ladder.expected("2025-01-01"), Some(&old));
        assert_eq!(ladder.expected(&day), Some(&next));
    }
}
