//! The run as a person follows it: one line an event, on standard error, with the time since the run began.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sre_agent::model::{ModelId, catalogue};
use sre_agent::run::{RunEvent, Sink, Stage};

use crate::environment::takes_colour;

/// Returns what follows a run on standard error.
pub(crate) fn sink() -> Sink {
    let colour = takes_colour(&std::io::stderr());
    let series = Mutex::new(SeriesRead::default());
    Arc::new(move |stamped| {
        let mut lines = Vec::new();
        {
            let mut series = series.lock().unwrap_or_else(PoisonError::into_inner);
            if series.takes(&stamped.event) {
                return;
            }
            if matches!(stamped.event, RunEvent::StageFinished { stage: Stage::Gather, .. }) {
                let sum = std::mem::take(&mut *series).to_string();
                lines.push(line(stamped.elapsed, Weight::Aside, &sum, colour));
            }
        }
        if let Some((weight, text)) = describe(&stamped.event) {
            lines.push(line(stamped.elapsed, weight, &text, colour));
        }
        for line in lines {
            // Where standard error is closed nobody follows the run, and it goes on.
            let _unheard = writeln!(std::io::stderr(), "{line}");
        }
    })
}

/// Metrics that were read. They are dozens, each in four windows, so a person is told their number.
#[derive(Debug, Default)]
struct SeriesRead {
    found: u32,
    empty: u32,
}

impl SeriesRead {
    /// Counts a series with its data or without any; one that could not be read is worth a line of its own.
    fn takes(&mut self, event: &RunEvent) -> bool {
        let RunEvent::Gathered { id, status, .. } = event else { return false };
        if !id.as_str().starts_with('M') {
            return false;
        }
        match status.as_str() {
            "found" => self.found += 1,
            "empty" => self.empty += 1,
            _ => return false,
        }
        true
    }
}

impl fmt::Display for SeriesRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  M    {} series of metrics, {} of them without data", self.found + self.empty, self.empty)
    }
}

/// Says something beside the run's events, unless the person wants quiet.
pub(crate) fn say(quiet: bool, text: impl fmt::Display) {
    if !quiet {
        // See `sink`.
        let _unheard = writeln!(std::io::stderr(), "{text}");
    }
}

/// How a line is set off. Never the only sign of its meaning.
#[derive(Clone, Copy)]
enum Weight {
    Heading,
    Plain,
    Aside,
    Bad,
}

fn line(elapsed: Duration, weight: Weight, text: &str, colour: bool) -> String {
    let seconds = elapsed.as_secs_f64();
    let text = printable(text);
    match (colour, weight) {
        (false, _) => format!("{seconds:>6.1} s  {text}"),
        (true, Weight::Heading) => format!("\u{1b}[2m{seconds:>6.1} s\u{1b}[22m  \u{1b}[1m{text}\u{1b}[22m"),
        (true, Weight::Plain) => format!("\u{1b}[2m{seconds:>6.1} s\u{1b}[22m  {text}"),
        (true, Weight::Aside) => format!("\u{1b}[2m{seconds:>6.1} s  {text}\u{1b}[22m"),
        (true, Weight::Bad) => format!("\u{1b}[2m{seconds:>6.1} s\u{1b}[22m  \u{1b}[33m{text}\u{1b}[39m"),
    }
}

