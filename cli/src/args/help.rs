//! What stands below the options of each command: what it does beyond its first line, and examples to copy.

/// See the command of this name.
pub(super) const AFTER_HELP: &str = "\
Reads AWS, never changes it. Posts only with 'investigate --post' or 'doctor --post-test'; the
function that 'doctor --function' asks tells its channels what has changed.
Exit codes: 0 done · 1 failed, no usable model (doctor), unknown text (diagnose)
            2 usage or configuration · 3 facts only

Examples:
  sre-agent demo
  sre-agent doctor --profile prod --region us-east-1
  sre-agent investigate invoice-render-errors --profile prod --depth facts
  sre-agent --prompt \"Since when does invoice-render fail?\" --profile prod
  sre-agent emulate lambda-bad-deploy --port 4600";

/// See the command of this name.
pub(super) const AFTER_DEMO: &str = "\
The demo serves the recorded incident on a free local port and sends its alarm through the code
that the Lambda runs. Nothing leaves this machine, no credentials or SRE_AGENT_* variables are read.
Without recorded answers of a model, and where something is denied (the answers were given to other
data), it reports facts.

Examples:
  sre-agent demo                                   the bad deploy of a Lambda function
  sre-agent demo rds-cpu                           real data, and a cause that cannot be shown
  sre-agent demo --html report.html                the full report as one page, to open in a browser
  sre-agent demo --deny logs:FilterLogEvents       what the report says when logs are closed
  sre-agent demo --depth full --throttle-model forever     what it says when no model answers
  sre-agent demo --depth full --model-by-hand answers      be the model yourself";

