"""Models that answer sure texts before their last layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.surgery import without
from tasks.training.classifier import load_finetuned
from tasks.training.early import (
    FILE,
    NEVER,
    Leaving,
    as_plain,
    at_the_edge,
    certainties_of,
    going_through,
    leaving_early,
    places_of,
    read_exits,
    with_lenses,
    write_exits,
)
from tasks.training.first_token import reading_first
from tasks.training.pooling import pooled
from tests.made import model_of

ALWAYS = -1.0
"""Every probability is above it."""
IDS = torch.tensor([[2, 7, 9, 3, 1, 1], [2, 11, 8, 6, 5, 3], [2, 4, 3, 1, 1, 1]])
MASK = (IDS != 1).long()
GIVEN = {"input_ids": IDS, "attention_mask": MASK}


def made(kind: str, pooling: str = "cls") -> Any:
    """Four layers that differ, with a head whose answers differ."""
    torch.manual_seed(3)
    model = pooled(model_of(kind), pooling)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return reading_first(model).eval()


def taught(model: Any) -> Any:
    """With lenses that change something."""
    torch.manual_seed(7)
    with_lenses(model, places_of(model))
    for parameter in model.lenses.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_an_early_answer_is_that_of_the_last_layer_after_the_first(kind: str, pooling: str) -> None:
    model = made(kind, pooling)
    family = family_of(model)
    assert family is not None
    with torch.no_grad():
        full = model(**GIVEN).logits
        with without(model, family, [1, 2]):
            after_one = model(**GIVEN).logits
        with without(model, family, [2]):
            after_two = model(**GIVEN).logits
        leaving_early(model, {1: NEVER, 2: NEVER})
        found = model(**GIVEN)
        torch.testing.assert_close(found.logits, full)
        torch.testing.assert_close(found.early, {1: after_one, 2: after_two})
        leaving_early(model, {1: NEVER, 2: ALWAYS})
        torch.testing.assert_close(model(**GIVEN).logits, after_two)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_last_layer_sees_the_state_through_its_lens(kind: str) -> None:
    model = taught(leaving_early(made(kind), {1: NEVER}))
    family = family_of(model)
    assert family is not None
    lens = model.lenses["1"]
    with torch.no_grad():
        full, early = model(**GIVEN).logits, model(**GIVEN).early[1]
        plain = going_through(model)
        torch.testing.assert_close(plain(**GIVEN).logits, full)
        with without(plain, family, [1, 2]):
            last = family.layers_of(plain)[-1]
            hook = last.register_forward_pre_hook(
                lambda _module, given: (
                    given[0] + given[0] @ lens.change.weight.T + lens.change.bias,
                    *given[1:],
                )
            )
            torch.testing.assert_close(plain(**GIVEN).logits, early)
            hook.remove()
            assert (plain(**GIVEN).logits - early).abs().max() > 0.01


def test_a_lens_that_has_not_been_taught_changes_nothing() -> None:
    model: Any = leaving_early(made("bert"), {1: NEVER})
    with torch.no_grad():
        before = model(**GIVEN).early[1]
        with_lenses(model, [1])
        torch.testing.assert_close(model(**GIVEN).early[1], before)


def test_each_text_leaves_where_it_is_sure() -> None:
    model: Any = leaving_early(made("bert"), {1: ALWAYS})
    with torch.no_grad():
        early = model(**GIVEN).logits
        sure = early.softmax(-1).amax(-1)
        full = going_through(model)(**GIVEN).logits
        between = float(sure.sort().values[1:].mean())
        leaving_early(model, {1: between})
        found = model(**GIVEN).logits
    leaves = sure > between
    assert leaves.tolist().count(True) in (1, 2)
    torch.testing.assert_close(found, torch.where(leaves[:, None], early, full))


def test_training_sees_every_answer_and_all_layers_learn_of_them() -> None:
    model: Any = leaving_early(made("bert"), {1: ALWAYS, 2: ALWAYS}).train()
    found = model(**GIVEN)
    assert list(found.early) == [1, 2]
    found.early[1].square().sum().backward()
    moved = {
        name.split(".")[3]
        for name, each in model.named_parameters()
        if each.grad is not None and each.grad.abs().sum() > 0 and "layer." in name
    }
    assert moved == {"0", "3"}, "the first layer, and the last one that answers"


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_a_saved_one_leaves_early_here_and_is_plain_to_everybody_else(
    kind: str, tmp_path: Path
) -> None:
    model = taught(leaving_early(made(kind), {1: 0.5, 2: 0.75}))
    lenses, leaving = model.lenses, [Leaving(1, 0.5, 0.1), Leaving(2, 0.75, 0.3)]
    with as_plain(model):
        model.save_pretrained(tmp_path)
        assert not hasattr(model, "lenses")
    assert model.lenses is lenses
    write_exits(model, leaving, tmp_path)
    loaded: Any = load_finetuned(tmp_path, "eager").eval()
    assert certainties_of(loaded) == {1: 0.5, 2: 0.75}
    plain, told = AutoModelForSequenceClassification.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(told.values()), "nothing missing, nothing unexpected"
    plain = plain.eval()
    assert read_exits(plain, tmp_path) == leaving
    going_through(plain)
    with torch.no_grad():
        torch.testing.assert_close(loaded(**GIVEN).logits, model(**GIVEN).logits)
        full = going_through(loaded)(**GIVEN).logits
        torch.testing.assert_close(plain(**GIVEN).logits, full)
    assert certainties_of(loaded) == {}
    (tmp_path / FILE).unlink()
    assert certainties_of(load_finetuned(tmp_path, "eager")) == {}


def test_where_none_leave_there_is_nothing_to_read(tmp_path: Path) -> None:
    model = made("bert")
    write_exits(model, [], tmp_path)
    assert read_exits(model, tmp_path) == []
    assert certainties_of(model) == {}


def told(model: Any) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """The logits of `GIVEN` after all layers, and at each place."""
    with torch.no_grad():
        found = model(**GIVEN)
    return found.logits.numpy(), {place: each.numpy() for place, each in found.early.items()}


def test_texts_that_rounding_decides_on_are_named() -> None:
    model: Any = leaving_early(made("bert"), {1: ALWAYS})
    with torch.no_grad():
        sure = model(**GIVEN).logits.softmax(-1).amax(-1)
    leaving_early(model, {1: float(sure[1]) + 2e-5})
    _, early = told(model)
    assert at_the_edge(model, early).tolist() == [False, True, False]
    assert certainties_of(model) == {1: pytest.approx(float(sure[1]) + 2e-5)}
