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
from tasks.training.batches import Encoded
from tasks.training.plan import Plan
from tasks.training.ranks import over_ranks, rank, world
from tasks.training.steps import to_device

Logits = npt.NDArray[np.float32]


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
    """Logits of every text in order, float32 [texts, classes], the same on every rank."""
    classes = int(model.config.num_labels)  # type: ignore[union-attr,arg-type]
    logits = torch.zeros(len(encoded), classes, device=plan.device)
    for rows, output in forward(model, encoded, plan, batch):
        logits[torch.from_numpy(rows)] = output.logits.float()
    found: Logits = over_ranks(logits).cpu().numpy()
    return found


def score(logits: Logits, labels: npt.NDArray[np.int64]) -> dict[str, float]:
    """Accuracy (0 to 1) and mean cross-entropy of logits [n, classes] against class numbers [n]."""
    if len(labels) == 0:
        raise BadInput("the validation split is empty: nothing to choose the best weights by")
    losses = nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return {"accuracy": float((logits.argmax(1) == labels).mean()), "loss": float(losses)}
