//! Model identifiers in every form that a provider takes, without an allow-list.
//!
//! Any text is an identifier: it is read for what it tells and sent as it stands. A closed list of prefixes or
//! vendors would refuse tomorrow's model before the provider is even asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::geography;

/// A model id, inference profile id or ARN, as Converse takes it, or `provider:model` for a model elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ModelId(pub String);

/// Who is asked for an answer. Not who made the model: that is [`ModelId::vendor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Amazon Bedrock's Converse, in the account.
    Bedrock,
    /// Anthropic's Messages API.
    Anthropic,
    /// An endpoint that speaks `OpenAI`'s chat completions.
    OpenAi,
}

impl Provider {
    /// Every provider, the usual one first.
    pub const ALL: [Provider; 3] = [Provider::Bedrock, Provider::Anthropic, Provider::OpenAi];

    /// Returns the name as configuration and identifiers spell it: `bedrock`, `anthropic`, `openai`.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Bedrock => "bedrock",
            Provider::Anthropic => "anthropic",
            Provider::OpenAi => "openai",
        }
    }

    /// Returns the operation that asks a model, as the provider calls it.
    pub fn operation(self) -> &'static str {
        match self {
            Provider::Bedrock => "Converse",
            Provider::Anthropic => "Messages",
            Provider::OpenAi => "Chat Completions",
        }
    }

    /// Returns the provider of that name.
    pub fn named(name: &str) -> Option<Self> {
        Provider::ALL.into_iter().find(|provider| provider.as_str() == name)
    }
}

/// What an identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A model that is called directly: `amazon.nova-pro-v1:0`, or its ARN.
    FoundationModel,
    /// A profile that AWS defines for a geography: `us.anthropic.claude-sonnet-4-6`, or its ARN.
    SystemProfile,
    /// A profile that the account made; its name tells nothing of the model.
    ApplicationProfile,
    /// Throughput that the account bought; its name tells nothing of the model.
    Provisioned,
    /// A model of another provider than Bedrock: `anthropic:claude-sonnet-4-6`.
    Elsewhere,
    /// Anything else; it is sent as it stands.
    Other,
}

/// An ARN of Bedrock taken apart: `arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b`.
#[derive(Debug, Clone, Copy)]
struct Arn<'a> {
    region: &'a str,
    resource: &'a str,
    name: &'a str,
}

impl<'a> Arn<'a> {
    /// The partition is not looked at: `aws`, `aws-cn`, `aws-us-gov` and those to come.
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':').skip(1);
        let (service, region, _account, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (resource, name) = rest.split_once('/')?;
        (service == "bedrock").then_some(Arn { region, resource, name })
    }
}

impl ModelId {
    /// Returns the identifier as its provider takes it, with the provider's name before a colon where it is not Bedrock.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns who is asked: `anthropic:` and `openai:` lead away from Bedrock, everything else is Bedrock's.
    pub fn provider(&self) -> Provider {
        self.split_provider().0
    }

    /// Returns the identifier as the provider itself spells it.
    pub fn as_sent(&self) -> &str {
        self.split_provider().1
    }

    fn split_provider(&self) -> (Provider, &str) {
        match self.0.split_once(':') {
            Some((name, rest)) if !rest.is_empty() => match Provider::named(name) {
                Some(provider) => (provider, rest),
                None => (Provider::Bedrock, &self.0),
            },
            _ => (Provider::Bedrock, &self.0),
        }
    }

    /// Returns what the identifier names.
    pub fn kind(&self) -> ModelKind {
        let (provider, sent) = self.split_provider();
        if provider != Provider::Bedrock {
            return ModelKind::Elsewhere;
        }
        if let Some(arn) = Arn::of(sent) {
            return match arn.resource {
                "foundation-model" => ModelKind::FoundationModel,
                "inference-profile" => ModelKind::SystemProfile,
                "application-inference-profile" => ModelKind::ApplicationProfile,
                "provisioned-model" => ModelKind::Provisioned,
                _ => ModelKind::Other,
            };
        }
        match (split_geography(sent), sent.starts_with("arn:") || !sent.contains('.')) {
            (Some(_), false) => ModelKind::SystemProfile,
            (None, false) => ModelKind::FoundationModel,
            (_, true) => ModelKind::Other,
        }
    }

