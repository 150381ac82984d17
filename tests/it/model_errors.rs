//! Every refusal of Bedrock that is known, as the service words it: what is done about it, and what a person reads.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sre_agent::aws::classify;
use sre_agent::clock::Deadline;
use sre_agent::id::Seed;
use sre_agent::model::backoff::Backoff;
use sre_agent::model::budget::{Budget, DayLeft, Limits};
use sre_agent::model::caller::{AskError, Caller, CallerParts};
use sre_agent::model::ladder::Ladder;
use sre_agent::model::ladder::plan::{Wanted, plan};
use sre_agent::model::pace::Quotas;
use sre_agent::model::{
    Content, ConverseReply, ConverseRequest, ErrorClass, Message, Model, ModelError, ModelId, Provider,
    Speaker, StopReason, ToolChoice, ToolSpec, Tuning, Usage,
};
use sre_agent::run::{Observer, RunEvent, Stamped};

/// Called without a profile, sampled, and with a tool that it must call: everything that can be repaired.
const NOVA: &str = "amazon.nova-pro-v1:0";
const NOVA_US: &str = "us.amazon.nova-pro-v1:0";
const SONNET: &str = "us.anthropic.claude-sonnet-4-6";
const DIRECT: &str = "anthropic:claude-sonnet-4-6";

/// Says whether a request is refused.
type Refuses = fn(&ModelId, &ConverseRequest) -> bool;

fn of_nova(model: &ModelId, _: &ConverseRequest) -> bool {
    model.as_str() == NOVA
}

fn everywhere_in_bedrock(model: &ModelId, _: &ConverseRequest) -> bool {
    model.provider() == Provider::Bedrock
}

fn sampled(_: &ModelId, request: &ConverseRequest) -> bool {
    request.tuning.sampling.is_some()
}

fn forced(_: &ModelId, request: &ConverseRequest) -> bool {
    request.tool_choice != ToolChoice::Auto
}

fn long(_: &ModelId, request: &ConverseRequest) -> bool {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    blocks
        .into_iter()
        .any(|content| matches!(content, Content::ToolResult { text, .. } if text.len() > 9_000))
}

/// Refuses what it is told to refuse, always in the same words.
struct Refusing {
    refuses: Refuses,
    error: ModelError,
    profiles: Result<Vec<String>, ModelError>,
    asked: Mutex<Vec<(String, ConverseRequest)>>,
}

impl Model for Refusing {
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        request: &'a ConverseRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        self.asked.lock().unwrap().push((model.to_string(), request.clone()));
        let refused = (self.refuses)(model, request);
        async move { if refused { Err(self.error.clone()) } else { Ok(reply()) } }.boxed()
    }

    fn profiles(&self) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
        std::future::ready(self.profiles.clone()).boxed()
    }
}

fn reply() -> ConverseReply {
    ConverseReply {
        content: vec![Content::Text("answer".into())],
        stop: StopReason::EndTurn,
        usage: Usage { input: 10, output: 2, ..Usage::default() },
        request_id: Some("request-1".into()),
        recording: None,
    }
}

fn request() -> ConverseRequest {
    let said = |speaker, content| Message { speaker, content: vec![content] };
    let used = Content::ToolUse { id: "t1".into(), name: "look".into(), input: serde_json::json!({}) };
    let result = Content::ToolResult { id: "t1".into(), text: "line\n".repeat(4_000), is_error: false };
    ConverseRequest {
        agent: "logs".into(),
        turn: 2,
        system: "system".into(),
        messages: vec![
            said(Speaker::User, Content::Text("task".into())),
            said(Speaker::Assistant, used),
            said(Speaker::User, result),
        ],
        tools: vec![ToolSpec {
            name: "look".into(),
            description: "Looks.".into(),
            input_schema: serde_json::json!({"type": "object"}),
        }],
        tool_choice: ToolChoice::Tool("look".into()),
        max_tokens: 4_000,
        tuning: Tuning::default(),
    }
}

/// What came of one question.
struct Seen {
    /// Tries of the first rung, the one that was repaired included.
    tries: usize,
    repairs: Vec<String>,
    warnings: Vec<String>,
    /// What answered, by the id that was sent.
    answered_by: Option<String>,
    /// Why the first rung was left, as logs and progress say it.
    text: String,
    asked: Vec<(String, ConverseRequest)>,
}

