//! Kept reports: `show` by run id, `ask` from what was kept, and what is said where there is nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use sre_agent_emulator::{Emulator, Options, Scenario};

use crate::program::{assert_code, assert_no_secret, project, run, sre_agent, stderr, stdout};

const BUCKET: &str = "my-reports";

/// The scenario's own recorded question.
const QUESTION: &str = "Since when does invoice-render fail, and what changed before?";

/// A local AWS with a bucket, and the program beside it.
struct Account {
    emulator: Emulator,
    runtime: tokio::runtime::Runtime,
}

impl Account {
    fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let scenario = Scenario::load(&project().join("scenarios/lambda-bad-deploy")).unwrap();
        let emulator = runtime.block_on(Emulator::start(scenario, options)).unwrap();
        Account { emulator, runtime }
    }

    /// Runs a command against it, as a person does against an account.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let _guard = self.runtime.enter();
        sre_agent(arguments)
            .env("AWS_ENDPOINT_URL", self.emulator.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("SRE_AGENT_AS_OF", self.emulator.scenario().as_of().to_string())
            .env("SRE_AGENT_SEED", self.emulator.scenario().seed().to_string())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// Investigates and keeps the report; returns the run's id.
    fn kept(&self) -> String {
        let topic = "arn:aws:sns:us-east-1:123456789012:findings";
        let arguments =
            ["investigate", "invoice-render-errors", "--post", "--depth", "facts", "-q", "--json"];
        let variables = [("SRE_AGENT_REPORT_BUCKET", BUCKET), ("SRE_AGENT_FINDINGS_TOPIC_ARN", topic)];
        let output = self.run(&arguments, &variables);
        assert_code(&output, 0);
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(self.emulator.objects().len(), 2);
        printed["runs"][0]["run_id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_run_is_found_in_the_bucket_by_its_id_and_printed_in_every_format() {
    let account = Account::start(Options::default());
    let run_id = account.kept();
    let kept: Value = serde_json::from_str(&account.emulator.objects()[1].body).unwrap();
    let shown = account.run(&["show", &run_id, "--bucket", BUCKET, "--format", "json"], &[]);
    assert_code(&shown, 0);
    assert_eq!(serde_json::from_str::<Value>(&stdout(&shown)).unwrap(), kept);
    assert_no_secret(&stdout(&shown), "the kept report");
    for (format, words) in [
        ("card", "FACTS ONLY"),
        ("plain", "Evidence, and how to see it again"),
        ("markdown", "## "),
        ("html", "<!DOCTYPE html>"),
    ] {
        // By the variable as well, and by the beginning of the id.
        let variables = [("SRE_AGENT_REPORT_BUCKET", BUCKET)];
        let shown = account.run(&["show", &run_id[..4].to_uppercase(), "--format", format], &variables);
        assert_code(&shown, 0);
        assert!(stdout(&shown).contains(words), "{format}: {}", stdout(&shown));
    }
    assert_eq!(account.emulator.unsupported(), Vec::<String>::new());
}

#[test]
fn a_run_that_cannot_be_found_or_read_says_what_to_do_next() {
    let account = Account::start(Options::default());
    let ask = |arguments: &[&str]| {
        let output = account.run(arguments, &[]);
        (output.status.code().unwrap(), stderr(&output))
    };
    let (code, said) = ask(&["show", "7f3a9c"]);
    assert_eq!(code, 2);
    assert!(said.contains("no bucket to find the run in") && said.contains("Give --bucket NAME"), "{said}");
    let (code, said) = ask(&["show", "7f3a9c", "--bucket", BUCKET, "--days", "3"]);
    assert_eq!(code, 1);
    assert!(
        said.contains("s3://my-reports/reports/ has no report of run 7f3a9c of the last 3 days"),
        "{said}"
    );
    assert!(said.contains("aws s3 ls s3://my-reports/reports/ --recursive | grep 7f3a9c"), "{said}");
    assert_eq!(account.emulator.requests().len(), 3, "one question a day");
    let (code, said) = ask(&["show", "7f3a9c", "--bucket", "S3://x"]);
    assert_eq!(code, 2);
    assert!(said.contains("is not a bucket's name"), "{said}");
    let (code, said) = ask(&["show", "no-such-file.json"]);
    assert_eq!(code, 2);
    assert!(said.contains("or the id of a run: 7f3a9c"), "{said}");
    for (options, words) in [
        (
            Options { denied: vec!["s3:ListBucket".into()], ..Options::default() },
            "s3:ListBucket is not allowed",
        ),
        (
            Options {
                buckets: BTreeMap::from([(BUCKET.to_owned(), "eu-west-1".to_owned())]),
                ..Options::default()
            },
            "lies in eu-west-1, not in us-east-1",
        ),
    ] {
        let account = Account::start(options);
        let output = account.run(&["show", "7f3a9c", "--bucket", BUCKET], &[]);
        assert_code(&output, 1);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

/// Runs the scenario without a model and returns where its report lies.
fn facts(folder: &Path) -> String {
    let output = run(&["demo", "--depth", "facts", "-q", "--out", folder.to_str().unwrap()]);
    assert_code(&output, 0);
    folder.join("report.json").to_str().unwrap().to_owned()
}

#[test]
fn a_question_is_answered_from_what_was_kept_word_for_word_as_from_the_account() {
    let folder = tempfile::tempdir().unwrap();
    let report = facts(folder.path());
    let options = ["--scenario", "lambda-bad-deploy", "-q", "--json"];
    let answered = run(&[&["ask", "--run", &report, QUESTION], &options[..]].concat());
    assert_code(&answered, 0);
    let printed: Value = serde_json::from_str(&stdout(&answered)).unwrap();
    let data = &printed["runs"][0]["report"]["data"];
    assert_eq!((&data["outcome"], &data["question"]), (&"answered".into(), &QUESTION.into()));
    // The recorded answer was made for what an account shows: the model is asked the very same.
    assert_eq!(data["spent"]["stale"], 0, "what is kept differs from what was read");
    assert_eq!(data["counts"]["held"], data["counts"]["checked"]);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(data["from_run"], kept["run_id"]);
    assert_eq!(data["evidence"], kept["data"]["evidence"]);
    let card = run(&["ask", "--run", &report, QUESTION, "--scenario", "lambda-bad-deploy", "-q"]);
    let text = stdout(&card).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("ANSWER") && text.contains("nothing was read since."), "{text}");
    // Another question has no recorded answer, and none is made up.
    let other = run(&["ask", "--run", &report, "Is it slow?", "--scenario", "lambda-bad-deploy", "-q"]);
    assert_code(&other, 3);
    assert!(stdout(&other).contains("FACTS ONLY"), "{}", stdout(&other));
}

#[test]
fn to_answer_reads_nothing_of_the_account_but_the_report() {
    let account = Account::start(Options::default());
    let run_id = account.kept();
    let before = account.emulator.requests().len();
    let output = account.run(
        &["ask", "--run", &run_id, QUESTION, "--bucket", BUCKET, "--depth", "brief", "-q", "--json"],
        &[],
    );
    assert_code(&output, 0);
    let asked: Vec<String> = account.emulator.requests()[before..]
        .iter()
        .map(|request| format!("{}:{}", request.service, request.action))
        .collect();
    let allowed = ["s3:ListObjectsV2", "s3:GetObject", "servicequotas:ListServiceQuotas", "bedrock:Converse"];
    let control_plane = |asked: &str| asked.starts_with("bedrock:") || asked.starts_with("servicequotas:");
    assert!(asked.iter().all(|asked| allowed.contains(&asked.as_str()) || control_plane(asked)), "{asked:?}");
    assert!(asked.contains(&"bedrock:Converse".to_owned()), "{asked:?}");
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(printed["runs"][0]["outcome"], "answered");
}

#[test]
fn a_report_without_its_evidence_cannot_be_asked_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let report = facts(folder.path());
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    for (change, words) in [
        (Value::Null, "holds no evidence to answer from"),
        (serde_json::json!({"format": 1}), "in another form than this version reads"),
    ] {
        let mut changed = whole.clone();
        changed["kept"] = change;
        std::fs::write(&report, changed.to_string()).unwrap();
        let output = run(&["ask", "--run", &report, "why?", "--scenario", "lambda-bad-deploy"]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(stderr(&output).contains("sre-agent --prompt"), "{}", stderr(&output));
    }
}
