//! Asking a model: requests and replies in our own terms, the seam to a provider, and the pace.

pub mod anthropic;
pub mod backoff;
pub mod budget;
pub mod caller;
pub mod catalogue;
pub mod classify;
pub mod entrance;
pub mod error;
pub mod gate;
pub mod geography;
pub mod http;
pub mod ladder;
pub mod model_id;
pub mod openai;
pub mod pace;
pub mod quota;
pub mod remedy;
pub mod router;
pub mod tuning;

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use quota::ListedQuota;

pub use error::{ErrorClass, Failure, ModelError};
pub use model_id::{ModelId, ModelKind, Provider};
pub use tuning::{CachePoints, Sampling, Tuning};

/// A provider of model answers. One call, no retry: the pace is ours.
pub trait Model: Send + Sync {
    /// Asks `model`; gives up after `time_limit`.
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        request: &'a ConverseRequest,
        time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>>;

    /// Returns the ids of the inference profiles that the account can call, asked at most once and only when a model
    /// turns out to need one; a provider without profiles has none.
    fn profiles(&self) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Returns the account's quotas on models, asked at most once a process; a provider that lists none has none.
    fn quotas(&self) -> BoxFuture<'_, Result<Vec<ListedQuota>, ModelError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The agent's side: task, evidence, tool results.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said; never empty.
    pub content: Vec<Content>,
}

/// One block of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text; never blank.
    Text(String),
    /// The model asks for a tool.
    ToolUse {
        /// Echoed by the result.
        id: String,
        /// Tool name.
        name: String,
        /// Arguments, as the model typed them.
        input: Value,
    },
    /// The answer to a tool use.
    ToolResult {
        /// Id of the tool use.
        id: String,
        /// What the model reads.
        text: String,
        /// Whether the tool could not do what was asked.
        is_error: bool,
    },
    /// A model's reasoning, to be echoed unchanged.
    Reasoning {
        /// The reasoning text.
        text: String,
        /// The provider's signature over it.
        signature: Option<String>,
    },
    /// Reasoning that the provider encrypted, to be echoed unchanged.
    RedactedReasoning {
        /// Base64 of the provider's bytes.
        data: String,
    },
}

impl Content {
    /// Tells whether it is a model's thought, readable or not.
    pub fn is_reasoning(&self) -> bool {
        matches!(self, Content::Reasoning { .. } | Content::RedactedReasoning { .. })
    }
}

/// A tool as a model is told about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// At most 64 characters of `[a-zA-Z0-9_]`, which every provider accepts.
    pub name: String,
    /// When and how to use it.
    pub description: String,
    /// JSON schema of the arguments.
    pub input_schema: Value,
}

/// Which tool must be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// This one.
    Tool(String),
}

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConverseRequest {
    /// Role that asks: `metrics`, `supervisor`, `reviewer`; sent as request metadata.
    pub agent: String,
    /// One-based turn of that role; sent as request metadata.
    pub turn: u32,
    /// System prompt.
    pub system: String,
    /// Alternating, the first from the user.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<ToolSpec>,
    /// Which tool must be called.
    pub tool_choice: ToolChoice,
    /// Always sent: a provider reserves quota by it.
    pub max_tokens: u32,
    /// What the model's row in the catalogue adds; an asker leaves it at its default.
    #[serde(default)]
    pub tuning: Tuning,
}

#[cfg(test)]
impl ConverseRequest {
    /// Returns the least request, for tests of how it is sent and not of what it says.
    pub(crate) fn least() -> Self {
        ConverseRequest {
            agent: "logs".into(),
            turn: 1,
            system: String::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: 9,
            tuning: Tuning::default(),
        }
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It is done.
    EndTurn,
    /// It wants tools.
    ToolUse,
    /// The answer was cut at `max_tokens`; a tool use in it is not usable.
    MaxTokens,
    /// The provider could not read the model's output or tool use.
    Malformed,
    /// The conversation no longer fits.
    ContextExceeded,
    /// A guardrail or filter stepped in.
    Filtered,
    /// Any other, in the provider's spelling.
    Other(String),
}

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// Input that was not cached.
    pub input: u64,
    /// Output.
    pub output: u64,
    /// Input read from the cache.
    pub cache_read: u64,
    /// Input written to the cache.
    pub cache_write: u64,
}

impl Usage {
    /// Returns all tokens that went in, cached ones included.
    pub fn all_input(&self) -> u64 {
        self.input + self.cache_read + self.cache_write
    }

    /// Adds another answer's tokens.
    pub fn add(&mut self, other: Usage) {
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
    }
}

/// Set where the answer is not a live model's: a recording or a person behind the emulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// `recorded, played by hand`, as the emulator says it.
    pub answered_by: String,
    /// Whether the recording was made for another request.
    pub stale: bool,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConverseReply {
    /// What the model said, in order.
    pub content: Vec<Content>,
    /// Why it stopped.
    pub stop: StopReason,
    /// Tokens.
    pub usage: Usage,
    /// The provider's request id.
    pub request_id: Option<String>,
    /// Set where no live model answered.
    pub recording: Option<Recording>,
}
