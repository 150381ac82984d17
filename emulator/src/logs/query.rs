//! The subset of Logs Insights' language that is answered: `fields`, `filter` by `like` (joined by `or`), one
//! `stats count(*)`, `sort` and `limit`.
//!
//! The language's other commands and functions are refused; what is no command of it is malformed, as AWS says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::page::short_digest;

/// `StartQuery` takes queries of at most this many characters.
const LONGEST: usize = 10_000;

/// Commands of the language that are not answered.
const OTHERS: &[&str] = &[
    "anomaly",
    "dedup",
    "diff",
    "display",
    "filterindex",
    "join",
    "logcompare",
    "lookup",
    "parse",
    "pattern",
    "source",
    "subqueries",
    "unmask",
    "unnest",
];

/// Fields that every event has.
const FIELDS: &[&str] = &["@timestamp", "@message", "@logStream", "@log"];

/// One event that is looked at.
pub(super) struct Line<'a> {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) message: &'a str,
    pub(super) stream: &'a str,
    /// Account and group.
    pub(super) log: String,
}

impl Line<'_> {
    fn field(&self, name: &str) -> String {
        match name {
            "@timestamp" => written(self.at),
            "@logStream" => self.stream.to_owned(),
            "@log" => self.log.clone(),
            _ => self.message.to_owned(),
        }
    }
}

/// A parsed query.
#[derive(Debug, Default)]
pub(super) struct Query {
    fields: Vec<String>,
    /// Each filter holds; of its parts one.
    filters: Vec<Vec<(String, Like)>>,
    stats: Option<Stats>,
    /// Field, and whether the largest comes first.
    sort: Option<(String, bool)>,
    limit: Option<i64>,
}

#[derive(Debug)]
enum Like {
    Pattern(Regex),
    Text(String),
}

/// `count(*)`, under its name, by what.
#[derive(Debug)]
struct Stats {
    name: String,
    by: Option<By>,
}

#[derive(Debug)]
enum By {
    /// As written, and in milliseconds.
    Bin(String, i64),
    Field(String),
}

impl Query {
    /// Parses a query.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        if text.chars().count() > LONGEST || text.trim().is_empty() {
            return Err(malformed("a query has between 1 and 10000 characters"));
        }
        let mut query = Self::default();
        for command in commands(text)? {
            let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((&command, ""));
            let rest = rest.trim();
            match word.to_lowercase().as_str() {
                "fields" => {
                    for field in rest.split(',') {
                        query.fields.push(known_field(field.trim())?);
                    }
                }
                "filter" if query.stats.is_none() => query.filters.push(conditions(rest)?),
                "filter" => return Err(Failure::unsupported("a filter behind stats in a query")),
                "stats" if query.stats.is_none() => query.stats = Some(stats(rest)?),
                "stats" => return Err(Failure::unsupported("a second stats in a query")),
                "sort" => {
                    let mut words = rest.split_whitespace();
                    let field = words.next().ok_or_else(|| malformed("sort names no field"))?;
                    let falling = match words.next().map(str::to_lowercase).as_deref() {
                        None | Some("asc") => false,
                        Some("desc") => true,
                        Some(other) => return Err(malformed(format!("unexpected symbol found {other}"))),
                    };
                    query.sort = Some((field.to_owned(), falling));
                }
                "limit" => {
                    let limit = rest.parse().ok().filter(|limit| (1..=10_000).contains(limit));
                    query.limit = Some(limit.ok_or_else(|| malformed(format!("limit {rest}")))?);
                }
                other if OTHERS.contains(&other) => {
                    return Err(Failure::unsupported(format!("the command {other} in a query")));
                }
                other => return Err(malformed(format!("unexpected symbol found {other} at line 1"))),
            }
        }
        Ok(query)
    }

    /// Returns the rows, and how many lines passed the filters.
    pub(super) fn run(&self, lines: &[Line<'_>], most: i64) -> Result<(Vec<Value>, usize), Failure> {
        let passes = |line: &&Line<'_>| {
            self.filters.iter().all(|filter| {
                filter.iter().any(|(field, like)| match like {
                    Like::Pattern(pattern) => pattern.is_match(&line.field(field)),
                    Like::Text(text) => line.field(field).contains(text.as_str()),
                })
            })
        };
        let mut found: Vec<&Line<'_>> = lines.iter().filter(passes).collect();
        let matched = found.len();
        // Newest first, unless the query says otherwise.
        found.reverse();
        found.sort_by_key(|line| std::cmp::Reverse(line.at));
        let mut rows: Vec<Vec<(String, String)>> = match &self.stats {
            Some(stats) => stats.rows(&found),
            None => found.iter().map(|line| self.row(line)).collect(),
        };
        if let Some((field, falling)) = &self.sort {
            let value = |row: &Vec<(String, String)>| {
                row.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone()).unwrap_or_default()
            };
            if !rows.iter().all(|row| row.iter().any(|(name, _)| name == field)) {
                return Err(Failure::unsupported(format!("sorting by {field}, which is no column")));
            }
            rows.sort_by(|one, other| {
                let (one, other) = (value(one), value(other));
                let numbers = one.parse::<f64>().ok().zip(other.parse::<f64>().ok());
                numbers.map_or_else(|| one.cmp(&other), |(one, other)| one.total_cmp(&other))
            });
            if *falling {
                rows.reverse();
            }
        }
        let most = usize::try_from(self.limit.unwrap_or(most).min(most)).unwrap_or_default();
        let shown = |row: Vec<(String, String)>| -> Value {
            row.into_iter().map(|(field, value)| json!({"field": field, "value": value})).collect()
        };
        Ok((rows.into_iter().take(most).map(shown).collect(), matched))
    }

    fn row(&self, line: &Line<'_>) -> Vec<(String, String)> {
        let named: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let fields = if named.is_empty() { vec!["@timestamp", "@message"] } else { named };
        let pointer = short_digest(&format!("{} {} {}", line.log, line.at, line.message));
        let values = fields.into_iter().map(|field| (field.to_owned(), line.field(field)));
        values.chain([("@ptr".to_owned(), pointer)]).collect()
    }
}

