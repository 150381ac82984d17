//! `doctor`: whether the agent can work in this account, with reasons and fixes.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use sre_agent::alarm::AlarmState;
use sre_agent::aws::{self, DynamoDbStore, SnsChannel};
use sre_agent::clock::{Clock, Deadline};
use sre_agent::delivery::slack::{BotToken, SlackApi, SlackBot};
use sre_agent::delivery::{Posting, Webhook, deliver_all};
use sre_agent::doctor::surroundings::{self, SeenBot, SeenChannel, Unheard};
use sre_agent::doctor::{Check, Examination, Level};
use sre_agent::report::readers::LogQuotes;
use sre_agent::report::{Document, Line};
use sre_agent::run::Observer;

use crate::args::{Doctor, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, fold};
use crate::progress::say;
use crate::survey::{Place, survey};
use crate::wiring;

/// Time for posting the test message.
const POST_TIME: Duration = Duration::from_secs(15);

/// The name that is probed where none is given.
const PROBE: &str = "sre-agent-doctor-probe";

/// Examines the account and prints what was found.
pub(crate) async fn run(asked: &Doctor, shared: &Shared) -> Result<Ending, Failure> {
    let place = Place::of(shared).await?;
    if place.region.is_empty() {
        return Err(wiring::no_region());
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
    let mut account = survey(&place, now).await;
    let models = place.config.models.clone();
    let reachable = account.was_reached();
    if reachable {
        place.read_availability(&mut account, &models).await;
    }
    if asked.call_models {
        place.call(&mut account, &models).await;
    }
    let mut examination = Examination::of(&account, &models);
    if reachable {
        let function = asked.function.as_deref().unwrap_or(PROBE);
        let tried = place.try_reading(now, function, account.identity.as_ref().ok()).await;
        examination.parts.push(surroundings::permissions(&tried));
    }
    if let Some(document) = place.document_history().await {
        examination.parts.push(surroundings::configuration(&document, &account));
    }
    examination.parts.push(surroundings::channels(&channels(&place, asked.post_test).await));
    let table = place.config.state_table.as_deref();
    let answered = match table {
        Some(table) => Some(DynamoDbStore::new(&place.sdk, table).probe().await),
        None => None,
    };
    let answered = answered.map(|answer| answer.map_err(|error| error.reason));
    examination.parts.push(surroundings::store(table.zip(answered)));

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
        as_text(&examination, asked.call_models)
    };
    output::to_stdout(printed.as_bytes())?;
    Ok(if examination.usable.is_empty() { Ending::NothingUsable } else { Ending::Done })
}

/// Looks at the channels, and posts to them where that was asked for.
async fn channels(place: &Place, post: bool) -> Vec<SeenChannel> {
    let config = &place.config;
    let webhook = config.slack_webhook.as_ref();
    let configured = aws::channels(&place.sdk, config.destinations()).await;
    let posted = if post {
        deliver_all(
            &configured.channels,
            Posting::notice(&test_message(place), &[]),
            Deadline::after(POST_TIME),
            &Observer::new(Vec::new()),
        )
        .await
    } else {
        Vec::new()
    };
    let subscriptions = match &config.findings_topic {
        Some(topic) if !post => Some(SnsChannel::new(&place.sdk, topic).subscriptions().await),
        Some(_) | None => None,
    };
    let mut posted = posted.into_iter().map(|result| result.map(drop).map_err(|error| error.reason));
    let mut seen: Vec<SeenChannel> = Vec::new();
    for channel in &configured.channels {
        let name = channel.name();
        let posted = posted.next();
        if let Some(bot) = config.slack_bot.as_ref().filter(|_| name == SlackApi::NAME) {
            seen.push(SeenChannel { posted, ..look_at_bot(place, bot).await });
            continue;
        }
        let fault = configured.faults.iter().find_map(|fault| fault.strip_prefix(&format!("{name}: ")));
        let place = match webhook {
            Some(Webhook::Parameter(parameter)) if name != "sns" => {
                format!("{name} in SSM parameter {parameter}")
            }
            Some(_) | None => name.to_owned(),
        };
        let subscriptions = subscriptions.clone().filter(|_| name == "sns");
        let fault = fault.map(str::to_owned);
        seen.push(SeenChannel { name: place, fault, subscriptions, bot: None, posted });
    }
    seen
}

/// Asks Slack whose the token is, which posts nothing.
async fn look_at_bot(place: &Place, bot: &SlackBot) -> SeenChannel {
    let name = match &bot.token {
        BotToken::Parameter(parameter) => format!("{} in SSM parameter {parameter}", SlackApi::NAME),
        BotToken::Token(_) => SlackApi::NAME.to_owned(),
    };
    let heard = match aws::slack_api(&place.sdk, bot).await {
        Err(reason) => Err(Unheard { reason, fix: None }),
        Ok(api) => match api.auth_test(Deadline::after(POST_TIME)).await {
            Ok(identity) => Ok(SeenBot {
                workspace: identity.workspace,
                user: identity.user,
                scopes: identity.scopes,
                channel: bot.channel.clone(),
            }),
            Err(error) => Err(match error.advice() {
                Some(advice) => Unheard {
                    reason: format!("Slack refuses the token: {}", error.word()),
                    fix: Some(advice.to_owned()),
                },
                None => Unheard { reason: error.to_string(), fix: None },
            }),
        },
    };
    SeenChannel { name, fault: None, subscriptions: None, bot: Some(heard), posted: None }
}

fn test_message(place: &Place) -> Document {
    Document {
        format: sre_agent::report::FORMAT,
        run_id: "doctor".into(),
        state: AlarmState::Ok,
        recovered: true,
        push: "sre-agent doctor: test message, nothing is wrong.".into(),
        title: Line::text("sre-agent doctor: test message"),
        condition: Line::text(format!(
            "Sent from {} to see whether this channel takes messages.",
            place.region
        )),
        verdict: Line::text("TEST"),
        statement: vec![Line::text("Nothing is wrong and nothing has to be done.")],
        impact: Vec::new(),
        sections: Vec::new(),
        limits: Vec::new(),
        links: Vec::new(),
        footer: Vec::new(),
        details: Vec::new(),
        log_quotes: LogQuotes::default(),
        data: json!({ "test": true }),
        kept: None,
    }
}

fn as_text(examination: &Examination, called: bool) -> String {
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
    if !called {
        text.push_str("No model was called; --call-models makes one minimal call of each.\n");
    }
    text
}

fn as_lines(check: &Check) -> String {
    let mut lines = fold(&format!("    {:<8} ", check.level.as_str()), &check.reason);
    if let Some(fix) = check.fix.as_ref().filter(|_| check.level > Level::Good) {
        lines.push_str(&fold(&format!("    {:<8} ", ""), &format!("-> {fix}")));
    }
    lines
}
