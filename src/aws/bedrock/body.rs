//! A request's body with its keys in alphabetical order.
//!
//! The SDK keeps JSON objects (tool schemas, tool inputs) in hash maps whose order differs from map to map. A provider
//! keeps a prompt's prefix by its text, so a prefix in another order would never be found again.

use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// Sorts the keys of a JSON body; any other body is left as it is. The length stays what the header says.
pub(super) fn sort_keys(body: &mut SdkBody) {
    let Some(bytes) = body.bytes() else { return };
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return };
    value.sort_all_objects();
    let sorted = value.to_string();
    // Another length would mean another spelling of a number or a text, and a wrong Content-Length.
    if sorted.len() == bytes.len() {
        *body = SdkBody::from(sorted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(body: &str) -> String {
        let mut body = SdkBody::from(body);
        sort_keys(&mut body);
        String::from_utf8(body.bytes().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn two_orders_of_keys_are_sent_as_one_text() {
        let one = r#"{"b":[{"d":1,"c":"x"}],"a":0.5}"#;
        let other = r#"{"a":0.5,"b":[{"c":"x","d":1}]}"#;
        assert_eq!((sorted(one), sorted(other)), (other.to_owned(), other.to_owned()));
    }

    #[test]
    fn a_body_that_would_change_its_length_or_is_no_json_is_sent_as_it_is() {
        for body in [r#"{"b":1, "a":2}"#, "plain", ""] {
            assert_eq!(sorted(body), body);
        }
    }
}
