"""What goes into a task and what comes out: predictions, and where tokens lie in a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Material = tuple[Sequence[Any], Sequence[str]]
"""Texts (or pairs) and what `Task.truths` says of them."""

IGNORED = -100
"""The target of a token that has none."""


class Entity(NamedTuple):
    """A stretch of the text, `text[start:end]`, that is of a type."""

    start: int
    end: int
    label: str
    score: float
    text: str


class Prediction(NamedTuple):
    """What a release says about one input; what its task does not have is None."""

    label: str | None = None
    """The most probable class."""
    score: float | None = None
    """Its probability."""
    scores: dict[str, float] | None = None
    """Every class's probability; those of exclusive classes sum to 1."""
    value: float | None = None
    """The number that a regression gives."""
    entities: list[Entity] | None = None
    """In the order of the text; none overlaps another."""
    labels: tuple[str, ...] | None = None
    """The classes that hold, of those that do not exclude each other."""

    def record(self) -> dict[str, Any]:
        """What it says, as JSON, without what its task does not have."""
        found = {key: value for key, value in self._asdict().items() if value is not None}
        if self.entities is not None:
            found["entities"] = [entity._asdict() for entity in self.entities]
        return found


class Exit(NamedTuple):
    """One output of an exported graph."""

    part: slice
    """Which outputs of the head it has."""
    per_token: bool
    """Whether it is [texts, tokens, outputs], and not [texts, outputs]."""


class Pieces(NamedTuple):
    """Where the tokens of one text lie in it."""

    spans: Ints
    """int64 [tokens, 2]: first character and the one after the last; equal for special tokens."""
    first: npt.NDArray[np.bool_]
    """[tokens]: whether a token begins a word; special tokens and further pieces don't."""
