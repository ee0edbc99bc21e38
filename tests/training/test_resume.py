"""A run that was killed ends with the very weights of one that was not, whatever its methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.params.finetune import Adapter
from tasks.training.adapters import adapted, taught
from tasks.training.adversarial import Adversary
from tasks.training.checkpoints import Checkpoint
from tasks.training.history import History
from tasks.training.loop import fit
from tasks.training.methods import Methods
from tasks.training.parts import freeze
from tasks.training.plan import Plan
from tasks.training.steps import Objective
from tests.training.made import (
    PLAN,
    RECIPE,
    Parts,
    cross_entropy,
    make_parts,
    sound_until,
    weights,
)

RECIPE_OF_TWO = replace(RECIPE, epochs=2)
STEPS = 16
DIES_AT = 11
SAVED_AT = 8


@dataclass(frozen=True)
class Way:
    """A way to train, and how often it asks for the loss in a step of 16 examples."""

    name: str
    plan: Plan = PLAN
    methods: Methods = field(default_factory=Methods)
    passes: int = 1
    adapter: Adapter | None = None
    frozen: int = 0
    bad_step: int = 0
    """A step before the checkpoint whose loss is infinite."""


WAYS = [
    Way("plain"),
    Way("bf16", replace(PLAN, precision="bf16")),
    Way("fp16 after a bad step", replace(PLAN, precision="fp16"), bad_step=3),
    Way("micro-batches", replace(PLAN, micro_batch=5), passes=4),
    Way("activations computed again", replace(PLAN, gradient_checkpointing=True)),
    Way("layer decay, frozen layers", methods=Methods(layer_decay=0.8), frozen=1),
    Way("moving average", methods=Methods(ema=0.9)),
    Way("fgm", methods=Methods(adversary=Adversary(1.0)), passes=2),
    Way("pgd", methods=Methods(adversary=Adversary(1.0, steps=3)), passes=4),
    Way("lora", adapter=Adapter(method="lora")),
    Way(
        "adalora and a moving average", methods=Methods(ema=0.9), adapter=Adapter(method="adalora")
    ),
]


def run(
    tiny_model: Path,
    way: Way,
    around: Callable[[Objective], Objective],
    checkpoint: Checkpoint | None,
) -> tuple[torch.Tensor, History]:
    """One run from a fresh model, as a process that starts makes it."""
    model, train, validation = make_parts(tiny_model)
    objective: Objective = cross_entropy
    companion = None
    if way.adapter is not None:
        model = adapted(model, way.adapter, STEPS)
        objective, companion = taught(model, way.adapter, objective)
    freeze(model, embeddings=way.frozen > 0, layers=way.frozen)
    methods = replace(way.methods, companion=companion)
    history = fit(
        model, around(objective), train, validation, RECIPE_OF_TWO, way.plan, checkpoint,
        methods=methods,
    )  # fmt: skip
    return weights(model), history


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_killed_run_ends_with_the_very_weights_of_an_undisturbed_one(
    tiny_model: Path, workspace: Path, way: Way
) -> None:
    forever = partial(sound_until, 0, way.bad_step)
    dies = partial(sound_until, DIES_AT * way.passes, way.bad_step)
    checkpoint = Checkpoint(workspace / "state.pt")
    expected, undisturbed = run(tiny_model, way, forever, None)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, way, dies, checkpoint)
    found, resumed = run(tiny_model, way, lambda objective: objective, checkpoint)
    assert resumed.resumed_at == SAVED_AT
    assert torch.equal(found, expected)
    assert resumed.losses == undisturbed.losses
    assert resumed.evaluations == undisturbed.evaluations
    assert [bad["step"] for bad in resumed.skipped] == [way.bad_step] * (way.bad_step > 0)


@pytest.mark.parametrize(
    ("began", "goes_on"), [("fp32", "bf16"), ("bf16", "fp32"), ("fp32", "fp16"), ("fp16", "bf16")]
)
def test_another_machine_may_go_on_in_a_precision_of_its_own(
    tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str], began: str, goes_on: str
) -> None:
    first, second = (Way(name, replace(PLAN, precision=name)) for name in (began, goes_on))

    dies = partial(sound_until, DIES_AT, 0)
    checkpoint = Checkpoint(workspace / "state.pt")
    expected, undisturbed = run(tiny_model, first, lambda objective: objective, None)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, first, dies, checkpoint)
    found, resumed = run(tiny_model, second, lambda objective: objective, checkpoint)
    assert resumed.resumed_at == SAVED_AT
    assert (
        f"step {SAVED_AT} of {STEPS}, in {goes_on} what began in {began}" in capsys.readouterr().out
    )
    assert not resumed.skipped
    begun, ended = ([row["loss"] for row in history.losses] for history in (undisturbed, resumed))
    assert ended == pytest.approx(begun, rel=0.01)
    start = weights(make_parts(tiny_model)[0])
    assert (found - expected).norm() < 0.2 * (expected - start).norm()
    assert not torch.equal(found, expected)


def test_the_average_is_what_is_kept(parts: Parts) -> None:
    """With a decay of nearly 1 and few steps, the average lags behind the last weights."""
    model, train, validation = parts
    last: list[torch.Tensor] = []

    def watched(*arguments: Any) -> torch.Tensor:
        last.append(weights(model))
        return cross_entropy(*arguments)

    recipe = replace(RECIPE, epochs=1, evaluations=1)
    fit(model, watched, train, validation, recipe, PLAN, methods=Methods(ema=0.99))
    kept, start, end = weights(model), last[0], last[-1]
    assert 0 < (kept - end).norm() < (start - end).norm()


def test_lower_layers_learn_more_slowly(tiny_model: Path, workspace: Path) -> None:
    def moved(methods: Methods) -> list[float]:
        before, after = (make_parts(tiny_model, dropout=0.0) for _ in range(2))
        recipe = replace(RECIPE, epochs=1, evaluations=1)
        fit(
            after.model, cross_entropy, after.train, after.validation, recipe, PLAN,
            methods=methods,
        )  # fmt: skip
        layers = [m.bert.encoder.layer for m in (before.model, after.model)]
        return [
            float((weights(new) - weights(old)).norm()) for old, new in zip(*layers, strict=True)
        ]

    even, decayed = moved(Methods()), moved(Methods(layer_decay=0.5))
    shares = [slow / fast for slow, fast in zip(decayed, even, strict=True)]
    assert shares == sorted(shares)
    assert shares[0] < 0.2
    assert shares[-1] > 0.3
