//! What is known about models, as data in `models.toml`. A model that is not listed works with cautious defaults.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::model_id::edit_distance;
use crate::model::{ModelId, Usage};

/// One model's row.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// `provider.model`, without geography prefix.
    pub id: String,
    /// What a card calls it.
    pub name: String,
    /// The day AWS retired it, `YYYY-MM-DD`, where it has.
    #[serde(default)]
    pub retired: Option<String>,
    /// US dollars per million input tokens.
    pub input: f64,
    /// US dollars per million output tokens.
    pub output: f64,
    /// Most tokens in one answer.
    pub max_output: u32,
    /// Whether `toolChoice: {tool}` is accepted; newer models refuse it.
    pub forced_tool_choice: bool,
}

static MODELS: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Rows {
        model: Vec<CatalogueEntry>,
    }
    // A test of its own reads the embedded file; a broken one cannot ship.
    toml::from_str::<Rows>(include_str!("models.toml")).map(|rows| rows.model).unwrap_or_default()
});

/// Returns the row of a model, whatever form its id has.
pub fn entry(model: &ModelId) -> Option<&'static CatalogueEntry> {
    let base = model.base();
    MODELS.iter().find(|row| row.id == base)
}

/// Returns every row, in the file's order.
pub fn entries() -> &'static [CatalogueEntry] {
    &MODELS
}

/// Returns the row whose id is spelled most like the model's; `None` where nothing is near.
///
/// Date stamps are left out where that brings the two nearer: a forgotten one is the usual fault.
pub fn nearest(model: &ModelId) -> Option<&'static CatalogueEntry> {
    let base = model.base();
    let far = |row: &CatalogueEntry| {
        edit_distance(base, &row.id).min(edit_distance(&undated(base), &undated(&row.id)))
    };
    let row = MODELS.iter().min_by_key(|row| far(row))?;
    // A third of the letters wrong is another name.
    (far(row) * 3 <= base.chars().count()).then_some(row)
}

/// Returns the id without `-20241022`.
fn undated(id: &str) -> String {
    let is_date = |part: &str| part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_digit());
    id.split('-').filter(|part| !is_date(part)).collect::<Vec<_>>().join("-")
}

/// Returns what a card calls the model: its name, or its bare id where it is not listed.
pub fn name(model: &ModelId) -> &str {
    match entry(model) {
        Some(row) => &row.name,
        None => model.base(),
    }
}

/// Returns the price of an answer, US dollars; `None` for a model without a known price.
///
/// Cached input is charged as AWS publishes it: a read costs a tenth, a write a quarter more.
pub fn cost_usd(model: &ModelId, usage: Usage) -> Option<f64> {
    let row = entry(model)?;
    let tokens = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let input = tokens(usage.input) + 0.1 * tokens(usage.cache_read) + 1.25 * tokens(usage.cache_write);
    Some((input * row.input + tokens(usage.output) * row.output) / 1_000_000.0)
}

/// Returns the largest `maxTokens` that may be asked of the model.
pub fn clamp_output(model: &ModelId, wanted: u32) -> u32 {
    // 4,096 is the smallest output limit among models that Bedrock still serves.
    entry(model).map_or(wanted.min(4096), |row| wanted.min(row.max_output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rows_are_read_and_unknown_models_have_no_price() {
        assert_eq!(MODELS.len(), 4);
        let usage = Usage { input: 1_000_000, output: 100_000, ..Usage::default() };
        let cost = cost_usd(&ModelId::from("us.anthropic.claude-sonnet-4-6"), usage);
        assert!(cost.is_some_and(|cost| (cost - 4.95).abs() < 1e-9), "{cost:?}");
        assert_eq!(cost_usd(&ModelId::from("us.someone.new-model"), usage), None);
        assert_eq!(name(&ModelId::from("us.someone.new-model")), "someone.new-model");
    }

    #[test]
    fn output_is_clamped_to_the_models_limit() {
        assert_eq!(
            clamp_output(&ModelId::from("us.anthropic.claude-3-5-sonnet-20241022-v2:0"), 20_000),
            8192
        );
        assert_eq!(clamp_output(&ModelId::from("someone.new-model"), 20_000), 4096);
    }
}
