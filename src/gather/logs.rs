//! The log group, found and verified; error texts in the incident against normal times.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::alarm::Trigger;
use crate::analysis::log_templates::{self, InWindow, Spans};
use crate::clock::Timestamp;
use crate::evidence::{
    Body, Gap, Ledger, LineCount, LogLine, LogLines, LogTemplate, Source, Status, TemplateTrend, Window,
    console,
};
use crate::gather::telemetry::{FunctionState, LogPage, LogRequest};
use crate::gather::{Plan, Reader, evidence, gap, insights, place};
use crate::incident::Incident;
use crate::playbook::{self, unlisted};
use crate::redact::Redacted;

/// Words of trouble. `FilterLogEvents` matches `?a ?b` as "a or b"; reading only these keeps a busy group readable.
const TROUBLE: &str = "?ERROR ?Error ?error ?WARN ?Warn ?Exception ?exception ?FATAL ?Fatal ?fatal ?panic ?Timeout ?timeout ?denied ?refused";

/// Most lines read of one window; a page of `FilterLogEvents` holds 10,000.
const MOST_LINES: usize = 10_000;

/// Most lines that the ledger keeps for quoting and for telling in whose streams an error stands.
const KEPT_LINES: usize = 300;

/// How far back a new text is searched for.
const FIRST_SEEN: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What reading the logs found.
#[derive(Default, Clone)]
pub(crate) struct LogReading {
    group: Option<String>,
    /// Before this the group holds nothing, where that is known.
    kept_since: Option<Timestamp>,
    gaps: Vec<Gap>,
    incident: Option<LogPage>,
    /// How many lines there are, where not all were read and they were counted.
    counted: Option<LineCount>,
    baselines: Vec<(Window, LogPage)>,
    /// The text that is new and whether it occurred in the days before: text, lines found, all read.
    seen_before: Option<(String, LogPage, Window)>,
    /// First line of each version's streams in the window.
    pub(crate) first_served: BTreeMap<String, Timestamp>,
    templates: Vec<LogTemplate>,
    lines: Vec<LogLine>,
}

/// Returns what is known of the logs while they are still read: nothing, and that, where there are any to read.
pub(crate) fn pending(
    incident: &Incident,
    reader: &Reader<'_>,
    function: Option<&FunctionState>,
    hinted: Option<&str>,
) -> LogReading {
    let is_read = !candidates(incident, reader, function, hinted).is_empty();
    let gaps = is_read.then(|| gap(Source::Logs, "logs", Status::Pending, "no answer yet"));
    LogReading { gaps: gaps.into_iter().collect(), ..LogReading::default() }
}

/// Reads the logs.
pub(crate) async fn read(
    incident: &Incident,
    reader: &Reader<'_>,
    function: Option<&FunctionState>,
    hinted: Option<&str>,
) -> LogReading {
    let mut reading = LogReading::default();
    let candidates = candidates(incident, reader, function, hinted);
    find_group(incident, reader, &candidates, &mut reading).await;
    let Some(group) = reading.group.clone() else { return reading };
    let request = |window: Window| LogRequest {
        group: group.clone(),
        stream_prefix: None,
        pattern: TROUBLE.into(),
        window,
        limit: MOST_LINES,
    };
    let subject = format!("logs of {group}");
    let ask = |window: Window| {
        let request = request(window);
        let subject = subject.clone();
        async move {
            let answer = reader.telemetry.log_events(&request);
            reader
                .ask(answer, Source::Logs, &subject, "logs:FilterLogEvents")
                .await
                .map(|page| (window, page))
        }
    };
    let baselines = futures::future::join_all(incident.baselines.iter().map(|baseline| ask(baseline.window)));
    let served = first_served(incident, reader, &group, function);
    let (found, baselines, served) = futures::join!(ask(incident.window), baselines, served);
    reading.first_served = served;
    match found {
        Ok((_, page)) => reading.incident = Some(page),
        Err(gap) => reading.gaps.push(gap),
    }
    for baseline in baselines {
        match baseline {
            Ok(found) => reading.baselines.push(found),
            // One denial says it all; the same gap is kept once.
            Err(gap) => reading.gaps.push(gap),
        }
    }
    digest(incident, &mut reading);
    let (counted, seen_before) = futures::join!(
        count(incident, reader, &group, &reading),
        seen_before(incident, reader, &reading, request(incident.window))
    );
    let mut note = |gap| reading.gaps.push(gap);
    reading.counted = counted.map_err(&mut note).ok().flatten();
    reading.seen_before = seen_before.map_err(&mut note).ok().flatten();
    reading
}

