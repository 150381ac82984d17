"""The check against AWS's service models can fail: right requests pass, and each with one thing wrong is told by path."""

from __future__ import annotations

import datetime
import json

import cbor2
import pytest

from service_model import offences


def recorded(service: str, action: str, target: str, body: str = "", cbor: bytes | None = None) -> dict:
    """Gives a request in the form in which the emulator lists it, as far as the check reads it."""
    return {
        "service": service,
        "action": action,
        "target": target,
        "body": body,
        "cbor": None if cbor is None else cbor.hex(),
    }


NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
METRIC = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": "f"}]}
METRIC_DATA = {
    "MetricDataQueries": [{"Id": "m1", "MetricStat": {"Metric": METRIC, "Period": 60, "Stat": "Sum"}}],
    "StartTime": NOON,
    "EndTime": NOON,
}
LOG_EVENTS = {"logGroupName": "/aws/lambda/f", "startTime": 1, "endTime": 2, "limit": 100}
TOOL_USE = {"toolUseId": "t1", "name": "search_logs", "input": {"pattern": "ERROR", "limit": 3.5}}
CONVERSE = {
    "messages": [
        {"role": "user", "content": [{"text": "What broke?"}]},
        {"role": "assistant", "content": [{"toolUse": TOOL_USE}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "nothing"}]}}]},
    ],
    "inferenceConfig": {"maxTokens": 4096},
    "toolConfig": {"tools": [{"toolSpec": {"name": "search_logs", "inputSchema": {"json": {"type": "object"}}}}]},
    "requestMetadata": {"agent": "logs"},
}
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"


def metric_data(**changes) -> dict:
    target = "POST /service/GraniteServiceVersion20100801/operation/GetMetricData"
    return recorded("cloudwatch", "GetMetricData", target, cbor=cbor2.dumps(METRIC_DATA | changes))


def log_events(**changes) -> dict:
    return recorded("logs", "FilterLogEvents", "POST /", json.dumps(LOG_EVENTS | changes))


def converse(**changes) -> dict:
    return recorded("bedrock", "Converse", f"POST /model/{MODEL}/converse", json.dumps(CONVERSE | changes))


def content(block: dict) -> dict:
    return converse(messages=[{"role": "user", "content": [block]}])


def publish(more: str = "", version: str = "2010-03-31") -> dict:
    topic = "arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Afindings"
    return recorded("sns", "Publish", "POST /", f"Action=Publish&Version={version}&TopicArn={topic}&Message=m{more}")


def versions(query: str = "?MaxItems=50", path: str = "/2015-03-31/functions/f/versions") -> dict:
    return recorded("lambda", "ListVersionsByFunction", f"GET {path}{query}")


ATTRIBUTE = "&MessageAttributes.entry.1.Name=severity&MessageAttributes.entry.1.Value.DataType=String"


@pytest.mark.parametrize(
    "request_",
    [
        metric_data(),
        log_events(),
        log_events(filterPattern="?ERROR", logStreamNames=["a"], startFromHead=False),
        converse(),
        publish(),
        publish(ATTRIBUTE),
        versions(),
        versions(""),
        recorded("ssm", "GetParameter", "POST /", '{"Name":"/p","WithDecryption":true}'),
        recorded("sts", "GetCallerIdentity", "POST /", "Action=GetCallerIdentity&Version=2011-06-15"),
        recorded("bedrock", "ListFoundationModels", "GET /foundation-models?byInferenceType=ON_DEMAND"),
        recorded("bedrock", "GetFoundationModel", "GET /foundation-models/amazon.nova-pro-v1%3A0"),
        recorded("bedrock", "ListInferenceProfiles", "GET /inference-profiles?type=SYSTEM_DEFINED&maxResults=100"),
        recorded("servicequotas", "ListServiceQuotas", "POST /", '{"ServiceCode":"bedrock","MaxResults":100}'),
    ],
    ids=lambda request: request["action"],
)
def test_a_right_request_passes(request_):
    assert offences(request_) == []


