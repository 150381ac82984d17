//! The IAM policy that lets a role call models, without wildcards: what AWS asks for by the form of the model's id.
//!
//! A foundation model needs itself. A geographic inference profile needs itself, and the model in the source Region and in
//! every destination Region. A global profile needs itself, the model in the source Region, and the model without a
//! Region, for which AWS sends `aws:RequestedRegion` as `unspecified`. Subscribing on AWS Marketplace is a one-time
//! matter of an admin and never part of the role's policy.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::model_id::ModelKind;
use crate::model::{ModelId, catalogue};

/// The account that stands in a policy where none is given; an example of AWS's own documentation.
pub const PLACEHOLDER_ACCOUNT: &str = "123456789012";

/// What Converse needs. The product does not stream; the second action lets the same role serve clients that do.
const INVOKE: [&str; 2] = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];

/// Where the caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Source Region.
    pub region: String,
    /// Account id, 12 digits.
    pub account: String,
}

impl Caller {
    /// Returns the partition of ARNs in the Region.
    fn partition(&self) -> &'static str {
        if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else if self.region.starts_with("cn-") {
            "aws-cn"
        } else {
            "aws"
        }
    }
}

/// A policy, and what a reader has to know beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The policy document.
    pub document: Value,
    /// Whole sentences.
    pub notes: Vec<String>,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nobody told the destination Regions of the profile.
    #[error("the destination Regions of {0} are not known")]
    UnknownDestinations(ModelId),
    /// The source Region does not belong to the profile's geography.
    #[error("{model} cannot be called from {region}: its Regions are {}", regions.join(", "))]
    WrongGeography {
        /// The profile.
        model: ModelId,
        /// The source Region.
        region: String,
        /// The geography's Regions.
        regions: Vec<String>,
    },
    /// The Marketplace product of none of the models is known.
    #[error("no Marketplace product is known for {0}")]
    UnknownProduct(String),
    /// The id has no model in it from which a global profile could be named.
    #[error("{0} has no global form")]
    NoGlobalForm(ModelId),
}

#[derive(Debug, Deserialize)]
struct Known {
    geography: Vec<Geography>,
}

#[derive(Debug, Deserialize)]
struct Geography {
    prefix: String,
    regions: Vec<String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    // A test of its own reads the embedded file; a broken one cannot ship.
    toml::from_str(include_str!("iam/geographies.toml")).unwrap_or(Known { geography: Vec::new() })
});

/// What the form of an id says about how the model is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access<'a> {
    /// The foundation model itself, in one Region.
    Direct,
    /// A profile that keeps to a geography, by its prefix.
    Geographic(&'a str),
    /// The profile that may use any commercial Region.
    Global,
    /// An ARN that hides the model: an application profile, provisioned throughput.
    Opaque,
    /// Another provider than Bedrock.
    Elsewhere,
}

impl Access<'_> {
    /// Returns the kind for a table: `direct`, `us profile`, `global profile`.
    pub fn label(&self) -> String {
        match self {
            Access::Direct => "direct".into(),
            Access::Geographic(prefix) => format!("{prefix} profile"),
            Access::Global => "global profile".into(),
            Access::Opaque => "by ARN".into(),
            Access::Elsewhere => "not in AWS".into(),
        }
    }
}

/// Reads how an id calls its model.
pub fn access(model: &ModelId) -> Access<'_> {
    match model.kind() {
        ModelKind::FoundationModel | ModelKind::Other => Access::Direct,
        ModelKind::SystemProfile => match model.geography() {
            Some("global") => Access::Global,
            Some(prefix) => Access::Geographic(prefix),
            None => Access::Opaque,
        },
        ModelKind::ApplicationProfile | ModelKind::Provisioned => Access::Opaque,
        ModelKind::Elsewhere => Access::Elsewhere,
    }
}

/// Returns the Regions that a geographic profile may send a prompt to, where its prefix is known.
pub fn destinations(prefix: &str) -> Option<&'static [String]> {
    KNOWN
        .geography
        .iter()
        .find(|geography| geography.prefix == prefix)
        .map(|geography| geography.regions.as_slice())
}

/// Returns the id of the global profile of a model.
pub fn global(model: &ModelId) -> Result<ModelId, PolicyError> {
    model.with_geography("global").ok_or_else(|| PolicyError::NoGlobalForm(model.clone()))
}

