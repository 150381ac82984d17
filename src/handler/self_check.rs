//! The daily look at itself: the heartbeat, and a message where something has changed since the last time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Services;
use crate::clock::Deadline;
use crate::delivery::{Posting, deliver_all};
use crate::doctor::{Check, Examination, Level};
use crate::report::document::{Document, Line, Marks, Section};
use crate::run::RunEvent;
use crate::store;

/// The store's item that remembers what was found the last time.
const ITEM: &str = "self-check";

/// How long that is remembered: missing many days is no news.
const KEPT: Duration = Duration::from_hours(14 * 24);

/// What was found the last time, by heading and subject: the level then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Whether there was a last time.
    looked: bool,
    found: BTreeMap<String, Level>,
}

/// Tells what of an examination has changed since the last one, and posts that. The answer is the examination as JSON, with
/// `posted`: how many channels took the message, or nothing where there was none.
///
/// What changed is told by subject and level, so that a reason with a day's count in it is no news each day. The first look
/// has nothing to compare with: it is told only where no model can be called. Without a state table each container has a
/// first look of its own.
pub async fn self_check(examination: &Examination, deadline: Deadline, services: &Services) -> Value {
    let function = services.config.own.function.clone();
    services.observer.emit(RunEvent::SelfChecked { function, usable: examination.usable.len() });
    let wrong = examination.wrong();
    let found: BTreeMap<String, Level> =
        wrong.iter().map(|(heading, check)| (key(heading, check), check.level)).collect();
    let store = services.store.as_ref();
    let remembered = store::update(store, ITEM, KEPT, |known: &mut Known| known.clone()).await;
    let known = remembered.unwrap_or_else(|error| {
        let message = format!("the store did not answer, what changed is not known: {error}");
        services.observer.emit(RunEvent::Warning { message });
        Known::default()
    });
    let is_told = known.looked || examination.usable.is_empty();
    let is_new = |(heading, check): &&(&str, &Check)| {
        known.found.get(&key(heading, check)).is_none_or(|level| check.level > *level)
    };
    let news: Vec<&Check> = wrong.iter().filter(is_new).map(|(_, check)| *check).collect();
    let is_over = |key: &&String| !found.contains_key(*key);
    let over: Vec<&str> = known
        .found
        .keys()
        .filter(is_over)
        .map(|key| key.split_once(": ").map_or(key.as_str(), |(_, key)| key))
        .collect();
    let mut answer = examination.as_json();
    let (mut posted, mut is_known) = (Value::Null, true);
    if is_told && !(news.is_empty() && over.is_empty()) {
        let mut document = message(&news, &over, examination);
        services.config.readers.fit(&mut document);
        let posting = Posting::notice(&document, &[]);
        let results = deliver_all(&services.channels, posting, deadline, &services.observer).await;
        let taken = results.iter().filter(|result| result.is_ok()).count();
        is_known = taken > 0;
        posted = json!(taken);
    }
    // What nobody was told is news the next time as well.
    if is_known {
        let now = Known { looked: true, found: found.clone() };
        if let Err(error) = store::update(store, ITEM, KEPT, |known: &mut Known| known.clone_from(&now)).await
        {
            let message = format!("the store did not answer, what was told is told again: {error}");
            services.observer.emit(RunEvent::Warning { message });
        }
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("posted".into(), posted);
    }
    answer
}

fn key(heading: &str, check: &Check) -> String {
    format!("{heading}: {}", check.subject)
}

/// Composes what is told.
fn message(news: &[&Check], over: &[&str], examination: &Examination) -> Document {
    let usable = examination.conclusion();
    let told = |check: &&Check| {
        let fix = check.fix.as_ref().map(|fix| format!(" -> {fix}")).unwrap_or_default();
        Line::text(format!("{}: {}{fix}", check.subject, check.reason))
    };
    let new = Section {
        heading: "New since the last look".into(),
        marks: Marks::Bullets,
        items: news.iter().map(told).collect(),
    };
    let gone = Section {
        heading: "No longer so".into(),
        marks: Marks::Bullets,
        items: over.iter().map(|subject| Line::text(*subject)).collect(),
    };
    let count = news.len();
    let push = match count {
        0 => format!("sre-agent: what was wrong is mended. {usable}"),
        _ => format!("sre-agent: {count} of its own checks went wrong. {usable}"),
    };
    Document {
        statement: vec![Line::text(usable)],
        sections: [new, gone].into_iter().filter(|section| !section.items.is_empty()).collect(),
        ..Document::of_itself(
            "self_check",
            push.chars().take(120).collect(),
            "sre-agent: a look at itself",
            "Told because something changed since the last look.".into(),
            if count == 0 { "MENDED" } else { "THE AGENT NEEDS A HAND" },
        )
    }
}
