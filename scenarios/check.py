#!/usr/bin/env python3
"""Checks that the scenarios and sample events agree with themselves; prints each fault and ends with 1 if there is one.

    python3 check.py [--regenerate]

Reads the committed files only and shares no code with their makers. `--regenerate` also runs generate.py on a copy
and compares what comes out with what is committed.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

SCENARIOS = Path(__file__).resolve().parent
EVENTS = SCENARIOS.parent / "events"
ACCOUNT = "123456789012"
ALARM_FIELDS = [
    "AlarmName", "AlarmDescription", "AWSAccountId", "AlarmConfigurationUpdatedTimestamp", "NewStateValue",
    "NewStateReason", "StateChangeTime", "Region", "AlarmArn", "OldStateValue", "ActionExecutedAfterMuteWindow",
    "OKActions", "AlarmActions", "InsufficientDataActions", "Trigger",
]
TRIGGER_FIELDS = [
    "MetricName", "Namespace", "StatisticType", "Statistic", "Unit", "Dimensions", "Period", "EvaluationPeriods",
    "DatapointsToAlarm", "ComparisonOperator", "Threshold", "TreatMissingData", "EvaluateLowSampleCountPercentile",
]
VERDICTS = {"cause_shown", "likely_cause", "symptom_only", "cannot_be_shown", "alarm_misfired"}
REASON_POINT = re.compile(r"(-?[\d.]+(?:E-?\d+)?) \((\d\d/\d\d/\d\d \d\d:\d\d:\d\d)\)")
faults = []
checks = Counter()


def expect(holds, fault):
    """Counts a check and keeps its fault."""
    checks["made"] += 1
    if not holds:
        faults.append(fault)


def time_of(text):
    """Reads an RFC 3339 time, or CloudWatch's with `+0000`."""
    return datetime.fromisoformat(re.sub(r"\+0000$", "+00:00", text.replace("Z", "+00:00"))).astimezone(timezone.utc)


def json_file(path):
    return json.loads(path.read_text(encoding="utf-8"))


def json_lines(path):
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            expect(False, f"{path}:{number}: {error}")
    return rows


class Series:
    """One line of metrics.jsonl, unrolled: offset of the period to its statistic set."""

    def __init__(self, row, name):
        self.name = f"{name}: {row['metric']} {row['dimensions']}"
        self.key = (row["namespace"], row["metric"], frozenset(row["dimensions"].items()))
        self.period, self.start = row["period"], time_of(row["start"])
        self.points = self.unroll(row["points"])
        self.percentiles = {label: self.unroll(rows) for label, rows in row["percentiles"].items()}
        for at, (count, total, low, high) in self.points.items():
            expect(count > 0 and low <= high, f"{self.name}: bad statistic set at {at}")
            slack = 0.01 * count + 1e-9
            expect(low * count - slack <= total <= high * count + slack, f"{self.name}: sum beyond its bounds at {at}")
        for label, values in self.percentiles.items():
            expect(values.keys() == self.points.keys(), f"{self.name}: {label} covers other periods")
            for at, (value,) in values.items():
                expect(self.points[at][2] <= value <= self.points[at][3], f"{self.name}: {label} out of bounds at {at}")

    def unroll(self, rows):
        unrolled, last = {}, None
        for offset, repeat, *values in rows:
            expect(repeat >= 1 and (last is None or offset > last), f"{self.name}: rows overlap at {offset}")
            last = offset + repeat - 1
            for step in range(repeat):
                unrolled[self.start + timedelta(seconds=(offset + step) * self.period)] = values
        return unrolled

    def value(self, at, statistic):
        """Returns one statistic at a period's start, None where there is no datapoint."""
        if at not in self.points:
            return None
        count, total, low, high = self.points[at]
        return float({"Sum": total, "Average": total / count, "Minimum": low, "Maximum": high}[statistic])

    def covers(self, start, end):
        """Tells whether every period from `start` up to `end` has a datapoint."""
        steps = (end - start) // timedelta(seconds=self.period)
        return all(start + timedelta(seconds=step * self.period) in self.points for step in range(steps))


