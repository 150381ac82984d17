//! The handler under a paused clock: two deliveries at once, a try that was cut off, agents and channels that hang.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::alarm::AlarmSnapshot;
use crate::config::Layers;
use crate::evidence::{MetricId, Series, Status};
use crate::gather::telemetry::{
    FunctionState, LogGroup, LogPage, LogRequest, MetricsRequest, TelemetryError,
};
use crate::model::{Content, ConverseReply, ConverseRequest, ModelError, StopReason, Usage};
use crate::report::terminal;
use crate::store::memory::MemoryStore;

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
                usage: Usage::default(),
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
        document: &'a Document,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            tokio::time::sleep(self.takes).await;
            self.documents.lock().unwrap().push(document.clone());
            Ok(Receipt { channel: "shelf".to_owned(), reference: None, note: None })
        })
    }
}

fn shelf(takes: Duration) -> Arc<Shelf> {
    Arc::new(Shelf { takes, documents: Mutex::default() })
}

fn services(model: Arc<Honest>, shelf: Arc<Shelf>) -> Services {
    let config = Config::load(&Layers::default()).unwrap();
    Services {
        clock: Clock::Fixed("2026-11-24T03:05:30Z".parse().unwrap()),
        seed: Some(Seed(7)),
        telemetry: Arc::new(Unreadable),
        model: Some(model),
        ladder: Arc::new(Ladder::new(config.models.iter().cloned(), config.max_concurrent)),
        channels: vec![shelf],
        store: Arc::new(MemoryStore::default()),
        observer: Observer::new(Vec::new()),
        config,
    }
}

fn event() -> Vec<u8> {
    let text = include_str!("../../events/sns-metric-alarm.json");
    let event: Value = serde_json::from_str(text).unwrap();
    event.to_string().into_bytes()
}

const LAMBDA_TIME: Duration = Duration::from_mins(5);

#[tokio::test(start_paused = true)]
async fn of_two_deliveries_of_one_event_at_once_one_works_and_the_other_is_sent_away() {
    let shelf = shelf(Duration::from_secs(1));
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let (event, deadline) = (event(), Deadline::after(LAMBDA_TIME));
    let (one, other) =
        futures::join!(handle(&event, deadline, &services), handle(&event, deadline, &services));
    let in_progress = HandlerError::InProgress { alarm: "invoice-render-errors".to_owned() };
    assert_eq!(one.unwrap().runs.len(), 1);
    assert_eq!(other.unwrap_err(), in_progress);
    assert_eq!(shelf.documents.lock().unwrap().len(), 1);
    // Lambda delivers the second one again, and finds the work done.
    let again = handle(&event, deadline, &services).await.unwrap();
    assert_eq!(again.runs[0].outcome, "already_reported");
    assert_eq!(shelf.documents.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_was_cut_off_keeps_its_lease_no_longer_than_it_could_have_lived() {
    let shelf = shelf(Duration::from_secs(1));
    let services = services(Honest::but_silent_for(&["supervisor"]), Arc::clone(&shelf));
    let (event, died) = (event(), AtomicBool::new(false));
    // Lambda kills the process: the run is dropped where it stands and gives nothing back.
    let deadline = Deadline::after(Duration::from_mins(1));
    tokio::select! {
        biased;
        () = tokio::time::sleep(Duration::from_secs(20)) => died.store(true, Ordering::SeqCst),
        _ = handle(&event, deadline, &services) => {}
    }
    assert!(died.load(Ordering::SeqCst));
    let early = handle(&event, Deadline::after(LAMBDA_TIME), &services).await;
    assert!(matches!(early, Err(HandlerError::InProgress { .. })), "{early:?}");
    tokio::time::sleep(Duration::from_secs(40)).await;
    let late = handle(&event, Deadline::after(LAMBDA_TIME), &services).await.unwrap();
    assert_eq!(late.runs[0].delivered.len(), 1);
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
