//! What reached the emulator, in order of arrival.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

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
    /// Milliseconds from the emulator's start to the arrival.
    pub arrived_ms: u64,
    /// Milliseconds from the emulator's start to the answer; `None` while there is none.
    pub answered_ms: Option<u64>,
}

/// Keeps requests and refusals.
#[derive(Debug)]
pub(crate) struct Recorder {
    started: Instant,
    requests: Mutex<Vec<Received>>,
    unsupported: Mutex<Vec<String>>,
}

impl Recorder {
    /// Begins an empty record; its times count from now.
    pub(crate) fn new() -> Self {
        Recorder { started: now(), requests: Mutex::default(), unsupported: Mutex::default() }
    }

    /// Notes an arrival, with its time, and returns its place.
    pub(crate) fn arrival(&self, mut received: Received) -> usize {
        received.arrived_ms = self.elapsed_ms();
        let mut requests = lock(&self.requests);
        requests.push(received);
        requests.len() - 1
    }

    /// Notes the answer to an earlier arrival.
    pub(crate) fn answered(&self, place: usize, status: u16) {
        if let Some(received) = lock(&self.requests).get_mut(place) {
            received.status = Some(status);
            received.answered_ms = Some(self.elapsed_ms());
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(now().duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
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

#[expect(
    clippy::disallowed_methods,
    reason = "when a request came and went is measured, and follows the runtime's clock, which a test may pause"
)]
fn now() -> Instant {
    Instant::now()
}

/// A panic in another thread must not turn into one here: what the locks guard are plain lists.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
