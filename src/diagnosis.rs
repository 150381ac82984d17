//! What the failure of a model call means: cause, whether to try again, what to do, and the next command.
//!
//! The knowledge is data in `diagnosis/signatures.toml`; here a text is matched with it and its details are filled in.
//! It explains what was said, also to other programs, and asks nothing.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::model::pace::Quota;
use crate::model::{ErrorClass, Failure, ModelId, Provider, catalogue};

mod text;

/// Longest text that is looked at; an error is shorter. Of a whole log the end counts, where what failed stands.
const LONGEST_TEXT: usize = 16_384;

/// What a failed call means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Name of the signature: `needs_profile`, `legacy`.
    pub name: String,
    /// Class of the failure, as the ladder sorts it.
    pub class: ErrorClass,
    /// Whether the same call may work later.
    pub retry: Retry,
    /// Why it failed, in a line or two.
    pub cause: String,
    /// What to do, in order.
    pub remedies: Vec<String>,
    /// The command to run next.
    pub next: String,
}

impl Diagnosis {
    /// Tells whether the text was among those that are known.
    pub fn is_recognised(&self) -> bool {
        self.name != UNKNOWN
    }
}

/// Signature of a text that no other one fits.
const UNKNOWN: &str = "unknown";

/// A model that a run has left, why, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The model, as it stands in the ladder.
    pub model: ModelId,
    /// Why it was left.
    pub failure: Failure,
    /// What that means.
    pub diagnosis: Diagnosis,
}

/// What was wanted of a model, and what is known of its rate: a refusal's own words tell neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// What the provider lets through in a minute, given or learned.
    pub quota: Quota,
    /// Whether AWS raises the quota on request, where that was read.
    pub adjustable: Option<bool>,
    /// Calls that were planned.
    pub calls: u32,
    /// Tokens that they take.
    pub tokens: u32,
    /// Minutes that they may take.
    pub minutes: u32,
}

impl Demand {
    /// Tells whether the minutes together let less through than was planned; `None` where the rate is not known.
    fn exceeds(&self, unit: Unit) -> Option<bool> {
        let minutes = u64::from(self.minutes.max(1));
        let (most, planned) = match unit {
            Unit::Requests => (self.quota.requests.map(u64::from), self.calls),
            Unit::Tokens => (self.quota.tokens, self.tokens),
        };
        most.map(|most| most.saturating_mul(minutes) < u64::from(planned))
    }
}

/// What a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Requests,
    Tokens,
}

impl Unit {
    /// Returns what a refusal was about. Where both rates are told, requests are the scarcer one in new accounts.
    fn of(said: &str) -> Unit {
        let names_requests = ["request a minute", "requests a minute"].iter().any(|rate| said.contains(rate));
        let is_tokens = said.contains("too many tokens")
            || (said.contains("larger than its quota") && !said.contains("quota of 0 requests"))
            || (said.contains("tokens a minute") && !names_requests);
        if is_tokens { Unit::Tokens } else { Unit::Requests }
    }

    fn as_str(self) -> &'static str {
        match self {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
        }
    }
}

/// Whether the same call may work later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// After a short wait, again and again within the deadline.
    Backoff,
    /// Once, changed as the remedy says.
    Once,
    /// In minutes, not within a run.
    Later,
    /// Not before somebody changes something.
    No,
    /// The text does not tell.
    NotKnown,
}

impl Retry {
    /// Returns the answer to "can it be tried again?".
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Backoff => "yes, with backoff",
            Retry::Once => "once, changed as below",
            Retry::Later => "not in this run; in some minutes",
            Retry::No => "no, not before something is changed",
            Retry::NotKnown => "not known",
        }
    }
}

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    name: String,
    class: ErrorClass,
    /// Groups of parts; one group suffices, all its parts must occur.
    when: Vec<Vec<String>>,
    /// Whether it explains failed calls of other providers than Bedrock; one of them is enough for a class.
    #[serde(default)]
    elsewhere: bool,
    retry: Retry,
    cause: String,
    remedies: Vec<String>,
    next: String,
}

static SIGNATURES: LazyLock<Vec<Signature>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Rows {
        signature: Vec<Signature>,
    }
    // A test of its own reads the embedded file; a broken one cannot ship.
    toml::from_str::<Rows>(include_str!("diagnosis/signatures.toml"))
        .map(|rows| rows.signature)
        .unwrap_or_default()
});

/// Explains an error text; `model` is the one that was asked, where the text does not name it.
pub fn of_text(text: &str, model: Option<&ModelId>) -> Diagnosis {
    let before = text.chars().count().saturating_sub(LONGEST_TEXT);
    let text: String = text.chars().skip(before).collect();
    let text = text::unescaped(&text);
    let said = normal(&text);
    let found = SIGNATURES.iter().find(|signature| signature.matches(&said));
    filled(found.or_else(|| named(UNKNOWN)), &Details::read(&text, model, None))
}

