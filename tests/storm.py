"""Fifty alarms of one fault within two minutes: ten processes, one table, ten requests a minute. One card.

A minute is six seconds here, for the model's quota as for the lines on linked alarms. The counts are printed (`pytest -s`).
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import copy
import json
import re
import time
import tomllib
import urllib.request

import moto_process
from emulator_process import ROOT, running
from rie import INVOKE_SECONDS, deployed, environment, function, granted_actions, ungranted

HOME = ROOT / "scenarios" / "lambda-bad-deploy"
PROCESSES = 10
ALARMS = 50
MINUTE = 6.0
REQUESTS_A_MINUTE = 10
ACCOUNT = "123456789012"

# What the fault trips: the function, the API, the load balancer and the queue in front of it, by the scenario's resource
# policy and event sources.
METRICS = [
    ("AWS/Lambda", "Errors", {"FunctionName": "invoice-render", "Resource": "invoice-render:live"}),
    ("AWS/Lambda", "Throttles", {"FunctionName": "invoice-render"}),
    ("AWS/ApiGateway", "5xx", {"ApiId": "a1b2c3d4e5", "Stage": "prod"}),
    (
        "AWS/ApplicationELB",
        "HTTPCode_Target_5XX_Count",
        {"LoadBalancer": "app/shop/50dc6c495c0c9188", "TargetGroup": "targetgroup/invoice-render/6d0ecf831eec9f09"},
    ),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", {"LoadBalancer": "app/shop/50dc6c495c0c9188"}),
    # A REST API's metrics know it by its name, the function's policy by its id.
    ("AWS/ApiGateway", "5XXError", {"ApiName": "invoices"}),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "invoice-jobs"}),
]


def alarms() -> list[dict]:
    """Gives the scenario's own alarm, its composite, and others of the same fault, in an order that mixes resources."""
    first = json.loads((ROOT / "events" / "sns-metric-alarm.json").read_text())
    composite = json.loads((ROOT / "events" / "sns-composite-alarm.json").read_text())
    events = [first, composite]
    for number in range(ALARMS - len(events)):
        namespace, metric, dimensions = METRICS[number % len(METRICS)]
        event = copy.deepcopy(first)
        notification = event["Records"][0]["Sns"]
        alarm = json.loads(notification["Message"])
        alarm["AlarmName"] = f"storm-{number:02}-{metric}"
        alarm["AlarmArn"] = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{alarm['AlarmName']}"
        alarm["StateChangeTime"] = f"2026-11-24T03:05:{22 + number % 8:02}.900+0000"
        alarm["Trigger"] |= {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"name": name, "value": value} for name, value in dimensions.items()],
        }
        notification["Message"] = json.dumps(alarm)
        notification["MessageId"] = f"{number:08}-3d18-5b60-a1f4-62d0b8e9735c"
        events.append(event)
    return events


def name(event: dict) -> str:
    return json.loads(event["Records"][0]["Sns"]["Message"])["AlarmName"]


def invoke(address: str, event: dict) -> dict:
    """Delivers an event as Lambda does: again, a little later, while the function answers with an error."""
    for _ in range(3):
        request = urllib.request.Request(address, json.dumps(event).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as answer:
            answered = json.load(answer)
        if "errorType" not in answered:
            break
        time.sleep(1)
    return answered


def test_fifty_alarms_of_one_fault_are_one_card_and_a_line_a_minute(tmp_path):
    table = moto_process.table()
    template = deployed(HOME, table=table)
    settings = tmp_path / "sre-agent.toml"
    # A webhook cannot edit its facts card; with time for the conclusion there is one message.
    settings.write_text(f"format = 1\n[run]\nminute_seconds = {MINUTE:.0f}\n[deadline]\nfacts_seconds = 120\n")
    assert tomllib.loads(settings.read_text())["run"]["minute_seconds"] == MINUTE
    options = ["--requests-per-minute", str(REQUESTS_A_MINUTE), "--minute", str(int(MINUTE))]
    events = alarms()
    with running(HOME, granted_actions(template), options) as started, contextlib.ExitStack() as stack:
        addresses = []
        for process in range(PROCESSES):
            folder = tmp_path / f"process-{process}"
            folder.mkdir()
            variables = environment(started, template) | {"SRE_AGENT_CONFIG": str(settings)}
            address, log = stack.enter_context(function(folder, variables))
            addresses.append(address)
        began = time.monotonic()

        def process(number: int) -> list[tuple[str, str]]:
            """One container handles one event at a time, those that come to it spread over two minutes."""
            answers = []
            for turn, event in enumerate(events[number::PROCESSES]):
                # The scenario's own alarm is the first to go off; its answers are recorded.
                starts = began + turn * 2 * MINUTE / 5 + 0.05 * number
                time.sleep(max(0, starts - time.monotonic()))
                while number and not any(key.startswith("incident#") for key in moto_process.items(table)):
                    time.sleep(0.05)
                answered = invoke(addresses[number], event)
                outcome = answered["runs"][0]["outcome"] if answered.get("runs") else json.dumps(answered)
                answers.append((name(event), outcome))
            return answers

        with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
            answers = [answer for answered in pool.map(process, range(PROCESSES)) for answer in answered]
        took = time.monotonic() - began
        messages = [json.dumps(each, ensure_ascii=False) for each in started.received("slack")]
        requests = started.received("requests")

    assert ungranted(template, requests) == set()
    outcomes = collections.Counter(outcome for _, outcome in answers)
    lines = [message for message in messages if "ALSO FIRING" in message]
    cards = [message for message in messages if "ALSO FIRING" not in message]
    asked = [each for each in requests if each["action"] == "Converse"]
    refused = [each for each in asked if each["status"] == 429]
    print(
        f"\n{ALARMS} alarms, {PROCESSES} processes, {took / MINUTE:.1f} minutes of {MINUTE:.0f} s: {dict(outcomes)}; "
        f"{len(cards)} card, {len(lines)} lines, {len(asked)} requests to models, {len(refused)} refused for their rate"
    )
    assert len(answers) == ALARMS
    assert outcomes == {"cause_shown": 1, "linked": ALARMS - 1}
    assert len(cards) == 1
    # The first line may go as soon as there is a report.
    assert len(lines) <= took / MINUTE + 1
    assert not refused
    # Nothing is lost: each is a member of the one incident, and the card or a line told it.
    kept = {key: item for key, item in moto_process.items(table).items() if key.startswith("incident#")}
    (incident,) = [json.loads(item["value"]["S"]) for item in kept.values()]
    assert {member["alarm"] for member in incident["members"]} == {alarm for alarm, _ in answers} - {name(events[0])}
    assert all(member["told"] for member in incident["members"])
    # A message names the first few and counts the others.
    named = {member["alarm"] for member in incident["members"] if any(member["alarm"] in each for each in messages)}
    counted = sum(int(count) for count in re.findall(r"[Aa]nd (\d+) more", " ".join(shown(each) for each in messages)))
    print(f"{len(named)} named, {counted} counted")
    assert len(named) + counted >= ALARMS - 1


def shown(message: str) -> str:
    """Gives a message with its lines joined, as they are broken for a phone."""
    return " ".join(message.replace("\\n", " ").split())
