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

/// The channels of a configuration.
pub struct Channels {
    /// All of them, those with a fault included: what was missing may be there when a report is posted.
    pub channels: Vec<Arc<dyn Channel>>,
    /// What is wrong with them now and what to do about it, a line each.
    pub faults: Vec<String>,
}

/// Builds the channels that are configured, and reads what they need.
pub async fn channels(sdk: &SdkConfig, destinations: Destinations<'_>) -> Channels {
    let mut built = Channels { channels: Vec::new(), faults: Vec::new() };
    let mut deferred = Vec::new();
    match destinations.webhook {
        Some(Webhook::Parameter(name)) => deferred.push(Deferred::webhook(sdk, name)),
        Some(Webhook::Url(url)) => match SlackWebhook::new(url.clone()) {
            Ok(webhook) => built.channels.push(Arc::new(webhook)),
            Err(fault) => built.faults.push(format!("{}: {fault}", SlackWebhook::NAME)),
        },
        None => {}
    }
    deferred.extend(destinations.bot.map(|bot| Deferred::bot(sdk, bot)));
    for channel in deferred {
        if let Err(fault) = channel.made().await {
            built.faults.push(format!("{}: {fault}", channel.name));
        }
        built.channels.push(Arc::new(channel));
    }
    if let Some(topic) = destinations.topic {
        built.channels.push(Arc::new(SnsChannel::new(sdk, topic)));
    }
    if let Some(topic) = destinations.amazon_q {
        built.channels.push(Arc::new(AmazonQChannel::new(sdk, topic)));
    }
    if let Some(bucket) = destinations.bucket {
        built.channels.push(Arc::new(ReportBucket::new(sdk, bucket)));
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
/// with the next report.
struct Deferred {
    name: &'static str,
    make: Make,
    made: OnceCell<Arc<dyn Channel>>,
}

/// Reads what a channel needs and makes it. The error says what to do.
type Make = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Channel>, String>> + Send + Sync>;

impl Deferred {
    /// A webhook whose address lies in an SSM parameter.
    fn webhook(sdk: &SdkConfig, name: &str) -> Self {
        let (sdk, name) = (sdk.clone(), name.to_owned());
        let make = move || -> BoxFuture<'static, Result<Arc<dyn Channel>, String>> {
            let (sdk, name) = (sdk.clone(), name.clone());
            Box::pin(async move {
                let url = parameter(&sdk, &name).await.map_err(|error| error.to_string())?;
                let webhook =
                    SlackWebhook::new(url).map_err(|error| format!("SSM parameter {name}: {error}"));
                Ok(Arc::new(webhook?) as Arc<dyn Channel>)
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
