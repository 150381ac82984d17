//! CBOR as Smithy's rpc-v2-cbor uses it: requests become JSON with times as RFC 3339 text, answers are written from a
//! small tree.
//!
//! Answers are encoded here and not by `ciborium`, because that shrinks a double to the smallest width that keeps its
//! value, and a reader of AWS's answers may count on the doubles that AWS sends.

use ciborium::value::{Integer, Value as Decoded};
use jiff::Timestamp;
use serde_json::Value;

/// A value to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cbor {
    /// Text string.
    Text(String),
    /// Byte string.
    Bytes(Vec<u8>),
    /// Integer.
    Integer(i64),
    /// Double, always 64 bits wide.
    Double(f64),
    /// Boolean.
    Boolean(bool),
    /// Tag 1: seconds since 1970.
    Time(Timestamp),
    /// Array.
    List(Vec<Cbor>),
    /// Map with text keys, in order.
    Map(Vec<(String, Cbor)>),
}

impl Cbor {
    /// Builds a text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Builds a map.
    pub(crate) fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Adds a member to a map; leaves anything else as it is.
    pub(crate) fn with(mut self, name: &str, value: Self) -> Self {
        if let Self::Map(members) = &mut self {
            members.push((name.to_owned(), value));
        }
        self
    }
}

/// Encodes an answer.
pub(crate) fn encoded(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

fn write(value: &Cbor, out: &mut Vec<u8>) {
    match value {
        Cbor::Text(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Cbor::Bytes(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Cbor::Integer(number) if *number < 0 => head(1, number.unsigned_abs() - 1, out),
        Cbor::Integer(number) => head(0, number.unsigned_abs(), out),
        Cbor::Double(number) => double(*number, out),
        Cbor::Boolean(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
        Cbor::Time(time) => {
            head(6, 1, out);
            // Whole seconds go out as integers: either form is allowed, and a reader has to take both.
            if time.subsec_nanosecond() == 0 {
                write(&Cbor::Integer(time.as_second()), out);
            } else {
                double(time.as_duration().as_secs_f64(), out);
            }
        }
        Cbor::List(items) => {
            head(4, items.len() as u64, out);
            for item in items {
                write(item, out);
            }
        }
        Cbor::Map(members) => {
            head(5, members.len() as u64, out);
            for (name, member) in members {
                head(3, name.len() as u64, out);
                out.extend_from_slice(name.as_bytes());
                write(member, out);
            }
        }
    }
}

fn double(number: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

/// Writes a major type and its argument in the shortest form.
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let [.., a, b, c, d] = bytes;
    if argument < 24 {
        out.push(major | d);
    } else if u8::try_from(argument).is_ok() {
        out.extend_from_slice(&[major | 0x18, d]);
    } else if u16::try_from(argument).is_ok() {
        out.extend_from_slice(&[major | 0x19, c, d]);
    } else if u32::try_from(argument).is_ok() {
        out.extend_from_slice(&[major | 0x1a, a, b, c, d]);
    } else {
        out.push(major | 0x1b);
        out.extend_from_slice(&bytes);
    }
}

/// Decodes a request into JSON; times become RFC 3339 text with milliseconds, as AWS truncates them.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Value, String> {
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let mut rest = bytes;
    let value: Decoded = ciborium::from_reader(&mut rest).map_err(|error| format!("not CBOR: {error}"))?;
    if !rest.is_empty() {
        return Err("bytes follow the CBOR value".to_owned());
    }
    json(value)
}

fn json(value: Decoded) -> Result<Value, String> {
    Ok(match value {
        Decoded::Null => Value::Null,
        Decoded::Bool(flag) => Value::Bool(flag),
        Decoded::Text(text) => Value::String(text),
        Decoded::Integer(number) => Value::from(whole(number)?),
        Decoded::Float(number) => Value::from(number),
        Decoded::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Decoded::Map(members) => {
            let mut object = serde_json::Map::new();
            for (name, member) in members {
                let Decoded::Text(name) = name else { return Err("a map key is not text".to_owned()) };
                object.insert(name, json(member)?);
            }
            Value::Object(object)
        }
        Decoded::Tag(1, inner) => Value::String(time(&inner)?.to_string()),
        Decoded::Tag(tag, _) => return Err(format!("tag {tag} is not one that AWS clients send")),
        Decoded::Bytes(_) => return Err("a byte string where none is expected".to_owned()),
        _ => return Err("a CBOR value of an unknown kind".to_owned()),
    })
}

fn whole(number: Integer) -> Result<i64, String> {
    i64::try_from(number).map_err(|_| "an integer beyond 64 bits".to_owned())
}

fn time(value: &Decoded) -> Result<Timestamp, String> {
    let out_of_range = |_| "a time out of range".to_owned();
    match value {
        Decoded::Integer(seconds) => Timestamp::from_second(whole(*seconds)?).map_err(out_of_range),
        Decoded::Float(seconds) if seconds.is_finite() && seconds.abs() < 1e12 => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the guard keeps it far inside 64 bits; the fraction of a millisecond is meant to go"
            )]
            let milliseconds = (seconds * 1000.0).round() as i64;
            Timestamp::from_millisecond(milliseconds).map_err(out_of_range)
        }
        _ => Err("a time that is not a number of seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_take_the_shortest_form_and_doubles_stay_wide() {
        let value = Cbor::map([
            ("a", Cbor::Integer(23)),
            ("b", Cbor::Integer(24)),
            ("c", Cbor::Integer(-500)),
            ("d", Cbor::Double(1.0)),
            ("e", Cbor::Time(Timestamp::from_second(70_000).unwrap())),
            ("f", Cbor::Bytes(vec![7, 8])),
        ]);
        let expected = [
            0xa6, 0x61, b'a', 0x17, 0x61, b'b', 0x18, 24, 0x61, b'c', 0x39, 0x01, 0xf3, 0x61, b'd', 0xfb,
            0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x61, b'e', 0xc1, 0x1a, 0x00, 0x01, 0x11, 0x70, 0x61, b'f', 0x42,
            7, 8,
        ];
        assert_eq!(encoded(&value), expected);
    }

    #[test]
    fn what_is_written_is_read_back_by_a_decoder_of_others() {
        let time: Timestamp = "2026-11-24T03:05:22.704Z".parse().unwrap();
        let value = Cbor::map([
            ("list", Cbor::List(vec![Cbor::text("ä"), Cbor::Boolean(true), Cbor::Double(0.1)])),
            ("time", Cbor::Time(time)),
            ("big", Cbor::Integer(1_795_489_522_704)),
            ("long", Cbor::text("x".repeat(70_000))),
        ]);
        let read = decoded(&encoded(&value)).unwrap();
        assert_eq!(read["list"], serde_json::json!(["ä", true, 0.1]));
        assert_eq!(read["time"], "2026-11-24T03:05:22.704Z");
        assert_eq!(read["big"], 1_795_489_522_704_i64);
        assert_eq!(read["long"].as_str().unwrap().len(), 70_000);
    }

    #[test]
    fn bytes_after_the_value_and_odd_tags_are_refused() {
        assert!(decoded(&[0xa0, 0x00]).is_err());
        assert!(decoded(&[0xc0, 0x61, b'a']).is_err());
        assert!(decoded(&[0xff]).is_err());
    }
}
