//! Model providers beside Bedrock: Anthropic's Messages API and the chat completions of `OpenAI`.
//!
//! A request is checked as its own API checks it and put into Converse's form. What plays the models behind Bedrock then
//! answers it, so that one recording serves every API.

mod anthropic;
mod openai;

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::access::FaultKind;
use crate::bedrock::limits::{self, Excess};
use crate::bedrock::{Bedrock, ModelBehaviour, Question, Refusal};
use crate::wire::Answer;

/// One of the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// Anthropic's `POST /v1/messages`, below `/anthropic`.
    Messages,
    /// `POST /chat/completions`, below `/openai/v1`.
    ChatCompletions,
}

/// A checked request.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    /// As the caller spells it.
    model: String,
    /// The request in Converse's form.
    body: Value,
}

/// Tools in Converse's form: specifications, at least one, and the choice among them.
type Tools = (Vec<Value>, Option<Value>);

impl Api {
    /// Returns the API that a request is for.
    pub(crate) fn of(method: &str, path: &str) -> Option<Self> {
        match (method, path) {
            ("POST", "/anthropic/v1/messages") => Some(Api::Messages),
            ("POST", "/openai/v1/chat/completions") => Some(Api::ChatCompletions),
            _ => None,
        }
    }

    /// Returns the provider's name, as `[models]` and the list of requests spell it.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Api::Messages => "anthropic",
            Api::ChatCompletions => "openai",
        }
    }

    /// Returns the operation's name.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Api::Messages => "CreateMessage",
            Api::ChatCompletions => "CreateChatCompletion",
        }
    }

    /// Answers one request. A `fault` comes first; `id` is unique to the request and made of letters and digits.
    pub(crate) async fn answer(
        self,
        bedrock: &Bedrock,
        fault: Option<FaultKind>,
        headers: &HeaderMap,
        body: &[u8],
        id: &str,
    ) -> Answer {
        let replied = match fault {
            Some(FaultKind::Throttled) => Err(bedrock.throttled()),
            Some(FaultKind::Overloaded) => Err(Refusal::new(503, "overloaded_error", "Overloaded")),
            // One that hangs hears of it when the emulator stops.
            Some(FaultKind::InternalError | FaultKind::Hang) => {
                Err(Refusal::new(500, "api_error", "The service had an internal error."))
            }
            None => self.reply(bedrock, headers, body, id).await,
        };
        match replied {
            Ok(reply) => self.written(200, &reply, id, None),
            Err(refusal) => {
                let wait =
                    refusal.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
                let (status, error) = match self {
                    Api::Messages => anthropic::refused(&refusal, &request_id(id)),
                    Api::ChatCompletions => openai::refused(&refusal),
                };
                self.written(status, &error, id, wait)
            }
        }
    }

    async fn reply(
        self,
        bedrock: &Bedrock,
        headers: &HeaderMap,
        body: &[u8],
        id: &str,
    ) -> Result<Value, Refusal> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let Asked { model, body } = match self {
            Api::Messages => {
                anthropic::authorized(header("x-api-key"), header("anthropic-version"))?;
                anthropic::asked(&object(body)?)?
            }
            Api::ChatCompletions => {
                openai::authorized(header("authorization"))?;
                openai::asked(&object(body)?)?
            }
        };
        match bedrock.offer().elsewhere(self.provider(), &model) {
            ModelBehaviour::Answers => {}
            ModelBehaviour::AccessDenied => return Err(self.denied(&model)),
            // An offer is not made with the two of Bedrock's own.
            ModelBehaviour::EndOfLife
            | ModelBehaviour::InvalidIdentifier
            | ModelBehaviour::Legacy
            | ModelBehaviour::OnDemandUnsupported => return Err(self.unknown(&model)),
        }
        limits::check(&model, &body).map_err(|excess| self.too_much(&model, excess))?;
        let key = format!("{}:{model}", self.provider());
        let reply = bedrock.ask(&key, Question::unnamed(body)).await?;
        let mut answer = match self {
            Api::Messages => anthropic::answered(&reply, &model, id)?,
            Api::ChatCompletions => openai::answered(&reply, &model, id, bedrock.offer().place().seconds())?,
        };
        // Neither API has a place for it, and a client must be able to tell a recording from a live call.
        if let (Some(members), Some(fields)) =
            (answer.as_object_mut(), reply.get("additionalModelResponseFields"))
        {
            members.insert("emulator".to_owned(), fields.clone());
        }
        Ok(answer)
    }

    fn denied(self, model: &str) -> Refusal {
        let words = match self {
            Api::Messages => format!("Your API key does not have permission to use the model {model}"),
            Api::ChatCompletions => format!("Project does not have access to model `{model}`"),
        };
        Refusal::new(403, "permission_error", words)
    }

    fn unknown(self, model: &str) -> Refusal {
        match self {
            Api::Messages => Refusal::new(404, "not_found_error", format!("model: {model}")),
            Api::ChatCompletions => Refusal::new(
                404,
                "model_not_found",
                format!("The model `{model}` does not exist or you do not have access to it."),
            ),
        }
    }

    fn too_much(self, model: &str, excess: Excess) -> Refusal {
        let (code, words) = match (self, excess) {
            (Api::Messages, Excess::Output { asked, most }) => (
                "invalid_request_error",
                format!(
                    "max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for {model}"
                ),
            ),
            (Api::Messages, Excess::Input { tokens, most }) => {
                ("invalid_request_error", format!("prompt is too long: {tokens} tokens > {most} maximum"))
            }
            (Api::ChatCompletions, Excess::Output { asked, most }) => (
                "invalid_value",
                format!(
                    "max_tokens is too large: {asked}. This model supports at most {most} completion tokens."
                ),
            ),
            (Api::ChatCompletions, Excess::Input { tokens, most }) => (
                "context_length_exceeded",
                format!(
                    "This model's maximum context length is {most} tokens. However, your messages resulted in \
                     {tokens} tokens."
                ),
            ),
            (Api::Messages | Api::ChatCompletions, Excess::Other(words)) => ("invalid_request_error", words),
        };
        Refusal::new(400, code, words)
    }

    fn written(self, status: u16, body: &Value, id: &str, wait_seconds: Option<u64>) -> Answer {
        let name = match self {
            Api::Messages => "request-id",
            Api::ChatCompletions => "x-request-id",
        };
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (name.to_owned(), request_id(id)),
        ];
        headers.extend(wait_seconds.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
        Answer { status, headers, body: body.to_string().into_bytes() }
    }
}

