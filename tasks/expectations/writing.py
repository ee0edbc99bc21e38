"""Entries as the text of an `expectations.yaml`, laid out for people to edit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from tasks.expectations.entries import Entry

WIDTH = 96
_UNBROKEN = 1_000_000


def entry_text(content: Mapping[str, Any], comment: str = "") -> str:
    """One entry, a key a line, lists in brackets; the comment above it."""
    above = textwrap.wrap(comment, WIDTH, initial_indent="# ", subsequent_indent="# ")
    lines = [line for key, value in content.items() for line in _lines(key, value)]
    return "\n".join([*above, "- " + "\n  ".join(lines), ""])


def effective_text(entry: Entry) -> str:
    """An entry in effect, with every key that is not at its default, and its severity."""
    content = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return entry_text({**content, "severity": entry.severity})


def _lines(key: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [line for name, item in value.items() for line in _lines(name, item)]
        return [f"{key}:", *(f"  {line}" for line in inner)]
    if isinstance(value, list):
        text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=WIDTH - 8)
        first, *rest = text.strip().splitlines()
        return [f"{key}: {first}", *(f"  {line}" for line in rest)]
    whole = isinstance(value, float) and value.is_integer()
    content = {key: int(value) if whole else value}
    return [yaml.safe_dump(content, allow_unicode=True, width=_UNBROKEN).strip()]
