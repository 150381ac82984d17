//! `--prompt`: one question in plain words. What the agent can do is answered from its own registry, without a model;
//! any other question by one analyst, over what the account shows of the alarm that the question is about.

use std::fmt::Write as _;

use serde_json::json;
use sre_agent::agent::{Role, Toolbox};
use sre_agent::alarm::{AlarmSnapshot, AlarmState};
use sre_agent::aws::AwsTelemetry;
use sre_agent::clock::Deadline;
use sre_agent::handler;

use crate::args::{Prompt, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, Card, fold};
use crate::progress::{self, say};
use crate::wiring::{self, Parts};

/// Every role, in the order in which they take part.
const ROLES: [Role; 7] = [
    Role::Supervisor,
    Role::Metrics,
    Role::Logs,
    Role::Changes,
    Role::Reviewer,
    Role::Analyst,
    Role::Question,
];

/// Alarms that are named where none is asked about.
const MOST_NAMED: usize = 10;

/// Answers the question.
pub(crate) async fn run(prompt: &Prompt, shared: &Shared) -> Result<Ending, Failure> {
    if asks_for_capabilities(&prompt.question) {
        let printed = if shared.json { as_json() } else { as_text() };
        output::to_stdout(printed.as_bytes())?;
        return Ok(Ending::Done);
    }
    let (local, sdk) = wiring::open_by_hand(shared, prompt.model_by_hand.as_deref()).await?;
    let mut config = wiring::checked(shared, &sdk, local.as_ref()).await?;
    let alarms = AwsTelemetry::new(&sdk).alarms().await.map_err(|error| {
        Failure::failed(format!("the account's alarms could not be listed: {error}"))
            .hint("Who asks (add the same --profile and --region): aws sts get-caller-identity")
    })?;
    let Some((snapshot, why)) = subject(&alarms, &prompt.question) else {
        return nothing_to_ask(&alarms, shared);
    };
    say(shared.quiet, format_args!("the question is answered from the alarm {}: {why}", snapshot.alarm.name));
    let time = wiring::fit_times(&mut config, None, prompt.model_by_hand.is_some());
    let event = json!({ "alarmName": snapshot.alarm.name, "question": prompt.question }).to_string();
    let card = Card::default();
    let depth = config.depth;
    let sinks = if shared.quiet { Vec::new() } else { vec![progress::sink()] };
    let channels = vec![card.channel()];
    let services = wiring::services(Parts { sdk: &sdk, config, channels, sinks, recorded: local.is_some() });
    let response =
        handler::handle(event.as_bytes(), Deadline::after(time), &services).await.map_err(Failure::failed)?;
    if response.runs.is_empty() {
        return Err(Failure::failed(format!("nothing was answered: {}", response.ignored.join("; "))));
    }
    output::print(&response, &card, None, shared.json)?;
    let ending = wiring::ending(&response, depth)?;
    if let (Some(_), None, true) = (&local, &prompt.model_by_hand, ending == Ending::FactsOnly) {
        say(
            shared.quiet,
            "a recorded incident holds answers to its own questions only; --model-by-hand DIR lets you be the model",
        );
    }
    Ok(ending)
}

/// Says that the account shows nothing that the question could be about.
fn nothing_to_ask(alarms: &[AlarmSnapshot], shared: &Shared) -> Result<Ending, Failure> {
    let names: Vec<&str> = alarms.iter().map(|seen| seen.alarm.name.as_str()).take(MOST_NAMED).collect();
    let printed = if shared.json {
        let answer = json!({
            "format": output::FORMAT, "model_calls": 0, "outcome": "not_answered",
            "reason": "no alarm is named in the question and none is in ALARM", "alarms": names,
        });
        format!("{answer:#}\n")
    } else {
        let mut text = format!(
            "No alarm is named in the question, and none of {} is in ALARM. No model was asked.\n",
            alarms.len()
        );
        if !names.is_empty() {
            text.push_str(&fold("Alarms: ", &names.join(", ")));
        }
        text.push_str("Next: ask with the name of an alarm or of its resource\n");
        text
    };
    output::to_stdout(printed.as_bytes())?;
    Ok(Ending::Done)
}

/// Chooses the alarm that a question is about, and says why: one whose name stands in it, one whose resource does, else
/// the one that went off last.
fn subject<'a>(alarms: &'a [AlarmSnapshot], question: &str) -> Option<(&'a AlarmSnapshot, String)> {
    let question = question.to_lowercase();
    // Of several, one that is in ALARM, then the latest: a name within another one is the shorter and goes last.
    let rank = |seen: &&AlarmSnapshot, words: usize| {
        (words, seen.alarm.new_state == AlarmState::Alarm, seen.state_since)
    };
    let named = alarms
        .iter()
        .filter(|seen| holds(&question, &seen.alarm.name))
        .max_by_key(|seen| rank(seen, seen.alarm.name.len()));
    if let Some(seen) = named {
        return Some((seen, "the question names it".to_owned()));
    }
    let resource = |seen: &AlarmSnapshot| {
        let values = seen.alarm.metric().map(|metric| metric.dimensions.values()).into_iter().flatten();
        values.filter(|value| holds(&question, value)).max_by_key(|value| value.len()).cloned()
    };
    let of_resource = alarms
        .iter()
        .filter_map(|seen| Some((seen, resource(seen)?)))
        .max_by_key(|(seen, value)| rank(seen, value.len()));
    if let Some((seen, value)) = of_resource {
        return Some((seen, format!("it watches {value}")));
    }
    let firing = || alarms.iter().filter(|seen| seen.alarm.new_state == AlarmState::Alarm);
    let last = firing().max_by_key(|seen| seen.state_since)?;
    Some((
        last,
        match firing().count() {
            1 => "it is the only one in ALARM".to_owned(),
            others => format!("of {others} in ALARM it went off last"),
        },
    ))
}

