from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.stage.errors import StageError
from tasks.training.batches import epoch_batches
from tasks.training.loop import fit
from tasks.training.methods import make_optimizer
from tasks.training.plan import Plan
from tasks.training.steps import Objective, Stepper
from tests.training.made import PLAN, RECIPE, Parts, cross_entropy, make_parts, weights

FP16 = replace(PLAN, precision="fp16")
PLANS = [PLAN, FP16, replace(PLAN, precision="bf16")]


def stepper_of(parts: Parts, plan: Plan, objective: Objective = cross_entropy) -> Stepper:
    return Stepper(parts.model, objective, make_optimizer(parts.model, RECIPE), 1.0, plan)


def infinite_from(step: int, until: int = 1_000_000) -> Objective:
    """Cross-entropy whose gradient is infinite from a call to another, counted from 1."""
    calls = 0

    def objective(model: Any, batch: Any, rows: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        loss = cross_entropy(model, batch, rows)
        return loss * float("inf") if step <= calls < until else loss

    return objective


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.precision)
def test_every_precision_learns(parts: Parts, plan: Plan) -> None:
    recipe = replace(RECIPE, epochs=8, evaluations=1)
    history = fit(parts.model, cross_entropy, parts.train, parts.validation, recipe, plan)
    assert history.losses[-1]["loss"] < 0.5 * history.losses[0]["loss"]
    assert history.skipped == []


def test_an_infinity_skips_the_step_and_halves_the_scale(parts: Parts) -> None:
    stepper = stepper_of(parts, FP16, infinite_from(2, until=3))
    batch = np.arange(16)
    stepper.take(parts.train, batch, rate=1.0)
    before, scale = weights(parts.model), stepper.scaler.get_scale()
    assert stepper.take(parts.train, batch, rate=1.0) == float("inf")
    assert torch.equal(weights(parts.model), before)
    assert stepper.scaler.get_scale() == scale / 2
    assert stepper.bad_in_a_row == 1
    stepper.take(parts.train, batch, rate=1.0)
    assert not torch.equal(weights(parts.model), before)
    assert stepper.bad_in_a_row == 0


def test_a_gradient_that_overflows_in_fp16_finds_a_scale_by_itself(parts: Parts) -> None:
    """The loss is finite; its gradient times 2^16 is more than fp16 holds."""
    steep = stepper_of(parts, FP16, lambda *arguments: 1000 * cross_entropy(*arguments))
    before = weights(parts.model)
    while torch.equal(weights(parts.model), before):
        assert np.isfinite(steep.take(parts.train, np.arange(16), rate=1.0))
        assert not steep.too_many()
    assert steep.scaler.get_scale() < 2**16


@pytest.mark.parametrize("plan", [PLAN, FP16], ids=lambda plan: plan.precision)
def test_one_bad_step_does_not_stop_a_run(parts: Parts, plan: Plan) -> None:
    recipe, objective = replace(RECIPE, epochs=2, evaluations=1), infinite_from(5, until=6)
    history = fit(parts.model, objective, parts.train, parts.validation, recipe, plan)
    assert [bad["step"] for bad in history.skipped] == [5]
    assert np.isfinite(history.losses[0]["loss"]), "a step that was skipped counts in no mean"
    assert len(history.evaluations) == 2


@pytest.mark.parametrize(("plan", "patience"), [(PLAN, 5), (FP16, 20)], ids=["fp32", "fp16"])
def test_bad_steps_in_a_row_stop_the_run_with_step_and_batch(
    parts: Parts, plan: Plan, patience: int
) -> None:
    recipe = replace(RECIPE, epochs=9)
    names = [f"review-{row}" for row in range(128)]
    with pytest.raises(StageError) as caught:
        fit(
            parts.model, infinite_from(4), parts.train, parts.validation, recipe, plan, names=names
        )  # fmt: skip
    last = 4 + patience - 1
    message = str(caught.value)
    assert f"not finite {patience} steps in a row, last at step {last}" in message
    assert ("at a loss scale of 0.0625" in message) is (plan is FP16)
    batch = epoch_batches(parts.train.lengths, 16, 1, (last - 1) // 8)[(last - 1) % 8]
    assert f"rows {', '.join(names[row] for row in batch[:8])} and 8 more: lower" in message


def test_a_short_run_that_learnt_nothing_is_not_taken_for_one_that_did(parts: Parts) -> None:
    recipe = replace(RECIPE, epochs=1, batch=64, evaluations=1)
    with pytest.raises(StageError, match="2 steps in a row"):
        fit(parts.model, infinite_from(1), parts.train, parts.validation, recipe, PLAN)


@pytest.mark.parametrize("micro_batch", [1, 5])
def test_the_weights_are_those_of_the_whole_batch_however_it_is_taken(
    tiny_model: Path, workspace: Path, micro_batch: int
) -> None:
    whole, parts = (make_parts(tiny_model, dropout=0.0) for _ in range(2))
    in_parts, recipe = replace(PLAN, micro_batch=micro_batch), replace(RECIPE, epochs=2)
    one = fit(whole.model, cross_entropy, whole.train, whole.validation, recipe, PLAN)
    two = fit(parts.model, cross_entropy, parts.train, parts.validation, recipe, in_parts)
    torch.testing.assert_close(weights(parts.model), weights(whole.model), atol=1e-4, rtol=1e-3)
    assert [row["loss"] for row in two.losses] == pytest.approx(
        [row["loss"] for row in one.losses], rel=1e-4
    )


def test_a_micro_batch_is_all_that_the_model_sees_at_once(parts: Parts) -> None:
    seen: list[int] = []

    def objective(model: Any, batch: Any, rows: Any) -> torch.Tensor:
        seen.append(len(rows))
        return cross_entropy(model, batch, rows)

    stepper_of(parts, replace(PLAN, micro_batch=6), objective).take(parts.train, np.arange(16), 1.0)
    assert seen == [6, 6, 4]


def test_computing_activations_again_changes_nothing(tiny_model: Path, workspace: Path) -> None:
    """Dropout included: the second pass draws what the first one drew."""
    kept, again = (make_parts(tiny_model) for _ in range(2))
    saving, recipe = replace(PLAN, gradient_checkpointing=True), replace(RECIPE, epochs=2)
    fit(kept.model, cross_entropy, kept.train, kept.validation, recipe, PLAN)
    history = fit(again.model, cross_entropy, again.train, again.validation, recipe, saving)
    assert torch.equal(weights(again.model), weights(kept.model))
    assert history.losses
