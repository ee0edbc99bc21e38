"""Which rows an epoch learns from: each once, or classes and tasks in other shares than they have.

An epoch keeps its length. What is rare comes several times, what is frequent not in every epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tasks.stage.errors import BadInput
from tasks.task import Task
from tasks.training.batches import Rows

POWERS = {"natural": 1.0, "sqrt": 0.5, "equal": 0.0}
"""A task's share of an epoch is that of its number of examples to this power: the temperatures 1,
2 and infinity of multilingual models (Arivazhagan et al. 2019)."""


class How(Protocol):
    """What is drawn in which shares: the section `finetune.sampling:` has it."""

    @property
    def labels(self) -> str: ...
    @property
    def tasks(self) -> str: ...


class Draws:
    """Seed and epoch -> int64 rows of the training split, as many as it has.

    Each group of rows has a fixed number of places in every epoch. It fills them from its rows in
    an order that is shuffled anew when all had their turn, and the next epoch goes on where this
    one ended: over a run, two rows of a group come equally often, give or take one. A function of
    its arguments alone, so that a killed run goes on with the same rows.
    """

    def __init__(self, groups: Sequence[Rows], places: Sequence[int]) -> None:
        self._groups, self._places = groups, places

    def __call__(self, seed: int, epoch: int) -> Rows:
        drawn = [
            _turn(rows, (seed, number), epoch * places, places)
            for number, (rows, places) in enumerate(zip(self._groups, self._places, strict=True))
        ]
        return np.concatenate(drawn)


def draws(truth: Sequence[str], task: Task, how: How) -> Draws | None:
    """How to draw rows of which `truth` (`Task.truths`) is true; None: each row once an epoch.

    Balanced labels are drawn alike often within their task. A row that names several counts as one
    of the rarest of them, and rows that name none (no class holds, no entity is there) are a class
    of their own. Of numbers every row counts alike.

    Raises BadInput where there is nothing to balance: one task of numbers, or one task alone.
    """
    if how.tasks != "natural" and not task.several:
        raise BadInput(
            f"params.yaml: finetune.sampling.tasks: got {how.tasks!r}; takes natural: there is one "
            f"task, {task.kind}"
        )
    if how.labels == "balanced" and not task.labels:
        raise BadInput(
            f"params.yaml: finetune.sampling.labels: got 'balanced'; takes natural: {task.kind} "
            "has no classes"
        )
    if how.labels == how.tasks == "natural":
        return None
    groups: list[Rows] = []
    shares: list[float] = []
    for head in task.by_head(truth):
        if not head.rows:
            continue
        inside = (
            by_rarest(head.task, head.truth)
            if how.labels == "balanced"
            else {"": np.arange(len(head.rows))}
        )
        groups += [np.asarray(head.rows, np.int64)[own] for own in inside.values()]
        shares += [len(head.rows) ** POWERS[how.tasks] / len(inside)] * len(inside)
    return Draws(groups, apportioned(np.array(shares), len(truth)))


def by_rarest(task: Task, truth: Sequence[str]) -> Mapping[str, Rows]:
    """The rows by the rarest label that each names, in the order of the labels; "": by none."""
    named = [set(task.names(one)) for one in truth]
    counts = Counter(name for names in named for name in names)
    rarest = [min(names, key=lambda name: (counts[name], name), default="") for names in named]
    return {label: np.flatnonzero([one == label for one in rarest]) for label in sorted({*rarest})}


def apportioned(shares: npt.NDArray[np.float64], places: int) -> list[int]:
    """So many places dealt out by shares, each group at least one (largest remainders first)."""
    exact = shares / shares.sum() * places
    dealt = np.maximum(1, np.floor(exact)).astype(int)
    for at in np.argsort(dealt - exact, kind="stable")[: max(0, places - int(dealt.sum()))]:
        dealt[at] += 1
    while dealt.sum() > places:  # groups that would have had none took from the largest
        dealt[int(dealt.argmax())] -= 1
    return [int(each) for each in dealt]


def _turn(rows: Rows, key: tuple[int, int], start: int, count: int) -> Rows:
    """The places from `start` on of the rows shuffled, and shuffled again, and so on."""
    first, last = start // len(rows), -(-(start + count) // len(rows))
    passes = [np.random.default_rng((*key, turn)).permutation(rows) for turn in range(first, last)]
    skipped = start - first * len(rows)
    found: Rows = np.concatenate([*passes, rows[:0]])[skipped : skipped + count]
    return found
