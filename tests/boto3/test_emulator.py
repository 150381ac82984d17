"""Asks a running emulator through boto3, a client that is not ours, and compares with the scenario's own files.

EMULATOR_ENDPOINT names the emulator, EMULATOR_SCENARIO the folder it serves (scenarios/lambda-bad-deploy if unset).
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
import tomllib
import urllib.error
import urllib.request
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = Path(os.environ.get("EMULATOR_SCENARIO", ROOT / "scenarios" / "lambda-bad-deploy"))
ENDPOINT = os.environ.get("EMULATOR_ENDPOINT")
if not ENDPOINT:
    raise RuntimeError("EMULATOR_ENDPOINT names no running emulator; `tests/run.sh boto3` starts one")

sys.path.insert(0, str(ROOT / "tests"))
from emulator_process import running

SETTINGS = tomllib.loads((SCENARIO / "scenario.toml").read_text(encoding="utf-8"))
AS_OF = datetime.fromisoformat(SETTINGS["as_of"])
REGION = SETTINGS["region"]
ACCOUNT = SETTINGS["account"]
METRICS_UNTIL = AS_OF - timedelta(seconds=SETTINGS.get("lag", {}).get("metrics_seconds", 0))
LOGS_UNTIL = AS_OF - timedelta(seconds=SETTINGS.get("lag", {}).get("logs_seconds", 0))


# ---- the scenario, read without the emulator ----


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Recorded:
    """One series of metrics.jsonl, written out datapoint by datapoint."""

    def __init__(self, line: dict):
        self.line = line
        self.period = line["period"]
        start = datetime.fromisoformat(line["start"])
        self.points = {}
        for offset, repeat, count, total, low, high in line["points"]:
            for step in range(offset, offset + repeat):
                at = start + timedelta(seconds=step * self.period)
                if at + timedelta(seconds=self.period) <= METRICS_UNTIL:
                    self.points[at] = (count, total, low, high)
        self.percentiles = {}
        for name, runs in line.get("percentiles", {}).items():
            for offset, repeat, value in runs:
                for step in range(offset, offset + repeat):
                    self.percentiles[name, start + timedelta(seconds=step * self.period)] = value

    def buckets(self, start: datetime, end: datetime, period: int) -> dict:
        found = {}
        for at, point in self.points.items():
            if start <= at < end:
                place = start + timedelta(seconds=(at - start) // timedelta(seconds=period) * period)
                found.setdefault(place, []).append(point)
        return found


STATISTICS = {
    "SampleCount": lambda points: math.fsum(p[0] for p in points),
    "Sum": lambda points: math.fsum(p[1] for p in points),
    "Average": lambda points: math.fsum(p[1] for p in points) / math.fsum(p[0] for p in points),
    "Minimum": lambda points: min(p[2] for p in points),
    "Maximum": lambda points: max(p[3] for p in points),
}


@pytest.fixture(scope="session")
def series() -> list[Recorded]:
    return [Recorded(line) for line in lines(SCENARIO / "metrics.jsonl")]


@pytest.fixture(scope="session")
def events() -> list[dict]:
    found = []
    for path in sorted((SCENARIO / "logs").glob("*.jsonl")):
        found += lines(path)
    found = [event | {"ms": milliseconds(event["time"])} for event in found]
    kept = {group["name"]: group.get("retention_days") for group in SETTINGS.get("log_group", [])}
    visible = [
        event
        for event in found
        if event["ms"] <= LOGS_UNTIL.timestamp() * 1000
        and (
            kept[event["group"]] is None
            or event["ms"] >= (AS_OF - timedelta(days=kept[event["group"]])).timestamp() * 1000
        )
    ]
    return sorted(visible, key=lambda event: event["ms"])


# ---- clients ----


class OnlyCbor(botocore.loaders.Loader):
    """Leaves botocore no other protocol for CloudWatch than the one that the Rust SDK speaks."""

    def load_service_model(self, service_name, type_name, api_version=None):
        model = super().load_service_model(service_name, type_name, api_version)
        if service_name == "cloudwatch" and type_name == "service-2":
            metadata = model["metadata"] | {"protocols": ["smithy-rpc-v2-cbor"], "protocol": "smithy-rpc-v2-cbor"}
            model = model | {"metadata": metadata}
        return model


def client(service: str, endpoint: str = ENDPOINT):
    core = botocore.session.get_session()
    core.register_component("data_loader", OnlyCbor(extra_search_paths=_search_paths(core)))
    session = boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION, botocore_session=core
    )
    return session.client(
        service, endpoint_url=endpoint, config=Config(retries={"max_attempts": 1}, read_timeout=20)
    )


def _search_paths(core) -> list[str]:
    return list(core.get_component("data_loader").search_paths)


@pytest.fixture(scope="session")
def cloudwatch():
    return client("cloudwatch")


@pytest.fixture(scope="session")
def logs():
    return client("logs")


@pytest.fixture(scope="session")
def functions():
    return client("lambda")


def query(line: dict, statistic: str, period: int, name: str = "q") -> dict:
    dimensions = [{"Name": key, "Value": value} for key, value in line["dimensions"].items()]
    metric = {"Namespace": line["namespace"], "MetricName": line["metric"], "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}


def read_pages(cloudwatch, queries: list[dict], **arguments) -> dict[str, list[tuple]]:
    found = {}
    for page in cloudwatch.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, **arguments):
        for result in page["MetricDataResults"]:
            found.setdefault(result["Id"], []).extend(zip(result["Timestamps"], result["Values"], strict=True))
    return found


def error(call) -> tuple[str, str, int]:
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call()
    response = raised.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


# ---- metrics ----


def test_cloudwatch_is_spoken_in_cbor(cloudwatch):
    assert cloudwatch.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("periods", [1, 5, 60])
def test_every_series_answers_every_statistic_exactly(cloudwatch, series, statistic, periods):
    for recorded in series:
        period = recorded.period * periods
        # From 15 days on, CloudWatch rounds a start down to five minutes.
        start = min(recorded.points) - timedelta(seconds=2 * period)
        if AS_OF - start >= timedelta(days=15):
            start -= timedelta(minutes=start.minute % 5)
            if period % 300:
                continue
        expected = {
            at: STATISTICS[statistic](points) for at, points in recorded.buckets(start, AS_OF, period).items()
        }
        assert expected, "a series without visible data would prove nothing"
        answer = read_pages(
            cloudwatch, [query(recorded.line, statistic, period)], StartTime=start, EndTime=AS_OF
        )["q"]
        assert [at for at, _ in answer] == sorted(expected, reverse=True)
        for at, value in answer:
            assert value == pytest.approx(expected[at], rel=1e-12, abs=1e-12), (recorded.line["metric"], at)


def test_recorded_percentiles_are_answered(cloudwatch, series):
    checked = 0
    for recorded in series:
        for name in {name for name, _ in recorded.percentiles}:
            expected = {
                at: value
                for (other, at), value in recorded.percentiles.items()
                if other == name and at in recorded.points and at >= AS_OF - timedelta(hours=3)
            }
            start = min(expected)
            answer = read_pages(
                cloudwatch, [query(recorded.line, name, recorded.period)], StartTime=start, EndTime=AS_OF
            )["q"]
            assert dict(answer) == expected
            checked += len(answer)
    assert checked or not any(recorded.percentiles for recorded in series)


def test_the_window_is_start_inclusive_and_end_exclusive(cloudwatch, series):
    recorded = series[0]
    inside = sorted(recorded.points)[-20:-10]
    answer = read_pages(
        cloudwatch,
        [query(recorded.line, "Sum", recorded.period)],
        StartTime=inside[0],
        EndTime=inside[-1],
        ScanBy="TimestampAscending",
    )["q"]
    assert [at for at, _ in answer] == inside[:-1]


def test_pages_hold_together_what_one_answer_would_hold(cloudwatch, series):
    chosen = series[:3]
    queries = [query(r.line, "Sum", r.period, f"q{i}") for i, r in enumerate(chosen)]
    window = {"StartTime": AS_OF - timedelta(hours=2), "EndTime": AS_OF}
    whole = read_pages(cloudwatch, queries, **window)
    parts = read_pages(cloudwatch, queries, **window, PaginationConfig={"PageSize": 7})
    assert parts == whole
    assert any(whole.values())
    first = cloudwatch.get_metric_data(MetricDataQueries=queries, **window, MaxDatapoints=7)
    assert sum(len(result["Values"]) for result in first["MetricDataResults"]) == 7
    assert {result["StatusCode"] for result in first["MetricDataResults"]} == {"PartialData"}


def test_what_does_not_exist_is_empty_and_complete(cloudwatch):
    nothing = {"namespace": "AWS/Lambda", "metric": "Errors", "dimensions": {"FunctionName": "no-such"}}
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[query(nothing, "Sum", 60)], StartTime=AS_OF - timedelta(hours=1), EndTime=AS_OF
    )
    [result] = answer["MetricDataResults"]
    assert (result["Values"], result["StatusCode"]) == ([], "Complete")


def test_what_is_not_yet_visible_is_not_there(cloudwatch, series):
    answer = read_pages(
        cloudwatch,
        [query(r.line, "Sum", r.period, f"q{i}") for i, r in enumerate(series)],
        StartTime=METRICS_UNTIL - timedelta(hours=1),
        EndTime=AS_OF + timedelta(days=1),
    )
    for i, recorded in enumerate(series):
        for at, _ in answer[f"q{i}"]:
            assert at + timedelta(seconds=recorded.period) <= METRICS_UNTIL


def test_cloudwatch_errors_reach_the_client_by_their_old_codes(cloudwatch, series):
    same = {"StartTime": AS_OF, "EndTime": AS_OF}
    code, message, status = error(
        lambda: cloudwatch.get_metric_data(MetricDataQueries=[query(series[0].line, "Sum", 60)], **same)
    )
    assert (code, status) == ("ValidationError", 400)
    assert "StartTime" in message
    window = {"StartTime": AS_OF - timedelta(hours=1), "EndTime": AS_OF}
    code, message, status = error(
        lambda: cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "e", "Expression": "1+1"}], **window)
    )
    assert status == 400
    assert message.startswith("emulator: unsupported")


def test_list_metrics_lists_what_had_data_in_two_weeks(cloudwatch, series):
    def identity(namespace, name, dimensions):
        return namespace, name, tuple(sorted(dimensions.items()))

    expected = {
        identity(r.line["namespace"], r.line["metric"], r.line["dimensions"])
        for r in series
        if max(r.points) >= AS_OF - timedelta(days=14)
    }
    listed = [
        identity(m["Namespace"], m["MetricName"], {d["Name"]: d["Value"] for d in m["Dimensions"]})
        for page in cloudwatch.get_paginator("list_metrics").paginate()
        for m in page["Metrics"]
    ]
    assert sorted(listed) == sorted(expected)
    line = series[0].line
    narrowed = cloudwatch.list_metrics(
        Namespace=line["namespace"],
        MetricName=line["metric"],
        Dimensions=[{"Name": name} for name in line["dimensions"]],
    )["Metrics"]
    assert {m["MetricName"] for m in narrowed} == {line["metric"]}
    assert len(narrowed) == sum(
        1 for e in expected if e[:2] == (line["namespace"], line["metric"]) and set(line["dimensions"]) <= {n for n, _ in e[2]}
    )


def pixels(picture: bytes) -> tuple[int, int, list[bytes]]:
    """Reads a PNG of eight bits and a palette by hand: its size and the colour of every pixel, row by row."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        data = picture[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + data) == int.from_bytes(picture[at + 8 + length : at + 12 + length]), kind
        chunks[kind] = data
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 3, 0, 0, 0]
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (width + 1)
    palette = [chunks[b"PLTE"][place : place + 3] for place in range(0, len(chunks[b"PLTE"]), 3)]
    lines = [rows[place + 1 : place + 1 + width] for place in range(0, len(rows), width + 1)]
    return width, height, [b"".join(palette[pixel] for pixel in line) for line in lines]


