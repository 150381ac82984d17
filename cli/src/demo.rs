//! `demo`: a recorded incident from its alarm to the card, on this machine alone.

use std::path::Path;

use sre_agent::aws;
use sre_agent::clock::Deadline;
use sre_agent::delivery;
use sre_agent::handler;

use crate::args::{Demo, Depth, Shared, Trouble};
use crate::failure::{Ending, Failure};
use crate::local::{LocalAws, scenario};
use crate::output::{self, Card};
use crate::progress::{self, say};
use crate::wiring::{self, Parts, Settings};

/// Where the renderings go when no folder is named: build output, which nobody commits.
const FOLDER: &str = "target/sre-agent";

/// Runs the scenario's alarm through the handler, as the Lambda would.
pub(crate) async fn run(asked: Demo, shared: &Shared) -> Result<Ending, Failure> {
    let scenario = scenario(&asked.scenario)?;
    let event = scenario.wake_up_event().to_string();
    let recorded = scenario.dir().join("turns").is_dir();
    let local = LocalAws::start(scenario, Some(&asked.trouble), None).await?;
    let scenario = local.emulator.scenario();
    say(shared.quiet, format_args!("{}: {}", scenario.name(), scenario.title()));
    say(shared.quiet, format_args!("served on {} as AWS, Bedrock and Slack", local.emulator.endpoint()));

    let mut settings = Settings::of_scenario(&local);
    settings.take_options(shared);
    let by_hand = asked.trouble.model_by_hand.as_deref();
    if let Some(why) = why_no_model(&asked.trouble, recorded)
        && matches!(shared.depth, None | Some(Depth::Auto))
    {
        settings.set("SRE_AGENT_DEPTH", Depth::Facts.as_str());
        say(shared.quiet, why);
    } else if recorded && by_hand.is_none() && matches!(shared.depth, None | Some(Depth::Auto)) {
        // The recorded answers are those of a full run.
        settings.set("SRE_AGENT_DEPTH", Depth::Full.as_str());
    }
    let mut config = settings.check(true)?;
    let time = wiring::fit_times(&mut config, asked.deadline, by_hand.is_some());
    if let Some(folder) = by_hand {
        say(
            shared.quiet,
            format_args!("the model is played by hand: questions appear in {}", folder.display()),
        );
    }

    let sinks = if shared.quiet { Vec::new() } else { vec![progress::sink()] };
    let card = Card::default();
    let mut channels = vec![card.channel()];
    let configured = aws::channels(&local.sdk, config.destinations());
    for fault in delivery::faults(&configured, Deadline::after(time)).await {
        say(false, format_args!("warning: {fault}"));
    }
    channels.extend(configured);
    let depth = config.depth;
    let services = wiring::services(Parts { sdk: &local.sdk, config, channels, sinks, recorded: true });
    let response =
        handler::handle(event.as_bytes(), Deadline::after(time), &services).await.map_err(Failure::failed)?;
    let run = response.runs.first().ok_or_else(|| {
        Failure::failed(format!("the scenario's event was not investigated: {}", response.ignored.join("; ")))
    })?;

    let folder = asked.out.unwrap_or_else(|| {
        Path::new(FOLDER).join(format!("{}-{}", local.emulator.scenario().name(), run.run_id))
    });
    output::keep(&response, Some(&folder), asked.html.as_deref(), shared.quiet)?;
    say(shared.quiet, "");
    output::print(&response, &card, Some(&folder), shared.json)?;
    for refused in local.emulator.unsupported() {
        say(false, format_args!("warning: {refused}"));
    }
    let ending = wiring::ending(&response, depth)?;
    local.emulator.stop().await;
    Ok(ending)
}

/// Says why no model is worth asking: one that has nothing to say, or says it of other data, is asked in vain.
fn why_no_model(trouble: &Trouble, recorded: bool) -> Option<&'static str> {
    if trouble.model_by_hand.is_some() || trouble.throttle_model.is_some() {
        return None;
    }
    let closed = |action: &String| !action.starts_with("bedrock:");
    if !recorded {
        Some("no answers of a model are recorded for it, so none is asked")
    } else if trouble.allow.is_some() || trouble.deny.iter().any(closed) {
        Some("the recorded answers are of a run in which nothing is denied, so no model is asked")
    } else {
        None
    }
}
