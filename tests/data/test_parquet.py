from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data import parquet
from tasks.data.columns import Columns
from tasks.data.parquet import parquet_rows
from tasks.stage.errors import BadInput

COLUMNS = Columns(("text", "label"), ("id",))


def written(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def values(path: Path) -> list[tuple[Any, ...]]:
    return [row.values for row in parquet_rows(path, COLUMNS, path.name)]


def test_rows_come_in_order_with_their_numbers_over_all_groups(tmp_path: Path) -> None:
    texts = [f"text {n}" for n in range(3000)]
    content = {"label": ["a", "b"] * 1500, "more": texts, "text": texts}
    path = written(tmp_path / "rows.parquet", content, row_group_size=1300)

    rows = list(parquet_rows(path, COLUMNS, "rows.parquet"))
    assert [row.number for row in rows] == list(range(1, 3001))
    assert [row.values for row in rows[2998:]] == [
        ("text 2998", "a", None),
        ("text 2999", "b", None),
    ]


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary"])
def test_every_kind_of_string_is_read_alike(tmp_path: Path, kind: str) -> None:
    kinds = {"string": pa.string(), "large_string": pa.large_string()}
    text = kinds.get(kind, pa.dictionary(pa.int8(), pa.string()))
    content = {"text": pa.array(["x", None, "x"], text), "label": [1, 2, None]}
    path = written(tmp_path / "rows.parquet", content)
    assert values(path) == [("x", 1, None), (None, 2, None), ("x", None, None)]


def test_bytes_that_are_not_utf8_harm_their_own_row_only(tmp_path: Path) -> None:
    raw = pa.array([b"fine", b"caf\xe9", None], pa.binary())
    told = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    path = written(tmp_path / "rows.parquet", {"text": told, "label": ["a"] * 3})
    assert values(path) == [("fine", "a", None), ("caf\udce9", "a", None), (None, "a", None)]


@pytest.mark.parametrize("store_schema", [True, False])
def test_a_long_text_that_stands_for_many_rows_is_laid_out_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_schema: bool
) -> None:
    monkeypatch.setattr(parquet, "BATCH_BYTES", 2**16)
    text = pa.array(["x" * 10_000] * 50).dictionary_encode()
    path = written(
        tmp_path / "rows.parquet", {"text": text, "label": ["a"] * 50}, store_schema=store_schema
    )
    sizes = [batch.num_rows for batch in parquet._batches(path, COLUMNS, "rows.parquet")]
    assert set(sizes) <= {6, 50 % 6}
    assert sum(sizes) == 50


def test_a_few_bytes_that_say_millions_of_rows(tmp_path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0), 1_000_000), ["again"])
    path = written(tmp_path / "rows.parquet", {"text": text, "label": text})
    with pytest.raises(BadInput, match=r"rows\.parquet expands to more than 200 times its size"):
        values(path)


def test_what_is_no_parquet_is_called_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    for content, message in (
        (b"text,label\n", "is no Parquet file: it begins with b'text,label"),
        (b"PK\x03\x04....", "is a zip archive"),
        (b"PAR1....PARE", "is encrypted"),
        (b"PAR1....PAR1", "is not a whole Parquet file"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=message):
            values(path)