WRONG = {
    "a member of CBOR that nobody knows": (metric_data(Limit=5), "cloudwatch:GetMetricData.Limit: no such member"),
    "a time as text in CBOR": (metric_data(StartTime="2026-11-24T12:00:00Z"), "GetMetricData.StartTime:"),
    "a time as a number in CBOR": (metric_data(StartTime=1), "GetMetricData.StartTime:"),
    "a number as a fraction": (metric_data(MaxDatapoints=5.5), "GetMetricData.MaxDatapoints: 5.5 is no integer"),
    "a value outside the enum": (metric_data(ScanBy="Newest"), "GetMetricData.ScanBy: 'Newest' is none of"),
    "a required member left out": (
        metric_data(MetricDataQueries=[{"MetricStat": {"Metric": METRIC, "Period": 60, "Stat": "Sum"}}]),
        "GetMetricData.MetricDataQueries[0].Id: it is required",
    ),
    "a list with too many": (
        metric_data(MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": METRIC | {"Dimensions": METRIC["Dimensions"] * 31}, "Period": 60, "Stat": "Sum"}}
        ]),
        "Metric.Dimensions: 31 members are more than 30",
    ),
    "a path of another operation": (
        metric_data() | {"target": "POST /service/GraniteServiceVersion20100801/operation/GetMetric"}, "path ",
    ),
    "a range that is passed": (log_events(limit=10_001), "FilterLogEvents.limit: 10001 are more than 10000"),
    "an empty list": (log_events(logStreamNames=[]), "FilterLogEvents.logStreamNames: 0 members are fewer than 1"),
    "a name outside its pattern": (log_events(logGroupName="a b"), "FilterLogEvents.logGroupName: 'a b' does not match"),
    "a text as a number": (log_events(startTime="1"), "FilterLogEvents.startTime: '1' is no long"),
    "a boolean as a number": (log_events(startTime=True), "FilterLogEvents.startTime: True is no long"),
    "a number as a boolean": (log_events(startFromHead=1), "FilterLogEvents.startFromHead: 1 is no boolean"),
    "a null": (log_events(filterPattern=None), "FilterLogEvents.filterPattern: None is no text"),
    "an unknown block": (content({"words": "hello"}), "Converse.messages[0].content[0].words: no such member"),
    "two blocks in one": (
        content({"text": "a", "cachePoint": {"type": "default"}}),
        "Converse.messages[0].content[0]: a union of exactly one member",
    ),
    "an unknown role": (converse(messages=[{"role": "tool", "content": []}]), "Converse.messages[0].role: 'tool' is none of"),
    "a tool's name outside its pattern": (
        content({"toolUse": TOOL_USE | {"name": "search logs"}}), "content[0].toolUse.name: 'search logs' does not match",
    ),
    "a tool's name that is too long": (
        content({"toolUse": TOOL_USE | {"name": "x" * 65}}), "content[0].toolUse.name: 65 characters are more than 64",
    ),
    "a model's id in the body": (converse(modelId="m"), "modelId belongs into the uri"),
    "a model's id outside its pattern": (
        converse() | {"target": "POST /model/no%20model%21/converse"}, "Converse.modelId: 'no model!' does not match",
    ),
    "another method": (converse() | {"target": f"PUT /model/{MODEL}/converse"}, "method PUT instead of POST"),
    "a body that is no JSON": (converse() | {"body": "{"}, "the body is no JSON"),
    "an unknown parameter of the query": (versions("?Limit=1"), "query parameter Limit is not known"),
    "a range of the query": (versions("?MaxItems=0"), "ListVersionsByFunction.MaxItems: 0 are fewer than 1"),
    "a word where the query has a number": (versions("?MaxItems=all"), "ListVersionsByFunction.MaxItems: 'all' is no integer"),
    "a path that is cut": (versions(path="/2015-03-31/functions/f"), "path /2015-03-31/functions/f instead of"),
    "a field of a form that nobody knows": (publish("&Colour=red"), "fields ['Colour'] are not known"),
    "an attribute without its type": (
        publish("&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.StringValue=b"),
        "Publish.MessageAttributes.a.DataType: it is required",
    ),
    "a form of another version": (publish(version="2011-06-15"), "the form is of another version"),
    "an operation that is none": (log_events() | {"action": "FindLogEvents"}, "no operation of the service"),
    "a service that is none": (log_events() | {"service": "unknown"}, "no service of AWS"),
}


@pytest.mark.parametrize(("request_", "told"), WRONG.values(), ids=WRONG)
def test_one_thing_wrong_is_told_with_its_path(request_, told):
    found = offences(request_)
    assert len(found) == 1, found
    assert told in found[0]
