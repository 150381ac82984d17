//! Companions of an alarm whose namespace no row of the playbook knows: what `CloudWatch` lists beside its metric.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::alarm::MetricTrigger;
use crate::evidence::{Gap, Ledger, MetricId, Series, Source, Statistic, Status, Window};
use crate::gather::telemetry::{MOST_LISTED, MetricQuery, MetricsRequest};
use crate::gather::{Plan, Reader, gap, metrics};
use crate::incident::Incident;
use crate::playbook::unlisted;

/// Most companions that are read: about as many as a row of the playbook has.
const MOST_COMPANIONS: usize = 10;

/// Longest time for the list: the series are read after it.
const LIST_TIME: Duration = Duration::from_secs(5);

/// What was found: the series of each window, and what could not be read.
#[derive(Default, Clone)]
pub(crate) struct Found {
    read: Vec<(String, Window, Vec<Series>)>,
    gaps: Vec<Gap>,
}

/// Lists the metrics beside the alarm's own and reads the most telling of them.
pub(crate) async fn read(incident: &Incident, reader: &Reader<'_>) -> Found {
    let mut found = Found::default();
    let Some(trigger) = incident.alarm.metric().filter(|_| incident.resource.service().is_none()) else {
        return found;
    };
    let subject = format!("companions of {}", incident.resource.title());
    let like = MetricId {
        namespace: trigger.namespace.clone(),
        name: String::new(),
        dimensions: trigger.dimensions.clone(),
    };
    let listing = reader.until(LIST_TIME);
    let asked = reader.telemetry.list_metrics(&like);
    let listed = match listing.ask(asked, Source::Metrics, &subject, "cloudwatch:ListMetrics").await {
        Ok(listed) => listed,
        Err(gap) => {
            found.gaps.push(gap);
            return found;
        }
    };
    if listed.len() >= MOST_LISTED {
        let reason =
            format!("{} has more metrics than the {MOST_LISTED} that are looked through", trigger.namespace);
        found.gaps.push(gap(Source::Metrics, &subject, Status::NotApplicable, &reason));
    }
    let chosen = choose(listed, trigger);
    if chosen.is_empty() {
        let reason = format!("CloudWatch lists no other metric of {} with its dimensions", trigger.namespace);
        found.gaps.push(gap(Source::Metrics, &subject, Status::NotApplicable, &reason));
        return found;
    }
    let queries: Vec<MetricQuery> = chosen
        .into_iter()
        .map(|metric| {
            let statistic = Statistic(unlisted::companion(&metric.name).statistic);
            MetricQuery { metric, statistic, unit: None }
        })
        .collect();
    let of_incident = (String::new(), incident.window);
    let of_normal =
        incident.baselines.iter().map(|baseline| (format!(", {}", baseline.title), baseline.window));
    let asked = std::iter::once(of_incident).chain(of_normal).map(|(when, window)| {
        let period_seconds = trigger.period_seconds.max(60);
        let request = MetricsRequest { queries: queries.clone(), window, period_seconds };
        let subject = &subject;
        async move {
            let answer = reader.telemetry.metrics(&request);
            (when, window, reader.ask(answer, Source::Metrics, subject, "cloudwatch:GetMetricData").await)
        }
    });
    for (when, window, answer) in futures::future::join_all(asked).await {
        match answer {
            Ok(series) => found.read.push((when, window, series)),
            Err(gap) => found.gaps.push(gap),
        }
    }
    found
}

/// Writes the series into the ledger.
pub(crate) fn record(incident: &Incident, plan: &mut Plan, found: Found, ledger: &mut Ledger) {
    for gap in found.gaps {
        ledger.push_gap(gap);
    }
    for (when, window, read) in found.read {
        for series in read {
            let title = format!("{}{when}", unlisted::companion(&series.metric.name).title);
            metrics::push(incident, plan.next(Source::Metrics), &title, window, series, ledger);
        }
    }
}

/// Chooses what to read: of each name the metric with the alarm's very dimensions, else the only one that there is; the
/// most telling names first, then by the alphabet.
fn choose(listed: Vec<MetricId>, trigger: &MetricTrigger) -> Vec<MetricId> {
    let mut by_name: BTreeMap<String, BTreeSet<BTreeMap<String, String>>> = BTreeMap::new();
    for metric in listed.into_iter().filter(|metric| metric.name != trigger.metric && !metric.name.is_empty())
    {
        by_name.entry(metric.name).or_default().insert(metric.dimensions);
    }
    let mut chosen: Vec<MetricId> = by_name
        .into_iter()
        .filter_map(|(name, sets)| {
            // One of several parts would be taken for the whole.
            let only = || if sets.len() == 1 { sets.first() } else { None };
            let dimensions = sets.get(&trigger.dimensions).or_else(only)?.clone();
            Some(MetricId { namespace: trigger.namespace.clone(), name, dimensions })
        })
        .collect();
    chosen.sort_by_cached_key(|metric| {
        (metric.dimensions != trigger.dimensions, unlisted::rank(&metric.name), metric.name.clone())
    });
    chosen.truncate(MOST_COMPANIONS);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::MissingData;

    fn dimensions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn chosen(own: &[(&str, &str)], listed: &[(&str, &[(&str, &str)])]) -> Vec<String> {
        let trigger = MetricTrigger {
            namespace: "Shop".into(),
            metric: "OrdersFailed".into(),
            dimensions: dimensions(own),
            statistic: "Sum".into(),
            unit: None,
            period_seconds: 60,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            comparison: None,
            threshold: None,
            missing_data: MissingData::Missing,
        };
        let listed = listed.iter().map(|(name, pairs)| MetricId {
            namespace: "Shop".into(),
            name: (*name).to_owned(),
            dimensions: dimensions(pairs),
        });
        choose(listed.collect(), &trigger).into_iter().map(|metric| metric.name).collect()
    }

    #[test]
    fn the_most_telling_names_with_the_alarms_dimensions_are_chosen_and_never_its_own() {
        let own: &[(&str, &str)] = &[("Service", "shop")];
        let zone: &[(&str, &str)] = &[("Service", "shop"), ("Zone", "a")];
        let other: &[(&str, &str)] = &[("Service", "shop"), ("Zone", "b")];
        let listed: &[(&str, &[(&str, &str)])] = &[
            ("Zorg", own),
            ("QueueDepth", own),
            ("QueueDepth", zone),
            ("OrdersFailed", own),
            ("OrdersFailed", zone),
            // One of its kind, though with a dimension more; and two, of which neither is the whole.
            ("PaymentErrors", zone),
            ("Requests", zone),
            ("Requests", other),
            ("Latency", own),
        ];
        assert_eq!(chosen(own, listed), ["Latency", "QueueDepth", "Zorg", "PaymentErrors"]);
        assert_eq!(chosen(own, &[]), Vec::<String>::new());
    }

    #[test]
    fn the_choice_is_bounded_and_does_not_depend_on_the_order_of_the_list() {
        let names: Vec<String> = (0..50).map(|number| format!("m{number:02}")).collect();
        let none: &[(&str, &str)] = &[];
        let mut listed: Vec<(&str, &[(&str, &str)])> =
            names.iter().map(|name| (name.as_str(), none)).collect();
        let forth = chosen(&[], &listed);
        listed.reverse();
        assert_eq!(forth, chosen(&[], &listed));
        assert_eq!(forth, names[..MOST_COMPANIONS]);
    }
}
