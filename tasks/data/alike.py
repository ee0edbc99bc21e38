"""Labels that a person would take for one class, and a model for two."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.data.normalise import normalise
from tasks.stage.errors import BadInput

_DECIMAL_ZEROS = re.compile(r"([+-]?[0-9]+)\.0+")


def check_alike(names: Sequence[str], rows: Sequence[int], column: str) -> None:
    """Raise BadInput when two labels differ only in case, width, form or decimal zeros.

    `rows` has the number of rows of each. They are not joined: which spelling the class has is
    for its owner to say, since everything after this, the release too, is called by it.
    """
    looks: dict[str, int] = {}
    for at, name in enumerate(names):
        first = looks.setdefault(_look(name), at)
        if first != at:
            raise BadInput(
                f"labels {names[first]!r} ({rows[first]:,} rows) and {name!r} ({rows[at]:,} rows) "
                f"of column {column!r} are the same but for case, width, accents or decimal "
                "zeros: write both the same way"
            )


def _look(name: str) -> str:
    folded = normalise(name)
    number = _DECIMAL_ZEROS.fullmatch(folded)
    return number[1] if number else folded
