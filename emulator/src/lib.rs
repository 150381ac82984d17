//! A small local AWS and Slack, with Anthropic's Messages API and `OpenAI`'s chat completions: one HTTP server that
//! serves a recorded incident over the services' own wire protocols.
//!
//! Within a documented subset of each operation, any window, metric or filter over the scenario's data is answered
//! exactly. Whatever lies outside the subset is refused with HTTP 400 and a message that begins with
//! `emulator: unsupported`, and is kept in [`Emulator::unsupported`], so that a test can fail on it. What the scenario
//! does not hold is answered as AWS would answer. It shares no code with the product: an emulator that did would share
//! its mistakes.

mod access;
mod apigateway;
mod bedrock;
mod cbor;
mod cloudwatch;
mod elsewhere;
mod emulator;
mod failure;
mod front;
mod input;
mod lambda;
mod logs;
mod page;
mod percent;
mod recorder;
mod s3;
mod scenario;
mod service_quotas;
mod slack;
mod sns;
mod ssm;
mod sts;
mod wire;

pub use access::{Fault, FaultKind};
pub use bedrock::{
    Account, Agreement, Authorization, Bedrock, BedrockOptions, CallOutcome, ConverseCall, Entitlement,
    FoundationModel, InferenceProfile, InferenceType, ModelBehaviour, ProfileType, Quota, Script,
    ScriptedAnswer, Status, Turns,
};
pub use emulator::{Emulator, EmulatorError, Options};
pub use logs::QueryEnd;
pub use recorder::Received;
pub use s3::StoredObject;
pub use scenario::{Paging, Scenario, ScenarioError};
pub use slack::{
    Slack, SlackBreak, SlackFile, SlackMembership, SlackMessage, SlackOptions, SlackRefusal, SlackVersion,
};
pub use sns::{MessageAttribute, Published};
