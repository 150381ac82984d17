//! Whether a model's quota is enough for an investigation.

use crate::diagnosis::Demand;
use crate::doctor::{Check, Level, Quota};
use crate::iam::{Access, access};
use crate::investigation::depth::Depth;
use crate::model::{ModelId, catalogue, pace};

/// Fewest model calls of one investigation at `full`: plan, two specialists of one turn, one tool round, merge, review.
const LEAST_FULL_CALLS: u32 = 6;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Calls.
    Requests,
    /// Tokens in and out.
    Tokens,
}

/// Finds the quota a minute of a model, by the kind of access and the words of its name.
pub fn per_minute<'a>(model: &ModelId, unit: Unit, quotas: &'a [Quota]) -> Option<&'a Quota> {
    let named = catalogue::quota_names(model).map(|names| match unit {
        Unit::Requests => names.requests_per_minute.to_lowercase(),
        Unit::Tokens => names.tokens_per_minute.to_lowercase(),
    });
    let exact = quotas.iter().find(|quota| Some(quota.name.to_lowercase()) == named);
    if exact.is_some() {
        return exact;
    }
    let unit = match unit {
        Unit::Requests => "requests per minute",
        Unit::Tokens => "tokens per minute",
    };
    let wanted = words_of_id(model.base());
    quotas.iter().find(|quota| {
        // AWS writes "Cross-region" and "Cross-Region", within one list.
        let name = quota.name.to_lowercase();
        let global = name.contains("global cross-region");
        let cross = name.contains("cross-region");
        let kind = match access(model) {
            Access::Direct => name.contains("on-demand"),
            Access::Geographic(_) => cross && !global,
            Access::Global => global,
            Access::Opaque | Access::Elsewhere => false,
        };
        let named = name.rsplit_once(" for ").map(|(_, model)| words_of_name(model));
        kind && name.contains(unit) && named.as_ref() == Some(&wanted)
    })
}

/// Returns the words of an id: `anthropic claude 3 5 sonnet v2`.
fn words_of_id(id: &str) -> Vec<String> {
    let id = id.split(':').next().unwrap_or(id);
    words_of_name(id)
}

/// Returns the words without date and first version, sorted: names put "Sonnet" before or after its number.
fn words_of_name(name: &str) -> Vec<String> {
    let is_date = |word: &str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<String> =
        words.filter(|word| !is_date(word)).map(str::to_lowercase).filter(|word| word != "v1").collect();
    words.sort_unstable();
    words
}

/// Returns what a short investigation at `full` wants of a model in a minute, beside what its quotas let through. A
/// refusal is explained by it.
pub fn demand(model: &ModelId, message: &str, quotas: &[Quota]) -> Demand {
    let requests = per_minute(model, Unit::Requests, quotas);
    let tokens = per_minute(model, Unit::Tokens, quotas);
    let refused = if message.to_lowercase().contains("too many tokens") { tokens } else { requests };
    Demand {
        quota: pace::Quota {
            requests: requests.and_then(|quota| u32::try_from(whole(quota.value)).ok()),
            tokens: tokens.map(|quota| whole(quota.value)),
        },
        adjustable: refused.map(|quota| quota.adjustable),
        calls: LEAST_FULL_CALLS,
        tokens: Depth::Full.planned_tokens(),
        minutes: 1,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and a part of a call is none"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// Judges the quotas of a model against the calls that one investigation makes.
pub fn judge(model: &ModelId, quotas: &[Quota]) -> Vec<Check> {
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

fn judge_requests(model: &ModelId, quota: &Quota) -> Check {
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

fn judge_tokens(model: &ModelId, quota: &Quota) -> Check {
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

fn raise(quota: &Quota) -> String {
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

    pub(crate) fn quota(name: &str, value: f64, adjustable: bool) -> Quota {
        Quota { name: name.into(), code: "L-1D3E59A3".into(), value, adjustable }
    }

    #[test]
    fn a_quota_is_found_whatever_the_spelling_of_its_name() {
        let quotas = [
            quota("On-demand model inference requests per minute for Amazon Nova Pro", 13.0, false),
            quota("Cross-Region model inference requests per minute for Amazon Nova Pro", 25.0, false),
            quota(
                "Cross-region model inference requests per minute for Anthropic Claude 3.5 Sonnet V2",
                1.0,
                false,
            ),
            quota(
                "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4 V1",
                2.0,
                true,
            ),
            quota(
                "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1 1M Context Length",
                3.0,
                true,
            ),
            quota(
                "Cross-region model inference requests per minute for Anthropic Claude Haiku 4.5",
                10.0,
                true,
            ),
            quota(
                "Global cross-region model inference requests per minute for Anthropic Claude Haiku 4.5",
                11.0,
                true,
            ),
        ];
        for (id, value) in [
            ("amazon.nova-pro-v1:0", Some(13.0)),
            ("us.amazon.nova-pro-v1:0", Some(25.0)),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", Some(1.0)),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", Some(2.0)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some(10.0)),
            ("global.anthropic.claude-haiku-4-5-20251001-v1:0", Some(11.0)),
            ("anthropic.claude-haiku-4-5-20251001-v1:0", None),
        ] {
            let found = per_minute(&ModelId::from(id), Unit::Requests, &quotas);
            assert_eq!(found.map(|quota| quota.value), value, "{id}");
        }
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
