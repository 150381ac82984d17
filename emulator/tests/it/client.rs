//! A client that writes HTTP by hand, so that the wire is what the tests see.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ciborium::value::Value as Cbor;
use serde_json::{Value, json};
use sre_agent_emulator::{Emulator, Options, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260504/eu-west-1/x/aws4_request, \
                                    SignedHeaders=host;x-amz-date, Signature=0123456789abcdef";

/// The small scenario of these tests.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario")
}

pub(crate) fn scenario() -> Scenario {
    Scenario::load(&folder()).unwrap()
}

pub(crate) async fn started() -> Emulator {
    started_with(Options::default()).await
}

pub(crate) async fn started_with(options: Options) -> Emulator {
    Emulator::start(scenario(), options).await.unwrap()
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// CBOR as JSON; a time becomes its number of seconds and nothing else than tag 1 is taken.
    pub(crate) fn cbor(&self) -> Value {
        plain(ciborium::from_reader(self.body.as_slice()).unwrap())
    }
}

fn plain(value: Cbor) -> Value {
    match value {
        Cbor::Text(text) => json!(text),
        Cbor::Bool(flag) => json!(flag),
        Cbor::Integer(number) => json!(i64::try_from(number).unwrap()),
        Cbor::Float(number) => json!(number),
        Cbor::Array(items) => items.into_iter().map(plain).collect(),
        Cbor::Map(members) => {
            members.into_iter().map(|(name, member)| (name.into_text().unwrap(), plain(member))).collect()
        }
        Cbor::Tag(1, inner) => plain(*inner),
        other => panic!("no AWS answer holds {other:?}"),
    }
}

pub(crate) async fn send(
    emulator: &Emulator,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let address = emulator.endpoint().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP head");
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Reply { status, headers, body: received[end + 4..].to_vec() }
}

/// CloudWatch. Members that end in `Time` or `Date` are given as RFC 3339 and sent as times.
pub(crate) async fn cloudwatch(emulator: &Emulator, operation: &str, input: Value) -> Reply {
    let mut body = Vec::new();
    ciborium::into_writer(&timed("", input), &mut body).unwrap();
    let headers = [
        ("authorization", SIGNATURE),
        ("content-type", "application/cbor"),
        ("accept", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("x-amzn-query-mode", "true"),
    ];
    let target = format!("/service/GraniteServiceVersion20100801/operation/{operation}");
    send(emulator, "POST", &target, &headers, &body).await
}

fn timed(name: &str, value: Value) -> Cbor {
    match value {
        Value::String(text) if name.ends_with("Time") || name.ends_with("Date") => {
            let time: jiff::Timestamp = text.parse().unwrap();
            Cbor::Tag(1, Box::new(Cbor::Float(time.as_duration().as_secs_f64())))
        }
        Value::String(text) => Cbor::Text(text),
        Value::Bool(flag) => Cbor::Bool(flag),
        Value::Number(number) => Cbor::Integer(number.as_i64().unwrap().into()),
        Value::Array(items) => Cbor::Array(items.into_iter().map(|item| timed(name, item)).collect()),
        Value::Object(members) => Cbor::Map(
            members
                .into_iter()
                .map(|(name, member)| (Cbor::Text(name.clone()), timed(&name, member)))
                .collect(),
        ),
        Value::Null => Cbor::Null,
    }
}

/// A service that speaks awsJson 1.1; `target` is `Logs_20140328.FilterLogEvents` for instance.
pub(crate) async fn aws_json(emulator: &Emulator, target: &str, input: &Value) -> Reply {
    let headers = [
        ("authorization", SIGNATURE),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target),
    ];
    send(emulator, "POST", "/", &headers, input.to_string().as_bytes()).await
}

pub(crate) async fn logs(emulator: &Emulator, operation: &str, input: Value) -> Reply {
    aws_json(emulator, &format!("Logs_20140328.{operation}"), &input).await
}

pub(crate) async fn ssm(emulator: &Emulator, input: Value) -> Reply {
    aws_json(emulator, "AmazonSSM.GetParameter", &input).await
}

pub(crate) async fn lambda(emulator: &Emulator, target: &str) -> Reply {
    send(emulator, "GET", target, &[("authorization", SIGNATURE)], b"").await
}

/// SNS, with a form that is encoded here.
pub(crate) async fn sns(emulator: &Emulator, fields: &[(&str, &str)]) -> Reply {
    let form: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let headers = [("authorization", SIGNATURE), ("content-type", "application/x-www-form-urlencoded")];
    send(emulator, "POST", "/", &headers, form.join("&").as_bytes()).await
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
