//! Asks an account about its models and about what an investigation reads; judges nothing.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{
    AwsTelemetry, DynamoDbStore, ModelAccess, SdkConfig, bedrock_quotas, identity, keys, seen_channels,
};
use crate::clock::Timestamp;
use crate::delivery::Destinations;
use crate::doctor::{Account, Examination, Identity, Seen, surroundings};
use crate::evidence::{MetricId, Statistic, Status};
use crate::gather::Telemetry;
use crate::gather::telemetry::{LogRequest, LogsQuery, MetricQuery, MetricsRequest};
use crate::incident::Window;
use crate::model::ModelId;
use crate::model::router::Providers;

/// A name that hardly exists: being told so takes the permission.
const PROBE: &str = "sre-agent-doctor-probe";

/// What is asked, and where.
#[derive(Debug, Clone, Copy)]
pub struct Survey<'a> {
    /// The account.
    pub sdk: &'a SdkConfig,
    /// Region in which models are asked.
    pub region: &'a str,
    /// The providers beside Bedrock.
    pub providers: &'a Providers,
}

impl Survey<'_> {
    /// Asks who is there and what is offered, all at once.
    pub async fn account(&self, now: Timestamp) -> Account {
        let access = ModelAccess::new(self.sdk, Some(self.region));
        let (identity, offered, profiles, quotas, keys) = tokio::join!(
            identity(self.sdk),
            access.offered(),
            access.profiles(),
            bedrock_quotas(self.sdk, Some(self.region)),
            // Reading a parameter makes a large future.
            Box::pin(keys(self.sdk, self.providers)),
        );
        Account {
            region: self.region.to_owned(),
            now,
            identity,
            offered,
            profiles,
            quotas,
            availability: BTreeMap::new(),
            keys,
            calls: BTreeMap::new(),
        }
    }

    /// Reads the gates in front of models, for those that the account could be asked about.
    pub async fn read_availability(&self, account: &mut Account, models: &[ModelId]) {
        let access = ModelAccess::new(self.sdk, Some(self.region));
        let mut bases: Vec<&str> =
            models.iter().filter(|model| model.vendor().is_some()).map(ModelId::base).collect();
        bases.sort_unstable();
        bases.dedup();
        let seen = join_all(bases.iter().map(|base| access.availability(base))).await;
        account.availability = bases.into_iter().map(str::to_owned).zip(seen).collect();
    }

    /// Asks about the account and the gates of these models, and tries what an investigation reads and keeps; the judgement
    /// over all of it. Nothing is posted and no model is called.
    pub async fn examine(
        &self,
        now: Timestamp,
        models: &[ModelId],
        destinations: Destinations<'_>,
        table: Option<&str>,
    ) -> Examination {
        let account = self.look(now, models).await;
        let mut examination = self.judged(&account, models).await;
        let seen = seen_channels(self.sdk, destinations, None).await;
        examination.parts.push(surroundings::channels(&seen));
        examination.parts.push(surroundings::store(self.try_table(table).await));
        examination
    }

    /// Asks who is there, what is offered, and about the gates of these models.
    pub async fn look(&self, now: Timestamp, models: &[ModelId]) -> Account {
        let mut account = self.account(now).await;
        if account.was_reached() {
            self.read_availability(&mut account, models).await;
        }
        account
    }

    /// Judges what was seen of the models, and tries what an investigation reads, where the account could be reached.
    pub async fn judged(&self, account: &Account, models: &[ModelId]) -> Examination {
        let mut examination = Examination::of(account, models);
        if account.was_reached() {
            let tried = self.try_reading(account.now, account.identity.as_ref().ok()).await;
            examination.parts.push(surroundings::permissions(&tried));
        }
        examination
    }

    /// Tries the state table, where there is one.
    pub async fn try_table<'t>(&self, table: Option<&'t str>) -> Option<(&'t str, Result<(), String>)> {
        let table = table?;
        let answered = DynamoDbStore::new(self.sdk, table).probe().await;
        Some((table, answered.map_err(|error| error.reason)))
    }

    /// Tries what an investigation reads, on names that hardly exist: being told so takes the permission.
    async fn try_reading(&self, now: Timestamp, caller: Option<&Identity>) -> Vec<(&'static str, Seen<()>)> {
        let telemetry = AwsTelemetry::new(self.sdk);
        let window = Window { start: Timestamp::from_second(now.as_second() - 600).unwrap_or(now), end: now };
        let metric = MetricId {
            namespace: "AWS/Lambda".into(),
            name: "Errors".into(),
            dimensions: BTreeMap::from([("FunctionName".to_owned(), PROBE.to_owned())]),
        };
        let metrics = MetricsRequest {
            queries: vec![MetricQuery {
                metric: metric.clone(),
                statistic: Statistic("Sum".into()),
                unit: None,
            }],
            window,
            period_seconds: 60,
        };
        let group = format!("/aws/lambda/{PROBE}");
        let logs = LogRequest {
            group: group.clone(),
            stream_prefix: None,
            pattern: String::new(),
            window,
            limit: 1,
        };
        // Tags are granted on the alarms of an account, so it takes one to ask.
        let probe = caller.map(|caller| {
            let partition = caller.arn.split(':').nth(1).unwrap_or("aws");
            format!("arn:{partition}:cloudwatch:{}:{}:alarm:{PROBE}", self.region, caller.account)
        });
        let tags = async {
            match telemetry.tags(probe.as_deref()?).await {
                Err(error) if error.status == Status::Missing => Some(Ok(())),
                answer => Some(answer.map(drop)),
            }
        };
        // On a group that does not exist, because a query of one that does would cost.
        let query =
            LogsQuery { groups: vec![PROBE.to_owned()], query: "limit 1".to_owned(), window, limit: 1 };
        let (tags, alarm, series, listed, found, lines, started, queries, state, callers, api) = tokio::join!(
            tags,
            telemetry.alarm(PROBE),
            telemetry.metrics(&metrics),
            telemetry.list_metrics(&metric),
            telemetry.log_group(&group),
            telemetry.log_events(&logs),
            telemetry.query_logs(&query),
            telemetry.try_queries(),
            telemetry.function(PROBE),
            telemetry.callers(PROBE),
            telemetry.rest_api_name(PROBE),
        );
        let mut tried = vec![
            ("cloudwatch:DescribeAlarms", alarm.map(drop)),
            ("cloudwatch:GetMetricData", series.map(drop)),
            ("cloudwatch:ListMetrics", listed.map(drop)),
            ("logs:DescribeLogGroups", found.map(drop)),
            ("logs:FilterLogEvents", lines.map(drop)),
            ("logs:StartQuery", started.map(drop)),
            // Two calls each; the one that fails names itself.
            (
                state.as_ref().map_or_else(|error| error.operation, |_| "lambda:ListVersionsByFunction"),
                state.map(drop),
            ),
            (
                callers.as_ref().map_or_else(|error| error.operation, |_| "lambda:GetPolicy"),
                callers.map(drop),
            ),
            ("apigateway:GET", api.map(drop)),
        ];
        tried.extend(queries);
        tried.extend(tags.map(|answer| ("cloudwatch:ListTagsForResource", answer)));
        tried
    }
}
