//! What a failed call means: the SDK's errors sorted by what is to be done about them.
//!
//! The services' texts drift, so the error code is matched first and then a lower-cased part of the message.

use std::error::Error;
use std::time::Duration;

use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::operation::RequestId;

use crate::evidence::Status;
use crate::gather::telemetry::TelemetryError;
use crate::model::classify::{THROTTLING_CODES, classify, normal_code, normal_message};
use crate::model::{ErrorClass, ModelError};

/// Longest reason that a card or a gap is given.
const REASON_CHARACTERS: usize = 200;

/// Longest text of a model's error; long enough for a denial with its ARN.
const MODEL_MESSAGE_CHARACTERS: usize = 600;

/// Says what a telemetry service's error means for the evidence.
pub(super) fn status_of(code: Option<&str>, message: &str, status: Option<u16>) -> Status {
    let code = normal_code(code);
    let message = normal_message(message);
    let code_is = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    if code_is(&["accessdenied", "unauthorizedoperation", "authorizationerror"])
        || message.contains("not authorized to perform")
    {
        Status::Denied
    } else if code_is(THROTTLING_CODES) || message.contains("rate exceeded") || status == Some(429) {
        Status::Throttled
    } else if code_is(&["resourcenotfound", "notfoundexception"]) || code == "notfound" {
        Status::Missing
    } else if code_is(&["requesttimeout"]) || status == Some(408) {
        Status::TimedOut
    } else {
        Status::Failed
    }
}

/// Turns a failed data call into a [`TelemetryError`]; `operation` is the IAM action behind it.
pub(super) fn telemetry<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> TelemetryError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = match error {
        SdkError::TimeoutError(_) => Status::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Status::TimedOut,
        _ => status_of(error.code(), error.message().unwrap_or_default(), http_status(error)),
    };
    TelemetryError { status, operation, reason: words(error, REASON_CHARACTERS) }
}

/// Turns a failed model call into a [`ModelError`].
pub(super) fn model<E>(error: &SdkError<E, HttpResponse>) -> ModelError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let message = words(error, MODEL_MESSAGE_CHARACTERS);
    let class = match error {
        SdkError::TimeoutError(_) => ErrorClass::TimedOut,
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            classify(error.code(), error.message().unwrap_or_default(), http_status(error))
        }
        SdkError::DispatchFailure(failure) => unsent(&message, failure.is_timeout(), ErrorClass::Unreachable),
        _ => unsent(&message, false, ErrorClass::InvalidRequest),
    };
    let headers = error.raw_response().map(HttpResponse::headers);
    let retry_after = headers.and_then(|headers| retry_after(|name| headers.get(name)));
    ModelError { class, message, request_id: error.request_id().map(str::to_owned), retry_after }
}

/// Says why no answer came, from the SDK's own words: it has no other way to tell a missing credential from a dead wire.
fn unsent(words: &str, timed_out: bool, otherwise: ErrorClass) -> ErrorClass {
    let words = words.to_lowercase();
    if words.contains("credential") || words.contains("identity") {
        ErrorClass::Credentials
    } else if timed_out && !words.contains("connect timeout") {
        ErrorClass::TimedOut
    } else {
        otherwise
    }
}

/// Reads how long the service asks to wait: `x-amz-retry-after` in milliseconds, `Retry-After` in seconds, the longer
/// of the two. A date in `Retry-After` is not read; Bedrock sends numbers.
fn retry_after<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Duration> {
    let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u64>().ok());
    let milliseconds = number("x-amz-retry-after").map(Duration::from_millis);
    let seconds = number("retry-after").map(Duration::from_secs);
    milliseconds.max(seconds)
}

/// Returns the status of the HTTP answer, where there was one.
fn http_status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns the service's own words, or the SDK's where none came, as one line of at most `characters`.
pub(super) fn words<E>(error: &SdkError<E, HttpResponse>, characters: usize) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let said = match (error.code(), error.message().filter(|message| !message.trim().is_empty())) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (None, Some(message)) => message.to_owned(),
        (Some(code), None) => code.to_owned(),
        (None, None) => match (error, http_status(error)) {
            (SdkError::TimeoutError(_), _) => "no answer in the time given".to_owned(),
            (SdkError::ServiceError(_), Some(status)) => format!("HTTP {status} without a word"),
            (SdkError::ResponseError(_), Some(status)) => {
                format!("an answer that cannot be read (HTTP {status}): {}", causes(error))
            }
            _ => causes(error),
        },
    };
    shortened(&without_addresses(&said), characters)
}

/// Joins what the causes of an error say, from the outermost to the root.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said = Vec::<String>::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        // A wrapper often repeats what it wraps.
        if !words.is_empty() && !said.iter().any(|earlier| earlier.contains(&words)) {
            said.push(words);
        }
        next = error.source();
    }
    said.join(": ")
}

