//! Service Quotas' `ListServiceQuotas` of Bedrock, over awsJson 1.1. Every other operation and service is refused.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::bedrock::{Offer, Quota};
use crate::failure::Failure;
use crate::input;
use crate::page::{self, Pager, short_digest};
use crate::scenario::{Paging, Scenario};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    service_code: String,
    next_token: Option<String>,
    max_results: Option<usize>,
    quota_code: Option<String>,
    quota_applied_at_level: Option<String>,
}

/// Answers one operation.
pub(crate) fn answer(
    scenario: &Scenario,
    paging: &Paging,
    offer: &Offer,
    operation: &str,
    input: Value,
) -> Result<Value, Failure> {
    if operation != "ListServiceQuotas" {
        return Err(Failure::unsupported(format!("operation servicequotas:{operation}")));
    }
    let pager = Pager::new(operation, &input, &["NextToken", "MaxResults"]);
    let input: Input = input::read(operation, input)?;
    if input.service_code != "bedrock" {
        return Err(Failure::unsupported(format!("quotas of the service {}", input.service_code)));
    }
    if input.quota_applied_at_level.as_deref().is_some_and(|level| level != "ACCOUNT") {
        return Err(Failure::unsupported("quotas below the level of the account"));
    }
    let size = input.max_results.unwrap_or(paging.quotas);
    if !(1..=100).contains(&size) {
        return Err(Failure::service(
            400,
            "IllegalArgumentException",
            "MaxResults must be between 1 and 100.",
        ));
    }
    let position = pager.position(input.next_token.as_deref()).ok_or_else(|| {
        Failure::service(400, "InvalidPaginationTokenException", "The pagination token is invalid.")
    })?;
    let wanted = |quota: &&Quota| input.quota_code.as_ref().is_none_or(|wanted| *wanted == code(quota));
    let quotas = offer.quotas().iter().filter(wanted).map(|quota| shown(scenario, quota)).collect();
    let (quotas, next) = page::cut(quotas, position, size.min(paging.quotas));
    let mut output = json!({"Quotas": Value::Array(quotas)});
    if let (Some(next), Some(members)) = (next, output.as_object_mut()) {
        members.insert("NextToken".to_owned(), pager.token(&next.to_string()).into());
    }
    Ok(output)
}

fn shown(scenario: &Scenario, quota: &Quota) -> Value {
    let code = code(quota);
    json!({
        "ServiceCode": "bedrock",
        "ServiceName": "Amazon Bedrock",
        "QuotaArn": format!("arn:aws:servicequotas:{}:{}:bedrock/{code}", scenario.region(), scenario.account()),
        "QuotaCode": code,
        "QuotaName": quota.name,
        "Value": quota.value,
        "Unit": "None",
        "Adjustable": quota.adjustable.unwrap_or(true),
        "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
    })
}

fn code(quota: &Quota) -> String {
    quota.code.clone().unwrap_or_else(|| {
        let digits: String = short_digest(&quota.name.to_ascii_lowercase()).chars().take(8).collect();
        format!("L-{}", digits.to_ascii_uppercase())
    })
}
