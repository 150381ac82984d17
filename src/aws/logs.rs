//! Reads log groups and log events from CloudWatch Logs.

pub(super) mod insights;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;

use super::DATA_CALL_TIME;
use super::error::telemetry;
use crate::clock::{Deadline, Timestamp};
use crate::evidence::Status;
use crate::gather::telemetry::{LogEvent, LogGroup, LogPage, LogRequest, TelemetryError};
use crate::incident::Window;

const DESCRIBE_LOG_GROUPS: &str = "logs:DescribeLogGroups";
const FILTER_LOG_EVENTS: &str = "logs:FilterLogEvents";

/// `FilterLogEvents` gives at most this many events a page.
const EVENTS_A_PAGE: usize = 10_000;

/// Looks a log group up. The service knows prefixes only, so the exact name is sought among what it answers.
pub(super) async fn log_group(client: &Client, name: &str) -> Result<Option<LogGroup>, TelemetryError> {
    if name.is_empty() {
        return Ok(None);
    }
    let deadline = Deadline::after(DATA_CALL_TIME);
    let mut page: Option<String> = None;
    loop {
        let answer = match client
            .describe_log_groups()
            .log_group_name_prefix(name)
            .set_next_token(page.take())
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error) => {
                let error = telemetry(DESCRIBE_LOG_GROUPS, &error);
                return if error.status == Status::Missing { Ok(None) } else { Err(error) };
            }
        };
        if let Some(group) = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name)) {
            return Ok(Some(LogGroup {
                name: name.to_owned(),
                retention_days: group.retention_in_days().and_then(|days| u32::try_from(days).ok()),
                created: group.creation_time().and_then(|at| Timestamp::from_millisecond(at).ok()),
                stored_bytes: group.stored_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
            }));
        }
        page = answer.next_token.filter(|token| !token.is_empty());
        if page.is_none() {
            return Ok(None);
        }
        if deadline.time_left().is_zero() {
            return Err(out_of_time(DESCRIBE_LOG_GROUPS, "the log group was not among those read"));
        }
    }
}

/// Reads events until the window, the limit or the time is at its end.
pub(super) async fn log_events(client: &Client, request: &LogRequest) -> Result<LogPage, TelemetryError> {
    let deadline = Deadline::after(DATA_CALL_TIME);
    let mut events: Vec<LogEvent> = Vec::new();
    let mut page: Option<String> = None;
    while events.len() < request.limit {
        let wanted = (request.limit - events.len()).min(EVENTS_A_PAGE);
        let (first, last) = bounds(&request.window);
        let answer = client
            .filter_log_events()
            .log_group_name(&request.group)
            .set_log_stream_name_prefix(request.stream_prefix.clone().filter(|prefix| !prefix.is_empty()))
            .set_filter_pattern(Some(request.pattern.clone()).filter(|pattern| !pattern.is_empty()))
            .start_time(first)
            .end_time(last)
            .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
            .set_next_token(page.take())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // What was read before the service gave in is worth more than nothing, as long as it is not called all.
            Err(_) if !events.is_empty() => return Ok(in_order(events, false)),
            Err(error) => return Err(telemetry(FILTER_LOG_EVENTS, &error)),
        };
        events.extend(
            answer.events().iter().filter_map(from_event).filter(|event| request.window.contains(event.at)),
        );
        // A page without events is no end: the service stops scanning after a megabyte and says where to go on.
        page = answer.next_token.filter(|token| !token.is_empty());
        if page.is_none() {
            let complete = events.len() <= request.limit;
            events.truncate(request.limit);
            return Ok(in_order(events, complete));
        }
        if deadline.time_left().is_zero() {
            if events.is_empty() {
                return Err(out_of_time(
                    FILTER_LOG_EVENTS,
                    "nothing matched in the part of the window that was read",
                ));
            }
            break;
        }
    }
    events.truncate(request.limit);
    Ok(in_order(events, false))
}

fn in_order(mut events: Vec<LogEvent>, complete: bool) -> LogPage {
    events.sort_by_key(|event| event.at);
    LogPage { events, complete }
}

/// Returns the first and last millisecond that the window may hold: the service includes both ends.
fn bounds(window: &Window) -> (i64, i64) {
    let end = window.end.as_millisecond();
    let ends_within = window.end.subsec_nanosecond() % 1_000_000 != 0;
    (window.start.as_millisecond(), if ends_within { end } else { end - 1 })
}

fn from_event(event: &FilteredLogEvent) -> Option<LogEvent> {
    Some(LogEvent {
        at: Timestamp::from_millisecond(event.timestamp()?).ok()?,
        stream: event.log_stream_name().unwrap_or_default().to_owned(),
        message: event.message().unwrap_or_default().to_owned(),
    })
}

fn out_of_time(operation: &'static str, what: &str) -> TelemetryError {
    let reason = format!("{what} in {} s", DATA_CALL_TIME.as_secs());
    TelemetryError { status: Status::TimedOut, operation, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanoseconds: i128) -> Timestamp {
        Timestamp::from_nanosecond(nanoseconds).unwrap()
    }

    #[test]
    fn the_end_of_the_window_is_left_out_to_the_millisecond() {
        let whole = Window { start: at(1_000_000_000), end: at(2_000_000_000) };
        assert_eq!(bounds(&whole), (1_000, 1_999));
        let split = Window { start: at(1_000_500_000), end: at(2_000_500_000) };
        assert_eq!(bounds(&split), (1_000, 2_000));
    }

    #[test]
    fn an_event_without_a_time_is_left_out() {
        assert_eq!(from_event(&FilteredLogEvent::builder().message("x").build()), None);
        let event = FilteredLogEvent::builder().timestamp(5).log_stream_name("s").message("x").build();
        let expected = LogEvent { at: at(5_000_000), stream: "s".into(), message: "x".into() };
        assert_eq!(from_event(&event), Some(expected));
    }
}