def test_a_graph_is_a_png_of_its_size_with_its_line_and_its_annotations(cloudwatch, series):
    line = series[0].line
    row = [line["namespace"], line["metric"], *(part for pair in line["dimensions"].items() for part in pair)]
    widget = {
        "metrics": [[*row, {"stat": "Sum", "period": series[0].period, "color": "#112233"}]],
        "start": (AS_OF - timedelta(hours=1)).isoformat(),
        "end": AS_OF.isoformat(),
        "width": 300,
        "height": 200,
        "annotations": {
            "horizontal": [{"value": 20, "color": "#ff0000"}, [{"value": 2, "color": "#00ff00"}, {"value": 1}]],
            "vertical": [{"value": (AS_OF - timedelta(minutes=30)).isoformat(), "color": "#0000ff", "label": "C1"}],
        },
    }
    answer = cloudwatch.get_metric_widget_image(MetricWidget=json.dumps(widget), OutputFormat="png")
    width, height, rows = pixels(answer["MetricWidgetImage"])
    assert (width, height) == (300, 200)
    for colour in (b"\x11\x22\x33", b"\xff\0\0", b"\0\xff\0", b"\0\0\xff"):
        assert any(colour in row for row in rows), colour
    for wrong in ({"width": 2001}, {"view": "pie"}, {"strange": 1}, {"metrics": [["one name"]]}):
        _, message, status = error(
            lambda wrong=wrong: cloudwatch.get_metric_widget_image(MetricWidget=json.dumps(widget | wrong))
        )
        assert status == 400, message
    _, message, status = error(lambda: cloudwatch.get_metric_widget_image(MetricWidget="{"))
    assert status == 400 and "not valid JSON" in message


