"""What a smaller model is taught on, and what it is judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from torch import nn

from tasks.compression.augmentation import augmented
from tasks.compression.distillation import Distillation, ask
from tasks.data.dataset import read_examples, read_unlabelled
from tasks.measuring.expected import expected_drop
from tasks.task import Task
from tasks.task.figures import softmax
from tasks.training.batches import Encoded, encode, join
from tasks.training.classifier import stride_of_model, task_of_model
from tasks.training.plan import Plan
from tasks.training.scoring import Logits, predict, score
from tasks.training.vocabulary import Vocabulary

FEWEST_TOKENS = 3
"""Of a text: with those around it."""


class Wishes(Protocol):
    """What is asked of the texts and of recovery: the section `prune:` has it."""

    @property
    def texts(self) -> str: ...
    @property
    def augment(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def hidden_weight(self) -> float: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Material:
    """What every level is measured on and trained with."""

    train: Encoded
    """Texts with labels, and copies of them."""
    originals: int
    """So many of the first are no copies."""
    validation: Encoded
    answers: Logits
    """The fine-tuned model's, of `validation`."""
    task: Task
    plan: Plan

    def figure_of(self, logits: Logits) -> float:
        """How good answers to `validation` are, by the figure of the task, at most 1."""
        return score(self.task, logits, self.validation)["figure"]

    def expected_drop(self, logits: Logits) -> float:
        """Points below the fine-tuned model's that such answers may be expected to be on new texts
        (`tasks.measuring.expected`); where a text may have other than one class, those here."""
        if not self.task.classes:
            return 100 * (self.figure_of(self.answers) - self.figure_of(logits))
        return expected_drop(self.validation.labels, softmax(logits), softmax(self.answers))


def gather(
    teacher: nn.Module, tokenizer: Any, params: Wishes, plan: Plan, title: str
) -> tuple[Material, Distillation, Vocabulary]:
    """Read the approved texts, and have the fine-tuned model answer all that recovery is taught on.

    Leaves the model with the rows of its embedding that these texts use; the vocabulary brings the
    others back. `title` says who asks, for people.
    """
    train, validation = (encoded(split, tokenizer, teacher) for split in ("train", "validation"))
    more = _unlabelled(train, tokenizer, teacher, params)
    room, originals = params.max_tokens - len(more.ids), len(train)
    train = augmented(train, tokenizer.all_special_ids, params.augment, room, params.seed)
    taught = join([train, more])
    print(f"{title}: the fine-tuned model answers {len(taught):,} texts, to teach by", flush=True)
    vocabulary = Vocabulary(teacher, [taught, validation])
    vocabulary.narrow(teacher)
    train, taught, validation = map(vocabulary.renumbered, (train, taught, validation))
    task, lessons = task_of_model(teacher), ask(teacher, taught, plan)
    objective = Distillation(lessons, task, params.temperature, params.hidden_weight)
    answers = predict(teacher, validation, plan)
    return Material(train, originals, validation, answers, task, plan), objective, vocabulary


def encoded(split: str, tokenizer: Any, model: nn.Module) -> Encoded:
    """An approved split as a fine-tuned model reads it."""
    examples, task = read_examples(split), task_of_model(model)
    truth = task.truths(examples.labels, examples.tasks)
    length = tokenizer.model_max_length
    return encode(tokenizer, examples.texts, truth, task, length, stride_of_model(model))


def _unlabelled(train: Encoded, tokenizer: Any, model: nn.Module, params: Wishes) -> Encoded:
    """The texts without labels that there is room for beside `train`; their targets are 0."""
    texts = read_unlabelled() if params.texts == "both" else []
    room = params.max_tokens - len(train.ids)
    order = np.random.default_rng(params.seed).permutation(len(texts))
    drawn = [texts[at] for at in order[: max(0, room // FEWEST_TOKENS)]]
    if not drawn:
        return train.taking([], np.zeros(0, np.int64))
    task, length = task_of_model(model), tokenizer.model_max_length
    found = encode(tokenizer, drawn, None, task, length, stride_of_model(model))
    blank = np.zeros((len(found.labels), *train.labels.shape[1:]), train.labels.dtype)
    found = replace(found, labels=blank)
    rows = np.flatnonzero(np.cumsum(found.lengths) <= room)
    return found.only(rows)
