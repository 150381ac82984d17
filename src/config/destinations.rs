//! Checks the bucket, the topics and `[[route]]`: which channels there are, and which alarm is told at which.

use super::Config;
use super::raw::{RawConfig, RawRoute};
use crate::delivery::{Bucket, Name, Route, Routed, SlackBot};

/// What every key begins with unless something else is said.
const PREFIX: &str = "reports/";

/// Returns a topic's ARN, or none where the text is no such ARN.
pub(super) fn topic(key: &str, arn: Option<&String>, fault: &mut impl FnMut(&str, String)) -> Option<String> {
    let arn = arn?;
    let good = arn.starts_with("arn:") && arn.split(':').count() == 6 && arn.contains(":sns:");
    if !good {
        fault(key, format!("{arn:?} is not an SNS topic's ARN"));
    }
    good.then(|| arn.clone())
}

/// Returns the bucket that reports are kept in.
pub(super) fn bucket(raw: &RawConfig, fault: &mut impl FnMut(&str, String)) -> Option<Bucket> {
    let plain = |text: &str, signs: &str| {
        text.chars().all(|letter| letter.is_ascii_alphanumeric() || signs.contains(letter))
    };
    let mut prefix = raw.s3.prefix.clone().unwrap_or_else(|| PREFIX.to_owned());
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    if prefix.starts_with('/') || prefix.len() > 200 || !plain(&prefix, "-_./=") {
        fault("s3.prefix", format!("{prefix:?} is not a plain beginning of keys, for instance {PREFIX}"));
    }
    let name = raw.s3.bucket.clone()?;
    let ends = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if !(3..=63).contains(&name.len())
        || !plain(&name, "-.")
        || name.chars().any(|letter| letter.is_ascii_uppercase())
        || !name.starts_with(ends)
        || !name.ends_with(ends)
    {
        fault(
            "s3.bucket",
            format!("{name:?} is not a bucket's name: its name alone is wanted, no ARN and no s3://"),
        );
        return None;
    }
    Some(Bucket { name, prefix })
}

/// Returns the rules; a rule may choose among the channels of `config` only.
pub(super) fn routes(raw: &RawConfig, config: &Config, fault: &mut impl FnMut(&str, String)) -> Vec<Route> {
    let rules = raw.route.iter().flatten().enumerate();
    rules
        .map(|(at, rule)| {
            checked(rule, config, &mut |key, reason| fault(&format!("route[{at}].{key}"), reason))
        })
        .collect()
}

fn checked(rule: &RawRoute, config: &Config, fault: &mut impl FnMut(&str, String)) -> Route {
    let tag = rule.tag.as_deref().and_then(|text| match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Some((key.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => {
            fault("tag", format!("{text:?} is no tag, for instance \"team=payments\""));
            None
        }
    });
    let mut channels = None;
    if let Some(names) = &rule.channels {
        let mut chosen = Vec::new();
        for text in names {
            match Name::parse(text) {
                Some(name) if config.has(name) => chosen.push(name),
                Some(_) => fault("channels", format!("{text} is not configured")),
                None => {
                    let known = Name::ALL.map(Name::as_str).join(", ");
                    fault("channels", format!("{text:?} is none of {known}"));
                }
            }
        }
        if names.is_empty() {
            fault("channels", "names none; without the key all channels are told".into());
        }
        channels = Some(chosen);
    }
    if let Some(id) = &rule.slack_channel {
        if config.slack_bot.is_none() {
            fault("slack_channel", "needs slack.token: a webhook has one channel".into());
        } else if let Err(error) = SlackBot::check_channel(id) {
            fault("slack_channel", error.to_string());
        }
    }
    for (key, text) in
        [("alarm_prefix", &rule.alarm_prefix), ("severity", &rule.severity), ("hint", &rule.hint)]
    {
        if text.as_deref().is_some_and(|text| text.trim().is_empty()) {
            fault(key, "is empty; without the key every alarm fits".into());
        }
    }
    Route {
        alarm_prefix: rule.alarm_prefix.clone(),
        tag,
        severity: rule.severity.clone(),
        hint: rule.hint.clone(),
        to: Routed { channels, slack_channel: rule.slack_channel.clone() },
    }
}

impl Config {
    /// Tells whether a kind of channel is configured.
    pub fn has(&self, name: Name) -> bool {
        match name {
            Name::Slack => self.slack_webhook.is_some() || self.slack_bot.is_some(),
            Name::Sns => self.findings_topic.is_some(),
            Name::AmazonQ => self.amazon_q_topic.is_some(),
            Name::S3 => self.report_bucket.is_some(),
            Name::Stdout => self.stdout,
        }
    }

    /// Tells whether anybody is told anything: a bucket alone is read by nobody.
    pub fn tells_somebody(&self) -> bool {
        Name::ALL.into_iter().any(|name| name != Name::S3 && self.has(name))
    }
}
