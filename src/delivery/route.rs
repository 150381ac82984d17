//! Which channels an alarm is told at: the first rule of the configuration that fits it, and all of them without one.

use std::collections::BTreeMap;

/// A kind of channel, as a rule names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The webhook or the bot.
    Slack,
    /// The topic for e-mail, SMS and other subscribers.
    Sns,
    /// The topic of Amazon Q Developer in chat applications.
    AmazonQ,
    /// The bucket that reports are kept in.
    S3,
    /// The function's log, or the terminal.
    Stdout,
}

impl Name {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Name; 5] = [Name::Slack, Name::Sns, Name::AmazonQ, Name::S3, Name::Stdout];

    /// Returns the kind as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Slack => "slack",
            Name::Sns => "sns",
            Name::AmazonQ => "amazon_q",
            Name::S3 => "s3",
            Name::Stdout => "stdout",
        }
    }

    /// Reads the configuration's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Name::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// Returns the kind of a channel by its name in receipts; `None` of one that no rule knows.
    fn of_channel(name: &str) -> Option<Self> {
        if name.starts_with("slack ") {
            return Some(Name::Slack);
        }
        Name::parse(&name.replace(' ', "_"))
    }
}

/// One rule: all its conditions must hold, and one without any always does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// What the alarm's name begins with.
    pub alarm_prefix: Option<String>,
    /// Key and value of a tag of the alarm.
    pub tag: Option<(String, String)>,
    /// Value of its tag `severity`.
    pub severity: Option<String>,
    /// The name that its owner writes behind `channel:`, in a tag or in the description.
    pub hint: Option<String>,
    /// Where it is told.
    pub to: Routed,
}

/// Where an alarm is told; the default is everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routed {
    /// Kinds of channels; `None` is all of them.
    pub channels: Option<Vec<Name>>,
    /// Id of the Slack channel that a bot writes into, where it is not its usual one.
    pub slack_channel: Option<String>,
}

impl Routed {
    /// Channels that no rule silences, by their names in receipts.
    pub const ALWAYS: [&'static str; 1] = ["stdout"];

    /// Tells whether a channel, by its name in receipts, is told. Who reads a log or a terminal always is.
    pub fn takes(&self, channel: &str) -> bool {
        match (&self.channels, Name::of_channel(channel)) {
            (None, _) | (_, None | Some(Name::Stdout)) => true,
            (Some(chosen), Some(name)) => chosen.contains(&name),
        }
    }
}

/// What is known of an alarm. Tags and hint are untrusted text: they choose among rules and are nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its name.
    pub alarm: &'a str,
    /// Its tags; `None` where they could not be read.
    pub tags: Option<&'a BTreeMap<String, String>>,
    /// The channel that its owner names.
    pub hint: Option<&'a str>,
}

/// Tells whether a rule looks at more than the alarm's name.
pub fn needs_tags(routes: &[Route]) -> bool {
    routes.iter().any(|route| route.tag.is_some() || route.severity.is_some() || route.hint.is_some())
}

/// Returns where an alarm is told; `None` where a rule hangs on tags that could not be read.
pub fn route(routes: &[Route], asked: &Asked<'_>) -> Option<Routed> {
    for route in routes {
        let named = route.alarm_prefix.as_deref().is_none_or(|prefix| asked.alarm.starts_with(prefix));
        let hinted = route.hint.is_none() || route.hint.as_deref() == asked.hint;
        if !named || !hinted {
            continue;
        }
        if route.tag.is_none() && route.severity.is_none() {
            return Some(route.to.clone());
        }
        let tags = asked.tags?;
        let tagged = route.tag.as_ref().is_none_or(|(key, value)| tags.get(key) == Some(value));
        let severity = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case("severity"));
        let severe = route.severity.is_none() || severity.map(|(_, value)| value) == route.severity.as_ref();
        if tagged && severe {
            return Some(route.to.clone());
        }
    }
    Some(Routed::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(channels: &[Name]) -> Routed {
        Routed { channels: Some(channels.to_vec()), slack_channel: None }
    }

    #[test]
    fn the_first_rule_whose_conditions_all_hold_decides() {
        let routes = [
            Route {
                alarm_prefix: Some("shop-".into()),
                tag: Some(("team".into(), "payments".into())),
                to: to(&[Name::Sns]),
                ..Route::default()
            },
            Route { severity: Some("3".into()), to: to(&[Name::S3]), ..Route::default() },
            Route { hint: Some("ops".into()), to: to(&[Name::AmazonQ]), ..Route::default() },
            Route { alarm_prefix: Some("shop-".into()), to: to(&[Name::Slack]), ..Route::default() },
        ];
        assert!(needs_tags(&routes) && !needs_tags(&routes[3..]));
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        for (alarm, tagged, hint, expected) in [
            ("shop-errors", tags(&[("team", "payments"), ("severity", "3")]), None, to(&[Name::Sns])),
            ("shop-errors", tags(&[("Severity", "3")]), Some("ops"), to(&[Name::S3])),
            ("shop-errors", tags(&[("team", "web")]), Some("ops"), to(&[Name::AmazonQ])),
            ("shop-errors", tags(&[]), Some("unknown"), to(&[Name::Slack])),
            ("pdf-errors", tags(&[("team", "payments")]), None, Routed::default()),
        ] {
            let asked = Asked { alarm, tags: Some(&tagged), hint };
            assert_eq!(route(&routes, &asked), Some(expected), "{alarm} {tagged:?} {hint:?}");
        }
        // A rule that hangs on what is not known decides nothing, and none behind it does.
        assert_eq!(route(&routes, &Asked { alarm: "shop-errors", tags: None, hint: None }), None);
        assert_eq!(
            route(&routes[3..], &Asked { alarm: "shop-x", tags: None, hint: None }),
            Some(to(&[Name::Slack]))
        );
        assert_eq!(route(&[], &Asked { alarm: "x", tags: None, hint: Some("sns") }), Some(Routed::default()));
    }

    #[test]
    fn a_route_takes_channels_by_their_kind_and_never_silences_a_terminal() {
        let chosen = to(&[Name::Slack, Name::AmazonQ]);
        for (channel, taken) in [
            ("slack webhook", true),
            ("slack bot", true),
            ("amazon q", true),
            ("sns", false),
            ("s3", false),
            ("stdout", true),
        ] {
            assert_eq!(chosen.takes(channel), taken, "{channel}");
            assert!(Routed::default().takes(channel));
        }
    }
}
