"""How right a list of answers is, on its own and against those of the model it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.measuring.contender import Answer, Text
from tasks.measuring.expected import expected_drop
from tasks.measuring.statistics import (
    Array,
    Interval,
    bounds,
    confusion,
    drop_interval,
    redrawn,
    wilson,
)
from tasks.task import Task

MOST_CHARACTERS = 500
"""Of a text shown in the report."""


@dataclass(frozen=True)
class Score:
    """A task's figure, at most 1, and drops of it in points (hundredths); intervals are 95 %."""

    metric: str
    figure: float
    interval: Interval
    others: dict[str, float]
    """All that the task is reported by, the figure included."""
    drop: float
    """Against the reference on the same texts; negative where it is better."""
    drop_interval: Interval
    heads: dict[str, Score]
    """The same of each of several tasks."""


def score(
    task: Task, truth: Sequence[str], answers: Sequence[Answer], reference: Sequence[Answer],
    seed: int,
) -> Score:  # fmt: skip
    """Score `answers` against the truth and against `reference`'s, text by text.

    `truth` is what `Task.truths` gives. Of exclusive classes the intervals are exact (Wilson's; a
    multinomial draw of the texts that only one gets right); others draw texts anew, in pairs.
    """
    mine, theirs = task.evidence(truth, answers), task.evidence(truth, reference)
    interval, drop, sure = _of_classes(mine, theirs, seed) if task.classes else _drawn(
        task, mine, theirs, seed
    )  # fmt: skip
    return Score(
        metric=task.metric,
        figure=task.figure(mine),
        interval=interval,
        others=task.figures(truth, answers),
        drop=drop,
        drop_interval=sure,
        heads={
            each.name: score(each.task, each.truth, each.of(answers), each.of(reference), seed)
            for each in task.by_head(truth)
            if each.name and each.rows
        },
    )


def _of_classes(mine: Array, theirs: Array, seed: int) -> tuple[Interval, float, Interval]:
    right, was_right = mine[:, 0] > 0, theirs[:, 0] > 0
    drop = 100 * (int(was_right.sum()) - int(right.sum())) / len(right)
    return wilson(int(right.sum()), len(right)), drop, drop_interval(was_right, right, seed)


def expected(
    task: Task, truth: Sequence[str], answers: Sequence[Answer], reference: Sequence[Answer]
) -> float:
    """Points that new texts may be expected to lose, by what these say
    (`tasks.measuring.expected`); where a text may have other than one class, those lost here."""
    if not task.classes:
        mine, theirs = task.evidence(truth, answers), task.evidence(truth, reference)
        return 100 * (task.figure(theirs) - task.figure(mine))
    number = {label: at for at, label in enumerate(task.labels)}
    told, meant = (_probabilities(number, each) for each in (answers, reference))
    return expected_drop(np.array([number.get(one, -1) for one in truth], np.int64), told, meant)


def _probabilities(number: Mapping[str, int], answers: Sequence[Answer]) -> Array:
    """[texts, classes]; where an answer names one alone, the others share what is left.

    A model may know other classes than the task: what it has not heard of it takes for impossible.
    """
    found = np.empty((len(answers), len(number)))
    for row, answer in zip(found, answers, strict=True):
        if answer.scores is not None:
            row[:] = [answer.scores.get(label, 0.0) for label in number]
        else:
            row[:] = (1 - answer.score) / max(1, len(number) - 1)
            if answer.label in number:
                row[number[answer.label]] = answer.score
    return found


def _drawn(
    task: Task, mine: Array, theirs: Array, seed: int
) -> tuple[Interval, float, Interval]:  # fmt: skip
    if np.array_equal(mine, theirs):  # as of the reference itself
        return bounds(redrawn(task.figure, [mine], seed)[:, 0]), 0.0, Interval(0.0, 0.0)
    drawn = redrawn(task.figure, [mine, theirs], seed)
    drop = 100 * (task.figure(theirs) - task.figure(mine))
    return bounds(drawn[:, 0]), drop, bounds(100 * (drawn[:, 1] - drawn[:, 0]))


def classes(truth: Sequence[str], predicted: Sequence[str]) -> list[str]:
    """Every label that is true or predicted somewhere, sorted."""
    return sorted({*truth, *predicted})


def confusion_counts(truth: Sequence[str], predicted: Sequence[str]) -> list[list[int]]:
    """How often each class (rows, in the order of `classes`) was taken for each (columns)."""
    number = {label: i for i, label in enumerate(classes(truth, predicted))}
    actual, given = (np.array([number[label] for label in labels], np.int64) for labels in
                     (truth, predicted))  # fmt: skip
    counts: list[list[int]] = confusion(actual, given, len(number)).tolist()
    return counts


def each_class(
    task: Task, truth: Sequence[str], answers: Sequence[Answer]
) -> list[dict[str, Any]]:  # fmt: skip
    """Precision, recall, F1 (0 to 1) and how often it is true, of each label; none of numbers."""
    right, told, true = Counter[str](), Counter[str](), Counter[str]()
    for one, answer in zip(truth, answers, strict=True):
        so, said = task.claims(one), task.claims(task.label_of(answer))
        for counter, found in ((true, so), (told, said), (right, so & said)):
            counter.update(name for name, *_ in found)
    return [
        {
            "label": name,
            "precision": right[name] / max(told[name], 1),
            "recall": right[name] / max(true[name], 1),
            "f1": 2 * right[name] / (told[name] + true[name]),
            "texts": true[name],
        }
        for name in sorted({*told, *true})
    ]


def worst(
    task: Task,
    texts: Sequence[Text],
    truth: Sequence[str],
    answers: Sequence[Answer],
    count: int,
) -> list[dict[str, Any]]:
    """The `count` answers that are furthest off, the furthest first; right ones are none."""
    off = task.wrongness(truth, answers).tolist()
    wrong = [at for at, amount in enumerate(off) if amount > 0]
    wrong.sort(key=lambda at: (-off[at], texts[at]))
    return [
        {
            "text": _shown(texts[at]),
            "truth": task.content(truth[at]),
            "predicted": task.content(task.label_of(answers[at])),
            task.amount: off[at],
        }
        for at in wrong[:count]
    ]


def _shown(text: Text) -> str:
    whole = text if isinstance(text, str) else " | ".join(text)
    return whole if len(whole) <= MOST_CHARACTERS else whole[:MOST_CHARACTERS] + " …"
