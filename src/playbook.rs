//! What is known about each AWS service, as data: dimensions, companions, log group, next steps.
//!
//! The rows are in `playbook/services.toml`; adding a service is adding a row.

pub mod unlisted;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// One service's row.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Namespace that the row is for, for instance `AWS/Lambda`.
    pub namespace: String,
    /// What a person calls it: `Lambda function`.
    pub title: String,
    /// The dimension that names the resource, for instance `FunctionName`.
    pub resource_dimension: String,
    /// Sets of dimensions that name the resource exactly, the first whose dimensions an alarm has: alarms with the same
    /// values watch the same thing. Empty where `resource_dimension` does.
    #[serde(default)]
    pub identities: Vec<Vec<String>>,
    /// How the ARN of such a resource ends: the service's code, a colon, and the rest with `{resource}` for the name by
    /// which its metrics know it. `sqs:{resource}`, `dynamodb:table/{resource}/`; what follows a closing mark is passed over.
    #[serde(default)]
    pub arns: Vec<String>,
    /// Log groups to try in order, with `{resource}` for the resource's name.
    #[serde(default)]
    pub log_groups: Vec<String>,
    /// Metrics to read beside the alarm's own.
    #[serde(default)]
    pub companions: Vec<Companion>,
    /// Which collector of changes applies.
    #[serde(default)]
    pub changes: ChangeSource,
    /// What is never read for this kind of resource, a noun each with the reason: `who deployed (CloudTrail is not read)`.
    #[serde(default)]
    pub blind_spots: Vec<String>,
    /// Console page of the resource; `{region}` and `{resource}` are filled in.
    #[serde(default)]
    pub console: Option<String>,
    /// What a responder can do next.
    #[serde(default)]
    pub next_steps: Vec<StepTemplate>,
    /// Whether nobody wrote it: see [`unlisted`].
    #[serde(skip)]
    pub is_guess: bool,
}

impl Service {
    /// Returns the names that dimensions give to resources, by each of the identities that they hold.
    pub fn identities_in(&self, dimensions: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
        self.identities.iter().filter_map(|names| {
            let values = names.iter().map(|name| dimensions.get(name).map(String::as_str));
            Some(values.collect::<Option<Vec<&str>>>()?.join("/"))
        })
    }
}

/// A metric to read beside the alarm's own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Metric name in the service's namespace.
    pub metric: String,
    /// Statistic: `Sum`, `Average`, `Maximum`, `p99`.
    pub statistic: String,
    /// What it stands for.
    pub role: Role,
    /// What to call it in a sentence: `throttles`.
    pub title: String,
    /// CloudWatch's unit, as AWS documents it for the metric. `GetMetricData` does not return one, and a bare
    /// "522" tells a reader nothing.
    #[serde(default)]
    pub unit: Option<String>,
    /// Whether a period without a datapoint means zero.
    #[serde(default)]
    pub missing_is_zero: bool,
    /// Whether many a healthy resource never has data here, so that its silence is not worth telling.
    #[serde(default)]
    pub optional: bool,
}

/// What a metric stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Requests, invocations.
    Traffic,
    /// Failed requests.
    Errors,
    /// Time per request.
    Latency,
    /// How full something is.
    Saturation,
    /// Work that was refused or delayed for load.
    Throttling,
}

/// Which collector of changes a row asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSource {
    /// None is known for this service.
    #[default]
    None,
    /// Lambda versions, aliases and configuration.
    LambdaFunction,
}

/// A next step: words and command with holes that only verified evidence fills.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTemplate {
    /// A model may choose a step by this id and by nothing else.
    pub id: String,
    /// What to do; with holes of [`HOLES`].
    pub text: String,
    /// The command with the same holes; empty where there is none.
    #[serde(default)]
    pub command: String,
    /// Console page of the read-only check, with the same holes.
    #[serde(default)]
    pub link: Option<String>,
    /// Set where the step changes something: then it names what it changes.
    #[serde(default)]
    pub changes: Option<String>,
    /// When the step applies.
    pub when: StepCondition,
    /// The read-only step to do first, by id.
    #[serde(default)]
    pub check_first: Option<String>,
}

/// Every hole that a step's text, command, link and target may have, and what fills it. A step with a hole that nothing
/// fills is not offered. `{}` is no hole.
pub const HOLES: [(&str, &str); 11] = [
    ("resource", "name of the resource"),
    ("region", "Region code of the alarm"),
    ("alarm", "name of the alarm"),
    ("start", "start of the incident's window, RFC 3339"),
    ("end", "end of the incident's window, RFC 3339"),
    ("start_ms", "the same start in milliseconds since the epoch"),
    ("end_ms", "the same end in milliseconds since the epoch"),
    ("log_group", "the log group that was read; only where logs were found"),
    ("alias", "alias that the suspected deployment moved; only where the cause is a deployment"),
    ("version", "the suspected version; only where the cause is a deployment"),
    (
        "previous_version",
        "the version before it, seen to be still published; only where the cause is a deployment",
    ),
];

/// When a step template applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepCondition {
    /// Whenever its holes can be filled.
    Always,
    /// Only where a deployment or traffic change is the lead or the shown cause.
    CauseIsDeployment,
    /// Only where logs were found.
    LogsFound,
}

/// Returns the row for a namespace.
pub fn service(namespace: &str) -> Option<&'static Service> {
    SERVICES.get(namespace)
}

/// Returns what an ARN names, by the rows' rules: namespace and name as the metrics know it. The ARN of a part (an alias of
/// a function, a stream of a table) names the whole.
pub fn named_by(arn: &str) -> Option<(&'static Service, &str)> {
    let (service, rest) = arn.strip_prefix("arn:")?.split_once(':')?.1.split_once(':')?;
    // Region and account; an ARN of S3 leaves both empty.
    let rest = rest.splitn(3, ':').nth(2)?;
    services().find_map(|row| {
        let name = row.arns.iter().find_map(|rule| {
            let (before, after) = rule.strip_prefix(service)?.strip_prefix(':')?.split_once("{resource}")?;
            let name = rest.strip_prefix(before)?;
            let name = if after.is_empty() { name } else { name.split(after).next()? };
            (!name.is_empty() && !name.contains('*')).then_some(name)
        })?;
        Some((row, name))
    })
}

/// Returns every row.
pub fn services() -> impl Iterator<Item = &'static Service> {
    SERVICES.values()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    service: Vec<Service>,
}

const ROWS: &str = include_str!("playbook/services.toml");

static SERVICES: LazyLock<BTreeMap<String, Service>> = LazyLock::new(|| {
    // The embedded file is read in a test of its own; a broken one cannot ship.
    toml::from_str::<Rows>(ROWS)
        .map(|rows| rows.service.into_iter().map(|row| (row.namespace.clone(), row)).collect())
        .unwrap_or_default()
});

#[cfg(test)]
mod tests;
