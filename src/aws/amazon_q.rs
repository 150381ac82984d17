//! The channel of Amazon Q Developer in chat applications: a custom notification on a topic of its own.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use futures::future::BoxFuture;

use super::client::Later;
use super::sns::{advice, client_for};
use crate::clock::Deadline;
use crate::delivery::{AmazonQ, Channel, DeliveryError, Post, notification, thread_of};
use crate::run::Receipt;

/// Publishes notifications to one topic.
#[derive(Debug)]
pub struct AmazonQChannel {
    client: Later<Client>,
    topic_arn: String,
}

impl AmazonQChannel {
    /// Names the topic, which lies in the Region that its ARN names, whatever the configuration's is.
    pub fn new(config: &SdkConfig, topic_arn: &str) -> Self {
        AmazonQChannel { client: client_for(config, topic_arn), topic_arn: topic_arn.to_owned() }
    }

    async fn publish(&self, post: Post<'_>, deadline: Deadline) -> Result<Receipt, DeliveryError> {
        let failed = |reason: String| DeliveryError { channel: AmazonQ::NAME.to_owned(), reason };
        let message = notification(&post).to_string();
        let request = self.client.publish().topic_arn(&self.topic_arn).message(message);
        match tokio::time::timeout_at(deadline.instant(), request.send()).await {
            Ok(Ok(_)) => Ok(Receipt {
                channel: AmazonQ::NAME.to_owned(),
                // What comes later of the incident goes into the same thread.
                reference: Some(thread_of(&post)),
                note: None,
                facts: false,
            }),
            Ok(Err(error)) => Err(failed(advice(&self.topic_arn, &error))),
            Err(_) => Err(failed("no answer before the deadline; the message may have gone out".to_owned())),
        }
    }
}

impl Channel for AmazonQChannel {
    fn name(&self) -> &'static str {
        AmazonQ::NAME
    }

    fn takes_facts(&self) -> bool {
        true
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(self.publish(post, deadline))
    }
}
