//! Logs Insights: the adapter over the wire, a log alarm's own query, the count of lines that were not all read, and the
//! budget of bytes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sre_agent::aws::{AwsTelemetry, local};
use sre_agent::evidence::Status;
use sre_agent::gather::Telemetry;
use sre_agent::gather::telemetry::{LogsAnswer, LogsQuery, TelemetryError};
use sre_agent::incident::Window;
use sre_agent::investigation::depth::Depth;
use sre_agent::run::RunEvent;
use sre_agent::store::day::{self, DaySpent};
use sre_agent_emulator::{Emulator, Options, QueryEnd, Scenario};

use crate::incident_run::{ENOUGH, IncidentRun, alarm_of, project, sns_event};

const ORDERS: &str = "../tests/fixtures/scenarios/log-alarm";
const COUNT: &str = "filter @message like /ERROR|Error/ | stats count(*) as lines by bin(1m)";

fn denied(actions: &[&str]) -> Options {
    Options { denied: actions.iter().map(|action| (*action).to_owned()).collect(), ..Options::default() }
}

fn ending(queries: QueryEnd) -> Options {
    Options { queries, ..Options::default() }
}

fn query(text: &str) -> LogsQuery {
    let at = |text: &str| text.parse().unwrap();
    let window = Window { start: at("2026-11-24T03:00:00Z"), end: at("2026-11-24T03:05:30Z") };
    LogsQuery { groups: vec!["/shop/orders".to_owned()], query: text.to_owned(), window, limit: 100 }
}

async fn start(options: Options) -> (Emulator, AwsTelemetry) {
    let emulator =
        Emulator::start(Scenario::load(&project().join("scenarios").join(ORDERS)).unwrap(), options)
            .await
            .unwrap();
    let telemetry = AwsTelemetry::new(&local(&emulator.endpoint(), "us-east-1"));
    (emulator, telemetry)
}

async fn ask(options: Options, text: &str) -> (Emulator, Result<LogsAnswer, TelemetryError>) {
    let (emulator, telemetry) = start(options).await;
    let answer = telemetry.query_logs(&query(text)).await;
    (emulator, answer)
}

