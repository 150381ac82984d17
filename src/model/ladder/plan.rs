//! Which rungs a ladder has, and why: a pure function of configuration and Region.
//!
//! Prompts hold log lines, so where they may go is decided here and nowhere else. They stay in the Region's own
//! geography and in Bedrock, unless the configuration says otherwise in so many words.

use crate::model::{ModelId, ModelKind, Provider, geography};
use crate::run::{Observer, RunEvent};

/// What a ladder is planned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The primary, then the fallbacks.
    pub models: &'a [ModelId],
    /// Where Bedrock is called.
    pub region: &'a str,
    /// Whether prompts may go to any commercial Region.
    pub allow_global: bool,
    /// Providers beside Bedrock that prompts may go to.
    pub allow_provider: &'a [Provider],
}

/// One rung with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRung {
    /// What is asked.
    pub model: ModelId,
    /// Why it stands here, in one line.
    pub reason: String,
    /// Whether an operator should know: the configuration said something else.
    pub differs: bool,
}

/// A configured model that is no rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// As configured.
    pub model: ModelId,
    /// Why, and what would let it in.
    pub reason: String,
}

/// The rungs, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is asked, in order.
    pub rungs: Vec<PlannedRung>,
    /// What was configured and is not asked.
    pub left_out: Vec<LeftOut>,
    /// Where Bedrock is called.
    pub region: String,
    /// Whether a profile may be global.
    pub allow_global: bool,
}

impl Plan {
    /// Returns what an operator should know, a line each.
    pub fn notes(&self) -> Vec<String> {
        let moved = self.rungs.iter().filter(|rung| rung.differs);
        let moved = moved.map(|rung| format!("{} is asked: {}", rung.model, rung.reason));
        let left_out =
            self.left_out.iter().map(|left| format!("{} is not asked: {}", left.model, left.reason));
        moved.chain(left_out).collect()
    }

    /// Tells the observer what is asked in this process and where, and what an operator should know.
    pub fn tell(&self, observer: &Observer) {
        for message in self.notes() {
            observer.emit(RunEvent::Warning { message });
        }
        for PlannedRung { model, .. } in &self.rungs {
            observer.emit(RunEvent::ModelClientCreated {
                model: model.to_string(),
                region: self.region.clone(),
                provider: model.provider().as_str().to_owned(),
            });
        }
    }

    fn push(&mut self, model: ModelId, reason: String, differs: bool) {
        if !self.rungs.iter().any(|rung| rung.model == model) {
            self.rungs.push(PlannedRung { model, reason, differs });
        }
    }
}

/// Plans the ladder: each configured model, then its other profiles in the same geography, then the next model.
pub fn plan(wanted: &Wanted<'_>) -> Plan {
    let mut plan = Plan {
        rungs: Vec::new(),
        left_out: Vec::new(),
        region: wanted.region.to_owned(),
        allow_global: wanted.allow_global,
    };
    for (index, model) in wanted.models.iter().enumerate() {
        let role = if index == 0 { "primary" } else { "fallback" };
        match model.kind() {
            ModelKind::Elsewhere => elsewhere(&mut plan, model, role, wanted),
            ModelKind::FoundationModel | ModelKind::SystemProfile if model.region().is_none() => {
                through_profiles(&mut plan, model, role, wanted);
            }
            // An ARN names one thing in one Region; what stands behind the account's own profiles is not ours to guess.
            ModelKind::FoundationModel
            | ModelKind::SystemProfile
            | ModelKind::ApplicationProfile
            | ModelKind::Provisioned
            | ModelKind::Other => plan.push(model.clone(), role.to_owned(), false),
        }
    }
    plan
}

fn elsewhere(plan: &mut Plan, model: &ModelId, role: &str, wanted: &Wanted<'_>) {
    let provider = model.provider();
    if wanted.allow_provider.contains(&provider) {
        plan.push(model.clone(), role.to_owned(), false);
    } else {
        let name = provider.as_str();
        let reason =
            format!("prompts stay in Bedrock unless models.allow_provider = [\"{name}\"] says otherwise");
        plan.left_out.push(LeftOut { model: model.clone(), reason });
    }
}

