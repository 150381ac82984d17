//! A report that was kept: as a file, or in the bucket under the id of its run.

use std::io::Read;
use std::path::Path;

use serde_json::Value;
use sre_agent::aws::{self, ReportBucket, SdkConfig};
use sre_agent::clock::Clock;
use sre_agent::config::Config;
use sre_agent::report::FORMAT;
use sre_agent::report::json::Report;

use crate::args::{Shared, Stored};
use crate::failure::Failure;
use crate::wiring::{self, Settings};

/// Most bytes of a report; those that are kept have a few hundred KB.
const LARGEST_REPORT: usize = 32 * 1024 * 1024;

/// Digits of a run's id.
const ID_DIGITS: usize = 6;

/// Returns the report that is named: a file, standard input as `-`, or else the id of a run, as a card's footer has it.
pub(crate) async fn report(named: &str, stored: &Stored, shared: &Shared) -> Result<Report, Failure> {
    if !is_run_id(named) || Path::new(named).exists() {
        return read(&from_file(Path::new(named))?, named);
    }
    let run_id = named.to_ascii_lowercase();
    let sdk = wiring::account(shared).await;
    let config = config(stored, &sdk).await?;
    let Some(bucket) = &config.report_bucket else {
        return Err(Failure::usage(format!("there is no file {named}, and no bucket to find the run in"))
            .hint(
                "Give --bucket NAME, set SRE_AGENT_REPORT_BUCKET, or name a file: sre-agent show report.json",
            ));
    };
    if sdk.region().is_none() {
        return Err(wiring::no_region());
    }
    let reports = ReportBucket::new(&sdk, bucket);
    let now = config.as_of.map_or(Clock::Wall, Clock::Fixed).now();
    let found = reports.find(&run_id, now, stored.days).await.map_err(|reason| {
        Failure::failed(reason)
            .hint("Who asks (add the same --profile and --region): aws sts get-caller-identity")
    })?;
    let place = format!("s3://{}/{}", bucket.name, bucket.prefix);
    let key = found.ok_or_else(|| {
        let plural = if stored.days == 1 { "day" } else { "days" };
        Failure::failed(format!("{place} has no report of run {run_id} of the last {} {plural}", stored.days)).hint(
            format!(
                "Look farther back with --days 400, or in all of it: aws s3 ls {place} --recursive | grep {run_id}\n\
                 Notices (recoveries, linked alarms) are not kept."
            ),
        )
    })?;
    let text = reports.read(&key, LARGEST_REPORT).await.map_err(Failure::failed)?;
    read(&text, &format!("s3://{}/{key}", bucket.name))
}

/// Tells whether a text can be the id of a run, or its beginning.
fn is_run_id(text: &str) -> bool {
    (3..=ID_DIGITS).contains(&text.len()) && text.chars().all(|digit| digit.is_ascii_hexdigit())
}

/// The configuration with the bucket that was typed.
async fn config(stored: &Stored, sdk: &SdkConfig) -> Result<Config, Failure> {
    let mut settings = Settings::of_environment(sdk).await?;
    if let Some(bucket) = &stored.bucket {
        settings.set("SRE_AGENT_REPORT_BUCKET", bucket);
    }
    settings.check(aws::endpoint_override(sdk))
}

fn from_file(path: &Path) -> Result<String, Failure> {
    let unread =
        |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    let mut text = String::new();
    let most = u64::try_from(LARGEST_REPORT).unwrap_or(u64::MAX);
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_string(&mut text).map_err(unread)?;
    } else {
        let file = std::fs::File::open(path).map_err(|error| {
            unread(error).hint("What is named is a file, - for standard input, or the id of a run: 7f3a9c")
        })?;
        file.take(most).read_to_string(&mut text).map_err(unread)?;
    }
    Ok(text)
}

/// Reads a report as it was written, or the first one of what `--json` printed.
fn read(text: &str, place: &str) -> Result<Report, Failure> {
    let no_report = |reason: String| {
        Failure::usage(format!("{place} holds no report: {reason}"))
            .hint("A report is the file report.json of --out, or what --json prints.")
    };
    let mut value: Value = serde_json::from_str(text).map_err(|error| no_report(error.to_string()))?;
    if let Some(report) = value.pointer_mut("/runs/0/report") {
        value = report.take();
    }
    let format = value.get("format").and_then(Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        return Err(no_report(match format {
            Some(format) => format!("it has format {format}, this version reads {FORMAT}"),
            None => "it has no format".into(),
        }));
    }
    serde_json::from_value(value).map_err(|error| no_report(error.to_string()))
}
