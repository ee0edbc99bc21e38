"""The same opinions as lessons of every kind: what is spoken of, and how well it is liked."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.task import MultiTask, Task
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression
from tests.made import BAD, FRAMES, GOOD, THINGS


class Opinion(NamedTuple):
    """A text, what it is about, and what it says of that: the worst word is -8, the best 8."""

    text: str
    thing: str
    word: str
    stars: int

    @property
    def mood(self) -> str:
        return "good" if self.stars > 0 else "bad"

    @property
    def topics(self) -> str:
        """Labels that don't exclude each other: a thing for the ear, a word of praise."""
        heard = ["ear"] if self.thing in ("music", "tone", "pace", "script", "story") else []
        return json.dumps([*heard, *(["praise"] if self.stars > 0 else [])])

    @property
    def entities(self) -> str:
        spans = [(*self._place(self.thing), "THING"), (*self._place(self.word), "WORD")]
        return json.dumps(sorted(spans))

    def _place(self, word: str) -> tuple[int, int]:
        found = re.search(rf"\b{word}\b", self.text)
        assert found is not None
        return found.span()


class Lesson(NamedTuple):
    """A task, texts, and the columns `label` and `task` of the dataset."""

    task: Task
    texts: list[str]
    labels: list[str]
    tasks: list[str]

    @property
    def truth(self) -> list[str]:
        return self.task.truths(self.labels, self.tasks)


def opinions() -> list[Opinion]:
    """640 of them, in an order that has nothing to do with what they say."""
    return sorted(_all(), key=lambda each: hashlib.blake2b(each.text.encode()).digest())


def lessons() -> dict[str, Lesson]:
    """By kind; `several` has a text in three teach each of its tasks."""
    rows = opinions()
    texts = [each.text for each in rows]
    stars = [repr(float(each.stars)) for each in rows]
    heads = {
        "mood": Classification(("bad", "good")),
        "stars": Regression.of(stars),
        "things": Entities(("THING", "WORD")),
    }
    columns = [[each.mood for each in rows], stars, [each.entities for each in rows]]
    turns = [at % 3 for at in range(len(rows))]
    several = [columns[turn][at] for at, turn in enumerate(turns)]
    topics = [each.topics for each in rows]
    return {
        "classification": _alone(heads["mood"], texts, columns[0]),
        "regression": _alone(heads["stars"], texts, stars),
        "entities": _alone(heads["things"], texts, columns[2]),
        "multi-label": _alone(MultiLabel.of(topics), texts, topics),
        "several": Lesson(
            MultiTask.of_heads(heads), texts, several, [list(heads)[turn] for turn in turns]
        ),
    }


def _alone(task: Task, texts: list[str], labels: list[str]) -> Lesson:
    return Lesson(task, texts, labels, [task.kind] * len(texts))


def _all() -> Iterator[Opinion]:
    words = enumerate(zip(GOOD, BAD, strict=True), 1)
    for frame, thing, (stars, (good, bad)) in itertools.product(FRAMES, THINGS, words):
        yield Opinion(frame.format(thing=thing, word=good), thing, good, stars)
        yield Opinion(frame.format(thing=thing, word=bad), thing, bad, -stars)
