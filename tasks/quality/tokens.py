"""What may give a class away: words, signs, fields, and what a text begins and ends with."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from tasks.data.normalise import normalise
from tasks.quality.shingles import UNSPACED

Kind = Literal["field", "sign", "start", "end", "word"]

_HEAD, _TAIL = 1_000, 200  # characters that are looked at of a long text
_EDGE = 12  # characters at either end, where no spaces are
_INSIDE = 3
_START, _END, _FIELD = "^ ", " $", "= "  # no word has a space
_FIELDS = re.compile(r"(\w{0,30})\s?([=:|#\[({<]+)\s?(\w+)")
_PARTS = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d{1,15}")
_UNSPACED = re.compile(f"[{UNSPACED}]")


class Tokens(dict[str, int]):
    """The number of every token; `numbers[offsets[i]:offsets[i + 1]]` are text i's, each once."""

    def __init__(self, texts: Iterable[str]) -> None:
        super().__init__()
        numbers, offsets = array("i"), array("q", [0])
        for text in texts:
            numbers.extend({self[token] for token in tokens_of(text)})
            offsets.append(len(numbers))
        self.numbers = np.frombuffer(numbers, np.intc)
        self.offsets = np.frombuffer(offsets, np.int64)

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number

    def first_with(self, number: int) -> int:
        """The first text that has a token."""
        at = np.flatnonzero(self.numbers == number)[0]
        return int(np.searchsorted(self.offsets, at, side="right")) - 1


def tokens_of(text: str) -> Iterator[str]:
    """Those of a text, normalised, some of them several times; what they are says `kind_of`."""
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]} {text[-_TAIL:]}"
    text = normalise(text)
    words = text.split()
    yield from words
    for shape in _shapes(words[0]) if words else ():
        yield _START + shape
    for shape in _shapes(words[-1]) if words else ():
        yield shape + _END
    for name, sign, value in _FIELDS.findall(text):
        yield f"{_FIELD}{name}{sign}{value}"
    if _UNSPACED.search(text):
        yield from _unspaced(text)


def kind_of(token: str, classes: frozenset[str]) -> Kind:
    """`field`: one of the (normalised) classes with something around it, or what follows a sign."""
    if token.startswith(_START):
        return "start"
    if token.endswith(_END):
        return "end"
    parts = _PARTS.split(token)
    if token.startswith(_FIELD) or (len(parts) > 1 and not classes.isdisjoint(parts)):
        return "field"
    return "word" if any(map(str.isalpha, token)) else "sign"


def shown(token: str) -> str:
    """A token as people read it."""
    if token.startswith(_START):
        return f"{token.removeprefix(_START)} (first)"
    if token.endswith(_END):
        return f"{token.removesuffix(_END)} (last)"
    return token.removeprefix(_FIELD)


def edge_numbers(texts: Sequence[str]) -> dict[str, tuple[list[int], list[int]]]:
    """By where and in what form: the places of texts that begin or end so, and their numbers.

    For example `#???? (last)`: the texts whose last word is `#` and four digits.
    """
    found: dict[str, tuple[list[int], list[int]]] = {}
    for at, text in enumerate(texts):
        words = f"{text[:_TAIL]} {text[-_TAIL:]}".split()
        for end, word in (("first", words[0]), ("last", words[-1])) if words else ():
            numbers = _NUMBER.findall(word)
            if len(numbers) == 1:
                form = f"{_DIGIT.sub('?', word)} ({end})"
                rows, values = found.setdefault(form, ([], []))
                rows.append(at)
                values.append(int(numbers[0]))
    return found


def _shapes(word: str) -> set[str]:
    """A word, and how it looks whatever its digits are."""
    return {word, _DIGIT.sub("?", word)}


def _unspaced(text: str) -> Iterator[str]:
    for size in range(1, min(_EDGE, len(text)) + 1):
        yield _START + text[:size]
        yield text[-size:] + _END
    for at in range(len(text) - _INSIDE + 1):
        yield text[at : at + _INSIDE]
