//! What a bot needs: a token, a channel's id, and where Slack is.

use reqwest::Url;

use crate::delivery::Secret;
use crate::delivery::slack::connection::Server;

/// Hosts of the Web API: commercial Slack and its government cloud.
const API_HOSTS: [&str; 2] = ["slack.com", "slack-gov.com"];

/// Why a bot cannot be set up. Never repeats the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a bot's token.
    #[error(
        "the Slack token is not a bot's: copy the app's Bot User OAuth Token, which begins with xoxb- (xoxp- is a person's, \
         xapp- an app's)"
    )]
    NotABotToken,
    /// Not a channel's id.
    #[error(
        "the Slack channel is wanted by its id, for instance C0123456789: it stands at the end of the channel's details"
    )]
    NotAChannel,
    /// Not a user group's id.
    #[error(
        "the user group to mention is wanted by its id, for instance S0123456789: it stands at the end of the group's address"
    )]
    NotAGroup,
    /// Another host, or no TLS.
    #[error(
        "the address of Slack is https://slack.com or https://slack-gov.com (http:// only for an emulator on this machine)"
    )]
    WrongHost,
    /// The TLS client could not be made.
    #[error("the HTTPS client for Slack could not be made: {reason}")]
    Client {
        /// What the TLS library said.
        reason: String,
    },
}

/// Where the bot's token is.
#[derive(Debug, Clone)]
pub enum BotToken {
    /// Name of an SSM parameter.
    Parameter(String),
    /// The token itself.
    Token(Secret),
}

/// A bot as it is configured.
#[derive(Debug, Clone)]
pub struct SlackBot {
    /// Where its token is.
    pub token: BotToken,
    /// Id of the channel that it writes into.
    pub channel: String,
    /// Where Slack is, `https://slack.com`.
    pub base_url: String,
    /// Id of the user group that a card mentions, `S0123456789`.
    pub mention: Option<String>,
}

impl SlackBot {
    /// Where Slack is unless something else is said.
    pub const BASE_URL: &'static str = "https://slack.com";

    /// Checks whether a text can be a bot's token.
    pub fn check_token(token: &Secret) -> Result<(), SetupError> {
        check_token(token)
    }

    /// Checks whether a text can be a channel's id.
    pub fn check_channel(channel: &str) -> Result<(), SetupError> {
        check_channel(channel)
    }

    /// Checks whether a text can be a user group's id.
    pub fn check_mention(group: &str) -> Result<(), SetupError> {
        let is_id = (9..=32).contains(&group.len())
            && group.starts_with('S')
            && group.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if is_id { Ok(()) } else { Err(SetupError::NotAGroup) }
    }

    /// Checks whether a text is an address of Slack or of an emulator on this machine.
    pub fn check_base_url(base_url: &str) -> Result<(), SetupError> {
        base(base_url).map(drop)
    }
}

pub(super) fn check_token(token: &Secret) -> Result<(), SetupError> {
    let rest = token.expose().strip_prefix("xoxb-").unwrap_or_default();
    let is_token = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_token { Ok(()) } else { Err(SetupError::NotABotToken) }
}

/// A name will not do: files and edits need the id.
pub(super) fn check_channel(channel: &str) -> Result<(), SetupError> {
    let is_id = (9..=32).contains(&channel.len())
        && channel.starts_with(['C', 'G', 'D'])
        && channel.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if is_id { Ok(()) } else { Err(SetupError::NotAChannel) }
}

/// Returns the address with its server.
pub(super) fn base(base_url: &str) -> Result<(Url, Server), SetupError> {
    let url = Url::parse(base_url.trim()).map_err(|_| SetupError::WrongHost)?;
    let server = Server::of(&url, &API_HOSTS).ok_or(SetupError::WrongHost)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(SetupError::WrongHost);
    }
    Ok((url, server))
}