/// Explains a failed call. Its class was read from code and HTTP status as well, so it outweighs the words; so does what
/// is known of the model's rate.
pub fn of_failure(failure: &Failure, demand: Option<&Demand>) -> Diagnosis {
    let model = failure.model.as_deref().map(ModelId::from);
    let text = text::unescaped(&failure.message);
    let said = normal(&text);
    let elsewhere = model.as_ref().is_some_and(|model| model.provider() != Provider::Bedrock);
    let own = SIGNATURES.iter().find(|row| elsewhere && row.elsewhere && row.class == failure.class);
    if let Some(own) = own {
        return filled(Some(own), &Details::read(&text, model.as_ref(), demand));
    }
    let said_so = |row: &&Signature| row.class == failure.class && !row.elsewhere && row.matches(&said);
    let by_words = || SIGNATURES.iter().find(said_so);
    let exceeds = demand.and_then(|demand| demand.exceeds(Unit::of(&said)));
    let found = match exceeds.filter(|_| failure.class == ErrorClass::Throttled) {
        Some(true) => named("quota_too_small"),
        // A request that found no place in time says that it is too small, however long the run was planned to be.
        Some(false) => {
            by_words().filter(|found| found.name == "quota_too_small").or_else(|| named("throttled_burst"))
        }
        None => by_words(),
    };
    let found = found.or_else(|| named(usual(failure.class)));
    filled(found, &Details::read(&text, model.as_ref(), demand))
}

/// Returns the signature that a class most often has.
fn usual(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Throttled => "throttled_requests",
        ErrorClass::DailyQuota => "daily_quota",
        ErrorClass::Unavailable => "unavailable",
        ErrorClass::TimedOut => "model_timed_out",
        ErrorClass::ModelFailed => "model_failed",
        ErrorClass::EndOfLife => "end_of_life",
        ErrorClass::NeedsProfile => "needs_profile",
        ErrorClass::InvalidIdentifier => "invalid_identifier",
        ErrorClass::AccessDenied => "denied_on_model",
        ErrorClass::NotEnabled => "no_model_access",
        ErrorClass::Credentials => "credentials_invalid",
        ErrorClass::InputTooLong => "input_too_long",
        ErrorClass::InvalidRequest => "request_refused",
        ErrorClass::Unreachable => "unreachable",
        ErrorClass::Unknown => UNKNOWN,
    }
}

fn named(name: &str) -> Option<&'static Signature> {
    SIGNATURES.iter().find(|signature| signature.name == name)
}

impl Signature {
    fn matches(&self, said: &str) -> bool {
        self.when.iter().any(|group| group.iter().all(|part| said.contains(part.as_str())))
    }
}

/// Returns the text lower-cased, on one line, with straight apostrophes: Bedrock writes `isn’t` with a curly one.
fn normal(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'")
}

fn filled(signature: Option<&Signature>, details: &Details) -> Diagnosis {
    let Some(signature) = signature else {
        // Only an unreadable table leads here, and a test keeps it readable.
        return Diagnosis {
            name: UNKNOWN.into(),
            class: ErrorClass::Unknown,
            retry: Retry::No,
            cause: String::new(),
            remedies: Vec::new(),
            next: String::new(),
        };
    };
    Diagnosis {
        name: signature.name.clone(),
        class: signature.class,
        retry: signature.retry,
        cause: details.fill(&signature.cause),
        remedies: signature.remedies.iter().map(|remedy| details.fill(remedy)).collect(),
        next: details.fill(&signature.next),
    }
}

/// What a text names, and what is known beside it.
struct Details {
    model: Option<ModelId>,
    resource: Option<String>,
    action: Option<String>,
    policy: Option<String>,
    is_explicit: bool,
    unit: Unit,
    demand: Option<Demand>,
}

impl Details {
    fn read(text: &str, model: Option<&ModelId>, demand: Option<&Demand>) -> Self {
        let said = normal(text);
        Details {
            // An access denial names the model in its resource; the configured id says more, for it has the profile.
            model: model.cloned().or_else(|| text::model(text)),
            resource: text::resource(text),
            action: text::action(text),
            policy: text::policy(text),
            is_explicit: said.contains("explicit deny"),
            unit: Unit::of(&said),
            demand: demand.copied(),
        }
    }

