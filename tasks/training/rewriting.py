"""Altered copies of training texts whose labels stay true, and whose stretches stay in place.

Words are left out or change places, letters change case or are mistyped (Wei & Zou 2019), and a
stretch that a label names is put in the place of another of its type (mention replacement, Dai &
Adel 2020). What a label names is never cut: words inside it are neither left out nor moved.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tasks.data.dataset import Examples, Text
from tasks.task import Task
from tasks.task.labels import Refused
from tasks.task.pieces import UNSPACED

SUFFIX = "~"
"""Between the id of a text and the number of its copy."""
_WORD = re.compile(rf"{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})\w)+(?:['’]\w+)*|[^\w\s]+")
"""A word, a character of a script that puts no space between words, or punctuation."""
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {
    key: "".join(row[at] for at in (place - 1, place + 1) if 0 <= at < len(row))
    for row in _KEYS
    for place, key in enumerate(row)
}
"""The keys beside each key of a row."""
SHORTEST = 4
"""Letters of a word that is mistyped: shorter ones become others."""

Span = tuple[int, int]
Mentions = Mapping[str, Sequence[str]]
"""The stretches of the training split that are of each type."""


class How(Protocol):
    """How many copies, and the shares of the words that change: the section `finetune.augment:`."""

    @property
    def copies(self) -> int: ...
    @property
    def drop(self) -> float: ...
    @property
    def swap(self) -> float: ...
    @property
    def case(self) -> float: ...
    @property
    def typos(self) -> float: ...
    @property
    def mentions(self) -> float: ...


@dataclass(frozen=True)
class Word:
    """A word, the white space before it, and the number of the stretch that it is in (-1: none)."""

    space: str
    text: str
    stretch: int = -1


def rewritten(examples: Examples, task: Task, how: How, seed: int) -> Examples:
    """The examples followed by `how.copies` altered versions of each, with ids of their own.

    Copies that come out as they went in are left out. What becomes of a text depends on the seed,
    the number of the copy and the text's place alone.
    """
    kinds = task.members()
    whose = [kinds[name] for name in examples.tasks]
    mentions = _mentions(examples, whose)
    found = Examples([*examples.ids], [*examples.texts], [*examples.labels], [*examples.tasks])
    for copy in range(1, how.copies + 1):
        for row, (identity, text, label, name) in enumerate(zip(*_columns(examples), strict=True)):
            random = np.random.default_rng((seed, copy, row))
            new = altered(text, label, whose[row], how, mentions[name], random)
            if new is not None:
                found.ids.append(f"{identity}{SUFFIX}{copy}")
                found.texts.append(new[0])
                found.labels.append(new[1])
                found.tasks.append(name)
    return found


def altered(
    text: Text, label: str, task: Task, how: How, mentions: Mentions, random: np.random.Generator
) -> tuple[Text, str] | None:
    """Another version of a text, and the label that is true of it; None: nothing came of it."""
    if not isinstance(text, str):
        pair = [_rebuilt(_edited(words_of(each, ()), how, random))[0] for each in text]
        new = (pair[0], pair[1])
        same = new == (text[0].strip(), text[1].strip())
        return None if same or not all(new) else (new, label)
    stretches = task.stretches(label)
    words = words_of(text, stretches)
    if stretches and how.mentions:
        words = _exchanged(words, task.names(label), how.mentions, mentions, random)
    changed, places = _rebuilt(_edited(words, how, random))
    moved = task.moved(label, places)
    if changed in ("", text.strip()) or isinstance(moved, Refused):
        return None
    return changed, moved


def words_of(text: str, stretches: Sequence[Span]) -> list[Word]:
    """A text's words in order, a stretch being one, to the character; what is after them goes."""
    found: list[Word] = []
    end = 0
    for number, (start, stop) in enumerate([*stretches, (len(text), len(text))]):
        for match in _WORD.finditer(text, end, start):
            found.append(Word(text[end : match.start()], match[0]))
            end = match.end()
        if start < stop:
            found.append(Word(text[end:start], text[start:stop], number))
            end = stop
    return found


