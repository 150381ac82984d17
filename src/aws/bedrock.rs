//! Asks models over Bedrock's Converse. One call, no retry: the pace is the product's own.

mod body;
mod convert;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_bedrock::types::InferenceProfileSummary;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{Builder, StalledStreamProtectionConfig};
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::client::{Later, data_client, later};
use super::{bedrock_control, error, in_region, quotas};
use crate::model::quota::ListedQuota;
use crate::model::{ConverseReply, ConverseRequest, ErrorClass, Model, ModelError, ModelId};

/// Bedrock in one Region.
pub struct Bedrock {
    client: Later<Client>,
    region: String,
    control_plane: Later<aws_sdk_bedrock::Client>,
    /// The account's inference profiles, once somebody asked for them and they could be read.
    profiles: OnceCell<Vec<String>>,
    service_quotas: Later<aws_sdk_servicequotas::Client>,
}

impl Bedrock {
    /// Without a `region` it asks in the configuration's.
    pub fn new(config: &SdkConfig, region: Option<&str>) -> Self {
        let config = in_region(config.clone(), region);
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let control_plane = data_client(&config, aws_sdk_bedrock::Client::new);
        let service_quotas = data_client(&config, aws_sdk_servicequotas::Client::new);
        let make = move || {
            let client = Builder::from(&config)
                .retry_config(RetryConfig::disabled())
                // A model may think for longer than any grace on a stalled stream; the time limit of the call decides.
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
            Client::from_conf(client.build())
        };
        Bedrock { client: later(make), region, control_plane, profiles: OnceCell::new(), service_quotas }
    }

    /// Returns the Region that is asked; empty where none is configured.
    pub fn region(&self) -> &str {
        &self.region
    }

    async fn ask(
        &self,
        model: &ModelId,
        request: &ConverseRequest,
        time_limit: Duration,
    ) -> Result<ConverseReply, ModelError> {
        let max_tokens = i32::try_from(request.max_tokens).unwrap_or(i32::MAX);
        let messages =
            convert::messages(&request.messages, request.tuning.cache).map_err(|error| unsendable(&error))?;
        let tools = convert::tool_configuration(request).map_err(|error| unsendable(&error))?;
        let times = TimeoutConfig::builder()
            .operation_timeout(time_limit)
            .operation_attempt_timeout(time_limit)
            .build();
        let answer = self
            .client
            .converse()
            .model_id(&model.0)
            .set_messages(Some(messages))
            .set_system(
                convert::system(&request.system, request.tuning.cache).map_err(|error| unsendable(&error))?,
            )
            .inference_config(convert::inference(max_tokens, request.tuning.sampling))
            .set_additional_model_request_fields(request.tuning.sampling.map(convert::model_fields))
            .set_tool_config(tools)
            .request_metadata("agent", &request.agent)
            .request_metadata("turn", request.turn.to_string())
            .customize()
            .mutate_request(|sent| body::sort_keys(sent.body_mut()))
            .config_override(Builder::new().timeout_config(times))
            .send()
            .await;
        answer.map(convert::reply).map_err(|error| error::model(&error))
    }
}

impl std::fmt::Debug for Bedrock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bedrock({})", self.region)
    }
}

impl Model for Bedrock {
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        request: &'a ConverseRequest,
        time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        Box::pin(self.ask(model, request, time_limit))
    }

    fn profiles(&self) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
        Box::pin(async {
            let id = |profile: &InferenceProfileSummary| profile.inference_profile_id().to_owned();
            let list = || bedrock_control::list_profiles(&self.control_plane, id, error::model);
            self.profiles.get_or_try_init(list).await.cloned()
        })
    }

    fn quotas(&self) -> BoxFuture<'_, Result<Vec<ListedQuota>, ModelError>> {
        Box::pin(quotas::list(&self.service_quotas, error::model))
    }
}

/// A request that the SDK does not even build lacks something that every request has.
fn unsendable(error: &aws_sdk_bedrockruntime::error::BuildError) -> ModelError {
    ModelError {
        class: ErrorClass::InvalidRequest,
        message: format!("the request cannot be built: {error}"),
        request_id: None,
        retry_after: None,
    }
}
