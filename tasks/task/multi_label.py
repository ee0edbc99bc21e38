"""Any number of classes for each text or pair of texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tasks.task.answers import Doubles, Floats, Ints, Material, Pieces, Prediction
from tasks.task.base import PLAIN, Shaping, Target, Task
from tasks.task.figures import f_score, furthest, hits, no_probabilities, overlap, sigmoid
from tasks.task.labels import Refused, is_missing, label_text
from tasks.task.simple import sets

if TYPE_CHECKING:
    import torch

SEPARATOR = "|"
"""Between the labels of a cell that holds a text."""
HOLDS = 0.5
"""The probability from which a class is said to hold."""


@dataclass(frozen=True)
class MultiLabel(Task):
    """Classes that don't exclude each other; a text may have none.

    A cell is a list, the same as JSON, or a text with `|` between the labels. An empty list or an
    empty text says that none holds, null that nobody looked. The figure is the micro-averaged F1.
    """

    kind: ClassVar[str] = "multi-label"
    metric: ClassVar[str] = "f1"
    simple: ClassVar[tuple[tuple[str, str], tuple[str, str]]] = (
        ("majority", "most frequent set of labels"),
        ("tfidf", "TF-IDF + logistic regression"),
    )
    silent: ClassVar[bool] = True
    metric_name: ClassVar[str] = "micro-F1"
    target: ClassVar[Target] = "flags"

    @classmethod
    def read(cls, texts: tuple[Any, ...], label: Any) -> tuple[tuple[Any, ...], str] | Refused:
        if is_missing(label):
            return Refused("no label", "the label is empty")
        names = set()
        for part in _parts(label):
            name = label_text(part)
            if isinstance(name, Refused):
                return name
            names.add(name)
        return texts, json.dumps(sorted(names), ensure_ascii=False)

    @classmethod
    def names(cls, label: str) -> list[str]:
        found: list[str] = json.loads(label)
        return found

    @property
    def problem(self) -> str | None:
        return "multi_label_classification"

    def targets(self, labels: Sequence[str], pieces: Sequence[Pieces] | None = None) -> Floats:
        number = {label: at for at, label in enumerate(self.labels)}
        found = np.zeros((len(labels), len(self.labels)), np.float32)
        for row, label in enumerate(labels):
            found[row, [number[name] for name in self.names(label)]] = 1
        return found

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping = PLAIN
    ) -> torch.Tensor:
        from tasks.task.losses import binary_cross_entropy

        return binary_cross_entropy(logits, targets.float(), shaping)

    def divergence(
        self, student: torch.Tensor, teacher: torch.Tensor, temperature: float, mask: torch.Tensor
    ) -> torch.Tensor:
        import torch

        from tasks.task.losses import softened

        # a class by itself is a choice of two: its logit against nothing
        against = [torch.stack([each, torch.zeros_like(each)], -1) for each in (student, teacher)]
        return softened(against[0], against[1], temperature).mean(-1)

    def proof(self, logits: Floats, targets: Floats, bounds: Ints) -> Doubles:
        return _counts(targets > HOLDS, sigmoid(logits) >= HOLDS)

    def evidence(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        rows = []
        for one, answer in zip(truth, answers, strict=True):
            rows.append(hits({*self.names(one)}, {*(answer.labels or ())}))
        return np.array(rows, np.float64).reshape(-1, 3)

    def figure(self, evidence: Doubles) -> float:
        return f_score(*evidence.sum(0))

    def figures(self, truth: Sequence[str], answers: Sequence[Prediction]) -> dict[str, float]:
        evidence = self.evidence(truth, answers)
        each = []
        for name in self.labels:
            held = np.array([name in self.names(one) for one in truth])
            told = np.array([name in (answer.labels or ()) for answer in answers])
            if held.any() or told.any():
                each.append(f_score(*_counts(held[:, None], told[:, None]).sum(0)))
        return {
            "f1": self.figure(evidence),
            "macro_f1": float(np.mean(each)) if each else 0.0,
            "exact": float((evidence[:, 1:].sum(1) == 0).mean()) if len(evidence) else 0.0,
        }

    def decode(
        self,
        logits: Floats,
        texts: Sequence[Any] = (),
        pieces: Sequence[Pieces] = (),
        bounds: Ints | None = None,
    ) -> list[Prediction]:
        found = []
        for row in sigmoid(logits).tolist():
            scores = dict(zip(self.labels, row, strict=True))
            holding = tuple(name for name, sure in scores.items() if sure >= HOLDS)
            found.append(Prediction(scores=scores, labels=holding))
        return found

    def label_of(self, answer: Prediction) -> str:
        return json.dumps(sorted(answer.labels or ()), ensure_ascii=False)

    def said(self, label: str) -> Prediction:
        return Prediction(labels=tuple(self.names(label)))

    def learned(
        self, train: Material, validation: Material, test: Material
    ) -> tuple[list[Prediction], list[Prediction]]:
        return sets(self, train, validation, test)

    def fault(self, answer: Prediction) -> str | None:
        row = [*(answer.scores or {}).values()]
        fine = all(0 <= each <= 1 for each in row) and len(row) == len(self.labels)
        return None if fine else no_probabilities(row)

    def apart(self, one: Prediction, other: Prediction) -> float:
        return furthest(one, other)

    def alike(self, one: Prediction, other: Prediction) -> float:
        return overlap({*(one.labels or ())}, {*(other.labels or ())})

    def lines(self, answer: Prediction) -> list[str]:
        scores = answer.scores or {}
        return [", ".join(f"{name} {scores[name]:.4f}" for name in answer.labels or ()) or "-"]


def _parts(label: Any) -> Sequence[Any]:
    if isinstance(label, list | tuple | np.ndarray):
        return list(label)
    if not isinstance(label, str):
        return [label]
    text = label.strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return found
    return text.split(SEPARATOR) if text else []


def _counts(true: Any, told: Any) -> Doubles:
    """Right, wrong and missed classes of each row of two [n, classes] of bool."""
    counted = [(true & told).sum(1), (told & ~true).sum(1), (true & ~told).sum(1)]
    return np.stack(counted, 1).astype(np.float64)
