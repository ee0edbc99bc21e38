"""One file's rows, judged and measured, as Parquet: what is then known of it without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.counts import Counts
from tasks.data.labelling import Labelling, Said
from tasks.data.normalise import measured
from tasks.data.parsed import PARSED, halves, id_hash, table
from tasks.data.readers import Columns, Row, read_rows
from tasks.data.reading import Reading
from tasks.data.rules import shown
from tasks.data.splits import given_side
from tasks.task.labels import SHOWN_CHARACTERS, Refused, label_text

if TYPE_CHECKING:
    from tasks.masking import Masker

ROWS_A_GROUP = 8192
CHARACTERS_A_GROUP = 4 * 2**20
EXAMPLES_A_RULE = 3
MASKED_CHARACTERS = 10 * SHOWN_CHARACTERS
NOTHING_MASKED: Counter[str] = Counter()
DICTIONARIES = ["label", "task"]


def parse(
    path: Path, name: str, reading: Reading, target: Path, progress: Callable[[int], object]
) -> None:
    """Read a whole file and write what came of it to `target`; `progress` gets rows as they come.

    The bytes depend on content and settings alone. Raises BadInput as `read_rows` does, for the
    value of a split column that names no split, and for a task that nobody declared.
    """
    needed = [*reading.text, reading.label, reading.task, reading.split]
    columns = Columns(tuple(column for column in needed if column is not None), ("id",))
    parser = _Parser(name, reading)
    with pq.ParquetWriter(target, PARSED, compression="lz4", use_dictionary=DICTIONARIES) as writer:
        for row in read_rows(path, columns, name):
            parser.take(row)
            if parser.is_full():
                progress(parser.pending())
                writer.write_table(parser.flush())
        progress(parser.pending())
        writer.write_table(parser.flush())
        writer.add_key_value_metadata(parser.counts.as_metadata())


class _Kept(NamedTuple):
    row: int
    own_id: str | None
    texts: tuple[str, ...]
    written: tuple[str, ...]
    """The texts with what is to be masked masked: what is written, and what row rules see."""
    masked: Counter[str]
    label: str
    task: str | None
    given: int | None


class _Parser:
    def __init__(self, name: str, reading: Reading) -> None:
        self.counts = Counts()
        self._name = name
        self._reading = reading
        self._texts = len(reading.text)
        self._labelling = Labelling(name, reading)
        self._kept: list[_Kept] = []
        self._refused: list[tuple[int, str, str, str | None, str | None]] = []
        self._characters = 0
        self._masker = _masker(reading.mask)

    def pending(self) -> int:
        return len(self._kept) + len(self._refused)

    def is_full(self) -> bool:
        return self.pending() >= ROWS_A_GROUP or self._characters >= CHARACTERS_A_GROUP

    def take(self, row: Row) -> None:
        self.counts.read += 1
        if row.broken is not None:
            return self._refuse(row.number, Refused("broken row", row.broken), None, None)
        reading, texts = self._reading, row.values[: self._texts]
        label, task = self._cells(row)
        said = self._labelling.read(texts, label, task, row.number)
        if isinstance(said, Refused):
            return self._refuse(row.number, said, texts[0], label)
        given = None
        if reading.split is not None:
            where = f"{self._name}, row {row.number}, column {reading.split!r}"
            given = given_side(row.values[-2], where)
        own = None if row.values[-1] is None else label_text(row.values[-1])
        own_id = own if isinstance(own, str) else None
        written, masked, name = self._hidden(said)
        if isinstance(name, Refused):
            return self._refuse(row.number, name, written[0], label)
        kept = _Kept(row.number, own_id, said.texts, written, masked, name, said.task, given)
        self._kept.append(kept)
        self._characters += sum(map(len, said.texts))
        return None

    def _cells(self, row: Row) -> tuple[Any, Any]:
        """What stands in the columns of labels and of tasks, None where there are none."""
        at, reading = self._texts, self._reading
        label = row.values[at] if reading.label is not None else None
        task = row.values[at + (reading.label is not None)] if reading.task is not None else None
        return label, task

    def _refuse(self, number: int, why: Refused, text: Any, label: Any) -> None:
        if isinstance(text, list):
            text = " ".join(map(str, text))
        start, named = self._shown(text), self._shown(label)
        self._refused.append((number, why.rule, str(self._shown(why.reason)), start, named))

    def _shown(self, value: Any) -> str | None:
        if self._masker is None or value is None:
            return shown(value)
        text = value if isinstance(value, str) else repr(value)
        return shown(self._masker(text[:MASKED_CHARACTERS])[0])

    def flush(self) -> pa.Table:
        """The rows taken since the last time, in the schema PARSED and in file order."""
        self._apply_rules()
        self._count()
        found = self._measured() if self._kept else PARSED.empty_table()
        if self._refused:
            names = ("row", "rule", "reason", "text", "label")
            columns = dict(zip(names, map(list, zip(*self._refused, strict=True)), strict=True))
            found = pa.concat_tables([found, table(len(self._refused), columns)]).sort_by("row")
        self._kept, self._refused, self._characters = [], [], 0
        return found

    def _apply_rules(self) -> None:
        for rule in self._reading.rules:
            if not self._kept:
                return
            bad, reasons = rule.check(*self._strings(), self._names())
            places = np.flatnonzero(bad).tolist()
            for at, reason in zip(places, reasons, strict=True):
                row = self._kept[at]
                self._refuse(row.row, Refused(rule.name, reason), row.written[0], row.label)
            if places:
                self._kept = [row for row, out in zip(self._kept, bad, strict=True) if not out]

    def _names(self) -> list[list[str]] | None:
        """The classes that each kept label speaks of; None where labels are the classes."""
        if self._reading.label is None or self._labelling.labels_are_classes:
            return None
        return [self._labelling.names(kept.task, kept.label) for kept in self._kept]

    def _strings(self) -> tuple[pa.Array, pa.Array | None, pa.Array | None]:
        """The kept rows' texts, second texts of a pair, and labels; None for what they haven't."""
        texts = zip(*(kept.written for kept in self._kept), strict=True)
        first, *second = [pa.array(text, pa.string()) for text in texts]
        labels = pa.array([kept.label for kept in self._kept], pa.string())
        pairs = second[0] if second else None
        return first, pairs, labels if self._reading.label is not None else None

    def _measured(self) -> pa.Table:
        rows, ids, texts, written, masked, labels, tasks, given = zip(*self._kept, strict=True)
        measures = [measured(text) for text in texts]
        columns: dict[str, Any] = {"row": rows, "id": ids, "task": tasks, "given": given}
        if self._reading.label is not None:
            columns["label"] = labels
        columns["high"], columns["low"] = halves(digest for digest, _ in measures)
        columns["words"] = [words for _, words in measures]
        if self._masker is not None:
            self.counts.masked.update(sum(masked, Counter()))
            digests = (measured(text)[0] for text in written)
            columns["same_high"], columns["same_low"] = halves(digests)
        columns["text"], *pairs = zip(*written, strict=True)
        if pairs:
            columns["text_pair"] = pairs[0]
        columns["characters"] = [sum(map(len, text)) for text in written]
        columns["id_hash"] = [id_hash(own_id) for own_id in ids]
        return table(len(rows), columns)

    def _hidden(self, said: Said) -> tuple[tuple[str, ...], Counter[str], str | Refused]:
        """The texts as they are written, how much of each kind was masked in them, the label."""
        if self._masker is None:
            return said.texts, NOTHING_MASKED, said.label
        first, *others = said.texts
        text, found, places = self._masker.following(first, self._labelling.stretches(said))
        rest = [self._masker(other) for other in others]
        masked = sum((count for _, count in rest), found)
        label = self._labelling.moved(said, places)
        return (text, *(other for other, _ in rest)), masked, label

    def _count(self) -> None:
        self.counts.kept += len(self._kept)
        self.counts.stripped_labels = self._labelling.stripped
        for number, rule, reason, start, label in sorted(self._refused, key=itemgetter(0)):
            self.counts.broken[rule] += 1
            if self.counts.broken[rule] <= EXAMPLES_A_RULE:
                found = {"row": number, "rule": rule, "reason": reason}
                self.counts.examples.append({**found, "text": start, "label": label})


def _masker(kinds: Sequence[str]) -> Masker | None:
    if not kinds:
        return None
    from tasks.masking import Masker

    return Masker(kinds)
