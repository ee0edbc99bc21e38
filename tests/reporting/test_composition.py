from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.reporting.composition import EDGES, MOST_CLASSES, classes, gone, lengths
from tasks.reporting.evidence import Evidence, read_evidence
from tests.reporting import data_made as made
from tests.reporting.made import leave


def evidence(labels: dict[str, int], profile: Any = None) -> Evidence:
    """Of a dataset with so many rows of each class in train, and the profile in production."""
    rows = [{"label": label, "train": n, "validation": 0, "test": 0} for label, n in labels.items()]
    spread = {"p5": 8, "p25": 16, "p50": 32, "p75": 64, "p95": 128}
    told = [{"split": "train", "unit": "characters", **spread}]
    leave(Path(), {"ingest": {"labels": rows, "lengths": told}})
    Path("data").mkdir(exist_ok=True)
    Path("data/reference.json").write_text(json.dumps({"profile": profile}))
    return read_evidence()


def test_a_share_is_held_against_that_in_production(workspace: Path) -> None:
    found = classes(evidence({"bad": 30, "good": 70}, made.profile(bad=50, good=50)))
    assert [row.shares for row in found.shown] == [
        {"train": 0.3, "production": 0.5},
        {"train": 0.7, "production": 0.5},
    ]
    assert [row.change for row in found.shown] == pytest.approx([-20, 20])


def test_without_a_version_in_production_there_is_nothing_beside_it(workspace: Path) -> None:
    found = evidence({"bad": 3, "good": 7})
    assert [row.change for row in classes(found).shown] == [None, None]
    assert [row.name for row in lengths(found, "characters")] == ["train"]


def test_new_and_gone_classes(workspace: Path) -> None:
    found = evidence({"good": 5, "new": 5}, made.profile(good=5, old=5))
    assert [row.shares["production"] for row in classes(found).shown] == [0.5, 0.0]
    assert gone(found) == ["old"]


def test_the_largest_of_many_classes_are_shown(workspace: Path) -> None:
    found = classes(evidence({f"c{n}": n for n in range(100)}))
    assert found.number == 100
    assert [row.label for row in found.shown[:2]] == ["c99", "c98"]
    assert len(found.shown) == MOST_CLASSES
    assert found.rest == sum(range(100 - MOST_CLASSES))


def test_lengths_in_production_come_from_its_profile(workspace: Path) -> None:
    found = lengths(evidence({"a": 1, "b": 1}, made.profile(a=50, b=50)), "characters")
    assert [row.name for row in found] == ["train", "production"]
    assert found[1].median == pytest.approx(32, rel=0.1), "all of its texts have 32 characters"


def test_the_bins_are_those_of_the_profile() -> None:
    from tasks.drift.histograms import EDGES as THEIRS

    assert THEIRS.astype(int).tolist() == EDGES


def test_a_profile_of_other_bins_is_left_out(workspace: Path) -> None:
    profile = made.profile(a=1)
    profile["all"]["lengths"] = [1, 2, 3]
    assert len(lengths(evidence({"a": 1}, profile), "characters")) == 1


def test_a_label_that_is_no_text_is_written_as_one(workspace: Path) -> None:
    found = evidence({"a": 1})
    found.stages["ingest"].report["labels"] = [{"label": ["x"], "train": 3}]
    assert [row.label for row in classes(found).shown] == ["['x']"]
    assert gone(found) == []
