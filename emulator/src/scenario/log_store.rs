//! `logs/*.jsonl`: log events by group, in the order of time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use crate::scenario::description::Description;
use crate::scenario::error::{self, ScenarioError};

/// A log group's class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LogClass {
    #[default]
    Standard,
    InfrequentAccess,
}

impl LogClass {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "INFREQUENT_ACCESS",
        }
    }
}

/// One event.
#[derive(Debug)]
pub(crate) struct LogEvent {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// Place in the group's `streams`.
    pub(crate) stream: usize,
    pub(crate) message: String,
}

/// One group with its events, oldest first.
#[derive(Debug)]
pub(crate) struct LogGroup {
    pub(crate) name: String,
    pub(crate) retention_days: Option<u32>,
    pub(crate) created: Timestamp,
    pub(crate) class: LogClass,
    pub(crate) streams: Vec<String>,
    events: Vec<LogEvent>,
}

impl LogGroup {
    /// Returns the events with `from <= at <= to` and the place of the first of them, both in milliseconds.
    pub(crate) fn window(&self, from: i64, to: i64) -> (usize, &[LogEvent]) {
        let begin = self.events.partition_point(|event| event.at < from);
        let end = self.events.partition_point(|event| event.at <= to).max(begin);
        (begin, self.events.get(begin..end).unwrap_or_default())
    }
}

/// All groups, by name.
#[derive(Debug)]
pub(crate) struct LogStore {
    groups: Vec<LogGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    message: String,
}

impl LogStore {
    pub(crate) fn load(folder: &Path, description: &Description) -> Result<Self, ScenarioError> {
        let mut groups: Vec<LogGroup> = description
            .log_groups
            .iter()
            .map(|group| LogGroup {
                name: group.name.clone(),
                retention_days: group.retention_days,
                created: group.created,
                class: group.class,
                streams: Vec::new(),
                events: Vec::new(),
            })
            .collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        let mut streams: HashMap<(usize, String), usize> = HashMap::new();
        for path in files(folder)? {
            let text = error::text(&path)?;
            for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                take(line, &mut groups, &mut streams)
                    .map_err(|reason| ScenarioError::line(&path, index, reason))?;
            }
        }
        for group in &mut groups {
            group.events.sort_by_key(|event| event.at);
        }
        Ok(Self { groups })
    }

    /// Returns the groups, sorted by name.
    pub(crate) fn groups(&self) -> &[LogGroup] {
        &self.groups
    }

    /// Finds a group by its exact name.
    pub(crate) fn find(&self, name: &str) -> Option<&LogGroup> {
        self.groups.iter().find(|group| group.name == name)
    }
}

fn take(
    line: &str,
    groups: &mut [LogGroup],
    streams: &mut HashMap<(usize, String), usize>,
) -> Result<(), String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let Some(place) = groups.iter().position(|group| group.name == *line.group) else {
        return Err(format!("log group {} is not in scenario.toml", line.group));
    };
    let at: Timestamp = line.time.parse().map_err(|error| format!("time {}: {error}", line.time))?;
    let Some(group) = groups.get_mut(place) else { return Err("no such log group".to_owned()) };
    let stream = *streams.entry((place, line.stream.into_owned())).or_insert_with_key(|(_, name)| {
        group.streams.push(name.clone());
        group.streams.len() - 1
    });
    group.events.push(LogEvent { at: at.as_millisecond(), stream, message: line.message });
    Ok(())
}

/// A scenario without logs has no folder for them.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ScenarioError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |source| ScenarioError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
