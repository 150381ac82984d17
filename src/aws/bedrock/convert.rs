//! Between the product's messages and Converse's, both ways, without loss of what a model must get back unchanged.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_bedrockruntime::error::BuildError;
use aws_sdk_bedrockruntime::operation::RequestId;
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::types::{
    self, AutoToolChoice, CachePointBlock, CachePointType, ContentBlock, ConversationRole,
    InferenceConfiguration, ReasoningContentBlock, ReasoningTextBlock, SpecificToolChoice,
    SystemContentBlock, TokenUsage, Tool, ToolConfiguration, ToolInputSchema, ToolResultBlock,
    ToolResultContentBlock, ToolResultStatus, ToolSpecification, ToolUseBlock,
};
use aws_smithy_types::{Blob, Document, Number, base64};
use serde_json::{Value, json};

use crate::model::{
    CachePoints, Content, ConverseReply, ConverseRequest, Message, Recording, Sampling, Speaker, StopReason,
    ToolChoice, ToolSpec, Usage,
};

/// Sent for a tool that had nothing to say: Bedrock refuses blank text.
const NO_TEXT: &str = "(no text)";

/// Returns the conversation as Converse takes it.
pub(super) fn messages(messages: &[Message], cache: CachePoints) -> Result<Vec<types::Message>, BuildError> {
    let mut converted: Vec<types::Message> = messages.iter().map(message).collect::<Result<_, _>>()?;
    if cache.after_task
        && let Some(first) = converted.first_mut()
    {
        // The task is the first block; what was added to the message later may differ from turn to turn.
        let at = first.content.len().min(1);
        first.content.insert(at, ContentBlock::CachePoint(cache_point()?));
    }
    Ok(converted)
}

/// Marks the end of a prefix that is kept for the usual 5 minutes, longer than an agent takes between two turns.
fn cache_point() -> Result<CachePointBlock, BuildError> {
    CachePointBlock::builder().r#type(CachePointType::Default).build()
}

/// Returns the limit of the answer, and how it is sampled where the maker asks for that.
pub(super) fn inference(max_tokens: i32, sampling: Option<Sampling>) -> InferenceConfiguration {
    let temperature = sampling.map(|Sampling::Greedy| 0.0);
    InferenceConfiguration::builder().max_tokens(max_tokens).set_temperature(temperature).build()
}

/// Returns what Converse has no member for.
pub(super) fn model_fields(sampling: Sampling) -> Document {
    match sampling {
        Sampling::Greedy => to_document(&json!({"inferenceConfig": {"topK": 1}})),
    }
}

fn message(message: &Message) -> Result<types::Message, BuildError> {
    let role = match message.speaker {
        Speaker::User => ConversationRole::User,
        Speaker::Assistant => ConversationRole::Assistant,
    };
    let content = message.content.iter().map(block).collect::<Result<_, _>>()?;
    types::Message::builder().role(role).set_content(Some(content)).build()
}

fn block(content: &Content) -> Result<ContentBlock, BuildError> {
    Ok(match content {
        Content::Text(text) => ContentBlock::Text(text.clone()),
        Content::ToolUse { id, name, input } => ContentBlock::ToolUse(
            ToolUseBlock::builder().tool_use_id(id).name(name).input(to_document(input)).build()?,
        ),
        Content::ToolResult { id, text, is_error } => {
            let status = if *is_error { ToolResultStatus::Error } else { ToolResultStatus::Success };
            let text = if text.trim().is_empty() { NO_TEXT } else { text };
            let text = ToolResultContentBlock::Text(text.to_owned());
            ContentBlock::ToolResult(
                ToolResultBlock::builder().tool_use_id(id).status(status).content(text).build()?,
            )
        }
        Content::Reasoning { text, signature } => {
            let text = ReasoningTextBlock::builder().text(text).set_signature(signature.clone()).build()?;
            ContentBlock::ReasoningContent(ReasoningContentBlock::ReasoningText(text))
        }
        Content::RedactedReasoning { data } => {
            // What cannot be decoded was not made here; its bytes are sent as they stand, and Bedrock says so.
            let bytes = base64::decode(data).unwrap_or_else(|_| data.clone().into_bytes());
            ContentBlock::ReasoningContent(ReasoningContentBlock::RedactedContent(Blob::new(bytes)))
        }
    })
}

/// Returns the system prompt, if there is one.
pub(super) fn system(text: &str, cache: CachePoints) -> Result<Option<Vec<SystemContentBlock>>, BuildError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut blocks = vec![SystemContentBlock::Text(text.to_owned())];
    if cache.after_system {
        blocks.push(SystemContentBlock::CachePoint(cache_point()?));
    }
    Ok(Some(blocks))
}

