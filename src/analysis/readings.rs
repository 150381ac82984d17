//! Finds series in the ledger by the part they play: the alarm's own, its history, its normal times, its companions.
//!
//! `gather` keeps one evidence for each metric, statistic and window; here they are put together again.

use std::collections::BTreeSet;

use crate::analysis::baseline::{Baseline, with_missing_as_zero};
use crate::clock::Timestamp;
use crate::evidence::{Body, Datapoint, Evidence, Ledger, MetricId, Series, Statistic, Status};
use crate::id::EvidenceId;
use crate::incident::{Incident, Window};
use crate::playbook::{Companion, Role, Service, unlisted};

/// Fewer values than these do not say what is normal.
const FEWEST_NORMAL: usize = 10;
/// Dimensions that tell versions of one resource apart, and what a person calls them.
pub(crate) const ENTITY_DIMENSIONS: [(&str, &str); 1] = [("ExecutedVersion", "version")];
/// `CloudWatch` shows most metrics within this many seconds; younger periods without data may still be on their way.
const USUAL_LAG_SECONDS: i64 = 180;

/// A series of the incident window and what is normal for it.
#[derive(Debug, Clone)]
pub(crate) struct Reading<'a> {
    /// The evidence of the incident window.
    pub(crate) evidence: &'a Evidence,
    /// Its series.
    pub(crate) series: &'a Series,
    /// Its datapoints, zeros among them where a missing one means zero.
    pub(crate) points: Vec<Datapoint>,
    /// What is normal.
    pub(crate) baseline: Option<Baseline>,
    /// Where that was learned.
    pub(crate) learned_from: Vec<EvidenceId>,
}

impl Reading<'_> {
    /// Returns the value of the period that begins at `at`.
    pub(crate) fn value_at(&self, at: Timestamp) -> Option<f64> {
        let found = self.points.binary_search_by(|point| point.at.cmp(&at)).ok()?;
        self.points.get(found).map(|point| point.value).filter(|value| value.is_finite())
    }

    /// Returns the newest datapoint.
    pub(crate) fn last(&self) -> Option<Datapoint> {
        self.points.last().copied().filter(|point| point.value.is_finite())
    }

    /// Returns the evidence and where its normal values come from.
    pub(crate) fn inputs(&self) -> Vec<EvidenceId> {
        let mut inputs = vec![self.evidence.id.clone()];
        inputs.extend(self.learned_from.iter().cloned());
        inputs
    }
}

/// The incident's evidence, by part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readings<'a> {
    /// What is investigated.
    pub(crate) incident: &'a Incident,
    /// What was seen.
    pub(crate) ledger: &'a Ledger,
    /// What is known of the service.
    pub(crate) service: Option<&'a Service>,
}

