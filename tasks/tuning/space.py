"""The space that is searched: which parameters, and what each may be."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = Any
"""What a parameter may be: a number, text, true, null, or a list or section of these."""
DIGITS = 4
"""Of a number that is drawn: more make no difference, and nobody would write them."""


@dataclass(frozen=True)
class Range:
    """Every number from `low` to `high`, both included; `log`: by ratios, not differences."""

    key: str
    low: float
    high: float
    whole: bool = False
    log: bool = False

    @property
    def size(self) -> float:
        """How many values there are."""
        return self.high - self.low + 1 if self.whole else math.inf

    def suggest(self, trial: Trial) -> Value:
        """A value for a trial."""
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        found = trial.suggest_float(self.key, self.low, self.high, log=self.log)
        return min(max(float(f"{found:.{DIGITS}g}"), self.low), self.high)

    def stored(self, value: Value) -> Any:
        """A value as the study keeps it."""
        return value

    def holds(self, value: Value) -> bool:
        """Whether a value is one of the range."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def extremes(self) -> list[Value]:
        """What to hold against the schema: where both ends are right, so is what lies between."""
        return [int(self.low), int(self.high)] if self.whole else [self.low, self.high]

    def describe(self) -> str:
        """As it is written."""
        low, high = self.extremes()
        return f"{low}..{high}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of some values, whatever they are."""

    key: str
    values: tuple[Value, ...]

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    def suggest(self, trial: Trial) -> Value:
        """A value for a trial."""
        return json.loads(trial.suggest_categorical(self.key, [*map(text, self.values)]))

    def stored(self, value: Value) -> Any:
        """A value as the study keeps it: text, which tells 1, 1.0 and true apart."""
        return text(value)

    def holds(self, value: Value) -> bool:
        """Whether a value is one of the choices."""
        return text(value) in map(text, self.values)

    def extremes(self) -> list[Value]:
        """What to hold against the schema: all of them."""
        return list(self.values)

    def describe(self) -> str:
        """As it is written."""
        return ", ".join(map(text, self.values))


Dimension = Range | Choice


@dataclass(frozen=True)
class Space:
    """What a study searches."""

    dimensions: tuple[Dimension, ...]

    @property
    def keys(self) -> list[str]:
        """The parameters' dotted names."""
        return [each.key for each in self.dimensions]

    @property
    def size(self) -> float:
        """How many different trials there can be."""
        return math.prod(each.size for each in self.dimensions)

    def describe(self) -> dict[str, str]:
        """Key, and range or choices as text."""
        return {each.key: each.describe() for each in self.dimensions}

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Values for a trial, by key."""
        return {each.key: each.suggest(trial) for each in self.dimensions}

    def stored(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Values as the study keeps them."""
        return {each.key: each.stored(values[each.key]) for each in self.dimensions}

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether all values are of this space."""
        return all(each.holds(values[each.key]) for each in self.dimensions)


def text(value: Value) -> str:
    """A value as JSON, the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
