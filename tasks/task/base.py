"""What a task is to the rest of the graph: one class, from the cell of a file to a prediction.

A kind of task knows how its labels are written, what its head puts out and is trained by, how good
an answer is, and what the predictor returns. Everything else asks it, so that a new kind is a new
class and its entry in `tasks.task.KINDS`. Only numpy is imported before a tensor is there.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from tasks.stage.errors import BadInput
from tasks.task.answers import Doubles, Exit, Floats, Ints, Material, Pieces, Prediction
from tasks.task.labels import Refused

if TYPE_CHECKING:
    import torch


class Head(NamedTuple):
    """One task of several and the examples that are its own; of one task alone, all of them."""

    name: str
    """Empty where there is but one task."""
    task: Task
    rows: list[int]
    truth: list[str]
    """Their labels, as the dataset keeps them."""

    def of(self, answers: Sequence[Any]) -> list[Prediction]:
        """This task's answers to its own examples, from everybody's answers to all."""
        return [answers[row][self.name] if self.name else answers[row] for row in self.rows]


@dataclass(frozen=True)
class Shaping:
    """How a loss over classes is bent; as it is, it is plain cross-entropy."""

    label_smoothing: float = 0.0
    """The share of a target that is spread over all classes (Szegedy et al. 2016)."""
    focal: float = 0.0
    """The exponent by which examples that are already right count less (Lin et al. 2017)."""
    weights: tuple[float, ...] | None = None
    """What an example of each class counts, in the order of the head's outputs."""


PLAIN = Shaping()

Target = Literal["class", "flags", "value"]


