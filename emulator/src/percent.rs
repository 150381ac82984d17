//! Percent-decoding of paths and forms, and XML text.

/// Decodes `%XX`; bytes that are no UTF-8 afterwards are replaced.
pub(crate) fn decoded(text: &str) -> String {
    decode(text, false)
}

/// Reads `a=1&b=2` into pairs, in order, with `+` as a space.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// Escapes text for an XML element.
pub(crate) fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn decode(text: &str, plus_is_space: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'+' && plus_is_space {
            out.push(b' ');
            continue;
        }
        let mut ahead = bytes.clone();
        let digits = (byte == b'%').then(|| Some((hex(ahead.next()?)?, hex(ahead.next()?)?))).flatten();
        if let Some((high, low)) = digits {
            out.push(high << 4 | low);
            bytes = ahead;
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_paths_are_decoded() {
        assert_eq!(
            pairs("Action=Publish&Message=a+b%26%C3%A4%0A&Empty="),
            [("Action", "Publish"), ("Message", "a b&ä\n"), ("Empty", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(decoded("arn%3Aaws+x%"), "arn:aws+x%");
    }
}
