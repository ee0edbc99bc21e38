"""One class for each text or pair of texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tasks.task.answers import Doubles, Floats, Ints, Material, Pieces, Prediction
from tasks.task.base import PLAIN, Shaping, Task
from tasks.task.figures import f_score, furthest, no_probabilities, softmax
from tasks.task.labels import Refused, label_text
from tasks.task.simple import classes

if TYPE_CHECKING:
    import torch


SUM = 1e-6
"""How far from 1 probabilities may sum up to."""


@dataclass(frozen=True)
class Classification(Task):
    """Two classes or many, of which exactly one holds."""

    kind: ClassVar[str] = "classification"
    metric: ClassVar[str] = "accuracy"
    metric_name: ClassVar[str] = "accuracy"
    classes: ClassVar[bool] = True
    amount: ClassVar[str] = "score"
    simple: ClassVar[tuple[tuple[str, str], tuple[str, str]]] = (
        ("majority", "majority class"),
        ("tfidf", "TF-IDF + logistic regression"),
    )

    @classmethod
    def read(cls, texts: tuple[Any, ...], label: Any) -> tuple[tuple[Any, ...], str] | Refused:
        found = label_text(label)
        return found if isinstance(found, Refused) else (texts, found)

    @classmethod
    def names(cls, label: str) -> list[str]:
        return [label]

    @property
    def problem(self) -> str | None:
        return "single_label_classification"

    def targets(self, labels: Sequence[str], pieces: Sequence[Pieces] | None = None) -> Ints:
        number = {label: at for at, label in enumerate(self.labels)}
        return np.array([number[label] for label in labels], np.int64)

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping = PLAIN
    ) -> torch.Tensor:
        from tasks.task.losses import cross_entropy

        return cross_entropy(logits, targets, shaping)

    def divergence(
        self, student: torch.Tensor, teacher: torch.Tensor, temperature: float, mask: torch.Tensor
    ) -> torch.Tensor:
        from tasks.task.losses import softened

        return softened(student, teacher, temperature)

    def proof(self, logits: Floats, targets: Ints, bounds: Ints) -> Doubles:
        right: Doubles = (logits.argmax(1) == targets).astype(np.float64)
        return right[:, None]

    def evidence(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        right = [one == answer.label for one, answer in zip(truth, answers, strict=True)]
        return np.array(right, np.float64)[:, None]

    def figure(self, evidence: Doubles) -> float:
        return float(evidence[:, 0].mean()) if len(evidence) else 0.0

    def figures(self, truth: Sequence[str], answers: Sequence[Prediction]) -> dict[str, float]:
        told = [self.label_of(answer) for answer in answers]
        right = Counter(one for one, other in zip(truth, told, strict=True) if one == other)
        support, given = Counter(truth), Counter(told)
        each = [
            f_score(right[name], given[name] - right[name], support[name] - right[name])
            for name in sorted({*support, *given})
        ]
        return {
            "accuracy": self.figure(self.evidence(truth, answers)),
            "macro_f1": float(np.mean(each)) if each else 0.0,
        }

    def decode(
        self,
        logits: Floats,
        texts: Sequence[Any] = (),
        pieces: Sequence[Pieces] = (),
        bounds: Ints | None = None,
    ) -> list[Prediction]:
        probabilities = softmax(logits)
        best = probabilities.argmax(axis=1).tolist()
        return [
            Prediction(self.labels[at], row[at], dict(zip(self.labels, row, strict=True)))
            for at, row in zip(best, probabilities.tolist(), strict=True)
        ]

    def label_of(self, answer: Prediction) -> str:
        assert answer.label is not None
        return answer.label

    def said(self, label: str) -> Prediction:
        return Prediction(label, 1.0)

    def content(self, label: str) -> str:
        return label

    def asked(self, stride: int) -> dict[str, Any]:
        return {"truncation": True}

    def asked_for_all(self, stride: int) -> dict[str, Any]:
        return super().asked(stride)

    def heard(self, output: Any) -> Prediction:
        """The best class alone, transformers' default and the fastest, or all that are there."""
        if isinstance(output, list) and len(output) > 1:
            everything: Prediction = super().heard(output)
            return everything
        found = output[0] if isinstance(output, list) else output
        return Prediction(found["label"], found["score"])

    def learned(
        self, train: Material, validation: Material, test: Material
    ) -> tuple[list[Prediction], list[Prediction]]:
        return classes(self, train, validation, test)

    def wrongness(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        """Its probability, where it is wrong: the surer, the worse."""
        found = [
            0.0 if answer.label == one else (answer.score or 1.0)
            for one, answer in zip(truth, answers, strict=True)
        ]
        return np.array(found, np.float64)

    def fault(self, answer: Prediction) -> str | None:
        row = [*(answer.scores or {}).values()]
        fine = all(map(math.isfinite, row)) and abs(sum(row) - 1) <= SUM
        return None if fine and len(row) == len(self.labels) else no_probabilities(row)

    def apart(self, one: Prediction, other: Prediction) -> float:
        return furthest(one, other)

    def agree(self, one: Prediction, other: Prediction, near: float) -> bool:
        """A class may be another's only where both are as good as equally probable."""
        return all(
            (said.scores or {})[best.label or ""] >= max((said.scores or {}).values()) - near
            for said, best in ((one, other), (other, one))
        )

    def lines(self, answer: Prediction) -> list[str]:
        return [f"{answer.label}\t{answer.score:.4f}"]
