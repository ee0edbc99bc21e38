"""What is judged: tables of records, each with an id, a start to show it by, and figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.dataset import SCHEMA
from tasks.expectations.entries import Limit

SHOWN_CHARACTERS = 80
BATCH_ROWS = 16_384
RECORDS = {
    "rows": ("row", "rows"),
    "classes": ("class", "classes"),
    "tasks": ("task", "tasks"),
    "intake": ("file", "files"),
    "repetition": ("pair of sides", "pairs of sides"),
    "giveaways": ("token", "tokens"),
    "suspects": ("class", "classes"),
    "drift": ("measure", "measures"),
    "agreement": ("night", "nights"),
}
"""What one record of a table is about, and what several are."""
FINDINGS = ("giveaways",)
"""Tables that list what was found amiss: empty, they say that nothing was."""
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Table:
    """One table to judge; `split` where there is one a split.

    `notes` say what could not be measured, and why: when there is no record at all, of all of it.
    The frame has the columns `id` and `start` and a default index; the rows of a split have
    neither `start` nor readable ids, which are read from `source` for the few that are shown.
    """

    name: str
    frame: pd.DataFrame
    split: str | None = None
    notes: tuple[str, ...] = ()
    source: Path | None = None

    @property
    def title(self) -> str:
        """For example `train rows`, or `drift`."""
        return f"{self.split} {self.name}" if self.split else self.name

    def why_not(self, where: Mapping[str, Limit | str | Sequence[str]]) -> str:
        """Why there is no record under an entry's `where`: the notes about it, or all of them."""
        wanted = [[value] if isinstance(value, str) else value for value in where.values()]
        names = {name for one in wanted if not isinstance(one, Limit) for name in one}
        about = [note for note in self.notes if any(name in note for name in names)]
        return "; ".join(about or self.notes)

    def selected(self, where: Mapping[str, Limit | str | Sequence[str]]) -> np.ndarray:
        """Which records an entry's `where` is about (bool, one a record)."""
        chosen = np.ones(len(self.frame), bool)
        for column, wanted in where.items():
            values = self.frame[column]
            if isinstance(wanted, Limit):
                low = -np.inf if wanted.at_least is None else wanted.at_least
                high = np.inf if wanted.at_most is None else wanted.at_most
                chosen &= values.between(low, high).to_numpy(bool)
            else:
                chosen &= values.isin([wanted] if isinstance(wanted, str) else wanted).to_numpy()
        return chosen

    def show(self, places: Iterable[int], columns: Iterable[str]) -> dict[int, dict[str, Any]]:
        """Records by place in the table: id, start and the values of `columns`, to show."""
        names = [name for name in dict.fromkeys(columns) if name in self.frame]
        shown: dict[int, dict[str, Any]] = {
            at: {name: self.frame[name].iloc[at] for name in ["id", *names]} for at in {*places}
        }
        if self.source is None:
            for at, record in shown.items():
                record["start"] = self.frame["start"].iloc[at]
        else:
            for at, row in _rows(self.source, sorted(shown)).items():
                own = {name: row[name] for name in ["id", *names] if name in row}
                shown[at] |= {**own, "start": row["text"]}
        return {at: {key: short(one) for key, one in row.items()} for at, row in shown.items()}


def short(value: Any) -> Any:
    """A value as plain JSON, texts cut to 80 characters, null for every kind of nothing."""
    value = value.item() if hasattr(value, "item") else value
    if value is pd.NA or value is pd.NaT or value != value:
        return None
    value = value if isinstance(value, _PLAIN) else str(value)
    return value[:SHOWN_CHARACTERS] if isinstance(value, str) else value


def batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """All rows in order, a row group after the other: read in one go, the groups would add up."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(BATCH_ROWS, row_groups=[group], columns=SCHEMA.names)


def _rows(path: Path, places: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Rows of a Parquet by number, without holding more than a batch of it."""
    found: dict[int, dict[str, Any]] = {}
    passed = 0
    if not places:
        return found
    for batch in batches(pq.ParquetFile(path)):
        inside = [at for at in places if passed <= at < passed + len(batch)]
        rows = batch.take([at - passed for at in inside]).to_pylist() if inside else []
        found |= dict(zip(inside, rows, strict=True))
        passed += len(batch)
        if passed > places[-1]:
            break
    return found
