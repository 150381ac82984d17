//! How deep a run goes, and why.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How deep a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// No model is asked.
    Facts,
    /// Supervisor, specialists, merge and review.
    Full,
}

impl Depth {
    /// Returns the depth's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Depth::Facts => "facts",
            Depth::Full => "full",
        }
    }

    /// Returns the most model calls that a run of this depth plans: plan, three specialists of three turns, merge with
    /// one repair, review.
    pub fn planned_calls(self) -> u32 {
        match self {
            Depth::Facts => 0,
            Depth::Full => 11,
        }
    }
}

/// The chosen depth with the reason, for the run's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How deep.
    pub depth: Depth,
    /// In one line.
    pub reason: String,
}

/// Least time for an investigation: a plan, a look, a merge, at the two seconds that the fastest models take.
const LEAST_TIME: Duration = Duration::from_secs(8);

/// Chooses the depth. `asked` is the configured one, if it is not automatic.
pub fn choose(asked: Option<Depth>, model_configured: bool, time_left: Duration) -> Choice {
    if asked == Some(Depth::Facts) {
        return Choice { depth: Depth::Facts, reason: "depth is set to facts".into() };
    }
    if !model_configured {
        return Choice { depth: Depth::Facts, reason: "no model is configured".into() };
    }
    if time_left < LEAST_TIME {
        let reason = format!("{} s are left, too few for an investigation", time_left.as_secs());
        return Choice { depth: Depth::Facts, reason };
    }
    let reason =
        if asked.is_some() { "configured" } else { "automatic: a model is configured and time is left" };
    Choice { depth: Depth::Full, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_comes_with_its_reason() {
        let minute = Duration::from_mins(1);
        assert_eq!(choose(None, true, minute).depth, Depth::Full);
        assert_eq!(choose(Some(Depth::Facts), true, minute).depth, Depth::Facts);
        assert_eq!(choose(None, false, minute).reason, "no model is configured");
        assert_eq!(
            choose(None, true, Duration::from_secs(3)).reason,
            "3 s are left, too few for an investigation"
        );
    }
}
