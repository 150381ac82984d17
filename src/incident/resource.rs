//! What an alarm watches: its service, its name, where its logs may be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alarm::{Alarm, Trigger};
use crate::id::SeriesKey;
use crate::playbook::{self, Service};

/// The thing that the alarm is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Namespace of its metrics; empty where the alarm names none.
    pub namespace: String,
    /// Its name: the function, the database, or the alarm's name where nothing better is known.
    pub name: String,
    /// Alias or version that the alarm narrows to, for instance `live`.
    pub qualifier: Option<String>,
}

impl Resource {
    /// Reads the resource from the alarm's dimensions by the playbook.
    pub fn of(alarm: &Alarm) -> Self {
        let Some(metric) = alarm.metric() else { return Resource::without_metric(alarm) };
        let dimensions = &metric.dimensions;
        // Lambda's `Resource` dimension is `function:alias`, or the function alone for `$LATEST`.
        let lambda = if metric.namespace == "AWS/Lambda" { dimensions.get("Resource") } else { None };
        let (function, alias) = match lambda {
            Some(resource) => match resource.split_once(':') {
                Some((function, alias)) => (Some(function.to_owned()), Some(alias.to_owned())),
                None => (Some(resource.clone()), None),
            },
            None => (None, None),
        };
        let named = playbook::service(&metric.namespace)
            .and_then(|service| dimensions.get(&service.resource_dimension).cloned())
            .or(function)
            .or_else(|| naming_dimension(dimensions).cloned());
        Resource {
            namespace: metric.namespace.clone(),
            name: named.filter(|name| !name.is_empty()).unwrap_or_else(|| alarm.name.clone()),
            qualifier: alias.or_else(|| dimensions.get("ExecutedVersion").cloned()),
        }
    }

    /// Of a log alarm the resource whose log it counts, else what tells the contributor from others, else the alarm.
    fn without_metric(alarm: &Alarm) -> Self {
        let groups: &[String] = match &alarm.trigger {
            Trigger::Log(log) => &log.groups,
            Trigger::Metric(_) | Trigger::Derived(_) | Trigger::Other { .. } => &[],
        };
        if let Some((namespace, name)) = groups.iter().find_map(|group| logging(group)) {
            return Resource { namespace, name, qualifier: None };
        }
        let named = naming_dimension(&alarm.attributes).filter(|name| !name.is_empty());
        let name = named.unwrap_or(&alarm.name).clone();
        Resource { namespace: String::new(), name, qualifier: None }
    }

    /// Returns the key of what the alarm watches, as exactly as it tells: two services of one name in two clusters, or
    /// behind one load balancer, are not the same. Where no rule says which dimensions name it, all of them do.
    pub fn key(&self, alarm: &Alarm) -> SeriesKey {
        let place = &alarm.place;
        let key = |name: &str| SeriesKey::of_resource(&place.account, &place.region, &self.namespace, name);
        let all = |named: &BTreeMap<String, String>| {
            let pairs: Vec<String> = named.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join(",")
        };
        let Some(metric) = alarm.metric() else {
            // What logs into a group is known; of anything else only the alarm and its series are.
            let series = || format!("{} {}", alarm.name, all(&alarm.attributes));
            return key(&if self.namespace.is_empty() { series() } else { self.name.clone() });
        };
        let dimensions = &metric.dimensions;
        let Some(service) = self.service() else {
            return key(&if dimensions.is_empty() { alarm.name.clone() } else { all(dimensions) });
        };
        if let Some(name) = service.identities_in(dimensions).next() {
            return key(&name);
        }
        let is_named = service.identities.is_empty()
            && (dimensions.contains_key(&service.resource_dimension) || self.qualifier.is_some());
        if is_named || dimensions.is_empty() { key(&self.name) } else { key(&all(dimensions)) }
    }

    /// Returns the name as a person reads it: of an ARN what stands behind the last colon.
    pub fn title(&self) -> &str {
        match self.name.strip_prefix("arn:") {
            Some(rest) => rest.rsplit(':').next().unwrap_or(rest),
            None => &self.name,
        }
    }