impl Stats {
    fn rows(&self, found: &[&Line<'_>]) -> Vec<Vec<(String, String)>> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for line in found {
            let key = match &self.by {
                None => String::new(),
                Some(By::Bin(_, length)) => written(line.at.div_euclid(*length) * length),
                Some(By::Field(field)) => line.field(field),
            };
            *counts.entry(key).or_default() += 1;
        }
        let by = self.by.as_ref().map(|(By::Bin(name, _) | By::Field(name))| name);
        let counted = |(key, count): (String, u64)| {
            let key = by.map(|name| (name.clone(), key));
            key.into_iter().chain([(self.name.clone(), count.to_string())]).collect()
        };
        counts.into_iter().map(counted).collect()
    }
}

/// Splits a query at its pipes; those in texts and patterns are no pipes.
fn commands(text: &str) -> Result<Vec<String>, Failure> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut commands = vec![String::new()];
    let mut open: Option<char> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let Some(command) = commands.last_mut() else { break };
        let begins = |quote: char| match quote {
            '"' | '\'' => true,
            '/' => command.trim_end().to_lowercase().ends_with("like"),
            _ => false,
        };
        match open {
            None if letter == '|' => {
                commands.push(String::new());
                continue;
            }
            None if begins(letter) => open = Some(letter),
            Some(quote) if letter == quote => open = None,
            Some(_) if letter == '\\' => {
                command.push(letter);
                command.extend(letters.next());
                continue;
            }
            None | Some(_) => {}
        }
        command.push(letter);
    }
    if open.is_some() {
        return Err(malformed("a text or pattern is not closed"));
    }
    let commands: Vec<String> = commands.into_iter().map(|command| command.trim().to_owned()).collect();
    if commands.iter().any(String::is_empty) {
        return Err(malformed("unexpected symbol found |"));
    }
    Ok(commands)
}

/// Reads `@message like /a|b/ or @message like "text"`.
fn conditions(text: &str) -> Result<Vec<(String, Like)>, Failure> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        let (field, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let field = known_field(field)?;
        let behind = behind.trim_start();
        let Some(behind) = behind.strip_prefix("like").map(str::trim_start) else {
            return Err(Failure::unsupported(format!("the condition {text:?} in a query")));
        };
        let quote = behind.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '/'));
        let quote = quote.ok_or_else(|| malformed("like wants a text or a pattern"))?;
        let inner = behind.strip_prefix(quote).unwrap_or_default();
        let mut escaped = false;
        let end = inner.find(|letter: char| {
            let is_end = letter == quote && !escaped;
            escaped = letter == '\\' && !escaped;
            is_end
        });
        let (words, after) =
            end.map(|end| inner.split_at(end)).ok_or_else(|| malformed("a text is not closed"))?;
        let like = if quote == '/' {
            let pattern = Regex::new(&words.replace("\\/", "/"));
            Like::Pattern(pattern.map_err(|error| malformed(format!("pattern: {error}")))?)
        } else {
            Like::Text(words.replace(&format!("\\{quote}"), &quote.to_string()).replace("\\\\", "\\"))
        };
        found.push((field, like));
        rest = after.strip_prefix(quote).unwrap_or_default().trim_start();
        if rest.is_empty() {
            return Ok(found);
        }
        rest = match rest.get(..3) {
            Some(or) if or.eq_ignore_ascii_case("or ") => rest.get(3..).unwrap_or_default().trim_start(),
            _ => return Err(Failure::unsupported(format!("{rest:?} behind a condition in a query"))),
        };
    }
}

