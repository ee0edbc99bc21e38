"""The tables of the dataset itself: rows of each split, and what the intake did with each file.

Rows are lean, so that a million of them can be judged in seconds: numbers, flags and categories,
no text. That is about 30 bytes a row, and one more for each rule about texts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data.dataset import FOLDER, SCHEMA, SPLITS, split_path
from tasks.data.normalise import normalise
from tasks.expectations.rows import RowRule
from tasks.expectations.tables import batches
from tasks.stage.errors import BadInput

TEXTS = ("text", "text_pair")
_CATEGORIES = ("label", "task", "source", "date", "slice")
_ODD = r"[\t-\r\x1c-\x1f]|  |^ | $"
"""White space of ASCII that `normalise` does not leave as it is."""


def row_frames(
    rules: Sequence[RowRule] = (), whole: Collection[str] = (), folder: Path = FOLDER
) -> dict[str, pd.DataFrame]:
    """Each split's rows in file order, without text.

    Columns: `id` (a 64-bit hash), `text` and `text_pair` (a category that is null where there is
    none; the texts themselves, which cost their size in memory, if named in `whole`), `label`,
    `task`, `source`, `date`, `slice` (categories), `characters` (of both texts together), `digest`
    (a 64-bit hash of the normalised text), `also_in` (the first other split with that text, else
    null), and each rule's flag, true where it is met. Two of a million different texts share a hash
    once in 40 million datasets. Of several tasks each may have the same text once, so the digest is
    of the task as well. Raises BadInput for other columns than SCHEMA's.
    """
    frames = {name: _frame(split_path(name, folder), rules, whole) for name in SPLITS}
    digests = {name: frame["digest"].to_numpy(np.int64) for name, frame in frames.items()}
    for name, frame in frames.items():
        frame["also_in"] = _elsewhere(name, digests)
    if len({task for frame in frames.values() for task in frame["task"].cat.categories}) > 1:
        for frame in frames.values():
            frame["digest"] ^= _hashes(frame["task"].astype(object).fillna("").tolist())
    return frames


def intake_frame(intake: Mapping[str, Any]) -> pd.DataFrame:
    """One record a file of `data/intake.json`, and one `all`: role, date, rows, where they went.

    Shares are of the rows read: quarantined, repeated (in an earlier file), duplicate (in the same
    file), leak (on another side of given splits) and contradiction (with another label).
    """
    records = [*intake["files"], {**intake["totals"], "name": "all"}]
    return pd.DataFrame([_intake_record(record) for record in records])


def _intake_record(record: Mapping[str, Any]) -> dict[str, Any]:
    rows = record["rows"]
    gone = {
        "quarantined": "quarantined",
        "repeated": "repeated",
        "duplicate": "duplicates",
        "leak": "leaks",
        "contradiction": "contradictions",
    }
    shares = {f"{name}_share": record[key] / max(rows, 1) for name, key in gone.items()}
    left_out = [f"{record[key]:,} {name}" for name, key in gone.items() if record[key]]
    start = f"{rows:,} rows, {', '.join(left_out)}" if left_out else f"{rows:,} rows, all kept"
    about = {"id": record["name"], "role": record.get("role"), "date": record.get("date")}
    return {**about, "rows": rows, **shares, "start": start}


def _frame(path: Path, rules: Sequence[RowRule], whole: Collection[str]) -> pd.DataFrame:
    file = pq.ParquetFile(path)
    if file.schema_arrow.names != SCHEMA.names:
        raise BadInput(
            f"{path} has the columns {', '.join(file.schema_arrow.names)}; takes "
            f"{', '.join(SCHEMA.names)}: run ingest again"
        )
    lean = _Lean(file.metadata.num_rows, rules, whole)
    for batch in batches(file):
        lean.add(batch)
    return lean.frame()


class _Lean:
    """The columns of a split while its Parquet is read: numbers in place, no row twice."""

    def __init__(self, rows: int, rules: Sequence[RowRule], whole: Collection[str]) -> None:
        self._at = 0
        self._rules = rules
        self._hashes = {name: np.empty(rows, np.int64) for name in ("id", "digest")}
        self._characters = np.empty(rows, np.int32)
        self._there = {name: np.empty(rows, bool) for name in ("id", *TEXTS)}
        self._codes = {name: np.empty(rows, np.int32) for name in _CATEGORIES}
        self._names: dict[str, dict[str, int]] = {name: {} for name in _CATEGORIES}
        self._flags = {rule.flag: np.empty(rows, bool) for rule in rules}
        self._whole: dict[str, list[pa.Array]] = {name: [] for name in whole}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        rows = slice(self._at, self._at + len(batch))
        self._at += len(batch)
        text, pair, label = (batch.column(name) for name in (*TEXTS, "label"))
        self._hashes["id"][rows] = _hashes(pc.fill_null(batch.column("id"), "").to_pylist())
        self._hashes["digest"][rows] = _hashes(_joined(text, pair))
        lengths = [pc.fill_null(pc.utf8_length(column), 0) for column in (text, pair)]
        self._characters[rows] = pc.add(*lengths)
        for name, there in self._there.items():
            there[rows] = batch.column(name).is_valid()
        for name, codes in self._codes.items():
            codes[rows] = _codes(batch.column(name), self._names[name])
        for rule in self._rules:
            self._flags[rule.flag][rows] = ~rule.check(text, pair, label)[0]
        for name, parts in self._whole.items():
            parts.append(batch.column(name))

    def frame(self) -> pd.DataFrame:
        """All rows taken; what was gathered is let go column by column."""
        missing = ~self._there["id"]
        columns: dict[str, Any] = {"id": pd.arrays.IntegerArray(self._hashes["id"], missing)}
        for name in TEXTS:
            columns[name] = pd.Categorical.from_codes(
                self._there[name].astype(np.int64) - 1, pd.Index(["there"])
            )
        for name, parts in self._whole.items():
            columns[name] = pa.chunked_array(parts, pa.string()).to_pandas()
        for name, names in self._names.items():
            columns[name] = pd.Categorical.from_codes(self._codes.pop(name), pd.Index([*names]))
        columns |= {"characters": self._characters, "digest": self._hashes["digest"], **self._flags}
        return pd.DataFrame(columns, copy=False)


def _codes(column: pa.Array, names: dict[str, int]) -> np.ndarray:
    """A number for each value, -1 for null; `names` learns the values that are new."""
    encoded = column.dictionary_encode()
    known = [names.setdefault(value, len(names)) for value in encoded.dictionary.to_pylist()]
    places: np.ndarray = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    return np.array([*known, -1], np.int32)[places.astype(np.intp)]


def normalised(texts: pa.Array) -> list[str]:
    """`normalise` of each text; of plain ASCII with single spaces, lower case is all of it."""
    odd = pc.or_(pc.invert(pc.string_is_ascii(texts)), pc.match_substring_regex(texts, _ODD))
    found: list[str] = pc.ascii_lower(texts).to_pylist()
    if pc.any(odd).as_py():
        own = texts.to_pylist()
        for at in np.flatnonzero(odd):
            found[at] = normalise(own[at])
    return found


def _joined(texts: pa.Array, pairs: pa.Array) -> list[str]:
    """The normalised texts of each row as one string."""
    first = normalised(pc.fill_null(texts, ""))
    if pairs.null_count == len(pairs):
        return first
    second = normalised(pc.fill_null(pairs, ""))
    paired = zip(first, second, pairs.is_valid().to_pylist(), strict=True)
    return [f"{a}\x1f{b}" if pair else a for a, b, pair in paired]


def _hashes(values: Sequence[str]) -> np.ndarray:
    """64 bits that stand for each string, the same everywhere."""
    content = np.array(values, object)
    return pd.util.hash_array(content, categorize=False).view(np.int64)


def _elsewhere(split: str, digests: Mapping[str, np.ndarray]) -> pd.Series:
    """The first other split that has each digest, a category; null where none has it."""
    code = np.full(len(digests[split]), -1, np.int64)
    for at, other in reversed(list(enumerate(SPLITS))):
        if other != split:
            code[np.isin(digests[split], digests[other])] = at
    return pd.Series(pd.Categorical.from_codes(code, pd.Index(SPLITS)))