def _exchanged(
    words: Sequence[Word], types: Sequence[str], share: float, mentions: Mentions,
    random: np.random.Generator,
) -> list[Word]:  # fmt: skip
    """Some of the stretches replaced by others of their types."""
    found = []
    for word in words:
        if word.stretch >= 0 and random.random() < share:
            others = mentions[types[word.stretch]]
            word = replace(word, text=others[int(random.integers(len(others)))])
        found.append(word)
    return found


def _edited(words: Sequence[Word], how: How, random: np.random.Generator) -> list[Word]:
    chances = random.random((4, len(words)))
    kept: list[Word] = []
    space = None
    for word, chance in zip(words, chances[0], strict=True):
        if word.stretch < 0 and chance < how.drop:
            space = word.space if space is None else space
            continue
        # words that stood apart do so when what was between them is gone
        kept.append(replace(word, space=word.space or space or ""))
        space = None
    for at, chance in zip(range(1, len(kept)), chances[1], strict=False):
        one, two = kept[at - 1], kept[at]
        if chance < how.swap and _movable(one) and _movable(two):
            kept[at - 1], kept[at] = replace(one, text=two.text), replace(two, text=one.text)
    return [
        replace(word, text=_letters(word.text, how, cased, mistyped, random))
        for word, cased, mistyped in zip(kept, chances[2], chances[3], strict=False)
    ]


def _movable(word: Word) -> bool:
    return word.stretch < 0 and word.text[0].isalnum()


def _letters(
    text: str, how: How, cased: float, mistyped: float, random: np.random.Generator
) -> str:
    if cased < how.case:
        text = (str.lower, str.upper, str.capitalize)[random.integers(3)](text)
    if mistyped < how.typos and len(text) >= SHORTEST and _spelt(text):
        text = mistype(text, random)
    return text


def _spelt(text: str) -> bool:
    """Whether it is one word of letters, of a script that has small and capital ones."""
    return text.isalpha() and text.lower() != text.upper()


def mistype(word: str, random: np.random.Generator) -> str:
    """A word with one slip: a letter left out, doubled, exchanged with the next, or a wrong key."""
    at = int(random.integers(1, len(word) - 1))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    beside = NEIGHBOURS.get(letter.lower(), "")
    slip = int(random.integers(4 if beside else 3))
    if slip == 0:
        return before + after
    if slip == 1:
        return before + letter + letter + after
    if slip == 2:
        return before + after[0] + letter + after[1:]
    other = beside[random.integers(len(beside))]
    return before + (other.upper() if letter.isupper() else other) + after


def _rebuilt(words: Sequence[Word]) -> tuple[str, list[Span]]:
    """The text that words make up, and where each stretch lies in it, in order."""
    text = ""
    places: list[Span] = []
    for word in words:
        text += word.space if text else ""
        start = len(text)
        text += word.text
        if word.stretch >= 0:
            places.append((start, len(text)))
    return text, places


def _mentions(examples: Examples, whose: Sequence[Task]) -> Mapping[str, Mentions]:
    """By task every stretch of each type once, in the order of the alphabet."""
    found: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in examples.tasks}
    for (_, text, label, name), task in zip(
        zip(*_columns(examples), strict=True), whose, strict=True
    ):
        places = task.stretches(label)
        for (start, end), kind in zip(places, task.names(label) if places else (), strict=True):
            found[name][kind].add(str(text)[start:end])
    return {
        name: {kind: sorted(texts) for kind, texts in kinds.items()}
        for name, kinds in found.items()
    }


def _columns(examples: Examples) -> tuple[list[str], list[Text], list[str], list[str]]:
    return examples.ids, examples.texts, examples.labels, examples.tasks
