//! `ListMetrics`: which metrics there are, filtered by namespace, name and dimensions.

use serde::Deserialize;
use serde_json::Value;

use crate::cbor::Cbor;
use crate::cloudwatch::{invalid_token, invalid_value};
use crate::failure::Failure;
use crate::input;
use crate::page::{self, Pager};
use crate::scenario::{MetricKey, Paging, Scenario};

const OPERATION: &str = "ListMetrics";
/// Metrics without data for two weeks are not listed.
const LISTED_FOR: i64 = 14 * 86_400;
/// `RecentlyActive=PT3H`.
const RECENT: i64 = 3 * 3600;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
    recently_active: Option<String>,
    include_linked_accounts: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

impl Input {
    fn matches(&self, key: &MetricKey) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
            && self.metric_name.as_ref().is_none_or(|name| *name == key.name)
            && self.dimensions.iter().all(|filter| {
                key.dimensions
                    .get(&filter.name)
                    .is_some_and(|value| filter.value.as_ref().is_none_or(|wanted| wanted == value))
            })
    }
}

pub(crate) fn list_metrics(scenario: &Scenario, paging: &Paging, raw: Value) -> Result<Cbor, Failure> {
    let pager = Pager::new(OPERATION, &raw, &["NextToken"]);
    let input: Input = input::read(OPERATION, raw)?;
    if input.include_linked_accounts == Some(true) {
        return Err(Failure::unsupported("metrics of linked accounts"));
    }
    if input.dimensions.len() > 30 {
        return Err(invalid_value("The collection Dimensions must not have a size greater than 30."));
    }
    let reach = match input.recently_active.as_deref() {
        None => LISTED_FOR,
        Some("PT3H") => RECENT,
        Some(other) => {
            return Err(invalid_value(format!(
                "The value {other} for parameter RecentlyActive is not supported."
            )));
        }
    };
    let as_of = scenario.as_of().as_second();
    let visible_until = as_of - scenario.description().lag.metrics_seconds;
    let metrics: Vec<Cbor> = scenario
        .metrics()
        .all()
        .iter()
        .filter(|series| input.matches(&series.key))
        .filter(|series| series.has_data(as_of - reach, visible_until - series.period + 1))
        .map(|series| metric(&series.key))
        .collect();
    let position = pager.position(input.next_token.as_deref()).ok_or_else(invalid_token)?;
    let (metrics, next) = page::cut(metrics, position, paging.metrics);
    let output = Cbor::map([("Metrics", Cbor::List(metrics))]);
    Ok(match next {
        Some(next) => output.with("NextToken", Cbor::Text(pager.token(&next.to_string()))),
        None => output,
    })
}

fn metric(key: &MetricKey) -> Cbor {
    let dimensions = key
        .dimensions
        .iter()
        .map(|(name, value)| Cbor::map([("Name", Cbor::text(name)), ("Value", Cbor::text(value))]))
        .collect();
    Cbor::map([
        ("Namespace", Cbor::text(&key.namespace)),
        ("MetricName", Cbor::text(&key.name)),
        ("Dimensions", Cbor::List(dimensions)),
    ])
}
