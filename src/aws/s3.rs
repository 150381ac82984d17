//! The bucket that reports are kept in: written as a channel, read by `show` and `ask`.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::client::{Later, later};
use super::error::{status_of, telemetry, words};
use super::{endpoint_override, for_data};
use crate::clock::{Deadline, Timestamp};
use crate::delivery::{Bucket, Channel, DeliveryError, Post};
use crate::evidence::Status;
use crate::gather::telemetry::TelemetryError;
use crate::report::data::Data;
use crate::report::{html, json};
use crate::run::Receipt;

/// Days that are asked for at once.
const DAYS_AT_ONCE: usize = 8;

/// Keys that are looked at of a day; a run id is six digits and begins few of them.
const MOST_KEYS: i32 = 20;

/// Where its name begins in an ARN.
const ARN: &str = "arn:aws:s3:::";

/// Keeps reports in one bucket.
#[derive(Debug)]
pub struct ReportBucket {
    client: Later<Client>,
    bucket: Bucket,
    region: String,
}

impl ReportBucket {
    /// Names the bucket, which lies in the Region of the configuration.
    pub fn new(config: &SdkConfig, bucket: &Bucket) -> Self {
        let data = for_data(config);
        let make = move || {
            let settings = aws_sdk_s3::config::Builder::from(&data)
                // Where the endpoint is not AWS's, no name of a bucket leads to it.
                .force_path_style(endpoint_override(&data));
            Client::from_conf(settings.build())
        };
        ReportBucket {
            client: later(make),
            bucket: bucket.clone(),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Asks whether the bucket is there and its keys may be listed. Nothing is changed.
    pub async fn probe(&self) -> Result<(), TelemetryError> {
        let listing =
            self.client.list_objects_v2().bucket(&self.bucket.name).prefix(&self.bucket.prefix).max_keys(1);
        listing.send().await.map(drop).map_err(|error| {
            let reason = self.advice(&error, "s3:ListBucket");
            TelemetryError { reason, ..telemetry("s3:ListBucket", &error) }
        })
    }

    /// Finds the JSON report of a run of the last `days` days, the newest first; `None` where none of them has one. The
    /// beginning of an id will do; where it begins several runs of a day, they are the error.
    pub async fn find(&self, run_id: &str, now: Timestamp, days: u32) -> Result<Option<String>, String> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        let days = (0..days).filter_map(|back| today.checked_sub(Span::new().days(i64::from(back))).ok());
        let asked = days.map(|day| self.of_day(day, run_id));
        let mut found = std::pin::pin!(stream::iter(asked).buffered(DAYS_AT_ONCE));
        while let Some(keys) = found.next().await {
            match keys?.as_slice() {
                [] => {}
                [key] => return Ok(Some(key.clone())),
                several => return Err(format!("{run_id} begins several runs: {}", several.join(", "))),
            }
        }
        Ok(None)
    }

    async fn of_day(&self, day: Date, run_id: &str) -> Result<Vec<String>, String> {
        let prefix = format!("{}{run_id}", self.bucket.of_day(day));
        let listing =
            self.client.list_objects_v2().bucket(&self.bucket.name).prefix(prefix).max_keys(MOST_KEYS);
        let answer = listing.send().await.map_err(|error| self.advice(&error, "s3:ListBucket"))?;
        let keys = answer.contents().iter().filter_map(|object| object.key());
        Ok(keys.filter_map(|key| key.strip_suffix(".json")).map(|stem| format!("{stem}.json")).collect())
    }

    /// Reads an object of at most `most` bytes as text.
    pub async fn read(&self, key: &str, most: usize) -> Result<String, String> {
        let asked = self.client.get_object().bucket(&self.bucket.name).key(key);
        let answer = asked.send().await.map_err(|error| self.advice(&error, "s3:GetObject"))?;
        let length = usize::try_from(answer.content_length().unwrap_or_default()).unwrap_or(usize::MAX);
        if length > most {
            return Err(format!(
                "s3://{}/{key} has {length} bytes, a report has at most {most}",
                self.bucket.name
            ));
        }
        let bytes = answer
            .body
            .collect()
            .await
            .map_err(|error| format!("s3://{}/{key} broke off: {error}", self.bucket.name))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| format!("s3://{}/{key} is no text", self.bucket.name))
    }

    /// The bucket's own encryption applies; a report is bounded and goes in one piece.
    async fn put(&self, key: &str, kind: &str, text: String) -> Result<(), String> {
        let body = ByteStream::from(text.into_bytes());
        let putting =
            self.client.put_object().bucket(&self.bucket.name).key(key).content_type(kind).body(body);
        putting.send().await.map(drop).map_err(|error| self.advice(&error, "s3:PutObject"))
    }

