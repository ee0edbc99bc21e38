"""Joining operators of an ONNX graph, and measuring which joins pay on this machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import onnx_ir
import torch
from onnx_ir.passes.common import RemoveUnusedNodesPass
from torch import nn

from tasks.compression.families import family_of
from tasks.training.attention import attend
from tasks.training.prefix import KEY as PREFIX

FUSIONS = ("none", "attention", "layernorm", "attention+layernorm")
"""What is joined. `attention`: the dozen operators of a layer's attention are one of ONNX
Runtime's. `layernorm`: it may join a normalisation with the sum before it when it loads the graph.
More is not always faster: its joined normalisation takes several times as long as the two apart on
a processor with AVX-512, and eats what the rest has won."""
LAYERNORM = "SkipLayerNormFusion"
"""What ONNX Runtime calls that join."""
FUSED = "MultiHeadAttention"
"""The operator of ONNX Runtime's that is a whole attention."""
JOINED = "nightshift-joined"
"""What transformers calls an attention that becomes it."""


Answer = Callable[[list[Any]], object]


@dataclass(frozen=True)
class Speed:
    """What a text takes, in ms: when it comes alone, and as one of many at once."""

    alone: float
    together: float

    @property
    def both(self) -> float:
        """Their geometric mean: a tenth less of either is worth the same."""
        return math.sqrt(self.alone * self.together)


def left_out(fusion: str) -> tuple[str, ...]:
    """The joins that ONNX Runtime would make at load by itself, and is not to."""
    return () if "layernorm" in fusion else (LAYERNORM,)


def fusable(model: nn.Module) -> bool:
    """Whether the model's attention is one that the single operator computes: of every token to
    every other one that is no padding. Encoders with standard blocks have it; a prefix, which is
    there for the keys alone, has no place in the operator's mask."""
    return family_of(model) is not None and not hasattr(model.config, PREFIX)


@contextmanager
def joined_attention(model: Any) -> Iterator[None]:
    """While the block lasts, the model is exported with a single operator for each attention."""
    before = model.config._attn_implementation
    attend(model, _joined, _mask, JOINED)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _joined(
    _module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
    attention_mask: torch.Tensor, scaling: float | None = None, **_: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """As `tasks.training.attention.attention`, of a mask int32 [b, t]; for the exporter alone."""
    heads, size = query.shape[1], query.shape[-1]
    parts = [each.transpose(1, 2).flatten(2) for each in (query, key, value)]
    batch, tokens, hidden = parts[0].shape
    found = torch.onnx.ops.symbolic(
        f"com.microsoft::{FUSED}",
        (*parts, None, attention_mask),
        {"num_heads": heads, "scale": float(size**-0.5 if scaling is None else scaling)},
        dtype=query.dtype,
        shape=(batch, tokens, hidden),
        version=1,
    )
    return found.view(batch, tokens, heads, size), None


def _mask(*_: Any, attention_mask: torch.Tensor, **__: Any) -> torch.Tensor:
    """What the operator calls a mask: 1 for a token, 0 for padding, int32 [b, t]."""
    return attention_mask.to(torch.int32)


def without_heads(model: onnx_ir.Model) -> None:
    """Take out, in place, what shapes [b, t, d] to heads and back around a joined attention.

    transformers' layers hand heads over; the operator cuts them by itself. It takes the mask for
    what it is, too, without a detour over true and false.
    """
    for node in model.graph:
        _take_numbers(node)
        if node.op_type != FUSED:
            continue
        for place in range(3):
            given: Any = node.inputs[place]
            while given.producer().op_type == "Reshape":
                given = given.producer().inputs[0]
            node.replace_input_with(place, given)
        end = node.outputs[0]
        while [use.node.op_type for use in end.uses()] == ["Reshape"]:
            end = next(iter(end.uses())).node.outputs[0]
        if end is not node.outputs[0]:
            end.replace_all_uses_with(node.outputs[0])
    RemoveUnusedNodesPass()(model)


def _take_numbers(node: Any) -> None:
    """Have a cast of a graph's input to true or false, and on to int32, be one to int32."""
    before: Any = node.inputs[0].producer() if _casts_to(node, onnx_ir.DataType.INT32) else None
    if _casts_to(before, onnx_ir.DataType.BOOL) and before.inputs[0].is_graph_input():
        node.replace_input_with(0, before.inputs[0])


def _casts_to(node: Any, kind: onnx_ir.DataType) -> bool:
    return node is not None and node.op_type == "Cast" and node.attributes["to"].value == kind


def latencies(
    candidates: Mapping[str, Answer], texts: Sequence[Any], rounds: int = 5, rest: float = 0.0
) -> dict[str, float]:
    """Milliseconds that each candidate takes of the median text, one at a time, in the mean of the
    rounds: the candidates in turn, each after `rest` seconds in which nothing runs."""
    found = _timed(candidates, [[text] for text in texts], rounds, rest)
    return {name: statistics.mean(times) for name, times in found.items()}


def speeds(
    candidates: Mapping[str, Answer], texts: Sequence[Any], rounds: int = 3
) -> dict[str, Speed]:
    """How fast each candidate is at one text at a time and at all of them at once, in turn."""
    alone = latencies(candidates, texts, rounds)
    together = _timed(candidates, [texts], rounds)
    return {
        name: Speed(alone[name], statistics.median(times) / len(texts))
        for name, times in together.items()
    }


def _timed(
    candidates: Mapping[str, Answer], calls: Sequence[Sequence[Any]], rounds: int,
    rest: float = 0.0,
) -> dict[str, list[float]]:  # fmt: skip
    """Milliseconds that each candidate takes of the median call, of each round.

    In turn, so that a machine that slows down for a while slows down all of them alike. The first
    round only warms up, and is not told.
    """
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, predict in candidates.items():
            time.sleep(rest if turn else 0.0)
            took = []
            for texts in calls:
                started = time.perf_counter()
                predict(list(texts))
                took.append(1e3 * (time.perf_counter() - started))
            if turn:
                found[name].append(statistics.median(took))
    return found