class Scenario:
    """A scenario's folder, read."""

    def __init__(self, folder):
        self.folder, self.name = folder, folder.name
        self.about = tomllib.loads((folder / "scenario.toml").read_text(encoding="utf-8"))
        self.truth = tomllib.loads((folder / "truth.toml").read_text(encoding="utf-8"))
        self.message = json_file(folder / "alarm.json")
        self.alarms = json_file(folder / "alarms.json")
        self.changes = json_file(folder / "changes.json")
        self.as_of = time_of(self.about["as_of"])
        self.series = {}
        for row in json_lines(folder / "metrics.jsonl"):
            one = Series(row, self.name)
            expect(one.key not in self.series, f"{one.name}: twice")
            self.series[one.key] = one
        self.logs = [row for path in sorted(folder.glob("logs/*.jsonl")) for row in json_lines(path)]

    def find(self, namespace, metric, **dimensions):
        return self.series[(namespace, metric, frozenset(dimensions.items()))]

    def alarmed(self, alarm):
        """Returns the series that an alarm of alarms.json watches."""
        dimensions = {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}
        return self.find(alarm["Namespace"], alarm["MetricName"], **dimensions)


def check_reason(name, reason, series, statistic, threshold, breaching):
    """Compares every number of a reason with the series, as far back as the series goes."""
    listed = REASON_POINT.findall(reason)
    expect(listed, f"{name}: no datapoint in {reason!r}")
    expect(f"threshold ({threshold!r})" in reason, f"{name}: another threshold in the reason")
    expect(reason.startswith(f"Threshold Crossed: {len(listed)} out of the last "), f"{name}: wrong count in the reason")
    times = [datetime.strptime(at, "%d/%m/%y %H:%M:%S").replace(tzinfo=timezone.utc) for _, at in listed]
    expect(times == sorted(times, reverse=True), f"{name}: datapoints are not newest first")
    first, last = min(series.points), max(series.points)
    for (value, _), at in zip(listed, times):
        expect((float(value) > threshold) == breaching, f"{name}: {value} at {at} is on the wrong side")
        if first <= at <= last:
            expect(series.value(at, statistic) == float(value), f"{name}: {value} at {at} is not what the series has")
    return times


def transitions(series, alarm):
    """Runs an M-of-M alarm over its series: (period that decided, new state), from the first decision on."""
    wanted, state, found, recent = alarm["EvaluationPeriods"], None, [], []
    for at in sorted(series.points):
        recent = (recent + [series.value(at, alarm["Statistic"]) > alarm["Threshold"]])[-wanted:]
        if len(recent) == wanted and all(recent) != state:
            state = all(recent)
            found.append((at, "ALARM" if state else "OK"))
    return found


def check_shape(one):
    about = one.about
    expect(about["format"] == 1 and one.truth["format"] == 1, f"{one.name}: format is not 1")
    expect(one.alarms["format"] == 1 and one.changes["format"] == 1, f"{one.name}: format is not 1")
    expect(about["name"] == one.name and about["account"] == ACCOUNT, f"{one.name}: name or account")
    expect(set(one.truth["expected"]["verdicts"]) <= VERDICTS, f"{one.name}: unknown verdict")
    expect({"made", "source", "licence"} <= about["provenance"].keys(), f"{one.name}: provenance")
    expect(any(entry["name"] == "/sre-agent/slack-webhook" for entry in about["parameter"]), f"{one.name}: no webhook")
    groups = {group["name"] for group in about.get("log_group", [])}
    expect({event["group"] for event in one.logs} <= groups, f"{one.name}: log events of an unknown group")
    horizon = one.as_of - timedelta(seconds=about["lag"]["metrics_seconds"])
    for series in one.series.values():
        end = max(series.points) + timedelta(seconds=series.period)
        expect(end <= horizon, f"{series.name}: its last period ends {end}, not visible at {horizon}")


