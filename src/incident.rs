//! From one alarm to what is investigated: identity, resource, windows.
//!
//! Pure: everything here follows from the alarm, its playbook row and `as_of`.

pub mod resource;
pub mod window;

use serde::{Deserialize, Serialize};

use crate::alarm::Alarm;
use crate::clock::Timestamp;
use crate::id::{EventKey, IncidentId, Seed, SeriesKey};
pub use resource::Resource;
pub use window::{BaselineWindow, Window};

/// What one run investigates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Minted per run; linked alarms will share it.
    pub id: IncidentId,
    /// Identity of the state change, for at-least-once delivery.
    pub event: EventKey,
    /// Identity of the alarmed series.
    pub series: SeriesKey,
    /// The alarm as CloudWatch described it.
    pub alarm: Alarm,
    /// What the alarm watches, by its playbook row.
    pub resource: Resource,
    /// The moment that the run calls "now".
    pub as_of: Timestamp,
    /// From before the first breaching datapoint to `as_of`.
    pub window: Window,
    /// Timestamp of the first breaching datapoint, as far as the event tells it.
    pub first_breach: Timestamp,
    /// Normal times to compare with, nearest first.
    pub baselines: Vec<BaselineWindow>,
}

impl Incident {
    /// Derives the incident from an alarm.
    pub fn from_alarm(alarm: Alarm, as_of: Timestamp, seed: Seed) -> Self {
        let first_breach = window::first_breach(&alarm);
        let incident_window = window::incident_window(&alarm, first_breach, as_of);
        let series = alarm.series_key();
        Incident {
            id: IncidentId::mint(seed),
            event: EventKey::new(&series, alarm.new_state.as_str(), alarm.changed_at),
            series,
            resource: Resource::of(&alarm),
            baselines: window::baselines(&incident_window),
            window: incident_window,
            first_breach,
            as_of,
            alarm,
        }
    }
}
