//! Requests to Slack: faults by name, slowness, and connections that break off.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use futures::future::ready;
use futures::stream;

use crate::access::FaultKind;
use crate::failure::Failure;
use crate::front::{Shared, Target, hang};
use crate::slack::{ApiRequest, Reply};

/// Hands a request to Slack. What is slow there has been done before the waiting.
pub(super) async fn reply(
    shared: &Shared,
    target: &Target,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, Failure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let origin = format!("http://{}", header("host"));
    let action = match target {
        Target::SlackApi { method } => format!("slack:{method}"),
        Target::SlackUpload => "slack:upload".to_owned(),
        _ => "slack:webhook".to_owned(),
    };
    let fault = shared.access.fault(&action);
    if fault == Some(FaultKind::Hang) {
        hang(shared).await;
    }
    let reply = match target {
        Target::SlackApi { method } => {
            let request = ApiRequest {
                method,
                authorization: header("authorization"),
                content_type: header("content-type"),
                body,
                origin: &origin,
            };
            shared.slack.api(&request, fault)
        }
        Target::SlackUpload => shared.slack.upload(path, header("content-type"), body),
        _ => shared.slack.webhook(path, body, fault),
    };
    if let Some(wait) = shared.slack.slow() {
        tokio::time::sleep(wait).await;
    }
    reply
}

/// Closes the connection before anything of an answer was sent.
pub(super) fn broken_off() -> Response<Body> {
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::once(ready(Err::<Bytes, _>(error)))))
}
