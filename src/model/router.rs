//! Sends each question to the provider that the rung's id names.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::model::quota::ListedQuota;
use crate::model::{ConverseReply, ConverseRequest, ErrorClass, Model, ModelError, ModelId, Provider};

/// The providers beside Bedrock that are configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Providers {
    /// Anthropic's Messages API.
    pub anthropic: Option<ProviderSettings>,
    /// An endpoint that speaks the chat completions of `OpenAI`.
    pub openai: Option<ProviderSettings>,
}

/// Where a provider is and where its key lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Address without the operation's path.
    pub base_url: String,
    /// Name of the SSM parameter that holds the key, where the provider wants one.
    pub key_parameter: Option<String>,
}

/// Tells whether an address leads to this machine.
pub fn is_local(base_url: &str) -> bool {
    let url = reqwest::Url::parse(base_url).ok();
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

/// The providers behind one seam.
pub struct Router {
    bedrock: Arc<dyn Model>,
    anthropic: Option<Arc<dyn Model>>,
    openai: Option<Arc<dyn Model>>,
}

impl Router {
    /// Returns a router; a provider that is not configured is absent.
    pub fn new(
        bedrock: Arc<dyn Model>,
        anthropic: Option<Arc<dyn Model>>,
        openai: Option<Arc<dyn Model>>,
    ) -> Self {
        Router { bedrock, anthropic, openai }
    }
}

impl Model for Router {
    fn converse<'a>(
        &'a self,
        model: &'a ModelId,
        request: &'a ConverseRequest,
        time_limit: Duration,
    ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
        let provider = match model.provider() {
            Provider::Bedrock => Some(&self.bedrock),
            Provider::Anthropic => self.anthropic.as_ref(),
            Provider::OpenAi => self.openai.as_ref(),
        };
        match provider {
            Some(provider) => provider.converse(model, request, time_limit),
            None => Box::pin(std::future::ready(Err(not_configured(model.provider())))),
        }
    }

    fn profiles(&self) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
        self.bedrock.profiles()
    }

    fn quotas(&self) -> BoxFuture<'_, Result<Vec<ListedQuota>, ModelError>> {
        self.bedrock.quotas()
    }
}

/// No key, no address: none of the provider's models can be asked.
fn not_configured(provider: Provider) -> ModelError {
    let name = provider.as_str();
    ModelError {
        class: ErrorClass::Credentials,
        message: format!(
            "[providers.{name}] is not configured, or a recorded incident does not leave this machine"
        ),
        request_id: None,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, StopReason, Usage};

    /// Answers with its own name.
    struct Named(&'static str);

    impl Model for Named {
        fn converse<'a>(
            &'a self,
            model: &'a ModelId,
            _request: &'a ConverseRequest,
            _time_limit: Duration,
        ) -> BoxFuture<'a, Result<ConverseReply, ModelError>> {
            let text = format!("{} asked for {}", self.0, model.as_sent());
            Box::pin(std::future::ready(Ok(ConverseReply {
                content: vec![Content::Text(text)],
                stop: StopReason::EndTurn,
                usage: Usage::default(),
                request_id: None,
                recording: None,
            })))
        }

        fn profiles(&self) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
            Box::pin(std::future::ready(Ok(vec![self.0.to_owned()])))
        }
    }

    #[tokio::test]
    async fn each_rung_is_asked_of_the_provider_that_its_id_names() {
        let router = Router::new(Arc::new(Named("bedrock")), Some(Arc::new(Named("anthropic"))), None);
        let request = ConverseRequest::least();
        let mut said = Vec::new();
        for id in ["us.a.b-v1:0", "anthropic:claude-x", "openai:llama"] {
            let answer = router.converse(&ModelId::from(id), &request, Duration::from_secs(1)).await;
            said.push(match answer {
                Ok(reply) => format!("{:?}", reply.content),
                Err(error) => error.to_string(),
            });
        }
        assert_eq!(
            said,
            [
                "[Text(\"bedrock asked for us.a.b-v1:0\")]",
                "[Text(\"anthropic asked for claude-x\")]",
                "no valid credentials: [providers.openai] is not configured, or a recorded incident does not leave this \
                 machine",
            ]
        );
        assert_eq!(router.profiles().await.unwrap(), ["bedrock"]);
    }
}
