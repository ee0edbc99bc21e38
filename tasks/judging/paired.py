"""Two models on the same texts: whether one is worse, and by how much it may only seem so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

import numpy as np
import numpy.typing as npt

from tasks.measuring.statistics import CONFIDENCE, RESAMPLES, Interval, drop_interval

Right = npt.NDArray[np.bool_]
"""Whether each text got the right label, [texts]."""


@dataclass(frozen=True)
class Comparison:
    """A model against another on the same texts."""

    texts: int
    accuracy: float
    """Its share of right labels, 0 to 1."""
    reference: float
    """The other's."""
    lost: int
    """Texts that only the other gets right."""
    won: int
    """Texts that only it gets right."""
    drop: float
    """Points of accuracy lost; negative where it is better."""
    drop_interval: Interval
    p_value: float
    """Of McNemar's test that it is worse, one-sided."""


def compare(right: Right, reference: Right, seed: int) -> Comparison:
    """Hold a model's right answers against the reference's, text by text; needs a text at least."""
    lost = int((reference & ~right).sum())
    won = int((right & ~reference).sum())
    return Comparison(
        texts=len(right),
        accuracy=float(right.mean()),
        reference=float(reference.mean()),
        lost=lost,
        won=won,
        drop=100 * (lost - won) / len(right),
        drop_interval=drop_interval(reference, right, seed),
        p_value=mcnemar(lost, won),
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
    """How many times the reference's median latency it takes, with the 95 % interval."""

    ratio: float
    interval: Interval


def slowdown(
    rounds: Sequence[Sequence[float]], reference: Sequence[Sequence[float]], seed: int
) -> Slowdown:
    """The ratio of median latencies of two models timed in the same rounds on the same texts.

    Both are [rounds][texts]. The bootstrap draws rounds, then texts within them, the same ones for
    both: what a round has in common is no evidence, and a long text is long for both.
    """
    mine, theirs = np.asarray(rounds, np.float64), np.asarray(reference, np.float64)
    count, size = mine.shape
    rng = np.random.default_rng(seed)
    ratios = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = rng.integers(count, size=(count, 1)), rng.integers(size, size=(count, size))
        ratios[i] = np.median(mine[drawn]) / np.median(theirs[drawn])
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(ratios, [tail, 100 - tail])
    ratio = median(mine.ravel().tolist()) / median(theirs.ravel().tolist())
    return Slowdown(ratio, Interval(float(low), float(high)))
