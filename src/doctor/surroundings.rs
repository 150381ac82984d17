//! What an investigation needs beside models: the right to read, channels, and a store. Judged from what was tried.

use crate::doctor::{Account, Check, Level, Part, Seen, models};
use crate::evidence::Status;
use crate::model::ModelId;

/// Returns the part on reading: `tried` holds each IAM action that an investigation uses with what came of it.
pub fn permissions(tried: &[(&str, Seen<()>)]) -> Part {
    let checks = tried.iter().map(|(action, seen)| permission(action, seen)).collect();
    Part { heading: "Reading, tried".into(), checks }
}

fn permission(action: &str, seen: &Seen<()>) -> Check {
    let Err(error) = seen else {
        return Check::new(Level::Good, action, "allowed");
    };
    match error.status {
        // The probe asks for what does not exist, and being told so takes the permission.
        Status::Found | Status::Empty | Status::Missing => Check::new(Level::Good, action, "allowed"),
        Status::Denied => Check::new(
            Level::Warning,
            action,
            "denied on the probe's name; reports will say what was not checked, unless the grant is for other names",
        )
        .fix(format!("Allow {action} to the role, read-only.")),
        Status::Throttled
        | Status::TimedOut
        | Status::Pending
        | Status::Failed
        | Status::NotRun
        | Status::NotApplicable => {
            Check::new(Level::Note, action, format!("not known ({}): {}", error.status.as_str(), error.reason))
        }
    }
}

/// A channel as far as it could be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenChannel {
    /// `slack webhook`, `sns`, `amazon q`, `s3 my-reports`.
    pub name: String,
    /// What could not be read of it.
    pub fault: Option<String>,
    /// Confirmed subscriptions of a topic; `None` of what has none.
    pub subscriptions: Option<Seen<u32>>,
    /// Whose token a bot's is, or what keeps it from Slack; `None` of what is no bot.
    pub bot: Option<Result<SeenBot, Unheard>>,
    /// Whether a bucket answers; `None` of what is none.
    pub bucket: Option<Seen<()>>,
    /// What became of a posted test; `None` where none was posted.
    pub posted: Option<Result<(), String>>,
}

/// A Slack bot as Slack knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBot {
    /// Name of the workspace.
    pub workspace: String,
    /// Name of the bot's user.
    pub user: String,
    /// Its scopes, where Slack said them.
    pub scopes: Option<Vec<String>>,
    /// Id of the channel that it is to write into.
    pub channel: String,
}

/// Why Slack does not hear a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheard {
    /// What happened.
    pub reason: String,
    /// What to do, where the reason does not say it.
    pub fix: Option<String>,
}

/// Returns the part on channels.
pub fn channels(seen: &[SeenChannel]) -> Part {
    let mut checks: Vec<Check> = seen
        .iter()
        .flat_map(|seen| match (&seen.bot, &seen.posted) {
            (Some(heard), None) => bot(&seen.name, heard),
            (Some(_) | None, _) => vec![match &seen.bucket {
                Some(answered) => bucket(&seen.name, answered),
                None => channel(seen),
            }],
        })
        .collect();
    // A bucket alone tells nobody.
    if seen.iter().all(|seen| seen.bucket.is_some()) {
        checks.push(
            Check::new(Level::Warning, "channels", "none is configured that tells anybody: the function does not start")
                .fix("Set SRE_AGENT_SLACK_WEBHOOK or SRE_AGENT_SLACK_TOKEN to ssm:/name, SRE_AGENT_FINDINGS_TOPIC_ARN, or SRE_AGENT_AMAZON_Q_TOPIC_ARN."),
        );
    }
    Part { heading: "Channels".into(), checks }
}

fn channel(seen: &SeenChannel) -> Check {
    match (&seen.fault, &seen.posted) {
        (_, Some(Ok(()))) => Check::new(Level::Good, seen.name.clone(), "took the test message"),
        (_, Some(Err(reason))) => {
            Check::new(Level::Bad, seen.name.clone(), format!("did not take the test message: {reason}"))
        }
        (Some(fault), None) => Check::new(Level::Bad, seen.name.clone(), fault.clone()),
        (None, None) => match &seen.subscriptions {
            Some(subscriptions) => topic(&seen.name, subscriptions),
            None => Check::new(
                Level::Note,
                seen.name.clone(),
                "configured; that it takes messages cannot be seen without posting one",
            )
            .fix("--post-test posts one line there."),
        },
    }
}

