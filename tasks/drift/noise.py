"""How many labels are wrong, told from how often a model disagrees with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]

SMALLEST_BIN = 30
"""Answers on the test split that a bin of confidence holds at least."""
SHARES = np.linspace(0, 1, 1001)
HALVINGS = 40
EDGE = 1e-6


class Noise(NamedTuple):
    """The share of wrong labels beyond what the model itself gets wrong."""

    share: float
    """The most likely one, 0 to 1."""
    at_least: float
    """Its lower one-sided confidence bound."""
    p: float
    """How likely as much disagreement is when no label is wrong, one-sided."""


class Answers(NamedTuple):
    """How often a model and labels agreed, by bins of the model's confidence."""

    agreed: Floats
    differed: Floats


def noise(then: Answers, now: Answers, classes: int, level: float) -> Noise:
    """The share of labels replaced by another class, by maximum likelihood of a mixture.

    In a bin of confidence the model is right with a probability r, the same `then` (on a test
    split, its labels taken as they are) and `now`, whatever shares of the texts it is sure of. Of
    labels replaced with probability e, r (1 - e) + (1 - r) e / (classes - 1) agree. The bound is
    where twice the log-likelihood, r fitted anew, lies the quantile of `level` below its maximum
    (a signed root of the likelihood ratio): that the test split is itself a sample is accounted
    for.
    """
    likelihood = _profile_likelihood(then, now, classes)
    best = int(likelihood.argmax())
    root = np.sqrt(np.maximum(0, 2 * (likelihood[best] - likelihood[: best + 1])))
    within = np.flatnonzero(root <= norm.isf(level))
    return Noise(float(SHARES[best]), float(SHARES[within[0]]), float(norm.sf(root[0])))


def merged(then: Answers, now: Answers) -> tuple[Answers, Answers]:
    """The same with neighbouring bins joined until each holds SMALLEST_BIN answers of `then`."""
    starts, held = [0], 0.0
    for at, count in enumerate((then.agreed + then.differed)[:-1]):
        held += count
        if held >= SMALLEST_BIN:
            starts.append(at + 1)
            held = 0.0
    if len(starts) > 1 and (then.agreed + then.differed)[starts[-1] :].sum() < SMALLEST_BIN:
        starts.pop()
    joined = [Answers(*(np.add.reduceat(side, starts) for side in each)) for each in (then, now)]
    return joined[0], joined[1]


def expected_agreement(then: Answers, now: Answers) -> float:
    """The share of `now` that would agree if its labels were as good as those of `then`."""
    rates = then.agreed / np.maximum(then.agreed + then.differed, 1)
    texts = now.agreed + now.differed
    return float((rates * texts).sum() / texts.sum())


def answers_of(counts: Mapping[str, Sequence[int]]) -> Answers:
    """The answers that `tasks.measuring.confidence.right_and_wrong` counted."""
    return Answers(np.array(counts["right"], np.float64), np.array(counts["wrong"], np.float64))


def _profile_likelihood(then: Answers, now: Answers, classes: int) -> Floats:
    """The log-likelihood of each of SHARES, the bins' rates r fitted to it, [shares]."""
    kept = 1 - SHARES[:, None]
    gained = SHARES[:, None] / (classes - 1)

    def agree(rate: Floats) -> Floats:
        return np.clip(rate * kept + (1 - rate) * gained, EDGE, 1 - EDGE)

    low = np.full((len(SHARES), len(then.agreed)), EDGE)
    high = 1 - low
    for _ in range(HALVINGS):  # the slope falls with the rate: the likelihood is concave in it
        rate = (low + high) / 2
        q = agree(rate)
        slope = then.agreed / rate - then.differed / (1 - rate)
        slope += (kept - gained) * (now.agreed / q - now.differed / (1 - q))
        low, high = np.where(slope > 0, rate, low), np.where(slope > 0, high, rate)
    q = agree(rate)
    found = then.agreed * np.log(rate) + then.differed * np.log(1 - rate)
    found += now.agreed * np.log(q) + now.differed * np.log(1 - q)
    return np.asarray(found.sum(axis=1), np.float64)
