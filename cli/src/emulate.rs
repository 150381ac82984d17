//! `emulate`: a recorded incident as a local AWS, Bedrock, Slack and other providers' APIs, until Ctrl-C.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use sre_agent_emulator::Scenario;

use crate::args::Emulate;
use crate::failure::{Ending, Failure};
use crate::local::{LocalAws, scenario};
use crate::progress::say;

/// Serves the scenario.
pub(crate) async fn run(asked: Emulate) -> Result<Ending, Failure> {
    let scenario = scenario(&asked.scenario)?;
    let listen = SocketAddr::new(asked.listen, asked.port);
    let local = LocalAws::start(scenario, Some(&asked.trouble), Some(listen)).await?;
    let endpoint = local.emulator.endpoint();
    let unable = |error| Failure::failed(format!("Ctrl-C cannot be waited for: {error}"));
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    // The first poll sets the handler up. Who reads the line below may stop the program at once, and must not kill it.
    if let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(interrupted.as_mut().poll(context))).await {
        return outcome.map(|()| Ending::Done).map_err(unable);
    }
    // Programs wait for this line, so it comes first and stays as it is.
    say(false, format_args!("listening on {endpoint}"));
    say(false, instructions(local.emulator.scenario(), &endpoint, &local.topic("sre-agent-findings")));
    if let Some(folder) = &asked.trouble.model_by_hand {
        say(false, format_args!("The model is played by hand: questions appear in {}", folder.display()));
    }
    interrupted.await.map_err(unable)?;
    local.emulator.stop().await;
    Ok(Ending::Done)
}

/// Says how the agent and other clients find their way here.
fn instructions(scenario: &Scenario, endpoint: &str, topic: &str) -> String {
    let region = scenario.region();
    let webhook = scenario
        .parameter_names()
        .first()
        .map(|name| format!("SRE_AGENT_SLACK_WEBHOOK=ssm:{name} "))
        .unwrap_or_default();
    format!(
        "\
{name}: {title}. Its clock stands at {as_of}.

The agent, which is the Lambda binary or 'sre-agent investigate', with any credentials:
  AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} \\
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \\
  {webhook}SRE_AGENT_FINDINGS_TOPIC_ARN={topic} \\
  SRE_AGENT_AS_OF={as_of} SRE_AGENT_SEED={seed}
boto3:
  boto3.client(\"logs\", endpoint_url=\"{endpoint}\", region_name=\"{region}\",
               aws_access_key_id=\"local\", aws_secret_access_key=\"local\")
Other providers, in the configuration document, with models.allow_provider:
  [providers.anthropic] base_url = \"{endpoint}/anthropic\"   [providers.openai] base_url = \"{endpoint}/openai/v1\"
What arrived: {endpoint}/slack as a page; /emulator/requests, /emulator/published as JSON.
Ctrl-C stops it.",
        name = scenario.name(),
        title = scenario.title(),
        as_of = scenario.as_of(),
        seed = scenario.seed(),
    )
}
