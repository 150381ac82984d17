//! What can be typed: commands, options, and the help that a person reads first.

mod help;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use sre_agent::clock::Timestamp;

use help::{
    AFTER_ASK, AFTER_DEMO, AFTER_DIAGNOSE, AFTER_DOCTOR, AFTER_EMULATE, AFTER_HELP, AFTER_IAM_POLICY,
    AFTER_INVESTIGATE, AFTER_MODELS, AFTER_REPLAY, AFTER_SCHEMA, AFTER_SHOW,
};

/// Investigate `CloudWatch` alarms: facts first, a cause only where the data shows it
#[derive(Debug, Parser)]
#[command(
    name = "sre-agent",
    version,
    about = "Investigate CloudWatch alarms: facts first, a cause only where the data shows it",
    long_about = None,
    after_help = AFTER_HELP,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Typed {
    /// What to do.
    #[command(subcommand)]
    command: Option<Command>,
    /// Answer one question: "What can you do?" or one about an alarm
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    prompt: Option<String>,
    /// With --prompt and --scenario: be the model; the question appears in this folder
    #[arg(long, value_name = "DIR", requires_all = ["prompt", "scenario"], hide = true)]
    model_by_hand: Option<PathBuf>,
    /// What several commands understand.
    #[command(flatten)]
    shared: Shared,
}

/// The command line, read.
pub(crate) struct Arguments {
    /// What to do.
    pub(crate) asked: Asked,
    /// What several commands understand.
    pub(crate) shared: Shared,
}

/// What is wanted.
pub(crate) enum Asked {
    /// A command.
    Command(Command),
    /// An answer to a question.
    Prompt(Prompt),
}

/// A question in plain words.
pub(crate) struct Prompt {
    /// As typed.
    pub(crate) question: String,
    /// Folder in which a person answers in the model's place.
    pub(crate) model_by_hand: Option<PathBuf>,
}

/// The commands that work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a recorded incident end to end here; no AWS account needed
    #[command(after_help = AFTER_DEMO)]
    Demo(Demo),
    /// Investigate an alarm now: alarm name, event file, or - for stdin
    #[command(after_help = AFTER_INVESTIGATE)]
    Investigate(Investigate),
    /// Investigate an alarm that went off before, as of then
    #[command(after_help = AFTER_REPLAY)]
    Replay(Replay),
    /// Print a kept report by run id or file: as card, plain text, Markdown, HTML or JSON
    #[command(after_help = AFTER_SHOW)]
    Show(Show),
    /// Answer a question about a run from the evidence that was kept of it
    #[command(after_help = AFTER_ASK)]
    Ask(Ask),
    /// Print the JSON Schema of the report
    #[command(after_help = AFTER_SCHEMA)]
    Schema,
    /// See whether the agent can work here: models, quotas, permissions, channels
    #[command(after_help = AFTER_DOCTOR)]
    Doctor(Doctor),
    /// List the known models with access, lifecycle, quota and price in this account
    #[command(after_help = AFTER_MODELS)]
    Models,
    /// Explain an error of a model call: cause, remedies, next command
    #[command(after_help = AFTER_DIAGNOSE)]
    Diagnose(Diagnose),
    /// Print the IAM policy that lets a role call models
    #[command(after_help = AFTER_IAM_POLICY)]
    IamPolicy(IamPolicy),
    /// Serve a recorded incident as a local AWS, Bedrock and Slack
    #[command(after_help = AFTER_EMULATE)]
    Emulate(Emulate),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  sre-agent completions bash > ~/.local/share/bash-completion/completions/sre-agent"
    )]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print a manual page: of the program, or of one command
    #[command(after_help = "Example:\n  sre-agent man demo > ~/.local/share/man/man1/sre-agent-demo.1")]
    Man {
        /// Which command
        command: Option<String>,
    },
}

