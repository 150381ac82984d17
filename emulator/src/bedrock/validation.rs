//! Converse's own rules for a request, in the service's words where they are known.
//!
//! Rules of one model stand in `limits`. Message texts of shape faults follow the pattern of AWS's generated ones.

mod content;
mod conversation;
mod tools;

use serde_json::{Map, Value};

use crate::bedrock::refusal::Refusal;

/// What a check returns: nothing, or the text of a `ValidationException`.
pub(crate) type Checked = Result<(), String>;

const MEMBERS: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// Parses and checks a request body.
pub(crate) fn request(body: &[u8]) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Refusal::new(400, "SerializationException", format!("the request body is not valid JSON: {error}"))
    })?;
    let Some(request) = value.as_object() else {
        return Err(Refusal::new(400, "SerializationException", "the request body is not a JSON object"));
    };
    check(request).map_err(Refusal::validation)?;
    Ok(value)
}

fn check(request: &Map<String, Value>) -> Checked {
    if let Some(name) = request.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("emulator: unsupported: Converse request member {name}"));
    }
    let messages = list(request, "messages", "messages")?;
    let Some(messages) = messages.filter(|messages| !messages.is_empty()) else {
        return Err(
            "The messages field is required and must not be empty. Add a message and try again.".to_owned()
        );
    };
    check_system(request)?;
    let tool_config = object(request, "toolConfig", "toolConfig")?;
    if let Some(config) = tool_config {
        tools::check(config)?;
    }
    conversation::check(messages, tool_config.is_some())?;
    check_inference(request)?;
    check_metadata(request)?;
    check_choice(request, "performanceConfig", "latency", &["standard", "optimized"])?;
    check_choice(request, "serviceTier", "type", &["priority", "default", "flex", "reserved"])?;
    let cache_points = count_cache_points(request);
    if cache_points > 4 {
        return Err(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {cache_points}."
        ));
    }
    Ok(())
}

