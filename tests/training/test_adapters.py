from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.stage.errors import BadInput
from tasks.training.adapters import Orthogonal, RankAllocation, adapted, merged, taught
from tasks.training.classifier import load_finetuned
from tasks.training.loop import fit
from tasks.training.methods import Methods
from tasks.training.parts import trained_share
from tasks.training.scoring import predict, score
from tests.made import model_of
from tests.training.made import PLAN, RECIPE, TASK, Parts, cross_entropy, make_parts

METHODS = ["lora", "adalora", "ia3"]


@dataclass(frozen=True)
class How:
    method: str
    rank: int = 4
    alpha: int = 16
    targets: list[str] | None = None
    tokens: int = 16


@pytest.fixture(scope="module")
def experienced(tiny_model: Path) -> dict[str, torch.Tensor]:
    """The weights of an encoder that knows the words: adapters have nothing to gain from noise."""
    parts, recipe = make_parts(tiny_model), replace(RECIPE, epochs=8, evaluations=1)
    fit(parts.model, cross_entropy, parts.train, parts.validation, recipe, PLAN)
    return {k: v for k, v in parts.model.state_dict().items() if not k.startswith("classifier")}


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_and_merges_into_the_very_modules_of_the_full_model(
    tiny_model: Path, experienced: dict[str, torch.Tensor], tmp_path: Path, method: str
) -> None:
    full, (base, train, validation) = make_parts(tiny_model).model, make_parts(tiny_model)
    base.load_state_dict(experienced, strict=False)
    recipe, how = replace(RECIPE, epochs=2, learning_rate=1e-2), How(method)
    model = adapted(base, how, steps=16)
    objective, companion = taught(model, how, cross_entropy)
    methods = Methods(companion=companion)
    fit(model, objective, train, validation, recipe, PLAN, methods=methods)
    answers = predict(model, validation, PLAN)
    assert score(TASK, answers, validation)["figure"] > 0.9

    plain: Any = merged(model)
    assert shapes(plain) == shapes(full)
    changed = {
        k for k, v in plain.state_dict().items() if not torch.equal(v, experienced.get(k, v))
    }
    assert any("value" in name for name in changed), "the adapters learnt, not the head alone"
    assert not any("embeddings" in name for name in changed)
    plain.save_pretrained(tmp_path / "merged")
    full.save_pretrained(tmp_path / "full")
    loaded = load_finetuned(tmp_path / "merged", "eager")
    torch.testing.assert_close(predict(loaded, validation, PLAN), answers, atol=1e-4, rtol=1e-3)
    merged_files, full_files = (
        {path.name for path in (tmp_path / kind).iterdir()} for kind in ("merged", "full")
    )
    assert merged_files == full_files
    configs = [(tmp_path / kind / "config.json").read_text() for kind in ("merged", "full")]
    assert configs[0] == configs[1]


def shapes(model: Any) -> dict[str, Any]:
    """Every module by its type, every tensor by its shape."""
    modules = {name: type(module).__name__ for name, module in model.named_modules()}
    return {**modules, **{name: tensor.shape for name, tensor in model.state_dict().items()}}


@pytest.mark.parametrize("method", METHODS)
def test_less_than_three_percent_of_a_real_models_parameters_are_trained(method: str) -> None:
    """In the shape of MiniLM-L6, vocabulary and all."""
    from transformers import AutoModelForSequenceClassification, BertConfig

    shape = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    with torch.device("meta"):
        model: Any = AutoModelForSequenceClassification.from_config(shape)  # type: ignore[no-untyped-call]
        share = trained_share(adapted(model, How(method, rank=8), steps=100))
    assert 0 < share < 0.03


@pytest.mark.parametrize("targets", [None, ["query", "dense"]])
def test_what_comes_after_the_layers_is_trained_too(
    parts: Parts, targets: list[str] | None
) -> None:
    pooler = parts.model.bert.pooler.dense.weight
    model = adapted(parts.model, How("lora", targets=targets), steps=1)
    moving = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any("classifier.weight" in name for name in moving)
    assert pooler.requires_grad
    assert not any("embeddings" in name for name in moving)


def test_a_target_that_no_module_has_is_said_with_the_names_there_are(parts: Parts) -> None:
    with pytest.raises(BadInput) as caught:
        adapted(parts.model, How("lora", targets=["query", "q_proj"]), steps=1)
    message = str(caught.value)
    assert "finetune.adapter.targets: got 'q_proj', which no module" in message
    assert "there are classifier, dense, key, query, value" in message
    assert "\n" not in message


def test_targets_may_be_told_by_the_end_of_their_path(parts: Parts) -> None:
    model = adapted(parts.model, How("lora", targets=["attention.output.dense"]), steps=1)
    on = {name.split(".lora_")[0] for name, _ in model.named_parameters() if ".lora_" in name}
    assert len(on) == 4
    assert all(name.endswith("attention.output.dense") for name in on)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["roberta", "deberta-v2", "llama", "gpt2"])
def test_other_families_come_out_as_they_went_in(kind: str, method: str) -> None:
    plain = shapes(model_of(kind))
    assert shapes(merged(adapted(model_of(kind), How(method), steps=10))) == plain


def test_a_model_without_default_targets_asks_for_them() -> None:
    with pytest.raises(BadInput, match="for distilbert models peft has no default: name some of"):
        adapted(model_of("distilbert"), How("lora"), steps=1)
    named = How("lora", targets=["q_lin", "v_lin"])
    assert 0 < trained_share(adapted(model_of("distilbert"), named, steps=1)) < 1


def test_adalora_takes_ranks_away_until_the_average_is_what_was_asked_for(parts: Parts) -> None:
    steps = 40
    model: Any = adapted(parts.model, How("adalora", rank=4), steps)
    allocation, objective = RankAllocation(model), Orthogonal(cross_entropy, model)

    def ranks() -> list[int]:
        return [
            int((p.detach() != 0).sum()) for n, p in model.named_parameters() if ".lora_E." in n
        ]

    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for step in range(steps):
        rows = np.arange(16) + (step % 8) * 16
        objective(model, parts.train.collate(rows), rows).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        allocation.after_step()
        optimizer.zero_grad()
    assert len(ranks()) == 8
    assert sum(ranks()) == 8 * 4
    assert max(ranks()) <= 6


def test_the_penalty_is_for_vectors_that_are_not_orthogonal(parts: Parts) -> None:
    model: Any = adapted(parts.model, How("adalora"), steps=10)
    rows = np.arange(8)
    batch = parts.train.collate(rows)
    model.eval()
    plain = cross_entropy(model, batch, rows)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                torch.nn.init.orthogonal_(p)
        assert Orthogonal(cross_entropy, model)(model, batch, rows) - cross_entropy(
            model, batch, rows
        ) == pytest.approx(0, abs=1e-3)
        for name, p in model.named_parameters():
            if "lora_A" in name:
                p.mul_(2)
        assert Orthogonal(cross_entropy, model)(model, batch, rows) > plain + 1
