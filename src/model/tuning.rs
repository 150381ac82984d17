//! What a model's row in the catalogue adds to a request: sampling where the maker asks for it, marks for the cache.

use serde::{Deserialize, Serialize};

use crate::model::{Content, ConverseRequest, ModelId, ToolChoice, catalogue};

/// What is sent beside the question itself. The default adds nothing, which every model accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// How the model draws its words, where that is sent at all.
    pub sampling: Option<Sampling>,
    /// Where the provider may keep the prefix for the next turn.
    pub cache: CachePoints,
}

/// A sampling that a maker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Temperature 0 and one candidate: Amazon asks for it wherever Nova uses tools.
    Greedy,
}

/// Ends of prefixes that are kept for 5 minutes. A provider reads tools, system, messages in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePoints {
    /// After tools and system prompt.
    pub after_system: bool,
    /// After the first message: the digest and the task.
    pub after_task: bool,
}

/// Adapts a request to what the model takes.
pub(crate) fn fit(request: &ConverseRequest, model: &ModelId) -> ConverseRequest {
    let mut request = request.clone();
    let row = catalogue::entry(model);
    request.max_tokens = catalogue::clamp_output(model, request.max_tokens);
    if !row.is_some_and(|row| row.forced_tool_choice) {
        request.tool_choice = ToolChoice::Auto;
    }
    if row.is_some_and(|row| !row.reasoning_echo) {
        // Another model's thoughts, from a rung above; this one would refuse them.
        for message in &mut request.messages {
            message.content.retain(|content| !content.is_reasoning());
        }
    }
    let minimum = row.and_then(|row| row.caching.as_ref()).map(|caching| caching.minimum);
    request.tuning = Tuning {
        sampling: row.filter(|row| row.temperature).and_then(|row| row.sampling),
        cache: minimum.map(|minimum| cache_points(&request, minimum)).unwrap_or_default(),
    };
    request
}

/// Marks prefixes where keeping them pays.
///
/// A write costs a quarter more, a read nine tenths less, so it pays from the second turn on. An agent with nothing but
/// the tool to submit with has one turn. A prefix below the model's minimum would silently not be kept.
fn cache_points(request: &ConverseRequest, minimum: u64) -> CachePoints {
    if request.tools.len() < 2 {
        return CachePoints::default();
    }
    // Four bytes a token, as everywhere that nobody counts.
    let tokens = |bytes: usize| u64::try_from(bytes / 4).unwrap_or(u64::MAX);
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.name.len() + tool.description.len() + tool.input_schema.to_string().len())
        .sum();
    let before_messages = tools + request.system.len();
    let task: usize = request.messages.first().map_or(0, |message| {
        let texts = message.content.iter().filter_map(|content| match content {
            Content::Text(text) => Some(text.len()),
            Content::ToolUse { .. }
            | Content::ToolResult { .. }
            | Content::Reasoning { .. }
            | Content::RedactedReasoning { .. } => None,
        });
        texts.take(1).sum()
    });
    CachePoints {
        after_system: !request.system.trim().is_empty() && tokens(before_messages) >= minimum,
        after_task: task > 0 && tokens(before_messages + task) >= minimum,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Message, Speaker, ToolSpec};

    const SONNET: &str = "us.anthropic.claude-sonnet-4-6";
    const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    const NOVA: &str = "us.amazon.nova-pro-v1:0";
    const UNKNOWN: &str = "us.someone.new-model";

    fn request(system: usize, task: usize, tools: usize) -> ConverseRequest {
        let tool = ToolSpec { name: "look".into(), description: "d".into(), input_schema: json!({}) };
        let thought = Content::Reasoning { text: "hm".into(), signature: None };
        let hidden = Content::RedactedReasoning { data: "aG0=".into() };
        ConverseRequest {
            agent: "metrics".into(),
            turn: 1,
            system: "s".repeat(system),
            messages: vec![
                Message { speaker: Speaker::User, content: vec![Content::Text("t".repeat(task))] },
                Message {
                    speaker: Speaker::Assistant,
                    content: vec![thought, hidden, Content::Text("I look.".into())],
                },
            ],
            tools: vec![tool; tools],
            tool_choice: ToolChoice::Tool("look".into()),
            max_tokens: 100_000,
            tuning: Tuning::default(),
        }
    }

    fn cache(model: &str, request: &ConverseRequest) -> (bool, bool) {
        let cache = fit(request, &ModelId::from(model)).tuning.cache;
        (cache.after_system, cache.after_task)
    }

    #[test]
    fn a_prefix_is_marked_only_where_the_model_would_keep_it_and_another_turn_reads_it() {
        // Sonnet 4.6 keeps prefixes from 1,024 tokens on, Haiku 4.5 from 4,096.
        assert_eq!(cache(SONNET, &request(4_200, 4_000, 2)), (true, true));
        assert_eq!(cache(SONNET, &request(2_000, 4_000, 2)), (false, true));
        assert_eq!(cache(SONNET, &request(1_000, 1_000, 2)), (false, false));
        assert_eq!(cache(HAIKU, &request(4_200, 4_000, 2)), (false, false));
        assert_eq!(cache(HAIKU, &request(4_200, 13_000, 2)), (false, true));
        assert_eq!(cache(SONNET, &request(40_000, 40_000, 1)), (false, false), "one turn reads nothing");
        assert_eq!(cache(UNKNOWN, &request(40_000, 40_000, 2)), (false, false));
    }

    #[test]
    fn each_model_gets_what_its_row_says_and_an_unknown_one_nothing() {
        let fitted = |model: &str| fit(&request(10, 10, 1), &ModelId::from(model));
        assert_eq!(fitted(SONNET).tuning.sampling, None);
        assert_eq!(fitted(NOVA).tuning.sampling, Some(Sampling::Greedy));
        assert_eq!(fitted(UNKNOWN).tuning, Tuning::default());
        assert_eq!(fitted(UNKNOWN).tool_choice, ToolChoice::Auto);
        assert_eq!(fitted(NOVA).tool_choice, ToolChoice::Tool("look".into()));
        assert_eq!((fitted(NOVA).max_tokens, fitted(UNKNOWN).max_tokens), (10_000, 4_096));
    }

    #[test]
    fn thoughts_go_back_to_models_that_take_them_and_to_no_other() {
        let thoughts = |model: &str| {
            let fitted = fit(&request(10, 10, 1), &ModelId::from(model));
            let blocks = fitted.messages.iter().flat_map(|message| &message.content);
            blocks.filter(|content| content.is_reasoning()).count()
        };
        assert_eq!((thoughts(SONNET), thoughts(UNKNOWN), thoughts(NOVA)), (2, 2, 0));
    }
}