    fn fill(&self, template: &str) -> String {
        let mut text = template.to_owned();
        for (place, value) in [
            // In a command the place of an unknown model is a word to replace.
            (
                "--model {model}",
                self.model.as_ref().map_or("--model ID".into(), |id| format!("--model {id}")),
            ),
            ("--model {profile}", self.profile().map_or("--model ID".into(), |id| format!("--model {id}"))),
            ("{model}", self.model.as_ref().map_or("the model".into(), ToString::to_string)),
            ("{profile}", self.profile().unwrap_or_else(|| "us., eu. or global. and the id".into())),
            ("{nearest}", self.nearest()),
            ("{current}", current().to_owned()),
            ("{adjustable}", self.adjustable()),
            ("{rate}", self.rate()),
            ("{unit}", self.unit.as_str().to_owned()),
            ("{limit}", self.quota(self.unit)),
            ("{quota}", self.quota(Unit::Requests)),
            ("{token_quota}", self.quota(Unit::Tokens)),
            ("{refuses}", if self.is_explicit { "denies" } else { "does not allow" }.into()),
            (
                "{policy}",
                self.policy.as_ref().map(|arn| format!(" The policy is {arn}.")).unwrap_or_default(),
            ),
            ("{action}", self.action.clone().unwrap_or_else(|| "the action".into())),
            (
                "{resource}",
                self.resource.clone().unwrap_or_else(|| "the resource that the text names".into()),
            ),
            ("{region}", self.region()),
        ] {
            if text.contains(place) {
                text = text.replace(place, &value);
            }
        }
        text
    }

    /// Returns the Region of the refused resource; a global profile's model has none.
    fn region(&self) -> String {
        match self.resource.as_deref().and_then(|arn| arn.split(':').nth(3)) {
            None => "the one in the resource's ARN".into(),
            Some("") => "unspecified (a global profile)".into(),
            Some(region) => region.to_owned(),
        }
    }

    fn profile(&self) -> Option<String> {
        self.model.as_ref()?.with_geography("us").map(|profile| profile.0)
    }

    fn nearest(&self) -> String {
        let Some(model) = &self.model else {
            return "Compare the id with the catalogue, letter by letter.".into();
        };
        match catalogue::nearest(model) {
            Some(row) if row.id == model.base() => match &row.retired {
                Some(day) => {
                    format!(
                        "{} is spelled right; its end of life in the US is {day}. Use {}.",
                        row.id,
                        current()
                    )
                }
                None => format!(
                    "{} is spelled right; this Region or its prefix does not fit. Compare ListInferenceProfiles.",
                    row.id
                ),
            },
            Some(row) => {
                let prefix = model.as_str().strip_suffix(model.base()).unwrap_or_default();
                let retired = row
                    .retired
                    .as_ref()
                    .map(|day| format!(" (end of life {day} in the US; use {})", current()))
                    .unwrap_or_default();
                format!("The nearest id that is known: {prefix}{}{retired}.", row.id)
            }
            None => "Nothing in the catalogue is near it; compare it with what the Region offers.".into(),
        }
    }

    /// Returns the name under which Service Quotas lists the model's requests or tokens.
    fn quota(&self, unit: Unit) -> String {
        let names = self.model.as_ref().and_then(catalogue::quota_names);
        let elsewhere =
            self.model.as_ref().map(ModelId::provider).filter(|asked| *asked != Provider::Bedrock);
        match (names, unit, elsewhere) {
            (Some(names), Unit::Requests, _) => names.requests_per_minute,
            (Some(names), Unit::Tokens, _) => names.tokens_per_minute,
            (None, _, Some(provider)) => format!("{} per minute at {}", unit.as_str(), provider.as_str()),
            (None, _, None) => {
                format!(
                    "Cross-region (or On-demand) model inference {} per minute for the model",
                    unit.as_str()
                )
            }
        }
    }

    /// Returns ` (1 request a minute; 11 calls planned in 4 minutes)`, or nothing where that is not known.
    fn rate(&self) -> String {
        let counted = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let known = self.demand.and_then(|demand| {
            let most = match self.unit {
                Unit::Requests => counted(demand.quota.requests?.into(), "request"),
                Unit::Tokens => counted(demand.quota.tokens?, "token"),
            };
            let calls = counted(demand.calls.into(), "call");
            let about = match self.unit {
                Unit::Requests => String::new(),
                Unit::Tokens => format!(" of about {} tokens in all", demand.tokens),
            };
            let minutes = counted(demand.minutes.max(1).into(), "minute");
            Some(format!(" ({most} a minute; {calls}{about} planned in {minutes})"))
        });
        known.unwrap_or_default()
    }

    fn adjustable(&self) -> String {
        let limit = self.quota(self.unit);
        match self.demand.and_then(|demand| demand.adjustable) {
            Some(true) => format!("Ask for more of \"{limit}\": Service Quotas says that it is adjustable."),
            Some(false) => format!(
                "\"{limit}\" is not adjustable: put a model with a larger quota into the ladder, or use depth brief."
            ),
            None => "Ask for more where Service Quotas says that the quota is adjustable; otherwise put a model with a \
                     larger one into the ladder, or use depth brief."
                .into(),
        }
    }
}

/// Returns a model that is not retired, to be named as an example.
fn current() -> &'static str {
    "us.anthropic.claude-sonnet-4-6"
}

#[cfg(test)]
mod tests;
