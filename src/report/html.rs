//! Renders the document as one HTML page that needs nothing else: verdict first, evidence behind it to unfold.
//!
//! The page holds its style and its script and may load nothing (`Content-Security-Policy`); without the script only the
//! copy buttons are missing. Text from outside is never markup: `maud` escapes all text, the charting crate escapes its
//! own, and an address becomes a link only where [`crate::report::layout`] lets it.

mod chart;
mod claims;
mod evidence;
mod inline;
mod steps;
mod timeline;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::alarm::AlarmState;
use crate::evidence::text::second;
use crate::report::data::Data;
use crate::report::document::{Detail, Document, Line, Marks, Section, Span, Topic};
use crate::report::layout::clean_block;

use inline::{Anchors, text};

/// The page's style.
const CSS: &str = include_str!("html/page.css");

/// The page's script: copy buttons, unfolding what a citation leads to, unfolding for paper.
const SCRIPT: &str = include_str!("html/page.js");

/// Returns the page.
pub fn render(document: &Document) -> String {
    let page = Page { document, data: Data::of(document), anchors: Anchors::default() };
    let page = Page { anchors: Anchors::of(&page.data.evidence), ..page };
    page.whole().into_string()
}

/// What the parts of the page are made from.
struct Page<'a> {
    document: &'a Document,
    data: Data,
    anchors: Anchors,
}

/// A part of the page with a place in its table of contents.
struct Part {
    anchor: &'static str,
    heading: &'static str,
    /// Its name in the table of contents.
    short: &'static str,
    content: Markup,
}

