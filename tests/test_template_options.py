"""The options of template.yaml: whatever is chosen, the parts fit together, alarms reach the function, its own do not."""

import itertools
import json
import re

import pytest

from cloudformation import TEMPLATE, Template

QUEUE = {"ThroughQueue": "true"}
EVERY_ALARM = {"AllAlarms": "true"}
EXISTING = {"ExistingAlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms"}
AMAZON_Q = {"AmazonQTopicArn": "arn:aws:sns:us-east-1:123456789012:to-amazon-q"}
BOT = {"SlackTokenParameterName": "/sre-agent/slack-token", "SlackChannel": "C0123456789"}
NO_REPORTS = {"KeepReports": "false"}
NO_SELF_CHECK = {"SelfCheck": "false"}
# What can be chosen, each over the defaults; tests/test_template_lint.py lints the template with each of these.
OPTIONS = {
    "defaults": {},
    "webhook": {"SlackWebhookParameterName": "/sre-agent/slack-webhook"},
    "bot": BOT,
    "webhook in Secrets Manager": {"SlackSecretName": "sre-agent/slack-webhook"},
    "bot in Secrets Manager": {"SlackSecretName": "sre-agent/slack-token", "SlackChannel": "C0123456789"},
    "Amazon Q": AMAZON_Q,
    "no reports kept": NO_REPORTS,
    "existing topic": EXISTING,
    "all alarms": EVERY_ALARM,
    "all alarms that begin so": EVERY_ALARM | {"AlarmNamePrefix": "prod-"},
    "queue": QUEUE,
    "queue and all alarms": QUEUE | EVERY_ALARM | EXISTING,
    "provider's key": {"ProviderKeyParameterName": "/sre-agent/anthropic"},
    "configuration document": {"ConfigParameterName": "/sre-agent/config"},
    "no self-check": NO_SELF_CHECK,
    "reserved concurrency": {"ReservedConcurrency": "5"},
    "x86_64, no fallbacks": {"Architecture": "x86_64", "FallbackModels": ""},
    "everything": QUEUE | EVERY_ALARM | EXISTING | AMAZON_Q | BOT
    | {"ProviderKeyParameterName": "/a", "ConfigParameterName": "/b", "ReservedConcurrency": "5", "AlarmNamePrefix": "p"},
}
SLACK = [OPTIONS[name] for name in ("defaults", "webhook", "bot", "webhook in Secrets Manager", "bot in Secrets Manager")]
FUNCTION = "arn:InvestigateFunction"


def chosen(parameters: dict[str, str]) -> Template:
    """Gives the template with an identifier for each resource, so that what refers to it can be followed."""
    names = {name: f"arn:{name}" for name in Template().document["Resources"]}
    names |= {f"{queue}.QueueName": queue for queue in ("AlarmQueue", "DeadLetterQueue")}
    names |= {"StateTable.Arn": "arn:aws:dynamodb:us-east-1:123456789012:table/state"}
    names |= {"ReportBucket": "reports-of-sre-agent", "ReportBucket.Arn": "arn:aws:s3:::reports-of-sre-agent"}
    return Template(parameters, names)


every_option = pytest.mark.parametrize("parameters", OPTIONS.values(), ids=OPTIONS.keys())


def statement(template: Template, sid: str) -> dict:
    (found,) = [each for each in template.statements() if each["Sid"] == sid]
    return found


# ---- Everything together ----


def every_choice():
    """Gives every combination of the options that decide whether something is there."""
    switches = [
        AMAZON_Q,
        NO_REPORTS,
        EXISTING,
        EVERY_ALARM,
        QUEUE,
        NO_SELF_CHECK,
        {"ProviderKeyParameterName": "/sre-agent/anthropic"},
        {"ConfigParameterName": "/sre-agent/config"},
        {"ReservedConcurrency": "5"},
    ]
    for slack, *on in itertools.product(SLACK, *[(False, True)] * len(switches)):
        parameters = dict(slack)
        for switch in itertools.compress(switches, on):
            parameters |= switch
        yield parameters


def test_no_choice_refers_to_what_it_leaves_out():
    """The reader of the template raises where a resource, an output or a policy names a resource that is not made."""
    tried = 0
    for parameters in every_choice():
        template = chosen(parameters)
        assert "InvestigateFunction" in template.resources()
        assert all(template.outputs().values())
        tried += 1
    assert tried == 5 * 2**9


