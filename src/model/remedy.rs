//! What is done about a failed call: a pure table from its class, and for refused requests its words.

use crate::model::{Content, ConverseRequest, ErrorClass, ToolChoice};

/// What to do next about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Ask the same again, after a wait.
    Retry(Tries),
    /// Change the request and ask again at once; each repair is tried once.
    Repair(Repair),
    /// Leave this model.
    NextRung,
    /// Leave this provider: none of its models would answer.
    Stop,
}

/// How often the same is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// As often as the configuration says.
    All,
    /// Once more; AWS's SDK would not ask again at all.
    OnceMore,
}

/// A change that may make a request acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Repair {
    /// Send no sampling parameter.
    DropParameter,
    /// Cut long tool results.
    ShrinkInput,
    /// Let the model decide which tool it calls.
    ToolChoiceAuto,
    /// Call the inference profile that holds the model.
    PrependProfile,
}

impl Repair {
    /// Returns what was done, in a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Repair::DropParameter => "sent without sampling parameters",
            Repair::ShrinkInput => "sent with shortened tool results",
            Repair::ToolChoiceAuto => "sent with a free choice of tools",
            Repair::PrependProfile => "sent through an inference profile",
        }
    }
}

/// Returns what is done about a failed call. `message` is the provider's own words.
pub fn remedy(class: ErrorClass, message: &str) -> Remedy {
    match class {
        ErrorClass::Throttled | ErrorClass::Unavailable | ErrorClass::Unreachable => {
            Remedy::Retry(Tries::All)
        }
        ErrorClass::TimedOut | ErrorClass::ModelFailed | ErrorClass::Unknown => {
            Remedy::Retry(Tries::OnceMore)
        }
        ErrorClass::NeedsProfile => Remedy::Repair(Repair::PrependProfile),
        ErrorClass::InputTooLong => Remedy::Repair(Repair::ShrinkInput),
        ErrorClass::InvalidRequest => refused(message),
        // Neither passes within a run: a day's quota, a subscription that is still being processed (15 minutes), a
        // permission that somebody has to give.
        ErrorClass::DailyQuota
        | ErrorClass::EndOfLife
        | ErrorClass::InvalidIdentifier
        | ErrorClass::AccessDenied
        | ErrorClass::NotEnabled => Remedy::NextRung,
        ErrorClass::Credentials => Remedy::Stop,
    }
}

/// Reads which part of a request was refused. Texts drift, so only the parameter's name is looked for.
fn refused(message: &str) -> Remedy {
    let message = message.to_lowercase();
    let names = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if names(&["tool_choice", "toolchoice", "tool choice"]) {
        Remedy::Repair(Repair::ToolChoiceAuto)
    } else if names(&["temperature", "top_p", "topp", "top_k", "topk", "sampling"]) {
        Remedy::Repair(Repair::DropParameter)
    } else {
        Remedy::NextRung
    }
}

/// Most characters of a tool's answer in a shrunken request: in the last message, and in those before it.
const KEPT_OF_LAST: usize = 6_000;
const KEPT_OF_EARLIER: usize = 1_500;

/// Cuts long tool results, the older ones more; tells whether anything was cut.
///
/// The agent's claims are checked against the ledger, which still holds everything.
pub(crate) fn shrink(request: &mut ConverseRequest) -> bool {
    let last = request.messages.len().saturating_sub(1);
    let mut any = false;
    for (index, message) in request.messages.iter_mut().enumerate() {
        let most = if index == last { KEPT_OF_LAST } else { KEPT_OF_EARLIER };
        for content in &mut message.content {
            if let Content::ToolResult { text, .. } = content
                && let Some((at, _)) = text.char_indices().nth(most)
            {
                text.truncate(at);
                text.push_str("\n… (shortened: the conversation was too long for the model)");
                any = true;
            }
        }
    }
    any
}

/// Changes the request; tells whether there was anything to change. A profile is not the request's, so it is the
/// caller's to find.
pub(crate) fn repair(request: &mut ConverseRequest, repair: Repair) -> bool {
    match repair {
        Repair::DropParameter => request.tuning.sampling.take().is_some(),
        Repair::ShrinkInput => shrink(request),
        Repair::ToolChoiceAuto => {
            let forced = request.tool_choice != ToolChoice::Auto;
            request.tool_choice = ToolChoice::Auto;
            forced
        }
        Repair::PrependProfile => false,
    }
}
