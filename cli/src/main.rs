//! The command line: the same run as the Lambda's, against a live account or a recorded incident.
//!
//! Standard output carries the result and nothing else; everything that is said on the way goes to standard error.

mod args;
mod ask;
mod demo;
mod diagnose;
mod doctor;
mod emulate;
mod environment;
mod failure;
mod iam_policy;
mod investigate;
mod local;
mod models;
mod output;
mod progress;
mod prompt;
mod replay;
mod show;
mod stored;
mod survey;
mod wiring;

use std::io::Write;
use std::process::ExitCode;

use crate::args::{Arguments, Asked, Command, Shared};
use crate::failure::{Ending, Failure};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = args::read();
    let shared = &arguments.shared;
    let ended = match arguments.asked {
        Asked::Prompt(prompt) => prompt::run(&prompt, shared).await,
        Asked::Command(command) => run(command, shared).await,
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

async fn run(command: Command, shared: &Shared) -> Result<Ending, Failure> {
    match command {
        Command::Demo(demo) => demo::run(demo, shared).await,
        Command::Replay(replay) => replay::run(replay, shared).await,
        Command::Investigate(investigate) => investigate::run(investigate, shared).await,
        Command::Show(asked) => show::run(&asked, shared).await,
        Command::Ask(asked) => ask::run(&asked, shared).await,
        Command::Schema => show::schema(),
        Command::Doctor(doctor) => doctor::run(&doctor, shared).await,
        Command::Models => models::run(shared).await,
        Command::Diagnose(diagnose) => diagnose::run(&diagnose, shared),
        Command::IamPolicy(policy) => iam_policy::run(&policy, shared).await,
        Command::Emulate(emulate) => emulate::run(emulate).await,
        Command::Completions { shell } => completions(shell),
        Command::Man { command } => man(command.as_deref()),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::as_command(), "sre-agent", &mut script);
    output::to_stdout(&script)?;
    Ok(Ending::Done)
}

fn man(named: Option<&str>) -> Result<Ending, Failure> {
    let mut program = Arguments::as_command();
    // Hands the shared options down and gives each command its full name, as `man` looks for it.
    program.build();
    let page = match named {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::usage(format!("there is no command '{name}'")).hint("'sre-agent --help' lists them")
        })?,
    };
    let mut text = Vec::new();
    let unable = |error| Failure::failed(format!("the manual page cannot be made: {error}"));
    clap_mangen::Man::new(page).render(&mut text).map_err(unable)?;
    output::to_stdout(&text)?;
    Ok(Ending::Done)
}
