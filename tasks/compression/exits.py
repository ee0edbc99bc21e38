"""Where texts may leave a model early: its lenses are taught, and the places chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.compression.distillation import Distillation
from tasks.compression.material import Material
from tasks.compression.recovery import Recovery, without_dropout
from tasks.task import Task
from tasks.training.batches import ALIKE, Batch
from tasks.training.early import (
    NEVER,
    Leaving,
    can_tell,
    chosen,
    leaving_early,
    places,
    places_of,
    with_lenses,
)
from tasks.training.loop import fit
from tasks.training.parts import layers_of
from tasks.training.scoring import Logits, predict_early

PART = 0.125
"""Of the texts of recovery, how many the lenses are taught on. More spare more and take longer: a
quarter, at half the rate, made it 3.6 layers a text of the sample's fine-tuned model in ten seconds
more, this 3.9, in one run each."""
RATE = 2e-3
"""Learning rate of the lenses, which begin as nothing: that of a recovery is for what is there."""


@dataclass(frozen=True)
class Agreement:
    """The objective of lenses: each place is to give the answer that all layers give.

    The KL divergence of the classes' probabilities, both softened by `temperature`; nothing that
    labels or a teacher say.
    """

    task: Task
    temperature: float

    def __call__(
        self, model: nn.Module, batch: Batch, _rows: npt.NDArray[np.int64]
    ) -> torch.Tensor:
        """The sum over the batch of each text's loss."""
        answer = model(**{name: each for name, each in batch.items() if name != "labels"})
        mask, told = batch["attention_mask"].float(), answer.logits.detach()
        losses = [
            self.task.divergence(early, told, self.temperature, mask).sum()
            for early in answer.early.values()
        ]
        return torch.stack(losses).sum()


def ask_early(model: nn.Module, material: Material, percent: float) -> bool:
    """Have a model, in place, be asked wherever texts may leave it, though none leaves it yet.

    False where none is to leave: the task has other than one class a text, the model has no layer
    to spare, or the validation split is too small to tell.
    """
    asked = places(len(layers_of(model)))
    if not (asked and material.task.classes and can_tell(len(material.validation), percent)):
        return False
    leaving_early(model, dict.fromkeys(asked, NEVER))
    return True


def teach_lenses(
    model: nn.Module, material: Material, recovery: Recovery, objective: Distillation, title: str
) -> None:
    """Have a model that is asked early answer there as it does after all layers, in place.

    On texts of the objective; the model's own weights stay as they are.
    """
    with_lenses(model, places_of(model))
    without_dropout(model)
    texts = objective.lessons.texts
    few = texts.sample(max(1, round(PART * len(texts))), recovery.seed)
    how = replace(recovery, epochs=1, learning_rate=RATE, evaluations=1)
    with _lenses_alone(model):
        fit(
            model, Agreement(material.task, objective.temperature), few, material.validation,
            how, material.plan, title=f"{title}, early answers", keep="last", together=ALIKE,
        )  # fmt: skip


def let_leave(
    model: nn.Module, answers: Logits, material: Material, percent: float
) -> list[Leaving]:
    """Where texts leave a model that is asked early, which is told so, in place.

    `answers` are those of all its layers to the validation split; of 100 texts at most `percent`
    may be expected to get another one.
    """
    early = predict_early(model, material.validation, material.plan)
    return chosen(model, answers, early, percent)


@contextmanager
def _lenses_alone(model: nn.Module) -> Iterator[None]:
    """While the block lasts nothing else is trained."""
    trained = [each for each in model.parameters() if each.requires_grad]
    model.requires_grad_(False)
    model.lenses.requires_grad_(True)
    try:
        yield
    finally:
        for each in trained:
            each.requires_grad_(True)
