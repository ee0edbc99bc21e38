"""The outputs of a graph that labels tokens as one array, inputs end to end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tasks.task.answers import Exit, Floats, Ints


def flat(
    outputs: Iterable[npt.NDArray[np.float32]],
    exits: Mapping[str, Exit],
    lengths: Ints,
    right: bool,
) -> Floats:
    """What a graph put out for a batch, float32 [tokens, outputs], padding left out.

    `outputs` are in the order of `exits`, padded on the `right` or on the left, to the longest of
    `lengths` or to more. An output that speaks of a whole input stands at its first token, with 0
    elsewhere.
    """
    width = max(one.part.stop for one in exits.values())
    found = np.zeros((int(lengths.sum()), width), np.float32)
    for array, one in zip(outputs, exits.values(), strict=True):
        if one.per_token:
            inside = np.arange(array.shape[1]) < lengths[:, None]
            found[:, one.part] = array[inside if right else inside[:, ::-1]]
        else:
            found[np.cumsum(lengths) - lengths, one.part] = array
    return found


def as_graph(logits: Floats, exits: Mapping[str, Exit], bounds: Ints) -> Floats:
    """A model's logits [tokens, outputs] without what its graph leaves out.

    Input i has the tokens from `bounds[i]` to `bounds[i + 1]`.
    """
    found = np.zeros_like(logits)
    for one in exits.values():
        rows = slice(None) if one.per_token else bounds[:-1]
        found[rows, one.part] = logits[rows, one.part]
    return found
