//! What is known about models, as data in `models.toml`. A model that is not listed works with cautious defaults.
//!
//! The configuration may override rows and add some; the binaries [`install`] the result once, because a model's name
//! and price are wanted in places that have nothing else to do with configuration.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Serialize};

use crate::model::model_id::{edit_distance, stem};
use crate::model::{ModelId, Provider, Sampling, Usage};

/// One model's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a feature that a model has or lacks")]
pub struct CatalogueEntry {
    /// `vendor.model`, without geography prefix; or `openai:model` for a model elsewhere.
    pub id: String,
    /// What a card calls it; its id where the row gives no name.
    #[serde(default)]
    pub name: String,
    /// `claude`, `nova`.
    #[serde(default)]
    pub family: String,
    /// `sonnet`, `haiku`, `pro`.
    #[serde(default)]
    pub variant: String,
    /// What it is chosen for.
    #[serde(default)]
    pub tier: Tier,
    /// How well it reasons about an incident.
    #[serde(default)]
    pub capability: Capability,
    /// Most tokens of request and answer, where known.
    #[serde(default)]
    pub context: Option<u64>,
    /// Most tokens in one answer.
    #[serde(default = "cautious_output")]
    pub max_output: u32,
    /// Whether Bedrock serves it through an inference profile only.
    #[serde(default)]
    pub requires_profile: bool,
    /// Whether a temperature is accepted; newer models refuse every sampling parameter.
    #[serde(default)]
    pub temperature: bool,
    /// The sampling that the maker asks for with tools, where there is one.
    #[serde(default)]
    pub sampling: Option<Sampling>,
    /// Whether `toolChoice: {tool}` is accepted; newer models refuse it.
    #[serde(default)]
    pub forced_tool_choice: bool,
    /// Whether reasoning blocks are taken back.
    #[serde(default = "yes")]
    pub reasoning_echo: bool,
    /// Letters that a tool's name may have.
    #[serde(default)]
    pub tool_names: ToolNames,
    /// Prompt caching, where the model has it.
    #[serde(default)]
    pub caching: Option<Caching>,
    /// US dollars per million input tokens; `None` is unpriced.
    #[serde(default)]
    pub input: Option<f64>,
    /// US dollars per million output tokens; `None` is unpriced.
    #[serde(default)]
    pub output: Option<f64>,
    /// US dollars per million tokens read from the cache; a tenth of `input` where absent.
    #[serde(default)]
    pub cache_read: Option<f64>,
    /// US dollars per million tokens written to the cache for 5 minutes; a quarter over `input` where absent.
    #[serde(default)]
    pub cache_write: Option<f64>,
    /// A request whose input is long costs more.
    #[serde(default)]
    pub long_input: Option<LongInput>,
    /// Prices through profiles of other geographies than `us`.
    #[serde(default)]
    pub elsewhere: BTreeMap<String, Price>,
    /// The day it became legacy in the US, `YYYY-MM-DD`.
    #[serde(default)]
    pub legacy: Option<String>,
    /// The day of its end of life in the US, past or announced, `YYYY-MM-DD`.
    #[serde(default)]
    pub retired: Option<String>,
    /// Its end of life is promised to be no earlier, `YYYY-MM-DD`.
    #[serde(default)]
    pub retires_not_before: Option<String>,
    /// What Service Quotas calls it, at the end of a quota's name.
    #[serde(default)]
    pub quota: Option<String>,
    /// AWS Marketplace's product id, for policies; models of Amazon have none.
    #[serde(default)]
    pub product: Option<String>,
}

impl CatalogueEntry {
    /// Gives a row without a name its id for one.
    fn named(mut self) -> Self {
        if self.name.is_empty() {
            self.name.clone_from(&self.id);
        }
        self
    }
}

/// What a model is chosen for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Cheap and quick: one look at a simple alarm.
    Fast,
    /// Everything that is not simple; the cautious answer for a model that nobody described.
    #[default]
    Strong,
}

impl Tier {
    /// Returns the tier of a model; one that is not listed counts as strong.
    pub fn of(model: &ModelId) -> Tier {
        entry(model).map_or(Tier::Strong, |row| row.tier)
    }
}

/// How well a model reasons about an incident, in the words of the seed's table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Best there is.
    Excellent,
    /// Enough for most alarms.
    #[default]
    Good,
}

impl Capability {
    /// Returns the word of the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Excellent => "Excellent",
            Capability::Good => "Good",
        }
    }
}

/// Letters that a tool's name may have. The product's own names fit the narrowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolNames {
    /// `[A-Za-z0-9_]`.
    Word,
    /// `[A-Za-z0-9_-]`, Converse's own rule.
    #[default]
    WordAndHyphen,
}

