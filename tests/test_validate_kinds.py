"""`validate` of datasets that are no classification: nothing stops them for a wrong reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.expectations.proposal import propose
from tasks.params.validate import Validate
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, write_json
from tasks.task import task_of
from tasks.validate import APPROVED, INTAKE, PROFILE, validate
from tests.expectations.made import Rows, dataset_of, together, write_inputs

Kinds = str | dict[str, str]
NO_TEXT = Validate(sample=0, label_errors=0)
SEVERAL: Kinds = {"people": "entities", "stars": "regression", "topics": "classification"}


@pytest.fixture(autouse=True)
def _folder(workspace: Path) -> None:
    """Where a stage works."""


def several() -> Rows:
    """Three tasks over the same texts."""
    assert isinstance(SEVERAL, dict)
    return together(*(dataset_of(kind, name) for name, kind in SEVERAL.items()))


def validated(data: Rows, kinds: Kinds, **limits: Any) -> dict[str, Any]:
    """Judged with `limits` for the entries of these names, as expectations.yaml would say it."""
    write_inputs(data, kinds)
    own = {"enough rows": {"at_least": 10}, **limits}
    entries = [{"name": name, **content} for name, content in own.items()]
    Path("expectations.yaml").write_text(yaml.safe_dump(entries))
    return validate(NO_TEXT)


def refused(data: Rows, kinds: Kinds, **limits: Any) -> str:
    with pytest.raises(BadInput) as caught:
        validated(data, kinds, **limits)
    return str(caught.value)


def why(found: dict[str, Any], name: str) -> set[str | None]:
    """Why an expectation was not judged of any split; None where it was met."""
    outcomes = [each for each in found["expectations"] if each["name"] == name]
    assert outcomes
    assert all(each["ok"] is not False for each in outcomes)
    return {each["why"] for each in outcomes}


def test_texts_of_several_classes() -> None:
    found = validated(dataset_of("multi-label"), "multi-label")
    assert found["labels"] == ["a", "b"]
    assert read_json(APPROVED)["task"] == {"kind": "multi-label", "labels": ["a", "b"]}
    assert why(found, "known labels") == why(found, "class balance") == {None}
    (reason,) = why(found, "few suspect labels")
    assert reason is not None
    assert read_json(PROFILE)["all"]["labels"] == {"a": 40, "b": 40}
    assert read_json(PROFILE)["all"]["other_labels"] == 20  # of no class


def test_a_class_of_several_that_nobody_knows() -> None:
    data = dataset_of("multi-label")
    data["validation"][1]["label"] = '["a", "sport"]'
    message = refused(data, "multi-label")
    assert "validation: known labels (label): 1 row; takes 'a', 'b'" in message
    assert 'validation-1: \'["a", "sport"]\': a text of validation' in message


def test_the_projects_own_list_is_of_classes_and_not_of_cells() -> None:
    known = {"known labels": {"values": ["a", "b", "c"]}}
    message = refused(dataset_of("multi-label"), "multi-label", **known)
    assert "known labels" not in message
    assert "train: enough rows of each class (rows): 1 class" in message
    assert "c: 0: 0 rows" in message


def test_ratings() -> None:
    found = validated(dataset_of("regression"), "regression")
    assert found["labels"] == []
    approved = read_json(APPROVED)
    assert task_of(approved["task"]).describe() == approved["task"]
    assert approved["task"]["mean"] == 3.125
    for name in ("known labels", "class balance", "same balance as train"):
        assert why(found, name) == {"the labels of this task are numbers, not classes"}
    assert why(found, "ratings differ") == why(found, "same ratings as train") == {None}
    assert json.loads(json.dumps(found)) == found


def test_ratings_are_not_held_against_the_classes_of_what_serves() -> None:
    write_inputs(dataset_of("regression"), "regression")
    write_json("data/reference.json", {"labels": ["bad", "good"], "version": "v1.0.0"})
    Path("expectations.yaml").write_text("- {name: enough rows, at_least: 10}")
    assert validate(NO_TEXT)["labels"] == []


def test_a_rating_that_is_always_the_same() -> None:
    data = dataset_of("regression")
    for row in data["train"]:
        row["label"] = "4.0"
    message = refused(data, "regression")
    assert "train: ratings differ (commonest): 1 task; at most 0.98" in message
    assert "regression: 1: 40 rows, 4 to 4, 4 on average" in message


def test_ratings_have_limits_of_the_project() -> None:
    stars = {"table": "rows", "column": "value", "expect": "column_values_to_be_between"}
    data = dataset_of("regression")
    data["test"][3]["label"] = "55.0"
    message = refused(data, "regression", stars={**stars, "at_least": 1, "at_most": 5})
    assert "test: stars (value): 1 row; at least 1, at most 5" in message
    assert "test-3: 55" in message


def test_entities() -> None:
    found = validated(dataset_of("entities"), "entities")
    assert found["labels"] == ["PER"]
    assert why(found, "known labels") == why(found, "enough rows of each class") == {None}
    (reason,) = why(found, "class balance")
    assert reason is not None
    assert "any number of entities" in reason


def test_a_type_of_entity_that_nobody_knows() -> None:
    data = dataset_of("entities")
    data["test"][0]["label"] = '[[0, 1, "PRE"]]'
    message = refused(data, "entities")
    assert "test: known labels (label): 1 row; takes 'PER'" in message
    assert "test-0: '[[0, 1, \"PRE\"]]'" in message


def test_several_tasks_over_the_same_texts() -> None:
    found = validated(several(), SEVERAL)
    assert found["labels"] == ["people/PER", "topics/a", "topics/b"]
    assert [*read_json(APPROVED)["task"]["heads"]] == ["people", "stars", "topics"]
    assert why(found, "no duplicates") == why(found, "known labels") == {None}
    profile = read_json(PROFILE)["all"]
    assert profile["labels"] == {"people/PER": 40, "topics/a": 40, "topics/b": 40}
    assert sum(profile["values"]["stars"]["counts"]) == 80


def test_a_task_without_test_examples() -> None:
    data = several()
    data["test"] = [row for row in data["test"] if row["task"] != "stars"]
    message = refused(data, SEVERAL)
    assert "test: some rows of each task (rows): 1 task" in message
    assert "stars: 0: 0 rows" in message


def test_a_task_that_nobody_declared() -> None:
    message = refused(several(), {"stars": "regression", "topics": "classification"})
    assert message == (
        "train: task 'people' is not declared; data/intake.json has stars, topics: run ingest again"
    )


@pytest.mark.parametrize("kind", ["multi-label", "regression", "entities"])
def test_what_is_proposed_of_a_good_day_holds_on_it(kind: str) -> None:
    data = dataset_of(kind)
    write_inputs(data, kind)
    proposed = yaml.safe_load(propose(read_json(INTAKE), {}))
    names = [entry["name"] for entry in proposed]
    assert ("known labels" in names) == (kind != "regression")
    assert ("class balance" in names) == (kind == "multi-label")
    Path("expectations.yaml").write_text(yaml.safe_dump(proposed))
    validate(NO_TEXT)
