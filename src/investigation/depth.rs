//! How deep a run goes, and why: by what there is to read, and by what quota, money and time allow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Usage;
use crate::model::budget::DayLeft;
use crate::model::catalogue::Tier;

/// How deep a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// No model is asked.
    Facts,
    /// One analyst reads the digest; a cause is likely at most.
    Brief,
    /// Supervisor, specialists, merge and review.
    Full,
}

impl Depth {
    /// Every depth.
    pub const ALL: [Depth; 3] = [Depth::Facts, Depth::Brief, Depth::Full];

    /// Returns the depth's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Depth::Facts => "facts",
            Depth::Brief => "brief",
            Depth::Full => "full",
        }
    }

    /// Returns the most model calls that a run of this depth plans. Brief: the analyst and one repair. Full: plan, three
    /// specialists of three turns, merge with one repair, review.
    pub fn planned_calls(self) -> u32 {
        match self {
            Depth::Facts => 0,
            Depth::Brief => 2,
            Depth::Full => 11,
        }
    }

    /// What the calls of a full run take, as recorded runs took.
    pub const FULL_USAGE: Usage = Usage { input: 60_000, output: 6_000, cache_read: 0, cache_write: 0 };

    /// Returns about how many tokens those calls take, in and out, as recorded runs took.
    pub fn planned_tokens(self) -> u32 {
        match self {
            Depth::Facts => 0,
            Depth::Brief => 12_000,
            Depth::Full => 66_000,
        }
    }

    /// Returns the tier whose models are asked first. A full run keeps the configured order, best first.
    pub fn begins_with(self) -> Option<Tier> {
        match self {
            Depth::Brief => Some(Tier::Fast),
            Depth::Facts | Depth::Full => None,
        }
    }
}

/// The chosen depth with the reason, for the run's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Choice {
    /// How deep.
    pub depth: Depth,
    /// In one line.
    pub reason: String,
}

/// What the depth is chosen from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Considered {
    /// The configured depth; `None` is automatic.
    pub asked: Option<Depth>,
    /// Whether there is a model to ask.
    pub model_configured: bool,
    /// Time for the investigation.
    pub time_left: Duration,
    /// What the expected model lets through, where its quota is known.
    pub allowance: Option<Allowance>,
    /// What a full run is estimated to cost, US dollars; `None` where the expected model has no known price.
    pub full_cost_usd: Option<f64>,
    /// What may be spent, US dollars: of the run, or what is left of the day where that is less.
    pub money_left_usd: f64,
    /// What the day's limits leave.
    pub day: DayLeft,
    /// What there is to read.
    pub features: Features,
}

impl Considered {
    /// Returns what the deepest run is chosen from that this time allows, before anything was read.
    pub fn at_most(asked: Option<Depth>, time_left: Duration) -> Self {
        Considered {
            asked,
            model_configured: true,
            time_left,
            allowance: None,
            full_cost_usd: None,
            money_left_usd: f64::MAX,
            day: DayLeft::default(),
            features: Features {
                known: false,
                lead: true,
                rivals: 0,
                logs: true,
                changes: true,
                evidence: true,
            },
        }
    }
}

/// What a quota lets through in the time that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a minute, where that is the known rate.
    pub requests_per_minute: Option<u32>,
    /// Requests in the time left, counted up to those of a full run.
    pub calls: u32,
}

/// What the computed facts say about how simple a case is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a plain observation, in any combination")]
pub struct Features {
    /// The same alarm was reported by this process with the same lead.
    pub known: bool,
    /// Whether something stands out.
    pub lead: bool,
    /// Other changes that would explain it.
    pub rivals: usize,
    /// Whether log lines were found.
    pub logs: bool,
    /// Whether changes were found.
    pub changes: bool,
    /// Whether anything of the account could be read at all.
    pub evidence: bool,
}

/// Least time for one answer of the fastest models, and its repair.
const LEAST_TIME: Duration = Duration::from_secs(6);

