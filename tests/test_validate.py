from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.data.dataset import SCHEMA, split_path, write_table
from tasks.params.base import check
from tasks.params.validate import Validate
from tasks.stage.errors import BadInput
from tasks.stage.outputs import sha256, write_json
from tasks.validate import APPROVED, DOCUMENTS, validate

SIZES = {"train": 40, "validation": 20, "test": 20}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_json("data/reference.json", {"labels": None, "version": None, "sha256": None})
    return tmp_path


def dataset() -> dict[str, list[dict[str, Any]]]:
    """Two balanced classes in three splits, nothing wrong."""
    return {
        split: [
            {
                "id": f"{split}-{n}",
                "text": f"a text of {split}, number {n}",
                "label": "ab"[n % 2],
                "task": "classification",
                "source": "rows.csv",
            }
            for n in range(size)
        ]
        for split, size in SIZES.items()
    }


def validated(data: dict[str, list[dict[str, Any]]], **params: Any) -> dict[str, Any]:
    for split, rows in data.items():
        write_table(pa.Table.from_pylist(rows, SCHEMA), split_path(split))
    return validate(check(Validate, {"min_rows": 10, **params}))


def refused(data: dict[str, list[dict[str, Any]]], **params: Any) -> BadInput:
    APPROVED.parent.mkdir(exist_ok=True)
    APPROVED.write_text("an old approval")
    with pytest.raises(BadInput) as caught:
        validated(data, **params)
    assert not APPROVED.exists()
    return caught.value


def test_good_data_are_approved_by_content() -> None:
    found = validated(dataset())

    approved = json.loads(APPROVED.read_text())
    assert approved["labels"] == ["a", "b"]
    assert approved["splits"]["test"] == {"rows": 20, "sha256": sha256(split_path("test"))}
    assert found["metrics"]["met"] == found["metrics"]["expectations"] == len(found["expectations"])
    assert found["labels_from"] == "train"
    assert (DOCUMENTS / "index.html").is_file()
    assert json.loads(json.dumps(found)) == found


def test_the_approval_depends_on_what_was_expected() -> None:
    validated(dataset())
    first = json.loads(APPROVED.read_text())["suite"]
    validated(dataset())
    assert json.loads(APPROVED.read_text())["suite"] == first
    validated(dataset(), min_characters=2)
    assert json.loads(APPROVED.read_text())["suite"] != first


def test_a_refusal_names_expectation_count_and_rows() -> None:
    data = dataset()
    for at in (1, 3, 5, 7):
        data["train"][at]["text"] = data["test"][at]["text"]
    error = refused(data)

    assert "train: in no other split (also_in): 4 rows" in str(error)
    assert "test: in no other split (also_in): 4 rows" in str(error)
    assert "train-1: 'test': a text of test, number 1" in str(error)
    assert "train-7" not in str(error)  # three are shown
    assert "validation:" not in str(error)
    findings = error.findings
    failed = [outcome for outcome in findings["expectations"] if not outcome["ok"]]
    assert [(outcome["split"], outcome["unexpected"]) for outcome in failed] == [
        ("train", 4),
        ("test", 4),
    ]
    assert (DOCUMENTS / "index.html").is_file()


def test_a_class_with_too_few_rows() -> None:
    data = dataset()
    data["train"][0]["label"] = data["test"][0]["label"] = "rare"
    data["validation"][0]["label"] = "rare"
    message = str(refused(data))

    assert "train: enough rows of each class (rows): 1 class; at least 8" in message
    assert "rare: 1: 1 rows" in message


@pytest.mark.parametrize("where", ["validate.labels", "snapshot.reference"])
def test_a_label_that_is_not_allowed(where: str) -> None:
    params = {"labels": ["a", "b"]} if where == "validate.labels" else {}
    if not params:
        write_json("data/reference.json", {"labels": ["a", "b"], "version": "v1.0.0"})
    data = dataset()
    data["validation"][4]["label"] = "A"
    message = str(refused(data, **params))

    assert "validation: known labels (label): 1 row; takes 'a', 'b'" in message
    assert "validation-4: 'A'" in message


def test_a_class_of_the_last_release_that_is_gone() -> None:
    message = str(refused(dataset(), labels=["a", "b", "c"]))
    assert "train: enough rows of each class (rows): 1 class" in message
    assert "c: 0: 0 rows" in message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_rows": 41}, "train: enough rows: got 40; at least 41"),
        ({"min_characters": 26}, "train: long enough (characters): 10 rows; at least 26"),
        (
            {"max_median_characters": 9},
            "train: median length (characters): got 26; at most 9",
        ),
        ({"max_class_share": 0.4}, "test: class balance (share): 2 classes"),
    ],
)
def test_limits_of_the_parameters(params: dict[str, Any], message: str) -> None:
    assert message in str(refused(dataset(), **params))


def test_splits_that_are_not_alike() -> None:
    data = dataset()
    for row in data["test"][1:]:
        row["label"] = "a"
    message = str(refused(data, max_label_shift=0.05))
    assert "test: same balance as train (shift): 2 classes; at most 0.05" in message


def test_repeated_ids_texts_and_missing_values() -> None:
    data = dataset()
    data["train"][1]["id"] = data["train"][0]["id"]
    data["train"][3]["text"] = data["train"][2]["text"].upper()
    data["test"][2]["label"] = None
    message = str(refused(data))

    assert "train: ids are unique (id): 2 rows" in message
    assert "train: no duplicates (digest): 2 rows" in message
    assert "test: label is there (label): 1 row" in message
