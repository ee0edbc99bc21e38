"""The second time through the parsed rows: every row goes where its fate sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data.dataset import SCHEMA, masked_schema
from tasks.data.index import owners, task_salts
from tasks.data.label_codes import class_names, shown_label
from tasks.data.parts import Part
from tasks.data.rules import shown
from tasks.stage.outputs import whole

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

_READ = ["row", "rule", "reason", "id", "text", "text_pair", "label", "task", "high"]
_READ += ["characters", "words"]


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
    """What was seen on the way: lengths, classes by fate, and texts and labels of a few rows."""

    lengths: Lengths = field(default_factory=Lengths)
    classes: dict[int, Counter[str]] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)

    def add(self, fate: int, rows: pa.Table, tasks: Mapping[str, str]) -> None:
        """Count rows that met this fate."""
        self.lengths.add(fate, rows)
        counter = self.classes.setdefault(fate, Counter())
        counted = rows.group_by(["task", "label"], use_threads=False).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            if row["label"] is not None:
                for name in class_names(row["label"], row["task"], tasks):
                    counter[name] += row["count_all"]

    def show(self, at: int, row: Mapping[str, Any], tasks: Mapping[str, str]) -> None:
        """Keep the text and the label of a row that is asked for."""
        self.texts[at] = row["text"]
        if row["label"] is not None:
            self.labels[at] = str(shown(shown_label(row["label"], row["task"], tasks)))


def send(
    parts: Sequence[Part],
    fate: np.ndarray,
    paths: dict[int, Path],
    quarantine: RowGroups,
    own_ids: bool,
    mask: Sequence[str],
    tasks: Mapping[str, str],
    wanted: Sequence[int] = (),
) -> Sent:
    """Write the rows of each fate that has a path, and those that broke a rule to `quarantine`.

    `own_ids` says whether the source's ids stand, else the first 16 hex digits of the text's
    digest do. `mask` are the kinds masked in the texts, `tasks` has the kind of each task by name,
    `wanted` are rows that are asked for.
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
                    sent.add(code, rows, tasks)
                    file.write(_examples(part, rows, own_ids, tasks))
                for row in wanted:
                    if at <= row < at + len(batch):
                        sent.show(row, batch.slice(row - at, 1).to_pylist()[0], tasks)
                at += len(batch)
    return sent


def own_ids_stand(ids: np.ndarray) -> bool:
    """Whether these hashes of ids name every row, and each once; 0 is a row without one."""
    ids = np.sort(ids)
    return bool(len(ids) == 0 or (ids[0] != 0 and (ids[1:] != ids[:-1]).all()))


def _examples(part: Part, rows: pa.Table, own_ids: bool, tasks: Mapping[str, str]) -> pa.Table:
    ids: Any = rows.column("id")
    if not own_ids:
        salts = np.append(task_salts(tasks), np.uint64(0))  # the last for a row of no one task
        digests = rows.column("high").to_numpy() ^ salts[owners(rows, tasks)]
        ids = pa.array([f"{digest:016x}" for digest in digests.tolist()], pa.string())
    columns = {
        "id": ids,
        "text": rows.column("text"),
        "text_pair": rows.column("text_pair"),
        "label": rows.column("label"),
        "task": rows.column("task"),
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
