//! `replay`: an alarm that went off before, investigated as of then.

use std::time::Duration;

use sre_agent::alarm::{Alarm, AlarmState};
use sre_agent::aws::{AwsTelemetry, Firing};
use sre_agent::clock::{Deadline, Timestamp};
use sre_agent::gather::Telemetry;
use sre_agent::handler;

use crate::args::{Replay, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, Card};
use crate::progress::{self, say};
use crate::wiring::{self, Parts};

/// What the Lambda's clock would have shown: SNS and the start take a few seconds.
const AFTER: Duration = Duration::from_secs(8);

/// Finds the firing, investigates it as of then, prints the card and posts nothing.
pub(crate) async fn run(asked: Replay, shared: &Shared) -> Result<Ending, Failure> {
    let (local, sdk, mut config) = wiring::open_checked(shared).await?;
    let telemetry = AwsTelemetry::new(&sdk);
    let failed = |error| Failure::failed(format!("the alarm {} could not be read: {error}", asked.alarm));
    let known = telemetry.alarm(&asked.alarm).await.map_err(failed)?;
    let known = known.ok_or_else(|| {
        Failure::failed(format!("there is no alarm {:?} in this account and Region", asked.alarm))
    })?;
    let firings = telemetry.firings(&asked.alarm).await.map_err(failed)?;
    let Some(firing) = chosen(&firings, asked.at) else { return Err(none(&firings, &asked)) };
    say(
        shared.quiet,
        format_args!(
            "replays {} as of {}; its definition is today's, and what CloudWatch no longer keeps is missing",
            asked.alarm, firing.at
        ),
    );
    let alarm = Alarm {
        new_state: AlarmState::Alarm,
        old_state: Some(AlarmState::Ok),
        reason: firing.reason.clone(),
        changed_at: firing.at,
        ..known.alarm
    };
    config.as_of = firing.at.checked_add(AFTER).ok();
    let time = wiring::fit_times(&mut config, asked.deadline, false);
    let card = Card::default();
    let depth = config.depth;
    let sinks = if shared.quiet { Vec::new() } else { vec![progress::sink()] };
    let channels = vec![card.channel()];
    let services = wiring::services(Parts { sdk: &sdk, config, channels, sinks, recorded: local.is_some() });
    let response = handler::replay(alarm, Deadline::after(time), &services).await.map_err(Failure::failed)?;
    output::keep(&response, asked.out.as_deref(), asked.html.as_deref(), shared.quiet)?;
    output::print(&response, &card, asked.out.as_deref(), shared.json)?;
    wiring::ending(&response, depth)
}

/// The newest firing, or the last one up to a time.
fn chosen(firings: &[Firing], at: Option<Timestamp>) -> Option<&Firing> {
    let up_to = firings.iter().filter(|firing| at.is_none_or(|at| firing.at <= at));
    up_to.max_by_key(|firing| firing.at)
}

fn none(firings: &[Firing], asked: &Replay) -> Failure {
    let failure = match asked.at {
        Some(at) => Failure::failed(format!("{} is not known to have gone off up to {at}", asked.alarm)),
        None => Failure::failed(format!("{} is not known to have gone off", asked.alarm)),
    };
    match firings.iter().map(|firing| firing.at).min() {
        Some(first) => {
            let times = if firings.len() == 1 { "once".into() } else { format!("{} times", firings.len()) };
            failure.hint(format!("Its history has it go off {times}, first at {first}."))
        }
        None => failure.hint("CloudWatch keeps the history of an alarm for 30 days."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_firing_is_replayed_or_the_last_up_to_a_time() {
        let firing = |at: &str| Firing { at: at.parse().unwrap(), reason: String::new() };
        let firings = [firing("2026-11-20T01:00:00Z"), firing("2026-11-24T03:05:22Z")];
        let found = |at: Option<&str>| {
            chosen(&firings, at.map(|at| at.parse().unwrap())).map(|firing| firing.at.to_string())
        };
        assert_eq!(found(None).as_deref(), Some("2026-11-24T03:05:22Z"));
        assert_eq!(found(Some("2026-11-24T03:05:22Z")).as_deref(), Some("2026-11-24T03:05:22Z"));
        assert_eq!(found(Some("2026-11-24T03:00:00Z")).as_deref(), Some("2026-11-20T01:00:00Z"));
        assert_eq!(found(Some("2026-11-01T00:00:00Z")), None);
    }
}