/// Cuts URLs in a text down to scheme and host: a user name or a query can hold a secret.
fn without_addresses(text: &str) -> String {
    text.split(' ').map(without_address).collect::<Vec<_>>().join(" ")
}

fn without_address(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// Folds a text into one line and cuts it.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= characters {
        return line;
    }
    let kept: String = line.chars().take(characters.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of the provider's error table, with the text as the service sends it.
    #[test]
    fn every_refusal_of_the_provider_has_its_class() {
        let rows: &[(&str, u16, &str, ErrorClass)] = &[
            (
                "ThrottlingException",
                429,
                "Too many requests, please wait before trying again.",
                ErrorClass::Throttled,
            ),
            (
                "ThrottlingException",
                429,
                "Too many tokens, please wait before trying again.",
                ErrorClass::Throttled,
            ),
            (
                "ThrottlingException",
                429,
                "Too many tokens per day, please wait before trying again.",
                ErrorClass::DailyQuota,
            ),
            ("ModelNotReadyException", 429, "The model is not ready.", ErrorClass::Unavailable),
            (
                "ServiceUnavailableException",
                503,
                "Bedrock is unable to process your request.",
                ErrorClass::Unavailable,
            ),
            (
                "InternalServerException",
                500,
                "The system encountered an unexpected error during processing. Try your request again.",
                ErrorClass::Unavailable,
            ),
            ("ModelTimeoutException", 408, "The model took too long.", ErrorClass::TimedOut),
            ("ModelErrorException", 424, "The model failed.", ErrorClass::ModelFailed),
            ("ModelStreamErrorException", 424, "The model failed.", ErrorClass::ModelFailed),
            ("overloaded_error", 529, "Overloaded", ErrorClass::Unavailable),
            ("ServiceQuotaExceededException", 400, "Your account quota is spent.", ErrorClass::DailyQuota),
            (
                "ValidationException",
                400,
                "The provided model identifier is invalid.",
                ErrorClass::InvalidIdentifier,
            ),
            (
                "ValidationException",
                400,
                "Invocation of model ID a.b-v1:0 with on-demand throughput isn\u{2019}t supported. Retry your request with \
                 the ID or ARN of an inference profile that contains this model.",
                ErrorClass::NeedsProfile,
            ),
            (
                "ValidationException",
                400,
                "Invocation of model ID a.b-v1:0 with on-demand throughput isn't supported. Retry your request with the ID \
                 or ARN of an inference profile that contains this model.",
                ErrorClass::NeedsProfile,
            ),
            ("ValidationException", 400, "Input is too long for requested model", ErrorClass::InputTooLong),
            (
                "ValidationException",
                400,
                "prompt is too long: 200001 tokens > 200000 maximum",
                ErrorClass::InputTooLong,
            ),
            (
                "ValidationException",
                400,
                "`temperature` is deprecated for this model.",
                ErrorClass::InvalidRequest,
            ),
            (
                "ValidationException",
                400,
                "`temperature` and `top_p` cannot both be specified",
                ErrorClass::InvalidRequest,
            ),
            (
                "ValidationException",
                400,
                "tool_choice forces tool use is not compatible with this model",
                ErrorClass::InvalidRequest,
            ),
            (
                "ValidationException",
                400,
                "tool_choice: type \"tool\" and \"any\" are not supported for this model",
                ErrorClass::InvalidRequest,
            ),
            (
                "ValidationException",
                400,
                "Access to Anthropic models is not allowed from unsupported countries.",
                ErrorClass::AccessDenied,
            ),
            (
                "ResourceNotFoundException",
                404,
                "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
                ErrorClass::EndOfLife,
            ),
            (
                "ResourceNotFoundException",
                404,
                "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model \
                 in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
                ErrorClass::EndOfLife,
            ),
            (
                "ResourceNotFoundException",
                404,
                "Model use case details have not been submitted for this account. Fill out the Anthropic use case details \
                 form before using the model. If you have already filled out the form, try again in 15 minutes.",
                ErrorClass::NotEnabled,
            ),
            ("ResourceNotFoundException", 404, "Could not resolve the model.", ErrorClass::InvalidIdentifier),
            (
                "AccessDeniedException",
                403,
                "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: bedrock:InvokeModel on \
                 resource: arn:aws:bedrock:us-east-2::foundation-model/a.b-v1:0 with an explicit deny",
                ErrorClass::AccessDenied,
            ),
            (
                "AccessDeniedException",
                403,
                "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided.",
                ErrorClass::NotEnabled,
            ),
            (
                "AccessDeniedException",
                403,
                "Model access is denied due to IAM user or service role is not authorized to perform the required AWS \
                 Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe)",
                ErrorClass::NotEnabled,
            ),
            (
                "AccessDeniedException",
                403,
                "Your AWS Marketplace subscription for this model is still being processed.",
                ErrorClass::NotEnabled,
            ),
            (
                "AccessDeniedException",
                403,
                "Your account is currently being verified.",
                ErrorClass::NotEnabled,
            ),
            (
                "AccessDeniedException",
                403,
                "You don\u{2019}t have access to the model with the specified model ID.",
                ErrorClass::NotEnabled,
            ),
            ("ExpiredTokenException", 403, "The security token is expired", ErrorClass::Credentials),
            (
                "UnrecognizedClientException",
                403,
                "The security token included in the request is invalid.",
                ErrorClass::Credentials,
            ),
            ("", 418, "", ErrorClass::Unknown),
        ];
        for (code, status, message, class) in rows {
            assert_eq!(classify(Some(code), message, Some(*status)), *class, "{code} {status}: {message}");
            let long = format!("com.amazonaws.bedrock#{code}:http://internal.amazon.com/");
            assert_eq!(classify(Some(&long), message, Some(*status)), *class, "{long}");
        }
    }

    #[test]
    fn the_word_token_alone_never_means_credentials() {
        for message in
            ["Too many tokens, please wait", "input of 9 tokens is invalid", "max_tokens: token limit"]
        {
            for status in [400, 429] {
                assert_ne!(classify(None, message, Some(status)), ErrorClass::Credentials, "{message}");
            }
        }
    }

    #[test]
    fn a_refusal_without_a_code_is_sorted_by_its_http_status() {
        assert_eq!(classify(None, "", Some(429)), ErrorClass::Throttled);
        assert_eq!(classify(None, "", Some(503)), ErrorClass::Unavailable);
        assert_eq!(classify(None, "", Some(403)), ErrorClass::AccessDenied);
        assert_eq!(classify(None, "", Some(401)), ErrorClass::Credentials);
        assert_eq!(classify(None, "", None), ErrorClass::Unknown);
    }

    #[test]
    fn data_errors_keep_denied_throttled_and_missing_apart() {
        let rows: &[(&str, &str, u16, Status)] = &[
            ("AccessDenied", "", 403, Status::Denied),
            (
                "AccessDeniedException",
                "User: x is not authorized to perform: logs:FilterLogEvents",
                400,
                Status::Denied,
            ),
            (
                "SomethingElse",
                "User: x is not authorized to perform: lambda:ListAliases",
                403,
                Status::Denied,
            ),
            ("Throttling", "Rate exceeded", 400, Status::Throttled),
            ("ThrottlingException", "", 400, Status::Throttled),
            ("TooManyRequestsException", "", 429, Status::Throttled),
            ("LimitExceededException", "", 400, Status::Throttled),
            ("ResourceNotFoundException", "The specified log group does not exist.", 400, Status::Missing),
            ("NotFound", "Topic does not exist", 404, Status::Missing),
            ("ExpiredTokenException", "The security token is expired", 400, Status::Failed),
            ("InvalidParameterException", "end time before log group creation", 400, Status::Failed),
            ("InternalFailure", "", 500, Status::Failed),
        ];
        for (code, message, http, status) in rows {
            assert_eq!(status_of(Some(code), message, Some(*http)), *status, "{code}: {message}");
        }
    }

    #[test]
    fn a_call_that_was_never_sent_says_why() {
        let missing = "dispatch failure: other: the credential provider was not enabled";
        assert_eq!(unsent(missing, false, ErrorClass::Unreachable), ErrorClass::Credentials);
        let refused =
            "dispatch failure: io error: client error (Connect): tcp connect error: Connection refused";
        assert_eq!(unsent(refused, false, ErrorClass::Unreachable), ErrorClass::Unreachable);
        let no_route = "dispatch failure: timeout: HTTP connect timeout occurred after 3.1s";
        assert_eq!(unsent(no_route, true, ErrorClass::Unreachable), ErrorClass::Unreachable);
        let silent = "dispatch failure: timeout: HTTP read timeout occurred after 60s";
        assert_eq!(unsent(silent, true, ErrorClass::Unreachable), ErrorClass::TimedOut);
    }

    #[test]
    fn the_longer_of_both_waits_counts_and_garbage_counts_nothing() {
        let wait = |amazon: Option<&'static str>, plain: Option<&'static str>| {
            retry_after(|name| if name == "retry-after" { plain } else { amazon })
        };
        assert_eq!(wait(None, Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("1500"), None), Some(Duration::from_millis(1500)));
        assert_eq!(wait(Some("1500"), Some("1")), Some(Duration::from_millis(1500)));
        assert_eq!(wait(Some("x"), Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }

    #[test]
    fn reasons_are_one_short_line_without_addresses() {
        let text = "could not reach https://user:pass@proxy.example:3128/path?key=x now";
        assert_eq!(without_addresses(text), "could not reach https://proxy.example:3128 now");
        let long = shortened(&"é\n".repeat(300), REASON_CHARACTERS);
        assert_eq!(long.chars().count(), REASON_CHARACTERS);
        assert!(long.ends_with('…') && !long.contains('\n'));
    }
}
