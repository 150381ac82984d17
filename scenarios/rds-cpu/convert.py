#!/usr/bin/env python3
"""Makes this scenario from a real CloudWatch series of the Numenta Anomaly Benchmark.

    python3 convert.py <folder of NAB>      (the folder that holds data/, labels/ and LICENSE.txt)

The folder is needed to regenerate only: the result is committed. Values and times are those of the file; the alarm
over them is made here, with a threshold of 20 %, and its history is what that alarm would have done on these values.
"""

import csv
import json
import shutil
import sys
import tomllib
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import payloads  # noqa: E402

SERIES = "realAWSCloudwatch/rds_cpu_utilization_e47b3b.csv"
ALARM = "rds-cpu-high"
DATABASE = "db-e47b3b"
PERIOD = 300
PERIODS_TO_ALARM = 3
THRESHOLD = 20.0
# The alarm reads a datapoint this long after its period is over.
EVALUATION_DELAY = timedelta(seconds=72, milliseconds=418)


def read_series(folder, as_of):
    """Reads the file's rows whose five minutes are over at `as_of`."""
    with (folder / "data" / SERIES).open(encoding="utf-8", newline="") as text:
        rows = [
            (datetime.fromisoformat(row["timestamp"]).replace(tzinfo=timezone.utc), float(row["value"]))
            for row in csv.DictReader(text)
        ]
    for (earlier, _), (later, _) in zip(rows, rows[1:]):
        if later - earlier != timedelta(seconds=PERIOD):
            sys.exit(f"{SERIES}: gap after {earlier}")
    return [row for row in rows if row[0] + timedelta(seconds=PERIOD) <= as_of]


def check_label(folder, onset):
    """Refuses an onset that lies outside the labelled windows."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))[SERIES]
    parsed = [[datetime.fromisoformat(edge).replace(tzinfo=timezone.utc) for edge in window] for window in windows]
    if not any(start <= onset <= end for start, end in parsed):
        sys.exit(f"{SERIES}: {onset} is in no labelled window")


def transitions(rows):
    """Runs the alarm over the series: (time of change, old state, new state, datapoints newest first)."""
    state, changes = "INSUFFICIENT_DATA", []
    for index in range(PERIODS_TO_ALARM - 1, len(rows)):
        recent = rows[index - PERIODS_TO_ALARM + 1 : index + 1]
        breaching = [row for row in recent if row[1] > THRESHOLD]
        if len(breaching) == PERIODS_TO_ALARM:
            new_state, datapoints = "ALARM", breaching
        else:
            new_state, datapoints = "OK", [row for row in recent if row[1] <= THRESHOLD]
        if new_state != state:
            changed = rows[index][0] + timedelta(seconds=PERIOD) + EVALUATION_DELAY
            changes.append((changed, state, new_state, datapoints[::-1]))
            state = new_state
    return changes


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    scenario = tomllib.loads((HERE / "scenario.toml").read_text(encoding="utf-8"))
    as_of = payloads.parse_time(scenario["as_of"])
    rows = read_series(folder, as_of)
    changes = transitions(rows)
    changed, old_state, new_state, datapoints = changes[-1]
    if new_state != "ALARM" or changed > as_of:
        sys.exit(f"the alarm is not in ALARM at {as_of}: last change {changed} to {new_state}")
    check_label(folder, datapoints[-1][0])

    def words(change):
        _, _, state, points = change
        return payloads.reason(points, THRESHOLD, state == "ALARM", PERIODS_TO_ALARM)

    def data(change):
        return payloads.reason_data(change[0], PERIOD, "Average", THRESHOLD, change[3], [1] * len(change[3]))

    alarm = {
        "AlarmName": ALARM,
        "AlarmArn": payloads.alarm_arn(ALARM),
        "AlarmDescription": f"CPU of {DATABASE} above {THRESHOLD:g} % for 15 minutes",
        "AlarmConfigurationUpdatedTimestamp": "2014-04-09T23:58:11.207Z",
        "ActionsEnabled": True,
        "OKActions": [payloads.TOPIC],
        "AlarmActions": [payloads.TOPIC],
        "InsufficientDataActions": [],
        "StateValue": new_state,
        "StateReason": words(changes[-1]),
        "StateReasonData": data(changes[-1]),
        "StateUpdatedTimestamp": payloads.zulu(changed),
        "StateTransitionedTimestamp": payloads.zulu(changed),
        "MetricName": "CPUUtilization",
        "Namespace": "AWS/RDS",
        "Statistic": "Average",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": DATABASE}],
        "Period": PERIOD,
        "EvaluationPeriods": PERIODS_TO_ALARM,
        "DatapointsToAlarm": PERIODS_TO_ALARM,
        "Threshold": THRESHOLD,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
    }
    message = payloads.sns_alarm(alarm, new_state, old_state, alarm["StateReason"], changed)
    history = []
    for change in changes:
        at, before, after, _ = change
        history.append(payloads.history_state_update(ALARM, at, before, after, words(change), data(change)))
        if before != "INSUFFICIENT_DATA":
            sent = payloads.sns_alarm(alarm, after, before, words(change), at)
            history.append(payloads.history_action(ALARM, at + timedelta(milliseconds=63), sent))
    history.reverse()

    # One sample a period: the file holds averages only, so a minimum or maximum asked of it is that average too.
    points = [[index, 1, 1, value, value, value] for index, (_, value) in enumerate(rows)]
    series = {
        "namespace": "AWS/RDS",
        "metric": "CPUUtilization",
        "dimensions": {"DBInstanceIdentifier": DATABASE},
        "unit": "Percent",
        "period": PERIOD,
        "start": rows[0][0].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "points": points,
        "percentiles": {},
    }
    payloads.write_json(HERE / "alarm.json", message)
    payloads.write_json(HERE / "alarms.json", {"format": 1, "metric_alarms": [alarm], "history": history})
    payloads.write_jsonl(HERE / "metrics.jsonl", [series])
    payloads.write_json(HERE / "changes.json", {"format": 1, "functions": []})
    shutil.copyfile(folder / "LICENSE.txt", HERE / "LICENSE-NAB.txt")
    (HERE / "LICENSE-NAB.txt").chmod(0o644)
    events = HERE.parent.parent / "events"
    payloads.write_json(
        events / "sns-rds-cpu.json", payloads.sns_alarm_event(message, "1f9d2c84-7a35-5be0-8d41-70c2e6a9f3b8")
    )
    print(f"{len(rows)} datapoints; {new_state} at {payloads.zulu(changed)}; {len(changes)} changes of state")


if __name__ == "__main__":
    main()