fn request_id(id: &str) -> String {
    format!("req_{id}")
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(invalid("the request body is not a JSON object")),
        Err(error) => Err(invalid(format!("the request body is not valid JSON: {error}"))),
    }
}

fn invalid(words: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request_error", words)
}

/// Refuses members that this emulator does not read.
fn known(members: &Map<String, Value>, at: &str, names: &[&str]) -> Result<(), Refusal> {
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) if at.is_empty() => Err(Refusal::unsupported(&format!("member {name} of the request"))),
        Some(name) => Err(Refusal::unsupported(&format!("member {name} at {at}"))),
        None => Ok(()),
    }
}

/// Answers come whole: nobody here reads a stream.
fn not_streamed(members: &Map<String, Value>) -> Result<(), Refusal> {
    match present(members, "stream") {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(_) => Err(Refusal::unsupported("stream")),
    }
}

fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

/// Puts the parts of a request together as Converse carries them; a part that is absent is left out, as its digest
/// tells absent from empty.
fn converse(
    system: Option<Value>,
    messages: Vec<Value>,
    inference: Map<String, Value>,
    tools: Option<Tools>,
) -> Value {
    let mut body = Map::new();
    body.extend(system.map(|text| ("system".to_owned(), text)));
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("inferenceConfig".to_owned(), Value::Object(inference));
    if let Some((tools, choice)) = tools {
        let mut config = Map::new();
        config.insert("tools".to_owned(), Value::Array(tools));
        config.extend(choice.map(|choice| ("toolChoice".to_owned(), choice)));
        body.insert("toolConfig".to_owned(), Value::Object(config));
    }
    Value::Object(body)
}

/// Returns the blocks of a Converse answer.
fn blocks(reply: &Value) -> impl Iterator<Item = &Value> {
    reply.pointer("/output/message/content").and_then(Value::as_array).into_iter().flatten()
}

fn tokens(reply: &Value, name: &str) -> u64 {
    reply.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64).unwrap_or_default()
}

/// Refuses to pass on an answer that the API has no form for.
fn formless(api: &str, what: &str) -> Refusal {
    Refusal::unsupported(&format!("an answer with {what} has no form in {api}"))
}

/// Puts a tool specification into Converse's form.
fn specification(name: &str, description: Option<&Value>, schema: &Value) -> Value {
    let mut spec = Map::new();
    spec.insert("name".to_owned(), json!(name));
    spec.extend(description.map(|text| ("description".to_owned(), text.clone())));
    spec.insert("inputSchema".to_owned(), json!({"json": schema}));
    json!({"toolSpec": spec})
}

/// Tells whether a text is one of the names and ids that both APIs take.
fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests;
