"""Joining operators of an ONNX graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
