//! What a model's adapter makes of answers on the wire: one request a call, waits, time limits, silence.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::evidence::Status;
use crate::model::{
    CachePoints, Content, ConverseReply, ConverseRequest, ErrorClass, Message, Model, ModelError, ModelId,
    Recording, Sampling, Speaker, StopReason, ToolChoice, ToolSpec, Tuning,
};

/// Answers every request with the same bytes, or never, and keeps what was asked.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
    last_body: Arc<Mutex<String>>,
}

impl Server {
    fn answering(answer: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let last_body = Arc::new(Mutex::new(String::new()));
        let (counted, kept) = (Arc::clone(&requests), Arc::clone(&last_body));
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let body = request_body(&mut stream);
                counted.fetch_add(1, Ordering::SeqCst);
                *kept.lock().unwrap() = body;
                match &answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                    // A dropped stream would be an answer of a kind.
                    None => silent.push(stream),
                }
            }
        });
        Server { url, requests, last_body }
    }

    fn json(status: u16, headers: &str, body: &Value) -> Self {
        let body = body.to_string();
        let length = body.len();
        Server::answering(Some(format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nx-amzn-requestid: r-1\r\n{headers}content-length: \
             {length}\r\nconnection: close\r\n\r\n{body}"
        )))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn request_body(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).unwrap();
        read.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if length == 0 || body.len() >= wanted.map_or(0, |wanted| wanted.parse().unwrap()) {
            return body.to_owned();
        }
    }
}

fn request() -> ConverseRequest {
    ConverseRequest {
        agent: "metrics".into(),
        turn: 2,
        system: "You read metrics.".into(),
        messages: vec![Message { speaker: Speaker::User, content: vec![Content::Text("go".into())] }],
        tools: vec![ToolSpec {
            name: "submit_findings".into(),
            description: "Ends the work.".into(),
            input_schema: json!({"type": "object"}),
        }],
        tool_choice: ToolChoice::Auto,
        max_tokens: 900,
        tuning: Tuning::default(),
    }
}

async fn ask(config: &SdkConfig, time_limit: Duration) -> Result<ConverseReply, ModelError> {
    let model = ModelId("us.anthropic.claude-sonnet-4-6".to_owned());
    Bedrock::new(config, None).converse(&model, &request(), time_limit).await
}

#[tokio::test]
async fn a_request_holds_what_the_product_said_and_no_sampling_parameter() {
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Done."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5, "cacheReadInputTokens": 1},
        "metrics": {"latencyMs": 1},
        "additionalModelResponseFields": {"answered_by": "recorded, played by hand", "stale": false},
    });
    let server = Server::json(200, "", &answer);
    let reply = ask(&local(&server.url, "us-east-1"), Duration::from_secs(5)).await.unwrap();
    assert_eq!(reply.content, [Content::Text("Done.".into())]);
    assert_eq!((reply.stop, reply.usage.cache_read), (StopReason::EndTurn, 1));
    assert_eq!(reply.request_id.as_deref(), Some("r-1"));
    assert_eq!(
        reply.recording,
        Some(Recording { answered_by: "recorded, played by hand".into(), stale: false })
    );
    let sent: Value = serde_json::from_str(&server.last_body.lock().unwrap()).unwrap();
    let expected = json!({
        "messages": [{"role": "user", "content": [{"text": "go"}]}],
        "system": [{"text": "You read metrics."}],
        "inferenceConfig": {"maxTokens": 900},
        "toolConfig": {
            "tools": [{"toolSpec": {
                "name": "submit_findings",
                "description": "Ends the work.",
                "inputSchema": {"json": {"type": "object"}},
            }}],
            "toolChoice": {"auto": {}},
        },
        "requestMetadata": {"agent": "metrics", "turn": "2"},
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn the_same_request_is_the_same_text_so_that_its_prefix_is_found_again() {
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Done."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
        "metrics": {"latencyMs": 1},
    });
    let server = Server::json(200, "", &answer);
    let names = ["statistic", "period", "metric", "window", "dimensions", "until", "alarm", "quote"];
    let properties: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string", "description": "\"é\" / 1.50\n"})))
        .collect();
    let mut question = request();
    question.tools[0].input_schema = json!({"type": "object", "properties": properties, "minimum": 0.25});
    question.tuning = Tuning {
        sampling: Some(Sampling::Greedy),
        cache: CachePoints { after_system: true, after_task: true },
    };
    let bedrock = Bedrock::new(&local(&server.url, "us-east-1"), None);
    let model = ModelId::from("amazon.nova-pro-v1:0");
    let mut texts = Vec::new();
    for _ in 0..3 {
        bedrock.converse(&model, &question, Duration::from_secs(5)).await.unwrap();
        texts.push(server.last_body.lock().unwrap().clone());
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    let sent: Value = serde_json::from_str(&texts[0]).unwrap();
    let mark = json!({"cachePoint": {"type": "default"}});
    assert_eq!(sent["system"], json!([{"text": "You read metrics."}, mark]));
    assert_eq!(sent["messages"][0]["content"], json!([{"text": "go"}, mark]));
    assert_eq!(sent["inferenceConfig"], json!({"maxTokens": 900, "temperature": 0.0}));
    assert_eq!(sent["additionalModelRequestFields"], json!({"inferenceConfig": {"topK": 1}}));
}

