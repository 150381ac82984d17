//! Every channel beside Slack and SNS, the rules that choose among them, and what is said of one that fails.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sre_agent::aws;
use sre_agent::config::{Config, Layers};
use sre_agent::investigation::depth::Depth;
use sre_agent::run::{RunEvent, Stage};
use sre_agent_emulator::{BedrockOptions, Fault, FaultKind, Options, SlackOptions};

use crate::incident_run::{
    BAD_DEPLOY, ENOUGH, IncidentRun, Seen, TOPIC, alarm_of, answering, in_one_line, recovered_at, sns_event,
};
use crate::script::careful;

const CHECKOUT: &str = "../tests/fixtures/scenarios/custom-namespace";
const BUCKET: &str = "my-reports";
/// The webhook of the emulator's Slack.
const WEBHOOK: &str = "{endpoint}/services/T00000000/B00000000/XXXX";
pub(crate) const AMAZON_Q: &str = "arn:aws:sns:us-east-1:123456789012:chat";

/// A run whose channels are those of the document: `{endpoint}` stands for the emulator.
pub(crate) async fn with(scenario: &str, document: &str, options: Options) -> IncidentRun {
    let document = format!("format = 1\n{document}");
    let mut run =
        IncidentRun::configured(scenario, options, |endpoint| document.replace("{endpoint}", endpoint)).await;
    let sdk = aws::local(&run.emulator.endpoint(), "us-east-1");
    run.services.channels = aws::channels(&sdk, run.services.config.destinations());
    run
}

async fn told(document: &str, options: Options) -> (IncidentRun, Seen) {
    let run = with(BAD_DEPLOY, document, options).await;
    let seen = run.report().await;
    (run, seen)
}

fn everywhere() -> String {
    format!(
        "[slack]\nwebhook = \"{WEBHOOK}\"\n[sns]\ntopic_arn = \"{TOPIC}\"\n\
         [amazon_q]\ntopic_arn = \"{AMAZON_Q}\"\n[s3]\nbucket = \"{BUCKET}\"\n"
    )
}

pub(crate) fn bot() -> String {
    everywhere().replace(
        &format!("webhook = \"{WEBHOOK}\""),
        "token = \"xoxb-emulator\"\nchannel = \"C0123456789\"\nbase_url = \"{endpoint}\"",
    )
}

/// As it is read again: the last digit of a number may differ.
fn reread(report: &Value) -> Value {
    serde_json::from_str(&report.to_string()).unwrap()
}

/// What was published to one topic.
pub(crate) fn published(run: &IncidentRun, topic: &str) -> Vec<Value> {
    let messages = run.emulator.published().into_iter().filter(|message| message.topic_arn == topic);
    messages.map(|message| serde_json::from_str(&message.message).unwrap()).collect()
}

#[tokio::test]
async fn a_report_is_kept_in_the_bucket_and_every_card_leads_to_it() {
    let (run, seen) = told(&everywhere(), answering(careful)).await;
    assert_eq!(seen.undelivered, Vec::<String>::new());
    let objects = run.emulator.objects();
    let run_id = &seen.document.run_id;
    let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["html", "json"].map(|kind| format!("reports/2026/11/24/{run_id}.{kind}")));
    let kinds: Vec<&str> = objects.iter().map(|object| object.content_type.as_str()).collect();
    assert_eq!(kinds, ["text/html; charset=utf-8", "application/json"]);
    assert!(objects[0].body.starts_with("<!DOCTYPE html>"), "{}", &objects[0].body[..80]);
    let kept: Value = serde_json::from_str(&objects[1].body).unwrap();
    assert!(kept == reread(&seen.json), "what is kept is the report");
    let page = format!(
        "https://us-east-1.console.aws.amazon.com/s3/object/{BUCKET}?region=us-east-1&bucketType=general&\
         prefix=reports%2F2026%2F11%2F24%2F{run_id}.html"
    );
    assert!(
        seen.slack.to_string().contains(&format!("{}|Full report>", page.replace('&', "&amp;"))),
        "{}",
        seen.slack
    );
    assert!(seen.email.contains(&format!("Full report: {page}")), "{}", seen.email);
    assert!(objects[0].body.contains(&page.replace('&', "&amp;")));
    let chat = &published(&run, AMAZON_Q)[0];
    assert!(
        chat["content"]["description"].as_str().unwrap().contains(&format!("Full report: {page}")),
        "{chat}"
    );
    // Nothing that is signed in advance is in any message: every reader of the channel could use it.
    assert!(!seen.everything().contains("X-Amz-Signature"));
    // What the test scenario planted is in no object.
    for object in &objects {
        assert!(!object.body.contains("hunter2"), "{}", object.key);
    }
}

