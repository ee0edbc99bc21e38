"""What a list of samples says, and how sure it is. All resampling is seeded by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
CONFIDENCE = 0.95
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
    """Percentiles in the unit of the samples; `interval` is the median's."""

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
    """Percentiles of all samples, [rounds][samples].

    The median's interval resamples rounds first and samples within them: what a round has in
    common (the machine's mood) would otherwise count as independent evidence.
    """
    samples = np.asarray(rounds, dtype=np.float64)
    p50, p90, p99 = (float(value) for value in np.percentile(samples, [50, 90, 99]))
    rng = np.random.default_rng(seed)
    count, size = samples.shape
    medians = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        which = rng.integers(count, size=(count, 1))
        medians[i] = np.median(samples[which, rng.integers(size, size=(count, size))])
    return Latency(p50, p90, p99, _bounds(medians))


def median_interval(samples: Sequence[float], seed: int) -> Interval:
    """The bootstrap interval of the median of a few independent samples, a round each."""
    values = np.asarray(samples, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(values), size=(RESAMPLES, len(values)))
    return _bounds(np.median(values[drawn], axis=1))


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts [actual, predicted] of two lists of class numbers below `classes`."""
    cells = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class ClassFigures:
    """Precision, recall and F1 of every class, 0 to 1, and how often it is the truth."""

    precision: Array
    recall: Array
    f1: Array
    support: Ints


def class_figures(counts: Ints) -> ClassFigures:
    """Figures a class from a confusion matrix; 0 for a class never predicted, or never true."""
    right = np.diag(counts).astype(np.float64)
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)
    return ClassFigures(
        precision=right / np.maximum(predicted, 1),
        recall=right / np.maximum(support, 1),
        f1=2 * right / np.maximum(support + predicted, 1),
        support=support,
    )


def macro_f1(counts: Ints) -> float:
    """The mean F1, 0 to 1, of the classes that appear among the truths or the predictions."""
    present = counts.sum(axis=0) + counts.sum(axis=1) > 0
    return float(class_figures(counts).f1[present].mean())


def macro_f1_interval(counts: Ints, seed: int) -> Interval:
    """Bootstrap over examples: resampling them is a multinomial draw of the confusion matrix."""
    rng = np.random.default_rng(seed)
    total = int(counts.sum())
    shares = counts.ravel() / total
    drawn = (rng.multinomial(total, shares).reshape(counts.shape) for _ in range(RESAMPLES))
    return _bounds(np.array([macro_f1(each) for each in drawn]))


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
    return _bounds(100 * (drawn[:, 0] - drawn[:, 1]) / total)


def _bounds(figures: Array) -> Interval:
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
