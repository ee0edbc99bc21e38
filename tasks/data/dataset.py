"""The dataset between the stages: one Parquet a split, the same columns for every task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.stage.outputs import whole

FOLDER = Path("data/dataset")
SPLITS = ("train", "validation", "test")
UNLABELLED_TEXTS = Path("data/unlabelled.parquet")
"""The texts without labels, in the same columns; none, where the parameters name no source."""
SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("id", "text", "text_pair", "label", "task", "source", "date", "slice")
    ]
)
"""The columns, fixed for every task; those that a task does not use are null."""

_MASK = b"mask"

Text = str | tuple[str, str]
"""One input: a text, or a pair of texts."""


@dataclass(frozen=True)
class Examples:
    """One split in memory, rows in file order; all lists have the same length."""

    ids: list[str]
    texts: list[Text]
    labels: list[str]
    tasks: list[str]
    """The task's kind, of several tasks the name of each one's."""

    def __len__(self) -> int:
        return len(self.ids)


def split_path(split: str, folder: Path = FOLDER) -> Path:
    """Where the Parquet of `train`, `validation` or `test` lies."""
    return folder / f"{split}.parquet"


def read_examples(split: str, folder: Path = FOLDER) -> Examples:
    """The examples of `train`, `validation` or `test`."""
    columns = ["id", "text", "text_pair", "label", "task"]
    table = pq.read_table(split_path(split, folder), columns=columns).to_pydict()
    pairs = zip(table["text"], table["text_pair"], strict=True)
    texts: list[Text] = [a if b is None else (a, b) for a, b in pairs]
    return Examples(table["id"], texts, table["label"], table["task"])


def read_unlabelled() -> list[Text]:
    """The texts without labels, in file order."""
    return read_examples(UNLABELLED_TEXTS.stem, UNLABELLED_TEXTS.parent).texts


def masked_schema(kinds: Sequence[str]) -> pa.Schema:
    """SCHEMA with a note of the kinds of personal data that are masked in the texts."""
    return SCHEMA.with_metadata({_MASK: json.dumps(list(kinds))}) if kinds else SCHEMA


def read_mask(split: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """The kinds of personal data that are masked in a split's texts."""
    noted = pq.read_schema(split_path(split, folder)).metadata or {}
    return tuple(json.loads(noted.get(_MASK, b"[]")))


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet, whole or not at all; the bytes depend on the content alone."""
    with whole(path) as draft:
        pq.write_table(table, draft, compression="zstd")
