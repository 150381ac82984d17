//! Tokens for the next page: opaque to the caller, and bound to the request that they were given for.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Where one request's next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pager {
    binding: String,
}

impl Pager {
    /// Binds tokens to an operation and its input, without the members that may differ from page to page.
    pub(crate) fn new(operation: &str, input: &Value, free: &[&str]) -> Self {
        let mut bound = input.clone();
        if let Some(members) = bound.as_object_mut() {
            members.retain(|name, _| !free.contains(&name.as_str()));
        }
        Self { binding: short_digest(&format!("{operation}\n{}", sorted(&bound))) }
    }

    /// Writes a token that leads to `place`.
    pub(crate) fn token(&self, place: &str) -> String {
        format!("{}{}", self.binding, hex(place.as_bytes()))
    }

    /// Reads a token back; `None` when it was not given for this request.
    pub(crate) fn place(&self, token: &str) -> Option<String> {
        let hex = token.strip_prefix(&self.binding)?;
        let bytes = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        String::from_utf8(bytes).ok()
    }

    /// Reads a token that leads to a plain position; no token means the beginning.
    pub(crate) fn position(&self, token: Option<&str>) -> Option<usize> {
        token.map_or(Some(0), |token| self.place(token)?.parse().ok())
    }
}

/// Cuts one page out of a list: what belongs on it, and the position of the next page where there is one.
pub(crate) fn cut<T>(items: Vec<T>, position: usize, size: usize) -> (Vec<T>, Option<usize>) {
    let end = position.saturating_add(size);
    let next = (items.len() > end).then_some(end);
    (items.into_iter().skip(position).take(size).collect(), next)
}

/// Returns 32 hex digits over a text.
pub(crate) fn short_digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).first_chunk::<16>().map(|bytes| hex(bytes)).unwrap_or_default()
}

/// Writes bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

/// Members in alphabetical order, because two clients may write one request in two orders.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> =
                members.iter().map(|(name, member)| format!("{name:?}:{}", sorted(member))).collect();
            parts.sort();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_leads_back_only_for_the_request_it_was_given_for() {
        let pager = Pager::new("ListMetrics", &json!({"Namespace": "A", "MetricName": "m"}), &["NextToken"]);
        let token = pager.token("12");
        let again = Pager::new(
            "ListMetrics",
            &json!({"MetricName": "m", "NextToken": token, "Namespace": "A"}),
            &["NextToken"],
        );
        assert_eq!(again.position(Some(&token)), Some(12));
        let other = Pager::new("ListMetrics", &json!({"Namespace": "B"}), &["NextToken"]);
        assert_eq!(other.position(Some(&token)), None);
        assert_eq!(pager.position(Some("nonsense")), None);
        assert_eq!(pager.position(None), Some(0));
    }

    #[test]
    fn a_page_is_cut_with_the_place_of_the_next() {
        assert_eq!(cut(vec![1, 2, 3], 0, 2), (vec![1, 2], Some(2)));
        assert_eq!(cut(vec![1, 2, 3], 2, 2), (vec![3], None));
        assert_eq!(cut(vec![1, 2], 0, 2), (vec![1, 2], None));
    }
}
