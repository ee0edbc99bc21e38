"""What a list of samples says, and how sure it is. All resampling is seeded by the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
ROWS_DRAWN = 1_000_000
FEWEST_RESAMPLES = 200
"""A rank correlation has to sort them: it takes a sixth of a second for ROWS_DRAWN."""
CONFIDENCE = 0.95
ROUNDING = 1e-9
"""A drop of exactly the limit is within it, whatever its last binary digit."""
Z = 1.959964
"""The normal quantile that leaves (1 - CONFIDENCE) / 2 above it."""

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Interval(NamedTuple):
    """The bounds of a 95 % confidence interval, in the unit of the figure they belong to."""

    low: float
    high: float


@dataclass(frozen=True)
class Latency:
    """What a text takes, in the unit of the samples; `interval` is the mean's."""

    mean: float
    """Of a round's texts, and of the rounds' means the median: what all texts take by their number,
    without the round in which the machine stood still."""
    p50: float
    p90: float
    p99: float
    interval: Interval


def wilson(successes: int, total: int) -> Interval:
    """The score interval of a share, 0 to 1 (Wilson 1927). Raises ValueError when total is 0."""
    if total < 1:
        raise ValueError(f"total: got {total}; takes at least 1")
    share = successes / total
    scale = 1 + Z**2 / total
    middle = (share + Z**2 / (2 * total)) / scale
    half = Z * np.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2)) / scale
    return Interval(float(max(0.0, middle - half)), float(min(1.0, middle + half)))


def latency(rounds: Sequence[Sequence[float]], seed: int) -> Latency:
    """Of samples [rounds][samples]; percentiles are those of all of them.

    The mean's interval resamples rounds first and samples within them: what a round has in
    common (the machine's mood) would otherwise count as independent evidence.
    """
    samples = np.asarray(rounds, dtype=np.float64)
    p50, p90, p99 = (float(value) for value in np.percentile(samples, [50, 90, 99]))
    rng = np.random.default_rng(seed)
    count, size = samples.shape
    means = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        which = rng.integers(count, size=(count, 1))
        drawn = samples[which, rng.integers(size, size=(count, size))]
        means[i] = np.median(drawn.mean(axis=1))
    return Latency(float(np.median(samples.mean(axis=1))), p50, p90, p99, bounds(means))


def median_interval(samples: Sequence[float], seed: int) -> Interval:
    """The bootstrap interval of the median of a few independent samples, a round each."""
    values = np.asarray(samples, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(values), size=(RESAMPLES, len(values)))
    return bounds(np.median(values[drawn], axis=1))


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts [actual, predicted] of two lists of class numbers below `classes`."""
    cells = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def drop_interval(
    reference_right: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_], seed: int
) -> Interval:
    """Of the drop in accuracy, in points, on the same examples: a paired bootstrap.

    Examples that both get right or both get wrong say nothing about the difference, so that pairing
    gives a far narrower interval than comparing two accuracies (Efron & Tibshirani 1993).
    """
    total = len(right)
    lost = int((reference_right & ~right).sum())
    won = int((~reference_right & right).sum())
    shares = np.array([lost, won, total - lost - won]) / total
    drawn = np.random.default_rng(seed).multinomial(total, shares, size=RESAMPLES)
    return bounds(100 * (drawn[:, 0] - drawn[:, 1]) / total)


def redrawn(
    figure: Callable[[Array], float], evidence: Sequence[Array], seed: int
) -> Array:  # fmt: skip
    """The bootstrap (Efron & Tibshirani 1993): `figure` of examples drawn anew, many times.

    `evidence` are models' rows for the same examples, [models][examples, n], of which each time the
    same are drawn for all. Returns [resamples, models]: RESAMPLES, of more than ROWS_DRAWN /
    RESAMPLES examples fewer in proportion, but FEWEST_RESAMPLES.
    """
    count = len(evidence[0])
    times = min(RESAMPLES, max(FEWEST_RESAMPLES, ROWS_DRAWN // max(count, 1)))
    rng = np.random.default_rng(seed)
    found = np.empty((times, len(evidence)))
    for at in range(times):
        rows = rng.integers(count, size=count)
        found[at] = [figure(each[rows]) for each in evidence]
    return found


def bounds(figures: Array) -> Interval:
    """Of what was found again and again: all but the 2.5 % at either end.

    `figures` are float64 [resamples].
    """
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(figures, [tail, 100 - tail])
    return Interval(float(low), float(high))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, in their order, corrected for how many there are (Holm 1979).

    Refusing what stays below a level then errs for any of them no more often than that level.
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected
