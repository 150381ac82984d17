//! Which models are fast and cheap, and which are strong, by the catalogue.

use crate::model::{ModelId, catalogue};

pub use crate::model::catalogue::Tier;

impl Tier {
    /// Returns the tier of a model; one that is not listed counts as strong.
    pub fn of(model: &ModelId) -> Tier {
        catalogue::entry(model).map_or(Tier::Strong, |row| row.tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_tells_the_tier_and_unknown_models_count_as_strong() {
        for (model, expected) in [
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Tier::Fast),
            ("us.amazon.nova-lite-v1:0", Tier::Fast),
            ("us.anthropic.claude-sonnet-4-6", Tier::Strong),
            ("someone.new-model", Tier::Strong),
        ] {
            assert_eq!(Tier::of(&ModelId::from(model)), expected, "{model}");
        }
    }
}