# ---- alarms ----


def recorded_alarms() -> dict:
    return json.loads((SCENARIO / "alarms.json").read_text(encoding="utf-8"))


def test_alarms_are_described_as_recorded(cloudwatch):
    expected = {alarm["AlarmName"]: alarm for alarm in recorded_alarms()["metric_alarms"]}
    found = {
        alarm["AlarmName"]: alarm
        for page in cloudwatch.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 1})
        for alarm in page["MetricAlarms"]
    }
    assert found.keys() == expected.keys()
    for name, alarm in expected.items():
        for member, value in alarm.items():
            if member.endswith("Timestamp"):
                value = datetime.fromisoformat(value)
            assert found[name][member] == value, (name, member)
            if member == "Threshold":
                assert isinstance(found[name][member], float)


def test_alarms_are_found_by_name_prefix_and_state(cloudwatch):
    alarms = recorded_alarms()["metric_alarms"]
    name = alarms[0]["AlarmName"]
    by_name = cloudwatch.describe_alarms(AlarmNames=[name, "no-such-alarm"])["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in by_name] == [name]
    by_prefix = cloudwatch.describe_alarms(AlarmNamePrefix=name[:5])["MetricAlarms"]
    assert len(by_prefix) == sum(alarm["AlarmName"].startswith(name[:5]) for alarm in alarms)
    by_state = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert len(by_state) == sum(alarm["StateValue"] == "ALARM" for alarm in alarms)
    assert cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["MetricAlarms"] == []
    for alarm in alarms:
        of_metric = cloudwatch.describe_alarms_for_metric(
            Namespace=alarm["Namespace"], MetricName=alarm["MetricName"], Dimensions=alarm["Dimensions"]
        )["MetricAlarms"]
        assert alarm["AlarmName"] in [found["AlarmName"] for found in of_metric]


def test_alarm_history_is_newest_first(cloudwatch):
    name = recorded_alarms()["metric_alarms"][0]["AlarmName"]
    expected = [
        item
        for item in recorded_alarms()["history"]
        if item["AlarmName"] == name
        and AS_OF - timedelta(days=30) <= datetime.fromisoformat(item["Timestamp"]) <= AS_OF
    ]
    expected.sort(key=lambda item: datetime.fromisoformat(item["Timestamp"]), reverse=True)
    found = cloudwatch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert [item["Timestamp"] for item in found] == [datetime.fromisoformat(i["Timestamp"]) for i in expected]
    assert [item["HistoryData"] for item in found] == [item["HistoryData"] for item in expected]


# ---- logs ----


def test_log_groups_are_described(logs):
    groups = {group["name"]: group for group in SETTINGS.get("log_group", [])}
    found = {
        group["logGroupName"]: group
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    }
    created = {name for name, group in groups.items() if datetime.fromisoformat(group["created"]) <= AS_OF}
    assert found.keys() == created
    for name in created:
        assert found[name]["creationTime"] == milliseconds(groups[name]["created"])
        assert found[name].get("retentionInDays") == groups[name].get("retention_days")
        assert found[name]["logGroupArn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"


def standard_group() -> str:
    groups = [g["name"] for g in SETTINGS.get("log_group", []) if g.get("class", "STANDARD") == "STANDARD"]
    if not groups:
        pytest.skip("the scenario has no logs")
    return groups[0]


def read_events(logs, **arguments) -> list[dict]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=standard_group(), **arguments)
    return [event for page in pages for event in page["events"]]


def test_a_window_of_events_is_read_whole_and_in_order(logs, events):
    group = standard_group()
    mine = [event for event in events if event["group"] == group]
    start, end = mine[-min(len(mine), 3000)]["ms"], mine[-1]["ms"]
    expected = [event for event in mine if start <= event["ms"] <= end]
    found = read_events(logs, startTime=start, endTime=end, PaginationConfig={"PageSize": 500})
    assert [event["timestamp"] for event in found] == [event["ms"] for event in expected]
    assert [event["message"] for event in found] == [event["message"] for event in expected]
    assert [event["logStreamName"] for event in found] == [event["stream"] for event in expected]
    assert len({event["eventId"] for event in found}) == len(found)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("ERROR", lambda m: "ERROR" in m),
        ("error", lambda m: "error" in m),
        ('"Invoke Error"', lambda m: "Invoke Error" in m),
        ("?ERROR ?WARN", lambda m: "ERROR" in m or "WARN" in m),
        ("Error -TypeError", lambda m: "Error" in m and "TypeError" not in m),
        ("RequestId REPORT", lambda m: "RequestId" in m and "REPORT" in m),
        ("NothingMatchesThis", lambda m: False),
    ],
)
def test_patterns_are_matched_exactly(logs, events, pattern, matches):
    expected = [e for e in events if e["group"] == standard_group() and matches(e["message"])]
    found = read_events(logs, filterPattern=pattern)
    assert [event["timestamp"] for event in found] == [event["ms"] for event in expected]


