"""Weights and activations in 8 bits, and what is left out of that where it does harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from tasks.inference.harm import Harm, Ranges
from tasks.inference.onnx_export import OPERATORS, is_large, save, with_weights, without_traces
from tasks.inference.projections import join_projections
from tasks.inference.token_ranges import Bits, round_by_token
from tasks.task.answers import Floats

TABLES = ["Gather"]
"""The operators that round nothing but weights."""
NAMED = 4
"""Operators that a line names."""


@dataclass(frozen=True)
class Recipe:
    """How a graph becomes int8."""

    exact: tuple[str, ...] = ()
    """What stays in fp32, by the names of its nodes (`quantisable`)."""
    bits: Bits = 8
    """Of a weight."""
    ranges: Ranges = "tensor"


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
        round_by_token(model, exact, recipe.bits)
    join_projections(model)
    save(model, target)


def quantisable(graph: Path) -> list[str]:
    """The nodes of an fp32 graph that `quantise` has an effect on: those with weights."""
    model = onnx.load(graph, load_external_data=False).graph
    return [node.name for node, _ in with_weights(model)]


def without(exact: Collection[str], found: Mapping[str, Harm], ranges: Ranges = "tensor") -> Recipe:
    """All but `exact` in int8, weights of as many bits as all processors answer alike with.

    7, on which no sum overflows, where overflow would do more harm than rounding over all products
    together; else 8. So what was proven on a processor with VNNI holds on one without.
    """
    left = [harm for name, harm in found.items() if name not in exact]
    worse = sum(harm.overflow - harm.rounding for harm in left) > 0
    return Recipe(tuple(sorted(exact)), 7 if worse else 8, ranges)


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
