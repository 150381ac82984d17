//! The handler under a paused clock: two deliveries at once, a try that was cut off, agents and channels that hang.

mod self_check;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::alarm::AlarmSnapshot;
use crate::config::Layers;
use crate::delivery::{DeliveryError, Post};
use crate::evidence::{MetricId, Series, Status};
use crate::gather::telemetry::{
    FunctionState, LogGroup, LogPage, LogRequest, MetricsRequest, TelemetryError,
};
use crate::id::{EventKey, SeriesKey};
use crate::investigation::depth::Depth;
use crate::model::ModelId;
use crate::model::pace::Quota;
use crate::model::{Content, ConverseReply, ConverseRequest, ModelError, StopReason, Usage};
use crate::report::terminal;
use crate::run::Receipt;
use crate::store::day::{self, DaySpent};
use crate::store::memory::MemoryStore;
use crate::store::{Begin, Change, Item, StoreError};

/// An account in which nothing can be read but a function without versions.
struct Unreadable;

fn unreadable<T: Send + 'static>(operation: &'static str) -> BoxFuture<'static, Result<T, TelemetryError>> {
    let error = TelemetryError { status: Status::Failed, operation, reason: "out of order".to_owned() };
    Box::pin(async move { Err(error) })
}

impl Telemetry for Unreadable {
    fn metrics<'a>(&'a self, _: &'a MetricsRequest) -> BoxFuture<'a, Result<Vec<Series>, TelemetryError>> {
        unreadable("cloudwatch:GetMetricData")
    }

    fn list_metrics<'a>(&'a self, _: &'a MetricId) -> BoxFuture<'a, Result<Vec<MetricId>, TelemetryError>> {
        unreadable("cloudwatch:ListMetrics")
    }

    fn alarm<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<AlarmSnapshot>, TelemetryError>> {
        unreadable("cloudwatch:DescribeAlarms")
    }

    fn log_group<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<LogGroup>, TelemetryError>> {
        unreadable("logs:DescribeLogGroups")
    }

    fn log_events<'a>(&'a self, _: &'a LogRequest) -> BoxFuture<'a, Result<LogPage, TelemetryError>> {
        unreadable("logs:FilterLogEvents")
    }

    fn function<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<FunctionState>, TelemetryError>> {
        Box::pin(async { Ok(Some(FunctionState::default())) })
    }
}

/// Says that nothing can be seen; the agents named never get an answer.
struct Honest {
    silent: &'static [&'static str],
    asked: Mutex<Vec<(String, u32)>>,
}

impl Honest {
    fn but_silent_for(silent: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Honest { silent, asked: Mutex::default() })
    }

    /// Returns how often an agent was asked.
    fn asked(&self, agent: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == agent).count()
    }
}

impl Model for Honest {
    fn converse<'a>(
        &'a self,
        _model: &'a ModelId,
        request: &'a ConverseRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        self.asked.lock().unwrap().push((request.agent.clone(), request.turn));
        Box::pin(async move {
            if self.silent.contains(&request.agent.as_str()) {
                return std::future::pending().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let tool = request.tools.last().unwrap().name.clone();
            let input = match tool.as_str() {
                "plan_investigation" => json!({"specialists": [
                    {"role": "metrics", "brief": "Look."},
                    {"role": "logs", "brief": "Look."},
                    {"role": "changes", "brief": "Look."},
                ]}),
                "submit_conclusion" => json!({
                    "statement": {"text": "No new version was seen.", "kind": "context",
                                  "citations": [{"evidence": "C1"}]},
                    "claims": [], "next_steps": [], "not_visible": ["everything"],
                }),
                _ => json!({"claims": [], "not_visible": ["what was asked for"]}),
            };
            Ok(ConverseReply {
                content: vec![Content::ToolUse { id: "call".to_owned(), name: tool, input }],
                stop: StopReason::ToolUse,
                usage: Usage { input: 1_000, output: 200, ..Usage::default() },
                request_id: None,
                recording: None,
            })
        })
    }
}

/// Takes every report after the given time.
struct Shelf {
    takes: Duration,
    documents: Mutex<Vec<Document>>,
}

impl Channel for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            tokio::time::sleep(self.takes).await;
            self.documents.lock().unwrap().push(post.document.clone());
            Ok(Receipt { channel: "shelf".to_owned(), reference: None, note: None, facts: false })
        })
    }
}

