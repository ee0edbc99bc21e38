"""From values to places on a sheet, and the round numbers to mark them by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto `start` to `end`; `log` in equal ratios."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of `value`."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the scale, about as many as asked for."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high, about)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values in [low, high], a round step apart."""
    step = round_step(low, high, about)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def round_step(low: float, high: float, about: int) -> float:
    """The round step that divides [low, high] into about as many parts."""
    raw = (high - low) / max(1, about) or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * step for step in STEPS if power * step >= raw * (1 - 1e-9))


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten in [low, high]; only the powers when there are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [
        factor * 10.0**power
        for power in powers
        for factor in ((1, 2, 5) if len(powers) <= 5 else (1,))
    ]
    return [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def padded(values: Sequence[float], share: float = 0.08, log: bool = False) -> tuple[float, float]:
    """The range of the values, a little wider on both sides; (0, 1) or so when there are none."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not known:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = min(known), max(known)
    if log:
        ratio = max(1.2, (high / low) ** share)
        return low / ratio, high * ratio
    margin = share * (high - low) or max(abs(high) * share, 1e-6)
    return low - margin, high + margin


def plain(value: float) -> str:
    """A tick's text: as many digits as it needs, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
