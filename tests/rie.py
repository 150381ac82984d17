"""The Lambda binary, unchanged, under AWS's runtime interface emulator: each of events/*.json goes in, a card comes out.

The function's environment is the one of template.yaml; only the emulator's address, the scenario's time, the
depth of the recorded answers and this machine's certificates are put in, as `sam local invoke --env-vars` would. The emulator grants what the template's
role grants and denies the rest. Nothing is built here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import importlib.util
import json
import os
import platform
import random
import re
import shutil
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cbor2
import certifi
import pytest

import moto_process
import service_model
from cloudformation import Template
from emulator_process import COMMAND_LINE, ROOT, TARGET, Emulator, running
from test_template_options import OPTIONS

FUNCTION = Path(os.environ.get("SRE_AGENT_LAMBDA_BINARY", TARGET / "debug" / "sre-agent-lambda"))
FINDINGS_TOPIC = "arn:aws:sns:us-east-1:123456789012:sre-agent-findings"
REPORT_BUCKET = "sre-agent-reports"
START_SECONDS = 15
# Above anything that a healthy run takes, below what a person would wait for.
INVOKE_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Expected:
    """What one event leads to. `None` leaves open whether something is posted."""

    scenario: str = "lambda-bad-deploy"
    alarm: str = "invoice-render-errors"
    card: bool | None = None


EXPECTED = {
    "sns-metric-alarm.json": Expected(card=True),
    "bare-alarm.json": Expected(card=True),
    "manual.json": Expected(card=True),
    "sns-not-an-alarm.json": Expected(card=False),
    # Recognised and not investigated; whether the thread is told that the alarm is over is the product's choice.
    "sns-metric-alarm-ok.json": Expected(),
    "eventbridge-alarm.json": Expected(card=True),
    "direct-alarm.json": Expected(card=True),
    "sqs-batch.json": Expected(card=True),
    "sns-composite-alarm.json": Expected(alarm="invoice-render-health", card=True),
    "sns-rds-cpu.json": Expected(scenario="rds-cpu", alarm="rds-cpu-high", card=True),
    "sns-log-alarm.json": Expected(scenario="../tests/fixtures/scenarios/log-alarm", alarm="orders-refused", card=True),
}
# Granted by some option, and never asked of the emulator or of moto by the program itself in a run that goes well.
USED_BY_AWS = {
    "kms:Decrypt": "SSM decrypts a parameter on behalf of its reader",
    "secretsmanager:GetSecretValue": "SSM asks for a secret that a parameter refers to, in the reader's name",
    "sqs:DeleteMessage": "Lambda itself polls the queue, in the function's name",
    "sqs:GetQueueAttributes": "Lambda itself polls the queue, in the function's name",
    "sqs:ReceiveMessage": "Lambda itself polls the queue, in the function's name",
    "sqs:SendMessage": "Lambda itself puts a failed invocation into the dead-letter queue",
    "logs:CreateLogStream": "Lambda itself writes the function's log",
    "logs:PutLogEvents": "Lambda itself writes the function's log",
}
BOT = {
    "SlackWebhookParameterName": "",
    "SlackTokenParameterName": "/sre-agent/slack-token",
    "SlackChannel": "C0123456789",
    "ConfigParameterName": "/sre-agent/slack-config",
}
# A message to Slack is no action of IAM; who asks is told to everybody.
NEEDS_NO_GRANT = {None, "sts:GetCallerIdentity"}
BARE = {"PrimaryModel": "anthropic.claude-sonnet-4-6", "FallbackModels": ""}
# The scenarios' recorded answers of the model; a scenario may have none yet.
MISSING_TURN = "emulator: unsupported: no recorded turn"
EVENTS = sorted(path.name for path in (ROOT / "events").glob("*.json"))


@dataclasses.dataclass
class Run:
    """Everything that one invocation left behind."""

    answer: str
    log: str
    emulator: Emulator
    template: Template
    slack: list
    published: list
    requests: list
    unsupported: list

    def everything(self) -> dict[str, str]:
        """Gives each place where a secret could stand, as text."""
        places = {"answer": self.answer, "log": self.log}
        for name in ("slack", "published", "requests"):
            places[name] = json.dumps(getattr(self, name), ensure_ascii=False)
        # JSON inside JSON hides characters behind backslashes.
        return {name: text.replace("\\/", "/").replace("\\", "") for name, text in places.items()}


def runtime_emulator(folder: Path) -> Path:
    """Copies the runtime interface emulator out of the aws-sam-cli package, where it may have no run bit."""
    package = importlib.util.find_spec("samcli")
    assert package and package.submodule_search_locations, "aws-sam-cli is not installed"
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    (home,) = package.submodule_search_locations
    copy = folder / "aws-lambda-rie"
    shutil.copy(Path(home) / "local" / "rapid" / f"aws-lambda-rie-{machine}", copy)
    copy.chmod(0o755)
    return copy


def free_port() -> int:
    """Gives a port that was free a moment ago, from below those that the system itself hands out meanwhile."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def deployed(scenario: Path, parameters: dict[str, str] | None = None, table: str = "state") -> Template:
    """Gives the template as it would be deployed for the scenario's account, with the name of its state table."""
    settings = tomllib.loads((scenario / "scenario.toml").read_text(encoding="utf-8"))
    webhook = {"SlackWebhookParameterName": settings["parameter"][0]["name"]}
    names = {"ReportBucket": REPORT_BUCKET, "ReportBucket.Arn": f"arn:aws:s3:::{REPORT_BUCKET}"}
    names |= {"FindingsTopic": FINDINGS_TOPIC, "StateTable": table, "StateTable.Arn": moto_process.table_arn(table)}
    return Template({**webhook, **(parameters or {})}, names)