fn shelf(takes: Duration) -> Arc<Shelf> {
    Arc::new(Shelf { takes, documents: Mutex::default() })
}

fn services(model: Arc<Honest>, shelf: Arc<Shelf>) -> Services {
    let mut config = Config::load(&Layers::default()).unwrap();
    // There is little to read in this account, so an automatic run would be brief.
    config.depth = Some(Depth::Full);
    Services {
        clock: Clock::Fixed("2026-11-24T03:05:30Z".parse().unwrap()),
        seed: Some(Seed(7)),
        telemetry: Arc::new(Unreadable),
        model: Some(model),
        ladder: Arc::new(Ladder::new(config.models.iter().cloned(), config.max_concurrent, &config.quotas)),
        channels: vec![shelf],
        store: Arc::new(MemoryStore::default()),
        observer: Observer::new(Vec::new()),
        config,
    }
}

/// The services of an account that a test brings itself.
pub(super) fn services_of(telemetry: Arc<dyn Telemetry>) -> Services {
    Services { telemetry, ..services(Honest::but_silent_for(&[]), shelf(Duration::ZERO)) }
}

fn event() -> Vec<u8> {
    let text = include_str!("../../events/sns-metric-alarm.json");
    let event: Value = serde_json::from_str(text).unwrap();
    event.to_string().into_bytes()
}

const LAMBDA_TIME: Duration = Duration::from_mins(5);

