"""Weights and activations in 8 bits, and what is left out of that where it does harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from tasks.inference.loading import ERRORS_ONLY
from tasks.inference.onnx_export import OPERATORS, is_large, save, with_weights, without_traces
from tasks.task.answers import Floats, Ints


@dataclass(frozen=True)
class Recipe:
    """How a graph becomes int8."""

    exact: tuple[str, ...] = ()
    """What stays in fp32, by the names of its nodes (`quantisable`)."""
    bits: Literal[8, 7] = 8
    """Of a weight. A processor without VNNI adds two products of 8 bits in 16, which may overflow;
    with 7 they can't."""


@dataclass(frozen=True)
class Mending:
    """What was found out about a graph whose int8 answers otherwise than it should."""

    recipe: Recipe
    """The first that answers well enough, or else the one that answers nearest."""
    distortions: dict[str, float]
    """Of each operator, as `distortions` has them; none where 7 bits were enough."""


def quantise(source: Path, target: Path, recipe: Recipe = Recipe()) -> None:
    """Write `source` in int8: weights per output channel, activations at run time.

    Signed weights with unsigned activations (U8S8), which x86 with VNNI and ARM multiply
    natively; signed activations are several times slower on x86.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with without_advice():
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            reduce_range=recipe.bits == 7,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=OPERATORS,
            nodes_to_exclude=list(recipe.exact),
            use_external_data_format=is_large(source),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    save(without_traces(onnx.load(target)), target)


def quantisable(graph: Path) -> list[str]:
    """The nodes of an fp32 graph that `quantise` has an effect on: those with weights."""
    model = onnx.load(graph, load_external_data=False).graph
    return [node.name for node, _ in with_weights(model)]


def distortions(graph: Path, feeds: Mapping[str, Ints]) -> dict[str, float]:
    """What 8 bits do to the output of each operator: the error's power as a share of the output's.

    Each by itself, on its own fp32 input in one batch `feeds` of the graph's inputs: a range that
    is lost on a few large numbers shows here, where it arises.
    """
    import onnxruntime

    model = onnx.load(graph)
    weights = {each.name: each for each in model.graph.initializer}
    operators = [(node, weights[name]) for node, name in with_weights(model.graph)]
    known = {each.name for each in (*model.graph.output, *model.graph.input)}
    inputs = {_activation(node) for node, _ in operators}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(inputs - known))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    probe = graph.with_suffix(".probe.onnx")
    save(model, probe)
    session = onnxruntime.InferenceSession(str(probe), options, ["CPUExecutionProvider"])
    wanted = sorted(inputs - set(feeds))
    found = {**feeds, **dict(zip(wanted, session.run(wanted, dict(feeds)), strict=True))}
    return {
        node.name: _distortion(node, found[_activation(node)], onnx.numpy_helper.to_array(weight))
        for node, weight in operators
    }


def mend(
    order: Callable[[], Mapping[str, float]],
    answer: Callable[[Recipe], Floats],
    reference: Floats,
    enough: Callable[[Floats], bool],
) -> Mending:
    """Find what a graph's int8 must leave alone to answer as it should.

    Weights of 7 bits come first, which cost no time. Then operators stay in fp32, those first that
    `order` says are distorted most, and twice as many each time: a sensitivity analysis (as in
    HAWQ, Dong et al. 2019) whose end is what is answered, and which takes few trials however many
    operators there are. `answer` gives the logits of a recipe, of the shape of `reference`, which
    are fp32's; `enough` says whether they will do.
    """
    tried: dict[Recipe, float] = {}

    def will_do(recipe: Recipe) -> bool:
        logits = answer(recipe)
        tried[recipe] = _damage(reference, logits)
        return enough(logits)

    if will_do(Recipe(bits=7)):
        return Mending(Recipe(bits=7), {})
    found = dict(order())
    worst_first = sorted(found, key=lambda name: -found[name])
    count = 1
    while count < len(worst_first):
        recipe = Recipe(exact=tuple(sorted(worst_first[:count])))
        if will_do(recipe):
            return Mending(recipe, found)
        count *= 2
    return Mending(min(tried, key=lambda recipe: tried[recipe]), found)


def _activation(node: onnx.NodeProto) -> str:
    return str(node.input[1 if node.op_type == "Gather" else 0])


def _distortion(node: onnx.NodeProto, given: Any, weight: Any) -> float:
    if node.op_type == "Gather":
        exact, rounded = weight[given], _rounded(weight, None)[given]
    else:
        turned = any(each.name == "transB" and each.i for each in node.attribute)
        weight = weight.T if turned else weight
        exact, rounded = given @ weight, _rounded(given, None) @ _rounded(weight, 0)
    power = float(np.square(exact).mean())
    return float(np.square(rounded - exact).mean()) / power if power else 0.0


def _rounded(numbers: Any, axis: int | None) -> Any:
    """Numbers as 8 bits have them, the range that of all (None) or of each slice over `axis`."""
    low = np.minimum(numbers.min(axis, keepdims=axis is not None), 0)
    high = np.maximum(numbers.max(axis, keepdims=axis is not None), 0)
    step = np.maximum((high - low) / 255, np.finfo(np.float32).tiny)
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
