"""Runs moto's server, a stand-in for AWS that we did not write, and makes in it what the function writes to: tables as the
template describes them, buckets, topics with a queue that listens."""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import boto3

from cloudformation import Template

START_SECONDS = 30
# moto undoes a failed transaction by putting the whole table back as it was, and with it what another thread wrote
# meanwhile; DynamoDB does not. One request at a time is what DynamoDB promises of each item. moto never throttles; here it
# does on demand, in DynamoDB's words.
#
# moto enforces no role. What is asked of DynamoDB within a session is kept under the session's token, which a role has and
# the tests' own clients have not; a transaction is permitted by what its parts do.
SERVER = """
import collections, io, json, sys, threading, urllib.parse
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
application, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()
throttled, asked = 0, collections.defaultdict(set)
def calls(operation, body):
    if operation == "TransactWriteItems":
        return {(kind + "Item", part["TableName"]) for item in body["TransactItems"] for kind, part in item.items()}
    return {(operation, table) for table in body.get("RequestItems") or [body.get("TableName")]}
def remember(environ):
    session, target = environ.get("HTTP_X_AMZ_SECURITY_TOKEN"), environ.get("HTTP_X_AMZ_TARGET", "")
    if session and target.startswith("DynamoDB"):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        asked[session] |= calls(target.split(".")[1], json.loads(body))
def one_at_a_time(environ, start_response):
    global throttled
    with turn:
        if environ["PATH_INFO"] == "/asked":
            session = urllib.parse.parse_qs(environ["QUERY_STRING"])["session"][0]
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(sorted(asked[session], key=str)).encode()]
        remember(environ)
        if environ["PATH_INFO"] == "/throttle":
            throttled = int(urllib.parse.parse_qs(environ["QUERY_STRING"])["requests"][0])
            start_response("204 No Content", [])
            return []
        if throttled and environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
            throttled -= 1
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.0")])
            return [b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "Rate exceeded"}']
        return list(application(environ, start_response))
run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
"""
NUMBERS = itertools.count(1)


@functools.cache
def endpoint() -> str:
    """Starts the server once a test run and gives its address; it stops when the tests end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.kill)
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        assert process.poll() is None, "moto stopped"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return f"http://127.0.0.1:{port}"
    raise TimeoutError("moto did not listen")


def throttle(requests: int) -> None:
    """Has the server refuse the next requests to DynamoDB for their rate."""
    urllib.request.urlopen(f"{endpoint()}/throttle?requests={requests}").close()


def asked(session: str) -> set[tuple[str, str]]:
    """Gives what was asked of tables with a session's token: each action of IAM with the table's ARN."""
    with urllib.request.urlopen(f"{endpoint()}/asked?session={urllib.parse.quote(session, safe='')}") as answer:
        return {(f"dynamodb:{action}", table_arn(name)) for action, name in json.load(answer)}


def table_arn(name: str) -> str:
    """Gives the ARN of a table by its name."""
    return f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"


def client(service: str = "dynamodb", session: str | None = None):
    """Gives a client of the server; only what is asked within a session is remembered."""
    return boto3.client(
        service,
        endpoint_url=endpoint(),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        aws_session_token=session,
    )


def table() -> str:
    """Makes a fresh state table as the template describes it; gives its name."""
    name = f"sre-agent-state-{next(NUMBERS)}"
    described = Template().resource("StateTable")["Properties"]
    client().create_table(
        TableName=name,
        **{key: described[key] for key in ("BillingMode", "AttributeDefinitions", "KeySchema")},
    )
    client().update_time_to_live(TableName=name, TimeToLiveSpecification=described["TimeToLiveSpecification"])
    return name


def bucket() -> str:
    """Makes a fresh bucket that encrypts what is put there; gives its name."""
    name = f"sre-agent-reports-{next(NUMBERS)}"
    client("s3").create_bucket(Bucket=name)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client("s3").put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return name


def topic() -> tuple[str, str]:
    """Makes a fresh topic and a queue that listens to it; gives the topic's ARN and the queue's address."""
    name = f"sre-agent-topic-{next(NUMBERS)}"
    arn = client("sns").create_topic(Name=name)["TopicArn"]
    queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return arn, queue


def messages(queue: str) -> list[str]:
    """Gives what a topic handed to its queue, as the subscriber reads it."""
    received = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"])["Message"] for message in received]


def items(name: str) -> dict[str, dict]:
    """Gives every item of a table by its key."""
    return {item["key"]["S"]: item for item in client().scan(TableName=name)["Items"]}
