"""Which models may be called, written down twice: `sre-agent iam-policy` makes a policy of exact ARNs, and template.yaml's role
has patterns. Everything that the command grants the role must grant, and the role nothing else but what
docs/decisions/model-permissions.md says."""

import fnmatch
import functools
import json
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import NamedTuple
from unittest import mock

import pytest

from cloudformation import PSEUDO_PARAMETERS, TEMPLATE, Template
from emulator_process import COMMAND_LINE

ACCOUNT = PSEUDO_PARAMETERS["AWS::AccountId"]
ACTION = "bedrock:InvokeModel"
SONNET, HAIKU, NOVA = "anthropic.claude-sonnet-4-6", "anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-pro-v1:0"
EUROPE = {"PrimaryModel": f"eu.{SONNET}", "FallbackModels": f"eu.{HAIKU},eu.{NOVA}"}
BARE = {"PrimaryModel": NOVA, "FallbackModels": f"us.{HAIKU}"}
GLOBAL = {"PrimaryModel": f"global.{HAIKU}", "FallbackModels": f"us.{NOVA}"}
# Ids as they are configured, each callable from the Region as it stands: `iam-policy --model ID --model ID`.
AS_CONFIGURED = {
    "the defaults": ("us-east-1", {}),
    "no fallbacks": ("us-east-1", {"FallbackModels": ""}),
    "of Europe": ("eu-west-1", EUROPE),
    "without prefix": ("us-east-1", BARE),
    "one without prefix": ("eu-west-1", {"PrimaryModel": NOVA, "FallbackModels": ""}),
    "global": ("us-east-1", GLOBAL),
    "of GovCloud": ("us-gov-west-1", {"PrimaryModel": f"us-gov.{NOVA}", "FallbackModels": SONNET}),
}
# Ids as the function would call them, which moves each to its Region's geography: `iam-policy` with the function's environment.
AS_CALLED = {
    "the defaults": ("us-east-1", {}),
    "the defaults in Europe": ("eu-west-1", {}),
    "the defaults in Japan": ("ap-northeast-1", {}),
    "the defaults in Singapore": ("ap-southeast-1", {}),
    "the defaults in Australia": ("ap-southeast-2", {}),
    "the defaults in GovCloud": ("us-gov-west-1", {}),
    "no fallbacks": ("us-east-1", {"FallbackModels": ""}),
    "of Europe": ("eu-west-1", EUROPE),
    "without prefix": ("us-east-1", BARE),
    "without prefix in Europe": ("eu-west-1", BARE),
}
as_configured = pytest.mark.parametrize(("region", "parameters"), AS_CONFIGURED.values(), ids=AS_CONFIGURED.keys())
as_called = pytest.mark.parametrize(("region", "parameters"), AS_CALLED.values(), ids=AS_CALLED.keys())


class Call(NamedTuple):
    """What IAM is asked about when a model is called: a model or a profile, and through which profile the call comes."""

    resource: str
    profile: str | None = None

    @property
    def name(self) -> str:
        """Gives the id of the profile, or that of the model where it is called directly."""
        return (self.profile or self.resource).split("/", 1)[1]


# ---- The two policies ----


def partition(region: str) -> str:
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def profile_arn(region: str, name: str) -> str:
    return f"arn:{partition(region)}:bedrock:{region}:{ACCOUNT}:inference-profile/{name}"


def model_arn(region: str, name: str, where: str | None = None) -> str:
    """Gives a model's ARN in the caller's Region or another; "" is what AWS asks about behind a global profile."""
    return f"arn:{partition(region)}:bedrock:{region if where is None else where}::foundation-model/{name}"


def role(region: str, parameters: dict[str, str]) -> list[dict]:
    """Gives every statement by which the role may call models in a Region, whatever the statement is called."""
    with mock.patch.dict(PSEUDO_PARAMETERS, {"AWS::Region": region, "AWS::Partition": partition(region)}):
        statements = Template(parameters).statements()
    return [each for each in statements if covers(each["Action"], ACTION)]


