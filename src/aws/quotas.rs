//! The account's quotas on Bedrock, from Service Quotas.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::config::http::HttpResponse;
use aws_sdk_servicequotas::error::SdkError;
use aws_sdk_servicequotas::operation::list_service_quotas::ListServiceQuotasError;

use super::error::telemetry;
use super::{for_data, in_region};
use crate::doctor::Seen;
use crate::model::quota::ListedQuota;

/// Time for all pages; Bedrock has several hundred quotas.
const LIST_TIME: Duration = Duration::from_secs(45);

/// Lists the quotas that apply to the account in a Region.
pub async fn bedrock_quotas(config: &SdkConfig, region: Option<&str>) -> Seen<Vec<ListedQuota>> {
    const ACTION: &str = "servicequotas:ListServiceQuotas";
    let client = Client::new(&in_region(for_data(config), region));
    let reading = list(&client, |error| telemetry(ACTION, error));
    super::within(LIST_TIME, ACTION, reading).await
}

/// Reads all quotas on Bedrock, page after page.
pub(super) async fn list<E>(
    client: &Client,
    failed: impl Fn(&SdkError<ListServiceQuotasError, HttpResponse>) -> E,
) -> Result<Vec<ListedQuota>, E> {
    let mut found = Vec::new();
    let mut pages =
        client.list_service_quotas().service_code("bedrock").max_results(100).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(&error))?;
        found.extend(page.quotas().iter().filter_map(|quota| {
            Some(ListedQuota {
                name: quota.quota_name()?.to_owned(),
                code: quota.quota_code().unwrap_or_default().to_owned(),
                value: quota.value()?,
                adjustable: quota.adjustable(),
            })
        }));
    }
    Ok(found)
}