fn bodies(emulator: &Emulator, action: &str) -> Vec<Value> {
    let asked = emulator.requests().into_iter().filter(|request| request.action == action);
    asked.map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

/// Waits until the emulator was told to stop a query; what is dropped stops it a moment later.
async fn stopped(emulator: &Emulator) {
    for _ in 0..500 {
        if !bodies(emulator, "StopQuery").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no StopQuery");
}

#[tokio::test]
async fn a_query_is_followed_to_its_end_and_tells_what_it_scanned() {
    let (emulator, answer) = ask(Options::default(), COUNT).await;
    let answer = answer.unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(answer.rows[0], [field("bin(1m)", "2026-11-24 03:02:00.000"), field("lines", "12")]);
    assert_eq!((answer.rows.len(), answer.records_matched, answer.complete), (4, 41, true));
    assert!(answer.bytes_scanned > 41 * 60, "{answer:?}");
    let asked = &bodies(&emulator, "StartQuery")[0];
    // Seconds, where FilterLogEvents takes milliseconds.
    assert_eq!((&asked["startTime"], &asked["endTime"]), (&json!(1_795_489_200), &json!(1_795_489_530)));
    assert_eq!((&asked["limit"], &asked["logGroupNames"]), (&json!(100), &json!(["/shop/orders"])));
    assert_eq!(bodies(&emulator, "GetQueryResults").len(), 3);
    assert_eq!((bodies(&emulator, "StopQuery").len(), emulator.unsupported().len()), (0, 0));
    let mut few = query("fields @message");
    few.limit = 3;
    let telemetry = AwsTelemetry::new(&local(&emulator.endpoint(), "us-east-1"));
    let cut = telemetry.query_logs(&few).await.unwrap();
    assert_eq!((cut.rows.len(), cut.rows[0].len(), cut.complete), (3, 1, false));
}

#[tokio::test]
async fn a_query_that_fails_says_how_and_what_the_caller_lacks_is_named() {
    let cases = [
        (ending(QueryEnd::Failed), COUNT, Status::Failed, "logs:GetQueryResults", "ended as failed"),
        (ending(QueryEnd::Timeout), COUNT, Status::TimedOut, "logs:GetQueryResults", "took too long"),
        (denied(&["logs:StartQuery"]), COUNT, Status::Denied, "logs:StartQuery", "not authorized"),
        (denied(&["logs:GetQueryResults"]), COUNT, Status::Denied, "logs:GetQueryResults", "not authorized"),
        (Options::default(), "select *", Status::Failed, "logs:StartQuery", "MalformedQueryException"),
    ];
    for (options, text, status, operation, words) in cases {
        let (emulator, answer) = ask(options, text).await;
        let error = answer.unwrap_err();
        assert_eq!((error.status, error.operation), (status, operation), "{error}");
        assert!(error.reason.contains(words), "{error}");
        // What ended by itself needs no end; what cannot be looked at is not left running.
        let is_left = error.status == Status::Denied && operation == "logs:GetQueryResults";
        assert_eq!(bodies(&emulator, "StopQuery").len(), usize::from(is_left), "{error}");
    }
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_any_more_is_stopped() {
    let (emulator, telemetry) = start(ending(QueryEnd::Never)).await;
    let asked = query(COUNT);
    let waiting = telemetry.query_logs(&asked);
    let begun = async {
        while bodies(&emulator, "GetQueryResults").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        answer = waiting => panic!("{answer:?}"),
        () = begun => {}
    }
    stopped(&emulator).await;
}

/// Serves the log alarm; `document` is the configuration.
async fn run(options: Options, document: &str) -> IncidentRun {
    of(ORDERS, options, document).await
}

async fn of(scenario: &str, options: Options, document: &str) -> IncidentRun {
    let document = format!("format = 1\n{document}");
    let mut run = IncidentRun::configured(scenario, options, |_| document).await;
    run.services.config.depth = Some(Depth::Facts);
    run
}

#[tokio::test]
async fn a_log_alarms_own_query_is_run_again_and_the_card_says_what_it_counts() {
    let run = run(Options::default(), "").await;
    let seen = run.report().await;
    let words = seen.words();
    assert!(words.contains("The alarm's own query: 41 lines matched: \"count(*): 41\""), "{words}");
    let asked = &bodies(&run.emulator, "StartQuery")[0]["queryString"];
    assert_eq!(asked, "fields @message | filter @message like /ERROR order/\n| stats count(*)");
    let evidence = seen.json["data"]["evidence"].as_array().unwrap();
    let own =
        evidence.iter().find(|item| item["title"] == "the alarm's own query: 41 lines matched").unwrap();
    assert!(own["excerpt"].as_str().unwrap().contains("count(*): 41"), "{own}");
    assert!(own["command"].as_str().unwrap().starts_with("aws logs start-query "), "{own}");
    let scanned = &seen.json["data"]["insights"];
    assert_eq!((&scanned["queries"], &scanned["tripped"]), (&json!(1), &Value::Null));
    let bytes = scanned["bytes"].as_u64().unwrap();
    assert!(bytes > 0 && scanned["cost_usd"].as_f64().unwrap() > 0.0, "{scanned}");
    assert!(seen.everything().contains("Logs Insights: 1 query scanned"));
    let finished = |event: &RunEvent| match event {
        RunEvent::Finished { insights_bytes, tripped, .. } => Some((*insights_bytes, tripped.clone())),
        _ => None,
    };
    assert_eq!(run.events().iter().find_map(finished), Some((bytes, Vec::new())));
}

#[tokio::test]
async fn rows_that_are_log_lines_are_redacted_and_withheld_where_the_reader_may_not_see_them() {
    let mut alarm = alarm_of(ORDERS);
    alarm["Trigger"]["ScheduledQueryConfiguration"]["AggregationExpression"] = Value::Null;
    let event = sns_event(&[alarm]);
    let shown = run(Options::default(), "").await.report_of(&event, ENOUGH).await;
    assert!(shown.words().contains("the first of 41 rows: \"@message: ERROR order 4"), "{}", shown.card);
    assert!(!shown.everything().contains("correct-horse"));
    let withheld = run(Options::default(), "[report]\nlog_quotes = \"none\"").await;
    let withheld = withheld.report_of(&event, ENOUGH).await;
    let slack = withheld.slack.to_string();
    assert!(slack.contains("41 lines matched") && slack.contains("log text withheld"), "{slack}");
    assert!(
        !slack.contains("refused: stock") && shown.slack.to_string().contains("refused: stock"),
        "{slack}"
    );
}

#[tokio::test]
async fn a_query_that_could_scan_more_than_it_says_is_not_run() {
    let mut alarm = alarm_of(ORDERS);
    alarm["Trigger"]["ScheduledQueryConfiguration"]["QueryString"] =
        json!("SOURCE logGroups() | fields @message");
    let run = run(Options::default(), "").await;
    let seen = run.report_of(&sns_event(&[alarm]), ENOUGH).await;
    assert!(seen.words().contains("not run, as the query names log groups itself"), "{}", seen.card);
    // Neither the metric nor the group's size can be read.
    let unknown = denied(&["cloudwatch:GetMetricData", "logs:DescribeLogGroups"]);
    let unknown = self::run(unknown, "").await;
    let seen = unknown.report().await;
    assert!(seen.words().contains("not run, as nothing tells how much it would scan"), "{}", seen.card);
    assert!(
        bodies(&run.emulator, "StartQuery").is_empty() && bodies(&unknown.emulator, "StartQuery").is_empty()
    );
}

#[tokio::test]
async fn what_would_exceed_the_runs_limit_is_not_run_and_the_limit_is_named() {
    let run = run(Options::default(), "[budget]\nmax_insights_bytes = 100_000_000").await;
    let seen = run.report().await;
    // Two megabytes a minute, by the metric.
    let told = "the alarm's own query (Logs Insights: about 130 MB, over the run's limit of 100 MB \
                (budget.max_insights_bytes))";
    assert!(seen.words().contains(told), "{}", seen.card);
    assert_eq!(seen.json["data"]["insights"]["tripped"], "run");
    assert!(seen.json["data"]["not_checked"].to_string().contains("\"not_run\""));
    assert!(bodies(&run.emulator, "StartQuery").is_empty());
    let tripped = |event: &RunEvent| match event {
        RunEvent::Finished { tripped, .. } => Some(tripped.clone()),
        _ => None,
    };
    assert_eq!(run.events().iter().find_map(tripped), Some(vec!["insights_bytes".to_owned()]));
}

#[tokio::test]
async fn without_the_metric_all_that_a_group_holds_is_the_bound() {
    let run = run(denied(&["cloudwatch:GetMetricData"]), "[budget]\nmax_insights_bytes = 1000").await;
    let seen = run.report().await;
    assert!(
        seen.words().contains("over the run's limit of 1 KB (budget.max_insights_bytes)"),
        "{}",
        seen.card
    );
}

#[tokio::test]
async fn the_days_bytes_are_counted_over_runs_and_end_the_queries() {
    let run = run(Options::default(), "[budget]\nmax_insights_bytes_per_day = 1_000_000_000").await;
    let (store, day) = (run.services.store.clone(), jiff::civil::date(2026, 11, 24));
    let spent = async |insights_bytes| {
        let more = DaySpent { insights_bytes, ..DaySpent::default() };
        day::spend(store.as_ref(), day, more).await.unwrap().insights_bytes
    };
    let seen = run.report().await;
    let bytes = seen.json["data"]["insights"]["bytes"].as_u64().unwrap();
    assert_eq!(spent(0).await, bytes);
    spent(900_000_000).await;
    let mut later = alarm_of(ORDERS);
    later["AlarmName"] = json!("orders-refused-too");
    later["AlarmArn"] = json!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-refused-too");
    later["Trigger"]["ScheduledQueryConfiguration"]["LogGroupIdentifiers"] =
        json!(["/shop/orders", "/shop/none"]);
    let seen = run.report_of(&sns_event(&[later]), ENOUGH).await;
    assert!(
        seen.words().contains("what is left of the day's limit of 1 GB (budget.max_insights_bytes_per_day)"),
        "{}",
        seen.card
    );
    assert_eq!(seen.json["data"]["insights"]["tripped"], "day");
    assert_eq!(bodies(&run.emulator, "StartQuery").len(), 1);
}

#[tokio::test]
async fn a_query_that_outlasts_the_reading_is_a_gap_and_counts_by_its_estimate() {
    let mut run = run(ending(QueryEnd::Never), "").await;
    run.services.config.gather_time = Duration::from_secs(1);
    let seen = run.report().await;
    assert!(seen.words().contains("the alarm's own query (timed out)"), "{}", seen.card);
    assert_eq!(seen.json["data"]["insights"]["bytes"], 130_000_000);
    stopped(&run.emulator).await;
}

/// Writes the scenario with more lines of trouble than are read; returns its folder.
fn busy(name: &str) -> PathBuf {
    let (from, to) =
        (project().join("scenarios").join(ORDERS), Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    std::fs::create_dir_all(to.join("logs")).unwrap();
    for file in ["scenario.toml", "alarm.json", "alarms.json", "changes.json", "metrics.jsonl"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let line = |number: u32| {
        let (seconds, millis) = (number / 50, number % 50 * 20);
        let time = format!("2026-11-24T03:{:02}:{:02}.{millis:03}Z", 2 + seconds / 60, seconds % 60);
        let message = format!("ERROR order {number} refused");
        json!({"group": "/shop/orders", "stream": "orders/1", "time": time, "message": message}).to_string()
            + "\n"
    };
    std::fs::write(to.join("logs/orders.jsonl"), (0..10_150).map(line).collect::<String>()).unwrap();
    to
}

#[tokio::test]
async fn where_not_all_lines_were_read_they_are_counted_and_no_count_is_a_lower_bound() {
    let folder = busy("busy-counted");
    let counted = of(folder.to_str().unwrap(), Options::default(), "").await;
    let seen = counted.report().await;
    let words = seen.words();
    assert!(words.contains("10000 of 10000 lines read, of 10150 in all"), "{words}");
    assert!(!seen.everything().contains("at least"), "{words}");
    assert!(seen.everything().contains("10150 lines, 10000 of them read"));
    let asked = bodies(&counted.emulator, "StartQuery");
    let asked: Vec<&str> = asked.iter().filter_map(|body| body["queryString"].as_str()).collect();
    assert!(asked.contains(
        &"filter @message like /ERROR|Error|error|WARN|Warn|Exception|exception|FATAL|Fatal|fatal|panic|Timeout|timeout|denied|refused/ \
          | stats count(*) as lines by bin(1m)"
    ));
    let folder = busy("busy-denied");
    let denied = of(folder.to_str().unwrap(), denied(&["logs:StartQuery"]), "").await;
    let seen = denied.report().await;
    assert!(seen.words().contains("at least 10000 lines"), "{}", seen.card);
    assert!(
        seen.words().contains("number of lines of /shop/orders (access denied: logs:StartQuery)"),
        "{}",
        seen.card
    );
}