/// Least time for a plan, a look and a merge, at the two seconds that the fastest models take for each, twice over.
const LEAST_TIME_FULL: Duration = Duration::from_secs(12);

/// Tokens of a full run, in and out, as recorded runs took.
const FULL_TOKENS: u64 = 66_000;

/// Chooses the depth. What is asked for is done as far as time, quota and money of the day let it be done.
pub fn choose(considered: &Considered) -> Choice {
    let choice = |depth, reason: String| Choice { depth, reason };
    if considered.asked == Some(Depth::Facts) {
        return choice(Depth::Facts, "depth is set to facts".into());
    }
    if !considered.model_configured {
        return choice(Depth::Facts, "no model is configured".into());
    }
    if !considered.features.evidence {
        return choice(Depth::Facts, "nothing could be read that a model could judge".into());
    }
    let seconds = considered.time_left.as_secs();
    if considered.time_left < LEAST_TIME {
        return choice(Depth::Facts, format!("{seconds} s are left, too few for an investigation"));
    }
    if let Some(limit) = considered.day.tripped() {
        return choice(Depth::Facts, limit.as_str().into());
    }
    match considered.asked {
        // A person who asks for it by name gets it, whatever it waits for.
        Some(asked) => choice(asked, "configured".into()),
        None => match why_brief(considered) {
            Some(reason) => choice(Depth::Brief, reason),
            None => choice(Depth::Full, why_full(considered.features)),
        },
    }
}

/// Returns why one call is enough, or all that can be had.
fn why_brief(considered: &Considered) -> Option<String> {
    let planned = Depth::Full.planned_calls();
    if considered.time_left < LEAST_TIME_FULL {
        return Some(format!("{} s are left, enough for one analyst", considered.time_left.as_secs()));
    }
    if let Some(allowance) = considered.allowance.filter(|allowance| allowance.calls < planned) {
        let rate =
            allowance.requests_per_minute.map(|rate| format!(" of {rate} a minute")).unwrap_or_default();
        return Some(format!(
            "the model's quota{rate} lets {} of {planned} planned calls through in time",
            allowance.calls
        ));
    }
    if let Some(cost) = considered.full_cost_usd.filter(|cost| *cost > considered.money_left_usd) {
        return Some(format!(
            "a full run costs about ${cost:.2}, ${:.2} may be spent",
            considered.money_left_usd
        ));
    }
    if let Some(calls) = considered.day.calls.filter(|calls| *calls < planned) {
        return Some(format!("the call limit of the day leaves {calls} of {planned} planned calls"));
    }
    if let Some(tokens) = considered.day.tokens.filter(|tokens| *tokens < FULL_TOKENS) {
        return Some(format!(
            "a full run takes about {FULL_TOKENS} tokens, {tokens} are left of the day's limit"
        ));
    }
    let features = considered.features;
    if features.known {
        return Some("the same alarm was reported with the same lead before".into());
    }
    if !features.logs && !features.changes && !features.lead {
        return Some("no log lines, no changes and no lead: metrics are all there is to read".into());
    }
    None
}

