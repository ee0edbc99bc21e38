from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tasks.data.dataset import split_path
from tasks.params.validate import Validate
from tasks.stage.errors import BadInput
from tasks.stage.outputs import sha256, write_json
from tasks.validate import APPROVED, DOCUMENTS, validate
from tests.expectations.made import Rows, account, dataset, write_dataset, write_inputs


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_inputs(dataset())
    return tmp_path


def validated(data: Rows, **limits: Any) -> dict[str, Any]:
    """Judged with `limits` for the entries of these names, as expectations.yaml would say it."""
    write_dataset(data)
    own = {"enough rows": {"at_least": 10}, **limits}
    entries = [{"name": name, **content} for name, content in own.items()]
    Path("expectations.yaml").write_text(yaml.safe_dump(entries))
    return validate(Validate())


def refused(data: Rows, **limits: Any) -> BadInput:
    APPROVED.parent.mkdir(exist_ok=True)
    APPROVED.write_text("an old approval")
    with pytest.raises(BadInput) as caught:
        validated(data, **limits)
    assert not APPROVED.exists()
    return caught.value


def test_good_data_are_approved_by_content() -> None:
    found = validated(dataset())

    approved = json.loads(APPROVED.read_text())
    assert approved["labels"] == ["a", "b"]
    assert approved["splits"]["test"] == {"rows": 20, "sha256": sha256(split_path("test"))}
    metrics = found["metrics"]
    assert metrics["expectations"] == len(found["expectations"])
    assert metrics["met"] + metrics["not_judged"] == metrics["expectations"]
    assert found["labels_from"] == "train"
    assert (DOCUMENTS / "index.html").is_file()
    assert json.loads(json.dumps(found)) == found


def test_the_approval_depends_on_what_was_expected() -> None:
    validated(dataset())
    first = json.loads(APPROVED.read_text())
    validated(dataset(), **{"long enough": {"at_least": 2}})
    other = json.loads(APPROVED.read_text())
    assert other["suite"] != first["suite"]
    assert other["splits"] == first["splits"]


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
    failed = [
        outcome
        for outcome in findings["expectations"]
        if outcome["ok"] is False and outcome["severity"] == "stop"
    ]
    assert [(outcome["split"], outcome["unexpected"]) for outcome in failed] == [
        ("train", 4),
        ("test", 4),
    ]
    assert "in no other split" in (DOCUMENTS / "index.html").read_text()
    assert findings["tables"]["repetition"]
    assert Path("data/suspects.csv").is_file()


def test_a_class_with_too_few_rows() -> None:
    data = dataset()
    data["train"][0]["label"] = data["test"][0]["label"] = "rare"
    data["validation"][0]["label"] = "rare"
    message = str(refused(data))

    assert "train: enough rows of each class (rows): 1 class; at least 8" in message
    assert "rare: 1: 1 rows" in message


@pytest.mark.parametrize("where", ["expectations.yaml", "snapshot.reference"])
def test_a_label_that_is_not_known(where: str) -> None:
    limits = {"known labels": {"values": ["a", "b"]}} if where == "expectations.yaml" else {}
    if not limits:
        write_json("data/reference.json", {"labels": ["a", "b"], "version": "v1.0.0"})
    data = dataset()
    data["validation"][4]["label"] = "A"
    error = refused(data, **limits)
    message = str(error)
    assert error.findings["labels_from"] == where

    assert "validation: known labels (label): 1 row; takes 'a', 'b'" in message
    assert "validation-4: 'A'" in message


def test_a_class_of_the_last_release_that_is_gone() -> None:
    message = str(refused(dataset(), **{"known labels": {"values": ["a", "b", "c"]}}))
    assert "train: enough rows of each class (rows): 1 class" in message
    assert "c: 0: 0 rows" in message


@pytest.mark.parametrize(
    ("name", "limit", "message"),
    [
        ("enough rows", {"at_least": 41}, "train: enough rows: got 40; at least 41"),
        ("class balance", {"at_most": 0.4}, "test: class balance (share): 2 classes"),
    ],
)
def test_limits_of_the_project(name: str, limit: dict[str, Any], message: str) -> None:
    assert message in str(refused(dataset(), **{name: limit}))


def test_splits_that_are_not_alike() -> None:
    data = dataset()
    for row in data["test"][1:]:
        row["label"] = "a"
    message = str(refused(data, **{"same balance as train": {"at_most": 0.05}}))
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


def test_a_partition_that_was_delivered_twice() -> None:
    write_json("data/intake.json", account(repeated=60))
    message = str(refused(dataset()))
    assert "intake: a file brings new rows (repeated_share): 2 files; at most 0.5" in message
    assert "was a partition delivered twice?" in message
    assert "rows.csv: 0.75: 80 rows, 60 repeated" in message


def test_a_warning_is_reported_and_the_run_goes_on() -> None:
    write_json("data/intake.json", account(quarantined=8))
    found = validated(dataset())
    assert found["metrics"]["warned"] == 1
    warned = [each for each in found["expectations"] if each["ok"] is False]
    assert [(each["name"], each["severity"]) for each in warned] == [
        ("few bad rows in a file", "warn")
    ]
    assert APPROVED.is_file()


def test_what_cannot_be_judged_is_never_met() -> None:
    found = validated(dataset())
    agreement = [each for each in found["expectations"] if each["table"] == "agreement"]
    assert agreement
    assert all(each["ok"] is None and each["why"] for each in agreement)


def test_rows_that_ingest_should_have_set_aside() -> None:
    data = dataset()
    data["train"][3]["text"] = "a <b>text</b> of train, number 3"
    rule = {"table": "rows", "column": "text", "expect": "column_values_to_not_match_regex"}
    message = str(
        refused(data, **{"no markup": {**rule, "matches": "<[a-z]+>", "severity": "quarantine"}})
    )
    assert "train: no markup (text): 1 row; the pattern is '<[a-z]+>'" in message
    assert "train-3: 'a <b>text</b> of train, number 3'" in message


def test_a_dataset_of_other_columns() -> None:
    validated(dataset())
    pq.write_table(pa.table({"id": ["1"], "text": ["one"]}), split_path("test"))
    with pytest.raises(BadInput, match=r"test\.parquet has the columns id, text; takes id, text, "):
        validate(Validate())
