"""The second time through the parsed rows: every row goes where its fate sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data.dataset import SCHEMA, masked_schema
from tasks.data.parts import Part
from tasks.stage.outputs import whole

TASK = "classification"
ROWS_A_GROUP = 65_536
BYTES_A_GROUP = 4 * 2**20
QUARANTINE_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("text", pa.string()),
        ("label", pa.string()),
    ]
)
"""What is kept of a row that is no example: where it was, why it went, how it began."""

_READ = ["row", "rule", "reason", "id", "text", "text_pair", "label", "high", "characters", "words"]


@dataclass
class Lengths:
    """How often each length comes, by fate and unit (`characters` or `words`)."""

    counts: dict[tuple[int, str], Counter[int]] = field(default_factory=dict)

    def add(self, fate: int, rows: pa.Table) -> None:
        for unit in ("characters", "words"):
            values, times = np.unique(rows.column(unit).to_numpy(), return_counts=True)
            counter = self.counts.setdefault((fate, unit), Counter())
            counter.update(dict(zip(values.tolist(), times.tolist(), strict=True)))

    def percentiles(self, fate: int, unit: str, wanted: Sequence[int]) -> list[int]:
        """The lengths at these percentiles, each one that a row has; none without rows."""
        found = sorted(self.counts.get((fate, unit), Counter()).items())
        if not found:
            return []
        values, times = np.array(found).T
        last = times.cumsum()
        places = np.rint(np.array(wanted) / 100 * (last[-1] - 1))
        return [int(length) for length in values[np.searchsorted(last, places, side="right")]]


class RowGroups:
    """A Parquet file written in groups of a set size, whatever the size of what comes."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0

    def write(self, table: pa.Table) -> None:
        """Take the rows in; they are written when there are enough."""
        self._waiting.append(table)
        self._rows += len(table)
        self._bytes += table.nbytes
        if self._rows >= ROWS_A_GROUP or self._bytes >= BYTES_A_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self._rows:
            table = pa.concat_tables(self._waiting)
            self._writer.write_table(table, row_group_size=self._rows)
        self._waiting, self._rows, self._bytes = [], 0, 0


@contextmanager
def row_groups(path: Path, schema: pa.Schema) -> Iterator[RowGroups]:
    """Write Parquet to `path`, whole or not at all; nothing but what comes decides the bytes."""
    columns = [name for name in schema.names if name not in ("id", "text", "text_pair")]
    settings = {"compression": "zstd", "use_dictionary": columns}
    with whole(path) as draft, pq.ParquetWriter(draft, schema, **settings) as writer:
        groups = RowGroups(writer)
        yield groups
        groups.flush()


@dataclass
class Sent:
    """What was seen on the way: the lengths, and the starts of the texts of a few rows."""

    lengths: Lengths = field(default_factory=Lengths)
    texts: dict[int, str] = field(default_factory=dict)


def send(
    parts: Sequence[Part],
    fate: np.ndarray,
    paths: dict[int, Path],
    quarantine: RowGroups,
    own_ids: bool,
    mask: Sequence[str],
    wanted: Sequence[int] = (),
) -> Sent:
    """Write the rows of each fate that has a path, and those that broke a rule to `quarantine`.

    `own_ids` says whether the source's ids stand, else the first 16 hex digits of the text's
    digest do. `mask` are the kinds masked in the texts, `wanted` rows whose texts are asked for.
    """
    sent, at = Sent(), 0
    with ExitStack() as stack:
        schema = masked_schema(mask)
        files = {f: stack.enter_context(row_groups(path, schema)) for f, path in paths.items()}
        for part in parts:
            for batch in part.batches(_READ):
                good = pc.is_null(batch.column("rule"))
                if not pc.all(good).as_py():
                    quarantine.write(_refused(part, batch.filter(pc.invert(good))))
                    batch = batch.filter(good)
                fates = fate[at : at + len(batch)]
                for code, file in files.items():
                    rows = batch.filter(pa.array(fates == code))
                    sent.lengths.add(code, rows)
                    file.write(_examples(part, rows, own_ids))
                for row in wanted:
                    if at <= row < at + len(batch):
                        sent.texts[row] = batch.column("text")[row - at].as_py()
                at += len(batch)
    return sent


def own_ids_stand(ids: np.ndarray) -> bool:
    """Whether these hashes of ids name every row, and each once; 0 is a row without one."""
    ids = np.sort(ids)
    return bool(len(ids) == 0 or (ids[0] != 0 and (ids[1:] != ids[:-1]).all()))


def _examples(part: Part, rows: pa.Table, own_ids: bool) -> pa.Table:
    ids: Any = rows.column("id")
    if not own_ids:
        ids = pa.array([f"{high:016x}" for high in rows.column("high").to_pylist()], pa.string())
    columns = {
        "id": ids,
        "text": rows.column("text"),
        "text_pair": rows.column("text_pair"),
        "label": rows.column("label"),
        "task": _repeated(TASK, rows),
        "source": _repeated(part.file.name, rows),
        "date": _repeated(part.file.date, rows),
        "slice": _repeated(None, rows),
    }
    return pa.table(columns, schema=SCHEMA)


def _refused(part: Part, rows: pa.Table) -> pa.Table:
    names = [name for name in QUARANTINE_SCHEMA.names if name != "file"]
    columns = {"file": _repeated(part.file.name, rows), **{n: rows.column(n) for n in names}}
    return pa.table(columns, schema=QUARANTINE_SCHEMA)


def _repeated(value: str | None, rows: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), len(rows))
