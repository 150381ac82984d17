//! Reads a parameter, decrypted, from Systems Manager.

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;

use super::error::{status_of, telemetry, words};
use super::for_data;
use crate::delivery::Secret;
use crate::evidence::Status;
use crate::gather::telemetry::TelemetryError;

/// Why a parameter could not be read. Never holds its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is no such parameter in this Region.
    #[error("no SSM parameter {name} in this Region: create it, or correct the name")]
    Missing {
        /// The parameter's name.
        name: String,
    },
    /// The caller may not read or decrypt it.
    #[error(
        "SSM parameter {name} may not be read ({reason}): allow ssm:GetParameter on it, and kms:Decrypt on its key"
    )]
    Denied {
        /// The parameter's name.
        name: String,
        /// The service's own words, shortened.
        reason: String,
    },
    /// It holds nothing but blanks.
    #[error("SSM parameter {name} is empty")]
    Empty {
        /// The parameter's name.
        name: String,
    },
    /// The call failed otherwise.
    #[error("SSM parameter {name} could not be read ({reason})")]
    Failed {
        /// The parameter's name.
        name: String,
        /// The service's own words, shortened.
        reason: String,
    },
}

/// Returns the value of a parameter, decrypted and without surrounding blanks.
pub async fn parameter(config: &SdkConfig, name: &str) -> Result<Secret, ParameterError> {
    let client = Client::new(&for_data(config));
    let answer = client.get_parameter().name(name).with_decryption(true).send().await.map_err(|error| {
        let reason = words(&error, 200);
        failure(name, error.code(), error.message().unwrap_or_default(), reason)
    })?;
    let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
    if value.trim().is_empty() {
        Err(ParameterError::Empty { name: name.to_owned() })
    } else {
        Ok(Secret::new(&value))
    }
}

/// Returns the earlier versions of a parameter with their numbers, the newest first. SSM keeps a hundred.
pub async fn earlier_versions(config: &SdkConfig, name: &str) -> Result<Vec<(i64, Secret)>, TelemetryError> {
    let client = Client::new(&for_data(config));
    let mut found: Vec<(i64, Secret)> = Vec::new();
    let mut pages = client.get_parameter_history().name(name).with_decryption(true).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| telemetry("ssm:GetParameterHistory", &error))?;
        let versions = page.parameters().iter();
        found.extend(versions.map(|one| (one.version(), Secret::new(one.value().unwrap_or_default()))));
    }
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    Ok(found.into_iter().skip(1).collect())
}

/// Reads the configuration document from its place, `ssm:/name` of a parameter or a file; the error is the reason.
pub async fn document(config: &SdkConfig, place: &str) -> Result<String, String> {
    match place.strip_prefix("ssm:") {
        Some(name) => match parameter(config, name).await {
            Ok(text) => Ok(text.expose().to_owned()),
            Err(error) => Err(error.to_string()),
        },
        None => std::fs::read_to_string(place).map_err(|error| error.to_string()),
    }
}

fn failure(name: &str, code: Option<&str>, message: &str, reason: String) -> ParameterError {
    let name = name.to_owned();
    match code {
        Some("ParameterNotFound" | "ParameterVersionNotFound") => ParameterError::Missing { name },
        _ if status_of(code, message, None) == Status::Denied => ParameterError::Denied { name, reason },
        _ => ParameterError::Failed { name, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_read_says_what_to_do() {
        let text =
            |code, message: &str| failure("/sre/slack", Some(code), message, message.to_owned()).to_string();
        assert_eq!(
            text("ParameterNotFound", ""),
            "no SSM parameter /sre/slack in this Region: create it, or correct the name"
        );
        assert!(text("AccessDeniedException", "no policy").contains("allow ssm:GetParameter"));
        assert_eq!(
            text("InternalServerError", "try again"),
            "SSM parameter /sre/slack could not be read (try again)"
        );
    }
}