fn through_profiles(plan: &mut Plan, model: &ModelId, role: &str, wanted: &Wanted<'_>) {
    let region = wanted.region;
    let own = geography::of_region(region);
    let moved = match model.geography() {
        Some(geography::GLOBAL) if wanted.allow_global => None,
        Some(geography::GLOBAL) => Some("global. is used only with models.allow_global = true".to_owned()),
        // Bedrock refuses a prefix that the Region does not belong to.
        Some(prefix) if geography::is_known(prefix) && !own.is_empty() && !own.contains(&prefix) => {
            Some(format!("{prefix}. cannot be called from {region}"))
        }
        Some(_) | None => None,
    };
    match &moved {
        None => plan.push(model.clone(), role.to_owned(), false),
        Some(why) if own.is_empty() && !wanted.allow_global => {
            plan.left_out.push(LeftOut {
                model: model.clone(),
                reason: format!("{why}, and {region} has no geography of its own"),
            });
            return;
        }
        Some(_) => {}
    }
    for prefix in own {
        if let Some(sibling) = model.with_geography(prefix) {
            let reason = match &moved {
                Some(why) => format!("{role} through {prefix}., because {why}"),
                None => format!("{role} through {prefix}."),
            };
            plan.push(sibling, reason, moved.is_some());
        }
    }
    if let (true, Some(global)) = (wanted.allow_global, model.with_geography(geography::GLOBAL)) {
        plan.push(global, format!("{role} through global., which models.allow_global allows"), false);
    }
}

/// Returns the profile of the Region's geography that holds the model, among those that the account has.
pub(crate) fn profile_among(
    model: &ModelId,
    region: &str,
    allow_global: bool,
    profiles: &[String],
) -> Option<ModelId> {
    let global = allow_global.then_some(geography::GLOBAL);
    let prefixes = geography::of_region(region).iter().copied().chain(global);
    let base = model.base();
    prefixes.into_iter().find_map(|prefix| {
        let fits = |id: &ModelId| id.geography() == Some(prefix) && same_model(id.base(), base);
        profiles.iter().map(|id| ModelId::from(id.as_str())).find(fits)
    })
}

/// Returns the profile that most likely holds the model.
pub(crate) fn profile_guessed(model: &ModelId, region: &str) -> Option<ModelId> {
    geography::of_region(region).first().and_then(|prefix| model.with_geography(prefix))
}

