from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.surgery import compact, cut, plain, without
from tests.made import model_of

IDS = torch.tensor([[2, 5, 7, 9, 3]])


def answer(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=IDS).logits
    return logits


def again(folder: Path) -> Any:
    """The model in a folder, as anybody loads it."""
    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_every_family_is_physically_smaller_and_loads_again(kind: str, tmp_path: Path) -> None:
    model = model_of(kind)
    family = family_of(model)
    assert family is not None
    neurons = [np.arange(0, 24, 2)] * 2
    smaller: Any = cut(model, family, [1, 3], neurons)
    smaller.save_pretrained(tmp_path)
    loaded = again(tmp_path)
    assert len(family.layers_of(loaded)) == 2
    assert family.feed_forward(family.layers_of(loaded)[0])[0].weight.shape == (12, 16)
    torch.testing.assert_close(answer(loaded), answer(smaller))
    assert len(family.layers_of(model)) == 4, "the original stays whole"


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_heads_that_are_gone_are_zeros_in_the_folder_and_nothing_in_the_model(
    kind: str, tmp_path: Path
) -> None:
    model = model_of(kind)
    family = family_of(model)
    assert family is not None
    heads = [np.array([1]), np.array([0, 1]), np.array([0])]
    smaller: Any = cut(model, family, [0, 2, 3], [np.arange(24)] * 3, heads)
    before, after = family.attention(family.layers_of(smaller)[0])
    assert [each.weight.shape for each in (*before, after)] == [(8, 16)] * 3 + [(16, 8)]
    with plain(smaller, family):
        smaller.save_pretrained(tmp_path)
        torch.testing.assert_close(answer(smaller), answer(again(tmp_path)))
    assert after.weight.shape == (16, 8), "as before"
    loaded = again(tmp_path)
    torch.testing.assert_close(answer(loaded), answer(smaller))
    compact(loaded, family)
    torch.testing.assert_close(answer(loaded), answer(smaller))
    kept = [family.attention(layer)[1].in_features // 8 for layer in family.layers_of(loaded)]
    assert kept == [1, 2, 1]


def test_a_whole_model_is_as_compact_as_it_gets_and_a_layer_keeps_a_head() -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    weights = {name: each.clone() for name, each in model.state_dict().items()}
    compact(model, family)
    assert all(torch.equal(weights[name], each) for name, each in model.state_dict().items())
    family.attention(family.layers_of(model)[1])[1].weight.data.zero_()
    expected = answer(model)
    compact(model, family)
    assert family.attention(family.layers_of(model)[1])[1].in_features == 8
    torch.testing.assert_close(answer(model), expected)


def test_the_heads_that_stay_are_those_named() -> None:
    model = model_of("bert")
    family = family_of(model)
    assert family is not None
    for layer in family.layers_of(model):
        family.attention(layer)[1].weight.data[:, :8] = 0.0  # nothing is read of the first head
    smaller = cut(model, family, range(4), [np.arange(24)] * 4, [np.array([1])] * 4)
    torch.testing.assert_close(answer(smaller), answer(model))


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
