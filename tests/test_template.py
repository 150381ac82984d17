"""What template.yaml must hold beyond being valid: the role is as narrow as the product, and the wiring cannot loop."""

import fnmatch
import json
import re
import tomllib

import pytest

from cloudformation import TEMPLATE, Template

READ_ACTIONS = {
    "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricWidgetImage",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListMetrics",
    "cloudwatch:ListTagsForResource",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "lambda:ListVersionsByFunction",
    "lambda:ListAliases",
    "lambda:GetPolicy",
    "lambda:ListEventSourceMappings",
    "bedrock:ListInferenceProfiles",
    "servicequotas:ListServiceQuotas",
}
WRITE_ACTIONS = {
    "bedrock:InvokeModel",
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "sns:Publish",
    "sqs:SendMessage",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
}
PARAMETER_ACTIONS = {"ssm:GetParameter", "kms:Decrypt"}
BOTH_PARAMETERS = {"SlackWebhookParameterName": "/sre-agent/slack-webhook", "ConfigParameterName": "/sre-agent/config"}
PROFILE = "arn:*:bedrock:*:*:inference-profile/"


def actions(template: Template) -> set[str]:
    return {action for statement in template.statements() for action in statement["Action"]}


def statement(template: Template, sid: str) -> dict:
    (found,) = [each for each in template.statements() if each["Sid"] == sid]
    return found


def test_the_role_grants_these_actions_and_no_other():
    assert actions(Template()) == READ_ACTIONS | WRITE_ACTIONS
    assert actions(Template(BOTH_PARAMETERS)) == READ_ACTIONS | WRITE_ACTIONS | PARAMETER_ACTIONS


def test_only_reads_that_know_no_resources_are_granted_on_everything():
    on_everything = {
        action
        for each in Template(BOTH_PARAMETERS).statements()
        if "*" in each["Resource"]
        for action in each["Action"]
    }
    assert on_everything == {
        "cloudwatch:GetMetricData",
        "cloudwatch:GetMetricWidgetImage",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListMetrics",
        "lambda:ListEventSourceMappings",
        "bedrock:ListInferenceProfiles",
        "servicequotas:ListServiceQuotas",
    }


def test_every_statement_allows_so_nothing_is_hidden_behind_a_deny():
    assert {each["Effect"] for each in Template(BOTH_PARAMETERS).statements()} == {"Allow"}


def profiles(template: Template) -> list[str]:
    """Gives the profiles that may be called, as patterns; both statements must name the same."""
    behind = statement(template, "ModelsBehindTheProfiles")
    assert behind["Resource"] == ["arn:aws:bedrock:*::foundation-model/*"]
    named = statement(template, "InferenceProfiles")["Resource"]
    assert behind["Condition"] == {"StringLike": {"bedrock:InferenceProfileArn": named}}
    assert all(arn.startswith(PROFILE) for arn in named)
    return [arn.removeprefix(PROFILE) for arn in named]


def may_call(template: Template, profile: str) -> bool:
    return any(fnmatch.fnmatchcase(profile, pattern) for pattern in profiles(template))


def test_each_configured_model_is_named_as_it_is_given_as_profile_and_as_model():
    template = Template({"PrimaryModel": "us.amazon.nova-pro-v1:0", "FallbackModels": "us.a.one,us.b.two-v1:0"})
    assert profiles(template)[:3] == ["us.amazon.nova-pro-v1:0", "us.a.one", "us.b.two-v1:0"]
    assert statement(template, "ModelsOnDemand")["Resource"] == [
        "arn:*:bedrock:*::foundation-model/us.amazon.nova-pro-v1:0",
        "arn:*:bedrock:*::foundation-model/us.a.one",
        "arn:*:bedrock:*::foundation-model/us.b.two-v1:0",
    ]


@pytest.mark.parametrize("given", ["us.a.one-v1:0", "a.one-v1:0"])
def test_a_model_may_be_called_through_the_profile_of_any_geography_and_not_through_the_global_one(given):
    template = Template({"PrimaryModel": given, "FallbackModels": ""})
    for prefix in ("us", "eu", "jp", "au", "ca", "in"):
        assert may_call(template, f"{prefix}.a.one-v1:0"), prefix
    if given.startswith("us."):
        assert may_call(template, "apac.a.one-v1:0")
        assert may_call(template, "us-gov.a.one-v1:0")
    for other in ("global.a.one-v1:0", "us.a.one-v1:0x", "us.a.two-v1:0", "eu.b.one-v1:0"):
        assert not may_call(template, other), other


