//! The only room that names AWS's SDK: adapters from the product's seams to the services.
//!
//! An adapter asks one question in the service's terms and gives the answer as plain data. It holds no judgement about
//! an incident; it retries what the service asks to retry, except for models, whose pace is the product's own.

mod alarms;
mod amazon_q;
mod apigateway;
mod bedrock;
mod bedrock_control;
mod channels;
mod client;
mod cloudwatch;
mod dynamodb;
mod error;
mod identity;
mod lambda;
mod logs;
mod models;
mod quotas;
mod s3;
mod seen_channels;
mod sns;
mod ssm;
mod survey;

use std::collections::BTreeMap;
use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_ssm::config::{Credentials, SharedCredentialsProvider};
use futures::future::BoxFuture;

pub use crate::model::classify::classify;
pub use alarms::Firing;
pub use amazon_q::AmazonQChannel;
pub use bedrock::Bedrock;
pub use bedrock_control::ModelAccess;
pub use channels::{channels, slack_api};
use client::{Later, data_client};
pub use dynamodb::DynamoDbStore;
pub use identity::identity;
pub use lambda::invoke;
pub use models::{keys, models};
pub use quotas::bedrock_quotas;
pub use s3::ReportBucket;
pub use seen_channels::seen_channels;
pub use sns::SnsChannel;
pub use ssm::{ParameterError, document, earlier_versions, parameter};
pub use survey::Survey;

use crate::alarm::AlarmSnapshot;
use crate::doctor::load::History;
use crate::evidence::{MetricId, Series, Status};
use crate::gather::Telemetry;
use crate::gather::telemetry::{
    FunctionState, LogGroup, LogPage, LogRequest, LogsAnswer, LogsQuery, MetricsRequest, TelemetryError,
};

/// Where the SDK's shared endpoint override stands.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

/// Tries of one data call, the first included; the backoff between them is the SDK's.
const DATA_ATTEMPTS: u32 = 4;

/// Time for one try of a data call.
const DATA_ATTEMPT_TIME: Duration = Duration::from_secs(5);

/// Time for one data call with its tries, and for one question that takes several pages.
const DATA_CALL_TIME: Duration = Duration::from_secs(20);

/// Loads Region, credentials and endpoint as every AWS tool does; `region` goes before what the environment says.
///
/// An empty `AWS_ENDPOINT_URL` counts as unset. The SDK would take it for an endpoint of no text, because its clients
/// read the variable a second time without looking whether it holds a URL.
pub async fn load(region: Option<String>) -> SdkConfig {
    load_profile(None, region).await
}

/// As [`load`], for a Lambda function: its credentials and its Region stand in variables, so what would look for them
/// elsewhere is not made.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK reads these variables itself; here it is only seen whether they are set"
)]
pub async fn load_in_function() -> SdkConfig {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let mut loader = loader();
    if ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].into_iter().all(is_set) {
        loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
    }
    if is_set("AWS_REGION") {
        loader = loader.region(EnvironmentVariableRegionProvider::new());
    }
    let endpoint = std::env::var(ENDPOINT_VARIABLE).ok();
    Box::pin(loaded(loader, endpoint.as_deref())).await
}

/// As [`load`], with a profile that goes before what the environment says.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK reads this variable itself; here it is only seen to be empty"
)]
pub async fn load_profile(profile: Option<String>, region: Option<String>) -> SdkConfig {
    let endpoint = std::env::var(ENDPOINT_VARIABLE).ok();
    load_with(profile, region, endpoint.as_deref()).await
}

async fn load_with(profile: Option<String>, region: Option<String>, endpoint: Option<&str>) -> SdkConfig {
    let mut loader = loader();
    if let Some(profile) = profile.filter(|profile| !profile.is_empty()) {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region.filter(|region| !region.is_empty()) {
        loader = loader.region(Region::new(region));
    }
    // Boxed, as its state is large.
    Box::pin(loaded(loader, endpoint)).await
}

fn loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(client::https())
}

async fn loaded(loader: ConfigLoader, endpoint: Option<&str>) -> SdkConfig {
    if endpoint.is_none_or(|endpoint| !endpoint.trim().is_empty()) {
        return loader.load().await;
    }
    // A client prefers an endpoint that the program set to anything that it would read itself, and keeps the
    // preference when the value is taken away again: so it ends with the service's own endpoint.
    let mut config = loader.endpoint_url("http://localhost").load().await.into_builder();
    config.set_endpoint_url(None);
    config.build()
}

/// Returns the configuration for a local AWS at `endpoint_url`: nothing is read from this machine's environment or
/// files, and the credentials are words that no AWS account knows.
pub fn local(endpoint_url: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint_url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(client::https())
        .build()
}

/// Tells whether calls go somewhere else than to AWS.
pub fn endpoint_override(config: &SdkConfig) -> bool {
    config.endpoint_url().is_some()
}

/// Reads telemetry from AWS.
pub struct AwsTelemetry {
    cloudwatch: Later<aws_sdk_cloudwatch::Client>,
    logs: Later<aws_sdk_cloudwatchlogs::Client>,
    lambda: Later<aws_sdk_lambda::Client>,
    apigateway: Later<aws_sdk_apigateway::Client>,
    region: String,
    salt: lambda::Salt,
}

impl AwsTelemetry {
    /// Reads with the configuration's credentials. Digests of environment values are salted with a number of this process, so they can be
    /// compared with each other but not guessed from outside.
    pub fn new(config: &SdkConfig) -> Self {
        Self::with_salt(config, lambda::Salt::random())
    }