/// Counts the lines of the incident, where not all were read.
async fn count(
    incident: &Incident,
    reader: &Reader<'_>,
    group: &str,
    reading: &LogReading,
) -> Result<Option<LineCount>, Gap> {
    let Some(page) = reading.incident.as_ref().filter(|page| !page.complete) else { return Ok(None) };
    let words: Vec<&str> = TROUBLE.split(' ').map(|word| word.trim_start_matches('?')).collect();
    insights::count(reader, group, &words, incident.window, page.events.len()).await
}

/// Searches the days before for the words of the most telling new text; `request` is that of the incident.
async fn seen_before(
    incident: &Incident,
    reader: &Reader<'_>,
    reading: &LogReading,
    request: LogRequest,
) -> Result<Option<(String, LogPage, Window)>, Gap> {
    let newest = reading.templates.iter().find(|template| template.trend == TemplateTrend::New);
    let Some(phrase) = newest.and_then(|template| constant_phrase(template.text.as_str())) else {
        return Ok(None);
    };
    let start = incident.as_of.checked_sub(FIRST_SEEN).unwrap_or(Timestamp::MIN);
    // Silence before the group kept anything says nothing.
    let start = reading.kept_since.map_or(start, |since| start.max(since));
    let window = Window { start, end: incident.window.start };
    if window.start >= window.end {
        return Ok(None);
    }
    let subject = format!("logs of {}", request.group);
    let request = LogRequest { pattern: format!("\"{phrase}\""), window, limit: 20, ..request };
    let answer = reader.telemetry.log_events(&request);
    let page = reader.ask(answer, Source::Logs, &subject, "logs:FilterLogEvents").await?;
    Ok(Some((phrase, page, window)))
}

/// A log group to try.
struct Candidate {
    name: String,
    /// Whether nothing but the name of a dimension speaks for it: it counts only where it really exists.
    is_guess: bool,
}

/// Returns the log groups to try: the operator's word goes before the alarm owner's, and that before the rules.
fn candidates(
    incident: &Incident,
    reader: &Reader<'_>,
    function: Option<&FunctionState>,
    hinted: Option<&str>,
) -> Vec<Candidate> {
    let configured = reader.configured_log_group.iter().cloned().chain(hinted.map(str::to_owned));
    // A log alarm names its groups itself.
    let counted: &[String] = match &incident.alarm.trigger {
        Trigger::Log(log) => &log.groups,
        Trigger::Metric(_) | Trigger::Derived(_) | Trigger::Other { .. } => &[],
    };
    let own = function.and_then(|function| function.log_group.clone());
    let by_rule = incident
        .resource
        .service()
        .into_iter()
        .flat_map(|service| &service.log_groups)
        .map(|rule| rule.replace("{resource}", &incident.resource.name));
    let known = configured.chain(counted.iter().cloned()).chain(own).chain(by_rule);
    let mut groups: Vec<Candidate> = Vec::new();
    for (name, is_guess) in
        known.map(|name| (name, false)).chain(guessed(incident).into_iter().map(|name| (name, true)))
    {
        if !groups.iter().any(|group| group.name == name) {
            groups.push(Candidate { name, is_guess });
        }
    }
    groups
}

/// Services whose log groups are named after them, and whose name a custom metric often carries.
const WORKLOADS: [&str; 2] = ["AWS/Lambda", "AWS/ECS"];

/// Returns the groups of the function or service that a dimension seems to name, where the namespace has no row.
fn guessed(incident: &Incident) -> Vec<String> {
    let Some(metric) = incident.alarm.metric().filter(|_| incident.resource.service().is_none()) else {
        return Vec::new();
    };
    let names: Vec<&String> = metric
        .dimensions
        .iter()
        .filter(|(name, value)| unlisted::names_a_workload(name) && is_plain(value))
        .map(|(_, value)| value)
        .collect();
    let rules = WORKLOADS.iter().filter_map(|namespace| playbook::service(namespace));
    let rules: Vec<&String> = rules.flat_map(|service| &service.log_groups).collect();
    names.iter().flat_map(|name| rules.iter().map(move |rule| rule.replace("{resource}", name))).collect()
}

/// Tells whether a text can be a part of a log group's name.
fn is_plain(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-/.#".contains(letter);
    !text.is_empty() && text.len() <= 256 && text.chars().all(plain)
}

