"""Builds the payloads that CloudWatch and SNS send, for the scenario makers beside it.

Field sets, order and case are those of messages captured from AWS; a scenario gives only its own values.
"""

import json
from datetime import datetime, timedelta, timezone

ACCOUNT = "123456789012"
REGION = "us-east-1"
REGION_NAME = "US East (N. Virginia)"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:cloudwatch-alarms"
OPERATOR_WORDS = {"GreaterThanThreshold": "greater than"}


def parse_time(text):
    """Reads an RFC 3339 time in UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def zulu(at):
    """Writes a time as RFC 3339 with milliseconds, as the scenario files have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def offset_time(at):
    """Writes a time as CloudWatch does inside its messages: `+0000`, without a colon."""
    return zulu(at)[:-1] + "+0000"


def reason(datapoints, threshold, breaching, out_of):
    """Writes CloudWatch's reason for a change of state; `datapoints` are (time, value), newest first."""
    listed = ", ".join(f"{value!r} ({at:%d/%m/%y %H:%M:%S})" for at, value in datapoints)
    verb = "was" if len(datapoints) == 1 else "were"
    negation = "" if breaching else "not "
    # One datapoint back inside is enough for OK where every one of the last `out_of` had to breach.
    minimum, transition = (out_of, "OK -> ALARM") if breaching else (1, "ALARM -> OK")
    plural = "" if minimum == 1 else "s"
    return (
        f"Threshold Crossed: {len(datapoints)} out of the last {out_of} datapoints [{listed}] {verb} {negation}"
        f"greater than the threshold ({threshold!r}) (minimum {minimum} datapoint{plural} for {transition} transition)."
    )


def reason_data(changed, period, statistic, threshold, datapoints, sample_counts):
    """Writes the machine-readable reason, a string that holds JSON."""
    evaluated = [
        {"timestamp": offset_time(at), "sampleCount": float(count), "value": value}
        for (at, value), count in zip(datapoints, sample_counts)
    ]
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": offset_time(changed),
            "startDate": offset_time(datapoints[-1][0]),
            "statistic": statistic,
            "period": period,
            "recentDatapoints": [value for _, value in reversed(datapoints)],
            "threshold": threshold,
            "evaluatedDatapoints": evaluated,
        },
        separators=(",", ":"),
    )


def alarm_arn(name):
    """Returns the ARN of an alarm in the scenarios' account."""
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def sns_alarm(alarm, new_state, old_state, state_reason, changed):
    """Builds the SNS text of a metric alarm's transition from its DescribeAlarms form."""
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm["AlarmDescription"],
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": offset_time(parse_time(alarm["AlarmConfigurationUpdatedTimestamp"])),
        "NewStateValue": new_state,
        "NewStateReason": state_reason,
        "StateChangeTime": offset_time(changed),
        "Region": REGION_NAME,
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": old_state,
        "ActionExecutedAfterMuteWindow": False,
        "OKActions": alarm["OKActions"],
        "AlarmActions": alarm["AlarmActions"],
        "InsufficientDataActions": alarm["InsufficientDataActions"],
        "Trigger": {
            "MetricName": alarm["MetricName"],
            "Namespace": alarm["Namespace"],
            "StatisticType": "Statistic",
            "Statistic": alarm["Statistic"].upper(),
            "Unit": None,
            "Dimensions": [{"value": entry["Value"], "name": entry["Name"]} for entry in alarm["Dimensions"]],
            "Period": alarm["Period"],
            "EvaluationPeriods": alarm["EvaluationPeriods"],
            "DatapointsToAlarm": alarm["DatapointsToAlarm"],
            "ComparisonOperator": alarm["ComparisonOperator"],
            "Threshold": alarm["Threshold"],
            "TreatMissingData": alarm["TreatMissingData"],
            "EvaluateLowSampleCountPercentile": "",
        },
    }


def state_change(alarm, old_state, changed):
    """Builds what EventBridge and a direct action tell of a transition: no threshold, and keys in lower case."""
    if "AlarmRule" in alarm:
        configuration = {"alarmRule": alarm["AlarmRule"]}
    else:
        metric = {
            "namespace": alarm["Namespace"],
            "name": alarm["MetricName"],
            "dimensions": {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]},
        }
        stat = {"metric": metric, "period": alarm["Period"], "stat": alarm["Statistic"]}
        configuration = {
            "metrics": [{"id": "c0de7a31-5b9e-4f26-8d1c-9a0b3e6f7d24", "metricStat": stat, "returnData": True}]
        }
    return {
        "alarmName": alarm["AlarmName"],
        "state": {
            "value": alarm["StateValue"],
            "reason": alarm["StateReason"],
            "reasonData": alarm["StateReasonData"],
            "timestamp": offset_time(changed),
        },
        "previousState": {"value": old_state, "timestamp": offset_time(changed - timedelta(hours=9))},
        "configuration": {"description": alarm["AlarmDescription"], **configuration},
    }


