//! How configurations are loaded. What the services are told is tested over the wire, against the emulator.

use std::process::Command;
use std::sync::{Arc, Mutex};

use aws_sdk_sns::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_sns::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sns::error::BoxError;

use super::*;
use crate::model::router::{ProviderSettings, Providers};
use crate::model::{ConverseRequest, ModelId};

/// Notes where a request would go and stops it.
#[derive(Debug, Clone, Default)]
struct Address(Arc<Mutex<String>>);

impl Intercept for Address {
    fn name(&self) -> &'static str {
        "Address"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request().uri().clone_into(&mut self.0.lock().unwrap());
        Err("not sent".into())
    }
}

/// Returns where a client of this configuration sends its requests.
async fn address(config: &SdkConfig) -> String {
    let address = Address::default();
    let credentials = Credentials::new("a", "b", None, None, "test");
    let config = aws_sdk_sns::config::Builder::from(config)
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .interceptor(address.clone())
        .build();
    let refused = aws_sdk_sns::Client::from_conf(config).publish().topic_arn("t").message("m").send().await;
    assert!(refused.is_err());
    let address = address.0.lock().unwrap();
    address.clone()
}

/// Runs in a process of its own, whose environment the test below has set.
#[tokio::test]
#[ignore = "run by an_empty_endpoint_variable_counts_as_unset, in a process with the variable set"]
async fn print_address_of_loaded_configuration() {
    let config = load(Some("eu-west-1".to_owned())).await;
    println!("override {} address {}", endpoint_override(&config), address(&config).await);
}

#[tokio::test]
async fn a_recorded_incident_asks_no_provider_outside_this_machine() {
    let settings = |base_url: &str| {
        Some(ProviderSettings { base_url: base_url.into(), key_parameter: Some("/key".into()) })
    };
    let providers = Providers {
        anthropic: settings("https://api.anthropic.com"),
        openai: settings("http://localhost:1/v1"),
    };
    // Nobody listens at port 1, so the key cannot be read: that alone shows that the local endpoint was tried.
    let sdk = local("http://127.0.0.1:1", "us-east-1");
    let models = models(&sdk, Bedrock::new(&sdk, None), &providers);
    let request = ConverseRequest::least();
    let mut said = Vec::new();
    for id in ["anthropic:claude-x", "openai:llama"] {
        let id = ModelId::from(id);
        said.push(models.converse(&id, &request, Duration::from_secs(1)).await.unwrap_err().message);
    }
    assert!(said[0].contains("[providers.anthropic] is not configured"), "{said:?}");
    assert!(said[1].contains("SSM parameter /key could not be read"), "{said:?}");
}

#[test]
fn an_empty_endpoint_variable_counts_as_unset() {
    let loaded_with = |value: Option<&str>| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "aws::tests::print_address_of_loaded_configuration",
            "--ignored",
            "--nocapture",
        ]);
        child.env_remove(ENDPOINT_VARIABLE).env("AWS_CONFIG_FILE", "/dev/null");
        if let Some(value) = value {
            child.env(ENDPOINT_VARIABLE, value);
        }
        String::from_utf8(child.output().unwrap().stdout).unwrap()
    };
    let aws = "override false address https://sns.eu-west-1.amazonaws.com/";
    let unset = loaded_with(None);
    assert!(unset.contains(aws), "{unset}");
    let empty = loaded_with(Some(""));
    assert!(empty.contains(aws), "{empty}");
    let local = loaded_with(Some("http://127.0.0.1:4599"));
    assert!(local.contains("override true address http://127.0.0.1:4599/"), "{local}");
}

#[tokio::test]
async fn a_local_configuration_goes_where_it_is_told_and_nowhere_else() {
    let config = local("http://127.0.0.1:4599", "us-east-1");
    assert!(endpoint_override(&config));
    assert_eq!(address(&config).await, "http://127.0.0.1:4599/");
    assert_eq!(address(&for_data(&config)).await, "http://127.0.0.1:4599/");
}

#[test]
fn a_models_region_goes_before_the_configurations() {
    let config = local("http://127.0.0.1:4599", "us-east-1");
    assert_eq!(Bedrock::new(&config, None).region(), "us-east-1");
    assert_eq!(Bedrock::new(&config, Some("")).region(), "us-east-1");
    assert_eq!(Bedrock::new(&config, Some("eu-central-1")).region(), "eu-central-1");
}

#[test]
fn data_clients_retry_and_are_bounded_in_time() {
    let config = for_data(&local("http://127.0.0.1:4599", "us-east-1"));
    assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(DATA_ATTEMPTS));
    let times = config.timeout_config().unwrap();
    assert_eq!(times.operation_attempt_timeout(), Some(DATA_ATTEMPT_TIME));
    assert_eq!(times.operation_timeout(), Some(DATA_CALL_TIME));
}
