//! How the configured channels look from here, for a look at the account; judges nothing.

use std::time::Duration;

use super::{ReportBucket, SdkConfig, SnsChannel, channels, slack_api};
use crate::clock::Deadline;
use crate::delivery::slack::{BotToken, SlackApi};
use crate::delivery::{AmazonQ, Destinations, Posting, SlackBot, SlackWebhook, Webhook, deliver_all};
use crate::doctor::surroundings::{SeenBot, SeenChannel, Unheard};
use crate::report::Document;
use crate::run::Observer;

/// Time for posting a test message, and for asking Slack whose a token is.
const POST_TIME: Duration = Duration::from_secs(15);

/// Looks at the channels that are configured; a test message is posted to them where one is given.
pub async fn seen_channels(
    sdk: &SdkConfig,
    destinations: Destinations<'_>,
    test: Option<&Document>,
) -> Vec<SeenChannel> {
    let configured = channels(sdk, destinations);
    let posted = match test {
        Some(document) => {
            let (posting, deadline) = (Posting::notice(document, &[]), Deadline::after(POST_TIME));
            deliver_all(&configured, posting, deadline, &Observer::new(Vec::new())).await
        }
        None => Vec::new(),
    };
    let listening = async |topic: Option<&str>| match topic {
        Some(topic) if test.is_none() => Some(SnsChannel::new(sdk, topic).subscriptions().await),
        Some(_) | None => None,
    };
    let of_findings = listening(destinations.topic).await;
    let of_chat = listening(destinations.amazon_q).await;
    let mut posted = posted.into_iter().map(|result| result.map(drop).map_err(|error| error.reason));
    let mut seen: Vec<SeenChannel> = Vec::new();
    for channel in &configured {
        let name = channel.name();
        if let Some(bucket) = destinations.bucket.filter(|_| channel.keeps()) {
            // What is no report is not kept, so no test message goes there.
            let answered = Some(ReportBucket::new(sdk, bucket).probe().await);
            seen.push(SeenChannel { bucket: answered, ..named(format!("{name} {}", bucket.name)) });
            continue;
        }
        let posted = posted.next();
        if let Some(bot) = destinations.bot.filter(|_| name == SlackApi::NAME) {
            seen.push(SeenChannel { posted, ..look_at_bot(sdk, bot).await });
            continue;
        }
        let fault = channel.fault().await;
        let place = match destinations.webhook {
            Some(Webhook::Parameter(parameter)) if name == SlackWebhook::NAME => {
                format!("{name} in SSM parameter {parameter}")
            }
            Some(_) | None => name.to_owned(),
        };
        let subscriptions = match name {
            "sns" => of_findings.clone(),
            AmazonQ::NAME => of_chat.clone(),
            _ => None,
        };
        seen.push(SeenChannel { fault, subscriptions, posted, ..named(place) });
    }
    seen
}

/// A channel of which nothing but its name is known.
fn named(name: String) -> SeenChannel {
    SeenChannel { name, fault: None, subscriptions: None, bot: None, bucket: None, posted: None }
}

/// Asks Slack whose the token is, which posts nothing.
async fn look_at_bot(sdk: &SdkConfig, bot: &SlackBot) -> SeenChannel {
    let name = match &bot.token {
        BotToken::Parameter(parameter) => format!("{} in SSM parameter {parameter}", SlackApi::NAME),
        BotToken::Token(_) => SlackApi::NAME.to_owned(),
    };
    let heard = match slack_api(sdk, bot).await {
        Err(reason) => Err(Unheard { reason, fix: None }),
        Ok(api) => match api.auth_test(Deadline::after(POST_TIME)).await {
            Ok(identity) => Ok(SeenBot {
                workspace: identity.workspace,
                user: identity.user,
                scopes: identity.scopes,
                channel: bot.channel.clone(),
            }),
            Err(error) => Err(match error.advice() {
                Some(advice) => Unheard {
                    reason: format!("Slack refuses the token: {}", error.word()),
                    fix: Some(advice.to_owned()),
                },
                None => Unheard { reason: error.to_string(), fix: None },
            }),
        },
    };
    SeenChannel { bot: Some(heard), ..named(name) }
}