#[tokio::test]
async fn the_link_to_the_report_goes_through_the_portal_and_without_a_bucket_there_is_none() {
    let portal = "https://example.awsapps.com/start/#/console?account_id={account}&destination={destination}";
    let mut run = with(BAD_DEPLOY, &everywhere(), answering(careful)).await;
    let document = format!("format = 1\n[report]\nconsole_link = \"{portal}\"");
    let layers = Layers { document: Some(("test", &document)), ..Layers::default() };
    run.services.config.readers = Config::load(&layers).unwrap().readers;
    let seen = run.report().await;
    let begins = "Full report: https://example.awsapps.com/start/#/console?account_id=123456789012&destination=https%3A%2F%2Fus-east-1.console.aws.amazon.com%2Fs3%2Fobject%2Fmy-reports";
    assert!(seen.email.contains(begins), "{}", seen.email);
    let without = everywhere().replace(&format!("[s3]\nbucket = \"{BUCKET}\"\n"), "");
    let (run, seen) = told(&without, answering(careful)).await;
    assert!(!seen.everything().contains("Full report:") && !seen.slack.to_string().contains("|Full report>"));
    assert!(run.emulator.objects().is_empty());
}

#[tokio::test]
async fn a_bucket_that_takes_nothing_costs_the_link_and_is_named_with_its_fix() {
    let elsewhere = |region: &str| BTreeMap::from([(BUCKET.to_owned(), region.to_owned())]);
    let denied = Options { denied: vec!["s3:PutObject".into()], ..answering(careful) };
    let hanging = Fault { action: "s3:PutObject".into(), kind: FaultKind::Hang, times: None };
    for (options, words) in [
        (
            Options { buckets: elsewhere("eu-west-1"), ..answering(careful) },
            "the bucket my-reports lies in eu-west-1, not in us-east-1: name a bucket of us-east-1",
        ),
        (
            Options { buckets: elsewhere(""), ..answering(careful) },
            "there is no bucket my-reports: create it",
        ),
        (denied, "allow it on arn:aws:s3:::my-reports/reports/*"),
        (Options { faults: vec![hanging], ..answering(careful) }, "S3 did not answer in time"),
    ] {
        let (run, seen) = told(&everywhere(), options).await;
        let [reason] = seen.undelivered.as_slice() else { panic!("{:?}", seen.undelivered) };
        assert!(reason.starts_with("s3: ") && reason.contains(words), "{reason}");
        for text in [&seen.email, &seen.slack.to_string()] {
            assert!(!text.contains("Full report:") && !text.contains("|Full report>"), "{text}");
            assert!(in_one_line(text).contains("Full report not kept: "), "{text}");
        }
        assert_eq!(run.emulator.published().len(), 2);
        assert_eq!(run.emulator.slack_messages().len(), 1);
    }
}

