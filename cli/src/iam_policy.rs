//! `iam-policy`: the policy that lets a role call models, on standard output; what to know beside it on standard error.

use std::collections::{BTreeMap, BTreeSet};

use sre_agent::aws::{self, ModelAccess, SdkConfig};
use sre_agent::iam::{self, Access, Caller, PolicyError};
use sre_agent::model::ModelId;
use sre_agent::model::catalogue;

use crate::args::{IamPolicy, Shared};
use crate::failure::{Ending, Failure};
use crate::output;
use crate::progress::say;
use crate::wiring::{self, Settings};

/// Prints the policy.
pub(crate) async fn run(asked: &IamPolicy, shared: &Shared) -> Result<Ending, Failure> {
    let (local, sdk) = wiring::open(shared).await?;
    let mut region = sdk.region().map(ToString::to_string);
    let mut models: Vec<ModelId> = shared.model.iter().map(|model| ModelId::from(model.as_str())).collect();
    if models.is_empty() {
        let settings = Settings::of(shared, &sdk, local.as_ref()).await?;
        let config = settings.check(aws::endpoint_override(&sdk))?;
        region = config.model_region.clone().or(region);
        catalogue::install(config.catalogue.clone());
        let plan = config.ladder_plan(region.as_deref().unwrap_or_default());
        models = plan.rungs.into_iter().map(|rung| rung.model).collect();
    }
    if asked.global {
        models = models.iter().map(iam::global).collect::<Result<_, _>>().map_err(Failure::usage)?;
    }
    let mut seen = BTreeSet::new();
    models.retain(|model| seen.insert(model.clone()));
    let policy = if asked.marketplace {
        iam::marketplace(&models)
    } else {
        let region = region.ok_or_else(|| {
            Failure::usage("no AWS Region is set")
                .hint("Give the Region that calls come from: --region us-east-1, or AWS_REGION.")
        })?;
        let account = match (&asked.account, &local) {
            (Some(account), _) => account.clone(),
            (None, Some(local)) => local.emulator.scenario().account().to_owned(),
            (None, None) => iam::PLACEHOLDER_ACCOUNT.to_owned(),
        };
        // Somebody who names an account by its profile wants to know what that account says.
        let live = local.is_some() || shared.profile.is_some() || models.iter().any(is_unknown);
        let told = if live { ask(&sdk, &region, &models, shared).await } else { BTreeMap::new() };
        iam::policy(&models, &Caller { region, account }, &told)
    };
    let policy = policy.map_err(|error| {
        let hint = match &error {
            PolicyError::UnknownDestinations(_) => "Name a --profile that may call bedrock:ListInferenceProfiles in that Region.",
            PolicyError::WrongGeography { .. } => "Give the Region that calls come from with --region, or the profile of its geography.",
            PolicyError::UnknownProduct(_) => "AWS lists them under \"Access Amazon Bedrock foundation models\"; AWS's own models need none.",
            PolicyError::NoGlobalForm(_) => "Give the model's id, for instance anthropic.claude-sonnet-4-6.",
        };
        Failure::usage(error).hint(hint)
    })?;
    for note in &policy.notes {
        say(shared.quiet, format_args!("note: {note}"));
    }
    output::to_stdout(format!("{:#}\n", policy.document).as_bytes())?;
    Ok(Ending::Done)
}

/// Tells whether the built-in table knows nothing of a profile's Regions.
fn is_unknown(model: &ModelId) -> bool {
    matches!(iam::access(model), Access::Geographic(prefix) if iam::destinations(prefix).is_none())
}

/// Returns the destination Regions that the account tells; what it does not tell is left to the built-in table.
async fn ask(
    sdk: &SdkConfig,
    region: &str,
    models: &[ModelId],
    shared: &Shared,
) -> BTreeMap<ModelId, Vec<String>> {
    match ModelAccess::new(sdk, Some(region)).profiles().await {
        Ok(profiles) => {
            let told = models.iter().filter_map(|model| {
                let profile = profiles
                    .iter()
                    .find(|profile| profile.id == model.as_str() || profile.arn == model.as_str())?;
                Some((model.clone(), profile.destinations())).filter(|(_, regions)| !regions.is_empty())
            });
            told.collect()
        }
        Err(error) => {
            say(shared.quiet, format_args!("note: the account was not asked for Regions: {error}"));
            BTreeMap::new()
        }
    }
}
