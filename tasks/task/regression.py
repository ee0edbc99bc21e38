"""A number for each text or pair of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tasks.task.answers import Doubles, Floats, Ints, Material, Pieces, Prediction
from tasks.task.base import PLAIN, Shaping, Target, Task
from tasks.task.labels import Refused, is_missing
from tasks.task.simple import numbers

if TYPE_CHECKING:
    import torch


EQUAL = 0.25
"""Numbers are alike that are this share of the labels' deviation apart, or less. What int8 moves
a rating by: on the sample's ratings up to 0.27, and 6 % of them by more than 0.1."""


@dataclass(frozen=True)
class Regression(Task):
    """A rating, a price, a degree. The figure is Spearman's rank correlation.

    The head works with numbers of mean 0 and deviation 1; `mean` and `deviation`, those of the
    training labels, lead back to the labels' own unit.
    """

    mean: float = 0.0
    deviation: float = 1.0

    kind: ClassVar[str] = "regression"
    metric: ClassVar[str] = "spearman"
    simple: ClassVar[tuple[tuple[str, str], tuple[str, str]]] = (
        ("mean", "the mean"),
        ("tfidf", "TF-IDF + ridge regression"),
    )
    numeric: ClassVar[bool] = True
    unit: ClassVar[str] = "value"
    metric_name: ClassVar[str] = "Spearman correlation"
    target: ClassVar[Target] = "value"

    @classmethod
    def read(cls, texts: tuple[Any, ...], label: Any) -> tuple[tuple[Any, ...], str] | Refused:
        if is_missing(label) or (isinstance(label, str) and not label.strip()):
            return Refused("no label", "the label is empty")
        try:
            value = math.nan if isinstance(label, bool) else float(label)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            return Refused("label is no number", f"the label is {label!r}")
        return texts, repr(value)

    @classmethod
    def names(cls, label: str) -> list[str]:
        return []

    @classmethod
    def of(cls, labels: Any) -> Regression:
        values = np.array([float(label) for label in labels], np.float64)
        deviation = float(values.std()) if len(values) else 0.0
        return cls((), float(values.mean()) if len(values) else 0.0, deviation or 1.0)

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("value",)

    @property
    def problem(self) -> str | None:
        return "regression"

    def targets(self, labels: Sequence[str], pieces: Sequence[Pieces] | None = None) -> Floats:
        values = np.array([float(label) for label in labels], np.float64)
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping = PLAIN
    ) -> torch.Tensor:
        return (logits.float().squeeze(-1) - targets.float()).pow(2)

    def divergence(
        self, student: torch.Tensor, teacher: torch.Tensor, temperature: float, mask: torch.Tensor
    ) -> torch.Tensor:
        return (student.float() - teacher.float()).pow(2).squeeze(-1)

    def proof(self, logits: Floats, targets: Floats, bounds: Ints) -> Doubles:
        return np.stack([targets, logits[:, 0]], 1).astype(np.float64)

    def evidence(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        pairs = [(float(one), answer.value) for one, answer in zip(truth, answers, strict=True)]
        return np.array(pairs, np.float64).reshape(-1, 2)

    def figure(self, evidence: Doubles) -> float:
        return _correlation(*(_ranks(column) for column in evidence.T))

    def figures(self, truth: Sequence[str], answers: Sequence[Prediction]) -> dict[str, float]:
        evidence = self.evidence(truth, answers)
        off = evidence[:, 1] - evidence[:, 0]
        return {
            "spearman": self.figure(evidence),
            "pearson": _correlation(*evidence.T),
            "mean_absolute_error": float(np.abs(off).mean()) if len(off) else 0.0,
            "root_mean_squared_error": float(np.sqrt((off**2).mean())) if len(off) else 0.0,
        }

    def is_share(self, metric: str) -> bool:
        return False

    def decode(
        self,
        logits: Floats,
        texts: Sequence[Any] = (),
        pieces: Sequence[Pieces] = (),
        bounds: Ints | None = None,
    ) -> list[Prediction]:
        values = logits[:, 0].astype(np.float64) * self.deviation + self.mean
        return [Prediction(value=value) for value in values.tolist()]

    def label_of(self, answer: Prediction) -> str:
        return repr(answer.value)

    def said(self, label: str) -> Prediction:
        return Prediction(value=float(label))

    def usual(self, truth: Sequence[str]) -> Prediction:
        return Prediction(value=float(np.mean([float(label) for label in truth])))

    def learned(
        self, train: Material, validation: Material, test: Material
    ) -> tuple[list[Prediction], list[Prediction]]:
        return numbers(self, train, validation, test)

    def wrongness(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        found: Doubles = np.abs(np.subtract(*self.evidence(truth, answers).T))
        return found

    def fault(self, answer: Prediction) -> str | None:
        fine = answer.value is not None and math.isfinite(answer.value)
        return None if fine else f"its value is no number: {answer.value}"

    def apart(self, one: Prediction, other: Prediction) -> float:
        return abs((one.value or 0.0) - (other.value or 0.0)) / self.deviation

    def meets(self, answer: Prediction, label: str, within: float | None = None) -> bool:
        """Within half a deviation of the training labels, unless it is said within what."""
        allowed = self.deviation / 2 if within is None else within
        return abs((answer.value or 0.0) - float(label)) <= allowed

    def alike(self, one: Prediction, other: Prediction) -> float:
        assert one.value is not None
        assert other.value is not None
        return float(abs(one.value - other.value) <= EQUAL * self.deviation)

    def lines(self, answer: Prediction) -> list[str]:
        return [f"{answer.value:.4f}"]

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "mean": self.mean, "deviation": self.deviation}


def _ranks(values: Doubles) -> Doubles:
    """Ranks from 0, equal values sharing the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: Doubles = (ends - (counts + 1) / 2)[where].astype(np.float64)
    return found


def _correlation(one: Doubles, other: Doubles) -> float:
    """Pearson's; 0 where one of the two does not vary."""
    if len(one) < 2:
        return 0.0
    a, b = one - one.mean(), other - other.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else 0.0
