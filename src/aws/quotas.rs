//! The account's quotas on Bedrock, from Service Quotas.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_servicequotas::Client;

use super::error::telemetry;
use super::for_data;
use crate::doctor::{Quota, Seen};

/// Time for all pages; Bedrock has several hundred quotas.
const LIST_TIME: Duration = Duration::from_secs(45);

/// Lists the quotas that apply to the account in a Region.
pub async fn bedrock_quotas(config: &SdkConfig, region: Option<&str>) -> Seen<Vec<Quota>> {
    const ACTION: &str = "servicequotas:ListServiceQuotas";
    let client = Client::new(&super::in_region(for_data(config), region));
    let reading = async {
        let mut found = Vec::new();
        let mut pages =
            client.list_service_quotas().service_code("bedrock").max_results(100).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| telemetry(ACTION, &error))?;
            found.extend(page.quotas().iter().filter_map(|quota| {
                Some(Quota {
                    name: quota.quota_name()?.to_owned(),
                    code: quota.quota_code().unwrap_or_default().to_owned(),
                    value: quota.value()?,
                    adjustable: quota.adjustable(),
                })
            }));
        }
        Ok(found)
    };
    super::within(LIST_TIME, ACTION, reading).await
}
