"""Epochs of as many rows as there are, in other shares."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.stage.errors import BadInput
from tasks.task import MultiTask, Task
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression
from tasks.training.checkpoints import Checkpoint
from tasks.training.loop import fit
from tasks.training.sampling import draws
from tests.training.made import PLAN, RECIPE, cross_entropy, make_parts, sound_until, weights

RARE = ["spam"] * 4 + ["ham"] * 32 + ["news"] * 60
PARTS = {"mood": Classification(("bad", "good")), "stars": Regression()}


@dataclass(frozen=True)
class How:
    labels: str = "natural"
    tasks: str = "natural"


def drawn(truth: list[str], task: Task, how: How, epoch: int = 0) -> list[str]:
    found = draws(truth, task, how)
    assert found is not None
    rows = found(1, epoch)
    assert len(rows) == len(truth)
    return [truth[row] for row in rows]


def test_classes_are_drawn_alike() -> None:
    labels = drawn(RARE, Classification.of(RARE), How("balanced"))
    assert Counter(labels) == {"spam": 32, "ham": 32, "news": 32}


def test_over_a_run_every_row_of_a_class_has_its_turn() -> None:
    found = draws(RARE, Classification.of(RARE), How("balanced"))
    assert found is not None
    counts = np.bincount(np.concatenate([found(1, epoch) for epoch in range(3)]))
    assert set(counts[:4]) == {24}
    assert set(counts[4:36]) == {3}
    assert set(counts[36:]) == {1, 2}  # 96 places for 60 rows
    assert not np.array_equal(found(1, 0), found(1, 1))
    assert not np.array_equal(found(1, 0), found(2, 0))


def test_of_several_labels_the_rarest_counts() -> None:
    truth = [json.dumps(labels) for labels in [["a", "b"]] * 2 + [["b"]] * 8 + [[]] * 20]
    labels = Counter(drawn(truth, MultiLabel.of(truth), How("balanced")))
    assert labels == {'["a", "b"]': 10, '["b"]': 10, "[]": 10}


def test_texts_without_an_entity_are_a_class_of_their_own() -> None:
    truth = ["[]"] * 30 + ['[[0, 2, "PER"]]'] * 10
    labels = Counter(drawn(truth, Entities(("PER",)), How("balanced")))
    assert labels == {"[]": 20, '[[0, 2, "PER"]]': 20}


@pytest.mark.parametrize(("share", "stars"), [("sqrt", 33), ("equal", 50)])
def test_a_small_task_gets_a_larger_share(share: str, stars: int) -> None:
    task = MultiTask.of_heads(PARTS)
    truth = task.truths(["good"] * 80 + ["1.0"] * 20, ["mood"] * 80 + ["stars"] * 20)
    tasks = Counter(one.startswith("stars") for one in drawn(truth, task, How(tasks=share)))
    assert tasks[True] == stars


def test_balanced_labels_keep_the_shares_of_the_tasks() -> None:
    task = MultiTask.of_heads(PARTS)
    labels = ["good"] * 70 + ["bad"] * 10 + ["1.0"] * 20
    truth = task.truths(labels, ["mood"] * 80 + ["stars"] * 20)
    found = Counter(one.partition("\x1f")[2] for one in drawn(truth, task, How("balanced")))
    assert found == {"good": 40, "bad": 40, "1.0": 20}


def test_natural_is_each_row_once() -> None:
    assert draws(RARE, Classification.of(RARE), How()) is None


@pytest.mark.parametrize(
    ("task", "how", "message"),
    [
        (Regression(), How("balanced"), "labels: got 'balanced'; takes natural: regression has no"),
        (PARTS["mood"], How(tasks="sqrt"), "tasks: got 'sqrt'; takes natural: there is one task"),
    ],
)
def test_what_can_not_be_balanced_is_one_clear_line(task: Task, how: How, message: str) -> None:
    with pytest.raises(BadInput, match=f"finetune.sampling.{message}"):
        draws(["1.0"], task, how)


def test_a_killed_run_goes_on_with_the_same_rows(tiny_model: Path, workspace: Path) -> None:
    recipe = replace(RECIPE, epochs=2, evaluations=1)
    checkpoint = Checkpoint(workspace / "state.pt")

    def run(dies_at: int, checkpoint: Checkpoint | None) -> torch.Tensor:
        model, train, validation = make_parts(tiny_model, texts=64)
        truth = ["bad"] * 56 + ["good"] * 8
        loss = sound_until(dies_at, 0, cross_entropy)
        how = draws(truth, PARTS["mood"], How("balanced"))
        fit(model, loss, train, validation, recipe, PLAN, checkpoint, draws=how)
        return weights(model)

    undisturbed = run(0, None)
    with pytest.raises(KeyboardInterrupt):
        run(7, checkpoint)
    assert torch.equal(run(0, checkpoint), undisturbed)
