//! Clients of services: each is made with its first call, over one HTTPS client that all share.
//!
//! Otherwise they are most of a function's start. Each client reads the table of AWS's partitions, and with the HTTPS client
//! that the SDK makes by itself each reads some 140 root certificates only to see that it can.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::for_data;

/// A client that is made with its first call.
pub(super) type Later<C> = LazyLock<C, Box<dyn FnOnce() -> C + Send>>;

/// Returns a client that is made with its first call.
pub(super) fn later<C>(make: impl FnOnce() -> C + Send + 'static) -> Later<C> {
    LazyLock::new(Box::new(make))
}

/// Returns a client with the retries and times of data calls, made with its first call.
pub(super) fn data_client<C: 'static>(config: &SdkConfig, make: fn(&SdkConfig) -> C) -> Later<C> {
    let config = config.clone();
    later(move || make(&for_data(&config)))
}

/// Makes the HTTPS client; its connectors are made when they are needed.
pub(super) fn https() -> SharedHttpClient {
    SharedHttpClient::new(Https::default())
}

/// Connectors by their times for a connection and for an answer: all that tells one from another.
#[derive(Debug, Default)]
struct Https {
    connectors: Mutex<HashMap<[Option<Duration>; 2], SharedHttpConnector>>,
}

impl HttpClient for Https {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let times = [settings.connect_timeout(), settings.read_timeout()];
        // Held while it is made, so that calls that begin together wait for one.
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let made = connectors.entry(times).or_insert_with(|| {
            // As the SDK's own: its TLS, and the proxy that the environment names.
            let mut connector = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .proxy_config(ProxyConfig::from_env())
                .connector_settings(settings.clone());
            connector.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(connector.build())
        });
        made.clone()
    }

    /// As the SDK's own says it: the name goes into the user agent.
    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some(Cow::Borrowed("1.x"))))
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;

    use super::*;

    #[test]
    fn a_connector_is_made_when_it_is_needed_and_once_for_the_same_times() {
        let https = Https::default();
        let settings =
            |seconds| HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(seconds)).build();
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        let made = |https: &Https| https.connectors.lock().unwrap().len();
        assert_eq!(made(&https), 0);
        for seconds in [3, 3, 5, 3] {
            https.http_connector(&settings(seconds), &components);
        }
        assert_eq!(made(&https), 2);
    }
}
