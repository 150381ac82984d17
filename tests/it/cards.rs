//! The rules that every card keeps, held on what real runs post to Slack: a cause shown, facts only, a cause that cannot
//! be shown, and an alarm that has recovered meanwhile.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use regex::Regex;
use serde_json::Value;
use sre_agent::alarm::AlarmState;
use sre_agent::investigation::depth::Depth;
use sre_agent_emulator::{Options, Received, SlackMessage};

use crate::incident_run::{BAD_DEPLOY, ENOUGH, IncidentRun, alarm_of, answering, sns_event};
use crate::script::careful;
use crate::stages::bot_and_sns;
use crate::tries::Planted;

/// A card as a responder sees it.
struct Card {
    name: &'static str,
    push: String,
    /// The blocks' texts without markup, addresses and the reader's own time.
    lines: Vec<String>,
    message: SlackMessage,
    requests: Vec<Received>,
    scenario: &'static str,
}

impl Card {
    async fn of(
        name: &'static str,
        scenario: &'static str,
        options: Options,
        state: Option<AlarmState>,
    ) -> Self {
        let mut run = IncidentRun::of(scenario, options).await;
        run.services.config.depth = Some(Depth::Full);
        // One message: these rules are not about time.
        run.services.config.facts_time = ENOUGH;
        run.services.channels = bot_and_sns(&run);
        if state.is_some() {
            let inner = Arc::clone(&run.services.telemetry);
            run.services.telemetry = Arc::new(Planted { inner, panics: AtomicBool::new(false), state });
        }
        run.handle(&sns_event(&[alarm_of(scenario)]), ENOUGH).await.unwrap();
        let message = run.emulator.slack_messages().remove(0);
        let lines = texts(&message).iter().flat_map(|text| shown(text)).collect();
        Card {
            name,
            push: unescaped(&message.text),
            lines,
            message,
            requests: run.emulator.requests(),
            scenario,
        }
    }

    fn words(&self) -> String {
        self.lines.join(" ")
    }
}

/// Every card of this file.
async fn cards() -> Vec<Card> {
    let dead = Options { denied: vec!["bedrock:InvokeModel".to_owned()], ..Options::default() };
    let (shown, facts, cannot, recovered) = tokio::join!(
        Card::of("cause shown", BAD_DEPLOY, answering(careful), None),
        Card::of("facts only", BAD_DEPLOY, dead, None),
        Card::of("cannot be shown", "rds-cpu", answering(careful), None),
        Card::of("recovered", BAD_DEPLOY, answering(careful), Some(AlarmState::Ok)),
    );
    vec![shown, facts, cannot, recovered]
}

fn texts(message: &SlackMessage) -> Vec<String> {
    let blocks = message.body["blocks"].as_array().unwrap();
    let text =
        |block: &Value| block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text")).cloned();
    blocks.iter().map(|block| text(block).unwrap().as_str().unwrap().to_owned()).collect()
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Returns the lines that Slack shows of a mrkdwn text.
fn shown(text: &str) -> Vec<String> {
    let date = Regex::new(r" \(<!date[^>]*>\)").unwrap();
    let link = Regex::new(r"<(?:[^|>]*\|)?([^>]*)>").unwrap();
    let text = link.replace_all(&date.replace_all(text, ""), "$1").replace(['*', '`'], "");
    unescaped(&text).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_cards_of_real_runs_keep_every_rule() {
    for card in Box::pin(cards()).await {
        // The last block mentions the group to wake, which is one line more.
        let (card_lines, name) = (&card.lines[..card.lines.len() - 1], card.name);
        for line in card_lines {
            assert!(line.chars().count() <= 55, "{name}: {} characters: {line}", line.chars().count());
            assert!(!line.contains('|') && !line.contains('\t'), "{name}: a table: {line}");
        }
        first_lines(&card);
        push(&card);
        blocks(&card);
        nothing_that_belongs_elsewhere(&card);
        impact(&card);
        read_again_just_before(&card);
    }
}

/// Line 1 what and where, line 2 still or recovered, line 4 the verdict after the gap between two blocks.
fn first_lines(card: &Card) {
    let alarm = alarm_of(card.scenario)["AlarmName"].as_str().unwrap().to_owned();
    let (name, texts) = (card.name, texts(&card.message));
    let head = shown(&texts[0]);
    assert_eq!(head.len(), 2, "{name}: {head:?}");
    assert!(head[0].contains(&alarm) && head[0].ends_with("us-east-1"), "{name}: {head:?}");
    let (dot, state, verdict) = match name {
        "cause shown" => ("🔴 ", "Still failing at 03:05 · began 03:02 UTC", "CAUSE SHOWN"),
        "facts only" => ("🔴 ", "Still failing at 03:05 · began 03:02 UTC", "FACTS ONLY"),
        "recovered" => ("🟢 ", "Recovered at 03:05 · began 03:02 UTC", "CAUSE SHOWN"),
        _ => ("🔴 ", "Still high at 23:43 · began 23:27 UTC", "CAUSE CANNOT BE SHOWN"),
    };
    assert!(head[0].starts_with(dot), "{name}: {head:?}");
    assert_eq!(head[1], state, "{name}");
    assert!(texts[0].contains("<!date^"), "{name}: the reader's own time: {}", texts[0]);
    assert!(texts[1].starts_with(&format!("*{verdict}*")), "{name}: {}", texts[1]);
}

/// At most 120 characters: resource, impact, still or recovered, verdict.
fn push(card: &Card) {
    let Card { name, push, .. } = card;
    assert!(push.chars().count() <= 120, "{name}: {push}");
    let parts = match *name {
        "cause shown" => [
            "invoice-render: ",
            "36% of requests failing",
            ", still.",
            "Cause shown: version 58, since 03:02 UTC.",
        ],
        "facts only" => [
            "invoice-render: ",
            "36% of requests failing",
            ", still.",
            "No AI answer. Lead: version 58, since 03:02 UTC.",
        ],
        "recovered" => [
            "invoice-render: ",
            "36% of requests failing",
            ", recovered.",
            "Cause shown: version 58, since 03:02 UTC.",
        ],
        _ => ["db-e47b3b: ", "CPUUtilization 27.4% (normal ", ", still.", "Cause cannot be shown"],
    };
    let mut rest = push.as_str();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{name}: no {part:?} in its place in {push}"));
        rest = &rest[at + part.len()..];
    }
}

/// Sections that Slack does not fold; links that lead into the console and nowhere else.
fn blocks(card: &Card) {
    for block in card.message.body["blocks"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "section" => assert_eq!(block["expand"], true, "{}: {block}", card.name),
            other => assert_eq!(other, "context", "{}: {block}", card.name),
        }
    }
    let link = Regex::new(r"<(https?:[^|>]*)\|([^>]*)>").unwrap();
    let texts = texts(&card.message).join("\n");
    let links: Vec<(&str, &str)> = link
        .captures_iter(&texts)
        .map(|found| (found.get(1).unwrap().as_str(), found.get(2).unwrap().as_str()))
        .collect();
    assert!(links.iter().any(|(_, label)| *label == "Alarm"), "{}: {links:?}", card.name);
    assert!(links.len() > 3, "{}: {links:?}", card.name);
    for (address, label) in links {
        assert!(
            address.starts_with("https://us-east-1.console.aws.amazon.com/"),
            "{}: {label} {address}",
            card.name
        );
    }
}

