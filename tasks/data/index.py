"""What decides the rows' fates, a few numbers a row: the only thing of all rows in memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.label_codes import NO_LABEL, LabelCodes
from tasks.data.parts import Part
from tasks.data.splits import CODES, Digests


@dataclass(frozen=True)
class Index:
    """The rows that broke no rule, in file order; arrays have one place a row.

    `starts[i]:starts[i + 1]` are the rows of part i. `digests` decide the side, `texts` tell which
    rows are the same text to a model: the same object unless texts were masked. `same` tells which
    are one example: the same object again unless there are several tasks, each with its own.
    `tasks` (int8) are places in the tasks' names, `labels` (int32) codes of `LabelCodes`, and
    `classes` how many rows speak of each class. `given` (int8) are codes of the given splits, None
    without any. `ids` (uint64) stand for the source's own, 0 where a row has none.
    """

    starts: np.ndarray
    digests: Digests
    texts: Digests
    same: Digests
    tasks: np.ndarray
    labels: np.ndarray
    names: list[str]
    classes: Counter[str]
    given: np.ndarray | None
    ids: np.ndarray

    def __len__(self) -> int:
        return int(self.starts[-1])

    def part_of(self, rows: np.ndarray) -> np.ndarray:
        """The number of the part that each of these rows lies in."""
        return np.searchsorted(self.starts, rows, side="right") - 1


def index(
    parts: Sequence[Part], tasks: Mapping[str, str], masked: bool = False, given: bool = False
) -> Index:
    """The index of all parts. `given` says that the source brings its own splits."""
    starts = np.cumsum([0, *(part.counts.kept for part in parts)])
    count = int(starts[-1])
    digests = Digests.empty(count)
    texts = Digests.empty(count) if masked else digests
    whose, labels = np.empty(count, np.int8), np.empty(count, np.int32)
    ids, sides = np.empty(count, np.uint64), np.empty(count, np.int8) if given else None
    codes = LabelCodes(tasks)
    columns = {"high": digests.high, "low": digests.low, "id_hash": ids}
    columns |= {"same_high": texts.high, "same_low": texts.low} if masked else {}
    for rows, part, batch in _kept(parts, [*columns, "label", "task", "given"]):
        for name, array in columns.items():
            array[rows] = batch.column(name).to_numpy()
        whose[rows] = owners(batch, tasks)
        labels[rows] = _labels(batch, whose[rows], tasks, codes)
        if sides is not None:
            role = part.file.role
            sides[rows] = CODES[role] if role in CODES else batch.column("given").to_numpy()
    same = texts if len(tasks) == 1 else _told_apart(texts, whose, tasks)
    named = list(codes.names)
    return Index(starts, digests, texts, same, whose, labels, named, codes.rows, sides, ids)


def owners(rows: pa.Table, tasks: Mapping[str, str]) -> np.ndarray:
    """The place of each row's task (int8) among the tasks, -1 for a row of no one task."""
    names = pa.array([*tasks], pa.string())
    places = pc.fill_null(pc.index_in(rows.column("task"), value_set=names), -1)
    found: np.ndarray = places.to_numpy().astype(np.int8)
    return found


def task_salts(tasks: Mapping[str, str]) -> np.ndarray:
    """64 bits (uint64) a task, to tell the same text in several apart; a task alone has none."""
    if len(tasks) == 1:
        return np.zeros(1, np.uint64)
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in tasks)
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def _told_apart(texts: Digests, whose: np.ndarray, tasks: Mapping[str, str]) -> Digests:
    salts = np.append(task_salts(tasks), np.uint64(0))  # the last for -1, a row of no one task
    return Digests(texts.high, texts.low ^ salts[whose])


def _kept(parts: Sequence[Part], columns: list[str]) -> Iterator[tuple[slice, Part, pa.Table]]:
    at = 0
    for part in parts:
        for batch in part.batches(["rule", *columns]):
            kept = batch.filter(pc.is_null(batch.column("rule")))
            yield slice(at, at + len(kept)), part, kept
            at += len(kept)


def _labels(
    rows: pa.Table, whose: np.ndarray, tasks: Mapping[str, str], codes: LabelCodes
) -> np.ndarray:
    """The code of each row's label among those of its task."""
    if len(tasks) == 1:
        return codes.of(rows.column("label"), next(iter(tasks)))
    found = np.full(len(rows), NO_LABEL, np.int32)
    for place, task in enumerate(tasks):
        own = whose == place
        if own.any():
            found[own] = codes.of(rows.column("label").filter(pa.array(own)), task)
    return found
