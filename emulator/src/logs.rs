//! CloudWatch Logs, over awsJson 1.1: `DescribeLogGroups`, `DescribeLogStreams`, `FilterLogEvents`, and queries of Logs
//! Insights. Every other operation is refused.

mod filter_pattern;
mod insights;
mod query;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input;
use crate::logs::filter_pattern::FilterPattern;
use crate::page::{self, Pager, short_digest};
pub(crate) use insights::Insights;
pub use insights::QueryEnd;

use crate::scenario::{LogClass, LogEvent, LogGroup, Paging, Scenario};

/// Events of at most this many bytes are on one page.
const PAGE_BYTES: usize = 1_048_576;
/// 2024-01-01T00:00:00Z: reading backwards is possible only from here on.
const BACKWARDS_SINCE: i64 = 1_704_067_200_000;

/// Answers one operation.
pub(crate) fn answer(
    scenario: &Scenario,
    paging: &Paging,
    insights: &Insights,
    operation: &str,
    input: Value,
) -> Result<Value, Failure> {
    match operation {
        "DescribeLogGroups" => describe_log_groups(scenario, input),
        "DescribeLogStreams" => describe_log_streams(scenario, input),
        "FilterLogEvents" => filter_log_events(scenario, paging, input),
        "StartQuery" => insights.start(scenario, input),
        "GetQueryResults" => insights.results(input),
        "StopQuery" => insights.stop(input),
        other => Err(Failure::unsupported(format!("operation logs:{other}"))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GroupsInput {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    include_linked_accounts: Option<bool>,
    limit: Option<i64>,
    next_token: Option<String>,
}

fn describe_log_groups(scenario: &Scenario, raw: Value) -> Result<Value, Failure> {
    const OPERATION: &str = "DescribeLogGroups";
    let pager = Pager::new(OPERATION, &raw, &["nextToken"]);
    let input: GroupsInput = input::read(OPERATION, raw)?;
    if input.include_linked_accounts == Some(true) {
        return Err(Failure::unsupported("log groups of linked accounts"));
    }
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let limit = limit(input.limit, 50, 50)?;
    let by_pattern = input.log_group_name_pattern.is_some();
    let found: Vec<Value> = scenario
        .logs()
        .groups()
        .iter()
        .filter(|group| group.created <= scenario.as_of())
        .filter(|group| {
            input.log_group_name_prefix.as_ref().is_none_or(|prefix| group.name.starts_with(prefix))
        })
        .filter(|group| input.log_group_name_pattern.as_ref().is_none_or(|part| group.name.contains(part)))
        .filter(|group| input.log_group_class.as_ref().is_none_or(|class| group.class.name() == class))
        .map(|group| described(scenario, group, by_pattern))
        .collect();
    let position = pager.position(input.next_token.as_deref()).ok_or_else(invalid_token)?;
    let (found, next) = page::cut(found, position, limit);
    Ok(with_next(json!({"logGroups": found}), &pager, next))
}

fn described(scenario: &Scenario, group: &LogGroup, by_pattern: bool) -> Value {
    let arn = group_arn(scenario, &group.name);
    let mut described = json!({
        "logGroupName": group.name,
        "creationTime": group.created.as_millisecond(),
        "arn": format!("{arn}:*"),
    });
    // A search by pattern tells only these three.
    if let (false, Some(members)) = (by_pattern, described.as_object_mut()) {
        if let Some(days) = group.retention_days {
            members.insert("retentionInDays".to_owned(), days.into());
        }
        let (_, events) = visible(scenario, group, None, None);
        let bytes: usize = events.iter().map(|event| event.message.len()).sum();
        members.insert("metricFilterCount".to_owned(), 0.into());
        members.insert("storedBytes".to_owned(), bytes.into());
        members.insert("logGroupClass".to_owned(), group.class.name().into());
        members.insert("logGroupArn".to_owned(), arn.into());
    }
    described
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StreamsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    limit: Option<i64>,
    next_token: Option<String>,
}

fn describe_log_streams(scenario: &Scenario, raw: Value) -> Result<Value, Failure> {
    const OPERATION: &str = "DescribeLogStreams";
    let pager = Pager::new(OPERATION, &raw, &["nextToken"]);
    let input: StreamsInput = input::read(OPERATION, raw)?;
    let group = group(scenario, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let limit = limit(input.limit, 50, 50)?;
    let by_time = match input.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") => true,
        Some(other) => {
            return Err(invalid(format!("The value {other} for parameter orderBy is not supported.")));
        }
    };
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    // First and last event of each stream, by the stream's place.
    let mut spans: Vec<Option<(i64, i64)>> = vec![None; group.streams.len()];
    for event in visible(scenario, group, None, None).1 {
        if let Some(span) = spans.get_mut(event.stream) {
            *span = Some((span.map_or(event.at, |(first, _)| first), event.at));
        }
    }
    let mut found: Vec<(&String, (i64, i64))> = group
        .streams
        .iter()
        .zip(spans)
        .filter_map(|(name, span)| Some((name, span?)))
        .filter(|(name, _)| {
            input.log_stream_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
        })
        .collect();
    if by_time {
        found.sort_by_key(|(name, (_, last))| (*last, *name));
    } else {
        found.sort();
    }
    if input.descending == Some(true) {
        found.reverse();
    }
    let lag = scenario.description().lag.logs_seconds * 1000;
    let found: Vec<Value> = found
        .into_iter()
        .map(|(name, (first, last))| {
            json!({
                "logStreamName": name,
                "creationTime": first,
                "firstEventTimestamp": first,
                "lastEventTimestamp": last,
                "lastIngestionTime": last + lag,
                "arn": format!("{}:log-stream:{name}", group_arn(scenario, &group.name)),
                "storedBytes": 0,
            })
        })
        .collect();
    let position = pager.position(input.next_token.as_deref()).ok_or_else(invalid_token)?;
    let (found, next) = page::cut(found, position, limit);
    Ok(with_next(json!({"logStreams": found}), &pager, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
    start_from_head: Option<bool>,
    /// Ignored by AWS since 2019: the answer is always interleaved.
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
    unmask: Option<bool>,
}

fn filter_log_events(scenario: &Scenario, paging: &Paging, raw: Value) -> Result<Value, Failure> {
    const OPERATION: &str = "FilterLogEvents";
    // A token keeps its direction, and the page size may change on the way.
    let pager = Pager::new(OPERATION, &raw, &["nextToken", "startFromHead", "limit", "interleaved"]);
    let input: EventsInput = input::read(OPERATION, raw)?;
    if input.unmask == Some(true) {
        return Err(Failure::unsupported("unmasking in FilterLogEvents"));
    }
    let group = group(scenario, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    if group.class == LogClass::InfrequentAccess {
        return Err(Failure::unsupported("FilterLogEvents on a group of class INFREQUENT_ACCESS"));
    }
    let streams = streams(group, &input)?;
    if let (Some(start), Some(end)) = (input.start_time, input.end_time)
        && start > end
    {
        return Err(invalid("startTime must not be after endTime."));
    }
    let limit = limit(input.limit, 10_000, paging.log_events)?.min(paging.log_events);
    let pattern = FilterPattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let from_head = input.start_from_head.unwrap_or(true);
    if !from_head && input.start_time.is_none_or(|start| start < BACKWARDS_SINCE) {
        return Err(invalid("startFromHead=false requires startTime on or after 2024-01-01T00:00:00Z."));
    }
    let (position, from_head) = match input.next_token.as_deref() {
        None if paging.empty_log_page_first => {
            let token = pager.token(&place(0, from_head));
            return Ok(json!({"events": [], "searchedLogStreams": [], "nextToken": token}));
        }
        None => (0, from_head),
        Some(token) => parse_place(&pager, token).ok_or_else(invalid_token)?,
    };

    let (first, events) = visible(scenario, group, input.start_time, input.end_time);
    let mut matching: Vec<(usize, &LogEvent)> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| streams.as_ref().is_none_or(|wanted| wanted.contains(&event.stream)))
        .filter(|(_, event)| pattern.matches(&event.message))
        .map(|(index, event)| (first + index, event))
        .collect();
    if !from_head {
        matching.reverse();
    }
    let mut shown = Vec::new();
    let mut bytes = 0;
    for (index, event) in matching.iter().skip(position).take(limit) {
        bytes += event.message.len();
        if bytes > PAGE_BYTES && !shown.is_empty() {
            break;
        }
        shown.push(written(scenario, group, *index, event));
    }
    let end = position + shown.len();
    let mut output = json!({"events": shown, "searchedLogStreams": []});
    if let (true, Some(members)) = (end < matching.len(), output.as_object_mut()) {
        members.insert("nextToken".to_owned(), pager.token(&place(end, from_head)).into());
    }
    Ok(output)
}

fn place(position: usize, from_head: bool) -> String {
    format!("{}{position}", if from_head { '+' } else { '-' })
}

fn parse_place(pager: &Pager, token: &str) -> Option<(usize, bool)> {
    let place = pager.place(token)?;
    let from_head = place.starts_with('+');
    let position = place.strip_prefix(['+', '-'])?.parse().ok()?;
    Some((position, from_head))
}

/// Which streams are meant, by place; `None` means all.
fn streams(group: &LogGroup, input: &EventsInput) -> Result<Option<Vec<usize>>, Failure> {
    match (&input.log_stream_names, &input.log_stream_name_prefix) {
        (Some(_), Some(_)) => {
            Err(invalid("logStreamNamePrefix and logStreamNames cannot be specified together."))
        }
        (None, None) => Ok(None),
        (None, Some(prefix)) => Ok(Some(
            group
                .streams
                .iter()
                .enumerate()
                .filter(|(_, name)| name.starts_with(prefix))
                .map(|(place, _)| place)
                .collect(),
        )),
        (Some(names), None) if names.is_empty() || names.len() > 100 => {
            Err(invalid("logStreamNames must hold between 1 and 100 names."))
        }
        (Some(names), None) => names
            .iter()
            .map(|name| group.streams.iter().position(|known| known == name).ok_or_else(|| missing("stream")))
            .collect::<Result<Vec<_>, _>>()
            .map(Some),
    }
}

fn written(scenario: &Scenario, group: &LogGroup, index: usize, event: &LogEvent) -> Value {
    json!({
        "logStreamName": group.streams.get(event.stream),
        "timestamp": event.at,
        "message": event.message,
        "ingestionTime": event.at + scenario.description().lag.logs_seconds * 1000,
        "eventId": event_id(&group.name, index),
    })
}

/// AWS's event ids are 56 decimal digits; these are stable over runs.
fn event_id(group: &str, index: usize) -> String {
    let digits: String =
        short_digest(&format!("{group} {index}")).bytes().map(|byte| char::from(b'0' + byte % 10)).collect();
    format!("{index:024}{digits}")
}

/// Events that the window, the retention and the lag let through, with the place of the first.
fn visible<'a>(
    scenario: &Scenario,
    group: &'a LogGroup,
    start: Option<i64>,
    end: Option<i64>,
) -> (usize, &'a [LogEvent]) {
    let as_of = scenario.as_of().as_millisecond();
    let kept_since = group.retention_days.map_or(i64::MIN, |days| as_of - i64::from(days) * 86_400 * 1000);
    let arrived = as_of - scenario.description().lag.logs_seconds * 1000;
    group.window(start.unwrap_or(i64::MIN).max(kept_since), end.unwrap_or(i64::MAX).min(arrived))
}

fn group<'a>(
    scenario: &'a Scenario,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<&'a LogGroup, Failure> {
    let name = match (name, identifier) {
        (Some(name), None) => name,
        (None, Some(identifier)) => {
            let prefix = group_arn(scenario, "");
            identifier.strip_prefix(&prefix).unwrap_or(identifier)
        }
        (Some(_), Some(_)) => {
            return Err(invalid("logGroupName and logGroupIdentifier cannot be specified together."));
        }
        (None, None) => return Err(invalid("Either logGroupName or logGroupIdentifier must be specified.")),
    };
    scenario
        .logs()
        .find(name)
        .filter(|group| group.created <= scenario.as_of())
        .ok_or_else(|| missing("group"))
}

/// Returns a group's ARN without the trailing `:*`.
pub(crate) fn group_arn(scenario: &Scenario, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", scenario.region(), scenario.account())
}

fn limit(asked: Option<i64>, most: i64, otherwise: usize) -> Result<usize, Failure> {
    match asked {
        None => Ok(otherwise),
        Some(asked) => usize::try_from(asked)
            .ok()
            .filter(|_| (1..=most).contains(&asked))
            .ok_or_else(|| invalid(format!("limit must be between 1 and {most}, it is {asked}."))),
    }
}

fn with_next(mut output: Value, pager: &Pager, next: Option<usize>) -> Value {
    if let (Some(next), Some(members)) = (next, output.as_object_mut()) {
        members.insert("nextToken".to_owned(), pager.token(&next.to_string()).into());
    }
    output
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::service(400, "InvalidParameterException", message)
}

fn invalid_token() -> Failure {
    invalid("The specified nextToken is invalid.")
}

fn missing(what: &str) -> Failure {
    Failure::service(400, "ResourceNotFoundException", format!("The specified log {what} does not exist."))
}
