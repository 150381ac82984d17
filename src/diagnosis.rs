//! What the failure of a model call means: cause, whether to try again, what to do, and the next command.
//!
//! The knowledge is data in `diagnosis/signatures.toml`; here a text is matched with it and its details are filled in.
//! It explains what was said, also to other programs, and asks nothing.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::model::{ErrorClass, Failure, ModelId, Provider, catalogue};

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
}

impl Retry {
    /// Returns the answer to "can it be tried again?".
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Backoff => "yes, with backoff",
            Retry::Once => "once, changed as below",
            Retry::Later => "not in this run; in some minutes",
            Retry::No => "no, not before something is changed",
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
    let said = normal(&text);
    let found = SIGNATURES.iter().find(|signature| signature.matches(&said));
    filled(found.or_else(|| named("unknown")), &text, model)
}

/// Explains a failed call. Its class was read from code and HTTP status as well, so it outweighs the words.
pub fn of_failure(failure: &Failure) -> Diagnosis {
    let model = failure.model.as_deref().map(ModelId::from);
    let said = normal(&failure.message);
    let elsewhere = model.as_ref().is_some_and(|model| model.provider() != Provider::Bedrock);
    let own = SIGNATURES.iter().find(|row| elsewhere && row.elsewhere && row.class == failure.class);
    let said_so = |row: &&Signature| row.class == failure.class && !row.elsewhere && row.matches(&said);
    let found = own.or_else(|| SIGNATURES.iter().find(said_so));
    filled(found.or_else(|| named(usual(failure.class))), &failure.message, model.as_ref())
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
        ErrorClass::Unknown => "unknown",
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

fn filled(signature: Option<&Signature>, text: &str, model: Option<&ModelId>) -> Diagnosis {
    let Some(signature) = signature else {
        // Only an unreadable table leads here, and a test keeps it readable.
        return Diagnosis {
            name: "unknown".into(),
            class: ErrorClass::Unknown,
            retry: Retry::No,
            cause: String::new(),
            remedies: Vec::new(),
            next: String::new(),
        };
    };
    let details = Details::read(text, model);
    Diagnosis {
        name: signature.name.clone(),
        class: signature.class,
        retry: signature.retry,
        cause: details.fill(&signature.cause),
        remedies: signature.remedies.iter().map(|remedy| details.fill(remedy)).collect(),
        next: details.fill(&signature.next),
    }
}

/// What a text names.
struct Details {
    model: Option<ModelId>,
    resource: Option<String>,
    action: Option<String>,
}

static MODEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // `provider.model` with any prefixes; the letters of ids are lower-case, and a host has no digit after its last dot.
    Regex::new(r"(?:[a-z][a-z-]{0,7}\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai|writer|google|nvidia|minimax|moonshot|stability|twelvelabs|luma)\.[a-z0-9][a-z0-9.:-]*[a-z0-9]").ok()
});
static RESOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"on resource: (arn:[^\s,;]+)").ok());
static ACTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"perform: ([a-z0-9-]+:[A-Za-z0-9*]+)").ok());

fn first(expression: &LazyLock<Option<Regex>>, group: usize, text: &str) -> Option<String> {
    let captures = LazyLock::force(expression).as_ref()?.captures(text)?;
    captures.get(group).map(|found| found.as_str().to_owned())
}

impl Details {
    fn read(text: &str, model: Option<&ModelId>) -> Self {
        let resource = first(&RESOURCE, 1, text);
        // An access denial names the model in its resource; the configured id says more, for it has the profile.
        let model = model.cloned().or_else(|| first(&MODEL, 0, text).map(ModelId));
        Details { model, resource, action: first(&ACTION, 1, text) }
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
            ("{quota}", self.quota("requests")),
            ("{token_quota}", self.quota("tokens")),
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
    fn quota(&self, unit: &str) -> String {
        let names = self.model.as_ref().and_then(catalogue::quota_names);
        match names {
            Some(names) if unit == "requests" => names.requests_per_minute,
            Some(names) => names.tokens_per_minute,
            None => format!("Cross-region (or On-demand) model inference {unit} per minute for the model"),
        }
    }
}

/// Returns a model that is not retired, to be named as an example.
fn current() -> &'static str {
    "us.anthropic.claude-sonnet-4-6"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_read_and_holds_a_signature_for_each_class() {
        assert!(SIGNATURES.len() > 25, "{} signatures", SIGNATURES.len());
        for signature in SIGNATURES.iter() {
            assert_eq!(named(usual(signature.class)).map(|usual| usual.class), Some(signature.class));
            assert!(!signature.remedies.is_empty() && !signature.next.is_empty(), "{}", signature.name);
            for part in signature.when.iter().flatten() {
                assert_eq!(*part, normal(part), "{} would never match", signature.name);
            }
        }
    }

    #[test]
    fn no_place_is_left_unfilled_with_or_without_details() {
        for signature in SIGNATURES.iter() {
            for text in ["", "us.anthropic.claude-sonnet-4-6"] {
                let diagnosis = filled(Some(signature), text, None);
                let all = format!("{} {} {}", diagnosis.cause, diagnosis.remedies.join(" "), diagnosis.next);
                assert!(!all.contains('{'), "{all}");
            }
        }
    }

    #[test]
    fn a_failed_call_elsewhere_is_not_explained_with_aws() {
        for class in [
            ErrorClass::Credentials,
            ErrorClass::Throttled,
            ErrorClass::DailyQuota,
            ErrorClass::NotEnabled,
            ErrorClass::Unavailable,
            ErrorClass::AccessDenied,
            ErrorClass::InvalidIdentifier,
            ErrorClass::Unreachable,
            ErrorClass::InvalidRequest,
            ErrorClass::TimedOut,
            ErrorClass::InputTooLong,
        ] {
            let failure = Failure {
                class,
                operation: "Messages".into(),
                model: Some("anthropic:claude-sonnet-4-6".into()),
                attempts: 1,
                waited: std::time::Duration::ZERO,
                request_id: None,
                message: "overloaded_error: Overloaded".into(),
            };
            let found = of_failure(&failure);
            assert_eq!(found.class, class);
            let all = format!("{} {} {}", found.cause, found.remedies.join(" "), found.next);
            for word in
                ["Bedrock is", "aws sso", "Service Quotas", "bedrock:", "Cross-region", "interface endpoint"]
            {
                assert!(!all.contains(word), "{class:?}: {all}");
            }
        }
    }

    #[test]
    fn a_failures_class_outweighs_its_words() {
        let failure = Failure {
            class: ErrorClass::Unavailable,
            operation: "Converse".into(),
            model: Some("us.amazon.nova-pro-v1:0".into()),
            attempts: 5,
            waited: std::time::Duration::from_secs(9),
            request_id: None,
            message: "HTTP 503 without a word about too many requests".into(),
        };
        assert_eq!(of_failure(&failure).name, "unavailable");
    }
}
