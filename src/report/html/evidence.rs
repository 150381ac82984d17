//! Every piece of evidence: folded to a line, unfolded to what was found and how to see it again.
//!
//! The place that a citation leads to lies inside the fold, so that a browser opens it by itself.

use maud::{Markup, html};

use crate::evidence::text::second;
use crate::evidence::{Source, Status};
use crate::report::data::{EvidenceData, by_source};
use crate::report::html::block;
use crate::report::html::inline::{Anchors, link, text};
use crate::report::layout::clean_block;

/// Returns the evidence, by source.
pub(super) fn list(evidence: &[EvidenceData], anchors: &Anchors) -> Markup {
    html! {
        p.unfold { button type="button" hidden { "Unfold all" } }
        @for (source, items) in by_source(evidence) {
            h3 { (heading(source)) }
            @let (told, quiet): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| is_telling(item));
            @for item in told { (one(item, anchors)) }
            @if !quiet.is_empty() {
                details.group {
                    summary { (quiet.len()) " more: for comparison, or without a finding" }
                    @for item in quiet { (one(item, anchors)) }
                }
            }
        }
    }
}

/// Tells whether a piece says something of the incident; the others are many, and stand folded together.
fn is_telling(item: &EvidenceData) -> bool {
    item.status == Status::Found && !item.for_comparison
}

fn heading(source: Source) -> &'static str {
    match source {
        Source::Metrics => "Metrics",
        Source::Logs => "Logs",
        Source::Changes => "Changes",
        Source::Alarm => "Alarm",
        Source::Analysis => "Computed from the above",
    }
}

fn one(item: &EvidenceData, anchors: &Anchors) -> Markup {
    let status = if item.for_comparison { "for comparison" } else { item.status.as_str() };
    html! {
        details.evidence {
            summary {
                span.id { (text(item.id.as_str())) }
                " " span.title { (text(&item.title)) }
                " " span.status { (status) }
            }
            div.body id=[anchors.get(&item.id)] {
                @if item.source == Source::Analysis {
                    @if let Some(formula) = &item.formula {
                        p.meta {
                            "Computed: " code { (text(formula)) } " from"
                            @for input in &item.inputs { " " (anchors.cite(input, None)) }
                        }
                    }
                } @else {
                    p.meta {
                        (second(item.window.start)) " to " (second(item.window.end)) " UTC"
                        @if let Some(until) = item.seen_up_to { " · seen up to " (second(until)) }
                    }
                }
                @if !item.excerpt.is_empty() {
                    pre.excerpt tabindex="0" { (clean_block(&item.excerpt)) }
                    @if item.cut { p.meta { "Cut here; the command shows all of it." } }
                }
                @if !item.command.is_empty() { (block(&item.command)) }
                @if let Some(url) = &item.console { p { (link("Open in the console", url)) } }
            }
        }
    }
}
