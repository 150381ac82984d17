//! The configuration: one document, three layers, every fault at once.
//!
//! The layers are the embedded default, a document (a file or an SSM parameter, read by the caller), and scalar
//! `SRE_AGENT_*` variables. An empty variable counts as unset, because SAM hands a variable without value on as empty
//! text. The environment is never read here.

mod destinations;
mod raw;
mod slack;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::delivery::{Bucket, Destinations, Route, SlackBot, Webhook};
use crate::investigation::depth::Depth;
use crate::model::backoff::Backoff;
use crate::model::budget::PerDay;
use crate::model::catalogue::{self, CatalogueEntry};
use crate::model::ladder::plan::{Plan, Wanted, plan};
use crate::model::model_id::edit_distance;
use crate::model::pace::{Quota, Quotas};
use crate::model::router::{ProviderSettings, Providers, is_local};
use crate::model::{ModelId, Provider, anthropic};
use crate::report::readers::{ConsoleLink, LogQuotes, Readers};
use raw::{RawBudget, RawConfig, RawProvider, RawQuota};

/// The layers above the embedded default.
#[derive(Debug, Clone, Default)]
pub struct Layers<'a> {
    /// Where the document was read, for messages, and its text.
    pub document: Option<(&'a str, &'a str)>,
    /// Names and values; those that do not begin with `SRE_AGENT_` are not ours.
    pub variables: Vec<(String, String)>,
    /// The document's place and why it could not be read, where that is so.
    pub unreadable: Option<(String, String)>,
    /// Whether calls go somewhere else than to AWS; only then may the clock and the seed be given.
    pub endpoint_override: bool,
}

/// Checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// How deep to go; `None` is automatic.
    pub depth: Option<Depth>,
    /// Models, best first: the primary, then the fallbacks.
    pub models: Vec<ModelId>,
    /// Whether prompts may go to any commercial Region.
    pub allow_global: bool,
    /// Providers beside Bedrock that prompts may go to.
    pub allow_provider: Vec<Provider>,
    /// The providers beside Bedrock that are configured.
    pub providers: Providers,
    /// What is known about models, where the configuration says anything of them: the embedded rows with its own over them.
    pub catalogue: Option<Vec<CatalogueEntry>>,
    /// Region of the model endpoint, where it is not the Lambda's own.
    pub model_region: Option<String>,
    /// Tries of one model, the first included.
    pub max_attempts: u32,
    /// Calls to one model under way at once.
    pub max_concurrent: u32,
    /// What the account's quotas let through of each model, where that is known.
    pub quotas: Quotas,
    /// US dollars that one run may spend.
    pub max_cost_usd: f64,
    /// What all runs of a UTC day may spend.
    pub per_day: PerDay,
    /// Model calls of one run.
    pub max_model_calls: u32,
    /// Tokens of one run, in and out.
    pub max_tokens_per_run: u64,
    /// Bytes that the queries of Logs Insights may scan in one run; zero for none.
    pub max_insights_bytes: u64,
    /// US dollars for 10⁹ bytes that Logs Insights scans.
    pub insights_usd_per_gb: f64,
    /// How long after its report an alarm that goes off again is told and not investigated; zero for never.
    pub cool_down: Duration,
    /// Which alarms are investigated although their actions are held back.
    pub silenced: InvestigateSilenced,
    /// Time kept for posting at the end.
    pub publish_reserve: Duration,
    /// Longest time for reading telemetry.
    pub gather_time: Duration,
    /// When the facts are posted at the latest, where the conclusion is not ready by then.
    pub facts_time: Duration,
    /// Longest time for one model call.
    pub model_call_time: Duration,
    /// Resource name to log group.
    pub log_groups: BTreeMap<String, String>,
    /// Who reads a report: how links into the console are written, how much of a log a card shows.
    pub readers: Readers,
    /// The Slack webhook, where there is one.
    pub slack_webhook: Option<Webhook>,
    /// The Slack bot, where there is one; never beside a webhook.
    pub slack_bot: Option<SlackBot>,
    /// ARN of the SNS topic for findings, where there is one.
    pub findings_topic: Option<String>,
    /// ARN of the SNS topic that Amazon Q Developer in chat applications listens to, where there is one.
    pub amazon_q_topic: Option<String>,
    /// The bucket that reports are kept in, where there is one.
    pub report_bucket: Option<Bucket>,
    /// Whether the Lambda writes the card to its log.
    pub stdout: bool,
    /// Which alarm is told at which channels; the first that fits.
    pub routes: Vec<Route>,
    /// The DynamoDB table for leases and records, where there is one; without, each container remembers for itself.
    pub state_table: Option<String>,
    /// The agent's own parts: alarms on them are told and never investigated.
    pub own: Own,
    /// The run's clock, where it is given.
    pub as_of: Option<Timestamp>,
    /// The run's seed, where it is given.
    pub seed: Option<u64>,
}

