//! What was reported before: the same alarm that fires again or recovers, and another alarm of the same resource.

use super::{Run, batch};
use crate::clock::Timestamp;
use crate::id::SeriesKey;
use crate::report::compose::Earlier;
use crate::run::RunEvent;

/// Outcomes after which a second look would find the same.
const TOLD: [&str; 6] =
    ["cause_shown", "likely_cause", "symptom_only", "cannot_be_shown", "alarm_misfired", "merged"];

impl Run<'_> {
    /// Returns what was reported when the alarm went off last, as far as the store remembers it. A notice that it fires
    /// again hands on what it was told of.
    pub(super) async fn earlier(&self) -> Option<Earlier> {
        self.reported(&self.incident.series).await
    }

    /// Returns the incident that the alarm belongs to: another alarm of the same resource was reported with a verdict not
    /// long ago, and this one's metric did not move before that one's.
    pub(super) async fn open_incident(&self) -> Option<Earlier> {
        let open = self.reported(&self.resource_key()).await?;
        let alarm = &self.incident.alarm;
        let is_near = alarm.changed_at.duration_since(open.went_off) <= batch::TOGETHER;
        let began = open.first_breach.is_none_or(|first| self.incident.first_breach >= first);
        (is_near && began && open.alarm != alarm.name && TOLD.contains(&open.outcome.as_str()))
            .then_some(open)
    }

    /// Returns the key under which incidents of the resource are remembered.
    pub(super) fn resource_key(&self) -> SeriesKey {
        let (place, resource) = (&self.incident.alarm.place, &self.incident.resource);
        SeriesKey::of_resource(&place.account, &place.region, &resource.namespace, &resource.name)
    }

    /// Returns the newest report of a series or a resource.
    async fn reported(&self, series: &SeriesKey) -> Option<Earlier> {
        let record = match self.services.store.latest(series).await {
            Ok(record) => record?,
            Err(error) => {
                let message =
                    format!("the store did not answer, what was reported before is not known: {error}");
                self.observer.emit(RunEvent::Warning { message });
                return None;
            }
        };
        let told = |at: &str| record.document.as_ref().and_then(|document| document.pointer(at));
        if matches!(record.outcome.as_deref(), Some("firing_again" | "linked")) {
            return serde_json::from_value(told("/data/earlier")?.clone()).ok();
        }
        let went_off = record.event.changed_at().filter(|at| *at <= self.incident.alarm.changed_at)?;
        let text = |at: &str| told(at).and_then(serde_json::Value::as_str).map(str::to_owned);
        Some(Earlier {
            went_off,
            run_id: record.run_id.clone(),
            outcome: record.outcome.clone()?,
            lead: text("/data/lead/entity"),
            alarm: text("/data/alarm/name").unwrap_or_default(),
            first_breach: text("/data/incident/first_breach").and_then(|at| at.parse().ok()),
        })
    }

    /// Returns the report that an alarm is still close to, with the end of that time: it came to a verdict, and what it
    /// would find now is the same.
    pub(super) fn cooling_down<'e>(&self, earlier: Option<&'e Earlier>) -> Option<(&'e Earlier, Timestamp)> {
        let earlier = earlier.filter(|earlier| TOLD.contains(&earlier.outcome.as_str()))?;
        let until = earlier.went_off.checked_add(self.services.config.cool_down).ok()?;
        (self.incident.alarm.changed_at < until).then_some((earlier, until))
    }
}