def granted_actions(template: Template) -> set[str]:
    """Gives every action that the role grants on something."""
    return {action for statement in template.statements() for action in statement["Action"]}


def is_granted(template: Template, action: str, resource: str | None) -> bool:
    """Says whether the role grants a call and does not deny it; a statement with a condition counts for nothing, as none
    is checked here."""
    return not template.denies(action, resource) and any(
        action in statement["Action"] and any(fnmatch.fnmatchcase(resource or "*", arn) for arn in statement["Resource"])
        for statement in template.statements()
        if "Condition" not in statement
    )


def asked_of_table(template: Template) -> set[tuple[str, str]]:
    """Gives what functions that were deployed so have asked of tables at moto, and of which."""
    return moto_process.asked(session(template))


def ungranted(template: Template, requests: list[dict]) -> set[tuple[str, str | None]]:
    """Gives the calls that the role does not grant on their resource: of the emulator's requests, and of those to tables."""
    asked = {(each["iam_action"], each["resource"]) for each in requests if each["iam_action"] not in NEEDS_NO_GRANT}
    return {call for call in asked | asked_of_table(template) if not is_granted(template, *call)}


def session(template: Template) -> str:
    """Gives the token of the role's session: its table's name, as the role grants that one and each run has its own."""
    return template.environment()["SRE_AGENT_STATE_TABLE"]


def environment(emulator: Emulator, template: Template, dynamodb: str | None = None) -> dict[str, str]:
    """Gives the function's environment: the template's, and what Lambda and the test add. DynamoDB is moto's if none is given."""
    settings = emulator.settings()
    function = template.resource("InvestigateFunction")["Properties"]
    logging = function["LoggingConfig"]
    return {
        **template.environment(),
        # The recorded answers are those of full runs; `auto` makes some of these incidents brief.
        "SRE_AGENT_DEPTH": "full",
        "AWS_ENDPOINT_URL": emulator.endpoint,
        # The emulator has no tables; moto has.
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb or moto_process.endpoint(),
        "SRE_AGENT_AS_OF": settings["as_of"],
        "SSL_CERT_FILE": certifi.where(),
        "AWS_REGION": settings["region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": session(template),
        "AWS_LAMBDA_FUNCTION_NAME": "sre-agent-investigate",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function["Timeout"]),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["MemorySize"]),
        "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
        "AWS_LAMBDA_LOG_LEVEL": logging["ApplicationLogLevel"],
        "PATH": os.environ["PATH"],
    }