    /// Returns the playbook row, where there is one.
    pub fn service(&self) -> Option<&'static Service> {
        playbook::service(&self.namespace)
    }
}

/// Returns namespace and name of the resource that logs into a group, by the rules of the playbook.
fn logging(group: &str) -> Option<(String, String)> {
    playbook::services().find_map(|service| {
        let name = service.log_groups.iter().find_map(|rule| {
            let (before, after) = rule.split_once("{resource}")?;
            group
                .strip_prefix(before)?
                .strip_suffix(after)
                .filter(|name| !name.is_empty() && !name.contains('/'))
        })?;
        Some((service.namespace.clone(), name.to_owned()))
    })
}

/// Without a playbook row the dimension that is spelled like an identity names the resource: `QueueName` and
/// `DBClusterIdentifier` do, `AvailabilityZone` and `Role` do not.
fn naming_dimension(dimensions: &BTreeMap<String, String>) -> Option<&String> {
    let identity =
        |name: &str| ["Name", "Identifier", "Id", "Arn"].iter().any(|ending| name.ends_with(ending));
    dimensions
        .iter()
        .find(|(name, _)| identity(name))
        .or_else(|| dimensions.iter().next())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{WakeUp, parse_event};

    fn resource(namespace: &str, dimensions: &[(&str, &str)]) -> (String, Option<String>) {
        let dimensions: Vec<_> = dimensions
            .iter()
            .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
            .collect();
        let event = serde_json::json!({
            "AlarmName": "the-alarm", "NewStateValue": "ALARM", "StateChangeTime": "2026-11-24T03:05:22.704+0000",
            "Trigger": {"Namespace": namespace, "MetricName": "M", "Statistic": "SUM", "Dimensions": dimensions},
        });
        match parse_event(event.to_string().as_bytes()).records.into_iter().next() {
            Some(WakeUp::Alarm(alarm)) => {
                let resource = Resource::of(&alarm);
                assert_eq!(resource.namespace, namespace);
                (resource.name, resource.qualifier)
            }
            other => panic!("no alarm: {other:?}"),
        }
    }

    #[test]
    fn a_log_alarm_is_about_what_logs_into_its_group_and_a_contributor_about_its_attributes() {
        let event = |trigger: serde_json::Value, attributes: serde_json::Value| {
            let event = serde_json::json!({
                "AlarmName": "the-alarm", "NewStateValue": "ALARM",
                "StateChangeTime": "2026-11-24T03:05:22.704+0000", "Trigger": trigger,
                "AlarmContributorAttributes": attributes,
            });
            match parse_event(event.to_string().as_bytes()).records.into_iter().next() {
                Some(WakeUp::Alarm(alarm)) => {
                    let resource = Resource::of(&alarm);
                    (resource.namespace, resource.name)
                }
                other => panic!("no alarm: {other:?}"),
            }
        };
        let log = |group: &str| {
            let query = serde_json::json!({"LogGroupIdentifiers": [group], "QueryString": "filter x"});
            event(serde_json::json!({"ScheduledQueryConfiguration": query}), serde_json::json!({}))
        };
        assert_eq!(log("/aws/lambda/render"), ("AWS/Lambda".into(), "render".into()));
        assert_eq!(log("/aws/rds/instance/db-1/error"), ("AWS/RDS".into(), "db-1".into()));
        assert_eq!(log("/app/orders"), (String::new(), "the-alarm".into()));
        let query = serde_json::json!({"Metrics": [{"Id": "q1", "Expression": "rate(errors[5m]) > 1"}]});
        let attributes = serde_json::json!({"service_name": "x", "PodName": "pod-1"});
        assert_eq!(event(query, attributes), (String::new(), "pod-1".into()));
    }

    #[test]
    fn an_arn_is_read_by_its_end() {
        let title = |name: &str| {
            Resource { namespace: String::new(), name: name.into(), qualifier: None }.title().to_owned()
        };
        assert_eq!(title("arn:aws:states:us-east-1:123456789012:stateMachine:orders"), "orders");
        assert_eq!(title("invoice-render"), "invoice-render");
    }

    #[test]
    fn the_key_of_a_resource_is_as_exact_as_what_names_it() {
        let key = |namespace: &str, dimensions: &[(&str, &str)]| {
            let dimensions: Vec<_> = dimensions
                .iter()
                .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
                .collect();
            let event = serde_json::json!({
                "AlarmName": "the-alarm", "NewStateValue": "ALARM",
                "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:the-alarm",
                "StateChangeTime": "2026-11-24T03:05:22.704+0000",
                "Trigger": {"Namespace": namespace, "MetricName": "M", "Statistic": "SUM", "Dimensions": dimensions},
            });
            match parse_event(event.to_string().as_bytes()).records.into_iter().next() {
                Some(WakeUp::Alarm(alarm)) => Resource::of(&alarm).key(&alarm).to_string(),
                other => panic!("no alarm: {other:?}"),
            }
        };
        let same = |namespace: &str, one: &[(&str, &str)], other: &[(&str, &str)]| {
            key(namespace, one) == key(namespace, other)
        };
        // An alias or a version is a part of its function.
        let version = [("FunctionName", "f"), ("Resource", "f:live"), ("ExecutedVersion", "58")];
        assert!(same("AWS/Lambda", &[("FunctionName", "f")], &version));
        assert!(same("AWS/Lambda", &[("FunctionName", "f")], &[("Resource", "f:live")]));
        let service = |cluster| [("ClusterName", cluster), ("ServiceName", "web")];
        assert!(!same("AWS/ECS", &service("prod"), &service("staging")));
        let group = |name| [("LoadBalancer", "app/shop/1"), ("TargetGroup", name)];
        assert!(!same("AWS/ApplicationELB", &group("targetgroup/a/1"), &group("targetgroup/b/2")));
        // Without a row no dimension is known to be the name: an account's id would be everybody's.
        let domain = |name| [("ClientId", "123456789012"), ("DomainName", name)];
        assert!(!same("AWS/ES", &domain("orders"), &domain("payments")));
        let stage = |service| [("Environment", "prod"), ("Service", service)];
        assert!(!same("Shop", &stage("orders"), &stage("payments")));
    }

    fn named(name: &str) -> (String, Option<String>) {
        (name.to_owned(), None)
    }

    #[test]
    fn the_playbook_names_the_dimension() {
        assert_eq!(resource("AWS/Lambda", &[("FunctionName", "render")]), named("render"));
        assert_eq!(resource("AWS/RDS", &[("DBInstanceIdentifier", "db-1")]), named("db-1"));
    }

    #[test]
    fn a_lambda_alias_or_version_is_the_qualifier() {
        let live = Some("live".to_owned());
        let by_alias = [("FunctionName", "render"), ("Resource", "render:live")];
        assert_eq!(resource("AWS/Lambda", &by_alias), ("render".to_owned(), live.clone()));
        assert_eq!(resource("AWS/Lambda", &by_alias[1..]), ("render".to_owned(), live.clone()));
        let by_version = [("ExecutedVersion", "58"), ("FunctionName", "render"), ("Resource", "render:live")];
        assert_eq!(resource("AWS/Lambda", &by_version), ("render".to_owned(), live));
        assert_eq!(
            resource("AWS/Lambda", &[("ExecutedVersion", "58"), ("FunctionName", "render")]),
            ("render".to_owned(), Some("58".to_owned()))
        );
        // Another service's dimension of that name is no alias.
        assert_eq!(resource("AWS/ApiGateway", &[("ApiName", "shop"), ("Resource", "/a:b")]), named("shop"));
    }

    #[test]
    fn without_a_row_the_dimension_spelled_like_an_identity_names_the_resource() {
        assert_eq!(
            resource("AWS/RDS", &[("Role", "WRITER"), ("DBClusterIdentifier", "main")]),
            named("main")
        );
        assert_eq!(
            resource("Custom", &[("AvailabilityZone", "us-east-1a"), ("PoolId", "p-1")]),
            named("p-1")
        );
        assert_eq!(resource("Custom", &[("Stage", "prod")]), named("prod"));
        assert_eq!(resource("Custom", &[]), named("the-alarm"));
    }
}
