"""Recovery: a smaller model learns to answer as the fine-tuned one does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.training.batches import Batch, Encoded
from tasks.training.plan import Plan
from tasks.training.scoring import Logits, forward

FIRST = 0
"""The token whose last hidden state the classification head of every known family reads."""


@dataclass(frozen=True)
class Lessons:
    """What the teacher says of each training text, asked once: it does not change, and asking
    again at every step would take a third of the time."""

    logits: Logits
    """float32 [texts, classes]"""
    states: npt.NDArray[np.float16]
    """The first token's last hidden state, [texts, dimensions]."""


def ask(teacher: nn.Module, texts: Encoded, plan: Plan) -> Lessons:
    """The teacher's answers to every text, in order, without dropout."""
    rows: list[npt.NDArray[np.int64]] = []
    logits: list[torch.Tensor] = []
    states: list[torch.Tensor] = []
    for found, output in forward(teacher, texts, plan, output_hidden_states=True):
        rows.append(found)
        logits.append(output.logits.float().cpu())
        states.append(output.hidden_states[-1][:, FIRST].half().cpu())
    back = np.argsort(np.concatenate(rows))
    return Lessons(torch.cat(logits).numpy()[back], torch.cat(states).numpy()[back])


@dataclass(frozen=True)
class Distillation:
    """The objective of recovery.

    The KL divergence from the teacher's class probabilities, both softened by `temperature`
    (Hinton et al. 2015), and `hidden_weight` times the mean squared distance of the first token's
    last hidden states (after Jiao et al. 2020, who take all tokens of all layers: for a
    classifier the first token does better, at no cost).
    """

    lessons: Lessons
    temperature: float
    hidden_weight: float

    def __call__(
        self, student: nn.Module, batch: Batch, rows: npt.NDArray[np.int64]
    ) -> torch.Tensor:
        """The sum over the batch of each text's loss."""
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        answer = student(**inputs, output_hidden_states=self.hidden_weight > 0)
        logits = torch.from_numpy(self.lessons.logits[rows]).to(answer.logits.device)
        t = self.temperature
        loss = (
            t
            * t
            * nn.functional.kl_div(
                (answer.logits.float() / t).log_softmax(-1),
                (logits / t).log_softmax(-1),
                log_target=True,
                reduction="sum",
            )
        )
        if self.hidden_weight > 0:
            state = answer.hidden_states[-1][:, FIRST].float()
            taught = torch.from_numpy(self.lessons.states[rows]).to(state)
            loss = loss + self.hidden_weight * (state - taught).pow(2).mean(-1).sum()
        return loss