#[tokio::test]
async fn a_report_that_is_only_kept_has_reached_nobody() {
    let options = Options {
        slack: SlackOptions { always: Some((403, "invalid_token".to_owned())), ..SlackOptions::default() },
        denied: vec!["sns:Publish".into()],
        ..answering(careful)
    };
    let run = with(BAD_DEPLOY, &everywhere(), options).await;
    let error = run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap_err().to_string();
    assert!(
        error.contains("no channel took the report of invoice-render-errors: slack webhook: "),
        "{error}"
    );
    assert!(error.contains("sns: ") && error.contains("amazon q: "), "{error}");
    assert_eq!(run.emulator.objects().len(), 2, "kept all the same");
}

#[tokio::test]
async fn amazon_q_is_told_in_one_thread_from_the_report_to_the_recovery() {
    let (run, seen) = told(&everywhere(), answering(careful)).await;
    let recovered = recovered_at("03:17:22");
    run.handle(&sns_event(&[recovered]), ENOUGH).await.unwrap();
    let told = published(&run, AMAZON_Q);
    let [report, recovery] = told.as_slice() else { panic!("{told:?}") };
    let thread = seen.json["data"]["incident"]["id"].as_str().unwrap();
    assert_eq!(
        (&report["metadata"]["threadId"], &recovery["metadata"]["threadId"]),
        (&json!(thread), &json!(thread))
    );
    assert_eq!((&report["version"], &report["source"]), (&json!("1.0"), &json!("custom")));
    assert_eq!(report["metadata"]["eventType"], "cause_shown");
    assert_eq!(report["content"]["title"], seen.document.push);
    assert_eq!(
        report["metadata"]["relatedResources"][0],
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:invoice-render-errors"
    );
    assert_eq!(report["metadata"]["additionalContext"]["runId"], seen.document.run_id);
    let description = report["content"]["description"].as_str().unwrap();
    assert!(
        in_one_line(description).contains("CAUSE SHOWN") && description.contains("43 of 118"),
        "{description}"
    );
    let next = report["content"]["nextSteps"][0].as_str().unwrap();
    assert!(next.starts_with("Look (safe)"), "{next}");
    assert!(!description.contains(next), "a step stands once");
    assert!(recovery["content"]["title"].as_str().unwrap().contains("recovered"), "{recovery}");
}

#[tokio::test]
async fn while_the_model_is_slow_amazon_q_has_the_facts_first_and_the_conclusion_in_their_thread() {
    let options = answering(careful);
    let bedrock = BedrockOptions { latency: Duration::from_secs(2), ..options.bedrock };
    let mut run = with(BAD_DEPLOY, &everywhere(), Options { bedrock, ..options }).await;
    run.services.config.depth = Some(Depth::Full);
    run.services.config.facts_time = Duration::from_secs(5);
    assert_eq!(run.report().await.outcome, "cause_shown");
    let told = published(&run, AMAZON_Q);
    let [facts, conclusion] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(facts["metadata"]["threadId"], conclusion["metadata"]["threadId"]);
    let text = |note: &Value| in_one_line(note["content"]["description"].as_str().unwrap());
    assert!(text(facts).contains("INVESTIGATING") && text(facts).contains("43 of 118 requests/min"));
    // The report is kept with the conclusion, and nothing leads to it before.
    assert!(!text(facts).contains("Full report:") && text(conclusion).contains("Full report:"));
    assert!(text(conclusion).contains("CAUSE SHOWN") && !text(conclusion).contains("43 of 118 requests/min"));
    assert_eq!((published(&run, TOPIC).len(), run.emulator.objects().len()), (1, 2));
}

