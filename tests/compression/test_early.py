"""Levels learn to answer early, and say how many texts do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.compression.exits import let_leave
from tasks.compression.leaving import cheapest, places
from tasks.compression.material import encoded
from tasks.data.dataset import read_examples
from tasks.params.prune import Prune
from tasks.prune import FINETUNED, MODELS, prune
from tasks.stage.outputs import sha256
from tasks.training.classifier import load_finetuned, load_tokenizer
from tasks.training.early import (
    NEVER,
    certainties_of,
    leaving_early,
    places_of,
    read_exits,
    with_lenses,
)
from tasks.training.first_token import reading_first
from tasks.training.plan import make_plan
from tasks.training.pooling import pooled
from tasks.training.scoring import predict
from tests.made import model_of

WANTED = Prune(
    layers=0, neurons=0.25, heads=0, max_levels=2, max_drop=100, threads=1, precision="fp32",
    device="cpu", probe=16, augment=0, early=10.0,
)  # fmt: skip


def answers(level: str) -> tuple[Any, np.ndarray]:
    """A level as it is loaded, and its logits of the validation split."""
    folder = MODELS / level
    model, tokenizer = load_finetuned(folder, "eager"), load_tokenizer(folder)
    plan = make_plan(WANTED, tokenizer.model_max_length)
    return model, predict(model, encoded("validation", tokenizer, model), plan)


def test_each_level_says_where_texts_leave_and_its_folder_does_so(finetuned: Path) -> None:
    levels = prune(WANTED)["levels"]
    truth = [int(label == "good") for label in read_examples("validation").labels]
    assert [each["name"] for each in levels] == ["level1", "level2"]
    for level in levels:
        assert {each["after"] for each in level["leaving"]} <= {1, 2}
        shares = [each["share"] for each in level["leaving"]]
        assert 0 < sum(shares) <= 1
        model, logits = answers(level["name"])
        asked = {each["after"]: each["certainty"] for each in level["leaving"] if each["share"]}
        assert certainties_of(model) == pytest.approx(asked)
        figure = float((logits.argmax(1) == truth).mean())
        assert level["figure"] == pytest.approx(figure, abs=0.02)


def test_the_finetuned_model_leaves_early_by_a_quarter_of_the_risk_and_stays_as_it_is(
    finetuned: Path,
) -> None:
    before = {path.name: sha256(path) for path in FINETUNED.iterdir()}
    leaving = prune(WANTED.model_copy(update={"early": 60.0, "max_levels": 1}))["finetuned_leaving"]
    assert {path.name: sha256(path) for path in FINETUNED.iterdir()} == before
    assert leaving
    model, tokenizer = load_finetuned(FINETUNED, "eager"), load_tokenizer(FINETUNED)
    plan = make_plan(WANTED, tokenizer.model_max_length)
    validation = encoded("validation", tokenizer, model)
    full = predict(model, validation, plan)
    assert [asdict(each) for each in read_exits(model, MODELS / "finetuned")] == leaving
    early = predict(model, validation, plan)
    otherwise = (full.argmax(1) != early.argmax(1)).sum()
    assert otherwise + 1 <= 0.15 * (len(full) + 1)
    assert np.abs(full - early).max() > 0


@pytest.mark.parametrize("early", [0.0, 0.1])
def test_where_none_may_leave_the_folder_is_a_plain_one(finetuned: Path, early: float) -> None:
    """A tenth of a percent asks for more texts than there are."""
    found = prune(WANTED.model_copy(update={"early": early, "max_levels": 1}))
    (level,) = found["levels"]
    assert level["leaving"] == []
    model, _ = answers("level1")
    assert certainties_of(model) == {}
    assert level["figure"] == level["figure_of_all"]
    assert found["finetuned_leaving"] == []
    assert read_exits(model, MODELS / "finetuned") == []


@pytest.mark.parametrize("layers", [0.0, 0.25])
def test_a_level_of_all_layers_learns_no_other_answer_by_leaving_early(
    finetuned: Path, layers: float
) -> None:
    """One of fewer layers learns to answer early while it recovers."""
    weights = []
    for early in (0.0, 20.0):
        wanted = {"early": early, "max_levels": 1, "layers": layers, "trial": 0.0}
        (level,) = prune(WANTED.model_copy(update=wanted))["levels"]
        weights.append(sha256(MODELS / "level1" / "model.safetensors"))
    assert level["leaving"]
    assert (weights[0] == weights[1]) == (layers == 0)


def asked_with_lenses(pooling: str) -> tuple[Any, np.ndarray, dict[int, np.ndarray]]:
    """Four layers with lenses at each place; its logits of three texts, of all layers and there."""
    torch.manual_seed(3)
    model: Any = reading_first(pooled(model_of("bert"), pooling)).eval()
    leaving_early(model, dict.fromkeys(places(4), NEVER))
    with_lenses(model, places_of(model))
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    ids = torch.tensor([[2, 7, 9, 3], [2, 11, 8, 6], [2, 4, 3, 5]])
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    return model, found.logits.numpy(), {at: each.numpy() for at, each in found.early.items()}


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_model_has_the_places_that_spare_most(pooling: str) -> None:
    model, full, early = asked_with_lenses(pooling)
    found = let_leave(model, full, early, 100.0)
    asked = {each.after: each.certainty for each in found}
    assert certainties_of(model) == pytest.approx(asked)
    assert {*model.lenses} == {*map(str, asked)}, "the others are gone"
    cost = 0.5 if pooling == "cls" else 1.1
    assert found == cheapest(full, early, 100.0, 4, cost)
    assert found
    assert let_leave(model, full, early, 5.0) == []
    assert certainties_of(model) == {}, "three texts are too few"
