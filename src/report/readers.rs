//! Who reads a report: links for the console that they sign in to, and words of logs only where they may be read.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::evidence::console::{self, encode};
use crate::report::data::Data;
use crate::report::document::{Document, Line, Span};

/// What stands for a log's words that are withheld.
const WITHHELD: &str = "(log text withheld)";

/// The settings of `[report]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readers {
    /// How a link into the console is written, where that is not plainly the console's own address.
    pub console_link: Option<ConsoleLink>,
    /// How much of a log's words the cards of channels show.
    pub log_quotes: LogQuotes,
}

impl Readers {
    /// Fits a document to its readers: the one place where an address into the console is written otherwise.
    pub fn fit(&self, document: &mut Document) {
        document.log_quotes = self.log_quotes;
        let Some(template) = &self.console_link else { return };
        let mut data = Data::of(document);
        let (account, region) = (data.alarm.account.clone(), data.alarm.region.clone());
        let written = |url: &str| template.written(url, &account, &region);
        for url in data.consoles_mut() {
            *url = written(url);
        }
        document.data = data.value();
        document.each_span(&mut |span| match span {
            Span::Link { url, .. } | Span::Evidence { url: Some(url), .. } => *url = written(url),
            Span::Evidence { url: None, .. }
            | Span::Text(_)
            | Span::Bold(_)
            | Span::Code(_)
            | Span::LogQuote { .. }
            | Span::Time(_) => {}
        });
    }
}

/// How much of a log's words a card shows: a channel has more readers than a log group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogQuotes {
    /// The words as they stand there, without secrets.
    #[default]
    Full,
    /// The constant words, `<*>` where lines differ.
    Template,
    /// That there are some.
    None,
}

impl LogQuotes {
    /// Reads the setting.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "full" => Some(LogQuotes::Full),
            "template" => Some(LogQuotes::Template),
            "none" => Some(LogQuotes::None),
            _ => None,
        }
    }
}

/// How a command begins to name the words that it looks for in a log.
const PHRASE: &str = "--filter-pattern '\"";

impl Document {
    /// Returns the document as a channel may show it: with as much of a log's words as its setting lets through, in the
    /// card and in the details that some channels post behind it. The facts behind it stay as they are; no channel
    /// prints them.
    #[must_use]
    pub fn for_channel(&self) -> Document {
        let mut document = self.clone();
        let quotes = self.log_quotes;
        document.each_span(&mut |span| {
            if let Span::LogQuote { full, template } = span {
                *span = Span::Text(match quotes {
                    LogQuotes::Full => std::mem::take(full),
                    LogQuotes::Template => std::mem::take(template),
                    LogQuotes::None => WITHHELD.to_owned(),
                });
            } else if let (Span::Code(command), LogQuotes::None) = (&mut *span, quotes)
                && let Some((before, phrase)) = command.split_once(PHRASE)
            {
                // The command that looks for a log's words holds them.
                let after = phrase.split_once("\"'").map_or("", |(_, after)| after);
                *command = format!("{before}{PHRASE}{WITHHELD}\"'{after}");
            }
        });
        document
    }

    /// Shows every line of the document to `change`.
    pub(crate) fn each_line(&mut self, change: &mut dyn FnMut(&mut Line)) {
        let sections = self.sections.iter_mut().flat_map(|section| &mut section.items);
        let details = self.details.iter_mut().flat_map(|detail| &mut detail.items);
        [&mut self.title, &mut self.condition, &mut self.verdict]
            .into_iter()
            .chain(&mut self.statement)
            .chain(&mut self.impact)
            .chain(sections)
            .chain(&mut self.limits)
            .chain(&mut self.footer)
            .chain(details)
            .for_each(change);
    }

    fn each_span(&mut self, change: &mut dyn FnMut(&mut Span)) {
        self.links.iter_mut().for_each(&mut *change);
        self.each_line(&mut |line| line.0.iter_mut().for_each(&mut *change));
    }
}

/// A template for links into the console, with `{destination}`, `{account}` and `{region}` in it.
///
/// People who sign in through IAM Identity Center have their portal open the page with a role of theirs:
/// `https://<portal>/start/#/console?account_id={account}&role_name=<role>&destination={destination}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLink(String);

