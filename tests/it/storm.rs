//! Fifty alarms that have nothing to do with one another, in ten containers that share a store, at ten requests a minute:
//! each has its report within its deadline, and the models are asked no faster than their quota lets them be.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use sre_agent::clock::Deadline;
use sre_agent::handler::{Services, handle};
use sre_agent::model::ModelId;
use sre_agent::model::ladder::Ladder;
use sre_agent::store::Store;
use sre_agent::store::memory::MemoryStore;
use sre_agent_emulator::{CallOutcome, ConverseCall};

use crate::incident_run::{BAD_DEPLOY, IncidentRun, alarm_of, answering, sns_event};
use crate::script::{Turn, call, careful, conclusion};

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";

/// A minute of the emulated quota.
const MINUTE: Duration = Duration::from_secs(1);

const CONTAINERS: usize = 10;
const ALARMS_EACH: usize = 5;
const REQUESTS_A_MINUTE: u32 = 10;

/// What each alarm's invocation may take.
const TIME: Duration = Duration::from_secs(20);

/// An alarm on a function of its own.
fn alarm(number: usize) -> Vec<u8> {
    let text = alarm_of(BAD_DEPLOY).to_string().replace("invoice-render", &format!("fn-{number}"));
    sns_event(&[serde_json::from_str(&text).unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_unrelated_alarms_each_have_their_report_and_no_minute_exceeds_the_quota_once_it_is_known() {
    let mut options = answering(|turn: &Turn| {
        if !turn.offers("submit_conclusion") {
            return careful(turn);
        }
        let mut form = conclusion(turn);
        if form["claims"] == json!([]) {
            form["not_visible"] = json!(["everything about it"]);
        }
        call("submit_conclusion", &form)
    });
    options.bedrock.requests_per_minute = Some(REQUESTS_A_MINUTE);
    options.bedrock.minute = MINUTE;
    let run = IncidentRun::start(options).await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let containers = (0..CONTAINERS).map(|container| {
        let mut services: Services = run.services.clone();
        services.config.quotas.minute = MINUTE;
        services.config.publish_reserve = Duration::from_secs(4);
        services.store = Arc::clone(&store);
        let ladder = Ladder::new([ModelId::from(SONNET)], 4, &services.config.quotas);
        services.ladder = Arc::new(ladder.sharing(&store));
        // Each container handles one event at a time.
        async move {
            let mut outcomes = Vec::new();
            for number in 0..ALARMS_EACH {
                let event = alarm(container * ALARMS_EACH + number);
                let handled = handle(&event, Deadline::after(TIME), &services);
                let response = tokio::time::timeout(TIME, handled).await.unwrap().unwrap();
                let [summary] = response.runs.as_slice() else { panic!("{response:?}") };
                assert_eq!(summary.delivered.len(), 2, "both channels took it");
                outcomes.push(summary.outcome.clone());
            }
            outcomes
        }
    });
    let outcomes: Vec<String> = join_all(containers).await.into_iter().flatten().collect();
    let calls = run.emulator.converse_calls();
    let refused = calls.iter().filter(|call| is_refused(call)).count();
    let concluded = outcomes.iter().filter(|outcome| *outcome != "facts_only").count();
    println!(
        "{} alarms in {CONTAINERS} containers: {} reports, {concluded} with a model's conclusion; {} requests, {refused} \
         refused; {} messages at Slack",
        CONTAINERS * ALARMS_EACH,
        outcomes.len(),
        calls.len(),
        run.emulator.slack_messages().len(),
    );
    assert_eq!(outcomes.len(), CONTAINERS * ALARMS_EACH);
    // Slack has had the facts first where the conclusion waited for its turn; the topic's readers get one message each.
    assert_eq!(run.emulator.published().len(), CONTAINERS * ALARMS_EACH);
    let messages = run.emulator.slack_messages();
    for number in 0..CONTAINERS * ALARMS_EACH {
        let title = format!("*fn-{number}-errors*");
        assert!(
            messages.iter().any(|message| message.body.to_string().contains(&title)),
            "{title} is not told"
        );
    }
    assert!(outcomes.iter().all(|outcome| outcome != "linked"), "{outcomes:?}");
    assert!(concluded > 0);
    // Under way at the first refusal: at most one a container, or four of one.
    assert!(refused <= CONTAINERS * 4, "{refused}");
    let last_refusal = calls.iter().rposition(is_refused).unwrap_or_default();
    assert!(
        last_refusal < calls.len() / 2,
        "refused once the rate was known: {last_refusal} of {}",
        calls.len()
    );
}

fn is_refused(call: &ConverseCall) -> bool {
    matches!(call.outcome, CallOutcome::Refused { status: 429, .. })
}