impl Page<'_> {
    fn whole(&self) -> Markup {
        let title = text(&self.document.push);
        let parts = self.parts();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    title { @if title.trim().is_empty() { "CloudWatch alarm report" } @else { (title) } }
                    style { (PreEscaped(CSS)) }
                }
                body {
                    main {
                        (self.head())
                        (self.contents(&parts))
                        (self.impact())
                        @for section in &self.document.sections {
                            @if !(section.heading == NEXT && self.has_steps()) { (self.section(section)) }
                        }
                        @for part in &parts {
                            section id=(part.anchor) {
                                h2 { (part.heading) }
                                (part.content)
                            }
                        }
                    }
                    footer { (self.anchors.paragraphs(&self.document.footer)) }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }

    /// State, verdict, and what the verdict says.
    fn head(&self) -> Markup {
        let document = self.document;
        let (tone, state) = match (document.state, document.recovered) {
            (AlarmState::Alarm, false) => ("alarm", "In alarm"),
            (AlarmState::Alarm | AlarmState::InsufficientData, true) => ("ok", "Recovered"),
            (AlarmState::Ok, _) => ("ok", "OK"),
            (AlarmState::InsufficientData, false) => ("unknown", "No data"),
        };
        html! {
            header {
                p.where { span class={ "pill " (tone) } { (state) } " " span { (self.anchors.line(&document.title)) } }
                h1 { (self.anchors.line(&document.verdict)) }
                div.statement { (self.anchors.paragraphs(&document.statement)) }
                p.condition { (self.anchors.line(&document.condition)) }
            }
        }
    }

    /// Where to go: the parts of the page, then the console.
    fn contents(&self, parts: &[Part]) -> Markup {
        html! {
            nav aria-label="Report" {
                @for part in parts { a href={ "#" (part.anchor) } { (part.short) } " " }
                @for link in &self.document.links {
                    span.console { (self.anchors.line(&Line(vec![link.clone()]))) } " "
                }
            }
        }
    }

    fn impact(&self) -> Markup {
        let chart = self.data.chart.as_ref().and_then(|chart| chart::figure(chart, &self.anchors));
        html! {
            @if !self.document.impact.is_empty() || chart.is_some() {
                section id="impact" {
                    h2 { "Impact" }
                    div.impact {
                        @for line in &self.document.impact {
                            @if !(chart.is_some() && is_sparkline(line)) { p { (self.anchors.line(line)) } }
                        }
                    }
                    @if let Some(chart) = chart { (chart) }
                }
            }
        }
    }

    fn section(&self, section: &Section) -> Markup {
        let items = html! { @for item in &section.items { li { (self.anchors.line(item)) } } };
        html! {
            section {
                h2 { (text(&section.heading)) }
                @match section.marks {
                    Marks::Bullets => ul { (items) },
                    Marks::Numbers => ol { (items) },
                    Marks::Plain => ul.plain { (items) },
                }
            }
        }
    }

    /// What the page has beyond the card, in reading order; what there is nothing of is left out.
    fn parts(&self) -> Vec<Part> {
        let data = &self.data;
        let part = |anchor, heading, content| Part { anchor, heading, short: heading, content };
        let mut parts = Vec::new();
        if self.has_steps() {
            parts.push(part("next", "Next steps", steps::list(&data.next_steps)));
        }
        if !data.timeline.is_empty() {
            parts.push(part("timeline", "Timeline", timeline::lanes(&data.timeline, &self.anchors)));
        }
        if !data.claims.is_empty() {
            let content = claims::list(data, &self.anchors);
            let heading = "Claims and what they rest on";
            parts.push(Part { short: "Claims", ..part("claims", heading, content) });
        }
        if !data.evidence.is_empty() {
            parts.push(part("evidence", "Evidence", evidence::list(&data.evidence, &self.anchors)));
        }
        if let Some(content) = self.not_checked() {
            parts.push(part("not-checked", "Not checked", content));
        }
        if let Some(content) = self.run() {
            parts.push(part("run", "Run details", content));
        }
        parts
    }

    fn has_steps(&self) -> bool {
        !self.data.next_steps.is_empty()
    }

    /// What is not known and was not looked at, with the statement that would open it.
    fn not_checked(&self) -> Option<Markup> {
        let details: Vec<&Detail> = self.details(|topic| topic == Topic::NotChecked);
        if self.document.limits.is_empty() && details.is_empty() {
            return None;
        }
        Some(html! {
            (self.anchors.paragraphs(&self.document.limits))
            @for detail in details { (self.detail(detail)) }
        })
    }

    /// Who answered, what it cost, and whatever else the document has.
    fn run(&self) -> Option<Markup> {
        let typed = !self.data.evidence.is_empty();
        let details = self.details(|topic| match topic {
            Topic::NotChecked => false,
            Topic::Timeline | Topic::Evidence | Topic::RuledOut | Topic::Commands => !typed,
            Topic::Agents | Topic::Models | Topic::Other => true,
        });
        if details.is_empty() {
            return None;
        }
        let data = &self.data;
        Some(html! {
            dl {
                dt { "Run" } dd { code { (text(&self.document.run_id)) } }
                @if !data.version.is_empty() { dt { "Made by" } dd { "sre-agent " (text(&data.version)) } }
                @if let Some(at) = data.as_of { dt { "As of" } dd { time datetime=(at) { (second(at)) " UTC" } } }
                @if let Some(incident) = &data.incident {
                    dt { "Window" } dd { (second(incident.window.start)) " to " (second(incident.window.end)) " UTC" }
                    dt { "Resource" } dd { (text(&incident.resource)) }
                }
                @if !data.alarm.region.is_empty() {
                    dt { "Account, Region" } dd { (text(&data.alarm.account)) ", " (text(&data.alarm.region)) }
                }
                @if let Some(arn) = &data.alarm.arn { dt { "Alarm" } dd { code { (text(arn)) } } }
                @if !data.alarm.reason.is_empty() { dt { "The alarm says" } dd { (text(&data.alarm.reason)) } }
            }
            @for detail in details {
                h3 { (text(&detail.heading)) }
                (self.detail(detail))
            }
        })
    }

    fn details(&self, wanted: impl Fn(Topic) -> bool) -> Vec<&Detail> {
        self.document.details.iter().filter(|detail| wanted(detail.topic)).collect()
    }

    fn detail(&self, detail: &Detail) -> Markup {
        html! {
            @if !detail.items.is_empty() {
                ul { @for item in &detail.items { li { (self.anchors.line(item)) } } }
            }
            @if let Some(code) = &detail.code { (block(code)) }
        }
    }
}

/// Tells whether a line is the card's sparkline, in whose place the page has a chart.
fn is_sparkline(line: &Line) -> bool {
    matches!(line.0.first(), Some(Span::Text(text)) if text.starts_with(|letter| ('▁'..='█').contains(&letter)))
}

/// Heading of the card's list of steps; the page has all of them with their commands instead.
const NEXT: &str = "Next";

/// Returns a block to copy.
fn block(code: &str) -> Markup {
    html! {
        div.block {
            pre tabindex="0" { code { (clean_block(code)) } }
            button.copy type="button" hidden { "Copy" }
        }
    }
}

/// Nothing may be loaded, sent or framed; the style and the script of this page are known by their hashes.
fn policy() -> String {
    let hash = |content: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(CSS),
        hash(SCRIPT)
    )
}

#[cfg(test)]
mod tests;
