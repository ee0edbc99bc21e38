"""What a reader is asked for and what it gives: columns by name, and rows with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.stage.errors import BadInput

SHOWN_COLUMNS = 20
SHOWN_CHARACTERS = 60


class Row(NamedTuple):
    """One row: `number` is its line in a text file (where it begins), its row in a Parquet file.

    `values` are in the order of the columns asked for. `broken` says why the row could not be
    taken apart; `values` are None then.
    """

    number: int
    values: tuple[Any, ...]
    broken: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns to read: those that must be there, and those that may (None where not)."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order of `Row.values`."""
        return self.needed + self.optional

    def check(self, there: Sequence[str], name: str, hint: str = "") -> None:
        """Raise BadInput that says which columns there are when a needed one is missing."""
        for column in self.needed:
            if column not in there:
                raise BadInput(f"{name} has no column {column!r}; {_listed(there)}{hint}")
            if list(there).count(column) > 1:
                raise BadInput(f"{name} has more than one column {column!r}: rename one")


def _listed(there: Sequence[str]) -> str:
    names = ", ".join(repr(name[:SHOWN_CHARACTERS]) for name in there[:SHOWN_COLUMNS])
    more = len(there) - SHOWN_COLUMNS
    return f"its columns are {names or 'none'}{f' and {more:,} more' if more > 0 else ''}"
