//! What the path of a Converse call names: a model id, an inference profile or an ARN of either, and what is said to it.

use std::collections::BTreeMap;

use crate::bedrock::offer::is_elsewhere;
use crate::bedrock::refusal::Refusal;
use crate::bedrock::{ModelBehaviour, Place};

/// Geography prefixes with the Regions that may call them, by the beginning of the Region's name, and a destination
/// Region that a denied call names.
const GEOGRAPHIES: &[(&str, &[&str], &str)] = &[
    ("us-gov", &["us-gov-"], "us-gov-east-1"),
    ("us", &["us-east-", "us-west-", "ca-central-"], "us-east-2"),
    ("eu", &["eu-"], "eu-north-1"),
    ("apac", &["ap-"], "ap-southeast-2"),
    ("jp", &["ap-northeast-1", "ap-northeast-3"], "ap-northeast-3"),
    ("au", &["ap-southeast-2", "ap-southeast-4"], "ap-southeast-4"),
    ("in", &["ap-south-"], "ap-south-2"),
    ("ca", &["ca-"], "ca-west-1"),
    // A global profile's destination ARN has neither Region nor account.
    ("global", &[""], ""),
];

/// Names what a call by this id needs a grant on: an inference profile of the account, or a model.
pub(crate) fn resource(given: &str, region: &str, account: &str) -> String {
    let of_profile =
        |(prefix, ..): &(&str, _, _)| given.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    if given.starts_with("arn:") {
        given.to_owned()
    } else if GEOGRAPHIES.iter().any(of_profile) {
        format!("arn:aws:bedrock:{region}:{account}:inference-profile/{given}")
    } else {
        format!("arn:aws:bedrock:{region}::foundation-model/{given}")
    }
}

/// A model id taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelReference {
    /// As the caller gave it.
    pub(crate) given: String,
    /// Without ARN, with the geography prefix.
    pub(crate) id: String,
    /// Without ARN and geography prefix.
    pub(crate) bare: String,
    /// A destination Region of the profile; `None` for a model called on demand.
    pub(crate) destination: Option<String>,
}

impl ModelReference {
    /// Takes an id apart; an id that Bedrock's own rules exclude is refused as invalid, a geography that the Region
    /// does not belong to among them.
    pub(crate) fn parse(given: &str, place: &Place) -> Result<Self, Refusal> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '/');
        if given.is_empty() || given.len() > 2048 || !given.chars().all(allowed) {
            return Err(Refusal::invalid_identifier());
        }
        let (id, opaque_profile) = match given.strip_prefix("arn:") {
            None if given.contains('/') => return Err(Refusal::invalid_identifier()),
            None => (given, false),
            Some(arn) => {
                let (head, id) = arn.split_once('/').ok_or_else(Refusal::invalid_identifier)?;
                let kind = head.rsplit(':').next().unwrap_or_default();
                let is_bedrock = head.split(':').nth(1) == Some("bedrock");
                let known = matches!(
                    kind,
                    "foundation-model" | "inference-profile" | "application-inference-profile"
                );
                if !is_bedrock || !known || id.is_empty() || id.contains('/') {
                    return Err(Refusal::invalid_identifier());
                }
                (id, kind == "application-inference-profile")
            }
        };
        let geography = GEOGRAPHIES.iter().find_map(|(prefix, regions, destination)| {
            let bare = id.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((bare, regions, *destination))
        });
        let (bare, destination) = match geography {
            Some((_, regions, _)) if !regions.iter().any(|region| place.region.starts_with(region)) => {
                return Err(Refusal::invalid_identifier());
            }
            Some((bare, _, destination)) => (bare, Some(destination.to_owned())),
            None => (id, opaque_profile.then(|| place.region.clone())),
        };
        Ok(Self { given: given.to_owned(), id: id.to_owned(), bare: bare.to_owned(), destination })
    }

    /// The longest configured id that this one ends with. One with a provider (`anthropic.…`) must be the whole id,
    /// because behind an unknown geography prefix Bedrock knows no model.
    pub(crate) fn behaviour<'a>(
        &self,
        models: &'a BTreeMap<String, ModelBehaviour>,
    ) -> Option<(&'a str, ModelBehaviour)> {
        models
            .iter()
            .filter(|(configured, _)| !is_elsewhere(configured))
            .filter(|(configured, _)| {
                let whole = **configured == self.id || **configured == self.bare;
                whole || (!configured.contains('.') && self.bare.ends_with(configured.as_str()))
            })
            .max_by_key(|(configured, _)| configured.len())
            .map(|(configured, behaviour)| (configured.as_str(), *behaviour))
    }
}
