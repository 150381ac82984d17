//! The Web API under `/api/`, for a bot token: which methods there are, who may call them, and how they answer.
//!
//! A refusal is HTTP 200 with `ok: false` and one word. A method or an argument outside the subset is refused as
//! unsupported, never passed over.

mod arguments;
mod chat;
pub(crate) mod files;

use serde_json::{Map, Value, json};

use crate::access::FaultKind;
use crate::failure::Failure;
use crate::slack::web_api::arguments::Arguments;
use crate::slack::{BOT_ID, BOT_USER, BOT_USER_ID, CHANNEL_ID, CHANNEL_NAME, Refused, Slack, TEAM_ID};
use crate::slack::{SlackMembership, channel::Place, retry_after_header};
use crate::wire::Answer;

/// One request to the Web API.
#[derive(Debug)]
pub(crate) struct ApiRequest<'a> {
    /// `chat.postMessage`, for instance.
    pub(crate) method: &'a str,
    /// The header `Authorization`.
    pub(crate) authorization: &'a str,
    /// The header `Content-Type`.
    pub(crate) content_type: &'a str,
    /// Body as sent.
    pub(crate) body: &'a [u8],
    /// Under what address the emulator was reached, `http://127.0.0.1:4566`.
    pub(crate) origin: &'a str,
}

/// Why a method has no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Slack would refuse it.
    Refused(Refused),
    /// It is outside the emulator's subset.
    Unsupported(Failure),
}

impl Stop {
    /// A refusal with Slack's word for it.
    fn word(error: &str) -> Self {
        Self::because(error, Vec::new())
    }

    fn because(error: &str, reasons: Vec<String>) -> Self {
        Self::Refused(Refused::new(200, error, reasons))
    }

    fn unsupported(what: impl AsRef<str>) -> Self {
        Self::Unsupported(Failure::unsupported(what))
    }
}

impl From<Refused> for Stop {
    /// The words of the two interfaces are the same but for one.
    fn from(refused: Refused) -> Self {
        let error =
            if refused.error == "invalid_payload" { "invalid_arguments".to_owned() } else { refused.error };
        Self::Refused(Refused { status: 200, error, ..refused })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    AuthTest,
    PostMessage,
    Update,
    GetUploadUrl,
    CompleteUpload,
}

impl Method {
    const ALL: [Self; 5] =
        [Self::AuthTest, Self::PostMessage, Self::Update, Self::GetUploadUrl, Self::CompleteUpload];

    fn name(self) -> &'static str {
        match self {
            Self::AuthTest => "auth.test",
            Self::PostMessage => "chat.postMessage",
            Self::Update => "chat.update",
            Self::GetUploadUrl => "files.getUploadURLExternal",
            Self::CompleteUpload => "files.completeUploadExternal",
        }
    }

    fn scope(self) -> Option<&'static str> {
        match self {
            Self::AuthTest => None,
            Self::PostMessage | Self::Update => Some("chat:write"),
            Self::GetUploadUrl | Self::CompleteUpload => Some("files:write"),
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::AuthTest => &[],
            Self::PostMessage => &[
                "channel",
                "text",
                "blocks",
                "attachments",
                "thread_ts",
                "reply_broadcast",
                "unfurl_links",
                "unfurl_media",
                "metadata",
            ],
            Self::Update => &["channel", "ts", "text", "blocks", "attachments", "metadata"],
            Self::GetUploadUrl => &["filename", "length", "alt_txt"],
            Self::CompleteUpload => &["files", "channel_id", "thread_ts", "initial_comment"],
        }
    }
}

impl Slack {
    pub(super) fn answer_api(
        &self,
        request: &ApiRequest<'_>,
        fault: Option<FaultKind>,
    ) -> Result<Answer, Failure> {
        let Some(method) = Method::ALL.into_iter().find(|method| method.name() == request.method) else {
            return Err(Failure::unsupported(format!("Slack method {}", request.method)));
        };
        let done = match fault {
            Some(FaultKind::Throttled) => Err(Stop::Refused(self.ratelimited())),
            Some(FaultKind::InternalError | FaultKind::Hang) => Err(Stop::word("internal_error")),
            Some(FaultKind::Overloaded) => {
                Err(Stop::Refused(Refused::new(503, "service_unavailable", Vec::new())))
            }
            None => self.call(method, request),
        };
        match done {
            Ok(mut result) => {
                result.insert("ok".to_owned(), json!(true));
                Ok(self.written(200, &Value::Object(result), method, &[]))
            }
            Err(Stop::Unsupported(failure)) => Err(failure),
            Err(Stop::Refused(refused)) => {
                self.refuse(&format!("/api/{}", method.name()), &refused);
                let headers: Vec<_> = refused.retry_after.map(retry_after_header).into_iter().collect();
                Ok(self.written(refused.status, &self.refusal(method, &refused), method, &headers))
            }
        }
    }

