//! Asks an account about its models, for `doctor` and `models`; judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use sre_agent::aws::{self, AwsTelemetry, Bedrock, ModelAccess, SdkConfig};
use sre_agent::clock::Timestamp;
use sre_agent::config::{Config, Layers};
use sre_agent::doctor::surroundings::SeenDocument;
use sre_agent::doctor::{Account, Identity, Seen, SeenKey};
use sre_agent::evidence::{MetricId, Statistic, Status};
use sre_agent::gather::Telemetry;
use sre_agent::gather::telemetry::{LogRequest, LogsQuery, MetricQuery, MetricsRequest};
use sre_agent::incident::Window;
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

    /// Reads the gates in front of models, for those that the account could be asked about.
    pub(crate) async fn read_availability(&self, account: &mut Account, models: &[ModelId]) {
        let access = ModelAccess::new(&self.sdk, Some(&self.region));
        let mut bases: Vec<&str> =
            models.iter().filter(|model| model.vendor().is_some()).map(ModelId::base).collect();
        bases.sort_unstable();
        bases.dedup();
        let seen = join_all(bases.iter().map(|base| access.availability(base))).await;
        account.availability = bases.into_iter().map(str::to_owned).zip(seen).collect();
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

    /// Tries what an investigation reads, on names that hardly exist: being told so takes the permission.
    pub(crate) async fn try_reading(
        &self,
        now: Timestamp,
        function: &str,
        caller: Option<&Identity>,
    ) -> Vec<(&'static str, Seen<()>)> {
        let telemetry = AwsTelemetry::new(&self.sdk);
        let window = Window { start: Timestamp::from_second(now.as_second() - 600).unwrap_or(now), end: now };
        let metric = MetricId {
            namespace: "AWS/Lambda".into(),
            name: "Errors".into(),
            dimensions: BTreeMap::from([("FunctionName".to_owned(), function.to_owned())]),
        };
        let metrics = MetricsRequest {
            queries: vec![MetricQuery {
                metric: metric.clone(),
                statistic: Statistic("Sum".into()),
                unit: None,
            }],
            window,
            period_seconds: 60,
        };
        let group = format!("/aws/lambda/{function}");
        let logs = LogRequest {
            group: group.clone(),
            stream_prefix: None,
            pattern: String::new(),
            window,
            limit: 1,
        };
        // Tags are granted on the alarms of an account, so it takes one to ask.
        let probe = caller.map(|caller| {
            let partition = caller.arn.split(':').nth(1).unwrap_or("aws");
            format!(
                "arn:{partition}:cloudwatch:{}:{}:alarm:sre-agent-doctor-probe",
                self.region, caller.account
            )
        });
        let tags = async {
            match telemetry.tags(probe.as_deref()?).await {
                Err(error) if error.status == Status::Missing => Some(Ok(())),
                answer => Some(answer.map(drop)),
            }
        };
        // On a group that does not exist, because a query of one that does would cost.
        let query = LogsQuery {
            groups: vec!["sre-agent-doctor-probe".to_owned()],
            query: "limit 1".to_owned(),
            window,
            limit: 1,
        };
        let (tags, alarm, series, listed, found, lines, started, queries, state, callers) = tokio::join!(
            tags,
            telemetry.alarm("sre-agent-doctor-probe"),
            telemetry.metrics(&metrics),
            telemetry.list_metrics(&metric),
            telemetry.log_group(&group),
            telemetry.log_events(&logs),
            telemetry.query_logs(&query),
            telemetry.try_queries(),
            telemetry.function(function),
            telemetry.callers(function),
        );
        let mut tried = vec![
            ("cloudwatch:DescribeAlarms", alarm.map(drop)),
            ("cloudwatch:GetMetricData", series.map(drop)),
            ("cloudwatch:ListMetrics", listed.map(drop)),
            ("logs:DescribeLogGroups", found.map(drop)),
            ("logs:FilterLogEvents", lines.map(drop)),
            ("logs:StartQuery", started.map(drop)),
            ("lambda:ListVersionsByFunction", state.map(drop)),
            // Two calls; the one that fails names itself.
            (
                callers.as_ref().map_or_else(|error| error.operation, |_| "lambda:GetPolicy"),
                callers.map(drop),
            ),
        ];
        tried.extend(queries);
        tried.extend(tags.map(|answer| ("cloudwatch:ListTagsForResource", answer)));
        tried
    }
}

/// Asks who is there and what is offered, all at once.
pub(crate) async fn survey(place: &Place, now: Timestamp) -> Account {
    let access = ModelAccess::new(&place.sdk, Some(&place.region));
    let (identity, offered, profiles, quotas, keys) = tokio::join!(
        aws::identity(&place.sdk),
        access.offered(),
        access.profiles(),
        aws::bedrock_quotas(&place.sdk, Some(&place.region)),
        // Reading a parameter makes a large future.
        Box::pin(aws::keys(&place.sdk, &place.config.providers)),
    );
    Account {
        region: place.region.clone(),
        now,
        identity,
        offered,
        profiles,
        quotas,
        availability: BTreeMap::new(),
        keys,
        calls: BTreeMap::new(),
    }
}
