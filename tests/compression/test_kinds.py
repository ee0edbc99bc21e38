"""Pruning asks the task what it has to know of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.compression.augmentation import augmented
from tasks.compression.distillation import Distillation, ask
from tasks.compression.families import FAMILIES, family_of
from tasks.compression.importance import Worth, layers_to_remove
from tasks.compression.surgery import cut
from tasks.finetune import finetune
from tasks.params.finetune import Finetune
from tasks.params.prune import Prune
from tasks.prune import prune
from tasks.training.batches import Encoded
from tasks.training.classifier import load_finetuned, load_tokenizer, stride_of_model
from tests.made import SIZES
from tests.training.lessons import lessons
from tests.training.made import PLAN, SMALL_STAGE, approve, make_parts

KINDS = ["regression", "entities", "multi-label", "several"]


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_layers_are_found_beside_a_head_for_tokens(kind: str) -> None:
    from transformers import AutoConfig, AutoModelForTokenClassification

    known = AutoConfig.for_model(kind).to_dict()
    config = AutoConfig.for_model(kind, **{k: v for k, v in SIZES.items() if k in known})
    model = AutoModelForTokenClassification.from_config(config)  # type: ignore[no-untyped-call]
    family = family_of(model)
    assert family is not None
    smaller: Any = cut(model, family, [1, 3], [np.arange(0, 24, 2)] * 2)
    assert len(family.layers_of(smaller)) == 2
    assert smaller(input_ids=torch.tensor([[2, 5, 3]])).logits.shape == (1, 3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_answers_as_its_teacher_has_nothing_to_learn(
    tiny_model: Path, workspace: Path, kind: str
) -> None:
    model, train, _ = make_parts(tiny_model, dropout=0.0, kind=kind)
    task, rows = lessons()[kind].task, np.array([5, 0, 17])
    lessons_of = ask(model, train, PLAN)
    objective = Distillation(lessons_of, task, temperature=2.0, hidden_weight=1.0)
    batch = train.collate(rows)
    assert float(objective(model, batch, rows).detach()) == pytest.approx(0, abs=1e-4)
    with torch.no_grad():
        model.classifier.bias += torch.arange(len(task.outputs)) * 0.5
        model.get_input_embeddings().weight.mul_(1.5)
    assert float(objective(model, batch, rows).detach()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_neurons_are_weighed(tiny_model: Path, workspace: Path, kind: str) -> None:
    model, train, _ = make_parts(tiny_model, kind=kind)
    family = family_of(model)
    assert family is not None
    removed, measured = layers_to_remove(model, family, 1, train.sample(24), PLAN)
    assert len(removed) == 1
    assert all(np.isfinite(damage.divergence) for damage in measured)
    kept = Worth.of(model, family, train.sample(24), PLAN, batch=8).best_neurons(10)
    assert [len(rows) for rows in kept] == [10] * 4


def test_altered_copies_keep_each_label_at_its_token(tiny_model: Path, workspace: Path) -> None:
    train: Encoded = make_parts(tiny_model, kind="entities").train
    special = load_tokenizer(tiny_model).all_special_ids
    known = set(zip(train.ids.tolist(), train.labels.tolist(), strict=True))
    found = augmented(train, special, 1, 10**6, seed=0)
    assert len(found) == 2 * len(train)
    assert set(zip(found.ids.tolist(), found.labels.tolist(), strict=True)) <= known


def test_a_family_that_finds_entities(workspace: Path, tiny_model: Path) -> None:
    approve(workspace, tiny_model, "entities")
    found = finetune(Finetune(**{**SMALL_STAGE, "max_length": 16, "epochs": 8}))
    assert found["metric"] == "f1"
    assert found["metrics"]["validation_f1"] > 0.9
    assert stride_of_model(load_finetuned(Path("models/finetuned"), "eager")) == 4
    wanted = Prune(
        max_levels=1, max_drop=100, epochs=2, threads=1, precision="fp32", device="cpu", probe=32
    )
    pruned = prune(wanted)
    (level,) = pruned["levels"]
    assert pruned["metrics"]["finetuned_f1"] == found["metrics"]["validation_f1"]
    assert level["figure"] > 0.8
    assert level["drop"] == pytest.approx(
        100 * (found["metrics"]["validation_f1"] - level["figure"])
    )
    config = json.loads(Path("models/pruned/level1/config.json").read_text())
    assert config["architectures"] == ["BertForTokenClassification"]
    assert config["nightshift"] == lessons()["entities"].task.describe()
