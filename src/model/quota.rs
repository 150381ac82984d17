//! The account's quotas as Service Quotas lists them, and which of them are a model's.

use crate::model::pace::Quota;
use crate::model::{ModelId, ModelKind, catalogue, geography};

/// One quota of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedQuota {
    /// `Cross-region model inference requests per minute for …`; the case of "Region" varies.
    pub name: String,
    /// Code, for a request to raise it.
    pub code: String,
    /// The value that applies.
    pub value: f64,
    /// Whether AWS raises it on request.
    pub adjustable: bool,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Calls.
    Requests,
    /// Tokens in and out.
    Tokens,
}

/// Returns what the account lets through of a model in a minute; a rate that is not listed is not known.
pub fn of(model: &ModelId, listed: &[ListedQuota]) -> Quota {
    let rate = |unit| per_minute(model, unit, listed).map(|quota| whole(quota.value));
    Quota {
        requests: rate(Unit::Requests).map(|rate| u32::try_from(rate).unwrap_or(u32::MAX)),
        tokens: rate(Unit::Tokens),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1e15 before")]
fn whole(value: f64) -> u64 {
    if value.is_finite() { value.clamp(0.0, 1e15) as u64 } else { u64::MAX }
}

/// Finds the quota a minute of a model, by the way that it is called and the words of its name.
pub fn per_minute<'a>(model: &ModelId, unit: Unit, listed: &'a [ListedQuota]) -> Option<&'a ListedQuota> {
    let named = catalogue::quota_names(model).map(|names| match unit {
        Unit::Requests => names.requests_per_minute.to_lowercase(),
        Unit::Tokens => names.tokens_per_minute.to_lowercase(),
    });
    let exact = listed.iter().find(|quota| Some(quota.name.to_lowercase()) == named);
    if exact.is_some() {
        return exact;
    }
    let unit = match unit {
        Unit::Requests => "requests per minute",
        Unit::Tokens => "tokens per minute",
    };
    let wanted = words_of_id(model.base());
    listed.iter().find(|quota| {
        // AWS writes "Cross-region" and "Cross-Region", within one list.
        let name = quota.name.to_lowercase();
        let global = name.contains("global cross-region");
        let way = match (model.kind(), model.geography()) {
            (ModelKind::FoundationModel, _) => name.contains("on-demand"),
            (ModelKind::SystemProfile, Some(geography::GLOBAL)) => global,
            (ModelKind::SystemProfile, _) => name.contains("cross-region") && !global,
            // What stands behind the account's own ARNs is not known here.
            (
                ModelKind::ApplicationProfile
                | ModelKind::Provisioned
                | ModelKind::Elsewhere
                | ModelKind::Other,
                _,
            ) => false,
        };
        let named = name.rsplit_once(" for ").map(|(_, model)| words_of_name(model));
        way && name.contains(unit) && named.as_ref() == Some(&wanted)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(name: &str, value: f64, adjustable: bool) -> ListedQuota {
        ListedQuota { name: name.into(), code: "L-1D3E59A3".into(), value, adjustable }
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
    fn the_rates_of_a_model_are_whole_and_one_that_is_not_listed_is_not_known() {
        let name = "On-demand model inference requests per minute for Amazon Nova Pro";
        let model = ModelId::from("amazon.nova-pro-v1:0");
        for (value, requests) in
            [(0.0, 0), (13.9, 13), (1e12, u32::MAX), (f64::INFINITY, u32::MAX), (-1.0, 0)]
        {
            let rates = of(&model, &[quota(name, value, false)]);
            assert_eq!(rates, Quota { requests: Some(requests), tokens: None }, "{value}");
        }
        assert_eq!(of(&model, &[]), Quota::default());
    }
}
