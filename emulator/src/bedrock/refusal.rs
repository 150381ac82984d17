//! Bedrock's refusals: status, exception name and the service's own words, in the restJson error form.

use std::time::Duration;

use serde_json::json;

use crate::wire::Answer;

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// Exception name.
    pub(crate) exception: String,
    /// Text of the exception.
    pub(crate) message: String,
    /// How long the service asks the caller to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(status: u16, exception: &str, message: impl Into<String>) -> Self {
        Self { status, exception: exception.to_owned(), message: message.into(), retry_after: None }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    /// What this emulator cannot answer, though Bedrock might.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::validation(format!("emulator: unsupported: {what}"))
    }

    pub(crate) fn invalid_identifier() -> Self {
        Self::validation("The provided model identifier is invalid.")
    }

    pub(crate) fn on_demand_unsupported(model_id: &str) -> Self {
        // The service spells "isn't" with a typographic apostrophe.
        Self::validation(format!(
            "Invocation of model ID {model_id} with on-demand throughput isn\u{2019}t supported. Retry your request \
             with the ID or ARN of an inference profile that contains this model."
        ))
    }

    pub(crate) fn end_of_life() -> Self {
        Self::new(
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life. Please refer to the AWS documentation for more \
             details.",
        )
    }

    pub(crate) fn legacy() -> Self {
        Self::new(
            404,
            "ResourceNotFoundException",
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using the \
             model in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
        )
    }

    pub(crate) fn access_denied(account: &str, resource: &str) -> Self {
        Self::new(
            403,
            "AccessDeniedException",
            format!(
                "User: arn:aws:sts::{account}:assumed-role/emulated-role/emulated-session is not authorized to \
                 perform: bedrock:InvokeModel on resource: {resource} because no identity-based policy allows the \
                 bedrock:InvokeModel action"
            ),
        )
    }

    /// What a service control policy says that leaves a Region out.
    pub(crate) fn denied_by_organization(account: &str, resource: &str) -> Self {
        Self::new(
            403,
            "AccessDeniedException",
            format!(
                "User: arn:aws:sts::{account}:assumed-role/emulated-role/emulated-session is not authorized to \
                 perform: bedrock:InvokeModel on resource: {resource} with an explicit deny in a service control policy"
            ),
        )
    }

    pub(crate) fn marketplace_denied() -> Self {
        Self::new(
            403,
            "AccessDeniedException",
            "Model access is denied due to IAM user or service role is not authorized to perform the required AWS \
             Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to \
             this model. Refer to the Amazon Bedrock documentation for further details. Your AWS Marketplace \
             subscription for this model cannot be completed at this time. If you recently fixed this issue, try \
             again after 15 minutes.",
        )
    }

    pub(crate) fn agreement_pending() -> Self {
        Self::new(
            403,
            "AccessDeniedException",
            "Model access is denied: the AWS Marketplace subscription for this model is still being processed. Try \
             again after 15 minutes.",
        )
    }

    pub(crate) fn payment_instrument_invalid() -> Self {
        Self::new(
            403,
            "AccessDeniedException",
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided.. \
             Your AWS Marketplace subscription for this model cannot be completed at this time. If you recently fixed \
             this issue, try again after 15 minutes.",
        )
    }

    pub(crate) fn no_access_to_model() -> Self {
        Self::new(
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        )
    }

    pub(crate) fn throttled(retry_after: Option<Duration>) -> Self {
        let message = "Too many requests, please wait before trying again.";
        Self { retry_after, ..Self::new(429, "ThrottlingException", message) }
    }

    pub(crate) fn into_answer(self, request_id: &str) -> Answer {
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-amzn-requestid".to_owned(), request_id.to_owned()),
            ("x-amzn-errortype".to_owned(), self.exception),
        ];
        if let Some(wait) = self.retry_after {
            // The header holds whole seconds; rounding down would ask for less patience than was configured.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.push(("retry-after".to_owned(), seconds.to_string()));
        }
        let body = json!({"message": self.message}).to_string().into_bytes();
        Answer { status: self.status, headers, body }
    }
}
