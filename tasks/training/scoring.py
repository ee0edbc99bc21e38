"""What a model answers to texts, and how good that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.stage.errors import BadInput
from tasks.task import Task
from tasks.task.answers import IGNORED
from tasks.training.batches import Encoded
from tasks.training.early import certainties_of
from tasks.training.plan import Plan
from tasks.training.ranks import over_ranks, rank, world
from tasks.training.steps import to_device

Logits = npt.NDArray[np.float32]
ROWS_AT_ONCE = 256
"""Rows of token logits that are padded together, where they are compared."""


@torch.no_grad()
def forward(
    model: nn.Module, encoded: Encoded, plan: Plan, batch: int = 64, **options: bool
) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
    """Rows and the model's output for them, batch after batch, without gradients or dropout.

    Sorted by length, so not in the order of the texts; shared out over the ranks.
    """
    model.eval()
    order = np.argsort(encoded.lengths, kind="stable")
    mine = order[rank() :: world()]
    for start in range(0, math.ceil(len(order) / world()), batch):
        rows = mine[start : start + batch]
        if len(rows) == 0 and not plan.sharded:
            return
        # where ranks put a layer together in turn, one without rows left has to take part as well
        inputs = to_device(encoded.collate(rows if len(rows) else order[:1]), plan)
        inputs.pop("labels")
        with plan.autocast():
            output = model(**inputs, **options)
        if len(rows):
            yield rows, output


def predict(model: nn.Module, encoded: Encoded, plan: Plan, batch: int = 64) -> Logits:
    """Logits of every text in order, the same on every rank: float32 [texts, outputs].

    Where the task labels tokens, [tokens, outputs], the rows of `encoded` end to end.
    """
    outputs = int(model.config.num_labels)  # type: ignore[union-attr,arg-type]
    count = len(encoded.ids) if encoded.per_token else len(encoded)
    logits = torch.zeros(count, outputs, device=plan.device)
    for rows, output in forward(model, encoded, plan, batch):
        found = output.logits.float()
        if encoded.per_token:
            found = found[torch.from_numpy(encoded.inside(rows))]
        logits[torch.from_numpy(places_of(encoded, rows))] = found
    found_by_all: Logits = over_ranks(logits).cpu().numpy()
    return found_by_all


def predict_early(
    model: nn.Module, encoded: Encoded, plan: Plan, batch: int = 64
) -> dict[int, Logits]:
    """Those of every text at each place at which the model is asked (`tasks.training.early`)."""
    shape = len(encoded), int(model.config.num_labels)  # type: ignore[union-attr,arg-type]
    found = {place: torch.zeros(shape, device=plan.device) for place in certainties_of(model)}
    for rows, output in forward(model, encoded, plan, batch):
        for place, logits in output.early.items():
            found[place][torch.from_numpy(rows)] = logits.float()
    return {place: over_ranks(logits).cpu().numpy() for place, logits in found.items()}


def places_of(encoded: Encoded, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the logits of some rows lie in the array of all."""
    return encoded.places(rows) if encoded.per_token else rows


def score(task: Task, logits: Logits, encoded: Encoded) -> dict[str, float]:
    """The task's `figure` and its mean `loss`, from what `predict` gave.

    The windows of a long text are put together before they are judged: each word counts once.
    """
    if len(encoded) == 0:
        raise BadInput("the validation split is empty: nothing to choose the best weights by")
    evidence = task.proof(logits, encoded.labels, encoded.bounds)
    total = sum(
        float(task.loss(one, torch.from_numpy(labels)).sum())
        for rows, one in _in_parts(encoded, logits)
        for labels in [encoded.of_rows(encoded.labels, rows, IGNORED)]
    )
    return {"figure": task.figure(evidence), "loss": total / len(encoded)}


def divergence(task: Task, reference: Logits, logits: Logits, encoded: Encoded) -> float:
    """How far `logits` are from those of a reference, the mean over rows of `Task.divergence`."""
    total = 0.0
    for (rows, one), (_, other) in zip(
        _in_parts(encoded, logits), _in_parts(encoded, reference), strict=True
    ):
        mask = torch.from_numpy(encoded.inside(rows)).float()
        total += float(task.divergence(one, other, 1.0, mask).sum())
    return total / len(encoded)


def _in_parts(
    encoded: Encoded, logits: Logits
) -> Iterator[tuple[npt.NDArray[np.int64], torch.Tensor]]:
    """Rows and their logits as a batch has them: [b, outputs], or padded [b, t, outputs]."""
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), ROWS_AT_ONCE):
        rows = order[start : start + ROWS_AT_ONCE]
        yield rows, torch.from_numpy(encoded.of_rows(logits, rows))