def generated(region: str, *models: str, variables: dict[str, str] | None = None) -> list[dict]:
    """Gives the statements that the command prints for these models, or for those that the variables name."""
    # Nothing of the caller's, and an address at which nobody answers: no account is asked.
    own = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"}
    own |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    named = [word for model in models for word in ("--model", model)]
    done = subprocess.run(
        [COMMAND_LINE, "iam-policy", "--quiet", "--region", region, "--account", ACCOUNT, *named],
        env=own | (variables or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        # Not an assertion: a command that fails is no disagreement that is known.
        raise RuntimeError(done.stderr)
    statements = json.loads(done.stdout)["Statement"]
    assert statements and all(each["Effect"] == "Allow" and ACTION in each["Action"] for each in statements)
    return statements


def configured(parameters: dict[str, str]) -> list[str]:
    """Gives the ids that the stack is made with, the primary first."""
    made_with = Template(parameters).parameters
    return [each for name in ("PrimaryModel", "FallbackModels") for each in made_with[name].split(",") if each]


def called(region: str, parameters: dict[str, str]) -> list[dict]:
    """Gives the statements for what the function calls, by the variables that the template gives it."""
    environment = Template(parameters).environment()
    names = ("SRE_AGENT_PROVIDER", "SRE_AGENT_MODEL", "SRE_AGENT_FALLBACK_MODELS")
    return generated(region, variables={name: environment[name] for name in names})


# ---- What they allow ----


def covers(patterns: list[str] | str, value: str) -> bool:
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)


def meets(condition: dict, call: Call) -> bool:
    """Tells whether a call meets a statement's condition, as far as the two policies have conditions."""
    # AWS tells "unspecified" where a global profile leads to a model without a Region.
    told = {"aws:RequestedRegion": call.resource.split(":")[3] or "unspecified", "bedrock:InferenceProfileArn": call.profile}
    for operator, keys in condition.items():
        if operator not in ("StringEquals", "StringLike"):
            raise NotImplementedError(operator)
        if not all(told[key] is not None and covers(wanted, told[key]) for key, wanted in keys.items()):
            return False
    return True


def permits(statements: list[dict], call: Call) -> bool:
    return any(covers(each["Resource"], call.resource) and meets(each.get("Condition", {}), call) for each in statements)


def calls(policy: list[dict]) -> list[Call]:
    """Gives every call that the command's policy allows; it has no wildcards, so they can be counted."""
    found = []
    for each in policy:
        through = each.get("Condition", {}).get("StringEquals", {}).get("bedrock:InferenceProfileArn")
        found += [Call(resource, through) for resource in each["Resource"]]
    assert not any("*" in text or "?" in text for call in found for text in call if text)
    # Otherwise this would read another policy than `permits` does.
    assert all(permits(policy, call) for call in found)
    return found


def lacking(statements: list[dict], policy: list[dict]) -> list[Call]:
    """Gives the calls that the command's policy allows and the role's statements do not."""
    return [call for call in calls(policy) if not permits(statements, call)]


@functools.cache
def prefixes() -> list[str]:
    """Gives the prefixes that the program knows and one that it does not."""
    source = (TEMPLATE.parent / "src" / "model" / "geography.rs").read_text(encoding="utf-8")
    (known,) = re.findall(r"^const KNOWN: &\[&str\] = &\[(.*)\];$", source, re.MULTILINE)
    return [*re.findall(r'"([a-z-]+)"', known), "global", "world"]


@functools.cache
def catalogue() -> list[str]:
    """Gives the models that the program knows, without those of other providers."""
    rows = tomllib.loads((TEMPLATE.parent / "src" / "model" / "models.toml").read_text(encoding="utf-8"))
    return [row["id"] for row in rows["model"] if ":" not in row["id"].split(".")[0]]


def granted_models(policy: list[dict]) -> set[str]:
    return {call.resource.split("/")[1] for call in calls(policy) if "::foundation-model/" in call.resource}


def conceivable(region: str, policy: list[dict]) -> Iterator[Call]:
    """Gives the calls that a role could allow: every known model, and what is spelled almost like a granted one, directly and
    through the profile of every geography; and what hides its model.

    From the caller's own Region and account only: that others are "*" in the role is said in the decision.
    """
    granted = granted_models(policy)
    near = {near for name in granted for near in (f"{name}x", f"x{name}", name[:-1], f"{name}:48k", f"other.{name.split('.')[1]}")}
    for model in sorted({*catalogue(), *granted, *near}):
        yield Call(model_arn(region, model))
        for prefix in prefixes():
            # A profile leads to one model, so a model is asked about behind its own profile.
            profile = profile_arn(region, f"{prefix}.{model}")
            yield from (Call(profile), Call(model_arn(region, model), profile))
        yield Call(model_arn(region, model, ""), profile_arn(region, f"global.{model}"))
    for kind in ("application-inference-profile", "provisioned-model", "custom-model"):
        hidden = f"arn:{partition(region)}:bedrock:{region}:{ACCOUNT}:{kind}/a1b2c3d4e5f6"
        yield from (Call(hidden), *(Call(model_arn(region, model), hidden) for model in sorted(granted)))


def on_purpose(call: Call, region: str, policy: list[dict]) -> bool:
    """Tells whether the decision grants more than the command: a granted model's profile of any geography but the global one."""
    prefix, _, model = call.name.partition(".")
    is_profile = ":inference-profile/" in (call.profile or call.resource)
    if is_profile and prefix != "global" and model in granted_models(policy):
        return True
    # A model that may be called directly may be so in any Region, "" among them. That alone lets nobody call its global
    # profile, which is asked about too.
    return call.resource == model_arn(region, model, "") and permits(policy, Call(model_arn(region, model)))


def beyond(statements: list[dict], region: str, policy: list[dict]) -> list[Call]:
    """Gives the calls that the role's statements allow and neither the command's policy nor the decision does."""
    allowed = [call for call in conceivable(region, policy) if permits(statements, call)]
    return [call for call in allowed if not permits(policy, call) and not on_purpose(call, region, policy)]


# ---- They agree ----


@as_configured
def test_the_role_grants_what_the_command_prints_for_the_configured_ids_and_nothing_else(region, parameters):
    statements, policy = role(region, parameters), generated(region, *configured(parameters))
    assert lacking(statements, policy) == []
    assert beyond(statements, region, policy) == []
    assert not any(Template(parameters).denies(ACTION, call.resource) for call in calls(policy))


@as_called
def test_the_role_grants_what_the_command_prints_for_what_the_function_calls_and_nothing_else(region, parameters):
    statements, policy = role(region, parameters), called(region, parameters)
    assert lacking(statements, policy) == []
    assert beyond(statements, region, policy) == []


def test_the_command_is_asked_about_what_it_should_be():
    """Otherwise an empty policy would agree with every role."""
    ids = configured({})
    assert len(ids) == 4 and all(each.startswith("us.") for each in ids)
    for policy in (generated("us-east-1", *ids), called("us-east-1", {})):
        names = {call.name for call in calls(policy)}
        assert names == set(ids)
        # Each profile, and its model in three Regions.
        assert len(calls(policy)) == 4 * len(ids)
    (through,) = {call.name for call in calls(called("eu-west-1", {"PrimaryModel": f"us.{NOVA}", "FallbackModels": f"us.{NOVA}"}))}
    assert through == f"eu.{NOVA}"
    with_global = calls(generated("us-east-1", *configured(GLOBAL)))
    assert Call(model_arn("us-east-1", HAIKU, ""), profile_arn("us-east-1", f"global.{HAIKU}")) in with_global
    assert Call(model_arn("us-east-1", NOVA)) in calls(generated("us-east-1", *configured(BARE)))


def test_no_name_in_the_role_holds_a_star():
    """The calls that are tried are those that somebody thought of; a "*" would allow others."""
    for region, parameters in (*AS_CONFIGURED.values(), *AS_CALLED.values()):
        for each in role(region, parameters):
            named = each["Condition"]["StringLike"]["bedrock:InferenceProfileArn"] if "Condition" in each else each["Resource"]
            assert not any("*" in pattern.split("/", 1)[1] for pattern in named), each["Sid"]


# ---- They can disagree ----


def changed(statements: list[dict], sid: str, **members) -> list[dict]:
    assert sid in {each["Sid"] for each in statements}
    return [each | members if each["Sid"] == sid else each for each in statements]


@pytest.mark.parametrize("dropped", configured({})[1:])
def test_a_fallback_that_the_role_does_not_know_is_found(dropped):
    policy = called("us-east-1", {})
    left = ",".join(each for each in configured({})[1:] if each != dropped)
    missing = lacking(role("us-east-1", {"FallbackModels": left}), policy)
    assert missing == [call for call in calls(policy) if call.name == dropped]
    assert len(missing) == 4


def test_a_role_that_is_narrower_in_one_statement_is_found():
    policy = called("us-east-1", {})
    statements = role("us-east-1", {})
    one = f"arn:*:bedrock:*:*:inference-profile/us.{NOVA}"
    narrow = changed(statements, "InferenceProfiles", Resource=[one])
    assert {(call.name, call.profile) for call in lacking(narrow, policy)} == {(each, None) for each in configured({})[:-1]}
    narrow = changed(statements, "ModelsBehindTheProfiles", Condition={"StringLike": {"bedrock:InferenceProfileArn": [one]}})
    assert {call.name for call in lacking(narrow, policy)} == set(configured({})[:-1])
    assert all(call.profile for call in lacking(narrow, policy))
    narrow = changed(statements, "ModelsBehindTheProfiles", Resource=["arn:aws:bedrock:us-east-1::foundation-model/*"])
    assert {call.resource.split(":")[3] for call in lacking(narrow, policy)} == {"us-east-2", "us-west-2"}
    policy = generated("us-east-1", *configured(BARE))
    narrow = changed(role("us-east-1", BARE), "ModelsOnDemand", Resource=[])
    assert lacking(narrow, policy) == [Call(model_arn("us-east-1", NOVA))]


@pytest.mark.parametrize(
    ("sid", "members"),
    [
        ("ModelsOnDemand", {"Resource": ["arn:*:bedrock:*::foundation-model/*"]}),
        ("ModelsOnDemand", {"Resource": [f"arn:*:bedrock:*::foundation-model/{NOVA}"]}),
        ("ModelsBehindTheProfiles", {"Condition": {}}),
        ("ModelsBehindTheProfiles", {"Condition": {"StringLike": {"bedrock:InferenceProfileArn": ["*"]}}}),
        ("InferenceProfiles", {"Resource": [f"arn:*:bedrock:*:*:inference-profile/*.{NOVA}"]}),
        ("InferenceProfiles", {"Resource": [f"arn:*:bedrock:*:*:inference-profile/us.{NOVA}*"]}),
        ("InferenceProfiles", {"Resource": ["arn:*:bedrock:*:*:inference-profile/us.anthropic.*"]}),
        ("InferenceProfiles", {"Resource": ["arn:*:bedrock:*:*:*inference-profile/*"]}),
        ("InferenceProfiles", {"Resource": ["arn:*:bedrock:*:*:provisioned-model/*"]}),
    ],
    ids=str,
)
def test_a_role_that_is_wider_in_one_statement_is_found(sid, members):
    statements, policy = role("us-east-1", {}), called("us-east-1", {})
    assert beyond(changed(statements, sid, **members), "us-east-1", policy)


def test_a_model_that_only_the_role_knows_is_found():
    policy = called("us-east-1", {"FallbackModels": f"us.{NOVA}"})
    more = beyond(role("us-east-1", {}), "us-east-1", policy)
    assert {call.name for call in more} >= {f"us.{SONNET}", f"us.{HAIKU}", f"eu.{HAIKU}"}
    # What is found includes the global profile only where that is what the role names.
    assert not any(call.name.startswith("global.") for call in more)
    more = beyond(role("us-east-1", GLOBAL), "us-east-1", generated("us-east-1", f"us.{HAIKU}", f"us.{NOVA}"))
    assert {call.name for call in more} == {f"global.{HAIKU}"}


# ---- Where they disagree ----


@pytest.mark.parametrize(("region", "prefix"), [("ap-southeast-1", "apac"), ("us-gov-west-1", "us-gov")])
def test_a_bare_id_is_not_granted_through_a_profile_whose_prefix_is_longer(region, prefix):
    """As the decision has it: "??." stands before ids without prefix. The function may try that profile all the same, after the
    model itself."""
    parameters = {"PrimaryModel": NOVA, "FallbackModels": f"us.{HAIKU}"}
    assert {call.name for call in lacking(role(region, parameters), called(region, parameters))} == {f"{prefix}.{NOVA}"}


# docs/permissions.md says so: of an id with another prefix than "us." no other geography's profiles are granted, and the
# program asks for the Region's own.
@pytest.mark.parametrize("parameters", [GLOBAL, EUROPE], ids=["global", "of Europe in the US"])
def test_an_id_of_another_geography_is_granted_as_it_stands(parameters):
    lacks = {call.name for call in lacking(role("us-east-1", parameters), called("us-east-1", parameters))}
    given = [model for name in ("PrimaryModel", "FallbackModels") for model in parameters[name].split(",")]
    moved = {f"us.{model.partition('.')[2]}" for model in given if not model.startswith("us.")}
    assert lacks == moved
