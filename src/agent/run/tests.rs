//! One agent's turns: looks, the forced last one, malformed and cut answers, a conversation that is taken up again.

use serde_json::json;

use super::*;
use crate::model::Usage;

fn brief() -> Brief {
    let tool = |name: &str| ToolSpec { name: name.into(), description: "d".into(), input_schema: json!({}) };
    Brief {
        agent: "logs".into(),
        system: "system".into(),
        task: "task".into(),
        tools: vec![tool("look"), tool("submit")],
        submit_with: "submit".into(),
        max_turns: 3,
        max_tokens: 100,
        first_turn: 1,
    }
}

fn reply(stop: StopReason, content: Vec<Content>) -> ConverseReply {
    ConverseReply { content, stop, usage: Usage::default(), request_id: None, recording: None }
}

fn uses(name: &str) -> ConverseReply {
    let call = Content::ToolUse { id: format!("id-{name}"), name: name.into(), input: json!({}) };
    reply(StopReason::ToolUse, vec![call])
}

fn request(run: &mut AgentRun) -> ConverseRequest {
    match run.next(false) {
        Step::CallModel(request) => request,
        other => panic!("expected a model call, got {other:?}"),
    }
}

fn answer(name: &str, accepted: Option<Value>) -> ToolAnswer {
    ToolAnswer { id: format!("id-{name}"), text: "answer".into(), is_error: false, accepted }
}

/// Bedrock's rules: the first message is the user's, roles alternate, each tool use is answered in the next message.
fn assert_well_formed(request: &ConverseRequest) {
    let mut expected = Speaker::User;
    let mut open: Vec<String> = Vec::new();
    for message in &request.messages {
        assert_eq!(message.speaker, expected);
        assert!(!message.content.is_empty());
        let answered: Vec<String> = message
            .content
            .iter()
            .filter_map(|block| match block {
                Content::ToolResult { id, .. } => Some(id.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(answered, open);
        open = message
            .content
            .iter()
            .filter_map(|block| match block {
                Content::ToolUse { id, .. } => Some(id.clone()),
                _ => None,
            })
            .collect();
        expected = if expected == Speaker::User { Speaker::Assistant } else { Speaker::User };
    }
    assert!(open.is_empty());
}

#[test]
fn a_look_and_a_submission_end_complete() {
    let mut run = AgentRun::new(brief());
    assert_eq!(request(&mut run).turn, 1);
    run.model_answered(uses("look"));
    assert!(matches!(run.next(false), Step::CallTools(calls) if calls.len() == 1));
    run.tools_answered(&[answer("look", None)]);
    let second = request(&mut run);
    assert_well_formed(&second);
    run.model_answered(uses("submit"));
    run.tools_answered(&[answer("submit", Some(json!({"claims": []})))]);
    assert_eq!(run.next(false), Step::Done(Outcome::Complete(json!({"claims": []}))));
}

#[test]
fn the_last_turn_forces_the_submission_and_says_so() {
    let mut run = AgentRun::new(brief());
    for _ in 0..2 {
        let _ = request(&mut run);
        run.model_answered(uses("look"));
        run.tools_answered(&[answer("look", None)]);
    }
    let last = request(&mut run);
    assert_well_formed(&last);
    assert_eq!(last.tool_choice, ToolChoice::Tool("submit".into()));
    assert!(serde_json::to_string(&last.messages).unwrap().contains("This is your last turn"));
    run.model_answered(uses("look"));
    run.tools_answered(&[answer("look", None)]);
    assert!(matches!(run.next(false), Step::Done(Outcome::Partial { .. })));
}

#[test]
fn hurry_makes_the_next_turn_the_last() {
    let mut run = AgentRun::new(brief());
    let Step::CallModel(request) = run.next(true) else { panic!("expected a model call") };
    assert_eq!(request.tool_choice, ToolChoice::Tool("submit".into()));
}

#[test]
fn malformed_and_cut_answers_are_asked_for_again_in_good_form() {
    let mut run = AgentRun::new(brief());
    let _ = request(&mut run);
    run.model_answered(reply(StopReason::Malformed, Vec::new()));
    let again = request(&mut run);
    assert_well_formed(&again);
    assert_eq!((again.turn, again.messages.len()), (2, 1));
    run.model_answered(reply(
        StopReason::MaxTokens,
        vec![
            Content::Text("Let me look".into()),
            Content::ToolUse { id: "x".into(), name: "look".into(), input: json!({}) },
        ],
    ));
    assert_well_formed(&request(&mut run));
    run.model_answered(reply(StopReason::Malformed, Vec::new()));
    let outcome = run.next(false);
    assert_eq!(outcome, Step::Done(Outcome::Partial { reason: "its tool calls could not be read".into() }));
}

#[test]
fn a_conversation_can_be_stored_and_taken_up_again() {
    let mut run = AgentRun::new(brief());
    let _ = request(&mut run);
    run.model_answered(uses("look"));
    let stored = serde_json::to_string(&run).unwrap();
    let mut restored: AgentRun = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored, run);
    assert_eq!(restored.next(false), run.next(false));
}
