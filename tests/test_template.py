"""What template.yaml must hold beyond being valid: the role is as narrow as the product. tests/test_template_options.py has the wiring."""

import fnmatch
import json
import re
import tomllib

import pytest

from cloudformation import TEMPLATE, Template

READ_ACTIONS = {
    "apigateway:GET",
    "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricWidgetImage",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListMetrics",
    "cloudwatch:ListTagsForResource",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "logs:StopQuery",
    "lambda:ListVersionsByFunction",
    "lambda:ListAliases",
    "lambda:GetPolicy",
    "lambda:ListEventSourceMappings",
    "bedrock:GetFoundationModelAvailability",
    "bedrock:ListFoundationModels",
    "bedrock:ListInferenceProfiles",
    "servicequotas:ListServiceQuotas",
    "sns:GetTopicAttributes",
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
REPORT_ACTIONS = {"s3:ListBucket", "s3:PutObject"}
QUEUE_ACTIONS = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
BOTH_PARAMETERS = {"SlackWebhookParameterName": "/sre-agent/slack-webhook", "ConfigParameterName": "/sre-agent/config"}
# What stands for a parameter or a secret that is not named: the ARNs of both end in a name.
NAMELESS = {
    "arn:aws:ssm:us-east-1:123456789012:parameter",
    "arn:aws:ssm:us-east-1:123456789012:parameter/aws/reference/secretsmanager/",
}
PROFILE = "arn:*:bedrock:*:*:inference-profile/"


def actions(template: Template) -> set[str]:
    return {action for statement in template.statements() for action in statement["Action"]}


def statement(template: Template, sid: str) -> dict:
    (found,) = [each for each in template.statements() if each["Sid"] == sid]
    return found


def test_the_role_grants_these_actions_and_no_other():
    always = READ_ACTIONS | WRITE_ACTIONS
    assert actions(Template()) == always | REPORT_ACTIONS
    assert actions(Template({"KeepReports": "false"})) == always
    webhook = {"KeepReports": "false", "SlackWebhookParameterName": "/sre-agent/slack-webhook"}
    assert actions(Template(webhook)) == always | PARAMETER_ACTIONS
    document = {"KeepReports": "false", "ConfigParameterName": "/sre-agent/config"}
    assert actions(Template(document)) == always | PARAMETER_ACTIONS
    secret = {"KeepReports": "false", "SlackSecretName": "sre-agent/slack"}
    assert actions(Template(secret)) == always | PARAMETER_ACTIONS | {"secretsmanager:GetSecretValue"}
    assert actions(Template({"KeepReports": "false", "ThroughQueue": "true"})) == always | QUEUE_ACTIONS


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
        "logs:GetQueryResults",
        "logs:StopQuery",
        "bedrock:GetFoundationModelAvailability",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
        "servicequotas:ListServiceQuotas",
    }


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
@pytest.mark.parametrize(
    "name", ["SlackWebhookParameterName", "SlackTokenParameterName", "ProviderKeyParameterName", "ConfigParameterName"]
)
def test_a_parameter_name_cannot_widen_the_role(name, hostile):
    with pytest.raises(ValueError):
        Template({name: hostile})


@pytest.mark.parametrize("hostile", ["*", "a*", "a??", "/a", "a/", "a//b", "a:AWSPREVIOUS", "arn:aws:secretsmanager:x"])
def test_a_secret_name_cannot_widen_the_role(hostile):
    with pytest.raises(ValueError):
        Template({"SlackSecretName": hostile})


@pytest.mark.parametrize("name", ["#incidents", "incidents", "C1", "U0123456789", "C0123456789,C9876543210"])
def test_a_slack_channel_is_named_by_its_id(name):
    with pytest.raises(ValueError):
        Template({"SlackTokenParameterName": "/a", "SlackChannel": name})


@pytest.mark.parametrize(
    "parameters",
    [
        {"SlackWebhookParameterName": "/sre-agent/slack-webhook"},
        {"SlackTokenParameterName": "/sre-agent/slack-token", "SlackChannel": "C0123456789"},
        {"ProviderKeyParameterName": "/sre-agent/anthropic"},
        {"ConfigParameterName": "/sre-agent/config"},
    ],
)
def test_only_the_named_parameters_are_read_and_decrypted(parameters):
    template = Template(parameters)
    (value,) = [value for value in parameters.values() if value.startswith("/")]
    arn = f"arn:aws:ssm:us-east-1:123456789012:parameter{value}"
    assert set(statement(template, "NamedParameters")["Resource"]) == {arn} | NAMELESS
    decrypting = statement(template, "DecryptNamedParameters")["Condition"]["StringEquals"]
    assert decrypting["kms:ViaService"] == "ssm.us-east-1.amazonaws.com"
    assert set(decrypting["kms:EncryptionContext:PARAMETER_ARN"]) - NAMELESS == {arn}


@pytest.mark.parametrize(
    ("channel", "variable", "other"),
    [("", "SRE_AGENT_SLACK_WEBHOOK", "SRE_AGENT_SLACK_TOKEN"), ("C0123456789", "SRE_AGENT_SLACK_TOKEN", "SRE_AGENT_SLACK_WEBHOOK")],
)
def test_a_secret_of_secrets_manager_is_read_through_ssm(channel, variable, other):
    template = Template({"SlackSecretName": "sre-agent/slack", "SlackChannel": channel})
    place = "/aws/reference/secretsmanager/sre-agent/slack"
    environment = template.environment()
    assert (environment[variable], environment[other]) == (f"ssm:{place}", "")
    named = set(statement(template, "NamedParameters")["Resource"])
    assert named - NAMELESS == {f"arn:aws:ssm:us-east-1:123456789012:parameter{place}"}
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sre-agent/slack-??????"
    assert statement(template, "NamedSecret")["Resource"] == [secret]
    condition = statement(template, "DecryptNamedSecret")["Condition"]
    assert condition["StringEquals"] == {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    assert condition["StringLike"] == {"kms:EncryptionContext:SecretARN": secret}


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
    keys = dict(re.findall(r'^    \("(SRE_AGENT_[A-Z_]+)", "([a-z0-9_.]+)"\),$', source, re.MULTILINE))
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


@pytest.mark.parametrize("name", ["emulator", "account"])
def test_the_variables_for_an_invocation_by_hand_replace_what_only_a_stack_has(name):
    """SAM hands on the name of a resource in place of what it would be; the function would take it for real."""
    template = Template()
    declared = template.document["Resources"]["InvestigateFunction"]["Properties"]["Environment"]["Variables"]
    given = json.loads((TEMPLATE.parent / "events" / "env-vars" / f"{name}.json").read_text(encoding="utf-8"))
    given = given["InvestigateFunction"]
    assert set(given) <= set(declared), "SAM ignores a variable that the template does not declare"
    resources = "|".join(template.document["Resources"])
    of_the_stack = {name for name, value in declared.items() if re.search(rf"\b({resources})\b", json.dumps(value))}
    assert len(of_the_stack) >= 3 and of_the_stack <= set(given), of_the_stack
