//! Slack, by an incoming webhook or by a bot token.
//!
//! A webhook posts and no more. A bot posts into threads, replaces what it posted, and uploads pictures.

pub mod api;
mod bot;
mod connection;
mod plain;
mod webhook;

pub use api::{
    BotToken, Identity, Posted, Refusal, SetupError, SlackApi, SlackBot, SlackError, Ts, Uploaded,
};
pub use bot::SlackBotChannel;
pub use webhook::{SlackWebhook, Webhook, WebhookError};
