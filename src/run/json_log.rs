//! One JSON log line per event, written through `tracing` so that Lambda's level and format settings apply.
//!
//! Constant messages, structured fields, no prompt, no log body, no secret.

use std::sync::Arc;
use std::time::Duration;

use crate::run::{RunEvent, Sink, Stamped};

/// Returns the sink.
pub fn sink() -> Sink {
    Arc::new(write)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn write(stamped: &Stamped) {
    let run_id = stamped.run_id.as_str();
    let elapsed_ms = milliseconds(stamped.elapsed);
    match &stamped.event {
        RunEvent::RequestRepaired { agent, model, repair } => {
            tracing::warn!(run_id, elapsed_ms, %agent, %model, %repair, "model request repaired");
        }
        RunEvent::SelfChecked { usable, .. } => tracing::info!(usable, "self-check"),
        RunEvent::Ignored { reason } => tracing::warn!(%reason, "event ignored"),
        RunEvent::Warning { message } => tracing::warn!(run_id, elapsed_ms, warning = %message, "warning"),
        RunEvent::Started { alarm, state, as_of } => {
            tracing::info!(run_id, elapsed_ms, %alarm, %state, %as_of, "run started");
        }
        RunEvent::DepthChosen { depth, reason, planned_calls } => {
            tracing::info!(run_id, elapsed_ms, %depth, %reason, planned_calls, "depth chosen");
        }
        RunEvent::StageStarted { stage } => {
            tracing::debug!(run_id, elapsed_ms, stage = stage.as_str(), "stage started");
        }
        RunEvent::StageFinished { stage, took, summary } => {
            let took_ms = milliseconds(*took);
            tracing::info!(run_id, elapsed_ms, stage = stage.as_str(), took_ms, %summary, "stage finished");
        }
        RunEvent::Gathered { id, status, title } => {
            tracing::debug!(run_id, elapsed_ms, %id, %status, %title, "evidence read");
        }
        RunEvent::ModelClientCreated { model, region, provider } => {
            tracing::info!(%model, %region, %provider, "model client created");
        }
        RunEvent::AgentStarted { agent } => tracing::debug!(run_id, elapsed_ms, %agent, "agent started"),
        RunEvent::ModelCalled { agent, turn, model, api, attempt } => {
            tracing::info!(run_id, elapsed_ms, %agent, turn, %model, %api, attempt, "model called");
        }
        RunEvent::ModelAnswered {
            agent,
            turn,
            model,
            request_id,
            took,
            input_tokens,
            output_tokens,
            stop,
        } => {
            tracing::info!(
                run_id, elapsed_ms, %agent, turn, %model, request_id = request_id.as_deref(),
                took_ms = milliseconds(*took), input_tokens, output_tokens, %stop, "model answered"
            );
        }
        RunEvent::ModelFailed { agent, model, class, message, request_id, attempt } => {
            tracing::warn!(
                run_id, elapsed_ms, %agent, %model, %class, attempt, error = %message,
                request_id = request_id.as_deref(), "model call failed"
            );
        }
        RunEvent::Waiting { agent, model, wait } => {
            tracing::info!(run_id, elapsed_ms, %agent, %model, wait_ms = milliseconds(*wait), "waiting");
        }
        RunEvent::RungLeft { model, reason, next } => {
            tracing::warn!(run_id, elapsed_ms, %model, %reason, next = next.as_deref(), "model given up");
        }
        RunEvent::ToolCalled { agent, tool, evidence, outcome } => {
            let evidence: Vec<&str> = evidence.iter().map(crate::id::EvidenceId::as_str).collect();
            let evidence = evidence.join(" ");
            tracing::debug!(run_id, elapsed_ms, %agent, %tool, %evidence, %outcome, "tool called");
        }
        RunEvent::AgentFinished { agent, outcome } => {
            tracing::info!(run_id, elapsed_ms, %agent, %outcome, "agent finished");
        }
        RunEvent::ClaimsChecked { held, checked, removed } => {
            tracing::info!(run_id, elapsed_ms, held, checked, removed, "claims checked");
        }
        RunEvent::Delivered { channel, reference, note: Some(note) } => {
            let reference = reference.as_deref();
            tracing::warn!(run_id, elapsed_ms, %channel, reference, %note, "delivered");
        }
        RunEvent::Delivered { channel, reference, note: None } => {
            let reference = reference.as_deref();
            tracing::info!(run_id, elapsed_ms, %channel, reference, "delivered");
        }
        RunEvent::Diagnosed { model, diagnosis, cause, remedy, next } => {
            tracing::warn!(run_id, elapsed_ms, %model, %diagnosis, %cause, %remedy, %next, "model failure diagnosed");
        }
        RunEvent::DeliveryFailed { channel, reason } => {
            tracing::error!(run_id, elapsed_ms, %channel, %reason, "delivery failed");
        }
        RunEvent::Finished {
            outcome,
            took,
            model_calls,
            input_tokens,
            output_tokens,
            cost_usd,
            agents: _,
            insights_bytes,
            tripped,
        } => {
            let tripped = tripped.join(" ");
            tracing::info!(
                run_id, elapsed_ms, %outcome, took_ms = milliseconds(*took), model_calls, input_tokens,
                output_tokens, cost_usd, insights_bytes, %tripped, "run finished"
            );
        }
    }
}
