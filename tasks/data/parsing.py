"""One file's rows, judged and measured, as Parquet: what is then known of it without it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.counts import Counts
from tasks.data.normalise import measured
from tasks.data.readers import Columns, Row, read_rows
from tasks.data.reading import Reading
from tasks.data.rules import SHOWN_CHARACTERS, Refused, check_texts, label_text, shown
from tasks.data.splits import given_side

ROWS_A_GROUP = 8192
CHARACTERS_A_GROUP = 4 * 2**20
EXAMPLES_A_RULE = 3
MASKED_CHARACTERS = 10 * SHOWN_CHARACTERS
NOTHING_MASKED: Counter[str] = Counter()

PARSED = pa.schema(
    [
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("id", pa.string()),
        ("text", pa.string()),
        ("text_pair", pa.string()),
        ("label", pa.string()),
        ("given", pa.int8()),
        ("high", pa.uint64()),
        ("low", pa.uint64()),
        ("same_high", pa.uint64()),
        ("same_low", pa.uint64()),
        ("id_hash", pa.uint64()),
        ("characters", pa.int32()),
        ("words", pa.int32()),
    ]
)
"""A row of the file each, in its order. Where `rule` is not null the row is set aside, and only
`row`, `rule`, `reason` and the starts of `text` and `label` are there.

