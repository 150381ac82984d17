//! Bedrock's control plane, over restJson: the lists of foundation models and inference profiles, one of each, and a
//! model's availability. Every other operation is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::bedrock::account::{FoundationModel, InferenceProfile, ProfileType};
use crate::bedrock::offer::{ListedModel, Offer, model_arn};
use crate::failure::Failure;
use crate::page::{self, Pager};
use crate::percent;
use crate::scenario::Paging;

/// A request, told apart by method and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    query: BTreeMap<String, String>,
}

/// What is asked for. The text is the id or ARN as the caller gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    ListFoundationModels,
    GetFoundationModel(String),
    ListInferenceProfiles,
    GetInferenceProfile(String),
    GetFoundationModelAvailability(String),
}

impl Operation {
    /// Returns the API's name of the operation.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ListFoundationModels => "ListFoundationModels",
            Self::GetFoundationModel(_) => "GetFoundationModel",
            Self::ListInferenceProfiles => "ListInferenceProfiles",
            Self::GetInferenceProfile(_) => "GetInferenceProfile",
            Self::GetFoundationModelAvailability(_) => "GetFoundationModelAvailability",
        }
    }

    /// Returns the resource that a denial names; lists know none.
    pub(crate) fn resource(&self, region: &str, account: &str) -> Option<String> {
        match self {
            Self::ListFoundationModels | Self::ListInferenceProfiles => None,
            Self::GetFoundationModel(id) | Self::GetFoundationModelAvailability(id) => {
                Some(if id.starts_with("arn:") { id.clone() } else { model_arn(region, id) })
            }
            Self::GetInferenceProfile(id) if id.starts_with("arn:") => Some(id.clone()),
            Self::GetInferenceProfile(id) => {
                Some(format!("arn:aws:bedrock:{region}:{account}:inference-profile/{id}"))
            }
        }
    }
}

/// Reads a path; `None` when it is not one of these operations.
pub(crate) fn request(method: &str, path: &str, query: &str) -> Option<Request> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let operation = match (method, parts.as_slice()) {
        ("GET", ["foundation-models"]) => Operation::ListFoundationModels,
        ("GET", ["foundation-models", id]) => Operation::GetFoundationModel(percent::decoded(id)),
        ("GET", ["inference-profiles"]) => Operation::ListInferenceProfiles,
        ("GET", ["inference-profiles", id]) => Operation::GetInferenceProfile(percent::decoded(id)),
        ("GET", ["foundation-model-availability", id]) => {
            Operation::GetFoundationModelAvailability(percent::decoded(id))
        }
        _ => return None,
    };
    Some(Request { operation, query: percent::pairs(query).into_iter().collect() })
}

/// Answers one request.
pub(crate) fn answer(offer: &Offer, paging: &Paging, request: &Request) -> Result<Value, Failure> {
    match &request.operation {
        Operation::ListFoundationModels => list_models(offer, request),
        Operation::GetFoundationModel(id) => {
            request.only(&[])?;
            let id = id.split_once(":foundation-model/").map_or(id.as_str(), |(_, id)| id);
            let listed = model(offer, id)?;
            if !listed.in_region {
                return Err(unresolved());
            }
            Ok(json!({"modelDetails": details(offer, &listed)}))
        }
        Operation::ListInferenceProfiles => list_profiles(offer, paging, request),
        Operation::GetInferenceProfile(id) => {
            request.only(&[])?;
            let id = id.split_once("inference-profile/").map_or(id.as_str(), |(_, id)| id);
            offer
                .profiles()
                .into_iter()
                .find(|(profile, _)| profile.id == id)
                .map(|(profile, model)| summary(offer, profile, model))
                .ok_or_else(|| {
                    not_found("The requested inference profile does not exist or is not available here.")
                })
        }
        Operation::GetFoundationModelAvailability(id) => {
            request.only(&[])?;
            let listed = model(offer, id)?;
            Ok(json!({
                "modelId": listed.model.id,
                "agreementAvailability": {"status": listed.agreement},
                "authorizationStatus": listed.authorization,
                "entitlementAvailability": listed.entitlement,
                "regionAvailability": if listed.in_region { "AVAILABLE" } else { "NOT_AVAILABLE" },
            }))
        }
    }
}

fn list_models(offer: &Offer, request: &Request) -> Result<Value, Failure> {
    request.only(&["byProvider", "byInferenceType"])?;
    let provider = request.query.get("byProvider");
    let kind = request.query.get("byInferenceType");
    if let Some(kind) = kind.filter(|kind| !["ON_DEMAND", "PROVISIONED"].contains(&kind.as_str())) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{kind}' at 'byInferenceType' failed to satisfy constraint: Member \
             must satisfy enum value set: [ON_DEMAND, PROVISIONED]"
        )));
    }
    let wanted = |listed: &ListedModel| {
        let of_provider = provider.is_none_or(|name| name.eq_ignore_ascii_case(listed.model.provider()));
        of_provider && kind.is_none_or(|kind| listed.types.iter().any(|one| json!(one) == json!(kind)))
    };
    let models: Vec<Value> =
        offer.models().iter().filter(|listed| wanted(listed)).map(|listed| details(offer, listed)).collect();
    Ok(json!({"modelSummaries": models}))
}