@dataclass(frozen=True)
class Task(ABC):
    """One task, with the labels that it has; the order of `labels` is that of the head's outputs.

    Logits are float32: [texts, outputs] as arrays or tensors. Of a task that labels tokens
    (`per_token`) they are [texts, tokens, outputs] as tensors, padded, and as arrays [tokens,
    outputs] with the texts end to end, text i between `bounds[i]` and `bounds[i + 1]`; targets
    likewise, without the last axis, IGNORED where a token has none.
    """

    labels: tuple[str, ...] = ()

    kind: ClassVar[str]
    """Its name in `params.yaml`."""
    metric: ClassVar[str]
    """What its figure is called: accuracy, f1, spearman."""
    metric_name: ClassVar[str]
    """The same in a reader's words."""
    per_token: ClassVar[bool] = False
    pairs: ClassVar[bool] = True
    """Whether an input may be a pair of texts."""
    classes: ClassVar[bool] = False
    """Whether every example has exactly one of the labels."""
    several: ClassVar[bool] = False
    """Whether it is several tasks with names, of which an answer is a dict."""
    numeric: ClassVar[bool] = False
    """Whether a label is a number."""
    target: ClassVar[Target] = "class"
    """What teaches the head: a class's number (int64), a 0 or 1 a class, a number (float32)."""
    unit: ClassVar[str] = "class"
    """What its labels speak of: class, value, entity."""
    silent: ClassVar[bool] = False
    """Whether a label may speak of nothing: no class holds, no entity is there."""

    # ---- what a file says

    @classmethod
    @abstractmethod
    def read(cls, texts: tuple[Any, ...], label: Any) -> tuple[tuple[Any, ...], str] | Refused:
        """A row's texts, and its label in the one form that the dataset keeps (a string).

        `texts` are cells as they were read; they come back as they are, but where label and text
        are written as lists of tokens.
        """

    @classmethod
    @abstractmethod
    def names(cls, label: str) -> list[str]:
        """The labels that a label of the dataset speaks of; none for a number."""

    @classmethod
    def stretches(cls, label: str) -> list[tuple[int, int]]:
        """The stretches of the text that a label of the dataset names, as characters."""
        return []

    @classmethod
    def moved(cls, label: str, places: Sequence[tuple[int, int]]) -> str | Refused:
        """The same label where the text was changed and its `stretches` now lie at `places`."""
        return label

    @classmethod
    def of(cls, labels: Iterable[str]) -> Task:
        """The task whose labels are all those that some labels of the dataset speak of."""
        return cls(tuple(sorted({name for label in set(labels) for name in cls.names(label)})))

    def truths(self, labels: Sequence[str], tasks: Sequence[str]) -> list[str]:
        """What `targets` and `evidence` take, from the dataset's columns `label` and `task`."""
        return list(labels)

    def members(self) -> Mapping[str, Task]:
        """The tasks it is made of, by what the dataset's column `task` calls them: itself."""
        return {self.kind: self}

    def named(self, label: str, task: str) -> list[str]:
        """Those of `labels` that a row speaks of, from its columns `label` and `task`."""
        return self.names(label)

    def member_of(self, name: str) -> str:
        """Which of `members` one of the labels belongs to."""
        return self.kind

    def by_head(self, truth: Sequence[str]) -> list[Head]:
        """Whose each example is, from what `truths` gave."""
        return [Head("", self, list(range(len(truth))), list(truth))]

    # ---- the head

    @property
    def outputs(self) -> tuple[str, ...]:
        """A name for each output of the head."""
        return self.labels

    @property
    def exits(self) -> dict[str, Exit]:
        """The outputs of an exported graph, by name."""
        return {"logits": Exit(slice(0, len(self.outputs)), self.per_token)}

    @property
    def problem(self) -> str | None:
        """What transformers calls it (`config.problem_type`)."""
        return None

    @abstractmethod
    def targets(self, labels: Sequence[str], pieces: Sequence[Pieces] | None = None) -> Any:
        """Labels of the dataset as numbers, an array whose first axis is texts or tokens.

        `pieces` are needed by a task that labels tokens. Raises KeyError for an unknown label.
        """

    @abstractmethod
    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping = PLAIN
    ) -> torch.Tensor:
        """Each example's loss, [texts]."""

    @abstractmethod
    def divergence(
        self, student: torch.Tensor, teacher: torch.Tensor, temperature: float, mask: torch.Tensor
    ) -> torch.Tensor:
        """How far a student's answer to each example is from the teacher's, [texts].

        Both are logits, which `temperature` softens (Hinton et al. 2015); `mask` is 1 for the
        tokens that are none of the padding, [texts, tokens].
        """

    def in_windows(self, truth: Sequence[str]) -> list[bool]:
        """Whether all of a long text teaches, not only its beginning, for each truth."""
        return [self.per_token] * len(truth)

    def outputs_of(self, label: str) -> tuple[str, ...]:
        """Those of `outputs` that one of the labels has a part in."""
        return (label,)

    def balance(self, truth: Sequence[str]) -> dict[str, float]:
        """What an example of each label counts where all labels count alike: n / (labels · its n).

        Counted is how often `truth` speaks of each; empty where it speaks of none.
        """
        counts = Counter(name for one in truth for name in self.names(one))
        return {name: counts.total() / (len(counts) * count) for name, count in counts.items()}

    def weighted(self, weights: Mapping[str, float]) -> Task:
        """The same, an example of each of several tasks counting so much in training.

        Raises BadInput where there is but one task, or none of a name.
        """
        raise BadInput(
            f"params.yaml: finetune.task_weights: got {dict(weights)}; takes null: there is one "
            f"task, {self.kind}"
        )

    # ---- how good it is

    @abstractmethod
    def proof(self, logits: Floats, targets: Any, bounds: Ints) -> Doubles:
        """As `evidence`, from logits and targets."""

    @abstractmethod
    def evidence(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        """What each example says of the figure, [texts, n]: counts or values that `figure` sums up.

        Drawing examples anew is drawing rows of it.
        """

    @abstractmethod
    def figure(self, evidence: Doubles) -> float:
        """The metric, at most 1; 0 where nothing can be said."""

    @abstractmethod
    def figures(self, truth: Sequence[str], answers: Sequence[Prediction]) -> dict[str, float]:
        """The metric and the others that a reader of this task asks for, by name."""

    def is_share(self, metric: str) -> bool:
        """Whether one of the `figures` is a share, which readers want in per cent."""
        return True

    def told(self, figure: float) -> str:
        """The figure for people: in per cent, or with three decimals."""
        return f"{100 * figure:.2f} %" if self.is_share(self.metric) else f"{figure:.3f}"

    # ---- what the predictor returns

    @abstractmethod
    def decode(
        self,
        logits: Floats,
        texts: Sequence[Any] = (),
        pieces: Sequence[Pieces] = (),
        bounds: Ints | None = None,
    ) -> list[Any]:
        """A Prediction for each text; `texts`, `pieces` and `bounds` where tokens are labelled."""

    @abstractmethod
    def label_of(self, answer: Prediction) -> str:
        """An answer in the form in which the dataset keeps labels."""

    def alike(self, one: Any, other: Any) -> float:
        """How far two answers to the same text are the same, 0 to 1: here, yes or no."""
        return float(self.label_of(one) == self.label_of(other))

    @abstractmethod
    def lines(self, answer: Any) -> list[str]:
        """An answer for people, its parts with tabs between them."""

    def shown(self, answer: Any, text: str) -> str:
        """An answer with the text that it is about, for people."""
        return "\t".join([*self.lines(answer), text])

    @abstractmethod
    def said(self, label: str) -> Any:
        """The answer that says what a label of the dataset says."""

    def content(self, label: str) -> Any:
        """What a label of the dataset says, as JSON for a reader."""
        return json.loads(label)

    # ---- what others would do, and where it errs

    @property
    def pipeline(self) -> str | None:
        """The pipeline of transformers that serves such a model; None where there is none."""
        return "text-classification"

    def asked(self, stride: int) -> dict[str, Any]:
        """What that pipeline is called with; `stride`: tokens that neighbouring windows share."""
        return {"truncation": True, "top_k": None, "function_to_apply": "none"}

    def asked_for_all(self, stride: int) -> dict[str, Any]:
        """The same, where it is to tell all it knows."""
        return self.asked(stride)

    def heard(self, output: Any) -> Any:
        """The answer in that pipeline's output for one input: raw scores by name."""
        scores = {each["label"]: each["score"] for each in output}
        return self.decode(np.array([[scores[name] for name in self.outputs]], np.float32))[0]

    simple: ClassVar[tuple[tuple[str, str], tuple[str, str]]]
    """What can be had without a transformer, a key and a name each: `usual`, then `learned`."""

    def usual(self, truth: Sequence[str]) -> Any:
        """The one answer for whoever knows the labels alone; the first in order of equals."""
        return self.said(Counter(sorted(truth)).most_common(1)[0][0])

    @abstractmethod
    def learned(
        self, train: Material, validation: Material, test: Material
    ) -> tuple[list[Any], list[Any]]:
        """A simple model's answers to the validation and the test texts.

        Each argument is texts and their truths. It is fitted on `train`, its settings are chosen on
        `validation`; of the test truths nothing is looked at but whose task they are.
        """

    def claims(self, label: str) -> set[tuple[Any, ...]]:
        """What a label of the dataset says, thing by thing, the name of each first."""
        return {(name,) for name in self.names(label)}

    amount: ClassVar[str] = "wrong"
    """What `wrongness` is called in a report."""

    def wrongness(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        """How far each answer is off, [texts]; 0 where it is right."""
        found = [
            len(self.claims(one) ^ self.claims(self.label_of(answer)))
            for one, answer in zip(truth, answers, strict=True)
        ]
        return np.array(found, np.float64)

    # ---- what may be asked of every answer

    @abstractmethod
    def fault(self, answer: Any) -> str | None:
        """Why it is no answer at all, whatever was asked; None when it is one."""

    @abstractmethod
    def apart(self, one: Any, other: Any) -> float:
        """How far two answers to the same request are from each other: 0 when equal, up to 1.

        In probability; of a number, in deviations of the training labels.
        """

    def agree(self, one: Any, other: Any, near: float) -> bool:
        """Whether they come to the same, `near` being a distance that means nothing."""
        return self.apart(one, other) <= near

    def meets(self, answer: Any, label: str, within: float | None = None) -> bool:
        """Whether an answer is what a label of the dataset says; `within`: of a number."""
        return self.label_of(answer) == label

    # ---- its description, in the model's configuration, approved.json and the release

    def describe(self) -> dict[str, Any]:
        """What `tasks.task.task_of` makes it from again, as JSON."""
        return {"kind": self.kind, "labels": list(self.labels)}
