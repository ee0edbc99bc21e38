from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.drift import portrait
from tasks.drift.histograms import length_bins
from tasks.drift.portrait import Portrait, portrait_of
from tests.drift.data import Row, rows, write_dataset

OLD, NEW = "2026-01-01", "2026-01-02"


@pytest.fixture(autouse=True)
def _folder(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portrait, "ROWS_AT_ONCE", 64)  # several batches


def look(content: list[Row], newer_than: str | None = OLD) -> Portrait:
    return portrait_of(write_dataset(content), newer_than)


def test_all_rows_of_all_splits_are_counted() -> None:
    content = rows(300, OLD) + rows(100, NEW, seed=1)
    found = look(content)
    assert found.all.rows == 400
    assert found.all.labels["good"] == sum(row["label"] == "good" for row in content)
    lengths = length_bins(np.array([len(row["text"]) for row in content]))
    assert found.all.lengths[lengths[0]] == (lengths == lengths[0]).sum()
    assert found.newest == NEW


def test_new_is_what_came_after_the_reference() -> None:
    found = look(rows(300, OLD) + rows(100, NEW, seed=1))
    assert found.new is not None
    assert found.new.rows == len(found.new_sample) == len(found.latest) == 100
    assert set(found.new_sample.dates) == {NEW}


@pytest.mark.parametrize("newer_than", [NEW, None])
def test_without_new_rows_there_is_no_such_slice(newer_than: str | None) -> None:
    found = look(rows(50, OLD) + rows(50, NEW, seed=1), newer_than)
    assert found.new is None
    assert len(found.new_sample) == len(found.latest) == 0


def test_without_dates_nothing_is_new() -> None:
    found = look(rows(80, None))
    assert (found.new, found.newest) == (None, None)


def test_the_sample_is_bounded_and_only_ids_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portrait, "ROWS_SAMPLED", 40)
    content = rows(300, OLD)
    first = look(content)
    assert len(first.sample) == 40
    assert look(content[::-1]).sample == first.sample
    later = look(content + rows(100, NEW, seed=1)).sample
    kept = set(first.sample.ids) & set(later.ids)
    assert len(kept) == sum(date == OLD for date in later.dates) > 20


def test_the_newest_are_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portrait, "ROWS_ANSWERED", 120)
    later = "2026-01-03"
    found = look(rows(50, OLD) + rows(100, NEW, seed=1) + rows(90, later, seed=2))
    assert found.latest.dates == [later] * 90 + [NEW] * 30


def test_a_source_is_a_file_whatever_its_partition() -> None:
    content = rows(60, OLD, source="films.csv") + rows(60, NEW, source="films.csv")
    found = look(content + rows(60, NEW, source="books.csv"))
    assert {name: tally.rows for name, tally in found.sources.items()} == {
        "books.csv": 60,
        "films.csv": 120,
    }
    assert set(found.sample.sources) == {"books.csv", "films.csv"}


@pytest.mark.parametrize("count", [1, 21])
def test_one_source_or_too_many_are_no_slices(count: int) -> None:
    content = [row for number in range(count) for row in rows(10, OLD, source=f"{number}.csv")]
    assert look(content).sources == {}


def test_pairs_rows_without_label_and_huge_texts_are_no_error() -> None:
    content = rows(20, OLD)
    content[0]["text_pair"], content[1]["label"] = "and why", None
    content[2]["text"] = "x" * 50_000
    found = look(content)
    assert sum(found.all.labels.values()) == found.all.rows - 1
    assert (content[0]["text"], "and why") in found.sample.texts
    assert max(len(text) for text in found.sample.texts if isinstance(text, str)) == 10_000
