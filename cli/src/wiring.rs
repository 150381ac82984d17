//! Joins configuration, adapters and channels into what the handler works with, for every command alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sre_agent::aws::{self, AwsTelemetry, Bedrock, SdkConfig};
use sre_agent::clock::Clock;
use sre_agent::config::{Config, Layers};
use sre_agent::delivery::Channel;
use sre_agent::handler::{Response, Services};
use sre_agent::id::Seed;
use sre_agent::investigation::depth::Depth;
use sre_agent::model::catalogue;
use sre_agent::model::ladder::Ladder;
use sre_agent::run::{Observer, Sink};
use sre_agent::store::memory::MemoryStore;

use crate::args::{Shared, Trouble};
use crate::environment;
use crate::failure::{Ending, Failure};
use crate::local::{LocalAws, scenario};

/// Names where the configuration document lies: a file, or `ssm:/name` of a parameter.
const DOCUMENT: &str = "SRE_AGENT_CONFIG";

/// Prefix of every variable that is ours.
const PREFIX: &str = "SRE_AGENT_";

/// The parameter in which scenarios keep their webhook.
const SCENARIO_WEBHOOK: &str = "/sre-agent/slack-webhook";

/// Time for a run unless the person says otherwise; the Lambda's own limit.
const RUN_TIME: Duration = Duration::from_mins(5);

/// Time for a run whose model is a person.
const HAND_TIME: Duration = Duration::from_hours(24);

/// The configuration before it is checked: where it comes from, later settings before earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Where the document was read, and its text.
    document: Option<(String, String)>,
    /// Where it should be, and why it could not be read.
    unreadable: Option<(String, String)>,
    variables: Vec<(String, String)>,
    /// Where Slack is, where a scenario is served.
    slack: Option<String>,
}

impl Settings {
    /// Returns the settings of a scenario alone: nothing on this machine changes them.
    pub(crate) fn of_scenario(local: &LocalAws) -> Self {
        let mut settings = Settings::default();
        settings.move_to(local);
        settings
    }

    /// Returns the settings of this machine, or the scenario's where one is served, under what was typed.
    pub(crate) async fn of(
        shared: &Shared,
        sdk: &SdkConfig,
        local: Option<&LocalAws>,
    ) -> Result<Self, Failure> {
        let mut settings = Settings::of_environment(sdk).await?;
        if let Some(local) = local {
            settings.move_to(local);
        }
        settings.take_options(shared);
        Ok(settings)
    }

    /// Reads the document and the variables as the Lambda does.
    pub(crate) async fn of_environment(sdk: &SdkConfig) -> Result<Self, Failure> {
        let (named, variables): (Vec<_>, Vec<_>) = environment::variables()
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .partition(|(name, _)| name == DOCUMENT);
        let source =
            named.into_iter().map(|(_, source)| source.trim().to_owned()).find(|source| !source.is_empty());
        let (mut read, mut unreadable) = (None, None);
        if let Some(source) = source {
            match aws::document(sdk, &source).await {
                Ok(text) => read = Some((source, text)),
                Err(reason) => unreadable = Some((source, reason)),
            }
        }
        Ok(Settings { document: read, unreadable, variables, slack: None })
    }

    /// Replaces everything that leads out of this machine, and the clock, by the scenario's own.
    pub(crate) fn move_to(&mut self, local: &LocalAws) {
        let scenario = local.emulator.scenario();
        let has_webhook = scenario.parameter_names().iter().any(|name| name == SCENARIO_WEBHOOK);
        let webhook = if has_webhook { format!("ssm:{SCENARIO_WEBHOOK}") } else { String::new() };
        self.set("SRE_AGENT_SLACK_WEBHOOK", &webhook);
        if has_webhook {
            self.set("SRE_AGENT_SLACK_TOKEN", "");
            self.set("SRE_AGENT_SLACK_CHANNEL", "");
        }
        self.slack = Some(local.emulator.endpoint());
        self.set("SRE_AGENT_FINDINGS_TOPIC_ARN", &local.topic("sre-agent-findings"));
        let chat = "SRE_AGENT_AMAZON_Q_TOPIC_ARN";
        let is_told = self.variables.iter().any(|(name, value)| name == chat && !value.trim().is_empty())
            || self.document.as_ref().is_some_and(|(_, text)| text.contains("amazon_q"));
        if is_told {
            self.set(chat, &local.topic("sre-agent-chat"));
        }
        self.set("SRE_AGENT_PROVIDER", "bedrock");
        // The emulator has no tables.
        self.set("SRE_AGENT_STATE_TABLE", "");
        self.set("SRE_AGENT_AS_OF", &scenario.as_of().to_string());
        self.set("SRE_AGENT_SEED", &scenario.seed().to_string());
    }

    /// Takes over what was typed.
    pub(crate) fn take_options(&mut self, shared: &Shared) {
        if let Some(depth) = shared.depth {
            self.set("SRE_AGENT_DEPTH", depth.as_str());
        }
        if let Some(provider) = &shared.provider {
            self.set("SRE_AGENT_PROVIDER", provider);
        }
        if let Some(model) = shared.model.first() {
            self.set("SRE_AGENT_MODEL", model);
        }
        if let Some(cost) = shared.max_cost {
            self.set("SRE_AGENT_MAX_COST_USD", &cost.to_string());
        }
    }

    /// Sets a variable over what the environment says.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Returns where the document was read, where there is one.
    pub(crate) fn document_place(&self) -> Option<&str> {
        self.document.as_ref().map(|(place, _)| place.as_str())
    }

