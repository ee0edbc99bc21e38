"""The trigger form: a field a knob of `params.yaml`, made from the same typed schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import Param

from tasks.params.base import PARAMS, check, read
from tasks.params.schema import Params

EVERYDAY = (
    "ingest.source",
    "snapshot.data_date",
    "finetune.model",
    "finetune.epochs",
    "finetune.learning_rate",
    "finetune.processes",
    "benchmark.max_drop",
    "publish.promotion",
)
"""What people change from one run to the next: it stands first, in the section that is open."""
LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
"""What the schema calls a limit of a value that may be null, in JSON Schema's words."""
WORDS = {
    "minimum": "{} or more",
    "exclusiveMinimum": "more than {}",
    "maximum": "{} at most",
    "exclusiveMaximum": "less than {}",
}
SCALARS = {"string", "integer", "number", "boolean", "null"}


def form(root: Path) -> dict[str, Param]:
    """Every field that holds one value, by its dotted name, defaults from the project's own file.

    Lists and structures have no field: they can be given as JSON, and `prepare` checks them.
    Raises BadInput when `params.yaml` is not as it should be.
    """
    content = read(root / PARAMS)
    check(Params, content, root / PARAMS)
    fields = dict(_fields(flat(content)))
    first = [key for key in EVERYDAY if key in fields]
    return {key: fields[key] for key in (*first, *(key for key in fields if key not in first))}


def changes(conf: Mapping[str, Any], root: Path) -> list[str]:
    """What was filled in and differs from `params.yaml`, as `section.key=VALUE` in YAML."""
    present = flat(read(root / PARAMS))
    missing = object()
    return [
        f"{key}={_as_yaml(value)}"
        for key, value in flat(conf).items()
        if present.get(key, missing) != value
    ]


def flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Sections as dotted keys; a key that is dotted already stays. Dates become text."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if "." not in key and isinstance(value, dict):
            found.update({f"{key}.{name}": _plain(inner) for name, inner in value.items()})
        else:
            found[key] = _plain(value)
    return found


def _fields(present: dict[str, Any]) -> Iterator[tuple[str, Param]]:
    schema = Params.model_json_schema()
    for section, reference in schema["properties"].items():
        model = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        for name, field in model["properties"].items():
            key = f"{section}.{name}"
            value = present.get(key, field.get("default"))
            rules = _rules(field)
            if rules is not None and _is_scalar(value):
                yield key, _field(key, value, field.get("description", ""), rules)


def _field(key: str, value: Any, description: str, rules: dict[str, Any]) -> Param:
    section = {} if key in EVERYDAY else {"section": key.partition(".")[0]}
    said = {"title": key, "description_md": _help(description, rules)}
    return Param(value, schema={**said, **section, **rules})


def _help(description: str, rules: dict[str, Any]) -> str:
    """What it is and which values it takes; a field is left empty for null."""
    limits = [
        words.format(f"{rules[key]:,g}")
        for key, words in WORDS.items()
        if key in rules and not (key == "minimum" and "exclusiveMinimum" in rules)
    ]
    said = re.sub(r"\bnull\b", "empty", description)
    return "; ".join(part for part in (said, ", ".join(limits)) if part)


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


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _as_yaml(value: Any) -> str:
    """On one line; the marker that YAML ends a lone scalar with is left out."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("...\n").strip()