fn bot(name: &str, heard: &Result<SeenBot, Unheard>) -> Vec<Check> {
    let bot = match heard {
        Ok(bot) => bot,
        Err(Unheard { reason, fix }) => {
            let check = Check::new(Level::Bad, name, reason.clone());
            return vec![match fix {
                Some(fix) => check.fix(fix.clone()),
                None => check,
            }];
        }
    };
    let SeenBot { workspace, user, scopes, channel } = bot;
    let mut checks = vec![Check::new(
        Level::Good,
        name,
        format!(
            "the token is that of {user} in {workspace}; that it may write into {channel} shows only when it does"
        ),
    )];
    let lacks = |scope: &str| scopes.as_ref().is_some_and(|there| !there.iter().any(|known| known == scope));
    for (scope, level, lost) in [
        ("chat:write", Level::Bad, "it cannot post"),
        ("files:write", Level::Warning, "its reports come without pictures"),
    ] {
        if lacks(scope) {
            let check = Check::new(level, name, format!("it lacks the scope {scope}: {lost}"));
            checks
                .push(check.fix(format!("Add {scope} under OAuth & Permissions and install the app again.")));
        }
    }
    checks
}

/// A bucket that keys may be listed of is there, in the right Region.
fn bucket(name: &str, answered: &Seen<()>) -> Check {
    match answered {
        Ok(()) => Check::new(Level::Good, name, "the bucket is there; that reports may be put shows only when one is"),
        Err(error) if error.status == Status::Denied => {
            Check::new(Level::Note, name, format!("not known whether it is there: {}", error.reason))
                .fix("The function itself needs s3:PutObject alone; 'show' and 'ask' need s3:ListBucket and s3:GetObject.")
        }
        Err(error) => Check::new(Level::Bad, name, error.reason.clone()),
    }
}

fn topic(name: &str, subscriptions: &Seen<u32>) -> Check {
    match subscriptions {
        Ok(0) if name == "amazon q" => {
            Check::new(Level::Warning, name, "the topic is there, and no chat channel listens to it")
                .fix("Name the topic in the channel's configuration of Amazon Q Developer in chat applications.")
        }
        Ok(0) => Check::new(Level::Warning, name, "the topic is there, and nobody has confirmed a subscription")
            .fix("Subscribe those who should read the findings: aws sns subscribe --topic-arn ... --protocol email"),
        Ok(1) => Check::new(Level::Good, name, "the topic is there with 1 confirmed subscription"),
        Ok(many) => {
            Check::new(Level::Good, name, format!("the topic is there with {many} confirmed subscriptions"))
        }
        Err(error) if error.status == Status::Missing => {
            Check::new(Level::Bad, name, "there is no such topic in the account")
                .fix(match name {
                    "amazon q" => "Create it, or correct SRE_AGENT_AMAZON_Q_TOPIC_ARN.",
                    _ => "Create it, or correct SRE_AGENT_FINDINGS_TOPIC_ARN.",
                })
        }
        Err(error) => Check::unseen(name, error),
    }
}

/// The configuration document as far as its history could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDocument {
    /// SSM parameter that holds it.
    pub parameter: String,
    /// Earlier versions that name another primary than today's, the newest first, with what they name; a version that
    /// is no valid document is not among them.
    pub earlier: Seen<Vec<(i64, ModelId)>>,
}

/// Returns the part on the configuration: what it was before, and whether its primary could be called today.
pub fn configuration(seen: &SeenDocument, account: &Account) -> Part {
    let name = format!("ssm:{}", seen.parameter);
    let check = match &seen.earlier {
        Err(error) => Check::unseen(name, error),
        Ok(earlier) => match earlier.first() {
            None => Check::new(Level::Good, name, "no earlier version names another primary model"),
            Some((newest, _)) => {
                let ready = |model: &ModelId| models::judge(model, account).ready;
                let good = earlier.iter().find(|(_, model)| ready(model));
                let (version, model) =
                    good.or(earlier.first()).map_or((*newest, ""), |(at, id)| (*at, id.as_str()));
                let word =
                    if good.is_some() { "can be called today" } else { "cannot be called today either" };
                let parameter = &seen.parameter;
                Check::new(
                    Level::Note,
                    name,
                    format!("before, version {version} named {model}, which {word}"),
                )
                .fix(format!(
                    "To see it: aws ssm get-parameter --name {parameter}:{version} --with-decryption"
                ))
            }
        },
    };
    Part { heading: "Configuration document".into(), checks: vec![check] }
}

