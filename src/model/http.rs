//! One POST of JSON to a provider outside AWS: the answer, or why there is none. No retry: the pace is the caller's.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::model::classify::classify;
use crate::model::{ErrorClass, ModelError, Recording};
use crate::redact::Secret;

/// Longest text of an error; long enough to hold what is refused and why.
const MESSAGE_CHARACTERS: usize = 600;

/// Time for a connection, as the SDK gives itself.
const CONNECT_TIME: Duration = Duration::from_millis(3100);

/// Largest answer that is read; a model's longest is far below.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Reads a provider's key when it is first needed; the error says what to do about it.
pub type ReadKey = Arc<dyn Fn() -> BoxFuture<'static, Result<Secret, String>> + Send + Sync>;

/// Where a provider is, and how a caller proves who it is.
pub(crate) struct Endpoint {
    client: reqwest::Client,
    base_url: String,
    read_key: Option<ReadKey>,
    key: OnceCell<Secret>,
}

/// An answer with its request id.
pub(crate) struct Answered {
    pub(crate) body: Value,
    pub(crate) request_id: Option<String>,
}

impl Endpoint {
    pub(crate) fn new(base_url: &str, read_key: Option<ReadKey>) -> Self {
        Endpoint {
            // A redirect would carry the key to somebody else.
            client: reqwest::Client::builder()
                .connect_timeout(CONNECT_TIME)
                // An idle connection dies when the function's environment is frozen, and the next call with it.
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap_or_default(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            read_key,
            key: OnceCell::new(),
        }
    }

    /// Returns the address without its path, for messages.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the key, where the provider has one; a failed reading is tried again with the next call.
    pub(crate) async fn key(&self) -> Result<Option<&Secret>, ModelError> {
        let Some(read) = &self.read_key else { return Ok(None) };
        let key = self.key.get_or_try_init(|| read()).await;
        key.map(Some).map_err(|reason| failed(ErrorClass::Credentials, &reason, None))
    }

    /// Posts within the time limit.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
        time_limit: Duration,
    ) -> Result<Answered, ModelError> {
        let mut request = self
            .client
            .post(format!("{}{path}", self.base_url))
            .timeout(time_limit)
            .header("content-type", "application/json")
            .body(body.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(|error| unsent(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let request_id = header("request-id").or_else(|| header("x-request-id"));
        let retry_after = header("retry-after").and_then(|text| text.trim().parse().ok());
        let bytes = read(response).await.map_err(|error| unsent(&error))?;
        let parsed: Option<Value> = serde_json::from_slice(&bytes).ok();
        match parsed {
            Some(body) if (200..300).contains(&status) => Ok(Answered { body, request_id }),
            body => Err(ModelError {
                retry_after: retry_after.map(Duration::from_secs),
                ..refused(status, body.as_ref(), request_id)
            }),
        }
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if bytes.len() + piece.len() > MOST_BYTES {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Reads `{"error": {"type" or "code": …, "message": …}}`, which both providers send.
pub(crate) fn refused(status: u16, body: Option<&Value>, request_id: Option<String>) -> ModelError {
    let error = body.and_then(|body| body.get("error"));
    let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
    // Some servers send the error as plain text.
    let message = text("message").or_else(|| error.and_then(Value::as_str)).unwrap_or_default();
    let code = text("code").or_else(|| text("type"));
    let class = if (200..300).contains(&status) {
        ErrorClass::Unknown
    } else {
        classify(code, message, Some(status))
    };
    let words = match (code, message) {
        (Some(code), "") => code.to_owned(),
        (Some(code), message) => format!("{code}: {message}"),
        (None, "") => format!("HTTP {status} without a word"),
        (None, message) => message.to_owned(),
    };
    failed(class, &words, request_id)
}

/// Reads the emulator's word that no live model answered; no provider sends a member of that name.
pub(crate) fn recording(body: &Value) -> Option<Recording> {
    let word = body.get("emulator")?;
    let answered_by = word.get("answered_by")?.as_str()?.to_owned();
    Some(Recording { answered_by, stale: word.get("stale").and_then(Value::as_bool).unwrap_or(false) })
}

/// An answer that is not what the provider's documentation says.
pub(crate) fn unreadable(what: &str, request_id: Option<String>) -> ModelError {
    failed(ErrorClass::Unknown, &format!("an answer that cannot be read: {what}"), request_id)
}

fn failed(class: ErrorClass, words: &str, request_id: Option<String>) -> ModelError {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = line.chars().take(MESSAGE_CHARACTERS).collect();
    ModelError { class, message, request_id, retry_after: None }
}

/// Says why no answer came, without the address: a base URL can hold a secret.
fn unsent(error: &reqwest::Error) -> ModelError {
    let (class, words) = if error.is_connect() {
        (ErrorClass::Unreachable, "no connection to the provider")
    } else if error.is_timeout() {
        (ErrorClass::TimedOut, "no answer in the time given")
    } else if error.is_builder() {
        (ErrorClass::InvalidRequest, "the request cannot be built: look at base_url and key")
    } else {
        (ErrorClass::Unreachable, "the connection to the provider broke")
    };
    failed(class, words, None)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::model::anthropic::Anthropic;
    use crate::model::openai::OpenAi;
    use crate::model::{Content, ConverseReply, ConverseRequest, Message, Model, ModelId, Speaker};

    /// Answers every request with the same text, or never, and keeps what was asked.
    fn server(answer: Option<&str>) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&asked), answer.map(str::to_owned));
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut read = String::new();
                let mut piece = [0; 4096];
                // The requests of these tests end with the body's last brace.
                while !read.ends_with('}') {
                    let length = stream.read(&mut piece).unwrap();
                    read.push_str(&String::from_utf8_lossy(&piece[..length]));
                }
                kept.lock().unwrap().push(read);
                match &answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                    None => silent.push(stream),
                }
            }
        });
        (url, asked)
    }

    fn http(status: u16, headers: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    fn key(key: Result<&'static str, &'static str>) -> ReadKey {
        Arc::new(move || Box::pin(std::future::ready(key.map(Secret::new).map_err(str::to_owned))))
    }

    async fn ask(model: &dyn Model, id: &str) -> Result<ConverseReply, ModelError> {
        let request = ConverseRequest {
            system: "rules".into(),
            messages: vec![Message { speaker: Speaker::User, content: vec![Content::Text("go".into())] }],
            ..ConverseRequest::least()
        };
        model.converse(&ModelId::from(id), &request, Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn each_provider_is_asked_at_its_path_with_its_key_and_answers() {
        let answer = json!({"content": [{"type": "text", "text": "Done."}], "stop_reason": "end_turn"});
        let (url, asked) = server(Some(&http(200, "request-id: req_1\r\n", &answer.to_string())));
        let reply = ask(&Anthropic::new(&url, key(Ok("sk-key"))), "anthropic:claude-x").await.unwrap();
        assert_eq!(reply.content, [Content::Text("Done.".into())]);
        assert_eq!(reply.request_id.as_deref(), Some("req_1"));
        let sent = asked.lock().unwrap()[0].clone();
        assert!(sent.starts_with("POST /v1/messages "), "{sent}");
        assert!(
            sent.contains("x-api-key: sk-key") && sent.contains("anthropic-version: 2023-06-01"),
            "{sent}"
        );

        let answer = json!({"choices": [{"message": {"content": "Done."}, "finish_reason": "stop"}]});
        let (url, asked) = server(Some(&http(200, "", &answer.to_string())));
        let base_url = format!("{url}/v1/");
        let reply = ask(&OpenAi::new(&base_url, Some(key(Ok("sk-key")))), "openai:llama").await.unwrap();
        assert_eq!(reply.content, [Content::Text("Done.".into())]);
        ask(&OpenAi::new(&base_url, None), "openai:llama").await.unwrap();
        let sent = asked.lock().unwrap().clone();
        assert!(sent[0].starts_with("POST /v1/chat/completions "), "{sent:?}");
        assert!(sent[0].contains("authorization: Bearer sk-key"), "{sent:?}");
        assert!(!sent[1].contains("authorization"), "{sent:?}");
    }

    #[tokio::test]
    async fn a_refusal_keeps_class_wait_and_request_id_and_never_the_key() {
        let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        let headers = "request-id: req_2\r\nretry-after: 7\r\n";
        let (url, asked) = server(Some(&http(529, headers, &error.to_string())));
        let error = ask(&Anthropic::new(&url, key(Ok("sk-key"))), "anthropic:claude-x").await.unwrap_err();
        assert_eq!(
            error,
            ModelError {
                class: ErrorClass::Unavailable,
                message: "overloaded_error: Overloaded".into(),
                request_id: Some("req_2".into()),
                retry_after: Some(Duration::from_secs(7)),
            }
        );
        assert_eq!(asked.lock().unwrap().len(), 1, "the pace is the caller's");
        let client = Anthropic::new(&url, key(Ok("sk-key")));
        assert!(!format!("{client:?}").contains("sk-key"));
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_read_is_told_and_nothing_is_sent() {
        let (url, asked) = server(None);
        let client = Anthropic::new(&url, key(Err("no SSM parameter /key in this Region")));
        let error = ask(&client, "anthropic:claude-x").await.unwrap_err();
        assert_eq!((error.class, asked.lock().unwrap().len()), (ErrorClass::Credentials, 0));
        assert_eq!(error.message, "no SSM parameter /key in this Region");
    }

    #[tokio::test]
    async fn a_key_is_not_carried_to_where_a_redirect_leads_and_a_page_is_no_answer() {
        let (elsewhere, led) = server(None);
        let redirect = format!("location: {elsewhere}/\r\n");
        for answer in [http(307, &redirect, ""), http(200, "", "<html>sign in</html>")] {
            let (url, _) = server(Some(&answer));
            let error =
                ask(&Anthropic::new(&url, key(Ok("sk-key"))), "anthropic:claude-x").await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Unknown, "{error}");
        }
        assert_eq!(led.lock().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_provider_that_is_not_there_is_unreachable() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = ask(&OpenAi::new(&format!("http://{gone}/v1"), None), "openai:llama").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Unreachable, "{error}");
    }
}
