"""What fine-tuning minimises: the task's own loss, bent as `finetune.loss` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.stage.errors import BadInput
from tasks.task import Shaping, Task
from tasks.training.batches import Batch

PLAIN = Shaping()


@dataclass(frozen=True)
class TaskLoss:
    """The objective of `tasks.training.loop.fit`: the sum over a batch of each example's loss."""

    task: Task
    shaping: Shaping = PLAIN

    def __call__(
        self, model: nn.Module, batch: Batch, _rows: npt.NDArray[np.int64]
    ) -> torch.Tensor:
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        logits: torch.Tensor = model(**inputs).logits
        return self.task.loss(logits, batch["labels"], self.shaping).sum()


class Wish(Protocol):
    """How the loss is bent: the section `finetune.loss:` has it."""

    @property
    def label_smoothing(self) -> float: ...
    @property
    def focal(self) -> float: ...
    @property
    def class_weights(self) -> Literal["balanced"] | Mapping[str, float] | None: ...


def shaping_of(wish: Wish, task: Task, truth: Sequence[str]) -> Shaping:
    """What a person asked for, in the order of the head's outputs.

    `truth` is that of the training split, which balanced weights are counted on. Raises BadInput
    for a task without labels, and for a label that it does not have.
    """
    weights = _weights(wish, task, truth)
    found = Shaping(wish.label_smoothing, wish.focal, weights)
    if found != PLAIN and not task.labels:
        asked = [
            name for name in ("label_smoothing", "focal", "class_weights") if getattr(wish, name)
        ]
        raise BadInput(
            f"params.yaml: finetune.loss.{asked[0]}: {task.kind} has no classes whose loss could "
            "be bent; leave finetune.loss as it is"
        )
    return found


def _weights(wish: Wish, task: Task, truth: Sequence[str]) -> tuple[float, ...] | None:
    if wish.class_weights is None:
        return None
    if wish.class_weights == "balanced":
        given: Mapping[str, float] = task.balance(truth)
    else:
        given = wish.class_weights
    unknown = [label for label in given if label not in task.labels]
    if unknown and task.labels:
        raise BadInput(
            f"params.yaml: finetune.loss.class_weights: got {unknown[0]!r}; the labels are "
            f"{', '.join(task.labels)}"
        )
    of = {output: weight for label, weight in given.items() for output in task.outputs_of(label)}
    return tuple(of.get(output, 1.0) for output in task.outputs)
