"""The Data Docs are read without a network, and carry no live text."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

from tasks.expectations.audit import audit
from tasks.expectations.documents import write_documents
from tasks.expectations.entries import Entry
from tasks.expectations.tables import Table

LIVE = "<script>alert('&')</script>"
FRAME = pd.DataFrame(
    {"id": ["x", LIVE], "start": [LIVE, "plain"], "share": [0.1, 0.4], "label": LIVE}
)
LIMITS: dict[str, Any] = {"at_most": 0.3, "because": "labels of this class are often wrong"}
ENTRIES: list[dict[str, Any]] = [
    {"name": "few", "column": "share", "expect": "column_values_to_be_between", **LIMITS},
    {"name": "most", "column": "label", "expect": "column_most_common_value_to_be_in_set"}
    | {"values": ["a"]},
    {"name": f"set {LIVE}", "column": "label", "expect": "column_values_to_be_in_set"}
    | {"values": ["a", f"{LIVE}2"]},
    {"name": "rows", "expect": "table_row_count_to_be_between", "at_least": 1},
    {"name": "shape", "column": "share", "expect": "column_kl_divergence_to_be_less_than"}
    | {"with": {"partition_object": {"bins": [0, 0.2, 1], "weights": [0.5, 0.5]}, "threshold": 9}},
    {"name": "none", "column": "share", "expect": "column_values_to_not_be_null"}
    | {"where": {"label": "other"}},
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reports") / "data_docs"
    suite = [Entry.model_validate({"table": "suspects", **entry}) for entry in ENTRIES]
    suite.append(Entry(name="steady", table="drift", expect="column_values_to_not_be_null"))
    tables = [
        Table("suspects", FRAME),
        Table("drift", pd.DataFrame(), notes=("nothing serves yet",)),
    ]
    write_documents(audit(tables, suite, []), folder)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_every_check_is_on_the_first_page_in_plain_words(pages: dict[str, str]) -> None:
    assert set(pages) == {"index.html", "suspects.html"}
    text = " ".join(re.sub("<[^>]*>", " ", pages["index.html"]).split())
    assert "2 met 3 not met 2 not judged" in text
    assert "not met suspects few share labels of this class are often wrong at most 0.3" in text
    assert text.index("What needs a look") < text.index("few share") < text.index("Suspects in")
    assert "not judged: nothing serves yet" in text
    assert "not judged: no record where label is other" in text


def test_the_page_of_a_table_names_its_checks(pages: dict[str, str]) -> None:
    assert "few: share at most 0.3" in pages["suspects.html"]
    assert 'href="suspects.html"' in pages["index.html"]


def test_nothing_is_loaded_from_elsewhere(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert not re.findall(r"(?:src|href|url|import)\s*[=(]?\s*[\"'(]?\s*(?:https?:)?//", page)
        assert "http" not in page


def test_no_text_of_the_data_is_live(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert "<script" not in page
    assert "&lt;script&gt;alert" in pages["index.html"]
