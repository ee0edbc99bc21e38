"""What each part of a model is worth, measured on data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.compression.families import Family
from tasks.compression.surgery import Parts, without
from tasks.training.batches import Encoded
from tasks.training.classifier import task_of_model
from tasks.training.objective import TaskLoss
from tasks.training.plan import Plan
from tasks.training.scoring import divergence, predict, score
from tasks.training.steps import to_device


@dataclass(frozen=True)
class Damage:
    """What skipping some layers does, before any recovery."""

    removed: tuple[int, ...]
    divergence: float
    """From the answers of the whole model, as the task measures it: of classes the mean KL
    divergence of their probabilities (nats)."""
    figure: float
    recovered: float | None = None
    """The divergence after a trial: a short recovery; None where there was none."""


def layers_to_remove(
    model: nn.Module, family: Family, count: int, probe: Encoded, plan: Plan
) -> tuple[list[int], list[Damage]]:
    """The `count` layers that hurt least, found one at a time, and every damage measured.

    Greedy: each candidate is skipped together with those chosen before it, since what a layer is
    worth depends on which others are there (Sajjad et al. 2023 compare such criteria).
    """
    task, reference = task_of_model(model), predict(model, probe, plan)
    removed: list[int] = []
    measured: list[Damage] = []
    for _ in range(count):
        candidates = [i for i in range(len(family.layers_of(model))) if i not in removed]
        found: list[Damage] = []
        for candidate in candidates:
            trial = tuple(sorted([*removed, candidate]))
            with without(model, family, trial):
                logits = predict(model, probe, plan)
            figure = score(task, logits, probe)["figure"]
            found.append(Damage(trial, divergence(task, reference, logits, probe), figure))
        best = min(range(len(found)), key=lambda i: found[i].divergence)
        removed.append(candidates[best])
        measured.extend(found)
    return sorted(removed), measured


@dataclass(frozen=True)
class Worth:
    """What each part of each layer is worth, in the layers' order: the more, the better.

    A part's worth is the Fisher information of a mask on what it gives: the square of activation
    times gradient, summed over a text's tokens, averaged over texts (Kwon et al. 2022).
    """

    neurons: list[npt.NDArray[np.float64]]
    """Of each layer's feed-forward network."""
    heads: list[npt.NDArray[np.float64]]

    @classmethod
    def of(cls, model: nn.Module, family: Family, probe: Encoded, plan: Plan, batch: int) -> Worth:
        layers = family.layers_of(model)
        readers = [family.feed_forward(layer)[1] for layer in layers]
        readers += [family.attention(layer)[1] for layer in layers]
        sizes = [1] * len(layers) + [family.head_size(layer) for layer in layers]
        found = _fisher(model, readers, sizes, probe, plan, batch)
        return cls(found[: len(layers)], found[len(layers) :])

    def best_neurons(self, count: int) -> list[Parts]:
        """For each layer the `count` worth most, in ascending order."""
        return [np.sort(np.argsort(-layer, kind="stable")[:count]) for layer in self.neurons]

    def best_heads(self, layers: Sequence[int], count: int) -> list[Parts]:
        """Of each of these layers the heads to keep, `count` in all, in ascending order.

        Those worth most, whatever layer they stand in; but the best of each layer stays.
        """
        ranked = [
            (place > 0, -self.heads[layer][head], layer, int(head))
            for layer in layers
            for place, head in enumerate(np.argsort(-self.heads[layer], kind="stable"))
        ]
        kept = {(layer, head) for _, _, layer, head in sorted(ranked)[: max(count, len(layers))]}
        return [
            np.array([head for head in range(len(self.heads[at])) if (at, head) in kept], np.int64)
            for at in layers
        ]


def _fisher(
    model: nn.Module, readers: Sequence[nn.Linear], sizes: Sequence[int], probe: Encoded,
    plan: Plan, batch: int,
) -> list[npt.NDArray[np.float64]]:  # fmt: skip
    """Of what each reader is given, in parts of `sizes` places, what each part is worth."""
    objective = TaskLoss(task_of_model(model))
    worth = [
        torch.zeros(reader.in_features // size, dtype=torch.float64)
        for reader, size in zip(readers, sizes, strict=True)
    ]
    masks: dict[int, torch.Tensor] = {}

    def masked(number: int) -> object:
        def hook(_module: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            (activation,) = inputs
            mask = activation.new_ones(len(activation), 1, len(worth[number]))
            masks[number] = mask.requires_grad_()
            return (activation * masks[number].repeat_interleave(sizes[number], -1),)

        return hook

    hooks = [
        reader.register_forward_pre_hook(masked(i))  # type: ignore[arg-type]
        for i, reader in enumerate(readers)
    ]
    model.eval()
    try:
        for rows in _in_order(len(probe), batch):
            inputs = to_device(probe.collate(rows), plan)
            with plan.autocast():
                loss = objective(model, inputs, rows)
            gradients = torch.autograd.grad(loss, [masks[i] for i in range(len(readers))])
            for total, gradient in zip(worth, gradients, strict=True):
                total += gradient.double().pow(2).sum((0, 1)).cpu()
    finally:
        for hook in hooks:
            hook.remove()
    return [total.numpy() / len(probe) for total in worth]


def _in_order(count: int, batch: int) -> Sequence[npt.NDArray[np.int64]]:
    return [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]
