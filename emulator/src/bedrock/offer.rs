//! What Bedrock offers the account at the scenario's place and time: the one judgement that Converse and the control
//! plane share, so that they never disagree about an id.
//!
//! Two sources speak: `[models]`, behaviours by id, and the account's tables. The stricter of the two holds; an id that
//! `[models]` does not name is what the account says of it.

use std::collections::BTreeMap;

use crate::bedrock::account::{
    Account, Agreement, Authorization, Entitlement, FoundationModel, InferenceProfile, InferenceType,
    ProfileType, Quota, Status,
};
use crate::bedrock::model_reference::ModelReference;
use crate::bedrock::refusal::Refusal;
use crate::bedrock::{ModelBehaviour, Place};

/// Providers beside Bedrock, as ids of theirs begin in `[models]`.
const ELSEWHERE: [&str; 2] = ["anthropic:", "openai:"];

/// Tells whether an id of `[models]` is another provider's.
pub(crate) fn is_elsewhere(id: &str) -> bool {
    ELSEWHERE.iter().any(|provider| id.starts_with(provider))
}

/// The offer of one account.
#[derive(Debug)]
pub(crate) struct Offer {
    account: Account,
    behaviours: BTreeMap<String, ModelBehaviour>,
    place: Place,
}

/// A model as the control plane shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListedModel {
    pub(crate) model: FoundationModel,
    pub(crate) status: Status,
    pub(crate) types: Vec<InferenceType>,
    pub(crate) agreement: Agreement,
    pub(crate) authorization: Authorization,
    pub(crate) entitlement: Entitlement,
    pub(crate) in_region: bool,
}

impl Offer {
    /// Joins the two sources. Whatever answers must be in the account, or the control plane could not list it.
    pub(crate) fn new(
        account: Account,
        behaviours: BTreeMap<String, ModelBehaviour>,
        place: Place,
    ) -> Result<Self, String> {
        let account = account.complete()?;
        for (id, behaviour) in &behaviours {
            if is_elsewhere(id) {
                if matches!(behaviour, ModelBehaviour::Legacy | ModelBehaviour::OnDemandUnsupported) {
                    return Err(format!("[models] says {behaviour:?} of {id}, which only Bedrock says"));
                }
                continue;
            }
            let gone = matches!(behaviour, ModelBehaviour::EndOfLife | ModelBehaviour::InvalidIdentifier);
            let base = id.split_once('.').map_or(id.as_str(), |(_, rest)| rest);
            let known = [id.as_str(), base].into_iter().any(|id| account.model(id).is_some());
            if !gone && id.contains('.') && !known {
                return Err(format!("[models] lets {id} exist, but no [[model]] describes it"));
            }
        }
        Ok(Self { account, behaviours, place })
    }

    /// Returns Region and account.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Takes apart what a caller names; an application's profile leads to its model.
    pub(crate) fn reference(&self, given: &str) -> Result<ModelReference, Refusal> {
        let mut reference = ModelReference::parse(given, &self.place)?;
        let of_application =
            self.account.profile(&reference.id).filter(|profile| profile.kind() == ProfileType::Application);
        if let Some(model) = of_application.and_then(InferenceProfile::model) {
            model.clone_into(&mut reference.bare);
            reference.destination = Some(self.place.region.clone());
        }
        Ok(reference)
    }

    /// Lets a call through or says what Bedrock says of it.
    pub(crate) fn admit(&self, reference: &ModelReference) -> Result<(), Refusal> {
        let said = reference.behaviour(&self.behaviours);
        if let Some((configured, behaviour)) = said {
            self.said(reference, configured, behaviour)?;
        }
        let Some(model) = self.account.model(&reference.bare) else {
            return if said.is_some() { Ok(()) } else { Err(Refusal::invalid_identifier()) };
        };
        if self.has_ended(model) {
            return Err(Refusal::end_of_life());
        }
        if !model.is_in(&self.place.region) {
            return Err(Refusal::invalid_identifier());
        }
        let destinations = if reference.destination.is_none() {
            if !model.types().contains(&InferenceType::OnDemand) {
                return Err(Refusal::on_demand_unsupported(&reference.given));
            }
            vec![self.place.region.clone()]
        } else {
            let profile = self.account.profile(&reference.id).ok_or_else(Refusal::invalid_identifier)?;
            profile.destinations(&self.place.region)
        };
        self.gates(model)?;
        let denied = model.denied_in.as_deref().unwrap_or_default();
        match destinations.into_iter().find(|region| denied.contains(region)) {
            Some(region) => {
                let resource = model_arn(&region, &model.id);
                Err(Refusal::denied_by_organization(&self.place.account, &resource))
            }
            None => Ok(()),
        }
    }

    /// Says what a provider beside Bedrock makes of one of its models. Anthropic has the models that the account's table
    /// describes as Anthropic's, spelled without vendor and version, until they end; any other must stand in `[models]`.
    pub(crate) fn elsewhere(&self, provider: &str, id: &str) -> ModelBehaviour {
        if let Some(said) = self.behaviours.get(&format!("{provider}:{id}")) {
            return *said;
        }
        let is_it = |model: &&FoundationModel| {
            provider == "anthropic" && model.id.strip_prefix("anthropic.").map(without_version) == Some(id)
        };
        match self.account.models.iter().find(is_it) {
            Some(model) if self.has_ended(model) => ModelBehaviour::EndOfLife,
            Some(_) => ModelBehaviour::Answers,
            None => ModelBehaviour::InvalidIdentifier,
        }
    }

