"""Every kind of task is learnt by the same loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tasks.stage.errors import BadInput
from tasks.task.multi_task import MultiTask
from tasks.task.regression import Regression
from tasks.training.batches import Encoded
from tasks.training.classifier import load_finetuned, task_of_model
from tasks.training.loop import fit
from tasks.training.objective import TaskLoss
from tasks.training.scoring import predict, score
from tests.training.lessons import lessons
from tests.training.made import PLAN, RECIPE, Parts, cross_entropy, make_parts

GOOD_ENOUGH = {"regression": 0.75, "entities": 0.95, "multi-label": 0.7, "several": 0.9}
"""What the last figure of every seed and kind of CPU is above; one label in two gives 0.77."""


@pytest.mark.parametrize("kind", GOOD_ENOUGH)
def test_it_learns_and_the_folder_tells_what(tiny_model: Path, workspace: Path, kind: str) -> None:
    model, train, validation = make_parts(tiny_model, 0.0, kind, texts=512)
    task = lessons()[kind].task
    untrained = score(task, predict(model, validation, PLAN), validation)
    recipe = replace(RECIPE, epochs=4, evaluations=1)
    history = fit(model, TaskLoss(task), train, validation, recipe, PLAN)
    best = history.evaluations[history.best]
    assert best["figure"] > GOOD_ENOUGH[kind] > untrained["figure"]
    assert best["loss"] < 0.6 * untrained["loss"]
    if isinstance(task, MultiTask):
        evidence = task.proof(
            predict(model, validation, PLAN), validation.labels, validation.bounds
        )
        for at, head in enumerate(task.heads.values()):
            own = evidence[evidence[:, 0] == at, 1 : 1 + head.evidence([], []).shape[1]]
            assert head.figure(own) > 0.8, head.kind

    model.save_pretrained(workspace / "model")
    loaded = load_finetuned(workspace / "model", "eager")
    assert task_of_model(loaded).describe() == task.describe()
    assert type(loaded) is type(model)
    logits = predict(loaded, validation, PLAN)
    assert score(task, logits, validation) == pytest.approx(
        {key: best[key] for key in ("figure", "loss")}, rel=1e-4
    )


def test_token_logits_come_in_the_order_of_the_texts(tiny_model: Path, workspace: Path) -> None:
    model, _, validation = make_parts(tiny_model, kind="entities")
    one_by_one = predict(model, validation, PLAN, batch=1)
    assert one_by_one.shape == (len(validation.ids), 5)
    np.testing.assert_allclose(predict(model, validation, PLAN, batch=7), one_by_one, atol=1e-5)


class Notebook:
    """A watcher that writes everything down."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, dict[str, float]]] = []
        self.finished = 0

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        self.seen.append(("losses", step, dict(values)))

    def evaluation(self, step: int, values: Mapping[str, float]) -> None:
        self.seen.append(("evaluation", step, dict(values)))

    def finish(self) -> None:
        self.finished += 1


def test_a_watcher_is_told_what_the_history_says(parts: Parts) -> None:
    notebook = Notebook()
    recipe = replace(RECIPE, epochs=2, evaluations=1)
    history = fit(
        parts.model, cross_entropy, parts.train, parts.validation, recipe, PLAN,
        watchers=[notebook],
    )  # fmt: skip
    told = [values for what, _, values in notebook.seen if what == "evaluation"]
    assert told == history.evaluations
    assert [step for what, step, _ in notebook.seen if what == "losses"] == [10]
    assert notebook.finished == 1


def test_a_watcher_hears_of_the_end_of_a_run_that_failed(parts: Parts) -> None:
    notebook = Notebook()

    def broken(*_: Any) -> torch.Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            parts.model, broken, parts.train, parts.validation, RECIPE, PLAN, watchers=[notebook]
        )  # fmt: skip
    assert notebook.finished == 1


def test_an_epoch_has_the_rows_that_are_drawn_for_it(parts: Parts) -> None:
    seen: list[int] = []

    def objective(model: Any, batch: Any, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        seen.extend(rows.tolist())
        return cross_entropy(model, batch, rows)

    def draws(seed: int, epoch: int) -> npt.NDArray[np.int64]:
        return np.arange(128) % (4 + epoch)

    recipe = replace(RECIPE, epochs=2, evaluations=1)
    fit(parts.model, objective, parts.train, parts.validation, recipe, PLAN, draws=draws)
    assert sorted(seen[:128]) == sorted(np.arange(128) % 4)
    assert sorted(seen[128:]) == sorted(np.arange(128) % 5)


def test_a_run_whose_figure_is_below_nought_is_no_hopeless_one(
    tiny_model: Path, workspace: Path
) -> None:
    model, train, validation = make_parts(tiny_model, kind="regression")
    upside_down = replace_labels(validation, -validation.labels)
    recipe = replace(RECIPE, epochs=4, evaluations=1, learning_rate=5e-3)
    history = fit(model, TaskLoss(Regression()), train, upside_down, recipe, PLAN)
    assert history.evaluations[-1]["figure"] < 0
    assert len(history.evaluations) == 4


def replace_labels(encoded: Encoded, labels: npt.NDArray[Any]) -> Encoded:
    return replace(encoded, labels=labels)


def test_a_plain_folder_without_a_description_is_a_classification(
    tiny_model: Path, workspace: Path
) -> None:
    model = make_parts(tiny_model).model
    del model.config.nightshift
    assert task_of_model(model).describe() == {"kind": "classification", "labels": ["bad", "good"]}


def test_a_kind_nobody_knows_is_one_clear_line(tiny_model: Path, workspace: Path) -> None:
    model = make_parts(tiny_model).model
    model.config.nightshift = {"kind": "haiku", "labels": []}
    with pytest.raises(BadInput, match=r"config.json: nightshift: kind: got 'haiku'; takes class"):
        task_of_model(model)
