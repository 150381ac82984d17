//! What happened, downwards in order of time, each in its lane.

use maud::{Markup, html};

use crate::evidence::text::{day, moment, second};
use crate::report::data::{Lane, TimelineItem};
use crate::report::html::inline::{Anchors, text};

/// Returns the lanes. Their headings stand above them where there is room, else beside each entry.
pub(super) fn lanes(items: &[TimelineItem], anchors: &Anchors) -> Markup {
    let mut before = String::new();
    let rows: Vec<(Option<String>, &TimelineItem)> = items
        .iter()
        .map(|item| {
            let day = day(item.at);
            let new = (day != before).then(|| day.clone());
            before = day;
            (new, item)
        })
        .collect();
    html! {
        div.lanes {
            div.lane-heads aria-hidden="true" {
                span { "UTC" }
                @for lane in Lane::ALL { span { (lane.heading()) } }
            }
            ol {
                @for (new_day, item) in rows {
                    @if let Some(day) = new_day { li.day { (day) } }
                    li class=(class(item.lane)) {
                        time datetime=(item.at) { (time_of(item)) }
                        span.lane { (item.lane.heading()) }
                        p { (text(&item.text)) " " (anchors.cite(&item.evidence, None)) }
                    }
                }
            }
        }
    }
}

fn class(lane: Lane) -> &'static str {
    match lane {
        Lane::Changes => "lane-changes",
        Lane::Logs => "lane-logs",
        Lane::Metrics => "lane-metrics",
        Lane::Alarms => "lane-alarms",
    }
}

/// A metric knows its minute, not the second.
fn time_of(item: &TimelineItem) -> String {
    let whole = if item.to_the_minute { moment(item.at) } else { second(item.at) };
    whole.split_once(' ').map(|(_, time)| time.to_owned()).unwrap_or(whole)
}