    /// Returns the models that are listed, in the account's order.
    pub(crate) fn models(&self) -> Vec<ListedModel> {
        let here = |listed: &ListedModel| listed.in_region;
        self.account.models.iter().filter_map(|model| self.listed(model)).filter(here).collect()
    }

    /// Returns one model that still exists, also where the Region has it not.
    pub(crate) fn model(&self, id: &str) -> Option<ListedModel> {
        self.account.model(id).and_then(|model| self.listed(model))
    }

    /// Returns the inference profiles that may be called from the Region, in the account's order.
    pub(crate) fn profiles(&self) -> Vec<(&InferenceProfile, &FoundationModel)> {
        self.account
            .inference_profiles
            .iter()
            .filter_map(|profile| Some((profile, self.account.model(profile.model()?)?)))
            .filter(|(profile, model)| self.has_profile(profile, model))
            .collect()
    }

    /// Returns the quotas, in the account's order.
    pub(crate) fn quotas(&self) -> &[Quota] {
        &self.account.quotas
    }

    fn said(
        &self,
        reference: &ModelReference,
        configured: &str,
        behaviour: ModelBehaviour,
    ) -> Result<(), Refusal> {
        match behaviour {
            ModelBehaviour::Answers => Ok(()),
            ModelBehaviour::EndOfLife => Err(Refusal::end_of_life()),
            ModelBehaviour::Legacy => Err(Refusal::legacy()),
            ModelBehaviour::AccessDenied => {
                let region = reference.destination.as_deref().unwrap_or(&self.place.region);
                Err(Refusal::access_denied(&self.place.account, &model_arn(region, &reference.bare)))
            }
            ModelBehaviour::OnDemandUnsupported => {
                if reference.destination.is_some() && configured != reference.id {
                    return Ok(());
                }
                Err(Refusal::on_demand_unsupported(&reference.given))
            }
            ModelBehaviour::InvalidIdentifier => Err(Refusal::invalid_identifier()),
        }
    }

    fn gates(&self, model: &FoundationModel) -> Result<(), Refusal> {
        match model.agreement.unwrap_or(Agreement::Available) {
            Agreement::Available => {}
            Agreement::Pending => return Err(Refusal::agreement_pending()),
            Agreement::NotAvailable => return Err(Refusal::marketplace_denied()),
            Agreement::Error => return Err(Refusal::payment_instrument_invalid()),
        }
        match model.entitlement.unwrap_or(Entitlement::Available) {
            Entitlement::Available => {}
            Entitlement::NotAvailable => return Err(Refusal::no_access_to_model()),
        }
        match model.authorization.unwrap_or(Authorization::Authorized) {
            Authorization::Authorized => Ok(()),
            Authorization::NotAuthorized => {
                let resource = model_arn(&self.place.region, &model.id);
                Err(Refusal::access_denied(&self.place.account, &resource))
            }
        }
    }

    fn has_ended(&self, model: &FoundationModel) -> bool {
        let now = self.account.as_of.map_or(self.place.as_of, |day| day.max(self.place.as_of));
        model.end_of_life.is_some_and(|end| end <= now)
    }

    fn behaviour(&self, id: &str) -> Option<(&str, ModelBehaviour)> {
        ModelReference::parse(id, &self.place).ok()?.behaviour(&self.behaviours)
    }

    fn listed(&self, model: &FoundationModel) -> Option<ListedModel> {
        let mut listed = ListedModel {
            status: model.status.unwrap_or(Status::Active),
            types: model.types().to_vec(),
            agreement: model.agreement.unwrap_or(Agreement::Available),
            authorization: model.authorization.unwrap_or(Authorization::Authorized),
            entitlement: model.entitlement.unwrap_or(Entitlement::Available),
            in_region: model.is_in(&self.place.region),
            model: model.clone(),
        };
        match self.behaviour(&model.id).map(|(_, behaviour)| behaviour) {
            _ if self.has_ended(model) => return None,
            Some(ModelBehaviour::EndOfLife | ModelBehaviour::InvalidIdentifier) => return None,
            Some(ModelBehaviour::Legacy) => listed.status = Status::Legacy,
            Some(ModelBehaviour::AccessDenied) => listed.authorization = Authorization::NotAuthorized,
            Some(ModelBehaviour::OnDemandUnsupported) => {
                listed.types.retain(|kind| *kind != InferenceType::OnDemand);
            }
            Some(ModelBehaviour::Answers) | None => {}
        }
        Some(listed)
    }

    fn has_profile(&self, profile: &InferenceProfile, model: &FoundationModel) -> bool {
        if self.has_ended(model) || !model.is_in(&self.place.region) {
            return false;
        }
        // A geography that the Region does not belong to is no identifier here.
        let Ok(reference) = self.reference(&profile.id) else { return false };
        match reference.behaviour(&self.behaviours) {
            Some((_, ModelBehaviour::EndOfLife | ModelBehaviour::InvalidIdentifier)) => false,
            Some((configured, ModelBehaviour::OnDemandUnsupported)) => configured != profile.id,
            Some((_, ModelBehaviour::Answers | ModelBehaviour::Legacy | ModelBehaviour::AccessDenied))
            | None => true,
        }
    }
}

/// Returns `claude-haiku-4-5-20251001` of `claude-haiku-4-5-20251001-v1:0`.
fn without_version(id: &str) -> &str {
    match id.rsplit_once("-v") {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => id,
    }
}

/// Returns the ARN of a foundation model in a Region.
pub(crate) fn model_arn(region: &str, id: &str) -> String {
    format!("arn:aws:bedrock:{region}::foundation-model/{id}")
}
