//! Requests as typed values: a member that this emulator does not know is a refusal, a wrong type is AWS's own error.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;

/// Reads an operation's input. The input types deny unknown fields, so that no part of a request is passed over in
/// silence.
pub(crate) fn read<T: DeserializeOwned>(operation: &str, input: Value) -> Result<T, Failure> {
    serde_json::from_value(without_nulls(input)).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
            Some((field, _)) => Failure::unsupported(format!("member {field} of {operation}")),
            None => Failure::service(400, "SerializationException", text),
        }
    })
}

/// A member that is null counts as absent, in JSON and in CBOR.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
