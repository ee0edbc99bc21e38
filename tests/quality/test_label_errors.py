from __future__ import annotations

import csv
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from tasks.quality.label_errors import Suspects, suspect, suspects_table, write_suspects
from tests.made import opinions
from tests.quality.made import write_dataset


def flipped(share: float) -> tuple[list[dict[str, str]], set[str]]:
    """Opinions with some labels swapped, and the ids of those."""
    rows, wrong = [], set()
    for at, (text, label) in enumerate(opinions()):
        if Random(at).random() < share:
            label = {"good": "bad", "bad": "good"}[label]
            wrong.add(f"train-{at}")
        rows.append({"text": text, "label": label})
    return rows, wrong


def suspects(folder: Path, rows: list[Any], most: int = 1_000) -> Suspects:
    return suspects_table(most, write_dataset(folder, {"train": rows}))


def ids(found: Suspects) -> set[str]:
    return {row["id"] for row in found.rows}


def test_swapped_labels_are_listed(tmp_path: Path) -> None:
    rows, wrong = flipped(0.05)
    found = suspects(tmp_path, rows)

    assert ids(found) <= wrong
    assert len(ids(found)) > 0.8 * len(wrong)
    first = found.rows[0]
    assert first["suggested"] == {"good": "bad", "bad": "good"}[first["label"]]
    assert first["confidence"] > 0.8
    assert first["reason"].startswith(f"the other examples say {first['suggested']}, ")
    assert "; for it speak: " in first["reason"]


def test_clean_labels_are_left_in_peace(tmp_path: Path) -> None:
    rows, _ = flipped(0)
    found = suspects(tmp_path, rows)
    assert found.rows == []
    assert found.table["share"].tolist() == [0, 0, 0]


def test_the_table_counts_by_class(tmp_path: Path) -> None:
    rows, wrong = flipped(0.05)
    found = suspects(tmp_path, rows)
    table = found.table.set_index("id")

    assert list(table.index) == ["all", "bad", "good"]
    assert table["looked_at"].tolist()[0] == len(rows)
    assert table["rows"]["all"] == len(found.rows) == table["rows"]["bad"] + table["rows"]["good"]
    assert table["share"]["all"] == pytest.approx(len(wrong) / len(rows), abs=0.02)


def test_same_rows_same_suspects(tmp_path: Path) -> None:
    rows, _ = flipped(0.05)
    one, other = (suspects(tmp_path, rows, most=300) for _ in range(2))
    assert one.rows == other.rows
    assert one.table["looked_at"][0] == 300


def test_classes_too_small_for_the_folds_are_left_out(tmp_path: Path) -> None:
    rows, wrong = flipped(0.05)
    rows += [{"text": f"rare text {at}", "label": "rare"} for at in range(4)]
    rows += [{"text": f"small thing {at} of a third kind", "label": "small"} for at in range(5)]
    found = suspects(tmp_path, rows)

    assert "1 classes with fewer than 5 rows ('rare'), 4 rows in all, were left out" in (
        found.not_judged
    )
    assert list(found.table["id"]) == ["all", "bad", "good", "small"]
    assert len(ids(found) & wrong) > 0.8 * len(wrong)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"text": f"text {at}", "label": "one"} for at in range(90)], "90 rows of 1 classes"),
        ([{"text": f"text {at}", "label": "ab"[at % 2]} for at in range(40)], "40 rows of 2"),
        ([{"text": " " * at, "label": "ab"[at % 2]} for at in range(90)], "no text has a word"),
        ([{"text": f"text {at}", "label": str(at)} for at in range(60)], "0 rows of 0 classes"),
    ],
)
def test_what_can_not_be_judged(rows: list[Any], why: str, tmp_path: Path) -> None:
    found = suspects(tmp_path, rows)
    assert found.table.empty
    assert found.rows == []
    assert why in " ".join(found.not_judged)


def test_a_class_is_suspect_when_another_is_surely_more_likely() -> None:
    told = np.array([[0.9, 0.1]] * 10 + [[0.2, 0.8]] * 10 + [[0.1, 0.9], [0.45, 0.55]])
    labels = np.array([0] * 10 + [1] * 10 + [0, 0])
    assert suspect(told, labels).tolist() == [20]


def test_no_cell_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    texts = ["=1+1", "+49 30", "-2 points", "@home", 'fine, "quoted"', "two\nlines"]
    rows = [
        {"id": text, "text": text, "label": "=a", "suggested": "b", "confidence": 0.9, "reason": ""}
        for text in texts
    ]
    write_suspects(tmp_path / "suspects.csv", rows)
    with open(tmp_path / "suspects.csv", encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))

    assert [row["text"] for row in written] == [*(f"'{text}" for text in texts[:4]), *texts[4:]]
    assert {row["label"] for row in written} == {"'=a"}
    assert written[0]["confidence"] == "0.9"
