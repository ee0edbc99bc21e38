"""What the battery is made of: a night of good rows, something odd in it, what must come of it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.stage.errors import BadInput, StageError, Unavailable

NIGHT = "night"
"""The folder that every case fills, and the source that is read."""

WORDS = ("night", "shift", "model", "small", "fast", "proven", "bucket", "stage")
GOOD = [(f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} number {n}", "ab"[n % 2]) for n in range(100)]
"""Rows with nothing wrong; up to five bad ones beside them are below `ingest.max_quarantine`."""

Content = bytes | Callable[[], bytes]
Files = bytes | Mapping[str, Content] | Callable[[Path], object]
Row = Sequence[Any]


@dataclass(frozen=True)
class Stops:
    """The run ends with an error of this kind, whose message has these parts."""

    parts: tuple[str, ...]
    error: type[StageError] = BadInput


@dataclass(frozen=True)
class Goes:
    """The run goes on with the good rows, these texts as well, and these rows set aside.

    `aside` gives the rule by the row's number; `rows` is how many there are in all files.
    """

    texts: tuple[str, ...] = ()
    aside: Mapping[int, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ("a", "b")
    rows: int | None = None

    @property
    def read(self) -> int:
        """How many rows the run must have seen."""
        return len(GOOD) + len(self.texts) + len(self.aside) if self.rows is None else self.rows


@dataclass(frozen=True)
class Case:
    """One odd night: `files` fills the folder, `meanwhile` acts between listing and reading."""

    name: str
    files: Files
    must: Stops | Goes
    params: Mapping[str, Any] = field(default_factory=dict)
    meanwhile: Callable[[Path], object] | None = None

    def make(self, folder: Path) -> None:
        """Write the files into the new folder; plain bytes are a `rows.csv`."""
        folder.mkdir()
        files = {"rows.csv": self.files} if isinstance(self.files, bytes) else self.files
        if callable(files):
            files(folder)
            return
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content() if callable(content) else content)


def stops(
    name: str,
    files: Files,
    *parts: str,
    meanwhile: Callable[[Path], object] | None = None,
    **params: Any,
) -> Case:
    """The run must stop and say these parts; what changes meanwhile may be tried again."""
    error = BadInput if meanwhile is None else Unavailable
    return Case(name, files, Stops(parts, error), params, meanwhile)


def quarantine(name: str, files: Files, aside: Mapping[int, str], rows: int | None = None) -> Case:
    """These rows must be set aside by these rules, and nothing else be lost."""
    return Case(name, files, Goes(aside=aside, rows=rows))


def kept(
    name: str,
    files: Files,
    *texts: str,
    rows: int | None = None,
    labels: tuple[str, ...] = ("a", "b"),
    **params: Any,
) -> Case:
    """These texts must come through as they are, beside all the good ones."""
    return Case(name, files, Goes(texts, labels=labels, rows=rows), params)


def text_of(*odd: str, header: str = "text,label", good: Sequence[Row] = GOOD) -> str:
    """A CSV with the odd lines, as they are, from line 2 on, and then the good rows."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(good)
    return "\n".join([header, *odd, lines.getvalue()])


def csv_of(*odd: str, header: str = "text,label", good: Sequence[Row] = GOOD) -> bytes:
    """The same as UTF-8."""
    return text_of(*odd, header=header, good=good).encode()


def jsonl_of(*odd: str) -> dict[str, bytes]:
    """A `rows.jsonl` with the odd lines, as they are, from line 1 on, and then the good rows."""
    lines = [json.dumps({"text": text, "label": label}) for text, label in GOOD]
    return {"rows.jsonl": ("\n".join([*odd, *lines]) + "\n").encode()}


def parquet_bytes(columns: Mapping[str, Any], **options: Any) -> bytes:
    """A Parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), file, **options)
    return file.getvalue()


def parquet_of(*odd: Row, text: Any = None, label: Any = None, **options: Any) -> bytes:
    """A Parquet file of the odd rows from row 1 on and then the good ones, as these types."""
    texts, labels = zip(*odd, *GOOD, strict=True)
    columns = {"text": pa.array(texts, text), "label": pa.array(labels, label)}
    return parquet_bytes(columns, **options)


def gz(content: bytes, times: int = 1) -> bytes:
    """The content compressed; repeated as members of one file, for little work."""
    return gzip.compress(content, 6, mtime=0) * times