/// Returns the tools on offer. Bedrock wants them also where none is on offer any more but the history holds tool
/// blocks; then the tools that the history names are declared once more, to be read and not to be called.
pub(super) fn tool_configuration(request: &ConverseRequest) -> Result<Option<ToolConfiguration>, BuildError> {
    let offered;
    let tools = if request.tools.is_empty() {
        offered = tools_of_history(&request.messages);
        &offered
    } else {
        &request.tools
    };
    if tools.is_empty() {
        return Ok(None);
    }
    let choice = match &request.tool_choice {
        ToolChoice::Auto => types::ToolChoice::Auto(AutoToolChoice::builder().build()),
        ToolChoice::Tool(name) => types::ToolChoice::Tool(SpecificToolChoice::builder().name(name).build()?),
    };
    let tools = tools.iter().map(tool).collect::<Result<_, _>>()?;
    ToolConfiguration::builder().set_tools(Some(tools)).tool_choice(choice).build().map(Some)
}

fn tools_of_history(messages: &[Message]) -> Vec<ToolSpec> {
    let names: BTreeSet<&String> = messages
        .iter()
        .flat_map(|message| &message.content)
        .filter_map(|content| if let Content::ToolUse { name, .. } = content { Some(name) } else { None })
        .collect();
    let past = |name: &String| ToolSpec {
        name: name.clone(),
        description: "No longer on offer; do not call it.".to_owned(),
        input_schema: json!({"type": "object"}),
    };
    names.into_iter().map(past).collect()
}

fn tool(tool: &ToolSpec) -> Result<Tool, BuildError> {
    let schema = ToolInputSchema::Json(to_document(&tool.input_schema));
    let specification =
        ToolSpecification::builder().name(&tool.name).description(&tool.description).input_schema(schema);
    specification.build().map(Tool::ToolSpec)
}

/// Returns the answer in the product's terms. Blocks that the product has no use for are left out.
pub(super) fn reply(answer: ConverseOutput) -> ConverseReply {
    let request_id = answer.request_id().map(str::to_owned);
    let recording = answer.additional_model_response_fields().and_then(recording);
    let stop = stop_reason(&answer.stop_reason);
    let usage = answer.usage().map(usage).unwrap_or_default();
    let content = match answer.output {
        Some(types::ConverseOutput::Message(message)) => {
            message.content.into_iter().filter_map(content).collect()
        }
        _ => Vec::new(),
    };
    ConverseReply { content, stop, usage, request_id, recording }
}

fn content(block: ContentBlock) -> Option<Content> {
    match block {
        // A blank text could not be echoed: Bedrock refuses it in a request.
        ContentBlock::Text(text) => (!text.trim().is_empty()).then_some(Content::Text(text)),
        ContentBlock::ToolUse(used) => {
            Some(Content::ToolUse { id: used.tool_use_id, name: used.name, input: from_document(used.input) })
        }
        ContentBlock::ReasoningContent(ReasoningContentBlock::ReasoningText(reasoning)) => {
            Some(Content::Reasoning { text: reasoning.text, signature: reasoning.signature })
        }
        ContentBlock::ReasoningContent(ReasoningContentBlock::RedactedContent(bytes)) => {
            Some(Content::RedactedReasoning { data: base64::encode(bytes) })
        }
        _ => None,
    }
}

fn stop_reason(reason: &types::StopReason) -> StopReason {
    match reason {
        types::StopReason::EndTurn | types::StopReason::StopSequence => StopReason::EndTurn,
        types::StopReason::ToolUse => StopReason::ToolUse,
        types::StopReason::MaxTokens => StopReason::MaxTokens,
        types::StopReason::MalformedModelOutput | types::StopReason::MalformedToolUse => {
            StopReason::Malformed
        }
        types::StopReason::ModelContextWindowExceeded => StopReason::ContextExceeded,
        types::StopReason::GuardrailIntervened | types::StopReason::ContentFiltered => StopReason::Filtered,
        other => StopReason::Other(other.as_str().to_owned()),
    }
}

fn usage(usage: &TokenUsage) -> Usage {
    let count = |tokens: i32| u64::try_from(tokens).unwrap_or_default();
    Usage {
        input: count(usage.input_tokens),
        output: count(usage.output_tokens),
        cache_read: count(usage.cache_read_input_tokens.unwrap_or_default()),
        cache_write: count(usage.cache_write_input_tokens.unwrap_or_default()),
    }
}

