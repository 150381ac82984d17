"""Reads template.yaml and works out its conditions, rules and intrinsic functions, as far as this template uses them.

Anything it does not know is an error, and so is a reference to a resource that the parameters leave out. So a test never
passes because a function was left unresolved.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from pathlib import Path

import yaml

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"

PSEUDO_PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "sre-agent",
    "AWS::URLSuffix": "amazonaws.com",
}

_NOTHING = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, each turned into its long form."""


def _short_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


@functools.cache
def _document() -> dict:
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=_Loader)


class Template:
    """One template with its parameters and the identifiers that its resources would get.

    An identifier is what `Ref` gives of a resource, and what `GetAtt` gives unless "Resource.Attribute" has its own.
    """

    def __init__(self, parameters: dict[str, str] | None = None, identifiers: dict[str, str] | None = None):
        self.document = _document()
        declared = self.document["Parameters"]
        unknown = set(parameters or {}) - set(declared)
        if unknown:
            raise KeyError(f"the template has no parameter {sorted(unknown)}")
        self.parameters = {name: str(body["Default"]) for name, body in declared.items()} | (parameters or {})
        for name, value in self.parameters.items():
            if not _accepts(declared[name], value):
                raise ValueError(f"{name} refuses {value!r}")
        self.identifiers = identifiers or {}
        for rule in self.document["Rules"].values():
            if self._truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
                for each in rule["Assertions"]:
                    if not self._truth(each["Assert"]):
                        raise ValueError(each["AssertDescription"])

    def resource(self, name: str) -> dict | None:
        """Gives a resource with every function resolved, or nothing when its condition is false."""
        if not self._exists(name):
            return None
        body = self.document["Resources"][name]
        for other in _as_list(body.get("DependsOn", [])):
            self._demand(other)
        return self._value({key: value for key, value in body.items() if key != "Condition"})

    def resources(self, kind: str | None = None) -> dict[str, dict]:
        """Gives all resources of a type, or all."""
        declared = self.document["Resources"].items()
        found = {name: self.resource(name) for name, body in declared if kind in (None, body["Type"])}
        return {name: body for name, body in found.items() if body is not None}

    def outputs(self) -> dict[str, str]:
        """Gives the outputs whose condition is true."""
        declared = self.document["Outputs"].items()
        there = {name: body for name, body in declared if "Condition" not in body or self._condition(body["Condition"])}
        return {name: self._value(body["Value"]) for name, body in there.items()}

    def environment(self) -> dict[str, str]:
        """Gives the function's environment variables."""
        return self.resource("InvestigateFunction")["Properties"]["Environment"]["Variables"]

    def decided(self) -> dict:
        """Gives the template with its conditions decided: what they leave out is gone, every reference is still there."""
        kept = {key: self.document[key] for key in ("AWSTemplateFormatVersion", "Transform", "Description")}
        kept["Resources"] = {
            name: {key: self._decided(value) for key, value in body.items() if key != "Condition"}
            for name, body in self.document["Resources"].items()
            if self._exists(name)
        }
        kept["Outputs"] = {name: {"Value": self._decided(self.document["Outputs"][name]["Value"])} for name in self.outputs()}
        text = json.dumps(kept)
        used = {name for name in self.parameters if f'"Ref": "{name}"' in text or f"${{{name}}}" in text}
        declared = self.document["Parameters"].items()
        # A number stays one.
        kept["Parameters"] = {
            name: body | {"Default": type(body["Default"])(self.parameters[name])} for name, body in declared if name in used
        }
        return kept

    def statements(self) -> list[dict]:
        """Gives every statement by which the function's role may do something, with actions and resources as lists."""
        return [
            {**statement, "Action": _as_list(statement["Action"]), "Resource": _as_list(statement["Resource"])}
            for statement in self._role_statements()
            if statement["Effect"] == "Allow"
        ]

    def denials(self) -> list[dict]:
        """Gives every statement by which it may not."""
        return [statement for statement in self._role_statements() if statement["Effect"] != "Allow"]

    def denies(self, action: str, resource: str | None) -> bool:
        """Tells whether the role explicitly denies a call; one that knows no resource is asked of "*"."""
        resource = resource or "*"

        def covers(statement: dict, key: str, value: str) -> bool:
            return any(fnmatch.fnmatchcase(value, pattern) for pattern in _as_list(statement[key]))

        return any(
            covers(each, "Action", action)
            and (covers(each, "Resource", resource) if "Resource" in each else not covers(each, "NotResource", resource))
            for each in self.denials()
        )

    def _role_statements(self) -> list[dict]:
        found = []
        for role in self.resources("AWS::IAM::Role").values():
            if "ManagedPolicyArns" in role["Properties"]:
                raise ValueError("the role has managed policies, which this reader cannot see into")
            found += [each["PolicyDocument"] for each in role["Properties"]["Policies"]]
        for kind in ("AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
            found += [each["Properties"]["PolicyDocument"] for each in self.resources(kind).values()]
        return [statement for document in found for statement in document["Statement"]]

    def _exists(self, name: str) -> bool:
        body = self.document["Resources"][name]
        return "Condition" not in body or self._condition(body["Condition"])

    def _demand(self, name: str) -> None:
        if not self._exists(name):
            raise KeyError(f"{name} is referred to, and these parameters leave it out")

    def _reference(self, name: str):
        if name == "AWS::NoValue":
            return _NOTHING
        for known in (self.parameters, PSEUDO_PARAMETERS):
            if name in known:
                return known[name]
        if name in self.document["Resources"]:
            self._demand(name)
            return self.identifiers.get(name, f"<{name}>")
        if "." in name:
            return self._attribute(*name.split(".", 1))
        raise KeyError(f"the template refers to {name}, which it does not declare")

    def _attribute(self, resource: str, attribute: str) -> str:
        self._demand(resource)
        own = f"{resource}.{attribute}"
        return self.identifiers.get(own, self.identifiers.get(resource, f"<{own}>"))

    def _condition(self, name: str) -> bool:
        return self._truth(self.document["Conditions"][name])

    def _truth(self, body: dict) -> bool:
        ((function, argument),) = body.items()
        if function == "Condition":
            return self._condition(argument)
        if function == "Fn::Equals":
            return self._value(argument[0]) == self._value(argument[1])
        if function == "Fn::Not":
            return not self._truth(argument[0])
        if function == "Fn::Or":
            return any(self._truth(each) for each in argument)
        if function == "Fn::And":
            return all(self._truth(each) for each in argument)
        raise NotImplementedError(function)

    def _decided(self, body):
        """Takes the branch of every condition and leaves the other functions as they are."""
        if isinstance(body, list):
            return [value for value in map(self._decided, body) if value is not _NOTHING]
        if not isinstance(body, dict):
            return body
        if set(body) == {"Fn::If"}:
            condition, then, otherwise = body["Fn::If"]
            return self._decided(then if self._condition(condition) else otherwise)
        if body == {"Ref": "AWS::NoValue"}:
            return _NOTHING
        values = {key: self._decided(value) for key, value in body.items()}
        return {key: value for key, value in values.items() if value is not _NOTHING}

    def _value(self, body):
        if isinstance(body, list):
            return [value for value in map(self._value, body) if value is not _NOTHING]
        if not isinstance(body, dict):
            return body
        if len(body) == 1:
            ((function, argument),) = body.items()
            if function == "Ref":
                return self._reference(argument)
            if function.startswith("Fn::"):
                return self._function(function, argument)
        values = {key: self._value(value) for key, value in body.items()}
        return {key: value for key, value in values.items() if value is not _NOTHING}

    def _function(self, function: str, argument):
        if function == "Fn::GetAtt":
            return self._attribute(*argument)
        if function == "Fn::If":
            condition, then, otherwise = argument
            return self._value(then if self._condition(condition) else otherwise)
        if function == "Fn::Join":
            separator, parts = argument
            return separator.join(self._value(parts))
        if function == "Fn::Split":
            separator, text = argument
            return self._value(text).split(separator)
        if function == "Fn::Sub":
            text, names = (argument, {}) if isinstance(argument, str) else argument
            return re.sub(
                r"\$\{([^!}]+)\}",
                lambda match: self._value(names[match[1]]) if match[1] in names else self._reference(match[1]),
                text,
            )
        raise NotImplementedError(function)


def _accepts(declared: dict, value: str) -> bool:
    """Tells whether a parameter takes a value."""
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], value):
        return False
    if "AllowedValues" in declared and value not in map(str, declared["AllowedValues"]):
        return False
    if declared["Type"] == "Number" and not declared.get("MinValue", 0) <= int(value) <= declared.get("MaxValue", 1e9):
        return False
    return len(value) <= declared.get("MaxLength", 4096)


def _as_list(value) -> list:
    return value if isinstance(value, list) else [value]
