"""The state table at moto: one alarm is one report, in one process and in several, and without a table a report all the same."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator

import moto_process
from emulator_process import ROOT, Emulator, running
from rie import INVOKE_SECONDS, deployed, environment, function, granted_actions, ungranted

EVENT = ROOT / "events" / "sns-metric-alarm.json"
HOME = ROOT / "scenarios" / "lambda-bad-deploy"


@contextlib.contextmanager
def emulator(table: str) -> Iterator[Emulator]:
    """Starts the emulator; at the end, what functions with the table asked must be what their role grants."""
    template = deployed(HOME, table=table)
    with running(HOME, granted_actions(template)) as started:
        yield started
        assert ungranted(template, started.received("requests")) == set()


def variables(started: Emulator, table: str) -> dict[str, str]:
    return environment(started, deployed(HOME, table=table))


def invoke(address: str, event: bytes = EVENT.read_bytes()) -> dict:
    request = urllib.request.Request(address, event, method="POST")
    with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as answer:
        return json.loads(answer.read())


def outcome(answer: dict) -> str:
    return answer["runs"][0]["outcome"] if "runs" in answer else answer["errorType"]


def test_an_event_that_comes_again_to_another_process_is_not_reported_again(tmp_path):
    table = moto_process.table()
    with emulator(table) as started:
        outcomes = []
        for process in ("one", "two"):
            (tmp_path / process).mkdir()
            with function(tmp_path / process, variables(started, table)) as (address, _):
                outcomes += [outcome(invoke(address)), outcome(invoke(address))]
        assert outcomes == ["cause_shown", "already_reported", "already_reported", "already_reported"]
        assert len(started.received("slack")) == 1
        assert len(started.received("published")) == 1


def test_of_two_processes_at_once_one_reports(tmp_path):
    table = moto_process.table()
    with emulator(table) as started, contextlib.ExitStack() as stack:
        addresses = []
        for process in ("one", "two"):
            (tmp_path / process).mkdir()
            address, _ = stack.enter_context(function(tmp_path / process, variables(started, table)))
            addresses.append(address)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            outcomes = sorted(outcome(answer) for answer in pool.map(invoke, addresses))
        # The other one is told to come again; when it does, it finds the report.
        assert outcomes in (["InProgress", "cause_shown"], ["already_reported", "cause_shown"]), outcomes
        assert {outcome(invoke(address)) for address in addresses} == {"already_reported"}
        assert len(started.received("slack")) == 1


def test_another_alarm_of_the_resource_is_linked_by_another_process(tmp_path):
    table = moto_process.table()
    other = EVENT.read_bytes().replace(b"invoice-render-errors", b"invoice-render-faults")
    with emulator(table) as started:
        outcomes = []
        for process, event in (("one", EVENT.read_bytes()), ("two", other)):
            (tmp_path / process).mkdir()
            with function(tmp_path / process, variables(started, table)) as (address, _):
                outcomes.append(outcome(invoke(address, event)))
        assert outcomes == ["cause_shown", "linked"]
        slack = json.dumps(started.received("slack"), ensure_ascii=False)
        assert "Linked to invoice-render-errors" in slack


def test_what_is_kept_is_packed_and_expires_and_the_lease_is_given_back(tmp_path):
    table = moto_process.table()
    with emulator(table) as started, function(tmp_path, variables(started, table)) as (address, _):
        invoke(address)
    items = moto_process.items(table)
    assert sorted({key.split("#")[0] for key in items}) == [
        "event", "incident", "incident-of", "key", "pace", "rung", "series"
    ]
    (event,) = [item for key, item in items.items() if key.startswith("event#")]
    (series,) = [item for key, item in items.items() if key.startswith("series#")]
    assert "key#resource 123456789012 us-east-1 AWS/Lambda invoice-render" in items
    assert event["stage"]["S"] == series["stage"]["S"] == "delivered"
    assert "lease_until" not in event
    assert len(event["record"]["B"]) < 390_000
    now = time.time()
    assert all(now < int(item["expires"]["N"]) < now + 15 * 86_400 for item in items.values())
    assert int(event["expires"]["N"]) > now + 13 * 86_400


def test_without_its_table_a_report_goes_out_and_says_what_is_lost(tmp_path):
    with emulator("no-such-table") as started, function(tmp_path, variables(started, "no-such-table")) as (address, log):
        assert outcome(invoke(address)) == "cause_shown"
        assert len(started.received("slack")) == 1
        assert "the store did not answer, duplicates are possible" in log.read_text(errors="replace")


def test_a_table_that_throttles_now_and_then_costs_nothing(tmp_path):
    table = moto_process.table()
    with emulator(table) as started, function(tmp_path, variables(started, table)) as (address, log):
        moto_process.throttle(2)
        assert [outcome(invoke(address)), outcome(invoke(address))] == ["cause_shown", "already_reported"]
        assert len(started.received("slack")) == 1
        assert "the store did not answer" not in log.read_text(errors="replace")


def test_a_table_that_throttles_all_the_time_costs_deduplication_and_never_the_report(tmp_path):
    table = moto_process.table()
    with emulator(table) as started, function(tmp_path, variables(started, table)) as (address, log):
        moto_process.throttle(100_000)
        try:
            assert outcome(invoke(address)) == "cause_shown"
        finally:
            moto_process.throttle(0)
        # What is waited for the table may take until the facts are due; then the conclusion is the second message.
        messages = [json.dumps(each, ensure_ascii=False) for each in started.received("slack")]
        assert [("CAUSE SHOWN" in each) for each in messages][-1] and len(messages) <= 2
        said = log.read_text(errors="replace")
        assert "the store did not answer, duplicates are possible" in said
        assert "Rate exceeded" in said
