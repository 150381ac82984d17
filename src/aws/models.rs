//! The model providers that a configuration names, behind one seam. Keys lie in SSM parameters and are read when the
//! first question goes to their provider.

use std::sync::Arc;

use aws_config::SdkConfig;

use super::{Bedrock, endpoint_override, parameter};
use crate::model::Model;
use crate::model::anthropic::Anthropic;
use crate::model::http::ReadKey;
use crate::model::openai::OpenAi;
use crate::model::router::{ProviderSettings, Providers, Router, is_local};

/// Joins Bedrock and the other providers. A recorded incident leaves this machine for none of them.
pub fn models(sdk: &SdkConfig, bedrock: Bedrock, providers: &Providers) -> Arc<dyn Model> {
    let may_be_asked = |settings: &&ProviderSettings| !endpoint_override(sdk) || is_local(&settings.base_url);
    let anthropic = providers.anthropic.as_ref().filter(may_be_asked).and_then(|settings| {
        let key = read_key(sdk, settings)?;
        Some(Arc::new(Anthropic::new(&settings.base_url, key)) as Arc<dyn Model>)
    });
    let openai =
        providers.openai.as_ref().filter(may_be_asked).map(|settings| {
            Arc::new(OpenAi::new(&settings.base_url, read_key(sdk, settings))) as Arc<dyn Model>
        });
    Arc::new(Router::new(Arc::new(bedrock), anthropic, openai))
}

fn read_key(sdk: &SdkConfig, settings: &ProviderSettings) -> Option<ReadKey> {
    let (sdk, name) = (sdk.clone(), settings.key_parameter.clone()?);
    Some(Arc::new(move || {
        let (sdk, name) = (sdk.clone(), name.clone());
        Box::pin(async move { parameter(&sdk, &name).await.map_err(|error| error.to_string()) })
    }))
}
