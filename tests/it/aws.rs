//! The adapters over the wire: the real SDK against the emulator, checked against the scenario's own numbers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sre_agent::alarm::{AlarmState, Comparison, Trigger};
use sre_agent::aws::{AwsTelemetry, Bedrock, ParameterError, SdkConfig, SnsChannel, local, parameter};
use sre_agent::clock::{Deadline, Timestamp};
use sre_agent::delivery::{Channel, Post};
use sre_agent::evidence::{MetricId, Statistic, Status};
use sre_agent::gather::Telemetry;
use sre_agent::gather::telemetry::{FunctionAlias, LogRequest, MetricQuery, MetricsRequest};
use sre_agent::incident::Window;
use sre_agent::model::{
    Content, ConverseRequest, ErrorClass, Message, Model, ModelId, Speaker, StopReason, ToolChoice, Tuning,
};
use sre_agent::report::{Document, Line};
use sre_agent_emulator::{BedrockOptions, Emulator, Fault, FaultKind, Options, Paging, Scenario, Turns};

const FUNCTION: &str = "invoice-render";
const GROUP: &str = "/aws/lambda/invoice-render";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:findings";
const MODEL: &str = "us.anthropic.claude-sonnet-4-6";
const ASKED_WAIT: Duration = Duration::from_secs(3);

async fn start(options: Options) -> (Emulator, SdkConfig) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lambda-bad-deploy");
    let scenario = Scenario::load(&dir).unwrap();
    let region = scenario.region().to_owned();
    let emulator = Emulator::start(scenario, options).await.unwrap();
    let config = local(&emulator.endpoint(), &region);
    (emulator, config)
}

fn denied(action: &str) -> Options {
    Options { denied: vec![action.to_owned()], ..Options::default() }
}

