from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.compression.families import family_of
from tasks.compression.importance import Worth, layers_to_remove
from tasks.compression.levels import PROBE_TOKENS, probe_of
from tasks.task.classification import Classification
from tasks.training.batches import Encoded, join
from tasks.training.plan import Plan
from tasks.training.scoring import divergence
from tests.made import model_of

PLAN = Plan("cpu", "gloo", "fp32", "eager", processes=1, threads=1, why=())


@pytest.fixture
def probe() -> Encoded:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 9, 40)
    return Encoded(
        ids=random.integers(5, 50, lengths.sum()).astype(np.int32),
        types=None,
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=random.integers(0, 2, 40),
        pad=0,
    )


def silence(layer: Any) -> None:
    """Make a layer pass on what it gets (up to its normalisations)."""
    layer.attention.output.dense.weight.data.zero_()
    layer.attention.output.dense.bias.data.zero_()
    layer.output.dense.weight.data.zero_()
    layer.output.dense.bias.data.zero_()


def test_the_layer_that_does_nothing_goes_first(probe: Encoded) -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    for matrix in (p for p in model.parameters() if p.ndim > 1):
        matrix.data.mul_(20)  # random weights as small as they are made leave no trace either
    silence(family.layers_of(model)[2])
    removed, measured = layers_to_remove(model, family, 1, probe, PLAN)
    assert removed == [2]
    assert len(measured) == 4
    damage = {found.removed: found.divergence for found in measured}
    assert damage[(2,)] < 1e-6 < min(d for layers, d in damage.items() if layers != (2,))


def test_the_second_choice_is_measured_together_with_the_first(probe: Encoded) -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    removed, measured = layers_to_remove(model, family, 2, probe, PLAN)
    assert len(removed) == 2
    assert [len(found.removed) for found in measured] == [1] * 4 + [2] * 3


def test_neurons_without_effect_are_worth_nothing(probe: Encoded) -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    for layer in family.layers_of(model):
        family.feed_forward(layer)[1].weight.data[:, :6] = 0.0
    kept = Worth.of(model, family, probe, PLAN, batch=16).best_neurons(18)
    assert [rows.tolist() for rows in kept] == [list(range(6, 24))] * 4


def test_heads_without_effect_are_worth_nothing_and_each_layer_keeps_one(probe: Encoded) -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    for layer, size in zip(family.layers_of(model), (8, 16, 0, 0), strict=True):
        family.attention(layer)[1].weight.data[:, :size] = 0.0
    worth = Worth.of(model, family, probe, PLAN, batch=16)
    kept = worth.best_heads([0, 1, 3], 4)
    assert [len(rows) for rows in kept] == [1, 1, 2], "the second layer's are worth nothing"
    assert kept[0].tolist() == [1]
    assert [len(rows) for rows in worth.best_heads([2, 3], 1)] == [1, 1]


def test_fewer_long_texts_are_measured_on_but_never_none(probe: Encoded) -> None:
    assert len(probe_of(probe, 7)) == 7
    assert len(probe_of(probe, 99)) == len(probe)
    often = PROBE_TOKENS // len(probe.ids) * 2
    many = join([probe] * often)
    assert len(many) // 3 < len(probe_of(many, len(many))) < 2 * len(many) // 3
    offsets = np.array([0, 2 * PROBE_TOKENS])
    long = Encoded(np.full(2 * PROBE_TOKENS, 7, np.int32), None, offsets, probe.labels[:1], 0)
    assert len(probe_of(long, 5)) == 1


def test_divergence_is_zero_for_equal_and_known_for_simple_logits(probe: Encoded) -> None:
    task, two = Classification(("bad", "good")), probe.sample(2)
    logits = np.array([[0.0, 1.0], [2.0, -1.0]], np.float32)
    assert divergence(task, logits, logits, two) == pytest.approx(0, abs=1e-7)
    even, sure = np.zeros((2, 2), np.float32), np.array([[np.log(3), 0]] * 2, np.float32)
    expected = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    assert divergence(task, even, sure, two) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(divergence(task, sure, even, two))
