"""Figures that several kinds of task share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.task.answers import Doubles, Prediction


def sigmoid(logits: npt.NDArray[Any]) -> Doubles:
    """Probabilities one by one, float64."""
    wide = np.clip(logits.astype(np.float64), -500, 500)
    found: Doubles = 1 / (1 + np.exp(-wide))
    return found


def softmax(logits: npt.NDArray[Any]) -> Doubles:
    """Probabilities over the last axis, float64."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    found: Doubles = powers / powers.sum(axis=-1, keepdims=True)
    return found


def hits(true: set[Any], told: set[Any]) -> tuple[int, int, int]:
    """How many of what was told are right and wrong, and how many are missed."""
    return len(true & told), len(told - true), len(true - told)


def overlap(one: set[Any], other: set[Any]) -> float:
    """F1 of one set against another; 1 where both are empty."""
    return f_score(*hits(other, one)) if one or other else 1.0


def f_score(right: float, wrong: float, missed: float) -> float:
    """F1 from counts of true positives, false positives and false negatives; 0 without any."""
    total = 2 * right + wrong + missed
    return float(2 * right / total) if total else 0.0


def furthest(one: Prediction, other: Prediction) -> float:
    """The largest difference between two answers' probabilities of a class."""
    pairs = zip((one.scores or {}).values(), (other.scores or {}).values(), strict=True)
    return max((abs(a - b) for a, b in pairs), default=0.0)


def no_probabilities(row: Sequence[float]) -> str:
    """What is wrong with them."""
    return f"its scores are no probabilities: {list(row)}"
