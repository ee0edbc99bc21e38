from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tasks.stage.errors import BadInput
from tasks.training.parts import depths, embedding_of, freeze, head_of, layers_of
from tests.made import model_of

FAMILIES = ["bert", "roberta", "electra", "distilbert", "deberta-v2", "gpt2", "llama"]
HEADS = {
    "bert": ["bert.pooler.dense.weight", "classifier.weight"],
    "distilbert": ["pre_classifier.weight", "classifier.weight"],
    "llama": ["model.norm.weight", "score.weight"],
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_parameter_lies_in_the_embeddings_a_layer_or_after_them(kind: str) -> None:
    model = model_of(kind)
    found = depths(model)
    assert set(found) == {name for name, _ in model.named_parameters()}
    assert sorted(set(found.values())) == list(range(len(layers_of(model)) + 2))
    embeddings = [name for name, depth in found.items() if depth == 0]
    assert all("emb" in name or "wte" in name or "wpe" in name for name in embeddings)
    assert (
        found[next(n for n, p in model.named_parameters() if p is embedding_of(model).weight)] == 0
    )


@pytest.mark.parametrize(("kind", "names"), HEADS.items())
def test_what_a_task_adds_comes_after_the_layers(kind: str, names: list[str]) -> None:
    assert set(names) <= set(head_of(model_of(kind)))


def test_heads_that_stand_before_the_encoder_are_heads() -> None:
    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleDict({"mood": nn.Linear(16, 2), "topic": nn.Linear(16, 5)})
            self.encoder = model_of("bert").bert

    heads = head_of(Several())
    assert {"heads.mood.weight", "heads.topic.bias"} <= set(heads)
    assert not any("embeddings" in name for name in heads)


def test_layers_that_share_their_weights_are_one() -> None:
    model = model_of("albert")
    assert len(layers_of(model)) == 1
    assert max(depths(model).values()) == 2


def test_freezing_leaves_the_rest_to_train() -> None:
    model = model_of("bert")
    freeze(model, embeddings=True, layers=2)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, depth in depths(model).items() if depth in (0, 1, 2)}


def test_more_layers_than_there_are_is_said() -> None:
    with pytest.raises(BadInput, match=r"finetune.freeze_layers: got 5; takes 4 or less"):
        freeze(model_of("bert"), embeddings=False, layers=5)


def test_a_model_without_layers_is_refused() -> None:
    model: Any = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    with pytest.raises(BadInput, match="Sequential has no list of layers"):
        layers_of(model)
    assert isinstance(embedding_of(model).weight, torch.Tensor)
