//! The model providers that a configuration names, behind one seam. Keys lie in SSM parameters and are read when the
//! first question goes to their provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;

use super::{Bedrock, endpoint_override, parameter};
use crate::doctor::SeenKey;
use crate::model::anthropic::Anthropic;
use crate::model::http::ReadKey;
use crate::model::openai::OpenAi;
use crate::model::router::{ProviderSettings, Providers, Router, is_local};
use crate::model::{Model, Provider};

/// Joins Bedrock and the other providers. A recorded incident leaves this machine for none of them.
pub fn models(sdk: &SdkConfig, bedrock: Bedrock, providers: &Providers) -> Arc<dyn Model> {
    let may_be_asked = |settings: &&ProviderSettings| may_be_asked(sdk, settings);
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

/// Reads the keys of the providers beside Bedrock that may be asked from here, and asks none of them.
pub async fn keys(sdk: &SdkConfig, providers: &Providers) -> BTreeMap<Provider, SeenKey> {
    let configured =
        [(Provider::Anthropic, providers.anthropic.as_ref()), (Provider::OpenAi, providers.openai.as_ref())];
    let mut seen = BTreeMap::new();
    for (provider, settings) in configured {
        let Some(settings) = settings.filter(|settings| may_be_asked(sdk, settings)) else { continue };
        let key = match &settings.key_parameter {
            None => SeenKey::NotWanted,
            Some(name) => match parameter(sdk, name).await {
                Ok(_) => SeenKey::Readable(name.clone()),
                Err(error) => SeenKey::Unreadable(error.to_string()),
            },
        };
        seen.insert(provider, key);
    }
    seen
}

fn may_be_asked(sdk: &SdkConfig, settings: &ProviderSettings) -> bool {
    !endpoint_override(sdk) || is_local(&settings.base_url)
}

fn read_key(sdk: &SdkConfig, settings: &ProviderSettings) -> Option<ReadKey> {
    let (sdk, name) = (sdk.clone(), settings.key_parameter.clone()?);
    Some(Arc::new(move || {
        let (sdk, name) = (sdk.clone(), name.clone());
        Box::pin(async move { parameter(&sdk, &name).await.map_err(|error| error.to_string()) })
    }))
}
