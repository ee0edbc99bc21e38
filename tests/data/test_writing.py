from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.writing import ROWS_A_GROUP, Lengths, own_ids_stand, row_groups

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string())])


def rows(count: int, text: str = "text") -> pa.Table:
    return pa.table({"text": [text] * count, "label": ["a"] * count}, schema=SCHEMA)


def groups(path: Path) -> list[int]:
    file = pq.ParquetFile(path).metadata
    return [file.row_group(number).num_rows for number in range(file.num_row_groups)]


def test_small_batches_become_large_groups(workspace: Path) -> None:
    with row_groups(workspace / "rows.parquet", SCHEMA) as file:
        for _ in range(9):
            file.write(rows(ROWS_A_GROUP // 4))

    assert groups(workspace / "rows.parquet") == [ROWS_A_GROUP, ROWS_A_GROUP, ROWS_A_GROUP // 4]


def test_long_texts_do_not_wait_for_many_rows(workspace: Path) -> None:
    with row_groups(workspace / "rows.parquet", SCHEMA) as file:
        for _ in range(4):
            file.write(rows(30, "x" * 100_000))

    assert groups(workspace / "rows.parquet") == [60, 60]


def test_a_file_that_was_not_finished_is_not_there(workspace: Path) -> None:
    def interrupted() -> None:
        with row_groups(workspace / "rows.parquet", SCHEMA) as file:
            file.write(rows(ROWS_A_GROUP))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(workspace.rglob("*.parquet")) == []


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_percentiles_are_lengths_that_a_row_has(count: int) -> None:
    values = np.random.default_rng(count).integers(1, 50, count)
    lengths = Lengths()
    for part in np.array_split(values, 3):
        lengths.add(0, pa.table({"characters": part, "words": part}))

    wanted = (0, 5, 25, 50, 75, 95, 100)
    expected = np.percentile(values, wanted, method="nearest").tolist()
    assert lengths.percentiles(0, "words", wanted) == expected
    assert lengths.percentiles(1, "words", wanted) == []


def test_own_ids_stand_when_every_row_has_one_and_no_other_has_it() -> None:
    assert own_ids_stand(np.array([5, 3, 9], np.uint64))
    assert not own_ids_stand(np.array([5, 3, 5], np.uint64))
    assert not own_ids_stand(np.array([5, 0, 9], np.uint64))
