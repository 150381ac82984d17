//! The channels that a configuration names. A Slack webhook whose address cannot be read must not keep SNS silent.

use std::sync::Arc;

use aws_config::SdkConfig;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::{SnsChannel, parameter};
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
    match destinations.webhook {
        Some(Webhook::Parameter(name)) => {
            let webhook = ParameterWebhook { sdk: sdk.clone(), name: name.clone(), webhook: OnceCell::new() };
            if let Err(fault) = webhook.read().await {
                built.faults.push(format!("{}: {fault}", SlackWebhook::NAME));
            }
            built.channels.push(Arc::new(webhook));
        }
        Some(Webhook::Url(url)) => match SlackWebhook::new(url.clone()) {
            Ok(webhook) => built.channels.push(Arc::new(webhook)),
            Err(fault) => built.faults.push(format!("{}: {fault}", SlackWebhook::NAME)),
        },
        None => {}
    }
    if let Some(bot) = destinations.bot {
        let bot = Bot { sdk: sdk.clone(), bot: bot.clone(), channel: OnceCell::new() };
        if let Err(fault) = bot.made().await {
            built.faults.push(format!("{}: {fault}", SlackApi::NAME));
        }
        built.channels.push(Arc::new(bot));
    }
    if let Some(topic) = destinations.topic {
        built.channels.push(Arc::new(SnsChannel::new(sdk, topic)));
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

/// A Slack webhook whose address lies in an SSM parameter. It is read once; a failed reading is tried again with the
/// next report.
struct ParameterWebhook {
    sdk: SdkConfig,
    name: String,
    webhook: OnceCell<SlackWebhook>,
}

impl ParameterWebhook {
    async fn read(&self) -> Result<&SlackWebhook, String> {
        self.webhook
            .get_or_try_init(|| async {
                let url = parameter(&self.sdk, &self.name).await.map_err(|error| error.to_string())?;
                SlackWebhook::new(url).map_err(|error| format!("SSM parameter {}: {error}", self.name))
            })
            .await
    }
}

impl Channel for ParameterWebhook {
    fn name(&self) -> &'static str {
        SlackWebhook::NAME
    }

    fn takes_facts(&self) -> bool {
        true
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            match self.read().await {
                Ok(webhook) => webhook.deliver(post, deadline).await,
                Err(reason) => Err(DeliveryError { channel: SlackWebhook::NAME.to_owned(), reason }),
            }
        })
    }
}

/// A Slack bot whose token is read once; a failed reading is tried again with the next report.
struct Bot {
    sdk: SdkConfig,
    bot: SlackBot,
    channel: OnceCell<SlackBotChannel>,
}

impl Bot {
    async fn made(&self) -> Result<&SlackBotChannel, String> {
        self.channel
            .get_or_try_init(|| async {
                let api = slack_api(&self.sdk, &self.bot).await?;
                Ok(SlackBotChannel::new(api, self.bot.mention.as_deref()))
            })
            .await
    }
}

impl Channel for Bot {
    fn name(&self) -> &'static str {
        SlackApi::NAME
    }

    fn takes_facts(&self) -> bool {
        true
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            match self.made().await {
                Ok(channel) => channel.deliver(post, deadline).await,
                Err(reason) => Err(DeliveryError { channel: SlackApi::NAME.to_owned(), reason }),
            }
        })
    }
}