@contextlib.contextmanager
def function(folder: Path, variables: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """Starts the function under the runtime interface emulator; gives its address and the file with its output."""
    bootstrap = folder / "bootstrap"
    shutil.copy(FUNCTION, bootstrap)
    invoke, runtime = free_port(), free_port()
    log = folder / "function.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                runtime_emulator(folder),
                "--log-level=warn",
                f"--runtime-interface-emulator-address=127.0.0.1:{invoke}",
                f"--runtime-api-address=127.0.0.1:{runtime}",
                bootstrap,
            ],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            ends = time.monotonic() + START_SECONDS
            while True:
                assert process.poll() is None, f"the runtime emulator stopped:\n{log.read_text(errors='replace')}"
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", invoke), timeout=1):
                    break
                assert time.monotonic() < ends, f"no listener within {START_SECONDS} s"
                time.sleep(0.05)
            yield f"http://127.0.0.1:{invoke}/2015-03-31/functions/function/invocations", log
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def investigate(
    event: str,
    scenario: str,
    folder: Path,
    withheld: frozenset[str] = frozenset(),
    parameters: dict[str, str] | None = None,
) -> Run:
    """Sends one event through a fresh function beside a fresh emulator that enforces the role, less what is withheld."""
    home = ROOT / "scenarios" / scenario
    template = deployed(home, parameters, moto_process.table())
    with running(home, granted_actions(template) - withheld) as emulator:
        with function(folder, environment(emulator, template)) as (address, log):
            request = urllib.request.Request(address, (ROOT / "events" / event).read_bytes(), method="POST")
            try:
                with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as answer:
                    said = answer.read().decode()
            except OSError as error:
                raise RuntimeError(f"{event} got no answer: {error}\n{log.read_text(errors='replace')}") from error
        lists = {name: emulator.received(name) for name in ("slack", "published", "requests", "unsupported")}
        return Run(answer=said, log=log.read_text(errors="replace"), emulator=emulator, template=template, **lists)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Run]:
    """Runs every event once; the tests below look at the same runs."""
    assert FUNCTION.is_file(), f"{FUNCTION} is missing: cargo build"
    finished = {}
    for event in EVENTS:
        expected = EXPECTED.get(event, Expected())
        finished[event] = investigate(event, expected.scenario, tmp_path_factory.mktemp(event.removesuffix(".json")))
    return finished


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Run:
    """A run whose model is named without its profile, as people copy it from the console."""
    return investigate("sns-metric-alarm.json", "lambda-bad-deploy", tmp_path_factory.mktemp("bare"), parameters=BARE)


@pytest.fixture(scope="module")
def bot(tmp_path_factory) -> Run:
    """A run that posts as a Slack bot."""
    return investigate("sns-metric-alarm.json", "lambda-bad-deploy", tmp_path_factory.mktemp("bot"), parameters=BOT)


def test_every_event_has_an_expectation():
    assert set(EVENTS) == set(EXPECTED)


@pytest.mark.parametrize("event", EVENTS)
def test_the_function_answers_without_an_error(runs, event):
    answer = json.loads(runs[event].answer)
    assert not (isinstance(answer, dict) and "errorType" in answer), f"{answer}\n{runs[event].log}"


def test_of_a_queues_batch_nothing_is_given_back_that_was_read_or_cannot_be(runs):
    answer = json.loads(runs["sqs-batch.json"].answer)
    assert answer["batchItemFailures"] == []
    assert len(answer["runs"]) == 1 and len(answer["ignored"]) == 2


def test_the_same_alarm_is_the_same_report_by_every_way_in(runs):
    """The model's requests are compared: they hold everything that was read and computed."""

    def asked(event: str) -> list[str]:
        bodies = [each["body"] for each in runs[event].requests if each["action"] == "Converse"]
        # Each process draws its own marks and salts, and agents ask in parallel.
        return sorted(re.sub(r"[0-9a-f]{6,}", "…", body) for body in bodies)

    expected = asked("sns-metric-alarm.json")
    assert len(expected) > 3
    for event in ("bare-alarm.json", "sqs-batch.json", "eventbridge-alarm.json", "direct-alarm.json"):
        assert asked(event) == expected, event


