//! What Bedrock's control plane says of models: what the Region offers, profiles with their destinations, availability.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::config::http::HttpResponse;
use aws_sdk_bedrock::error::SdkError;
use aws_sdk_bedrock::operation::list_inference_profiles::ListInferenceProfilesError;
use aws_sdk_bedrock::types::{FoundationModelSummary, InferenceProfileSummary};

use super::error::telemetry;
use super::{for_data, in_region, timestamp};
use crate::doctor::{Availability, Lifecycle, OfferedModel, Profile, Seen};

/// Time for a list with all its pages.
const LIST_TIME: Duration = Duration::from_secs(30);

/// Reads models and profiles. Changes nothing and calls no model.
#[derive(Debug, Clone)]
pub struct ModelAccess {
    client: Client,
}

impl ModelAccess {
    /// Makes the client; without a `region` it asks in the configuration's. It retries as data calls do: whoever asks has
    /// somebody who waits for the answer.
    pub fn new(config: &SdkConfig, region: Option<&str>) -> Self {
        ModelAccess { client: Client::new(&in_region(for_data(config), region)) }
    }

    /// Lists the foundation models of the Region. Those past their end of life are not among them.
    pub async fn offered(&self) -> Seen<Vec<OfferedModel>> {
        let answer = self.client.list_foundation_models().send().await;
        let answer = answer.map_err(|error| telemetry("bedrock:ListFoundationModels", &error))?;
        Ok(answer.model_summaries().iter().map(offered).collect())
    }

    /// Lists the inference profiles, the account's own among them.
    pub async fn profiles(&self) -> Seen<Vec<Profile>> {
        const ACTION: &str = "bedrock:ListInferenceProfiles";
        let reading = list_profiles(&self.client, profile, |error| telemetry(ACTION, error));
        super::within(LIST_TIME, ACTION, reading).await
    }

    /// Reads the four gates in front of a model; `base` is an id without geography prefix.
    pub async fn availability(&self, base: &str) -> Seen<Availability> {
        let answer = self.client.get_foundation_model_availability().model_id(base).send().await;
        let answer = answer.map_err(|error| telemetry("bedrock:GetFoundationModelAvailability", &error))?;
        Ok(Availability {
            agreement: answer.agreement_availability().map(|found| found.status().as_str().to_owned()),
            authorized: answer.authorization_status().as_str() == "AUTHORIZED",
            entitled: answer.entitlement_availability().as_str() == "AVAILABLE",
            in_region: answer.region_availability().as_str() == "AVAILABLE",
        })
    }
}

/// Reads all inference profiles, page after page, each into what the asker needs of it.
pub(super) async fn list_profiles<T, E>(
    client: &Client,
    read: impl Fn(&InferenceProfileSummary) -> T,
    failed: impl Fn(&SdkError<ListInferenceProfilesError, HttpResponse>) -> E,
) -> Result<Vec<T>, E> {
    let mut found = Vec::new();
    let mut pages = client.list_inference_profiles().max_results(1000).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(&error))?;
        found.extend(page.inference_profile_summaries().iter().map(&read));
    }
    Ok(found)
}

fn offered(summary: &FoundationModelSummary) -> OfferedModel {
    let lifecycle = summary.model_lifecycle();
    let status = lifecycle.map(|lifecycle| lifecycle.status().as_str());
    OfferedModel {
        id: summary.model_id().to_owned(),
        lifecycle: if status == Some("LEGACY") { Lifecycle::Legacy } else { Lifecycle::Active },
        end_of_life: lifecycle.and_then(|lifecycle| lifecycle.end_of_life_time()).and_then(timestamp),
        on_demand: summary.inference_types_supported().iter().any(|kind| kind.as_str() == "ON_DEMAND"),
    }
}

fn profile(summary: &InferenceProfileSummary) -> Profile {
    Profile {
        id: summary.inference_profile_id().to_owned(),
        arn: summary.inference_profile_arn().to_owned(),
        active: summary.status().as_str() == "ACTIVE",
        model_arns: summary
            .models()
            .iter()
            .filter_map(|model| model.model_arn().map(str::to_owned))
            .collect(),
    }
}
