"""Lean rows: what can be judged of a million of them without holding a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.data.normalise import normalise
from tasks.expectations.frames import intake_frame, normalised, row_frames
from tasks.expectations.rows import RowRule
from tests.expectations.made import account, dataset, dataset_of, together, write_dataset


def test_repetition_is_seen_through_case_and_white_space(tmp_path: Path) -> None:
    data = dataset()
    data["train"][3]["text"] = data["test"][5]["text"].upper()
    data["train"][4]["text"] = f"  {data['train'][6]['text']}\n"
    write_dataset(data, tmp_path)
    frames = row_frames(folder=tmp_path)

    also_in = frames["train"]["also_in"]
    assert also_in[3] == "test"
    assert also_in.notna().sum() == frames["test"]["also_in"].notna().sum() == 1
    assert np.flatnonzero(frames["train"]["digest"].duplicated(keep=False)).tolist() == [4, 6]


def test_pairs_are_the_same_when_both_texts_are(tmp_path: Path) -> None:
    data = dataset()
    for row, pair in zip(data["train"], ["x", "y", "x"] + [None] * 37, strict=True):
        row["text_pair"] = pair
    for at in (0, 1, 2, 3):
        data["train"][at]["text"] = "the same"
    write_dataset(data, tmp_path)
    frame = row_frames(folder=tmp_path)["train"]
    assert np.flatnonzero(frame["digest"].duplicated(keep=False)).tolist() == [0, 2]
    assert frame["characters"][:4].tolist() == [9, 9, 9, 8]


def test_two_tasks_may_have_the_same_text(tmp_path: Path) -> None:
    data = together(dataset_of("classification", "topics"), dataset_of("regression", "stars"))
    data["train"][1]["text"] = data["train"][0]["text"]  # twice in one of them
    data["train"][2]["text"] = data["test"][3]["text"]
    write_dataset(data, tmp_path)
    frame = row_frames(folder=tmp_path)["train"]
    assert np.flatnonzero(frame["digest"].duplicated(keep=False)).tolist() == [0, 1]
    assert np.flatnonzero(frame["also_in"].notna()).tolist() == [2]


def test_rules_become_flags_and_texts_stay_out(tmp_path: Path) -> None:
    write_dataset(dataset(), tmp_path)
    rule = RowRule("ends well", "text", "column_values_to_match_regex", matches="[02468]$")
    frame = row_frames([rule], folder=tmp_path)["test"]
    assert frame[rule.flag].tolist() == [True, False] * 10
    assert set(frame["text"]) == {"there"}
    asked_for = row_frames([], {"text"}, tmp_path)["test"]
    assert asked_for["text"][3] == "a text of test, number 3"


def test_a_row_takes_less_than_fifty_bytes(tmp_path: Path) -> None:
    data = dataset()
    data["train"] = [{**data["train"][0], "id": str(n), "text": f"{n}" * 50} for n in range(9000)]
    write_dataset(data, tmp_path)
    frame = row_frames(folder=tmp_path)["train"]
    assert frame.memory_usage(deep=True).sum() / len(frame) < 50


@pytest.mark.parametrize(
    "text",
    ["Plain", "two  spaces", " ends ", "tab\there", "Straße", "ＡＢＣ", "a\u00a0b", "", "\x1c"],
)
def test_the_short_cut_for_plain_text_changes_nothing(text: str) -> None:
    assert normalised(pa.array([text, "another"])) == [normalise(text), "another"]


def test_the_intake_is_a_record_a_file_and_one_of_all() -> None:
    frame = intake_frame(account(repeated=20, quarantined=4))
    assert frame["id"].tolist() == ["rows.csv", "all"]
    assert frame["repeated_share"].tolist() == [0.25, 0.25]
    assert frame["start"][0] == "80 rows, 4 quarantined, 20 repeated"
