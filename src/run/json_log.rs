//! One JSON log line per event, written through `tracing` so that Lambda's level and format settings apply.
//!
//! Constant messages, structured fields, no prompt, no log body, no secret.

use std::sync::Arc;

use crate::run::{RunEvent, Sink, Stamped};

/// Returns the sink.
pub fn sink() -> Sink {
    Arc::new(write)
}

fn write(stamped: &Stamped) {
    let run_id = stamped.run_id.as_str();
    // The event serialises to plain JSON; as one field it stays readable in Logs Insights (`fields detail.model`).
    let detail = serde_json::to_string(&stamped.event).unwrap_or_default();
    let elapsed_ms = u64::try_from(stamped.elapsed.as_millis()).unwrap_or(u64::MAX);
    match &stamped.event {
        RunEvent::Warning { message } => tracing::warn!(run_id, elapsed_ms, %message, "warning"),
        RunEvent::ModelFailed { model, class, message, request_id, .. } => {
            tracing::warn!(run_id, elapsed_ms, %model, %class, error = %message, request_id = request_id.as_deref(), "model call failed");
        }
        RunEvent::RungLeft { model, reason, next } => {
            tracing::warn!(run_id, elapsed_ms, %model, %reason, next = next.as_deref(), "model given up");
        }
        RunEvent::RequestRepaired { agent, model, repair } => {
            tracing::warn!(run_id, elapsed_ms, %agent, %model, %repair, "model request repaired");
        }
        RunEvent::DeliveryFailed { channel, reason } => {
            tracing::error!(run_id, elapsed_ms, %channel, %reason, "delivery failed");
        }
        RunEvent::Ignored { reason } => tracing::warn!(%reason, "event ignored"),
        RunEvent::ModelClientCreated { model, region, provider } => {
            tracing::info!(%model, %region, %provider, "model client created");
        }
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
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(
                run_id, elapsed_ms, %agent, turn, %model, request_id = request_id.as_deref(), took_ms, input_tokens,
                output_tokens, %stop, "model answered"
            );
        }
        RunEvent::Started { .. }
        | RunEvent::DepthChosen { .. }
        | RunEvent::StageFinished { .. }
        | RunEvent::Waiting { .. }
        | RunEvent::AgentFinished { .. }
        | RunEvent::ClaimsChecked { .. }
        | RunEvent::Delivered { .. }
        | RunEvent::Finished { .. } => tracing::info!(run_id, elapsed_ms, %detail, "run event"),
        RunEvent::StageStarted { .. }
        | RunEvent::Gathered { .. }
        | RunEvent::AgentStarted { .. }
        | RunEvent::ToolCalled { .. } => tracing::debug!(run_id, elapsed_ms, %detail, "run event"),
    }
}
