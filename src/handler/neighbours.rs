//! What is known to stand next to what an alarm watches, by what AWS itself says: the alarms that a composite's rule names,
//! what may call a function, what feeds it, and what else the dimensions of a metric name.

use std::time::Duration;

use super::Run;
use super::earlier::named;
use crate::clock::Deadline;
use crate::evidence::MetricId;
use crate::gather::telemetry::TelemetryError;
use crate::id::SeriesKey;
use crate::playbook::{self, ChangeSource, Service};
use crate::run::RunEvent;
use crate::store::incidents::Key;

/// Time to find out what stands next to the resource: three calls one after another that take a tenth of it.
const TIME: Duration = Duration::from_secs(3);

/// Most neighbours under which an incident stands: one transaction writes a hundred items, these among them.
const MOST: usize = 80;

impl Run<'_> {
    /// Returns the keys of the neighbours.
    pub(super) async fn neighbours(&self) -> Vec<Key> {
        let alarm = &self.incident.alarm;
        let named_by_rule = alarm.leaves.iter().map(|leaf| Key {
            key: named(alarm, leaf),
            because: format!("the rule of {} names {leaf}", alarm.name),
        });
        let mut near: Vec<Key> = named_by_rule.collect();
        near.extend(self.beside());
        let (resource, until) = (&self.incident.resource, Deadline::after(TIME));
        let is_function =
            resource.service().is_some_and(|service| service.changes == ChangeSource::LambdaFunction);
        if is_function {
            let callers = self.services.telemetry.callers(&resource.name);
            let arns = self.known(callers, until).await.unwrap_or_default();
            let before = arns.iter().filter_map(|arn| playbook::named_by(arn));
            let asked = before.map(|(service, name)| self.standing_before(service, name, until));
            near.extend(futures::future::join_all(asked).await.into_iter().flatten());
        }
        near.truncate(MOST);
        near
    }

    /// Returns what else the alarm's own dimensions name: its target group's load balancer.
    fn beside(&self) -> Vec<Key> {
        let (alarm, resource) = (&self.incident.alarm, &self.incident.resource);
        let Some((metric, service)) = alarm.metric().zip(resource.service()) else { return Vec::new() };
        let own = resource.key(alarm);
        let others = service.identities_in(&metric.dimensions).map(|name| Key {
            key: self.key_of(service, &name),
            because: format!("{} watches {} {name} as well", alarm.name, service.title),
        });
        others.filter(|other| other.key != own).collect()
    }

    /// Returns the keys of what stands before the function: under the name by which the ARN knows it, by which its metrics
    /// do, and of what its metrics name beside it.
    async fn standing_before(&self, service: &'static Service, name: &str, until: Deadline) -> Vec<Key> {
        let title = self.incident.resource.title();
        let because = |name: &str| format!("{} {name} stands before {title}", service.title);
        let telemetry = &self.services.telemetry;
        let mut names = vec![name.to_owned()];
        match service.namespace.as_str() {
            // A REST API's ARN holds its id, and its metrics hold its name.
            "AWS/ApiGateway" => {
                names.extend(self.known(telemetry.rest_api_name(name), until).await.flatten());
            }
            // The metrics of a target group name the load balancers in front of it.
            "AWS/ApplicationELB" => {
                let like = MetricId {
                    namespace: service.namespace.clone(),
                    name: String::new(),
                    dimensions: [("TargetGroup".to_owned(), name.to_owned())].into(),
                };
                let listed = self.known(telemetry.list_metrics(&like), until).await.unwrap_or_default();
                names.extend(listed.iter().flat_map(|metric| service.identities_in(&metric.dimensions)));
            }
            _ => {}
        }
        names.sort_unstable();
        names.dedup();
        names.iter().map(|name| Key { key: self.key_of(service, name), because: because(name) }).collect()
    }

    fn key_of(&self, service: &Service, name: &str) -> SeriesKey {
        let place = &self.incident.alarm.place;
        SeriesKey::of_resource(&place.account, &place.region, &service.namespace, name)
    }

    /// Waits for an answer about neighbours; without it, theirs are not linked.
    async fn known<T>(
        &self,
        asked: impl Future<Output = Result<T, TelemetryError>>,
        until: Deadline,
    ) -> Option<T> {
        let why = match tokio::time::timeout_at(until.instant(), asked).await {
            Ok(Ok(known)) => return Some(known),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let resource = self.incident.resource.title();
        let message = format!("alarms of what stands before {resource} are not all linked: {why}");
        self.observer.emit(RunEvent::Warning { message });
        None
    }
}
