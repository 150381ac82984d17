//! Slack's words of refusal, each with what to do about it in one line.

/// Why a call has no result. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// Slack refused it, and would again.
    #[error("{advice} (Slack: {word})")]
    Refused {
        /// What it is about.
        refusal: Refusal,
        /// Slack's own word.
        word: String,
        /// What to do.
        advice: String,
    },
    /// Nothing arrived: the rate is limited, Slack fails, or there is no way to it.
    #[error("{reason}")]
    Unavailable {
        /// What happened and what to do.
        reason: String,
    },
    /// It may have arrived; another try could stand in the channel twice.
    #[error("{reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The token is wrong, revoked, expired or no bot's.
    Token,
    /// The bot lacks a scope.
    Scope,
    /// The bot sees no such channel.
    Channel,
    /// The bot is not in the channel.
    Membership,
    /// The channel is archived.
    Archived,
    /// Whoever runs the workspace forbids it.
    Forbidden,
    /// The message to edit is gone or cannot be edited.
    Message,
    /// Nothing can be posted into the thread.
    Thread,
    /// The content is not to Slack's rules.
    Content,
    /// Files cannot be uploaded.
    File,
    /// A word that is not known here.
    Other,
}

/// What Slack told, cleaned.
pub(super) struct Told<'a> {
    pub(super) method: &'a str,
    pub(super) word: &'a str,
    pub(super) channel: &'a str,
    pub(super) needed: &'a str,
    pub(super) provided: &'a str,
    pub(super) place: Option<String>,
}

impl SlackError {
    /// Tells whether it may have arrived in spite of the error.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, SlackError::Unknown { .. })
    }

    /// Returns what the refusal is about, where it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            SlackError::Refused { refusal, .. } => Some(*refusal),
            SlackError::Unavailable { .. } | SlackError::Unknown { .. } => None,
        }
    }

    /// Returns what to do about a refusal; of the others the error itself says it.
    pub fn advice(&self) -> Option<&str> {
        match self {
            SlackError::Refused { advice, .. } => Some(advice),
            SlackError::Unavailable { .. } | SlackError::Unknown { .. } => None,
        }
    }

    pub(super) fn is_about_content(&self) -> bool {
        self.refusal() == Some(Refusal::Content)
    }

    /// Returns Slack's word, with the place where it names one; of what is no refusal the whole of it.
    pub fn word(&self) -> &str {
        match self {
            SlackError::Refused { word, .. } => word,
            SlackError::Unavailable { reason } | SlackError::Unknown { reason } => reason,
        }
    }

    pub(super) fn refused(told: &Told<'_>) -> Self {
        let (refusal, advice) = advice(told);
        let word = match &told.place {
            Some(place) => format!("{}: {place}", told.word),
            None => told.word.to_owned(),
        };
        SlackError::Refused { refusal, word, advice }
    }
}

fn advice(told: &Told<'_>) -> (Refusal, String) {
    let Told { method, channel, needed, provided, .. } = *told;
    let is_file = method.starts_with("files.");
    let fixed = |refusal, advice: &str| (refusal, advice.to_owned());
    match told.word {
        "token_revoked" | "account_inactive" => fixed(
            Refusal::Token,
            "the bot token was revoked: install the app again and put its new token where the old one is",
        ),
        "invalid_auth" | "not_authed" => fixed(
            Refusal::Token,
            "Slack does not know the bot token: copy the app's Bot User OAuth Token, xoxb-…, once more",
        ),
        "token_expired" => fixed(
            Refusal::Token,
            "the bot token has expired: make an app without token rotation and use its token",
        ),
        "not_allowed_token_type" => {
            fixed(Refusal::Token, "the token is not a bot's: use the app's Bot User OAuth Token, xoxb-…")
        }
        "missing_scope" | "no_permission" => {
            let needed = match (needed, is_file) {
                ("", true) => "files:write",
                ("", false) => "chat:write",
                (needed, _) => needed,
            };
            let there = if provided.is_empty() { String::new() } else { format!(" beside {provided}") };
            let advice = format!(
                "the bot lacks the scope {needed}: add it{there} under OAuth & Permissions and install the app again"
            );
            (Refusal::Scope, advice)
        }
        "channel_not_found" | "invalid_channel" => (
            Refusal::Channel,
            format!(
                "the bot sees no channel {channel}: correct the id, or invite the app where it is private"
            ),
        ),
        "not_in_channel" if is_file => (
            Refusal::Membership,
            format!(
                "the bot is not in channel {channel}: invite the app there, which files need in public ones too"
            ),
        ),
        "not_in_channel" => (
            Refusal::Membership,
            format!(
                "the bot is not in channel {channel}: invite the app there, or give it the scope chat:write.public"
            ),
        ),
        "is_archived" | "is_inactive" => (
            Refusal::Archived,
            format!("channel {channel} is archived: unarchive it, or name another as slack.channel"),
        ),
        "restricted_action_thread_locked"
        | "restricted_action_non_threadable_channel"
        | "cannot_reply_to_message"
        | "thread_not_found" => {
            fixed(Refusal::Thread, "nothing can be posted into this thread: it goes into the channel instead")
        }
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "posting_to_channel_denied"
        | "ekm_access_denied"
        | "access_denied"
        | "accesslimited"
        | "team_access_not_granted"
        | "enterprise_is_restricted"
        | "org_login_required"
        | "team_added_to_org"
        | "two_factor_setup_required" => (
            Refusal::Forbidden,
            format!("the workspace forbids the bot to post to {channel}: ask an admin of it to allow that"),
        ),
        "message_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "update_failed"
        | "block_mismatch"
        | "streaming_state_conflict" => fixed(
            Refusal::Message,
            "the message is gone or can no longer be edited: a new one takes its place",
        ),
        "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_too_long"
        | "msg_blocks_too_long"
        | "no_text"
        | "too_many_attachments"
        | "invalid_attachments"
        | "attachment_payload_limit_exceeded"
        | "invalid_metadata_format"
        | "invalid_metadata_schema"
        | "metadata_too_large" => {
            fixed(Refusal::Content, "Slack refuses the message's content, which is a fault of this program")
        }
        "file_uploads_disabled"
        | "storage_limit_reached"
        | "file_upload_size_restricted"
        | "file_not_found"
        | "file_update_failed"
        | "alt_txt_too_large" => fixed(
            Refusal::File,
            "the workspace takes no picture: ask an admin of it to allow uploads or make room",
        ),
        _ => (Refusal::Other, format!("Slack refused {method}")),
    }
}
