"""How far apart two samples are, and how likely that is by chance.

An effect is what lies beyond chance: two samples of the same texts are never quite alike, and the
smaller they are, the less. Its size says whether a difference matters, its p-value only whether it
is more than chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import kolmogorov  # type: ignore[import-untyped]
from scipy.stats import chi2, norm, rankdata  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float64] | npt.NDArray[np.int64]

SMOOTHING = 0.5
"""Added to every count (Jeffreys' prior), so that an empty bin gives no infinite index."""
SMALLEST_SHARE = 0.05
"""Of the reference, that a group of length bins holds at least."""
RIDGE = 0.1
"""The penalty on a classifier's weights, relative to the variance of its standardised inputs."""
PERMUTATIONS = 200
SMALLEST_SPREAD = 1e-9


class Difference(NamedTuple):
    """Between two samples."""

    effect: float
    """A population stability index beyond chance; of a classifier, its AUC - 0.5."""
    p: float
    """How likely a difference as large is when nothing has changed."""


def psi(now: Counts, then: Counts) -> float:
    """The population stability index of two histograms over the same bins.

    The sum of (p - q) ln(p / q), also known as Jeffreys' divergence. 0.1 is usually called a small
    change and 0.25 a large one.
    """
    p, q = _shares(now), _shares(then)
    return float(((p - q) * np.log(p / q)).sum())


def shares_differ(now: Counts, then: Counts) -> Difference:
    """Shares of classes: PSI, and Pearson's chi-square test of homogeneity."""
    used = (now + then) > 0
    now, then = now[used], then[used]
    if len(now) < 2:
        return Difference(0.0, 1.0)
    n, m = now.sum(), then.sum()
    free = len(now) - 1
    statistic = _pearson(now / n, then / m, (now + then) / (n + m)) / (1 / n + 1 / m)
    by_chance = free * (1 / n + 1 / m)
    return Difference(max(0.0, psi(now, then) - by_chance), float(chi2.sf(statistic, free)))


def lengths_differ(now: Counts, then: Counts) -> Difference:
    """Ordered bins: PSI over groups of bins, and the Kolmogorov-Smirnov test over the bins.

    The groups hold a twentieth of the reference each, as far as its bins allow; texts that share a
    bin count as equally long, which makes the test a little cautious.
    """
    n, m = now.sum(), then.sum()
    far = np.abs(np.cumsum(now) / n - np.cumsum(then) / m).max()
    starts = _groups(then)
    grouped = shares_differ(np.add.reduceat(now, starts), np.add.reduceat(then, starts))
    return Difference(grouped.effect, float(kolmogorov(far * np.sqrt(n * m / (n + m)))))


def words_differ(now: Floats, then: Counts, then_texts: int) -> Difference:
    """Counts of words by text, [texts, buckets], against counts that `then_texts` texts gave.

    Words come in texts, not one by one, and a word that stands in a text once stands there again:
    the chi-square statistic is held against what texts drawn from `now` would give (the second
    order correction of Rao and Scott, 1984), whose mean is also what PSI owes to chance.
    """
    totals = now.sum(axis=0)
    both = totals + then
    used = both > 0
    texts, words = len(now), now.sum()
    if used.sum() < 2 or texts < 2 or not words or not then.sum():
        return Difference(0.0, 1.0)
    pooled = (both / both.sum())[used]
    share = (totals / words)[used]
    apart = (now[:, used] - now.sum(axis=1, keepdims=True) * share) * (texts / words)
    spread = apart.T @ apart / (texts - 1) / np.sqrt(np.outer(pooled, pooled))
    mean, square = float(np.trace(spread)), float((spread * spread).sum())
    chance = 1 / texts + 1 / then_texts
    statistic = _pearson(share, (then / then.sum())[used], pooled) / chance
    effect = max(0.0, psi(totals[used], then[used]) - mean * chance)
    if not square:  # every text has the very same shares of words
        return Difference(effect, 0.0 if statistic > 0 else 1.0)
    return Difference(effect, float(chi2.sf(statistic * mean / square, mean * mean / square)))


def told_apart(now: Floats, then: Floats, seed: int) -> Difference:
    """The classifier two-sample test (Lopez-Paz and Oquab, 2017) on vectors, [texts, dimensions].

    Fisher's discriminant, as regularised least squares, learns to tell the samples apart, and is
    asked about each text it has not seen. Its AUC is held against that of the same texts shuffled
    (a permutation test, the tail taken from the normal distribution): the effect is what exceeds
    their mean. Answers of cross-validated models hang together, so that the plain Mann-Whitney test
    raised several times the false alarms it promises. Texts in both samples make the classifier
    less sure, never more.
    """
    vectors = np.concatenate([now, then])
    is_now = np.repeat([1.0, 0.0], [len(now), len(then)])
    random = np.random.default_rng(seed)
    shuffled = [random.permutation(is_now) for _ in range(PERMUTATIONS)]
    found = _left_out_auc(vectors, np.stack([is_now, *shuffled], axis=1))
    middle, spread = float(found[1:].mean()), float(found[1:].std())
    effect = float(found[0]) - middle
    return Difference(max(0.0, effect), float(norm.sf(effect / max(spread, SMALLEST_SPREAD))))


def _left_out_auc(vectors: Floats, sides: Floats) -> Floats:
    """The AUC of each column of `sides`, [texts, columns], each text left out when it is asked.

    Least squares give the answers without fitting anew: by the diagonal of the hat matrix.
    """
    centred = vectors - vectors.mean(axis=0)
    scaled = centred / np.maximum(centred.std(axis=0), SMALLEST_SPREAD)
    inputs = np.column_stack([scaled, np.ones(len(scaled))])
    penalty = RIDGE * len(inputs) * np.eye(inputs.shape[1])
    penalty[-1, -1] = 0  # the middle is free
    hat = inputs @ np.linalg.solve(inputs.T @ inputs + penalty, inputs.T)
    own = np.diag(hat)[:, None]
    ranks = rankdata((hat @ sides - own * sides) / (1 - own), axis=0)
    ones = sides.sum(axis=0)
    won = (ranks * sides).sum(axis=0) - ones * (ones + 1) / 2
    return np.asarray(won / (ones * (len(sides) - ones)), np.float64)


def _shares(counts: Counts) -> Floats:
    smoothed = counts + SMOOTHING
    return np.asarray(smoothed / smoothed.sum(), np.float64)


def _pearson(p: Floats, q: Floats, pooled: Floats) -> float:
    return float(((p - q) ** 2 / pooled).sum())


def _groups(then: Counts) -> list[int]:
    """Where each group of neighbouring bins begins."""
    enough = SMALLEST_SHARE * then.sum()
    starts, held = [0], 0.0
    for at, count in enumerate(then[:-1]):
        held += count
        if held >= enough:
            starts.append(at + 1)
            held = 0.0
    if len(starts) > 1 and then[starts[-1] :].sum() < enough:
        starts.pop()
    return starts
