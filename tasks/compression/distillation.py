"""Recovery: a smaller model learns to answer as the fine-tuned one does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.task import Task
from tasks.training.batches import Batch, Encoded
from tasks.training.plan import Plan
from tasks.training.pooling import read_by_head
from tasks.training.scoring import Logits, forward, places_of

EARLY = 0.2
"""What an answer before the last layers counts, beside the last one's."""


@dataclass(frozen=True)
class Lessons:
    """What the teacher says of each training text, asked once: it does not change, and asking
    again at every step would take a third of the time."""

    texts: Encoded
    logits: Logits
    """float32 [texts, outputs]; of a task that labels tokens [tokens, outputs]."""
    states: npt.NDArray[np.float16]
    """The last hidden state that the head reads, of the first token or the mean of all, [texts,
    dimensions]; where tokens are labelled every token's."""

    def sample(self, count: int, among: int, seed: int = 0) -> Lessons:
        """Those of `count` of the first `among` rows, drawn without replacement (or all those)."""
        rows = np.sort(np.random.default_rng(seed).permutation(among)[:count])
        own = places_of(self.texts, rows)
        return Lessons(self.texts.only(rows), self.logits[own], self.states[own])


def ask(teacher: nn.Module, texts: Encoded, plan: Plan) -> Lessons:
    """The teacher's answers to every text, in order, without dropout."""
    count = len(texts.ids) if texts.per_token else len(texts)
    logits: Logits = np.zeros((0, 0), np.float32)
    states = np.zeros((0, 0), np.float16)
    for rows, output in forward(teacher, texts, plan, output_hidden_states=True):
        answer, state = output.logits.float(), output.hidden_states[-1].half()
        if texts.per_token:
            inside = torch.from_numpy(texts.inside(rows))
            answer, state = answer[inside], state[inside]
        else:
            mask = torch.from_numpy(texts.inside(rows)).to(state.device)
            state = read_by_head(teacher, state, mask)
        if not len(logits):
            logits = np.zeros((count, answer.shape[-1]), np.float32)
            states = np.zeros((count, state.shape[-1]), np.float16)
        places = places_of(texts, rows)
        logits[places], states[places] = answer.cpu().numpy(), state.cpu().numpy()
    return Lessons(texts, logits, states)


@dataclass(frozen=True)
class Distillation:
    """The objective of recovery.

    The task's divergence from the teacher's answer, of classes the KL divergence of their
    probabilities, both softened by `temperature` (Hinton et al. 2015); and `hidden_weight` times
    the mean squared distance of last hidden states: of what the head reads (after Jiao et al. 2020,
    who take all tokens of all layers: for a classifier its first token does better, at no cost),
    or, where tokens are labelled, the mean over all of them. A model that may answer early
    (`tasks.training.early`) is taught the same answer there, which counts a fifth.
    """

    lessons: Lessons
    task: Task
    temperature: float
    hidden_weight: float

    def __call__(
        self, student: nn.Module, batch: Batch, rows: npt.NDArray[np.int64]
    ) -> torch.Tensor:
        """The sum over the batch of each text's loss."""
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        answer = student(**inputs, output_hidden_states=self.hidden_weight > 0)
        texts, mask = self.lessons.texts, batch["attention_mask"].float()
        taught = torch.from_numpy(texts.of_rows(self.lessons.logits, rows))
        taught = taught.to(answer.logits.device)
        loss = self.task.divergence(answer.logits, taught, self.temperature, mask).sum()
        for early in getattr(answer, "early", {}).values():
            loss = loss + EARLY * self.task.divergence(early, taught, self.temperature, mask).sum()
        if self.hidden_weight > 0:
            state = answer.hidden_states[-1]
            state = (state if texts.per_token else read_by_head(student, state, mask)).float()
            shown = torch.from_numpy(texts.of_rows(self.lessons.states, rows)).to(state)
            off = (state - shown).pow(2).mean(-1)
            if texts.per_token:
                off = (off * mask).sum(1) / mask.sum(1)
            loss = loss + self.hidden_weight * off.sum()
        return loss
