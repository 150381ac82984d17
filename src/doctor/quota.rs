//! Whether a model's quota is enough for an investigation.

use crate::diagnosis::Demand;
use crate::doctor::{Check, Level};
use crate::investigation::depth::Depth;
use crate::model::ModelId;
use crate::model::quota::{self, ListedQuota, Unit, per_minute};

/// Fewest model calls of one investigation at `full`: plan, two specialists of one turn, one tool round, merge, review.
const LEAST_FULL_CALLS: u32 = 6;

/// Returns what a short investigation at `full` wants of a model in a minute, beside what its quotas let through. A
/// refusal is explained by it.
pub fn demand(model: &ModelId, message: &str, quotas: &[ListedQuota]) -> Demand {
    let unit = if message.to_lowercase().contains("too many tokens") { Unit::Tokens } else { Unit::Requests };
    Demand {
        quota: quota::of(model, quotas),
        adjustable: per_minute(model, unit, quotas).map(|quota| quota.adjustable),
        calls: LEAST_FULL_CALLS,
        tokens: Depth::Full.planned_tokens(),
        minutes: 1,
    }
}

/// Judges the quotas of a model against the calls that one investigation makes.
pub fn judge(model: &ModelId, quotas: &[ListedQuota]) -> Vec<Check> {
    let requests = per_minute(model, Unit::Requests, quotas).map(|quota| judge_requests(model, quota));
    let tokens = per_minute(model, Unit::Tokens, quotas).map(|quota| judge_tokens(model, quota));
    let found: Vec<Check> = requests.into_iter().chain(tokens).collect();
    if found.is_empty() {
        return vec![Check::new(
            Level::Note,
            model.as_str(),
            "no quota a minute is listed for it; newer models have none on requests",
        )];
    }
    found
}

fn judge_requests(model: &ModelId, quota: &ListedQuota) -> Check {
    let brief = f64::from(Depth::Brief.planned_calls());
    let most = f64::from(Depth::Full.planned_calls());
    let allowed = format!("{} a minute", calls(quota.value));
    let (level, reason) = if quota.value < 1.0 {
        (Level::Bad, "its quota is 0 requests a minute: every call is throttled".to_owned())
    } else if quota.value < brief {
        (
            Level::Warning,
            format!(
                "{allowed}: quota too small for an investigation at full (6 to 11 calls), just enough for brief (1, 2 with a repair)"
            ),
        )
    } else if quota.value < f64::from(LEAST_FULL_CALLS) {
        (
            Level::Warning,
            format!(
                "{allowed}: quota too small for an investigation at full (6 to 11 calls), enough for brief (1 to 2)"
            ),
        )
    } else if quota.value < most {
        (Level::Note, format!("{allowed}: a long investigation (11 calls) waits for the next minute"))
    } else {
        (
            Level::Good,
            format!("{allowed}, enough for {} investigations at full at once", (quota.value / most).floor()),
        )
    };
    let check = Check::new(level, model.as_str(), reason);
    if level >= Level::Warning { check.fix(raise(quota)) } else { check }
}

fn judge_tokens(model: &ModelId, quota: &ListedQuota) -> Check {
    if quota.value < 1.0 {
        return Check::new(
            Level::Bad,
            model.as_str(),
            "its quota is 0 tokens a minute: every call is throttled",
        )
        .fix(raise(quota));
    }
    let planned = Depth::Full.planned_tokens();
    if quota.value < f64::from(planned) {
        let reason = format!(
            "{} tokens a minute: an investigation at full takes about {planned} and waits",
            quota.value
        );
        return Check::new(Level::Warning, model.as_str(), reason).fix(raise(quota));
    }
    Check::new(Level::Good, model.as_str(), format!("{} tokens a minute", quota.value))
}

fn calls(value: f64) -> String {
    if (value - 1.0).abs() < f64::EPSILON { "1 request".into() } else { format!("{value} requests") }
}

fn raise(quota: &ListedQuota) -> String {
    let named = format!("\"{}\" ({})", quota.name, quota.code);
    if quota.adjustable {
        format!(
            "Ask for more of {named}: aws service-quotas request-service-quota-increase --service-code bedrock --quota-code {} --desired-value 60",
            quota.code
        )
    } else {
        format!(
            "{named} is not adjustable: put a model with a larger quota into the ladder, or use depth brief."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(name: &str, value: f64, adjustable: bool) -> ListedQuota {
        ListedQuota { name: name.into(), code: "L-1D3E59A3".into(), value, adjustable }
    }

    #[test]
    fn the_quota_is_compared_with_the_calls_of_an_investigation() {
        let model = ModelId::from("us.amazon.nova-pro-v1:0");
        for (value, level, words) in [
            (0.0, Level::Bad, "every call is throttled"),
            (1.0, Level::Warning, "1 request a minute: quota too small"),
            (2.0, Level::Warning, "enough for brief"),
            (6.0, Level::Note, "waits for the next minute"),
            (11.0, Level::Good, "enough for 1 investigations"),
            (25.0, Level::Good, "enough for 2 investigations"),
        ] {
            let quotas =
                [quota("Cross-region model inference requests per minute for Amazon Nova Pro", value, false)];
            let checks = judge(&model, &quotas);
            assert_eq!(checks.len(), 1);
            assert_eq!(checks[0].level, level, "{value}: {checks:?}");
            assert!(checks[0].reason.contains(words), "{value}: {checks:?}");
            assert_eq!(checks[0].fix.is_some(), level >= Level::Warning);
        }
    }
}
