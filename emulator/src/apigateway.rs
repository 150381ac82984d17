//! API Gateway's `GetRestApi`, over restJson. Every other operation is refused.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::percent;
use crate::scenario::Scenario;

/// A request, told apart by method and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// With the API's id.
    GetRestApi(String),
    /// Method and path of anything else.
    Other(String),
}

/// Reads a path; `None` when it is not one of API Gateway's.
pub(crate) fn request(method: &str, path: &str) -> Option<Request> {
    let rest = path.strip_prefix("/restapis")?;
    Some(match (method, rest.strip_prefix('/')) {
        ("GET", Some(id)) if !id.is_empty() && !id.contains('/') => Request::GetRestApi(percent::decoded(id)),
        _ => Request::Other(format!("{method} {path}")),
    })
}

impl Request {
    /// Returns the API's name of the operation.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::GetRestApi(_) => "GetRestApi",
            Self::Other(target) => target,
        }
    }

    /// Returns the path that IAM names as the resource.
    pub(crate) fn resource(&self) -> String {
        match self {
            Self::GetRestApi(id) => format!("/restapis/{id}"),
            Self::Other(_) => "/restapis".to_owned(),
        }
    }
}

/// Answers one request.
pub(crate) fn answer(scenario: &Scenario, request: &Request) -> Result<Value, Failure> {
    match request {
        Request::GetRestApi(id) => {
            let found = scenario.rest_apis().iter().find(|api| api.id == *id).ok_or_else(|| {
                Failure::service(404, "NotFoundException", "Invalid API identifier specified")
            })?;
            Ok(json!({"id": found.id, "name": found.name, "apiKeySource": "HEADER"}))
        }
        Request::Other(target) => Err(Failure::unsupported(format!("API Gateway's {target}"))),
    }
}
