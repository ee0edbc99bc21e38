"""What 8 bits do to each operator of a graph by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from tasks.inference.loading import ERRORS_ONLY
from tasks.inference.onnx_export import save, with_weights
from tasks.inference.token_ranges import LARGEST, STEPS, TINY, ZERO
from tasks.task.answers import Ints

Ranges = Literal["tensor", "token"]
"""What shares the range that activations are rounded in: a product's whole input, of all texts of a
batch; or each token's by itself, which takes up to a fifth longer."""
SUM = np.iinfo(np.int16)
"""What x86 without VNNI holds two products in."""
AXIS: dict[Ranges, int | None] = {"tensor": None, "token": -1}
"""What of a product's output is one thing: all of it, or a token's."""


@dataclass(frozen=True)
class Harm:
    """What 8 bits do to the output of an operator: the error's power as a share of the output's."""

    rounding: float
    overflow: float
    """Of sums of two products in 16 bits, as x86 without VNNI has them (Intel's VPMADDUBSW)."""


def harms(
    graph: Path, feeds: Mapping[str, Ints], overflows: bool = True, ranges: Ranges = "tensor"
) -> dict[str, Harm]:
    """Of each operator of an fp32 graph by itself, on its own input in one batch `feeds`.

    A range that is lost on a few large numbers shows here, where it arises. Overflow is computed,
    not observed, so that every processor comes to the same; none where the target knows none. With
    a range for each token, tokens count alike: one with large numbers hides none of the others.
    """
    return {
        name: Harm(
            _rounding(kind, given, weight, ranges),
            _overflow(given, weight, ranges) if overflows and kind != "Gather" else 0.0,
        )
        for name, kind, given, weight in _given(graph, feeds)
    }


def _given(graph: Path, feeds: Mapping[str, Ints]) -> Iterator[tuple[str, str, Any, Any]]:
    """Each operator with weights: its name and kind, its fp32 input and weights [k, m]."""
    import onnxruntime

    model = onnx.load(graph)
    weights = {each.name: each for each in model.graph.initializer}
    operators = [
        (node, _activation(node), onnx.numpy_helper.to_array(weights[name]))
        for node, name in with_weights(model.graph)
    ]
    known = {each.name for each in (*model.graph.output, *model.graph.input)}
    inputs = {given for _, given, _ in operators}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(inputs - known))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    probe = graph.with_suffix(".probe.onnx")
    save(model, probe)
    session = onnxruntime.InferenceSession(str(probe), options, ["CPUExecutionProvider"])
    wanted = sorted(inputs - set(feeds))
    found = {**feeds, **dict(zip(wanted, session.run(wanted, dict(feeds)), strict=True))}
    for node, given, weight in operators:
        turned = any(each.name == "transB" and each.i for each in node.attribute)
        yield node.name, node.op_type, found[given], weight.T if turned else weight


def _activation(node: onnx.NodeProto) -> str:
    return str(node.input[1 if node.op_type == "Gather" else 0])


def _rounding(kind: str, given: Any, weight: Any, ranges: Ranges) -> float:
    if kind == "Gather":
        exact = weight[given]
        return _share(_rounded(weight, None)[given] - exact, exact)
    exact, (step, _) = given @ weight, _scale(given, ranges)
    error = (np.round(given / step) * step) @ _rounded(weight, 0) - exact
    return _share(error, exact, AXIS[ranges])


def _overflow(given: Any, weight: Any, ranges: Ranges) -> float:
    """What sums of two products in 16 bits do to a product [.., k] by [k, m], as a share of it.

    Activations are unsigned, weights signed and symmetric, as `quantise` has them.
    """
    rows = given.reshape(-1, given.shape[-1])
    step, zero = _scale(rows, ranges)
    steps = np.maximum(np.abs(weight).max(0), TINY) / LARGEST[8]
    odd = ((0, 0), (0, rows.shape[1] % 2))
    left = np.pad(np.clip(np.round(rows / step) + zero, 0, 255).astype(np.int32), odd)
    right = np.pad(np.round(weight / steps).astype(np.int32), odd[::-1])
    top = left.max(0)[:, None]
    most, least = (top * part for part in (np.maximum(right, 0), np.minimum(right, 0)))
    large = (most[::2] + most[1::2] > SUM.max) | (least[::2] + least[1::2] < SUM.min)
    lost = np.zeros((len(rows), weight.shape[1]))
    for pair in np.flatnonzero(large.any(1)):
        columns, both = large[pair], slice(2 * pair, 2 * pair + 2)
        sums = left[:, both] @ right[both, columns]
        lost[:, columns] += np.clip(sums, SUM.min, SUM.max) - sums
    return _share(lost * step * steps, rows @ weight, AXIS[ranges])


def _share(error: Any, exact: Any, axis: int | None = None) -> float:
    """Of power; the mean over the slices of `axis`, or of all (None)."""
    power, lost = np.square(exact).mean(axis), np.square(error).mean(axis)
    return float(np.mean(np.divide(lost, power, out=np.zeros_like(lost), where=power > 0)))


def _scale(numbers: Any, ranges: Ranges) -> tuple[Any, float]:
    """The step between two of the 256 numbers that these become, and which of them 0 is.

    A step for all, or one for each token, [.., 1].
    """
    if ranges == "token":
        return np.maximum(np.abs(numbers).max(-1, keepdims=True) / STEPS, TINY), ZERO
    low, high = min(float(numbers.min()), 0.0), max(float(numbers.max()), 0.0)
    step = max((high - low) / 255, TINY)
    return step, float(np.round(-low / step))


def _rounded(numbers: Any, axis: int | None) -> Any:
    """Numbers as 8 bits have them, the range that of all (None) or of each slice over `axis`."""
    low = np.minimum(numbers.min(axis, keepdims=axis is not None), 0)
    high = np.maximum(numbers.max(axis, keepdims=axis is not None), 0)
    step = np.maximum((high - low) / 255, TINY)
    return np.round(numbers / step) * step