def test_streams_are_told_apart_by_name_and_prefix(logs, events):
    group = standard_group()
    mine = [event for event in events if event["group"] == group]
    stream = mine[-1]["stream"]
    found = read_events(logs, logStreamNames=[stream])
    assert len(found) == sum(event["stream"] == stream for event in mine)
    prefix = stream[:14]
    found = read_events(logs, logStreamNamePrefix=prefix)
    assert len(found) == sum(event["stream"].startswith(prefix) for event in mine)
    streams = [
        described["logStreamName"]
        for page in logs.get_paginator("describe_log_streams").paginate(
            logGroupName=standard_group(), logStreamNamePrefix=prefix
        )
        for described in page["logStreams"]
    ]
    assert streams == sorted({event["stream"] for event in mine if event["stream"].startswith(prefix)})


def test_newest_first_reads_from_the_end(logs, events):
    if AS_OF.year < 2024:
        pytest.skip("backwards reading begins in 2024")
    group = standard_group()
    mine = [event for event in events if event["group"] == group]
    start = max(mine[0]["ms"], milliseconds("2024-01-01T00:00:00Z"))
    found = logs.filter_log_events(logGroupName=standard_group(), startTime=start, startFromHead=False, limit=5)
    assert [event["timestamp"] for event in found["events"]] == [event["ms"] for event in mine[::-1][:5]]


