"""Odd nights that are let in, through `validate` and into what people open afterwards."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tasks.ingest import ingest
from tasks.params.ingest import Ingest
from tasks.params.validate import Validate
from tasks.quality.label_errors import write_suspects
from tasks.stage.errors import BadInput
from tasks.stage.outputs import write_json
from tasks.validate import DOCUMENTS, validate
from tests.broken.case import GOOD, WORDS, Goes, csv_of
from tests.broken.inputs import BATTERY, pin
from tests.broken.separated import FORMULAS

ODD = ["table-formulas", "content-markup", "content-emoji", "content-right-to-left"]
ODD += ["content-control-characters", "content-marks-on-marks", "content-only-punctuation"]
MARKUP = "<script>alert(1)</script>"
MANY = [
    (f"{a} {b} {c} of {at % 7}", "ab"[at % 2])
    for at, (a, b, c) in enumerate(product(WORDS, WORDS, WORDS))
]


def night(*rows: tuple[str, str]) -> None:
    """A night of many good rows and these, ingested."""
    Path("night").mkdir()
    Path("night/rows.csv").write_bytes(csv_of(good=[*MANY, *GOOD, *rows]))
    pin("night")
    ingest(Ingest(source="night"))
    write_json("data/reference.json", {"labels": None, "version": None, "sha256": None})


@pytest.mark.timeout(60)
def test_odd_texts_are_judged_like_any_and_never_live_in_a_page(workspace: Path) -> None:
    texts = [text for name in ODD for text in _kept(name)]
    night(*((text, "ab"[at % 2]) for at, text in enumerate([MARKUP, *texts])))

    found = validate(Validate(sample=0))

    assert found["metrics"]["train"] > 400
    pages = [path.read_text(encoding="utf-8") for path in DOCUMENTS.rglob("*.html")]
    assert pages
    assert not any(MARKUP in page for page in pages)


@pytest.mark.timeout(60)
def test_a_refusal_shows_odd_rows_without_steering_the_terminal(workspace: Path) -> None:
    night(*((f"\x1b[2J\x07 night {n} \u202e<b>", f"rare {n}") for n in range(12)))
    with pytest.raises(BadInput) as caught:
        validate(Validate(sample=0))
    assert "enough rows of each class" in str(caught.value)
    assert not {"\x1b", "\x07", "\u202e"} & set(str(caught.value))


@pytest.mark.timeout(60)
def test_ten_thousand_classes_are_refused_in_few_words(workspace: Path) -> None:
    night(*((f"text {n}", f"class {n}") for n in range(10_000)))
    with pytest.raises(BadInput, match="enough rows of each class") as caught:
        validate(Validate(sample=0))
    assert len(str(caught.value)) < 5_000
    assert sum(len(rows) for rows in caught.value.findings["tables"].values()) < 500


def test_what_a_spreadsheet_would_run_is_text_in_the_export(workspace: Path) -> None:
    odd = [*FORMULAS, "\t=1+1", "\r=1+1"]
    rows = [_suspect(text) for text in odd]
    write_suspects(Path("suspects.csv"), rows)

    with open("suspects.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["text"].lstrip("'") for row in table] == odd
    assert not [
        cell for row in table for cell in row.values() if cell.startswith(tuple("=+-@\t\r"))
    ]


def _suspect(text: str) -> dict[str, Any]:
    names = ("id", "text", "label", "suggested", "confidence", "reason")
    return dict(zip(names, (text, text, "a", text, 0.9, text), strict=True))


def _kept(name: str) -> tuple[str, ...]:
    must = BATTERY[name].must
    assert isinstance(must, Goes)
    return must.texts