def test_a_composite_names_the_alarm_below_it(runs):
    assert "Also firing: invoice-render-errors" in runs["sns-composite-alarm.json"].everything()["slack"]


@pytest.mark.parametrize("event", EVENTS)
def test_the_emulator_was_asked_nothing_that_it_does_not_support(runs, event):
    run = runs[event]
    has_turns = (run.emulator.scenario / "turns").is_dir()
    assert [what for what in run.unsupported if has_turns or not what.startswith(MISSING_TURN)] == []


@pytest.mark.parametrize("event", EVENTS)
def test_every_call_to_aws_is_granted_by_the_role_on_its_resource(runs, event):
    assert ungranted(runs[event].template, runs[event].requests) == set()


def test_what_a_role_asks_of_tables_is_held_against_it_and_what_tests_ask_is_not():
    """The check above can fail: by an action, by a table, and by a part of a transaction."""
    own, other = moto_process.table(), moto_process.table()
    template = deployed(ROOT / "scenarios" / "lambda-bad-deploy", table=own)
    moto_process.client().scan(TableName=own)
    assert asked_of_table(template) == set()
    store, key = moto_process.client(session=session(template)), {"key": {"S": "x"}}
    store.get_item(TableName=own, Key=key)
    store.batch_get_item(RequestItems={own: {"Keys": [key]}})
    store.transact_write_items(TransactItems=[{"Put": {"TableName": own, "Item": key}}])
    granted = {(f"dynamodb:{action}", moto_process.table_arn(own)) for action in ("GetItem", "BatchGetItem", "PutItem")}
    assert asked_of_table(template) == granted and ungranted(template, []) == set()
    store.scan(TableName=own)
    store.get_item(TableName=other, Key=key)
    store.transact_write_items(TransactItems=[{"Delete": {"TableName": own, "Key": key}}])
    calls = {("Scan", own), ("GetItem", other), ("DeleteItem", own)}
    assert ungranted(template, []) == {(f"dynamodb:{action}", moto_process.table_arn(name)) for action, name in calls}


def test_a_model_without_its_profile_is_called_through_the_one_that_is_found(bare):
    assert ungranted(bare.template, bare.requests) == set()
    asked = {each["resource"] for each in bare.requests if each["service"] != "slack"} - {None}
    (profile,) = {resource for resource in asked if "inference-profile/" in resource}
    assert profile.endswith("inference-profile/us.anthropic.claude-sonnet-4-6")
    assert "CAUSE SHOWN" in bare.everything()["slack"]


def test_a_bots_card_has_its_details_and_the_metrics_picture_in_its_thread(bot):
    card, *thread = bot.slack
    assert "CAUSE SHOWN" in json.dumps(card["body"]), bot.log
    assert {each["thread_ts"] for each in thread} == {card["ts"]}
    assert [file["name"] for file in thread[-1]["files"]] == ["chart.png"], bot.log
    assert ungranted(bot.template, bot.requests) == set()
    asked = [each for each in bot.requests if each["iam_action"] is not None]
    assert [offence for each in asked for offence in service_model.offences(each)] == []


@pytest.fixture(scope="module")
def looks(tmp_path_factory) -> Run:
    """A function that looks at itself on two days; the answers are a list."""
    home = ROOT / "scenarios" / "lambda-bad-deploy"
    template = deployed(home, table=moto_process.table())
    with running(home, granted_actions(template)) as emulator:
        with function(tmp_path_factory.mktemp("looks"), environment(emulator, template)) as (address, log):
            answers = []
            for _ in range(2):
                request = urllib.request.Request(address, b'{"doctor": true}', method="POST")
                with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as answer:
                    answers.append(json.load(answer))
        lists = {name: emulator.received(name) for name in ("slack", "published", "requests", "unsupported")}
        return Run(answer=json.dumps(answers), log=log.read_text(errors="replace"), emulator=emulator, template=template, **lists)


