"""Row rules: what ingest sets rows aside by."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from tasks.expectations.rows import RowRule, row_rules
from tests.made import environment

TEXTS = pa.array(["a plain text", "some <b>markup</b>", "", "日本語のテキスト"])
LABELS = pa.array(["good", "bad", None, "ugly"])


@pytest.mark.parametrize(
    ("rule", "bad", "reason"),
    [
        (
            RowRule("", "text", "column_values_to_not_match_regex", matches="<[a-z]+>"),
            [1],
            "text must not match '<[a-z]+>'",
        ),
        (
            RowRule("", "text", "column_values_to_match_regex", matches=r"\w"),
            [2],
            r"text must match '\\w'",
        ),
        (
            RowRule("", "text", "column_value_lengths_to_be_between", at_least=3, at_most=12),
            [1, 2],
            "text has 18 characters; takes at least 3 and at most 12 characters",
        ),
        (
            RowRule("", "characters", "column_values_to_be_between", at_most=12),
            [1],
            "the row has 18 characters; takes at most 12",
        ),
        (
            RowRule("", "label", "column_values_to_be_in_set", values=("good", "bad")),
            [3],
            "label is 'ugly'; takes 'good', 'bad'",
        ),
        (
            RowRule("", "label", "column_values_to_not_be_in_set", values=("ugly",)),
            [3],
            "label is 'ugly'; must not be 'ugly'",
        ),
        (
            RowRule("", "label", "column_values_to_not_be_null"),
            [2],
            "label must be there",
        ),
    ],
)
def test_a_rule_says_which_rows_are_bad_and_why(rule: RowRule, bad: list[int], reason: str) -> None:
    mask, reasons = rule.check(TEXTS, None, LABELS)
    assert mask.nonzero()[0].tolist() == bad
    assert reasons[0] == reason
    assert len(reasons) == len(bad)


def test_both_texts_of_a_pair_count_together() -> None:
    rule = RowRule("", "characters", "column_values_to_be_between", at_most=5)
    pairs = pa.array(["12", None, "1234"])
    assert rule.check(pa.array(["123", "12345", "12"]), pairs)[0].tolist() == [False, False, True]


def test_a_column_that_the_source_does_not_have_breaks_nothing() -> None:
    rule = RowRule("", "text_pair", "column_values_to_not_be_null")
    assert not rule.check(TEXTS)[0].any()
    assert not RowRule("", "label", "column_values_to_not_be_null").check(TEXTS)[0].any()


def test_what_labels_may_be_is_demanded_of_every_class_that_a_row_names() -> None:
    known = RowRule("", "label", "column_values_to_be_in_set", values=("art", "sport"))
    labels = pa.array(['["art"]', '["art", "sprot"]', "[]"])
    names = [["art"], ["art", "sprot"], []]
    bad, (reason,) = known.check(pa.array(["x", "y", "z"]), None, labels, names)
    assert bad.tolist() == [False, True, False]
    assert reason == """label is '["art", "sprot"]'; takes 'art', 'sport'"""
    spoilt = RowRule("", "label", "column_values_to_not_be_in_set", values=("sprot",))
    assert spoilt.check(pa.array(["x", "y", "z"]), None, labels, names)[0].tolist() == bad.tolist()


def test_the_rules_of_a_file_are_those_that_set_rows_aside(tmp_path: Path) -> None:
    entry = {"table": "rows", "column": "text", "expect": "column_value_lengths_to_be_between"}
    entries: list[dict[str, Any]] = [
        {"name": "short", **entry, "at_most": 9, "severity": "quarantine"},
        {"name": "shorter", **entry, "at_most": 5, "severity": "warn"},
    ]
    path = tmp_path / "expectations.yaml"
    path.write_text(yaml.safe_dump(entries))

    (rule,) = row_rules(path)
    assert rule.name == "short"
    assert rule.describe == "text takes at most 9 characters"
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert hash(rule) == hash(pickle.loads(pickle.dumps(rule)))
    assert row_rules(tmp_path / "none.yaml") == []


def test_nothing_heavy_is_imported_for_them() -> None:
    code = (
        "import sys, tasks.expectations.rows as rows; rows.row_rules(); "
        "print({'great_expectations', 'pandas', 'torch'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert done.stdout.strip() == "set()", done.stderr
