"""Taking parts out of a model: what is left has smaller matrices, not masks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.compression.families import Family
from tasks.training.first_token import reading_first

Neurons = npt.NDArray[np.int64]


def cut(
    model: nn.Module, family: Family, layers: Sequence[int], neurons: Sequence[Neurons]
) -> nn.Module:
    """A copy of `model` with only some layers, and in each of those only some FFN neurons.

    `layers` are the numbers to keep, in order; `neurons` the rows to keep of each kept layer, as
    many in all of them, so that the model's own configuration describes the result and
    `from_pretrained` loads it.
    """
    smaller = copy.deepcopy(model)
    kept = family.layers_of(smaller)
    for number, rows in zip(layers, neurons, strict=True):
        _keep_neurons(*family.feed_forward(kept[number]), rows)
    _replace(smaller, family.layers, nn.ModuleList(kept[number] for number in layers))
    setattr(smaller.config, family.depth, len(layers))
    setattr(smaller.config, family.width, len(neurons[0]))
    return reading_first(smaller)


@contextmanager
def without(model: nn.Module, family: Family, removed: Sequence[int]) -> Iterator[None]:
    """The model with some layers skipped, for as long as the block lasts."""
    whole = family.layers_of(model)
    left = nn.ModuleList(layer for i, layer in enumerate(whole) if i not in removed)
    _replace(model, family.layers, left)
    try:
        yield
    finally:
        _replace(model, family.layers, whole)


def _replace(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def _keep_neurons(up: nn.Linear, down: nn.Linear, rows: Neurons) -> None:
    index = torch.from_numpy(rows).to(up.weight.device)
    up.weight = nn.Parameter(up.weight.detach()[index].clone())
    if up.bias is not None:
        up.bias = nn.Parameter(up.bias.detach()[index].clone())
    down.weight = nn.Parameter(down.weight.detach()[:, index].clone())
    up.out_features = down.in_features = len(rows)
