"""One streaming look at a dataset: counts of all its rows, and some rows as they are.

Memory does not grow with the rows. Which rows are looked at more closely only a hash of their ids
decides, so that they stay the same while data grow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data.dataset import Text
from tasks.drift.histograms import LENGTH_BINS, length_bins
from tasks.task import Task
from tasks.task.classification import Classification
from tasks.task.multi_task import SEPARATOR

ROWS_AT_ONCE = 8_192
STREAMED: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20}
"""How to open a Parquet file so that the whole of it is never in memory."""
ROWS_SAMPLED = 5_000
"""Of the whole and of what is new, for their words and (fewer) for their embeddings."""
ROWS_ANSWERED = 3_000
"""Newest rows that the version in production is asked about."""
CHARACTERS_KEPT = 10_000
"""Of a sampled text: more than a model reads."""
MOST_SOURCES = 20
CLASSIFICATION = Classification()
NO_PARTITION = r"date=[^/]*/"
"""Taken out of a file's name: the nights of one source are one source."""

_COLUMNS = ["id", "text", "text_pair", "label", "source", "date", "task"]

Mask = npt.NDArray[np.bool_]


class Labels(NamedTuple):
    """The labels of a batch, and the classes that each of them names."""

    column: pa.Array
    """Null where there is no label; of several tasks, the name of the row's task before it."""
    names: Mapping[str, list[str]]
    """Of every label of the batch but those that are numbers."""


@dataclass
class Tally:
    """Counts over some rows: of each class, and of each bin of the length in characters."""

    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """Rows that name a class; a row may name several, or none."""
    named: int = 0
    """How often anything was named: no class counts once, as a class that nobody knows."""
    lengths: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(LENGTH_BINS, np.int64))

    def add(self, labels: Labels, bins: npt.NDArray[np.int64], mask: Mask | None) -> None:
        """Count a batch, or its rows under `mask`."""
        column, bins = (
            (labels.column, bins) if mask is None else (labels.column.filter(mask), bins[mask])
        )
        self.rows += len(bins)
        self.lengths += np.bincount(bins, minlength=LENGTH_BINS)
        self.named += column.null_count
        counted = pc.value_counts(column.drop_null())
        for label, count in zip(*(counted.field(at).to_pylist() for at in (0, 1)), strict=True):
            if (names := labels.names.get(label)) is not None:
                self.named += count * max(1, len(names))
                self.labels.update(dict.fromkeys(names, count))