#[tokio::test]
async fn the_accounts_profiles_are_listed_once_and_a_refusal_is_told() {
    let profile = |id: &str| {
        json!({
            "inferenceProfileId": id, "inferenceProfileName": id, "status": "ACTIVE", "type": "SYSTEM_DEFINED",
            "inferenceProfileArn": format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}"),
            "models": [{"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/a.b"}],
        })
    };
    let page = json!({"inferenceProfileSummaries": [profile("us.a.b"), profile("global.a.b")]});
    let server = Server::json(200, "", &page);
    let bedrock = Bedrock::new(&local(&server.url, "us-east-1"), None);
    for _ in 0..2 {
        assert_eq!(bedrock.profiles().await.unwrap(), ["us.a.b", "global.a.b"]);
    }
    assert_eq!(server.requests(), 1);

    let words = "User: x is not authorized to perform: bedrock:ListInferenceProfiles";
    let server = Server::json(403, "x-amzn-errortype: AccessDeniedException\r\n", &json!({"message": words}));
    let error = Bedrock::new(&local(&server.url, "us-east-1"), None).profiles().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::AccessDenied);
    assert!(error.message.contains(words), "{}", error.message);
}

#[tokio::test]
async fn a_throttled_model_is_asked_once_and_its_wish_to_wait_is_kept() {
    let message = "Too many requests, please wait before trying again.";
    let headers = "x-amzn-errortype: ThrottlingException\r\nretry-after: 7\r\n";
    let server = Server::json(429, headers, &json!({"message": message}));
    let error = ask(&local(&server.url, "us-east-1"), Duration::from_secs(5)).await.unwrap_err();
    let expected = ModelError {
        class: ErrorClass::Throttled,
        message: format!("ThrottlingException: {message}"),
        request_id: Some("r-1".into()),
        retry_after: Some(Duration::from_secs(7)),
    };
    assert_eq!((error, server.requests()), (expected, 1));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_reported_with_its_status() {
    let server = Server::json(502, "", &json!("<html>"));
    let error = ask(&local(&server.url, "us-east-1"), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unavailable);
    assert!(error.message.contains("502"), "{}", error.message);
}

#[tokio::test]
async fn a_silent_model_is_given_up_at_the_time_limit() {
    let server = Server::answering(None);
    let error = ask(&local(&server.url, "us-east-1"), Duration::from_millis(200)).await.unwrap_err();
    assert_eq!((error.class, server.requests()), (ErrorClass::TimedOut, 1));
    assert_eq!(error.message, "no answer in the time given");
}

#[tokio::test]
async fn nobody_at_the_other_end_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ask(&local(&url, "us-east-1"), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable, "{}", error.message);
    assert!(error.message.contains("refused"), "{}", error.message);
}

#[tokio::test]
async fn a_call_without_credentials_says_so_and_sends_nothing() {
    let server = Server::answering(None);
    let mut config = local(&server.url, "us-east-1").into_builder();
    config.set_credentials_provider(None);
    let error = ask(&config.build(), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!((error.class, server.requests()), (ErrorClass::Credentials, 0), "{}", error.message);
}

#[tokio::test]
async fn a_denied_read_is_asked_once_and_a_throttled_one_four_times() {
    let read = async |status: u16, error: &str| {
        // With its own wish for a wait of a millisecond the service spares the test the SDK's seconds.
        let headers = format!("x-amzn-errortype: {error}\r\nx-amz-retry-after: 1\r\n");
        let server = Server::json(status, &headers, &json!({"message": "its words"}));
        let telemetry = AwsTelemetry::new(&local(&server.url, "us-east-1"));
        let refused = telemetry.function("render").await;
        (refused.map_err(|error| (error.status, error.reason)), server.requests())
    };
    // Two operations run side by side; the one that is refused first ends both.
    let (denied, requests) = read(403, "AccessDeniedException").await;
    assert_eq!(denied, Err((Status::Denied, "AccessDeniedException: its words".to_owned())));
    assert!(requests <= 2, "{requests}");
    let (throttled, requests) = read(429, "TooManyRequestsException").await;
    assert_eq!(throttled, Err((Status::Throttled, "TooManyRequestsException: its words".to_owned())));
    assert!((4..=8).contains(&requests), "{requests}");
    let (missing, _) = read(404, "ResourceNotFoundException").await;
    assert_eq!(missing, Ok(None));
}
