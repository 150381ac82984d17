//! Which models are fast and cheap, and which are strong: by price, so that a new row needs no other mark.

use crate::model::{ModelId, catalogue};

/// What a model is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Quick and cheap: one question over a digest.
    Fast,
    /// Strong: a whole investigation. A model that is not listed counts as strong.
    Strong,
}

/// US dollars per million input tokens from which on a model is taken for a strong one: Haiku 4.5 costs 1.10, Sonnet
/// from 2.20 on.
const STRONG_FROM: f64 = 2.0;

impl Tier {
    /// Returns the tier of a model.
    pub fn of(model: &ModelId) -> Tier {
        match catalogue::entry(model) {
            Some(row) if row.input < STRONG_FROM => Tier::Fast,
            Some(_) | None => Tier::Strong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_models_are_fast_and_unknown_ones_strong() {
        for (model, expected) in [
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Tier::Fast),
            ("us.amazon.nova-pro-v1:0", Tier::Fast),
            ("us.anthropic.claude-sonnet-4-6", Tier::Strong),
            ("someone.new-model", Tier::Strong),
        ] {
            assert_eq!(Tier::of(&ModelId::from(model)), expected, "{model}");
        }
    }
}