async fn ask(refuses: Refuses, error: ModelError, profiles: Result<Vec<String>, ModelError>) -> Seen {
    let model = Arc::new(Refusing { refuses, error, profiles, asked: Mutex::default() });
    let models = [NOVA, SONNET, DIRECT].map(ModelId::from);
    let planned = plan(&Wanted {
        models: &models,
        region: "us-east-1",
        allow_global: false,
        allow_provider: &[Provider::Anthropic],
    });
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let observer =
        Observer::new(vec![Arc::new(move |event: &Stamped| heard.lock().unwrap().push(event.event.clone()))]);
    let caller = Caller::new(CallerParts {
        begin_with: None,
        model: Arc::<Refusing>::clone(&model),
        ladder: Arc::new(Ladder::planned(&planned, 4, &Quotas::default())),
        backoff: Backoff::default(),
        budget: Budget::new(Limits { cost_usd: 1.0, calls: 20, tokens: 1_000_000, day: DayLeft::default() }),
        observer,
        seed: Seed(7),
        call_limit: Duration::from_mins(2),
    });
    let answer = caller.ask(&request(), Deadline::after(Duration::from_mins(14))).await;
    assert!(matches!(answer, Ok(_) | Err(AskError::NoModel(_))), "{answer:?}");
    let asked = model.asked.lock().unwrap().clone();
    let events = events.lock().unwrap().clone();
    let next = |id: &String| id != NOVA && (id != NOVA_US || !caller.left().is_empty());
    let tries = asked.iter().position(|(id, _)| next(id)).unwrap_or(asked.len());
    let text = caller.left().first().map(|(_, failure)| failure.to_string()).unwrap_or_default();
    Seen {
        tries,
        repairs: events
            .iter()
            .filter_map(|event| match event {
                RunEvent::RequestRepaired { repair, .. } => Some(repair.clone()),
                _ => None,
            })
            .collect(),
        warnings: events
            .iter()
            .filter_map(|event| match event {
                RunEvent::Warning { message } => Some(message.clone()),
                _ => None,
            })
            .collect(),
        answered_by: answer.ok().and_then(|_| asked.last().map(|(id, _)| id.clone())),
        text,
        asked,
    }
}

fn error(code: &str, status: u16, message: &str) -> ModelError {
    // Without a code the call never reached the service.
    let class =
        if code.is_empty() { ErrorClass::Unreachable } else { classify(Some(code), message, Some(status)) };
    let message = if code.is_empty() { message.to_owned() } else { format!("{code}: {message}") };
    ModelError { class, message, request_id: None, retry_after: None }
}

fn account_profiles() -> Vec<String> {
    [NOVA_US, "eu.amazon.nova-pro-v1:0", SONNET].map(str::to_owned).to_vec()
}

/// One row: what the service says; class, tries of the first rung, repairs, who answers, what a person reads.
struct Row {
    code: &'static str,
    status: u16,
    message: &'static str,
    refuses: Refuses,
    class: ErrorClass,
    tries: usize,
    repairs: &'static [&'static str],
    answered_by: &'static str,
    text: &'static str,
}

const NEEDS_PROFILE: &str = "Invocation of model ID amazon.nova-pro-v1:0 with on-demand throughput isn\u{2019}t supported. \
    Retry your request with the ID or ARN of an inference profile that contains this model.";