fn why_full(features: Features) -> String {
    let mut there = Vec::new();
    if features.logs {
        there.push("log lines".to_owned());
    }
    if features.changes {
        there.push("changes".to_owned());
    }
    there.push(match (features.lead, features.rivals) {
        (false, _) => "no lead".to_owned(),
        (true, 0) => "one lead".to_owned(),
        (true, rivals) => format!("a lead with {rivals} {}", if rivals == 1 { "rival" } else { "rivals" }),
    });
    format!("automatic: {} to look into", there.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A case worth a full run, with nothing in its way.
    const PLAIN: Considered = Considered {
        asked: None,
        model_configured: true,
        time_left: Duration::from_mins(4),
        allowance: None,
        full_cost_usd: Some(0.30),
        money_left_usd: 0.50,
        day: DayLeft { usd: None, calls: None, tokens: None },
        features: Features { known: false, lead: true, rivals: 0, logs: true, changes: true, evidence: true },
    };

    fn features(change: impl FnOnce(&mut Features)) -> Considered {
        let mut considered = PLAIN;
        change(&mut considered.features);
        considered
    }

    fn day(change: fn(&mut DayLeft)) -> Considered {
        let mut considered = PLAIN;
        change(&mut considered.day);
        considered
    }

    fn allowance(requests_per_minute: Option<u32>, calls: u32) -> Considered {
        Considered { allowance: Some(Allowance { requests_per_minute, calls }), ..PLAIN }
    }

    #[test]
    fn the_depth_follows_from_what_there_is_and_comes_with_its_reason() {
        let seconds = Duration::from_secs;
        let metrics_only = features(|f| (f.logs, f.changes, f.lead) = (false, false, false));
        for (considered, depth, reason) in [
            (PLAIN, Depth::Full, "automatic: log lines, changes, one lead to look into"),
            (
                features(|f| f.rivals = 2),
                Depth::Full,
                "automatic: log lines, changes, a lead with 2 rivals to look into",
            ),
            (features(|f| f.logs = false), Depth::Full, "automatic: changes, one lead to look into"),
            (
                features(|f| f.lead = false),
                Depth::Full,
                "automatic: log lines, changes, no lead to look into",
            ),
            (
                metrics_only,
                Depth::Brief,
                "no log lines, no changes and no lead: metrics are all there is to read",
            ),
            (
                features(|f| f.known = true),
                Depth::Brief,
                "the same alarm was reported with the same lead before",
            ),
            (
                allowance(Some(1), 4),
                Depth::Brief,
                "the model's quota of 1 a minute lets 4 of 11 planned calls through in time",
            ),
            (
                allowance(None, 3),
                Depth::Brief,
                "the model's quota lets 3 of 11 planned calls through in time",
            ),
            (allowance(Some(10), 11), Depth::Full, "automatic: log lines, changes, one lead to look into"),
            (
                Considered { money_left_usd: 0.05, ..PLAIN },
                Depth::Brief,
                "a full run costs about $0.30, $0.05 may be spent",
            ),
            (
                Considered { money_left_usd: 0.05, full_cost_usd: None, ..PLAIN },
                Depth::Full,
                "automatic: log lines, changes, one lead to look into",
            ),
            (day(|day| day.usd = Some(0.0)), Depth::Facts, "the cost limit of the day was reached"),
            (day(|day| day.calls = Some(0)), Depth::Facts, "the call limit of the day was reached"),
            (day(|day| day.tokens = Some(0)), Depth::Facts, "the token limit of the day was reached"),
            (
                day(|day| day.calls = Some(3)),
                Depth::Brief,
                "the call limit of the day leaves 3 of 11 planned calls",
            ),
            (
                day(|day| day.tokens = Some(20_000)),
                Depth::Brief,
                "a full run takes about 66000 tokens, 20000 are left of the day's limit",
            ),
            (
                Considered { time_left: seconds(9), ..PLAIN },
                Depth::Brief,
                "9 s are left, enough for one analyst",
            ),
            (
                Considered { time_left: seconds(3), ..PLAIN },
                Depth::Facts,
                "3 s are left, too few for an investigation",
            ),
            (
                features(|f| f.evidence = false),
                Depth::Facts,
                "nothing could be read that a model could judge",
            ),
            (Considered { model_configured: false, ..PLAIN }, Depth::Facts, "no model is configured"),
            (Considered { asked: Some(Depth::Facts), ..PLAIN }, Depth::Facts, "depth is set to facts"),
            (Considered { asked: Some(Depth::Brief), ..PLAIN }, Depth::Brief, "configured"),
            // What a person asks for is done at its pace.
            (Considered { asked: Some(Depth::Full), ..allowance(Some(1), 4) }, Depth::Full, "configured"),
        ] {
            let expected = Choice { depth, reason: reason.to_owned() };
            assert_eq!(choose(&considered), expected, "{considered:?}");
        }
    }
}
