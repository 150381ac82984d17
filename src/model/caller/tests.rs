//! Backoff, fallback, budget and deadline, on a paused clock.

use std::collections::VecDeque;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::model::budget::{DayLeft, Limits};
use crate::model::pace::{Quota, Quotas};
use crate::model::{Content, Message, Speaker, ToolChoice, Tuning, Usage};
use crate::run::Stamped;

/// Answers from a list, per model; an empty list answers well.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<(ModelId, VecDeque<ErrorClass>)>>,
    takes: Duration,
}

impl Scripted {
    fn failing(model: &str, classes: &[ErrorClass]) -> Self {
        let script = Scripted::default();
        script.answers.lock().unwrap().push((ModelId::from(model), classes.iter().copied().collect()));
        script
    }

    fn and(self, model: &str, classes: &[ErrorClass]) -> Self {
        self.answers.lock().unwrap().push((ModelId::from(model), classes.iter().copied().collect()));
        self
    }
}

impl Model for Scripted {
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        _request: &'a ConverseRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        let class = {
            let mut answers = self.answers.lock().unwrap();
            answers.iter_mut().find(|(id, _)| id == model).and_then(|(_, classes)| classes.pop_front())
        };
        let takes = self.takes;
        async move {
            tokio::time::sleep(takes).await;
            match class {
                None => Ok(ConverseReply {
                    content: vec![Content::Text("answer".into())],
                    stop: StopReason::EndTurn,
                    usage: Usage { input: 10, output: 2, ..Usage::default() },
                    request_id: Some("request-1".into()),
                    recording: None,
                }),
                Some(class) => Err(ModelError {
                    class,
                    message: "the provider's words".into(),
                    request_id: Some("request-0".into()),
                    retry_after: None,
                }),
            }
        }
        .boxed()
    }
}

const PRIMARY: &str = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
const FALLBACK: &str = "us.anthropic.claude-sonnet-4-6";

fn request() -> ConverseRequest {
    ConverseRequest {
        agent: "supervisor".into(),
        turn: 1,
        system: "system".into(),
        messages: vec![Message { speaker: Speaker::User, content: vec![Content::Text("task".into())] }],
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        max_tokens: 100,
        tuning: Tuning::default(),
    }
}

fn caller(model: Scripted, ladder: &Arc<Ladder>) -> (Caller, Arc<Mutex<Vec<RunEvent>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let observer = Observer::new(vec![Arc::new(move |stamped: &Stamped| {
        sink.lock().unwrap().push(stamped.event.clone());
    })]);
    let caller = Caller::new(CallerParts {
        model: Arc::new(model),
        ladder: Arc::clone(ladder),
        begin_with: None,
        backoff: Backoff::default(),
        budget: Budget::new(Limits { cost_usd: 1.0, calls: 20, tokens: 100_000, day: DayLeft::default() }),
        observer,
        seed: Seed(7),
        call_limit: Duration::from_mins(2),
    });
    (caller, events)
}

fn ladder() -> Arc<Ladder> {
    Arc::new(Ladder::new([ModelId::from(PRIMARY), ModelId::from(FALLBACK)], 4, &Quotas::default()))
}

const MINUTES: Duration = Duration::from_mins(5);

#[tokio::test(start_paused = true)]
async fn throttled_three_times_then_fine_stays_on_the_model() {
    let (caller, events) = caller(Scripted::failing(PRIMARY, &[ErrorClass::Throttled; 3]), &ladder());
    assert!(caller.ask(&request(), Deadline::after(MINUTES)).await.is_ok());
    assert_eq!(caller.left(), Vec::new());
    let waits =
        events.lock().unwrap().iter().filter(|event| matches!(event, RunEvent::Waiting { .. })).count();
    assert_eq!(waits, 3);
}

#[tokio::test(start_paused = true)]
async fn a_retired_primary_is_left_at_once_and_asked_only_once_in_a_warm_container() {
    let ladder = ladder();
    let (first, _) = caller(Scripted::failing(PRIMARY, &[ErrorClass::EndOfLife]), &ladder);
    assert!(first.ask(&request(), Deadline::after(MINUTES)).await.is_ok());
    assert!(first.ask(&request(), Deadline::after(MINUTES)).await.is_ok());
    let left = first.left();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].1.class, left[0].1.attempts), (ErrorClass::EndOfLife, 1));

    // The next run of the same container: the primary would answer, and is not asked.
    let script = Scripted::failing(FALLBACK, &[]);
    let (second, events) = caller(script, &ladder);
    assert!(second.ask(&request(), Deadline::after(MINUTES)).await.is_ok());
    assert_eq!(second.left().len(), 1, "the reason is still told");
    let asked_primary = events
        .lock()
        .unwrap()
        .iter()
        .any(|event| matches!(event, RunEvent::ModelCalled { model, .. } if model == PRIMARY));
    assert!(!asked_primary);
}

