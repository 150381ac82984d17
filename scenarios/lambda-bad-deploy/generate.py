#!/usr/bin/env python3
"""Makes the scenario lambda-bad-deploy, and the sample events that wake the agent for it.

    python3 generate.py

Seeded: the same files come out every time, and they are committed. Every number in the alarm's reason, every metric
and every log line of a minute come from the same list of invocations (`traffic.py`), so they cannot disagree.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import log_text  # noqa: E402
import payloads  # noqa: E402
import traffic  # noqa: E402

FUNCTION = "invoice-render"
ALIAS = "live"
GROUP = f"/aws/lambda/{FUNCTION}"
ALARM = "invoice-render-errors"
REST_API = "z9y8x7w6v5"
LOAD_BALANCER = "app/shop/50dc6c495c0c9188"
TARGET_GROUP = f"targetgroup/{FUNCTION}/6d0ecf831eec9f09"
THRESHOLD = 20.0
CHANGED = datetime(2026, 11, 24, 3, 5, 22, 704_000, tzinfo=timezone.utc)
COMPOSITE_CHANGED = datetime(2026, 11, 24, 3, 5, 23, 118_000, tzinfo=timezone.utc)
RECOVERED = datetime(2026, 11, 24, 3, 13, 22, 691_000, tzinfo=timezone.utc)
CREATED = datetime(2026, 10, 28, 9, 14, 2, 118_000, tzinfo=timezone.utc)
METRICS_START = traffic.HISTORY_START
# Of invocations that neither warned nor failed nor started cold, one in so many is logged outside the dense stretch.
THINNING = 100
PER_MINUTE_PERCENTILES = ("p50", "p99")


def statistics(values):
    """Returns count, sum, minimum and maximum as a metric stores them."""
    return [len(values), round(sum(values), 2), min(values), max(values)]


def percentile(values, share):
    """Interpolates between the two nearest ranks."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 2)


def run_lengths(rows):
    """Joins equal neighbours: (offset, values) to [offset, repeat, *values]."""
    joined = []
    for offset, values in rows:
        if joined and joined[-1][0] + joined[-1][1] == offset and joined[-1][2:] == values:
            joined[-1][1] += 1
        else:
            joined.append([offset, 1, *values])
    return joined


def series(metric, unit, dimensions, rows, percentiles=None, namespace="AWS/Lambda"):
    """Builds one line of metrics.jsonl."""
    return {
        "namespace": namespace,
        "metric": metric,
        "dimensions": dimensions,
        "unit": unit,
        "period": 60,
        "start": METRICS_START.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "points": run_lengths(rows),
        "percentiles": {name: run_lengths(values) for name, values in (percentiles or {}).items()},
    }