/// Which alarms are investigated although somebody holds their actions back: `EventBridge` tells of them as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvestigateSilenced {
    /// Those that a mute rule covers.
    pub muted: bool,
    /// Composites whose actions are suppressed.
    pub suppressed: bool,
    /// Those whose actions are disabled.
    pub disabled: bool,
}

/// The agent's own parts, by name; empty where not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// The Lambda function.
    pub function: Option<String>,
    /// Its queues.
    pub queues: Vec<String>,
    /// The topics that findings are published to.
    pub topics: Vec<String>,
}

impl Own {
    /// Tells whether a resource is one of them.
    pub fn holds(&self, namespace: &str, name: &str) -> bool {
        match namespace {
            "AWS/Lambda" => self.function.as_deref() == Some(name),
            "AWS/SQS" => self.queues.iter().any(|queue| queue == name),
            "AWS/SNS" => self.topics.iter().any(|topic| topic == name),
            _ => false,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Key path or variable name.
    pub key: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// In the order of the layers.
    pub faults: Vec<Fault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.faults.len() == 1 { "fault" } else { "faults" };
        write!(f, "the configuration has {} {plural}:", self.faults.len())?;
        for fault in &self.faults {
            write!(f, "\n  {}: {}", fault.key, fault.reason)?;
        }
        Ok(())
    }
}

/// Most that a limit of Logs Insights may be: a petabyte is 5,000 US dollars.
const MOST_INSIGHTS_BYTES: u64 = 1_000_000_000_000_000;

/// What `SRE_AGENT_FALLBACK_MODELS` says where the primary model is to be the only one.
const NO_FALLBACK: &str = "none";

/// The variables and the keys that they set.
const VARIABLES: &[(&str, &str)] = &[
    ("SRE_AGENT_AMAZON_Q_TOPIC_ARN", "amazon_q.topic_arn"),
    ("SRE_AGENT_AS_OF", "run.as_of"),
    ("SRE_AGENT_DEPTH", "depth"),
    ("SRE_AGENT_FALLBACK_MODELS", "models.fallback"),
    ("SRE_AGENT_FINDINGS_TOPIC_ARN", "sns.topic_arn"),
    ("SRE_AGENT_MAX_COST_USD", "budget.max_cost_usd"),
    ("SRE_AGENT_MODEL", "models.primary"),
    ("SRE_AGENT_OWN_QUEUES", "run.own_queues"),
    ("SRE_AGENT_PROVIDER", "models.provider"),
    ("SRE_AGENT_PUBLISH_RESERVE_SECONDS", "deadline.publish_reserve_seconds"),
    ("SRE_AGENT_REPORT_BUCKET", "s3.bucket"),
    ("SRE_AGENT_SEED", "run.seed"),
    ("SRE_AGENT_SLACK_CHANNEL", "slack.channel"),
    ("SRE_AGENT_SLACK_TOKEN", "slack.token"),
    ("SRE_AGENT_SLACK_WEBHOOK", "slack.webhook"),
    ("SRE_AGENT_STATE_TABLE", "store.table"),
];

/// Names the document's place; the caller reads it, so it is known here and sets nothing.
const DOCUMENT_VARIABLE: &str = "SRE_AGENT_CONFIG";

impl Config {
    /// Joins the layers and checks the result; all faults come back in one error.
    pub fn load(layers: &Layers<'_>) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let mut raw = raw::embedded();
        if let Some((place, reason)) = &layers.unreadable {
            faults.push(Fault { key: format!("{DOCUMENT_VARIABLE}={place}"), reason: reason.clone() });
        }
        if let Some((origin, text)) = layers.document {
            let (document, read) = raw::read(text);
            raw.overlay(document);
            faults.extend(
                read.into_iter()
                    .map(|fault| Fault { key: format!("{origin}: {}", fault.key), reason: fault.reason }),
            );
        }
        let is_set =
            |name| layers.variables.iter().any(|(known, value)| known == name && !value.trim().is_empty());
        raw.slack.give_way(is_set("SRE_AGENT_SLACK_WEBHOOK"), is_set("SRE_AGENT_SLACK_TOKEN"));
        for (name, value) in &layers.variables {
            if name.starts_with("SRE_AGENT_") && name != DOCUMENT_VARIABLE {
                variable(&mut raw, name, value.trim(), &mut faults);
            }
        }
        let mut config = check(&raw, layers.endpoint_override, &mut faults);
        // Lambda's own variable: not a setting, so nobody can set it to something else by mistake.
        let own = layers.variables.iter().find(|(name, _)| name == "AWS_LAMBDA_FUNCTION_NAME");
        config.own.function = own.map(|(_, name)| name.clone());
        if faults.is_empty() { Ok(config) } else { Err(ConfigError { faults }) }
    }

