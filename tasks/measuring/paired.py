"""Two models on the same texts: whether one is worse, and by how much it may only seem so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
import numpy.typing as npt

from tasks.measuring.statistics import (
    RESAMPLES,
    ROUNDING,
    Array,
    Interval,
    bounds,
    drop_interval,
    redrawn,
)
from tasks.task import Task

Right = npt.NDArray[np.bool_]
"""Whether each text got the right label, [texts]."""


@dataclass(frozen=True)
class Comparison:
    """A model against another on the same texts."""

    texts: int
    figure: float
    """By its task's metric, at most 1."""
    reference: float
    """The other's."""
    lost: int | None
    """Of exclusive classes, the texts that only the other gets right."""
    won: int | None
    """Texts that only it gets right."""
    drop: float
    """Points (hundredths) lost; negative where it is better."""
    drop_interval: Interval
    p_value: float
    """Of the hypothesis that it is no worse, one-sided."""
    test: Literal["McNemar", "paired bootstrap"]


def compare(task: Task, evidence: Array, reference: Array, seed: int) -> Comparison:
    """Hold a model against the reference, text by text; both are `Task.evidence`, [texts, n].

    Needs a text at least. Of exclusive classes all is exact: the texts that only one of the two
    gets right say everything. Elsewhere the texts are drawn anew, the same ones for both: p is the
    share of draws in which the model is no worse (Efron & Tibshirani 1993).
    """
    if task.classes:
        return _compare_classes(evidence[:, 0] > 0, reference[:, 0] > 0, seed)
    figure, former = task.figure(evidence), task.figure(reference)
    drawn = redrawn(task.figure, [evidence, reference], seed)
    drops = 100 * (drawn[:, 1] - drawn[:, 0])
    return Comparison(
        texts=len(evidence),
        figure=figure,
        reference=former,
        lost=None,
        won=None,
        drop=100 * (former - figure),
        drop_interval=bounds(drops),
        p_value=float((1 + (drops <= ROUNDING).sum()) / (1 + len(drops))),
        test="paired bootstrap",
    )


def _compare_classes(right: Right, reference: Right, seed: int) -> Comparison:
    lost = int((reference & ~right).sum())
    won = int((right & ~reference).sum())
    return Comparison(
        texts=len(right),
        figure=float(right.mean()),
        reference=float(reference.mean()),
        lost=lost,
        won=won,
        drop=100 * (lost - won) / len(right),
        drop_interval=drop_interval(reference, right, seed),
        p_value=mcnemar(lost, won),
        test="McNemar",
    )


def mcnemar(lost: int, won: int) -> float:
    """The exact one-sided p-value of McNemar's test (1947).

    The chance that, of the texts on which two equally good models differ, as many or more than
    `lost` go against the one that is judged. 1 when they differ nowhere.
    """
    total = lost + won
    ways = term = comb(total, lost)
    for heads in range(lost, total):
        term = term * (total - heads) // (heads + 1)
        ways += term
    return ways / (1 << total)


@dataclass(frozen=True)
class Slowdown:
    """How many times the reference's latency it takes, with the 95 % interval."""

    ratio: float
    interval: Interval


def slowdown(
    rounds: Sequence[Sequence[float]], reference: Sequence[Sequence[float]], seed: int
) -> Slowdown:
    """The ratio of the mean latencies of two models timed in the same rounds on the same texts.

    Both are [rounds][texts]. The bootstrap draws rounds, then texts within them, the same ones for
    both: what a round has in common is no evidence, and a long text is long for both.
    """
    mine, theirs = np.asarray(rounds, np.float64), np.asarray(reference, np.float64)
    count, size = mine.shape
    rng = np.random.default_rng(seed)
    ratios = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = rng.integers(count, size=(count, 1)), rng.integers(size, size=(count, size))
        ratios[i] = _typical(mine[drawn]) / _typical(theirs[drawn])
    return Slowdown(_typical(mine) / _typical(theirs), bounds(ratios))


def _typical(rounds: Array) -> float:
    return float(np.median(rounds.mean(axis=1)))
