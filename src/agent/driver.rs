//! Does what an agent's conversation asks for: calls the model, runs the tools, checks the submission.

use std::time::Duration;

use serde_json::Value;

use crate::agent::run::{AgentRun, Brief, Outcome, Step, ToolAnswer, ToolCall};
use crate::agent::tools::{Said, Toolbox};
use crate::clock::Deadline;
use crate::model::caller::{AskError, Caller};
use crate::run::{Observer, RunEvent};

/// Checks a submission: accepts it with what stands, or sends it back with what is wrong. The flag says that one was
/// sent back before, so that what is still wrong must now be removed.
pub type Check<'a> = dyn FnMut(&Value, &Toolbox, bool) -> Submission + Send + 'a;

/// What came of a submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Submission {
    /// It stands, as this value.
    Accepted(Value),
    /// It goes back once; the text says what is wrong.
    SentBack(String),
}

/// One agent at work.
pub struct Agent<'a> {
    /// Asks models.
    pub caller: &'a Caller,
    /// Told of tool calls and the outcome.
    pub observer: &'a Observer,
    /// No answer is waited for beyond this.
    pub deadline: Deadline,
    /// Time that those who come after this agent need.
    pub reserve: Duration,
}

/// What an agent leaves behind.
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Its toolbox, with what it read.
    pub toolbox: Toolbox,
}

impl Agent<'_> {
    /// Runs the conversation to its end.
    pub async fn run(&self, brief: Brief, mut toolbox: Toolbox, check: &mut Check<'_>) -> Report {
        let submit_with = brief.submit_with.clone();
        let mut conversation = AgentRun::new(brief);
        self.observer.emit(RunEvent::AgentStarted { agent: conversation.agent().to_owned() });
        let mut sent_back = false;
        let outcome = loop {
            match conversation.next(self.must_hurry()) {
                Step::CallModel(request) => match self.caller.ask(&request, self.deadline).await {
                    Ok(reply) => conversation.model_answered(reply),
                    Err(error) => {
                        let reason = error.to_string();
                        let failure = match error {
                            AskError::NoModel(failure) => Some(failure),
                            AskError::Budget(_) | AskError::OutOfTime => None,
                        };
                        conversation.model_failed(reason, failure);
                    }
                },
                Step::CallTools(calls) => {
                    let mut answers = Vec::with_capacity(calls.len());
                    for call in calls {
                        let answer = if call.name == submit_with {
                            let submission = check(&call.input, &toolbox, sent_back);
                            sent_back = true;
                            submitted(call, submission)
                        } else {
                            self.use_tool(conversation.agent(), call, &mut toolbox).await
                        };
                        answers.push(answer);
                    }
                    conversation.tools_answered(&answers);
                }
                Step::Done(outcome) => break outcome,
            }
        };
        self.observer.emit(RunEvent::AgentFinished {
            agent: conversation.agent().to_owned(),
            outcome: outcome.describe(),
        });
        Report { outcome, toolbox }
    }

    /// Tells whether one more answer is all that fits: two calls as slow as the slowest so far would not.
    fn must_hurry(&self) -> bool {
        self.deadline.time_left() < self.reserve + 2 * self.caller.expected_call()
    }

    async fn use_tool(&self, agent: &str, call: ToolCall, toolbox: &mut Toolbox) -> ToolAnswer {
        // What a tool may take must leave time for the answer to it and for those who come after.
        let limit = self.deadline.less(self.reserve + self.caller.expected_call()).time_left();
        let said = match tokio::time::timeout(limit, toolbox.call(&call.name, &call.input)).await {
            Ok(said) => said,
            Err(_) => Said::refused("The tool did not answer in the time left. Submit what you have."),
        };
        self.observer.emit(RunEvent::ToolCalled {
            agent: agent.to_owned(),
            tool: call.name,
            evidence: said.evidence,
            outcome: said.outcome,
        });
        ToolAnswer { id: call.id, text: said.text, is_error: said.is_error, accepted: None }
    }
}

fn submitted(call: ToolCall, submission: Submission) -> ToolAnswer {
    match submission {
        Submission::Accepted(value) => {
            ToolAnswer { id: call.id, text: "accepted".into(), is_error: false, accepted: Some(value) }
        }
        Submission::SentBack(text) => ToolAnswer { id: call.id, text, is_error: true, accepted: None },
    }
}
