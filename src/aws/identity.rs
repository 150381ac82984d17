//! Who asks: the caller's account and ARN, from STS. Every principal may ask that.

use aws_config::SdkConfig;
use aws_sdk_sts::Client;

use super::error::telemetry;
use super::for_data;
use crate::doctor::{Identity, Seen};

/// Returns the caller's identity.
pub async fn identity(config: &SdkConfig) -> Seen<Identity> {
    let answer = Client::new(&for_data(config)).get_caller_identity().send().await;
    let answer = answer.map_err(|error| telemetry("sts:GetCallerIdentity", &error))?;
    Ok(Identity {
        account: answer.account().unwrap_or_default().to_owned(),
        arn: answer.arn().unwrap_or_default().to_owned(),
    })
}
