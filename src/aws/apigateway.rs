//! Reads the name of a REST API, by which its metrics know it.

use aws_sdk_apigateway::Client;

use super::error::telemetry;
use crate::evidence::Status;
use crate::gather::telemetry::TelemetryError;

/// What IAM calls `GetRestApi`.
const GET: &str = "apigateway:GET";

/// Reads a REST API's name; `None` where there is none of that id.
pub(super) async fn rest_api_name(client: &Client, id: &str) -> Result<Option<String>, TelemetryError> {
    match client.get_rest_api().rest_api_id(id).send().await {
        Ok(api) => Ok(api.name.filter(|name| !name.is_empty())),
        Err(error) => match telemetry(GET, &error) {
            missing if missing.status == Status::Missing => Ok(None),
            error => Err(error),
        },
    }
}