fn check_system(request: &Map<String, Value>) -> Checked {
    for (index, block) in list(request, "system", "system")?.into_iter().flatten().enumerate() {
        let at = format!("system.{index}");
        let (name, value) = content::only_member(block, &at, "SystemContentBlock", content::SYSTEM_BLOCKS)?;
        match name {
            "text" => content::check_text(value, &at, "SystemContentBlock")?,
            "cachePoint" => content::check_cache_point(value, &at)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_inference(request: &Map<String, Value>) -> Checked {
    let Some(config) = object(request, "inferenceConfig", "inferenceConfig")? else { return Ok(()) };
    known_members(config, "inferenceConfig", &["maxTokens", "temperature", "topP", "stopSequences"])?;
    if let Some(tokens) = present(config, "maxTokens") {
        match tokens.as_i64() {
            Some(tokens) if tokens >= 1 => {}
            Some(tokens) => {
                let rule = "Member must have value greater than or equal to 1";
                return Err(constraint(&tokens.to_string(), "inferenceConfig.maxTokens", rule));
            }
            None => return Err(wrong_type("inferenceConfig.maxTokens", "an integer")),
        }
    }
    for name in ["temperature", "topP"] {
        let Some(value) = present(config, name) else { continue };
        let at = format!("inferenceConfig.{name}");
        let number = value.as_f64().ok_or_else(|| wrong_type(&at, "a number"))?;
        if !(0.0..=1.0).contains(&number) {
            let rule = "Member must have value between 0 and 1, inclusive";
            return Err(constraint(&number.to_string(), &at, rule));
        }
    }
    for (index, sequence) in
        list(config, "stopSequences", "inferenceConfig.stopSequences")?.into_iter().flatten().enumerate()
    {
        if sequence.as_str().is_none_or(str::is_empty) {
            return Err(wrong_type(
                &format!("inferenceConfig.stopSequences.{index}"),
                "a text that is not empty",
            ));
        }
    }
    Ok(())
}

fn check_metadata(request: &Map<String, Value>) -> Checked {
    let Some(metadata) = object(request, "requestMetadata", "requestMetadata")? else { return Ok(()) };
    if metadata.is_empty() || metadata.len() > 16 {
        let rule = "Member must have length between 1 and 16, inclusive";
        return Err(constraint(&format!("{} pairs", metadata.len()), "requestMetadata", rule));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
    for (key, value) in metadata {
        let Some(value) = value.as_str() else {
            return Err(wrong_type(&format!("requestMetadata.{key}"), "a text"));
        };
        let key_length = key.chars().count();
        if !(1..=256).contains(&key_length) || value.chars().count() > 256 {
            let rule = "Member must have length less than or equal to 256, and a key at least 1";
            return Err(constraint(key, "requestMetadata", rule));
        }
        if !key.chars().all(plain) || !value.chars().all(plain) {
            let rule = r"Member must satisfy regular expression pattern: [a-zA-Z0-9\s:_@$#=/+,-.]{0,256}";
            return Err(constraint(&format!("{key}={value}"), "requestMetadata", rule));
        }
    }
    Ok(())
}

fn check_choice(request: &Map<String, Value>, name: &str, member: &str, allowed: &[&str]) -> Checked {
    let Some(config) = object(request, name, name)? else { return Ok(()) };
    known_members(config, name, &[member])?;
    match present(config, member) {
        Some(value) if !value.as_str().is_some_and(|value| allowed.contains(&value)) => {
            let rule = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
            Err(constraint(&value.to_string(), &format!("{name}.{member}"), &rule))
        }
        Some(_) | None => Ok(()),
    }
}

fn count_cache_points(request: &Map<String, Value>) -> usize {
    fn in_list(blocks: Option<&Value>) -> usize {
        let blocks = blocks.and_then(Value::as_array).into_iter().flatten();
        blocks.filter(|block| block.get("cachePoint").is_some_and(|point| !point.is_null())).count()
    }
    let messages = request.get("messages").and_then(Value::as_array).into_iter().flatten();
    in_list(request.get("system"))
        + in_list(request.get("toolConfig").and_then(|config| config.get("tools")))
        + messages.map(|message| in_list(message.get("content"))).sum::<usize>()
}

/// The text of AWS's generated shape faults.
pub(crate) fn constraint(value: &str, at: &str, rule: &str) -> String {
    format!("1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {rule}")
}

pub(crate) fn wrong_type(at: &str, wanted: &str) -> String {
    format!("The format of the value at {at} is invalid. Provide {wanted} for the field and try again.")
}

pub(crate) fn known_members(object: &Map<String, Value>, at: &str, known: &[&str]) -> Checked {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("emulator: unsupported: member {name} at {at}")),
        None => Ok(()),
    }
}

/// A member that is null is absent, as in every restJson structure.
pub(crate) fn present<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

pub(crate) fn object<'a>(
    parent: &'a Map<String, Value>,
    name: &str,
    at: &str,
) -> Result<Option<&'a Map<String, Value>>, String> {
    present(parent, name)
        .map(|value| value.as_object().ok_or_else(|| wrong_type(at, "a json object")))
        .transpose()
}

pub(crate) fn list<'a>(
    parent: &'a Map<String, Value>,
    name: &str,
    at: &str,
) -> Result<Option<&'a Vec<Value>>, String> {
    present(parent, name).map(|value| value.as_array().ok_or_else(|| wrong_type(at, "a list"))).transpose()
}

/// Checks an identifier's length of 1 to 64 and its alphabet.
pub(crate) fn check_identifier(value: Option<&Value>, at: &str, punctuation: &str) -> Result<String, String> {
    let Some(text) = value.and_then(Value::as_str) else {
        return Err(constraint("null", at, "Member must not be null"));
    };
    if !(1..=64).contains(&text.chars().count()) {
        return Err(constraint(text, at, "Member must have length between 1 and 64, inclusive"));
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c)) {
        let rule = format!("Member must satisfy regular expression pattern: [a-zA-Z0-9{punctuation}]+");
        return Err(constraint(text, at, &rule));
    }
    Ok(text.to_owned())
}