    /// Tells whether the call goes through an inference profile, system-defined or the account's own.
    pub fn is_profile(&self) -> bool {
        matches!(self.kind(), ModelKind::SystemProfile | ModelKind::ApplicationProfile)
    }

    /// Returns the geography prefix: `us`, `global`, `us-gov`, and those to come.
    pub fn geography(&self) -> Option<&str> {
        split_geography(self.name()).map(|(prefix, _)| prefix)
    }

    /// Returns the Region of an ARN that has one.
    pub fn region(&self) -> Option<&str> {
        Arn::of(self.as_sent()).map(|arn| arn.region).filter(|region| !region.is_empty())
    }

    /// Returns `vendor.model` without ARN and geography prefix: the key of the catalogue.
    ///
    /// The vendor is never taken from a closed list of prefixes: a client that did so refused `global.` before it
    /// reached AWS. Whatever stands before a known-looking `vendor.model` pair is a prefix.
    pub fn base(&self) -> &str {
        let name = self.name();
        split_geography(name).map_or(name, |(_, base)| base)
    }

    /// Returns who made the model, where the identifier says it: `anthropic`.
    pub fn vendor(&self) -> Option<&str> {
        match self.kind() {
            ModelKind::FoundationModel | ModelKind::SystemProfile => {
                self.base().split_once('.').map(|(vendor, _)| vendor).filter(|vendor| !vendor.is_empty())
            }
            ModelKind::Elsewhere => (self.provider() == Provider::Anthropic).then_some("anthropic"),
            ModelKind::ApplicationProfile | ModelKind::Provisioned | ModelKind::Other => None,
        }
    }

    /// Returns the same model through the profile of another geography; `None` where the identifier does not tell the
    /// model, or is not Bedrock's.
    #[must_use]
    pub fn with_geography(&self, prefix: &str) -> Option<ModelId> {
        match self.kind() {
            ModelKind::FoundationModel | ModelKind::SystemProfile => {
                let moved = ModelId(format!("{prefix}.{}", self.base()));
                // A name that does not read as `vendor.model` would not be found behind the prefix again.
                (moved.base() == self.base()).then_some(moved)
            }
            ModelKind::ApplicationProfile
            | ModelKind::Provisioned
            | ModelKind::Elsewhere
            | ModelKind::Other => None,
        }
    }

    /// Returns the same model at another provider, as that one spells it: Anthropic knows its models without vendor,
    /// geography and version. An identifier that names a provider already is left as it is.
    #[must_use]
    pub fn at(&self, provider: Provider) -> ModelId {
        if provider == self.provider() || self.kind() == ModelKind::Elsewhere {
            return self.clone();
        }
        let own = match self.base().strip_prefix("anthropic.") {
            Some(model) if provider == Provider::Anthropic => stem(model),
            _ => self.as_sent(),
        };
        ModelId(format!("{}:{own}", provider.as_str()))
    }

    /// Returns what stands behind provider and ARN.
    fn name(&self) -> &str {
        let sent = self.as_sent();
        match Arn::of(sent) {
            Some(arn) => arn.name,
            None => sent.rsplit('/').next().unwrap_or(sent),
        }
    }
}

/// Returns an id without a version at its end (`-v1:0`, `-v1`): some tools leave it off.
pub(crate) fn stem(id: &str) -> &str {
    match id.rsplit_once("-v") {
        Some((stem, version))
            if !version.is_empty()
                && version.chars().all(|letter| letter.is_ascii_digit() || letter == ':') =>
        {
            stem
        }
        _ => id,
    }
}

/// Splits `us.anthropic.claude-sonnet-4-6` behind its prefix.
///
/// Three parts whose first is a geography, or is short and plain and the second looks like a vendor: `zai.glm-4.7`
/// and `deepseek.v3.2` have dots in the model's own name and no prefix.
fn split_geography(name: &str) -> Option<(&str, &str)> {
    let (prefix, base) = name.split_once('.')?;
    let (vendor, model) = base.split_once('.')?;
    let known = geography::is_known(prefix) || prefix == geography::GLOBAL;
    let splits = known || (is_prefix(prefix) && is_vendor(vendor));
    (splits && !model.is_empty()).then_some((prefix, base))
}

