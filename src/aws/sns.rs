//! The SNS channel: one message with a text for each protocol.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;
use futures::future::BoxFuture;

use super::client::{Later, data_client};
use super::error::{status_of, telemetry, words};
use super::in_region;
use crate::clock::Deadline;
use crate::delivery::{Channel, DeliveryError, Post, SnsMessage, sns_message};
use crate::evidence::Status;
use crate::gather::telemetry::TelemetryError;
use crate::run::Receipt;

const NAME: &str = "sns";

/// Publishes reports to one topic.
#[derive(Debug)]
pub struct SnsChannel {
    client: Later<Client>,
    topic_arn: String,
}

impl SnsChannel {
    /// Names the topic, which lies in the Region that its ARN names, whatever the configuration's is.
    pub fn new(config: &SdkConfig, topic_arn: &str) -> Self {
        SnsChannel { client: client_for(config, topic_arn), topic_arn: topic_arn.to_owned() }
    }

    /// Returns how many subscriptions of the topic are confirmed: without one nobody reads what is published.
    pub async fn subscriptions(&self) -> Result<u32, TelemetryError> {
        let asked = self.client.get_topic_attributes().topic_arn(&self.topic_arn).send().await;
        let answer = asked.map_err(|error| telemetry("sns:GetTopicAttributes", &error))?;
        let confirmed = answer.attributes().and_then(|found| found.get("SubscriptionsConfirmed"));
        Ok(confirmed.and_then(|number| number.parse().ok()).unwrap_or_default())
    }

    async fn publish(&self, message: SnsMessage, deadline: Deadline) -> Result<Receipt, DeliveryError> {
        let texts = message.body();
        let mut request = self
            .client
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(message.subject)
            .message_structure("json")
            .message(texts);
        for (name, value) in message.attributes {
            // SNS refuses an attribute without a value.
            if value.is_empty() {
                continue;
            }
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let value = value.map_err(|error| failed(format!("attribute {name} cannot be sent: {error}")))?;
            request = request.message_attributes(name, value);
        }
        match tokio::time::timeout_at(deadline.instant(), request.send()).await {
            Ok(Ok(answer)) => Ok(Receipt {
                channel: NAME.to_owned(),
                reference: answer.message_id,
                note: None,
                facts: false,
            }),
            Ok(Err(error)) => Err(failed(advice(&self.topic_arn, &error))),
            Err(_) => Err(failed("no answer before the deadline; the message may have gone out".to_owned())),
        }
    }
}

impl Channel for SnsChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(self.publish(sns_message(post.document), deadline))
    }
}

/// Returns the client for the Region that a topic's ARN names.
pub(super) fn client_for(config: &SdkConfig, topic_arn: &str) -> Later<Client> {
    data_client(&in_region(config.clone(), region_of(topic_arn)), Client::new)
}

fn failed(reason: String) -> DeliveryError {
    DeliveryError { channel: NAME.to_owned(), reason }
}

/// Reads `arn:PARTITION:sns:REGION:ACCOUNT:NAME`.
fn region_of(topic_arn: &str) -> Option<&str> {
    let mut parts = topic_arn.split(':');
    let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().filter(|region| arn == "arn" && service == "sns" && !region.is_empty())
}

/// Says in one line why a topic did not take a message and what to do about it.
pub(super) fn advice(topic: &str, error: &SdkError<PublishError>) -> String {
    let status = match error {
        SdkError::TimeoutError(_) => Status::TimedOut,
        _ => status_of(error.code(), error.message().unwrap_or_default(), None),
    };
    advice_for(topic, error.code(), status, &words(error, 200))
}

fn advice_for(topic: &str, code: Option<&str>, status: Status, said: &str) -> String {
    let code = code.unwrap_or_default();
    if code.starts_with("KMS") {
        return format!("the topic's key refused ({said}): allow kms:GenerateDataKey and kms:Decrypt on it");
    }
    match status {
        Status::Denied => format!("publishing is not allowed ({said}): allow sns:Publish on {topic}"),
        Status::Missing => format!("there is no topic {topic}: create it, or correct the configured ARN"),
        Status::Throttled => format!("SNS refused for load after the retries ({said})"),
        Status::TimedOut => "SNS did not answer in time; the message may have gone out".to_owned(),
        _ if code.starts_with("InvalidParameter") => {
            format!("SNS refused the message ({said}): check the topic's ARN, {topic}")
        }
        _ => format!("SNS could not be reached or failed ({said})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:findings";

    #[test]
    fn the_topic_names_its_own_region() {
        assert_eq!(region_of(TOPIC), Some("eu-west-1"));
        for text in ["findings", "", "arn:aws:sqs:eu-west-1:123456789012:q", "arn:aws:sns::123456789012:t"] {
            assert_eq!(region_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_in_one_line_what_to_do() {
        let line = |code, status| advice_for(TOPIC, Some(code), status, "its words");
        assert_eq!(
            line("AuthorizationError", Status::Denied),
            format!("publishing is not allowed (its words): allow sns:Publish on {TOPIC}")
        );
        assert!(line("NotFound", Status::Missing).contains("correct the configured ARN"));
        assert!(line("KMSAccessDeniedException", Status::Denied).contains("kms:GenerateDataKey"));
        assert!(line("InvalidParameter", Status::Failed).contains("check the topic's ARN"));
    }
}
