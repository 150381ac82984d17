//! Where a run is told: the channels that the configuration's rules choose for its alarm, and where its report is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::delivery::{self, Asked, Channel, Route, Routed};
use crate::id::RunId;
use crate::report::data::StoredAt;
use crate::run::{Receipt, RunEvent};

/// Longest time for reading the alarm's tags.
const TAGS_TIME: Duration = Duration::from_secs(2);

/// Where a run is told.
pub(super) struct Places {
    pub(super) channels: Vec<Arc<dyn Channel>>,
    pub(super) slack_channel: Option<String>,
}

impl Places {
    /// Tells whether somebody has been told: a report that is only kept is read by nobody, unless it is to be kept only.
    pub(super) fn reached(&self, receipts: &[Receipt]) -> bool {
        let keeps = |receipt: &Receipt| {
            self.channels.iter().any(|channel| channel.keeps() && channel.name() == receipt.channel)
        };
        if self.channels.iter().all(|channel| channel.keeps()) {
            return self.channels.is_empty() || !receipts.is_empty();
        }
        receipts.iter().any(|receipt| !keeps(receipt))
    }

    /// Returns what tells these places from others; `None` where there are no rules, so that all are told at the same.
    pub(super) fn name(&self, rules: &[Route]) -> Option<String> {
        if rules.is_empty() {
            return None;
        }
        let mut names: Vec<&str> = self.channels.iter().map(|channel| channel.name()).collect();
        names.sort_unstable();
        names.extend(self.slack_channel.as_deref());
        Some(names.join(", "))
    }
}

impl Run<'_> {
    /// Returns where the run is told; the rules are read once a run.
    pub(super) async fn places(&self) -> &Places {
        self.places.get_or_init(|| self.chosen()).await
    }

    /// Lets the places read what they need, the address or token of Slack; what will not work is told.
    pub(super) async fn ready_places(&self) {
        for fault in delivery::faults(&self.places().await.channels, self.deadline).await {
            self.observer.emit(RunEvent::Warning { message: fault.to_string() });
        }
    }

    /// Returns where the run's report will be kept, where it will.
    pub(super) async fn stored(&self, run_id: &RunId) -> Option<StoredAt> {
        let bucket = self.services.config.report_bucket.as_ref()?;
        let is_kept = self.places().await.channels.iter().any(|channel| channel.keeps());
        is_kept.then(|| bucket.place(self.incident.as_of, run_id))
    }

    async fn chosen(&self) -> Places {
        let (all, routes) = (&self.services.channels, &self.services.config.routes);
        let is_chosen =
            !routes.is_empty() && all.iter().any(|channel| !Routed::ALWAYS.contains(&channel.name()));
        let to = if is_chosen { self.routed().await } else { Routed::default() };
        let taken = all.iter().filter(|channel| to.takes(channel.name()));
        Places { channels: taken.cloned().collect(), slack_channel: to.slack_channel.clone() }
    }

    async fn routed(&self) -> Routed {
        let (alarm, routes) = (&self.incident.alarm, &self.services.config.routes);
        let warn = |message: String| self.observer.emit(RunEvent::Warning { message });
        let mut unread = "its ARN is not known".to_owned();
        let tags = match alarm.arn.as_deref().filter(|_| delivery::needs_tags(routes)) {
            Some(arn) => match tokio::time::timeout(TAGS_TIME, self.services.telemetry.tags(arn)).await {
                Ok(Ok(tags)) => Some(tags),
                Ok(Err(error)) => {
                    unread = error.to_string();
                    None
                }
                Err(_) => {
                    "no answer in time".clone_into(&mut unread);
                    None
                }
            },
            None => None,
        };
        let none = BTreeMap::new();
        let hint = alarm.hints(tags.as_ref().unwrap_or(&none)).channel;
        if let Some(hint) = hint.as_deref()
            && !routes.iter().any(|route| route.hint.as_deref() == Some(hint))
        {
            warn(format!("{} asks for the channel {hint}, which no [[route]] has as its hint", alarm.name));
        }
        let asked = Asked { alarm: &alarm.name, tags: tags.as_ref(), hint: hint.as_deref() };
        delivery::route(routes, &asked).unwrap_or_else(|| {
            warn(format!("every channel is told: the tags of {} could not be read: {unread}", alarm.name));
            Routed::default()
        })
    }
}