def by_minute(invocations):
    """Groups invocations by the minute in which they started, as offsets from the series' start."""
    minutes = {}
    for invocation in invocations:
        minutes.setdefault((invocation.start - METRICS_START) // timedelta(minutes=1), []).append(invocation)
    return dict(sorted(minutes.items()))


def detailed_series(dimensions, invocations):
    """Builds Invocations, Errors and Duration of one dimension set from single invocations."""
    minutes = by_minute(invocations)
    ones = [(offset, [len(group), len(group), 1, 1]) for offset, group in minutes.items()]
    errors = [(offset, statistics([int(one.failed) for one in group])) for offset, group in minutes.items()]
    durations = [(offset, statistics([one.duration for one in group])) for offset, group in minutes.items()]
    shares = {
        name: [
            (offset, [percentile([one.duration for one in group], int(name[1:]) / 100)])
            for offset, group in minutes.items()
        ]
        for name in PER_MINUTE_PERCENTILES
    }
    return {
        "Invocations": series("Invocations", "Count", dimensions, ones),
        "Errors": series("Errors", "Count", dimensions, errors),
        "Duration": series("Duration", "Milliseconds", dimensions, durations, shares),
    }


def function_series(counts, errors):
    """Builds Invocations and Errors of the function for all days, from counts a minute."""
    invocations = [(offset, [count, count, 1, 1]) for offset, count in counts.items()]
    failures = [
        (offset, [count, errors.get(offset, 0), 0, int(errors.get(offset, 0) > 0)]) for offset, count in counts.items()
    ]
    dimensions = {"FunctionName": FUNCTION}
    return [
        series("Invocations", "Count", dimensions, invocations),
        series("Errors", "Count", dimensions, failures),
    ]


def metrics(story):
    """Builds every series. Minutes that are not over at `as_of` have no datapoint."""
    visible = [one for one in story.invocations if one.start < traffic.LAST_MINUTE_END]
    function = {"FunctionName": FUNCTION}
    lines = function_series(story.counts, story.errors)
    lines.append(detailed_series(function, visible)["Duration"])
    minutes = by_minute(visible)
    lines.append(series("Throttles", "Count", function, [(at, [len(group), 0, 0, 0]) for at, group in minutes.items()]))
    running = [(at, statistics([one.running for one in group])) for at, group in minutes.items()]
    lines.append(series("ConcurrentExecutions", "Count", function, running))
    resource = function | {"Resource": f"{FUNCTION}:{ALIAS}"}
    lines.extend(detailed_series(resource, visible).values())
    for version in ("57", "58"):
        of_version = [one for one in visible if one.version == version]
        lines.extend(detailed_series(resource | {"ExecutedVersion": version}, of_version).values())
    # Some of the requests come through a load balancer; its metrics tell which one stands before the target group.
    balanced = {"LoadBalancer": LOAD_BALANCER, "TargetGroup": TARGET_GROUP}
    requests = [(at, [len(group) // 4, len(group) // 4, 1, 1]) for at, group in minutes.items()]
    lines.append(series("RequestCount", "Count", balanced, requests, namespace="AWS/ApplicationELB"))
    return lines


def logs(story):
    """Builds the log events, oldest first."""
    events = []
    for number, invocation in enumerate(story.invocations + story.old_failures):
        noteworthy = invocation.failed or invocation.warnings or invocation.init
        dense = invocation.start >= traffic.DENSE_START
        if dense or noteworthy or number % THINNING == 0:
            events.extend(log_text.lines(invocation))
    events.sort(key=lambda event: event[0])
    return [
        {"group": GROUP, "stream": stream, "time": payloads.zulu(at), "message": message}
        for at, stream, message in events
        if at <= traffic.AS_OF
    ]


def alarm_states(story):
    """Builds the alarm as DescribeAlarms knows it, its second alarm, and the message that SNS carried."""
    last = (traffic.LAST_MINUTE_END - METRICS_START) // timedelta(minutes=1)
    offsets = [last - 1, last - 2, last - 3]
    datapoints = [(METRICS_START + timedelta(minutes=at), float(story.errors[at])) for at in offsets]
    if any(value <= THRESHOLD for _, value in datapoints):
        sys.exit(f"the alarm would not have gone off: {datapoints}")
    why = payloads.reason(datapoints, THRESHOLD, True, 3)
    why_data = payloads.reason_data(CHANGED, 60, "Sum", THRESHOLD, datapoints, [story.counts[at] for at in offsets])
    common = {
        "ActionsEnabled": True,
        "OKActions": [payloads.TOPIC],
        "AlarmActions": [payloads.TOPIC],
        "InsufficientDataActions": [],
    }
    alarm = {
        "AlarmName": ALARM,
        "AlarmArn": payloads.alarm_arn(ALARM),
        "AlarmDescription": "More than 20 failed renders a minute, three minutes in a row",
        "AlarmConfigurationUpdatedTimestamp": payloads.zulu(CREATED),
        **common,
        "StateValue": "ALARM",
        "StateReason": why,
        "StateReasonData": why_data,
        "StateUpdatedTimestamp": payloads.zulu(CHANGED),
        "StateTransitionedTimestamp": payloads.zulu(CHANGED),
        "MetricName": "Errors",
        "Namespace": "AWS/Lambda",
        "Statistic": "Sum",
        "Dimensions": [{"Name": "FunctionName", "Value": FUNCTION}],
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 3,
        "Threshold": THRESHOLD,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    slow = "invoice-render-slow"
    slow_since = CREATED + timedelta(minutes=6, seconds=11)
    slow_points = [(datetime(2026, 10, 28, 9, 18, tzinfo=timezone.utc), 1388.41)]
    slow_alarm = {
        "AlarmName": slow,
        "AlarmArn": payloads.alarm_arn(slow),
        "AlarmDescription": "Slowest renders above 5 s",
        "AlarmConfigurationUpdatedTimestamp": payloads.zulu(CREATED + timedelta(seconds=48)),
        **common,
        "StateValue": "OK",
        "StateReason": payloads.reason(slow_points, 5000.0, False, 5),
        "StateUpdatedTimestamp": payloads.zulu(slow_since),
        "StateTransitionedTimestamp": payloads.zulu(slow_since),
        "MetricName": "Duration",
        "Namespace": "AWS/Lambda",
        "ExtendedStatistic": "p99",
        "Dimensions": [{"Name": "FunctionName", "Value": FUNCTION}],
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 5,
        "Threshold": 5000.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    health = "invoice-render-health"
    composite = {
        "AlarmName": health,
        "AlarmArn": payloads.alarm_arn(health),
        "AlarmDescription": "Rendering of invoices fails or is slow",
        "AlarmConfigurationUpdatedTimestamp": payloads.zulu(CREATED + timedelta(seconds=95)),
        **common,
        "AlarmRule": f'ALARM("{ALARM}") OR ALARM("{slow}")',
        "StateValue": "ALARM",
        "StateReason": f"{alarm['AlarmArn']} transitioned to ALARM at {CHANGED:%A %d %B, %Y %H:%M:%S} UTC",
        "StateUpdatedTimestamp": payloads.zulu(COMPOSITE_CHANGED),
        "StateTransitionedTimestamp": payloads.zulu(COMPOSITE_CHANGED),
    }
    message = payloads.sns_alarm(alarm, "ALARM", "OK", why, CHANGED)
    first_ok = CREATED + timedelta(minutes=4, seconds=20)
    first_points = [(datetime(2026, 10, 28, 9, 16, tzinfo=timezone.utc), 0.0)]
    history = [
        payloads.history_action(ALARM, CHANGED + timedelta(milliseconds=57), message),
        payloads.history_state_update(ALARM, CHANGED, "OK", "ALARM", why, why_data),
        payloads.history_state_update(
            slow, slow_since, "INSUFFICIENT_DATA", "OK", slow_alarm["StateReason"], None
        ),
        payloads.history_state_update(
            ALARM, first_ok, "INSUFFICIENT_DATA", "OK", payloads.reason(first_points, THRESHOLD, False, 3), None
        ),
    ]
    alarms = {
        "format": 1, "metric_alarms": [alarm, slow_alarm], "composite_alarms": [composite], "history": history,
    }
    return alarms, message


def configuration(version, modified, digest, tax_source, revision):
    """Builds one version's configuration as Lambda's API gives it."""
    arn = f"arn:aws:lambda:{payloads.REGION}:{payloads.ACCOUNT}:function:{FUNCTION}"
    return {
        "FunctionName": FUNCTION,
        "FunctionArn": f"{arn}:{version}",
        "Runtime": "nodejs22.x",
        "Role": f"arn:aws:iam::{payloads.ACCOUNT}:role/{FUNCTION}",
        "Handler": "index.handler",
        "CodeSize": 4183220,
        "Description": "",
        "Timeout": 30,
        "MemorySize": 512,
        "LastModified": modified,
        "CodeSha256": digest,
        "Version": version,
        "Environment": {
            "Variables": {
                "DATABASE_URL": log_text.DATABASE_URL,
                "FONT_CACHE_DIR": "/tmp/fonts",
                "NODE_OPTIONS": "--enable-source-maps",
                "TAX_SOURCE": tax_source,
            }
        },
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": log_text.RUNTIME_ARN},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": GROUP},
    }


def changes():
    """Builds the function's versions and alias."""
    digests = {
        "56": "q0Jm8XWvYb1eU7dTtXn2s5kR4oGhL9cZpVfAa3iEuwM=",
        "57": "Zc1tR8uQw5oYk3mHnB7xJ2vLs9eDfPgA6iUqTzKr4yE=",
        "58": "n7VbE2kXyS0hQmWd5uLrTf8pJzC3oGi1aNvRtYe9xKs=",
    }
    return {
        "format": 1,
        "functions": [
            {
                "name": FUNCTION,
                "versions": [
                    configuration(
                        "$LATEST", "2026-11-24T03:01:04.000+0000", digests["58"], "service",
                        "b6a0d3f2-91c7-4e5a-8d24-6f0e7c3b1a95",
                    ),
                    configuration(
                        "56", "2026-10-21T15:32:47.000+0000", digests["56"], "static",
                        "0e8c4b7d-52f1-4a69-b3d8-94c1e6f7a20b",
                    ),
                    configuration(
                        "57", "2026-11-05T14:20:33.000+0000", digests["57"], "static",
                        "7d25e9a1-c04f-4b38-9e6d-3a8f1b5c72de",
                    ),
                    configuration(
                        "58", "2026-11-24T03:01:10.000+0000", digests["58"], "service",
                        "c93f6e08-4d7b-4c12-a5e9-1b84d0f6372a",
                    ),
                ],
                "aliases": [
                    {
                        "AliasArn": f"arn:aws:lambda:{payloads.REGION}:{payloads.ACCOUNT}:function:{FUNCTION}:{ALIAS}",
                        "Name": ALIAS,
                        "FunctionVersion": "57",
                        "Description": "",
                        "RoutingConfig": {"AdditionalVersionWeights": {"58": 0.5}},
                        "RevisionId": "e41b7a9c-08d3-4f6e-92b5-d7c60f3e8a14",
                    }
                ],
                "policy": {
                    "Version": "2012-10-17",
                    "Id": "default",
                    "Statement": [
                        caller("api", "apigateway", f"execute-api:{payloads.REGION}:{payloads.ACCOUNT}:a1b2c3d4e5/*/GET/invoices/*"),
                        caller(
                            "rest-api",
                            "apigateway",
                            f"execute-api:{payloads.REGION}:{payloads.ACCOUNT}:{REST_API}/*/POST/invoices",
                        ),
                        caller(
                            "load-balancer",
                            "elasticloadbalancing",
                            f"elasticloadbalancing:{payloads.REGION}:{payloads.ACCOUNT}:"
                            f"{TARGET_GROUP}",
                        ),
                    ],
                },
                "event_sources": [
                    {
                        "UUID": "14e0db71-5c3a-4b2d-9f68-0c7a9d21e4b3",
                        "EventSourceArn": f"arn:aws:sqs:{payloads.REGION}:{payloads.ACCOUNT}:invoice-jobs",
                        "FunctionArn": f"arn:aws:lambda:{payloads.REGION}:{payloads.ACCOUNT}:function:{FUNCTION}:{ALIAS}",
                        "BatchSize": 10,
                        "State": "Enabled",
                    }
                ],
            }
        ],
        "rest_apis": [{"id": REST_API, "name": "invoices"}],
    }


def caller(statement, service, arn):
    """Gives a statement of the function's resource policy."""
    return {
        "Sid": statement,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws:lambda:{payloads.REGION}:{payloads.ACCOUNT}:function:{FUNCTION}:{ALIAS}",
        "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:{arn}"}},
    }


def write_events(alarm, composite, message):
    """Writes the sample events."""
    folder = HERE.parent.parent / "events"
    folder.mkdir(exist_ok=True)
    payloads.write_json(
        folder / "sns-metric-alarm.json", payloads.sns_alarm_event(message, "8c1d7e52-0b94-5f3a-a6e7-d25f90c4b31e")
    )
    back = [(RECOVERED.replace(second=0, microsecond=0) - timedelta(minutes=1), 0.0)]
    recovered = payloads.sns_alarm(alarm, "OK", "ALARM", payloads.reason(back, THRESHOLD, False, 3), RECOVERED)
    payloads.write_json(
        folder / "sns-metric-alarm-ok.json",
        payloads.sns_alarm_event(recovered, "b0a94f6d-71c2-5e88-9d3b-4e6c8f12a7d5"),
    )
    payloads.write_json(folder / "bare-alarm.json", message)
    payloads.write_json(folder / "manual.json", {"alarmName": ALARM})
    payloads.write_json(
        folder / "eventbridge-alarm.json",
        payloads.event_bridge(alarm, "OK", CHANGED, "5f0e9d3c-1a72-4b86-9c4d-e8b7a6f51302"),
    )
    payloads.write_json(folder / "direct-alarm.json", payloads.direct_action(alarm, "OK", CHANGED))
    opened = payloads.sns_composite(composite, "OK", COMPOSITE_CHANGED, [alarm])
    payloads.write_json(
        folder / "sns-composite-alarm.json", payloads.sns_alarm_event(opened, "c7e2f9a4-3d18-5b60-a1f4-62d0b8e9735c")
    )
    envelope = payloads.sns_alarm_event(message, "8c1d7e52-0b94-5f3a-a6e7-d25f90c4b31e")["Records"][0]["Sns"]
    bodies = [json.dumps(envelope, separators=(",", ":")), "not an alarm", '{"AlarmName": ']
    payloads.write_json(folder / "sqs-batch.json", payloads.sqs_event(bodies, "cloudwatch-alarms"))
    text = "Maintenance: invoice exports pause from 04:00 to 04:20 UTC. Nothing to do."
    payloads.write_json(
        folder / "sns-not-an-alarm.json",
        payloads.sns_event(text, "Planned maintenance", CHANGED, "3e5f8b20-c6d1-5a47-8f9e-07b2d4a6c19f"),
    )


def main():
    story = traffic.tell()
    alarms, message = alarm_states(story)
    payloads.write_json(HERE / "alarm.json", message)
    payloads.write_json(HERE / "alarms.json", alarms)
    payloads.write_json(HERE / "changes.json", changes())
    payloads.write_jsonl(HERE / "metrics.jsonl", metrics(story))
    (HERE / "logs").mkdir(exist_ok=True)
    events = logs(story)
    payloads.write_jsonl(HERE / "logs" / f"{FUNCTION}.jsonl", events)
    write_events(alarms["metric_alarms"][0], alarms["composite_alarms"][0], message)
    print(f'{len(events)} log events; {message["NewStateReason"]}')


if __name__ == "__main__":
    main()
