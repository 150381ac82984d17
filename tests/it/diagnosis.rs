//! Every error text of the seed and of Amazon Bedrock's documentation, and what is said about it.

use sre_agent::aws::classify;
use sre_agent::diagnosis::{Diagnosis, Retry, of_text};
use sre_agent::model::ErrorClass::{
    AccessDenied, Credentials, DailyQuota, EndOfLife, InputTooLong, InvalidIdentifier, InvalidRequest,
    ModelFailed, NeedsProfile, NotEnabled, Throttled, TimedOut, Unavailable, Unreachable,
};
use sre_agent::model::{ErrorClass, ModelId};

/// Code, HTTP status, message; then the signature, its class, and whether to try again.
type Row = (&'static str, u16, &'static str, &'static str, ErrorClass, Retry);

const ROWS: &[Row] = &[
    (
        "ThrottlingException",
        429,
        "Too many requests, please wait before trying again.",
        "throttled_requests",
        Throttled,
        Retry::Backoff,
    ),
    (
        "ThrottlingException",
        429,
        "Too many tokens, please wait before trying again.",
        "throttled_tokens",
        Throttled,
        Retry::Backoff,
    ),
    (
        "ThrottlingException",
        429,
        "Too many tokens per day, please wait before trying again.",
        "daily_quota",
        DailyQuota,
        Retry::No,
    ),
    (
        "ThrottlingException",
        429,
        "An error occurred (ThrottlingException) when calling the InvokeModel operation (reached max retries: 4): Too many requests, please wait before trying again.",
        "throttled_requests",
        Throttled,
        Retry::Backoff,
    ),
    (
        "ModelNotReadyException",
        429,
        "The model is not ready for inference.",
        "model_not_ready",
        Unavailable,
        Retry::Backoff,
    ),
    (
        "ServiceUnavailableException",
        503,
        "Bedrock is unable to process your request.",
        "unavailable",
        Unavailable,
        Retry::Backoff,
    ),
    (
        "InternalServerException",
        500,
        "The system encountered an unexpected error during processing. Try your request again.",
        "unavailable",
        Unavailable,
        Retry::Backoff,
    ),
    ("overloaded_error", 529, "Overloaded", "unavailable", Unavailable, Retry::Backoff),
    (
        "ModelTimeoutException",
        408,
        "The request took too long to process.",
        "model_timed_out",
        TimedOut,
        Retry::Once,
    ),
    (
        "ModelErrorException",
        424,
        "The request failed due to an error while processing the model.",
        "model_failed",
        ModelFailed,
        Retry::Once,
    ),
    (
        "ModelStreamErrorException",
        424,
        "An error occurred while streaming the response.",
        "model_failed",
        ModelFailed,
        Retry::Once,
    ),
    (
        "ModelErrorException",
        424,
        "Model produced invalid sequence as part of ToolUse. Please refer to the model tool use troubleshooting guide.",
        "invalid_tool_use",
        ModelFailed,
        Retry::Once,
    ),
    (
        "ServiceQuotaExceededException",
        400,
        "The number of requests exceeds the service quota.",
        "account_quota",
        DailyQuota,
        Retry::No,
    ),
    (
        "ValidationException",
        400,
        "The provided model identifier is invalid.",
        "invalid_identifier",
        InvalidIdentifier,
        Retry::No,
    ),
    (
        "ValidationException",
        400,
        "Invocation of model ID anthropic.claude-3-5-sonnet-20241022-v2:0 with on-demand throughput isn't supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
        "needs_profile",
        NeedsProfile,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "Invocation of model ID anthropic.claude-3-5-sonnet-20241022-v2:0 with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
        "needs_profile",
        NeedsProfile,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "Input is too long for requested model",
        "input_too_long",
        InputTooLong,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "prompt is too long: 200001 tokens > 200000 maximum",
        "input_too_long",
        InputTooLong,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "The maximum tokens you requested exceeds the model limit of 8192. Try again with a maximum tokens value that is lower than 8192.",
        "output_too_large",
        InvalidRequest,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens",
        "output_too_large",
        InvalidRequest,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "`temperature` is deprecated for this model.",
        "sampling_parameter",
        InvalidRequest,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "`temperature` and `top_p` cannot both be specified for this model",
        "sampling_parameter",
        InvalidRequest,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "tool_choice forces tool use is not compatible with this model",
        "forced_tool_choice",
        InvalidRequest,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "tool_choice: type \"tool\" and \"any\" are not supported for this model",
        "forced_tool_choice",
        InvalidRequest,
        Retry::Once,
    ),
    (
        "ValidationException",
        400,
        "A conversation must start with a user message.",
        "request_refused",
        InvalidRequest,
        Retry::No,
    ),
    (
        "ValidationException",
        400,
        "Access to Anthropic models is not allowed from unsupported countries.",
        "country",
        AccessDenied,
        Retry::No,
    ),
    (
        "ResourceNotFoundException",
        404,
        "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
        "end_of_life",
        EndOfLife,
        Retry::No,
    ),
    (
        "ResourceNotFoundException",
        404,
        "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
        "legacy",
        EndOfLife,
        Retry::No,
    ),
    (
        "ResourceNotFoundException",
        404,
        "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model. If you have already filled out the form, try again in 15 minutes.",
        "use_case_form",
        NotEnabled,
        Retry::Later,
    ),
    (
        "AccessDeniedException",
        403,
        "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-6 because no identity-based policy allows the bedrock:InvokeModel action",
        "not_granted_on_model",
        AccessDenied,
        Retry::No,
    ),
    (
        "AccessDeniedException",
        403,
        "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-6 with an explicit deny in a service control policy",
        "denied_by_scp",
        AccessDenied,
        Retry::No,
    ),
    (
        "AccessDeniedException",
        403,
        "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided. Your AWS Marketplace subscription for this model cannot be completed at this time.",
        "payment",
        NotEnabled,
        Retry::Later,
    ),
    (
        "AccessDeniedException",
        403,
        "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model.",
        "marketplace_permission",
        NotEnabled,
        Retry::Later,
    ),
    (
        "AccessDeniedException",
        403,
        "Your AWS Marketplace subscription for this model is still being processed.",
        "subscription_pending",
        NotEnabled,
        Retry::Later,
    ),
    (
        "AccessDeniedException",
        403,
        "Your account is currently being verified.",
        "subscription_pending",
        NotEnabled,
        Retry::Later,
    ),
    (
        "AccessDeniedException",
        403,
        "You don\u{2019}t have access to the model with the specified model ID.",
        "no_model_access",
        NotEnabled,
        Retry::Later,
    ),
    (
        "ExpiredTokenException",
        403,
        "The security token included in the request is expired",
        "credentials_expired",
        Credentials,
        Retry::No,
    ),
    (
        "UnrecognizedClientException",
        403,
        "The security token included in the request is invalid.",
        "credentials_invalid",
        Credentials,
        Retry::No,
    ),
    (
        "InvalidSignatureException",
        403,
        "The request signature we calculated does not match the signature you provided.",
        "credentials_invalid",
        Credentials,
        Retry::No,
    ),
];

fn explained(row: &Row) -> Diagnosis {
    of_text(&format!("{}: {}", row.0, row.2), None)
}

#[test]
fn every_text_has_its_diagnosis_and_the_class_on_which_the_ladder_acts() {
    for row in ROWS {
        let (code, status, message, name, class, retry) = row;
        let found = explained(row);
        assert_eq!(
            (found.name.as_str(), found.class, found.retry),
            (*name, *class, *retry),
            "{code}: {message}"
        );
        assert_eq!(
            classify(Some(code), message, Some(*status)),
            *class,
            "the ladder reads {code}: {message} otherwise"
        );
        assert!(found.is_recognised(), "{code}: {message}");
        assert!(
            !found.cause.is_empty() && !found.remedies.is_empty() && !found.next.is_empty(),
            "{code}: {message}"
        );
    }
}

#[test]
fn what_a_person_pastes_without_a_code_is_recognised_as_well() {
    for (text, name) in [
        ("ValueError: Provider global model does not support chat.", "client_cannot_parse_id"),
        (
            "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
            "credentials_invalid",
        ),
        ("dispatch failure: io error: tcp connect error: Connection refused", "unreachable"),
        ("on-demand throughput isn\u{2019}t\n  supported", "needs_profile"),
        // A log's own escapes, also of JSON within JSON.
        (r#"{"error":"on-demand throughput isn\u2019t supported"}"#, "needs_profile"),
        (r#"{"message":"{\"error\":\"on-demand throughput isn\\u2019t\\nsupported\"}"}"#, "needs_profile"),
        // Clients say so of every failure, not of throttling alone.
        (
            "An error occurred (ServiceUnavailableException) when calling the Converse operation (reached max retries: 4): Bedrock is unable to process your request.",
            "unavailable",
        ),
        ("authentication_error: invalid x-api-key", "api_key"),
        ("Your credit balance is too low to access the Anthropic API.", "provider_credit"),
        ("insufficient_quota: You exceeded your current quota", "provider_quota"),
        ("This model's maximum context length is 8192 tokens (max_tokens: 900)", "input_too_long"),
        ("ResourceNotFoundException: no such thing", "not_found"),
        ("its quota of 1 request a minute has the next place in 58 s, 12 s are left", "quota_too_small"),
        ("the moon is full", "unknown"),
        ("", "unknown"),
    ] {
        assert_eq!(of_text(text, None).name, name, "{text}");
    }
    assert_eq!(of_text("dispatch failure: connection refused", None).class, Unreachable);
}

#[test]
fn the_word_token_alone_never_means_credentials() {
    for text in [
        "Too many tokens, please wait",
        "token",
        "max_tokens: 9 > 8",
        "invalid token count",
        "Too many tokens per day",
    ] {
        assert_ne!(of_text(text, None).class, Credentials, "{text}");
    }
}

#[test]
fn a_wrong_id_gets_the_nearest_valid_one() {
    let seed = ModelId::from("us.anthropic.claude-3-5-sonnet-v2:0");
    let found = of_text("ValidationException: The provided model identifier is invalid.", Some(&seed));
    assert_eq!(
        found.remedies[0],
        "The nearest id that is known: us.anthropic.claude-3-5-sonnet-20241022-v2:0 (end of life 2026-03-01 in the US; use \
         us.anthropic.claude-sonnet-4-6)."
    );
    let typed = of_text("The provided model identifier is invalid: us.anthropic.claude-sonet-4-6", None);
    assert_eq!(typed.remedies[0], "The nearest id that is known: us.anthropic.claude-sonnet-4-6.");
    let strange = of_text("The provided model identifier is invalid.", Some(&ModelId::from("someone.thing")));
    assert_eq!(
        strange.remedies[0],
        "Nothing in the catalogue is near it; compare it with what the Region offers."
    );
}

#[test]
fn a_denial_names_the_resource_and_its_region() {
    let row = ROWS.iter().find(|row| row.3 == "not_granted_on_model").unwrap();
    let found = explained(row);
    assert!(
        found.cause.contains("arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-6"),
        "{}",
        found.cause
    );
    assert!(found.cause.ends_with("here us-east-2."), "{}", found.cause);
    let global = of_text(
        "not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-6",
        None,
    );
    assert!(global.cause.ends_with("here unspecified (a global profile)."), "{}", global.cause);
}

#[test]
fn throttling_names_the_quota_and_tells_a_burst_from_one_that_is_too_small() {
    let model = ModelId::from("us.anthropic.claude-sonnet-4-6");
    let found =
        of_text("ThrottlingException: Too many requests, please wait before trying again.", Some(&model));
    assert!(
        found
            .cause
            .contains("Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.6"),
        "{}",
        found.cause
    );
    assert!(
        found.remedies[0].starts_with("A burst") && found.remedies[1].starts_with("Too small"),
        "{:?}",
        found.remedies
    );
}

#[test]
fn the_client_side_parse_error_is_not_blamed_on_iam() {
    let found = of_text("Provider global model does not support chat", None);
    assert!(
        found.cause.contains("langchain-aws") && found.cause.contains("IAM and Bedrock had no part"),
        "{}",
        found.cause
    );
}

#[test]
fn a_profile_is_suggested_for_the_model_that_the_text_names() {
    let row = ROWS.iter().find(|row| row.3 == "needs_profile").unwrap();
    let found = explained(row);
    assert_eq!(found.next, "sre-agent iam-policy --model us.anthropic.claude-3-5-sonnet-20241022-v2:0");
}

#[test]
fn the_end_of_a_long_log_is_read() {
    let log = format!(
        "{}\nThrottlingException: Too many requests, please wait",
        "INFO all is well\n".repeat(4_000)
    );
    assert_eq!(of_text(&log, None).name, "throttled_requests");
}

#[test]
fn an_unknown_text_is_said_to_be_unknown_with_where_to_look() {
    let found = of_text("the moon is full", None);
    assert!(!found.is_recognised() && found.cause.contains("not recognised"), "{}", found.cause);
    assert_eq!(found.retry, Retry::NotKnown);
    assert!(found.remedies.iter().any(|remedy| remedy.contains("https://docs.aws.amazon.com/bedrock/")));
}
