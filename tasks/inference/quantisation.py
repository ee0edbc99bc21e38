"""Weights and activations in 8 bits, and what is left out of that where it does harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from tasks.inference.onnx_export import save, without_traces
from tasks.task.answers import Floats

OPERATORS = ["MatMul", "Gemm", "Gather"]
"""Matrix products, and the embedding tables, which are half of a small encoder's bytes."""


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
    damages: dict[str, float]
    """Of each operator, quantised alone: the mean square of what it does to a logit."""


def quantise(source: Path, target: Path, recipe: Recipe = Recipe()) -> None:
    """Write `source` in int8: weights per output channel, activations at run time.

    Signed weights with unsigned activations (U8S8), which x86 with VNNI and ARM multiply
    natively; signed activations are several times slower on x86.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(_no_advice)
    try:
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            reduce_range=recipe.bits == 7,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=OPERATORS,
            nodes_to_exclude=list(recipe.exact),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logging.getLogger().removeFilter(_no_advice)
    save(without_traces(onnx.load(target)), target)


def quantisable(graph: Path) -> list[str]:
    """The nodes of an fp32 graph that `quantise` has an effect on: those with weights."""
    model = onnx.load(graph, load_external_data=False).graph
    weights = {weight.name for weight in model.initializer if len(weight.dims) > 1}
    return [
        node.name
        for node in model.node
        if node.op_type in OPERATORS
        and (node.input[0] if node.op_type == "Gather" else node.input[1]) in weights
    ]


def mend(
    names: Sequence[str],
    answer: Callable[[Recipe], Floats],
    reference: Floats,
    enough: Callable[[Floats], bool],
) -> Mending:
    """Find what a graph's int8 must leave alone to answer as it should.

    Weights of 7 bits come first, which cost no time. Then the operators `names` stay in fp32, one
    more at a time, the one first that does most damage by itself: the order of a sensitivity
    analysis, as in HAWQ (Dong et al. 2019), with the damage measured in place of estimated.
    `answer` gives the logits of a recipe, of the shape of `reference`, which are fp32's; `enough`
    says whether they will do.
    """
    tried: dict[Recipe, float] = {}

    def will_do(recipe: Recipe) -> bool:
        logits = answer(recipe)
        tried[recipe] = _damage(reference, logits)
        return enough(logits)

    if will_do(Recipe(bits=7)):
        return Mending(Recipe(bits=7), {})
    alone = {name: Recipe(exact=tuple(other for other in names if other != name)) for name in names}
    damages = {name: _damage(reference, answer(recipe)) for name, recipe in alone.items()}
    worst_first = sorted(names, key=lambda name: -damages[name])
    for count in range(1, len(worst_first)):
        recipe = Recipe(exact=tuple(sorted(worst_first[:count])))
        if will_do(recipe):
            return Mending(recipe, damages)
    return Mending(min(tried, key=lambda recipe: tried[recipe]), damages)


def _damage(reference: Floats, logits: Floats) -> float:
    if logits.shape != reference.shape or not np.isfinite(logits).all():
        return float("inf")
    return float(np.square(logits - reference).mean())


def _no_advice(record: logging.LogRecord) -> bool:
    """The quantiser always advises to pre-process, which the fused graph doesn't need."""
    return "pre-processing" not in record.getMessage()
