//! The agent's conversation as a state machine: what to do next, given what has happened. No IO, no clock.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{
    Content, ConverseReply, ConverseRequest, Failure, Message, Speaker, StopReason, ToolChoice, ToolSpec,
    Tuning,
};

/// What the driver must do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Ask the model this.
    CallModel(ConverseRequest),
    /// Run these tools; answer all of them.
    CallTools(Vec<ToolCall>),
    /// The agent has ended.
    Done(Outcome),
}

/// A tool that the model asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Echoed by the answer.
    pub id: String,
    /// Tool name, as the model typed it.
    pub name: String,
    /// Arguments, as the model typed them.
    pub input: Value,
}

/// A tool's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolAnswer {
    /// Id of the call.
    pub id: String,
    /// What the model reads.
    pub text: String,
    /// Whether the model should do something else.
    pub is_error: bool,
    /// Set by an accepted submission: the agent is done.
    pub accepted: Option<Value>,
}

/// How an agent ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It submitted.
    Complete(Value),
    /// It ended without a submission that could be accepted.
    Partial {
        /// Why, in one line.
        reason: String,
    },
    /// No model answered.
    Failed {
        /// In one line.
        reason: String,
        /// The model's failure, where there was one.
        failure: Option<Failure>,
    },
}

impl Outcome {
    /// Returns the outcome as the event stream and the report word it.
    pub fn describe(&self) -> String {
        match self {
            Outcome::Complete(_) => "complete".into(),
            Outcome::Partial { reason } => format!("partial: {reason}"),
            Outcome::Failed { reason, .. } => format!("failed: {reason}"),
        }
    }
}

/// What an agent begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// Role, as request metadata carries it.
    pub agent: String,
    /// System prompt.
    pub system: String,
    /// The task, with the digest.
    pub task: String,
    /// Tools on offer; the submission tool is among them.
    pub tools: Vec<ToolSpec>,
    /// The tool that ends the run.
    pub submit_with: String,
    /// Most model turns.
    pub max_turns: u32,
    /// Most tokens of one answer.
    pub max_tokens: u32,
    /// The number of the first turn, where the same role has spoken before.
    pub first_turn: u32,
}

/// An agent's conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRun {
    brief: Brief,
    messages: Vec<Message>,
    turns_taken: u32,
    pending: Vec<ToolCall>,
    /// Nudges spent on answers without a tool call, cut or malformed ones.
    nudges: u32,
    hurried: bool,
    outcome: Option<Outcome>,
}

/// An answer that breaks the form is asked for once more; a second one in the same run ends it.
const MOST_NUDGES: u32 = 2;

impl AgentRun {
    /// Begins a conversation.
    pub fn new(brief: Brief) -> Self {
        let task = Message { speaker: Speaker::User, content: vec![Content::Text(brief.task.clone())] };
        AgentRun {
            brief,
            messages: vec![task],
            turns_taken: 0,
            pending: Vec::new(),
            nudges: 0,
            hurried: false,
            outcome: None,
        }
    }

    /// Returns the role.
    pub fn agent(&self) -> &str {
        &self.brief.agent
    }

    /// Returns what to do next. `hurry` says that no time is left for more than one answer: the agent must submit now.
    pub fn next(&mut self, hurry: bool) -> Step {
        if let Some(outcome) = &self.outcome {
            return Step::Done(outcome.clone());
        }
        if !self.pending.is_empty() {
            return Step::CallTools(self.pending.clone());
        }
        let last = hurry || self.turns_taken + 1 >= self.brief.max_turns;
        if last && !self.hurried && self.turns_taken > 0 {
            self.hurried = true;
            self.say(format!(
                "This is your last turn. Call {} now with what you have.",
                self.brief.submit_with
            ));
        }
        Step::CallModel(ConverseRequest {
            agent: self.brief.agent.clone(),
            turn: self.brief.first_turn + self.turns_taken,
            system: self.brief.system.clone(),
            messages: self.messages.clone(),
            tools: self.brief.tools.clone(),
            tool_choice: if last || self.brief.tools.len() == 1 {
                ToolChoice::Tool(self.brief.submit_with.clone())
            } else {
                ToolChoice::Auto
            },
            max_tokens: self.brief.max_tokens,
            tuning: Tuning::default(),
        })
    }