/// One spelling may lack the version that the other has: `…-20251001` and `…-20251001-v1:0`.
fn same_model(one: &str, other: &str) -> bool {
    let longer = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with("-v"))
    };
    longer(one, other) || longer(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SONNET: &str = "us.anthropic.claude-sonnet-4-6";
    const NOVA: &str = "us.amazon.nova-pro-v1:0";

    fn planned(
        models: &[&str],
        region: &str,
        allow_global: bool,
        allow_provider: &[Provider],
    ) -> (Vec<(String, String)>, Vec<String>) {
        let models: Vec<ModelId> = models.iter().map(|id| ModelId::from(*id)).collect();
        let plan = plan(&Wanted { models: &models, region, allow_global, allow_provider });
        let notes = plan.notes();
        (plan.rungs.into_iter().map(|rung| (rung.model.0, rung.reason)).collect(), notes)
    }

    /// Region, what is configured, what is allowed; the rungs with their reasons, and how many notes.
    #[test]
    fn each_rung_stands_where_the_configuration_and_the_region_put_it() {
        type Row<'a> = (&'a str, &'a [&'a str], bool, &'a [Provider], &'a [(&'a str, &'a str)], usize);
        let rows: &[Row<'_>] = &[
            ("us-east-1", &[SONNET, NOVA], false, &[], &[(SONNET, "primary"), (NOVA, "fallback")], 0),
            (
                "eu-west-1",
                &[SONNET],
                false,
                &[],
                &[(
                    "eu.anthropic.claude-sonnet-4-6",
                    "primary through eu., because us. cannot be called from eu-west-1",
                )],
                1,
            ),
            (
                "ap-northeast-1",
                &[SONNET],
                false,
                &[],
                &[
                    (
                        "jp.anthropic.claude-sonnet-4-6",
                        "primary through jp., because us. cannot be called from ap-northeast-1",
                    ),
                    (
                        "apac.anthropic.claude-sonnet-4-6",
                        "primary through apac., because us. cannot be called from ap-northeast-1",
                    ),
                ],
                2,
            ),
            (
                "us-gov-west-1",
                &[NOVA],
                false,
                &[],
                &[(
                    "us-gov.amazon.nova-pro-v1:0",
                    "primary through us-gov., because us. cannot be called from us-gov-west-1",
                )],
                1,
            ),
            (
                "us-east-1",
                &["global.anthropic.claude-sonnet-4-6"],
                false,
                &[],
                &[(
                    SONNET,
                    "primary through us., because global. is used only with models.allow_global = true",
                )],
                1,
            ),
            (
                "us-east-1",
                &[SONNET],
                true,
                &[],
                &[
                    (SONNET, "primary"),
                    (
                        "global.anthropic.claude-sonnet-4-6",
                        "primary through global., which models.allow_global allows",
                    ),
                ],
                0,
            ),
            (
                "us-east-1",
                &["amazon.nova-pro-v1:0"],
                false,
                &[],
                &[("amazon.nova-pro-v1:0", "primary"), (NOVA, "primary through us.")],
                0,
            ),
            ("us-east-1", &[SONNET, "anthropic:claude-sonnet-4-6"], false, &[], &[(SONNET, "primary")], 1),
            (
                "us-east-1",
                &[SONNET, "anthropic:claude-sonnet-4-6"],
                false,
                &[Provider::Anthropic],
                &[(SONNET, "primary"), ("anthropic:claude-sonnet-4-6", "fallback")],
                0,
            ),
            // A geography that nobody knows yet, and a Region without any: what is configured is asked.
            (
                "eu-west-1",
                &["newgeo.amazon.nova-pro-v1:0"],
                false,
                &[],
                &[
                    ("newgeo.amazon.nova-pro-v1:0", "primary"),
                    ("eu.amazon.nova-pro-v1:0", "primary through eu."),
                ],
                0,
            ),
            ("sa-east-1", &[SONNET], false, &[], &[(SONNET, "primary")], 0),
            ("sa-east-1", &["global.anthropic.claude-sonnet-4-6"], false, &[], &[], 1),
            (
                "eu-west-1",
                &["arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123"],
                true,
                &[],
                &[("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123", "primary")],
                0,
            ),
        ];
        for (region, models, allow_global, allow_provider, rungs, notes) in rows {
            let (found, told) = planned(models, region, *allow_global, allow_provider);
            let wanted: Vec<(String, String)> =
                rungs.iter().map(|(model, reason)| ((*model).to_owned(), (*reason).to_owned())).collect();
            assert_eq!(found, wanted, "{region} {models:?}");
            assert_eq!(told.len(), *notes, "{told:?}");
        }
    }

    #[test]
    fn no_rung_leaves_the_geography_or_bedrock_unless_that_is_allowed() {
        let everything = [SONNET, NOVA, "global.a.b", "anthropic:claude-sonnet-4-6", "openai:llama3.1"];
        for region in ["us-east-1", "eu-central-1", "ap-northeast-1", "ap-southeast-2", "ca-central-1"] {
            let (rungs, _) = planned(&everything, region, false, &[]);
            for (model, _) in rungs {
                let model = ModelId(model);
                assert_eq!(model.provider(), Provider::Bedrock);
                let allowed = geography::of_region(region);
                assert!(
                    model.geography().is_none_or(|prefix| allowed.contains(&prefix)),
                    "{region}: {model}"
                );
            }
        }
    }

    #[test]
    fn a_profile_is_found_in_the_regions_geography_whatever_its_spelling() {
        let profiles = ["global.anthropic.claude-x", "us.anthropic.claude-x-v1:0", "eu.anthropic.claude-x"]
            .map(str::to_owned);
        let found = |region: &str, allow_global: bool| {
            profile_among(&ModelId::from("anthropic.claude-x"), region, allow_global, &profiles)
                .map(|model| model.0)
        };
        assert_eq!(found("us-east-1", false).as_deref(), Some("us.anthropic.claude-x-v1:0"));
        assert_eq!(found("eu-west-1", false).as_deref(), Some("eu.anthropic.claude-x"));
        assert_eq!(found("ap-south-1", false), None);
        assert_eq!(found("ap-south-1", true).as_deref(), Some("global.anthropic.claude-x"));
        let other = profile_among(&ModelId::from("anthropic.claude"), "us-east-1", true, &profiles);
        assert_eq!(other, None, "a shorter name is another model");
    }
}
