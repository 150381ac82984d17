//! Serves a scenario until it is stopped: `serve SCENARIO [ADDRESS]`.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use sre_agent_emulator::{Emulator, Options, Scenario};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: serve SCENARIO [ADDRESS]")?);
    let mut options = Options::default();
    if let Some(address) = arguments.next() {
        options.listen = address.into_string().map_err(|_| "the address is not text")?.parse()?;
    }
    let emulator = Emulator::start(Scenario::load(&folder)?, options).await?;
    writeln!(std::io::stderr(), "listening on {}", emulator.endpoint())?;
    std::future::pending().await
}
