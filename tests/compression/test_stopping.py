"""A level of which too much is to be expected is the last, and is not kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.compression.material import encoded
from tasks.finetune import finetune
from tasks.measuring.expected import expected_drop
from tasks.params.finetune import Finetune
from tasks.params.prune import Prune
from tasks.prune import FINETUNED, MODELS, prune
from tasks.task.figures import softmax
from tasks.training.classifier import load_finetuned, load_tokenizer
from tasks.training.plan import make_plan
from tasks.training.scoring import predict
from tests.training.made import SMALL_STAGE, approve

HARMFUL = Prune(
    layers=0.25, neurons=0, heads=0, max_levels=2, max_drop=100, threads=1, early=0,
    precision="fp32", device="cpu", probe=16, augment=0, learning_rate=1.0, trial=0,
)  # fmt: skip
"""What it recovers with unlearns everything."""


def probabilities(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Of the validation split by a model, and the numbers of its true classes."""
    model, tokenizer = load_finetuned(folder, "eager"), load_tokenizer(folder)
    validation = encoded("validation", tokenizer, model)
    plan = make_plan(HARMFUL, tokenizer.model_max_length)
    return softmax(predict(model, validation, plan)), validation.labels


def test_levels_go_on_until_too_much_is_to_be_expected_of_one(
    tiny_model: Path, workspace: Path
) -> None:
    approve(workspace, tiny_model)
    finetune(Finetune(**{**SMALL_STAGE, "epochs": 8}))
    first, second = prune(HARMFUL)["levels"]
    assert first["kept"]
    assert second["kept"]
    told, truth = probabilities(MODELS / "level1")
    meant, _ = probabilities(FINETUNED)
    assert first["expected_drop"] > 10
    assert first["expected_drop"] == pytest.approx(expected_drop(truth, told, meant), abs=1e-6)
    assert first["expected_drop"] != first["drop"], "told by probabilities, not counted"

    limit = first["expected_drop"] - 1
    found = prune(HARMFUL.model_copy(update={"max_drop": limit}))
    assert [level["kept"] for level in found["levels"]] == [False]
    assert found["metrics"]["levels"] == 0
    assert json.loads((MODELS / "family.json").read_text()) == {"levels": []}
    assert {path.name for path in MODELS.iterdir()} == {"family.json", "finetuned"}