/// Every row of the provider's table, in its order.
fn rows() -> Vec<Row> {
    use ErrorClass::{
        AccessDenied, Credentials, DailyQuota, EndOfLife, InputTooLong, InvalidIdentifier, InvalidRequest,
        ModelFailed, NeedsProfile, NotEnabled, Throttled, TimedOut, Unavailable, Unreachable,
    };
    let row = |code, status, message, class, tries, text| Row {
        code,
        status,
        message,
        refuses: of_nova,
        class,
        tries,
        repairs: &[],
        answered_by: NOVA_US,
        text,
    };
    let mended = |message, refuses, class, repairs| Row {
        code: "ValidationException",
        status: 400,
        message,
        refuses,
        class,
        tries: 2,
        repairs,
        answered_by: NOVA,
        text: "",
    };
    let stopped = |code, message| Row {
        refuses: everywhere_in_bedrock,
        answered_by: DIRECT,
        ..row(code, 403, message, Credentials, 1, "no valid credentials once")
    };
    let throttling = "ThrottlingException";
    let missing = "ResourceNotFoundException";
    let denied = "AccessDeniedException";
    vec![
        row(
            throttling,
            429,
            "Too many requests, please wait before trying again.",
            Throttled,
            5,
            "throttled 5 times in",
        ),
        row(
            throttling,
            429,
            "Too many tokens, please wait before trying again.",
            Throttled,
            5,
            "throttled 5 times in",
        ),
        row(
            throttling,
            429,
            "Too many tokens per day, please wait before trying again.",
            DailyQuota,
            1,
            "daily quota spent once",
        ),
        row(
            "ModelNotReadyException",
            429,
            "The model is not ready.",
            Unavailable,
            5,
            "unavailable 5 times in",
        ),
        row(
            "ServiceUnavailableException",
            503,
            "Bedrock is unable to process your request.",
            Unavailable,
            5,
            "unavailable 5 times in",
        ),
        row(
            "InternalServerException",
            500,
            "The system encountered an unexpected error during processing. Try your request again.",
            Unavailable,
            5,
            "unavailable 5 times in",
        ),
        row("ModelTimeoutException", 408, "The model took too long.", TimedOut, 2, "timed out 2 times in"),
        row("ModelErrorException", 424, "The model failed.", ModelFailed, 2, "model failed 2 times in"),
        row("ModelStreamErrorException", 424, "The model failed.", ModelFailed, 2, "model failed 2 times in"),
        row("overloaded_error", 529, "Overloaded", Unavailable, 5, "unavailable 5 times in"),
        row(
            "ServiceQuotaExceededException",
            400,
            "Your account quota is spent.",
            DailyQuota,
            1,
            "daily quota spent once",
        ),
        row(
            "ValidationException",
            400,
            "The provided model identifier is invalid.",
            InvalidIdentifier,
            1,
            "unknown model id once",
        ),
        Row {
            answered_by: NOVA_US,
            ..mended(NEEDS_PROFILE, of_nova, NeedsProfile, &["sent through an inference profile"])
        },
        mended(
            "Input is too long for requested model",
            long,
            InputTooLong,
            &["sent with shortened tool results"],
        ),
        mended(
            "prompt is too long: 200001 tokens > 200000 maximum",
            long,
            InputTooLong,
            &["sent with shortened tool results"],
        ),
        mended(
            "`temperature` is deprecated for this model.",
            sampled,
            InvalidRequest,
            &["sent without sampling parameters"],
        ),
        mended(
            "`temperature` and `top_p` cannot both be specified",
            sampled,
            InvalidRequest,
            &["sent without sampling parameters"],
        ),
        mended(
            "tool_choice forces tool use is not compatible with this model",
            forced,
            InvalidRequest,
            &["sent with a free choice of tools"],
        ),
        mended(
            "tool_choice: type \"tool\" and \"any\" are not supported for this model",
            forced,
            InvalidRequest,
            &["sent with a free choice of tools"],
        ),
        row(
            "ValidationException",
            400,
            "Access to Anthropic models is not allowed from unsupported countries.",
            AccessDenied,
            1,
            "access denied once",
        ),
        row(
            missing,
            404,
            "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
            EndOfLife,
            1,
            "retired once",
        ),
        row(
            missing,
            404,
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in \
             the last 30 days. Please upgrade to an active model on Amazon Bedrock",
            EndOfLife,
            1,
            "retired once",
        ),
        row(
            missing,
            404,
            "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form \
             before using the model. If you have already filled out the form, try again in 15 minutes.",
            NotEnabled,
            1,
            "not enabled for the account once",
        ),
        row(
            denied,
            403,
            "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: bedrock:InvokeModel on \
             resource: arn:aws:bedrock:us-east-2::foundation-model/amazon.nova-pro-v1:0",
            AccessDenied,
            1,
            "arn:aws:bedrock:us-east-2::foundation-model/amazon.nova-pro-v1:0",
        ),
        row(
            denied,
            403,
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided.",
            NotEnabled,
            1,
            "not enabled for the account once",
        ),
        row(
            denied,
            403,
            "Model access is denied due to IAM user or service role is not authorized to perform the required AWS \
             Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe)",
            NotEnabled,
            1,
            "aws-marketplace:Subscribe",
        ),
        row(
            denied,
            403,
            "MPAgreementBeingCreated: your AWS Marketplace subscription for this model is still being processed.",
            NotEnabled,
            1,
            "still being processed",
        ),
        row(
            denied,
            403,
            "Your account is currently being verified.",
            NotEnabled,
            1,
            "not enabled for the account once",
        ),
        stopped("ExpiredTokenException", "The security token included in the request is expired"),
        stopped("UnrecognizedClientException", "The security token included in the request is invalid."),
        row(
            "",
            0,
            "dispatch failure: timeout: HTTP connect timeout occurred after 3.1s",
            Unreachable,
            5,
            "unreachable 5 times in",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_retried_repaired_or_left_as_its_row_says() {
    for row in rows() {
        let error = error(row.code, row.status, row.message);
        assert_eq!(error.class, row.class, "{}", row.message);
        let seen = ask(row.refuses, error, Ok(account_profiles())).await;
        let first: Vec<_> = seen.repairs.iter().map(String::as_str).collect();
        assert_eq!(
            (seen.answered_by.as_deref(), first.as_slice()),
            (Some(row.answered_by), row.repairs),
            "{}",
            row.message
        );
        // A repaired rung is asked twice in all; the profile that was found is the second of them.
        let tries = if row.repairs.is_empty() { seen.tries } else { seen.asked.len() };
        assert_eq!(tries, row.tries, "{}", row.message);
        if row.text.is_empty() {
            assert_eq!(seen.text, "", "{}", row.message);
        } else {
            assert!(seen.text.contains(row.text), "{} is not in {}", row.text, seen.text);
        }
        assert_eq!(seen.warnings, Vec::<String>::new());
        if row.class == ErrorClass::Credentials {
            assert_eq!(seen.asked.len(), 2, "no other model of Bedrock is asked");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_does_not_help_is_not_tried_again() {
    let words = "tool_choice forces tool use is not compatible with this model";
    let seen = ask(of_nova, error("ValidationException", 400, words), Ok(account_profiles())).await;
    assert_eq!((seen.tries, seen.repairs.len()), (2, 1));
    assert_eq!(seen.answered_by.as_deref(), Some(NOVA_US));
    assert!(seen.text.contains("request refused 2 times"), "{}", seen.text);
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_guessed_from_the_region_where_the_list_is_denied_and_the_run_says_so() {
    let denied =
        error("AccessDeniedException", 403, "not authorized to perform: bedrock:ListInferenceProfiles");
    let seen = ask(of_nova, error("ValidationException", 400, NEEDS_PROFILE), Err(denied)).await;
    assert_eq!(seen.answered_by.as_deref(), Some(NOVA_US));
    let [warning] = seen.warnings.as_slice() else { panic!("{:?}", seen.warnings) };
    assert!(warning.contains("bedrock:ListInferenceProfiles") && warning.contains("guessed"), "{warning}");
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_profile_in_the_geography_is_left_after_one_try() {
    let profiles = Ok(vec!["eu.amazon.nova-pro-v1:0".to_owned()]);
    let seen = ask(of_nova, error("ValidationException", 400, NEEDS_PROFILE), profiles).await;
    assert_eq!((seen.tries, seen.repairs.len()), (1, 0));
    assert!(seen.text.contains("needs an inference profile once"), "{}", seen.text);
    assert_eq!(seen.answered_by.as_deref(), Some(NOVA_US), "the next rung");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_was_too_slow_is_asked_once_more_for_less() {
    let slow = error("ModelTimeoutException", 408, "The model took too long.");
    let seen = ask(of_nova, slow, Ok(account_profiles())).await;
    let asked: Vec<u32> =
        seen.asked.iter().filter(|(id, _)| id == NOVA).map(|(_, request)| request.max_tokens).collect();
    assert_eq!(asked, [4_000, 2_000]);
}
