"""The trigger form: a field a knob of `params.yaml`, made from the same typed schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Param

from tasks.params.base import PARAMS, read
from tasks.params.knobs import Knob, as_yaml, flat, knobs

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
WORDS = {
    "minimum": "{} or more",
    "exclusiveMinimum": "more than {}",
    "maximum": "{} at most",
    "exclusiveMaximum": "less than {}",
}


def form(root: Path, section: str | None = None) -> dict[str, Param]:
    """Every field that holds one value, by its dotted name, defaults from the project's own file:
    those of one section, or without it of all that a run reads.

    Lists and structures have no field: they can be given as JSON, and `prepare` checks them.
    Raises BadInput when `params.yaml` is not as it should be.
    """
    fields = {knob.key: _field(knob) for knob in knobs(root, section)}
    first = [key for key in EVERYDAY if key in fields]
    return {key: fields[key] for key in (*first, *(key for key in fields if key not in first))}


def changes(conf: Mapping[str, Any], root: Path) -> list[str]:
    """What was filled in and differs from `params.yaml`, as `section.key=VALUE` in YAML."""
    present = flat(read(root / PARAMS))
    missing = object()
    return [
        f"{key}={as_yaml(value)}"
        for key, value in flat(conf).items()
        if present.get(key, missing) != value
    ]


def _field(knob: Knob) -> Param:
    section = {} if knob.key in EVERYDAY else {"section": knob.key.partition(".")[0]}
    said = {"title": knob.key, "description_md": _help(knob.description, knob.rules)}
    return Param(knob.value, schema={**said, **section, **knob.rules})


def _help(description: str, rules: dict[str, Any]) -> str:
    """What it is and which values it takes; a field is left empty for null."""
    limits = [
        words.format(f"{rules[key]:,g}")
        for key, words in WORDS.items()
        if key in rules and not (key == "minimum" and "exclusiveMinimum" in rules)
    ]
    said = re.sub(r"\bnull\b", "empty", description)
    return "; ".join(part for part in (said, ", ".join(limits)) if part)
