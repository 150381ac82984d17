//! Checks `[slack]`: a webhook, or a bot with its channel, and never both.

use super::raw::RawSlack;
use crate::delivery::slack::{BotToken, SlackBot};
use crate::delivery::{Secret, SlackWebhook, Webhook};

impl RawSlack {
    /// Drops what the document says of one way where a variable chooses the other.
    pub(super) fn give_way(&mut self, to_webhook: bool, to_bot: bool) {
        if to_webhook {
            (self.token, self.channel, self.mention) = (None, None, None);
        }
        if to_bot {
            self.webhook = None;
        }
    }
}

/// Returns the webhook or the bot that is configured. A value that may be a secret is never repeated.
pub(super) fn checked(
    raw: &RawSlack,
    fault: &mut impl FnMut(&str, String),
) -> (Option<Webhook>, Option<SlackBot>) {
    let webhook = raw.webhook.as_deref().and_then(|webhook| match parameter(webhook) {
        Some(Ok(name)) => Some(Webhook::Parameter(name)),
        Some(Err(())) => {
            fault(
                "slack.webhook",
                "after ssm: a parameter name is wanted, for instance ssm:/sre-agent/slack-webhook".into(),
            );
            None
        }
        None => {
            let url = Secret::new(webhook);
            match SlackWebhook::check(&url) {
                Ok(_) => Some(Webhook::Url(url)),
                Err(error) => {
                    fault("slack.webhook", format!("{error}; or ssm:/name of the parameter that holds it"));
                    None
                }
            }
        }
    });
    let bot = bot(raw, fault);
    if raw.webhook.is_some() && raw.token.is_some() {
        fault(
            "slack.token",
            "there is a slack.webhook as well: keep one of them, or every report is posted twice".into(),
        );
    }
    (webhook, bot)
}

fn bot(raw: &RawSlack, fault: &mut impl FnMut(&str, String)) -> Option<SlackBot> {
    let base_url = raw.base_url.clone().unwrap_or_else(|| SlackBot::BASE_URL.to_owned());
    if let Err(error) = SlackBot::check_base_url(&base_url) {
        fault("slack.base_url", error.to_string());
    }
    if let Some(Err(error)) = raw.mention.as_deref().map(SlackBot::check_mention) {
        fault("slack.mention", error.to_string());
    }
    if raw.mention.is_some() && raw.token.is_none() {
        fault("slack.mention", "needs slack.token: a webhook mentions nobody".into());
    }
    if let Some(Err(error)) = raw.channel.as_deref().map(SlackBot::check_channel) {
        fault("slack.channel", error.to_string());
    }
    let token = match (raw.token.as_deref(), &raw.channel) {
        (Some(token), Some(_)) => token,
        (Some(_), None) => {
            fault("slack.channel", "is wanted beside slack.token: the id of the channel, C0123456789".into());
            return None;
        }
        (None, Some(_)) => {
            fault("slack.token", "is wanted beside slack.channel: ssm:/name of the bot's token".into());
            return None;
        }
        (None, None) => return None,
    };
    let token = match parameter(token) {
        Some(Ok(name)) => BotToken::Parameter(name),
        Some(Err(())) => {
            fault(
                "slack.token",
                "after ssm: a parameter name is wanted, for instance ssm:/sre-agent/slack-token".into(),
            );
            return None;
        }
        None => {
            let token = Secret::new(token);
            if let Err(error) = SlackBot::check_token(&token) {
                fault("slack.token", format!("{error}; or ssm:/name of the parameter that holds it"));
                return None;
            }
            BotToken::Token(token)
        }
    };
    Some(SlackBot { token, channel: raw.channel.clone()?, base_url, mention: raw.mention.clone() })
}

/// Returns the parameter's name where a value names one, and an error where it is no name.
fn parameter(value: &str) -> Option<Result<String, ()>> {
    let name = value.strip_prefix("ssm:")?;
    let is_name = name.starts_with('/')
        || name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    Some(if is_name { Ok(name.to_owned()) } else { Err(()) })
}