/// Returns the words for an event, or nothing where the next event says it all.
fn describe(event: &RunEvent) -> Option<(Weight, String)> {
    Some(match event {
        RunEvent::SelfChecked { .. } => return None,
        RunEvent::Ignored { reason } => (Weight::Bad, format!("not investigated: {reason}")),
        RunEvent::Started { alarm, state, as_of } => {
            (Weight::Heading, format!("{alarm} changed to {state}; now is {as_of}"))
        }
        RunEvent::DepthChosen { depth, reason, planned_calls } => (
            Weight::Plain,
            match planned_calls {
                0 => format!("depth {depth}: {reason}"),
                calls => format!("depth {depth}, up to {calls} model calls: {reason}"),
            },
        ),
        RunEvent::StageStarted { stage } => match stage {
            Stage::Gather => (Weight::Heading, "gather: reading metrics, logs and changes".to_owned()),
            Stage::Investigation => (Weight::Heading, "investigation: asking the agents".to_owned()),
            // These end within the same moment; their end says what they did.
            Stage::Analysis | Stage::Recheck | Stage::Report | Stage::Delivery => return None,
        },
        RunEvent::StageFinished { stage, took, summary } => {
            (Weight::Heading, format!("{}: {summary}{}", stage.as_str(), after(*took)))
        }
        RunEvent::Gathered { id, status, title } => {
            (Weight::Aside, format!("  {:<4} {title}{}", id.as_str(), unless_found(status)))
        }
        RunEvent::ModelClientCreated { model, region, provider } => {
            (Weight::Aside, format!("{provider} in {region}: {model}"))
        }
        RunEvent::AgentStarted { agent } => (Weight::Plain, by(agent, "begins")),
        RunEvent::ModelCalled { agent, turn, model, api: _, attempt } => {
            let again = if *attempt > 1 { format!(", try {attempt}") } else { String::new() };
            (Weight::Aside, by(agent, &format!("turn {turn} asks {}{again}", called(model))))
        }
        RunEvent::ModelAnswered { agent, turn, took, input_tokens, output_tokens, .. } => {
            let tokens = format!("{input_tokens} tokens in, {output_tokens} out");
            (Weight::Plain, by(agent, &format!("turn {turn} answered{}: {tokens}", after(*took))))
        }
        RunEvent::ModelFailed { agent, model, class, message, attempt, .. } => {
            let text = format!("{} failed (try {attempt}): {class}: {message}", called(model));
            (Weight::Bad, by(agent, &text))
        }
        RunEvent::Waiting { agent, model, wait } => (
            Weight::Plain,
            by(agent, &format!("waits {} before asking {} again", short(*wait), called(model))),
        ),
        RunEvent::RequestRepaired { agent, model, repair } => {
            (Weight::Plain, by(agent, &format!("asks {} again: {repair}", called(model))))
        }
        RunEvent::RungLeft { model, reason, next } => {
            let next = next
                .as_deref()
                .map_or_else(|| "no model is left".to_owned(), |next| format!("next is {}", called(next)));
            (Weight::Bad, format!("{} is given up: {reason}; {next}", called(model)))
        }
        RunEvent::Diagnosed { model, remedy, next, .. } => {
            (Weight::Plain, format!("  {}: {remedy} ({next})", called(model)))
        }
        RunEvent::ToolCalled { agent, tool, evidence, outcome } => {
            let mut text = format!("{tool}: {outcome}");
            for id in evidence {
                // Writing to a `String` cannot fail.
                let _written = write!(text, " {id}");
            }
            (Weight::Plain, by(agent, &text))
        }
        RunEvent::AgentFinished { agent, outcome } => {
            let weight = if outcome.starts_with("failed") { Weight::Bad } else { Weight::Plain };
            (weight, by(agent, outcome))
        }
        RunEvent::ClaimsChecked { held, checked, removed } => (
            Weight::Heading,
            format!("{held} of {checked} quotes and numbers re-read in the data, {removed} claims removed"),
        ),
        RunEvent::Delivered { channel, reference: _, note } => {
            let note = note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            (Weight::Plain, format!("  {channel} took the report{note}"))
        }
        RunEvent::DeliveryFailed { channel, reason } => {
            (Weight::Bad, format!("  {channel} did not take the report: {reason}"))
        }
        RunEvent::Warning { message } => (Weight::Bad, format!("warning: {message}")),
        RunEvent::Finished { outcome, took, model_calls, .. } => {
            let calls = match model_calls {
                0 => "no model call".to_owned(),
                1 => "1 model call".to_owned(),
                calls => format!("{calls} model calls"),
            };
            (Weight::Heading, format!("done in {}: {outcome}, {calls}", short(*took)))
        }
    })
}

/// Sets the agents' names in a column, because they speak in turns.
fn by(agent: &str, text: &str) -> String {
    format!("  {agent:<10} {text}")
}

fn called(model: &str) -> String {
    catalogue::label(&ModelId::from(model))
}

fn unless_found(status: &str) -> String {
    if status == "found" { String::new() } else { format!(": {status}") }
}

/// Returns ` in 2.1 s`, or nothing for what took no time worth telling.
fn after(took: Duration) -> String {
    if took < Duration::from_millis(100) { String::new() } else { format!(" in {}", short(took)) }
}

fn short(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Keeps what came from outside from steering the terminal or faking a second line.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use sre_agent::id::EvidenceId;

    use super::*;

    fn shown(event: &RunEvent, colour: bool) -> Option<String> {
        let (weight, text) = describe(event)?;
        Some(line(Duration::from_millis(1_240), weight, &text, colour))
    }

    #[test]
    fn series_of_metrics_are_counted_and_those_that_failed_are_told() {
        let gathered = |number, status: &str| RunEvent::Gathered {
            id: EvidenceId::new('M', number),
            status: status.into(),
            title: "errors".into(),
        };
        let mut series = SeriesRead::default();
        assert!(series.takes(&gathered(1, "found")) && series.takes(&gathered(2, "empty")));
        assert!(!series.takes(&gathered(3, "access denied")));
        assert_eq!(series.to_string(), "  M    2 series of metrics, 1 of them without data");
        assert_eq!(
            shown(&gathered(3, "access denied"), false).as_deref(),
            Some("   1.2 s    M3   errors: access denied")
        );
    }

    #[test]
    fn each_event_is_one_line_with_its_time() {
        let event = RunEvent::Waiting {
            agent: "logs".into(),
            model: "us.anthropic.claude-sonnet-4-6".into(),
            wait: Duration::from_secs(4),
        };
        assert_eq!(
            shown(&event, false).as_deref(),
            Some("   1.2 s    logs       waits 4.0 s before asking Sonnet 4.6 again")
        );
        let event = RunEvent::RungLeft {
            model: "us.anthropic.claude-3-5-sonnet-20241022-v2:0".into(),
            reason: "retired".into(),
            next: Some("us.anthropic.claude-sonnet-4-6".into()),
        };
        assert_eq!(
            shown(&event, false).as_deref(),
            Some("   1.2 s  3.5 Sonnet v2 is given up: retired; next is Sonnet 4.6")
        );
    }

    #[test]
    fn text_from_outside_can_neither_steer_the_terminal_nor_fake_a_line() {
        let event = RunEvent::Warning { message: "a\u{1b}[2Jb\n   0.0 s  done\r\u{9b}1m".into() };
        let line = shown(&event, false).unwrap();
        assert!(line.chars().all(|character| !character.is_control()), "{line:?}");
    }

    #[test]
    fn without_colour_there_is_no_escape_sequence_and_with_it_the_words_stay() {
        let event = RunEvent::Warning { message: "slow".into() };
        assert!(!shown(&event, false).unwrap().contains('\u{1b}'));
        assert!(shown(&event, true).unwrap().contains("warning: slow"));
    }
}
