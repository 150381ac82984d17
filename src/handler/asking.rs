//! The model side of a run: how deep it goes, what it may spend, and the agents.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Run, Services};
use crate::analysis::Analysis;
use crate::clock::{Clock, Deadline};
use crate::diagnosis::{self, Demand, GivenUp};
use crate::evidence::text;
use crate::evidence::{Ledger, Source, Status};
use crate::investigation::depth::{self, Allowance, Choice, Considered, Depth, Features};
use crate::investigation::{Case, Investigation, InvestigationOutcome, Means, brief, digest, investigate};
use crate::model::budget::{Budget, DayLeft, Limits, PerDay, Spent};
use crate::model::caller::{Caller, CallerParts};
use crate::model::pace::Quota;
use crate::model::{ModelId, catalogue};
use crate::redact::Fence;
use crate::report::compose::Earlier;
use crate::report::steps;
use crate::run::{RunEvent, Stage};
use crate::store::day::{self, DaySpent};

/// Time for the list of quotas, six or seven pages: telemetry takes about as long to read.
const QUOTAS_TIME: Duration = Duration::from_secs(5);

/// What the model side of a run left behind.
pub(super) struct Asked {
    pub(super) investigation: Option<Investigation>,
    pub(super) left: Vec<GivenUp>,
    pub(super) spent: Spent,
    pub(super) why_facts: Option<String>,
    pub(super) depth: Choice,
}

