//! The running emulator: one listener over one scenario, and what it received.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::{Access, Fault};
use crate::bedrock::{Bedrock, BedrockOptions, ConverseCall, ModelBehaviour};
use crate::front::{self, Shared};
use crate::logs::{Insights, QueryEnd};
use crate::recorder::{Received, Recorder};
use crate::s3::{Buckets, StoredObject};
use crate::scenario::{Paging, Scenario};
use crate::slack::{self, Slack, SlackMessage, SlackOptions, SlackRefusal};
use crate::sns::{Outbox, Published};

/// Where a webhook of the emulator's Slack lies when the scenario names none.
const WEBHOOK_PATH: &str = "/services/T00000000/B00000000/XXXX";
/// How long open requests may take to end once the emulator stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is added to the scenario for one run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// IAM actions that are denied beside the scenario's; `logs:*` stands for a whole service.
    pub denied: Vec<String>,
    /// The only IAM actions that are not denied, as a role's policy lists them; `None` allows all.
    pub allowed: Option<Vec<String>>,
    /// Faults that come before the scenario's.
    pub faults: Vec<Fault>,
    /// What Bedrock says of model ids, over the scenario's.
    pub models: BTreeMap<String, ModelBehaviour>,
    /// How Bedrock behaves.
    pub bedrock: BedrockOptions,
    /// How Slack behaves.
    pub slack: SlackOptions,
    /// How queries of Logs Insights end.
    pub queries: QueryEnd,
    /// Page sizes instead of the scenario's.
    pub paging: Option<Paging>,
    /// Time that each answer of AWS and of Slack takes; a model's has its own in `bedrock`.
    pub latency: Duration,
    /// Regions of buckets that do not lie in the scenario's; an empty one says that there is no such bucket.
    pub buckets: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            denied: Vec::new(),
            allowed: None,
            faults: Vec::new(),
            models: BTreeMap::new(),
            bedrock: BedrockOptions::default(),
            slack: SlackOptions::default(),
            queries: QueryEnd::default(),
            paging: None,
            latency: Duration::ZERO,
            buckets: BTreeMap::new(),
        }
    }
}

/// Why the emulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The address cannot be listened on.
    #[error("failed to listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Bedrock cannot be set up: a broken turn, or a folder that cannot be written.
    #[error("failed to set up the emulated Bedrock: {reason}")]
    Bedrock {
        /// What is wrong.
        reason: String,
    },
}

/// A local AWS and Slack that listens until it is stopped or dropped.
pub struct Emulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts serving a scenario.
    pub async fn start(scenario: Scenario, mut options: Options) -> Result<Self, EmulatorError> {
        options.bedrock.account = options.bedrock.account.over(scenario.account_tables());
        let mut models = scenario.models().clone();
        models.extend(options.models);
        let bedrock = Bedrock::new(scenario.dir(), models, options.bedrock)
            .map_err(|reason| EmulatorError::Bedrock { reason })?;
        let denied = scenario.denied().chain(options.denied).collect();
        let faults = options.faults.into_iter().chain(scenario.faults()).collect();
        let unable = |source| EmulatorError::Listen { listen: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared {
            paging: options.paging.unwrap_or(scenario.description().paging),
            access: Access::new(denied, options.allowed, faults),
            recorder: Recorder::new(),
            latency: options.latency,
            outbox: Outbox::default(),
            buckets: Buckets::new(options.buckets),
            slack: Slack::new(options.slack, scenario.as_of().as_second()),
            insights: Insights::new(options.queries),
            bedrock,
            scenario,
            stopping: stopping.clone(),
        });
        let listener = listener.tap_io(|stream| {
            // Small answers must not wait for the acknowledgement of the ones before.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
        });
        let router = front::router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let mut stopping = stopping;
            let stopped = async move {
                // An error means that the emulator was dropped, which is a stop as well.
                let _stopped = stopping.wait_for(|stopping| *stopping).await;
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the emulator ended");
            }
        });
        Ok(Self { address, shared, stop, server: Some(server) })
    }

    /// Returns the address, `http://127.0.0.1:port`. When it listens on all addresses, this names the local one.
    pub fn endpoint(&self) -> String {
        if self.address.ip().is_unspecified() {
            return format!("http://127.0.0.1:{}", self.address.port());
        }
        format!("http://{}", self.address)
    }

    /// Returns the scenario it serves.
    pub fn scenario(&self) -> &Scenario {
        &self.shared.scenario
    }

    /// Returns every request in order of arrival, the emulator's own lists and page left out.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.recorder.requests()
    }

    /// Returns what SNS took.
    pub fn published(&self) -> Vec<Published> {
        self.shared.outbox.published()
    }

    /// Returns what S3 holds.
    pub fn objects(&self) -> Vec<StoredObject> {
        self.shared.buckets.objects()
    }

    /// Returns what Slack took.
    pub fn slack_messages(&self) -> Vec<SlackMessage> {
        self.shared.slack.messages()
    }

    /// Returns what Slack refused, with the reasons.
    pub fn slack_refusals(&self) -> Vec<SlackRefusal> {
        self.shared.slack.refusals()
    }

    /// Returns every request to Bedrock, with what became of it.
    pub fn converse_calls(&self) -> Vec<ConverseCall> {
        self.shared.bedrock.calls()
    }

    /// Returns how many requests for each model, by its base id, were admitted in each minute since the start. Minutes
    /// are as long as the options say and numbered from 0; one without an admitted request is left out.
    pub fn admitted_per_minute(&self) -> BTreeMap<String, BTreeMap<u128, usize>> {
        self.shared.bedrock.admitted_per_minute()
    }

    /// Returns what was asked for and lies outside the emulator's subset; a test fails on any.
    pub fn unsupported(&self) -> Vec<String> {
        self.shared.recorder.unsupported()
    }

    /// Returns a webhook address of the emulator's Slack: the scenario's first parameter that holds one, else a usual
    /// one.
    pub fn webhook_url(&self) -> String {
        let parameters = &self.shared.scenario.description().parameters;
        let path = parameters.iter().find_map(|parameter| parameter.value.strip_prefix("{slack}"));
        format!("{}{}", self.endpoint(), path.unwrap_or(WEBHOOK_PATH))
    }

    /// Returns a bot token that the emulator's Slack takes.
    pub fn slack_token(&self) -> &'static str {
        slack::BOT_TOKEN
    }

    /// Returns the id of its channel.
    pub fn slack_channel(&self) -> &'static str {
        slack::CHANNEL_ID
    }

    /// Stops listening and waits until the port is free.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(FAREWELL, &mut server).await.is_err()
        {
            server.abort();
            // The result is only that it was aborted.
            let _aborted = server.await;
        }
    }
}

impl Drop for Emulator {
    /// The port is free as soon as the runtime has run the listener's task once more.
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("address", &self.address).finish_non_exhaustive()
    }
}
