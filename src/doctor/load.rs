//! What an account's alarms ask of the agent: investigations a month, what they cost, and the most in one minute beside
//! what a model's quota lets through. From the alarms' history, so before the first of them is connected.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::clock::Timestamp;
use crate::doctor::{Check, Level, Part};
use crate::gather::telemetry::TelemetryError;
use crate::investigation::depth::Depth;
use crate::model::quota::{ListedQuota, Unit, per_minute};
use crate::model::{ModelId, catalogue};

const HEADING: &str = "What the account's alarms would ask for";

/// A month, for which figures are told.
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// When the account's alarms went off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Names of alarms and when each went off, in any order.
    pub firings: Vec<(String, Timestamp)>,
    /// The time that was read, up to now.
    pub read: SignedDuration,
    /// Whether all of that time was read; false where there were more items than are read.
    pub complete: bool,
}

/// What the alarms of a time would have asked of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Alarms that went off at all.
    pub alarms: usize,
    /// How often any did.
    pub firings: usize,
    /// Investigations at most: alarms that belong to one incident are investigated once, which the history does not tell.
    pub investigations: usize,
    /// Most investigations that began within one minute.
    pub peak: usize,
}

impl Load {
    /// Counts; an alarm that goes off again within `cool_down` of its last investigation is told in a line.
    pub fn of(history: &History, cool_down: Duration) -> Self {
        let mut firings = history.firings.clone();
        firings.sort_by_key(|firing| firing.1);
        let cool_down = SignedDuration::try_from(cool_down).unwrap_or(SignedDuration::ZERO);
        let mut last: BTreeMap<&str, Timestamp> = BTreeMap::new();
        let mut begun: Vec<Timestamp> = Vec::new();
        for (alarm, at) in &firings {
            let is_told = last.get(alarm.as_str()).is_some_and(|last| at.duration_since(*last) < cool_down);
            if !is_told {
                last.insert(alarm, *at);
                begun.push(*at);
            }
        }
        let within_a_minute = |at: &Timestamp| {
            let is_near = |other: &&Timestamp| {
                let after = other.duration_since(*at);
                !after.is_negative() && after < SignedDuration::from_mins(1)
            };
            begun.iter().filter(is_near).count()
        };
        Load {
            alarms: last.len(),
            firings: firings.len(),
            investigations: begun.len(),
            peak: begun.iter().map(within_a_minute).max().unwrap_or_default(),
        }
    }
}

/// Judges the load against the first model that can be called.
pub fn part(history: &History, cool_down: Duration, model: Option<&ModelId>, quotas: &[ListedQuota]) -> Part {
    let load = Load::of(history, cool_down);
    let days = (history.read.as_secs() / 86_400).max(1);
    let more = if history.complete { "" } else { "; there is more history than was read" };
    let seen = Check::new(
        if history.complete { Level::Good } else { Level::Note },
        "alarms",
        format!(
            "{} alarms went off {} times in {days} days; at most {} investigations, {} of them within one minute{more}",
            load.alarms, load.firings, load.investigations, load.peak
        ),
    );
    let mut checks = vec![seen];
    if let Some(model) = model {
        checks.push(cost(&load, history.read, model));
        checks.extend(peak(&load, model, quotas));
    }
    Part { heading: HEADING.into(), checks }
}

/// Returns the part where the history could not be read.
pub fn unread(error: &TelemetryError) -> Part {
    Part { heading: HEADING.into(), checks: vec![Check::unseen("alarms", error)] }
}

/// Tells about what a month costs; of a model without a known price, that it is unpriced.
fn cost(load: &Load, read: SignedDuration, model: &ModelId) -> Check {
    let months = read.as_secs_f64() / MONTH.as_secs_f64();
    let count = f64::from(u32::try_from(load.investigations).unwrap_or(u32::MAX));
    let a_month = if months > 0.0 { count / months } else { count };
    let reason = match catalogue::cost_usd(model, Depth::FULL_USAGE) {
        Some(each) => format!(
            "at most {a_month:.0} investigations a month at about ${each:.2} each with {model} at full: ${:.2}",
            a_month * each
        ),
        None => format!("at most {a_month:.0} investigations a month; {model} is unpriced"),
    };
    Check::new(Level::Good, "cost", reason)
}

/// Compares the busiest minute with the requests a minute that the model's quota lets through.
fn peak(load: &Load, model: &ModelId, quotas: &[ListedQuota]) -> Option<Check> {
    let quota = per_minute(model, Unit::Requests, quotas)?;
    let wanted =
        f64::from(u32::try_from(load.peak).unwrap_or(u32::MAX)) * f64::from(Depth::Full.planned_calls());
    let reason = format!(
        "the busiest minute would ask {model} for up to {wanted:.0} requests; its quota is {} a minute",
        quota.value
    );
    Some(if wanted > quota.value {
        Check::new(Level::Note, "busiest minute", reason)
            .fix("Nothing is lost: investigations wait or go brief, and facts are posted first. More quota ends the waiting.")
    } else {
        Check::new(Level::Good, "busiest minute", reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn history(firings: &[(&str, i64)]) -> History {
        let firings = firings.iter().map(|(alarm, second)| ((*alarm).to_owned(), at(*second))).collect();
        History { firings, read: MONTH, complete: true }
    }

    #[test]
    fn a_flapping_alarm_counts_once_in_its_cool_down_and_the_busiest_minute_is_found() {
        let seen = history(&[("a", 0), ("a", 599), ("a", 600), ("b", 610), ("c", 659), ("d", 660)]);
        let load = Load::of(&seen, Duration::from_mins(10));
        assert_eq!(load, Load { alarms: 4, firings: 6, investigations: 5, peak: 3 });
        let load = Load::of(&seen, Duration::ZERO);
        assert_eq!((load.investigations, load.peak), (6, 3));
        let none = Load::of(&History::default(), Duration::from_mins(10));
        assert_eq!(none, Load { alarms: 0, firings: 0, investigations: 0, peak: 0 });
    }

    #[test]
    fn cost_and_peak_are_told_for_the_model_that_answers() {
        let model = ModelId::from("us.anthropic.claude-sonnet-4-6");
        let name = "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.6";
        let quota = |value| ListedQuota { name: name.into(), code: "L-1".into(), value, adjustable: true };
        let seen = history(&[("a", 0), ("b", 10), ("c", 90_000)]);
        let told = part(&seen, Duration::from_mins(10), Some(&model), &[quota(10.0)]);
        let reasons: Vec<&str> = told.checks.iter().map(|check| check.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "3 alarms went off 3 times in 30 days; at most 3 investigations, 2 of them within one minute",
                "at most 3 investigations a month at about $0.30 each with us.anthropic.claude-sonnet-4-6 at full: $0.89",
                "the busiest minute would ask us.anthropic.claude-sonnet-4-6 for up to 22 requests; its quota is 10 a minute",
            ]
        );
        assert!(told.checks[2].fix.is_some());
        let enough = part(&seen, Duration::from_mins(10), Some(&model), &[quota(50.0)]);
        assert_eq!(enough.checks[2].fix, None);
        let unpriced = part(&seen, Duration::from_mins(10), Some(&ModelId::from("acme.orion-1")), &[]);
        assert!(unpriced.checks[1].reason.ends_with("acme.orion-1 is unpriced"), "{unpriced:?}");
        let cut = part(&History { complete: false, ..seen }, Duration::ZERO, None, &[]);
        assert_eq!(cut.checks.len(), 1);
        assert!(cut.checks[0].reason.contains("more history than was read"), "{cut:?}");
    }
}
