//! One incident, end to end: the emulator serves a scenario, the handler runs over real clients, everything is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use sre_agent::aws::{AwsTelemetry, Bedrock, SnsChannel, local, models};
use sre_agent::clock::{Clock, Deadline};
use sre_agent::config::{Config, Layers};
use sre_agent::delivery::{Channel, Secret, SlackWebhook};
use sre_agent::handler::{HandlerError, Response, RunSummary, Services, handle};
use sre_agent::id::{EventKey, Seed, SeriesKey};
use sre_agent::model::ladder::Ladder;
use sre_agent::report::{Document, json as report_json, terminal};
use sre_agent::run::{Observer, RunEvent, RunRecord, Stamped};
use sre_agent::store::memory::MemoryStore;
use sre_agent::store::{Begin, Change, Item, Store, StoreError};
use sre_agent_emulator::{BedrockOptions, Emulator, Options, Scenario, Turns};

use crate::script::{Turn, scripted};

/// Where findings go.
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:findings";

/// Time for a run that is not about time.
pub(crate) const ENOUGH: Duration = Duration::from_mins(1);

/// The scenario that most tests run.
pub(crate) const BAD_DEPLOY: &str = "lambda-bad-deploy";

/// The emulator over a scenario, and everything that the handler works with.
pub(crate) struct IncidentRun {
    pub(crate) emulator: Emulator,
    pub(crate) services: Services,
    /// Every record that was kept, in order.
    pub(crate) kept: Arc<KeepingStore>,
    events: Arc<Mutex<Vec<Stamped>>>,
    scenario: String,
}

/// Options whose model is a script.
pub(crate) fn answering(
    script: impl Fn(&Turn) -> sre_agent_emulator::ScriptedAnswer + Send + Sync + 'static,
) -> Options {
    let bedrock = BedrockOptions { turns: Turns::Scripted(scripted(script)), ..BedrockOptions::default() };
    Options { bedrock, ..Options::default() }
}

impl IncidentRun {
    /// Serves the usual scenario.
    pub(crate) async fn start(options: Options) -> Self {
        Self::of(BAD_DEPLOY, options).await
    }

    /// Serves a scenario of the project.
    pub(crate) async fn of(scenario: &str, options: Options) -> Self {
        Self::configured(scenario, options, |_| String::new()).await
    }

    /// Serves a scenario of the project; `document` makes the configuration document of the emulator's address.
    pub(crate) async fn configured(
        scenario: &str,
        options: Options,
        document: impl FnOnce(&str) -> String,
    ) -> Self {
        let loaded = loaded(scenario);
        let (region, as_of, seed) =
            (loaded.region().to_owned(), loaded.as_of().to_string(), loaded.seed().to_string());
        let emulator = Emulator::start(loaded, options).await.unwrap();
        let sdk = local(&emulator.endpoint(), &region);
        let variables = vec![("SRE_AGENT_AS_OF".to_owned(), as_of), ("SRE_AGENT_SEED".to_owned(), seed)];
        let text = document(&emulator.endpoint());
        let document = (!text.is_empty()).then_some(("test", text.as_str()));
        let layers = Layers { document, variables, endpoint_override: true, ..Layers::default() };
        let config = Config::load(&layers).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let observer =
            Observer::new(vec![Arc::new(move |event: &Stamped| heard.lock().unwrap().push(event.clone()))]);
        let bedrock = Bedrock::new(&sdk, config.model_region.as_deref());
        // As the Lambda does when it starts.
        let plan = config.ladder_plan(bedrock.region());
        for rung in &plan.rungs {
            observer.emit(RunEvent::ModelClientCreated {
                model: rung.model.to_string(),
                region: bedrock.region().to_owned(),
                provider: "bedrock".to_owned(),
            });
        }
        let slack = SlackWebhook::new(Secret::new(&emulator.webhook_url())).unwrap();
        let channels: Vec<Arc<dyn Channel>> = vec![Arc::new(slack), Arc::new(SnsChannel::new(&sdk, TOPIC))];
        let kept = Arc::new(KeepingStore::default());
        let services = Services {
            clock: config.as_of.map_or(Clock::Wall, Clock::Fixed),
            seed: config.seed.map(Seed),
            telemetry: Arc::new(AwsTelemetry::with_fixed_digests(&sdk)),
            model: Some(models(&sdk, bedrock, &config.providers)),
            ladder: Arc::new(Ladder::planned(&plan, config.max_concurrent, &config.quotas)),
            channels,
            store: Arc::<KeepingStore>::clone(&kept),
            observer,
            config,
        };
        Self { emulator, services, kept, events, scenario: scenario.to_owned() }
    }

    /// Hands an event to the handler.
    pub(crate) async fn handle(&self, event: &[u8], time: Duration) -> Result<Response, HandlerError> {
        handle(event, Deadline::after(time), &self.services).await
    }

    /// Runs the scenario's own alarm and returns what its responders see.
    pub(crate) async fn report(&self) -> Seen {
        self.report_of(&sns_event(&[alarm_of(&self.scenario)]), ENOUGH).await
    }

