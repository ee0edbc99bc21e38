from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.measuring.paired import mcnemar
from tasks.stage.errors import BadInput
from tasks.training.history import History
from tasks.training.loop import LUCK, fit
from tasks.training.methods import Methods
from tasks.training.scoring import predict, score
from tests.training.made import PLAN, RECIPE, TASK, Parts, cross_entropy


def test_it_learns(parts: Parts) -> None:
    model, train, validation = parts
    history = fit(model, cross_entropy, train, validation, replace(RECIPE, epochs=8), PLAN)
    assert history.losses[-1]["loss"] < 0.5 * history.losses[0]["loss"]
    assert score(TASK, predict(model, validation, PLAN), validation)["figure"] > 0.9


@pytest.mark.parametrize("ema", [None, 0.5])
def test_earlier_weights_are_kept_where_the_last_are_worse(parts: Parts, ema: float | None) -> None:
    model, train, validation = parts
    methods, recipe = Methods(ema=ema), replace(RECIPE, epochs=16, patience=32)
    history = fit(model, unlearning(0.2), train, validation, recipe, PLAN, methods=methods)
    kept = score(TASK, predict(model, validation, PLAN), validation)
    best = max(history.evaluations, key=lambda look: (look["figure"], -look["loss"]))
    assert best["figure"] > history.evaluations[-1]["figure"] + 0.2
    assert history.evaluations[history.best] == best
    assert kept["loss"] == pytest.approx(best["loss"], rel=1e-5)


def test_earlier_weights_that_may_be_better_by_luck_are_not_kept(parts: Parts) -> None:
    model, train, validation = parts
    few = validation.sample(4)
    assert mcnemar(4, 0) > LUCK
    history = fit(model, unlearning(0.2), train, few, replace(RECIPE, epochs=16, patience=32), PLAN)
    kept = score(TASK, predict(model, few, PLAN), few)
    *before, last = history.evaluations
    assert max(look["figure"] for look in before) > last["figure"]
    assert history.evaluations[history.best] == last
    assert kept["loss"] == pytest.approx(last["loss"], rel=1e-5)


def test_the_last_weights_are_kept_where_asked_for_though_they_are_worse(parts: Parts) -> None:
    model, train, validation = parts
    recipe = replace(RECIPE, epochs=4)
    history = fit(model, unlearning(math.inf), train, validation, recipe, PLAN, keep="last")
    first, *_, last = history.evaluations
    assert last["loss"] > first["loss"]
    assert history.evaluations[history.best] == last
    kept = score(TASK, predict(model, validation, PLAN), validation)
    assert kept["loss"] == pytest.approx(last["loss"], rel=1e-5)


def unlearning(learnt: float) -> Any:
    """What learns until a batch's mean loss is so small, and then makes it as large as it can."""
    enough = False

    def objective(model: Any, batch: Any, rows: Any) -> Any:
        nonlocal enough
        loss = cross_entropy(model, batch, rows)
        enough = enough or float(loss.detach()) < learnt * len(rows)
        return -loss if enough else loss

    return objective


def test_it_stops_early_when_nothing_gets_better(parts: Parts) -> None:
    model, train, validation = parts
    stuck = replace(RECIPE, learning_rate=1e-12, epochs=20, patience=3)
    history = fit(model, cross_entropy, train, validation, stuck, PLAN)
    assert history.stopped_early
    assert len(history.evaluations) < 20
    figures = [look["figure"] for look in history.evaluations]
    assert len(figures) == figures.index(max(figures)) + 1 + 3


def test_predictions_come_in_the_order_of_the_texts(parts: Parts) -> None:
    model, _, validation = parts
    one_by_one = predict(model, validation, PLAN, batch=1)
    np.testing.assert_allclose(predict(model, validation, PLAN, batch=7), one_by_one, atol=1e-5)


def test_an_empty_validation_split_is_said(parts: Parts) -> None:
    with pytest.raises(BadInput, match="validation split is empty"):
        score(TASK, np.zeros((0, 2), np.float32), parts.validation.taking([], np.arange(0)))


def test_history_survives_its_plain_form() -> None:
    history = History(losses=[{"step": 1}], best=0)
    assert History(**vars(history)) == history
