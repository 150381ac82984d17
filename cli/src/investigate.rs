//! `investigate`: an alarm of a live account, or of a recorded incident, now.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sre_agent::aws;
use sre_agent::clock::Deadline;
use sre_agent::config::Config;
use sre_agent::delivery;
use sre_agent::handler;
use sre_agent::investigation::depth::{self, Considered};

use crate::args::{Investigate, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, Card};
use crate::progress::{self, say};
use crate::wiring::{self, Parts};

/// Most bytes of an event; SNS carries 256 KiB, in an envelope that escapes them.
const LARGEST_EVENT: u64 = 4 * 1024 * 1024;

/// Investigates what was named, prints the card, and posts it where that was asked for.
pub(crate) async fn run(asked: Investigate, shared: &Shared) -> Result<Ending, Failure> {
    let event = event(&asked.alarm)?;
    let (local, sdk, mut config) = wiring::open_checked(shared).await?;
    let time = wiring::fit_times(&mut config, asked.deadline, false);
    say(shared.quiet, plan(&config, time));
    let place = match &local {
        Some(local) => format!("the recorded incident {}", local.emulator.scenario().name()),
        None => format!("AWS in {}", sdk.region().map(ToString::to_string).unwrap_or_default()),
    };
    let card = Card::default();
    let mut channels = vec![card.channel()];
    if asked.post {
        let configured = aws::channels(&sdk, config.destinations());
        if let Some(fault) = delivery::faults(&configured, Deadline::after(time)).await.into_iter().next() {
            return Err(Failure::usage(fault));
        }
        if configured.is_empty() {
            return Err(Failure::usage("--post was given, and no channel is configured").hint(
                "Set SRE_AGENT_SLACK_WEBHOOK to ssm:/name of a parameter that holds the webhook, \
                 or SRE_AGENT_FINDINGS_TOPIC_ARN to a topic; docs/channels.md has the others.",
            ));
        }
        channels.extend(configured);
    }
    let posts = if asked.post { "posts to the configured channels" } else { "posts nothing (no --post)" };
    say(shared.quiet, format_args!("reads {place}, changes nothing, {posts}"));

    let depth = config.depth;
    let sinks = if shared.quiet { Vec::new() } else { vec![progress::sink()] };
    let services = wiring::services(Parts { sdk: &sdk, config, channels, sinks, recorded: local.is_some() });
    let response =
        handler::handle(&event, Deadline::after(time), &services).await.map_err(Failure::failed)?;
    if response.runs.is_empty() {
        let reasons = response.ignored.join("; ");
        return Err(
            Failure::failed(format!("nothing was investigated: {reasons}")).hint(next_step(&asked.alarm))
        );
    }
    output::keep(&response, asked.out.as_deref(), asked.html.as_deref(), shared.quiet)?;
    output::print(&response, &card, asked.out.as_deref(), shared.json)?;
    wiring::ending(&response, depth)
}

/// Tells an alarm's name from what holds an event.
fn is_name(named: &str) -> bool {
    named != "-" && Path::new(named).extension().is_none_or(|extension| extension != "json")
}

fn next_step(named: &str) -> &'static str {
    if is_name(named) {
        "Who asks, and which alarms there are (add the same --profile and --region):\n  \
         aws sts get-caller-identity\n  \
         aws cloudwatch describe-alarms --query 'MetricAlarms[].AlarmName'"
    } else {
        "An event is what SNS hands to Lambda, the alarm message itself, or {\"alarmName\": \"...\"}; \
         the folder events/ has one of each."
    }
}

/// Returns the event that was named: a file's content, standard input, or a call by the alarm's name.
fn event(named: &str) -> Result<Vec<u8>, Failure> {
    let read = |reader: &mut dyn Read| {
        let mut event = Vec::new();
        reader.take(LARGEST_EVENT).read_to_end(&mut event).map(|_| event)
    };
    if named == "-" {
        return read(&mut std::io::stdin().lock())
            .map_err(|error| Failure::failed(format!("standard input cannot be read: {error}")));
    }
    if !is_name(named) {
        return std::fs::File::open(named).and_then(|mut file| read(&mut file)).map_err(|error| {
            Failure::usage(format!("the event file {named} cannot be read: {error}"))
                .hint("An argument that ends in .json is a file; any other one is the name of an alarm.")
        });
    }
    if named.trim().is_empty() {
        return Err(Failure::usage("the name of the alarm is empty"));
    }
    Ok(json!({ "alarmName": named }).to_string().into_bytes())
}

/// Says what the run may cost before it costs anything.
fn plan(config: &Config, time: Duration) -> String {
    let time_left = time.saturating_sub(config.reserve(time));
    let chosen = depth::choose(&Considered::at_most(config.depth, time_left));
    let calls = match chosen.depth.planned_calls() {
        0 => "no model call, no model charge".to_owned(),
        calls => format!("up to {calls} model calls, at most ${:.2}", config.max_cost_usd),
    };
    format!("plan: depth {}, {calls}, at most {} s", chosen.depth.as_str(), time.as_secs())
}
