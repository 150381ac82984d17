//! Amazon Bedrock's Converse: checks a request as strictly as the service does and answers it from a recording,
//! from a person's hand or from a script, with the faults that a scarce quota brings. Which models there are is one
//! [`Offer`], which the control plane shows.
//!
//! It never thinks: what it says was said before by a model or a person, or is written by one while it waits.

mod account;
mod answer_form;
mod by_hand;
pub(crate) mod control_plane;
pub(crate) mod limits;
mod model_reference;
mod offer;
mod pace;
mod question;
mod recording;
mod refusal;
mod schema_check;
mod validation;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

pub use crate::bedrock::account::{
    Account, Agreement, Authorization, Entitlement, FoundationModel, InferenceProfile, InferenceType,
    ProfileType, Quota, Status,
};
use crate::bedrock::by_hand::ByHand;
pub(crate) use crate::bedrock::model_reference::resource;
pub(crate) use crate::bedrock::offer::Offer;
use crate::bedrock::pace::Pace;
pub(crate) use crate::bedrock::question::Question;
use crate::bedrock::recording::Recordings;
pub(crate) use crate::bedrock::refusal::Refusal;
use crate::percent;
use crate::wire::Answer;

/// What Bedrock says when a model is asked for, or another provider where the id begins with its name
/// (`anthropic:claude-sonnet-4-6`, `openai:llama3.1`). The two that are Bedrock's own are not for those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelBehaviour {
    /// The model answers.
    Answers,
    /// The model version is gone: 404.
    EndOfLife,
    /// The model is closed to this account as legacy: 404.
    Legacy,
    /// The caller may not invoke the model: 403.
    AccessDenied,
    /// The bare model id is refused with 400; through an inference profile the model answers, unless the configured
    /// id itself carries the geography prefix.
    OnDemandUnsupported,
    /// The identifier is not known: 400. So is every id that is neither configured nor in the account's tables.
    InvalidIdentifier,
}

/// What a script answers to one request.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptedAnswer {
    /// A Converse output body, or the short form `{"text": …, "tool_calls": [{"name": …, "input": …}]}`.
    Answer(Value),
    /// A refusal in the service's error form.
    Refused {
        /// HTTP status.
        status: u16,
        /// Exception name, for instance `ModelTimeoutException`.
        exception: String,
        /// Text of the exception.
        message: String,
    },
    /// No answer ever; the caller's own timeout has to end the call.
    Hang,
}

/// A script that decides by the request body.
pub type Script = Arc<dyn Fn(&Value) -> ScriptedAnswer + Send + Sync>;

/// Where the answers come from.
#[derive(Clone, Default)]
pub enum Turns {
    /// `turns/<agent>-<n>.json` of the scenario.
    #[default]
    Recorded,
    /// A person answers through files in this folder.
    ByHand(PathBuf),
    /// Answers in order of arrival. An answer with a member `agent` is kept for that agent; one without is for anybody.
    Script(Vec<Value>),
    /// Answers computed from the request, which is in Converse's form by whatever API it came.
    Scripted(Script),
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Turns::Recorded => f.write_str("Recorded"),
            Turns::ByHand(folder) => f.debug_tuple("ByHand").field(folder).finish(),
            Turns::Script(answers) => f.debug_tuple("Script").field(answers).finish(),
            Turns::Scripted(_) => f.write_str("Scripted(…)"),
        }
    }
}

/// How Bedrock behaves beyond which models it has.
#[derive(Clone, Debug)]
pub struct BedrockOptions {
    /// Where the answers come from.
    pub turns: Turns,
    /// So many requests are throttled first, by whatever API they come; `u32::MAX` means for ever.
    pub throttle_first: Option<u32>,
    /// Requests for one model, by whatever profile, admitted within any one minute; the rest are throttled and do not
    /// count.
    pub requests_per_minute: Option<u32>,
    /// How long a minute of `requests_per_minute` takes here.
    pub minute: Duration,
    /// Time that each answer takes.
    pub latency: Duration,
    /// So many answers come back first with the stop reason `malformed_tool_use`; they use up no turn.
    pub malformed_tool_use: u32,
    /// `Retry-After` of a throttled request, rounded up to whole seconds.
    pub retry_after: Option<Duration>,
    /// Models, profiles and quotas, over the scenario's.
    pub account: Account,
}

impl Default for BedrockOptions {
    fn default() -> Self {
        Self {
            turns: Turns::Recorded,
            throttle_first: None,
            requests_per_minute: None,
            minute: Duration::from_mins(1),
            latency: Duration::ZERO,
            malformed_tool_use: 0,
            retry_after: None,
            account: Account::default(),
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// Not answered: it is still waiting, or the caller went away.
    Unanswered,
    /// Answered with 200.
    Answered {
        /// `recorded, played by hand` and the like, as the answer itself says it.
        answered_by: String,
        /// Whether the recording was made for another request.
        stale: bool,
        /// The answer's stop reason.
        stop_reason: String,
    },
    /// Refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// Exception name.
        exception: String,
        /// Text of the exception.
        message: String,
    },
}

/// One request that reached Bedrock, whatever became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConverseCall {
    /// Model id as the caller gave it, decoded.
    pub model_id: String,
    /// `agent` of the request metadata.
    pub agent: Option<String>,
    /// `turn` of the request metadata.
    pub turn: Option<u32>,
    /// The body; a text where it was not JSON.
    pub body: Value,
    /// What became of it.
    pub outcome: CallOutcome,
    /// Arrival, since Bedrock was started; monotonic.
    pub when: Duration,
    /// The request id that the answer carried.
    pub request_id: String,
}

