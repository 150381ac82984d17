//! The account that `doctor` and `models` look at, and the minimal call of each model.

use std::time::Duration;

use sre_agent::aws::{self, Bedrock, SdkConfig, Survey};
use sre_agent::config::{Config, Layers};
use sre_agent::doctor::surroundings::SeenDocument;
use sre_agent::doctor::{Account, SeenKey};
use sre_agent::model::catalogue;
use sre_agent::model::{
    Content, ConverseRequest, Failure as ModelFailure, Message, ModelId, Provider, Speaker, ToolChoice,
    Tuning,
};

use crate::args::Shared;
use crate::failure::Failure;
use crate::local::LocalAws;
use crate::wiring::{self, Settings};

/// Time for the minimal call of a model.
const CALL_TIME: Duration = Duration::from_mins(1);

/// Output of the minimal call: a provider reserves quota by it.
const CALL_TOKENS: u32 = 16;

/// The account that is looked at, live or local, with the configuration.
pub(crate) struct Place {
    /// Kept alive as long as it is asked.
    _local: Option<LocalAws>,
    pub(crate) sdk: SdkConfig,
    pub(crate) config: Config,
    /// The first model, as it is configured.
    primary: Option<ModelId>,
    /// Where the configuration document was read, where there is one.
    document: Option<String>,
    /// Region in which models are asked; empty where none is set.
    pub(crate) region: String,
    /// What of the configured models is not asked as configured, and why: where prompts may go decides it.
    pub(crate) notes: Vec<String>,
}

impl Place {
    /// Reads the configuration as an investigation would.
    pub(crate) async fn of(shared: &Shared) -> Result<Self, Failure> {
        let (local, sdk) = wiring::open(shared).await?;
        let settings = Settings::of(shared, &sdk, local.as_ref()).await?;
        let document = settings.document_place().map(str::to_owned);
        let mut config = settings.check(aws::endpoint_override(&sdk))?;
        let primary = config.models.first().cloned();
        let region = config.model_region.clone();
        let region = region.or_else(|| sdk.region().map(ToString::to_string)).unwrap_or_default();
        catalogue::install(config.catalogue.clone());
        // What would be asked is looked at, which may be another profile than the configured one.
        let plan = config.ladder_plan(&region);
        config.models = plan.rungs.iter().map(|rung| rung.model.clone()).collect();
        Ok(Place { _local: local, sdk, config, primary, document, region, notes: plan.notes() })
    }

    /// Returns what asks the account.
    pub(crate) fn survey(&self) -> Survey<'_> {
        Survey { sdk: &self.sdk, region: &self.region, providers: &self.config.providers }
    }

    /// Reads what the configuration document named before, where it lies in a parameter.
    pub(crate) async fn document_history(&self) -> Option<SeenDocument> {
        let parameter = self.document.as_deref()?.strip_prefix("ssm:")?.to_owned();
        let earlier = aws::earlier_versions(&self.sdk, &parameter).await.map(|versions| {
            let primary = |text: &str| {
                let layers = Layers { document: Some(("earlier", text)), ..Layers::default() };
                Config::load(&layers).ok().and_then(|config| config.models.into_iter().next())
            };
            let named = versions.into_iter().filter_map(|(at, text)| Some((at, primary(text.expose())?)));
            named.filter(|(_, model)| Some(model) != self.primary.as_ref()).collect()
        });
        Some(SeenDocument { parameter, earlier })
    }

    /// Makes one minimal call of each model, one after the other: a burst would be throttled. Where a provider's key
    /// could not be read there is nothing to call with.
    pub(crate) async fn call(&self, account: &mut Account, models: &[ModelId]) {
        let bedrock = Bedrock::new(&self.sdk, Some(&self.region));
        let providers = aws::models(&self.sdk, bedrock, &self.config.providers);
        let request = ConverseRequest {
            agent: "doctor".into(),
            turn: 1,
            system: "You are asked whether you can be reached. Answer with the word ok.".into(),
            messages: vec![Message {
                speaker: Speaker::User,
                content: vec![Content::Text("Answer: ok".into())],
            }],
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: CALL_TOKENS,
            tuning: Tuning::default(),
        };
        for model in models {
            let provider = model.provider();
            let key = account.keys.get(&provider);
            if provider != Provider::Bedrock
                && !matches!(key, Some(SeenKey::NotWanted | SeenKey::Readable(_)))
            {
                continue;
            }
            let answer = providers.converse(model, &request, CALL_TIME).await;
            let seen = answer.map(|_| ()).map_err(|error| ModelFailure {
                class: error.class,
                operation: provider.operation().into(),
                model: Some(model.to_string()),
                attempts: 1,
                waited: Duration::ZERO,
                request_id: error.request_id,
                message: error.message,
            });
            account.calls.insert(model.clone(), seen);
        }
    }
}