/// See the command of this name.
pub(super) const AFTER_INVESTIGATE: &str = "\
ALARM is a name, unless it ends in .json (a file with an event: SNS, the alarm message, or
{\"alarmName\": \"...\"}) or is - (the event on standard input).
The configuration is read as the Lambda reads it: SRE_AGENT_CONFIG (a file, or ssm:/name of a
parameter), then the SRE_AGENT_* variables, then the options here.
With --scenario the account, the clock, Slack and SNS are the recorded ones.

Exit code 3 means that a model was wanted and none answered; with --depth facts, facts end in 0.
Exit code 1 with --post also means that a channel did not take the report.

Examples:
  sre-agent investigate invoice-render-errors --profile prod --depth facts
  sre-agent investigate invoice-render-errors --profile prod --html report.html
  sre-agent investigate events/sns-metric-alarm.json --scenario scenarios/lambda-bad-deploy
  sre-agent investigate - --json < event.json";

/// See the command of this name.
pub(super) const AFTER_REPLAY: &str = "\
Takes a past firing from the alarm's history (30 days) and investigates it as of then: the newest one,
or the last one up to --at. Reads with cloudwatch:DescribeAlarmHistory besides what an investigation
reads. Nothing is posted. Minute data is kept for 15 days, logs as long as their group keeps them.

Examples:
  sre-agent replay invoice-render-errors --profile prod --depth facts
  sre-agent replay invoice-render-errors --profile prod --at 2026-11-24T03:10:00Z --html report.html
  sre-agent replay invoice-render-errors --scenario lambda-bad-deploy";

/// See the command of this name.
pub(super) const AFTER_SHOW: &str = "\
Finds the report of a run in the bucket that reports are kept in, the newest day first, and prints
it: that takes s3:ListBucket and s3:GetObject. The first digits of an id will do.
Or reads report.json, or what --json printed, of several reports the first: nothing is asked of AWS.

Examples:
  sre-agent show 7f3a9c --profile prod
  sre-agent show 7f3a9c --bucket my-reports --days 400 --format markdown
  sre-agent show report.json
  sre-agent show report.json --format html > report.html
  sre-agent investigate my-alarm --json | sre-agent show - --format markdown";

/// See the command of this name.
pub(super) const AFTER_ASK: &str = "\
One analyst answers from the evidence of that run, as it was read then; nothing is read of AWS
beside the report, and what the answer says is checked against the same evidence.
For the alarm as it is now there is --prompt.

Exit code 0: answered, or said that the evidence does not answer it. 1: failed. 2: usage or
configuration. 3: no model answered.

Examples:
  sre-agent ask --run 7f3a9c \"Which version fails, and since when?\" --profile prod
  sre-agent ask --run report.json \"Was anything throttled?\" --json";

/// See the command of this name.
pub(super) const AFTER_SCHEMA: &str = "\
Prints the JSON Schema (draft 2020-12) of report.json, and of \"report\" in what --json prints.

Example:
  sre-agent schema > report.schema.json";

/// See the command of this name.
pub(super) const AFTER_DOCTOR: &str = "\
Asks who the caller is, where prompts can go, and takes every configured model through lifecycle,
profile, the account's gates and quota; tries each kind of reading; looks at channels and store.
A permission that only doctor needs and that is missing becomes a note. Of a model at another
provider it says whether the key can be read.

With --call-models each configured model answers one minimal call (a few tokens). A first call can
accept a Marketplace subscription of the account, so it is not made unless asked for.
A webhook cannot be tested without posting: --post-test posts one line to every channel.

Exit code 0: a configured model is usable. 1: none is. 2: usage or configuration.

Examples:
  sre-agent doctor --profile prod --region us-east-1
  sre-agent doctor --call-models --json
  sre-agent doctor --function sre-agent-investigate --profile prod
  sre-agent doctor --scenario lambda-bad-deploy";

/// See the command of this name.
pub(super) const AFTER_MODELS: &str = "\
Without credentials the catalogue is printed alone, and said so on standard error.

Examples:
  sre-agent models --region us-east-1
  sre-agent models --scenario lambda-bad-deploy --json";

/// See the command of this name.
pub(super) const AFTER_DIAGNOSE: &str = "\
Explains what a failed call of a model means, also one that another program made: its class, whether
to try again, the cause, what to do, and the next command. Nothing is asked of AWS.
With --model the explanation names the model where the text does not.

Exit code 0: the text was recognised. 1: it was not, and the output says where to look. 2: usage.

Examples:
  sre-agent diagnose \"ThrottlingException: Too many requests, please wait before trying again.\"
  sre-agent diagnose --model us.anthropic.claude-3-5-sonnet-v2:0 \"The provided model identifier is invalid.\"
  aws bedrock-runtime converse ... 2>&1 | sre-agent diagnose -";

/// See the command of this name.
pub(super) const AFTER_IAM_POLICY: &str = "\
Prints what IAM has to allow for the models: the profile, and the model in the source Region and in
every destination Region; for a global profile also the model without a Region. No wildcards.
Without --model the configured models are taken. The destination Regions come from a built-in table;
with --profile the account is asked. Nothing is changed.

--marketplace prints another policy instead: for an admin, once, to subscribe the account.

Examples:
  sre-agent iam-policy --model us.anthropic.claude-sonnet-4-6 --region us-east-1 --account 123456789012
  sre-agent iam-policy --model us.anthropic.claude-haiku-4-5-20251001-v1:0 --global --region eu-west-1
  sre-agent iam-policy --model us.anthropic.claude-haiku-4-5-20251001-v1:0 --marketplace";

/// See the command of this name.
pub(super) const AFTER_EMULATE: &str = "\
Serves CloudWatch, CloudWatch Logs, Lambda, SNS, SSM, S3, Bedrock Converse and a Slack webhook on one
port until Ctrl-C. Requests must be signed; any credentials will do.
GET /slack shows the channel; /emulator/requests, /slack, /published, /objects and /unsupported are lists.

Examples:
  sre-agent emulate lambda-bad-deploy --port 4600
  sre-agent emulate rds-cpu --listen 0.0.0.0 --port 4600     for containers, 'sam local' among them";
