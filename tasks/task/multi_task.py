"""Several tasks over one encoder, each with a head of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tasks.stage.errors import BadInput
from tasks.task.answers import IGNORED, Doubles, Exit, Floats, Ints, Material, Pieces, Prediction
from tasks.task.base import PLAIN, Head, Shaping, Task
from tasks.task.labels import Refused

if TYPE_CHECKING:
    import torch


SEPARATOR = "\x1f"
"""Between the name of a task and a label of its; no label has control characters."""


@dataclass(frozen=True)
class MultiTask(Task):
    """Heads side by side: the outputs of one follow those of the one before it.

    An example belongs to one task, whose head alone it teaches; whoever asks gets the answer of
    every head. Where one of the tasks labels tokens every head is computed for every token, and a
    task that speaks of whole texts reads the first. The figure is the mean of the tasks' own.

    Targets have a last axis more: the number of the task, and what the task's own targets are. A
    truth is the name of its task and its label (`truths`).
    """

    heads: Mapping[str, Task] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    """What an example of a task counts in training; 1 where none is named."""

    kind: ClassVar[str] = "multi-task"
    metric: ClassVar[str] = "mean"
    several: ClassVar[bool] = True
    simple: ClassVar[tuple[tuple[str, str], tuple[str, str]]] = (
        ("constant", "each task's usual answer"),
        ("simple", "each task's simple model"),
    )
    metric_name: ClassVar[str] = "mean of the tasks"

    @classmethod
    def read(cls, texts: tuple[Any, ...], label: Any) -> tuple[tuple[Any, ...], str] | Refused:
        raise NotImplementedError("a row is read by the task that it belongs to")

    @classmethod
    def names(cls, label: str) -> list[str]:
        raise NotImplementedError("a label is understood by the task that it belongs to")

    @classmethod
    def of_heads(cls, heads: Mapping[str, Task]) -> MultiTask:
        """From tasks by name, in the order of the names."""
        ordered = {name: heads[name] for name in sorted(heads)}
        labels = (f"{name}/{label}" for name, head in ordered.items() for label in head.labels)
        return cls(tuple(labels), ordered)

    @property
    def per_token(self) -> bool:  # type: ignore[override]
        return any(head.per_token for head in self.heads.values())

    @property
    def pairs(self) -> bool:  # type: ignore[override]
        return all(head.pairs for head in self.heads.values())

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(
            f"{name}/{output}" for name, head in self.heads.items() for output in head.outputs
        )

    def members(self) -> Mapping[str, Task]:
        return self.heads

    def named(self, label: str, task: str) -> list[str]:
        return [f"{task}/{name}" for name in self.heads[task].names(label)]

    def member_of(self, name: str) -> str:
        return name.partition("/")[0]

    @property
    def parts(self) -> dict[str, slice]:
        """Which outputs are whose."""
        found, start = {}, 0
        for name, head in self.heads.items():
            found[name] = slice(start, start + len(head.outputs))
            start += len(head.outputs)
        return found

    @property
    def exits(self) -> dict[str, Exit]:
        return {
            f"logits_{name}": Exit(part, self.heads[name].per_token)
            for name, part in self.parts.items()
        }

    def truths(self, labels: Sequence[str], tasks: Sequence[str]) -> list[str]:
        return [f"{task}{SEPARATOR}{label}" for task, label in zip(tasks, labels, strict=True)]

    def targets(self, labels: Sequence[str], pieces: Sequence[Pieces] | None = None) -> Floats:
        whose, labels = self._told_apart(labels)
        width = 1 + max(self._width(head) for head in self.heads.values())
        lengths = [len(each.first) for each in pieces or ()] if self.per_token else [1] * len(whose)
        bounds = np.cumsum([0, *lengths])
        found = np.full((int(bounds[-1]), width), IGNORED, np.float32)
        found[:, 0] = np.repeat(whose, lengths)
        for at, head in enumerate(self.heads.values()):
            rows = np.flatnonzero(whose == at).tolist()
            if not len(rows):
                continue
            own_pieces = [pieces[row] for row in rows] if pieces else None
            own = head.targets([labels[row] for row in rows], own_pieces)
            own = np.asarray(own, np.float32).reshape(len(own), -1)
            if head.per_token:
                places = np.concatenate([np.arange(bounds[r], bounds[r + 1]) for r in rows])
            else:
                places = bounds[rows]
            found[places, 1 : 1 + own.shape[1]] = own
        return found

    def in_windows(self, truth: Sequence[str]) -> list[bool]:
        inside = [head.per_token for head in self.heads.values()]
        return [inside[at] for at in self._told_apart(truth)[0]]

    def outputs_of(self, label: str) -> tuple[str, ...]:
        name, _, own = label.partition("/")
        return tuple(f"{name}/{output}" for output in self.heads[name].outputs_of(own))

    def balance(self, truth: Sequence[str]) -> dict[str, float]:
        """Within each task."""
        whose, labels = self._told_apart(truth)
        found: dict[str, float] = {}
        for at, (name, head) in enumerate(self.heads.items()):
            own = head.balance([labels[row] for row in np.flatnonzero(whose == at)])
            found |= {f"{name}/{label}": weight for label, weight in own.items()}
        return found

    def weighted(self, weights: Mapping[str, float]) -> MultiTask:
        for name in weights:
            if name not in self.heads:
                raise BadInput(
                    f"params.yaml: finetune.task_weights: got {name!r}; the tasks are "
                    f"{', '.join(self.heads)}"
                )
        return replace(self, weights=dict(weights))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping = PLAIN
    ) -> torch.Tensor:
        whose = targets[:, 0, 0] if self.per_token else targets[:, 0]
        # every head has a part in the sum, if one of nothing: ranks wait for all gradients
        found = logits.float().flatten(1).sum(1) * 0
        for at, (name, head) in enumerate(self.heads.items()):
            rows = (whose == at).nonzero().squeeze(-1)
            if len(rows):
                own = head.loss(
                    self._logits(logits[rows], name),
                    self._own(targets[rows], head),
                    self._shaping(shaping, name),
                )
                found = found.index_add(0, rows, own.to(found) * self.weights.get(name, 1.0))
        return found

    def divergence(
        self, student: torch.Tensor, teacher: torch.Tensor, temperature: float, mask: torch.Tensor
    ) -> torch.Tensor:
        found = [
            head.divergence(
                self._logits(student, name), self._logits(teacher, name), temperature, mask
            )
            for name, head in self.heads.items()
        ]
        return sum(found[1:], found[0]) / len(found)

    def proof(self, logits: Floats, targets: Floats, bounds: Ints) -> Doubles:
        firsts = bounds[:-1] if self.per_token else np.arange(len(targets))
        whose = targets[firsts, 0].astype(int)
        found: list[Doubles] = []
        order: list[list[int]] = []
        for at, (name, head) in enumerate(self.heads.items()):
            rows = np.flatnonzero(whose == at).tolist()
            if not len(rows):
                continue
            part = self.parts[name]
            if head.per_token:
                places = np.concatenate([np.arange(bounds[r], bounds[r + 1]) for r in rows])
                inside = np.cumsum([0, *(bounds[r + 1] - bounds[r] for r in rows)])
            else:
                places, inside = firsts[rows], np.arange(len(rows) + 1)
            own = _narrow(targets[places, 1:], head)
            found.append(head.proof(logits[places][:, part], own, inside))
            order.append(rows)
        return _placed(found, order, [whose[rows[0]] for rows in order], len(whose))

    def evidence(self, truth: Sequence[str], answers: Sequence[Any]) -> Doubles:
        """As of one task; the answers are what `decode` gives, a dict of one a head."""
        whose, truth = self._told_apart(truth)
        found: list[Doubles] = []
        order: list[list[int]] = []
        for at, (name, head) in enumerate(self.heads.items()):
            rows = np.flatnonzero(whose == at).tolist()
            if len(rows):
                own = [truth[row] for row in rows]
                found.append(head.evidence(own, [answers[row][name] for row in rows]))
                order.append(rows)
        return _placed(found, order, [whose[rows[0]] for rows in order], len(whose))

    def figure(self, evidence: Doubles) -> float:
        each = [
            head.figure(evidence[evidence[:, 0] == at, 1:][:, : self._columns(head)])
            for at, head in enumerate(self.heads.values())
            if (evidence[:, 0] == at).any()
        ]
        return float(np.mean(each)) if each else 0.0

    def figures(self, truth: Sequence[str], answers: Sequence[Any]) -> dict[str, float]:
        found = {"mean": self.figure(self.evidence(truth, answers))}
        whose, truth = self._told_apart(truth)
        for at, (name, head) in enumerate(self.heads.items()):
            rows = np.flatnonzero(whose == at).tolist()
            if rows:
                own = head.figures([truth[r] for r in rows], [answers[r][name] for r in rows])
                found |= {f"{name}_{key}": value for key, value in own.items()}
        return found

    def is_share(self, metric: str) -> bool:
        """Of a task's own its say; the mean is a share where every task's figure is one."""
        for name, head in self.heads.items():
            if metric.startswith(f"{name}_"):
                return head.is_share(metric.removeprefix(f"{name}_"))
        return all(head.is_share(head.metric) for head in self.heads.values())

    def decode(
        self,
        logits: Floats,
        texts: Sequence[Any] = (),
        pieces: Sequence[Pieces] = (),
        bounds: Ints | None = None,
    ) -> list[dict[str, Prediction]]:
        found: list[dict[str, Prediction]] = []
        for name, head in self.heads.items():
            own = logits[:, self.parts[name]]
            if self.per_token and not head.per_token:
                assert bounds is not None
                own = own[bounds[:-1]]
            answers = head.decode(own, texts, pieces, bounds)
            found = found or [{} for _ in answers]
            for row, answer in zip(found, answers, strict=True):
                row[name] = answer
        return found

    def label_of(self, answer: Prediction) -> str:
        raise NotImplementedError("an answer is written by the task that gave it")

    def said(self, label: str) -> Any:
        name, _, own = label.partition(SEPARATOR)
        return {name: self.heads[name].said(own)}

    def by_head(self, truth: Sequence[str]) -> list[Head]:
        whose, labels = self._told_apart(truth)
        found = []
        for at, (name, head) in enumerate(self.heads.items()):
            rows = np.flatnonzero(whose == at).tolist()
            found.append(Head(name, head, rows, [labels[row] for row in rows]))
        return found

    @property
    def pipeline(self) -> str | None:
        """None where some heads read tokens and others texts: no pipeline does both."""
        return None if self.per_token else "text-classification"

    def usual(self, truth: Sequence[str]) -> Any:
        heads = self.by_head(truth)
        return {each.name: each.task.usual(each.truth) for each in heads if each.rows}

    def learned(
        self, train: Material, validation: Material, test: Material
    ) -> tuple[list[Any], list[Any]]:
        """Each example is answered by the simple model of its own task alone."""
        sides = train, validation, test
        found: tuple[list[Any], list[Any]] = [{} for _ in validation[0]], [{} for _ in test[0]]
        for mine in zip(*(self.by_head(truth) for _, truth in sides), strict=True):
            own = [([texts[row] for row in one.rows], one.truth)
                   for one, (texts, _) in zip(mine, sides, strict=True)]  # fmt: skip
            if not own[0][0]:
                continue
            told = mine[0].task.learned(own[0], own[1], own[2])
            for side, one, answers in zip(found, mine[1:], told, strict=True):
                for row, answer in zip(one.rows, answers, strict=True):
                    side[row] = {one.name: answer}
        return found

    def fault(self, answer: Any) -> str | None:
        faults = {name: head.fault(answer[name]) for name, head in self.heads.items()}
        return next((f"{name}: {fault}" for name, fault in faults.items() if fault), None)

    def apart(self, one: Any, other: Any) -> float:
        return max(head.apart(one[name], other[name]) for name, head in self.heads.items())

    def agree(self, one: Any, other: Any, near: float) -> bool:
        return all(head.agree(one[name], other[name], near) for name, head in self.heads.items())

    def meets(self, answer: Any, label: str, within: float | None = None) -> bool:
        name, _, own = label.partition(SEPARATOR)
        return self.heads[name].meets(answer[name], own, within)

    def alike(self, one: Any, other: Any) -> float:
        each = [head.alike(one[name], other[name]) for name, head in self.heads.items()]
        return float(np.mean(each))

    def lines(self, answer: Any) -> list[str]:
        return [
            f"{name}: {line}"
            for name, head in self.heads.items()
            for line in head.lines(answer[name]) or ["-"]
        ]

    def shown(self, answer: Any, text: str) -> str:
        return "\n\t".join([text, *self.lines(answer)])

    def describe(self) -> dict[str, Any]:
        heads = {name: head.describe() for name, head in self.heads.items()}
        return {**super().describe(), "heads": heads}

    def _told_apart(self, truths: Sequence[str]) -> tuple[Ints, list[str]]:
        """The number of each one's task, and its label. Raises KeyError for an unknown task."""
        number = {name: at for at, name in enumerate(self.heads)}
        parts = [truth.partition(SEPARATOR) for truth in truths]
        whose = np.array([number[name] for name, _, _ in parts], np.int64)
        return whose, [label for _, _, label in parts]

    @staticmethod
    def _width(head: Task) -> int:
        return len(head.labels) if head.target == "flags" else 1

    @staticmethod
    def _columns(head: Task) -> int:
        """How many columns the evidence of a task has."""
        return int(head.evidence([], []).shape[1])

    def _logits(self, logits: torch.Tensor, name: str) -> torch.Tensor:
        own = logits[..., self.parts[name]]
        return own[:, 0] if self.per_token and not self.heads[name].per_token else own

    def _shaping(self, shaping: Shaping, name: str) -> Shaping:
        """One head's part of it."""
        if shaping.weights is None:
            return shaping
        return replace(shaping, weights=shaping.weights[self.parts[name]])

    def _own(self, targets: torch.Tensor, head: Task) -> torch.Tensor:
        """A task's own targets, of examples that are its own, in its own type."""
        own = targets[..., 1 : 1 + self._width(head)]
        if self.per_token and not head.per_token:
            own = own[:, 0]
        if head.target == "flags":
            return own
        own = own.squeeze(-1)
        return own if head.target == "value" else own.long()


def _narrow(targets: Floats, head: Task) -> Any:
    own = targets[:, : MultiTask._width(head)]
    if head.target == "flags":
        return own
    return own[:, 0] if head.target == "value" else own[:, 0].astype(np.int64)


def _placed(
    found: Iterable[Doubles], order: Iterable[Sequence[int]], whose: Iterable[int], count: int
) -> Doubles:
    """Rows of several tasks in one array, the number of the task before each."""
    parts = list(zip(found, order, whose, strict=True))
    width = max((len(rows.T) for rows, _, _ in parts), default=0)
    placed = np.zeros((count, 1 + width))
    for rows, places, at in parts:
        placed[places, 0] = at
        placed[places, 1 : 1 + rows.shape[1]] = rows
    return placed
