//! How the emulated Slack misbehaves.

use std::collections::BTreeMap;
use std::time::Duration;

/// How Slack misbehaves; the default is not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlackOptions {
    /// So many requests are answered first with 429.
    pub rate_limited_first: u32,
    /// `Retry-After` of those, rounded up to whole seconds.
    pub retry_after: Option<Duration>,
    /// Every other request to the webhook is answered with this status and text, for instance 403 `invalid_token`,
    /// 410 `channel_is_archived` or 500 `rollup_error`.
    pub always: Option<(u16, String)>,
    /// Every message with blocks is answered with `invalid_blocks`, as when Slack changes its rules; one of text alone
    /// is taken.
    pub refuse_blocks: bool,
    /// Methods of the Web API by name and the error that each of them always answers, `chat.update` and
    /// `message_not_found` for instance.
    pub errors: BTreeMap<String, String>,
    /// The bot token was revoked.
    pub token_revoked: bool,
    /// Scopes of the bot token; `None` stands for `chat:write` and `files:write`.
    pub scopes: Option<Vec<String>>,
    /// How the bot stands to the channel.
    pub membership: SlackMembership,
    /// Connections break off from some message on.
    pub breaks: Option<SlackBreak>,
    /// Each answer is held back so long; what was asked has been done by then.
    pub slow: Option<Duration>,
}

/// How a bot stands to a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlackMembership {
    /// It was invited.
    #[default]
    Member,
    /// It sees the channel, which is public, and is not in it: `not_in_channel`.
    Outside,
    /// The channel does not exist for it, as a private one does not: `channel_not_found`.
    Unseen,
}

/// From some message on every connection breaks off without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlackBreak {
    /// So many messages are taken and answered first.
    pub after: usize,
    /// Whether what is asked afterwards is done all the same, with nobody to tell of it.
    pub is_taken: bool,
}