    fn call(&self, method: Method, request: &ApiRequest<'_>) -> Result<Map<String, Value>, Stop> {
        if self.is_limited() {
            return Err(Stop::Refused(self.ratelimited()));
        }
        if let Some(error) = self.options.errors.get(method.name()) {
            return Err(Stop::word(error));
        }
        self.authenticate(request.authorization)?;
        if method.scope().is_some_and(|needed| !self.scopes().contains(&needed)) {
            return Err(Stop::word("missing_scope"));
        }
        let arguments = Arguments::read(request.content_type, request.body)?;
        arguments.check_names(method.name(), method.arguments())?;
        match method {
            Method::AuthTest => Ok(who()),
            Method::PostMessage => self.post_message(&arguments),
            Method::Update => self.update(&arguments),
            Method::GetUploadUrl => self.upload_url(&arguments, request.origin),
            Method::CompleteUpload => self.complete_upload(&arguments),
        }
    }

    fn authenticate(&self, authorization: &str) -> Result<(), Stop> {
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            return Err(Stop::word("not_authed"));
        };
        if token.starts_with("xoxp-") || token.starts_with("xoxe") {
            return Err(Stop::unsupported("a Slack token that is not a bot's"));
        }
        if token.starts_with("xapp-") {
            return Err(Stop::word("not_allowed_token_type"));
        }
        let rest = token.strip_prefix("xoxb-").unwrap_or_default();
        if rest.is_empty() || !rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(Stop::word("invalid_auth"));
        }
        if self.options.token_revoked {
            return Err(Stop::word("token_revoked"));
        }
        Ok(())
    }

    fn scopes(&self) -> Vec<&str> {
        match &self.options.scopes {
            Some(scopes) => scopes.iter().map(String::as_str).collect(),
            None => vec!["chat:write", "files:write"],
        }
    }

    /// Checks that the bot sees the channel, by its id or, where a method takes that, its name.
    fn check_channel(&self, given: &str, may_be_name: bool) -> Result<(), Stop> {
        let name = given.strip_prefix('#').unwrap_or(given);
        if given != CHANNEL_ID && name == CHANNEL_NAME && !may_be_name {
            return Err(Stop::unsupported("a channel's name where Slack asks for an id"));
        }
        if (given != CHANNEL_ID && name != CHANNEL_NAME) || self.options.membership == SlackMembership::Unseen
        {
            return Err(Stop::word("channel_not_found"));
        }
        Ok(())
    }

    /// Checks that there is a message to reply to. What Slack does otherwise it does not say.
    fn check_thread(&self, thread: Option<&str>) -> Result<(), Stop> {
        let Some(thread) = thread else { return Ok(()) };
        match self.state().channel.place(thread) {
            Place::Channel => Ok(()),
            Place::Thread => Err(Stop::unsupported("thread_ts of a reply; Slack asks for its parent's")),
            Place::Nowhere => Err(Stop::unsupported(format!("thread_ts {thread}, which is no message's"))),
        }
    }

    fn ratelimited(&self) -> Refused {
        let refused = Refused::new(429, "ratelimited", Vec::new());
        Refused { retry_after: self.options.retry_after, ..refused }
    }

    fn refusal(&self, method: Method, refused: &Refused) -> Value {
        let mut body = Map::new();
        body.insert("ok".to_owned(), json!(false));
        body.insert("error".to_owned(), json!(refused.error));
        if refused.error == "missing_scope" {
            body.insert("needed".to_owned(), json!(method.scope()));
            body.insert("provided".to_owned(), json!(self.scopes().join(",")));
        }
        if matches!(refused.error.as_str(), "invalid_blocks" | "invalid_arguments") {
            let errors: Vec<String> = refused.reasons.iter().map(|reason| pointed(reason)).collect();
            let messages: Vec<String> = errors.iter().map(|error| format!("[ERROR] {error}")).collect();
            body.insert("errors".to_owned(), json!(errors));
            body.insert("response_metadata".to_owned(), json!({"messages": messages}));
        }
        Value::Object(body)
    }

    fn written(&self, status: u16, body: &Value, method: Method, more: &[(String, String)]) -> Answer {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![header("content-type", "application/json; charset=utf-8")];
        // Slack shows the scopes to whoever has a token that it knows.
        if !matches!(body.get("error").and_then(Value::as_str), Some("not_authed" | "invalid_auth")) {
            headers.push(header("x-oauth-scopes", &self.scopes().join(",")));
            headers.extend(method.scope().map(|scope| header("x-accepted-oauth-scopes", scope)));
        }
        headers.extend_from_slice(more);
        Answer { status, headers, body: body.to_string().into_bytes() }
    }
}

fn who() -> Map<String, Value> {
    let members = [
        ("url", "https://emulated.slack.com/"),
        ("team", "Emulated workspace"),
        ("user", BOT_USER),
        ("team_id", TEAM_ID),
        ("user_id", BOT_USER_ID),
        ("bot_id", BOT_ID),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// Writes `/blocks/0: no type` as Slack does: the reason, then the place.
fn pointed(reason: &str) -> String {
    match reason.split_once(": ") {
        Some((at, why)) if at.starts_with('/') => format!("{why} [json-pointer:{at}]"),
        _ => reason.to_owned(),
    }
}
