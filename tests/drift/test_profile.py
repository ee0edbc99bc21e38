from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.drift.portrait import portrait_of
from tasks.drift.profile import Embedded, embedded, newest_of, profile_of
from tests.drift.data import Row, pin_base, rows, write_dataset

NIGHT = "2026-01-01"
TEXTS = 60


@pytest.fixture
def base(workspace: Path, tiny_model: Path) -> Path:
    return pin_base(tiny_model)


def profile(content: list[Row], base: Path, newer_than: str | None = None) -> dict[str, Any]:
    portrait = portrait_of(write_dataset(content), newer_than)
    return profile_of(portrait, embedded(portrait, TEXTS, base))


def test_a_profile_says_what_the_data_are_like(base: Path) -> None:
    found = profile(rows(200, NIGHT), base)
    assert found["newest"] == NIGHT
    assert found["all"]["rows"] == sum(found["all"]["labels"].values()) == 200
    assert found["all"]["other_labels"] == 0
    assert sum(found["all"]["lengths"]) == found["words"]["texts"] == 200
    assert found["vectors"]["rows"] == TEXTS // 2
    assert json.loads(json.dumps(found)) == found


def test_it_depends_on_the_data_alone_and_not_on_what_they_are_held_against(base: Path) -> None:
    content = rows(150, NIGHT) + rows(80, "2026-01-02", seed=1)
    assert profile(content, base) == profile(content, base, newer_than=NIGHT)


def test_no_word_of_the_data_is_in_it(base: Path) -> None:
    text = json.dumps(profile(rows(200, NIGHT), base))
    assert "brilliant" not in text
    assert "film" not in text


def test_ten_thousand_classes_and_many_sources_still_make_a_small_file(base: Path) -> None:
    content = [row for at in range(20) for row in rows(50, NIGHT, seed=at, source=f"{at}.csv")]
    for at, row in enumerate(content):
        row["label"] = f"a class of its own, number {at}"
    found = profile(content, base)
    assert len(found["all"]["labels"]) == 200
    assert found["all"]["other_labels"] == 800
    assert len(found["sources"]) == 20
    assert len(json.dumps(found, indent=2, sort_keys=True)) < 200_000


def test_a_model_that_cannot_look_leaves_the_rest(workspace: Path) -> None:
    found = profile(rows(60, NIGHT), Path("models/base.json"))
    assert found["vectors"] is None
    assert found["all"]["rows"] == 60


def test_no_texts_to_be_embedded(base: Path) -> None:
    portrait = portrait_of(write_dataset(rows(60, NIGHT)), None)
    found = embedded(portrait, 0, base)
    assert found == Embedded(None, None, None, "validate.sample allows no text to be embedded")


@pytest.mark.parametrize(
    ("reference", "newest"),
    [({"profile": None}, None), ({"profile": {"newest": NIGHT}}, NIGHT), ({}, None)],
)
def test_what_is_new_is_asked_of_the_reference(
    reference: dict[str, Any], newest: str | None
) -> None:
    assert newest_of(reference) == newest
