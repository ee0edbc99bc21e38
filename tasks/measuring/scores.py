"""How right a list of predictions is, on its own and against those of the model it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.measuring.contender import Answer, Text
from tasks.measuring.statistics import (
    Interval,
    class_figures,
    confusion,
    drop_interval,
    macro_f1,
    macro_f1_interval,
    wilson,
)

MOST_CHARACTERS = 500
"""Of a text shown in the report."""


@dataclass(frozen=True)
class Score:
    """Accuracy and macro-F1 from 0 to 1, drops in points of accuracy; intervals are 95 %."""

    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    drop: float
    """Against the reference on the same texts; negative where it is better."""
    drop_interval: Interval


def score(
    truth: Sequence[str], predicted: Sequence[str], reference: Sequence[str], seed: int
) -> Score:
    """Score `predicted` labels against the truth and against `reference`'s, text by text."""
    actual, given, former = (np.asarray(labels, dtype=object) for labels in
                             (truth, predicted, reference))  # fmt: skip
    right, was_right = actual == given, actual == former
    count = len(truth)
    counts = confusion(*_numbers(truth, predicted))
    return Score(
        accuracy=float(right.mean()),
        accuracy_interval=wilson(int(right.sum()), count),
        macro_f1=macro_f1(counts),
        macro_f1_interval=macro_f1_interval(counts, seed),
        drop=100 * (int(was_right.sum()) - int(right.sum())) / count,
        drop_interval=drop_interval(was_right, right, seed),
    )


def classes(truth: Sequence[str], predicted: Sequence[str]) -> list[str]:
    """Every label that is true or predicted somewhere, sorted."""
    return sorted({*truth, *predicted})


def confusion_counts(truth: Sequence[str], predicted: Sequence[str]) -> list[list[int]]:
    """How often each class (rows, in the order of `classes`) was taken for each (columns)."""
    counts: list[list[int]] = confusion(*_numbers(truth, predicted)).tolist()
    return counts


def each_class(truth: Sequence[str], predicted: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 (0 to 1) and number of texts of each class."""
    found = class_figures(confusion(*_numbers(truth, predicted)))
    columns = (found.precision, found.recall, found.f1, found.support)
    names = ("precision", "recall", "f1", "texts")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        {"label": label, **dict(zip(names, row, strict=True))}
        for label, row in zip(classes(truth, predicted), rows, strict=True)
    ]


def worst(
    texts: Sequence[Text], truth: Sequence[str], answers: Sequence[Answer], count: int
) -> list[dict[str, Any]]:
    """The `count` wrong answers it was surest of, the surest first."""
    wrong = [
        (text, actual, predicted, sure)
        for text, actual, (predicted, sure) in zip(texts, truth, answers, strict=True)
        if actual != predicted
    ]
    wrong.sort(key=lambda row: (-row[3], row[0]))
    return [
        {"text": _shown(text), "truth": actual, "predicted": predicted, "score": sure}
        for text, actual, predicted, sure in wrong[:count]
    ]


def _numbers(truth: Sequence[str], predicted: Sequence[str]) -> tuple[Any, Any, int]:
    names = classes(truth, predicted)
    number = {label: i for i, label in enumerate(names)}
    actual = np.array([number[label] for label in truth], np.int64)
    given = np.array([number[label] for label in predicted], np.int64)
    return actual, given, len(names)


def _shown(text: Text) -> str:
    whole = text if isinstance(text, str) else " | ".join(text)
    return whole if len(whole) <= MOST_CHARACTERS else whole[:MOST_CHARACTERS] + " …"
