"""The template with its functions worked out, as CloudFormation would for given parameters.

Only the functions that the template uses are known; whatever else is met is an error, never a
guess. ARNs are those of the account `ACCOUNT` in the partition `aws`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).with_name("template.yaml")
ACCOUNT = "000000000000"
"""SeaweedFS's own: all its users and roles are of this account."""
NO_VALUE = "AWS::NoValue"
_NAME = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


class _Loader(yaml.SafeLoader):
    """YAML in which `!Sub x` is `{"Fn::Sub": x}`, and `!Ref x` is `{"Ref": x}`."""


def _function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    argument: Any
    if isinstance(node, yaml.ScalarNode):
        argument = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        raise ValueError(f"!{name}{node.start_mark}: takes a text or a list")
    return {name if name == "Ref" else f"Fn::{name}": argument}


_Loader.add_multi_constructor("!", _function)


@dataclass(frozen=True)
class Stack:
    """A template under parameters; raises ValueError for what it can't work out."""

    template: dict[str, Any]
    parameters: Mapping[str, str | list[str]]

    @classmethod
    def of(cls, text: str, **given: str | list[str]) -> Stack:
        """The stack of a template's text; parameters that are not given have their defaults."""
        template: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        known = template["Parameters"]
        unknown = given.keys() - known.keys()
        missing = [name for name in known if name not in given and "Default" not in known[name]]
        if unknown or missing:
            raise ValueError(f"parameters: unknown {sorted(unknown)}, missing {missing}")
        for name, value in given.items():
            pattern = known[name].get("AllowedPattern", ".*")
            if isinstance(value, str) and not re.fullmatch(pattern, value):
                raise ValueError(f"{name}: got {value!r}; takes {pattern}")
        defaults = {name: entry["Default"] for name, entry in known.items() if name not in given}
        return cls(template, {**defaults, **given})

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The properties of every resource, by its name in the template."""
        found = self.template["Resources"].items()
        return {name: self._worked_out(resource["Properties"]) for name, resource in found}

    def policies(self, role: str) -> list[str]:
        """The names of the policies that a role has."""
        return [arn.rpartition("/")[2] for arn in self.resources[role]["ManagedPolicyArns"]]

    def of_type(self, kind: str) -> list[str]:
        """The names of all resources of a type, as AWS::IAM::Role."""
        found = self.template["Resources"].items()
        return [name for name, resource in found if resource["Type"] == kind]

    def arn(self, name: str) -> str:
        """The ARN of a resource."""
        return self._attribute(f"{name}.Arn")

    def trust(self, role: str) -> dict[str, Any]:
        """Who may take a role."""
        document = self.resources[role]["AssumeRolePolicyDocument"]
        found: dict[str, Any] = json.loads(document) if isinstance(document, str) else document
        return found

    def _worked_out(self, node: Any) -> Any:
        if isinstance(node, list):
            items = [self._worked_out(item) for item in node]
            return [item for item in items if item != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        pairs = {key: self._worked_out(value) for key, value in node.items()}
        return {key: value for key, value in pairs.items() if value != NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str():
                return self._reference(argument)
            case "Fn::GetAtt", str():
                return self._attribute(argument)
            case "Fn::Sub", str():
                return _NAME.sub(lambda found: self._substitute(found[1]), argument)
            case "Fn::If", [condition, then, other]:
                return self._worked_out(then if self._holds(condition) else other)
        raise ValueError(f"{name} of {argument!r} is not known here")

    def _holds(self, condition: str) -> bool:
        match self.template["Conditions"][condition]:
            case {"Fn::Not": [{"Fn::Equals": [one, other]}]}:
                return bool(self._worked_out(one) != self._worked_out(other))
        raise ValueError(f"the condition {condition} is not of a form known here")

    def _substitute(self, name: str) -> str:
        found = self._attribute(name) if "." in name else self._reference(name)
        if not isinstance(found, str):
            raise ValueError(f"${{{name}}} is a list")
        return found

    def _reference(self, name: str) -> str | list[str]:
        own = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, NO_VALUE: NO_VALUE}
        if name in own:
            return own[name]
        if name in self.parameters:
            return self.parameters[name]
        match self._type(name):
            case "AWS::S3::Bucket":
                return self._substitute("BucketName")
            case "AWS::IAM::ManagedPolicy":
                return f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        raise ValueError(f"a reference to {name} is not known here")

    def _attribute(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        match self._type(name), attribute:
            case "AWS::S3::Bucket", "Arn":
                return f"arn:aws:s3:::{self._reference(name)}"
            case "AWS::IAM::Role", "Arn":
                return f"arn:aws:iam::{ACCOUNT}:role/{name}"
        raise ValueError(f"the attribute {path} is not known here")

    def _type(self, name: str) -> str:
        try:
            return str(self.template["Resources"][name]["Type"])
        except KeyError:
            raise ValueError(f"the template has no {name}") from None