/// No confidence as a number, no severity that nobody wrote, no idle restart; and what belongs into the thread is not here.
fn nothing_that_belongs_elsewhere(card: &Card) {
    let (name, words) = (card.name, card.words());
    let alarm = alarm_of(card.scenario);
    for (what, pattern) in [
        ("a confidence", r"(?i)confiden|probab|\d ?% (sure|likely|certain|chance)|(likelihood|certainty)"),
        ("a severity", r"(?i)\bsev(erity)?[ -]?\d|\bP[0-4]\b|\bcritical\b"),
        ("a restart", r"(?i)\d\. ?(⚠ )?(restart|reboot)|\btry (a )?restart"),
        ("an ARN", r"arn:aws"),
        ("an account", r"\b\d{12}\b"),
        ("a request id", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}"),
        ("a stack trace", r"(?m)\bat [\w.]+ \(|\.js:\d+:\d+"),
        ("a command", r"\baws (lambda|logs|cloudwatch|rds) "),
        ("a removed guess", r"(?i)removed:"),
    ] {
        let found = Regex::new(pattern).unwrap();
        assert!(!found.is_match(&words), "{name}: {what} on the card: {words}");
    }
    for member in ["AlarmDescription", "NewStateReason"] {
        assert!(!words.contains(alarm[member].as_str().unwrap()), "{name}: {member} on the card");
    }
}

/// Count, denominator, share and normal where a share is known; else the value and normal, and no share.
fn impact(card: &Card) {
    let words = card.words();
    if card.scenario == BAD_DEPLOY {
        assert!(words.contains("43 of 118 requests/min fail (36%) normal 0 of ~124"), "{words}");
        assert!(words.contains("alarm at 20 · 14-day worst 2"), "{words}");
        let counts = Regex::new(r"fails? (\d+) (?:of|against) (\d+)").unwrap();
        assert!(counts.is_match(&words), "{}: versions against each other: {words}", card.name);
    } else {
        assert!(
            words.contains("CPUUtilization 27.4% at 23:37 normal 13.3 to 18.6% · alarm at 20%"),
            "{words}"
        );
        assert!(!words.contains("requests/min"), "{words}");
    }
}

/// The alarm's state and last period are read after the last answer of a model and before the first message.
fn read_again_just_before(card: &Card) {
    let place = |action: &str| card.requests.iter().position(|request| request.action == action);
    let posted = place("chat.postMessage").unwrap();
    let before = &card.requests[..posted];
    let last = |action: &str| before.iter().rposition(|request| request.action == action);
    // A model that may not be called was asked all the same.
    let asked = last("Converse").unwrap();
    for action in ["DescribeAlarms", "GetMetricData"] {
        assert!(last(action) > Some(asked), "{}: {action} is not the last thing that was read", card.name);
    }
}