    /// Runs an event with one alarm and returns what its responders see. Nothing outside the emulator's subset may
    /// have been asked for.
    pub(crate) async fn report_of(&self, event: &[u8], time: Duration) -> Seen {
        let response = self.handle(event, time).await.unwrap();
        let [summary] = response.runs.as_slice() else { panic!("one run, not {response:?}") };
        assert_eq!(self.emulator.unsupported(), Vec::<String>::new());
        self.seen(summary)
    }

    /// Returns what the responders of a run see.
    pub(crate) fn seen(&self, summary: &RunSummary) -> Seen {
        let document = summary.document.clone().unwrap();
        // Topics are told at once, in no order; that of Amazon Q gets no e-mail.
        let published = self.emulator.published();
        let mut mails = published.iter().filter_map(|message| {
            let body: Value = serde_json::from_str(&message.message).unwrap();
            body["email"].as_str().map(str::to_owned)
        });
        Seen {
            outcome: summary.outcome.clone(),
            card: terminal::render(&document, false),
            slack: self.emulator.slack_messages().last().map_or(Value::Null, |message| message.body.clone()),
            email: mails.next_back().unwrap_or_default(),
            json: report_json::render(&document),
            undelivered: summary.undelivered.iter().map(ToString::to_string).collect(),
            document,
        }
    }

    /// Returns every event so far.
    pub(crate) fn events(&self) -> Vec<RunEvent> {
        self.events.lock().unwrap().iter().map(|stamped| stamped.event.clone()).collect()
    }

    /// Returns every event so far as the log writes it.
    pub(crate) fn log(&self) -> String {
        let events = self.events.lock().unwrap();
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect()
    }
}

/// What responders see of a run.
pub(crate) struct Seen {
    pub(crate) outcome: String,
    /// The card on a terminal.
    pub(crate) card: String,
    /// The last message that Slack took.
    pub(crate) slack: Value,
    /// The e-mail's text of the last message that SNS took.
    pub(crate) email: String,
    /// The report for machines.
    pub(crate) json: Value,
    /// Channels that refused.
    pub(crate) undelivered: Vec<String>,
    pub(crate) document: Document,
}

impl Seen {
    /// Returns the card in one line, for words that a line end may part.
    pub(crate) fn words(&self) -> String {
        in_one_line(&self.card)
    }

    /// Returns every text that leaves the run.
    pub(crate) fn everything(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.card, self.slack, self.email, self.json)
    }
}

/// Folds white space.
pub(crate) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a scenario, read from disk once: it holds tens of thousands of log lines.
fn loaded(name: &str) -> Scenario {
    static LOADED: Mutex<BTreeMap<String, Scenario>> = Mutex::new(BTreeMap::new());
    let load = || Scenario::load(&project().join("scenarios").join(name)).unwrap();
    LOADED.lock().unwrap().entry(name.to_owned()).or_insert_with(load).clone()
}

/// Returns the project's folder.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Returns the alarm message of a scenario.
pub(crate) fn alarm_of(scenario: &str) -> Value {
    let path = project().join("scenarios").join(scenario).join("alarm.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns the message that the usual scenario's alarm is over, as it was sent at a time of that day: `03:17:22`.
pub(crate) fn recovered_at(time: &str) -> Value {
    let mut alarm = alarm_of(BAD_DEPLOY);
    alarm["NewStateValue"] = "OK".into();
    alarm["OldStateValue"] = "ALARM".into();
    alarm["StateChangeTime"] = json!(format!("2026-11-24T{time}.704+0000"));
    alarm
}

/// Returns the alarm message of the usual scenario, as it was sent `seconds` later.
pub(crate) fn later_alarm(seconds: u32) -> Value {
    let mut alarm = alarm_of(BAD_DEPLOY);
    alarm["StateChangeTime"] = json!(format!("2026-11-24T03:05:{:02}.704+0000", 22 + seconds));
    alarm
}

/// Returns an event with an SNS record for each message; a text is sent as it is.
pub(crate) fn sns_event(messages: &[Value]) -> Vec<u8> {
    let template = std::fs::read_to_string(project().join("events/sns-metric-alarm.json")).unwrap();
    let mut event: Value = serde_json::from_str(&template).unwrap();
    let record = event["Records"][0].clone();
    let records = messages.iter().map(|message| {
        let mut record = record.clone();
        let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        record["Sns"]["Message"] = Value::String(text);
        record
    });
    event["Records"] = records.collect();
    event.to_string().into_bytes()
}

/// The memory store, which also remembers every record that it was given.
#[derive(Default)]
pub(crate) struct KeepingStore {
    inner: MemoryStore,
    saved: Mutex<Vec<RunRecord>>,
}

impl KeepingStore {
    /// Returns every record that was saved, in order.
    pub(crate) fn saved(&self) -> Vec<RunRecord> {
        self.saved.lock().unwrap().clone()
    }
}

impl Store for KeepingStore {
    fn begin<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<Begin, StoreError>> {
        self.inner.begin(event, lease)
    }

    fn renew<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.renew(event, lease)
    }

    fn save<'a>(&'a self, record: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        self.saved.lock().unwrap().push(record.clone());
        self.inner.save(record)
    }

    fn release<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.release(event)
    }

    fn latest<'a>(&'a self, series: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>> {
        self.inner.latest(series)
    }

    fn read<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Item>>, StoreError>> {
        self.inner.read(keys)
    }

    fn write<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.inner.write(changes)
    }
}
