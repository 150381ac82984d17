//! What one model refuses though Converse itself allows it: too many tokens, sampling parameters, prefilled answers.

use serde_json::Value;

/// Part of a model id, context in tokens, most output tokens; the first match counts.
const SIZES: &[(&str, u64, u64)] = &[
    ("claude-3-5-sonnet", 200_000, 8_192),
    ("claude-haiku-4-5", 200_000, 64_000),
    ("claude-sonnet-4-5", 200_000, 64_000),
    ("claude-sonnet-4-6", 1_000_000, 64_000),
    ("claude-sonnet-5", 1_000_000, 128_000),
    ("claude-opus-5-5", 1_000_000, 128_000),
    ("claude-haiku-5-5", 1_000_000, 128_000),
    ("nova-pro", 300_000, 10_000),
    ("nova-lite", 300_000, 10_000),
    ("nova-2-lite", 1_000_000, 64_000),
];

/// What a model does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Excess {
    /// More tokens of output are asked for than it gives at most.
    Output { asked: u64, most: u64 },
    /// The request is longer than its context, in tokens.
    Input { tokens: u64, most: u64 },
    /// Something else, in its maker's words.
    Other(String),
}

impl Excess {
    /// Returns the words of Converse.
    pub(crate) fn in_converse(self) -> String {
        match self {
            Excess::Output { most, .. } => format!(
                "The maximum tokens you requested exceeds the model limit of {most}. Try again with a maximum \
                 tokens value that is lower than {most}."
            ),
            Excess::Input { .. } => "Input is too long for requested model".to_owned(),
            Excess::Other(words) => words,
        }
    }
}

/// Checks a valid request against the model `bare`, an id without geography prefix.
pub(crate) fn check(bare: &str, request: &Value) -> Result<(), Excess> {
    let inference = request.get("inferenceConfig");
    let given = |name: &str| inference.and_then(|config| config.get(name)).filter(|value| !value.is_null());
    if let Some((_, context, output)) = SIZES.iter().find(|(part, _, _)| bare.contains(part)) {
        if let Some(asked) = given("maxTokens").and_then(Value::as_u64).filter(|asked| asked > output) {
            return Err(Excess::Output { asked, most: *output });
        }
        let characters: usize = ["system", "messages", "toolConfig"]
            .iter()
            .filter_map(|name| request.get(*name))
            .map(|value| value.to_string().chars().count())
            .sum();
        let tokens = u64::try_from(characters / 4).unwrap_or(u64::MAX);
        if tokens > *context {
            return Err(Excess::Input { tokens, most: *context });
        }
    }
    let Some(version) = claude_version(bare) else { return Ok(()) };
    // Sampling parameters went away with Claude 4.7 and are missing from the whole 5 family.
    if version >= (4, 7) {
        for (name, spelling) in [("temperature", "temperature"), ("topP", "top_p")] {
            if given(name).is_some() {
                return Err(Excess::Other(format!("`{spelling}` is deprecated for this model.")));
            }
        }
    }
    if version >= (4, 1) && given("temperature").is_some() && given("topP").is_some() {
        return Err(Excess::Other(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
                .to_owned(),
        ));
    }
    let last = request.get("messages").and_then(Value::as_array).and_then(|messages| messages.last());
    let last_speaker = last.and_then(|message| message.get("role")).and_then(Value::as_str);
    if version >= (4, 6) && last_speaker == Some("assistant") {
        return Err(Excess::Other(
            "This model does not support assistant message prefill. The conversation must end with a user \
                    message."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Reads `(4, 6)` from `anthropic.claude-sonnet-4-6` and `(3, 5)` from `anthropic.claude-3-5-sonnet-20241022-v2:0`;
/// a date is longer than a version number.
fn claude_version(bare: &str) -> Option<(u32, u32)> {
    let (_, name) = bare.split_once("claude-")?;
    let mut numbers = name
        .split('-')
        .map(|part| if part.len() <= 2 { part.parse::<u32>().ok() } else { None })
        .skip_while(Option::is_none);
    let major = numbers.next()??;
    Some((major, numbers.next().flatten().unwrap_or_default()))
}