#[tokio::test(start_paused = true)]
async fn of_two_deliveries_of_one_event_at_once_one_works_and_the_other_waits_for_its_report() {
    let shelf = shelf(Duration::from_secs(1));
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let (event, deadline) = (event(), Deadline::after(LAMBDA_TIME));
    let (one, other) =
        futures::join!(handle(&event, deadline, &services), handle(&event, deadline, &services));
    assert_eq!(one.unwrap().runs[0].outcome, "cannot_be_shown");
    assert_eq!(other.unwrap().runs[0].outcome, "already_reported");
    assert_eq!(shelf.documents.lock().unwrap().len(), 1);
    // With too little time to go on where the other one may die, it is given back.
    let short = Deadline::after(Duration::from_secs(30));
    let other_event = event_of(&[("slow", "fn-1", 1)]);
    let (_, refused) =
        futures::join!(handle(&other_event, deadline, &services), handle(&other_event, short, &services));
    assert_eq!(refused.unwrap_err(), HandlerError::InProgress { alarm: "slow".to_owned() });
    // Delivered once more, it finds the work done.
    let again = handle(&event, deadline, &services).await.unwrap();
    assert_eq!(again.runs[0].outcome, "already_reported");
    assert_eq!(shelf.documents.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_process_that_died_early_lambdas_next_try_may_work() {
    let shelf = shelf(Duration::from_secs(1));
    let services = services(Honest::but_silent_for(&["supervisor"]), Arc::clone(&shelf));
    let (event, died) = (event(), AtomicBool::new(false));
    // The process runs out of memory: the run is dropped where it stands and gives nothing back.
    tokio::select! {
        biased;
        () = tokio::time::sleep(Duration::from_secs(20)) => died.store(true, Ordering::SeqCst),
        _ = handle(&event, Deadline::after(LAMBDA_TIME), &services) => {}
    }
    assert!(died.load(Ordering::SeqCst));
    // The next try waits for a sign of life, and works when there is none.
    let watch = Stopwatch::start();
    let next = handle(&event, Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    assert_eq!((next.runs[0].delivered.len(), next.runs[0].outcome.as_str()), (1, "facts_only"));
    assert!(watch.elapsed() > Duration::from_secs(30), "{:?}", watch.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_long_run_keeps_its_lease_for_as_long_as_it_lives() {
    let shelf = shelf(Duration::from_secs(1));
    let services = services(Honest::but_silent_for(&["supervisor"]), Arc::clone(&shelf));
    let event = event();
    let second = async {
        tokio::time::sleep(Duration::from_mins(3)).await;
        handle(&event, Deadline::after(LAMBDA_TIME), &services).await
    };
    let (first, second) = futures::join!(handle(&event, Deadline::after(LAMBDA_TIME), &services), second);
    assert_eq!(second.unwrap().runs[0].outcome, "already_reported");
    assert_eq!(first.unwrap().runs[0].delivered.len(), 1);
    assert_eq!(shelf.documents.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_recovery_of_an_alarm_of_the_same_event_is_waited_for() {
    let shelf = shelf(Duration::ZERO);
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let deadline = || Deadline::after(LAMBDA_TIME);
    let both = event_of(&[("errors", "fn-1", 1), ("latency", "fn-1", 9)]);
    let response = handle(&both, deadline(), &services).await.unwrap();
    assert_eq!(outcomes(&response), [("errors", "cannot_be_shown"), ("latency", "merged")]);
    let of_other = recovered(&event_of(&[("latency", "fn-1", 30)]));
    let response = handle(&of_other, deadline(), &services).await.unwrap();
    assert_eq!(outcomes(&response), [("latency", "recovered_with_incident")]);
    // Nobody can say that the other one is over: its state cannot be read in this account.
    let of_first = recovered(&event_of(&[("errors", "fn-1", 31)]));
    let response = handle(&of_first, deadline(), &services).await.unwrap();
    assert_eq!(outcomes(&response), [("errors", "state_change")]);
    let card = terminal::render(shelf.documents.lock().unwrap().last().unwrap(), false);
    assert!(card.contains("latency"), "{card}");
}

#[tokio::test(start_paused = true)]
async fn one_specialist_that_never_hears_back_does_not_cost_the_others_their_conclusion() {
    let model = Honest::but_silent_for(&["metrics"]);
    let shelf = shelf(Duration::ZERO);
    let services = services(Arc::clone(&model), shelf);
    let response = handle(&event(), Deadline::after(Duration::from_mins(1)), &services).await.unwrap();
    let run = &response.runs[0];
    let document = run.document.as_ref().unwrap();
    assert_eq!(run.outcome, "cannot_be_shown", "{}", terminal::render(document, false));
    // Once for the plan and once for the conclusion.
    assert_eq!(model.asked("supervisor"), 2);
    assert_eq!(document.data["models_given_up"], json!([]), "its own time ran out, not the model's");
    let agents = document.data["agents"].to_string();
    assert!(agents.contains("no time was left for a model call"), "{agents}");
}

#[tokio::test(start_paused = true)]
async fn models_that_never_answer_leave_a_report_before_the_deadline() {
    let model = Honest::but_silent_for(&["supervisor", "metrics", "logs", "changes", "reviewer"]);
    for time in [20, 30, 60, 300, 900].map(Duration::from_secs) {
        let shelf = shelf(Duration::ZERO);
        let services = services(Arc::clone(&model), Arc::clone(&shelf));
        let handled = tokio::time::timeout(time, handle(&event(), Deadline::after(time), &services)).await;
        let response = handled.unwrap().unwrap();
        assert_eq!(response.runs[0].outcome, "facts_only", "{time:?}");
        assert_eq!(shelf.documents.lock().unwrap().len(), 1, "{time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_is_given_up_before_the_deadline() {
    let shelf = shelf(Duration::from_hours(1));
    let services = services(Honest::but_silent_for(&[]), shelf);
    let time = Duration::from_mins(1);
    let handled = tokio::time::timeout(time, handle(&event(), Deadline::after(time), &services)).await;
    let error = handled.unwrap().unwrap_err();
    assert!(matches!(error, HandlerError::Undelivered { .. }), "{error}");
}

/// An event with a record for each alarm: name, function, second of the change.
fn event_of(alarms: &[(&str, &str, u32)]) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(&event()).unwrap();
    let template = event["Records"][0].clone();
    let records = alarms.iter().map(|(name, function, second)| {
        let mut record = template.clone();
        let message = record["Sns"]["Message"].as_str().unwrap();
        let message = message.replace("invoice-render-errors", name).replace("invoice-render", function);
        let mut message: Value = serde_json::from_str(&message).unwrap();
        let (minute, second) = (5 + second / 60, second % 60);
        message["StateChangeTime"] = json!(format!("2026-11-24T03:{minute:02}:{second:02}.704+0000"));
        if *name == "early" {
            let reason = message["NewStateReason"].as_str().unwrap().replace("03:02:00", "02:58:00");
            message["NewStateReason"] = json!(reason);
        }
        record["Sns"]["Message"] = json!(message.to_string());
        record
    });
    event["Records"] = records.collect();
    event.to_string().into_bytes()
}

fn outcomes(response: &Response) -> Vec<(&str, &str)> {
    response.runs.iter().map(|run| (run.alarm.as_str(), run.outcome.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn alarms_of_several_resources_run_at_once() {
    let shelf = shelf(Duration::ZERO);
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let took = |event: Vec<u8>| {
        let services = &services;
        async move {
            let watch = Stopwatch::start();
            handle(&event, Deadline::after(LAMBDA_TIME), services).await.unwrap();
            watch.elapsed()
        }
    };
    let one = took(event_of(&[("first", "fn-0", 1)])).await;
    let three = took(event_of(&[("a", "fn-1", 1), ("b", "fn-2", 1), ("c", "fn-3", 1)])).await;
    assert!(three < 2 * one, "{three:?} for three, {one:?} for one");
    assert_eq!(shelf.documents.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn related_alarms_are_investigated_once_named_on_the_card_and_each_recorded() {
    let shelf = shelf(Duration::ZERO);
    let model = Honest::but_silent_for(&[]);
    let services = services(Arc::clone(&model), Arc::clone(&shelf));
    let event = event_of(&[("errors", "fn-1", 1), ("latency", "fn-1", 9), ("other", "fn-2", 1)]);
    let response = handle(&event, Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    let expected = [("errors", "cannot_be_shown"), ("latency", "merged"), ("other", "cannot_be_shown")];
    assert_eq!(outcomes(&response), expected);
    assert_eq!(response.runs[1].run_id, response.runs[0].run_id);
    assert_eq!(response.runs[1].delivered, response.runs[0].delivered);
    let cards: Vec<String> =
        shelf.documents.lock().unwrap().iter().map(|document| terminal::render(document, false)).collect();
    assert_eq!(cards.len(), 2);
    assert_eq!(cards.iter().filter(|card| card.contains("Also firing: latency")).count(), 1, "{cards:?}");
    // Delivered again, each finds itself dealt with.
    let again = handle(&event, Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    let reported = ["errors", "latency", "other"].map(|name| (name, "already_reported"));
    assert_eq!(outcomes(&again), reported);
    assert_eq!(shelf.documents.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_neighbour_was_reported_before_is_linked_unless_its_metric_moved_first() {
    let shelf = shelf(Duration::ZERO);
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let deadline = || Deadline::after(LAMBDA_TIME);
    handle(&event_of(&[("errors", "fn-1", 1)]), deadline(), &services).await.unwrap();
    let both = event_of(&[("errors", "fn-1", 1), ("latency", "fn-1", 9)]);
    let response = handle(&both, deadline(), &services).await.unwrap();
    assert_eq!(outcomes(&response), [("errors", "already_reported"), ("latency", "linked")]);
    let card = terminal::render(&shelf.documents.lock().unwrap()[1], false);
    assert!(card.contains("Linked to errors, which went off at"), "{card}");
    // Another resource has an incident of its own, and so has what comes later or moved first.
    for (name, function, minute, outcome) in [
        ("faults", "fn-1", 10, "linked"),
        ("other", "fn-2", 10, "cannot_be_shown"),
        ("early", "fn-1", 20, "cannot_be_shown"),
        ("late", "fn-1", 20 * 60, "cannot_be_shown"),
    ] {
        let response = handle(&event_of(&[(name, function, minute)]), deadline(), &services).await.unwrap();
        assert_eq!(outcomes(&response), [(name, outcome)]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_recovery_another_alarm_of_the_resource_is_another_incident() {
    let services = services(Honest::but_silent_for(&[]), shelf(Duration::ZERO));
    let deadline = || Deadline::after(LAMBDA_TIME);
    handle(&event_of(&[("errors", "fn-1", 1)]), deadline(), &services).await.unwrap();
    let recovery = recovered(&event_of(&[("errors", "fn-1", 30)]));
    let response = handle(&recovery, deadline(), &services).await.unwrap();
    assert_eq!(outcomes(&response), [("errors", "state_change")]);
    let response = handle(&event_of(&[("latency", "fn-1", 50)]), deadline(), &services).await.unwrap();
    assert_eq!(outcomes(&response), [("latency", "cannot_be_shown")]);
}

/// The same event with the alarm back to OK.
fn recovered(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(event.to_vec()).unwrap();
    text.replace(r#"\"NewStateValue\":\"ALARM\""#, r#"\"NewStateValue\":\"OK\""#).into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_recovery_during_the_run_is_silent_and_told_after_the_report_where_that_could_not_see_it() {
    let shelf = shelf(Duration::ZERO);
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let (alarm, ok) = (event_of(&[("errors", "fn-1", 1)]), recovered(&event_of(&[("errors", "fn-1", 3)])));
    let deadline = Deadline::after(LAMBDA_TIME);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        handle(&ok, deadline, &services).await.unwrap()
    };
    let (run, recovery) = futures::join!(handle(&alarm, deadline, &services), meanwhile);
    assert_eq!(outcomes(&run.unwrap()), [("errors", "cannot_be_shown")]);
    assert_eq!(outcomes(&recovery), [("errors", "recovered_with_incident")]);
    let cards: Vec<String> =
        shelf.documents.lock().unwrap().iter().map(|document| terminal::render(document, false)).collect();
    assert_eq!(cards.len(), 2, "{cards:?}");
    assert!(!cards[0].contains("RECOVERED"), "{}", cards[0]);
    assert!(cards[1].contains("RECOVERED"), "{}", cards[1]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_metric_moved_first_has_the_incident_looked_at_again_and_says_so() {
    let services = services(Honest::but_silent_for(&[]), shelf(Duration::ZERO));
    let deadline = || Deadline::after(LAMBDA_TIME);
    let first = handle(&event_of(&[("errors", "fn-1", 1)]), deadline(), &services).await.unwrap();
    let again = handle(&event_of(&[("early", "fn-1", 20)]), deadline(), &services).await.unwrap();
    let document = again.runs[0].document.as_ref().unwrap();
    assert_eq!(document.data["second_look_at"], json!(first.runs[0].run_id));
    let card = terminal::render(document, false).split_whitespace().collect::<Vec<_>>().join(" ");
    let words = format!("Second look at errors (run {}): this metric moved first.", first.runs[0].run_id);
    assert!(card.contains(&words), "{card}");
}

#[tokio::test(start_paused = true)]
async fn a_merged_alarm_is_not_lost_with_the_report_that_no_channel_took() {
    let shelf = shelf(Duration::from_hours(1));
    let services = services(Honest::but_silent_for(&[]), shelf);
    let both = event_of(&[("errors", "fn-1", 1), ("latency", "fn-1", 9)]);
    let error = handle(&both, Deadline::after(Duration::from_mins(1)), &services).await.unwrap_err();
    assert!(matches!(error, HandlerError::Undelivered { .. }), "{error}");
    // The next try has a channel that works.
    let shelf = self::shelf(Duration::ZERO);
    let services = Services { channels: vec![Arc::<Shelf>::clone(&shelf)], ..services };
    let response = handle(&both, Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    assert_eq!(response.runs.len(), 2, "{response:?}");
    assert!(response.runs.iter().all(|run| run.outcome != "already_reported"), "{response:?}");
}

#[tokio::test(start_paused = true)]
async fn a_brief_run_asks_one_analyst_on_a_fast_model_and_never_shows_a_cause() {
    let model = Honest::but_silent_for(&[]);
    let shelf = shelf(Duration::ZERO);
    let mut services = services(Arc::clone(&model), shelf);
    services.config.depth = Some(Depth::Brief);
    let response = handle(&event(), Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    let document = response.runs[0].document.as_ref().unwrap();
    assert_eq!(response.runs[0].outcome, "cannot_be_shown");
    assert_eq!(*model.asked.lock().unwrap(), [("analyst".to_owned(), 1)]);
    let calls = &document.data["spent"]["calls"];
    assert_eq!(calls, &json!({"us.anthropic.claude-haiku-4-5-20251001-v1:0": 1}));
    assert_eq!(document.data["depth"], json!({"depth": "brief", "reason": "configured"}));
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_one_request_a_minute_makes_a_brief_run_with_a_report_of_a_model() {
    for requests in [1, 2] {
        let model = Honest::but_silent_for(&[]);
        let mut services = services(Arc::clone(&model), shelf(Duration::ZERO));
        services.config.depth = None;
        let quota = Quota { requests: Some(requests), tokens: None };
        for model in &services.config.models {
            services.config.quotas.models.insert(model.clone(), quota);
        }
        let config = &services.config;
        services.ladder = Arc::new(Ladder::new(config.models.iter().cloned(), 4, &config.quotas));
        let response = handle(&event(), Deadline::after(LAMBDA_TIME), &services).await.unwrap();
        let document = response.runs[0].document.as_ref().unwrap();
        assert_eq!(response.runs[0].outcome, "cannot_be_shown", "{requests}");
        assert_eq!(document.data["depth"]["depth"], "brief", "{requests}");
        assert_eq!(model.asked("analyst"), 1, "{requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_days_money_is_counted_over_runs_and_ends_the_asking_and_a_store_that_fails_costs_only_the_limit()
{
    let model = Honest::but_silent_for(&[]);
    let mut services = services(Arc::clone(&model), shelf(Duration::ZERO));
    services.config.depth = None;
    services.config.per_day.cost_usd = Some(1.0);
    let day = jiff::civil::date(2026, 11, 24);
    // What earlier runs of the day took.
    let charge = async |services: &Services, usd| {
        let more = DaySpent { usd, ..DaySpent::default() };
        day::spend(services.store.as_ref(), day, more).await.unwrap().usd
    };
    charge(&services, 0.999).await;
    let response = handle(&event(), Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    let document = response.runs[0].document.as_ref().unwrap();
    assert_eq!(document.data["depth"]["depth"], "brief", "{}", document.data["depth"]);
    let spent = charge(&services, 0.0).await;
    let cost = document.data["spent"]["cost_usd"].as_f64().unwrap();
    assert!(cost > 0.0 && (spent - 0.999 - cost).abs() < 1e-9, "{spent} with {cost}");

    charge(&services, 0.1).await;
    let response =
        handle(&event_of(&[("b", "fn-1", 1)]), Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    let card = terminal::render(response.runs[0].document.as_ref().unwrap(), false);
    assert_eq!(response.runs[0].outcome, "facts_only");
    assert!(card.contains("cost limit of the day"), "{card}");

    services.store = Arc::new(Forgetful);
    let response =
        handle(&event_of(&[("c", "fn-2", 1)]), Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    assert_eq!(response.runs[0].outcome, "cannot_be_shown");
}

/// A store that never answers well.
struct Forgetful;

impl Store for Forgetful {
    fn begin<'a>(&'a self, _: &'a EventKey, _: Duration) -> BoxFuture<'a, Result<Begin, StoreError>> {
        forgotten()
    }

    fn renew<'a>(&'a self, _: &'a EventKey, _: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        forgotten()
    }

    fn save<'a>(&'a self, _: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        forgotten()
    }

    fn release<'a>(&'a self, _: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>> {
        forgotten()
    }

    fn latest<'a>(&'a self, _: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>> {
        forgotten()
    }

    fn read<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Item>>, StoreError>> {
        forgotten()
    }

    fn write<'a>(&'a self, _: &'a [Change]) -> BoxFuture<'a, Result<bool, StoreError>> {
        forgotten()
    }
}

fn forgotten<T: Send + 'static>() -> BoxFuture<'static, Result<T, StoreError>> {
    Box::pin(async { Err(StoreError { operation: "any", reason: "out of order".to_owned() }) })
}

#[tokio::test(start_paused = true)]
async fn each_budget_that_trips_leaves_the_best_report_so_far_and_is_named_in_the_footer() {
    type Change = fn(&mut Config);
    let cases: [(Change, &str, &str); 4] = [
        // Plan and specialists are answered; the merge is not.
        (|config| config.max_model_calls = 3, "cannot_be_shown", "call limit of the run was reached"),
        (|config| config.max_tokens_per_run = 3_000, "cannot_be_shown", "token limit of the run was reached"),
        (|config| config.max_cost_usd = 0.03, "cannot_be_shown", "cost limit of the run was reached"),
        (|config| config.max_model_calls = 1, "facts_only", "call limit of the run was reached"),
    ];
    for (change, outcome, words) in cases {
        let mut services = services(Honest::but_silent_for(&[]), shelf(Duration::ZERO));
        change(&mut services.config);
        let response = handle(&event(), Deadline::after(LAMBDA_TIME), &services).await.unwrap();
        let document = response.runs[0].document.as_ref().unwrap();
        let card = terminal::render(document, false);
        assert_eq!(response.runs[0].outcome, outcome, "{words}: {card}");
        let card = card.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(card.contains(words), "{words} is not in {card}");
    }
}
