//! `ask`: a question about a run that is over, answered from the evidence that was kept of it.

use sre_agent::clock::Deadline;
use sre_agent::handler::{self, Response};
use sre_agent::report::kept::Kept;

use crate::args::{Ask, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, Card};
use crate::progress::{self, say};
use crate::stored;
use crate::wiring::{self, Parts};

/// Finds the run, asks the model, and prints the answer. Nothing is read of the account but the report.
pub(crate) async fn run(asked: &Ask, shared: &Shared) -> Result<Ending, Failure> {
    let document = stored::report(&asked.run, &asked.stored, shared).await?.document();
    let kept = Kept::of(&document).map_err(|error| {
        Failure::usage(format!("run {}: {error}", document.run_id))
            .hint("Ask about the alarm as it is now instead: sre-agent --prompt \"...\"")
    })?;
    let (local, sdk) = wiring::open_by_hand(shared, asked.model_by_hand.as_deref()).await?;
    let mut config = wiring::checked(shared, &sdk, local.as_ref()).await?;
    let time = wiring::fit_times(&mut config, None, asked.model_by_hand.is_some());
    say(
        shared.quiet,
        format_args!(
            "answers from the evidence of run {} on {}, reads nothing of AWS beside the model",
            document.run_id, kept.incident.alarm.name
        ),
    );
    let card = Card::default();
    let depth = config.depth;
    let sinks = if shared.quiet { Vec::new() } else { vec![progress::sink()] };
    let channels = vec![card.channel()];
    let services = wiring::services(Parts { sdk: &sdk, config, channels, sinks, recorded: local.is_some() });
    let summary = handler::ask(kept, &asked.question, Deadline::after(time), &services).await;
    let response = Response { runs: vec![summary.map_err(Failure::failed)?], ..Response::default() };
    output::print(&response, &card, None, shared.json)?;
    wiring::ending(&response, depth)
}
