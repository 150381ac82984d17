//! S3's `PutObject`, `GetObject`, `HeadBucket` and `ListObjectsV2`, path-style over REST and XML. Every other one is refused.
//!
//! Every bucket is there and in the scenario's Region, but those that the options place elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use axum::http::HeaderMap;
use serde::Serialize;

use crate::failure::Failure;
use crate::percent;
use crate::recorder::lock;
use crate::scenario::Scenario;
use crate::wire::Answer;

/// Keys of one answer of `ListObjectsV2`.
const MOST_LISTED: usize = 1_000;

/// What a query may hold; `x-id` is the SDK's own note of the operation.
const KNOWN: [&str; 4] = ["list-type", "prefix", "max-keys", "x-id"];

/// An object as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredObject {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// `Content-Type`.
    pub content_type: String,
    /// `x-amz-server-side-encryption`, where the request asks for one.
    pub encryption: Option<String>,
    /// The bytes as text.
    pub body: String,
}

/// A request told apart by method, path and query.
pub(crate) struct Request {
    pub(crate) operation: &'static str,
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
}

impl Request {
    /// Reads a request that is signed for S3; `None` for any other.
    pub(crate) fn of(method: &str, path: &str, query: &str, headers: &HeaderMap) -> Option<Self> {
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok())?;
        authorization.contains("/s3/aws4_request").then_some(())?;
        let rest = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let query = percent::pairs(query);
        let lists = query.iter().any(|(name, value)| name == "list-type" && value == "2");
        let operation = match (method, key.is_empty()) {
            ("PUT", false) => "PutObject",
            ("GET", false) => "GetObject",
            ("HEAD", true) => "HeadBucket",
            ("GET", true) if lists => "ListObjectsV2",
            _ => "(other)",
        };
        Some(Request { operation, bucket: percent::decoded(bucket), key: percent::decoded(key), query })
    }

    /// Returns IAM's name of the action.
    pub(crate) fn action(&self) -> String {
        let action = match self.operation {
            "HeadBucket" | "ListObjectsV2" => "ListBucket",
            operation => operation,
        };
        format!("s3:{action}")
    }

    /// Returns what the action is granted on.
    pub(crate) fn resource(&self) -> String {
        let key = if self.key.is_empty() { String::new() } else { format!("/{}", self.key) };
        format!("arn:aws:s3:::{}{key}", self.bucket)
    }
}

/// The buckets and what lies in them.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// Regions of buckets that lie elsewhere; an empty one says that there is no such bucket.
    elsewhere: BTreeMap<String, String>,
    objects: Mutex<BTreeMap<(String, String), StoredObject>>,
}

impl Buckets {
    pub(crate) fn new(elsewhere: BTreeMap<String, String>) -> Self {
        Buckets { elsewhere, objects: Mutex::default() }
    }

    /// Returns every object, by bucket and key.
    pub(crate) fn objects(&self) -> Vec<StoredObject> {
        lock(&self.objects).values().cloned().collect()
    }

    /// Answers one operation.
    pub(crate) fn answer(
        &self,
        scenario: &Scenario,
        request: &Request,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        if let Some((other, _)) = request.query.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return Err(Failure::unsupported(format!("parameter {other} of S3")));
        }
        match self.elsewhere.get(&request.bucket).map(String::as_str) {
            Some("") => {
                return Err(Failure::service(404, "NoSuchBucket", "The specified bucket does not exist"));
            }
            Some(region) if region != scenario.region() => {
                let message = "The bucket you are attempting to access must be addressed using the specified endpoint. \
                               Please send all future requests to this endpoint.";
                return Ok(moved(region, message));
            }
            Some(_) | None => {}
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let place = (request.bucket.clone(), request.key.clone());
        match request.operation {
            "PutObject" => {
                if header("x-amz-content-sha256").is_some_and(|digest| digest.starts_with("STREAMING")) {
                    return Err(Failure::unsupported("bodies that are sent in signed pieces"));
                }
                let object = StoredObject {
                    bucket: request.bucket.clone(),
                    key: request.key.clone(),
                    content_type: header("content-type").unwrap_or("binary/octet-stream").to_owned(),
                    encryption: header("x-amz-server-side-encryption").map(str::to_owned),
                    body: String::from_utf8_lossy(body).into_owned(),
                };
                lock(&self.objects).insert(place, object);
                Ok(answered(200, "application/xml", Vec::new()))
            }
            "GetObject" => match lock(&self.objects).get(&place) {
                Some(object) => Ok(answered(200, &object.content_type, object.body.clone().into_bytes())),
                None => Err(Failure::service(404, "NoSuchKey", "The specified key does not exist.")),
            },
            "HeadBucket" => Ok(answered(200, "application/xml", Vec::new())),
            "ListObjectsV2" => Ok(self.listed(request)),
            _ => Err(Failure::unsupported("this operation of S3")),
        }
    }

    fn listed(&self, request: &Request) -> Answer {
        let parameter = |name: &str| {
            request.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        let prefix = parameter("prefix").unwrap_or_default();
        let most = parameter("max-keys").and_then(|most| most.parse().ok()).unwrap_or(MOST_LISTED);
        let objects = lock(&self.objects);
        let fits = |object: &&StoredObject| object.bucket == request.bucket && object.key.starts_with(prefix);
        let found: Vec<&StoredObject> = objects.values().filter(fits).collect();
        let shown = found.get(..most).unwrap_or(&found);
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount>\
             <MaxKeys>{most}</MaxKeys><IsTruncated>{}</IsTruncated>",
            percent::xml_text(&request.bucket),
            percent::xml_text(prefix),
            shown.len(),
            shown.len() < found.len(),
        );
        for object in shown {
            // Writing to a `String` cannot fail.
            let _written = write!(
                xml,
                "<Contents><Key>{}</Key><Size>{}</Size></Contents>",
                percent::xml_text(&object.key),
                object.body.len()
            );
        }
        xml.push_str("</ListBucketResult>");
        answered(200, "application/xml", xml.into_bytes())
    }
}

fn answered(status: u16, kind: &str, body: Vec<u8>) -> Answer {
    Answer { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body }
}

/// A bucket that lies in another Region: the header says in which one.
fn moved(region: &str, message: &str) -> Answer {
    let body = format!("<Error><Code>PermanentRedirect</Code><Message>{message}</Message></Error>");
    let mut answer = answered(301, "application/xml", body.into_bytes());
    answer.headers.push(("x-amz-bucket-region".to_owned(), region.to_owned()));
    answer
}
