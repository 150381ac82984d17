//! The lease of an event: held by signs of life while the work goes on, so that after a process that dies the next try of
//! the same event need not wait for the time that the dead one had left.

use std::convert::Infallible;
use std::time::Duration;

use super::Services;
use crate::clock::Deadline;
use crate::id::EventKey;
use crate::run::RunEvent;
use crate::store::{Begin, StoreError};

/// How long a lease outlives the last sign of life. Lambda tries an event again a minute after it failed at the earliest.
const LEASE: Duration = Duration::from_secs(45);

/// Time between two looks at another try that is at work.
const LOOK: Duration = Duration::from_secs(3);

/// Time between two signs of life: two may be lost.
const SIGN: Duration = Duration::from_secs(15);

/// Asks to work on an event.
pub(super) async fn begin(
    event: &EventKey,
    deadline: Deadline,
    services: &Services,
) -> Result<Begin, StoreError> {
    services.store.begin(event, LEASE.min(deadline.time_left())).await
}

/// Asks to work on an event, and waits for another try of it that is at work: its report is this one's answer, and if it
/// dies its work goes on here. Given up where too little time would be left to go on with.
pub(super) async fn begin_or_wait(
    event: &EventKey,
    deadline: Deadline,
    services: &Services,
) -> Result<Begin, StoreError> {
    loop {
        let begun = begin(event, deadline, services).await;
        if begun != Ok(Begin::InProgress) || deadline.time_left() <= LEASE + LOOK {
            return begun;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Works while the leases of these events are held.
pub(super) async fn holding<T>(
    events: &[EventKey],
    deadline: Deadline,
    services: &Services,
    work: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        done = work => done,
        never = signs_of_life(events, deadline, services) => match never {},
    }
}

async fn signs_of_life(events: &[EventKey], deadline: Deadline, services: &Services) -> Infallible {
    loop {
        tokio::time::sleep(SIGN).await;
        for event in events {
            if let Err(error) = services.store.renew(event, LEASE.min(deadline.time_left())).await {
                let message = format!("the lease may end before the work does: {error}");
                services.observer.emit(RunEvent::Warning { message });
            }
        }
    }
}
