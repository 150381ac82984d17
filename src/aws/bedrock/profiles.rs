//! The account's inference profiles, from Bedrock's control plane.

use aws_config::{Region, SdkConfig};
use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::config::Builder;

use crate::aws::error;
use crate::model::ModelError;

/// Makes the client. It retries as data calls do: whoever asks has a model that waits for the answer.
pub(super) fn client(config: &SdkConfig, region: &str) -> Client {
    let mut client = Builder::from(&crate::aws::for_data(config));
    if !region.is_empty() {
        client = client.region(Region::new(region.to_owned()));
    }
    Client::from_conf(client.build())
}

/// Lists the ids of all profiles, system-defined and the account's own.
pub(super) async fn list(client: &Client) -> Result<Vec<String>, ModelError> {
    let mut pages = client.list_inference_profiles().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(profile) = pages.next().await {
        found.push(profile.map_err(|error| error::model(&error))?.inference_profile_id);
    }
    Ok(found)
}
