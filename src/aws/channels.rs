//! The channels that a configuration names. A Slack webhook whose address cannot be read must not keep SNS silent.

use std::sync::Arc;

use aws_config::SdkConfig;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::{AmazonQChannel, ReportBucket, SnsChannel, parameter};
use crate::clock::Deadline;
use crate::delivery::slack::{BotToken, SlackApi, SlackBotChannel};
use crate::delivery::{Channel, DeliveryError, Destinations, Post, SlackBot, SlackWebhook, Webhook};
use crate::run::Receipt;

/// Builds the channels that are configured; nothing is read before a channel is needed. One that has a fault is among them:
/// what was missing may be there when a report is posted.
pub fn channels(sdk: &SdkConfig, destinations: Destinations<'_>) -> Vec<Arc<dyn Channel>> {
    let mut built: Vec<Arc<dyn Channel>> = Vec::new();
    if let Some(webhook) = destinations.webhook {
        built.push(Arc::new(Deferred::webhook(sdk, webhook)));
    }
    if let Some(bot) = destinations.bot {
        built.push(Arc::new(Deferred::bot(sdk, bot)));
    }
    if let Some(topic) = destinations.topic {
        built.push(Arc::new(SnsChannel::new(sdk, topic)));
    }
    if let Some(topic) = destinations.amazon_q {
        built.push(Arc::new(AmazonQChannel::new(sdk, topic)));
    }
    if let Some(bucket) = destinations.bucket {
        built.push(Arc::new(ReportBucket::new(sdk, bucket)));
    }
    built
}

/// Makes the client of a bot, with its token read from where it is kept. The error says what to do.
pub async fn slack_api(sdk: &SdkConfig, bot: &SlackBot) -> Result<SlackApi, String> {
    match &bot.token {
        BotToken::Token(token) => {
            SlackApi::new(token.clone(), &bot.channel, &bot.base_url).map_err(|error| error.to_string())
        }
        BotToken::Parameter(name) => {
            let token = parameter(sdk, name).await.map_err(|error| error.to_string())?;
            SlackApi::new(token, &bot.channel, &bot.base_url)
                .map_err(|error| format!("SSM parameter {name}: {error}"))
        }
    }
}

/// A channel of Slack whose address or token is read when it is first needed, and once; a failed reading is tried again
/// when the channel is next needed.
struct Deferred {
    name: &'static str,
    make: Make,
    made: OnceCell<Arc<dyn Channel>>,
}

/// Reads what a channel needs and makes it. The error says what to do.
type Make = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Channel>, String>> + Send + Sync>;

impl Deferred {
    /// A webhook, wherever its address lies.
    fn webhook(sdk: &SdkConfig, webhook: &Webhook) -> Self {
        let (sdk, webhook) = (sdk.clone(), webhook.clone());
        let make = move || -> BoxFuture<'static, Result<Arc<dyn Channel>, String>> {
            let (sdk, webhook) = (sdk.clone(), webhook.clone());
            Box::pin(async move {
                let made = match webhook {
                    Webhook::Url(url) => SlackWebhook::new(url).map_err(|error| error.to_string()),
                    Webhook::Parameter(name) => {
                        let url = parameter(&sdk, &name).await.map_err(|error| error.to_string())?;
                        SlackWebhook::new(url).map_err(|error| format!("SSM parameter {name}: {error}"))
                    }
                };
                Ok(Arc::new(made?) as Arc<dyn Channel>)
            })
        };
        Deferred { name: SlackWebhook::NAME, make: Box::new(make), made: OnceCell::new() }
    }

    /// A bot, wherever its token lies.
    fn bot(sdk: &SdkConfig, bot: &SlackBot) -> Self {
        let (sdk, bot) = (sdk.clone(), bot.clone());
        let make = move || -> BoxFuture<'static, Result<Arc<dyn Channel>, String>> {
            let (sdk, bot) = (sdk.clone(), bot.clone());
            Box::pin(async move {
                let api = slack_api(&sdk, &bot).await?;
                Ok(Arc::new(SlackBotChannel::new(api, bot.mention.as_deref())) as Arc<dyn Channel>)
            })
        };
        Deferred { name: SlackApi::NAME, make: Box::new(make), made: OnceCell::new() }
    }

    async fn made(&self) -> Result<&Arc<dyn Channel>, String> {
        self.made.get_or_try_init(|| (self.make)()).await
    }
}

impl Channel for Deferred {
    fn name(&self) -> &'static str {
        self.name
    }

    fn takes_facts(&self) -> bool {
        true
    }

    fn fault(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async { self.made().await.err() })
    }

    fn amend<'a>(
        &'a self,
        post: Post<'a>,
        receipt: &'a Receipt,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            match self.made().await {
                Ok(channel) => channel.amend(post, receipt, deadline).await,
                Err(reason) => Err(DeliveryError { channel: self.name.to_owned(), reason }),
            }
        })
    }

    fn takes_pictures(&self) -> bool {
        self.name == SlackApi::NAME
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            match self.made().await {
                Ok(channel) => channel.deliver(post, deadline).await,
                Err(reason) => Err(DeliveryError { channel: self.name.to_owned(), reason }),
            }
        })
    }
}