    /// Takes the model's answer.
    pub fn model_answered(&mut self, reply: ConverseReply) {
        self.turns_taken += 1;
        let cut = matches!(reply.stop, StopReason::MaxTokens | StopReason::Malformed);
        let content: Vec<Content> = reply.content.into_iter().filter(is_said).collect();
        let calls: Vec<ToolCall> = content.iter().filter_map(tool_call).collect();
        if cut || calls.is_empty() {
            self.nudge(&reply.stop, content);
            return;
        }
        self.messages.push(Message { speaker: Speaker::Assistant, content });
        self.pending = calls;
    }

    /// Takes the tools' answers, one for every call.
    pub fn tools_answered(&mut self, answers: &[ToolAnswer]) {
        let accepted = answers.iter().find_map(|answer| answer.accepted.clone());
        let results = self.pending.drain(..).map(|call| {
            let answer = answers.iter().find(|answer| answer.id == call.id);
            Content::ToolResult {
                id: call.id,
                // Bedrock refuses a call without a result and a result without text.
                text: answer.map_or("no answer", |answer| answer.text.as_str()).to_owned(),
                is_error: answer.is_none_or(|answer| answer.is_error),
            }
        });
        let content: Vec<Content> = results.collect();
        self.messages.push(Message { speaker: Speaker::User, content });
        if let Some(value) = accepted {
            self.outcome = Some(Outcome::Complete(value));
        } else if self.turns_taken >= self.brief.max_turns {
            self.end("it used all its turns without a submission that could be accepted");
        }
    }

    /// Takes the news that no model answered.
    pub fn model_failed(&mut self, reason: String, failure: Option<Failure>) {
        self.outcome = Some(Outcome::Failed { reason, failure });
    }

    fn end(&mut self, reason: &str) {
        self.outcome = Some(Outcome::Partial { reason: reason.to_owned() });
    }

    /// Asks again after an answer that cannot be used. What the model said stays in the conversation, save for
    /// tool uses that were cut or malformed: they could not be answered.
    fn nudge(&mut self, stop: &StopReason, content: Vec<Content>) {
        self.nudges += 1;
        if self.nudges > MOST_NUDGES || self.turns_taken >= self.brief.max_turns {
            self.end(match stop {
                StopReason::MaxTokens => "its answers were cut at the token limit",
                StopReason::Malformed => "its tool calls could not be read",
                StopReason::Filtered => "a guardrail held its answer back",
                StopReason::ContextExceeded => "the conversation grew too long for the model",
                StopReason::EndTurn | StopReason::ToolUse | StopReason::Other(_) => {
                    "it ended without submitting"
                }
            });
            return;
        }
        let text: Vec<Content> =
            content.into_iter().filter(|block| matches!(block, Content::Text(_))).collect();
        if !text.is_empty() {
            self.messages.push(Message { speaker: Speaker::Assistant, content: text });
        }
        let submit = &self.brief.submit_with;
        self.say(match stop {
            StopReason::MaxTokens => {
                format!("Your answer was cut at the token limit and was not used. Be brief: call one tool, or {submit}.")
            }
            StopReason::Malformed => {
                "Your tool call could not be read and was not used. Call the tool again with valid JSON arguments.".into()
            }
            StopReason::Filtered
            | StopReason::ContextExceeded
            | StopReason::EndTurn
            | StopReason::ToolUse
            | StopReason::Other(_) => format!("Only tool calls count. Call {submit} with what you have shown so far."),
        });
    }

    /// Adds text on the user's side; consecutive user messages are one, because roles must alternate.
    fn say(&mut self, text: String) {
        match self.messages.last_mut() {
            Some(message) if message.speaker == Speaker::User => message.content.push(Content::Text(text)),
            _ => self.messages.push(Message { speaker: Speaker::User, content: vec![Content::Text(text)] }),
        }
    }
}

/// Bedrock refuses blank text blocks when they are echoed.
fn is_said(block: &Content) -> bool {
    !matches!(block, Content::Text(text) if text.trim().is_empty())
}

fn tool_call(block: &Content) -> Option<ToolCall> {
    match block {
        Content::ToolUse { id, name, input } => {
            Some(ToolCall { id: id.clone(), name: name.clone(), input: input.clone() })
        }
        Content::Text(_)
        | Content::ToolResult { .. }
        | Content::Reasoning { .. }
        | Content::RedactedReasoning { .. } => None,
    }
}

#[cfg(test)]
mod tests;
