"""Drift of labels that are no single classes: several of them, numbers, several tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.drift.agreement import agreement_table
from tasks.drift.portrait import Portrait, portrait_of
from tasks.drift.profile import Embedded, profile_of
from tasks.drift.table import Judged, drift_table
from tasks.drift.values import binned, counts_in
from tasks.task import MultiTask, Task
from tasks.task.classification import Classification
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression
from tests.drift.data import Row, record, rows, write_dataset

OLD, NEW = "2026-01-01", "2026-01-02"
NO_VECTORS = Embedded(None, None, None, "none were asked for")
TOPICS = MultiLabel(("art", "sport"))
STARS = Regression()
BOTH = MultiTask.of_heads({"stars": STARS, "mood": Classification(("bad", "good"))})


@pytest.fixture(autouse=True)
def _folder(workspace: Path) -> None:
    """Where the dataset lies."""


def look(content: list[Row], task: Task) -> Portrait:
    return portrait_of(write_dataset(content), OLD, task)


def judged(before: list[Row], night: list[Row], task: Task) -> Judged:
    """A night's rows added to those before, against the profile of those before."""
    profile = json.loads(json.dumps(profile_of(look(before, task), NO_VECTORS, task)))
    return drift_table(look(before + night, task), NO_VECTORS, {"profile": profile}, task)


def topics(count: int, date: str, seed: int, art: float) -> list[Row]:
    """Texts of which a share is about art, and half about sport."""
    random = np.random.default_rng(seed)
    found = rows(count, date, seed)
    for row in found:
        names = [name for name, share in (("art", art), ("sport", 0.5)) if random.random() < share]
        row["label"] = json.dumps(names)
    return found


def stars(count: int, date: str, seed: int, worth: float) -> list[Row]:
    """Ratings of one to five stars, `worth` on average, more or less."""
    random = np.random.default_rng(seed)
    found = rows(count, date, seed)
    for row in found:
        row["label"] = repr(float(np.clip(np.round(random.normal(worth, 1)), 1, 5)))
    return found


def effect(found: Judged, which: str) -> float:
    return float(record(found, which)["drift"])


def test_several_classes_a_text() -> None:
    before = topics(600, OLD, 0, 0.3)
    assert effect(judged(before, topics(200, NEW, 1, 0.3), TOPICS), "new: labels") == 0
    found = judged(before, topics(200, NEW, 1, 0.9), TOPICS)
    assert effect(found, "new: labels") > 0.1
    assert effect(found, "new: labels") > effect(found, "all: labels")


def test_texts_that_no_longer_name_any_class() -> None:
    night = [{**row, "label": "[]"} for row in topics(200, NEW, 1, 0.3)]
    assert effect(judged(topics(600, OLD, 0, 0.3), night, TOPICS), "new: labels") > 0.5


def test_ratings() -> None:
    before = stars(600, OLD, 0, 3)
    assert effect(judged(before, stars(200, NEW, 1, 3), STARS), "new: labels") == 0
    assert effect(judged(before, stars(200, NEW, 1, 4.5), STARS), "new: labels") > 0.5


def test_each_of_several_tasks_by_itself() -> None:
    before = [{**row, "task": "stars"} for row in stars(600, OLD, 0, 3)]
    before += [{**row, "task": "mood"} for row in rows(600, OLD, 1, "mood.csv")]
    night = [{**row, "task": "stars"} for row in stars(200, NEW, 2, 4.5)]
    night += [{**row, "task": "mood"} for row in rows(200, NEW, 3, "mood.csv")]
    found = judged(before, night, BOTH)
    assert effect(found, "new: labels") == 0
    assert effect(found, "new: labels of stars") > 0.5
    assert record(found, "new: labels of stars")["rows"] == 200


def test_a_profile_of_another_kind_of_task_is_told() -> None:
    before = rows(600, OLD)
    profile = profile_of(look(before, Classification(("bad", "good"))), NO_VECTORS)
    now = look(stars(600, OLD, 0, 3), STARS)
    found = drift_table(now, NO_VECTORS, {"profile": profile}, STARS)
    assert "labels" not in set(found.table["measure"])
    assert "measure labels: production's profile has no numbers of regression" in found.not_judged


def test_production_is_not_asked_about_what_is_no_class() -> None:
    reference: dict[str, Any] = {"profile": {"newest": OLD, "answers": {}}, "release": "there"}
    found = agreement_table(look(stars(60, NEW, 0, 3), STARS).latest, reference, task=STARS)
    assert found.not_judged[0].endswith("the task is regression")


def test_a_number_that_many_have_is_a_bin_by_itself() -> None:
    ratings = np.array([1.0, 2, 3, 3, 3, 3, 4, 5] * 20)
    found = binned(ratings)
    edges = np.array(found["edges"])
    assert sum(found["counts"]) == 160
    assert 80 in found["counts"]
    moved = counts_in(np.where(ratings == 3, 3.5, ratings), edges)
    assert moved.tolist() != found["counts"]


def test_bins_of_numbers_that_are_all_different_hold_a_tenth_each() -> None:
    assert binned(np.arange(1000.0))["counts"] == [99, 100, 100, 100, 100, 100, 100, 100, 100, 101]