    /// As [`AwsTelemetry::new`], with digests that are the same in every process. Only for data that is no secret: a scenario
    /// whose prompts must not differ from run to run.
    pub fn with_fixed_digests(config: &SdkConfig) -> Self {
        Self::with_salt(config, lambda::Salt::fixed())
    }

    fn with_salt(config: &SdkConfig, salt: lambda::Salt) -> Self {
        AwsTelemetry {
            cloudwatch: data_client(config, aws_sdk_cloudwatch::Client::new),
            logs: data_client(config, aws_sdk_cloudwatchlogs::Client::new),
            lambda: data_client(config, aws_sdk_lambda::Client::new),
            apigateway: data_client(config, aws_sdk_apigateway::Client::new),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            salt,
        }
    }
}

impl AwsTelemetry {
    /// Lists the account's alarms in the Region, up to two thousand: what a question in plain words can be about.
    pub async fn alarms(&self) -> Result<Vec<AlarmSnapshot>, TelemetryError> {
        alarms::alarms(&self.cloudwatch, &self.region).await
    }

    /// Lists when any alarm of the Region went off, as far as the histories go back: 30 days.
    pub async fn history(&self) -> Result<History, TelemetryError> {
        alarms::history(&self.cloudwatch).await
    }

    /// Lists when an alarm went off, as far as its history goes back: 30 days.
    pub async fn firings(&self, name: &str) -> Result<Vec<Firing>, TelemetryError> {
        alarms::firings(&self.cloudwatch, name).await
    }

    /// Asks for the answer of a query that nobody made and stops it: being told so takes the permissions. Each IAM action
    /// with what came of it.
    pub async fn try_queries(&self) -> [(&'static str, Result<(), TelemetryError>); 2] {
        logs::insights::probe(&self.logs).await
    }
}

impl std::fmt::Debug for AwsTelemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AwsTelemetry({})", self.region)
    }
}

impl Telemetry for AwsTelemetry {
    fn metrics<'a>(
        &'a self,
        request: &'a MetricsRequest,
    ) -> BoxFuture<'a, Result<Vec<Series>, TelemetryError>> {
        Box::pin(cloudwatch::metrics(&self.cloudwatch, request))
    }

    fn list_metrics<'a>(
        &'a self,
        like: &'a MetricId,
    ) -> BoxFuture<'a, Result<Vec<MetricId>, TelemetryError>> {
        Box::pin(cloudwatch::list_metrics(&self.cloudwatch, like))
    }

    fn alarm<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<AlarmSnapshot>, TelemetryError>> {
        Box::pin(alarms::alarm(&self.cloudwatch, name, &self.region))
    }

    fn children<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<AlarmSnapshot>, TelemetryError>> {
        Box::pin(alarms::children(&self.cloudwatch, name, &self.region))
    }

    fn tags<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, TelemetryError>> {
        Box::pin(alarms::tags(&self.cloudwatch, arn))
    }

    fn log_group<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<LogGroup>, TelemetryError>> {
        Box::pin(logs::log_group(&self.logs, name))
    }

    fn log_events<'a>(&'a self, request: &'a LogRequest) -> BoxFuture<'a, Result<LogPage, TelemetryError>> {
        Box::pin(logs::log_events(&self.logs, request))
    }

    fn query_logs<'a>(&'a self, query: &'a LogsQuery) -> BoxFuture<'a, Result<LogsAnswer, TelemetryError>> {
        Box::pin(logs::insights::query(&self.logs, query))
    }

    fn callers<'a>(&'a self, function: &'a str) -> BoxFuture<'a, Result<Vec<String>, TelemetryError>> {
        Box::pin(lambda::callers(&self.lambda, function))
    }

    fn rest_api_name<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<String>, TelemetryError>> {
        Box::pin(apigateway::rest_api_name(&self.apigateway, id))
    }

    fn function<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<FunctionState>, TelemetryError>> {
        Box::pin(lambda::function(&self.lambda, name, &self.salt))
    }

    fn picture<'a>(&'a self, widget: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, TelemetryError>> {
        Box::pin(cloudwatch::picture(&self.cloudwatch, widget))
    }
}

/// Returns the configuration with the retries and times of data calls.
fn for_data(config: &SdkConfig) -> SdkConfig {
    let times = TimeoutConfig::builder()
        .operation_attempt_timeout(DATA_ATTEMPT_TIME)
        .operation_timeout(DATA_CALL_TIME)
        .build();
    config
        .to_builder()
        .retry_config(RetryConfig::standard().with_max_attempts(DATA_ATTEMPTS))
        .timeout_config(times)
        .build()
}

/// Returns the configuration for a Region, where one is named.
fn in_region(config: SdkConfig, region: Option<&str>) -> SdkConfig {
    match region.filter(|region| !region.is_empty()) {
        Some(region) => config.into_builder().region(Region::new(region.to_owned())).build(),
        None => config,
    }
}

/// Bounds the time of a question that takes several pages.
async fn within<T>(
    time: Duration,
    operation: &'static str,
    reading: impl Future<Output = Result<T, TelemetryError>>,
) -> Result<T, TelemetryError> {
    tokio::time::timeout(time, reading).await.unwrap_or_else(|_elapsed| {
        Err(TelemetryError {
            status: Status::TimedOut,
            operation,
            reason: format!("not finished in {} s", time.as_secs()),
        })
    })
}

/// Converts the SDK's time into the product's; `None` for a moment that no calendar holds.
fn timestamp(time: &aws_smithy_types::DateTime) -> Option<crate::clock::Timestamp> {
    crate::clock::Timestamp::from_nanosecond(time.as_nanos()).ok()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