`high` and `low` are the digest of the normalised, unmasked text: it decides the side. `same_high`
and `same_low` are that of the masked text, null where none is masked: rows that share it are the
same to a model.
`id` is the source's own, `id_hash` stands for it (0: there is none). `given` is a code of
`tasks.data.splits` when a column says the split.
"""


def parse(
    path: Path, name: str, reading: Reading, target: Path, progress: Callable[[int], object]
) -> None:
    """Read a whole file and write what came of it to `target`; `progress` gets rows as they come.

    The bytes depend on content and settings alone. Raises BadInput as `read_rows` does, and for
    the value of a split column that names no split.
    """
    needed = [*reading.text, reading.label, reading.split]
    columns = Columns(tuple(column for column in needed if column is not None), ("id",))
    parser = _Parser(name, reading)
    with pq.ParquetWriter(target, PARSED, compression="lz4", use_dictionary=["label"]) as writer:
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
    given: int | None


class _Parser:
    def __init__(self, name: str, reading: Reading) -> None:
        self.counts = Counts()
        self._name = name
        self._reading = reading
        self._pair = len(reading.text)
        self._labels: dict[str, str] = {}
        self._kept: list[_Kept] = []
        self._refused: list[tuple[int, str, str, str | None, str | None]] = []
        self._characters = 0
        self._mask = _masker(reading.mask)

    def pending(self) -> int:
        return len(self._kept) + len(self._refused)

    def is_full(self) -> bool:
        return self.pending() >= ROWS_A_GROUP or self._characters >= CHARACTERS_A_GROUP

    def take(self, row: Row) -> None:
        self.counts.read += 1
        if row.broken is not None:
            return self._refuse(row.number, Refused("broken row", row.broken), None, None)
        reading, texts = self._reading, row.values[: self._pair]
        label = row.values[self._pair] if reading.label is not None else None
        refused = check_texts(texts, reading.text, reading.max_characters)
        if refused is not None:
            return self._refuse(row.number, refused, texts[0], label)
        name = "" if reading.label is None else self._label(label)
        if isinstance(name, Refused):
            return self._refuse(row.number, name, texts[0], label)
        given = None
        if reading.split is not None:
            where = f"{self._name}, row {row.number}, column {reading.split!r}"
            given = given_side(row.values[-2], where)
        own = None if row.values[-1] is None else label_text(row.values[-1])
        own_id = own if isinstance(own, str) else None
        written, masked = self._hidden(texts)
        self._kept.append(_Kept(row.number, own_id, texts, written, masked, name, given))
        self._characters += sum(map(len, texts))
        return None

    def _label(self, value: Any) -> str | Refused:
        """The label as text; the same object for all rows of a class."""
        if isinstance(value, str) and value in self._labels:
            return self._labels[value]
        name = label_text(value)
        if isinstance(name, Refused):
            return name
        if isinstance(value, str) and value != name:
            self.counts.stripped_labels += 1
        return self._labels.setdefault(name, name)

    def _refuse(self, number: int, why: Refused, text: Any, label: Any) -> None:
        start, named = self._shown(text), self._shown(label)
        self._refused.append((number, why.rule, str(self._shown(why.reason)), start, named))

    def _shown(self, value: Any) -> str | None:
        if self._mask is None or value is None:
            return shown(value)
        text = value if isinstance(value, str) else repr(value)
        return shown(self._mask(text[:MASKED_CHARACTERS])[0])

    def flush(self) -> pa.Table:
        """The rows taken since the last time, in the schema PARSED and in file order."""
        self._apply_rules()
        self._count()
        found = self._measured() if self._kept else PARSED.empty_table()
        if self._refused:
            names = ("row", "rule", "reason", "text", "label")
            columns = dict(zip(names, map(list, zip(*self._refused, strict=True)), strict=True))
            found = pa.concat_tables([found, _table(len(self._refused), columns)]).sort_by("row")
        self._kept, self._refused, self._characters = [], [], 0
        return found

    def _apply_rules(self) -> None:
        for rule in self._reading.rules:
            if not self._kept:
                return
            bad, reasons = rule.check(*self._strings())
            places = np.flatnonzero(bad).tolist()
            for at, reason in zip(places, reasons, strict=True):
                row = self._kept[at]
                self._refuse(row.row, Refused(rule.name, reason), row.written[0], row.label)
            if places:
                self._kept = [row for row, out in zip(self._kept, bad, strict=True) if not out]

    def _strings(self) -> tuple[pa.Array, pa.Array | None, pa.Array | None]:
        """The kept rows' texts, second texts of a pair, and labels; None for what they haven't."""
        texts = zip(*(kept.written for kept in self._kept), strict=True)
        first, *second = [pa.array(text, pa.string()) for text in texts]
        labels = pa.array([kept.label for kept in self._kept], pa.string())
        pairs = second[0] if second else None
        return first, pairs, labels if self._reading.label is not None else None

    def _measured(self) -> pa.Table:
        rows, ids, texts, written, masked, labels, given = zip(*self._kept, strict=True)
        measures = [measured(text) for text in texts]
        columns: dict[str, Any] = {"row": rows, "id": ids, "given": given}
        if self._reading.label is not None:
            columns["label"] = labels
        columns["high"], columns["low"] = _halves(digest for digest, _ in measures)
        columns["words"] = [words for _, words in measures]
        if self._mask is not None:
            self.counts.masked.update(sum(masked, Counter()))
            digests = (measured(text)[0] for text in written)
            columns["same_high"], columns["same_low"] = _halves(digests)
        columns["text"], *pairs = zip(*written, strict=True)
        if pairs:
            columns["text_pair"] = pairs[0]
        columns["characters"] = [sum(map(len, text)) for text in written]
        columns["id_hash"] = [_id_hash(own_id) for own_id in ids]
        return _table(len(rows), columns)

    def _hidden(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], Counter[str]]:
        """The texts as they are written, and how much of each kind was masked in them."""
        if self._mask is None:
            return texts, NOTHING_MASKED
        found = [self._mask(text) for text in texts]
        return tuple(text for text, _ in found), sum((count for _, count in found), Counter())

    def _count(self) -> None:
        self.counts.kept += len(self._kept)
        for number, rule, reason, start, label in sorted(self._refused, key=itemgetter(0)):
            self.counts.broken[rule] += 1
            if self.counts.broken[rule] <= EXAMPLES_A_RULE:
                found = {"row": number, "rule": rule, "reason": reason}
                self.counts.examples.append({**found, "text": start, "label": label})


def _masker(kinds: Sequence[str]) -> Callable[[str], tuple[str, Counter[str]]] | None:
    if not kinds:
        return None
    from tasks.masking import Masker

    masker: Callable[[str], tuple[str, Counter[str]]] = Masker(kinds)
    return masker


def _table(rows: int, columns: Mapping[str, Any]) -> pa.Table:
    """These columns, and nulls for all others."""
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in PARSED
    ]
    return pa.table(arrays, schema=PARSED)


def _halves(digests: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    halves = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, 2)
    return halves[:, 0], halves[:, 1]


def _id_hash(own_id: str | None) -> int:
    """64 bits that stand for an id. Of a million ids two agree by chance in 1 of 10^7 datasets."""
    if own_id is None:
        return 0
    digest = hashlib.blake2b(own_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
