//! The Lambda: configuration, clients and observers once, then the handler for every event.

use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sre_agent::aws::{self, AwsTelemetry, Bedrock, DynamoDbStore, SdkConfig, Survey};
use sre_agent::clock::{Clock, Deadline};
use sre_agent::config::{Config, ConfigError, Fault, Layers};
use sre_agent::delivery::Stdout;
use sre_agent::doctor::Examination;
use sre_agent::handler::{Response, Services, handle, self_check};
use sre_agent::id::Seed;
use sre_agent::model::ladder::Ladder;
use sre_agent::model::{ModelId, catalogue};
use sre_agent::run::{Observer, RunEvent, emf, json_log};
use sre_agent::store::Store;
use sre_agent::store::memory::MemoryStore;

// At the default memory a function has less than one processor: more threads would share it, and cost a tenth of the start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function cannot run");
            // The same code as on the command line; Lambda only sees that it is not zero.
            if error.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn serve() -> Result<(), Error> {
    let sdk = aws::load_in_function().await;
    let function = Arc::new((services(&sdk).await?, sdk));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    // As it came: what it is made of is read by the handler.
    let serve = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let function = Arc::clone(&function);
        async move {
            let (services, sdk) = function.as_ref();
            let left = event.context.deadline().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let now = u64::try_from(Clock::Wall.now().as_millisecond()).unwrap_or_default();
            let deadline = Deadline::after(left.saturating_sub(Duration::from_millis(now)));
            let body = event.payload.get();
            if Examine::is_asked_by(body) {
                return Ok(Answer::Examination(
                    self_check(&examine(services, sdk).await, deadline, services).await,
                ));
            }
            let handled = handle(body.as_bytes(), deadline, services).await;
            handled.map(Answer::Runs).map_err(|error| Diagnostic {
                error_type: error.kind().to_owned(),
                error_message: error.to_string(),
            })
        }
    });
    lambda_runtime::run(serve).await
}

/// The event that asks for an examination: `{"doctor": true}`.
#[derive(Deserialize)]
struct Examine {
    doctor: bool,
}

impl Examine {
    fn is_asked_by(event: &str) -> bool {
        // A list of one value would be read as the struct too.
        event.trim_start().starts_with('{')
            && serde_json::from_str(event).is_ok_and(|Examine { doctor }| doctor)
    }
}

/// What the function answers.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Runs(Response),
    Examination(Value),
}

/// Looks at what the function needs, by its own role.
async fn examine(services: &Services, sdk: &SdkConfig) -> Examination {
    let config = &services.config;
    let region = config.model_region.clone();
    let region = region.or_else(|| sdk.region().map(ToString::to_string)).unwrap_or_default();
    let rungs = config.ladder_plan(&region).rungs;
    let models: Vec<ModelId> = rungs.iter().map(|rung| rung.model.clone()).collect();
    let survey = Survey { sdk, region: &region, providers: &config.providers };
    let table = config.state_table.as_deref();
    survey.examine(services.clock.now(), &models, config.destinations(), table).await
}

/// Reads and checks the configuration, and puts together what the runs of this process share.
async fn services(sdk: &SdkConfig) -> Result<Services, Error> {
    let config = config(sdk).await?;
    let observer = Observer::new(vec![json_log::sink(), emf::sink(Arc::new(Mutex::new(io::stdout())))]);
    let mut channels = aws::channels(sdk, config.destinations());
    if config.stdout {
        channels.push(Arc::new(Stdout::new(Arc::new(Mutex::new(io::stdout())), false)));
    }
    catalogue::install(config.catalogue.clone());
    let bedrock = Bedrock::new(sdk, config.model_region.as_deref());
    let plan = config.ladder_plan(bedrock.region());
    plan.tell(&observer);
    let mut ladder = Ladder::planned(&plan, config.max_concurrent, &config.quotas);
    let store: Arc<dyn Store> = match &config.state_table {
        Some(table) => Arc::new(DynamoDbStore::new(sdk, table)),
        None => {
            let message =
                "no state table: leases, incidents, pace and the day's limits hold in one container only";
            observer.emit(RunEvent::Warning { message: message.into() });
            Arc::new(MemoryStore::default())
        }
    };
    if config.state_table.is_some() {
        ladder = ladder.sharing(&store);
    }
    Ok(Services {
        clock: config.as_of.map_or(Clock::Wall, Clock::Fixed),
        seed: config.seed.map(Seed),
        // A run whose seed is given repeats to the letter; only a run against a recording may have one.
        telemetry: Arc::new(if config.seed.is_some() {
            AwsTelemetry::with_fixed_digests(sdk)
        } else {
            AwsTelemetry::new(sdk)
        }),
        model: Some(aws::models(sdk, bedrock, &config.providers)),
        ladder: Arc::new(ladder),
        channels,
        store,
        observer,
        config,
    })
}

#[expect(clippy::disallowed_methods, reason = "a binary reads its environment; the library never does")]
async fn config(sdk: &SdkConfig) -> Result<Config, Error> {
    // What is no text is kept as far as it is: its fault is then told with the others.
    let variables: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let named = variables.iter().find(|(name, _)| name == "SRE_AGENT_CONFIG");
    let named = named.map(|(_, place)| place.trim().to_owned()).unwrap_or_default();
    let read = if named.is_empty() { Ok(None) } else { aws::document(sdk, &named).await.map(Some) };
    let layers = Layers {
        document: read.as_ref().ok().and_then(Option::as_deref).map(|text| (named.as_str(), text)),
        unreadable: read.as_ref().err().map(|reason| (named.clone(), reason.clone())),
        variables,
        endpoint_override: aws::endpoint_override(sdk),
    };
    let config = Config::load(&layers)?;
    if !config.tells_somebody() {
        // Without a channel every run would be paid for and read by nobody.
        let reason = "no channel is configured: set SRE_AGENT_FINDINGS_TOPIC_ARN, SRE_AGENT_SLACK_WEBHOOK, SRE_AGENT_SLACK_TOKEN or SRE_AGENT_AMAZON_Q_TOPIC_ARN";
        let fault = Fault { key: "SRE_AGENT_FINDINGS_TOPIC_ARN".into(), reason: reason.into() };
        return Err(ConfigError { faults: vec![fault] }.into());
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_that_says_so_asks_for_an_examination() {
        for (event, asks) in [
            (r#"{"doctor": true}"#, true),
            (r#" {"source": "aws.events", "doctor": true}"#, true),
            (r#"{"doctor": false}"#, false),
            (r#"{"doctor": "true"}"#, false),
            ("[true]", false),
            ("{}", false),
            ("null", false),
        ] {
            assert_eq!(Examine::is_asked_by(event), asks, "{event}");
        }
    }
}