/// Prompt caching of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caching {
    /// Least tokens of a prefix that is cached; a shorter one is silently not.
    pub minimum: u64,
    /// Times that a prefix may be kept: `5m`, `1h`.
    pub ttls: Vec<String>,
}

/// A surcharge on long requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongInput {
    /// Input tokens above which it applies to the whole request.
    pub over: u64,
    /// Multiplies every price of the row.
    pub factor: f64,
}

/// Prices of one geography, US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of input.
    pub input: f64,
    /// Of output.
    pub output: f64,
}

/// Names of a model's quotas. Service Quotas spells "Cross-region" and "Cross-Region" both, so compare without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaNames {
    /// Requests per minute.
    pub requests_per_minute: String,
    /// Tokens per minute.
    pub tokens_per_minute: String,
}

/// Least of the output limits of models that Bedrock still serves.
fn cautious_output() -> u32 {
    4096
}

fn yes() -> bool {
    true
}

/// The file with the embedded rows.
const MODELS: &str = include_str!("models.toml");

/// The embedded rows; read when a row is first wanted, which is not at a function's start.
static EMBEDDED: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Rows {
        model: Vec<CatalogueEntry>,
    }
    // A test of its own reads the embedded file; a broken one cannot ship.
    let rows: Option<Rows> = toml::from_str(MODELS).ok();
    rows.into_iter().flat_map(|rows| rows.model).map(CatalogueEntry::named).collect()
});

static INSTALLED: OnceLock<Vec<CatalogueEntry>> = OnceLock::new();

/// A row of the configuration that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: {reason}")]
pub struct CatalogueError {
    /// One-based.
    pub row: usize,
    /// In one line.
    pub reason: String,
}

/// Returns the embedded rows with those of the configuration over them, key by key; an id that is new becomes a row.
pub fn overlaid(rows: &[toml::Table]) -> Result<Vec<CatalogueEntry>, CatalogueError> {
    #[derive(Deserialize)]
    struct Rows {
        model: Vec<toml::Table>,
    }
    let embedded: Rows = toml::from_str(MODELS).map_err(|error| unreadable(0, &error))?;
    let mut tables = embedded.model;
    for row in rows {
        match tables.iter_mut().find(|known| row.contains_key("id") && known.get("id") == row.get("id")) {
            Some(known) => known.extend(row.clone()),
            None => tables.push(row.clone()),
        }
        // Checked one by one, so that a fault is told with its row.
        let number = rows.iter().position(|other| other == row).unwrap_or_default() + 1;
        let merged = tables.iter().find(|known| known.get("id") == row.get("id")).unwrap_or(row);
        read(merged).map_err(|error| unreadable(number, &error))?;
    }
    tables.iter().map(read).collect::<Result<_, _>>().map_err(|error| unreadable(0, &error))
}

fn read(row: &toml::Table) -> Result<CatalogueEntry, toml::de::Error> {
    row.clone().try_into().map(CatalogueEntry::named)
}

fn unreadable(row: usize, error: &toml::de::Error) -> CatalogueError {
    CatalogueError { row, reason: error.message().split_whitespace().collect::<Vec<_>>().join(" ") }
}

/// Makes the rows of a configuration, where it has any, those of this process. Only the first rows count: a process has one
/// configuration.
pub fn install(rows: Option<Vec<CatalogueEntry>>) {
    if let Some(rows) = rows {
        let _ = INSTALLED.set(rows);
    }
}

/// Returns every row.
pub fn rows() -> &'static [CatalogueEntry] {
    INSTALLED.get().unwrap_or(&EMBEDDED)
}

/// Returns the row of a model, whatever form its id has.
pub fn entry(model: &ModelId) -> Option<&'static CatalogueEntry> {
    entry_in(rows(), model)
}

fn entry_in<'a>(rows: &'a [CatalogueEntry], model: &ModelId) -> Option<&'a CatalogueEntry> {
    let base = model.base();
    if base.is_empty() {
        return None;
    }
    let named = |row: &&CatalogueEntry| match model.provider() {
        Provider::Bedrock => stem(&row.id) == stem(base),
        // The maker's API spells the same model without vendor and version: `claude-haiku-4-5-20251001`.
        Provider::Anthropic => row.id.strip_prefix("anthropic.").is_some_and(|own| stem(own) == stem(base)),
        Provider::OpenAi => row.id == model.as_str(),
    };
    rows.iter().find(|row| row.id == base || row.id == model.as_str()).or_else(|| rows.iter().find(named))
}

/// Returns the row whose id is spelled most like the model's; `None` where nothing is near.
///
/// Date stamps are left out where that brings the two nearer: a forgotten one is the usual fault.
pub fn nearest(model: &ModelId) -> Option<&'static CatalogueEntry> {
    let base = model.base();
    let far = |row: &CatalogueEntry| {
        edit_distance(base, &row.id).min(edit_distance(&undated(base), &undated(&row.id)))
    };
    let row = rows().iter().min_by_key(|row| far(row))?;
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