fn throttled(action: &str, times: u32) -> Options {
    let fault = Fault { action: action.to_owned(), kind: FaultKind::Throttled, times: Some(times) };
    Options { faults: vec![fault], ..Options::default() }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window(start: &str, end: &str) -> Window {
    Window { start: at(start), end: at(end) }
}

fn metric(name: &str, dimensions: &[(&str, &str)]) -> MetricId {
    MetricId {
        namespace: "AWS/Lambda".to_owned(),
        name: name.to_owned(),
        dimensions: dimensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn sum_of(metric: MetricId) -> MetricQuery {
    MetricQuery { metric, statistic: Statistic("Sum".to_owned()), unit: None }
}

fn of_function(name: &str) -> MetricId {
    metric(name, &[("FunctionName", FUNCTION)])
}

fn last_minutes() -> MetricsRequest {
    MetricsRequest {
        queries: vec![sum_of(of_function("Errors")), sum_of(of_function("NoSuchMetric"))],
        window: window("2026-11-24T03:02:00Z", "2026-11-24T03:05:00Z"),
        period_seconds: 60,
    }
}

#[tokio::test]
async fn metrics_come_oldest_first_one_series_a_query_even_when_empty() {
    let (emulator, config) = start(Options::default()).await;
    let series = AwsTelemetry::new(&config).metrics(&last_minutes()).await.unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!(series[0].metric, of_function("Errors"));
    let points: Vec<(String, f64)> =
        series[0].datapoints.iter().map(|point| (point.at.to_string(), point.value)).collect();
    let expected = [
        ("2026-11-24T03:02:00Z".to_owned(), 22.0),
        ("2026-11-24T03:03:00Z".to_owned(), 41.0),
        ("2026-11-24T03:04:00Z".to_owned(), 43.0),
    ];
    assert_eq!(points, expected);
    assert_eq!(series[1].metric, of_function("NoSuchMetric"));
    assert!(series[1].datapoints.is_empty());
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn more_queries_than_one_call_takes_are_split_and_joined_in_order() {
    let (emulator, config) = start(Options::default()).await;
    let mut request = last_minutes();
    request.queries = (0..501).map(|number| sum_of(of_function(&format!("None{number}")))).collect();
    request.queries.push(sum_of(of_function("Errors")));
    let series = AwsTelemetry::new(&config).metrics(&request).await.unwrap();
    assert_eq!(series.len(), 502);
    assert_eq!(series[500].metric.name, "None500");
    assert_eq!(series[501].values(), [22.0, 41.0, 43.0]);
    assert_eq!(emulator.requests().len(), 2);
}

#[tokio::test]
async fn metrics_are_listed_by_the_dimensions_that_they_share() {
    let (_emulator, config) = start(Options::default()).await;
    let found = AwsTelemetry::new(&config).list_metrics(&of_function("Errors")).await.unwrap();
    let versions: Vec<&str> = found
        .iter()
        .filter_map(|metric| metric.dimensions.get("ExecutedVersion"))
        .map(String::as_str)
        .collect();
    assert!(found.contains(&of_function("Errors")), "{found:?}");
    assert!(versions.contains(&"57") && versions.contains(&"58"), "{versions:?}");
}

#[tokio::test]
async fn an_alarm_is_read_with_its_state_and_definition() {
    let (_emulator, config) = start(Options::default()).await;
    let telemetry = AwsTelemetry::new(&config);
    let snapshot = telemetry.alarm("invoice-render-errors").await.unwrap().unwrap();
    assert_eq!(snapshot.alarm.new_state, AlarmState::Alarm);
    // CloudWatch's times are doubles that the SDK cuts at the millisecond, so one may come a millisecond early.
    let early = at("2026-11-24T03:05:22.704Z").duration_since(snapshot.state_since.unwrap());
    assert!((0..=1).contains(&early.as_millis()), "{early:?}");
    assert!(snapshot.actions_enabled);
    assert_eq!(
        (snapshot.alarm.place.region.as_str(), snapshot.alarm.place.account.as_str()),
        ("us-east-1", "123456789012")
    );
    let Trigger::Metric(trigger) = snapshot.alarm.trigger else { panic!("a metric alarm") };
    assert_eq!((trigger.threshold, trigger.comparison), (Some(20.0), Some(Comparison::Greater)));
    assert_eq!((trigger.evaluation_periods, trigger.statistic.as_str()), (3, "Sum"));
    assert_eq!(telemetry.alarm("no-such-alarm").await.unwrap(), None);
}

#[tokio::test]
async fn a_log_group_is_found_by_its_whole_name_only() {
    let (_emulator, config) = start(Options::default()).await;
    let telemetry = AwsTelemetry::new(&config);
    let group = telemetry.log_group(GROUP).await.unwrap().unwrap();
    assert_eq!((group.retention_days, group.created), (Some(30), Some(at("2026-01-10T08:00:00Z"))));
    assert_eq!(telemetry.log_group("/aws/lambda/invoice").await.unwrap(), None);
}

fn errors_of_three_minutes(limit: usize) -> LogRequest {
    LogRequest {
        group: GROUP.to_owned(),
        stream_prefix: None,
        pattern: "ERROR".to_owned(),
        window: window("2026-11-24T03:02:00Z", "2026-11-24T03:05:00Z"),
        limit,
    }
}

#[tokio::test]
async fn log_events_are_read_page_by_page_to_the_end_of_the_window() {
    let (_emulator, config) = start(Options::default()).await;
    let telemetry = AwsTelemetry::new(&config);
    let all = telemetry.log_events(&errors_of_three_minutes(10_000)).await.unwrap();
    // The 106 lines of three minutes, as many as the invocations that failed: 22 + 41 + 43.
    assert_eq!((all.events.len(), all.complete), (106, true));
    assert!(all.events.is_sorted_by_key(|event| event.at));
    assert!(all.events.iter().all(|event| event.stream.contains("[58]") && event.message.contains("ERROR")));

    let some = telemetry.log_events(&errors_of_three_minutes(10)).await.unwrap();
    assert_eq!((some.events.len(), some.complete), (10, false));
    assert_eq!(some.events, all.events[..10]);

    let mut of_a_day = errors_of_three_minutes(10_000);
    of_a_day.stream_prefix = Some("2025/01/01".to_owned());
    let none = telemetry.log_events(&of_a_day).await.unwrap();
    assert_eq!((none.events.len(), none.complete), (0, true));
}

#[tokio::test]
async fn small_pages_give_the_same_answers_as_large_ones() {
    let small = Paging {
        metrics: 2,
        datapoints: 2,
        log_events: 20,
        empty_log_page_first: true,
        versions: 1,
        ..Paging::default()
    };
    let (large, config) = start(Options::default()).await;
    let (paged, paged_config) = start(Options { paging: Some(small), ..Options::default() }).await;
    let (one, other) =
        (AwsTelemetry::with_fixed_digests(&config), AwsTelemetry::with_fixed_digests(&paged_config));
    let errors = of_function("Errors");
    assert_eq!(one.metrics(&last_minutes()).await, other.metrics(&last_minutes()).await);
    assert_eq!(one.list_metrics(&errors).await, other.list_metrics(&errors).await);
    assert_eq!(one.function(FUNCTION).await, other.function(FUNCTION).await);
    let logs = errors_of_three_minutes(10_000);
    assert_eq!(one.log_events(&logs).await, other.log_events(&logs).await);
    assert!(paged.requests().len() > large.requests().len() + 6, "{}", paged.requests().len());
    assert_eq!(paged.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn a_log_group_that_does_not_exist_is_said_to_be_missing() {
    let (_emulator, config) = start(Options::default()).await;
    let mut request = errors_of_three_minutes(10);
    request.group = "/aws/lambda/nobody".to_owned();
    let error = AwsTelemetry::new(&config).log_events(&request).await.unwrap_err();
    assert_eq!((error.status, error.operation), (Status::Missing, "logs:FilterLogEvents"));
}

#[tokio::test]
async fn a_function_is_read_with_versions_weights_and_no_value_of_its_environment() {
    let (_emulator, config) = start(Options::default()).await;
    let telemetry = AwsTelemetry::new(&config);
    let state = telemetry.function(FUNCTION).await.unwrap().unwrap();
    let versions: Vec<&str> = state.versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(versions, ["56", "57", "58", "$LATEST"]);
    assert_eq!(state.versions[2].last_modified, Some(at("2026-11-24T03:01:10Z")));
    assert_eq!(state.log_group.as_deref(), Some(GROUP));
    let live = FunctionAlias {
        name: "live".to_owned(),
        version: "57".to_owned(),
        weights: vec![("58".to_owned(), 500)],
    };
    assert_eq!(state.aliases, [live]);
    let tax_source = |version: usize| &state.versions[version].settings["env:TAX_SOURCE"];
    assert_eq!(tax_source(0), tax_source(1));
    assert_ne!(tax_source(1), tax_source(2));
    assert!(!format!("{state:?}").contains("hunter2"));
    assert_eq!(telemetry.function("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn a_denied_read_names_the_action_and_is_not_tried_again() {
    let (emulator, config) = start(denied("logs:FilterLogEvents")).await;
    let error = AwsTelemetry::new(&config).log_events(&errors_of_three_minutes(10)).await.unwrap_err();
    assert_eq!((error.status, error.operation), (Status::Denied, "logs:FilterLogEvents"));
    assert!(error.reason.contains("not authorized"), "{}", error.reason);
    assert_eq!(emulator.requests().len(), 1);
}

#[tokio::test]
async fn a_read_that_is_throttled_for_ever_is_given_up_after_four_tries() {
    let (emulator, config) = start(throttled("cloudwatch:GetMetricData", u32::MAX)).await;
    let error = AwsTelemetry::new(&config).metrics(&last_minutes()).await.unwrap_err();
    assert_eq!((error.status, error.operation), (Status::Throttled, "cloudwatch:GetMetricData"));
    assert_eq!(emulator.requests().len(), 4);
}

#[tokio::test]
async fn a_read_that_is_throttled_once_is_answered() {
    let (emulator, config) = start(throttled("cloudwatch:DescribeAlarms", 1)).await;
    assert!(AwsTelemetry::new(&config).alarm("invoice-render-errors").await.unwrap().is_some());
    assert_eq!(emulator.requests().len(), 2);
}

#[tokio::test]
async fn a_secret_parameter_is_read_in_clear_and_a_missing_one_is_named() {
    let (emulator, config) = start(Options::default()).await;
    let webhook = parameter(&config, "/sre-agent/slack-webhook").await.unwrap();
    assert_eq!(webhook.expose(), emulator.webhook_url());
    let missing = parameter(&config, "/sre-agent/nothing").await.unwrap_err();
    assert_eq!(missing, ParameterError::Missing { name: "/sre-agent/nothing".to_owned() });

    let (_emulator, config) = start(denied("ssm:GetParameter")).await;
    let error = parameter(&config, "/sre-agent/slack-webhook").await.unwrap_err();
    assert!(matches!(error, ParameterError::Denied { .. }), "{error}");
}

fn document() -> Document {
    Document {
        format: sre_agent::report::document::FORMAT,
        run_id: "a1b2c3".to_owned(),
        state: AlarmState::Alarm,
        recovered: false,
        push: "invoice-render: 43 of 118 renders fail, still in ALARM – cause shown".to_owned(),
        title: Line::text("invoice-render"),
        condition: Line::text("still in ALARM since 03:02"),
        verdict: Line::text("CAUSE SHOWN"),
        statement: vec![Line::text("Version 58 fails.")],
        impact: vec![Line::text("43 of 118")],
        sections: Vec::new(),
        limits: Vec::new(),
        links: Vec::new(),
        footer: Vec::new(),
        details: Vec::new(),
        log_quotes: sre_agent::report::readers::LogQuotes::default(),
        data: json!({"alarm": {"name": "invoice-render-errors"}}),
        kept: None,
    }
}

#[tokio::test]
async fn a_report_reaches_the_topic_with_a_text_for_each_protocol() {
    let (emulator, config) = start(Options::default()).await;
    let deadline = Deadline::after(Duration::from_secs(10));
    let receipt = SnsChannel::new(&config, TOPIC).deliver(Post::report(&document()), deadline).await.unwrap();
    let published = emulator.published();
    assert_eq!(published.len(), 1);
    assert_eq!((receipt.channel.as_str(), receipt.reference), ("sns", Some(published[0].message_id.clone())));
    let told = format!("{:?}", published[0]);
    for part in [TOPIC, "Version 58 fails.", "email", "sms", "alarmName"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

#[tokio::test]
async fn a_topic_that_refuses_leaves_a_line_that_says_what_to_do() {
    let (_emulator, config) = start(denied("sns:Publish")).await;
    let deadline = Deadline::after(Duration::from_secs(10));
    let error =
        SnsChannel::new(&config, TOPIC).deliver(Post::report(&document()), deadline).await.unwrap_err();
    assert!(error.reason.contains(&format!("allow sns:Publish on {TOPIC}")), "{}", error.reason);
}

#[tokio::test]
async fn a_topic_that_hangs_is_given_up_at_the_deadline() {
    let fault = Fault { action: "sns:Publish".to_owned(), kind: FaultKind::Hang, times: None };
    let (_emulator, config) = start(Options { faults: vec![fault], ..Options::default() }).await;
    let deadline = Deadline::after(Duration::from_millis(300));
    let error =
        SnsChannel::new(&config, TOPIC).deliver(Post::report(&document()), deadline).await.unwrap_err();
    assert!(error.reason.contains("before the deadline"), "{}", error.reason);
}

fn question() -> ConverseRequest {
    ConverseRequest {
        agent: "metrics".to_owned(),
        turn: 1,
        system: "You read metrics.".to_owned(),
        messages: vec![Message {
            speaker: Speaker::User,
            content: vec![Content::Text("What broke?".to_owned())],
        }],
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        max_tokens: 500,
        tuning: Tuning::default(),
    }
}

fn answering(throttle_first: Option<u32>) -> Options {
    let turns = Turns::Script(vec![json!({"agent": "metrics", "text": "Version 58 fails."})]);
    let bedrock =
        BedrockOptions { turns, throttle_first, retry_after: Some(ASKED_WAIT), ..BedrockOptions::default() };
    Options { bedrock, ..Options::default() }
}

async fn ask(
    config: &SdkConfig,
    model: &str,
) -> Result<sre_agent::model::ConverseReply, sre_agent::model::ModelError> {
    let limit = Duration::from_secs(10);
    Bedrock::new(config, None).converse(&ModelId(model.to_owned()), &question(), limit).await
}

#[tokio::test]
async fn a_model_answers_and_says_that_it_is_no_live_one() {
    let (_emulator, config) = start(answering(None)).await;
    let reply = ask(&config, MODEL).await.unwrap();
    assert_eq!(reply.content, [Content::Text("Version 58 fails.".to_owned())]);
    assert_eq!(reply.stop, StopReason::EndTurn);
    assert!(reply.request_id.is_some() && reply.recording.is_some(), "{reply:?}");
}

#[tokio::test]
async fn a_model_that_will_not_answer_says_which_way() {
    let (emulator, config) = start(answering(Some(1))).await;
    let throttled = ask(&config, MODEL).await.unwrap_err();
    assert_eq!((throttled.class, throttled.retry_after), (ErrorClass::Throttled, Some(ASKED_WAIT)));
    assert!(throttled.request_id.is_some());
    // The adapter never tries again: the second request is this one.
    assert!(ask(&config, MODEL).await.is_ok());
    assert_eq!(emulator.requests().len(), 2);

    let classes = BTreeMap::from([
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", ErrorClass::EndOfLife),
        ("us.anthropic.claude-nobody-v1:0", ErrorClass::InvalidIdentifier),
    ]);
    for (model, class) in classes {
        assert_eq!(ask(&config, model).await.unwrap_err().class, class, "{model}");
    }
}
