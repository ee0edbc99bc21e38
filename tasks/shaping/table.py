"""What a text takes on this machine by the shape of a model: measured for a few, fitted for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls  # type: ignore[import-untyped]
from torch import nn

from tasks.compression.families import Family
from tasks.compression.surgery import cut, plain
from tasks.data.dataset import Text
from tasks.inference.predictor import Predictor
from tasks.inference.targets import TARGETS
from tasks.inference.timing import latencies
from tasks.inference.variants import Exported, Wishes
from tasks.stage.outputs import remove
from tasks.training.early import as_plain

CPU = TARGETS["cpu"]


@dataclass(frozen=True)
class Shape:
    """How much of a model there is."""

    layers: int
    heads: int
    """Of a layer, in the mean."""
    neurons: int
    """Of a layer's feed-forward network."""

    def __ge__(self, other: Shape) -> bool:
        """Whether it has all that the other has."""
        return (
            self.layers >= other.layers
            and self.heads >= other.heads
            and self.neurons >= other.neurons
        )

    def __str__(self) -> str:
        return f"{self.layers} layers of {self.neurons} neurons and {self.heads} heads"


@dataclass(frozen=True)
class Table:
    """Milliseconds of one text by a model's shape, in int8.

    A layer takes what it takes, and each of its heads and neurons so much more; the last one counts
    by itself, since it is computed for the first token alone where the head reads that. None of it
    is below zero (Lawson & Hanson 1974), and the fit is of ratios: a tenth too much is as bad of a
    fast shape as of a slow one.
    """

    measured: dict[Shape, float]
    weights: npt.NDArray[np.float64]

    @classmethod
    def of(cls, measured: dict[Shape, float]) -> Table:
        times = np.array([*measured.values()])
        parts = np.array([_parts(shape) for shape in measured])
        weights, _ = nnls(parts / times[:, None], np.ones(len(times)))
        return cls(measured, weights)

    def ms(self, shape: Shape) -> float:
        """What a text may be expected to take."""
        return float(_parts(shape) @ self.weights)

    def off(self) -> float:
        """How far the fit is from what was measured at most, as a share of that."""
        return max(abs(self.ms(shape) / ms - 1) for shape, ms in self.measured.items())

    def widest(self, layers: int, heads: int, most: int, ms: float) -> int:
        """The most neurons of a layer, up to `most`, with which such a shape takes no more than
        `ms`; 0 where not even one fits."""
        if self.ms(Shape(layers, heads, most)) <= ms:
            return most
        none = self.ms(Shape(layers, heads, 0))
        each = self.ms(Shape(layers, heads, 1)) - none
        return max(0, int((ms - none) / each)) if each > 0 else 0


def _parts(shape: Shape) -> npt.NDArray[np.float64]:
    """What adds up to a shape's time, but for the weights: of the last layer, and of the others."""
    one = np.array([1, shape.heads, shape.neurons], np.float64)
    return np.concatenate([one, (shape.layers - 1) * one])


def looked_at(whole: Shape) -> list[Shape]:
    """The shapes that are measured: the whole, and with half of its layers, heads or neurons."""
    depths = sorted({whole.layers, max(1, whole.layers // 2)}, reverse=True)
    few, narrow = max(1, whole.heads // 2), max(1, whole.neurons // 2)
    widths = ((whole.heads, whole.neurons), (whole.heads, narrow), (few, whole.neurons))
    narrowest = (few, max(1, whole.neurons // 4))
    found = [Shape(depth, *width) for depth in depths for width in (*widths, narrowest)]
    return list(dict.fromkeys(found))


def measured(
    model: nn.Module, family: Family, tokenizer: Any, shapes: Sequence[Shape],
    texts: list[Text], wishes: Wishes, work: Path, say: Callable[[str], None],
) -> dict[Shape, float]:  # fmt: skip
    """Milliseconds that each shape takes of one of `texts` on one core, the median.

    Each is cut out of the model and becomes what `export` would make of it, in int8, attention
    joined where it can be and normalisation whichever way is faster; which of its parts are left is
    nothing to its speed. `work` is a folder for them, gone afterwards.
    """
    found = {}
    try:
        for shape in shapes:
            remove(work)
            source = work / "model"
            parts = [np.arange(shape.neurons)] * shape.layers
            heads = [np.arange(shape.heads)] * shape.layers
            small = cut(model, family, range(shape.layers), parts, heads)
            with plain(small, family), as_plain(small):
                small.save_pretrained(source)  # type: ignore[operator]
            tokenizer.save_pretrained(source)
            exported = Exported("shape", source, work, wishes, texts, texts)
            choices = exported.fusions(CPU)
            runs = {}
            for fusion in [each for each in choices if "attention" in each] or choices:
                exported.write(work / fusion, CPU, "int8", fusion)
                runs[fusion] = Predictor.load(work / fusion, 1)
            found[shape] = min(latencies(runs, texts).values())
            say(f"{shape}: {found[shape]:.3f} ms")
    finally:
        remove(work)
    return found