/// The service.
pub struct Bedrock {
    offer: Offer,
    options: BedrockOptions,
    source: Source,
    pace: Mutex<Pace>,
    malformed_left: AtomicU32,
    started: Instant,
    calls: Mutex<Vec<ConverseCall>>,
}

impl Bedrock {
    /// Builds the service for one scenario. The scenario's `turns` folder is read here, so that a broken recording is
    /// told at the start; its `scenario.toml` lends the Region and account that error texts name.
    pub fn new(
        scenario_dir: &Path,
        models: BTreeMap<String, ModelBehaviour>,
        mut options: BedrockOptions,
    ) -> Result<Self, String> {
        let account = std::mem::take(&mut options.account);
        let source = match &options.turns {
            Turns::Recorded => Source::Recorded(Recordings::load(&scenario_dir.join("turns"))?),
            Turns::ByHand(folder) => Source::ByHand(ByHand::open(folder)?),
            Turns::Script(answers) => Source::Script(Mutex::new(answers.clone())),
            Turns::Scripted(script) => Source::Scripted(Arc::clone(script)),
        };
        Ok(Self {
            offer: Offer::new(account, models, Place::of_scenario(scenario_dir))?,
            pace: Mutex::new(Pace::new(&options)),
            malformed_left: AtomicU32::new(options.malformed_tool_use),
            started: now(),
            calls: Mutex::new(Vec::new()),
            options,
            source,
        })
    }

    /// Returns every request in order of arrival.
    pub fn calls(&self) -> Vec<ConverseCall> {
        lock(&self.calls).clone()
    }

    /// Returns how many requests for each model, by its base id, were admitted in each minute since the start. Minutes
    /// are as long as the options say and numbered from 0; one without an admitted request is left out.
    pub fn admitted_per_minute(&self) -> BTreeMap<String, BTreeMap<u128, usize>> {
        lock(&self.pace).admitted_per_minute(self.started)
    }

    /// Returns what the control plane shows.
    pub(crate) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Answers one Converse request. `model_id` is the path segment, percent-decoded or not.
    pub(crate) async fn converse(&self, model_id: &str, body: &[u8]) -> Answer {
        let model_id = percent::decoded(model_id);
        let (index, request_id) = self.note_arrival(&model_id, body);
        let (outcome, answer) = match self.reply(&model_id, body).await {
            Ok(response) => {
                let text =
                    |name: &str| response.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let fields = response.get("additionalModelResponseFields");
                let answered_by = fields.and_then(|f| f.get("answered_by")).and_then(Value::as_str);
                let outcome = CallOutcome::Answered {
                    answered_by: answered_by.unwrap_or_default().to_owned(),
                    stale: fields.and_then(|f| f.get("stale")).and_then(Value::as_bool).unwrap_or_default(),
                    stop_reason: text("stopReason"),
                };
                (outcome, answered(&response, &request_id))
            }
            Err(refusal) => {
                let outcome = CallOutcome::Refused {
                    status: refusal.status,
                    exception: refusal.exception.clone(),
                    message: refusal.message.clone(),
                };
                (outcome, refusal.into_answer(&request_id))
            }
        };
        if let Some(call) = lock(&self.calls).get_mut(index) {
            call.outcome = outcome;
        }
        answer
    }

    /// The order matters: a request that Bedrock would never take is told so even while the quota is spent.
    async fn reply(&self, model_id: &str, body: &[u8]) -> Result<Value, Refusal> {
        let request = validation::request(body)?;
        let model = self.offer.reference(model_id)?;
        self.offer.admit(&model)?;
        limits::check(&model.bare, &request).map_err(|excess| Refusal::validation(excess.in_converse()))?;
        self.ask(&model.bare, Question::new(request)).await
    }

    /// Puts a question to whoever plays the models, where the quota of `model` has a place for it. The question may
    /// have come over another provider's API; the answer is a Converse output body.
    pub(crate) async fn ask(&self, model: &str, question: Question) -> Result<Value, Refusal> {
        if !lock(&self.pace).admits(model, now()) {
            return Err(self.throttled());
        }
        if !self.options.latency.is_zero() {
            tokio::time::sleep(self.options.latency).await;
        }
        if self.takes_malformed() {
            return Ok(malformed_tool_use(&question.body));
        }
        match &self.source {
            Source::Recorded(recordings) => recordings.answer(&question),
            Source::ByHand(by_hand) => by_hand.answer(&question).await,
            Source::Script(answers) => scripted(next_of_script(answers, &question)?, &question).await,
            Source::Scripted(script) => scripted(script(&question.body), &question).await,
        }
    }

