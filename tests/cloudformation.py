"""Reads template.yaml and works out its intrinsic functions, as far as this template uses them.

Anything it does not know is an error, so that a test never passes because a function was left unresolved.
"""

from __future__ import annotations

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


class Template:
    """One template with its parameters and the identifiers that its resources would get."""

    def __init__(self, parameters: dict[str, str] | None = None, identifiers: dict[str, str] | None = None):
        self.document = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=_Loader)
        declared = self.document["Parameters"]
        unknown = set(parameters or {}) - set(declared)
        if unknown:
            raise KeyError(f"the template has no parameter {sorted(unknown)}")
        self.parameters = {name: str(body["Default"]) for name, body in declared.items()} | (parameters or {})
        for name, value in self.parameters.items():
            pattern = declared[name].get("AllowedPattern")
            if pattern and not re.fullmatch(pattern, value):
                raise ValueError(f"{name} refuses {value!r}")
        self.identifiers = identifiers or {}

    def resource(self, name: str) -> dict | None:
        """Gives a resource with every function resolved, or nothing when its condition is false."""
        body = self.document["Resources"][name]
        if "Condition" in body and not self._condition(body["Condition"]):
            return None
        return self._value({key: value for key, value in body.items() if key != "Condition"})

    def resources(self, kind: str) -> dict[str, dict]:
        """Gives all resources of a type."""
        names = [name for name, body in self.document["Resources"].items() if body["Type"] == kind]
        found = {name: self.resource(name) for name in names}
        return {name: body for name, body in found.items() if body is not None}

    def environment(self) -> dict[str, str]:
        """Gives the function's environment variables."""
        return self.resource("InvestigateFunction")["Properties"]["Environment"]["Variables"]

    def statements(self) -> list[dict]:
        """Gives every statement that the function's role ends up with, with actions and resources as lists."""
        found = []
        for role in self.resources("AWS::IAM::Role").values():
            if "ManagedPolicyArns" in role["Properties"]:
                raise ValueError("the role has managed policies, which this reader cannot see into")
            found += [each["PolicyDocument"] for each in role["Properties"]["Policies"]]
        found += [each["Properties"]["PolicyDocument"] for each in self.resources("AWS::IAM::RolePolicy").values()]
        return [
            {**statement, "Action": _as_list(statement["Action"]), "Resource": _as_list(statement["Resource"])}
            for document in found
            for statement in document["Statement"]
        ]

    def _reference(self, name: str):
        if name == "AWS::NoValue":
            return _NOTHING
        for known in (self.parameters, PSEUDO_PARAMETERS, self.identifiers):
            if name in known:
                return known[name]
        if name in self.document["Resources"]:
            return f"<{name}>"
        raise KeyError(f"the template refers to {name}, which it does not declare")

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
        raise NotImplementedError(function)

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
            resource, attribute = argument
            return self.identifiers.get(resource, f"<{resource}.{attribute}>")
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


def _as_list(value) -> list:
    return value if isinstance(value, list) else [value]
