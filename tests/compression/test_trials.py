"""Choices of layers are told apart by a short recovery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.compression.distillation import Lessons
from tasks.params.prune import Prune
from tasks.prune import prune
from tasks.training.batches import Encoded

WANTED = Prune(
    layers=0.5, neurons=0, heads=0, max_levels=1, max_drop=100, threads=1, precision="fp32",
    device="cpu", probe=16, augment=0,
)  # fmt: skip


def chosen(**wanted: Any) -> tuple[list[int], list[dict[str, Any]]]:
    """What the first level removes, and the choices of as many layers."""
    level = prune(WANTED.model_copy(update=wanted))["levels"][0]
    pairs = [each for each in level["measured"] if len(each["removed"]) == 2]
    return level["removed_layers"], pairs


def test_the_layers_go_that_are_missed_least_after_a_short_recovery(finetuned: Path) -> None:
    removed, pairs = chosen(trial=0.2)
    assert len(pairs) == 3
    assert removed == min(pairs, key=lambda each: each["recovered"])["removed"]
    moved = [each["recovered"] < each["divergence"] for each in pairs]
    assert any(moved), "a trial that teaches nothing is none"


def test_only_the_least_harmful_choices_are_tried(
    finetuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.compression.levels.SHORTLIST", 2)
    _, pairs = chosen(trial=0.2)
    ranked = sorted(pairs, key=lambda each: each["divergence"])
    assert [each["recovered"] is not None for each in ranked] == [True, True, False]


def test_without_trials_those_go_that_do_least_damage(finetuned: Path) -> None:
    removed, pairs = chosen(trial=0.0)
    assert removed == min(pairs, key=lambda each: each["divergence"])["removed"]
    assert {each["recovered"] for each in pairs} == {None}


@pytest.mark.parametrize("per_token", [False, True])
def test_a_sample_of_lessons_keeps_each_text_with_its_answer(per_token: bool) -> None:
    lengths = np.arange(1, 21)
    ids = np.repeat(np.arange(20), lengths).astype(np.int32)
    rows = ids if per_token else np.arange(20)
    texts = Encoded(ids, None, np.cumsum([0, *lengths]), rows.astype(np.int64), 0, per_token)
    whole = Lessons(texts, rows[:, None].astype(np.float32), rows[:, None].astype(np.float16))
    some = whole.sample(7, 12)
    assert len(some.texts) == 7
    assert some.texts.ids.max() < 12, "only the first are drawn from"
    own = some.texts.ids if per_token else some.texts.ids[some.texts.offsets[:-1]]
    assert some.logits[:, 0].tolist() == own.tolist() == some.states[:, 0].tolist()
    assert len(whole.sample(30, 20).texts) == 20
