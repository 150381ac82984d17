//! What a provider's refusal means, sorted by what is to be done about it.
//!
//! The services' texts drift, so the error code is matched first and then a lower-cased part of the message.

use crate::model::ErrorClass;

/// Says what a model provider's error asks for, by its code, message and HTTP status.
pub fn classify(code: Option<&str>, message: &str, status: Option<u16>) -> ErrorClass {
    let code = normal_code(code);
    let message = normal_message(message);
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    let code_is = |parts: &[&str]| parts.iter().any(|part| code.contains(part));

    // "token" alone would also catch "too many tokens".
    if code_is(CREDENTIAL_CODES) || says(&["security token", "request signature we calculated"]) {
        return ErrorClass::Credentials;
    }
    if code_is(&["modelnotready"]) {
        return ErrorClass::Unavailable;
    }
    // An account quota does not refill within a run either.
    if code_is(&["servicequotaexceeded", "insufficient_quota"]) {
        return ErrorClass::DailyQuota;
    }
    if code_is(THROTTLING_CODES) || code_is(&["rate_limit"]) || status == Some(429) {
        let daily = says(&["tokens per day", "requests per day", "per day, please wait", "daily"]);
        return if daily { ErrorClass::DailyQuota } else { ErrorClass::Throttled };
    }
    if says(&["end of its life", "end of life", "marked by provider as legacy"]) {
        return ErrorClass::EndOfLife;
    }
    if status == Some(402) || says(&["credit balance"]) {
        return ErrorClass::NotEnabled;
    }
    if says(&["use case details", "invalid_payment_instrument", "payment instrument", "marketplace"]) {
        return ErrorClass::NotEnabled;
    }
    let refused = code_is(&["accessdenied", "unauthorized", "forbidden"]) || status == Some(403);
    if refused {
        let pending = says(&[
            "subscription",
            "agreement",
            "being verified",
            "being processed",
            "have access to the model with the specified model id",
        ]);
        return if pending { ErrorClass::NotEnabled } else { ErrorClass::AccessDenied };
    }
    if code_is(&["modeltimeout"]) || status == Some(408) {
        return ErrorClass::TimedOut;
    }
    if code_is(&["modelerror", "modelstreamerror"]) || status == Some(424) {
        return ErrorClass::ModelFailed;
    }
    if code_is(&["serviceunavailable", "internalserver", "internalfailure", "overloaded"])
        || matches!(status, Some(500 | 502 | 503 | 504 | 529))
    {
        return ErrorClass::Unavailable;
    }
    if says(&["model identifier is invalid"]) {
        return ErrorClass::InvalidIdentifier;
    }
    if says(&["on-demand throughput isn't supported", "on-demand throughput is not supported"]) {
        return ErrorClass::NeedsProfile;
    }
    if says(&["input is too long", "prompt is too long", "too many input tokens", "maximum context length"])
        || status == Some(413)
    {
        return ErrorClass::InputTooLong;
    }
    if says(&["access to anthropic models is not allowed"]) {
        return ErrorClass::AccessDenied;
    }
    if code_is(&["resourcenotfound"]) || status == Some(404) {
        return ErrorClass::InvalidIdentifier;
    }
    if code_is(&["validation"]) || status == Some(400) {
        return ErrorClass::InvalidRequest;
    }
    match status {
        Some(401) => ErrorClass::Credentials,
        _ => ErrorClass::Unknown,
    }
}

/// Codes that mean that the caller is nobody, or nobody any more.
const CREDENTIAL_CODES: &[&str] = &[
    "expiredtoken",
    "unrecognizedclient",
    "invalidclienttokenid",
    "invalidsignature",
    "signaturedoesnotmatch",
    "incompletesignature",
    "missingauthenticationtoken",
    "invalidaccesskeyid",
    "requestexpired",
];

/// Codes that mean that the service is asked too much.
pub(crate) const THROTTLING_CODES: &[&str] = &[
    "throttl",
    "toomanyrequests",
    "requestlimitexceeded",
    "bandwidthlimitexceeded",
    "limitexceeded",
    "slowdown",
];

/// Returns the code without its namespace (`com.amazon.coral.service#ThrottlingException`), lower-cased.
pub(crate) fn normal_code(code: Option<&str>) -> String {
    let code = code.unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code).to_lowercase()
}

/// Returns the message lower-cased, with straight apostrophes: Bedrock writes `isn’t` with a curly one.
pub(crate) fn normal_message(message: &str) -> String {
    message.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'")
}