#[tokio::test]
async fn who_fails_while_it_is_posted_is_named_where_a_message_can_be_edited_and_in_the_kept_report() {
    let options = Options { denied: vec!["sns:Publish".into()], ..answering(careful) };
    let (run, seen) = told(&bot(), options).await;
    assert_eq!(seen.undelivered.len(), 2, "{:?}", seen.undelivered);
    let card = &run.emulator.slack_messages()[0];
    let text = in_one_line(&card.body.to_string().replace("\\n", " "));
    assert!(text.contains("Not delivered to sns: publishing is not allowed"), "{text}");
    assert!(text.contains("Not delivered to amazon q: "), "{text}");
    assert!(text.contains("CAUSE SHOWN") && card.edited.is_some(), "{text}");
    let kept: Value = serde_json::from_str(&run.emulator.objects()[1].body).unwrap();
    let named: Vec<&Value> =
        kept["data"]["undelivered"].as_array().unwrap().iter().map(|each| &each["channel"]).collect();
    assert_eq!(named, [&json!("sns"), &json!("amazon q")]);
    // The incident's next message says who did not hear of it.
    let mut recovered = alarm_of(BAD_DEPLOY);
    recovered["NewStateValue"] = "OK".into();
    recovered["StateChangeTime"] = "2026-11-24T03:17:22.704+0000".into();
    run.handle(&sns_event(&[recovered]), ENOUGH).await.unwrap();
    let last = run.emulator.slack_messages().last().unwrap().body.to_string().replace("\\n", " ");
    assert!(in_one_line(&last).contains("did not reach sns, amazon q."), "{last}");
}

#[tokio::test]
async fn a_channel_whose_secret_cannot_be_read_is_named_by_the_others_from_the_start() {
    let document = everywhere().replace(WEBHOOK, "ssm:/no/such/webhook");
    let run = with(BAD_DEPLOY, &document, answering(careful)).await;
    let response = run.handle(&sns_event(&[alarm_of(BAD_DEPLOY)]), ENOUGH).await.unwrap();
    assert_eq!(response.runs[0].undelivered.len(), 1);
    let is_warned = |event: &RunEvent| match event {
        RunEvent::Warning { message } => message.starts_with("slack webhook: no SSM parameter"),
        _ => false,
    };
    let gathered = |event: &RunEvent| matches!(event, RunEvent::StageFinished { stage: Stage::Gather, .. });
    let events = run.events();
    let warned: Vec<usize> = (0..events.len()).filter(|at| is_warned(&events[*at])).collect();
    // While telemetry is read, not when somebody is to be told.
    assert!(matches!(warned[..], [at] if Some(at) < events.iter().position(gathered)), "{events:?}");
    let named = "Not delivered to slack webhook: no SSM parameter /no/such/webhook in this Region";
    let mail = published(&run, TOPIC)[0]["default"].as_str().unwrap().to_owned();
    assert!(in_one_line(&mail).contains(named), "{mail}");
    let chat = published(&run, AMAZON_Q)[0]["content"]["description"].as_str().unwrap().to_owned();
    assert!(in_one_line(&chat).contains(named), "{chat}");
}

#[tokio::test]
async fn a_secret_that_did_not_come_while_telemetry_was_read_is_asked_for_again() {
    let document = everywhere().replace(WEBHOOK, "ssm:/sre-agent/slack-webhook");
    let hanging = Fault { action: "ssm:GetParameter".into(), kind: FaultKind::Hang, times: Some(1) };
    let options = Options { faults: vec![hanging], ..answering(careful) };
    let run = with(BAD_DEPLOY, &document, options).await;
    let seen = run.report().await;
    assert_eq!(seen.undelivered, Vec::<String>::new());
    assert_eq!(run.emulator.slack_messages().len(), 1);
}

#[tokio::test]
async fn a_broken_bot_leaves_the_others_with_the_report() {
    let slack = SlackOptions { always: Some((200, "token_revoked".to_owned())), ..SlackOptions::default() };
    let fault =
        Fault { action: "slack:chat.postMessage".into(), kind: FaultKind::InternalError, times: None };
    let (run, seen) = told(&bot(), Options { slack, faults: vec![fault], ..answering(careful) }).await;
    let [reason] = seen.undelivered.as_slice() else { panic!("{:?}", seen.undelivered) };
    assert!(reason.starts_with("slack bot: "), "{reason}");
    assert_eq!((run.emulator.published().len(), run.emulator.objects().len()), (2, 2));
    let kept: Value = serde_json::from_str(&run.emulator.objects()[1].body).unwrap();
    assert_eq!(kept["data"]["undelivered"][0]["channel"], "slack bot");
}

