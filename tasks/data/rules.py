"""What a row must be like to become an example; one that is not goes to quarantine."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from tasks.task.labels import SHOWN_CHARACTERS, Refused

_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


def check_texts(values: Sequence[Any], columns: Sequence[str], longest: int) -> Refused | None:
    """The first rule that one of the texts breaks, if any. `longest` is in characters."""
    for value, column in zip(values, columns, strict=True):
        if not isinstance(value, str):
            if value is None or value != value:
                return Refused("no text", f"column {column!r} is empty")
            kind = type(value).__name__
            return Refused("text is no string", f"column {column!r} holds a value of type {kind}")
        stripped = value.strip()
        if not stripped:
            return Refused("no text", f"column {column!r} is empty")
        if len(value) > longest:
            return Refused(
                "text too long",
                f"column {column!r} has {len(value):,} characters; "
                f"ingest.max_characters is {longest:,}",
            )
        if "\0" in value or not _is_unicode(value):
            return Refused("broken characters", f"column {column!r} has NUL or half characters")
        if not (stripped[0].isalnum() or _is_visible(stripped)):
            return Refused("no text", f"column {column!r} has nothing that can be seen")
    return None


def shown(value: Any) -> str | None:
    """The start of a value, as it is kept in quarantine; always storable as UTF-8."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value)
    return text[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _is_visible(text: str) -> bool:
    """Whether any character is more than space, control or format, as zero-width ones are."""
    return any(unicodedata.category(character) not in _INVISIBLE for character in text)


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
