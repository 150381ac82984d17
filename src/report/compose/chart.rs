//! What is drawn of the alarm's metric, in as many points as a screen has room for.

use crate::analysis;
use crate::evidence::{Body, Datapoint};
use crate::report::compose::Told;
use crate::report::data::{ChangeMark, Chart, NormalBand, PointData};

/// Points on a chart: more than these are not told apart on a screen, and a report is kept in a table.
const MOST_POINTS: usize = 240;

/// Changes on a chart.
const MOST_CHANGES: usize = 12;

/// Returns the chart, where the alarm has a metric that was read.
pub(super) fn chart(told: &Told<'_>) -> Option<Chart> {
    let watched = analysis::watched(told.incident, told.ledger)?;
    let points: Vec<Datapoint> = watched.points.into_iter().filter(|point| point.value.is_finite()).collect();
    if points.is_empty() {
        return None;
    }
    let window = told.incident.window;
    let changes = told.ledger.items().iter().filter_map(|item| match &item.body {
        Body::Change(change) if window.contains(change.at) => {
            Some(ChangeMark { at: change.at, evidence: item.id.clone() })
        }
        Body::Change(_)
        | Body::Series(_)
        | Body::Logs(_)
        | Body::Rows(_)
        | Body::Fact(_)
        | Body::Alarm(_)
        | Body::Nothing => None,
    });
    let is_number = |value: &f64| value.is_finite();
    let metric = &watched.series.metric;
    Some(Chart {
        namespace: metric.namespace.clone(),
        metric: metric.name.clone(),
        dimensions: metric.dimensions.clone(),
        statistic: watched.series.statistic.as_str().to_owned(),
        unit: watched.series.unit.clone().filter(|unit| unit != "None"),
        period_seconds: watched.series.period_seconds,
        evidence: watched.evidence.id.clone(),
        window,
        points: thinned(&points, MOST_POINTS),
        threshold: told.incident.alarm.metric().and_then(|metric| metric.threshold).filter(is_number),
        normal: told
            .analysis
            .baseline
            .as_ref()
            .map(|baseline| NormalBand { low: baseline.low, high: baseline.high }),
        onset: told.analysis.onset.as_ref().map(|onset| onset.at),
        changes: changes.take(MOST_CHANGES).collect(),
    })
}

/// Returns at most `most` points; of more the lowest and the highest of each stretch, so that no peak is lost.
fn thinned(points: &[Datapoint], most: usize) -> Vec<PointData> {
    let shown = |point: &Datapoint| PointData { at: point.at, value: point.value };
    if points.len() <= most {
        return points.iter().map(shown).collect();
    }
    let stretch = points.len().div_ceil((most / 2).max(1));
    points
        .chunks(stretch)
        .flat_map(|chunk| {
            let by_value = |left: &&Datapoint, right: &&Datapoint| left.value.total_cmp(&right.value);
            let mut ends: Vec<&Datapoint> =
                chunk.iter().min_by(by_value).into_iter().chain(chunk.iter().max_by(by_value)).collect();
            ends.sort_by_key(|point| point.at);
            ends.dedup_by_key(|point| point.at);
            ends.into_iter().map(shown).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_long_series_is_thinned_and_keeps_its_peak_and_its_order() {
        let points: Vec<Datapoint> = (0..1_000_i32)
            .map(|minute| Datapoint {
                at: Timestamp::from_second(i64::from(minute) * 60).unwrap(),
                value: if minute == 777 { 99.0 } else { f64::from(minute % 7) },
            })
            .collect();
        let thin = thinned(&points, 240);
        assert!((200..=240).contains(&thin.len()), "{}", thin.len());
        assert!(thin.iter().any(|point| point.value > 98.0));
        assert!(thin.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(thinned(&points[..240], 240).len(), 240);
    }
}