/// Tells whether a name stands in the text as a word of its own.
fn holds(text: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let is_part = |letter: char| letter.is_alphanumeric() || "-_/".contains(letter);
    !name.is_empty()
        && text.match_indices(&name).any(|(at, _)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
}

/// Tells whether somebody wants to know what the agent can do.
fn asks_for_capabilities(question: &str) -> bool {
    let question = question.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| question.contains(word));
    has(&["capabilit", "what can you do"])
        || (has(&["tools", "agents"]) && has(&["list", "what", "which", "show", "available"]))
}

fn tools() -> Vec<(String, String)> {
    let mut names: Vec<&str> = ROLES.iter().flat_map(|role| role.tools()).copied().collect();
    names.sort_unstable();
    names.dedup();
    Toolbox::specs(&names).into_iter().map(|spec| (spec.name, spec.description)).collect()
}

fn as_json() -> String {
    let agents: Vec<_> = ROLES
        .iter()
        .map(|role| json!({ "name": role.name(), "purpose": role.purpose(), "tools": role.tools() }))
        .collect();
    let tools: Vec<_> = tools()
        .into_iter()
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    format!("{:#}\n", json!({ "format": output::FORMAT, "model_calls": 0, "agents": agents, "tools": tools }))
}

fn as_text() -> String {
    let mut text = "Agents\n".to_owned();
    for role in ROLES {
        text.push_str(&fold(&format!("  {:<11}", role.name()), role.purpose()));
        if !role.tools().is_empty() {
            text.push_str(&fold(&format!("  {:<11}", ""), &format!("tools: {}", role.tools().join(", "))));
        }
    }
    text.push_str("\nTools, all of them read-only\n");
    for (name, description) in tools() {
        text.push_str(&fold(&format!("  {name:<15}"), &description));
    }
    // Writing to a `String` cannot fail.
    let _written = write!(
        text,
        "\nAnswered from the program's own registry; no model was called.\nNext: sre-agent investigate ALARM, or sre-agent demo\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sre_agent::alarm::{WakeUp, parse_event};

    use super::*;

    #[test]
    fn the_question_for_capabilities_is_known_in_several_words() {
        for question in [
            "List your available capabilities and tools",
            "What tools do you have?",
            "which agents are there",
            "What can you do?",
        ] {
            assert!(asks_for_capabilities(question), "{question}");
        }
        for question in ["Why is my function failing?", "list the alarms", ""] {
            assert!(!asks_for_capabilities(question), "{question}");
        }
    }

    fn seen(name: &str, function: &str, state: AlarmState, since: &str) -> AlarmSnapshot {
        let message = json!({
            "AlarmName": name, "NewStateValue": "ALARM", "StateChangeTime": since,
            "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"),
            "Trigger": {
                "MetricName": "Errors", "Namespace": "AWS/Lambda", "Statistic": "SUM", "Period": 60,
                "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
                "Dimensions": [{"name": "FunctionName", "value": function}],
            },
        });
        let parsed = parse_event(message.to_string().as_bytes()).records;
        let Some(WakeUp::Alarm(mut alarm)) = parsed.into_iter().next() else { panic!("{message}") };
        alarm.new_state = state;
        let state_since = Some(alarm.changed_at);
        AlarmSnapshot { alarm: *alarm, state_since, actions_enabled: true, tags: BTreeMap::new() }
    }

    #[test]
    fn a_question_is_about_the_alarm_that_it_names_else_its_resource_else_the_last_that_went_off() {
        let alarms = [
            seen("render-errors", "invoice-render", AlarmState::Ok, "2026-11-24T03:00:00Z"),
            seen("render-errors-fast", "invoice-render", AlarmState::Alarm, "2026-11-24T03:02:00Z"),
            seen("pdf-errors", "pdf", AlarmState::Alarm, "2026-11-24T03:01:00Z"),
            seen("pdf-slow", "pdf", AlarmState::Ok, "2026-11-24T03:04:00Z"),
        ];
        for (question, name, why) in [
            ("Why did render-errors go off?", "render-errors", "the question names it"),
            ("is Render-Errors-Fast ok", "render-errors-fast", "the question names it"),
            ("Since when does invoice-render fail?", "render-errors-fast", "it watches invoice-render"),
            ("what of pdf?", "pdf-errors", "it watches pdf"),
            // Part of a longer name is not that name.
            ("what of pdf-maker?", "render-errors-fast", "of 2 in ALARM it went off last"),
            ("What is going on?", "render-errors-fast", "of 2 in ALARM it went off last"),
        ] {
            let (found, reason) = subject(&alarms, question).unwrap();
            assert_eq!((found.alarm.name.as_str(), reason.as_str()), (name, why), "{question}");
        }
        let [ok, _, firing, _] = alarms;
        let one = [firing, ok.clone()];
        assert_eq!(subject(&one, "why?").unwrap().1, "it is the only one in ALARM");
        assert!(subject(&[ok], "why?").is_none());
        assert!(subject(&[], "why?").is_none());
    }

    #[test]
    fn every_tool_of_a_role_is_described() {
        let described = tools();
        for role in ROLES {
            for tool in role.tools() {
                assert!(described.iter().any(|(name, _)| name == tool), "{tool}");
            }
        }
    }
}
