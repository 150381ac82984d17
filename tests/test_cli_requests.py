"""What the command line asks of AWS, held against AWS's published service models: each command runs against the emulator
as it would against an account, and every request that arrives must be one that the service's model allows."""

import os
import subprocess

import pytest

import service_model
from emulator_process import COMMAND_LINE, ROOT, running

SCENARIO = ROOT / "scenarios" / "lambda-bad-deploy"
TOPIC = "arn:aws:sns:us-east-1:123456789012:sre-agent-findings"
# What each command is for, by the operations that must have been asked.
COMMANDS = {
    "doctor": (
        ["doctor", "--call-models", "--json"],
        {
            "GetCallerIdentity", "ListFoundationModels", "ListInferenceProfiles", "GetFoundationModelAvailability",
            "ListServiceQuotas", "Converse", "DescribeAlarms", "GetMetricData", "ListMetrics", "DescribeLogGroups",
            "FilterLogEvents", "StartQuery", "GetQueryResults", "StopQuery", "ListVersionsByFunction", "GetParameter", "GetTopicAttributes",
        },
    ),
    "doctor-post": (["doctor", "--post-test", "--json"], {"Publish"}),
    "models": (["models", "--json"], {"ListFoundationModels", "ListInferenceProfiles", "ListServiceQuotas"}),
    "iam-policy": (
        ["iam-policy", "--model", "us.anthropic.claude-sonnet-4-6", "--profile", "local"],
        {"ListInferenceProfiles"},
    ),
    "prompt": (
        ["--prompt", "Since when does invoice-render fail?", "--depth", "facts", "--json"],
        {"DescribeAlarms", "GetMetricData", "FilterLogEvents"},
    ),
    "replay": (
        ["replay", "invoice-render-errors", "--depth", "facts", "--json"],
        {"DescribeAlarmHistory", "DescribeAlarms", "GetMetricData", "FilterLogEvents"},
    ),
    "investigate": (
        ["investigate", "invoice-render-errors", "--depth", "facts", "--post", "--json"],
        {"DescribeAlarms", "GetMetricData", "FilterLogEvents", "Publish"},
    ),
}


@pytest.fixture(scope="module", params=COMMANDS)
def asked(request, tmp_path_factory) -> tuple[str, list[dict]]:
    """Runs one command; gives its name and what the emulator received."""
    arguments, _ = COMMANDS[request.param]
    profile = tmp_path_factory.mktemp("aws") / "config"
    profile.write_text(
        "[profile local]\nregion = us-east-1\naws_access_key_id = test\naws_secret_access_key = test\n",
        encoding="utf-8",
    )
    with running(SCENARIO) as emulator:
        settings = emulator.settings()
        variables = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": emulator.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": str(profile),
            "SRE_AGENT_AS_OF": settings["as_of"],
            "SRE_AGENT_SEED": str(settings["seed"]),
            "SRE_AGENT_SLACK_WEBHOOK": f"ssm:{settings['parameter'][0]['name']}",
            "SRE_AGENT_FINDINGS_TOPIC_ARN": TOPIC,
        }
        done = subprocess.run(
            [COMMAND_LINE, *arguments], env=variables, cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert emulator.received("unsupported") == []
        requests = [each for each in emulator.received("requests") if each["service"] != "slack"]
    return request.param, requests


def test_every_request_of_a_command_is_one_that_awss_service_model_allows(asked):
    command, requests = asked
    assert {each["action"] for each in requests} >= COMMANDS[command][1], command
    assert [offence for each in requests for offence in service_model.offences(each)] == []


def test_no_command_asks_for_anything_that_writes_but_a_message(asked):
    _, requests = asked
    # `doctor` starts and stops a query of logs on names that do not exist; a query reads.
    reads = ("Get", "List", "Describe", "Filter", "Converse", "StartQuery", "StopQuery")
    assert {each["action"] for each in requests if not each["action"].startswith(reads)} <= {"Publish"}