/// Options that several commands understand.
#[derive(Debug, Clone, Args)]
pub(crate) struct Shared {
    /// AWS profile
    #[arg(long, global = true, value_name = "NAME", env = "AWS_PROFILE", hide_env_values = true)]
    pub(crate) profile: Option<String>,
    /// AWS Region
    #[arg(long, global = true, value_name = "NAME", env = "AWS_REGION", hide_env_values = true)]
    pub(crate) region: Option<String>,
    /// Use a recorded incident instead of AWS
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) scenario: Option<PathBuf>,
    /// auto, facts (no model, no charge), brief, full [default: auto]
    #[arg(long, global = true, value_enum, hide_possible_values = true)]
    pub(crate) depth: Option<Depth>,
    /// bedrock, anthropic, openai: who is asked first [default: bedrock]
    #[arg(
        long, global = true, value_name = "NAME", hide_possible_values = true,
        value_parser = ["bedrock", "anthropic", "openai"]
    )]
    pub(crate) provider: Option<String>,
    /// Model to try first; the fallback list follows
    #[arg(long, global = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) model: Vec<String>,
    /// Stop calling models at this sum [default: 0.50]
    #[arg(long, global = true, value_name = "USD", value_parser = cost)]
    pub(crate) max_cost: Option<f64>,
    /// Print one JSON document on stdout, progress on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// How deep to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Depth {
    /// As deep as models, time and money allow
    Auto,
    /// No model, no charge
    Facts,
    /// One analyst, a cause is likely at most
    Brief,
    /// Supervisor, specialists and review
    Full,
}

impl Depth {
    /// Returns the configuration's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Depth::Auto => "auto",
            Depth::Facts => "facts",
            Depth::Brief => "brief",
            Depth::Full => "full",
        }
    }
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Name of a folder in ./scenarios, or a path
    #[arg(id = "incident", value_name = "SCENARIO", default_value = "lambda-bad-deploy")]
    pub(crate) scenario: PathBuf,
    /// Folder for report.html, report.md, report.json, card.txt, slack.json and sns.txt [default: target/sre-agent/...]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the full report as one HTML page into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Time for the run in seconds [default: 300]
    #[arg(long, value_name = "SECS", value_parser = positive_seconds)]
    pub(crate) deadline: Option<Duration>,
    /// How the local AWS behaves.
    #[command(flatten)]
    pub(crate) trouble: Trouble,
}

/// `investigate`
#[derive(Debug, Args)]
pub(crate) struct Investigate {
    /// Alarm name, event file (.json), or - for standard input
    pub(crate) alarm: String,
    /// Post the report to the configured Slack webhook and SNS topic
    #[arg(long)]
    pub(crate) post: bool,
    /// Also write report.html, report.md, report.json, card.txt, slack.json and sns.txt into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the full report as one HTML page into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Time for the run in seconds [default: 300]
    #[arg(long, value_name = "SECS", value_parser = positive_seconds)]
    pub(crate) deadline: Option<Duration>,
}

/// `replay`
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Alarm name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) alarm: String,
    /// The last firing up to this time, for instance 2026-11-24T03:10:00Z [default: the newest]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<Timestamp>,
    /// Also write report.html, report.md, report.json, card.txt, slack.json and sns.txt into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the full report as one HTML page into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Time for the run in seconds [default: 300]
    #[arg(long, value_name = "SECS", value_parser = positive_seconds)]
    pub(crate) deadline: Option<Duration>,
}

/// `show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Id of the run, as a card's footer has it; or a file with the report, or - for standard input
    #[arg(value_name = "RUN|FILE")]
    pub(crate) report: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Card)]
    pub(crate) format: Format,
    /// Where reports are kept.
    #[command(flatten)]
    pub(crate) stored: Stored,
}

/// Where reports are kept.
#[derive(Debug, Args)]
pub(crate) struct Stored {
    /// Bucket that reports are kept in [default: the configured one]
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Option<String>,
    /// How many days back the run is looked for
    #[arg(long, value_name = "N", default_value_t = 92, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub(crate) days: u32,
}

/// `ask`
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Id of the run, as a card's footer has it; or a file with the report, or - for standard input
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) run: String,
    /// The question, in plain words
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) question: String,
    /// With --scenario: be the model; the question appears in this folder
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) model_by_hand: Option<PathBuf>,
    /// Where reports are kept.
    #[command(flatten)]
    pub(crate) stored: Stored,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The card as a terminal shows it
    Card,
    /// Card and details as plain text
    Plain,
    /// The full report for a ticket
    Markdown,
    /// The full report as one page
    Html,
    /// The report as JSON
    Json,
}

/// `doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Make one minimal call of each configured model; a first one may accept a Marketplace subscription
    #[arg(long)]
    pub(crate) call_models: bool,
    /// Post one test message to every configured channel
    #[arg(long)]
    pub(crate) post_test: bool,
    /// Ask the deployed Lambda function for its own view, since its role and not yours decides what it may
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    #[arg(conflicts_with_all = ["call_models", "post_test"])]
    pub(crate) function: Option<String>,
}

/// `diagnose`
#[derive(Debug, Args)]
pub(crate) struct Diagnose {
    /// The error as it was printed, or - for standard input
    #[arg(required = true, value_name = "TEXT")]
    pub(crate) text: Vec<String>,
}

