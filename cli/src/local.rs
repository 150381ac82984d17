//! A recorded incident served on this machine: finding its folder, starting the emulator, talking to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sre_agent::aws::{self, SdkConfig};
use sre_agent_emulator::{BedrockOptions, Emulator, Options, Scenario, Turns};

use crate::args::Trouble;
use crate::failure::Failure;

/// Folder of the recorded incidents, in the working directory or above it.
const SCENARIOS: &str = "scenarios";

/// File that makes a folder a scenario.
const DESCRIPTION: &str = "scenario.toml";

/// The emulator with a scenario, and the configuration that leads the SDK to it.
pub(crate) struct LocalAws {
    /// The emulator; it stops when this is dropped.
    pub(crate) emulator: Emulator,
    /// Its address as the SDK takes it, with credentials that no AWS account knows.
    pub(crate) sdk: SdkConfig,
}

impl LocalAws {
    /// Starts the emulator.
    pub(crate) async fn start(
        scenario: Scenario,
        trouble: Option<&Trouble>,
        listen: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let region = scenario.region().to_owned();
        let mut options = trouble.map(options).unwrap_or_default();
        if let Some(listen) = listen {
            options.listen = listen;
        }
        let emulator = Emulator::start(scenario, options).await.map_err(|error| {
            let failure = Failure::failed(error);
            match listen {
                Some(listen) if listen.port() != 0 => {
                    failure.hint("Take another --port, or --port 0 for a free one.")
                }
                _ => failure,
            }
        })?;
        let sdk = aws::local(&emulator.endpoint(), &region);
        Ok(LocalAws { emulator, sdk })
    }

    /// Returns a topic of the account; every one exists in the emulator.
    pub(crate) fn topic(&self, name: &str) -> String {
        let scenario = self.emulator.scenario();
        format!("arn:aws:sns:{}:{}:{name}", scenario.region(), scenario.account())
    }
}

fn options(trouble: &Trouble) -> Options {
    let usual = BedrockOptions::default();
    Options {
        denied: trouble.deny.clone(),
        allowed: trouble.allow.clone(),
        bedrock: BedrockOptions {
            turns: trouble.model_by_hand.clone().map_or(Turns::Recorded, Turns::ByHand),
            throttle_first: trouble.throttle_model,
            requests_per_minute: trouble.requests_per_minute,
            minute: trouble.minute.unwrap_or(usual.minute),
            latency: trouble.model_latency.unwrap_or(Duration::ZERO),
            ..usual
        },
        latency: trouble.latency.unwrap_or(Duration::ZERO),
        ..Options::default()
    }
}

/// Loads a scenario by its name in a `scenarios` folder here or above, or by its path.
pub(crate) fn scenario(named: &Path) -> Result<Scenario, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::failed(format!("the working directory cannot be read: {error}")))?;
    let folder = find(named, &here)?;
    Scenario::load(&folder).map_err(|error| {
        Failure::usage(format!("the scenario {} cannot be used: {error}", named.display()))
            .hint("docs/scenarios.md describes the format.")
    })
}

fn find(named: &Path, here: &Path) -> Result<PathBuf, Failure> {
    let is_scenario = |folder: &Path| folder.join(DESCRIPTION).is_file();
    let given = here.join(named);
    if is_scenario(&given) {
        return Ok(given);
    }
    let shelf = here.ancestors().map(|folder| folder.join(SCENARIOS)).find(|folder| folder.is_dir());
    let Some(shelf) = shelf else {
        return Err(Failure::usage(format!(
            "there is no scenario {}: no folder {SCENARIOS} here or above holds it, and no {DESCRIPTION} is at that path",
            named.display()
        ))
        .hint("Run this in the project's folder, or give the path of a scenario."));
    };
    let shelved = shelf.join(named);
    if is_scenario(&shelved) {
        return Ok(shelved);
    }
    let failure = Failure::usage(format!(
        "there is no scenario {}: neither {} nor {} holds a {DESCRIPTION}",
        named.display(),
        named.display(),
        Path::new(SCENARIOS).join(named).display()
    ));
    let mut known: Vec<String> = std::fs::read_dir(&shelf)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().filter(|entry| is_scenario(&entry.path())))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    known.sort();
    Err(if known.is_empty() {
        failure
    } else {
        failure.hint(format!("Scenarios here: {}", known.join(", ")))
    })
}
