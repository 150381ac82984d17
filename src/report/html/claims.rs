//! The claims that stand, each with the words and values that it rests on; what is lacking; what the review said.

use maud::{Markup, html};

use crate::evidence::Source;
use crate::evidence::text::number;
use crate::finding::ClaimKind;
use crate::report::data::{CitationData, ClaimData, Data};
use crate::report::html::inline::{Anchors, text};

/// Returns the claims in the order of the card.
pub(super) fn list(data: &Data, anchors: &Anchors) -> Markup {
    html! {
        @if let Some(counts) = data.counts {
            p.note {
                (counts.held) " of " (counts.checked) " quotes and numbers were read again in the evidence and hold"
                @if counts.removed > 0 { "; " (counts.removed) " claims without proof were removed" }
                "."
            }
        }
        ul.claims {
            @for claim in &data.claims { (one(claim, data, anchors)) }
        }
        @if !data.lacks.is_empty() {
            p.note { "A stronger verdict lacks " (text(&data.lacks.join("; "))) "." }
        }
        @if let Some(review) = &data.review {
            p.note { "Review: " (text(&review.reason)) }
            @if !review.missing.is_empty() { p.note { "Would settle it: " (text(&review.missing)) } }
        }
    }
}

fn one(claim: &ClaimData, data: &Data, anchors: &Anchors) -> Markup {
    html! {
        li {
            p { span.badge { (kind(claim.kind)) } " " (text(&claim.text)) }
            @if !claim.citations.is_empty() {
                ul.citations {
                    @for citation in &claim.citations { li { (cited(citation, data, anchors)) } }
                }
            }
        }
    }
}

fn cited(citation: &CitationData, data: &Data, anchors: &Anchors) -> Markup {
    // A computed fact is cited whole: its sentence is the first line of it.
    let fact = data.find(&citation.evidence).filter(|item| item.source == Source::Analysis);
    let sentence =
        fact.and_then(|item| item.excerpt.split(" (= ").next()).and_then(|text| text.lines().next());
    html! {
        (anchors.cite(&citation.evidence, None))
        @if let Some(quote) = &citation.quote { " " q { (text(quote)) } }
        @else if let Some(sentence) = sentence { " " (text(sentence)) }
        @if let Some(value) = citation.value {
            " " (number(value)) @if let Some(at) = &citation.at { " at " (text(at)) }
        }
    }
}

fn kind(kind: ClaimKind) -> &'static str {
    match kind {
        ClaimKind::Cause => "Cause",
        ClaimKind::Symptom => "Symptom",
        ClaimKind::Context => "Context",
        ClaimKind::RuledOut => "Ruled out",
        ClaimKind::AlarmFault => "Alarm's fault",
    }
}
