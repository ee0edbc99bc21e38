"""Reading many files into one table in memory, column by column, bad rows set aside."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from tasks.data.normalise import text_digest
from tasks.data.readers import Columns, Row, read_rows
from tasks.data.rules import Refused, check_texts, label_text, shown
from tasks.data.splits import CODES, given_side

ROWS_A_CHUNK = 8192
SECONDS_UNTIL_A_BAR = 2.0

_PARTS = pa.schema([(name, pa.string()) for name in ("id", "text", "text_pair", "label")])
QUARANTINE = pa.schema(
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


@dataclass(frozen=True)
class DataFile:
    """One file to read: `name` as pinned, `role` the source's role, `date` its partition's."""

    path: Path
    name: str
    role: str
    date: str | None


@dataclass(frozen=True)
class Reading:
    """Which columns mean what; `label` and `split` are None where there are none."""

    text: tuple[str, ...]
    label: str | None
    split: str | None
    max_characters: int


@dataclass
class Gathered:
    """The rows of all files in file order: columns, and what each needs to find its side.

    `given` holds the codes of `tasks.data.splits` when the source brings its own splits, else it
    is empty. `files[i]` is the place of row i's file in `names`.
    """

    chunks: list[pa.RecordBatch] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    characters: array[int] = field(default_factory=lambda: array("q"))
    words: array[int] = field(default_factory=lambda: array("q"))
    given: array[int] = field(default_factory=lambda: array("b"))
    files: array[int] = field(default_factory=lambda: array("q"))
    sources: list[DataFile] = field(default_factory=list)
    quarantined: list[tuple[str, int, str, str, str | None, str | None]] = field(
        default_factory=list
    )
    rows_read: int = 0
    stripped_labels: int = 0

    def table(self) -> pa.Table:
        """Columns id (as the source has it, or null), text, text_pair, label."""
        return pa.Table.from_batches(self.chunks, _PARTS)

    def quarantine(self) -> pa.Table:
        """The rows set aside, in file order."""
        columns = list(zip(*self.quarantined, strict=True)) or [()] * len(QUARANTINE)
        return pa.table([list(column) for column in columns], schema=QUARANTINE)

    def rules_broken(self) -> Counter[str]:
        """How many rows each rule set aside."""
        return Counter(rule for _, _, rule, *_ in self.quarantined)


def gather(files: Iterable[DataFile], reading: Reading) -> Gathered:
    """Read every row of every file, in order. Raises BadInput as `read_rows` does."""
    gatherer = _Gatherer(reading)
    with tqdm(unit=" rows", unit_scale=True, delay=SECONDS_UNTIL_A_BAR) as bar:
        for file in files:
            before = gatherer.into.rows_read
            gatherer.read(file)
            bar.update(gatherer.into.rows_read - before)
    return gatherer.finished()


class _Gatherer:
    def __init__(self, reading: Reading) -> None:
        self.into = Gathered()
        self._reading = reading
        self._rows: list[tuple[str | None, str, str | None, str | None]] = []
        self._labels: dict[str, str] = {}
        needed = [*reading.text, reading.label, reading.split]
        self._columns = Columns(tuple(name for name in needed if name is not None), ("id",))

    def read(self, file: DataFile) -> None:
        self.into.sources.append(file)
        for row in read_rows(file.path, self._columns, file.name):
            self.into.rows_read += 1
            self._take(row, file)

    def finished(self) -> Gathered:
        self._flush()
        return self.into

    def _take(self, row: Row, file: DataFile) -> None:
        texts, label, split, own_id = self._parts(row)
        if row.broken is not None:
            return self._refuse(row, file, Refused("broken row", row.broken), None, None)
        refused = check_texts(texts, self._reading.text, self._reading.max_characters)
        if refused is not None:
            return self._refuse(row, file, refused, texts[0], label)
        name = label_text(label) if self._reading.label is not None else ""
        if isinstance(name, Refused):
            return self._refuse(row, file, name, texts[0], label)
        if isinstance(label, str) and label != name:
            self.into.stripped_labels += 1
        if self._reading.split is not None:
            where = f"{file.name}, row {row.number}, column {self._reading.split!r}"
            self.into.given.append(given_side(split, where))
        elif file.role in CODES:
            self.into.given.append(CODES[file.role])
        self._keep(texts, self._labels.setdefault(name, name), own_id)
        return None

    def _parts(self, row: Row) -> tuple[tuple[Any, ...], Any, Any, Any]:
        pair = len(self._reading.text)
        rest = list(row.values[pair:])
        label = rest.pop(0) if self._reading.label is not None else None
        split = rest.pop(0) if self._reading.split is not None else None
        return row.values[:pair], label, split, rest[0]

    def _keep(self, texts: tuple[str, ...], label: str, own_id: Any) -> None:
        into = self.into
        into.digests.append(text_digest(texts))
        into.labels.append(label)
        into.characters.append(sum(map(len, texts)))
        into.words.append(sum(len(text.split()) for text in texts))
        into.files.append(len(into.sources) - 1)
        name = label_text(own_id)
        own = name if isinstance(name, str) else None
        pair = texts[1] if len(texts) > 1 else None
        self._rows.append((own, texts[0], pair, label or None))
        if len(self._rows) == ROWS_A_CHUNK:
            self._flush()

    def _refuse(self, row: Row, file: DataFile, why: Refused, text: Any, label: Any) -> None:
        kept = (file.name, row.number, why.rule, why.reason, shown(text), shown(label))
        self.into.quarantined.append(kept)

    def _flush(self) -> None:
        if self._rows:
            columns = [pa.array(column, pa.string()) for column in zip(*self._rows, strict=True)]
            self.into.chunks.append(pa.record_batch(columns, schema=_PARTS))
            self._rows.clear()
