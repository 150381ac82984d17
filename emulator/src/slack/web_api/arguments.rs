//! A method's arguments, from a JSON object or a form; in a form whatever has parts is JSON text.

use serde_json::{Map, Value};

use crate::percent;
use crate::slack::web_api::Stop;

/// Arguments whose values have parts.
const STRUCTURED: [&str; 4] = ["blocks", "attachments", "metadata", "files"];

/// The arguments by name; none of them is null.
#[derive(Debug)]
pub(crate) struct Arguments(pub(crate) Map<String, Value>);

impl Arguments {
    pub(crate) fn read(content_type: &str, body: &[u8]) -> Result<Self, Stop> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let members: Map<String, Value> = match kind {
            "application/json" | "" if body.is_empty() => Map::new(),
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(members)) => members,
                Ok(_) => return Err(Stop::word("json_not_object")),
                Err(error) => return Err(Stop::because("invalid_json", vec![error.to_string()])),
            },
            "application/x-www-form-urlencoded" => {
                let pairs = percent::pairs(&String::from_utf8_lossy(body));
                pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
            }
            "" => return Err(Stop::word("missing_post_type")),
            "multipart/form-data" | "text/plain" => {
                return Err(Stop::unsupported(format!("a body of {kind} for Slack")));
            }
            _ => return Err(Stop::word("invalid_post_type")),
        };
        let mut read = Map::new();
        for (name, value) in members {
            match value {
                Value::Null => {}
                Value::String(text) if STRUCTURED.contains(&name.as_str()) => {
                    let parts = serde_json::from_str(&text)
                        .map_err(|error| Stop::because(unreadable(&name), vec![error.to_string()]))?;
                    read.insert(name, parts);
                }
                other => {
                    read.insert(name, other);
                }
            }
        }
        Ok(Self(read))
    }

    /// Refuses what the emulator does not read; Slack passes over what it does not know.
    pub(crate) fn check_names(&self, method: &str, known: &[&str]) -> Result<(), Stop> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Stop::unsupported(format!("argument {name} of {method}"))),
            None => Ok(()),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Stop> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(&format!("/{name}: must be a text"))),
        }
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Stop> {
        self.text(name)?.ok_or_else(|| invalid(&format!("missing required field: {name}")))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Stop> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "1") => Ok(true),
            Some(Value::String(text)) if matches!(text.as_str(), "false" | "0") => Ok(false),
            Some(_) => Err(invalid(&format!("/{name}: must be true or false"))),
        }
    }

    pub(crate) fn whole(&self, name: &str) -> Result<Option<usize>, Stop> {
        let number = match self.0.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64().and_then(|number| usize::try_from(number).ok()),
        };
        number.map(Some).ok_or_else(|| invalid(&format!("/{name}: must be a whole number")))
    }
}

pub(crate) fn invalid(reason: &str) -> Stop {
    Stop::because("invalid_arguments", vec![reason.to_owned()])
}

fn unreadable(name: &str) -> &'static str {
    match name {
        "blocks" => "invalid_blocks_format",
        "attachments" => "invalid_attachments",
        "metadata" => "invalid_metadata_format",
        _ => "invalid_arguments",
    }
}
