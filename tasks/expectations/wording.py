"""What was expected and found, in words: for the message of a run that stops, and for the docs."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from tasks.expectations.audit import Judged
from tasks.expectations.tables import RECORDS

SHOWN_VALUES = 10
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def verdict(one: Judged) -> str:
    """`met`, `not met`, `warned` (not met, but only a warning) or `not judged`."""
    if one.ok is None:
        return "not judged"
    return "met" if one.ok else "not met" if one.stops else "warned"


def demand(one: Judged) -> str:
    """The limits in words: `at least 8`, `takes 'a', 'b'`; empty when the name says it all."""
    limit = one.outcome()["limit"]
    words = [
        f"{word} {number(limit[key])}"
        for key, word in (("min_value", "at least"), ("max_value", "at most"))
        if limit.get(key) is not None
    ]
    if isinstance(limit.get("value_set"), list):
        words.append(f"takes {', '.join(map(repr, limit['value_set'][:SHOWN_VALUES]))}")
    if "regex" in limit:
        words.append(f"the pattern is {limit['regex']!r}")
    return ", ".join(words) + one.entry.scope


def told(one: Judged) -> str:
    """What was found: `3 rows`, `got 40`, `not judged: …`."""
    if one.ok is None:
        return f"not judged: {one.why}"
    outcome = one.outcome()
    count, observed = outcome["unexpected"], outcome["observed"]
    if isinstance(observed, dict) and "error" in observed:
        return f"could not be judged: {observed['error']}"
    if count:
        return f"{count:,} {RECORDS[one.table.name][count > 1]}"
    return "as expected" if one.ok and isinstance(observed, dict) else f"got {number(observed)}"


def explained(judged: Sequence[Judged]) -> list[str]:
    """Lines for each entry: where, what, how much, the limit, why it matters, some records."""
    return [line for one in judged for line in _lines(one)]


def number(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _lines(one: Judged) -> list[str]:
    column = f" ({one.entry.column})" if one.entry.column else ""
    head = f"  {one.table.split or one.table.name}: {one.entry.name}{column}: {told(one)}"
    wanted = demand(one)
    return [
        f"{head}; {wanted.strip()}" if wanted else head,
        *([f"    {one.entry.because}"] if one.entry.because else []),
        *(
            f"    {_harmless(row['id'])}: {number(row['value'])}: {_harmless(row['start'])}"
            for row in one.examples
        ),
    ]


def _harmless(text: str) -> str:
    """On one line, and without what steers a terminal or turns the direction of the line."""
    return "".join(
        character.encode("unicode_escape").decode() if _steers(character) else character
        for character in str(text)
    )


def _steers(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in _TURNS
    )
