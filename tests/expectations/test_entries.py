"""The file is checked as a whole: what is wrong is said with file, entry and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.expectations.entries import Entry, read_entries
from tasks.expectations.suite import NOT_HERE, read_suite, suite_hash
from tasks.stage.errors import BadInput
from tests.made import ROOT


def written(folder: Path, content: Any) -> Path:
    path = folder / "expectations.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def entries(folder: Path, content: Any) -> dict[str, Entry]:
    return {entry.name: entry for entry in read_entries(written(folder, content))}


def test_without_a_file_the_defaults_are_in_effect(tmp_path: Path) -> None:
    found = {entry.name: entry for entry in read_suite(tmp_path / "expectations.yaml")}
    assert found["enough rows"].at_least == 200
    assert found["known labels"].values == "known"
    assert {entry.severity for entry in found.values()} == {"stop", "warn"}


def test_the_file_in_the_project_changes_nothing() -> None:
    assert read_suite(ROOT / "expectations.yaml") == read_suite(Path("no such file"))


def test_a_default_is_sharpened_by_its_name(tmp_path: Path) -> None:
    found = entries(tmp_path, [{"name": "enough rows", "at_least": 5000, "severity": "warn"}])
    assert (found["enough rows"].at_least, found["enough rows"].severity) == (5000, "warn")
    assert found["enough rows"].splits == ["train"]
    assert found["some rows"].at_least == 1


def test_another_expectation_brings_its_own_limits(tmp_path: Path) -> None:
    own = {"name": "class balance", "expect": "column_min_to_be_between", "at_least": 0.01}
    assert entries(tmp_path, [own])["class balance"].limits == {"min_value": 0.01}


def test_a_default_is_taken_away(tmp_path: Path) -> None:
    assert "class balance" not in entries(tmp_path, "- {name: class balance, off: true}")


def test_labels_that_yaml_would_take_for_something_else(tmp_path: Path) -> None:
    found = entries(tmp_path, "- {name: known labels, values: [yes, no, off, 2026-01-01, 1]}")
    assert found["known labels"].limits["value_set"] == ["yes", "no", "off", "2026-01-01", "1"]


ROWS = {"name": "mine", "table": "rows", "column": "text"}
REGEX = {**ROWS, "expect": "column_values_to_match_regex"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            [{"name": "enough rows", "severity": "halt"}],
            "entry 'enough rows': severity: got 'halt'",
        ),
        ([{"name": "enough rows", "atleast": 3}], "atleast: unknown key; known are name, table"),
        ([{"name": "enough row", "at_least": 3}], "did you mean 'enough rows'?"),
        (
            [{"name": "enough rows", "at_least": "many"}],
            "at_least: got 'many'; takes a valid number",
        ),
        (
            [{"name": "drift", "table": "drifts", "expect": "x"}],
            "table: got 'drifts'; takes 'rows'",
        ),
        ([{"at_least": 3}], "entry 1: name: got None"),
        ([{"name": "enough rows"}, {"name": "enough rows"}], "entry 2: name: 'enough rows' comes"),
        ({"enough rows": 3}, "must hold a list of entries"),
        ("- {", "is not YAML"),
        ([{**REGEX, "matches": "("}], "matches: got '('; takes a regular expression"),
        ([{**REGEX, "severity": "quarantine"}], "takes `matches` with it"),
        (
            [{**ROWS, "expect": "column_values_to_be_unique", "severity": "quarantine"}],
            "severity: got 'quarantine'; takes stop or warn: only a row that is bad by itself",
        ),
        ([{"name": "no giveaway", "splits": ["train"]}], "takes none on table giveaways"),
        ([{**ROWS, "expect": "values_to_shine"}], "expect: got 'values_to_shine'; takes a core"),
        ([{"name": "enough rows", "with": {"minimum": 3}}], "minimum: extra fields not permitted"),
        ([{**ROWS, "expect": next(iter(NOT_HERE))}], "needs a database"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: Any, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(BadInput) as caught:
        read_suite(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_two_problems_are_two_lines(tmp_path: Path) -> None:
    content = [{"name": "enough rows", "at_least": "a"}, {"name": "some rows", "at_least": "b"}]
    with pytest.raises(BadInput) as caught:
        entries(tmp_path, content)
    assert len(str(caught.value).splitlines()) == 2


def test_the_hash_is_that_of_everything_expected(tmp_path: Path) -> None:
    suite = list(entries(tmp_path, []).values())
    assert suite_hash(suite, ["a", "b"]) == suite_hash(suite, ["b", "a"])
    assert suite_hash(suite, ["a", "b"]) != suite_hash(suite, ["a", "c"])
    other = list(entries(tmp_path, [{"name": "enough rows", "at_least": 201}]).values())
    assert suite_hash(other, ["a", "b"]) != suite_hash(suite, ["a", "b"])
