//! What reached the emulator, in order of arrival.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// One request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Received {
    /// IAM's name of the service, `cloudwatch` for instance, `slack` for webhook and Web API, `anthropic` and `openai` for the
    /// other providers' APIs, `unknown` for anything else.
    pub service: String,
    /// Operation, `GetMetricData` for instance; method and path where no operation is known.
    pub action: String,
    /// IAM action that AWS would ask a grant for, `bedrock:InvokeModel` for instance; `None` for what is no AWS call.
    pub iam_action: Option<String>,
    /// ARN that the grant would have to cover; `None` where the action knows no resources.
    pub resource: Option<String>,
    /// Method, path and query as sent.
    pub target: String,
    /// The body as text. CBOR is shown as JSON with times as RFC 3339 text; a form stays as sent.
    pub body: String,
    /// The body in hex where it was CBOR, because the text above does not show how a value was encoded.
    pub cbor: Option<String>,
    /// Status of the answer; `None` while there is none.
    pub status: Option<u16>,
}

/// Keeps requests and refusals.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    requests: Mutex<Vec<Received>>,
    unsupported: Mutex<Vec<String>>,
}

impl Recorder {
    /// Notes an arrival and returns its place.
    pub(crate) fn arrival(&self, received: Received) -> usize {
        let mut requests = lock(&self.requests);
        requests.push(received);
        requests.len() - 1
    }

    /// Notes the answer to an earlier arrival.
    pub(crate) fn answered(&self, place: usize, status: u16) {
        if let Some(received) = lock(&self.requests).get_mut(place) {
            received.status = Some(status);
        }
    }

    /// Notes something that was refused because the emulator does not do it.
    pub(crate) fn refused(&self, message: String) {
        lock(&self.unsupported).push(message);
    }

    /// Returns every request.
    pub(crate) fn requests(&self) -> Vec<Received> {
        lock(&self.requests).clone()
    }

    /// Returns every refusal.
    pub(crate) fn unsupported(&self) -> Vec<String> {
        lock(&self.unsupported).clone()
    }
}

/// A panic in another thread must not turn into one here: what the locks guard are plain lists.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
