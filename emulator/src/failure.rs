//! What a service answers when it does not answer: an error in AWS's words, or this emulator's own refusal.

use serde_json::json;

use crate::cbor::{self, Cbor};
use crate::percent;
use crate::wire::Answer;

/// Begins every message about something that this emulator does not do.
pub(crate) const UNSUPPORTED: &str = "emulator: unsupported";

/// Why an operation has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An error that AWS itself would give.
    Service(ServiceError),
    /// Outside the emulator's subset.
    Unsupported(String),
}

impl Failure {
    /// Builds an error in AWS's words.
    pub(crate) fn service(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::Service(ServiceError { status, code, message: message.into() })
    }

    /// Builds a refusal; `what` completes the sentence "emulator: unsupported …".
    pub(crate) fn unsupported(what: impl AsRef<str>) -> Self {
        Self::Unsupported(format!("{UNSUPPORTED} {}", what.as_ref()))
    }

    /// Returns the error as it goes on the wire.
    pub(crate) fn into_error(self) -> ServiceError {
        match self {
            Self::Service(error) => error,
            Self::Unsupported(message) => ServiceError { status: 400, code: "EmulatorUnsupported", message },
        }
    }
}

/// One AWS error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceError {
    /// HTTP status.
    pub(crate) status: u16,
    /// The exception's shape name; empty message where AWS sends none.
    pub(crate) code: &'static str,
    /// Text of the exception.
    pub(crate) message: String,
}

/// How a service writes its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Smithy rpc-v2-cbor of a service that once spoke the query protocol.
    Cbor,
    /// awsJson 1.1.
    Json,
    /// restJson 1.
    RestJson,
    /// restXml, as S3 speaks it.
    RestXml,
    /// awsQuery: forms in, XML of the service's namespace out.
    Query {
        /// The namespace.
        namespace: &'static str,
    },
}

impl Protocol {
    /// Writes an error the way this protocol's clients read it.
    pub(crate) fn error(self, error: &ServiceError, request_id: &str) -> Answer {
        let id_header = ("x-amzn-requestid".to_owned(), request_id.to_owned());
        let content_type = |value: &str| ("content-type".to_owned(), value.to_owned());
        let sender = if error.status < 500 { "Sender" } else { "Receiver" };
        match self {
            Self::Cbor => {
                let body = Cbor::map([
                    ("__type", Cbor::text(format!("com.amazonaws.cloudwatch#{}", error.code))),
                    ("message", Cbor::text(&error.message)),
                ]);
                Answer {
                    status: error.status,
                    headers: vec![
                        content_type("application/cbor"),
                        ("smithy-protocol".to_owned(), "rpc-v2-cbor".to_owned()),
                        // Clients that knew the service before it spoke CBOR read the old code from here.
                        (
                            "x-amzn-query-error".to_owned(),
                            format!("{};{sender}", query_code_of_cloudwatch(error.code)),
                        ),
                        id_header,
                    ],
                    body: cbor::encoded(&body),
                }
            }
            Self::Json => {
                let body = if error.message.is_empty() {
                    json!({"__type": error.code})
                } else {
                    json!({"__type": error.code, "message": error.message})
                };
                Answer {
                    status: error.status,
                    headers: vec![content_type("application/x-amz-json-1.1"), id_header],
                    body: body.to_string().into_bytes(),
                }
            }
            Self::RestJson => Answer {
                status: error.status,
                headers: vec![
                    content_type("application/json"),
                    ("x-amzn-errortype".to_owned(), error.code.to_owned()),
                    id_header,
                ],
                // Lambda's own exceptions carry `Type` and `Message`, the gateway before it `message`; the SDKs read
                // both, so one body serves.
                body: json!({"Type": if error.status < 500 { "User" } else { "Service" }, "message": error.message})
                    .to_string()
                    .into_bytes(),
            },
            Self::RestXml => Answer {
                status: error.status,
                headers: vec![content_type("application/xml"), id_header],
                body: format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{}</Message>\
                     <RequestId>{request_id}</RequestId></Error>",
                    error.code,
                    percent::xml_text(&error.message),
                )
                .into_bytes(),
            },
            Self::Query { namespace } => Answer {
                status: error.status,
                headers: vec![content_type("text/xml"), id_header],
                body: format!(
                    "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{sender}</Type>\
                     <Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                    error.code,
                    percent::xml_text(&error.message),
                )
                .into_bytes(),
            },
        }
    }
}

/// The codes of CloudWatch's query days, by the shape names of today.
fn query_code_of_cloudwatch(code: &'static str) -> &'static str {
    match code {
        "InvalidParameterValueException" => "InvalidParameterValue",
        "InvalidParameterCombinationException" => "InvalidParameterCombination",
        "MissingRequiredParameterException" => "MissingParameter",
        "ValidationException" => "ValidationError",
        "AccessDeniedException" => "AccessDenied",
        "ThrottlingException" => "Throttling",
        "InternalServiceFault" => "InternalServiceError",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        other => other,
    }
}
