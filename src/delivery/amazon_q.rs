//! What Amazon Q Developer in chat applications (AWS Chatbot before) is told: the name and the thread. `report` renders the
//! notification, `aws` publishes it.

use serde_json::Value;

use crate::delivery::{Post, Receipt};
use crate::report::notification::{self, Follows};

/// The channel behind a topic of its own, for Slack, Teams and Chime without a token.
#[derive(Debug, Clone, Copy)]
pub struct AmazonQ;

impl AmazonQ {
    /// The channel's name in receipts and errors.
    pub const NAME: &'static str = "amazon q";
}

/// Returns the thread that a message belongs into: its incident's, that of its own facts, else a new one.
pub fn thread_of(post: &Post<'_>) -> String {
    let of = |receipt: Option<&Receipt>| receipt?.reference.clone();
    let own = || post.document.data.pointer("/incident/id").and_then(Value::as_str).map(str::to_owned);
    of(post.incident).or_else(|| of(post.card)).or_else(own).unwrap_or_else(|| post.document.run_id.clone())
}

/// Returns the notification as JSON.
pub fn notification(post: &Post<'_>) -> Value {
    let follows = if post.card.is_some() { Follows::Facts } else { Follows::Nothing };
    notification::render(post.document, &thread_of(post), follows)
}