/// `iam-policy`
#[derive(Debug, Args)]
pub(crate) struct IamPolicy {
    /// For the global profile of each model
    #[arg(long)]
    pub(crate) global: bool,
    /// Account of the caller [default: the placeholder 123456789012]
    #[arg(long, value_name = "ID", value_parser = account)]
    pub(crate) account: Option<String>,
    /// Print the one-time policy for the admin who subscribes the account, instead
    #[arg(long)]
    pub(crate) marketplace: bool,
}

/// `emulate`
#[derive(Debug, Args)]
pub(crate) struct Emulate {
    /// Name of a folder in ./scenarios, or a path
    #[arg(id = "incident", value_name = "SCENARIO")]
    pub(crate) scenario: PathBuf,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// How the local AWS behaves.
    #[command(flatten)]
    pub(crate) trouble: Trouble,
}

/// How a local AWS behaves beyond its scenario.
#[derive(Debug, Clone, Args)]
pub(crate) struct Trouble {
    /// Write each question to a model into this folder and wait for the answer file beside it
    #[arg(long, value_name = "DIR")]
    pub(crate) model_by_hand: Option<PathBuf>,
    /// Deny an AWS action, for instance logs:FilterLogEvents or logs:*; repeatable
    #[arg(long, value_name = "ACTION", value_parser = action)]
    pub(crate) deny: Vec<String>,
    /// Deny every AWS action but these, as a role that grants no others; repeatable
    #[arg(long, value_name = "ACTION", value_parser = action)]
    pub(crate) allow: Option<Vec<String>>,
    /// Throttle the first N requests to models, or all with 'forever'
    #[arg(long, value_name = "N|forever", value_parser = count_or_forever)]
    pub(crate) throttle_model: Option<u32>,
    /// Let so many requests to each model through in a minute, as an account's quota does
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u32>,
    /// How long that minute is; the agent is told by its configuration, as the length of a minute of its run
    #[arg(long, value_name = "SECS", value_parser = seconds, requires = "requests_per_minute")]
    pub(crate) minute: Option<Duration>,
    /// Time that each answer of a model takes
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) model_latency: Option<Duration>,
    /// Time that each answer of AWS and of Slack takes
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) latency: Option<Duration>,
}

impl Trouble {
    /// Returns the local AWS as its scenario has it, but for a person who plays the model in this folder.
    pub(crate) fn model_by_hand(folder: PathBuf) -> Self {
        let model_by_hand = Some(folder);
        Trouble {
            model_by_hand,
            deny: Vec::new(),
            allow: None,
            throttle_model: None,
            requests_per_minute: None,
            minute: None,
            model_latency: None,
            latency: None,
        }
    }
}

/// The shared options that a command has a use for; any other one is refused instead of being ignored.
const USED: &[(&str, &[&str])] = &[
    ("demo", &["depth", "model", "max_cost", "json", "quiet"]),
    (
        "investigate",
        &["profile", "region", "scenario", "depth", "provider", "model", "max_cost", "json", "quiet"],
    ),
    ("replay", &["profile", "region", "scenario", "depth", "provider", "model", "max_cost", "json", "quiet"]),
    ("show", &["profile", "region"]),
    ("ask", &["profile", "region", "scenario", "depth", "provider", "model", "max_cost", "json", "quiet"]),
    ("schema", &[]),
    ("doctor", &["profile", "region", "scenario", "provider", "model", "json", "quiet"]),
    ("models", &["profile", "region", "scenario", "model", "json", "quiet"]),
    ("diagnose", &["model", "json"]),
    ("iam-policy", &["profile", "region", "scenario", "model", "quiet"]),
    ("emulate", &[]),
    ("completions", &[]),
    ("man", &[]),
];

/// Reads the command line; prints help or a usage error and ends the process where there is nothing to run.
pub(crate) fn read() -> Arguments {
    let mut command = Arguments::as_command();
    let parsed = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| {
        refuse_unused(&mut command, &matches)?;
        let Typed { command: typed, prompt, model_by_hand, shared } = Typed::from_arg_matches(&matches)?;
        let asked = match (typed, prompt) {
            (Some(command), None) => Asked::Command(command),
            (None, Some(question)) => Asked::Prompt(Prompt { question, model_by_hand }),
            (Some(_), Some(_)) => {
                return Err(command.error(ErrorKind::ArgumentConflict, "--prompt is asked without a command"));
            }
            (None, None) => {
                let text = "a command or --prompt is wanted; 'sre-agent --help' lists them";
                return Err(command.error(ErrorKind::MissingSubcommand, text));
            }
        };
        Ok(Arguments { asked, shared })
    });
    parsed.unwrap_or_else(|error| error.exit())
}

