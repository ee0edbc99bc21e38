"""What new texts may be expected to lose, told by a few with less luck than by counting."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]

from tasks.measuring.statistics import Array, Ints

LEAST = 1e-7
"""A probability below that is that: a model may be sure, not certain."""
RIDGE = 1.0
"""Of the pool's weights, in texts: where all answers are right, none would be large enough."""


def expected_drop(truth: Ints, answers: Array, reference: Array) -> float:
    """Points of accuracy (hundredths) that a model may be expected to lose against a reference.

    `truth` [texts] are the numbers of the true classes, below 0 where it is none of them; `answers`
    and `reference` the probabilities [texts, classes]. Two models differ on a few texts, most of
    which could go either way, and counting who is right there is throwing coins. Here each of them
    counts by how much more probable the one answer is than the other, by the logarithmic pool of
    both models (Genest & Zidek 1986) with the weights that make the true classes likeliest. A model
    that knows nothing beyond the reference gets no weight, and loses what the reference is sure of;
    of equally good ones neither loses. All texts speak in the weights, not those alone that differ.
    """
    was, chosen = reference.argmax(1), answers.argmax(1)
    known = truth >= 0
    differ = known & (was != chosen)
    if not differ.any():
        return 0.0
    told = np.log(np.maximum(np.stack([reference, answers]), LEAST))
    pooled = _pool(told[:, differ], _weights(told[:, known], truth[known]))
    rows = np.arange(len(pooled))
    lost = np.exp(pooled[rows, was[differ]]) - np.exp(pooled[rows, chosen[differ]])
    return 100 * float(lost.sum()) / len(truth)


def _pool(told: Array, weights: Array) -> Array:
    """Log-probabilities [texts, classes] of those of two models, [2, texts, classes]."""
    pooled: Array = log_softmax(np.tensordot(weights, told, 1), axis=1)
    return pooled


def _weights(told: Array, truth: Ints) -> Array:
    rows = np.arange(len(truth))

    def cost(weights: Array) -> tuple[float, Array]:
        pooled = _pool(told, weights)
        error = np.exp(pooled)
        error[rows, truth] -= 1
        slope = np.tensordot(told, error, 2) + RIDGE * weights
        return float(RIDGE * weights @ weights / 2 - pooled[rows, truth].sum()), slope

    found: Array = minimize(cost, np.full(2, 0.5), jac=True, method="BFGS").x
    return found