/// Takes the first candidate that exists. A lookup that is denied does not rule the group out: it is read on trust, unless
/// it is a guess.
async fn find_group(
    incident: &Incident,
    reader: &Reader<'_>,
    candidates: &[Candidate],
    reading: &mut LogReading,
) {
    for Candidate { name, is_guess } in candidates {
        let subject = format!("log group {name}");
        let answer = reader.telemetry.log_group(name);
        match reader.ask(answer, Source::Logs, &subject, "logs:DescribeLogGroups").await {
            Ok(Some(group)) => {
                let retained = group.retention_days.and_then(|days| {
                    incident.as_of.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok()
                });
                reading.kept_since = retained.max(group.created);
                reading.group = Some(group.name);
                return;
            }
            Ok(None) => {}
            Err(gap) if gap.status == Status::Denied && !is_guess => {
                reading.group = Some(name.clone());
                return;
            }
            Err(gap) => {
                reading.gaps.push(gap);
                return;
            }
        }
    }
    let known: Vec<&str> =
        candidates.iter().filter(|group| !group.is_guess).map(|group| group.name.as_str()).collect();
    reading.gaps.push(if known.is_empty() {
        let title = incident.resource.service().map_or("resource", |service| service.title.as_str());
        gap(
            Source::Logs,
            &format!("logs of {}", incident.resource.title()),
            Status::NotApplicable,
            &format!("no log group is known for this {title}"),
        )
    } else {
        gap(
            Source::Logs,
            &format!("log group of {}", incident.resource.title()),
            Status::Missing,
            &format!("none of these exists: {}", known.join(", ")),
        )
    });
}

/// A Lambda stream names the version (`2026/11/24/[58]…`), so the first line of a version's streams tells when it began to serve.
async fn first_served(
    incident: &Incident,
    reader: &Reader<'_>,
    group: &str,
    function: Option<&FunctionState>,
) -> BTreeMap<String, Timestamp> {
    let recent = function
        .into_iter()
        .flat_map(|function| &function.versions)
        .filter(|version| version.version != "$LATEST")
        .filter(|version| version.last_modified.is_some_and(|at| incident.window.contains(at)));
    // A stream's name begins with the day on which its container started.
    let asked = recent.flat_map(|version| days(incident.window).map(move |day| (version, day)));
    let asked = asked.map(|(version, day)| {
        let request = LogRequest {
            group: group.to_owned(),
            stream_prefix: Some(format!("{day}/[{}]", version.version)),
            pattern: String::new(),
            window: incident.window,
            limit: 1,
        };
        async move {
            let answer = reader.telemetry.log_events(&request);
            let page = reader
                .ask(answer, Source::Logs, "first line of a version", "logs:FilterLogEvents")
                .await
                .ok()?;
            page.events.first().map(|event| (version.version.clone(), event.at))
        }
    });
    let mut first: BTreeMap<String, Timestamp> = BTreeMap::new();
    for (version, at) in futures::future::join_all(asked).await.into_iter().flatten() {
        first.entry(version).and_modify(|known| *known = at.min(*known)).or_insert(at);
    }
    first
}

/// Returns the days (UTC) that the window touches, `2026/11/24`.
fn days(window: Window) -> impl Iterator<Item = String> {
    let day = SignedDuration::from_hours(24);
    let start = window.start.as_second().div_euclid(86_400) * 86_400;
    let first = Timestamp::from_second(start).unwrap_or(window.start);
    std::iter::successors(Some(first), move |at| at.checked_add(day).ok())
        .take_while(move |at| *at <= window.end)
        .map(|at| at.strftime("%Y/%m/%d").to_string())
}

/// Redacts the lines and groups them into templates, incident against baseline.
fn digest(incident: &Incident, reading: &mut LogReading) {
    let Some(page) = &reading.incident else { return };
    let redacted = |events: &[crate::gather::telemetry::LogEvent]| -> Vec<LogLine> {
        events
            .iter()
            .map(|event| LogLine {
                at: event.at,
                stream: event.stream.clone(),
                text: Redacted::new(event.message.trim_end()),
            })
            .collect()
    };
    let lines = redacted(&page.events);
    let normal: Vec<LogLine> =
        reading.baselines.iter().flat_map(|(_, page)| redacted(&page.events)).collect();
    let normal_length: SignedDuration = reading
        .baselines
        .iter()
        .map(|(window, _)| window.length())
        .fold(SignedDuration::ZERO, |sum, length| sum + length);
    let in_incident = lines.iter().map(|line| (line.at, line.text.as_str(), InWindow::Incident));
    let in_baseline = normal.iter().map(|line| (line.at, line.text.as_str(), InWindow::Baseline));
    let spans = Spans { incident: incident.window.length(), baseline: normal_length };
    reading.templates = log_templates::cluster(in_incident.chain(in_baseline), spans);
    reading.lines = kept(&lines, &reading.templates);
}

