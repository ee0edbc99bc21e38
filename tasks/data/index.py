"""What decides the rows' fates, a few numbers a row: the only thing of all rows in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.parts import Part
from tasks.data.splits import CODES, Digests

NO_LABEL = -1


@dataclass(frozen=True)
class Index:
    """The rows that broke no rule, in file order; arrays have one place a row.

    `starts[i]:starts[i + 1]` are the rows of part i. `digests` decide the side, `same` tells which
    rows are the same to a model: the same object unless texts were masked. `labels` (int32) are
    places in `names`, NO_LABEL where there is none. `given` (int8) are codes of the given splits,
    None without any. `ids` (uint64) stand for the source's own, 0 where a row has none.
    """

    starts: np.ndarray
    digests: Digests
    same: Digests
    labels: np.ndarray
    names: list[str]
    given: np.ndarray | None
    ids: np.ndarray

    def __len__(self) -> int:
        return int(self.starts[-1])

    def part_of(self, rows: np.ndarray) -> np.ndarray:
        """The number of the part that each of these rows lies in."""
        return np.searchsorted(self.starts, rows, side="right") - 1


def index(parts: Sequence[Part], masked: bool = False, given: bool = False) -> Index:
    """The index of all parts. `given` says that the source brings its own splits."""
    starts = np.cumsum([0, *(part.counts.kept for part in parts)])
    count = int(starts[-1])
    digests = Digests.empty(count)
    same = Digests.empty(count) if masked else digests
    labels, ids = np.empty(count, np.int32), np.empty(count, np.uint64)
    sides = np.empty(count, np.int8) if given else None
    names: dict[str, int] = {}
    columns = {"high": digests.high, "low": digests.low, "id_hash": ids}
    columns |= {"same_high": same.high, "same_low": same.low} if masked else {}
    for rows, part, batch in _kept(parts, [*columns, "label", "given"]):
        for name, array in columns.items():
            array[rows] = batch.column(name).to_numpy()
        labels[rows] = _codes(batch.column("label"), names)
        if sides is not None:
            role = part.file.role
            sides[rows] = CODES[role] if role in CODES else batch.column("given").to_numpy()
    return Index(starts, digests, same, labels, list(names), sides, ids)


def _kept(parts: Sequence[Part], columns: list[str]) -> Iterator[tuple[slice, Part, pa.Table]]:
    at = 0
    for part in parts:
        for batch in part.batches(["rule", *columns]):
            kept = batch.filter(pc.is_null(batch.column("rule")))
            yield slice(at, at + len(kept)), part, kept
            at += len(kept)


def _codes(column: pa.ChunkedArray, names: dict[str, int]) -> np.ndarray:
    encoded = column.combine_chunks().dictionary_encode()
    known = [names.setdefault(label, len(names)) for label in encoded.dictionary.to_pylist()]
    places = encoded.indices.fill_null(NO_LABEL).to_numpy(zero_copy_only=False)
    codes: np.ndarray = np.array([*known, NO_LABEL], np.int32)[places]
    return codes