def test_a_look_at_itself_has_a_heartbeat_and_is_told_where_something_changed(looks):
    first, second = json.loads(looks.answer)
    assert first["usable"][0] == "us.anthropic.claude-sonnet-4-6", looks.log
    assert [part["heading"] for part in first["parts"]] == [part["heading"] for part in second["parts"]]
    # What was so at the first look is no news, as that the first model is retired.
    assert (first["posted"], second["posted"], looks.slack) == (None, None, []), looks.log
    lines = [json.loads(line) for line in looks.log.splitlines() if line.startswith("{")]
    beats = [line for line in lines if "Heartbeat" in line]
    assert [beat["Heartbeat"] for beat in beats] == [1, 1]
    (directive,) = beats[0]["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("SreAgent", [["FunctionName"]])
    assert looks.unsupported == []
    assert ungranted(looks.template, looks.requests) == set()
    asked = [each for each in looks.requests if each["iam_action"] not in NEEDS_NO_GRANT]
    assert [offence for each in asked for offence in service_model.offences(each)] == []


def test_doctor_prints_the_deployed_functions_view_and_what_the_alarms_would_ask_for(tmp_path):
    home = ROOT / "scenarios" / "lambda-bad-deploy"
    template = deployed(home, table=moto_process.table())
    # What the caller may says nothing of what the function may.
    with running(home, granted_actions(template) - {"logs:FilterLogEvents"} | {"cloudwatch:DescribeAlarmHistory"}) as emulator:
        with function(tmp_path, environment(emulator, template)) as (address, _):
            variables = {
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": emulator.endpoint,
                # Lambda is the runtime emulator, which calls every function "function".
                "AWS_ENDPOINT_URL_LAMBDA": address.split("/2015-03-31")[0],
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            }
            command = [COMMAND_LINE, "doctor", "--function", "function", "-q"]
            done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=INVOKE_SECONDS)
            assert done.returncode == 0, done.stdout + done.stderr
            said = " ".join(done.stdout.split())
            assert "logs:FilterLogEvents warning denied on the probe's name" in said, said
            assert "alarms went off" in said and "investigations a month at about $" in said, said
            lost = subprocess.run(
                [*command[:3], "no-such-function", "-q"], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
    assert lost.returncode == 1 and "no-such-function did not answer" in lost.stderr, lost.stderr


def test_every_granted_action_is_used_by_an_event_or_by_aws_itself(runs, bare, bot, looks):
    finished = [*runs.values(), bare, bot, looks]
    used = {each["iam_action"] for run in finished for each in run.requests} - {None}
    used |= {action for run in finished for action, _ in asked_of_table(run.template)}
    home = ROOT / "scenarios" / "lambda-bad-deploy"
    options = [{"SlackWebhookParameterName": "", **parameters} for parameters in OPTIONS.values()]
    granted = {action for parameters in options for action in granted_actions(deployed(home, parameters))}
    assert granted - used == USED_BY_AWS.keys(), "a grant that nothing uses, or an exception that is none"


@pytest.mark.parametrize("event", EVENTS)
def test_every_request_is_one_that_awss_published_service_model_allows(runs, event):
    asked = [each for each in runs[event].requests if each["iam_action"] is not None]
    assert [offence for each in asked for offence in service_model.offences(each)] == []


def test_the_runs_ask_every_service_and_answer_the_models_tool_calls(runs):
    asked = [each for run in runs.values() for each in run.requests if each["iam_action"] is not None]
    services = {"apigateway", "bedrock", "cloudwatch", "lambda", "logs", "s3", "servicequotas", "sns", "ssm"}
    assert {each["service"] for each in asked} == services
    answered = [each for each in asked if each["action"] == "Converse" and '"toolResult"' in each["body"]]
    assert answered, "no conversation went on after a tool call"


def test_a_request_that_is_changed_to_be_wrong_is_found(runs):
    """The check above can fail: of each operation that was used, one request with a stranger in it does."""
    by_operation = {
        (each["service"], each["action"]): each
        for run in runs.values()
        for each in run.requests
        if each["iam_action"] is not None
    }
    for request in by_operation.values():
        assert service_model.offences(request) == []
        assert service_model.offences(with_a_stranger(request)), request["action"]


def with_a_stranger(request: dict) -> dict:
    """Gives a copy of a request with one member that no operation knows."""
    if request["cbor"] is not None:
        body = cbor2.loads(bytes.fromhex(request["cbor"])) | {"Stranger": 1}
        return request | {"cbor": cbor2.dumps(body).hex()}
    # An object's bytes are S3's body: what is wrong stands in the query.
    if request["target"].startswith("GET ") or request["service"] == "s3":
        return request | {"target": f"{request['target']}{'&' if '?' in request['target'] else '?'}Stranger=1"}
    if request["service"] == "sns":
        return request | {"body": f"{request['body']}&Stranger=1"}
    return request | {"body": json.dumps(json.loads(request["body"]) | {"stranger": 1})}


def test_a_grant_that_is_missing_is_denied_and_the_card_says_so(tmp_path):
    run = investigate("sns-metric-alarm.json", "lambda-bad-deploy", tmp_path, frozenset({"logs:FilterLogEvents"}))
    statuses = {each["status"] for each in run.requests if each["iam_action"] == "logs:FilterLogEvents"}
    assert statuses == {400}, "AWS answers a denied awsJson call with 400"
    assert "Not checked: logs of" in run.everything()["slack"]


@pytest.mark.parametrize("event", [name for name, expected in EXPECTED.items() if expected.card])
def test_an_alarm_becomes_a_card_on_slack_and_one_message_on_sns(runs, event):
    run = runs[event]
    assert run.slack, run.log
    assert EXPECTED[event].alarm in json.dumps(run.slack), run.slack
    assert len(run.published) == 1, run.published
    assert EXPECTED[event].alarm in json.dumps(run.published), run.published


@pytest.mark.parametrize("event", [name for name, expected in EXPECTED.items() if expected.card is False])
def test_what_is_no_alarm_posts_nothing(runs, event):
    assert (runs[event].slack, runs[event].published) == ([], [])


def test_nothing_is_asked_of_aws_before_there_is_an_alarm(runs):
    """What a start asks for comes before everything that a responder waits for."""
    assert runs["sns-not-an-alarm.json"].requests == []


@pytest.mark.parametrize("event", [name for name, expected in EXPECTED.items() if expected.card])
def test_an_investigation_leaves_one_line_of_metrics_in_the_log(runs, event):
    lines = [line for line in runs[event].log.splitlines() if '"_aws"' in line]
    assert len(lines) == 1, runs[event].log
    assert json.loads(lines[0])["_aws"]["CloudWatchMetrics"]


@pytest.mark.parametrize("event", EVENTS)
def test_no_planted_secret_is_in_an_answer_a_log_line_a_message_or_a_request(runs, event):
    run = runs[event]
    found = [
        (place, secret) for place, text in run.everything().items() for secret in run.emulator.secrets() if secret in text
    ]
    assert found == []


def test_secrets_were_planted_where_the_card_comes_from(runs):
    assert len(runs["sns-metric-alarm.json"].emulator.secrets()) >= 5


def once(pairs: list[tuple[str, object]]) -> dict:
    """Builds an object and fails on a key that stands twice, of which a reader would lose one."""
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)


@pytest.mark.parametrize("event", [name for name, expected in EXPECTED.items() if expected.card])
def test_the_log_is_json_line_by_line_and_tells_the_run(runs, event):
    lines = [json.loads(line, object_pairs_hook=once) for line in runs[event].log.splitlines() if line.startswith("{")]
    told = [line["fields"]["message"] for line in lines if "fields" in line]
    (version,) = {line["fields"]["version"] for line in lines if line.get("fields", {}).get("message") == "ready"}
    assert version == tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    for message in ("model client created", "run started", "stage finished", "delivered", "run finished"):
        assert message in told, runs[event].log