/// Returns the policy of a role that calls these models; `asked` holds the destination Regions that the account itself
/// told, by model.
pub fn policy(
    models: &[ModelId],
    caller: &Caller,
    asked: &BTreeMap<ModelId, Vec<String>>,
) -> Result<Policy, PolicyError> {
    let mut statements = Vec::new();
    let mut notes = Vec::new();
    for (number, model) in (1..).zip(models) {
        let several = if models.len() > 1 { number.to_string() } else { String::new() };
        let grant = Grant { model, caller, number: several };
        match access(model) {
            Access::Direct => statements.push(grant.direct()),
            Access::Geographic(prefix) => {
                let known = destinations(prefix).map(<[String]>::to_vec);
                let told = asked.get(model).cloned();
                let from_table = told.is_none();
                let mut regions =
                    told.or(known).ok_or_else(|| PolicyError::UnknownDestinations(model.clone()))?;
                if from_table && !regions.contains(&caller.region) {
                    return Err(PolicyError::WrongGeography {
                        model: model.clone(),
                        region: caller.region.clone(),
                        regions,
                    });
                }
                regions.push(caller.region.clone());
                regions.sort_unstable();
                regions.dedup();
                if from_table {
                    notes.push(format!("The Regions of {model} are those of the built-in table; with --profile the account is asked."));
                }
                statements.extend(grant.geographic(&regions));
            }
            Access::Global => {
                notes.push(format!(
                    "{model} may process prompts in any commercial Region; service control policies must let aws:RequestedRegion \"unspecified\" through."
                ));
                statements.extend(grant.global());
            }
            Access::Opaque => {
                notes.push(format!("{model} hides its models; an application profile also needs them granted, as for the profile that it copies."));
                statements.push(grant.opaque());
            }
            Access::Elsewhere => notes.push(format!("{model} is not in AWS; IAM has no part in it.")),
        }
    }
    if caller.account == PLACEHOLDER_ACCOUNT {
        notes.push(format!("{PLACEHOLDER_ACCOUNT} is a placeholder; give yours with --account."));
    }
    Ok(Policy { document: json!({ "Version": "2012-10-17", "Statement": statements }), notes })
}

/// Returns the one-time policy of the admin who subscribes the account to the models.
pub fn marketplace(models: &[ModelId]) -> Result<Policy, PolicyError> {
    let mut products = Vec::new();
    let mut notes = vec!["For one admin, once: attach it, call each model once, wait 15 minutes, detach it. The agent's role never needs it.".to_owned()];
    let mut unknown = Vec::new();
    for model in models {
        let base = model.base();
        if base.starts_with("amazon.") {
            notes.push(format!("{base} is AWS's own and needs no subscription."));
        } else if let Some(product) = catalogue::entry(model).and_then(|row| row.product.as_deref()) {
            products.push(product);
        } else {
            notes.push(format!(
                "No product id is known for {base}: look it up in AWS's list of product ids and add it."
            ));
            unknown.push(base);
        }
    }
    if products.is_empty() {
        let named =
            if unknown.is_empty() { "models that AWS itself sells".to_owned() } else { unknown.join(", ") };
        return Err(PolicyError::UnknownProduct(named));
    }
    products.sort_unstable();
    products.dedup();
    // AWS Marketplace knows the product only when something is subscribed, so looking has no condition on it.
    let through_bedrock = json!({ "aws:CalledViaLast": "bedrock.amazonaws.com" });
    let statements = json!([
        {
            "Sid": "SubscribeToTheseProducts",
            "Effect": "Allow",
            "Action": "aws-marketplace:Subscribe",
            "Resource": "*",
            "Condition": {
                "StringEquals": through_bedrock,
                "ForAnyValue:StringEquals": { "aws-marketplace:ProductId": products }
            }
        },
        {
            "Sid": "SeeSubscriptions",
            "Effect": "Allow",
            "Action": "aws-marketplace:ViewSubscriptions",
            "Resource": "*",
            "Condition": { "StringEquals": through_bedrock }
        }
    ]);
    Ok(Policy { document: json!({ "Version": "2012-10-17", "Statement": statements }), notes })
}

/// One model's statements.
struct Grant<'a> {
    model: &'a ModelId,
    caller: &'a Caller,
    /// Ends the statements' ids where there are several models.
    number: String,
}

