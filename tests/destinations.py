"""The bucket and the topics at moto: what the Lambda binary keeps and publishes, as those who read it find it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

import moto_process
import service_model
from cloudformation import Template
from emulator_process import ROOT, Emulator, running
from rie import INVOKE_SECONDS, REPORT_BUCKET, deployed, environment, function, granted_actions, ungranted

EVENT = ROOT / "events" / "sns-metric-alarm.json"
HOME = ROOT / "scenarios" / "lambda-bad-deploy"
RECOVERED = EVENT.with_name("sns-metric-alarm-ok.json")
# What keeping a report takes.
KEEPING = {"s3:PutObject"}


@contextlib.contextmanager
def emulator(withheld: set[str] = frozenset()) -> Iterator[tuple[Emulator, Template]]:
    """Starts the emulator and gives it with the template; at the end, what was asked must be what the role grants."""
    template = deployed(HOME, table=moto_process.table())
    with running(HOME, granted_actions(template) - withheld) as started:
        yield started, template
        assert ungranted(template, started.received("requests")) == set()


def variables(started: Emulator, template: Template, bucket: str, at_moto: tuple[str, ...], **more: str) -> dict[str, str]:
    """Gives the function's environment with a bucket; the named services are moto's."""
    moto = {f"AWS_ENDPOINT_URL_{service}": moto_process.endpoint() for service in at_moto}
    return environment(started, template) | moto | {"SRE_AGENT_REPORT_BUCKET": bucket} | more


def invoke(address: str, event: Path = EVENT) -> dict:
    request = urllib.request.Request(address, event.read_bytes(), method="POST")
    with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as answer:
        return json.loads(answer.read())


def validator(path: Path) -> jsonschema.Draft202012Validator:
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_report_lies_in_the_bucket_under_its_day_and_run_and_every_message_leads_there(tmp_path):
    bucket, (topic, queue), (chat, chat_queue) = moto_process.bucket(), moto_process.topic(), moto_process.topic()
    topics = {"SRE_AGENT_FINDINGS_TOPIC_ARN": topic, "SRE_AGENT_AMAZON_Q_TOPIC_ARN": chat}
    with emulator() as (started, template):
        with function(tmp_path, variables(started, template, bucket, ("S3", "SNS"), **topics)) as (address, log):
            (run,) = invoke(address)["runs"]
            (recovery,) = invoke(address, RECOVERED)["runs"]
        slack, secrets = started.received("slack"), started.secrets()
    assert run["undelivered"] == [], log.read_text(errors="replace")
    store = moto_process.client("s3")
    keys = [item["Key"] for item in store.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == [f"reports/2026/11/24/{run['run_id']}.{kind}" for kind in ("html", "json")]
    page, report = (store.get_object(Bucket=bucket, Key=key) for key in keys)
    assert page["ContentType"] == "text/html; charset=utf-8" and report["ContentType"] == "application/json"
    assert page["ServerSideEncryption"] == report["ServerSideEncryption"] == "AES256"
    page, report = page["Body"].read().decode(), json.loads(report["Body"].read())
    assert page.startswith("<!DOCTYPE html>")
    # What a later question is answered from: packed, and as free of secrets as everything else.
    kept = gzip.decompress(base64.b64decode(report["kept"])).decode()
    assert json.loads(kept)["run_id"] == run["run_id"] and '"series"' in kept
    errors = validator(ROOT / "docs" / "report.schema.json").iter_errors(report)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []
    assert report["run_id"] == run["run_id"] and report["data"]["outcome"] == run["outcome"] == "cause_shown"
    link = f"/s3/object/{bucket}?region=us-east-1&bucketType=general&prefix=reports%2F2026%2F11%2F24%2F{run['run_id']}.html"
    mails, notes = moto_process.messages(queue), [json.loads(text) for text in moto_process.messages(chat_queue)]
    assert len(mails) == len(notes) == 2, "the report and the recovery"
    reported = next(mail for mail in mails if "CAUSE SHOWN" in mail)
    note = next(note for note in notes if "CAUSE SHOWN" in note["content"]["description"])
    shown = json.dumps(slack, ensure_ascii=False)
    assert link in reported and link in note["content"]["description"] and link.replace("&", "&amp;") in shown
    rule = validator(ROOT / "tests" / "fixtures" / "amazon-q-notification.schema.json")
    assert [error.message for each in notes for error in rule.iter_errors(each)] == []
    assert {each["metadata"]["threadId"] for each in notes} == {report["data"]["incident"]["id"]}
    assert recovery["outcome"] == "state_change"
    everything = "\n".join([kept, page, json.dumps(report, ensure_ascii=False), shown, *mails, *map(json.dumps, notes)])
    assert [secret for secret in secrets if secret in everything] == []


@pytest.mark.parametrize("missing", ["no-such-bucket-here"])
def test_a_bucket_that_is_not_there_costs_the_link_and_nothing_else(tmp_path, missing):
    with emulator() as (started, template):
        with function(tmp_path, variables(started, template, missing, ("S3",))) as (address, _):
            (run,) = invoke(address)["runs"]
        slack, published = started.received("slack"), started.received("published")
    (failed,) = run["undelivered"]
    assert failed["channel"] == "s3" and f"there is no bucket {missing}: create it" in failed["reason"]
    text = json.dumps(slack, ensure_ascii=False)
    assert "Full report not kept: there is no bucket" in text and "|Full report>" not in text
    assert len(slack) == len(published) == 1


def test_what_is_asked_of_s3_is_what_its_service_model_allows_and_a_role_without_the_grant_is_told_so(tmp_path):
    for withheld, failing in ((set(), 0), (KEEPING, 1)):
        folder = tmp_path / str(failing)
        folder.mkdir()
        with emulator(withheld) as (started, template):
            with function(folder, variables(started, template, REPORT_BUCKET, ())) as (address, _):
                (run,) = invoke(address)["runs"]
            asked = [each for each in started.received("requests") if each["service"] == "s3"]
            objects = started.received("objects")
        assert {each["iam_action"] for each in asked} == KEEPING
        resources = {each["resource"] for each in asked}
        both = {f"arn:aws:s3:::{REPORT_BUCKET}/reports/2026/11/24/{run['run_id']}.{kind}" for kind in ("html", "json")}
        # They go at once, and the first refusal ends the other one, which may not be out yet.
        assert resources == both or (failing and resources < both)
        assert [offence for each in asked for offence in service_model.offences(each)] == []
        assert len(run["undelivered"]) == failing and len(objects) == 2 - 2 * failing
        if failing:
            assert f"allow it on arn:aws:s3:::{REPORT_BUCKET}/reports/*" in run["undelivered"][0]["reason"]