    async fn keep(&self, post: Post<'_>, deadline: Deadline) -> Result<Receipt, DeliveryError> {
        let failed = |reason: String| DeliveryError { channel: Bucket::CHANNEL.to_owned(), reason };
        let stored = Data::of(post.document).stored.filter(|stored| stored.bucket == self.bucket.name);
        let stored = stored.ok_or_else(|| failed("the report names no place in this bucket".to_owned()))?;
        let report = json::render(post.document).to_string();
        let page = html::render(post.document);
        let putting = Box::pin(async {
            tokio::try_join!(
                self.put(&stored.json, "application/json", report),
                self.put(&stored.html, "text/html; charset=utf-8", page)
            )
        });
        match tokio::time::timeout_at(deadline.instant(), putting).await {
            Ok(Ok(((), ()))) => Ok(Receipt {
                channel: Bucket::CHANNEL.to_owned(),
                reference: Some(format!("s3://{}/{}", stored.bucket, stored.json)),
                note: None,
                facts: false,
            }),
            Ok(Err(reason)) => Err(failed(reason)),
            Err(_) => Err(failed("S3 did not answer in time; the report may have been kept".to_owned())),
        }
    }

    fn advice<E>(&self, error: &SdkError<E, HttpResponse>, action: &str) -> String
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let header = |name: &str| error.raw_response().and_then(|response| response.headers().get(name));
        let refused = Refused {
            code: error.code().unwrap_or_default(),
            http: error.raw_response().map(|response| response.status().as_u16()),
            lies_in: header("x-amz-bucket-region"),
            is_late: matches!(error, SdkError::TimeoutError(_)),
            said: &words(error, 200),
        };
        advice_for(&self.bucket, &self.region, action, &refused)
    }
}

/// What S3 said.
struct Refused<'a> {
    code: &'a str,
    http: Option<u16>,
    lies_in: Option<&'a str>,
    is_late: bool,
    said: &'a str,
}

/// Says in one line what is wrong and what to do about it.
fn advice_for(bucket: &Bucket, region: &str, action: &str, refused: &Refused<'_>) -> String {
    let (name, said) = (&bucket.name, refused.said);
    let elsewhere = refused.lies_in.filter(|lies_in| *lies_in != region);
    if refused.http == Some(301) || elsewhere.is_some() || refused.code == "AuthorizationHeaderMalformed" {
        let place = elsewhere.unwrap_or("another Region");
        return format!("the bucket {name} lies in {place}, not in {region}: name a bucket of {region}");
    }
    if refused.code.starts_with("KMS") {
        return format!("the bucket's key refused ({said}): allow kms:GenerateDataKey and kms:Decrypt on it");
    }
    if refused.is_late {
        return "S3 did not answer in time".to_owned();
    }
    let status = status_of(Some(refused.code), said, refused.http);
    match (status, refused.code, refused.http) {
        (Status::Denied, ..) | (_, _, Some(403)) => {
            let on = if action == "s3:ListBucket" { String::new() } else { format!("/{}*", bucket.prefix) };
            format!("{action} is not allowed ({said}): allow it on {ARN}{name}{on}")
        }
        (_, "NoSuchKey", _) => {
            format!("there is no such object in {name}: it has expired, or was never kept")
        }
        (_, "NoSuchBucket", _) | (_, _, Some(404)) => {
            format!("there is no bucket {name}: create it, or correct SRE_AGENT_REPORT_BUCKET")
        }
        (Status::Throttled, ..) | (_, "SlowDown", _) => {
            format!("S3 refused for load after the retries ({said})")
        }
        _ => format!("S3 could not be reached or failed ({said})"),
    }
}

impl Channel for ReportBucket {
    fn name(&self) -> &'static str {
        Bucket::CHANNEL
    }

    fn keeps(&self) -> bool {
        true
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(self.keep(post, deadline))
    }

    fn amend<'a>(
        &'a self,
        post: Post<'a>,
        _receipt: &'a Receipt,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move { self.keep(post, deadline).await.map(drop) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_cause_and_the_fix() {
        let bucket = Bucket { name: "my-reports".into(), prefix: "reports/".into() };
        let said = |code, http, lies_in| {
            let refused = Refused { code, http: Some(http), lies_in, is_late: false, said: "its words" };
            advice_for(&bucket, "us-east-1", "s3:PutObject", &refused)
        };
        assert_eq!(
            said("PermanentRedirect", 301, Some("eu-west-1")),
            "the bucket my-reports lies in eu-west-1, not in us-east-1: name a bucket of us-east-1"
        );
        assert!(said("AuthorizationHeaderMalformed", 400, None).contains("lies in another Region"));
        assert_eq!(
            said("AccessDenied", 403, Some("us-east-1")),
            "s3:PutObject is not allowed (its words): allow it on arn:aws:s3:::my-reports/reports/*"
        );
        assert!(said("NoSuchBucket", 404, None).contains("SRE_AGENT_REPORT_BUCKET"));
        assert!(said("KMS.DisabledException", 400, None).contains("kms:GenerateDataKey"));
        assert!(said("SlowDown", 503, None).contains("for load"));
    }
}
