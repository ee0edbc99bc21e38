"""How far two models answer alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.task.answers import Floats
from tasks.task.base import Task


@dataclass(frozen=True)
class Agreement:
    """One model against another over the same texts."""

    texts: int
    same_labels: float
    """The mean over the texts of how far both answers are the same, 0 to 1 (`Task.alike`): of
    classes, the share of texts for which both name the same one."""
    largest_difference: float
    """Of any two logits."""


def compare(
    task: Task, one: Floats, other: Floats, meaning: Callable[[Floats], list[Any]] | None = None
) -> Agreement:
    """Compare logits, of which the first are held to be right.

    `meaning` makes answers of logits; without it they are one row a text, which `task` decodes. A
    logit that is not a number never agrees, nor do texts that were read as other tokens.
    """
    meaning = meaning or task.decode
    answers = meaning(one)
    if one.shape != other.shape or not np.isfinite(other).all():
        return Agreement(len(answers), 0.0, float("inf"))
    alike = [task.alike(*both) for both in zip(answers, meaning(other), strict=True)]
    return Agreement(len(answers), float(np.mean(alike)), float(np.abs(one - other).max()))
