"""An attention and the three products before it as one operator, in int8.

Query, key and value are projections of one input. Apart they are three launches, and each is
turned to heads by a copy; ONNX Runtime's `QAttention` writes them where its heads read them. The
answers are the same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxscript.optimizer import remove_unused_nodes

from tasks.inference.fusion import FUSED

JOINED = "QAttention"
"""ONNX Runtime's operator."""


class _Projection(NamedTuple):
    """A product of 8 bits with what comes after it: names of the graph's values."""

    given: tuple[str, str, str]
    """Its input, rounded; the step between two of its numbers; which of them 0 is."""
    constants: tuple[str, str, str, str]
    """Weight [k, m], bias [m], and of each of its m columns the step and the zero."""


def join_projections(model: onnx.ModelProto) -> None:
    """Have every attention whose query, key and value are int8 products of one input be one
    operator with them, in place; others, of which one is in fp32 or reads something else, stay."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    weights = {each.name: each for each in graph.initializer}
    found: dict[tuple[str, ...], str] = {}
    for place, node in enumerate(graph.node):
        if node.op_type != FUSED:
            continue
        parts = [_projection(made, weights, name) for name in node.input[:3]]
        options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        known = [each for each in parts if each is not None]
        if len(known) == len(parts) and len({each.given for each in known}) == 1:
            width = weights[known[0].constants[0]].dims[-1]
            alike = {weights[each.constants[0]].dims[-1] for each in known} == {width}
            usual = (width / options["num_heads"]) ** -0.5
            if alike and math.isclose(options["scale"], usual, rel_tol=1e-6):
                joined = _joined(graph, weights, node, known, options["num_heads"], found)
                graph.node[place].CopyFrom(joined)
    if found:
        remove_unused_nodes(model)


def _projection(
    made: Mapping[str, onnx.NodeProto], weights: Mapping[str, onnx.TensorProto], name: str
) -> _Projection | None:
    """What makes a value, where that is a product as `quantise` writes them, and a bias."""
    total = _by("Add", made.get(name))
    if total is None:
        return None
    bias = next((each for each in total.input if each in weights), None)
    product = next((each for each in total.input if each not in weights), None)
    scaled = _by("Mul", made.get(product or ""))
    if bias is None or scaled is None:
        return None
    cast, steps = _by("Cast", made.get(scaled.input[0])), _by("Mul", made.get(scaled.input[1]))
    whole = _by("MatMulInteger", made.get(cast.input[0])) if cast is not None else None
    if whole is None or steps is None:
        return None
    rounded, weight, zero, zeros = whole.input
    step, of_columns = steps.input
    constants = (weight, bias, of_columns, zeros)
    if not all(each in weights and len(weights[each].dims) >= 1 for each in constants):
        return None
    return _Projection((rounded, step, zero), constants)


def _by(kind: str, node: onnx.NodeProto | None) -> onnx.NodeProto | None:
    return node if node is not None and node.op_type == kind else None


def _joined(
    graph: onnx.GraphProto, weights: Mapping[str, onnx.TensorProto], node: onnx.NodeProto,
    parts: list[_Projection], heads: int, found: dict[tuple[str, ...], str],
) -> onnx.NodeProto:  # fmt: skip
    """The operator in the place of `node`; constants that another one has are not there twice."""
    names = []
    for same in zip(*(each.constants for each in parts), strict=True):
        if same not in found:
            found[same] = f"{node.name}/{same[0]}"
            whole = np.concatenate([numpy_helper.to_array(weights[each]) for each in same], -1)
            graph.initializer.append(numpy_helper.from_array(whole, found[same]))
        names.append(found[same])
    weight, bias, steps, zeros = names
    rounded, step, zero = parts[0].given
    mask = node.input[4]
    return helper.make_node(
        JOINED,
        [rounded, weight, bias, step, steps, mask, zero, zeros],
        [*node.output],
        name=node.name,
        domain=node.domain,
        num_heads=heads,
    )
