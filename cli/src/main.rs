//! The command line: the same run as the Lambda's, against a live account or a recorded incident.
//!
//! Standard output carries the result and nothing else; everything that is said on the way goes to standard error.

mod args;
mod demo;
mod emulate;
mod environment;
mod failure;
mod investigate;
mod local;
mod output;
mod progress;
mod wiring;

use std::io::Write;
use std::process::ExitCode;

use crate::args::{Arguments, Command};
use crate::failure::{Ending, Failure};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = args::read();
    let ended = match arguments.command {
        Command::Demo(demo) => demo::run(demo, &arguments.shared).await,
        Command::Investigate(investigate) => investigate::run(investigate, &arguments.shared).await,
        Command::Emulate(emulate) => emulate::run(emulate).await,
        Command::Completions { shell } => completions(shell),
    };
    match ended {
        Ok(ending) => ending.into(),
        Err(failure) => {
            // Where standard error is closed as well, the code is all that is left to tell.
            let _unheard = writeln!(std::io::stderr(), "{failure}");
            failure.into()
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::as_command(), "sre-agent", &mut script);
    output::to_stdout(&script)?;
    Ok(Ending::Done)
}