    /// Plans the ladder for the Region in which Bedrock is called.
    pub fn ladder_plan(&self, region: &str) -> Plan {
        plan(&Wanted {
            models: &self.models,
            region,
            allow_global: self.allow_global,
            allow_provider: &self.allow_provider,
        })
    }

    /// Returns what of a run's time is kept for posting. In a short run the usual reserve would leave nothing to reserve
    /// it from, so it is a quarter at most.
    pub fn reserve(&self, time: Duration) -> Duration {
        self.publish_reserve.min(time / 4)
    }

    /// Returns the channels that reports go to.
    pub fn destinations(&self) -> Destinations<'_> {
        Destinations {
            webhook: self.slack_webhook.as_ref(),
            bot: self.slack_bot.as_ref(),
            topic: self.findings_topic.as_deref(),
            amazon_q: self.amazon_q_topic.as_deref(),
            bucket: self.report_bucket.as_ref(),
        }
    }

    /// Returns the backoff policy.
    pub fn backoff(&self) -> Backoff {
        Backoff { max_attempts: self.max_attempts, ..Backoff::default() }
    }
}

/// Takes one variable over; an empty one counts as unset.
fn variable(raw: &mut RawConfig, name: &str, value: &str, faults: &mut Vec<Fault>) {
    if !VARIABLES.iter().any(|(known, _)| *known == name) {
        // Farther than a few letters it is no slip of the pen, and a guess would only mislead.
        let near = VARIABLES.iter().map(|(known, _)| (edit_distance(known, name), *known));
        let nearest = near.filter(|(distance, _)| *distance <= 6).min().map(|(_, known)| known);
        let hint = nearest.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
        faults.push(Fault { key: name.to_owned(), reason: format!("unknown variable{hint}") });
        return;
    }
    if value.is_empty() {
        return;
    }
    let mut fault = |reason: String| faults.push(Fault { key: name.to_owned(), reason });
    let text = || Some(value.to_owned());
    match name {
        "SRE_AGENT_AMAZON_Q_TOPIC_ARN" => raw.amazon_q.topic_arn = text(),
        "SRE_AGENT_AS_OF" => raw.run.as_of = text(),
        "SRE_AGENT_DEPTH" => raw.depth = text(),
        "SRE_AGENT_FALLBACK_MODELS" => {
            // A word for an empty list, since an empty variable is an unset one.
            let named = if value.trim() == NO_FALLBACK { "" } else { value };
            let models = named.split(',').map(str::trim).filter(|model| !model.is_empty());
            raw.models.fallback = Some(models.map(str::to_owned).collect());
        }
        "SRE_AGENT_FINDINGS_TOPIC_ARN" => raw.sns.topic_arn = text(),
        "SRE_AGENT_MODEL" => raw.models.primary = text(),
        "SRE_AGENT_OWN_QUEUES" => {
            let queues = value.split(',').map(str::trim).filter(|queue| !queue.is_empty());
            raw.run.own_queues = Some(queues.map(str::to_owned).collect());
        }
        "SRE_AGENT_PROVIDER" => raw.models.provider = text(),
        "SRE_AGENT_REPORT_BUCKET" => raw.s3.bucket = text(),
        "SRE_AGENT_SLACK_CHANNEL" => raw.slack.channel = text(),
        "SRE_AGENT_SLACK_TOKEN" => raw.slack.token = text(),
        "SRE_AGENT_SLACK_WEBHOOK" => raw.slack.webhook = text(),
        "SRE_AGENT_STATE_TABLE" => raw.store.table = text(),
        "SRE_AGENT_MAX_COST_USD" => match value.parse() {
            Ok(cost) => raw.budget.max_cost_usd = Some(cost),
            Err(_) => fault(format!("{value:?} is not a number of US dollars, for instance 0.50")),
        },
        "SRE_AGENT_PUBLISH_RESERVE_SECONDS" => match value.parse() {
            Ok(seconds) => raw.deadline.publish_reserve_seconds = Some(seconds),
            Err(_) => fault(format!("{value:?} is not a whole number of seconds")),
        },
        "SRE_AGENT_SEED" => match value.parse() {
            Ok(seed) => raw.run.seed = Some(seed),
            Err(_) => fault(format!("{value:?} is not a whole number")),
        },
        _ => {}
    }
}