@dataclass(frozen=True)
class Rows:
    """Some rows as they are; all lists have the same length."""

    ids: list[str]
    texts: list[Text]
    labels: list[str]
    sources: list[str]
    dates: list[str | None]
    tasks: list[str] = field(default_factory=list)
    """Empty where nobody asked."""

    def __len__(self) -> int:
        return len(self.ids)

    def of_source(self, name: str) -> Rows:
        """Those of one file, its partition left out."""
        at = [row for row, source in enumerate(self.sources) if source == name]
        columns = (self.ids, self.texts, self.labels, self.sources, self.dates, self.tasks)
        return Rows(*([each[row] for row in at if each] for each in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Portrait:
    """What was seen. `new` is what is dated after the reference's newest row, if that is known."""

    all: Tally
    new: Tally | None
    sources: Mapping[str, Tally]
    """By file, its partition left out of its name; empty when there is one, or too many."""
    newest: str | None
    """The latest date of a row."""
    sample: Rows
    new_sample: Rows
    latest: Rows
    """New rows, the newest first, for production to answer."""


def portrait_of(
    splits: Sequence[Path], newer_than: str | None, task: Task = CLASSIFICATION
) -> Portrait:
    """Look at a dataset's Parquet files, in batches; `newer_than` is a date as YYYY-MM-DD."""
    names = _source_names(splits)
    every, new = Tally(), Tally()
    sources = {name: Tally() for name in names}
    kept = _Kept(ROWS_SAMPLED, ["hash"]), _Kept(ROWS_SAMPLED, ["hash"])
    latest = _Kept(ROWS_ANSWERED, ["-date", "hash"])
    newest: str | None = None
    for batch in _batches(splits):
        bins, label = length_bins(_lengths(batch)), _labels(batch, task)
        every.add(label, bins, None)
        for name, tally in sources.items():
            tally.add(label, bins, _mask(pc.equal(batch.column("source"), name)))
        newest = max(filter(None, [newest, pc.max(batch.column("date")).as_py()]), default=None)
        kept[0].offer(batch)
        if newer_than is not None:
            is_new = _mask(pc.greater(batch.column("date"), newer_than))
            if is_new.any():
                new.add(label, bins, is_new)
                kept[1].offer(batch.filter(is_new))
                latest.offer(batch.filter(is_new))
    found = new if new.rows else None
    return Portrait(every, found, sources, newest, kept[0].rows(), kept[1].rows(), latest.rows())


class _Kept:
    """The first rows in some order, of all that were offered so far."""

    def __init__(self, size: int, order: Sequence[str]) -> None:
        self._size = size
        self._order = [
            (name.removeprefix("-"), "descending" if name.startswith("-") else "ascending")
            for name in order
        ]
        self._table: pa.Table | None = None

    def offer(self, batch: pa.Table) -> None:
        first = self._first(batch)
        first = first.set_column(1, "text", _cut(first.column("text")))
        first = first.set_column(2, "text_pair", _cut(first.column("text_pair")))
        self._table = (
            first if self._table is None else self._first(pa.concat_tables([self._table, first]))
        )

    def _first(self, table: pa.Table) -> pa.Table:
        if len(table) > self._size:
            options = pc.SelectKOptions(k=self._size, sort_keys=self._order)
            table = table.take(pc.select_k_unstable(table, options=options))
        return table.combine_chunks()

    def rows(self) -> Rows:
        """All that is kept, in order."""
        if self._table is None:
            return Rows([], [], [], [], [], [])
        columns: dict[str, list[Any]] = self._table.sort_by(self._order).to_pydict()
        pairs = zip(columns["text"], columns["text_pair"], strict=True)
        texts: list[Text] = [a if b is None else (a, b) for a, b in pairs]
        rest = (columns[name] for name in ("label", "source", "date", "task"))
        return Rows(columns["id"], texts, *rest)


def _batches(splits: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows a batch at a time, with `hash` (of the id); sources without their partition."""
    for path in splits:
        with pq.ParquetFile(path, **STREAMED) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=_COLUMNS):
                table = pa.Table.from_batches([batch])
                source = table.column("source")
                table = table.set_column(4, "source", _without_partition(source))
                ids = table.column("id").to_numpy()
                yield table.append_column(
                    "hash", pa.array(pd.util.hash_array(ids, categorize=False))
                )


def _labels(batch: pa.Table, task: Task) -> Labels:
    label = batch.column("label")
    if task.classes:
        return Labels(label, {name: [name] for name in pc.unique(label.drop_null()).to_pylist()})
    heads, only = task.members(), next(iter(task.members()))
    if len(heads) > 1:
        label = pc.binary_join_element_wise(batch.column("task"), label, SEPARATOR)
    names = {}
    for each in pc.unique(label.drop_null()).to_pylist():
        whose, _, own = each.partition(SEPARATOR) if len(heads) > 1 else (only, "", each)
        if not heads[whose].numeric:
            names[each] = [*{*task.named(own, whose)}]
    return Labels(label, names)


def _source_names(splits: Sequence[Path]) -> list[str]:
    found: set[str] = set()
    for path in splits:
        with pq.ParquetFile(path, read_dictionary=["source"], **STREAMED) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["source"]):
                names = pc.unique(batch.column(0)).cast(pa.string()).drop_null()
                found.update(_without_partition(names).to_pylist())
        if len(found) > MOST_SOURCES:
            return []
    return sorted(found) if len(found) > 1 else []


def _without_partition(names: Any) -> Any:
    return pc.replace_substring_regex(names, NO_PARTITION, "")


def _lengths(batch: pa.Table) -> npt.NDArray[np.int64]:
    first, second = (pc.utf8_length(batch.column(name)) for name in ("text", "text_pair"))
    both = pc.add(pc.fill_null(first, 0), pc.fill_null(second, 0))
    return np.asarray(both.to_numpy(), np.int64)


def _mask(flags: Any) -> Mask:
    return np.asarray(pc.fill_null(flags, False).to_numpy(), np.bool_)


def _cut(texts: Any) -> Any:
    return pc.utf8_slice_codeunits(texts, 0, CHARACTERS_KEPT)
