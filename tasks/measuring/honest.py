"""Two rows that keep everyone honest: what can be had without a transformer at all."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.measuring.scores import Score, score
from tasks.task import Task
from tasks.task.answers import Material


@dataclass(frozen=True)
class Honest:
    """A simple model. `key` names it in `reports/metrics.json`, `name` before people."""

    key: str
    name: str
    validation: Score
    test: Score


def honest_rows(
    task: Task, train: Material, validation: Material, test: Material, seed: int
) -> list[Honest]:
    """What knows the training labels alone, and what has counted the words of the texts as well.

    Each argument is texts and what `Task.truths` says of them.
    """
    usual = task.usual(train[1])
    answers = (
        ([usual] * len(validation[1]), [usual] * len(test[1])),
        task.learned(train, validation, test),
    )
    return [
        Honest(
            key,
            name,
            score(task, validation[1], first, first, seed),
            score(task, test[1], second, second, seed),
        )
        for (key, name), (first, second) in zip(task.simple, answers, strict=True)
    ]
