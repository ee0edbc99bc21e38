"""Every parameter that holds one value, as a form that asks for it needs to know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tasks.params.base import PARAMS, check, read
from tasks.params.schema import Params

LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
"""What the schema calls a limit of a value that may be null, in JSON Schema's words."""
HOUSEKEEPING = "housekeeping"
"""The section that no run reads."""
SCALARS = {"string", "integer", "number", "boolean", "null"}


@dataclass(frozen=True)
class Knob:
    """A parameter by its dotted name, with its present value."""

    key: str
    value: str | int | float | bool | None
    description: str
    rules: dict[str, Any]
    """Its JSON Schema; `type` is a list where the value may be null."""

    @property
    def types(self) -> list[str]:
        """The JSON types that it takes."""
        found = self.rules["type"]
        return found if isinstance(found, list) else [found]


def knobs(root: Path, only: str | None = None) -> Iterator[Knob]:
    """The parameters of the project in `root`, in the order of the schema: those of the section
    `only`, or without it of all that a run reads.

    Lists and structures are left out. Raises BadInput when `params.yaml` is not as it should be.
    """
    content = read(root / PARAMS)
    check(Params, content, root / PARAMS)
    present = flat(content)
    schema = _schema()
    for section, reference in schema["properties"].items():
        if section != only if only else section == HOUSEKEEPING:
            continue
        model = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        for name, field in model["properties"].items():
            key = f"{section}.{name}"
            value = present.get(key, field.get("default"))
            rules = _rules(field)
            if rules is not None and (value is None or isinstance(value, str | int | float)):
                yield Knob(key, value, field.get("description", ""), rules)


def flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Sections as dotted keys; a key that is dotted already stays. Dates become text."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if "." not in key and isinstance(value, dict):
            found.update({f"{key}.{name}": _plain(inner) for name, inner in value.items()})
        else:
            found[key] = _plain(value)
    return found


def as_yaml(value: Any) -> str:
    """On one line; the marker that YAML ends a lone scalar with is left out."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("...\n").strip()


@cache
def _schema() -> dict[str, Any]:
    """It takes longer than all else here, and a DAG processor asks for hundreds of models."""
    return Params.model_json_schema()


def _rules(field: dict[str, Any]) -> dict[str, Any] | None:
    """A field's JSON Schema with the arms of a nullable one joined; None for what is no scalar."""
    rules: dict[str, Any] = {}
    types: list[str] = []
    for arm in field.get("anyOf", [field]):
        if arm.get("type") not in SCALARS:
            return None
        types.append(arm["type"])
        rules |= {LIMITS.get(key, key): value for key, value in arm.items()}
    for key in ("type", "default", "title", "description"):
        rules.pop(key, None)
    if len(types) > 1 and "enum" in rules:
        rules["enum"] = [*rules["enum"], None]
    return {"type": types if len(types) > 1 else types[0], **rules}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