/// Returns the name with the way that the prompt took, where it is not the usual one: `Sonnet 4.6 (eu)`.
pub fn label(model: &ModelId) -> String {
    let name = name(model);
    let way = match (model.provider(), model.geography()) {
        (Provider::Bedrock, None | Some("us")) => return name.to_owned(),
        (Provider::Bedrock, Some(geography)) => geography,
        (Provider::Anthropic, _) => "Anthropic's API",
        (Provider::OpenAi, _) => "OpenAI-compatible endpoint",
    };
    format!("{name} ({way})")
}

/// Returns the prices of a model by the way that it is called; `None` where the row has none.
fn price(model: &ModelId, row: &CatalogueEntry) -> Option<Price> {
    let listed = Price { input: row.input?, output: row.output? };
    let geography = match model.provider() {
        Provider::Bedrock => model.geography().unwrap_or("us"),
        // The maker's API has the price of the global profile.
        Provider::Anthropic | Provider::OpenAi => "global",
    };
    Some(row.elsewhere.get(geography).copied().unwrap_or(listed))
}

/// Returns the price of an answer, US dollars; `None` for a model without a known price.
///
/// Cached input is charged as AWS publishes it: a read costs a tenth, a write a quarter more, unless the row says
/// otherwise.
pub fn cost_usd(model: &ModelId, usage: Usage) -> Option<f64> {
    let row = entry(model)?;
    let (listed, price) = (row.input?, price(model, row)?);
    // The cache's prices of a row stand for the us profile; elsewhere they follow the input's.
    let moved = if listed > 0.0 { price.input / listed } else { 1.0 };
    let cache_read = row.cache_read.unwrap_or(0.1 * listed) * moved;
    let cache_write = row.cache_write.unwrap_or(1.25 * listed) * moved;
    let tokens = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let read = usage.input + usage.cache_read + usage.cache_write;
    let factor = row.long_input.filter(|long| read > long.over).map_or(1.0, |long| long.factor);
    let cost = tokens(usage.input) * price.input
        + tokens(usage.cache_read) * cache_read
        + tokens(usage.cache_write) * cache_write
        + tokens(usage.output) * price.output;
    Some(factor * cost / 1_000_000.0)
}

/// Says by which criteria a model is chosen and how it meets them on a day (`2026-11-24`): whether it is available, how
/// well it reasons, whether its version stays what it is, across which Regions it is routed, and whether it is known.
pub fn rationale(model: &ModelId, today: &str) -> String {
    let route = match (model.provider(), model.geography()) {
        (Provider::Bedrock, Some("global")) => "routed to any commercial Region".to_owned(),
        (Provider::Bedrock, Some(prefix)) => format!("routed across the Regions of {prefix}"),
        (Provider::Bedrock, None) => "served in one Region".to_owned(),
        (provider, _) => format!("served by {}", provider.as_str()),
    };
    let Some(row) = entry(model) else {
        return format!("not in the catalogue: availability, reasoning and price unknown; {route}");
    };
    let available = match (&row.retired, &row.legacy) {
        (Some(day), _) if day.as_str() <= today => format!("retired {day}"),
        (Some(day), _) => format!("available until {day}"),
        (None, Some(day)) if day.as_str() <= today => format!("legacy since {day}"),
        (None, _) => "available".to_owned(),
    };
    let is_dated =
        row.id.split(['-', ':']).any(|part| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit()));
    let version = if is_dated || row.id.contains("-v") { "pinned version" } else { "version that may move" };
    let reasoning = row.capability.as_str().to_lowercase();
    let price = price(model, row).map_or_else(
        || "unpriced".to_owned(),
        |price| format!("${} and ${} a million tokens in and out", price.input, price.output),
    );
    format!("{available}; {reasoning} reasoning; {version}; {route}; in the catalogue: {price}")
}

/// Returns the largest `maxTokens` that may be asked of the model.
pub fn clamp_output(model: &ModelId, wanted: u32) -> u32 {
    entry(model).map_or(wanted.min(cautious_output()), |row| wanted.min(row.max_output))
}

/// Returns what Service Quotas calls the model's quotas, by the way that it is called.
pub fn quota_names(model: &ModelId) -> Option<QuotaNames> {
    if model.provider() != Provider::Bedrock {
        return None;
    }
    let name = entry(model)?.quota.as_ref()?;
    let way = match model.geography() {
        None => "On-demand",
        Some("global") => "Global cross-region",
        Some(_) => "Cross-region",
    };
    let quota = |unit: &str| format!("{way} model inference {unit} per minute for {name}");
    Some(QuotaNames { requests_per_minute: quota("requests"), tokens_per_minute: quota("tokens") })
}

#[cfg(test)]
mod tests;
