"""How entities are written: tokens with BIO tags, or a text with spans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tasks.task.labels import Refused
from tasks.task.pieces import UNSPACED

OUTSIDE = "O"
_TAG = re.compile(r"([BI])-(\S+)")

_SHARED = "·—‘’“”…"
"""Punctuation that scripts without spaces share with others."""

Span = tuple[int, int, str]


def marked(text: Any, label: Any) -> tuple[str, list[Span]] | Refused:
    """The text and its spans in order, from the two cells of a row; or why they make no example."""
    cell = _parsed(label)
    if isinstance(text, str) and _are_spans(cell):
        return _from_spans(text, cell)
    return _from_tags(text, cell)


def chunks(tags: Iterable[str]) -> list[Span]:
    """First word, the one after the last, and type of each entity in a row of BIO tags.

    As seqeval reads them by default: an I- that does not go on what came before begins an entity.
    """
    found: list[Span] = []
    start, name = 0, ""
    for at, tag in enumerate([*tags, OUTSIDE]):
        part, _, kind = tag.partition("-")
        goes_on = part == "I" and kind == name
        if name and not goes_on:
            found.append((start, at, name))
            name = ""
        if part in ("B", "I") and not goes_on:
            start, name = at, kind
    return found


def _parsed(label: Any) -> Any:
    if isinstance(label, np.ndarray):
        return label.tolist()
    if isinstance(label, str):
        text = label.strip()
        if text.startswith("["):
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return text
        return text.split()
    return label


def _are_spans(cell: Any) -> bool:
    return isinstance(cell, list) and all(isinstance(each, list | tuple | dict) for each in cell)


def _from_spans(text: str, cell: list[Any]) -> tuple[str, list[Span]] | Refused:
    spans: list[Span] = []
    for each in cell:
        parts: Any = each
        if isinstance(each, dict):
            parts = [each.get(key) for key in ("start", "end", "label")]
        if len(parts) != 3 or not all(type(part) is int for part in parts[:2]):
            return Refused("broken entity", f"{each!r} is no [start, end, type]")
        start, end, name = parts
        if not isinstance(name, str) or name.split() != [name] or not name.isprintable():
            return Refused("broken entity", f"{each!r} has no type")
        if not 0 <= start < end <= len(text):
            return Refused(
                "broken entity", f"{each!r} does not lie in a text of {len(text)} characters"
            )
        spans.append((start, end, name))
    spans.sort()
    for one, other in pairwise(spans):
        if other[0] < one[1]:
            return Refused("broken entity", f"{list(one)} and {list(other)} overlap")
    return text, spans


def _from_tags(tokens: Any, tags: Any) -> tuple[str, list[Span]] | Refused:
    words = tokens.split() if isinstance(tokens, str) else tokens
    words = words.tolist() if isinstance(words, np.ndarray) else words
    if not isinstance(words, list | tuple) or not all(isinstance(each, str) for each in words):
        return Refused("text is no string", "the text is neither a text nor a list of tokens")
    if not isinstance(tags, list) or not all(isinstance(each, str) for each in tags):
        return Refused("broken tags", f"the label is {tags!r:.80}: no list of tags, no spans")
    if len(words) != len(tags):
        return Refused("broken tags", f"{len(words)} tokens have {len(tags)} tags")
    words = [word.strip() for word in words]
    broken = _broken(words, tags)
    if broken:
        return Refused("broken tags", broken)
    text, places = _joined(words)
    return text, [
        (places[first][0], places[after - 1][1], name) for first, after, name in chunks(tags)
    ]


def _broken(words: Sequence[str], tags: Sequence[str]) -> str | None:
    """What in a row of tags breaks the rules of BIO, if anything."""
    before = OUTSIDE
    for at, tag in enumerate(tags, 1):
        if tag != OUTSIDE:
            found = _TAG.fullmatch(tag)
            if not found or not tag.isprintable():
                return f"tag {at} is {tag!r}: takes O, B-TYPE or I-TYPE"
            if found[1] == "I" and before[2:] != found[2]:
                return f"tag {at} is {tag!r} after {before!r}: it goes on what has not begun"
            if not words[at - 1]:
                return f"tag {at} is {tag!r}: its token is empty"
        before = tag
    return None


def _joined(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text that tokens make up, and where each lies in it."""
    text, places = "", []
    for word in words:
        if text and word and not (_closes_up(text[-1]) and _closes_up(word[0])):
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _closes_up(character: str) -> bool:
    """Whether no space stands between it and another such."""
    return bool(UNSPACED.match(character)) or character in _SHARED
