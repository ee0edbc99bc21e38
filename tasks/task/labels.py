"""What a label cell says, as plain text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row is no example: `rule` is one of a few names, `reason` says it of this row."""

    rule: str
    reason: str


def label_text(value: Any) -> str | Refused:
    """A label as plain text without white space around it: 1 and 1.0 are "1"."""
    if is_missing(value):
        return Refused("no label", "the label is empty")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isinf(value):
        return Refused("no label", f"the label is {value}")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        kind = type(value).__name__
        return Refused("label is no string", f"the label is a value of type {kind}")
    label = value.strip()
    if not label or label.lower() == "nan":
        return Refused("no label", f"the label is {value!r}" if value else "the label is empty")
    if not label.isprintable():
        return Refused("broken characters", f"the label is {label[:SHOWN_CHARACTERS]!r}")
    return label


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: null, or the number that is none."""
    return value is None or (isinstance(value, float) and math.isnan(value))
