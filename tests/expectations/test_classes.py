"""Classes and numbers among the labels of each split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.expectations.classes import class_frame, learnt, task_frame, without_classes
from tasks.expectations.frames import row_frames
from tasks.stage.errors import BadInput
from tasks.task import Task
from tests.expectations.made import Rows, dataset, dataset_of, together, write_dataset

Frames = dict[str, pd.DataFrame]


def read(data: Rows, kinds: str | dict[str, str], folder: Path) -> tuple[Frames, Task]:
    write_dataset(data, folder)
    frames = row_frames(folder=folder)
    return frames, learnt(kinds, frames)


def test_a_class_without_rows_counts_nothing(tmp_path: Path) -> None:
    write_dataset(dataset(), tmp_path)
    classes = class_frame(row_frames(folder=tmp_path), "test", ["a", "b", "c"])
    assert classes["rows"].tolist() == [10, 10, 0]
    assert classes["shift"].tolist() == [0, 0, 0]


def test_a_row_counts_for_each_class_that_it_names(tmp_path: Path) -> None:
    frames, task = read(dataset_of("multi-label"), "multi-label", tmp_path)
    classes = class_frame(frames, "train", task.labels, task)
    assert classes["rows"].tolist() == [20, 20]
    assert classes["share"].tolist() == [0.5, 0.5]  # of the rows, not of what they name


def test_two_entities_of_a_type_are_one_row_with_it(tmp_path: Path) -> None:
    data = dataset_of("entities")
    data["train"][0]["label"] = '[[0, 1, "PER"], [2, 6, "PER"]]'
    frames, task = read(data, "entities", tmp_path)
    classes = class_frame(frames, "train", task.labels, task)
    assert classes["rows"].tolist() == [20]
    assert classes["share"].isna().all()
    assert len(without_classes(task)) == 1


def test_the_shares_of_several_tasks_are_of_their_own_rows(tmp_path: Path) -> None:
    data = together(dataset_of("classification", "topics"), dataset_of("regression", "stars"))
    data["train"][0]["label"] = "c"
    kinds = {"topics": "classification", "stars": "regression"}
    frames, task = read(data, kinds, tmp_path)
    classes = class_frame(frames, "train", task.labels, task)
    assert classes["id"].tolist() == ["topics/a", "topics/b", "topics/c"]
    assert classes["share"].tolist() == [19 / 40, 20 / 40, 1 / 40]


def test_ratings_that_move_are_seen_and_those_that_chance_moves_are_not(tmp_path: Path) -> None:
    data = dataset_of("regression")
    random = np.random.default_rng(0)
    for rows in data.values():
        for row in rows:
            row["label"] = repr(float(random.normal()))
    frames, task = read(data, "regression", tmp_path)
    assert task_frame(frames, "test", task)["shift"].tolist() == [0]
    for row in data["test"]:
        row["label"] = repr(float(row["label"]) + 5)
    frames, task = read(data, "regression", tmp_path)
    (shift,) = task_frame(frames, "test", task)["shift"]
    assert 0.3 < shift < 1


def test_a_kind_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"data/intake\.json: task: got 'ranking'; takes class"):
        read(dataset(), "ranking", tmp_path)