impl Grant<'_> {
    fn profile_arn(&self) -> String {
        let id = self.model.as_str();
        if id.starts_with("arn:") {
            return id.to_owned();
        }
        let Caller { region, account } = self.caller;
        format!("arn:{}:bedrock:{region}:{account}:inference-profile/{id}", self.caller.partition())
    }

    fn model_arn(&self, region: &str) -> String {
        format!("arn:{}:bedrock:{region}::foundation-model/{}", self.caller.partition(), self.model.base())
    }

    fn statement(&self, sid: &str, resources: &[String], condition: Option<&Value>) -> Value {
        let mut statement = json!({
            "Sid": format!("{sid}{}", self.number),
            "Effect": "Allow",
            "Action": INVOKE,
            "Resource": resources,
        });
        if let (Some(condition), Some(members)) = (condition, statement.as_object_mut()) {
            members.insert("Condition".into(), json!({ "StringEquals": condition }));
        }
        statement
    }

    fn direct(&self) -> Value {
        self.statement("InvokeModel", &[self.model_arn(&self.caller.region)], None)
    }

    fn opaque(&self) -> Value {
        self.statement("InvokeByArn", &[self.model.as_str().to_owned()], None)
    }

    fn geographic(&self, regions: &[String]) -> [Value; 2] {
        let models: Vec<String> = regions.iter().map(|region| self.model_arn(region)).collect();
        // Without the condition the model could also be called past the profile.
        let through = json!({ "bedrock:InferenceProfileArn": self.profile_arn() });
        [
            self.statement("InvokeProfile", &[self.profile_arn()], None),
            self.statement("InvokeModelThroughProfile", &models, Some(&through)),
        ]
    }

    fn global(&self) -> [Value; 3] {
        let region = &self.caller.region;
        let here = json!({ "aws:RequestedRegion": region });
        let through = |requested: &str| json!({ "aws:RequestedRegion": requested, "bedrock:InferenceProfileArn": self.profile_arn() });
        [
            self.statement("InvokeGlobalProfile", &[self.profile_arn()], Some(&here)),
            self.statement("InvokeModelInSourceRegion", &[self.model_arn(region)], Some(&through(region))),
            self.statement("InvokeModelInAnyRegion", &[self.model_arn("")], Some(&through("unspecified"))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(models: &[&str], region: &str) -> String {
        let models: Vec<ModelId> = models.iter().map(|model| ModelId::from(*model)).collect();
        let caller = Caller { region: region.into(), account: PLACEHOLDER_ACCOUNT.into() };
        format!("{:#}", policy(&models, &caller, &BTreeMap::new()).unwrap().document)
    }

    #[test]
    fn a_model_of_one_region_needs_itself() {
        insta::assert_snapshot!(printed(&["amazon.nova-pro-v1:0"], "us-east-1"));
    }

    #[test]
    fn a_geographic_profile_needs_the_model_in_every_destination_region() {
        insta::assert_snapshot!(printed(&["us.anthropic.claude-sonnet-4-6"], "us-east-1"));
    }

    #[test]
    fn a_global_profile_needs_three_statements() {
        insta::assert_snapshot!(printed(&["global.anthropic.claude-haiku-4-5-20251001-v1:0"], "eu-west-1"));
    }

    #[test]
    fn government_regions_have_their_own_partition_and_several_models_their_own_numbers() {
        insta::assert_snapshot!(printed(
            &["us-gov.amazon.nova-pro-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"],
            "us-gov-west-1"
        ));
    }

    #[test]
    fn subscribing_is_a_policy_of_its_own_with_the_right_products() {
        let models = [
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-opus-4-6-v1",
            "us.amazon.nova-pro-v1:0",
        ];
        let policy = marketplace(&models.map(ModelId::from)).unwrap();
        insta::assert_snapshot!(format!("{:#}\n{}", policy.document, policy.notes.join("\n")));
        let error = marketplace(&[ModelId::from("us.anthropic.claude-opus-4-6-v1")]).unwrap_err();
        assert_eq!(error, PolicyError::UnknownProduct("anthropic.claude-opus-4-6-v1".into()));
    }

    #[test]
    fn no_policy_has_a_wildcard_in_a_resource_or_names_marketplace() {
        for models in
            [["us.anthropic.claude-sonnet-4-6"], ["global.amazon.nova-2-lite-v1:0"], ["amazon.nova-pro-v1:0"]]
        {
            let text = printed(&models, "us-east-1");
            assert!(!text.contains('*') && !text.contains("aws-marketplace"), "{text}");
        }
    }

    #[test]
    fn destinations_that_the_account_tells_go_before_the_table() {
        let model = ModelId::from("in.anthropic.claude-sonnet-4-6");
        let caller = Caller { region: "ap-south-1".into(), account: "111122223333".into() };
        let error = policy(std::slice::from_ref(&model), &caller, &BTreeMap::new()).unwrap_err();
        assert_eq!(error, PolicyError::UnknownDestinations(model.clone()));
        let asked = BTreeMap::from([(model.clone(), vec!["ap-south-2".to_owned()])]);
        let text = policy(&[model], &caller, &asked).unwrap().document.to_string();
        for arn in [
            "arn:aws:bedrock:ap-south-1::foundation-model/anthropic.claude-sonnet-4-6",
            "arn:aws:bedrock:ap-south-2::foundation-model/anthropic.claude-sonnet-4-6",
            "arn:aws:bedrock:ap-south-1:111122223333:inference-profile/in.anthropic.claude-sonnet-4-6",
        ] {
            assert!(text.contains(arn), "{arn} is missing in {text}");
        }
    }

    #[test]
    fn a_profile_of_another_geography_is_refused() {
        let caller = Caller { region: "eu-west-1".into(), account: PLACEHOLDER_ACCOUNT.into() };
        let error =
            policy(&[ModelId::from("us.amazon.nova-pro-v1:0")], &caller, &BTreeMap::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "us.amazon.nova-pro-v1:0 cannot be called from eu-west-1: its Regions are us-east-1, us-east-2, us-west-2"
        );
    }

    #[test]
    fn the_form_of_an_id_tells_how_the_model_is_called() {
        for (id, kind) in [
            ("anthropic.claude-sonnet-4-6", Access::Direct),
            ("eu.anthropic.claude-sonnet-4-6", Access::Geographic("eu")),
            ("global.anthropic.claude-sonnet-4-6", Access::Global),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0",
                Access::Geographic("us"),
            ),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2", Access::Opaque),
            ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2", Access::Opaque),
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", Access::Direct),
        ] {
            assert_eq!(access(&ModelId::from(id)), kind, "{id}");
        }
    }
}
