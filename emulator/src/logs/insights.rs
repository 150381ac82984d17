//! Logs Insights: `StartQuery`, `GetQueryResults` and `StopQuery`. A query is scheduled at the first look, runs at the
//! second and has ended at the third.

use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};

use super::query::{Line, Query};
use super::{group, invalid, visible};
use crate::failure::Failure;
use crate::input;
use crate::recorder::lock;
use crate::scenario::{LogClass, Scenario, uuid};

/// Looks at a query before it ends.
const LOOKS: u32 = 3;
/// Most rows that are answered; AWS gives more, page by page.
const MOST_ROWS: i64 = 10_000;
/// Most groups that one query may name.
const MOST_GROUPS: usize = 50;

/// How queries end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QueryEnd {
    /// With their rows.
    #[default]
    Complete,
    /// As failed.
    Failed,
    /// As timed out, which takes an hour on AWS and no time here.
    Timeout,
    /// Not at all: they run until they are stopped.
    Never,
}

/// The account's queries.
#[derive(Debug, Default)]
pub(crate) struct Insights {
    end: QueryEnd,
    queries: Mutex<Vec<Started>>,
}

#[derive(Debug)]
struct Started {
    id: String,
    looks: u32,
    stopped: bool,
    rows: Vec<Value>,
    statistics: Value,
}

impl Insights {
    /// Returns an account without queries.
    pub(crate) fn new(end: QueryEnd) -> Self {
        Self { end, queries: Mutex::default() }
    }

    /// Starts a query and works it out at once; only its looks are still to come.
    pub(super) fn start(&self, scenario: &Scenario, raw: Value) -> Result<Value, Failure> {
        let input: StartInput = input::read("StartQuery", raw)?;
        let groups = input.groups()?;
        if let Some(language) = input.query_language.as_deref().filter(|language| *language != "CWLI") {
            return Err(Failure::unsupported(format!("queries in {language}")));
        }
        if input.start_time > input.end_time {
            return Err(invalid("The start time of a query must not be after its end time."));
        }
        if input.limit.is_some_and(|limit| !(1..=MOST_ROWS).contains(&limit)) {
            return Err(Failure::unsupported(format!("a limit beyond 1 to {MOST_ROWS} rows")));
        }
        let query = Query::parse(&input.query_string)?;
        let (mut lines, mut bytes) = (Vec::new(), 0);
        for (name, identifier) in groups {
            let group = group(scenario, name, identifier)?;
            if group.class == LogClass::InfrequentAccess {
                return Err(Failure::unsupported("queries of a group of class INFREQUENT_ACCESS"));
            }
            // Both ends are taken in.
            let (start, end) = (input.start_time.saturating_mul(1000), input.end_time.saturating_mul(1000));
            for event in visible(scenario, group, Some(start), Some(end)).1 {
                bytes += event.message.len();
                let stream = group.streams.get(event.stream).map(String::as_str).unwrap_or_default();
                let log = format!("{}:{}", scenario.account(), group.name);
                lines.push(Line { at: event.at, message: &event.message, stream, log });
            }
        }
        let scanned = lines.len();
        let (rows, matched) = query.run(&lines, input.limit.unwrap_or(MOST_ROWS))?;
        let mut queries = lock(&self.queries);
        let id = uuid(&format!("{} query {}", scenario.name(), queries.len()));
        queries.push(Started {
            id: id.clone(),
            looks: 0,
            stopped: false,
            rows,
            statistics: json!({"recordsMatched": matched, "recordsScanned": scanned, "bytesScanned": bytes}),
        });
        Ok(json!({"queryId": id}))
    }

    /// Looks at a query.
    pub(super) fn results(&self, raw: Value) -> Result<Value, Failure> {
        let input: QueryInput = input::read("GetQueryResults", raw)?;
        let mut queries = lock(&self.queries);
        let query = queries.iter_mut().find(|query| query.id == input.query_id).ok_or_else(unknown)?;
        query.looks = query.looks.saturating_add(1);
        let status = self.status(query);
        let is_complete = status == "Complete";
        let nothing = json!({"recordsMatched": 0, "recordsScanned": 0, "bytesScanned": 0});
        Ok(json!({
            "queryLanguage": "CWLI",
            "results": if is_complete { query.rows.clone() } else { Vec::new() },
            "statistics": if is_complete { query.statistics.clone() } else { nothing },
            "status": status,
        }))
    }

    /// Stops a query that has not ended.
    pub(super) fn stop(&self, raw: Value) -> Result<Value, Failure> {
        let input: QueryInput = input::read("StopQuery", raw)?;
        let mut queries = lock(&self.queries);
        let query = queries.iter_mut().find(|query| query.id == input.query_id).ok_or_else(unknown)?;
        let status = self.status(query);
        if !matches!(status, "Scheduled" | "Running") {
            return Err(invalid(format!("Query is already ended with {status} status")));
        }
        query.stopped = true;
        Ok(json!({"success": true}))
    }

    fn status(&self, query: &Started) -> &'static str {
        match (query.stopped, query.looks, self.end) {
            (true, _, _) => "Cancelled",
            (false, 0 | 1, _) => "Scheduled",
            (false, looks, end) if looks < LOOKS || end == QueryEnd::Never => "Running",
            (false, _, QueryEnd::Failed) => "Failed",
            (false, _, QueryEnd::Timeout) => "Timeout",
            (false, _, QueryEnd::Complete | QueryEnd::Never) => "Complete",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StartInput {
    log_group_name: Option<String>,
    log_group_names: Option<Vec<String>>,
    log_group_identifiers: Option<Vec<String>>,
    query_string: String,
    start_time: i64,
    end_time: i64,
    limit: Option<i64>,
    query_language: Option<String>,
}

/// A group by its name or by its identifier.
type Named<'a> = (Option<&'a str>, Option<&'a str>);

impl StartInput {
    /// Returns the groups, each by its name or by its identifier.
    fn groups(&self) -> Result<Vec<Named<'_>>, Failure> {
        let groups: Vec<Named<'_>> =
            match (&self.log_group_name, &self.log_group_names, &self.log_group_identifiers) {
                (Some(name), None, None) => vec![(Some(name.as_str()), None)],
                (None, Some(all), None) => all.iter().map(|name| (Some(name.as_str()), None)).collect(),
                (None, None, Some(all)) => all.iter().map(|each| (None, Some(each.as_str()))).collect(),
                (None, None, None) => {
                    return Err(Failure::unsupported("queries that name their groups themselves"));
                }
                _ => {
                    return Err(invalid(
                        "Only one of logGroupName, logGroupNames and logGroupIdentifiers may be specified.",
                    ));
                }
            };
        if groups.is_empty() || groups.len() > MOST_GROUPS {
            return Err(invalid(format!("A query names between 1 and {MOST_GROUPS} log groups.")));
        }
        Ok(groups)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QueryInput {
    query_id: String,
}

fn unknown() -> Failure {
    Failure::service(400, "ResourceNotFoundException", "Query does not exist")
}