/// Checks the joined layers; a faulty value is replaced by a harmless one so that the other checks go on.
fn check(raw: &RawConfig, endpoint_override: bool, faults: &mut Vec<Fault>) -> Config {
    let mut fault = |key: &str, reason: String| faults.push(Fault { key: key.to_owned(), reason });
    if raw.format != Some(1) {
        let found = raw.format.map_or_else(|| "none".to_owned(), |format| format.to_string());
        fault("format", format!("format {found} is unknown; this version reads format 1"));
    }
    let depth = match raw.depth.as_deref() {
        None | Some("auto") => None,
        Some(name) => {
            let known = Depth::ALL.into_iter().find(|depth| depth.as_str() == name);
            if known.is_none() {
                fault("depth", format!("{name:?} is none of auto, facts, brief, full"));
            }
            known
        }
    };
    let mut models = Vec::new();
    let primary = raw.models.primary.iter().map(|model| ("models.primary", model));
    let fallback = raw.models.fallback.iter().flatten().map(|model| ("models.fallback", model));
    for (key, model) in primary.chain(fallback) {
        // Converse takes up to 2,048 characters; no list of allowed ids, since new ones appear every month.
        if model.is_empty() || model.len() > 2048 || model.chars().any(char::is_whitespace) {
            fault(key, format!("{model:?} is not a model id, inference profile id or ARN"));
        } else {
            models.push(ModelId::from(model.as_str()));
        }
    }
    let mut allow_provider = Vec::new();
    let providers = providers(raw, &mut fault);
    if let Some(name) = raw.models.provider.as_deref() {
        match (Provider::named(name), models.first_mut()) {
            (Some(Provider::Bedrock), _) | (Some(_), None) => {}
            (Some(Provider::OpenAi), _) if raw.models.primary == raw::embedded().models.primary => {
                fault("models.provider", "openai needs models.primary, for instance llama3.1".into());
            }
            (Some(provider), Some(primary)) => {
                // Whoever chooses a provider lets prompts go there.
                *primary = primary.at(provider);
                allow_provider.push(provider);
            }
            (None, _) => fault("models.provider", format!("{name:?} is none of bedrock, anthropic, openai")),
        }
    }
    for name in raw.models.allow_provider.iter().flatten() {
        match Provider::named(name) {
            Some(provider) => allow_provider.push(provider),
            None => fault("models.allow_provider", format!("{name:?} is none of anthropic, openai")),
        }
    }
    for provider in &allow_provider {
        let missing = match provider {
            Provider::Anthropic if providers.anthropic.is_none() => "key",
            Provider::OpenAi if providers.openai.is_none() => "base_url",
            Provider::Bedrock | Provider::Anthropic | Provider::OpenAi => continue,
        };
        let name = provider.as_str();
        fault(&format!("providers.{name}.{missing}"), format!("is wanted where {name} may be asked"));
    }
    // The embedded rows alone are read when a model's row is first wanted.
    let catalogue = raw.models.catalogue.as_deref().filter(|rows| !rows.is_empty()).and_then(|rows| {
        let overlaid = catalogue::overlaid(rows);
        overlaid.map_err(|error| fault("models.catalogue", error.to_string())).ok()
    });
    let mut whole = |key: &str, value: Option<u64>, least: u64, most: u64| {
        let value = value.unwrap_or(least);
        if value < least || value > most {
            fault(key, format!("{value} is not between {least} and {most}"));
        }
        value.clamp(least, most)
    };
    let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let max_attempts = small(whole("models.max_attempts", raw.models.max_attempts, 1, 10));
    let max_concurrent = small(whole("models.max_concurrent", raw.models.max_concurrent, 1, 50));
    let max_model_calls = small(whole("budget.max_model_calls", raw.budget.max_model_calls, 1, 200));
    let max_tokens_per_run = whole("budget.max_tokens", raw.budget.max_tokens, 1_000, 20_000_000);
    let most = MOST_INSIGHTS_BYTES;
    let max_insights_bytes = whole("budget.max_insights_bytes", raw.budget.max_insights_bytes, 0, most);
    // Lambda's longest timeout is 900 s.
    let seconds = |value: u64| Duration::from_secs(value);
    let publish_reserve =
        seconds(whole("deadline.publish_reserve_seconds", raw.deadline.publish_reserve_seconds, 2, 300));
    let cool_down = seconds(whole("alarms.cool_down_seconds", raw.alarms.cool_down_seconds, 0, 86_400));
    let facts_time = seconds(whole("deadline.facts_seconds", raw.deadline.facts_seconds, 2, 900));
    let gather_time = seconds(whole("deadline.gather_seconds", raw.deadline.gather_seconds, 2, 600));
    let model_call_time =
        seconds(whole("deadline.model_call_seconds", raw.deadline.model_call_seconds, 5, 900));
    let max_cost_usd = raw.budget.max_cost_usd.unwrap_or(0.5);
    if !(max_cost_usd > 0.0 && max_cost_usd <= 1_000.0) {
        fault("budget.max_cost_usd", format!("{max_cost_usd} is not between 0 and 1000 US dollars"));
    }
    let insights_usd_per_gb = raw.budget.insights_usd_per_gb.unwrap_or_default();
    if !(0.0..=1.0).contains(&insights_usd_per_gb) {
        fault(
            "budget.insights_usd_per_gb",
            format!("{insights_usd_per_gb} is not between 0 and 1 US dollars"),
        );
    }
    let per_day = per_day(&raw.budget, &mut fault);
    let mut readers = Readers::default();
    if let Some(template) = raw.report.console_link.as_deref().filter(|template| !template.is_empty()) {
        match ConsoleLink::parse(template) {
            Ok(link) => readers.console_link = Some(link),
            Err(reason) => fault("report.console_link", format!("{template:?}: {reason}")),
        }
    }
    if let Some(text) = raw.report.log_quotes.as_deref() {
        match LogQuotes::parse(text) {
            Some(quotes) => readers.log_quotes = quotes,
            None => fault("report.log_quotes", format!("{text:?} is none of full, template and none")),
        }
    }
    let mut quotas = Quotas::default();
    for quota in raw.models.quota.iter().flatten() {
        let RawQuota { model, requests_per_minute: requests, tokens_per_minute: tokens } = quota;
        if model.trim().is_empty() || *requests == Some(0) || *tokens == Some(0) {
            fault("models.quota", format!("{model:?}: a model id and rates of at least 1 are wanted"));
        } else if requests.is_none() && tokens.is_none() {
            fault("models.quota", format!("{model:?} has neither requests_per_minute nor tokens_per_minute"));
        }
        quotas.models.insert(ModelId::from(model.as_str()), Quota { requests: *requests, tokens: *tokens });
    }
    let (slack_webhook, slack_bot) = slack::checked(&raw.slack, &mut fault);
    let findings_topic = destinations::topic("sns.topic_arn", raw.sns.topic_arn.as_ref(), &mut fault);
    let amazon_q_topic =
        destinations::topic("amazon_q.topic_arn", raw.amazon_q.topic_arn.as_ref(), &mut fault);
    if findings_topic.is_some() && findings_topic == amazon_q_topic {
        fault("amazon_q.topic_arn", "is the findings topic; chat would get each report twice".into());
    }
    let report_bucket = destinations::bucket(raw, &mut fault);
    let state_table = raw.store.table.clone().filter(|table| {
        // A name or an ARN; DynamoDB takes both.
        let good = (3..=1024).contains(&table.len())
            && table.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-:/".contains(letter));
        if !good {
            fault("store.table", format!("{table:?} is not a DynamoDB table's name or ARN"));
        }
        good
    });
    let as_of = raw.run.as_of.as_deref().and_then(|text| match text.parse::<Timestamp>() {
        Ok(at) => Some(at),
        Err(_) => {
            fault("run.as_of", format!("{text:?} is not a time, for instance 2026-11-24T03:05:30Z"));
            None
        }
    });
    if let Some(minute) = raw.run.minute_seconds {
        if !(1..=60).contains(&minute) {
            fault("run.minute_seconds", format!("{minute} is not between 1 and 60"));
        }
        quotas.minute = seconds(minute.clamp(1, 60));
    }
    for (key, given) in [
        ("run.as_of", as_of.is_some()),
        ("run.seed", raw.run.seed.is_some()),
        ("run.minute_seconds", raw.run.minute_seconds.is_some()),
    ] {
        if given && !endpoint_override {
            fault(
                key,
                "is for recorded incidents: it is refused unless AWS_ENDPOINT_URL leads away from AWS".into(),
            );
        }
    }
    let mut config = Config {
        depth,
        models,
        allow_global: raw.models.allow_global.unwrap_or(false),
        allow_provider,
        providers,
        catalogue,
        model_region: raw.models.region.clone(),
        max_attempts,
        max_concurrent,
        quotas,
        max_cost_usd,
        per_day,
        max_model_calls,
        max_tokens_per_run,
        max_insights_bytes,
        insights_usd_per_gb,
        cool_down,
        silenced: InvestigateSilenced {
            muted: raw.alarms.investigate_muted.unwrap_or(false),
            suppressed: raw.alarms.investigate_suppressed.unwrap_or(false),
            disabled: raw.alarms.investigate_disabled.unwrap_or(false),
        },
        publish_reserve,
        gather_time,
        facts_time,
        model_call_time,
        log_groups: raw.logs.groups.clone().unwrap_or_default(),
        readers,
        slack_webhook,
        slack_bot,
        state_table,
        own: Own {
            function: None,
            queues: raw.run.own_queues.clone().unwrap_or_default(),
            topics: [&findings_topic, &amazon_q_topic]
                .into_iter()
                .flatten()
                .filter_map(|arn| Some(arn.rsplit(':').next()?.to_owned()))
                .collect(),
        },
        findings_topic,
        amazon_q_topic,
        report_bucket,
        stdout: raw.stdout.enabled.unwrap_or(false),
        routes: Vec::new(),
        as_of,
        seed: raw.run.seed,
    };
    config.routes = destinations::routes(raw, &config, &mut fault);
    config
}

