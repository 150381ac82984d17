//! Reads a function's versions and aliases from Lambda, without the values of its environment.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AliasConfiguration, Architecture, FunctionConfiguration};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::DATA_CALL_TIME;
use super::error::{shortened, telemetry};
use crate::clock::{Deadline, Timestamp};
use crate::evidence::Status;
use crate::gather::telemetry::{FunctionAlias, FunctionState, FunctionVersion, TelemetryError};

const LIST_VERSIONS: &str = "lambda:ListVersionsByFunction";
const LIST_ALIASES: &str = "lambda:ListAliases";
const GET_POLICY: &str = "lambda:GetPolicy";
const INVOKE: &str = "lambda:InvokeFunction";
const LIST_EVENT_SOURCES: &str = "lambda:ListEventSourceMappings";

/// What Lambda calls the version that can be edited.
const LATEST: &str = "$LATEST";

/// Mixed into the digests of environment values, so that a short value cannot be found by trying.
#[derive(Clone)]
pub(super) struct Salt([u8; 16]);

impl Salt {
    /// Draws a salt from the operating system's randomness, which the standard library's hash maps are keyed with. It
    /// guards secrets, so it does not come from the run's seed, which is printed.
    pub(super) fn random() -> Self {
        let draw = || RandomState::new().build_hasher().finish().to_le_bytes();
        let mut salt = [0; 16];
        for (to, from) in salt.iter_mut().zip(draw().into_iter().chain(draw())) {
            *to = from;
        }
        Salt(salt)
    }

    /// Returns the salt that is no salt.
    pub(super) fn fixed() -> Self {
        Salt([0; 16])
    }