def check_alarm(one):
    """Checks alarm.json against the captured shape, alarms.json and the series."""
    message, name = one.message, one.name
    expect(list(message) == ALARM_FIELDS, f"{name}/alarm.json: fields or their order")
    expect(list(message["Trigger"]) == TRIGGER_FIELDS, f"{name}/alarm.json: Trigger's fields or their order")
    for field in ("StateChangeTime", "AlarmConfigurationUpdatedTimestamp"):
        expect(re.fullmatch(r"[-\d]{10}T[:\d]{8}\.\d{3}\+0000", message[field]), f"{name}/alarm.json: {field}")
    region = one.about["region"]
    arn = f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{message['AlarmName']}"
    expect(message["AlarmArn"] == arn and message["AWSAccountId"] == ACCOUNT, f"{name}/alarm.json: ARN")
    matching = [alarm for alarm in one.alarms["metric_alarms"] if alarm["AlarmName"] == message["AlarmName"]]
    expect(len(matching) == 1, f"{name}/alarms.json: the alarm is there {len(matching)} times")
    alarm, trigger = matching[0], message["Trigger"]
    same = [
        (alarm["StateValue"], message["NewStateValue"]), (alarm["StateReason"], message["NewStateReason"]),
        (time_of(alarm["StateUpdatedTimestamp"]), time_of(message["StateChangeTime"])),
        (alarm["Statistic"].upper(), trigger["Statistic"]),
        ([(entry["Name"], entry["Value"]) for entry in alarm["Dimensions"]],
         [(entry["name"], entry["value"]) for entry in trigger["Dimensions"]]),
    ] + [(alarm[field], trigger[field]) for field in TRIGGER_FIELDS if field in alarm and field[0] in "MNPETC"
         and field not in ("Statistic", "Dimensions")]
    for left, right in same:
        expect(left == right, f"{name}: alarms.json says {left!r}, alarm.json {right!r}")
    series, changed = one.alarmed(alarm), time_of(message["StateChangeTime"])
    expect(changed <= one.as_of, f"{name}: the alarm changes after as_of")
    times = check_reason(
        name, message["NewStateReason"], series, alarm["Statistic"], alarm["Threshold"], True
    )
    expect(len(times) == alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"], f"{name}: not M of M in the reason")
    expect(times[0] == max(series.points), f"{name}: the reason does not end with the last datapoint")
    expect(times[0] + timedelta(seconds=series.period) <= changed, f"{name}: the alarm changes before its data is there")
    data = json.loads(alarm["StateReasonData"])
    for point in data["evaluatedDatapoints"]:
        at = time_of(point["timestamp"])
        expect(series.value(at, alarm["Statistic"]) == point["value"], f"{name}: StateReasonData at {at}")
        expect(series.points[at][0] == point["sampleCount"], f"{name}: StateReasonData's sample count at {at}")
    check_history(one, alarm, series)


def check_history(one, alarm, series):
    """Compares the recorded changes of state with what the alarm does on the series."""
    history = one.alarms["history"]
    stamps = [time_of(item["Timestamp"]) for item in history]
    expect(stamps == sorted(stamps, reverse=True), f"{one.name}: history is not newest first")
    recorded = []
    for item in history:
        data = json.loads(item["HistoryData"])
        if item["AlarmName"] != alarm["AlarmName"]:
            continue
        if item["HistoryItemType"] == "StateUpdate":
            state, reason = data["newState"]["stateValue"], data["newState"]["stateReason"]
            decided = check_reason(
                f"{one.name} history", reason, series, alarm["Statistic"], alarm["Threshold"], state == "ALARM"
            )[0]
            recorded.append((decided, state))
        elif item["HistoryItemType"] == "Action":
            published = json.loads(json.loads(data["publishedMessage"])["default"])
            expect(list(published) == ALARM_FIELDS, f"{one.name}: published message's fields")
            if published["StateChangeTime"] == one.message["StateChangeTime"]:
                expect(published == one.message, f"{one.name}: the published message is not alarm.json")
    first = min(series.points)
    simulated = transitions(series, alarm)
    # An alarm older than its series was decided OK before the first datapoint that is kept.
    expected = [change for change in simulated if change != simulated[0] or change in recorded]
    expect(
        sorted(change for change in recorded if change[0] >= first) == expected,
        f"{one.name}: history has {recorded}, the series gives {expected}",
    )


def check_lambda(one):
    """Checks that counts, versions, logs and configuration of lambda-bad-deploy tell one story."""
    function, group = "invoice-render", "/aws/lambda/invoice-render"
    alias = {"FunctionName": function, "Resource": f"{function}:live"}
    invocations = one.find("AWS/Lambda", "Invocations", FunctionName=function)
    errors = one.find("AWS/Lambda", "Errors", FunctionName=function)
    end = max(errors.points) + timedelta(minutes=1)
    for series in (invocations, errors):
        expect(series.covers(end - timedelta(days=14), end), f"{series.name}: not 14 days")
    stretches = [(end - timedelta(hours=4), end)] + [
        (end - timedelta(days=days, minutes=118), end - timedelta(days=days)) for days in (1, 7)
    ]
    names = {"Invocations", "Errors", "Duration"}
    wanted = [("Duration", {"FunctionName": function}), ("Throttles", {"FunctionName": function}),
              ("ConcurrentExecutions", {"FunctionName": function})]
    wanted += [(name, alias) for name in names] + [(name, alias | {"ExecutedVersion": "57"}) for name in names]
    for metric, dimensions in wanted:
        series = one.find("AWS/Lambda", metric, **dimensions)
        for start, stop in stretches:
            expect(series.covers(start, stop), f"{series.name}: gap from {start} to {stop}")
    check_sums(one, alias, invocations, errors)

    incident = time_of(one.message["StateChangeTime"]).replace(hour=3, minute=2, second=0, microsecond=0)
    before = [(at, series_point[1]) for at, series_point in errors.points.items() if at < incident]
    expect(max(count for _, count in before) == one.truth["facts"]["worst_minute_before"] == 2, "worst minute before")
    expect(1 <= sum(count == 2 for _, count in before) <= 2, "minutes with two errors")
    expect(sum(count > 0 for _, count in before) <= 12, "errors are too common before")
    minutes = [incident + timedelta(minutes=step) for step in range(3)]
    facts = one.truth["facts"]
    expect([errors.value(at, "Sum") for at in minutes] == facts["errors_per_minute"], "errors a minute in truth.toml")
    expect([invocations.value(at, "Sum") for at in minutes] == facts["invocations_per_minute"], "invocations in truth.toml")
    for side in ("failing", "healthy"):
        fact = one.truth["discriminating"][side]
        of_version = alias | {"ExecutedVersion": fact["version"]}
        at = one.truth["discriminating"]["at"]
        for metric, key in (("Invocations", "invocations"), ("Errors", "errors")):
            value = one.find("AWS/Lambda", metric, **of_version).value(at, "Sum")
            expect(value == fact[key], f"version {fact['version']}: {metric} is {value}, truth.toml says {fact[key]}")
    check_lambda_logs(one, alias, errors)

    expect(one.about["log_group"][0]["name"] == group, "log group")
    (entry,) = one.changes["functions"]
    versions = {version["Version"]: version for version in entry["versions"]}
    expect(set(versions) == {"56", "57", "58", "$LATEST"}, "versions in changes.json")
    of_itself = {"Version", "LastModified", "FunctionArn", "RevisionId"}
    differing = {key for key in versions["57"] if versions["57"][key] != versions["58"][key]} - of_itself
    expect(differing == {"CodeSha256", "Environment"}, f"57 and 58 differ in {differing}")
    variables = [versions[version]["Environment"]["Variables"] for version in ("57", "58")]
    moved = {key: [each.get(key) for each in variables] for key in variables[0] | variables[1]
             if variables[0].get(key) != variables[1].get(key)}
    expect(moved == {"TAX_SOURCE": ["static", "service"]}, f"variables differ: {moved}")
    sources = {version: settings["Environment"]["Variables"]["TAX_SOURCE"] for version, settings in versions.items()}
    expect(sources == {"56": "static", "57": "static", "58": "service", "$LATEST": "service"}, f"TAX_SOURCE: {sources}")
    expect(versions["$LATEST"]["CodeSha256"] == versions["58"]["CodeSha256"], "$LATEST is not what 58 was made of")
    expect(time_of(versions["58"]["LastModified"]) == one.truth["cause"]["published"], "publication of 58")
    (live,) = entry["aliases"]
    expect(live["FunctionVersion"] == "57" and live["RoutingConfig"]["AdditionalVersionWeights"] == {"58": 0.5}, "alias")
    expect("hunter2-Ultra-9" in variables[0]["DATABASE_URL"] and "hunter2-Ultra-9" in variables[1]["DATABASE_URL"],
           "the password is in the configuration of 57 and 58")


def check_sums(one, alias, invocations, errors):
    """Versions add up to the alias, and the alias is all of the function."""
    for metric, whole in (("Invocations", invocations), ("Errors", errors)):
        by_alias = one.find("AWS/Lambda", metric, **alias)
        versions = [one.find("AWS/Lambda", metric, **alias, ExecutedVersion=version) for version in ("57", "58")]
        for at in by_alias.points:
            parts = sum(series.value(at, "Sum") or 0 for series in versions)
            expect(parts == by_alias.value(at, "Sum") == whole.value(at, "Sum"), f"{metric} do not add up at {at}")
    durations = one.find("AWS/Lambda", "Duration", FunctionName=alias["FunctionName"])
    for at, point in durations.points.items():
        expect(point[0] == invocations.points[at][0], f"Duration counts other invocations at {at}")


def check_lambda_logs(one, alias, errors):
    """Counts in the logs equal the metrics; planted lines are where they are said to be."""
    messages = [event["message"] for event in one.logs]
    times = [time_of(event["time"]) for event in one.logs]
    size = sum(path.stat().st_size for path in one.folder.glob("logs/*.jsonl"))
    expect(15_000 <= len(messages) <= 30_000 and size < 6_000_000, f"logs: {len(messages)} lines, {size} bytes")
    expect(times == sorted(times) and times[-1] <= one.as_of, "logs are not in order, or later than as_of")
    oldest = one.as_of - timedelta(days=one.about["log_group"][0]["retention_days"])
    expect(times[0] > oldest, "log events older than the retention")
    whole, started, ended, failed, first_failure = min(errors.points), Counter(), Counter(), Counter(), None
    minute_of, version_of = {}, {}
    for at, event in zip(times, one.logs):
        start = re.match(r"START RequestId: (\S+) Version: (\S+)\n", event["message"])
        if start:
            minute_of[start[1]], version_of[start[1]] = at.replace(second=0, microsecond=0), start[2]
            started[(minute_of[start[1]], start[2])] += 1
            expect(f"[{start[2]}]" in event["stream"], f"stream and version differ: {event}")
        if "\tInvoke Error \t" in event["message"]:
            request = event["message"].split("\t")[1]
            failed[minute_of[request]] += 1
            if version_of[request] == "58":
                first_failure = first_failure or at
                expect("taxRate" in event["message"], f"another error of 58: {event}")
            else:
                expect("taxRate" not in event["message"], f"57 fails as 58 does: {event}")
        if event["message"].startswith("REPORT"):
            ended[event["message"].split()[2]] += 1
    expect(first_failure == one.truth["expected"]["onset"], f"first failure of 58 at {first_failure}")
    first_58 = next(at for at, event in zip(times, one.logs) if "[58]" in event["stream"])
    expect(first_58 == one.truth["cause"]["first_seen_serving"], f"58 is first seen at {first_58}")
    for at in errors.points:
        expect(failed[at] == errors.value(at, "Sum"), f"{failed[at]} failures logged at {at}, the metric has others")
    dense = max(errors.points) - timedelta(minutes=36)
    for version in ("57", "58"):
        series = one.find("AWS/Lambda", "Invocations", **alias, ExecutedVersion=version)
        for at in series.points:
            if at >= dense:
                expect(started[(at, version)] == series.value(at, "Sum"), f"{version}: STARTs at {at}")
    expect(set(ended) <= set(minute_of) and max(ended.values()) == 1, "REPORT without its START, or twice")
    expect(whole <= times[0], "log events before the metrics begin")

    incident = one.truth["expected"]["onset"]
    for secret in one.truth["secrets"]["values"]:
        holders = [at for at, message in zip(times, messages) if secret in message]
        expect(holders and min(holders) > incident - timedelta(seconds=1), f"secret is not planted: {secret[:6]}…")
    hostile = [at for at, message in zip(times, messages) if f'INFO\ttitle="{one.truth["hostile"]["text"]}"' in message]
    expect(hostile and min(hostile) > incident, "the hostile title is not in the incident")
    for text, rises in (("WARN\tretrying upstream", None), ("WARN\tslow font cache", incident - timedelta(minutes=31))):
        holders = [at for at, message in zip(times, messages) if text in message]
        expect(min(holders) < incident < max(holders), f"{text!r} is not on both sides of the onset")
        if rises:
            half_hour = timedelta(minutes=30)
            earlier = sum(rises - half_hour <= at < rises for at in holders)
            later = sum(rises <= at < rises + half_hour for at in holders)
            expect(later > 2 * earlier, f"{text!r}: {earlier}, then {later} in half an hour")


def check_rds(one):
    """Checks what makes rds-cpu honest: one real series, and nothing else."""
    (series,) = one.series.values()
    expect(series.covers(min(series.points), max(series.points)), "rds-cpu: gaps in the series")
    expect(one.as_of - min(series.points) > timedelta(days=8), "rds-cpu: less than a week before")
    expect(one.as_of - max(series.points) < timedelta(minutes=10), "rds-cpu: the series ends early")
    expect(not one.logs and "log_group" not in one.about and not one.changes["functions"], "rds-cpu: more than the data")
    expect("Permission is hereby granted" in (one.folder / "LICENSE-NAB.txt").read_text(encoding="utf-8"), "NAB licence")
    onset = one.truth["expected"]["onset"]
    expect(series.value(onset, "Average") > one.truth["facts"]["threshold"], "rds-cpu: onset is not above the threshold")
    expect(max(series.value(onset - timedelta(minutes=5 * step), "Average") for step in range(1, 25)) < 20, "rds-cpu: before")


def check_events(lambda_scenario, rds_scenario):
    """Checks that the events wrap the scenarios' alarms."""
    def wrapped(name):
        event = json_file(EVENTS / name)
        (record,) = event["Records"]
        sns = record["Sns"]
        expect(record["EventSource"] == "aws:sns" and sns["Type"] == "Notification", f"{name}: envelope")
        expect({"SigningCertUrl", "UnsubscribeUrl", "MessageAttributes"} <= sns.keys(), f"{name}: Lambda's spelling")
        return sns

    for name, one in (("sns-metric-alarm.json", lambda_scenario), ("sns-rds-cpu.json", rds_scenario)):
        sns = wrapped(name)
        expect(sns["Message"] == json.dumps(one.message, separators=(",", ":")), f"{name}: not alarm.json")
        expect(sns["Subject"] == f'ALARM: "{one.message["AlarmName"]}" in US East (N. Virginia)', f"{name}: subject")
        expect(time_of(sns["Timestamp"]) <= one.as_of, f"{name}: sent after as_of")
    recovered, alarm = json.loads(wrapped("sns-metric-alarm-ok.json")["Message"]), lambda_scenario.message
    expect(list(recovered) == ALARM_FIELDS, "sns-metric-alarm-ok.json: fields")
    expect((recovered["OldStateValue"], recovered["NewStateValue"]) == ("ALARM", "OK"), "sns-metric-alarm-ok.json: states")
    expect(recovered["Trigger"] == alarm["Trigger"] and recovered["AlarmArn"] == alarm["AlarmArn"], "another alarm")
    expect(time_of(recovered["StateChangeTime"]) > lambda_scenario.as_of, "sns-metric-alarm-ok.json: not later")
    series = lambda_scenario.find("AWS/Lambda", "Errors", FunctionName="invoice-render")
    check_reason("sns-metric-alarm-ok.json", recovered["NewStateReason"], series, "Sum", 20.0, False)
    expect(json_file(EVENTS / "bare-alarm.json") == alarm, "bare-alarm.json is not alarm.json")
    expect(json_file(EVENTS / "manual.json") == {"alarmName": alarm["AlarmName"]}, "manual.json")
    expect(not wrapped("sns-not-an-alarm.json")["Message"].startswith("{"), "sns-not-an-alarm.json is an alarm")


def check_accounts():
    """Finds every number that could be an account id."""
    for folder in (SCENARIOS, EVENTS):
        for path in sorted(folder.rglob("*")):
            if path.suffix not in {".json", ".jsonl", ".toml", ".py", ".txt", ".md"}:
                continue
            found = set(re.findall(r"(?<!\d)\d{12}(?!\d)", path.read_text(encoding="utf-8")))
            # NAB's values are decimals as binary numbers print them; twelve digits may follow the point.
            if path.name in {"metrics.jsonl", "alarm.json", "alarms.json", "sns-rds-cpu.json"}:
                text = re.sub(r"\d+\.\d+", "", path.read_text(encoding="utf-8"))
                found = set(re.findall(r"(?<!\d)\d{12}(?!\d)", text))
            expect(found <= {ACCOUNT}, f"{path}: {sorted(found - {ACCOUNT})[:3]}")


def check_regenerated():
    """Runs generate.py on a copy and compares."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "scenarios"
        shutil.copytree(SCENARIOS, copy, ignore=shutil.ignore_patterns("__pycache__", "*.json", "*.jsonl"))
        subprocess.run(
            [sys.executable, "-B", copy / "lambda-bad-deploy" / "generate.py"], check=True, stdout=subprocess.DEVNULL
        )
        made = [path for path in copy.rglob("*.json*")] + list((Path(folder) / "events").glob("*.json"))
        expect(len(made) >= 10, f"only {len(made)} files were made")
        for path in made:
            committed = SCENARIOS.parent / path.relative_to(folder)
            expect(committed.read_bytes() == path.read_bytes(), f"{committed} is not what generate.py makes")


def main():
    lambda_scenario = Scenario(SCENARIOS / "lambda-bad-deploy")
    rds_scenario = Scenario(SCENARIOS / "rds-cpu")
    for one in (lambda_scenario, rds_scenario):
        check_shape(one)
        check_alarm(one)
    check_lambda(lambda_scenario)
    check_rds(rds_scenario)
    check_events(lambda_scenario, rds_scenario)
    check_accounts()
    if "--regenerate" in sys.argv[1:]:
        check_regenerated()
    for fault in faults[:40]:
        print(fault)
    print(f"{checks['made']} checks, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
