"""Texts of one side of the data that stand, nearly the same, on another.

Rows are sought of `test`, `validation` and the newest partition; what is kept of them has a fixed
size, and all rows stream past it: the time grows with the rows, the memory does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.dataset import FOLDER, SPLITS
from tasks.quality.rows import SHOWN_CHARACTERS, batches, lowest_of, order_of
from tasks.quality.search import Rows, Search
from tasks.stage.cores import cores

ROWS_SOUGHT = 20_000
"""Of a first side; of a larger one those that their ids choose, which gives a share of 2 % to
within 0.2 points (95 %)."""
SIDES = ("test ~ train", "validation ~ train", "test ~ validation", "newest ~ earlier nights")
COLUMNS = ("id", "text", "text_pair", "date")

Array = np.ndarray[Any, Any]
T = TypeVar("T")
R = TypeVar("R")


class Repetition(NamedTuple):
    """A record for each two sides, pairs of texts to show, and what can't be judged and why."""

    table: pd.DataFrame
    pairs: list[dict[str, Any]]
    not_judged: tuple[str, ...]


def repetition_table(folder: Path = FOLDER, most: int = ROWS_SOUGHT) -> Repetition:
    """How many rows of a first side have a near duplicate on the second.

    The table has `id` (for example `test ~ train`), `looked_at` (at most `most` rows of the first
    side), `rows` (those found), `share` (of those looked at) and `start` (an example). A pair has
    `between`, `similarity`, and two `sides` of `id` and `start`.
    """
    newest = _newest(folder)
    search = Search(SIDES, _sought(folder, newest, most))
    for rows in _ahead(lambda each: Rows.of(*each), _with_sides(folder, newest)):
        search.among(rows)
    looked_at = search.sought.first.sum(axis=1)
    there = (looked_at > 0) & (search.compared > 0)
    table = pd.DataFrame(
        [
            _record(side, int(count), int(hits), search.pairs[side])
            for side, count, hits in zip(SIDES, looked_at, search.found.sum(axis=1), strict=True)
        ]
    )
    pairs = [pair for side in SIDES for pair in search.pairs[side]]
    why = [f"{side}: there are no rows on both" for side in np.array(SIDES)[~there]]
    if search.given_up:
        why.append(
            f"{search.given_up:,} rows look like very many others, of which only the first were "
            "compared: the shares may be higher"
        )
    return Repetition(table[there].reset_index(drop=True), pairs, tuple(why))


def _record(side: str, looked_at: int, rows: int, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    half = SHOWN_CHARACTERS // 2 - 2
    start = " ~ ".join(one["start"][:half] for one in pairs[0]["sides"]) if pairs else "none"
    share = round(rows / max(looked_at, 1), 6)
    return {"id": side, "looked_at": looked_at, "rows": rows, "share": share, "start": start}


def _newest(folder: Path) -> str | None:
    """The last date, where there are several."""
    first, last = None, None
    for split in SPLITS:
        for batch in batches(split, ["date"], folder):
            least, most = (pc.min_max(batch.column("date"))[key].as_py() for key in ("min", "max"))
            first = min(filter(None, (first, least)), default=None)
            last = max(filter(None, (last, most)), default=None)
    return last if first != last else None


def _sides(split: str, dates: pa.Array, newest: str | None) -> tuple[Array, Array]:
    """Which of SIDES each row may be first, and which second of, bool [sides, rows]."""
    is_newest, is_earlier = (
        np.asarray(pc.fill_null(compared(dates, pa.scalar(newest, pa.string())), False))
        for compared in (pc.equal, pc.less)
    )
    train, validation, test = (np.full(len(dates), split == name) for name in SPLITS)
    first = np.stack([test, validation, test, is_newest])
    return first, np.stack([train, train, validation, is_earlier])


def _with_sides(folder: Path, newest: str | None) -> Iterator[tuple[pa.RecordBatch, Array, Array]]:
    for split in SPLITS:
        for batch in batches(split, COLUMNS, folder):
            yield batch, *_sides(split, batch.column("date"), newest)


def _sought(folder: Path, newest: str | None, most: int) -> Rows:
    """At most `most` rows of each first side: those with the lowest order of their ids."""
    last = _last_orders(folder, newest, most)
    parts: list[Rows] = []
    for batch, first, second in _with_sides(folder, newest):
        if first.any() or not parts:
            first &= order_of(batch.column("id")) <= last[:, None]
            chosen = first.any(axis=0)
            parts.append(
                Rows.of(batch.filter(pa.array(chosen)), first[:, chosen], second[:, chosen])
            )
    return Rows.together(parts)


def _last_orders(folder: Path, newest: str | None, most: int) -> Array:
    """For each first side the highest order of an id that is among the `most` lowest."""
    seen: list[list[Array]] = [[] for _ in SIDES]
    for split in SPLITS:
        for batch in batches(split, ["id", "date"], folder):
            first, _ = _sides(split, batch.column("date"), newest)
            if first.any():
                order = order_of(batch.column("id"))
                for kept, rows in zip(seen, first, strict=True):
                    kept.append(order[rows])
    return np.array([lowest_of(orders, most) for orders in seen], np.uint64)


def _ahead(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results in order, worked out on all cores a few items ahead."""
    with ThreadPoolExecutor(cores()) as pool:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > 2 * cores():
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
