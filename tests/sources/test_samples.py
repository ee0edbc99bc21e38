from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tasks.sources.samples import sample_csv, sample_folder
from tasks.stage.errors import BadInput


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_reviews_grow_night_by_night() -> None:
    nights = {path.name: read(path / "reviews.csv") for path in sample_folder("reviews").iterdir()}

    assert min(nights) == "date=2026-01-01"
    assert max(nights) == "date=2026-01-29"
    assert len(nights) == 29
    rows = [row for night in nights.values() for row in night]
    assert len(rows) == 10_568  # 10,605 less the 37 rated exactly 0
    assert 0.58 < len(nights["date=2026-01-01"]) / len(rows) < 0.62
    assert all((float(row["rating"]) > 0) == (row["label"] == "positive") for row in rows)
    assert all(row["text"] == row["text"].strip() != "" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_sample_as_one_csv_is_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert sample_csv("reviews", "one.csv", rows=50) == 50
    sample_csv("reviews", "same.csv", rows=50)
    sample_csv("reviews", "more.csv", rows=100)
    sample_csv("reviews", "other.csv", rows=50, seed=18)

    one, more = Path("one.csv").read_bytes(), Path("more.csv").read_bytes()
    assert one == Path("same.csv").read_bytes() != Path("other.csv").read_bytes()
    assert set(one.splitlines()) < set(more.splitlines())
    assert list(read(Path("one.csv"))[0]) == ["id", "text", "label", "rating"]


def test_a_model_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="sample:minilm is a model; data are"):
        sample_csv("minilm", tmp_path / "x.csv")