impl Arguments {
    /// Returns the parser, with the shared options hidden where a command has no use for them.
    pub(crate) fn as_command() -> clap::Command {
        let mut command = Typed::command();
        let shared: Vec<clap::Arg> =
            command.get_arguments().filter(|argument| argument.is_global_set()).cloned().collect();
        for (name, used) in USED {
            // An argument of the same id keeps clap from handing down the visible one.
            let hidden = shared.iter().filter(|argument| !used.contains(&argument.get_id().as_str()));
            let hidden: Vec<clap::Arg> = hidden.map(|argument| argument.clone().hide(true)).collect();
            command = command.mut_subcommand(name, |subcommand| subcommand.args(hidden));
        }
        command
    }
}

fn refuse_unused(command: &mut clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, own)) = matches.subcommand() else { return Ok(()) };
    let Some((_, used)) = USED.iter().find(|(known, _)| *known == name) else { return Ok(()) };
    for argument in
        ["profile", "region", "scenario", "depth", "provider", "model", "max_cost", "json", "quiet"]
    {
        let typed = own.value_source(argument) == Some(ValueSource::CommandLine);
        if typed && !used.contains(&argument) {
            let option = argument.replace('_', "-");
            let text = match (name, argument) {
                ("demo" | "emulate", "scenario") => {
                    format!("'{name}' takes the scenario without --scenario: sre-agent {name} SCENARIO")
                }
                _ => format!("'{name}' has no use for --{option}"),
            };
            return Err(conflict(command, name, text));
        }
    }
    let models = own.get_many::<String>("model").map_or(0, Iterator::count);
    if models > 1 && name != "iam-policy" {
        let text = format!("'{name}' takes one --model; SRE_AGENT_FALLBACK_MODELS names those that follow");
        return Err(conflict(command, name, text));
    }
    if own.value_source("scenario") == Some(ValueSource::CommandLine) {
        for argument in ["profile", "region"] {
            if own.value_source(argument) == Some(ValueSource::CommandLine) {
                let text = format!("--scenario replaces AWS, so --{argument} has no meaning beside it");
                return Err(conflict(command, name, text));
            }
        }
    }
    Ok(())
}

fn conflict(command: &mut clap::Command, subcommand: &str, text: String) -> clap::Error {
    // The subcommand's own error shows the subcommand's usage.
    match command.find_subcommand_mut(subcommand) {
        Some(subcommand) => subcommand.error(ErrorKind::ArgumentConflict, text),
        None => clap::Error::raw(ErrorKind::ArgumentConflict, text),
    }
}

fn cost(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(cost) if cost.is_finite() && cost > 0.0 => Ok(cost),
        _ => Err("give US dollars above zero, for instance 0.25".to_owned()),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "give a time in UTC, for instance 2026-11-24T03:10:00Z".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "give seconds, for instance 2 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "give seconds, zero or more".to_owned())
}

fn positive_seconds(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("give more than zero seconds".to_owned()),
        // A day is longer than any run and keeps sums of times far from overflow.
        given => Ok(given.min(Duration::from_hours(24))),
    }
}

fn action(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((service, operation)) if !service.is_empty() && !operation.is_empty() => Ok(text.to_owned()),
        _ => Err("give an IAM action, for instance logs:FilterLogEvents or logs:*".to_owned()),
    }
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("give the 12 digits of an AWS account".to_owned())
    }
}

fn count_or_forever(text: &str) -> Result<u32, String> {
    if text == "forever" {
        return Ok(u32::MAX);
    }
    text.parse().map_err(|_| "give a number of requests, or 'forever'".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_names_the_shared_options_that_it_uses() {
        let command = Arguments::as_command();
        for subcommand in command.get_subcommands() {
            assert!(USED.iter().any(|(name, _)| *name == subcommand.get_name()), "{}", subcommand.get_name());
        }
        command.debug_assert();
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        assert!(cost("-1").is_err() && cost("NaN").is_err() && cost("0").is_err() && cost("0.1").is_ok());
        assert!(positive_seconds("0").is_err() && positive_seconds("-2").is_err());
        assert_eq!(positive_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(count_or_forever("forever"), Ok(u32::MAX));
        assert_eq!(count_or_forever("3"), Ok(3));
        assert!(count_or_forever("often").is_err());
        assert!(action("logs").is_err() && action("logs:*").is_ok());
    }
}
