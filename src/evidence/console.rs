//! How a person sees the same data: console deep links and read-only AWS CLI lines.
//!
//! Every value is encoded or quoted here; nothing that came from outside can change where a link leads or what a line does.

use std::fmt::Write as _;

use crate::alarm::Place;
use crate::evidence::{MetricId, Query, Statistic};
use crate::incident::Window;

/// Domains of the console, by partition; the Region stands before them.
const DOMAINS: [&str; 3] = ["console.aws.amazon.com", "console.amazonaws.cn", "console.amazonaws-us-gov.com"];

/// Tells whether an address leads into the console.
pub fn is_console(url: &str) -> bool {
    let host =
        url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let of = |domain: &&str| {
        host.strip_suffix(*domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    DOMAINS.iter().any(of)
}

/// Returns the console's base address for the partition and Region.
fn base(place: &Place) -> String {
    let domain = match place.partition.as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{}.{domain}", encode(&place.region))
}

/// Percent-encodes everything but unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The console encodes a fragment's values twice and writes `$` for `%`.
fn fragment(text: &str) -> String {
    encode(&encode(text)).replace('%', "$")
}

/// Quotes a value for a shell.
pub fn quote(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@=,+".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Returns the alarm's page.
pub fn alarm(place: &Place, name: &str) -> String {
    format!(
        "{}/cloudwatch/home?region={}#alarmsV2:alarm/{}",
        base(place),
        encode(&place.region),
        encode(name)
    )
}

/// Returns the log group's page.
pub fn log_group(place: &Place, group: &str) -> String {
    format!(
        "{}/cloudwatch/home?region={}#logsV2:log-groups/log-group/{}",
        base(place),
        encode(&place.region),
        fragment(group)
    )
}

/// Returns the page of an object in S3, from which whoever may read it opens it. No address that is signed in advance:
/// it would let every reader of a channel read the object.
pub fn object(place: &Place, bucket: &str, key: &str) -> String {
    let region = encode(&place.region);
    format!(
        "{}/s3/object/{}?region={region}&bucketType=general&prefix={}",
        base(place),
        encode(bucket),
        encode(key)
    )
}

/// Returns the function's page.
pub fn function(place: &Place, name: &str) -> String {
    format!("{}/lambda/home?region={}#/functions/{}", base(place), encode(&place.region), encode(name))
}

/// Returns how to see a metric again.
pub fn metric_query(
    place: &Place,
    metric: &MetricId,
    statistic: &Statistic,
    window: Window,
    period: i64,
) -> Query {
    let mut cli = format!(
        "aws cloudwatch get-metric-statistics --region {} --namespace {} --metric-name {}",
        quote(&place.region),
        quote(&metric.namespace),
        quote(&metric.name)
    );
    if !metric.dimensions.is_empty() {
        cli.push_str(" --dimensions");
        for (name, value) in &metric.dimensions {
            let _ = write!(cli, " {}", quote(&format!("Name={name},Value={value}")));
        }
    }
    let option = if statistic.as_str().starts_with('p') { "--extended-statistics" } else { "--statistics" };
    let _ = write!(
        cli,
        " --start-time {} --end-time {} --period {period} {option} {}",
        window.start,
        window.end,
        quote(statistic.as_str())
    );
    let graph = format!(
        "{}/cloudwatch/home?region={}#metricsV2:query={}",
        base(place),
        encode(&place.region),
        fragment(&format!("{{{}}} MetricName=\"{}\"", metric.namespace, metric.name))
    );
    Query { cli, console: Some(graph) }
}

/// Returns how to read the log lines again.
pub fn log_query(place: &Place, group: &str, pattern: &str, window: Window) -> Query {
    let mut cli = format!(
        "aws logs filter-log-events --region {} --log-group-name {} --start-time {} --end-time {}",
        quote(&place.region),
        quote(group),
        window.start.as_millisecond(),
        window.end.as_millisecond()
    );
    if !pattern.is_empty() {
        let _ = write!(cli, " --filter-pattern {}", quote(pattern));
    }
    Query { cli, console: Some(log_group(place, group)) }
}

/// Returns how to run a query of Logs Insights again; it costs by the bytes that it scans.
pub fn insights_query(place: &Place, groups: &[String], query: &str, window: Window) -> Query {
    let names: Vec<String> = groups.iter().map(|group| quote(group)).collect();
    let cli = format!(
        "aws logs start-query --region {} --log-group-names {} --start-time {} --end-time {} --query-string {}",
        quote(&place.region),
        names.join(" "),
        window.start.as_second(),
        window.end.as_second(),
        quote(query)
    );
    Query { cli, console: groups.first().map(|group| log_group(place, group)) }
}

/// Returns how to list a function's versions again.
pub fn function_query(place: &Place, name: &str) -> Query {
    Query {
        cli: format!(
            "aws lambda list-versions-by-function --region {} --function-name {}",
            quote(&place.region),
            quote(name)
        ),
        console: Some(function(place, name)),
    }
}

/// Returns how to see the alarm again.
pub fn alarm_query(place: &Place, name: &str) -> Query {
    Query {
        cli: format!(
            "aws cloudwatch describe-alarms --region {} --alarm-names {}",
            quote(&place.region),
            quote(name)
        ),
        console: Some(alarm(place, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: &str) -> Place {
        Place { partition: partition.into(), region: "us-east-1".into(), account: "123456789012".into() }
    }

    #[test]
    fn links_follow_the_consoles_own_encoding() {
        assert_eq!(
            log_group(&place("aws"), "/aws/lambda/invoice-render"),
            "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Faws$252Flambda$252Finvoice-render"
        );
        assert!(alarm(&place("aws-us-gov"), "a b").contains("console.amazonaws-us-gov.com"));
        assert_eq!(
            object(&place("aws"), "my-reports", "reports/2026/11/24/7f3a9c.html"),
            "https://us-east-1.console.aws.amazon.com/s3/object/my-reports?region=us-east-1&bucketType=general&prefix=reports%2F2026%2F11%2F24%2F7f3a9c.html"
        );
        assert!(alarm(&place("aws"), "a b|c>").ends_with("alarm/a%20b%7Cc%3E"));
    }

    #[test]
    fn a_hostile_name_stays_one_shell_word() {
        assert_eq!(quote("a'; rm -rf /; '"), r"'a'\''; rm -rf /; '\'''");
        assert_eq!(quote("plain-name"), "plain-name");
    }
}