def test_a_global_profile_may_be_called_where_it_is_named():
    template = Template({"PrimaryModel": "us.a.one", "FallbackModels": "global.b.two"})
    assert may_call(template, "global.b.two")
    assert not may_call(template, "global.a.one")


def test_the_roles_policies_keep_within_what_iam_takes():
    """The inline policies of a role may hold 10,240 characters, white space not counted."""
    many = ",".join(f"us.anthropic.claude-sonnet-4-5-20250929-v{n}:0" for n in range(1, 6))
    role = Template({**BOTH_PARAMETERS, "FallbackModels": many}).statements()
    assert len(re.sub(r"\s", "", json.dumps(role))) < 10_240


def test_without_fallbacks_no_arn_ends_in_an_empty_model():
    named = profiles(Template({"FallbackModels": ""}))
    assert named[0] == "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
    assert all(name.endswith("anthropic.claude-3-5-sonnet-20241022-v2:0") for name in named)


@pytest.mark.parametrize("hostile", ["*", "us.*", "a,b", "a/../b", "arn:aws:bedrock:us-east-1::x/y", ""])
def test_a_model_id_cannot_widen_the_role(hostile):
    with pytest.raises(ValueError):
        Template({"PrimaryModel": hostile})


@pytest.mark.parametrize("hostile", ["*", "a,*", "a,,b", "a, b", ","])
def test_a_fallback_list_cannot_widen_the_role(hostile):
    with pytest.raises(ValueError):
        Template({"FallbackModels": hostile})


@pytest.mark.parametrize("hostile", ["*", "/*", "no-slash", "/a/", "/a*b"])
@pytest.mark.parametrize("name", ["SlackWebhookParameterName", "SlackTokenParameterName"])
def test_a_parameter_name_cannot_widen_the_role(name, hostile):
    with pytest.raises(ValueError):
        Template({name: hostile})


@pytest.mark.parametrize("name", ["#incidents", "incidents", "C1", "U0123456789", "C0123456789,C9876543210"])
def test_a_slack_channel_is_named_by_its_id(name):
    with pytest.raises(ValueError):
        Template({"SlackChannel": name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SlackWebhookParameterName", "/sre-agent/slack-webhook"),
        ("SlackTokenParameterName", "/sre-agent/slack-token"),
    ],
)
def test_only_the_named_parameters_are_read_and_decrypted(name, value):
    template = Template({name: value})
    arn = f"arn:aws:ssm:us-east-1:123456789012:parameter{value}"
    assert statement(template, "NamedParameters")["Resource"] == [arn]
    assert statement(template, "DecryptNamedParameters")["Condition"]["StringEquals"] == {
        "kms:ViaService": "ssm.us-east-1.amazonaws.com",
        "kms:EncryptionContext:PARAMETER_ARN": [arn],
    }


def test_findings_never_go_to_the_topic_that_triggers():
    template = Template(identifiers={"AlarmTopic": "arn:alarms", "FindingsTopic": "arn:findings"})
    trigger = template.resource("InvestigateFunction")["Properties"]["Events"]["Alarm"]["Properties"]["Topic"]
    assert trigger == "arn:alarms"
    assert template.environment()["SRE_AGENT_FINDINGS_TOPIC_ARN"] == "arn:findings"
    assert statement(template, "Findings")["Resource"] == ["arn:findings"]


def test_what_could_not_be_finished_reaches_the_dead_letter_queue():
    template = Template(identifiers={"DeadLetterQueue": "arn:queue"})
    function = template.resource("InvestigateFunction")["Properties"]
    assert function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": "arn:queue"}
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 1
    assert function["Events"]["Alarm"]["Properties"]["RedrivePolicy"] == {"deadLetterTargetArn": "arn:queue"}
    assert statement(template, "FailedInvocations")["Resource"] == ["arn:queue"]


