"""Finding rows that stand, nearly the same, among many others that stream past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from tasks.quality.rows import cut, start_of
from tasks.quality.shingles import Shingles, joined, shingles
from tasks.quality.sketches import bands, jaccard, likeness, sketches

SIMILARITY = 0.8
"""Of two texts' sets of shingles (Jaccard), from which they are nearly the same."""
PAIRS_SHOWN = 12
"""Of each two sides."""

_LIKELY = 0.65  # of the hashes: 2.4 standard errors below the similarity
_CANDIDATES = 8  # rows sought that are tried for one row, a band
_COMPARISON = 32  # what comparing two texts costs, in comparisons of their sketches
_PATIENCE = 512  # spent on a row in vain, it counts as not found: many texts are of one form
_CLOSED = 0.2  # of the rows that are looked up, before those still sought are put in order anew

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """Some rows: which sides each belongs to, and what it is like.

    `first` and `second` are bool [sides, rows]: a pair is sought between a row that is first and
    one that is second in the same place.
    """

    first: Array
    second: Array
    ids: pa.Array
    starts: pa.Array
    shingles: Shingles
    sketches: Array

    @classmethod
    def of(cls, batch: pa.RecordBatch, first: Array, second: Array) -> Self:
        """From a batch with the columns id, text and text_pair."""
        sets = shingles(joined(batch))
        shown = cut(batch.column("text"))
        return cls(first, second, batch.column("id"), shown, sets, sketches(sets))

    @classmethod
    def together(cls, parts: Sequence[Rows]) -> Self:
        """All of them one after the other; at least one."""
        return cls(
            np.concatenate([part.first for part in parts], axis=1),
            np.concatenate([part.second for part in parts], axis=1),
            pa.concat_arrays([part.ids for part in parts]),
            pa.concat_arrays([part.starts for part in parts]),
            Shingles.together([part.shingles for part in parts]),
            np.concatenate([part.sketches for part in parts], axis=1),
        )

    def shown(self, at: int) -> dict[str, str]:
        """Id and start of one row."""
        return {"id": self.ids[at].as_py(), "start": start_of(self.starts[at].as_py())}


class Search:
    """Rows that are sought, and which of them were `found` (bool [sides, rows]).

    `compared` counts the rows of each second side, `pairs` shows some that were found.
    """

    def __init__(self, sides: Sequence[str], sought: Rows) -> None:
        self.sides = sides
        self.sought = sought
        self.found = np.zeros_like(sought.first)
        self.compared = np.zeros(len(sides), np.int64)
        self.pairs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        self._spent = np.where(sought.shingles.counts > 0, 0, _PATIENCE)
        self._keys = bands(sought.sketches)
        self._look_up(self._still_sought())

    def among(self, rows: Rows) -> None:
        """Look for what is still sought among these rows."""
        self.compared += rows.second.sum(axis=1)
        for band, keys in zip(self._bands, bands(rows.sketches), strict=True):
            sought, at = self._news(*band.candidates(keys), rows)
            np.add.at(self._spent, sought, 1)
            likely = likeness(self.sought.sketches[:, sought], rows.sketches[:, at]) >= _LIKELY
            sought, at = sought[likely], at[likely]
            alike = jaccard(self.sought.shingles, sought, rows.shingles, at)
            near = alike >= SIMILARITY
            np.add.at(self._spent, sought[~near], _COMPARISON)
            self._note(sought[near], rows, at[near], alike[near])
        still = self._still_sought()
        if len(still) < (1 - _CLOSED) * self._looked_up:
            self._look_up(still)

    @property
    def given_up(self) -> int:
        """Rows that look like very many others, of which only the first were compared."""
        in_vain = (self._spent >= _PATIENCE) & ~self.found.any(axis=0)
        return int((in_vain & (self.sought.shingles.counts > 0)).sum())

    def _still_sought(self) -> Array:
        missing = (self.sought.first & ~self.found).any(axis=0)
        return np.flatnonzero(missing & (self._spent < _PATIENCE))

    def _look_up(self, sought: Array) -> None:
        """From now on these rows only."""
        self._looked_up = len(sought)
        self._bands = [_Band.of(keys, sought) for keys in self._keys]

    def _news(self, sought: Array, at: Array, rows: Rows) -> tuple[Array, Array]:
        """The pairs that would be news between any two sides, while there is patience."""
        news = self._new(sought, at, rows).any(axis=0) & (self._spent[sought] < _PATIENCE)
        return sought[news], at[news]

    def _new(self, sought: Array, at: Array, rows: Rows) -> Array:
        possible = self.sought.first[:, sought] & rows.second[:, at]
        return np.asarray(possible & ~self.found[:, sought])

    def _note(self, sought: Array, rows: Rows, at: Array, alike: Array) -> None:
        for side, new in enumerate(self._new(sought, at, rows)):
            fresh, places = np.unique(sought[new], return_index=True)
            self.found[side, fresh] = True
            noted = self.pairs[self.sides[side]]
            for place in np.flatnonzero(new)[places][: PAIRS_SHOWN - len(noted)]:
                noted.append(
                    {
                        "between": self.sides[side],
                        "similarity": round(float(alike[place]), 4),
                        "sides": [
                            self.sought.shown(int(sought[place])),
                            rows.shown(int(at[place])),
                        ],
                    }
                )


@dataclass(frozen=True)
class _Band:
    """The rows sought in the order of one band's keys; `sizes`: how many rows share the key."""

    keys: Array
    rows: Array
    sizes: Array

    @classmethod
    def of(cls, keys: Array, sought: Array) -> Self:
        rows = sought[np.argsort(keys[sought], kind="stable")]
        ordered = keys[rows]
        ends = np.searchsorted(ordered, ordered, side="right")
        return cls(ordered, rows, ends - np.searchsorted(ordered, ordered))

    def candidates(self, keys: Array) -> tuple[Array, Array]:
        """Rows sought, and for each the place in `keys` of the key that it shares.

        Where very many share one, only some of them are taken, and others at the next place.
        """
        if not len(self.keys):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        first = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        at = np.flatnonzero(self.keys[first] == keys)
        first, sizes = first[at], self.sizes[first[at]]
        taken = np.minimum(sizes, _CANDIDATES)
        turns = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        at, first, sizes = (np.repeat(each, taken) for each in (at, first, sizes))
        return self.rows[first + (at + turns) % sizes], at