impl<'a> Readings<'a> {
    /// Returns the series of the alarm's own metric.
    pub(crate) fn own(&self) -> Option<Reading<'a>> {
        let (metric, statistic) = self.own_metric()?;
        let companion = self.companion_of(&metric, &statistic);
        let not_breaching = self
            .incident
            .alarm
            .metric()
            .is_some_and(|trigger| trigger.missing_data == crate::alarm::MissingData::NotBreaching);
        let missing_is_zero =
            statistic.is_count() && (not_breaching || companion.is_some_and(|known| known.missing_is_zero));
        let (evidence, series) = self.incident_series(&metric, &statistic)?;
        Some(self.reading(evidence, series, missing_is_zero))
    }

    /// Returns the metric and statistic that the alarm watches.
    pub(crate) fn own_metric(&self) -> Option<(MetricId, Statistic)> {
        let trigger = self.incident.alarm.metric()?;
        let metric = MetricId {
            namespace: trigger.namespace.clone(),
            name: trigger.metric.clone(),
            dimensions: trigger.dimensions.clone(),
        };
        Some((metric, Statistic(trigger.statistic.clone())))
    }

    /// Returns the long history of the alarm's own metric.
    pub(crate) fn history(&self) -> Option<(&'a Evidence, &'a Series)> {
        let (metric, statistic) = self.own_metric()?;
        self.series_of(&metric, &statistic)
            .filter(|(evidence, _)| !self.is_incident(evidence) && !self.is_baseline(evidence))
            .min_by_key(|(evidence, _)| evidence.window.start)
    }

    /// Returns the evidence of a companion in the incident window, whatever came of asking.
    pub(crate) fn companion_evidence(&self, companion: &Companion) -> Option<&'a Evidence> {
        self.companion_series(companion).map(|(evidence, _)| evidence).or_else(|| {
            self.ledger.items().iter().find(|evidence| {
                matches!(evidence.body, Body::Nothing)
                    && evidence.source == crate::evidence::Source::Metrics
                    && evidence.title.as_str() == companion.title
                    && self.is_incident(evidence)
            })
        })
    }

    /// Returns a companion's series, where it has one.
    pub(crate) fn companion(&self, companion: &Companion) -> Option<Reading<'a>> {
        let (evidence, series) = self.companion_series(companion)?;
        Some(self.reading(evidence, series, companion.missing_is_zero))
    }

    /// Returns the first companion with this role that has data.
    pub(crate) fn of_role(&self, role: Role) -> Option<Reading<'a>> {
        let companions = self.service.map(|service| service.companions.as_slice()).unwrap_or_default();
        companions
            .iter()
            .filter(|companion| companion.role == role)
            .filter_map(|companion| self.companion(companion))
            .find(|reading| !reading.points.is_empty())
    }

    /// Tells whether the alarm watches what the companion names.
    pub(crate) fn is_own(&self, companion: &Companion) -> bool {
        self.own_metric().is_some_and(|(metric, statistic)| {
            names(companion, &metric) && statistic.0 == companion.statistic
        })
    }

    /// Returns the series of the incident window that carry the given dimension.
    pub(crate) fn with_dimension(&self, dimension: &str) -> impl Iterator<Item = (&'a Evidence, &'a Series)> {
        let dimension = dimension.to_owned();
        let readings = *self;
        self.all_series().filter(move |(evidence, series)| {
            readings.is_incident(evidence) && series.metric.dimensions.contains_key(&dimension)
        })
    }

    /// Returns a series of the incident window with its normal values.
    pub(crate) fn reading(
        &self,
        evidence: &'a Evidence,
        series: &'a Series,
        missing_is_zero: bool,
    ) -> Reading<'a> {
        let points = self.points(evidence, series, missing_is_zero, self.shown_until(evidence, series));
        let (values, learned_from) = self.normal_values(series, missing_is_zero);
        let baseline =
            if series.statistic.is_count() { Baseline::of_counts(&values) } else { Baseline::of(&values) };
        Reading { evidence, series, points, baseline, learned_from }
    }

    /// Returns the values of normal times: of the baseline windows, else of the history, else of the incident
    /// window before anything breached.
    fn normal_values(&self, series: &'a Series, missing_is_zero: bool) -> (Vec<f64>, Vec<EvidenceId>) {
        let (mut values, mut ids) = (Vec::new(), Vec::new());
        for (evidence, normal) in self.series_of(&series.metric, &series.statistic) {
            if self.is_baseline(evidence) {
                let points = self.points(evidence, normal, missing_is_zero, evidence.window.end);
                values.extend(points.iter().map(|point| point.value));
                ids.push(evidence.id.clone());
            }
        }
        if values.len() >= FEWEST_NORMAL {
            return (values, ids);
        }
        let quiet_until = self.incident.first_breach.min(self.incident.alarm.changed_at);
        let earlier = self
            .series_of(&series.metric, &series.statistic)
            .filter(|(evidence, _)| !self.is_baseline(evidence))
            .min_by_key(|(evidence, _)| evidence.window.start);
        if let Some((evidence, normal)) = earlier {
            let points = self.points(evidence, normal, missing_is_zero, quiet_until);
            let before: Vec<f64> =
                points.iter().filter(|point| point.at < quiet_until).map(|point| point.value).collect();
            if before.len() >= FEWEST_NORMAL {
                return (before, vec![evidence.id.clone()]);
            }
        }
        (values, ids)
    }

    fn points(
        &self,
        evidence: &Evidence,
        series: &Series,
        missing_is_zero: bool,
        until: Timestamp,
    ) -> Vec<Datapoint> {
        // Nothing at all is no row of zeros unless the resource is known to have been seen.
        let known = !series.datapoints.is_empty() || self.resource_was_seen(evidence.window);
        let mut points = if missing_is_zero && known {
            with_missing_as_zero(series, Window { start: evidence.window.start, end: until })
        } else {
            series.datapoints.clone()
        };
        points.retain(|point| self.is_over(point, series));
        points
    }

    /// Returns the datapoints of the periods that are over.
    pub(crate) fn finished(&self, series: &Series) -> Vec<Datapoint> {
        series.datapoints.iter().copied().filter(|point| self.is_over(point, series)).collect()
    }

    /// Tells whether a datapoint's period was over at the run's "now": a count of half a period reads like a fall.
    fn is_over(&self, point: &Datapoint, series: &Series) -> bool {
        point.at.as_second().saturating_add(series.period_seconds) <= self.incident.as_of.as_second()
    }

    /// Tells whether any metric has a datapoint in the window, so that the silence of another means zero.
    fn resource_was_seen(&self, window: Window) -> bool {
        self.all_series().any(|(_, series)| series.between(window.start, window.end).next().is_some())
    }

    /// Returns the moment up to which a missing datapoint really is missing.
    fn shown_until(&self, evidence: &Evidence, series: &Series) -> Timestamp {
        let end = evidence.window.end.min(self.incident.as_of);
        if let Some(horizon) = evidence.horizon {
            return horizon.min(end);
        }
        let seconds = |at: Timestamp| at.as_second();
        let newest = self
            .all_series()
            .filter(|(other, _)| self.is_incident(other))
            .filter_map(|(_, other)| {
                other.datapoints.last().map(|point| seconds(point.at) + other.period_seconds)
            })
            .max()
            .unwrap_or(i64::MIN);
        let surely = seconds(end) - USUAL_LAG_SECONDS.max(series.period_seconds);
        Timestamp::from_second(newest.max(surely)).unwrap_or(end).min(end)
    }

    fn companion_of(&self, metric: &MetricId, statistic: &Statistic) -> Option<&'a Companion> {
        self.service?
            .companions
            .iter()
            .find(|companion| names(companion, metric) && companion.statistic == statistic.0)
    }

    fn companion_series(&self, companion: &Companion) -> Option<(&'a Evidence, &'a Series)> {
        let service = self.service?;
        let own = self.own_metric().map(|(metric, _)| metric.dimensions);
        self.all_series()
            .filter(|(evidence, series)| {
                self.is_incident(evidence)
                    && series.metric.namespace == service.namespace
                    && names(companion, &series.metric)
                    && series.statistic.0 == companion.statistic
                    && !is_of_one_entity(&series.metric)
            })
            // The alarm's own dimensions first, then the fewest: those of the whole resource.
            .min_by_key(|(_, series)| {
                (Some(&series.metric.dimensions) != own.as_ref(), series.metric.dimensions.len())
            })
    }

    fn incident_series(
        &self,
        metric: &MetricId,
        statistic: &Statistic,
    ) -> Option<(&'a Evidence, &'a Series)> {
        self.series_of(metric, statistic).find(|(evidence, _)| self.is_incident(evidence))
    }

    fn series_of<'b>(
        &'b self,
        metric: &'b MetricId,
        statistic: &'b Statistic,
    ) -> impl Iterator<Item = (&'a Evidence, &'a Series)> + use<'a, 'b> {
        self.all_series()
            .filter(move |(_, series)| &series.metric == metric && &series.statistic == statistic)
    }

    fn all_series(&self) -> impl Iterator<Item = (&'a Evidence, &'a Series)> + use<'a> {
        self.ledger.items().iter().filter_map(|evidence| match &evidence.body {
            Body::Series(series) if evidence.status == Status::Found || evidence.status == Status::Empty => {
                Some((evidence, series))
            }
            Body::Series(_)
            | Body::Nothing
            | Body::Logs(_)
            | Body::Rows(_)
            | Body::Change(_)
            | Body::Fact(_)
            | Body::Alarm(_) => None,
        })
    }

    fn is_incident(&self, evidence: &Evidence) -> bool {
        evidence.window.start == self.incident.window.start
    }

    fn is_baseline(&self, evidence: &Evidence) -> bool {
        self.incident.baselines.iter().any(|baseline| baseline.window == evidence.window)
    }
}

/// Returns a row of what was read beside the alarm's own metric, where the playbook has none for its namespace.
pub(crate) fn found(incident: &Incident, ledger: &Ledger) -> Option<Service> {
    let trigger = incident.alarm.metric()?;
    let readings = Readings { incident, ledger, service: None };
    let mut names: Vec<&str> = readings
        .all_series()
        .filter(|(evidence, series)| {
            readings.is_incident(evidence) && series.metric.namespace == trigger.namespace
        })
        .map(|(_, series)| series.metric.name.as_str())
        .filter(|name| *name != trigger.metric)
        .collect();
    // In the order in which they were chosen to be read, each once.
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    (!names.is_empty()).then(|| unlisted::row(&trigger.namespace, names.into_iter()))
}

/// Tells whether the companion names this metric.
pub(crate) fn names(companion: &Companion, metric: &MetricId) -> bool {
    companion.metric == metric.name
}

fn is_of_one_entity(metric: &MetricId) -> bool {
    ENTITY_DIMENSIONS.iter().any(|(dimension, _)| metric.dimensions.contains_key(*dimension))
}