def test_a_reference_to_what_is_left_out_would_be_found():
    template = chosen(NO_REPORTS)
    with pytest.raises(KeyError):
        template._reference("ReportBucket")
    with pytest.raises(KeyError):
        template._reference("ReportBucket.Arn")


def test_every_parameter_has_a_default_and_a_place_in_the_console():
    document = Template().document
    groups = document["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(document["Parameters"])
    assert all("Default" in body and body["Description"] for body in document["Parameters"].values())


def test_every_parameter_and_every_output_is_described():
    text = (TEMPLATE.parent / "docs" / "deploy.md").read_text(encoding="utf-8")
    document = Template().document
    described = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    assert described == set(document["Parameters"]) | set(document["Outputs"])


def test_the_roles_policies_keep_within_what_iam_takes():
    """The inline policies of a role may hold 10,240 characters together, a managed one 6,144; white space is not counted."""

    def length(documents) -> int:
        return len(re.sub(r"\s", "", json.dumps(documents)))

    many = ",".join(f"us.anthropic.claude-sonnet-4-5-20250929-v{n}:0" for n in range(1, 6))
    long = {name: f"/{'a' * 60}" for name in ("SlackTokenParameterName", "ProviderKeyParameterName", "ConfigParameterName")}
    template = chosen(OPTIONS["everything"] | long | {"FallbackModels": many})
    (role,) = template.resources("AWS::IAM::Role").values()
    documents = [each["PolicyDocument"] for each in role["Properties"]["Policies"]]
    documents += [each["Properties"]["PolicyDocument"] for each in template.resources("AWS::IAM::RolePolicy").values()]
    assert length(documents) < 10_240
    for managed in template.resources("AWS::IAM::ManagedPolicy").values():
        assert managed["Properties"]["Roles"] == ["arn:InvestigateRole"]
        assert length(managed["Properties"]["PolicyDocument"]) < 6_144


@pytest.mark.parametrize(
    "parameters",
    [
        {"SlackWebhookParameterName": "/a"} | BOT,
        {"SlackWebhookParameterName": "/a", "SlackSecretName": "b"},
        BOT | {"SlackSecretName": "b"},
        {"SlackTokenParameterName": "/a"},
        {"SlackChannel": "C0123456789"},
        {"SlackWebhookParameterName": "/a", "SlackChannel": "C0123456789"},
        EXISTING | {"AmazonQTopicArn": EXISTING["ExistingAlarmTopicArn"]},
        {"ExistingAlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:sre-agent-FindingsTopic-1A2B3C"},
        {"AmazonQTopicArn": "arn:aws:sns:us-east-1:123456789012:sre-agent-AlarmTopic-1A2B3C"},
        {"ExistingAlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:*"},
        {"AmazonQTopicArn": "arn:aws:sns:us-east-1:123456789012:*"},
        {"AlarmNamePrefix": "*"},
        QUEUE | {"MaximumConcurrency": "1"},
        {"ReportRetentionDays": "0"},
        {"AllAlarms": "yes"},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_before_anything_is_made(parameters):
    with pytest.raises(ValueError):
        Template(parameters)


# ---- What wakes the function ----


def matches(pattern, event) -> bool:
    """Tells whether EventBridge's pattern takes an event, as far as the template uses its language."""
    if isinstance(pattern, list):
        values = event if isinstance(event, list) else [event]
        return any(takes(value, wanted) for wanted in pattern for value in values if value is not None)
    return all(
        any(matches(way, event) for way in wanted)
        if field == "$or"
        else matches(wanted, (event or {}).get(field))
        for field, wanted in pattern.items()
    )


def takes(value: str, wanted) -> bool:
    if isinstance(wanted, str):
        return value == wanted
    ((operator, argument),) = wanted.items()
    if operator == "prefix":
        return value.startswith(argument)
    if operator == "anything-but":
        return not takes(value, argument)
    raise NotImplementedError(operator)


def change(name: str, state: str, previous: str, account: str = "123456789012") -> dict:
    event = json.loads((TEMPLATE.parent / "events" / "eventbridge-alarm.json").read_text(encoding="utf-8"))
    event["resources"] = [f"arn:aws:cloudwatch:us-east-1:{account}:alarm:{name}"]
    event["detail"] |= {"alarmName": name, "state": {"value": state}, "previousState": {"value": previous}}
    return event


STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


def led_on(template: Template) -> dict[str, set[str]]:
    """Gives what each part hands on to: topics and rules to their targets, queues to their readers."""
    ways: dict[str, set[str]] = {}

    def way(start: str, *ends: str) -> None:
        ways.setdefault(start, set()).update(ends)

    for name, resource in template.resources().items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::SNS::Subscription":
                way(properties["TopicArn"], properties["Endpoint"], properties["RedrivePolicy"]["deadLetterTargetArn"])
            case "AWS::Events::Rule":
                for target in properties["Targets"]:
                    way(f"arn:{name}", target["Arn"], *target.get("DeadLetterConfig", {}).values())
            case "AWS::Lambda::EventSourceMapping":
                way(properties["EventSourceArn"], properties["FunctionName"])
            case "AWS::SQS::Queue" if "RedrivePolicy" in properties:
                way(f"arn:{name}", properties["RedrivePolicy"]["deadLetterTargetArn"])
            case "AWS::Serverless::Function":
                assert "Events" not in properties, "SAM would make wiring that this does not follow"
                way(FUNCTION, properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"])
                way(FUNCTION, *statement(template, "Findings")["Resource"])
    return ways


def reached(ways: dict[str, set[str]], *starts: str) -> set[str]:
    """Gives everything that is reached from there, over any number of steps; a start itself only by a way back."""
    found: set[str] = set()
    left = list(starts)
    while left:
        for end in ways.get(left.pop(), set()) - found:
            found.add(end)
            left.append(end)
    return found


def taken_by_rule(template: Template, name: str) -> bool:
    rule = template.resource("AllAlarmsRule")
    changes = [change(name, state, previous) for state in STATES for previous in STATES]
    return rule is not None and any(matches(rule["Properties"]["EventPattern"], each) for each in changes)


def told(template: Template, name: str, actions: list[str]) -> set[str]:
    """Gives everything that hears of an alarm with these actions."""
    rules = ["arn:AllAlarmsRule"] if taken_by_rule(template, name) else []
    return set(actions) | reached(led_on(template), *actions, *rules)


def own_alarms(template: Template) -> list[dict]:
    return [each["Properties"] for each in template.resources("AWS::CloudWatch::Alarm").values()]


@every_option
def test_an_alarm_on_the_agent_cannot_reach_the_function(parameters):
    template = chosen(parameters)
    alarms = own_alarms(template)
    assert len(alarms) == (2 if parameters.get("SelfCheck") == "false" else 3)
    for alarm in alarms:
        for state in ("AlarmActions", "OKActions"):
            assert alarm[state] == ["arn:FindingsTopic"]
        assert "InsufficientDataActions" not in alarm
        assert FUNCTION not in told(template, alarm["AlarmName"], alarm["AlarmActions"]), alarm["AlarmName"]


@every_option
def test_what_the_function_publishes_does_not_wake_it(parameters):
    template = chosen(parameters)
    assert FUNCTION not in reached(led_on(template), FUNCTION)


@every_option
def test_an_alarm_of_others_reaches_the_function_by_the_topic(parameters):
    template = chosen(parameters)
    topic = template.outputs()["AlarmTopicArn"]
    assert topic == parameters.get("ExistingAlarmTopicArn", "arn:AlarmTopic")
    ways = led_on(template)
    assert {FUNCTION, "arn:DeadLetterQueue"} <= reached(ways, topic)
    assert ("arn:AlarmQueue" in ways[topic]) == (parameters.get("ThroughQueue") == "true")
    assert (FUNCTION in ways[topic]) == (parameters.get("ThroughQueue") != "true")


def test_another_agents_alarms_are_left_to_people():
    template = chosen(EVERY_ALARM)
    assert not taken_by_rule(template, "sre-agent-self-another-stack-errors")


def test_the_proof_can_fail():
    """Without its name an alarm on the agent would be taken by the rule, and by the topic with another action."""
    template = chosen(EVERY_ALARM)
    assert FUNCTION in told(template, "errors-of-sre-agent", ["arn:FindingsTopic"])
    assert FUNCTION in told(template, "sre-agent-self-sre-agent-errors", ["arn:AlarmTopic"])
    looped = led_on(template) | {"arn:FindingsTopic": {FUNCTION}}
    assert FUNCTION in reached(looped, FUNCTION)


@pytest.mark.parametrize("parameters", [EVERY_ALARM, EVERY_ALARM | QUEUE], ids=["directly", "through the queue"])
def test_the_rule_takes_every_alarm_that_goes_off_and_its_end(parameters):
    template = chosen(parameters)
    pattern = template.resource("AllAlarmsRule")["Properties"]["EventPattern"]
    taken = {(was, now) for was in STATES for now in STATES if matches(pattern, change("any alarm: ü", now, was))}
    assert taken == {("OK", "ALARM"), ("ALARM", "ALARM"), ("INSUFFICIENT_DATA", "ALARM"), ("ALARM", "OK")}
    assert not matches(pattern, change("x", "ALARM", "OK", account="111122223333"))
    assert not matches(pattern, change("x", "ALARM", "OK") | {"detail-type": "CloudWatch Alarm Configuration Change"})
    assert FUNCTION in told(template, "x", [])


def test_the_rule_can_be_narrowed_to_a_beginning_of_names():
    template = chosen(EVERY_ALARM | {"AlarmNamePrefix": "prod-"})
    assert taken_by_rule(template, "prod-errors")
    assert not taken_by_rule(template, "test-prod-errors")
    # Nor can the beginning let the agent's own alarms in.
    template = chosen(EVERY_ALARM | {"AlarmNamePrefix": "sre-agent-self-"})
    assert not any(taken_by_rule(template, alarm["AlarmName"]) for alarm in own_alarms(template))


@every_option
def test_whoever_calls_the_function_is_allowed_to_and_nobody_else(parameters):
    template = chosen(parameters)
    topic = template.outputs()["AlarmTopicArn"]
    permissions = [each["Properties"] for each in template.resources("AWS::Lambda::Permission").values()]
    assert {each["FunctionName"] for each in permissions} == {FUNCTION}
    assert {each["Action"] for each in permissions} == {"lambda:InvokeFunction"}
    callers = {(each["Principal"], each["SourceArn"]) for each in permissions}
    expected = {
        ("lambda.alarms.cloudwatch.amazonaws.com", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"),
    }
    if parameters.get("SelfCheck") != "false":
        expected |= {("events.amazonaws.com", "arn:SelfCheckRule")}
    if parameters.get("ThroughQueue") != "true":
        expected |= {("sns.amazonaws.com", topic)}
        if parameters.get("AllAlarms") == "true":
            expected |= {("events.amazonaws.com", "arn:AllAlarmsRule")}
    assert callers == expected
    action = template.resource("AlarmActionPermission")["Properties"]
    assert action["SourceAccount"] == "123456789012"


@every_option
def test_a_queue_takes_messages_of_the_topic_and_the_rule_alone(parameters):
    template = chosen(parameters)
    senders = {template.outputs()["AlarmTopicArn"]} | ({"arn:AllAlarmsRule"} if parameters.get("AllAlarms") == "true" else set())
    for name in ("DeadLetterQueuePolicy", "AlarmQueuePolicy"):
        policy = template.resource(name)
        if policy is None:
            assert parameters.get("ThroughQueue") != "true"
            continue
        (only,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert only["Action"] == "sqs:SendMessage"
        assert set(only["Condition"]["ArnEquals"]["aws:SourceArn"]) == senders


def test_the_alarm_topic_takes_messages_of_this_accounts_alarms_alone():
    (only,) = chosen({}).resource("AlarmTopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    assert only["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert only["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


# ---- The queue ----


def test_the_queue_waits_six_timeouts_and_gives_up_into_the_dead_letter_queue():
    template = chosen(QUEUE | {"MaximumConcurrency": "7"})
    queue = template.resource("AlarmQueue")["Properties"]
    function = template.resource("InvestigateFunction")["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "arn:DeadLetterQueue"
    assert queue["SqsManagedSseEnabled"] is True
    # The last try must come before the message would be dropped.
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    assert tries * queue["VisibilityTimeout"] < queue["MessageRetentionPeriod"]
    assert queue["MessageRetentionPeriod"] < template.resource("DeadLetterQueue")["Properties"]["MessageRetentionPeriod"]
    mapping = template.resource("AlarmQueueMapping")
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["Properties"]["ScalingConfig"] == {"MaximumConcurrency": "7"}
    assert mapping["DependsOn"] == "ReadQueuePolicy"
    assert statement(template, "AlarmQueue")["Resource"] == ["arn:AlarmQueue"]


def test_a_batch_is_no_larger_than_what_the_function_works_on_at_once():
    source = (TEMPLATE.parent / "src" / "handler" / "batch.rs").read_text(encoding="utf-8")
    (lanes,) = re.findall(r"^const MOST_LANES: usize = (\d+);$", source, re.MULTILINE)
    assert chosen(QUEUE).resource("AlarmQueueMapping")["Properties"]["BatchSize"] == int(lanes)


def test_alarms_on_the_agents_queues_are_known_as_its_own():
    assert chosen({}).environment()["SRE_AGENT_OWN_QUEUES"] == "DeadLetterQueue"
    assert chosen(QUEUE).environment()["SRE_AGENT_OWN_QUEUES"] == "DeadLetterQueue,AlarmQueue"


# ---- Where findings go ----


def test_findings_go_to_their_own_topic_and_to_amazon_q_where_it_is_named():
    template = chosen({})
    assert statement(template, "Findings")["Resource"] == ["arn:FindingsTopic"]
    assert template.environment()["SRE_AGENT_FINDINGS_TOPIC_ARN"] == "arn:FindingsTopic"
    assert template.environment()["SRE_AGENT_AMAZON_Q_TOPIC_ARN"] == ""
    template = chosen(AMAZON_Q)
    topic = AMAZON_Q["AmazonQTopicArn"]
    assert template.environment()["SRE_AGENT_AMAZON_Q_TOPIC_ARN"] == topic
    for sid in ("Findings", "Readers"):
        assert statement(template, sid)["Resource"] == ["arn:FindingsTopic", topic]


def test_reports_are_private_and_are_forgotten():
    template = chosen({"ReportRetentionDays": "7"})
    bucket = template.resource("ReportBucket")
    properties = bucket["Properties"]
    blocked = properties["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4 and all(blocked.values())
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert properties["LifecycleConfiguration"]["Rules"] == [{"Id": "forget", "Status": "Enabled", "ExpirationInDays": "7"}]
    assert "AccessControl" not in properties and "WebsiteConfiguration" not in properties
    (only,) = template.resource("ReportBucketPolicy")["Properties"]["PolicyDocument"]["Statement"]
    assert (only["Effect"], only["Principal"], only["Action"]) == ("Deny", "*", "s3:*")
    assert only["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert only["Resource"] == ["arn:aws:s3:::reports-of-sre-agent", "arn:aws:s3:::reports-of-sre-agent/*"]
    assert chosen({}).parameters["ReportRetentionDays"] == "30"


def test_reports_are_written_under_their_prefix_alone_and_never_read():
    template = chosen({})
    assert template.environment()["SRE_AGENT_REPORT_BUCKET"] == "reports-of-sre-agent"
    reports = statement(template, "Reports")
    assert reports["Action"] == ["s3:PutObject"]
    assert reports["Resource"] == ["arn:aws:s3:::reports-of-sre-agent/reports/*"]
    names = statement(template, "ReportNames")
    assert (names["Action"], names["Resource"]) == (["s3:ListBucket"], ["arn:aws:s3:::reports-of-sre-agent"])
    without = chosen(NO_REPORTS)
    assert without.environment()["SRE_AGENT_REPORT_BUCKET"] == ""
    assert without.resources("AWS::S3::Bucket") == {}


def test_what_could_not_be_finished_reaches_the_dead_letter_queue():
    template = chosen({})
    config = template.resource("InvestigateFunction")["Properties"]["EventInvokeConfig"]
    assert config["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": "arn:DeadLetterQueue"}
    assert config["MaximumRetryAttempts"] == 1
    assert statement(template, "FailedInvocations")["Resource"] == ["arn:DeadLetterQueue"]


# ---- What is kept beside them ----


def test_the_functions_log_is_json_in_a_group_of_its_own_that_forgets():
    template = chosen({"LogRetentionDays": "7"})
    assert template.resource("InvestigateLogGroup")["Properties"]["RetentionInDays"] == "7"
    assert chosen({}).resource("InvestigateLogGroup")["Properties"]["RetentionInDays"] == "30"
    logging = template.resource("InvestigateFunction")["Properties"]["LoggingConfig"]
    assert (logging["LogGroup"], logging["LogFormat"]) == ("arn:InvestigateLogGroup", "JSON")
    # Another group would be made by Lambda, which keeps for ever, and the role may not write there.
    assert statement(template, "OwnLog")["Resource"] == ["arn:InvestigateLogGroup"]
    (group,) = template.resources("AWS::Logs::LogGroup")
    assert group == "InvestigateLogGroup"


def test_the_state_is_paid_by_request_and_expires_by_the_attribute_that_the_program_writes():
    table = chosen({}).resource("StateTable")["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST" and "ProvisionedThroughput" not in table
    expiry = table["TimeToLiveSpecification"]
    assert expiry["Enabled"] is True
    source = (TEMPLATE.parent / "src" / "aws" / "dynamodb.rs").read_text(encoding="utf-8")
    updated = re.findall(r"(\w+) = :expires\b", source)
    put = re.findall(r'\.item\("(\w+)", expires_after\(', source)
    assert len(updated) >= 2 and put
    assert {*updated, *put} == {expiry["AttributeName"]}
    # The value is the time itself, in whole seconds.
    assert set(re.findall(r'\(":expires", (\w+\()', source)) == {"expires("}
    (key,) = re.findall(r'^const KEY: &str = "(\w+)";$', source, re.MULTILINE)
    assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]


# ---- What is denied ----

ELSEWHERE = [
    ("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/prod/database-password"),
    ("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/prod/database-password"),
    ("ssm:GetParametersByPath", "arn:aws:ssm:us-east-1:123456789012:parameter/"),
    ("ssm:GetParameterHistory", "arn:aws:ssm:us-east-1:123456789012:parameter/prod/database-password"),
    ("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/aws/reference/secretsmanager/prod/database"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/database-AbCdEf"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:sre-agent/slack-token-AbCdEf"),
    ("s3:GetObject", "arn:aws:s3:::customers/2026.csv"),
    ("s3:GetObjectVersion", "arn:aws:s3:::customers/2026.csv"),
    ("s3:GetObject", "arn:aws:s3:::reports-of-sre-agent/reports/x"),
    ("s3:GetObject", "arn:aws:s3:::reports-of-sre-agent-2/reports/x"),
    ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:123456789012:table/customers"),
    ("dynamodb:BatchGetItem", "arn:aws:dynamodb:us-east-1:123456789012:table/customers"),
    ("dynamodb:Query", "arn:aws:dynamodb:us-east-1:123456789012:table/customers/index/by-name"),
    ("dynamodb:Scan", "arn:aws:dynamodb:us-east-1:123456789012:table/state2"),
    ("dynamodb:PartiQLSelect", "arn:aws:dynamodb:us-east-1:123456789012:table/customers"),
    ("dynamodb:GetRecords", "arn:aws:dynamodb:us-east-1:123456789012:table/customers/stream/2026"),
]


@every_option
@pytest.mark.parametrize(("action", "resource"), ELSEWHERE, ids=str)
def test_data_of_others_is_denied_whatever_else_is_granted(parameters, action, resource):
    assert chosen(parameters).denies(action, resource)


@every_option
def test_no_denial_takes_back_what_is_granted(parameters):
    template = chosen(parameters)
    for each in template.statements():
        for action, pattern in itertools.product(each["Action"], each["Resource"]):
            # The pattern itself, and something that it covers.
            for resource in {pattern, pattern.replace("*", "some/thing").replace("?", "x")}:
                assert not template.denies(action, resource), (each["Sid"], action, resource)


@every_option
def test_what_the_environment_names_can_be_read(parameters):
    template = chosen(parameters)
    places = [value.removeprefix("ssm:") for value in template.environment().values() if str(value).startswith("ssm:")]
    places += [value for name, value in parameters.items() if name == "ProviderKeyParameterName"]
    assert bool(places) == bool({name for name in parameters if name.endswith(("ParameterName", "SecretName"))})
    for place in places:
        arn = f"arn:aws:ssm:us-east-1:123456789012:parameter{place}"
        assert arn in statement(template, "NamedParameters")["Resource"]
        assert not template.denies("ssm:GetParameter", arn)
        if "/reference/" in place:
            name = place.removeprefix("/aws/reference/secretsmanager/")
            secret = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-AbCdEf"
            assert not template.denies("secretsmanager:GetSecretValue", secret)


def test_only_reads_are_denied():
    assert all(each["Effect"] == "Deny" for each in Template().denials())
    denied = [each["Action"] for each in Template().denials()]
    names = {name.split(":")[1] for action in denied for name in ([action] if isinstance(action, str) else action)}
    assert all(name.startswith(("Get", "BatchGet", "Query", "Scan", "PartiQLSelect")) for name in names)


# ---- The agent itself ----


def test_the_function_looks_at_itself_once_a_day():
    (rule,) = chosen({}).resources("AWS::Events::Rule").values()
    properties = rule["Properties"]
    assert properties["ScheduleExpression"] == "rate(1 day)"
    (target,) = properties["Targets"]
    assert (target["Arn"], json.loads(target["Input"])) == (FUNCTION, {"doctor": True})
    assert chosen(NO_SELF_CHECK).resources("AWS::Events::Rule") == {}


def test_people_hear_when_the_agent_fails_gives_up_or_falls_silent():
    alarms = {alarm["MetricName"]: alarm for alarm in own_alarms(chosen({}))}
    assert set(alarms) == {"Errors", "ApproximateNumberOfMessagesVisible", "Heartbeat"}
    assert alarms["Errors"]["Dimensions"] == [{"Name": "FunctionName", "Value": FUNCTION}]
    assert alarms["ApproximateNumberOfMessagesVisible"]["Dimensions"] == [{"Name": "QueueName", "Value": "DeadLetterQueue"}]
    for metric in ("Errors", "ApproximateNumberOfMessagesVisible"):
        assert alarms[metric]["TreatMissingData"] == "notBreaching"
    heartbeat = alarms["Heartbeat"]
    assert (heartbeat["Namespace"], heartbeat["TreatMissingData"]) == ("SreAgent", "breaching")
    assert heartbeat["Period"] * heartbeat["EvaluationPeriods"] == 25 * 3600
    # CloudWatch looks back on more than a day by periods of at least an hour, and on a week at most.
    assert heartbeat["Period"] >= 3600 and 25 * 3600 <= 7 * 86400


def test_concurrency_is_set_aside_only_where_it_is_asked_for():
    assert "ReservedConcurrentExecutions" not in chosen({}).resource("InvestigateFunction")["Properties"]
    reserved = chosen({"ReservedConcurrency": "5"}).resource("InvestigateFunction")["Properties"]
    assert reserved["ReservedConcurrentExecutions"] == "5"


def test_the_outputs_are_the_commands_for_the_next_steps():
    outputs = chosen({}).outputs()
    # CloudFormation does not keep their order, so the descriptions number them.
    described = Template({}).document["Outputs"]
    for number, names in enumerate([["DoctorCommand"], ["SubscribeCommand"], ["AlarmTopicArn", "FunctionArn"], ["SmokeTestCommand"]], 1):
        assert all(described[name]["Description"].startswith(str(number)) for name in names), number
    assert """--payload '{"doctor": true}'""" in outputs["DoctorCommand"]
    assert "aws sns subscribe" in outputs["SubscribeCommand"] and "arn:FindingsTopic" in outputs["SubscribeCommand"]
    assert outputs["SmokeTestCommand"].startswith("aws cloudwatch set-alarm-state")
    # The command line gives up after a minute, which an investigation may take.
    timeout = chosen({}).resource("InvestigateFunction")["Properties"]["Timeout"]
    for name in ("DoctorCommand", "TryCommand"):
        (seconds,) = re.findall(r"--cli-read-timeout (\d+)", outputs[name])
        assert int(seconds) > timeout