def test_log_errors_are_awss(logs):
    code, message, status = error(lambda: logs.filter_log_events(logGroupName="/no/such/group"))
    assert (code, message, status) == ("ResourceNotFoundException", "The specified log group does not exist.", 400)
    if SETTINGS.get("log_group"):
        group = standard_group()
        code, _, _ = error(lambda: logs.filter_log_events(logGroupName=group, filterPattern="foo.bar"))
        assert code == "InvalidParameterException"
        _, message, _ = error(lambda: logs.filter_log_events(logGroupName=group, filterPattern="{ $.a = 1 }"))
        assert message.startswith("emulator: unsupported")


def run_query(logs, query: str, **arguments) -> tuple[str, list[str]]:
    """Starts a query over the whole recording and looks until it ends; gives its id and every status."""
    start, end = 0, int(AS_OF.timestamp())
    started = logs.start_query(
        logGroupNames=[standard_group()], queryString=query, startTime=start, endTime=end, **arguments
    )
    statuses = []
    while not statuses or statuses[-1] in ("Scheduled", "Running"):
        statuses.append(logs.get_query_results(queryId=started["queryId"])["status"])
    return started["queryId"], statuses


def test_a_query_runs_over_several_looks_and_counts_what_is_there(logs, events):
    mine = [event for event in events if event["group"] == standard_group()]
    errors = [event for event in mine if "ERROR" in event["message"]]
    query, statuses = run_query(logs, "filter @message like /ERROR/ | stats count(*) as lines by bin(1m)")
    assert statuses == ["Scheduled", "Running", "Complete"]
    answer = logs.get_query_results(queryId=query)
    rows = [{field["field"]: field["value"] for field in row} for row in answer["results"]]
    expected = {}
    for event in errors:
        minute = datetime.fromtimestamp(event["ms"] // 60_000 * 60, UTC).strftime("%Y-%m-%d %H:%M:00.000")
        expected[minute] = expected.get(minute, 0) + 1
    assert {row["bin(1m)"]: int(row["lines"]) for row in rows} == expected
    statistics = answer["statistics"]
    assert (statistics["recordsMatched"], statistics["recordsScanned"]) == (len(errors), len(mine))
    assert statistics["bytesScanned"] == sum(len(event["message"].encode()) for event in mine)


def test_rows_of_a_query_are_newest_first_and_limited(logs, events):
    mine = [event for event in events if event["group"] == standard_group()]
    query, _ = run_query(logs, "fields @timestamp, @message", limit=3)
    rows = logs.get_query_results(queryId=query)["results"]
    assert [row[1]["value"] for row in rows] == [event["message"] for event in mine[::-1][:3]]
    assert {field["field"] for field in rows[0]} == {"@timestamp", "@message", "@ptr"}


def test_a_query_can_be_stopped_once(logs):
    window = {"logGroupName": standard_group(), "startTime": 0, "endTime": int(AS_OF.timestamp())}
    query = logs.start_query(queryString="fields @message", **window)["queryId"]
    assert logs.stop_query(queryId=query)["success"] is True
    assert logs.get_query_results(queryId=query)["status"] == "Cancelled"
    code, _, _ = error(lambda: logs.stop_query(queryId=query))
    assert code == "InvalidParameterException"
    code, _, _ = error(lambda: logs.get_query_results(queryId="00000000-0000-0000-0000-000000000000"))
    assert code == "ResourceNotFoundException"


def test_errors_of_queries_are_awss_and_what_is_outside_the_subset_is_refused(logs):
    window = {"startTime": 0, "endTime": int(AS_OF.timestamp())}
    code, _, _ = error(lambda: logs.start_query(logGroupName="/no/such/group", queryString="fields @message", **window))
    assert code == "ResourceNotFoundException"
    group = standard_group()
    code, _, _ = error(lambda: logs.start_query(logGroupName=group, queryString="select *", **window))
    assert code == "MalformedQueryException"
    _, message, _ = error(lambda: logs.start_query(logGroupName=group, queryString="pattern @message", **window))
    assert message.startswith("emulator: unsupported")


# ---- Lambda, SSM, SNS, Bedrock, Service Quotas, STS ----


def recorded_functions() -> list[dict]:
    return json.loads((SCENARIO / "changes.json").read_text(encoding="utf-8"))["functions"]


def existing_versions(function: dict) -> dict[str, dict]:
    def modified(version):
        return datetime.fromisoformat(version["LastModified"].replace("+0000", "+00:00"))

    return {v["Version"]: v for v in function["versions"] if modified(v) <= AS_OF}


def test_versions_are_listed_and_configurations_read(functions):
    for function in recorded_functions():
        expected = existing_versions(function)
        listed = [
            version
            for page in functions.get_paginator("list_versions_by_function").paginate(
                FunctionName=function["name"], PaginationConfig={"PageSize": 2}
            )
            for version in page["Versions"]
        ]
        numbers = sorted((int(v) for v in expected if v != "$LATEST"))
        assert [version["Version"] for version in listed] == ["$LATEST", *map(str, numbers)]
        for version in listed:
            recorded = expected[version["Version"]]
            for member, value in recorded.items():
                assert version[member] == value, member
            one = functions.get_function_configuration(FunctionName=function["name"], Qualifier=version["Version"])
            assert one["CodeSha256"] == recorded["CodeSha256"]
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function['name']}"
        unqualified = functions.get_function_configuration(FunctionName=arn)
        assert (unqualified["Version"], unqualified["FunctionArn"]) == ("$LATEST", arn)