    /// Returns the refusal of a request that came too early, with the wait that the options ask for.
    pub(crate) fn throttled(&self) -> Refusal {
        Refusal::throttled(self.options.retry_after)
    }

    fn takes_malformed(&self) -> bool {
        self.malformed_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }

    fn note_arrival(&self, model_id: &str, body: &[u8]) -> (usize, String) {
        let parsed = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        let (agent, turn) = question::metadata(&parsed);
        let when = self.started.elapsed();
        let mut calls = lock(&self.calls);
        let index = calls.len();
        let request_id = request_id(index, body);
        calls.push(ConverseCall {
            model_id: model_id.to_owned(),
            agent,
            turn,
            body: parsed,
            outcome: CallOutcome::Unanswered,
            when,
            request_id: request_id.clone(),
        });
        (index, request_id)
    }
}

impl fmt::Debug for Bedrock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bedrock")
            .field("offer", &self.offer)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Region and account that error texts and profile rules name, and the time by which a model has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    region: String,
    account: String,
    as_of: Timestamp,
}

impl Place {
    /// Returns the scenario's time, in seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        self.as_of.as_second()
    }

    /// Reads three keys and leaves every complaint about the file to the scenario's own loader.
    fn of_scenario(scenario_dir: &Path) -> Self {
        let table = std::fs::read_to_string(scenario_dir.join("scenario.toml"))
            .ok()
            .and_then(|text| toml::from_str::<toml::Table>(&text).ok())
            .unwrap_or_default();
        let text = |key: &str, absent: &str| {
            table.get(key).and_then(toml::Value::as_str).unwrap_or(absent).to_owned()
        };
        Self {
            region: text("region", "us-east-1"),
            account: text("account", "123456789012"),
            as_of: text("as_of", "").parse().unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

enum Source {
    Recorded(Recordings),
    ByHand(ByHand),
    Script(Mutex<Vec<Value>>),
    Scripted(Script),
}

#[expect(
    clippy::disallowed_methods,
    reason = "quota and arrival follow the runtime's clock, which a test may pause"
)]
fn now() -> Instant {
    Instant::now()
}

/// A panic in another thread must not turn into one here: the data behind the lock is a plain list.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next_of_script(answers: &Mutex<Vec<Value>>, question: &Question) -> Result<ScriptedAnswer, Refusal> {
    let mut answers = lock(answers);
    let wanted = question.agent.as_deref();
    let own =
        answers.iter().position(|a| wanted.is_some() && a.get("agent").and_then(Value::as_str) == wanted);
    let Some(index) = own.or_else(|| answers.iter().position(|a| a.get("agent").is_none())) else {
        let agent = wanted.unwrap_or("(none)");
        return Err(Refusal::unsupported(&format!("the script has no answer left for agent {agent}")));
    };
    let mut answer = answers.remove(index);
    if let Some(object) = answer.as_object_mut() {
        object.remove("agent");
    }
    Ok(ScriptedAnswer::Answer(answer))
}

async fn scripted(answer: ScriptedAnswer, question: &Question) -> Result<Value, Refusal> {
    match answer {
        ScriptedAnswer::Answer(value) => answer_form::completed(&value, question)
            .map(|response| marked(response, "recorded, scripted", false))
            .map_err(|reasons| Refusal::unsupported(&format!("the script's answer: {}", reasons.join("; ")))),
        ScriptedAnswer::Refused { status, exception, message } => {
            Err(Refusal { status, exception, message, retry_after: None })
        }
        ScriptedAnswer::Hang => std::future::pending().await,
    }
}

/// Says in the answer who gave it, so that a card never passes a recording off as a live call.
fn marked(mut response: Value, answered_by: &str, stale: bool) -> Value {
    if let Some(object) = response.as_object_mut() {
        let fields = json!({"answered_by": answered_by, "stale": stale});
        object.insert("additionalModelResponseFields".to_owned(), fields);
    }
    response
}

fn malformed_tool_use(request: &Value) -> Value {
    let content = json!([{"text": "I will look at the data first."}]);
    let response = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "malformed_tool_use",
        "usage": question::estimated_usage(request, &content),
        "metrics": {"latencyMs": 0},
    });
    marked(response, "recorded, scripted", false)
}

fn answered(response: &Value, request_id: &str) -> Answer {
    Answer {
        status: 200,
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-amzn-requestid".to_owned(), request_id.to_owned()),
        ],
        body: response.to_string().into_bytes(),
    }
}

/// The same run gives the same ids: they come from the order of arrival and the body.
fn request_id(index: usize, body: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    hasher.update(index.to_be_bytes());
    hasher.update(body);
    let hex: String = question::hex(&hasher.finalize()).chars().take(32).collect();
    let mut id = String::new();
    for (position, character) in hex.chars().enumerate() {
        if matches!(position, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(character);
    }
    id
}
