"""`nightshift expect`: what it proposes holds on the day it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks.expectations.commands import app
from tasks.expectations.entries import read_entries
from tasks.expectations.proposal import down, up
from tasks.params.validate import Validate
from tasks.stage.outputs import write_json
from tasks.validate import validate
from tests.expectations.made import Rows, account, dataset, write_inputs

FILE = Path("expectations.yaml")


@pytest.fixture(autouse=True)
def good_day(workspace: Path) -> Rows:
    """A day of awkward labels and a few bad rows."""
    data = dataset()
    for rows in data.values():
        for row in rows:
            row["label"] = {"a": "no", "b": "1"}[row["label"]]
            row["text"] = f"{row['text']}: it's “fine” & dandy"
    write_inputs(data)
    write_json("data/intake.json", account(quarantined=3))
    FILE.unlink(missing_ok=True)
    return data


def expect(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def proposed() -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in yaml.safe_load(expect().stdout)}


def test_the_proposal_holds_on_the_day_it_was_made_from() -> None:
    assert expect("--write").exit_code == 0
    found = validate(Validate())
    assert found["metrics"]["met"] + found["metrics"]["not_judged"] == len(found["expectations"])
    assert {entry["name"] for entry in yaml.safe_load(FILE.read_text())} == {*proposed()}


def test_what_is_proposed_has_room_for_other_days() -> None:
    entries = proposed()
    assert entries["known labels"]["values"] == ["1", "no"]
    assert entries["enough rows"]["at_least"] == 20
    assert entries["class balance"] == {"name": "class balance", "at_least": 0.25, "at_most": 0.75}
    assert entries["few bad rows in a file"]["at_most"] == 0.075
    assert entries["no longer than ever"]["at_most"] >= 4 * 50


def test_a_pattern_is_proposed_only_where_it_holds_for_every_row(good_day: Rows) -> None:
    assert "no markup" in proposed()
    good_day["test"][7]["text"] += "<br>"
    write_inputs(good_day)
    assert "no markup" not in proposed()
    assert "no web addresses" in proposed()


def test_another_day_is_caught(good_day: Rows) -> None:
    expect("--write")
    good_day["train"][0]["label"] = "maybe"
    good_day["test"][3]["text"] = "see https://example.org"
    write_inputs(good_day)
    with pytest.raises(Exception, match="known labels") as caught:
        validate(Validate())
    assert "test: no web addresses (text): 1 row" in str(caught.value)


def test_a_file_that_is_there_is_not_overwritten_unless_told_so() -> None:
    FILE.write_text("# mine\n")
    refused = expect("--write")
    assert refused.exit_code == 1
    assert "expectations.yaml is there: --force overwrites it" in refused.stderr
    assert FILE.read_text() == "# mine\n"
    assert expect("--write", "--force").exit_code == 0
    assert "known labels" in FILE.read_text()


def test_the_suite_in_effect_is_shown_as_a_file_of_its_own() -> None:
    FILE.write_text("- {name: enough rows, at_least: 7}\n")
    effective = read_entries(FILE)
    FILE.write_text(expect("--show").stdout)
    assert read_entries(FILE) == effective
    assert "at_least: 7" in FILE.read_text()


def test_without_a_dataset_it_says_what_to_do() -> None:
    Path("data/dataset/test.parquet").unlink()
    result = expect()
    assert result.exit_code == 1
    assert "data/dataset/test.parquet is missing: `nightshift run ingest` first" in result.stderr


def test_numbers_are_rounded_away_from_what_was_seen() -> None:
    assert [down(0.01234), up(0.01234), down(1234), up(1234), up(0.0), down(0.5)] == [
        0.012, 0.013, 1200, 1300, 0.0, 0.5,
    ]  # fmt: skip