/// Runs the alarm of the scenario with tags under rules; returns who was told: Slack's channel, SNS, Amazon Q, the bucket.
async fn routed(
    rules: &str,
    options: Options,
    change: impl Fn(&mut Value),
) -> (IncidentRun, Vec<&'static str>) {
    let document = format!("{}{rules}", bot());
    let mut run = with(CHECKOUT, &document, options).await;
    run.services.config.depth = Some(Depth::Facts);
    let mut alarm = alarm_of(CHECKOUT);
    change(&mut alarm);
    run.handle(&sns_event(&[alarm]), ENOUGH).await.unwrap();
    let told = [
        ("slack", !run.emulator.slack_messages().is_empty()),
        ("sns", !published(&run, TOPIC).is_empty()),
        ("amazon_q", !published(&run, AMAZON_Q).is_empty()),
        ("s3", !run.emulator.objects().is_empty()),
    ];
    let names = told.into_iter().filter(|(_, is_told)| *is_told).map(|(name, _)| name).collect();
    (run, names)
}

#[tokio::test]
async fn the_first_rule_that_fits_chooses_the_channels() {
    let all = ["slack", "sns", "amazon_q", "s3"];
    for (rules, expected) in [
        ("", &all[..]),
        ("[[route]]\nalarm_prefix = \"checkout-\"\nchannels = [\"sns\", \"s3\"]", &["sns", "s3"]),
        ("[[route]]\nalarm_prefix = \"payments-\"\nchannels = [\"sns\"]", &all),
        ("[[route]]\ntag = \"service=Web shop\"\nchannels = [\"amazon_q\"]", &["amazon_q"]),
        (
            "[[route]]\ntag = \"service=other\"\nchannels = [\"amazon_q\"]\n[[route]]\nchannels = [\"slack\"]",
            &["slack"],
        ),
        (
            "[[route]]\nseverity = \"SEV-2 <!channel> *now*\"\nchannels = [\"slack\", \"sns\"]",
            &["slack", "sns"],
        ),
        ("[[route]]\nhint = \"shop-oncall\"\nchannels = [\"amazon_q\", \"s3\"]", &["amazon_q", "s3"]),
    ] {
        let (run, told) = routed(rules, Options::default(), |_| {}).await;
        assert_eq!(told, expected, "{rules}");
        assert_eq!(run.emulator.unsupported(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_hint_of_the_description_chooses_among_rules_and_is_nothing_else() {
    let rules = "[[route]]\nhint = \"ops\"\nchannels = [\"sns\"]";
    let untagged = |hint: &'static str| {
        move |alarm: &mut Value| {
            alarm["AlarmName"] = json!("checkout-orders-failed-too");
            alarm["AlarmArn"] =
                json!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:checkout-orders-failed-too");
            alarm["AlarmDescription"] = json!(format!("Orders fail. channel: {hint}"));
        }
    };
    let denied = || Options { denied: vec!["cloudwatch:ListTagsForResource".into()], ..Options::default() };
    // The description is there whether or not the tags may be read.
    let (_, told) = routed(rules, denied(), untagged("ops")).await;
    assert_eq!(told, ["sns"]);
    let (run, told) = routed(rules, denied(), untagged("C0999999999")).await;
    assert_eq!(told, ["slack", "sns", "amazon_q", "s3"]);
    let message = run.emulator.slack_messages().remove(0);
    assert!(!message.body.to_string().contains("C0999999999"), "no id of a text is ever written to");
    assert!(run.log().contains("asks for the channel C0999999999, which no [[route]] has as its hint"));
}

#[tokio::test]
async fn tags_that_cannot_be_read_mean_every_channel_and_the_log_says_so() {
    let rules = "[[route]]\ntag = \"team=payments\"\nchannels = [\"sns\"]\n[[route]]\nchannels = [\"s3\"]";
    let denied = Options { denied: vec!["cloudwatch:ListTagsForResource".into()], ..Options::default() };
    let (run, told) = routed(rules, denied, |_| {}).await;
    assert_eq!(told, ["slack", "sns", "amazon_q", "s3"]);
    let log = run.log();
    assert!(
        log.contains("every channel is told: the tags of checkout-orders-failed could not be read"),
        "{log}"
    );
}

#[tokio::test]
async fn a_rule_chooses_the_bots_channel_and_what_follows_stays_there() {
    let rules =
        "[[route]]\nalarm_prefix = \"checkout-\"\nchannels = [\"slack\"]\nslack_channel = \"C0999999999\"";
    let document = format!("{}{rules}", bot());
    let mut run = with(CHECKOUT, &document, Options::default()).await;
    run.services.config.depth = Some(Depth::Facts);
    let error = run.handle(&sns_event(&[alarm_of(CHECKOUT)]), ENOUGH).await.unwrap_err().to_string();
    // The emulator's Slack has one channel: that the other one was meant is seen by its refusal.
    assert!(error.contains("slack bot: ") && error.contains("C0999999999"), "{error}");
    let own = run.emulator.slack_channel();
    let (run, told) = routed(&rules.replace("C0999999999", own), Options::default(), |_| {}).await;
    assert_eq!(told, ["slack"]);
    assert!(run.emulator.slack_messages().len() > 1, "the details stand in its thread");
}

#[tokio::test]
async fn rules_that_name_what_is_not_there_are_faults_of_the_configuration() {
    let faults = |document: &str| {
        let document = format!("format = 1\n{document}");
        let layers = Layers { document: Some(("test", &document)), ..Layers::default() };
        Config::load(&layers).unwrap_err().to_string()
    };
    let found = faults(
        "[[route]]\nchannels = [\"pager\", \"sns\"]\ntag = \"team\"\nslack_channel = \"#ops\"\n[[route]]\nchannels = []\nseverity = \"\"",
    );
    for words in [
        "route[0].channels: \"pager\" is none of slack, sns, amazon_q, s3, stdout",
        "route[0].channels: sns is not configured",
        "route[0].tag: \"team\" is no tag, for instance \"team=payments\"",
        "route[0].slack_channel: needs slack.token: a webhook has one channel",
        "route[1].channels: names none; without the key all channels are told",
        "route[1].severity: is empty",
    ] {
        assert!(found.contains(words), "{words}\n{found}");
    }
    let found = faults(
        "[s3]\nbucket = \"s3://x\"\nprefix = \"/a b\"\n[amazon_q]\ntopic_arn = \"chat\"\n[[route]]\npager = 1",
    );
    for words in [
        "s3.bucket: \"s3://x\" is not a bucket's name",
        "s3.prefix: ",
        "amazon_q.topic_arn: ",
        "route: unknown field `pager`",
    ] {
        assert!(found.contains(words), "{words}\n{found}");
    }
}

#[test]
fn the_settings_in_the_documentation_are_ones_that_are_read() {
    let text = std::fs::read_to_string(crate::incident_run::project().join("docs/channels.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    let document = format!(
        "format = 1\n[slack]\ntoken = \"ssm:/token\"\nchannel = \"C0123456789\"\n[sns]\ntopic_arn = \"{TOPIC}\"\n{}",
        blocks.join("\n")
    );
    let layers = Layers { document: Some(("docs/channels.md", &document)), ..Layers::default() };
    let config = Config::load(&layers).unwrap();
    assert_eq!((config.routes.len(), config.stdout, config.tells_somebody()), (3, true, true));
}
