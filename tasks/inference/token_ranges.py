"""Products in 8 bits where each token has a range of its own.

Some models, decoders above all, have activations in a token or two of a text that are hundreds of
times as large as the others (Sun et al. 2024). A range that the whole input of a product shares is
lost on them; the range of a token is lost for that token alone. And what a text is told then does
not depend on those that are in a batch with it. ONNX Runtime's dynamic quantisation has shared
ranges alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tasks.inference.early import opset_of
from tasks.inference.onnx_export import with_weights

Bits = Literal[8, 7]
LARGEST: dict[Bits, int] = {8: 127, 7: 64}
"""Steps that a weight is from 0 at most."""
STEPS = 127
"""That a token's greatest activation has, either way."""
ZERO = 128
"""What stands for 0: activations are unsigned, weights are not (U8S8)."""
TINY = float(np.finfo(np.float32).tiny)
CONTRIBUTED = "com.microsoft"
PRODUCT = "MatMulIntegerToFloat"
"""ONNX Runtime's product of integers, told in steps of either side."""
PREFIX = "token_range"
CONSTANTS: dict[str, np.ndarray] = {
    "last": np.array([-1], np.int64),
    "part": np.array(1 / STEPS, np.float32),
    "least": np.array(TINY, np.float32),
    "one": np.array(1, np.float32),
    "zero": np.array(ZERO, np.uint8),
}


def round_by_token(model: onnx.ModelProto, exact: Collection[str], bits: Bits) -> None:
    """Have each fp32 MatMul with weights be one of 8 bits, in place, but for those in `exact`.

    The steps of weights are of a size that each column has for itself.
    """
    graph, opset = model.graph, opset_of(model)
    weights = {each.name: each for each in graph.initializer}
    products = {
        node.name
        for node, _ in with_weights(graph)
        if node.op_type == "MatMul" and node.name not in exact
    }
    nodes: list[onnx.NodeProto] = []
    known: set[str] = set()
    for node in graph.node:
        if node.name not in products:
            nodes.append(node)
            continue
        given, weight = node.input
        if given not in known:
            nodes += _rounded(given, opset)
        if weight not in known:
            columns = _columns(weight, numpy_helper.to_array(weights[weight]), LARGEST[bits])
            graph.initializer.extend(columns)
        known |= {given, weight}
        nodes += _product(node)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(value, _constant(name)) for name, value in CONSTANTS.items()
    )
    read = {name for node in nodes for name in node.input}
    kept = [each for each in graph.initializer if each.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    if CONTRIBUTED not in {each.domain for each in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(CONTRIBUTED, 1))


def _constant(name: str) -> str:
    return f"{PREFIX}/{name}"


def _rounded(given: str, opset: int) -> list[onnx.NodeProto]:
    """Of activations [.., k] the step of each token, [.., 1], and the numbers in it, uint8."""

    def node(kind: str, inputs: list[str], found: str, **options: Any) -> onnx.NodeProto:
        name = f"{given}/{found}"
        return helper.make_node(kind, inputs, [name], name=name, **options)

    sizes, largest, steps = (f"{given}/{name}" for name in ("sizes", "largest", "steps"))
    reduced = (
        node("ReduceMax", [sizes, _constant("last")], "largest", keepdims=1)
        if opset >= 18
        else node("ReduceMax", [sizes], "largest", axes=[-1], keepdims=1)
    )
    return [
        node("Abs", [given], "sizes"),
        reduced,
        node("Mul", [largest, _constant("part")], "parts"),
        node("Max", [f"{given}/parts", _constant("least")], "steps"),
        node("Div", [given, steps], "scaled"),
        node(
            "QuantizeLinear",
            [f"{given}/scaled", _constant("one"), _constant("zero")],
            "rounded",
        ),
    ]


def _columns(name: str, weight: np.ndarray, most: int) -> Iterator[onnx.TensorProto]:
    """Weights [k, m] as int8, and the step of each column, [m]."""
    steps = np.maximum(np.abs(weight).max(0), TINY) / most
    yield numpy_helper.from_array(np.round(weight / steps).astype(np.int8), f"{name}/rounded")
    yield numpy_helper.from_array(steps.astype(np.float32), f"{name}/steps")


def _product(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """What stands in the place of a MatMul."""
    (given, weight), (made,) = node.input, node.output
    inputs = [
        f"{given}/rounded", f"{weight}/rounded", _constant("one"), f"{weight}/steps",
        _constant("zero"),
    ]  # fmt: skip
    told = f"{made}/in_steps"
    return [
        helper.make_node(PRODUCT, inputs, [told], name=node.name, domain=CONTRIBUTED),
        helper.make_node("Mul", [told, f"{given}/steps"], [made], name=f"{made}/whole"),
    ]