def test_the_environment_holds_the_place_of_the_webhook_and_not_the_webhook():
    assert Template().environment()["SRE_AGENT_SLACK_WEBHOOK"] == ""
    named = Template(BOTH_PARAMETERS).environment()
    assert named["SRE_AGENT_SLACK_WEBHOOK"] == "ssm:/sre-agent/slack-webhook"
    assert named["SRE_AGENT_CONFIG"] == "ssm:/sre-agent/config"


def test_the_environment_holds_the_place_of_the_bots_token_and_the_channels_id():
    environment = Template().environment()
    assert [environment[name] for name in ("SRE_AGENT_SLACK_TOKEN", "SRE_AGENT_SLACK_CHANNEL")] == ["", ""]
    bot = {"SlackTokenParameterName": "/sre-agent/slack-token", "SlackChannel": "C0123456789"}
    environment = Template(bot).environment()
    assert environment["SRE_AGENT_SLACK_TOKEN"] == "ssm:/sre-agent/slack-token"
    assert environment["SRE_AGENT_SLACK_CHANNEL"] == "C0123456789"


def test_what_is_kept_expires_and_only_the_agents_own_table_is_written():
    template = Template(identifiers={"StateTable": "state"})
    table = template.resource("StateTable")["Properties"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["key"]
    assert len(statement(template, "State")["Resource"]) == 1
    assert template.environment()["SRE_AGENT_STATE_TABLE"] == "state"


def test_a_deployed_function_runs_on_the_real_clock_and_the_real_endpoints():
    environment = Template(BOTH_PARAMETERS).environment()
    assert [environment[name] for name in ("AWS_ENDPOINT_URL", "SRE_AGENT_AS_OF", "SRE_AGENT_SEED")] == ["", "", ""]


def test_the_function_is_built_from_the_binary_that_cargo_knows():
    function = Template().document["Resources"]["InvestigateFunction"]
    binary = function["Metadata"]["BuildProperties"]["Binary"]
    manifest = (TEMPLATE.parent / "Cargo.toml").read_text(encoding="utf-8")
    assert re.search(rf'\[\[bin\]\]\s+name = "{re.escape(binary)}"', manifest)
    assert function["Metadata"]["BuildMethod"] == "rust-cargolambda"
    assert function["Properties"]["Runtime"] == "provided.al2023"
    assert function["Properties"]["Handler"] == "bootstrap"


def test_the_program_the_template_and_the_readme_know_the_same_variables():
    source = (TEMPLATE.parent / "src" / "config.rs").read_text(encoding="utf-8")
    keys = dict(re.findall(r'^    \("(SRE_AGENT_[A-Z_]+)", "([a-z_.]+)"\),$', source, re.MULTILINE))
    (document,) = re.findall(r'^const DOCUMENT_VARIABLE: &str = "(SRE_AGENT_[A-Z_]+)";$', source, re.MULTILINE)
    keys[document] = ""
    assert {name for name in Template().environment() if name.startswith("SRE_AGENT_")} == set(keys)
    assert readme_variables() == keys


def readme_variables() -> dict[str, str]:
    """Gives each variable of README's table with the key of the document that stands beside it."""
    readme = (TEMPLATE.parent / "README.md").read_text(encoding="utf-8")
    found = {}
    for row in re.findall(r"^\| (`SRE_AGENT_.*?) \|(.*?)\|", readme, re.MULTILINE):
        names, keys = (re.findall(r"`([^`]+)`", cell) for cell in row)
        found |= dict(zip(names, keys or [""], strict=True))
    return found


def test_the_readme_gives_the_defaults_of_the_template():
    readme = (TEMPLATE.parent / "README.md").read_text(encoding="utf-8")
    for name in ("SRE_AGENT_MODEL", "SRE_AGENT_DEPTH"):
        assert re.search(rf"^\| `{name}` .*\| `{re.escape(Template().environment()[name])}` \|$", readme, re.MULTILINE)


def test_the_template_and_the_built_in_configuration_name_the_same_models():
    built_in = tomllib.loads((TEMPLATE.parent / "src" / "config" / "default.toml").read_text(encoding="utf-8"))
    environment = Template().environment()
    assert environment["SRE_AGENT_MODEL"] == built_in["models"]["primary"]
    assert environment["SRE_AGENT_FALLBACK_MODELS"].split(",") == built_in["models"]["fallback"]
    assert environment["SRE_AGENT_DEPTH"] == built_in["depth"]
