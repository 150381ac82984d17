//! Runs a query of Logs Insights: start, ask with growing pauses, and stop it where nobody waits for it any more.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_cloudwatchlogs::types::{QueryStatus, ResultField};

use super::{DATA_CALL_TIME, out_of_time, telemetry};
use crate::clock::Deadline;
use crate::evidence::Status;
use crate::gather::telemetry::{LogsAnswer, LogsQuery, START_QUERY, TelemetryError};

const GET_QUERY_RESULTS: &str = "logs:GetQueryResults";
const STOP_QUERY: &str = "logs:StopQuery";

/// The first pause before the answer is asked for; each next one is twice as long. Ten calls a second is the account's rate.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A query that was started; stopped when dropped before its end, so that it scans and costs no more.
struct Started {
    client: Client,
    id: String,
    ended: bool,
}

impl Started {
    /// Stops the query and waits for it. That it cannot be stopped changes nothing for whoever asked.
    async fn stop(mut self) {
        let _stopped = self.client.stop_query().query_id(&self.id).send().await;
        // Dropped before this, it is stopped by that.
        self.ended = true;
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let stop = self.client.stop_query().query_id(&self.id).send();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(stop);
        }
    }
}

/// Runs a query and returns its rows.
pub(in crate::aws) async fn query(client: &Client, query: &LogsQuery) -> Result<LogsAnswer, TelemetryError> {
    let deadline = Deadline::after(DATA_CALL_TIME);
    let (first, last) = bounds(query);
    let limit = i32::try_from(query.limit).unwrap_or(i32::MAX);
    let started = client
        .start_query()
        .set_log_group_names(Some(query.groups.clone()))
        .query_string(&query.query)
        .start_time(first)
        .end_time(last)
        .limit(limit)
        .send()
        .await
        .map_err(|error| telemetry(START_QUERY, &error))?;
    let Some(id) = started.query_id else {
        return Err(failed(START_QUERY, "the service gave the query no id"));
    };
    let mut started = Started { client: client.clone(), id, ended: false };
    let mut pause = FIRST_PAUSE;
    loop {
        if deadline.time_left() <= pause {
            started.stop().await;
            return Err(out_of_time(GET_QUERY_RESULTS, "the query did not end"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let answer = match client.get_query_results().query_id(&started.id).send().await {
            Ok(answer) => answer,
            Err(error) => {
                started.stop().await;
                return Err(telemetry(GET_QUERY_RESULTS, &error));
            }
        };
        match answer.status() {
            Some(QueryStatus::Complete) => {
                started.ended = true;
                return Ok(read(&answer, query.limit));
            }
            Some(QueryStatus::Timeout) => {
                started.ended = true;
                let error = failed(GET_QUERY_RESULTS, "the service ended the query: it took too long");
                return Err(TelemetryError { status: Status::TimedOut, ..error });
            }
            Some(status @ (QueryStatus::Failed | QueryStatus::Cancelled)) => {
                started.ended = true;
                let reason = format!("the query ended as {}", status.as_str().to_lowercase());
                return Err(failed(GET_QUERY_RESULTS, &reason));
            }
            // Scheduled, running, unknown, or a status that did not exist when this was written.
            Some(_) | None => {}
        }
    }
}

/// Asks for and stops a query that nobody made. Being told that there is none takes the permission.
pub(in crate::aws) async fn probe(client: &Client) -> [(&'static str, Result<(), TelemetryError>); 2] {
    const NOBODYS: &str = "00000000-0000-0000-0000-000000000000";
    let asked = client.get_query_results().query_id(NOBODYS).send();
    let stopped = client.stop_query().query_id(NOBODYS).send();
    let (asked, stopped) = tokio::join!(asked, stopped);
    [
        (GET_QUERY_RESULTS, told(asked.map(drop).map_err(|error| telemetry(GET_QUERY_RESULTS, &error)))),
        (STOP_QUERY, told(stopped.map(drop).map_err(|error| telemetry(STOP_QUERY, &error)))),
    ]
}

/// The service calls an id that it does not know missing or an invalid parameter.
fn told(answer: Result<(), TelemetryError>) -> Result<(), TelemetryError> {
    let invalid = |error: &TelemetryError| error.reason.starts_with("InvalidParameterException");
    answer.or_else(|error| if invalid(&error) { Ok(()) } else { Err(error) })
}

/// Returns the start and the end in seconds. The service takes both moments in, so that the end's own is one too many;
/// a second earlier, the window's last second would be left out.
fn bounds(query: &LogsQuery) -> (i64, i64) {
    let end = query.window.end.as_nanosecond();
    let end = i64::try_from((end + 999_999_999).div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
    (query.window.start.as_second(), end)
}

fn read(answer: &GetQueryResultsOutput, limit: u32) -> LogsAnswer {
    let field = |field: &ResultField| {
        // A pointer to the event's own record: of use to the service alone.
        let name = field.field().filter(|name| *name != "@ptr")?;
        Some((name.to_owned(), field.value().unwrap_or_default().to_owned()))
    };
    let rows: Vec<Vec<(String, String)>> =
        answer.results().iter().map(|row| row.iter().filter_map(field).collect()).collect();
    let statistics = answer.statistics();
    LogsAnswer {
        complete: rows.len() < usize::try_from(limit).unwrap_or(usize::MAX) && answer.next_token().is_none(),
        rows,
        bytes_scanned: statistics.map_or(0, |known| whole(known.bytes_scanned())),
        records_matched: statistics.map_or(0, |known| whole(known.records_matched())),
    }
}

/// The service counts in floating point.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates; a count is whole"
)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

fn failed(operation: &'static str, reason: &str) -> TelemetryError {
    TelemetryError { status: Status::Failed, operation, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Window;

    #[test]
    fn the_window_is_told_in_whole_seconds_that_hold_all_of_it() {
        let of = |start: &str, end: &str| {
            let window = Window { start: start.parse().unwrap(), end: end.parse().unwrap() };
            bounds(&LogsQuery { groups: Vec::new(), query: String::new(), window, limit: 1 })
        };
        assert_eq!(of("1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z"), (10, 20));
        assert_eq!(of("1970-01-01T00:00:10.5Z", "1970-01-01T00:00:20.5Z"), (10, 21));
    }
}