/// Reads the emulator's word that no live model answered.
fn recording(fields: &Document) -> Option<Recording> {
    let fields = fields.as_object()?;
    let answered_by = fields.get("answered_by")?.as_string()?.to_owned();
    Some(Recording { answered_by, stale: fields.get("stale").and_then(Document::as_bool).unwrap_or(false) })
}

/// Returns JSON as the SDK's document. Every number keeps its value and kind; the order of keys is lost, because the
/// SDK keeps objects in a hash map.
fn to_document(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(flag) => Document::Bool(*flag),
        Value::Number(number) => Document::Number(to_number(number)),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(items) => Document::Array(items.iter().map(to_document).collect()),
        Value::Object(members) => {
            let members: HashMap<String, Document> =
                members.iter().map(|(name, value)| (name.clone(), to_document(value))).collect();
            Document::Object(members)
        }
    }
}

fn to_number(number: &serde_json::Number) -> Number {
    match (number.as_u64(), number.as_i64()) {
        (Some(positive), _) => Number::PosInt(positive),
        (None, Some(negative)) => Number::NegInt(negative),
        // What is no integer is a float: there is no third kind without `arbitrary_precision`.
        (None, None) => Number::Float(number.as_f64().unwrap_or_default()),
    }
}

/// Returns the SDK's document as JSON, keys in alphabetical order so that the same document reads the same twice.
fn from_document(document: Document) -> Value {
    match document {
        Document::Null => Value::Null,
        Document::Bool(flag) => Value::Bool(flag),
        Document::Number(Number::PosInt(number)) => Value::from(number),
        Document::Number(Number::NegInt(number)) => Value::from(number),
        Document::Number(Number::Float(number)) => Value::from(number),
        Document::String(text) => Value::String(text),
        Document::Array(items) => Value::Array(items.into_iter().map(from_document).collect()),
        Document::Object(members) => {
            let mut members: Vec<(String, Document)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(members.into_iter().map(|(name, value)| (name, from_document(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Tuning;

    fn asked(messages: Vec<Message>, tools: Vec<ToolSpec>, tool_choice: ToolChoice) -> ConverseRequest {
        ConverseRequest {
            agent: "metrics".into(),
            turn: 1,
            system: "You read metrics.".into(),
            messages,
            tools,
            tool_choice,
            max_tokens: 1024,
            tuning: Tuning::default(),
        }
    }

    fn said(speaker: Speaker, content: Vec<Content>) -> Message {
        Message { speaker, content }
    }

    fn used() -> Content {
        Content::ToolUse { id: "tu_1".into(), name: "query_metrics".into(), input: json!({"n": 1}) }
    }

    /// Any JSON that a model could write or a schema could hold, within what a 64-bit number can tell.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has no infinities", |number| number.is_finite())
                .prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_comes_back_as_the_same_json(value in any_json()) {
            let back = from_document(to_document(&value));
            prop_assert_eq!(back.to_string(), value.to_string());
        }
    }

    #[test]
    fn every_kind_of_block_reaches_converse() {
        let turn = said(
            Speaker::Assistant,
            vec![
                Content::Reasoning { text: "hm".into(), signature: Some("sig".into()) },
                Content::Text("I look.".into()),
                used(),
            ],
        );
        let sent = message(&turn).unwrap();
        assert_eq!(sent.role, ConversationRole::Assistant);
        let [
            ContentBlock::ReasoningContent(reasoning),
            ContentBlock::Text(text),
            ContentBlock::ToolUse(tool),
        ] = sent.content.as_slice()
        else {
            panic!("three blocks in order: {:?}", sent.content)
        };
        assert_eq!(reasoning.as_reasoning_text().unwrap().signature(), Some("sig"));
        assert_eq!(text, "I look.");
        assert_eq!((tool.tool_use_id(), tool.name()), ("tu_1", "query_metrics"));
    }

    #[test]
    fn encrypted_thoughts_are_echoed_byte_for_byte() {
        let bytes = Blob::new([0_u8, 159, 255, 7]);
        let block_of = |bytes: &Blob| {
            ContentBlock::ReasoningContent(ReasoningContentBlock::RedactedContent(bytes.clone()))
        };
        let read = content(block_of(&bytes)).unwrap();
        assert!(read.is_reasoning());
        assert_eq!(block(&read).unwrap(), block_of(&bytes));
    }

    #[test]
    fn prefixes_are_marked_where_the_request_says_so_and_nowhere_else() {
        let asked = [said(Speaker::User, vec![Content::Text("task".into()), Content::Text("hurry".into())])];
        let marks = |cache: CachePoints| {
            let system = system("rules", cache).unwrap().unwrap();
            let sent = messages(&asked, cache).unwrap();
            let at = sent[0].content.iter().position(ContentBlock::is_cache_point);
            (system.iter().position(SystemContentBlock::is_cache_point), at)
        };
        assert_eq!(marks(CachePoints::default()), (None, None));
        assert_eq!(marks(CachePoints { after_system: true, after_task: true }), (Some(1), Some(1)));
    }

    #[test]
    fn sampling_is_sent_only_where_it_is_asked_for() {
        assert_eq!(inference(9, None), InferenceConfiguration::builder().max_tokens(9).build());
        let greedy = inference(9, Some(Sampling::Greedy));
        assert_eq!((greedy.temperature(), greedy.top_p()), (Some(0.0), None));
        let fields = from_document(model_fields(Sampling::Greedy));
        assert_eq!(fields, json!({"inferenceConfig": {"topK": 1}}));
    }

    #[test]
    fn a_tool_that_said_nothing_is_sent_as_a_text_that_is_not_blank() {
        let result = Content::ToolResult { id: "tu_1".into(), text: " \n".into(), is_error: true };
        let sent = block(&result).unwrap();
        let result = sent.as_tool_result().unwrap();
        assert_eq!(result.status(), Some(&ToolResultStatus::Error));
        assert_eq!(result.content(), [ToolResultContentBlock::Text(NO_TEXT.into())]);
    }

    #[test]
    fn tools_are_declared_when_on_offer_or_when_the_history_holds_their_blocks() {
        let plain =
            asked(vec![said(Speaker::User, vec![Content::Text("go".into())])], vec![], ToolChoice::Auto);
        assert_eq!(tool_configuration(&plain).unwrap(), None);

        let past = asked(vec![said(Speaker::Assistant, vec![used(), used()])], vec![], ToolChoice::Auto);
        let declared = tool_configuration(&past).unwrap().unwrap();
        assert_eq!(declared.tools().len(), 1);
        assert_eq!(declared.tools()[0].as_tool_spec().unwrap().name(), "query_metrics");
        assert!(declared.tool_choice().unwrap().is_auto());

        let submit = ToolSpec { name: "submit".into(), description: "d".into(), input_schema: json!({}) };
        let forced = asked(vec![], vec![submit], ToolChoice::Tool("submit".into()));
        let declared = tool_configuration(&forced).unwrap().unwrap();
        assert_eq!(declared.tool_choice().unwrap().as_tool().unwrap().name(), "submit");
    }

    #[test]
    fn an_answer_is_read_whole() {
        let message = types::Message::builder()
            .role(ConversationRole::Assistant)
            .content(ContentBlock::Text("  ".into()))
            .content(block(&Content::Reasoning { text: "hm".into(), signature: None }).unwrap())
            .content(block(&used()).unwrap())
            .build()
            .unwrap();
        let tokens = TokenUsage::builder()
            .input_tokens(10)
            .output_tokens(5)
            .total_tokens(15)
            .cache_read_input_tokens(7)
            .build()
            .unwrap();
        let fields = to_document(&json!({"answered_by": "recorded, played by hand", "stale": true}));
        let answer = ConverseOutput::builder()
            .output(types::ConverseOutput::Message(message))
            .stop_reason(types::StopReason::ToolUse)
            .usage(tokens)
            .additional_model_response_fields(fields)
            .build()
            .unwrap();
        let expected = ConverseReply {
            content: vec![Content::Reasoning { text: "hm".into(), signature: None }, used()],
            stop: StopReason::ToolUse,
            usage: Usage { input: 10, output: 5, cache_read: 7, cache_write: 0 },
            request_id: None,
            recording: Some(Recording { answered_by: "recorded, played by hand".into(), stale: true }),
        };
        assert_eq!(reply(answer), expected);
    }

    #[test]
    fn every_stop_reason_of_the_provider_has_its_own() {
        let rows = [
            ("end_turn", StopReason::EndTurn),
            ("stop_sequence", StopReason::EndTurn),
            ("tool_use", StopReason::ToolUse),
            ("max_tokens", StopReason::MaxTokens),
            ("malformed_model_output", StopReason::Malformed),
            ("malformed_tool_use", StopReason::Malformed),
            ("model_context_window_exceeded", StopReason::ContextExceeded),
            ("guardrail_intervened", StopReason::Filtered),
            ("content_filtered", StopReason::Filtered),
            ("something_new", StopReason::Other("something_new".into())),
        ];
        for (text, expected) in rows {
            assert_eq!(stop_reason(&types::StopReason::from(text)), expected, "{text}");
        }
    }

    #[test]
    fn fields_of_a_live_model_are_no_recording() {
        assert_eq!(recording(&to_document(&json!({"stop_sequence": null}))), None);
        assert_eq!(recording(&Document::Null), None);
    }
}