impl Run<'_> {
    /// Asks the agents, where the depth says so.
    pub(super) async fn ask_models(
        &self,
        ledger: &Ledger,
        analysis: &Analysis,
        log_groups: &[String],
        earlier: Option<&Earlier>,
        work_until: Deadline,
    ) -> Asked {
        let config = &self.services.config;
        let time = work_until.time_left();
        let day_left = self.day_left().await;
        let chosen = depth::choose(&Considered {
            asked: self.asked_depth(),
            model_configured: self.services.model.is_some(),
            time_left: work_until.time_left(),
            allowance: self.allowance(work_until),
            full_cost_usd: self.services.ladder.expected(&Self::today()).and_then(full_cost_usd),
            money_left_usd: day_left.usd.unwrap_or(f64::MAX).min(config.max_cost_usd),
            day: day_left,
            features: features(ledger, analysis, earlier),
        });
        self.observer.emit(RunEvent::DepthChosen {
            depth: chosen.depth.as_str().into(),
            reason: chosen.reason.clone(),
            planned_calls: chosen.depth.planned_calls(),
        });
        let (Depth::Brief | Depth::Full, Some(model)) = (chosen.depth, &self.services.model) else {
            return Asked {
                investigation: None,
                left: Vec::new(),
                spent: Spent::default(),
                why_facts: Some(chosen.reason.clone()),
                depth: chosen,
            };
        };
        let caller = Caller::new(CallerParts {
            model: Arc::clone(model),
            ladder: Arc::clone(&self.services.ladder),
            begin_with: chosen.depth.begins_with(),
            backoff: config.backoff(),
            budget: Budget::new(Limits {
                cost_usd: config.max_cost_usd,
                calls: config.max_model_calls,
                tokens: config.max_tokens_per_run,
                day: day_left,
            }),
            observer: self.observer.clone(),
            seed: self.seed,
            call_limit: config.model_call_time,
        });
        let fence = Fence::new(self.seed);
        let offered = steps::offered(&self.incident, ledger, analysis, log_groups);
        let case = Case {
            digest: digest::write(&self.incident, ledger, analysis, &fence),
            ledger: ledger.clone(),
            onset: analysis.onset.as_ref().map(|onset| onset.at),
            window: self.incident.window,
            place: self.incident.alarm.place.clone(),
            earliest: self
                .incident
                .baselines
                .iter()
                .map(|baseline| baseline.window.start)
                .fold(self.incident.window.start, Ord::min),
            period_seconds: self.incident.alarm.metric().map_or(60, |metric| metric.period_seconds),
            log_groups: log_groups.to_vec(),
            known_names: digest::known_names(&self.incident),
            steps: offered.iter().map(|step| (step.id.clone(), step.described())).collect(),
            blind_spots: self
                .incident
                .resource
                .service()
                .map(|service| service.blind_spots.clone())
                .unwrap_or_default(),
            question: self.why.question().map(str::to_owned),
            fence,
        };
        let means = Means {
            caller: &caller,
            telemetry: Arc::clone(&self.services.telemetry),
            observer: self.observer,
            deadline: work_until,
        };
        let work = async {
            match chosen.depth {
                Depth::Brief => brief::analyse(case, &means, Vec::new()).await,
                Depth::Facts | Depth::Full => investigate(case, &means).await,
            }
        };
        let investigation = self
            .stage(Stage::Investigation, work, |investigation| match &investigation.outcome {
                InvestigationOutcome::FactsOnly { reason, .. } => format!("facts only: {reason}"),
                InvestigationOutcome::Investigated(verdict) => verdict.kind.as_str().to_owned(),
            })
            .await;
        let spent = caller.spent();
        self.charge_day(&spent).await;
        self.services.ladder.tell_dead(self.observer).await;
        let left = caller.left().into_iter().map(|(model, failure)| {
            let demand = self.demand(&model, chosen.depth, time);
            let diagnosis = diagnosis::of_failure(&failure, demand.as_ref());
            GivenUp { model, failure, diagnosis }
        });
        let left: Vec<GivenUp> = left.collect();
        self.tell_diagnoses(&left);
        Asked { investigation: Some(investigation), left, spent, why_facts: None, depth: chosen }
    }

    /// Learns what the account lets through of each model, and what other processes know of them, where a model may be
    /// asked.
    pub(super) async fn read_quotas(&self) {
        let Services { config, model, ladder, .. } = self.services;
        if let (true, Some(model)) = (config.depth != Some(Depth::Facts), model) {
            let limit = QUOTAS_TIME.min(config.gather_time);
            tokio::join!(
                ladder.read_quotas(model.as_ref(), limit, self.observer),
                ladder.read_shared(self.observer)
            );
        }
    }

    /// Returns the depth that is asked for. A question has one analyst to answer it, where models may be asked at all.
    fn asked_depth(&self) -> Option<Depth> {
        match (self.services.config.depth, self.why.question()) {
            (Some(Depth::Facts), _) => Some(Depth::Facts),
            (_, Some(_)) => Some(Depth::Brief),
            (configured, None) => configured,
        }
    }

    /// The calendar by which a provider retires its models, also while the incident is a recording.
    pub(super) fn today() -> String {
        text::day(Clock::Wall.now())
    }

    /// Returns what the expected model's quota lets through until then, where a rate of it is known.
    fn allowance(&self, work_until: Deadline) -> Option<Allowance> {
        let ladder = &self.services.ladder;
        let entrance = ladder.entrance(ladder.expected(&Self::today())?)?;
        let quota = entrance.quota();
        (quota != Quota::default()).then(|| Allowance {
            requests_per_minute: quota.requests,
            calls: entrance.room(Depth::Full.planned_calls(), work_until.time_left()),
        })
    }

    /// Returns what a run of this depth wanted of a model in its time, and what is known of the model's rate by now.
    fn demand(&self, model: &ModelId, depth: Depth, time: Duration) -> Option<Demand> {
        let quota = self.services.ladder.entrance(model)?.quota();
        let minute = self.services.config.quotas.minute.as_millis().max(1);
        let minutes = u32::try_from(time.as_millis().div_ceil(minute)).unwrap_or(u32::MAX);
        Some(Demand {
            quota,
            adjustable: None,
            calls: depth.planned_calls(),
            tokens: depth.planned_tokens(),
            minutes,
        })
    }

    /// Tells what the failures of the models that were given up mean.
    fn tell_diagnoses(&self, left: &[GivenUp]) {
        for GivenUp { model, diagnosis, .. } in left {
            self.observer.emit(RunEvent::Diagnosed {
                model: model.to_string(),
                diagnosis: diagnosis.name.clone(),
                cause: diagnosis.cause.clone(),
                remedy: diagnosis.remedies.first().cloned().unwrap_or_default(),
                next: diagnosis.next.clone(),
            });
        }
    }

    /// Returns what the day's limits leave. A store that fails costs the limits, never the report.
    async fn day_left(&self) -> DayLeft {
        let limits = self.services.config.per_day;
        if limits == PerDay::default() {
            return DayLeft::default();
        }
        let Some(spent) = self.spend(DaySpent::default()).await else { return DayLeft::default() };
        DayLeft {
            usd: limits.cost_usd.map(|limit| (limit - spent.usd).max(0.0)),
            tokens: limits.tokens.map(|limit| limit.saturating_sub(spent.tokens)),
            calls: limits.calls.map(|limit| limit.saturating_sub(spent.calls)),
        }
    }

    /// Counts what the run took towards the day. A recorded answer costs no money.
    async fn charge_day(&self, spent: &Spent) {
        if self.services.config.per_day != PerDay::default() && spent.total_calls() > 0 {
            let taken = DaySpent {
                usd: spent.cost_usd.unwrap_or_default(),
                tokens: spent.usage.all_input() + spent.usage.output,
                calls: spent.total_calls(),
                insights_bytes: 0,
            };
            self.spend(taken).await;
        }
    }

    /// Notes what the day's limit leaves to Logs Insights, where there is one.
    pub(super) async fn read_day_of_scans(&self) {
        if let Some(limit) = self.services.config.per_day.insights_bytes
            && let Some(spent) = self.spend(DaySpent::default()).await
        {
            self.scans.day_leaves(limit.saturating_sub(spent.insights_bytes), limit);
        }
    }

    /// Counts what Logs Insights scanned towards the day.
    pub(super) async fn charge_day_of_scans(&self) {
        let insights_bytes = self.scans.scanned().bytes;
        if self.services.config.per_day != PerDay::default() && insights_bytes > 0 {
            self.spend(DaySpent { insights_bytes, ..DaySpent::default() }).await;
        }
    }

    async fn spend(&self, more: DaySpent) -> Option<DaySpent> {
        let day = self.services.clock.now().to_zoned_datetime(TimeZone::UTC).date();
        let spent = day::spend(self.services.store.as_ref(), day, more).await;
        self.remembered(spent, "the limits of the day do not hold")
    }
}

/// Returns what a full run is estimated to cost.
fn full_cost_usd(model: &ModelId) -> Option<f64> {
    catalogue::cost_usd(model, Depth::FULL_USAGE)
}

/// Returns what tells a simple case from others. One that was reported with a cause and with the lead that it has now is
/// known.
fn features(ledger: &Ledger, analysis: &Analysis, earlier: Option<&Earlier>) -> Features {
    let found = |source| ledger.of_source(source).any(|item| item.status == Status::Found);
    let lead = analysis.lead.as_ref();
    let known = |earlier: &Earlier| {
        matches!(earlier.outcome.as_str(), "cause_shown" | "likely_cause")
            && earlier.lead.as_deref().is_some_and(|entity| lead.is_some_and(|lead| lead.entity == entity))
    };
    Features {
        known: earlier.is_some_and(known),
        lead: lead.is_some(),
        rivals: lead.map_or(0, |lead| lead.rivals.len()),
        logs: found(Source::Logs),
        changes: found(Source::Changes),
        // That there is nothing is read as well, and tells something.
        evidence: ledger.items().iter().any(|item| {
            matches!(item.source, Source::Metrics | Source::Logs | Source::Changes)
                && matches!(item.status, Status::Found | Status::Empty)
        }),
    }
}
