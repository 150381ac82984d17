//! Model identifiers in every form that Bedrock takes, without an allow-list.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A model id, inference profile id or ARN, as Converse takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(pub String);

impl ModelId {
    /// Returns the identifier as Converse takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `provider.model` without ARN and geography prefix: the key of the catalogue.
    ///
    /// The provider is never taken from a closed list of prefixes: a client that did so refused `global.`
    /// before it reached AWS. Whatever stands before a known-looking `provider.model` pair is a prefix.
    pub fn base(&self) -> &str {
        let last = self.0.rsplit('/').next().unwrap_or(&self.0);
        let mut dots = last.match_indices('.').map(|(at, _)| at);
        match (dots.next(), dots.next()) {
            // Three parts whose first is short and has no digit: `us.`, `us-gov.`, `global.` and those to come.
            (Some(first), Some(_)) if last.get(..first).is_some_and(is_prefix) => {
                last.get(first + 1..).unwrap_or(last)
            }
            _ => last,
        }
    }
}

/// Tells whether the text before the first dot can be a geography prefix.
fn is_prefix(text: &str) -> bool {
    text.len() <= 8 && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ModelId {
    fn from(text: &str) -> Self {
        ModelId(text.to_owned())
    }
}

/// Returns the edit distance (Levenshtein) of two names, for "did you mean".
pub fn edit_distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (right, above) in other.chars().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(left != right)).min(before + 1).min(above + 1);
            diagonal = *above;
            before = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_id_has_the_same_base() {
        for (id, base) in [
            ("anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"),
            ("us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"),
            ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
            ("us-gov.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
            ("newgeo.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0"),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6",
                "anthropic.claude-sonnet-4-6",
            ),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0",
                "anthropic.claude-3-5-sonnet-20241022-v2:0",
            ),
            ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123", "abc123"),
        ] {
            assert_eq!(ModelId::from(id).base(), base, "{id}");
        }
    }
}