/// Checks the limits of a day; one that is not there is none.
fn per_day(raw: &RawBudget, fault: &mut impl FnMut(&str, String)) -> PerDay {
    let cost_usd = raw.max_cost_usd_per_day;
    if let Some(cost) = cost_usd.filter(|cost| !(*cost > 0.0 && *cost <= 100_000.0)) {
        fault("budget.max_cost_usd_per_day", format!("{cost} is not between 0 and 100000 US dollars"));
    }
    let mut whole = |key: &str, value: Option<u64>, least: u64, most: u64| {
        if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
            fault(key, format!("{value} is not between {least} and {most}"));
        }
        value.map(|value| value.clamp(least, most))
    };
    let calls = whole("budget.max_model_calls_per_day", raw.max_model_calls_per_day, 1, 1_000_000);
    let tokens = whole("budget.max_tokens_per_day", raw.max_tokens_per_day, 1_000, 1_000_000_000_000);
    let most = MOST_INSIGHTS_BYTES;
    let insights_bytes = whole("budget.max_insights_bytes_per_day", raw.max_insights_bytes_per_day, 0, most);
    PerDay { cost_usd, calls: calls.and_then(|calls| u32::try_from(calls).ok()), tokens, insights_bytes }
}

/// Checks `[providers]`; one that lacks what it cannot do without is not configured.
fn providers(raw: &RawConfig, fault: &mut impl FnMut(&str, String)) -> Providers {
    let mut checked = |name: &str, raw: Option<&RawProvider>, usual: Option<&str>| {
        let raw = raw?;
        let (at_url, at_key) = (format!("providers.{name}.base_url"), format!("providers.{name}.key"));
        let base_url = raw.base_url.as_deref().or(usual)?.to_owned();
        let key_parameter = match raw.key.as_deref().map(|key| key.strip_prefix("ssm:")) {
            Some(Some(parameter)) if !parameter.is_empty() => Some(parameter.to_owned()),
            // The value may be a key itself, so it is not repeated.
            Some(_) => {
                fault(&at_key, "ssm:/name of the parameter that holds the key is wanted".into());
                None
            }
            None => None,
        };
        let local = is_local(&base_url);
        if !(base_url.starts_with("https://") || base_url.starts_with("http://")) {
            fault(&at_url, "an address is wanted, for instance http://localhost:11434/v1".into());
        } else if key_parameter.is_some() && !base_url.starts_with("https://") && !local {
            fault(&at_url, "a key is sent over https only".into());
        }
        Some(ProviderSettings { base_url, key_parameter })
    };
    let raw = &raw.providers;
    let anthropic = checked("anthropic", raw.anthropic.as_ref(), Some(anthropic::BASE_URL));
    Providers {
        anthropic: anthropic.filter(|settings| settings.key_parameter.is_some()),
        openai: checked("openai", raw.openai.as_ref(), None),
    }
}

#[cfg(test)]
mod tests;