/// Reads `count(*) as lines by bin(1m)`.
fn stats(text: &str) -> Result<Stats, Failure> {
    let outside = || Failure::unsupported(format!("stats {text:?} in a query"));
    let mut words = text.split_whitespace();
    let aggregate = words.next().ok_or_else(|| malformed("stats names nothing"))?;
    if !matches!(aggregate, "count(*)" | "count()") {
        return Err(outside());
    }
    let mut stats = Stats { name: aggregate.to_owned(), by: None };
    let mut word = words.next();
    if word.is_some_and(|word| word.eq_ignore_ascii_case("as")) {
        words.next().ok_or_else(|| malformed("as names nothing"))?.clone_into(&mut stats.name);
        word = words.next();
    }
    match word {
        None => return Ok(stats),
        Some(by) if by.eq_ignore_ascii_case("by") => {}
        Some(_) => return Err(outside()),
    }
    let by = words.next().ok_or_else(|| malformed("by names nothing"))?;
    stats.by = Some(match by.strip_prefix("bin(").and_then(|rest| rest.strip_suffix(')')) {
        Some(length) => {
            By::Bin(by.to_owned(), bin(length).ok_or_else(|| malformed(format!("bin({length})")))?)
        }
        None => By::Field(known_field(by)?),
    });
    if words.next().is_some() { Err(outside()) } else { Ok(stats) }
}

/// Reads `5m`; seconds and minutes up to 60, hours up to 24.
fn bin(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let (most, length) = match unit {
        "s" => (60, 1_000),
        "m" => (60, 60_000),
        "h" => (24, 3_600_000),
        _ => return None,
    };
    let number: i64 = number.parse().ok().filter(|number| (1..=most).contains(number))?;
    Some(number * length)
}

fn known_field(name: &str) -> Result<String, Failure> {
    if FIELDS.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(Failure::unsupported(format!("the field or expression {name:?} in a query")))
    }
}

/// As Logs Insights writes a time: `2026-11-24 03:02:40.000`.
fn written(at: i64) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

fn malformed(message: impl Into<String>) -> Failure {
    Failure::service(400, "MalformedQueryException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(query: &str) -> Vec<String> {
        let at = |minute: i64| 1_795_489_200_000 + minute * 60_000;
        let line = |minute, message, stream| Line { at: at(minute), message, stream, log: "1:/g".to_owned() };
        let lines = [
            line(0, "ERROR a|b", "s1"),
            line(0, "INFO c", "s1"),
            line(1, "ERROR d", "s2"),
            line(2, "fatal /x", "s2"),
        ];
        let (rows, _) = Query::parse(query).unwrap().run(&lines, 100).unwrap();
        let text = |row: &Value| {
            let fields = row.as_array().unwrap().iter().filter(|field| field["field"] != "@ptr");
            fields.map(|field| field["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        rows.iter().map(text).collect()
    }

    #[test]
    fn the_subset_filters_counts_sorts_and_limits() {
        assert_eq!(
            rows("fields @message | filter @message like /ERROR|INFO/ | limit 2"),
            ["ERROR d", "INFO c"]
        );
        assert_eq!(rows("fields @message | filter @message like \"a|b\""), ["ERROR a|b"]);
        assert_eq!(
            rows(
                "# which\nfilter @message like 'INFO' or @message like /\\/x$/ | fields @message | sort @message asc"
            ),
            ["INFO c", "fatal /x"]
        );
        assert_eq!(rows("filter @message like /ERROR/ | stats count(*)"), ["2"]);
        assert_eq!(rows("stats count(*) as n by @logStream | sort n desc | limit 1"), ["s2 2"]);
        assert_eq!(
            rows("filter @message like /ERROR|fatal/ | stats count(*) as lines by bin(1m)"),
            ["2026-11-24 03:00:00.000 1", "2026-11-24 03:01:00.000 1", "2026-11-24 03:02:00.000 1"]
        );
        assert_eq!(rows("filter @message like /nothing/ | stats count(*)"), Vec::<String>::new());
    }

    #[test]
    fn other_commands_are_refused_and_what_is_none_is_malformed() {
        for query in [
            "parse @message '*' as a",
            "filter level = 'x'",
            "stats max(@billedDuration)",
            "fields level",
            "SOURCE logGroups()",
            "stats count(*) by @log, bin(1m)",
        ] {
            let failure = Query::parse(query).unwrap_err();
            assert!(matches!(failure, Failure::Unsupported(_)), "{query}: {failure:?}");
        }
        for query in [
            "",
            "select *",
            "fields @message |",
            "filter @message like /(/",
            "limit x",
            "stats count(*) by bin(300s)",
        ] {
            let failure = Query::parse(query).unwrap_err();
            assert!(matches!(failure, Failure::Service(_)), "{query}: {failure:?}");
        }
    }
}
