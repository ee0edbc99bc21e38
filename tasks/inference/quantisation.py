"""Weights and activations in 8 bits, and what is left out of that where it does harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import onnx

from tasks.inference.loading import ERRORS_ONLY
from tasks.inference.onnx_export import OPERATORS, is_large, save, with_weights, without_traces
from tasks.inference.projections import join_projections
from tasks.inference.token_ranges import STEPS, ZERO, round_by_token
from tasks.task.answers import Floats, Ints

Bits = Literal[8, 7]
Ranges = Literal["tensor", "token"]
"""What shares the range that activations are rounded in: a product's whole input, of all texts of a
batch; or each token's by itself, which takes up to a fifth longer."""
SUM = np.iinfo(np.int16)
"""What x86 without VNNI holds two products in."""
AXIS: dict[Ranges, int | None] = {"tensor": None, "token": -1}
"""What of a product's output is one thing: all of it, or a token's."""
LARGEST: dict[Bits, int] = {8: 127, 7: 64}
"""Steps that a weight is from 0 at most."""
TABLES = ["Gather"]
"""The operators that round nothing but weights."""
NAMED = 4
"""Operators that a line names."""
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Recipe:
    """How a graph becomes int8."""

    exact: tuple[str, ...] = ()
    """What stays in fp32, by the names of its nodes (`quantisable`)."""
    bits: Bits = 8
    """Of a weight."""
    ranges: Ranges = "tensor"


@dataclass(frozen=True)
class Harm:
    """What 8 bits do to the output of an operator: the error's power as a share of the output's."""

    rounding: float
    overflow: float
    """Of sums of two products in 16 bits, as x86 without VNNI has them (Intel's VPMADDUBSW)."""


@dataclass(frozen=True)
class Mending:
    """What was found out about a graph whose int8 answers otherwise than it should."""

    recipe: Recipe
    """The first that answers well enough, or else the one that answers nearest."""
    harms: dict[str, Harm]
    """Of each operator, in the recipe's kind of int8."""

    def __str__(self) -> str:
        """In a few words."""
        exact = self.recipe.exact
        names = ", ".join(exact[:NAMED]) + (
            f" and {len(exact) - NAMED} more" * (len(exact) > NAMED)
        )
        ranges = "a range of its own for each token" if self.recipe.ranges == "token" else ""
        left = f"{len(exact)} of {len(self.harms)} operators in fp32 ({names})" if exact else ""
        return ", and ".join(each for each in (ranges, left) if each) or "no operator in fp32"


class Way(NamedTuple):
    """A kind of int8 that operators may be left out of."""

    ranges: Ranges
    harms: Mapping[str, Harm]
    """What it does to each operator."""
    most: int
    """How many of them may stay in fp32."""

    def left_out(self, names: Collection[str]) -> Mending:
        """So, but for these operators."""
        return Mending(without(names, self.harms, self.ranges), {**self.harms})


def quantise(source: Path, target: Path, recipe: Recipe = Recipe()) -> None:
    """Write `source` in int8: weights per output channel, activations at run time.

    Signed weights with unsigned activations (U8S8), which x86 with VNNI and ARM multiply
    natively; signed activations are several times slower on x86. A joined attention takes the
    three products before it in (`join_projections`), where they share a range.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # a product that adds a bias is two nodes to the quantiser, with names of its own
    exact = [*recipe.exact, *(f"{name}_MatMul" for name in recipe.exact)]
    with without_advice():
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            reduce_range=recipe.bits == 7,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=OPERATORS if recipe.ranges == "tensor" else TABLES,
            nodes_to_exclude=exact,
            use_external_data_format=is_large(source),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    model = without_traces(onnx.load(target))
    if recipe.ranges == "token":
        round_by_token(model, exact, LARGEST[recipe.bits])
    join_projections(model)
    save(model, target)


def quantisable(graph: Path) -> list[str]:
    """The nodes of an fp32 graph that `quantise` has an effect on: those with weights."""
    model = onnx.load(graph, load_external_data=False).graph
    return [node.name for node, _ in with_weights(model)]


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


def without(exact: Collection[str], found: Mapping[str, Harm], ranges: Ranges = "tensor") -> Recipe:
    """All but `exact` in int8, weights of as many bits as all processors answer alike with.

    7, on which no sum overflows, where overflow would do more harm than rounding over all products
    together; else 8. So what was proven on a processor with VNNI holds on one without.
    """
    left = [harm for name, harm in found.items() if name not in exact]
    worse = sum(harm.overflow - harm.rounding for harm in left) > 0
    return Recipe(tuple(sorted(exact)), 7 if worse else 8, ranges)


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


def mend(
    ways: Iterable[Way],
    answer: Callable[[Recipe], Floats],
    reference: Floats,
    enough: Callable[[Floats], bool],
) -> Mending:
    """Find what a graph's int8 must be like to answer as it should.

    One way after the other, the first of which has failed as it is, operators stay in fp32, those
    first that rounding harms most, and twice as many each time: a sensitivity analysis (as in HAWQ,
    Dong et al. 2019) whose end is what is answered, and which takes few trials however many
    operators there are. `answer` gives the logits of a recipe, of the shape of `reference`, which
    are fp32's; `enough` says whether they will do.
    """
    nearest: Mending | None = None
    least = float("inf")
    for way in ways:
        worst_first = sorted(way.harms, key=lambda name: -way.harms[name].rounding)
        counts = _twice_each_time(way.most)
        if nearest is None:
            nearest = way.left_out(())
        else:
            counts = [0, *counts]
        for count in counts:
            mending = way.left_out(worst_first[:count])
            logits = answer(mending.recipe)
            if enough(logits):
                return mending
            damage = _damage(reference, logits)
            if damage < least:
                nearest, least = mending, damage
    assert nearest is not None, "there is a way at least"
    return nearest


def _twice_each_time(most: int) -> list[int]:
    """1, 2, 4 and so on, to `most`."""
    return [2**power for power in range(most.bit_length())]


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


def _damage(reference: Floats, logits: Floats) -> float:
    if logits.shape != reference.shape or not np.isfinite(logits).all():
        return float("inf")
    return float(np.square(logits - reference).mean())


@contextmanager
def without_advice() -> Iterator[None]:
    """While the block lasts, the quantiser neither advises to pre-process, which the fused graph
    doesn't need, nor tells that it raises the opset where 16 bits ask for that."""
    logging.getLogger().addFilter(_no_advice)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(_no_advice)


def _no_advice(record: logging.LogRecord) -> bool:
    told = record.getMessage()
    return "pre-processing" not in told and "opset version" not in told
