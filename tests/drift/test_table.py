from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.drift.portrait import portrait_of
from tasks.drift.profile import embedded, newest_of, profile_of
from tasks.drift.table import COLUMNS, Judged, drift_table
from tests.drift.data import Row, pin_base, record, rows, write_dataset

OLD, NEW = "2026-01-01", "2026-01-02"
TEXTS = 400
HISTORY = rows(600, OLD)


@pytest.fixture
def base(workspace: Path, tiny_model: Path) -> Path:
    return pin_base(tiny_model)


def judged(content: list[Row], base: Path, reference: dict[str, Any] | None = None) -> Judged:
    """`content` against a reference, by default the profile of HISTORY."""
    reference = reference or reference_of(HISTORY, base)
    portrait = portrait_of(write_dataset(content), newest_of(reference))
    return drift_table(portrait, embedded(portrait, TEXTS, base), reference)


def reference_of(content: list[Row], base: Path) -> dict[str, Any]:
    portrait = portrait_of(write_dataset(content), None)
    return {"profile": profile_of(portrait, embedded(portrait, TEXTS, base))}


def drift(found: Judged, which: str) -> float:
    return float(record(found, which)["drift"])


def test_a_night_like_those_before_has_no_drift(base: Path) -> None:
    found = judged(HISTORY + rows(150, NEW, seed=1), base)
    measures = ["labels", "lengths", "vocabulary", "embeddings"]
    assert list(found.table["id"]) == [
        f"{slice_}: {measure}" for slice_ in ("all", "new") for measure in measures
    ]
    assert tuple(found.table.columns) == COLUMNS
    assert (found.table["drift"] == 0).all()
    assert found.not_judged == ()
    assert found.table["start"][0] == "shares of the labels, all rows (750)"


def test_another_language_is_other_words(base: Path) -> None:
    night = [{**row, "text": codecs.encode(row["text"], "rot13")} for row in rows(150, NEW, seed=1)]
    found = judged(HISTORY + night, base)
    assert drift(found, "new: vocabulary") > 0.5
    assert drift(found, "new: labels") == 0
    assert drift(found, "new: embeddings") > 0.1


def test_other_shares_and_lengths_are_seen_where_they_are(base: Path) -> None:
    good = [row for row in rows(300, NEW, seed=1) if row["label"] == "good"]
    night = [{**row, "text": " ".join([row["text"]] * 3)} for row in good]
    found = judged(HISTORY + night, base)
    assert drift(found, "new: labels") > 0.5
    assert drift(found, "new: lengths") > 0.5
    assert drift(found, "all: labels") < drift(found, "new: labels")


def test_one_source_of_two_that_changes_is_named(base: Path) -> None:
    reference = reference_of(HISTORY + rows(600, OLD, seed=1, source="books.csv"), base)
    changed = rows(600, OLD, seed=2, source="books.csv")
    for row in changed[:300]:
        row["label"] = "good"
    found = judged(HISTORY + changed, base, reference)
    assert drift(found, "source books.csv: labels") > 0.1
    assert drift(found, "source reviews.csv: labels") == 0
    assert record(found, "source books.csv: embeddings")["reference_rows"] >= 50
    assert "new" not in set(found.table["slice"])


def test_a_small_night_gets_no_verdict(base: Path) -> None:
    found = judged(HISTORY + rows(20, NEW, seed=1), base)
    assert set(found.table["slice"]) == {"all"}
    assert found.not_judged == ("slice new: 20 rows, fewer than 50",)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({"profile": None}, "no version is in production yet"),
        ({"profile": {"version": 99}}, "production's profile is of form 99, this code's is 1"),
    ],
)
def test_without_a_reference_nothing_is_judged(
    base: Path, reference: dict[str, Any], why: str
) -> None:
    found = judged(HISTORY, base, reference)
    assert found.table.empty
    assert tuple(found.table.columns) == COLUMNS
    assert found.not_judged[0].startswith(why)


def test_vectors_of_another_base_model_are_not_compared(base: Path) -> None:
    reference = reference_of(HISTORY, base)
    reference["profile"]["vectors"]["encoder"] = "another"
    found = judged(HISTORY, base, reference)
    assert "embeddings" not in set(found.table["measure"])
    assert found.not_judged == (
        "measure embeddings: production's profile has none of this base model",
    )


def test_a_base_model_that_cannot_look_is_told(base: Path) -> None:
    reference = reference_of(HISTORY, base)
    base.unlink()
    found = judged(HISTORY, base, reference)
    assert set(found.table["measure"]) == {"labels", "lengths", "vocabulary"}
    assert found.not_judged == (
        "measure embeddings: models/base.json is not there: run snapshot first",
    )


def test_the_table_is_of_plain_figures(base: Path) -> None:
    table = judged(HISTORY + rows(150, NEW, seed=1), base).table
    for column in ("effect", "p", "p_corrected", "drift"):
        assert pd.api.types.is_float_dtype(table[column])
        assert (table[column].round(4) == table[column]).all()