def test_aliases_are_listed_and_lead_to_versions(functions):
    for function in recorded_functions():
        listed = functions.list_aliases(FunctionName=function["name"])["Aliases"]
        assert sorted(a["Name"] for a in listed) == sorted(a["Name"] for a in function["aliases"])
        for recorded in function["aliases"]:
            alias = functions.get_alias(FunctionName=function["name"], Name=recorded["Name"])
            for member, value in recorded.items():
                assert alias[member] == value, member
            through = functions.get_function_configuration(
                FunctionName=function["name"], Qualifier=recorded["Name"]
            )
            assert through["Version"] == recorded["FunctionVersion"]


def test_lambda_errors_are_awss(functions):
    code, message, status = error(lambda: functions.get_function_configuration(FunctionName="no-such"))
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert message == f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:no-such"
    _, message, _ = error(lambda: functions.get_function(FunctionName="no-such"))
    assert message.startswith("emulator: unsupported")


def test_parameters_are_read_and_secrets_only_decrypted_on_request():
    ssm = client("ssm")
    for parameter in SETTINGS.get("parameter", []):
        value = parameter["value"].replace("{slack}", ENDPOINT)
        found = ssm.get_parameter(Name=parameter["name"], WithDecryption=True)["Parameter"]
        assert (found["Value"], found["Type"]) == (value, parameter["type"])
        if parameter["type"] == "SecureString":
            assert ssm.get_parameter(Name=parameter["name"])["Parameter"]["Value"] != value
        versions = ssm.get_parameter_history(Name=parameter["name"], WithDecryption=True)["Parameters"]
        assert [each["Version"] for each in versions] == list(range(1, len(parameter.get("earlier", [])) + 2))
        assert versions[-1]["Value"] == value
    code, _, status = error(lambda: ssm.get_parameter(Name="/no/such"))
    assert (code, status) == ("ParameterNotFound", 400)


def test_sns_keeps_what_is_published_and_checks_it():
    sns = client("sns")
    topics = SETTINGS.get("topic", [{"name": "findings"}])
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topics[0]['name']}"
    message = "ü & <b>\nsecond line = 100%+1"
    attributes = {
        "severity": {"DataType": "String", "StringValue": "high"},
        "weight": {"DataType": "Number", "StringValue": "0.5"},
    }
    answer = sns.publish(TopicArn=topic, Subject="A subject", Message=message, MessageAttributes=attributes)
    with urllib.request.urlopen(f"{ENDPOINT}/emulator/published", timeout=10) as published:
        kept = json.load(published)[-1]
    assert kept["message_id"] == answer["MessageId"]
    assert (kept["topic_arn"], kept["subject"], kept["message"]) == (topic, "A subject", message)
    assert kept["attributes"] == {
        "severity": {"data_type": "String", "value": "high"},
        "weight": {"data_type": "Number", "value": "0.5"},
    }
    for subject in ["x" * 100, "two\nlines", "über"]:
        code, text, status = error(lambda s=subject: sns.publish(TopicArn=topic, Subject=s, Message="m"))
        assert (code, text, status) == ("InvalidParameter", "Invalid parameter: Subject", 400)
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["TopicArn"], attributes["SubscriptionsConfirmed"]) == (topic, "1")
    code, _, status = error(lambda: sns.get_topic_attributes(TopicArn=topic.replace(ACCOUNT, "111122223333")))
    assert (code, status) == ("NotFound", 404)
    code, text, _ = error(lambda: sns.publish(TopicArn=topic, Message="x" * 262_145))
    assert (code, text) == ("InvalidParameter", "Invalid parameter: Message too long")