    /// Returns a digest to compare with: `sha256:ab12cd34`.
    fn digest(&self, value: &str) -> String {
        let digest = Sha256::new().chain_update(self.0).chain_update(value).finalize();
        digest.iter().take(4).fold("sha256:".to_owned(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Time for an invocation: the function asks an account about everything it needs.
const INVOKE_TIME: Duration = Duration::from_mins(3);

/// Invokes a function and waits for its answer. The error says what Lambda or the function said.
pub async fn invoke(config: &SdkConfig, function: &str, payload: &Value) -> Result<Value, String> {
    let times = TimeoutConfig::builder().operation_timeout(INVOKE_TIME).read_timeout(INVOKE_TIME).build();
    // A second try would have the function do everything twice.
    let config = config.to_builder().retry_config(RetryConfig::disabled()).timeout_config(times).build();
    let asked = Client::new(&config)
        .invoke()
        .function_name(function)
        .payload(payload.to_string().into_bytes().into());
    let answer = asked.send().await.map_err(|error| telemetry(INVOKE, &error).reason)?;
    let payload = answer.payload().map(|payload| payload.as_ref().to_vec()).unwrap_or_default();
    let text = String::from_utf8_lossy(&payload);
    match answer.function_error() {
        Some(kind) => Err(format!("the function failed ({kind}): {}", shortened(&text, 300))),
        None => serde_json::from_slice(&payload)
            .map_err(|_| format!("no JSON came back: {}", shortened(&text, 100))),
    }
}

/// Reads what may call a function, by its resource policy, and what feeds it, by its event sources: their ARNs, sorted.
pub(super) async fn callers(client: &Client, name: &str) -> Result<Vec<String>, TelemetryError> {
    let (policy, sources) = futures::join!(policy(client, name), event_sources(client, name));
    let mut arns = policy?.as_deref().map(source_arns).unwrap_or_default();
    arns.extend(sources?);
    arns.sort_unstable();
    arns.dedup();
    Ok(arns)
}

async fn policy(client: &Client, name: &str) -> Result<Option<String>, TelemetryError> {
    match client.get_policy().function_name(name).send().await {
        Ok(answer) => Ok(answer.policy),
        // A function that nobody but its account may call has none.
        Err(error) => match telemetry(GET_POLICY, &error) {
            missing if missing.status == Status::Missing => Ok(None),
            error => Err(error),
        },
    }
}

/// A function has few; more than one page of them links no better.
async fn event_sources(client: &Client, name: &str) -> Result<Vec<String>, TelemetryError> {
    let asked = client.list_event_source_mappings().function_name(name).send().await;
    let mappings = match asked.map_err(|error| telemetry(LIST_EVENT_SOURCES, &error)) {
        Ok(answer) => answer.event_source_mappings.unwrap_or_default(),
        // What there is not is fed by nothing.
        Err(error) if error.status == Status::Missing => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(mappings.into_iter().filter_map(|mapping| mapping.event_source_arn).collect())
}

/// Reads the ARNs to which a resource policy ties its callers: `"Condition": {"ArnLike": {"AWS:SourceArn": "arn:…"}}`, one
/// or a list, with any operator and spelling of the key.
fn source_arns(policy: &str) -> Vec<String> {
    let Ok(Value::Object(policy)) = serde_json::from_str(policy) else { return Vec::new() };
    let statements = policy.get("Statement").map(many).unwrap_or_default();
    let operators = statements.into_iter().filter_map(|statement| statement.get("Condition")?.as_object());
    let keys = operators.flat_map(|condition| condition.values()).filter_map(Value::as_object);
    let values = keys.flatten().filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"));
    values.flat_map(|(_, value)| many(value)).filter_map(|arn| arn.as_str().map(str::to_owned)).collect()
}

/// Where a policy may have one or a list, the list.
fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// Reads versions and aliases; `None` where there is no such function.
pub(super) async fn function(
    client: &Client,
    name: &str,
    salt: &Salt,
) -> Result<Option<FunctionState>, TelemetryError> {
    // Both are waited for: which of them fails first must not decide what is asked.
    match futures::join!(versions(client, name), aliases(client, name)) {
        (Ok(versions), Ok(aliases)) => Ok(Some(state(&versions, &aliases, salt))),
        (Err(error), _) | (_, Err(error)) if error.status == Status::Missing => Ok(None),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

async fn versions(client: &Client, name: &str) -> Result<Vec<FunctionConfiguration>, TelemetryError> {
    let deadline = Deadline::after(DATA_CALL_TIME);
    let mut versions = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let answer = client
            .list_versions_by_function()
            .function_name(name)
            .set_marker(page.take())
            .send()
            .await
            .map_err(|error| telemetry(LIST_VERSIONS, &error))?;
        versions.extend(answer.versions.unwrap_or_default());
        page = answer.next_marker.filter(|marker| !marker.is_empty());
        if page.is_none() {
            return Ok(versions);
        }
        still_time(deadline, LIST_VERSIONS)?;
    }
}

async fn aliases(client: &Client, name: &str) -> Result<Vec<AliasConfiguration>, TelemetryError> {
    let deadline = Deadline::after(DATA_CALL_TIME);
    let mut aliases = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let answer = client
            .list_aliases()
            .function_name(name)
            .set_marker(page.take())
            .send()
            .await
            .map_err(|error| telemetry(LIST_ALIASES, &error))?;
        aliases.extend(answer.aliases.unwrap_or_default());
        page = answer.next_marker.filter(|marker| !marker.is_empty());
        if page.is_none() {
            return Ok(aliases);
        }
        still_time(deadline, LIST_ALIASES)?;
    }
}

fn still_time(deadline: Deadline, operation: &'static str) -> Result<(), TelemetryError> {
    if deadline.time_left().is_zero() {
        let reason = format!("more pages than can be read in {} s", DATA_CALL_TIME.as_secs());
        return Err(TelemetryError { status: Status::TimedOut, operation, reason });
    }
    Ok(())
}

fn state(versions: &[FunctionConfiguration], aliases: &[AliasConfiguration], salt: &Salt) -> FunctionState {
    let latest = versions.iter().find(|version| version.version() == Some(LATEST));
    let log_group = latest
        .and_then(FunctionConfiguration::logging_config)
        .and_then(|logging| logging.log_group())
        .filter(|group| !group.is_empty())
        .map(str::to_owned);
    let mut versions: Vec<FunctionVersion> =
        versions.iter().map(|version| from_version(version, salt)).collect();
    // Numbers rise with publication; `$LATEST`, which may be newer than all of them, comes last.
    versions.sort_by_key(|version| version.version.parse::<u64>().unwrap_or(u64::MAX));
    FunctionState { versions, aliases: aliases.iter().map(from_alias).collect(), log_group }
}

fn from_version(version: &FunctionConfiguration, salt: &Salt) -> FunctionVersion {
    FunctionVersion {
        version: version.version().unwrap_or_default().to_owned(),
        last_modified: version.last_modified().and_then(modified_at),
        code_sha256: version.code_sha256().unwrap_or_default().to_owned(),
        settings: settings(version, salt),
    }
}

/// Reads `2026-11-23T02:57:00.000+0000`.
fn modified_at(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
}

fn settings(version: &FunctionConfiguration, salt: &Salt) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            settings.insert(name.to_owned(), value);
        }
    };
    set("Runtime", version.runtime().map(|runtime| runtime.as_str().to_owned()));
    set("Handler", version.handler().map(str::to_owned));
    set("MemorySize", version.memory_size().map(|megabytes| megabytes.to_string()));
    set("Timeout", version.timeout().map(|seconds| seconds.to_string()));
    set("PackageType", version.package_type().map(|kind| kind.as_str().to_owned()));
    let architectures: Vec<&str> = version.architectures().iter().map(Architecture::as_str).collect();
    set("Architectures", Some(architectures.join(", ")));
    // A layer's ARN ends in its name and version, which is what a deployment changes.
    let layers: Vec<&str> = version.layers().iter().filter_map(|layer| layer.arn()).collect();
    set("Layers", Some(layers.join(", ")));
    let variables = version.environment().and_then(|environment| environment.variables());
    for (name, value) in variables.into_iter().flatten() {
        set(&format!("env:{name}"), Some(salt.digest(value)));
    }
    settings
}

fn from_alias(alias: &AliasConfiguration) -> FunctionAlias {
    let weights = alias.routing_config().and_then(|routing| routing.additional_version_weights());
    let mut weights: Vec<(String, u32)> =
        weights.into_iter().flatten().map(|(version, share)| (version.clone(), per_mille(*share))).collect();
    weights.sort();
    FunctionAlias {
        name: alias.name().unwrap_or_default().to_owned(),
        version: alias.function_version().unwrap_or_default().to_owned(),
        weights,
    }
}

/// Returns a share of one in thousandths.
fn per_mille(share: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000 before")]
    let thousandths = (share * 1000.0).round().clamp(0.0, 1000.0) as u32;
    thousandths
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{
        AliasRoutingConfiguration, EnvironmentResponse, Layer, LoggingConfig, PackageType, Runtime,
    };

    use super::*;

    fn version(number: &str, tax_source: &str) -> FunctionConfiguration {
        FunctionConfiguration::builder()
            .version(number)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .memory_size(512)
            .timeout(30)
            .package_type(PackageType::Zip)
            .architectures(Architecture::Arm64)
            .layers(Layer::builder().arn("arn:aws:lambda:us-east-1:123456789012:layer:otel:7").build())
            .environment(EnvironmentResponse::builder().variables("TAX_SOURCE", tax_source).build())
            .logging_config(LoggingConfig::builder().log_group(format!("/custom/{number}")).build())
            .code_sha256("abc=")
            .last_modified("2026-11-23T02:57:01.500+0000")
            .build()
    }

    #[test]
    fn versions_are_oldest_first_with_latest_at_the_end() {
        let versions = [version("$LATEST", "a"), version("9", "a"), version("10", "a")];
        let state = state(&versions, &[], &Salt::random());
        let order: Vec<&str> = state.versions.iter().map(|version| version.version.as_str()).collect();
        assert_eq!(order, ["9", "10", "$LATEST"]);
        assert_eq!(state.log_group.as_deref(), Some("/custom/$LATEST"));
    }

    #[test]
    fn settings_hold_digests_of_environment_values_never_the_values() {
        let salt = Salt::random();
        let settings = settings(&version("1", "hunter2"), &salt);
        let names: Vec<&str> = settings.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "Architectures",
                "Handler",
                "Layers",
                "MemorySize",
                "PackageType",
                "Runtime",
                "Timeout",
                "env:TAX_SOURCE"
            ]
        );
        assert!(!format!("{settings:?}").contains("hunter2"));
        let digest = &settings["env:TAX_SOURCE"];
        assert!(digest.starts_with("sha256:") && digest.len() == 15, "{digest}");
        assert_eq!(*digest, salt.digest("hunter2"));
        assert_ne!(*digest, salt.digest("hunter3"));
        assert_ne!(*digest, Salt::random().digest("hunter2"));
    }

    #[test]
    fn lambdas_time_without_a_colon_in_its_offset_is_read() {
        let expected: Timestamp = "2026-11-23T02:57:01.5Z".parse().unwrap();
        assert_eq!(modified_at("2026-11-23T02:57:01.500+0000"), Some(expected));
        assert_eq!(modified_at("2026-11-23T02:57:01.500Z"), Some(expected));
        assert_eq!(modified_at("yesterday"), None);
    }

    #[test]
    fn weights_are_exact_in_thousandths() {
        let routing = AliasRoutingConfiguration::builder()
            .additional_version_weights("58", 0.36)
            .additional_version_weights("57", 0.001)
            .build();
        let alias =
            AliasConfiguration::builder().name("live").function_version("59").routing_config(routing).build();
        let expected = FunctionAlias {
            name: "live".into(),
            version: "59".into(),
            weights: vec![("57".into(), 1), ("58".into(), 360)],
        };
        assert_eq!(from_alias(&alias), expected);
    }
}
