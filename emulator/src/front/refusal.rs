//! How the services word what they refuse: denials, throttling, faults of their own.

use super::Call;
use crate::failure::{Protocol, ServiceError};
use crate::scenario::Scenario;
use crate::sts;

/// Words a denial as the service does.
pub(super) fn denied(scenario: &Scenario, call: &Call) -> ServiceError {
    // SNS writes its own name in capitals.
    let action = call.action.replace("sns:", "SNS:");
    let resource = call.resource.as_ref().map(|arn| format!(" on resource: {arn}")).unwrap_or_default();
    let message = format!(
        "User: {} is not authorized to perform: {action}{resource} \
         because no identity-based policy allows the {action} action",
        sts::caller(scenario)
    );
    let (status, code) = match call.protocol {
        Protocol::Cbor | Protocol::RestJson => (403, "AccessDeniedException"),
        Protocol::Json => (400, "AccessDeniedException"),
        Protocol::Query { .. } => (403, "AuthorizationError"),
        Protocol::RestXml => (403, "AccessDenied"),
    };
    ServiceError { status, code, message }
}

pub(super) fn throttled(call: &Call) -> ServiceError {
    let (status, code, message) = match (call.protocol, call.service) {
        (_, "bedrock") => (429, "ThrottlingException", "Too many requests, please wait before trying again."),
        (Protocol::RestJson, _) => (429, "TooManyRequestsException", "Rate exceeded"),
        (Protocol::Json, "servicequotas") => (400, "TooManyRequestsException", "Rate exceeded"),
        (Protocol::Query { .. }, _) => (400, "Throttling", "Rate exceeded"),
        (Protocol::RestXml, _) => (503, "SlowDown", "Please reduce your request rate."),
        (Protocol::Cbor | Protocol::Json, _) => (400, "ThrottlingException", "Rate exceeded"),
    };
    ServiceError { status, code, message: message.to_owned() }
}

pub(super) fn internal_error(call: &Call) -> ServiceError {
    let code = match (call.protocol, call.service) {
        (_, "bedrock") => "InternalServerException",
        (Protocol::Cbor, _) => "InternalServiceFault",
        (Protocol::Json, "ssm") => "InternalServerError",
        (Protocol::Json, "servicequotas") | (Protocol::RestJson, _) => "ServiceException",
        (Protocol::Json, _) => "ServiceUnavailableException",
        (Protocol::Query { .. } | Protocol::RestXml, _) => "InternalError",
    };
    ServiceError { status: 500, code, message: "The service had an internal error.".to_owned() }
}

pub(super) fn overloaded(call: &Call) -> ServiceError {
    let code = match call.protocol {
        Protocol::Query { .. } | Protocol::RestXml => "ServiceUnavailable",
        Protocol::Cbor | Protocol::Json | Protocol::RestJson => "ServiceUnavailableException",
    };
    ServiceError {
        status: 503,
        code,
        message: "The service is short of capacity. Try again later.".to_owned(),
    }
}
