//! What to do: looks first, then what changes something, each with its command.

use maud::{Markup, html};

use crate::report::html::block;
use crate::report::html::inline::{link, text};
use crate::report::steps::Step;

/// Returns the steps as a numbered list.
pub(super) fn list(steps: &[Step]) -> Markup {
    html! {
        ol.steps {
            @for step in steps {
                li {
                    p {
                        @match &step.changes {
                            Some(target) => span.badge.changes { "⚠ Changes " (text(target)) },
                            None => span.badge.look { "Look (safe)" },
                        }
                        " " (text(&step.text)) " "
                        @if let Some(url) = &step.link { (link("Open in the console", url)) }
                    }
                    @if !step.command.is_empty() { (block(&step.command)) }
                }
            }
        }
    }
}