def test_bedrock_says_which_model_is_gone_and_which_never_was():
    bedrock = client("bedrock-runtime")
    retired = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
    question = [{"role": "user", "content": [{"text": "What broke?"}]}]
    assert SETTINGS["models"][retired.removeprefix("us.")] == "end_of_life"
    code, message, status = error(lambda: bedrock.converse(modelId=retired, messages=question))
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert "end of its life" in message
    code, message, status = error(lambda: bedrock.converse(modelId="us.anthropic.nobody-v1:0", messages=question))
    assert (code, message, status) == ("ValidationException", "The provided model identifier is invalid.", 400)
    unanswerable = [{"role": "assistant", "content": [{"text": "I begin."}]}]
    code, message, status = error(lambda: bedrock.converse(modelId="us.amazon.nova-pro-v1:0", messages=unanswerable))
    assert (code, status) == ("ValidationException", 400)
    assert "user message" in message


def account() -> dict[str, list[dict]]:
    """Gives the account's tables: those that every scenario has, with the scenario's changes."""
    shipped = tomllib.loads((ROOT / "emulator" / "src" / "bedrock" / "account.toml").read_text(encoding="utf-8"))
    tables = {}
    for table, key in (("model", "id"), ("inference_profile", "id"), ("quota", "name")):
        rows = {row[key]: row for row in shipped[table]}
        for row in SETTINGS.get(table, []):
            rows[row[key]] = rows.get(row[key], {}) | row
        tables[table] = list(rows.values())
    tables["ended"] = {
        row["id"]
        for row in tables["model"]
        if "end_of_life" in row
        and datetime.fromisoformat(row["end_of_life"]) <= max(AS_OF, datetime.fromisoformat(shipped["as_of"]))
    }
    return tables


def test_foundation_models_are_listed_and_read():
    bedrock = client("bedrock")
    tables = account()
    listed = bedrock.list_foundation_models()["modelSummaries"]
    expected = [row["id"] for row in tables["model"] if row["id"] not in tables["ended"]]
    assert [model["modelId"] for model in listed] == expected
    by_type = bedrock.list_foundation_models(byProvider="Amazon", byInferenceType="ON_DEMAND")["modelSummaries"]
    assert [model["modelId"] for model in by_type] == [
        row["id"]
        for row in tables["model"]
        if row["id"] in expected and row["provider"] == "Amazon" and "ON_DEMAND" in row["inference_types"]
    ]
    for model in listed:
        assert bedrock.get_foundation_model(modelIdentifier=model["modelId"])["modelDetails"] == model
    legacy = {model["modelId"]: model["modelLifecycle"] for model in listed if model["modelLifecycle"]["status"] == "LEGACY"}
    assert legacy.keys() == {row["id"] for row in tables["model"] if row["id"] in expected and row.get("status") == "LEGACY"}
    ends = {row["id"]: datetime.fromisoformat(row["end_of_life"]) for row in tables["model"] if row["id"] in legacy}
    assert {name: lifecycle["endOfLifeTime"] for name, lifecycle in legacy.items()} == ends


def test_a_model_that_has_ended_is_not_found_and_a_profile_is_no_model():
    bedrock = client("bedrock")
    retired = "anthropic.claude-3-5-sonnet-20241022-v2:0"
    for call in (
        lambda: bedrock.get_foundation_model(modelIdentifier=retired),
        lambda: bedrock.get_foundation_model_availability(modelId=retired),
        lambda: bedrock.get_inference_profile(inferenceProfileIdentifier=f"us.{retired}"),
    ):
        code, _, status = error(call)
        assert (code, status) == ("ResourceNotFoundException", 404)
    code, _, status = error(lambda: bedrock.get_foundation_model(modelIdentifier="us.anthropic.claude-sonnet-4-6"))
    assert (code, status) == ("ValidationException", 400)
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_foundation_model(modelIdentifier=retired)
    _, message, _ = error(lambda: bedrock.list_foundation_models(byOutputModality="TEXT"))
    assert message.startswith("emulator: unsupported")


def test_inference_profiles_are_paged_and_name_their_destinations():
    bedrock = client("bedrock")
    tables = account()
    pages = list(bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 5}))
    assert len(pages) > 1
    listed = {p["inferenceProfileId"]: p for page in pages for p in page["inferenceProfileSummaries"]}
    geography = REGION.split("-")[0]
    expected = {
        row["id"]
        for row in tables["inference_profile"]
        if row["id"].split(".")[0] in (geography, "global") and row["id"].split(".", 1)[1] not in tables["ended"]
    }
    assert listed.keys() == expected
    for row in tables["inference_profile"]:
        if row["id"] not in expected:
            continue
        regions = row.get("destinations", [REGION, ""])
        arns = [f"arn:aws:bedrock:{region}::foundation-model/{row['id'].split('.', 1)[1]}" for region in regions]
        profile = bedrock.get_inference_profile(inferenceProfileIdentifier=row["id"])
        assert [model["modelArn"] for model in profile["models"]] == arns
        assert (profile["status"], profile["type"]) == ("ACTIVE", "SYSTEM_DEFINED")
        by_arn = bedrock.get_inference_profile(inferenceProfileIdentifier=profile["inferenceProfileArn"])
        assert by_arn["inferenceProfileId"] == row["id"]
        del profile["ResponseMetadata"]
        assert profile == listed[row["id"]]
    assert bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []


def test_availability_has_four_gates():
    answer = client("bedrock").get_foundation_model_availability(modelId="anthropic.claude-sonnet-4-6")
    del answer["ResponseMetadata"]
    assert answer == {
        "modelId": "anthropic.claude-sonnet-4-6",
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }


def test_quotas_are_paged_with_their_names_as_they_are_spelt():
    quotas = client("service-quotas")
    pages = list(
        quotas.get_paginator("list_service_quotas").paginate(ServiceCode="bedrock", PaginationConfig={"PageSize": 4})
    )
    assert len(pages) > 1
    listed = [(q["QuotaName"], q["Value"], q["Adjustable"]) for page in pages for q in page["Quotas"]]
    assert listed == [(row["name"], row["value"], row["adjustable"]) for row in account()["quota"]]
    assert {name[:12] for name, _, _ in listed} >= {"Cross-region", "Cross-Region"}
    one = pages[0]["Quotas"][0]
    [found] = quotas.list_service_quotas(ServiceCode="bedrock", QuotaCode=one["QuotaCode"])["Quotas"]
    assert found == one
    with pytest.raises(quotas.exceptions.InvalidPaginationTokenException):
        quotas.list_service_quotas(ServiceCode="bedrock", NextToken="nonsense")
    _, message, _ = error(lambda: quotas.list_service_quotas(ServiceCode="lambda"))
    assert message.startswith("emulator: unsupported")


def test_the_caller_is_a_role_of_the_scenarios_account():
    sts = client("sts")
    answer = sts.get_caller_identity()
    assert answer["Account"] == ACCOUNT
    assert answer["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/sre-agent/sre-agent"
    assert answer["UserId"].endswith(":sre-agent")
    _, message, _ = error(lambda: sts.get_session_token())
    assert message.startswith("emulator: unsupported")


def test_what_no_grant_covers_is_denied_in_each_services_words():
    with running(SCENARIO, {"logs:DescribeLogGroups"}) as emulator:
        clients = {
            name: client(name, emulator.endpoint)
            for name in (
                "cloudwatch", "logs", "lambda", "ssm", "sns", "bedrock-runtime", "bedrock", "service-quotas", "sts",
            )
        }
        assert clients["logs"].describe_log_groups()["logGroups"]
        assert clients["sts"].get_caller_identity()["Account"] == ACCOUNT, "STS tells everybody who he is"
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:findings"
        question = [{"role": "user", "content": [{"text": "What broke?"}]}]
        denied = {
            "cloudwatch:ListMetrics": ("AccessDenied", 403, clients["cloudwatch"].list_metrics),
            "logs:FilterLogEvents": (
                "AccessDeniedException", 400, lambda: clients["logs"].filter_log_events(logGroupName="g"),
            ),
            "logs:StartQuery": (
                "AccessDeniedException", 400,
                lambda: clients["logs"].start_query(logGroupName="g", queryString="q", startTime=0, endTime=1),
            ),
            "logs:GetQueryResults": (
                "AccessDeniedException", 400, lambda: clients["logs"].get_query_results(queryId="q"),
            ),
            "logs:StopQuery": ("AccessDeniedException", 400, lambda: clients["logs"].stop_query(queryId="q")),
            "lambda:ListAliases": (
                "AccessDeniedException", 403, lambda: clients["lambda"].list_aliases(FunctionName="f"),
            ),
            "ssm:GetParameter": ("AccessDeniedException", 400, lambda: clients["ssm"].get_parameter(Name="/p")),
            "SNS:Publish": ("AuthorizationError", 403, lambda: clients["sns"].publish(TopicArn=topic, Message="m")),
            "bedrock:ListFoundationModels": ("AccessDeniedException", 403, clients["bedrock"].list_foundation_models),
            "bedrock:GetInferenceProfile": (
                "AccessDeniedException", 403,
                lambda: clients["bedrock"].get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-pro-v1:0"),
            ),
            "servicequotas:ListServiceQuotas": (
                "AccessDeniedException", 400,
                lambda: clients["service-quotas"].list_service_quotas(ServiceCode="bedrock"),
            ),
            "bedrock:InvokeModel": (
                "AccessDeniedException", 403,
                lambda: clients["bedrock-runtime"].converse(modelId="us.amazon.nova-pro-v1:0", messages=question),
            ),
        }
        for action, (expected, status, call) in denied.items():
            code, message, answered = error(call)
            assert (code, answered) == (expected, status), action
            assert f"is not authorized to perform: {action}" in message


def test_an_unsigned_request_is_turned_away():
    request = urllib.request.Request(
        f"{ENDPOINT}/", data=b"{}", headers={"X-Amz-Target": "AmazonSSM.GetParameter"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=10)
    assert raised.value.code == 403
    assert "MissingAuthenticationToken" in raised.value.read().decode()
