from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.compression.levels import Recovery
from tasks.stage.errors import BadInput, StageError
from tasks.training.batches import Encoded, encode
from tasks.training.checkpoints import Checkpoint
from tasks.training.classifier import cross_entropy, load_pretrained, load_tokenizer
from tasks.training.loop import History, fit, predict, score
from tasks.training.plan import Plan
from tests.made import opinions

PLAN = Plan("cpu", "gloo", "fp32", "eager", processes=1, threads=1, why=())
RECIPE = Recovery(epochs=3, batch=16, learning_rate=3e-3, seed=1, evaluations=2)


def hash_of(text: str) -> bytes:
    """Puts texts in an order that has nothing to do with what they say."""
    return hashlib.blake2b(text.encode()).digest()


@pytest.fixture
def parts(tiny_model: Path, workspace: Path) -> tuple[Any, Encoded, Encoded]:
    """A fresh model, 128 texts to train on, 64 to choose by."""
    torch.manual_seed(0)
    tokenizer = load_tokenizer(tiny_model, 32)
    rows = sorted(opinions(), key=lambda row: hash_of(row[0]))[:192]
    texts, labels = [text for text, _ in rows], [int(label == "good") for _, label in rows]
    model = load_pretrained(tiny_model, tokenizer, ["bad", "good"], "eager", 32, dropout=0.1)
    return (
        model,
        encode(tokenizer, texts[:128], labels[:128], 32),
        encode(tokenizer, texts[128:], labels[128:], 32),
    )


def weights(model: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_it_learns(parts: Any) -> None:
    model, train, validation = parts
    history = fit(model, cross_entropy, train, validation, replace(RECIPE, epochs=8), PLAN)
    assert history.losses[-1]["loss"] < 0.5 * history.losses[0]["loss"]
    assert score(predict(model, validation, PLAN), validation.labels)["accuracy"] > 0.9


def test_the_best_weights_are_kept_not_the_last(parts: Any) -> None:
    model, train, validation = parts
    history = fit(model, cross_entropy, train, validation, replace(RECIPE, epochs=4), PLAN)
    kept = score(predict(model, validation, PLAN), validation.labels)
    best = max(history.evaluations, key=lambda look: (look["accuracy"], -look["loss"]))
    assert history.evaluations[history.best] == best
    assert kept["loss"] == pytest.approx(best["loss"], rel=1e-5)


def test_a_killed_run_ends_with_the_very_weights_of_an_undisturbed_one(
    parts: Any, tmp_path: Path
) -> None:
    model, train, validation = parts
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    undisturbed = fit(model, cross_entropy, train, validation, RECIPE, PLAN)
    expected = weights(model)

    steps = 0

    def dies_in_the_second_epoch(*arguments: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 14:
            raise KeyboardInterrupt
        return cross_entropy(*arguments)

    model.load_state_dict(start)
    checkpoint = Checkpoint(tmp_path / "state.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(model, dies_in_the_second_epoch, train, validation, RECIPE, PLAN, checkpoint)
    model.load_state_dict(start)
    resumed = fit(model, cross_entropy, train, validation, RECIPE, PLAN, checkpoint)
    assert resumed.resumed_at == 12
    assert torch.equal(weights(model), expected)
    assert resumed.losses == undisturbed.losses
    assert resumed.evaluations == undisturbed.evaluations


def test_it_stops_early_when_nothing_gets_better(parts: Any) -> None:
    model, train, validation = parts
    stuck = replace(RECIPE, learning_rate=1e-12, epochs=20, patience=3)
    history = fit(model, cross_entropy, train, validation, stuck, PLAN)
    assert history.stopped_early
    assert len(history.evaluations) == history.best + 1 + 3


def test_a_loss_that_is_not_a_number_stops_it(parts: Any) -> None:
    model, train, validation = parts

    def broken(*arguments: Any) -> torch.Tensor:
        return cross_entropy(*arguments) * float("nan")

    with pytest.raises(StageError, match="the loss is nan around step 10: lower the learning rate"):
        fit(model, broken, train, validation, RECIPE, PLAN)


def test_predictions_come_in_the_order_of_the_texts(parts: Any) -> None:
    model, _, validation = parts
    one_by_one = np.concatenate(
        [predict(model, validation, PLAN, batch=1)[i : i + 1] for i in range(len(validation))]
    )
    np.testing.assert_allclose(predict(model, validation, PLAN, batch=7), one_by_one, atol=1e-5)


def test_an_empty_validation_split_is_said() -> None:
    with pytest.raises(BadInput, match="validation split is empty"):
        score(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))


def test_history_survives_its_plain_form() -> None:
    history = History(losses=[{"step": 1}], best=0)
    assert History(**vars(history)) == history