/// Keeps lines, oldest first: the first of each template, then those of new and surged templates, the most telling
/// template first.
fn kept(lines: &[LogLine], templates: &[LogTemplate]) -> Vec<LogLine> {
    let first_of = |template: &LogTemplate| {
        let of_sample = lines.iter().position(|line| line.text == template.sample);
        of_sample.or_else(|| lines.iter().position(|line| Some(line.at) == template.first_at))
    };
    let firsts = templates.iter().filter_map(first_of);
    let more = templates
        .iter()
        .filter(|template| matches!(template.trend, TemplateTrend::New | TemplateTrend::Surged))
        .flat_map(|template| {
            let of_template =
                move |(_, line): &(usize, &LogLine)| log_templates::belongs(line.text.as_str(), template);
            lines.iter().enumerate().filter(of_template).map(|(index, _)| index)
        });
    let mut keep: BTreeSet<usize> = BTreeSet::new();
    for index in firsts.chain(more) {
        if keep.len() == KEPT_LINES {
            break;
        }
        keep.insert(index);
    }
    keep.into_iter().filter_map(|index| lines.get(index).cloned()).collect()
}

/// Returns the longest run of constant words of a template, for an exact search; short ones would match everything.
fn constant_phrase(template: &str) -> Option<String> {
    template
        .split("<*>")
        .flat_map(|part| part.split(['"', '\\', '{', '}', '\t', '\n']))
        .map(str::trim)
        // The mark of a secret stands in no log.
        .filter(|part| !part.contains("[redacted"))
        .max_by_key(|part| part.len())
        .filter(|part| part.len() >= 12)
        .map(|part| part.chars().take(120).collect())
}

/// Writes what was read into the ledger; returns the groups that can be searched.
pub(crate) fn record(
    incident: &Incident,
    plan: &mut Plan,
    reading: LogReading,
    ledger: &mut Ledger,
) -> Vec<String> {
    for gap in reading.gaps {
        ledger.push_gap(gap);
    }
    let Some(group) = reading.group else { return Vec::new() };
    let Some(page) = reading.incident else { return Vec::new() };
    let query = console::log_query(place(incident), &group, TROUBLE, incident.window);
    let lines = match reading.counted {
        Some(counted) => format!("{} lines, {} of them read", counted.total, counted.read),
        None => format!("{} lines", page.events.len()),
    };
    ledger.push(evidence(
        plan.next(Source::Logs),
        Source::Logs,
        &format!("errors and warnings of {group}, {lines}"),
        query,
        incident.window,
        Body::Logs(LogLines {
            group: group.clone(),
            pattern: TROUBLE.into(),
            lines: reading.lines,
            complete: page.complete,
            counted: reading.counted,
            templates: reading.templates,
        }),
    ));
    if let Some((phrase, page, window)) = reading.seen_before {
        let pattern = format!("\"{phrase}\"");
        let query = console::log_query(place(incident), &group, &pattern, window);
        let lines: Vec<LogLine> = page
            .events
            .iter()
            .map(|event| LogLine {
                at: event.at,
                stream: event.stream.clone(),
                text: Redacted::new(&event.message),
            })
            .collect();
        ledger.push(evidence(
            plan.next(Source::Logs),
            Source::Logs,
            &format!("\"{phrase}\" in the {} before the incident", window.in_words()),
            query,
            window,
            Body::Logs(LogLines {
                group: group.clone(),
                pattern,
                lines,
                complete: page.complete,
                counted: None,
                templates: Vec::new(),
            }),
        ));
    }
    vec![group]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_searched_for_by_its_longest_constant_words_and_never_by_the_mark_of_a_secret() {
        let phrase = |template: &str| constant_phrase(template);
        let words = "order <*> refused: stock answered <*> password=[redacted: secret]";
        assert_eq!(phrase(words).as_deref(), Some("refused: stock answered"));
        assert_eq!(phrase("ERROR <*> x"), None);
    }

    #[test]
    fn streams_of_each_day_that_the_window_touches_are_asked_for() {
        let window =
            |start: &str, end: &str| Window { start: start.parse().unwrap(), end: end.parse().unwrap() };
        let over_midnight = window("2026-11-23T23:30:00Z", "2026-11-24T00:05:00Z");
        assert_eq!(days(over_midnight).collect::<Vec<_>>(), ["2026/11/23", "2026/11/24"]);
        let within = window("2026-11-24T02:30:00Z", "2026-11-24T03:05:00Z");
        assert_eq!(days(within).collect::<Vec<_>>(), ["2026/11/24"]);
    }
}
