//! `doctor`: whether the agent can work in this account, with reasons and fixes.

use std::fmt::Write as _;

use serde_json::json;
use sre_agent::aws::{self, AwsTelemetry};
use sre_agent::clock::Clock;
use sre_agent::doctor::surroundings;
use sre_agent::doctor::{Check, Examination, Level, load};
use sre_agent::report::{Document, Line};

use crate::args::{Doctor, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, fold};
use crate::progress::say;
use crate::survey::Place;
use crate::wiring;

/// Examines the account and prints what was found.
pub(crate) async fn run(asked: &Doctor, shared: &Shared) -> Result<Ending, Failure> {
    let place = Place::of(shared).await?;
    if place.region.is_empty() {
        return Err(wiring::no_region());
    }
    if let Some(function) = &asked.function {
        return deployed(function, &place, shared).await;
    }
    let now = place.config.as_of.map_or(Clock::Wall, Clock::Fixed).now();
    let posts = if asked.post_test { "posts one test message" } else { "posts nothing" };
    let calls = if asked.call_models {
        "calls each configured model once (a first call may accept a Marketplace subscription)"
    } else {
        "calls no model"
    };
    say(shared.quiet, format_args!("asks AWS in {}, changes nothing, {calls}, {posts}", place.region));

    for note in &place.notes {
        say(shared.quiet, format_args!("{note}"));
    }
    let survey = place.survey();
    let models = place.config.models.clone();
    let mut account = survey.look(now, &models).await;
    if asked.call_models {
        place.call(&mut account, &models).await;
    }
    let mut examination = survey.judged(&account, &models).await;
    if let Some(document) = place.document_history().await {
        examination.parts.push(surroundings::configuration(&document, &account));
    }
    let test = asked.post_test.then(|| test_message(&place));
    let seen = aws::seen_channels(&place.sdk, place.config.destinations(), test.as_ref()).await;
    examination.parts.push(surroundings::channels(&seen));
    let table = place.config.state_table.as_deref();
    examination.parts.push(surroundings::store(survey.try_table(table).await));

    let conclusion = examination.conclusion();
    let printed = if shared.json {
        let document = json!({
            "format": output::FORMAT,
            "region": account.region,
            "account": account.identity.as_ref().ok().map(|identity| identity.account.clone()),
            "conclusion": conclusion,
            "ladder": place.notes,
            "usable": examination.usable,
            "parts": examination.parts,
        });
        format!("{document:#}\n")
    } else {
        let uncalled = "No model was called; --call-models makes one minimal call of each.\n";
        as_text(&examination) + if asked.call_models { "" } else { uncalled }
    };
    output::to_stdout(printed.as_bytes())?;
    Ok(if examination.usable.is_empty() { Ending::NothingUsable } else { Ending::Done })
}

/// Asks the deployed function for its own view: what it may is decided by its role. Beside it stands what the account's
/// alarms would have asked of it in the last 30 days.
async fn deployed(function: &str, place: &Place, shared: &Shared) -> Result<Ending, Failure> {
    say(
        shared.quiet,
        format_args!("asks {function} in {} for its own view; it posts if something changed", place.region),
    );
    let answer = aws::invoke(&place.sdk, function, &json!({ "doctor": true })).await;
    let answer = answer.map_err(|reason| {
        Failure::failed(format!("{function} did not answer: {reason}"))
            .hint("Is that its name, and may you invoke it? If it ran, its log says more: the stack's output LogCommand.")
    })?;
    let mut examination: Examination = serde_json::from_value(answer.clone()).map_err(|error| {
        Failure::failed(format!("{function} answered in another form: {error}"))
            .hint("is it sre-agent, and of this version?")
    })?;
    let quotas = aws::bedrock_quotas(&place.sdk, Some(&place.region)).await.unwrap_or_default();
    examination.parts.push(match AwsTelemetry::new(&place.sdk).history().await {
        Ok(history) => load::part(&history, place.config.cool_down, examination.usable.first(), &quotas),
        Err(error) => load::unread(&error),
    });
    let printed = if shared.json {
        let mut document = examination.as_json();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("function".into(), json!(function));
            fields.insert("posted".into(), answer.get("posted").cloned().unwrap_or_default());
        }
        format!("{document:#}\n")
    } else {
        as_text(&examination)
            + "No model was called; without --function, --call-models does, with your credentials.\n"
    };
    output::to_stdout(printed.as_bytes())?;
    Ok(if examination.usable.is_empty() { Ending::NothingUsable } else { Ending::Done })
}

fn test_message(place: &Place) -> Document {
    let condition = format!("Sent from {} to see whether this channel takes messages.", place.region);
    Document {
        statement: vec![Line::text("Nothing is wrong and nothing has to be done.")],
        ..Document::of_itself(
            "doctor",
            "sre-agent doctor: test message, nothing is wrong.".into(),
            "sre-agent doctor: test message",
            condition,
            "TEST",
        )
    }
}

fn as_text(examination: &Examination) -> String {
    let mut text = String::new();
    for part in &examination.parts {
        // Writing to a `String` cannot fail.
        let _written = writeln!(text, "{}", part.heading);
        let mut subject = "";
        for check in &part.checks {
            if check.subject != subject {
                subject = &check.subject;
                let _written = writeln!(text, "  {subject}");
            }
            text.push_str(&as_lines(check));
        }
        text.push('\n');
    }
    let _written = writeln!(text, "{}", examination.conclusion());
    text
}

fn as_lines(check: &Check) -> String {
    let mut lines = fold(&format!("    {:<8} ", check.level.as_str()), &check.reason);
    if let Some(fix) = check.fix.as_ref().filter(|_| check.level > Level::Good) {
        lines.push_str(&fold(&format!("    {:<8} ", ""), &format!("-> {fix}")));
    }
    lines
}