/// Tells whether the text before the first dot can be a geography prefix.
fn is_prefix(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
}

/// Tells whether a text can be a vendor's name: letters, and digits behind at least two of them (`ai21`).
fn is_vendor(text: &str) -> bool {
    let letters = text.chars().take_while(char::is_ascii_lowercase).count();
    letters >= 2 && text.chars().skip(letters).all(|letter| letter.is_ascii_digit())
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ModelId {
    fn from(text: &str) -> Self {
        ModelId(text.to_owned())
    }
}

/// Returns the edit distance (Levenshtein) of two names, for "did you mean".
pub fn edit_distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (right, above) in other.chars().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(left != right)).min(before + 1).min(above + 1);
            diagonal = *above;
            before = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_an_id_tells_kind_geography_base_and_region() {
        type Row<'a> = (&'a str, ModelKind, Option<&'a str>, &'a str, Option<&'a str>);
        use ModelKind::{ApplicationProfile, Elsewhere, FoundationModel, Other, Provisioned, SystemProfile};
        const SONNET: &str = "anthropic.claude-sonnet-4-6";
        let account = "123456789012";
        let rows: &[Row<'_>] = &[
            (SONNET, FoundationModel, None, SONNET, None),
            ("us.anthropic.claude-sonnet-4-6", SystemProfile, Some("us"), SONNET, None),
            ("eu.anthropic.claude-sonnet-4-6", SystemProfile, Some("eu"), SONNET, None),
            ("apac.anthropic.claude-sonnet-4-6", SystemProfile, Some("apac"), SONNET, None),
            ("au.anthropic.claude-sonnet-4-6", SystemProfile, Some("au"), SONNET, None),
            ("jp.anthropic.claude-sonnet-4-6", SystemProfile, Some("jp"), SONNET, None),
            ("in.anthropic.claude-sonnet-4-6", SystemProfile, Some("in"), SONNET, None),
            ("ca.anthropic.claude-sonnet-4-6", SystemProfile, Some("ca"), SONNET, None),
            ("global.anthropic.claude-sonnet-4-6", SystemProfile, Some("global"), SONNET, None),
            ("us-gov.amazon.nova-pro-v1:0", SystemProfile, Some("us-gov"), "amazon.nova-pro-v1:0", None),
            (
                "newgeo.amazon.nova-2-lite-v1:0",
                SystemProfile,
                Some("newgeo"),
                "amazon.nova-2-lite-v1:0",
                None,
            ),
            ("us.ai21.jamba-1-5-large-v1:0", SystemProfile, Some("us"), "ai21.jamba-1-5-large-v1:0", None),
            ("zai.glm-4.7", FoundationModel, None, "zai.glm-4.7", None),
            ("deepseek.v3.2", FoundationModel, None, "deepseek.v3.2", None),
            (
                "anthropic.claude-3-5-sonnet-20241022-v2:0",
                FoundationModel,
                None,
                "anthropic.claude-3-5-sonnet-20241022-v2:0",
                None,
            ),
            (
                &format!(
                    "arn:aws:bedrock:us-east-1:{account}:inference-profile/us.anthropic.claude-sonnet-4-6"
                ),
                SystemProfile,
                Some("us"),
                SONNET,
                Some("us-east-1"),
            ),
            (
                &format!("arn:aws-us-gov:bedrock:us-gov-west-1:{account}:inference-profile/us-gov.{SONNET}"),
                SystemProfile,
                Some("us-gov"),
                SONNET,
                Some("us-gov-west-1"),
            ),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6",
                FoundationModel,
                None,
                SONNET,
                Some("us-east-1"),
            ),
            (
                // The Region-less model behind a global profile.
                "arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-6",
                FoundationModel,
                None,
                SONNET,
                None,
            ),
            (
                &format!("arn:aws-cn:bedrock:cn-north-1:{account}:application-inference-profile/a1b2c3"),
                ApplicationProfile,
                None,
                "a1b2c3",
                Some("cn-north-1"),
            ),
            (
                &format!("arn:aws:bedrock:us-east-1:{account}:provisioned-model/abc123"),
                Provisioned,
                None,
                "abc123",
                Some("us-east-1"),
            ),
            (
                &format!("arn:aws:bedrock:us-east-1:{account}:prompt/PROMPT1"),
                Other,
                None,
                "PROMPT1",
                Some("us-east-1"),
            ),
            ("anthropic:claude-sonnet-4-6", Elsewhere, None, "claude-sonnet-4-6", None),
            ("openai:llama3.1", Elsewhere, None, "llama3.1", None),
            ("bedrock:us.anthropic.claude-sonnet-4-6", SystemProfile, Some("us"), SONNET, None),
            ("llama", Other, None, "llama", None),
            ("arn:nonsense", Other, None, "arn:nonsense", None),
            ("", Other, None, "", None),
        ];
        for (id, kind, geography, base, region) in rows {
            let model = ModelId::from(*id);
            assert_eq!(
                (model.kind(), model.geography(), model.base(), model.region()),
                (*kind, *geography, *base, *region),
                "{id}"
            );
        }
    }

    #[test]
    fn a_provider_before_a_colon_is_taken_off_and_a_version_behind_one_is_not() {
        let rows = [
            ("anthropic:claude-sonnet-4-6", Provider::Anthropic, "claude-sonnet-4-6", Some("anthropic")),
            ("openai:llama3.1:8b", Provider::OpenAi, "llama3.1:8b", None),
            ("bedrock:amazon.nova-pro-v1:0", Provider::Bedrock, "amazon.nova-pro-v1:0", Some("amazon")),
            ("amazon.nova-pro-v1:0", Provider::Bedrock, "amazon.nova-pro-v1:0", Some("amazon")),
            ("openai.gpt-oss-120b-1:0", Provider::Bedrock, "openai.gpt-oss-120b-1:0", Some("openai")),
            ("anthropic:", Provider::Bedrock, "anthropic:", None),
        ];
        for (id, provider, sent, vendor) in rows {
            let model = ModelId::from(id);
            assert_eq!((model.provider(), model.as_sent(), model.vendor()), (provider, sent, vendor), "{id}");
        }
    }

    #[test]
    fn a_model_moves_to_another_geography_where_its_id_tells_the_model() {
        let moved = |id: &str| ModelId::from(id).with_geography("eu").map(|model| model.0);
        let wanted = Some("eu.anthropic.claude-sonnet-4-6".to_owned());
        assert_eq!(moved("us.anthropic.claude-sonnet-4-6"), wanted);
        assert_eq!(moved("anthropic.claude-sonnet-4-6"), wanted);
        assert_eq!(moved("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6"), wanted);
        assert_eq!(moved("anthropic:claude-sonnet-4-6"), None);
        assert_eq!(moved("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123"), None);
    }

    #[test]
    fn a_model_is_spelled_as_the_provider_that_is_chosen_spells_it() {
        let at = |id: &str, provider| ModelId::from(id).at(provider).0;
        let haiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
        assert_eq!(at(haiku, Provider::Anthropic), "anthropic:claude-haiku-4-5-20251001");
        assert_eq!(at("claude-sonnet-4-6", Provider::Anthropic), "anthropic:claude-sonnet-4-6");
        assert_eq!(at("llama3.1", Provider::OpenAi), "openai:llama3.1");
        assert_eq!(at("openai:llama3.1", Provider::Anthropic), "openai:llama3.1");
        assert_eq!(at(haiku, Provider::Bedrock), haiku);
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_and_is_sent_as_it_stands(text in "(arn:|us\\.|anthropic:|[a-z.:/-]{0,6})?\\PC{0,40}") {
            let model = ModelId(text.clone());
            let (base, sent) = (model.base().to_owned(), model.as_sent().to_owned());
            prop_assert_eq!(model.as_str(), text.as_str());
            prop_assert!(text.ends_with(&base) && text.ends_with(&sent));
            prop_assert_eq!(model.geography().is_some(), base.len() < model.name().len());
            if let Some(moved) = model.with_geography("eu") {
                prop_assert_eq!(moved.base(), base);
            }
        }
    }
}
