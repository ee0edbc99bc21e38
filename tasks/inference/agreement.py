"""How far two models answer alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Agreement:
    """One model against another over the same texts."""

    texts: int
    same_labels: float
    """Share (0 to 1) of texts for which both name the same class."""
    largest_difference: float
    """Of any two logits."""


def compare(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> Agreement:
    """Compare logits [texts, classes]; a logit that is not a number never agrees."""
    if not np.isfinite(other).all():
        return Agreement(len(one), 0.0, float("inf"))
    same = (one.argmax(1) == other.argmax(1)).mean()
    return Agreement(len(one), float(same), float(np.abs(one - other).max()))
