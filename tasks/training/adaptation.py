"""Domain-adaptive pre-training: the encoder reads the domain's texts before it learns the task.

Masked language modelling goes on over texts whose labels nobody needs, which helps where they
differ from what the encoder was made of (Gururangan et al. 2020). What comes out are the encoder's
weights; the head that guesses words is left behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from tasks.training import progress
from tasks.training.batches import ALIKE, epoch_batches
from tasks.training.checkpoints import Checkpoint
from tasks.training.guessing import Guess, Masked, load_guesser, to_guess
from tasks.training.layouts import Tensors, spread
from tasks.training.loop import recompute
from tasks.training.methods import Pace, make_optimizer
from tasks.training.plan import Plan
from tasks.training.ranks import rank
from tasks.training.steps import (
    Stepper,
    rate_at,
    seed_step,
    stopped_by_bad_steps,
    to_device,
    whole_tensor,
)

TITLE = "adapt"
EXAMINED = 256
"""Texts held out whose hidden tokens are guessed before and after."""


class How(Protocol):
    """The numbers of the run: `finetune.adapt` has them, the others are those of `finetune`."""

    @property
    def epochs(self) -> int: ...
    @property
    def share(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def max_tokens(self) -> int | None: ...


def read_domain(
    base: Path, tokenizer: Any, texts: Sequence[str], examined: Sequence[str], max_length: int,
    how: How, common: Pace, plan: Plan, checkpoint: Checkpoint,
) -> tuple[Tensors, dict[str, Any]]:  # fmt: skip
    """The weights of an encoder that has read `texts` (`encoder_weights`), and what came of it.

    The findings are those of `adapt`, by which `examined` are only looked at, before and after.
    Every rank calls it and gets the same. Raises BadInput for a model or tokenizer that can't do
    it, and when there are no texts.
    """
    lessons = to_guess(tokenizer, texts, max_length, how.share, common.seed, how.max_tokens)
    test = to_guess(tokenizer, examined[:EXAMINED], max_length, how.share, common.seed)
    model = load_guesser(base, tokenizer, plan.attention, max_length, common.seed)
    model.to(plan.device)
    if plan.gradient_checkpointing:
        recompute(model)
    found = adapt(model, lessons, test, how, common, plan, checkpoint)
    return encoder_weights(model), found


def adapt(
    model: nn.Module, texts: Masked, examined: Masked, how: How, common: Pace, plan: Plan,
    checkpoint: Checkpoint,
) -> dict[str, Any]:  # fmt: skip
    """Train in place; with `checkpoint`, go on from the last whole epoch, or from the end.

    Returns the mean `losses` of the epochs, and those `before` and `after` on `examined`.
    Raises StageError when too many steps in a row are not finite.
    """
    found: dict[str, Any] = {"texts": len(texts), "tokens": len(texts.ids), "losses": []}
    objective = Guess(model)
    parallel = spread(model, plan)
    optimizer = make_optimizer(model, _Rates(how.learning_rate, common.weight_decay))
    stepper = Stepper(parallel, objective, optimizer, common.max_grad_norm, plan)
    state = progress.load(checkpoint, plan, model.state_dict(), {}, optimizer)
    if state is None:
        found["before"] = loss_on(examined, model, objective, plan)
    else:
        found = state["found"]
        model.load_state_dict(state["model"])
        if len(found["losses"]) < how.epochs:
            progress.restore_optimizer(optimizer, state["optimizer"])
            stepper.load_state_dict(state["stepper"])
    for epoch in range(len(found["losses"]), how.epochs):
        found["losses"].append(_epoch(epoch, stepper, texts, how, common))
        last = epoch + 1 == how.epochs
        if last:
            found["after"] = loss_on(examined, model, objective, plan)
        weights = model.state_dict()
        progress.save(
            checkpoint,
            plan,
            {"found": found, "stepper": stepper.state_dict()},
            {"model": weights, "best": weights, "average": {},
             "optimizer": {} if last else progress.optimizer_tensors(optimizer)},
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class _Rates:
    learning_rate: float
    weight_decay: float


def _epoch(epoch: int, stepper: Stepper, texts: Masked, how: How, common: Pace) -> float:
    """One pass over the texts; the mean loss of its steps."""
    batches = epoch_batches(texts.lengths, common.batch, common.seed, epoch, together=ALIKE)
    steps, warm = len(batches) * how.epochs, max(1, round(common.warmup * len(batches)))
    lessons = replace(texts, epoch=epoch)
    losses: list[float] = []
    bar = tqdm(
        batches, desc=f"{TITLE} {epoch + 1}/{how.epochs}", unit="step", disable=rank() > 0,
        mininterval=1.0, dynamic_ncols=True,
    )  # fmt: skip
    for place, batch in enumerate(bar):
        step = epoch * len(batches) + place
        seed_step(common.seed, step)
        loss = stepper.take(lessons, batch, rate_at(step, steps, warm))
        if stepper.too_many():
            raise stopped_by_bad_steps(TITLE, step + 1, stepper, batch, None)
        if math.isfinite(loss):
            losses.append(loss)
    mean = float(np.mean(losses)) if losses else math.inf
    if rank() == 0:
        bar.write(f"{TITLE}: epoch {epoch + 1} of {how.epochs}, loss {mean:.3f} a hidden token")
    return mean


@torch.no_grad()
def loss_on(texts: Masked, model: nn.Module, objective: Guess, plan: Plan) -> float:
    """The mean loss over texts, without dropout; every rank reads all of them, in step."""
    model.eval()
    total = 0.0
    for start in range(0, len(texts), 32):
        rows = np.arange(start, min(start + 32, len(texts)))
        with plan.autocast():
            total += float(objective(model, to_device(texts.collate(rows), plan), rows))
    return total / len(texts)


def encoder_weights(model: Any) -> Tensors:
    """The whole weights of the encoder alone, on the CPU of every rank; all ranks take part."""
    return {
        name: whole_tensor(tensor).detach().cpu()
        for name, tensor in model.base_model.state_dict().items()
    }


def take_over(model: Any, weights: Tensors) -> None:
    """Put an adapted encoder's weights into a model of its family; what else it has stays."""
    _, unknown = model.base_model.load_state_dict(weights, strict=False)
    assert not unknown, f"the adapted encoder has {unknown}, which the model has not"
