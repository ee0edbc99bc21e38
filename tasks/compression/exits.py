"""Models are made to let texts leave early: asked on the way, given lenses, told where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.compression.distillation import Distillation
from tasks.compression.leaving import can_tell, cheapest, places
from tasks.compression.material import Material
from tasks.compression.recovery import Recovery, without_dropout
from tasks.task import Task
from tasks.task.answers import Floats
from tasks.training.batches import ALIKE, Batch
from tasks.training.early import NEVER, Leaving, leaving_early, places_of, with_lenses
from tasks.training.first_token import reads_first
from tasks.training.loop import fit
from tasks.training.parts import layers_of
from tasks.training.scoring import predict_early

PART = 0.125
"""Of the texts of recovery, how many the lenses are taught on. More spare more and take longer: a
quarter, at half the rate, made it 3.6 layers a text of the sample's fine-tuned model in ten seconds
more, this 3.9, in one run each."""
RATE = 2e-3
"""Learning rate of the lenses, which begin as nothing: that of a recovery is for what is there."""
ASKED = 0.4
"""What it costs to ask the last layer and the head, in layers: of the sample in int8, one text on a
core, 60 of 150 microseconds."""
LENS = 0.1
"""What a lens adds: the twelfth of a layer's products, of the usual width."""


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


def leave_by_lenses(
    model: nn.Module, answers: Floats, material: Material, percent: float, recovery: Recovery,
    objective: Distillation, title: str,
) -> list[Leaving]:  # fmt: skip
    """Where texts leave a model whose own weights stay as they are; it is told so, in place.

    `answers` are its logits of the validation split, and `percent` is as in `let_leave`.
    """
    if not ask_early(model, material, percent):
        return []
    teach_lenses(model, material, recovery, objective, title)
    early = predict_early(model, material.validation, material.plan)
    return let_leave(model, answers, early, percent)


def let_leave(
    model: nn.Module, full: Floats, early: Mapping[int, Floats], percent: float
) -> list[Leaving]:
    """Have texts leave a model that is asked early, in place, where that spares most; lenses
    elsewhere go.

    `full` are the logits of all its layers and `early` those at each place [texts, classes], of
    texts that it has not learnt from; of 100 others at most `percent` may be expected to get
    another answer.
    """
    found = cheapest(full, early, percent, len(layers_of(model)), cost_of_asking(model))
    lenses: Any = getattr(model, "lenses", {})
    for place in {*lenses} - {str(each.after) for each in found}:
        del lenses[place]
    leaving_early(model, {each.after: each.certainty for each in found})
    return found


def cost_of_asking(model: nn.Module) -> float:
    """In layers, of which a last one that is computed for every token is a whole."""
    lens = LENS if len(getattr(model, "lenses", ())) else 0.0
    return lens + (ASKED if reads_first(model) else 1.0)


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
