"""How numbers and names are written on the page; what is not known is a dash."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

UNKNOWN = "–"
NARROW_SPACE = "\u202f"
MINUS = "\u2212"


def known(value: Any) -> float | None:
    """`value` if it is a finite number, else None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_number(value: Any) -> int | None:
    """`value` if it is a whole number from 0 up, else None."""
    number = known(value)
    return int(number) if number is not None and number >= 0 and number.is_integer() else None


def short(value: Any, most: int = 80) -> str:
    """A text of people's data as far as it is shown, on one line; whatever is no text, as text."""
    text = value if isinstance(value, str) else UNKNOWN if value is None else str(value)
    joined = " ".join(text[: 4 * most].split())
    return joined if len(joined) <= most and len(text) <= 4 * most else joined[:most] + "…"


def decimal(value: Any, digits: int = 2) -> str:
    """Thousands apart, with so many digits after the point."""
    number = known(value)
    return UNKNOWN if number is None else f"{number:,.{digits}f}".replace("-", MINUS)


def count(value: Any) -> str:
    """A whole number, thousands apart."""
    return decimal(value, 0)


def percent(value: Any, digits: int = 1) -> str:
    """A share (0 to 1) in per cent."""
    number = known(value)
    return UNKNOWN if number is None else f"{decimal(100 * number, digits)}{NARROW_SPACE}%"


def significant(value: Any, digits: int = 3) -> str:
    """So many significant digits, never in exponents of ten above a thousandth."""
    number = known(value)
    if number is None or number == 0:
        return UNKNOWN if number is None else "0"
    if abs(number) < 1e-3:
        return f"{number:.{digits - 1}g}".replace("-", MINUS)
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    return decimal(number, places)


def plain(value: Any) -> str:
    """A number that a person chose, as they would write it."""
    number = known(value)
    return UNKNOWN if number is None else f"{number:,.10g}".replace("-", MINUS)


def unit(name: str, digits: int = 3) -> Callable[[Any], str]:
    """A writer of numbers with a unit behind."""

    def written(value: Any) -> str:
        said = significant(value, digits)
        return said if said == UNKNOWN else f"{said}{NARROW_SPACE}{name}"

    return written


def points(value: Any) -> str:
    """A drop in points; a negative one is a gain."""
    number = known(value)
    if number is None:
        return UNKNOWN
    rounded = round(number, 2)
    return "0" if rounded == 0 else f"{'+' if rounded < 0 else MINUS}{abs(rounded):.2f}"


def signed(value: Any) -> str:
    """Points more or less than before."""
    number = known(value)
    return UNKNOWN if number is None else points(-number)


def times(value: Any) -> str:
    """A ratio: how many times faster."""
    number = known(value)
    if number is None:
        return UNKNOWN
    return f"{decimal(number, 0 if number >= 20 else 1)}×"


def duration(value: Any) -> str:
    """Seconds, in the units that a person would say."""
    number = known(value)
    if number is None:
        return UNKNOWN
    if number < 59.5:
        return f"{significant(number, 2 if number >= 1 else 1)}{NARROW_SPACE}s"
    minutes, seconds = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}{NARROW_SPACE}h {minutes}{NARROW_SPACE}min"
    return f"{minutes}{NARROW_SPACE}min {seconds}{NARROW_SPACE}s"


def size(value: Any) -> str:
    """Bytes, in powers of a thousand."""
    number = known(value)
    if number is None:
        return UNKNOWN
    for name in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or name == "GB":
            break
        number /= 1000
    return f"{significant(number)}{NARROW_SPACE}{name}"


def layers(numbers: Any) -> str:
    """Layer numbers, one after the other."""
    return ", ".join(str(number) for number in numbers) if isinstance(numbers, list) else UNKNOWN


FILTERS: dict[str, Callable[..., str]] = {
    "count": count,
    "decimal": decimal,
    "duration": duration,
    "layers": layers,
    "mb": unit("MB"),
    "ms": unit("ms"),
    "percent": percent,
    "plain": plain,
    "points": points,
    "short": short,
    "signed": signed,
    "significant": significant,
    "size": size,
    "times": times,
}
