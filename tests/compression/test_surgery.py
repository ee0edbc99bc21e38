from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.surgery import cut, without
from tests.made import model_of

IDS = torch.tensor([[2, 5, 7, 9, 3]])


def answer(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=IDS).logits
    return logits


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_every_family_is_physically_smaller_and_loads_again(kind: str, tmp_path: Path) -> None:
    model = model_of(kind)
    family = family_of(model)
    assert family is not None
    neurons = [np.arange(0, 24, 2)] * 2
    smaller: Any = cut(model, family, [1, 3], neurons)
    smaller.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert len(family.layers_of(again)) == 2
    assert family.feed_forward(family.layers_of(again)[0])[0].weight.shape == (12, 16)
    torch.testing.assert_close(answer(again), answer(smaller))
    assert len(family.layers_of(model)) == 4, "the original stays whole"


def test_neurons_that_do_nothing_can_go_without_a_trace() -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    dead = [3, 11]
    for layer in family.layers_of(model):
        down = family.feed_forward(layer)[1]
        down.weight.data[:, dead] = 0.0
    alive = np.array([i for i in range(24) if i not in dead])
    smaller = cut(model, family, range(4), [alive] * 4)
    torch.testing.assert_close(answer(smaller), answer(model))


def test_skipping_a_layer_is_the_same_as_cutting_it() -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    with without(model, family, [2]):
        skipped = answer(model)
    everything = [np.arange(24)] * 3
    torch.testing.assert_close(answer(cut(model, family, [0, 1, 3], everything)), skipped)
    assert len(family.layers_of(model)) == 4


def test_a_family_nobody_knows_is_none() -> None:
    assert family_of(model_of("albert")) is None
