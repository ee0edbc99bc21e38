"""Which shape to give a model that is to be so fast: tried on real texts, the worst given up first.

Shapes that take the same time differ in what they have it for: depth, heads or neurons. Which of
them answers most like the fine-tuned model shows after a recovery, so all of them recover on a few
texts, the best third of them on three times as many, and so on: successive halving (Jamieson &
Talwalkar 2016), by thirds. The last few have all texts: of two shapes that were alike after a
quarter of them (divergence 0.072 and 0.077), the second was ahead by a fifth after half.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tasks.compression.distillation import Distillation
from tasks.compression.families import Family
from tasks.compression.importance import Worth, layers_to_remove
from tasks.compression.levels import SHORTLIST, Cut, Trial, probe_of, shortlist
from tasks.compression.material import Material
from tasks.compression.surgery import Parts, cut
from tasks.shaping.table import Shape, Table
from tasks.stage.errors import BadInput

HEADS = (1.0, 2 / 3, 1 / 3)
"""Shares of a layer's heads that are looked at."""
NARROWEST = 1 / 16
"""Of the neurons: a shape with fewer is none."""
FEWER = 3
"""One in so many stays, on as many times the texts."""
LAST = 6
"""As few recover on all texts, at last."""


@dataclass
class Tried:
    """A shape by some layers, and what came of it."""

    shape: Shape
    kept: list[int]
    """The layers, by the fine-tuned model's numbers."""
    ms: float
    """By the table."""
    divergence: float = math.inf
    """From the fine-tuned model's answers on validation, after its last trial."""
    texts: int = 0
    """Of that trial."""


def shapes_of(table: Table, within: Shape, ms: float) -> list[Shape]:
    """The shapes inside another that take no more than `ms`, none of which holds another.

    Of each depth and each number of heads the widest.
    """
    found: list[Shape] = []
    for layers in range(within.layers, 0, -1):
        for heads in sorted({max(1, round(share * within.heads)) for share in HEADS}, reverse=True):
            neurons = table.widest(layers, heads, within.neurons, ms)
            shape = Shape(layers, heads, neurons)
            if neurons >= NARROWEST * within.neurons and not any(each >= shape for each in found):
                found.append(shape)
    return found


class Search:
    """The best shape for a time, among those of one model."""

    def __init__(
        self, model: nn.Module, family: Family, material: Material, how: Cut,
        objective: Distillation, table: Table, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.model, self.family, self.material = model, family, material
        self.how, self.objective, self.table, self.say = how, objective, table, say
        self.depth = len(family.layers_of(model))
        probe, few = (probe_of(each, how.probe) for each in (material.train, material.validation))
        self.worth = Worth.of(model, family, probe, material.plan, how.batch)
        _, self.damages = layers_to_remove(model, family, self.depth - 1, few, material.plan)

    def found(self, within: Shape, ms: float) -> list[Tried]:
        """Every shape of `ms` that was tried, the best first: the one of the most texts that
        answers most like the model.

        Raises BadInput where none is as fast.
        """
        left = every = [
            Tried(shape, kept, self.table.ms(shape))
            for shape in shapes_of(self.table, within, ms)
            for kept in self.choices(shape.layers)
        ]
        if not every:
            least = Shape(1, max(1, round(min(HEADS) * within.heads)),
                          math.ceil(NARROWEST * within.neurons))  # fmt: skip
            raise BadInput(
                f"no shape takes {ms:.3f} ms or less here, the least, {least}, about "
                f"{self.table.ms(least):.3f}: ask for less speed"
            )
        part = 0.0
        while part < 1:
            part = 1.0 if len(left) <= LAST else FEWER * part or self.how.trial
            trial = Trial(self.model, self.material, self.how, self.objective, part)
            texts = len(trial.objective.lessons.texts)
            self.say(f"{len(left)} to try, on {texts:,} texts each")
            for each in left:
                each.divergence = trial(self.student(each), f"shape, {each.shape}")
                each.texts = texts
            left = sorted(left, key=lambda each: each.divergence)[: -(-len(left) // FEWER)]
        return sorted(every, key=lambda each: (-each.texts, each.divergence))

    def choices(self, layers: int) -> list[list[int]]:
        """The layers that a model of so many may have, the most promising first."""
        every = range(self.depth)
        if layers == self.depth:
            return [list(every)]
        gone = shortlist(self.damages, self.depth - layers, SHORTLIST)
        return [[i for i in every if i not in each.removed] for each in gone]

    def student(self, tried: Tried) -> nn.Module:
        """The shape, cut out of the model."""
        best, kept = self.worth.best_neurons(tried.shape.neurons), tried.kept
        return cut(self.model, self.family, kept, [best[i] for i in kept], self._heads(tried))

    def heads(self, tried: Tried) -> dict[int, int]:
        """How many heads each of its layers has."""
        return dict(zip(tried.kept, map(len, self._heads(tried)), strict=True))

    def _heads(self, tried: Tried) -> list[Parts]:
        return self.worth.best_heads(tried.kept, tried.shape.heads * len(tried.kept))
