"""How the loss over classes is bent, and what a person can't ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.params.finetune import Finetune
from tasks.stage.errors import BadInput
from tasks.task import Shaping
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_task import MultiTask
from tasks.training.batches import Batch
from tasks.training.objective import TaskLoss, shaping_of
from tests.training.lessons import lessons
from tests.training.made import Parts, cross_entropy, make_parts

MOOD = Classification(("bad", "fair", "good"))
TRUTH = ["bad"] * 6 + ["fair"] * 2 + ["good"] * 4


@dataclass(frozen=True)
class Wish:
    label_smoothing: float = 0.0
    focal: float = 0.0
    class_weights: Any = None


def test_nothing_asked_for_is_plain_cross_entropy(parts: Parts) -> None:
    rows = np.arange(16)
    batch = parts.train.collate(rows)
    logits = parts.model.eval()(**{k: v for k, v in batch.items() if k != "labels"}).logits
    by_hand = torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")
    torch.testing.assert_close(cross_entropy(parts.model, batch, rows), by_hand)
    assert shaping_of(Wish(), MOOD, TRUTH) == Shaping()


def test_balanced_classes_count_alike_together() -> None:
    weights = shaping_of(Wish(class_weights="balanced"), MOOD, TRUTH).weights
    assert weights is not None
    assert weights == pytest.approx((12 / (3 * 6), 12 / (3 * 2), 12 / (3 * 4)))
    assert np.take(weights, [MOOD.labels.index(label) for label in TRUTH]).sum() == pytest.approx(
        12
    )


def test_weights_are_told_by_label_and_one_otherwise() -> None:
    wish = Wish(class_weights={"fair": 3.0})
    assert shaping_of(wish, MOOD, TRUTH).weights == (1.0, 3.0, 1.0)
    entities = Entities(("PER", "ORG"))
    assert shaping_of(Wish(class_weights={"ORG": 2.0}), entities, []).weights == (1, 1, 1, 2, 2)


def test_each_of_several_tasks_is_balanced_within_itself() -> None:
    lesson = lessons()["several"]
    wish = Wish(class_weights="balanced")
    weights = dict(
        zip(lesson.task.outputs, shaping_of(wish, lesson.task, lesson.truth).weights or (),
            strict=True)
    )  # fmt: skip
    moods = [
        label for label, task in zip(lesson.labels, lesson.tasks, strict=True) if task == "mood"
    ]
    assert weights["mood/bad"] == pytest.approx(len(moods) / (2 * moods.count("bad")))
    assert weights["stars/value"] == 1
    assert weights["things/B-THING"] == weights["things/I-WORD"] == pytest.approx(1)


def test_a_label_that_is_none_is_one_clear_line() -> None:
    with pytest.raises(BadInput) as caught:
        shaping_of(Wish(class_weights={"ugly": 2.0}), MOOD, TRUTH)
    assert str(caught.value) == (
        "params.yaml: finetune.loss.class_weights: got 'ugly'; the labels are bad, fair, good"
    )


@pytest.mark.parametrize(
    "wish", [Wish(focal=2.0), Wish(label_smoothing=0.1), Wish(class_weights="balanced")]
)
def test_a_number_has_no_classes_to_weigh(wish: Wish) -> None:
    lesson = lessons()["regression"]
    with pytest.raises(BadInput, match=r"finetune.loss.\w+: regression has no classes"):
        shaping_of(wish, lesson.task, lesson.truth)


def test_a_task_may_count_for_less(tiny_model: Path, workspace: Path) -> None:
    model, train, _ = make_parts(tiny_model, kind="several")
    task = lessons()["several"].task
    assert isinstance(task, MultiTask)
    rows = np.arange(12)
    batch: Batch = train.collate(rows)

    def loss(weights: dict[str, float]) -> float:
        return float(TaskLoss(task.weighted(weights))(model.eval(), batch, rows).detach())

    alone = {name: loss({n: float(n == name) for n in task.heads}) for name in task.heads}
    assert sum(alone.values()) == pytest.approx(loss({}), rel=1e-5)
    halved = loss({"stars": 0.5})
    assert halved == pytest.approx(loss({}) - 0.5 * alone["stars"], rel=1e-5)


def test_weights_of_a_task_that_is_none_are_one_clear_line() -> None:
    several = lessons()["several"].task
    with pytest.raises(BadInput, match=r"task_weights: got 'star'; the tasks are mood, stars, th"):
        several.weighted({"star": 2.0})
    with pytest.raises(BadInput, match=r"task_weights: got .*; takes null: there is one task"):
        MOOD.weighted({"stars": 2.0})


def test_labels_that_yaml_takes_for_numbers_are_labels() -> None:
    wanted = Finetune(loss={"class_weights": {2: 2, True: 3.0}})  # type: ignore[arg-type]
    assert wanted.loss.class_weights == {"2": 2.0, "true": 3.0}
