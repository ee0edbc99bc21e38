from __future__ import annotations

from typing import Any

import pytest

from tasks.data.rules import check_texts
from tasks.task.labels import Refused, label_text


@pytest.mark.parametrize(
    ("value", "label"),
    [(" a ", "a"), (1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "true"), ("None", "None")],
)
def test_labels_become_plain_text(value: Any, label: str) -> None:
    assert label_text(value) == label


@pytest.mark.parametrize("value", [None, float("nan"), "", "  ", "NaN", "nan "])
def test_missing_labels_are_refused(value: Any) -> None:
    assert isinstance(refused := label_text(value), Refused)
    assert refused.rule == "no label"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "no text"),
        (float("nan"), "no text"),
        (" \t\n", "no text"),
        ("\u200b \ufeff", "no text"),
        (3, "text is no string"),
        ("x" * 11, "text too long"),
        ("a\0b", "broken characters"),
        ("\ud800", "broken characters"),
    ],
)
def test_texts_that_are_refused(value: Any, rule: str) -> None:
    refused = check_texts((value,), ("text",), longest=10)
    assert refused is not None
    assert refused.rule == rule


def test_both_texts_of_a_pair_are_checked() -> None:
    assert check_texts(("a", "b"), ("one", "two"), longest=10) is None
    refused = check_texts(("a", None), ("one", "two"), longest=10)
    assert refused == Refused("no text", "column 'two' is empty")
