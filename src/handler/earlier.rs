//! What was reported before: the same alarm that fires again or recovers, and the open incident that an alarm belongs to.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use jiff::SignedDuration;

use super::notice::Notice;
use super::{Run, Why};
use crate::alarm::{Alarm, AlarmState};
use crate::analysis::forced;
use crate::clock::{Clock, Timestamp};
use crate::id::{EventKey, RunId, SeriesKey};
use crate::report::compose::{self, Earlier};
use crate::run::RunEvent;
use crate::store::StoreError;
use crate::store::incidents::{self, Arrival, First, Joined, Key, Member, OpenIncident, Recovery, Turn};

/// Outcomes after which a second look would find the same.
const TOLD: [&str; 6] =
    ["cause_shown", "likely_cause", "symptom_only", "cannot_be_shown", "alarm_misfired", "merged"];

/// Time to read the state of one alarm.
const STATE_TIME: Duration = Duration::from_secs(2);

/// Alarms of an incident whose state is read at once.
const AT_ONCE: usize = 10;

impl Run<'_> {
    /// Returns what was reported when the alarm went off last, as far as the store remembers it. A notice that it fires
    /// again hands on what it was told of.
    pub(super) async fn earlier(&self) -> Option<Earlier> {
        let latest = self.services.store.latest(&self.incident.series).await;
        let record = self.remembered(latest, "what was reported before is not known")??;
        let told = |at: &str| record.document.as_ref().and_then(|document| document.pointer(at));
        if record.outcome.as_deref() == Some("firing_again") {
            let earlier: Earlier = serde_json::from_value(told("/data/earlier")?.clone()).ok()?;
            return Some(Earlier { again: record.event.changed_at(), ..earlier });
        }
        let went_off = record.event.changed_at().filter(|at| *at <= self.incident.alarm.changed_at)?;
        let lead = told("/data/lead/entity").and_then(serde_json::Value::as_str);
        Some(Earlier {
            went_off,
            run_id: record.run_id.clone(),
            outcome: record.outcome.clone()?,
            lead: lead.map(str::to_owned),
            again: None,
            receipts: record.receipts.clone(),
            undelivered: record.undelivered.clone(),
        })
    }

    /// Returns the report that an alarm is still close to, with the end of that time: it came to a verdict, and what it
    /// would find now is the same.
    pub(super) fn cooling_down<'e>(&self, earlier: Option<&'e Earlier>) -> Option<(&'e Earlier, Timestamp)> {
        let earlier = earlier.filter(|earlier| TOLD.contains(&earlier.outcome.as_str()))?;
        let until = earlier.went_off.checked_add(self.services.config.cool_down).ok()?;
        (self.incident.alarm.changed_at < until).then_some((earlier, until))
    }

    /// Tells whether somebody may have set the alarm's state by hand to try what comes of it.
    pub(super) fn may_be_test(&self) -> bool {
        self.why == Why::StateChange && forced::may_be_test(&self.incident.alarm)
    }

    /// Finds the alarm's place among the open incidents: it opens one and is investigated, is investigated as a second look
    /// at the one returned, or is told as a part of one. A store that fails costs the link, never the report.
    /// An alarm whose facts card is shown already tells in any case, so that the card does not promise more.
    pub(super) async fn joined(
        &self,
        run_id: &RunId,
        is_shown: bool,
    ) -> Result<Option<Box<OpenIncident>>, Notice> {
        if self.why != Why::StateChange {
            return Ok(None);
        }
        let arrival = self.arrival(run_id).await;
        let joined = incidents::join(self.services.store.as_ref(), &arrival).await;
        let (incident, turn) = match self.remembered(joined, "the alarm is not linked to others") {
            None | Some(Joined::Opened) => return Ok(None),
            Some(Joined::SecondLook(incident)) => return Ok(Some(incident)),
            Some(Joined::Linked(incident, turn)) => (incident, turn),
        };
        let (incident, members) = match turn {
            Turn::Others if is_shown => {
                let mine = self.mine(&incident);
                (incident, mine)
            }
            Turn::Others => return Err(Notice::Silent("linked")),
            Turn::Now(members) => (incident, members),
            Turn::After(wait) => self.in_turn(incident, wait).await,
        };
        if members.is_empty() {
            return Err(Notice::Silent("linked"));
        }
        let document = compose::linked(&self.incident, run_id, &incident, &members);
        Err(Notice::With(Box::new(document), incident.receipts()))
    }

    /// Waits for the alarm's turn to tell whoever has come to its incident by then; nobody where the report told them.
    async fn in_turn(&self, incident: Box<OpenIncident>, wait: Duration) -> (Box<OpenIncident>, Vec<Member>) {
        // A line too soon is better than none: who tells it must live to see its turn.
        tokio::time::sleep(wait.min(self.deadline.less(self.reserve).time_left())).await;
        let Some(first) = &incident.first else { return (incident, Vec::new()) };
        let (store, event) = (self.services.store.as_ref(), &self.incident.event);
        let untold = incidents::take_turn(store, &first.event, event, Clock::Wall.now()).await;
        match self.remembered(untold, "the linked alarms may be told twice") {
            Some((incident, members)) => (Box::new(incident), members),
            None => {
                let mine = self.mine(&incident);
                (incident, mine)
            }
        }
    }

    /// Returns the alarm as a member of its incident.
    fn mine(&self, incident: &OpenIncident) -> Vec<Member> {
        incident.members.iter().filter(|member| member.event == self.incident.event).cloned().collect()
    }

    /// Returns what the recovery of the alarm ends.
    pub(super) async fn recovery(&self) -> Recovery {
        let (series, event) = (&self.incident.series, &self.incident.event);
        let (store, at) = (self.services.store.as_ref(), self.incident.alarm.changed_at);
        let recovered = incidents::recover(store, series, event, at, Clock::Wall.now()).await;
        self.remembered(recovered, "what the recovery ends is not known").unwrap_or(Recovery::Unknown)
    }

    /// Ends an incident that another alarm opened, by this one's recovery; false where it had ended.
    pub(super) async fn ends(&self, incident: &EventKey) -> bool {
        let (store, at) = (self.services.store.as_ref(), self.incident.alarm.changed_at);
        let ended = incidents::end(store, incident, &self.incident.event, at).await;
        self.remembered(ended, "whether the incident is over is not known").unwrap_or(false)
    }

    /// Returns the other alarms of an incident, and of `beside`, that are in ALARM, as `CloudWatch` has them now. One that
    /// cannot be read counts as firing: that it is over is not known.
    pub(super) async fn still_firing<'a>(
        &self,
        incident: &'a OpenIncident,
        beside: impl Iterator<Item = &'a str>,
    ) -> Vec<String> {
        let telemetry = &self.services.telemetry;
        let members = incident.members.iter().map(|member| member.alarm.as_str());
        let mut names: std::collections::BTreeSet<&str> = members.chain(beside).collect();
        names.remove(self.incident.alarm.name.as_str());
        let asked = names.into_iter().map(|name| async move {
            let asked = tokio::time::timeout(STATE_TIME, telemetry.alarm(name)).await;
            let is_over = match asked {
                Ok(Ok(Some(snapshot))) => snapshot.alarm.new_state != AlarmState::Alarm,
                // An alarm that was deleted fires no more.
                Ok(Ok(None)) => true,
                Ok(Err(_)) | Err(_) => false,
            };
            (!is_over).then(|| name.to_owned())
        });
        // A few at once: the account's own dashboards ask CloudWatch as well.
        let firing: Vec<Option<String>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        firing.into_iter().flatten().collect()
    }

    /// Tells a store's failure, and goes on without what it would have known.
    pub(super) fn remembered<T>(&self, answer: Result<T, StoreError>, lost: &str) -> Option<T> {
        answer
            .inspect_err(|error| {
                let message = format!("the store did not answer, {lost}: {error}");
                self.observer.emit(RunEvent::Warning { message });
            })
            .ok()
    }

    async fn arrival(&self, run_id: &RunId) -> Arrival {
        let (incident, alarm) = (&self.incident, &self.incident.alarm);
        let title = incident.resource.service().map_or("resource", |service| service.title.as_str());
        let resource = Key {
            key: incident.resource.key(alarm),
            because: format!("on the same {title}, {}", incident.resource.title()),
        };
        // Each of a contributor alarm's series is a matter of its own.
        let name = alarm
            .contributor
            .is_none()
            .then(|| Key { key: named(alarm, &alarm.name), because: format!("it is {} itself", alarm.name) });
        // Whoever is told elsewhere would not see the incident's card: it has an incident of its own.
        let places = self.places().await.name(&self.services.config.routes);
        let told_here = |key: Key| match &places {
            Some(places) => Key { key: key.key.told_at(places), ..key },
            None => key,
        };
        let period = alarm.metric().map_or(60, |metric| metric.period_seconds);
        let period = SignedDuration::from_secs(period);
        Arrival {
            first: First {
                event: incident.event.clone(),
                alarm: alarm.name.clone(),
                run_id: run_id.clone(),
                went_off: alarm.changed_at,
                first_breach: incident.first_breach,
            },
            series: incident.series.clone(),
            breached_by: incident.first_breach.checked_add(period).unwrap_or(incident.first_breach),
            own: std::iter::once(resource).chain(name).map(told_here).collect(),
            near: self.neighbours().await.into_iter().map(told_here).collect(),
            pause: SignedDuration::try_from(self.services.config.quotas.minute)
                .unwrap_or(SignedDuration::from_mins(1)),
            now: Clock::Wall.now(),
        }
    }
}

/// Returns the key of an alarm by its name.
pub(super) fn named(alarm: &Alarm, name: &str) -> SeriesKey {
    SeriesKey::of_resource(&alarm.place.account, &alarm.place.region, "alarm", name)
}
