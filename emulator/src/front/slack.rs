//! Requests to Slack: faults by name, slowness, and connections that break off.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use futures::future::ready;
use futures::stream;

use crate::access::FaultKind;
use crate::failure::Failure;
use crate::front::{Shared, hang};
use crate::slack::{ApiRequest, Reply, UPLOAD_PATH};

/// Which of Slack's interfaces a request is for.
pub(super) enum Route {
    Webhook,
    Api { method: String },
    Upload,
}

impl Route {
    pub(super) fn of(method: &str, path: &str) -> Option<Self> {
        if path.starts_with("/services/") {
            return Some(Route::Webhook);
        }
        if method != "POST" {
            return None;
        }
        if path.starts_with(UPLOAD_PATH) {
            return Some(Route::Upload);
        }
        path.strip_prefix("/api/").map(|method| Route::Api { method: method.to_owned() })
    }

    /// Returns its name among the requests and, behind `slack:`, among the faults.
    pub(super) fn action(&self) -> &str {
        match self {
            Route::Webhook => "webhook",
            Route::Api { method } => method,
            Route::Upload => "upload",
        }
    }
}

/// Hands a request to Slack. What is slow there has been done before the waiting.
pub(super) async fn reply(
    shared: &Shared,
    route: &Route,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, Failure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fault = shared.access.fault(&format!("slack:{}", route.action()));
    if fault == Some(FaultKind::Hang) {
        hang(shared).await;
    }
    let reply = match route {
        Route::Webhook => shared.slack.webhook(path, body, fault),
        Route::Upload => shared.slack.upload(path, header("content-type"), body),
        Route::Api { method } => {
            let origin = format!("http://{}", header("host"));
            let request = ApiRequest {
                method,
                authorization: header("authorization"),
                content_type: header("content-type"),
                body,
                origin: &origin,
            };
            shared.slack.api(&request, fault)
        }
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