def event_bridge(alarm, old_state, changed, event_id):
    """Wraps a transition as EventBridge hands it to a target."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [alarm["AlarmArn"]],
        "detail": state_change(alarm, old_state, changed),
    }


def direct_action(alarm, old_state, changed):
    """Wraps a transition as an alarm hands it to the Lambda function that is its action."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm["AlarmArn"],
        "accountId": ACCOUNT,
        "time": offset_time(changed),
        "region": REGION,
        "alarmData": state_change(alarm, old_state, changed),
    }


def sqs_event(bodies, queue):
    """Wraps texts as a batch that a queue hands to Lambda; the ids are counted."""
    return {
        "Records": [
            {
                "messageId": f"4f1c2b7e-90ad-4d58-b6c3-9a0e4b{number:06x}",
                "receiptHandle": "EXAMPLE",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


def sns_composite(alarm, old_state, changed, children):
    """Builds the SNS text of a composite's transition."""
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm["AlarmDescription"],
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": offset_time(changed),
        "Region": REGION_NAME,
        "AlarmArn": alarm["AlarmArn"],
        "OKActions": alarm["OKActions"],
        "AlarmActions": alarm["AlarmActions"],
        "InsufficientDataActions": alarm["InsufficientDataActions"],
        "ActionExecutedAfterMuteWindow": False,
        "OldStateValue": old_state,
        "AlarmRule": alarm["AlarmRule"],
        "TriggeringChildren": [
            {"Arn": child["AlarmArn"], "State": {"Value": "ALARM", "Timestamp": offset_time(parse_time(child["StateUpdatedTimestamp"]))}}
            for child in children
        ],
    }


def sns_event(message, subject, at, message_id):
    """Wraps a text in the envelope in which SNS wakes a Lambda function."""
    subscription = f"{TOPIC}:5d0c1f6e-3b52-4f0a-9f1e-2a7c64d8be91"
    host = f"https://sns.{REGION}.amazonaws.com"
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": message_id,
                    "TopicArn": TOPIC,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": zulu(at),
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": f"{host}/SimpleNotificationService-EXAMPLE.pem",
                    "UnsubscribeUrl": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription}",
                    "MessageAttributes": {},
                },
            }
        ]
    }


def sns_alarm_event(message, message_id):
    """Wraps an alarm's message as CloudWatch publishes it: compact JSON, a subject with state and Region."""
    changed = datetime.strptime(message["StateChangeTime"], "%Y-%m-%dT%H:%M:%S.%f%z")
    subject = f'{message["NewStateValue"]}: "{message["AlarmName"]}" in {REGION_NAME}'
    return sns_event(json.dumps(message, separators=(",", ":")), subject, changed + timedelta(milliseconds=41), message_id)


def history_state_update(name, at, old_state, new_state, state_reason, data):
    """Builds one StateUpdate item of DescribeAlarmHistory."""
    state = {"stateValue": new_state, "stateReason": state_reason}
    if data is not None:
        state["stateReasonData"] = json.loads(data)
    return {
        "AlarmName": name,
        "AlarmType": "MetricAlarm",
        "Timestamp": zulu(at),
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {old_state} to {new_state}",
        "HistoryData": json.dumps(
            {"version": "1.0", "oldState": {"stateValue": old_state}, "newState": state}, separators=(",", ":")
        ),
    }


def history_action(name, at, message):
    """Builds the Action item that records the publication to SNS, with the published text inside."""
    published = json.dumps({"default": json.dumps(message, separators=(",", ":"))}, separators=(",", ":"))
    changed = datetime.strptime(message["StateChangeTime"], "%Y-%m-%dT%H:%M:%S.%f%z")
    return {
        "AlarmName": name,
        "AlarmType": "MetricAlarm",
        "Timestamp": zulu(at),
        "HistoryItemType": "Action",
        "HistorySummary": f"Successfully executed action {TOPIC}",
        "HistoryData": json.dumps(
            {
                "actionState": "Succeeded",
                "stateUpdateTimestamp": round(changed.timestamp() * 1000),
                "notificationResource": TOPIC,
                "publishedMessage": published,
                "error": None,
            },
            separators=(",", ":"),
        ),
    }


def write_json(path, value):
    """Writes a JSON document that people can read."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_jsonl(path, rows):
    """Writes one compact JSON value a line."""
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")