impl ConsoleLink {
    /// Reads a template; the error says what is wrong with it.
    pub fn parse(template: &str) -> Result<Self, String> {
        let host =
            template.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
        if host.is_none_or(|host| host.is_empty() || host.contains(['{', '@'])) {
            return Err("an address that begins with https:// and a host is wanted".into());
        }
        if template.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err("an address has no blanks".into());
        }
        let mut rest = template;
        let mut leads_on = false;
        while let Some((_, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("a { has no } behind it")?;
            match name {
                "destination" => leads_on = true,
                "account" | "region" => {}
                _ => {
                    return Err(format!(
                        "{{{name}}} is not known; {{destination}}, {{account}} and {{region}} are"
                    ));
                }
            }
            rest = behind;
        }
        if leads_on { Ok(ConsoleLink(template.to_owned())) } else { Err("it has no {destination}".into()) }
    }

    /// Returns the address of a page of the console by this template; any other address stays.
    fn written(&self, url: &str, account: &str, region: &str) -> String {
        if !console::is_console(url) {
            return url.to_owned();
        }
        let mut written = String::with_capacity(self.0.len() + url.len() * 2);
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, behind)) = after.split_once('}') else { break };
            let value = match name {
                "account" => account,
                "region" => region,
                _ => url,
            };
            let _ = write!(written, "{before}{}", encode(value));
            rest = behind;
        }
        written.push_str(rest);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::AlarmData;
    use crate::report::{plain, samples, slack};

    const PORTAL: &str = "https://example.awsapps.com/start/#/console?account_id={account}&role_name=ReadOnly&destination={destination}";

    #[test]
    fn a_console_link_goes_through_the_portal_and_any_other_link_stays() {
        let link = ConsoleLink::parse(PORTAL).unwrap();
        assert_eq!(
            link.written(
                "https://us-east-1.console.aws.amazon.com/lambda/home?region=us-east-1#/functions/a",
                "123456789012",
                "us-east-1"
            ),
            "https://example.awsapps.com/start/#/console?account_id=123456789012&role_name=ReadOnly&destination=\
             https%3A%2F%2Fus-east-1.console.aws.amazon.com%2Flambda%2Fhome%3Fregion%3Dus-east-1%23%2Ffunctions%2Fa"
        );
        for other in ["https://wiki.example/runbook", "https://console.aws.amazon.com.evil.example/x", "x"] {
            assert_eq!(link.written(other, "123456789012", "us-east-1"), other);
        }
    }

    #[test]
    fn a_template_that_leads_nowhere_is_refused_with_the_reason() {
        for (template, reason) in [
            ("http://portal/{destination}", "https://"),
            ("https://{destination}", "a host"),
            ("https://portal/x", "no {destination}"),
            ("https://portal/{role}/{destination}", "{role} is not known"),
            ("https://portal/{destination", "no }"),
            ("https://portal/ {destination}", "no blanks"),
        ] {
            let error = ConsoleLink::parse(template).unwrap_err();
            assert!(error.contains(reason), "{template}: {error}");
        }
        assert!(ConsoleLink::parse("https://go.example/{region}/{account}?to={destination}").is_ok());
    }

    #[test]
    fn every_console_link_of_a_document_is_written_by_the_template() {
        let data = Data {
            alarm: AlarmData { account: "123456789012".into(), ..AlarmData::default() },
            ..Data::default()
        };
        let mut document = Document { data: data.value(), ..samples::cause_shown() };
        let readers = Readers { console_link: ConsoleLink::parse(PORTAL).ok(), ..Readers::default() };
        readers.fit(&mut document);
        let text = plain::render(&document) + &slack::render(&document).to_string();
        assert!(!text.contains("https://us-east-1.console"), "{text}");
        assert!(
            text.contains("https://example.awsapps.com/start/#/console?account_id=123456789012"),
            "{text}"
        );
    }

    #[test]
    fn a_channel_shows_as_much_of_a_log_as_it_may() {
        let quote = || Span::LogQuote { full: "user 42 failed".into(), template: "user <*> failed".into() };
        let line = || Line::text("first \"").with(quote()).with("\" at 03:02");
        for (quotes, shown) in [
            (LogQuotes::Full, "first \"user 42 failed\" at 03:02"),
            (LogQuotes::Template, "first \"user <*> failed\" at 03:02"),
            (LogQuotes::None, "first \"(log text withheld)\" at 03:02"),
        ] {
            let document = Document { statement: vec![line()], log_quotes: quotes, ..samples::cause_shown() };
            let card =
                plain::render(&document.for_channel()).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(card.contains(shown), "{quotes:?}: {card}");
        }
    }
}