fn list_profiles(offer: &Offer, paging: &Paging, request: &Request) -> Result<Value, Failure> {
    request.only(&["type", "maxResults", "nextToken"])?;
    let kind = match request.query.get("type").map(String::as_str) {
        None => None,
        Some("SYSTEM_DEFINED") => Some(ProfileType::SystemDefined),
        Some("APPLICATION") => Some(ProfileType::Application),
        Some(other) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'typeEquals' failed to satisfy constraint: Member \
                 must satisfy enum value set: [SYSTEM_DEFINED, APPLICATION]"
            )));
        }
    };
    let size = match request.query.get("maxResults").map(|text| text.parse::<usize>()) {
        None => paging.inference_profiles,
        Some(Ok(size @ 1..=1000)) => size.min(paging.inference_profiles),
        Some(_) => {
            return Err(invalid(
                "1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have \
                 value between 1 and 1000",
            ));
        }
    };
    let pager = Pager::new(request.operation.name(), &json!({"type": kind}), &[]);
    let position = pager
        .position(request.query.get("nextToken").map(String::as_str))
        .ok_or_else(|| invalid("The pagination token is invalid."))?;
    let profiles: Vec<Value> = offer
        .profiles()
        .into_iter()
        .filter(|(profile, _)| kind.is_none_or(|kind| profile.kind() == kind))
        .map(|(profile, model)| summary(offer, profile, model))
        .collect();
    let (profiles, next) = page::cut(profiles, position, size);
    let mut output = json!({"inferenceProfileSummaries": profiles});
    if let (Some(next), Some(members)) = (next, output.as_object_mut()) {
        members.insert("nextToken".to_owned(), pager.token(&next.to_string()).into());
    }
    Ok(output)
}

/// An id with a geography prefix names a profile, which these operations do not take.
fn model(offer: &Offer, id: &str) -> Result<ListedModel, Failure> {
    if let Some(listed) = offer.model(id) {
        return Ok(listed);
    }
    let well_formed = id.contains('.')
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':'));
    match offer.reference(id) {
        Ok(reference) if well_formed && reference.bare == id => Err(unresolved()),
        Ok(_) | Err(_) => Err(invalid("The provided model identifier is invalid.")),
    }
}

fn details(offer: &Offer, listed: &ListedModel) -> Value {
    let model = &listed.model;
    let mut lifecycle = Map::new();
    lifecycle.insert("status".to_owned(), json!(listed.status));
    let mut moment = |name: &str, at: Option<Timestamp>| {
        if let Some(at) = at {
            lifecycle.insert(name.to_owned(), json!(at));
        }
    };
    moment("startOfLifeTime", model.start);
    moment("legacyTime", model.legacy);
    moment("publicExtendedAccessTime", model.extended_access);
    moment("endOfLifeTime", model.end_of_life);
    json!({
        "modelArn": model_arn(&offer.place().region, &model.id),
        "modelId": model.id,
        "modelName": model.name(),
        "providerName": model.provider(),
        "inputModalities": model.input.clone().unwrap_or_else(|| vec!["TEXT".to_owned(), "IMAGE".to_owned()]),
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": true,
        "customizationsSupported": [],
        "inferenceTypesSupported": listed.types,
        "modelLifecycle": lifecycle,
    })
}

fn summary(offer: &Offer, profile: &InferenceProfile, model: &FoundationModel) -> Value {
    let place = offer.place();
    let folder = match profile.kind() {
        ProfileType::SystemDefined => "inference-profile",
        ProfileType::Application => "application-inference-profile",
    };
    let models: Vec<Value> = profile
        .destinations(&place.region)
        .iter()
        .map(|region| json!({"modelArn": model_arn(region, &model.id)}))
        .collect();
    json!({
        "inferenceProfileId": profile.id,
        "inferenceProfileArn": format!("arn:aws:bedrock:{}:{}:{folder}/{}", place.region, place.account, profile.id),
        "inferenceProfileName": profile_name(profile, model),
        "models": models,
        "status": "ACTIVE",
        "type": profile.kind(),
    })
}

fn profile_name(profile: &InferenceProfile, model: &FoundationModel) -> String {
    profile.name.clone().unwrap_or_else(|| {
        let geography = match profile.id.split_once('.').map_or("", |(prefix, _)| prefix) {
            "global" => "Global".to_owned(),
            prefix => prefix.to_ascii_uppercase(),
        };
        format!("{geography} {} {}", model.provider(), model.name())
    })
}

impl Request {
    /// A query parameter that has no effect here would be passed over in silence, so it is refused.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        match self.query.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(Failure::unsupported(format!("parameter {name} of bedrock:{}", self.operation.name())))
            }
            None => Ok(()),
        }
    }
}

fn unresolved() -> Failure {
    not_found("Could not resolve the foundation model from the provided model identifier.")
}

fn not_found(message: &str) -> Failure {
    Failure::service(404, "ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::service(400, "ValidationException", message)
}