    /// Checks everything at once.
    pub(crate) fn check(self, endpoint_override: bool) -> Result<Config, Failure> {
        let document = self.document.as_ref().map(|(origin, text)| (origin.as_str(), text.as_str()));
        let (unreadable, variables) = (self.unreadable, self.variables);
        let mut config = Config::load(&Layers { document, unreadable, variables, endpoint_override })
            .map_err(Failure::usage)?;
        if let (Some(bot), Some(slack)) = (&mut config.slack_bot, self.slack) {
            bot.base_url = slack;
        }
        Ok(config)
    }
}

/// Opens the account that is asked: that of `--scenario`, served here as long as it is kept, or the live one.
pub(crate) async fn open(shared: &Shared) -> Result<(Option<LocalAws>, SdkConfig), Failure> {
    open_by_hand(shared, None).await
}

/// As [`open`]; beside a scenario somebody plays the model in the folder `answers`, where one is given.
pub(crate) async fn open_by_hand(
    shared: &Shared,
    answers: Option<&Path>,
) -> Result<(Option<LocalAws>, SdkConfig), Failure> {
    let Some(folder) = &shared.scenario else { return Ok((None, account(shared).await)) };
    let trouble = answers.map(|answers| Trouble::model_by_hand(answers.to_owned()));
    let local = LocalAws::start(scenario(folder)?, trouble.as_ref(), None).await?;
    let sdk = local.sdk.clone();
    Ok((Some(local), sdk))
}

/// Opens the account that is asked and checks the configuration for it; a Region must be set.
pub(crate) async fn open_checked(shared: &Shared) -> Result<(Option<LocalAws>, SdkConfig, Config), Failure> {
    let (local, sdk) = open(shared).await?;
    let config = checked(shared, &sdk, local.as_ref()).await?;
    Ok((local, sdk, config))
}

/// Checks the configuration for an account that is open; a Region must be set.
pub(crate) async fn checked(
    shared: &Shared,
    sdk: &SdkConfig,
    local: Option<&LocalAws>,
) -> Result<Config, Failure> {
    let config = Settings::of(shared, sdk, local).await?.check(aws::endpoint_override(sdk))?;
    if sdk.region().is_none() { Err(no_region()) } else { Ok(config) }
}

/// Says that nothing can be asked of AWS without a Region.
pub(crate) fn no_region() -> Failure {
    Failure::usage("no AWS Region is set")
        .hint("Give --region, set AWS_REGION, or name a --profile that has one.")
}

/// Loads Region, credentials and endpoint as every AWS tool does, with what was typed before everything else.
pub(crate) async fn account(shared: &Shared) -> SdkConfig {
    let given = |option: &Option<String>| option.clone().filter(|text| !text.trim().is_empty());
    aws::load_profile(given(&shared.profile), given(&shared.region)).await
}

/// Fits the times of the configuration to the time for the run, and returns that.
pub(crate) fn fit_times(config: &mut Config, asked: Option<Duration>, by_hand: bool) -> Duration {
    let time = asked.unwrap_or(if by_hand { HAND_TIME } else { RUN_TIME });
    if by_hand {
        config.model_call_time = time;
    }
    time
}

/// What differs from command to command.
pub(crate) struct Parts<'a> {
    /// The account, local or live.
    pub(crate) sdk: &'a SdkConfig,
    /// Checked configuration.
    pub(crate) config: Config,
    /// Where the report goes.
    pub(crate) channels: Vec<Arc<dyn Channel>>,
    /// Who follows the run.
    pub(crate) sinks: Vec<Sink>,
    /// Whether the data is a recording that every run must see in the same words.
    pub(crate) recorded: bool,
}

/// Builds the services.
pub(crate) fn services(parts: Parts<'_>) -> Services {
    let Parts { sdk, config, channels, sinks, recorded } = parts;
    // A run whose seed is given repeats to the letter; only a run against a recording may have one.
    let telemetry = if recorded || config.seed.is_some() {
        AwsTelemetry::with_fixed_digests(sdk)
    } else {
        AwsTelemetry::new(sdk)
    };
    let observer = Observer::new(sinks);
    let bedrock = Bedrock::new(sdk, config.model_region.as_deref());
    catalogue::install(config.catalogue.clone());
    let plan = config.ladder_plan(bedrock.region());
    if config.depth != Some(Depth::Facts) {
        plan.tell(&observer);
    }
    Services {
        clock: config.as_of.map_or(Clock::Wall, Clock::Fixed),
        seed: config.seed.map(Seed),
        telemetry: Arc::new(telemetry),
        model: Some(aws::models(sdk, bedrock, &config.providers)),
        ladder: Arc::new(Ladder::planned(&plan, config.max_concurrent, &config.quotas)),
        channels,
        store: Arc::new(MemoryStore::default()),
        observer,
        config,
    }
}

/// Says how a command ends that brought these reports.
pub(crate) fn ending(response: &Response, depth: Option<Depth>) -> Result<Ending, Failure> {
    let refused: Vec<String> =
        response.runs.iter().flat_map(|run| &run.undelivered).map(ToString::to_string).collect();
    if !refused.is_empty() {
        return Err(Failure::failed(format!("the report was not posted everywhere: {}", refused.join("; "))));
    }
    let facts_only = response.runs.iter().any(|run| run.outcome == "facts_only");
    Ok(if facts_only && depth != Some(Depth::Facts) { Ending::FactsOnly } else { Ending::Done })
}
