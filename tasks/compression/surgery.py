"""Taking parts out of a model: what is left has smaller matrices, not masks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from torch import nn

from tasks.compression.families import Family
from tasks.training.first_token import reading_first

Parts = npt.NDArray[np.int64]
"""The numbers of heads or neurons, in ascending order."""


def cut(
    model: nn.Module,
    family: Family,
    layers: Sequence[int],
    neurons: Sequence[Parts],
    heads: Sequence[Parts] | None = None,
) -> nn.Module:
    """A copy of `model` with only some layers, and in each of those only some neurons and heads.

    `layers` are the numbers to keep, in order; `neurons` and `heads` what to keep of each of them.
    FFN neurons are as many in all layers, so that the model's own configuration describes them; of
    heads it knows one number: where some are gone, `plain` is needed to save the model.
    """
    smaller = copy.deepcopy(model)
    kept = family.layers_of(smaller)
    for place, (number, rows) in enumerate(zip(layers, neurons, strict=True)):
        up, down = family.feed_forward(kept[number])
        _keep([up], down, rows)
        if heads is not None:
            _keep_heads(family, kept[number], heads[place])
    _replace(smaller, family.layers, nn.ModuleList(kept[number] for number in layers))
    setattr(smaller.config, family.depth, len(layers))
    setattr(smaller.config, family.width, len(neurons[0]))
    return reading_first(smaller)


@contextmanager
def plain(model: nn.Module, family: Family) -> Iterator[None]:
    """While the block lasts, every layer has all the heads that the configuration says.

    Those that were taken out are zeros, and nothing is read of them: what is saved is a folder that
    `from_pretrained` loads, and answers as the model does.
    """
    cut_down: list[tuple[nn.Linear, Any, Any]] = []
    for layer in family.layers_of(model):
        before, after = family.attention(layer)
        missing = after.out_features - after.in_features
        if not missing:
            continue
        cut_down += [(each, each.weight, each.bias) for each in (*before, after)]
        for each in before:
            each.weight = nn.Parameter(F.pad(each.weight.detach(), (0, 0, 0, missing)))
            if each.bias is not None:
                each.bias = nn.Parameter(F.pad(each.bias.detach(), (0, missing)))
        after.weight = nn.Parameter(F.pad(after.weight.detach(), (0, missing)))
    try:
        yield
    finally:
        for each, weight, bias in cut_down:
            each.weight, each.bias = weight, bias


def compact(model: nn.Module, family: Family) -> nn.Module:
    """The model, in place, without the heads that nothing is read of: `plain` undone, after a load.

    It answers as before, whatever the model. A layer keeps one head at least.
    """
    for layer in family.layers_of(model):
        _, after = family.attention(layer)
        parts = after.weight.detach().view(after.out_features, -1, family.head_size(layer))
        read = parts.abs().amax((0, 2))
        alive = torch.nonzero(read).flatten().cpu().numpy()
        if len(alive) < len(read):
            _keep_heads(family, layer, alive if len(alive) else np.zeros(1, np.int64))
    return model


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


def _keep_heads(family: Family, layer: nn.Module, heads: Parts) -> None:
    size = family.head_size(layer)
    before, after = family.attention(layer)
    _keep(before, after, (heads[:, None] * size + np.arange(size)).ravel())


def _keep(before: Sequence[nn.Linear], after: nn.Linear, rows: Parts) -> None:
    """Only these rows of some matrices, and these columns of the one that reads their product."""
    index = torch.from_numpy(rows).to(after.weight.device)
    for each in before:
        each.weight = nn.Parameter(each.weight.detach()[index].clone())
        if each.bias is not None:
            each.bias = nn.Parameter(each.bias.detach()[index].clone())
        each.out_features = len(rows)
    after.weight = nn.Parameter(after.weight.detach()[:, index].clone())
    after.in_features = len(rows)