#[tokio::test(start_paused = true)]
async fn throttled_for_ever_ends_with_attempts_and_waits_and_tries_the_next_model() {
    let script =
        Scripted::failing(PRIMARY, &[ErrorClass::Throttled; 9]).and(FALLBACK, &[ErrorClass::AccessDenied]);
    let (caller, events) = caller(script, &ladder());
    let error = caller.ask(&request(), Deadline::after(MINUTES)).await.unwrap_err();
    let AskError::NoModel(failure) = error else { panic!("{error:?}") };
    assert_eq!((failure.class, failure.attempts), (ErrorClass::AccessDenied, 1));
    let left = caller.left();
    assert_eq!(left[0].1.attempts, 5);
    assert!(left[0].1.waited > Duration::ZERO);
    let text = left[0].1.to_string();
    assert!(
        text.contains("throttled 5 times") && text.contains("Converse") && text.contains(PRIMARY),
        "{text}"
    );
    assert!(
        events.lock().unwrap().iter().any(|event| matches!(event, RunEvent::RungLeft { next: Some(_), .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn no_wait_and_no_call_outlasts_the_deadline() {
    for left in [1, 3, 8, 20] {
        let script = Scripted {
            takes: Duration::from_secs(2),
            ..Scripted::failing(PRIMARY, &[ErrorClass::Throttled; 9])
        };
        let (caller, _) = caller(script, &ladder());
        let deadline = Deadline::after(Duration::from_secs(left));
        let watch = Stopwatch::start();
        let _ = caller.ask(&request(), deadline).await;
        assert!(watch.elapsed() <= Duration::from_secs(left), "{left} s became {:?}", watch.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_model_is_cut_off_at_the_deadline() {
    let script = Scripted { takes: Duration::from_hours(1), ..Scripted::default() };
    let (caller, _) = caller(script, &ladder());
    let watch = Stopwatch::start();
    assert!(caller.ask(&request(), Deadline::after(Duration::from_secs(30))).await.is_err());
    assert!(watch.elapsed() <= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_log_proves_model_authentication_request_and_outcome() {
    let (caller, events) = caller(Scripted::default(), &ladder());
    caller.ask(&request(), Deadline::after(MINUTES)).await.unwrap();
    let events = events.lock().unwrap();
    assert!(
        matches!(&events[0], RunEvent::ModelCalled { model, api, .. } if model == PRIMARY && api == "Converse")
    );
    assert!(
        matches!(&events[1], RunEvent::ModelAnswered { request_id: Some(id), stop, .. } if id == "request-1" && stop == "end_turn")
    );
}

/// Lets so many requests a minute through and notes when each came.
struct Strict {
    quota: usize,
    takes: Duration,
    since: Stopwatch,
    /// When each request came, and whether it was let through.
    came: Mutex<Vec<(Duration, bool)>>,
}

impl Strict {
    fn new(quota: usize, takes: Duration) -> Arc<Self> {
        Arc::new(Strict { quota, takes, since: Stopwatch::start(), came: Mutex::default() })
    }
}

impl Model for Strict {
    fn converse<'a>(
        &'a self,
        _model: &'a ModelId,
        _request: &'a ConverseRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        let now = self.since.elapsed();
        let mut came = self.came.lock().unwrap();
        let recent = |(at, admitted): &&(Duration, bool)| *admitted && *at + Duration::from_mins(1) > now;
        let admitted = came.iter().filter(recent).count() < self.quota;
        came.push((now, admitted));
        async move {
            tokio::time::sleep(self.takes).await;
            if !admitted {
                return Err(throttled("Too many requests, please wait before trying again.".into()));
            }
            Ok(ConverseReply {
                content: vec![Content::Text("answer".into())],
                stop: StopReason::EndTurn,
                usage: Usage::default(),
                request_id: None,
                recording: None,
            })
        }
        .boxed()
    }
}

/// Several runs ask a strict model at once, for so many calls each, one after the other. Returns how many were
/// answered.
async fn ask_at_once(
    strict: &Arc<Strict>,
    ladder: &Arc<Ladder>,
    runs: u64,
    calls: u64,
    time: Duration,
) -> u64 {
    let deadline = Deadline::after(time);
    let work = (0..runs).map(|run| {
        let caller = Caller::new(CallerParts {
            model: Arc::<Strict>::clone(strict),
            ladder: Arc::clone(ladder),
            begin_with: None,
            backoff: Backoff::default(),
            budget: Budget::new(Limits {
                cost_usd: 1.0,
                calls: 99,
                tokens: 1_000_000,
                day: DayLeft::default(),
            }),
            observer: Observer::new(Vec::new()),
            seed: Seed(run),
            call_limit: Duration::from_mins(2),
        });
        async move {
            let mut answered = 0;
            for _ in 0..calls {
                answered += u64::from(caller.ask(&request(), deadline).await.is_ok());
            }
            answered
        }
    });
    futures::future::join_all(work).await.into_iter().sum()
}

fn known_rate(requests: Option<u32>) -> Arc<Ladder> {
    let mut quotas = Quotas::default();
    quotas.models.insert(ModelId::from(FALLBACK), Quota { requests, tokens: None });
    Arc::new(Ladder::new([ModelId::from(FALLBACK)], 4, &quotas))
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn with_a_known_rate_no_request_is_refused_and_all_are_answered_in_time(
        quota in 1_u32..8, runs in 1_u64..5, calls in 1_u64..5, takes in 1_u64..5_000,
    ) {
        paused().block_on(async {
            let strict = Strict::new(usize::try_from(quota).unwrap(), Duration::from_millis(takes));
            let time = Duration::from_hours(1);
            let answered = ask_at_once(&strict, &known_rate(Some(quota)), runs, calls, time).await;
            assert_eq!(answered, runs * calls);
            let came = strict.came.lock().unwrap();
            assert!(came.iter().all(|(_, admitted)| *admitted), "{came:?}");
        });
    }

    #[test]
    fn after_the_first_throttle_is_known_no_request_is_above_the_rate(
        quota in 1_u32..8, runs in 1_u64..5, calls in 1_u64..5, takes in 1_u64..5_000,
    ) {
        paused().block_on(async {
            let strict = Strict::new(usize::try_from(quota).unwrap(), Duration::from_millis(takes));
            // Less than the time after which a learned rate is forgotten.
            let _ = ask_at_once(&strict, &known_rate(None), runs, calls, Duration::from_mins(25)).await;
            let came = strict.came.lock().unwrap();
            let first = came.iter().find(|(_, admitted)| !admitted).map(|(at, _)| *at + strict.takes);
            let refused = came.iter().filter(|(at, admitted)| !admitted && first.is_some_and(|known| *at > known));
            assert_eq!(refused.count(), 0, "{came:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_place_in_time_goes_to_the_next_model_and_is_counted_against_none() {
    let quota = Quota { requests: Some(1), tokens: None };
    let quotas = Quotas { models: [(ModelId::from(PRIMARY), quota)].into(), ..Quotas::default() };
    let ladder = Arc::new(Ladder::new([ModelId::from(PRIMARY), ModelId::from(FALLBACK)], 4, &quotas));
    let (caller, events) = caller(Scripted::default(), &ladder);
    for _ in 0..3 {
        caller.ask(&request(), Deadline::after(Duration::from_secs(30))).await.unwrap();
    }
    let calls = caller.spent().calls;
    assert_eq!((calls[&ModelId::from(PRIMARY)], calls[&ModelId::from(FALLBACK)]), (1, 2));
    let left = caller.left();
    assert_eq!(left.len(), 1);
    let expected = format!(
        "{PRIMARY} over its rate (Converse: its quota of 1 request a minute has the next place in 63 s, 30 s are left)"
    );
    assert_eq!(left[0].1.to_string(), expected);
    let told =
        |event: &&RunEvent| matches!(event, RunEvent::RungLeft { next: Some(next), .. } if next == FALLBACK);
    assert_eq!(events.lock().unwrap().iter().filter(told).count(), 1);
    // With more time it waits for its place instead.
    caller.ask(&request(), Deadline::after(MINUTES)).await.unwrap();
    assert_eq!(caller.spent().calls[&ModelId::from(PRIMARY)], 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_may_begin_with_the_fast_models() {
    let haiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let models = [PRIMARY, FALLBACK, haiku].map(ModelId::from);
    let ladder = Ladder::new(models, 4, &Quotas::default());
    assert_eq!(ladder.beginning_with(Some(Tier::Fast)), [haiku, PRIMARY, FALLBACK].map(ModelId::from));
    assert_eq!(ladder.beginning_with(None), [PRIMARY, FALLBACK, haiku].map(ModelId::from));
}