/// Returns the part on the store: the state table with how it answered, or none.
pub fn store(table: Option<(&str, Result<(), String>)>) -> Part {
    let check = match table {
        None => {
            let reason = "in the memory of one container: its leases and limits hold there, and a redelivery to another container posts again";
            Check::new(Level::Note, "memory", reason).fix("Name a DynamoDB table: SRE_AGENT_STATE_TABLE.")
        }
        Some((table, Ok(()))) => Check::new(Level::Good, table, "the state table answers"),
        Some((table, Err(reason))) => Check::new(
            Level::Warning,
            table,
            format!("the state table does not answer: reports go out, and may go out twice ({reason})"),
        )
        .fix("The function needs dynamodb:GetItem, BatchGetItem, UpdateItem and PutItem on it; its only key is the text \"key\"."),
    };
    Part { heading: "Store".into(), checks: vec![check] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::telemetry::TelemetryError;

    #[test]
    fn a_missing_probe_target_proves_the_permission_and_a_denial_degrades_to_a_warning() {
        let error = |status| {
            Err(TelemetryError { status, operation: "logs:FilterLogEvents", reason: "said so".into() })
        };
        for (seen, level) in [
            (Ok(()), Level::Good),
            (error(Status::Missing), Level::Good),
            (error(Status::Denied), Level::Warning),
            (error(Status::Throttled), Level::Note),
            (error(Status::Failed), Level::Note),
        ] {
            assert_eq!(permission("logs:FilterLogEvents", &seen).level, level, "{seen:?}");
        }
    }

    #[test]
    fn a_store_that_every_container_sees_is_good_and_one_that_does_not_answer_costs_no_report() {
        let level = |table| store(table).checks[0].level;
        assert_eq!(level(None), Level::Note);
        assert_eq!(level(Some(("state", Ok(())))), Level::Good);
        assert_eq!(level(Some(("state", Err("no such table".into())))), Level::Warning);
    }

    #[test]
    fn a_channel_is_good_only_when_it_took_a_message() {
        let seen = |fault: Option<&str>, posted| SeenChannel {
            name: "sns".into(),
            fault: fault.map(Into::into),
            subscriptions: None,
            bot: None,
            bucket: None,
            posted,
        };
        for (channel_seen, level) in [
            (seen(None, None), Level::Note),
            (seen(Some("no parameter"), None), Level::Bad),
            (seen(None, Some(Ok(()))), Level::Good),
            (seen(None, Some(Err("404".into()))), Level::Bad),
        ] {
            assert_eq!(channel(&channel_seen).level, level, "{channel_seen:?}");
        }
        assert_eq!(channels(&[]).checks.len(), 1);
        let failing =
            |status| Err(TelemetryError { status, operation: "s3:ListBucket", reason: "said so".into() });
        for (bucket, level) in [
            (Ok(()), Level::Good),
            (failing(Status::Denied), Level::Note),
            (failing(Status::Failed), Level::Bad),
        ] {
            let looked = SeenChannel { bucket: Some(bucket), ..seen(None, None) };
            let levels: Vec<_> = channels(&[looked]).checks.iter().map(|check| check.level).collect();
            assert_eq!(levels, [level, Level::Warning], "a bucket alone tells nobody");
        }
        let bot = |scopes: Option<&[&str]>| {
            let scopes = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
            let names = |name: &str| name.to_owned();
            Ok(SeenBot { workspace: names("w"), user: names("u"), scopes, channel: names("C0123456789") })
        };
        let unheard = Err(Unheard { reason: "Slack: token_revoked".into(), fix: Some("A new one.".into()) });
        for (heard, levels) in [
            (bot(None), &[Level::Good][..]),
            (bot(Some(&["chat:write", "files:write"])), &[Level::Good]),
            (bot(Some(&["chat:write"])), &[Level::Good, Level::Warning]),
            (bot(Some(&[])), &[Level::Good, Level::Bad, Level::Warning]),
            (unheard, &[Level::Bad]),
        ] {
            let looked = SeenChannel { bot: Some(heard), ..seen(None, None) };
            let found: Vec<_> = channels(&[looked]).checks.iter().map(|check| check.level).collect();
            assert_eq!(found, levels);
        }
        let error = |status| {
            Err(TelemetryError { status, operation: "sns:GetTopicAttributes", reason: "said so".into() })
        };
        for (subscriptions, level) in [
            (Ok(0), Level::Warning),
            (Ok(1), Level::Good),
            (Ok(12), Level::Good),
            (error(Status::Missing), Level::Bad),
            (error(Status::Denied), Level::Note),
        ] {
            let looked = SeenChannel { subscriptions: Some(subscriptions), ..seen(None, None) };
            assert_eq!(channel(&looked).level, level, "{looked:?}");
        }
    }
}
